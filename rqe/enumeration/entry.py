"""The entry point ``rqe.nash``: which equilibria, and by which method."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from rqe._clock import Clock, Progress
from rqe._input import checked_game, tolerance
from rqe.concepts import flag, one_of, seconds
from rqe.enumeration import _sets
from rqe.enumeration.lemke_howson import LemkeHowson
from rqe.enumeration.zero_sum import ZeroSum
from rqe.games import AggregativeGame, NormalFormGame, QuadraticGame
from rqe.solution import ConvergenceError, Solution
from rqe.solution_set import SolutionSet
from rqe.solve import solve
from rqe.status import Status

if TYPE_CHECKING:
    from rqe.gaussian_solution import GaussianSolution

WHICH = ("one", "pure", "all")
PATHS: dict[str, type[LemkeHowson] | type[ZeroSum]] = {
    "lemke_howson": LemkeHowson,
    "zero_sum": ZeroSum,
}
SEARCHES: dict[str, Callable[[NormalFormGame, Clock, float], SolutionSet]] = {
    "vertex_enumeration": _sets.by_vertices,
    "support_enumeration": _sets.by_supports,
    "branch_and_prune": _sets.by_boxes,
}


@overload
def nash(
    game: NormalFormGame,
    which: Literal["one"] = "one",
    *,
    method: str | LemkeHowson | ZeroSum | None = None,
    tol: float = 1e-10,
    throw: bool = True,
    **options: Any,
) -> Solution: ...


@overload
def nash(
    game: NormalFormGame,
    which: Literal["pure", "all"],
    *,
    method: str | None = None,
    time_limit: float | None = 60.0,
    progress: Progress | None = None,
    tol: float = 1e-10,
) -> SolutionSet: ...


@overload
def nash(
    game: AggregativeGame | QuadraticGame, which: Literal["one"] = "one", **options: Any
) -> GaussianSolution: ...


def nash(
    game: NormalFormGame | AggregativeGame | QuadraticGame,
    which: str = "one",
    *,
    method: str | LemkeHowson | ZeroSum | None = None,
    time_limit: float | None = 60.0,
    progress: Progress | None = None,
    tol: float = 1e-10,
    throw: bool = True,
    **options: Any,
) -> Solution | SolutionSet | GaussianSolution:
    """Return Nash equilibria: one, the pure ones, or all.

    Nobody gains by changing his own strategy alone. Every equilibrium comes with the certificate
    of :func:`rqe.check`; a set says by ``complete`` whether it is proved that none is missing.

    Parameters
    ----------
    game : NormalFormGame
        N players. Games of continuous actions (`QuadraticGame`, `AggregativeGame`) have one
        equilibrium, found directly.
    which : {"one", "pure", "all"}
        One equilibrium, as a `Solution`; or a `SolutionSet` of those in pure strategies or of all.
        Of a degenerate game of two players "all" gives the extreme equilibria, which are finitely
        many, and the `components` that they span.
    method : str or LemkeHowson or ZeroSum, optional
        For "one": ``"principal_branch"`` (default), the limit of the logit equilibria as eps falls
        to 0 from the centroid; for two players ``"lemke_howson"`` and ``"zero_sum"``, or the
        objects of that name with their hyper-parameters. For "all": ``"vertex_enumeration"``
        (default for two players) in exact arithmetic; ``"support_enumeration"`` (two players), in
        doubles, of nondegenerate games; ``"branch_and_prune"`` (default for more players), in
        interval arithmetic.
    time_limit : float or None
        Seconds after which a search returns what it has; None for no limit.
    progress : callable, optional
        Called a few times a second as ``progress(text, seconds)``.
    tol : float
        Largest residual, relative to the payoff range, of an equilibrium.
    throw : bool
        For "one": whether to raise when the certificate exceeds ``tol``.
    **options
        For the principal branch: ``solver`` and ``start`` as for :func:`rqe.solve`.

    Returns
    -------
    Solution or SolutionSet
        By ``which``; no other argument changes the type.

    Raises
    ------
    ConvergenceError
        For "one", if no equilibrium within ``tol`` was found and ``throw`` is true.
    TypeError, ValueError
        If an argument breaks its rule, or the method does not fit the game.

    Notes
    -----
    ``complete=True`` rests, for "pure", on comparing all payoffs exactly; with vertex enumeration,
    on integers without rounding, or on doubles with bounds for every rounding error; with branch
    and prune, on interval arithmetic for all supports. The work grows exponentially with the number
    of actions: about a quarter of a second for 12 x 12, about a second for five players of two
    actions or three of three. Strictly dominated actions are taken out first.

    References
    ----------
    .. [1] Avis, Rosenberg, Savani & von Stengel, Economic Theory 42 (2010).
    .. [2] Lemke & Howson, Journal of the SIAM 12 (1964).
    .. [3] McKelvey & McLennan, Journal of Economic Theory 72 (1997).

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("stag-hunt")
    >>> found = rqe.nash(game, which="all")
    >>> found.complete, [solution.strategies[0].round(3).tolist() for solution in found]
    (True, [[1.0, 0.0], [0.0, 1.0], [0.75, 0.25]])
    >>> rqe.nash(game, method="lemke_howson").strategies[0].tolist()
    [1.0, 0.0]
    """
    one_of("which", which, WHICH)
    flag("throw", throw)
    if isinstance(game, AggregativeGame | QuadraticGame):
        return _continuous(game, which, method, tol, throw, options)
    checked_game(game)
    tol = tolerance(tol)
    seconds("time_limit", time_limit, zero=True)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, or None; got {progress!r}")
    if which == "one":
        return _one(game, method, tol, throw, options)
    if options:
        raise TypeError(f"{', '.join(options)}: for which='one' and the principal branch only")
    clock = Clock(time_limit, progress)
    if which == "pure":
        if method is not None:
            raise ValueError(f"which='pure' has one method: leave method out; got {method!r}")
        return _sets.pure(game, clock, tol)
    return _all(game, method, clock, tol)


def _continuous(
    game: AggregativeGame | QuadraticGame,
    which: str,
    method: object,
    tol: float,
    throw: bool,
    options: dict[str, Any],
) -> GaussianSolution:
    """Return the equilibrium of a game of continuous actions."""
    if which != "one":
        raise ValueError(
            f"which must be 'one' in a game of continuous actions, which has one; got {which!r}"
        )
    if method is not None:
        raise ValueError(
            "method must be None in a game of continuous actions, which is solved directly; "
            f"got {method!r}"
        )
    return solve(game, 0.0, 0.0, tol=tol, throw=throw, **options)


def _one(
    game: NormalFormGame,
    method: str | LemkeHowson | ZeroSum | None,
    tol: float,
    throw: bool,
    options: dict[str, Any],
) -> Solution:
    """Return one equilibrium by the method."""
    if isinstance(method, str):
        one_of("method", method, ("principal_branch", *PATHS))
    if method is None or (isinstance(method, str) and method == "principal_branch"):
        return solve(game, 0.0, 0.0, tol=tol, throw=throw, **options)
    if options:
        raise TypeError(f"{', '.join(options)}: options of the principal branch, not of {method!r}")
    path = PATHS[method]() if isinstance(method, str) else method
    if not isinstance(path, LemkeHowson | ZeroSum):
        raise TypeError(
            "method must be 'principal_branch', 'lemke_howson', 'zero_sum', an rqe.LemkeHowson or "
            f"an rqe.ZeroSum; got {method!r}"
        )
    solution = path.run(game, tol)
    if throw and solution.status is not Status.CONVERGED:
        raise ConvergenceError(solution)
    return solution


def _all(
    game: NormalFormGame, method: str | LemkeHowson | ZeroSum | None, clock: Clock, tol: float
) -> SolutionSet:
    """Return all equilibria by the method."""
    if method is None:
        method = "vertex_enumeration" if game.n_players == 2 else "branch_and_prune"
    if not isinstance(method, str):
        raise TypeError(f"method must be one of {', '.join(SEARCHES)} for 'all'; got {method!r}")
    return SEARCHES[one_of("method", method, tuple(SEARCHES))](game, clock, tol)
