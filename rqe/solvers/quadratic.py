r"""Gaussian equilibrium of a game with quadratic utilities: one linear system for the means.

For player i let S be the others' covariance (block diagonal), L L' = S, W = H^i_-i,-i and
E = H^i_i,-i. The adversary of the entropic utility is Gaussian with covariance
C = (S^{-1} + tau W)^{-1} = L (I + tau L'WL)^{-1} L' and mean (I - tau C W) m_-i
- tau C (E' m_i + h_-i), so that player i's first-order condition is

    (-H_ii + tau E C E') m_i - E (I - tau C W) m_-i = h_i - tau E C h_-i,

the best response of the lemma in arXiv 2602.21515, appendix B.1, written without inverses of S and
tau, whose limits at 0 it thereby holds. Risk is finite iff I + tau L'WL > 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.solvers import _gaussian
from rqe.status import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import QuadraticGame

    Array = NDArray[np.float64]

_ROUNDING = float(np.finfo(float).eps)
_PROOF = (
    "unique: every best response is Gaussian with the covariance shown, and the linear system of "
    "the means is nonsingular, whatever the rounding of its coefficients"
)
_OPEN = (
    "the linear system of the means is singular, or too nearly so to tell: other equilibria may "
    "exist; this one has the smallest means"
)
_NONE = "no equilibrium: these means come nearest to being best responses"


class _View(NamedTuple):
    """What player i sees of the others, in independent shares z with a_-i - m_-i = columns z.

    Columns (D, r) with columns columns' = S_-i and columns' W columns = diag(curvatures); how his
    slope moves with z, reach (n_i, r); and h_i in those shares, field (r,).
    """

    columns: Array
    curvatures: Array
    reach: Array
    field: Array


def limits(game: QuadraticGame, eps: Array) -> Array:
    """Least tau at which each player's risk is infinite, shape (N,)."""
    return np.array([_limit(view.curvatures) for view in _views(game, _factors(game, eps))])


def solve(game: QuadraticGame, tau: Array, eps: Array) -> _gaussian.Outcome:
    """Return the equilibrium; tau and eps of shape (N,), checked."""
    factor = _factors(game, eps)
    views = _views(game, factor)
    bounds = np.array([_limit(view.curvatures) for view in views])
    tau = _gaussian.admissible(game, tau, eps, bounds)
    slopes, levels = np.zeros_like(game.own_rows), np.empty(len(game.own_rows))
    for i, own in enumerate(game.places):
        slopes[own], levels[own] = _best_response(game, i, float(tau[i]), views[i])
    room = _gaussian.margin(tau, bounds)
    condition = max(float(np.linalg.cond(game.own_rows[own, own])) for own in game.places)
    slack = 64.0 * len(levels) * _ROUNDING * (condition + 1.0 / float(room.min()))
    means, proven, status = _fixed_point(slopes, levels, slack)
    covariances = tuple(factor[own, own] @ factor[own, own].T for own in game.places)
    note = _PROOF if proven else _OPEN if status is Status.CONVERGED else _NONE
    return _gaussian.Outcome(means, covariances, room, bounds, status, proven, note)


def _factors(game: QuadraticGame, eps: Array) -> Array:
    """Block diagonal L with L L' the covariances eps_i (-H_ii)^{-1}, shape (D, D)."""
    factor = np.zeros_like(game.own_rows)
    for own, e in zip(game.places, eps, strict=True):
        root = np.linalg.cholesky(-game.own_rows[own, own])
        factor[own, own] = np.sqrt(e) * np.linalg.inv(root).T
    return factor


def _views(game: QuadraticGame, factor: Array) -> list[_View]:
    """Return each player's view of the others."""
    reach, field = game.own_rows @ factor, game.linear @ factor
    for own in game.places:
        reach[own, own] = 0.0
    noisy = np.asarray(factor.any(axis=0))
    views = []
    for i, own in enumerate(game.places):
        matrix = game.others(i)
        if matrix is None:  # every basis makes a zero matrix diagonal
            views.append(_View(factor, np.zeros(1), reach[own], field[i]))
            continue
        kept = noisy.copy()
        kept[own] = False
        columns = factor[:, kept]
        curvatures, basis = np.linalg.eigh(columns.T @ matrix @ columns)
        noise = 4 * len(curvatures) * _ROUNDING * np.abs(curvatures).max(initial=0.0)
        curvatures[np.abs(curvatures) <= noise] = 0.0  # exact zeros of a matrix of low rank
        views.append(
            _View(columns @ basis, curvatures, reach[own][:, kept] @ basis, field[i, kept] @ basis)
        )
    return views


def _limit(curvatures: Array) -> float:
    """Least tau at which I + tau diag(curvatures) is singular."""
    least = float(curvatures.min(initial=0.0))
    return -1.0 / least if least < 0.0 and -1.0 / least < np.inf else np.inf


def _best_response(game: QuadraticGame, i: int, tau: float, view: _View) -> tuple[Array, Array]:
    """Slopes (n_i, D) and level (n_i,) of player i's best mean in everybody's means.

    With R R' = -H_ii and Y = R^{-1} reach w^{1/2}, w = tau / (1 + tau curvatures), the first-order
    condition is R (I + Y Y') R' m_i = E m_-i + h_i - R Y w^{1/2} (columns' W m_-i + field). The
    singular values of Y keep it accurate where w is large, near the end of the domain.
    """
    own, matrix = game.places[i], game.others(i)
    root = np.linalg.cholesky(-game.own_rows[own, own])
    pull = np.column_stack([game.own_rows[own], game.linear[i, own]])
    pull[:, own] = 0.0
    answer = np.linalg.solve(root, pull)
    if tau > 0.0 and view.field.size:
        weights = np.sqrt(tau / _precisions(tau, view.curvatures))
        axes, sizes, turn = np.linalg.svd(
            np.linalg.solve(root, view.reach) * weights, full_matrices=False
        )
        damped = sizes / (1.0 + sizes * sizes)
        answer -= axes @ ((sizes * damped)[:, None] * (axes.T @ answer))
        fear = (damped[:, None] * turn) * weights
        answer[:, -1] -= axes @ (fear @ view.field)
        if matrix is not None:
            answer[:, :-1] -= axes @ ((fear @ view.columns.T) @ matrix)
    solved = np.linalg.solve(root.T, answer)
    return solved[:, :-1], solved[:, -1]


def _precisions(tau: float, curvatures: Array) -> Array:
    """1 + tau curvatures, positive however close tau is to a limit."""
    falling = curvatures < 0.0
    with np.errstate(over="ignore"):
        ends = -1.0 / np.where(falling, curvatures, -1.0)
    room = _gaussian.margin(np.full_like(ends, tau), ends)
    return np.where(falling, room, 1.0 + tau * curvatures)


def _fixed_point(slopes: Array, levels: Array, slack: float) -> tuple[Array, bool, Status]:
    """Solve m = slopes m + levels; whether that has been proven to have one solution.

    `slack` bounds the relative rounding of the coefficients.
    """
    system = np.eye(len(levels)) - slopes
    if _nonsingular(system, slack):
        return np.asarray(np.linalg.solve(system, levels), dtype=float), True, Status.CONVERGED
    means = np.asarray(np.linalg.lstsq(system, levels, rcond=1e-12)[0], dtype=float)
    gap = np.abs(system @ means - levels).max()
    size = (np.abs(system) @ np.abs(means) + np.abs(levels)).max()
    return means, False, Status.CONVERGED if gap <= 1e-10 * size else Status.NO_EQUILIBRIUM


def _nonsingular(system: Array, slack: float) -> bool:
    """Whether no matrix within the relative distance `slack` is singular: ||I - R A|| < 1."""
    try:
        inverse = np.linalg.inv(system)
    except np.linalg.LinAlgError:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        defect = np.abs(np.eye(len(system)) - inverse @ system)
        defect += slack * (np.abs(inverse) @ np.abs(system))
        return bool(defect.sum(axis=1).max() < 1.0)
