"""`trace`: whole branches of equilibria, in eps, in tau, or along a path of payoffs."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import concepts
from rqe._input import checked_game, tolerance
from rqe.bifurcation import _build, _follow
from rqe.bifurcation._family import checked_window, eps_family, payoff_family, tau_family
from rqe.bifurcation._system import System
from rqe.bifurcation.path import PayoffPath, direction_of
from rqe.branch import Branch
from rqe.concepts import Concept
from rqe.solution import ConvergenceError, Solution, Status
from rqe.solve import solve
from rqe.solvers import PrincipalBranch, by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from rqe.bifurcation._family import Family
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]
    Window = tuple[float, float]
    Parameter = str | PayoffPath | ArrayLike | Callable[[float], Any]


def trace(
    game: NormalFormGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    parameter: Parameter = "eps",
    window: Window | None = None,
    start: Solution | Sequence[ArrayLike] | None = None,
    penalty: str = "kl",
    regularizer: str = "entropy",
    solver: str | PrincipalBranch | None = None,
    tol: float = 1e-10,
    throw: bool = True,
) -> Branch:
    """Return a whole branch of equilibria, in eps, in tau or in a payoff parameter, as arrays.

    Without a window: with ``parameter="eps"`` the principal branch, from the centroid (eps = inf)
    to the target; its points are eps_i + s with s from infinity to 0, not monotone where the
    branch folds. With ``parameter="tau"`` the branch through the principal equilibrium at tau = 0
    and the target's eps, all tau_i growing in proportion to the target.

    With ``window=(t0, t1)``: the branch through the equilibrium at t0, followed through folds and
    crossings until it leaves the window, its bifurcations refined and named. eps and tau are then
    the target's times a factor, t being the largest (for a target of 0, or a common one, t is
    what all players have).

    Parameters
    ----------
    game : NormalFormGame
        N players; at t = 0 if the parameter is a direction.
    tau, eps : float or sequence of N floats, in [0, inf]
        The target, or what stays as it is; with a window, finite tau and positive eps.
    parameter : {"eps", "tau"}, array_like, callable or PayoffPath
        What changes along the branch. An array of the shape of the payoffs is a direction: at t
        they are ``game.payoffs + t * direction``. A function of t returns payoffs or a game.
    window : (float, float), optional
        Where t starts and where it is to end; needed for payoffs.
    start : Solution or sequence of N array_like, shape (n_i,), optional
        Profile from which Newton's method finds the equilibrium at t0; by default the principal
        equilibrium there.
    penalty, regularizer : str
        As for :func:`solve`.
    solver : "principal_branch" or PrincipalBranch, optional
        Hyper-parameters of the follower; ``predictor_error`` sets how densely points lie.
    tol : float
        Largest residual of a point, relative to the payoff range.
    throw : bool
        Whether to raise when the target is not reached or a residual exceeds ``tol``.

    Returns
    -------
    Branch
        Parameter values, strategies, residuals, turning points and bifurcations met.

    Raises
    ------
    ConvergenceError
        If the branch ends early, turns back for good or is inaccurate, and ``throw`` is true; it
        carries the branch.
    TypeError, ValueError
        If an argument breaks its rule.

    Notes
    -----
    A branch without window is followed by compiled code, for games of any size; one with a window
    by dense linear algebra, for up to 400 free probabilities.

    Examples
    --------
    >>> import rqe
    >>> branch = rqe.trace(rqe.catalog.load("stag-hunt"), eps=0.5)
    >>> branch.converged
    True
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> rqe.trace(game, eps=0.2, parameter="tau", window=(0, 2)).bifurcation_points
    (<Bifurcation: supercritical pitchfork at tau = 0.8287886937, arms below>,)
    """
    concept = Concept.of(checked_game(game), tau, eps, penalty, regularizer)
    tol = tolerance(tol)
    concepts.flag("throw", throw)
    method = by_name(solver, started=False)
    if not isinstance(method, PrincipalBranch):
        raise TypeError(f"solver must be 'principal_branch' or a PrincipalBranch; got {solver!r}")
    if window is None:
        if start is not None:
            raise ValueError("start needs a window: window=(t0, t1) says where it is to be used")
        branch = _principal(game, concept, parameter, method, tol)
    else:
        branch = _windowed(family_of(game, concept, parameter, window), window, start, method, tol)
    if branch.status is Status.CONVERGED and branch.residual > tol:
        branch = dataclasses.replace(branch, status=Status.INACCURATE)
    if throw and branch.status is not Status.CONVERGED:
        raise ConvergenceError(branch)
    return branch


def _principal(
    game: NormalFormGame, concept: Concept, parameter: Parameter, method: PrincipalBranch,
    tol: float,
) -> Branch:  # fmt: skip
    """Return the branch from the centroid, or from tau = 0, by the compiled follower."""
    if not isinstance(parameter, str):
        raise ValueError("window must be given, as (t0, t1), for a path of payoffs; got None")
    concepts.one_of("parameter", parameter, ("eps", "tau"))
    from rqe.solvers import tracing

    run = tracing.along_eps if parameter == "eps" else tracing.along_tau
    traced = run(game, concept, method, tol)
    return Branch(
        game, concept, parameter, traced.values, traced.log_strategies,
        tracing.residuals(game, concept, parameter, traced), traced.turning_points,
        traced.bifurcations, traced.status, origin="principal branch" * (parameter == "eps"),
    )  # fmt: skip


def family_of(
    game: NormalFormGame, concept: Concept, parameter: Parameter, window: Window
) -> Family:
    """Return the games and concepts that `parameter` and `window` describe, checked."""
    name = parameter if isinstance(parameter, str) else None
    if name is not None:
        concepts.one_of("parameter", name, ("eps", "tau"))
    start, end = checked_window(window, name)
    if name == "eps":
        return _eps_family(game, concept)
    if not float(concept.eps.min()) > 0.0:
        raise ValueError(
            "eps must be > 0 for every player where tau or payoffs change; "
            f"got {concept.eps.tolist()}"
        )
    if name == "tau":
        return tau_family(game, concept)
    if isinstance(parameter, PayoffPath):
        path = parameter
    elif callable(parameter):
        path = PayoffPath(parameter, game=game)
    else:
        path = PayoffPath.line(game, direction_of(game, parameter, "parameter"))
    shape = path.game(start).shape
    if shape != game.shape:
        raise ValueError(
            f"parameter must lead through games of the shape of game, {game.shape}; got {shape}"
        )
    return payoff_family(path, concept, (start, end))


def _eps_family(game: NormalFormGame, concept: Concept) -> Family:
    """Return eps in proportion to the target's, which nobody may have at 0 where another has not.

    0 times any factor is 0, where best responses jump and no branch can be followed this way.
    """
    if concept.eps.any() and not concept.eps.all():
        raise ValueError(
            "eps must be > 0 for every player, or 0 for all, where it changes in a window; "
            f"got {concept.eps.tolist()}"
        )
    return eps_family(game, concept)


def _windowed(
    family: Family, window: Window, start: Any, method: PrincipalBranch, tol: float
) -> Branch:
    """Return the branch through the equilibrium at the window's first end."""
    begin, end = float(window[0]), float(window[1])
    system, mu = System(family), family.coordinate(begin)
    low, high = sorted((mu, family.coordinate(end)))
    game, concept = family.at(mu)
    profile = start.strategies if isinstance(start, Solution) else start
    first = solve(
        game, concept.tau, concept.eps, penalty=concept.penalty, regularizer=concept.regularizer,
        start=profile, tol=tol,
    )  # fmt: skip
    theta = _follow.newton(system, system.theta(first.log_strategies), mu)
    if theta is None:  # singular: the solver's own answer must do
        theta = system.theta(first.log_strategies)
    guess = np.append(np.zeros(system.size), 1.0 if begin < end else -1.0)
    guess[-1] *= math.copysign(1.0, family.slope(mu))
    follower = _follow.Follower(
        system, low, high, max_points=method.max_steps,
        longest=min(_follow.LONGEST, 2.0 * method.predictor_error),
    )  # fmt: skip
    trail = follower.run(theta, mu, guess)
    where = f"{family.name} = {begin:g}"
    origin = f"from a start at {where}" if start is not None else f"principal at {where}"
    return _build.branch_of(
        system, _build.located(system, trail), (begin, end), tol=tol, origin=origin, target=end
    )
