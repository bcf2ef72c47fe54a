"""The entry points: solve, and the named limits qre and security; nash and trace have own files.

Each validates what it is given, lets a solver run, and has the answer judged by
``rqe.check.check``, which shares nothing with the solvers. Only a certificate within ``tol``
makes an answer "converged".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, overload

from rqe import concepts
from rqe._input import checked_game, log_start, tolerance
from rqe.check import check
from rqe.concepts import Concept, flag
from rqe.games import AggregativeGame, NormalFormGame, QuadraticGame
from rqe.gaussian import solve_gaussian
from rqe.solution import ConvergenceError, Solution, Status
from rqe.solvers import Solver, by_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from rqe.gaussian_solution import GaussianSolution

_OTHERS = "other equilibria may exist; this is the one on the principal branch"
_NEAR_START = (
    "other equilibria may exist; this is the one that Newton's method found from the start"
)


@overload
def solve(
    game: NormalFormGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    penalty: str = "kl",
    regularizer: str = "entropy",
    solver: str | Solver | None = None,
    start: Sequence[ArrayLike] | None = None,
    tol: float = 1e-10,
    throw: bool = True,
) -> Solution: ...


@overload
def solve(
    game: AggregativeGame | QuadraticGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    penalty: Literal["kl"] = "kl",
    regularizer: Literal["entropy"] = "entropy",
    solver: None = None,
    start: None = None,
    tol: float = 1e-10,
    throw: bool = True,
) -> GaussianSolution: ...


def solve(
    game: NormalFormGame | AggregativeGame | QuadraticGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    penalty: str = "kl",
    regularizer: str = "entropy",
    solver: str | Solver | None = None,
    start: Sequence[ArrayLike] | None = None,
    tol: float = 1e-10,
    throw: bool = True,
) -> Solution | GaussianSolution:
    r"""Return a risk-averse quantal response equilibrium of ``game``, with its certificate.

    No player can raise, by changing x_i alone, the objective [1]_

    .. math:: \min_p \; E_{x_i, p}[u_i] + D(p, x_{-i}) / \tau_i - \epsilon_i \nu(x_i).

    tau = 0 gives the logit quantal response equilibrium with ``lam = 1 / eps``, eps = 0 the limit
    of the branch (a Nash equilibrium at tau = 0), tau = inf the security strategies. Where several
    equilibria exist, the one on the principal branch is returned: the first point met at the target
    by the curve of equilibria that leaves the centroid at eps = inf and follows ``eps_i + s`` down.

    Parameters
    ----------
    game : NormalFormGame, AggregativeGame or QuadraticGame
        N players, payoffs of any level and scale. Quadratic games take tau, eps, tol and throw
        alone and have a `GaussianSolution`: see `rqe.gaussian.solve_gaussian`.
    tau : float or sequence of N floats, in [0, inf]
        Risk aversion, unit 1/payoff.
    eps : float or sequence of N floats, in [0, inf]
        Bounded rationality, unit payoff.
    penalty : {"kl", "reverse_kl"}
        Divergence that ties the adversary to the others' play.
    regularizer : {"entropy", "log_barrier"}
        Cost of a concentrated strategy.
    solver : {"principal_branch", "newton"} or Solver, optional
        By default the principal branch, or Newton's method if a start is given. Hyper-parameters
        are set on the object: ``rqe.PrincipalBranch(max_steps=1000)``.
    start : sequence of N array_like, shape (n_i,), optional
        Profile of positive probabilities from which Newton's method starts.
    tol : float
        Largest residual, relative to the payoff range, that counts as converged.
    throw : bool
        Whether to raise when the certificate exceeds ``tol``; else the status tells.

    Returns
    -------
    Solution or GaussianSolution
        Strategies, payoffs, adversaries, residual and regret.

    Raises
    ------
    ConvergenceError
        If the residual exceeds ``tol`` and ``throw`` is true; it carries the partial answer.
    TypeError, ValueError
        If an argument breaks its rule; the message names argument, rule and value.

    Notes
    -----
    One evaluation costs two passes over the payoffs. Residual and regret are recomputed by plain
    numpy code; uniqueness is claimed only where a theorem proves it.

    References
    ----------
    .. [1] Mazumdar, Panaganti & Shi, ICLR 2025, arXiv 2406.14156.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    >>> solution = rqe.solve(game, tau=1.0, eps=0.2)
    >>> round(float(solution.strategies[0][0]), 9)
    0.608229833
    """
    tol = tolerance(tol)
    flag("throw", throw)
    if not isinstance(game, NormalFormGame) and isinstance(game, AggregativeGame | QuadraticGame):
        _gaussian_only(penalty=penalty, regularizer=regularizer, solver=solver, start=start)
        return solve_gaussian(game, tau, eps, tol=tol, throw=throw)
    concept = Concept.of(checked_game(game), tau, eps, penalty, regularizer)
    begin = None if start is None else log_start(start, game.shape)
    method = by_name(solver, begin is not None)
    outcome = method.run(game, concept, begin, tol)
    log_strategies = tuple(outcome.log_strategies)
    certificate = check(game, concept, log_strategies, outcome.witnesses)
    status = outcome.status
    if certificate.residual > tol and status is Status.CONVERGED:
        status = Status.INACCURATE
    note = _NEAR_START if begin is not None else _OTHERS
    solution = Solution(
        game, concept, log_strategies, certificate, status, method.name, outcome.stats,
        (note,),
    )  # fmt: skip
    if throw and status is not Status.CONVERGED:
        raise ConvergenceError(solution)
    return solution


@overload
def qre(game: NormalFormGame, lam: ArrayLike, **options: Any) -> Solution: ...
@overload
def qre(
    game: AggregativeGame | QuadraticGame, lam: ArrayLike, **options: Any
) -> GaussianSolution: ...


def qre(
    game: NormalFormGame | AggregativeGame | QuadraticGame, lam: ArrayLike, **options: Any
) -> Solution | GaussianSolution:
    """Return the logit quantal response equilibrium at precision ``lam = 1 / eps``.

    Parameters
    ----------
    game : NormalFormGame
        N players.
    lam : float or sequence of N floats, in [0, inf]
        Precision, unit 1/payoff; 0 is the centroid, inf the Nash limit.
    **options
        As for :func:`solve`.

    Raises
    ------
    TypeError, ValueError
        If lam is not made of real numbers in [0, inf].

    References
    ----------
    .. [1] McKelvey & Palfrey, Games and Economic Behavior 10 (1995).

    Examples
    --------
    >>> import rqe
    >>> solution = rqe.qre(rqe.catalog.load("prisoners-dilemma"), lam=2.0)
    >>> solution.concept.name
    'logit QRE'
    """
    if not isinstance(game, NormalFormGame | AggregativeGame | QuadraticGame):
        game = checked_game(game)
    if options:
        _left_out("qre, which has tau = 0 and eps = 1 / lam", ("tau", "eps"), options)
    if type(lam) is float and 0.0 < lam < math.inf:
        return solve(game, 0.0, 1.0 / lam, **options)
    precision = concepts.per_player("lam", lam, game.n_players).tolist()
    eps = [1.0 / p if p > 0.0 else math.inf for p in precision]
    return solve(game, 0.0, eps[0] if len(set(eps)) == 1 else eps, **options)


def security(game: NormalFormGame, eps: ArrayLike = 0.0, **options: Any) -> Solution:
    """Return security (maximin) strategies: every player with ``tau = inf``.

    At eps = 0 one linear programme per player; its value is ``risk_adjusted``. With eps > 0 the
    regularised security strategy, which is unique.

    Examples
    --------
    >>> import rqe
    >>> solution = rqe.security(rqe.catalog.load("matching-pennies"))
    >>> solution.risk_adjusted.round(9).tolist()
    [0.0, 0.0]
    """
    _left_out("security, which has tau = inf", ("tau",), options)
    return solve(checked_game(game), math.inf, eps, **options)


def _gaussian_only(**options: object) -> None:
    """Raise if an option has another value than the one that games of continuous actions have."""
    fixed = {"penalty": "kl", "regularizer": "entropy", "solver": None, "start": None}
    for name, value in options.items():
        if value is not None and not (isinstance(value, str) and value == fixed[name]):
            raise ValueError(
                f"{name} must be {fixed[name]!r} in a quadratic game, which is solved directly; "
                f"got {value!r}"
            )


def _left_out(where: str, names: tuple[str, ...], options: dict[str, Any]) -> None:
    """Raise if an option is given that a named limit sets itself."""
    for name in names:
        if name in options:
            raise TypeError(f"{name} must be left out of {where}; got {options[name]!r}")
