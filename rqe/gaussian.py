"""Games with quadratic utilities: their equilibria in Gaussian strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rqe import concepts
from rqe.concepts import Concept
from rqe.gaussian_check import check_gaussian
from rqe.gaussian_solution import GaussianSolution
from rqe.solution import ConvergenceError, Status

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rqe.games import AggregativeGame, QuadraticGame

    Array = NDArray[np.float64]

__all__ = ["solve_gaussian", "tau_limits"]

_CERTAIN = "tau = inf changes nothing here: those players face others with eps = 0, who are certain"


def solve_gaussian(
    game: AggregativeGame | QuadraticGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    tol: float = 1e-10,
    throw: bool = True,
) -> GaussianSolution:
    r"""Return the equilibrium of a quadratic game; `rqe.solve` calls it for such games.

    Every player maximises his entropic risk-adjusted utility plus eps times the entropy of his
    action's density,

    .. math:: -\tfrac1{\tau_i} \log E_{a_{-i}} \exp(-\tau_i E_{a_i}[u_i]) + \epsilon_i S(x_i),

    and his best response is Gaussian (appendix B.1 of [1]_). tau = 0 gives the quantal response
    equilibrium, eps = 0 point strategies (zero covariance), both 0 Nash.

    Parameters
    ----------
    game : AggregativeGame or QuadraticGame
        N players.
    tau : float or sequence of N floats, >= 0
        Risk aversion, unit 1/payoff; below `tau_limits`. inf only where all others have eps = 0.
    eps : float or sequence of N floats, in [0, inf)
        Bounded rationality, unit payoff.
    tol : float
        Largest residual that counts as converged.
    throw : bool
        Whether to raise when the certificate exceeds ``tol``; else the status tells.

    Returns
    -------
    GaussianSolution

    Raises
    ------
    IllPosedRiskError
        If a player's risk is infinite: tau is at or beyond his limit.
    ConvergenceError
        If best responses have no common point, or the residual exceeds ``tol``.
    TypeError, ValueError
        If an argument breaks its rule.

    Notes
    -----
    Aggregative games: closed form, O(N n^3) with its certificate. General ones: a linear system in
    the D coordinates of all means, O(D^3), and O(D^3) for each player whose utility bends in the
    others' actions. `unique` is True where the best responses and the linear system prove it:
    always in aggregative games.

    References
    ----------
    .. [1] Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515.

    Examples
    --------
    >>> import rqe
    >>> solution = solve_gaussian(rqe.AggregativeGame(1.0, 1.0, [1.0] * 3), tau=0.5, eps=1.0)
    >>> [round(float(m[0]), 12) for m in solution.means]  # 2/7
    [0.285714285714, 0.285714285714, 0.285714285714]
    """
    from rqe.games import AggregativeGame
    from rqe.solvers import aggregative, quadratic

    concepts.flag("throw", throw)
    concept = Concept.of(game, tau, eps)  # type: ignore[arg-type]
    _finite_eps(concept.eps)
    if isinstance(game, AggregativeGame):
        name, outcome = "aggregative", aggregative.solve(game, concept.tau, concept.eps)
    else:
        name, outcome = "quadratic", quadratic.solve(game, concept.tau, concept.eps)
    notes = (outcome.note, _CERTAIN) if np.isinf(concept.tau).any() else (outcome.note,)
    means = tuple(np.split(outcome.means, np.cumsum(game.dims)[:-1]))
    certificate = check_gaussian(game, concept, means, outcome.covariances)
    status = outcome.status
    if status is Status.CONVERGED and not certificate.residual <= tol:
        status = Status.INACCURATE
    solution = GaussianSolution(
        game, concept, means, outcome.covariances, outcome.margins, outcome.limits, certificate,
        status, name, notes, True if outcome.unique else None,
    )  # fmt: skip
    if throw and status is not Status.CONVERGED:
        raise ConvergenceError(solution)
    return solution


def tau_limits(game: AggregativeGame | QuadraticGame, eps: ArrayLike) -> Array:
    r"""Return the least tau at which each player's risk is infinite, inf where no finite one is.

    In aggregative games 1 / lambda_max(H^{1/2} V_i H^{1/2}), V_i the sum of the others' covariances
    eps_j (rho_j I + H)^{-1}.

    Parameters
    ----------
    game : AggregativeGame or QuadraticGame
        N players.
    eps : float or sequence of N floats, in [0, inf)
        Bounded rationality, unit payoff.

    Returns
    -------
    ndarray, shape (N,)
        Every tau_i strictly below is admissible.

    Examples
    --------
    >>> import rqe
    >>> tau_limits(rqe.AggregativeGame(1.0, 1.0, [1.0] * 3), eps=1.0)
    array([1., 1., 1.])
    """
    from rqe.games import AggregativeGame, QuadraticGame
    from rqe.solvers import aggregative, quadratic

    if not isinstance(game, AggregativeGame | QuadraticGame):
        raise TypeError(
            f"game must be an AggregativeGame or a QuadraticGame; got {type(game).__name__}"
        )
    given = concepts.per_player("eps", eps, game.n_players)
    _finite_eps(given)
    if isinstance(game, AggregativeGame):
        return aggregative.limits(game, given)
    return quadratic.limits(game, given)


def _finite_eps(eps: Array) -> None:
    """Raise if a player has eps = inf: no distribution on R^n is uniform."""
    if not np.isfinite(eps).all():
        i = int(np.argmax(~np.isfinite(eps)))
        raise ValueError(f"eps must be finite in a game of continuous actions; got eps[{i}] = inf")
