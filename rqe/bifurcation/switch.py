"""From a bifurcation onto the branches that cross there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe import concepts
from rqe._input import tolerance
from rqe.bifurcation import _build, _follow, _singular
from rqe.bifurcation._family import checked_window
from rqe.bifurcation._follow import Follower, Trail
from rqe.bifurcation._reduction import ReductionError
from rqe.bifurcation.bifurcation import Bifurcation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rqe.bifurcation._build import Located
    from rqe.bifurcation._singular import Singular
    from rqe.bifurcation._system import Point
    from rqe.branch import Branch

    Array = NDArray[np.float64]
    Known = Callable[[Array, float], bool]

_AWAY = (1e-2, 1e-3, 3e-2)  # distances at which another branch is first looked for
_ANGLES = 24
_DRAWS = 40
_ALIKE = 0.98  # cosine of two directions that are taken to be one


class Arm(NamedTuple):
    """A point next to a bifurcation on one of its branches, and the direction away from it."""

    theta: Array
    mu: float
    away: Array


def switch_branch(
    bifurcation: Bifurcation,
    *,
    window: tuple[float, float] | None = None,
    max_points: int = 4000,
    tol: float = 1e-10,
) -> tuple[Branch, ...]:
    """Return the other branches through a bifurcation, followed to both sides.

    At a pitchfork or a transcritical bifurcation the directions come from the algebraic branching
    equation, the quadratic or cubic part of the reduced equation. Where several eigenvalues vanish
    the space of null vectors is searched in many directions; that search may miss branches, and
    each arm that it finds is a branch of its own.

    Parameters
    ----------
    bifurcation : Bifurcation
        From `rqe.bifurcations` or a `Diagram`.
    window : (float, float), optional
        Parameter values between which the branches are followed. By default eps from a tenth to
        ten times its value at the bifurcation, tau from 0 to three times it, or the window of the
        path of payoffs.
    max_points : int
        Bound on the points of each half of a branch.
    tol : float
        Largest residual of a point, relative to the payoff range.

    Returns
    -------
    tuple of Branch
        Empty at a fold, where no other branch crosses.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    .. [1] Allgower & Georg, Introduction to Numerical Continuation Methods (2003), chapter 8.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> (point,) = rqe.bifurcations(rqe.trace(game, tau=2.0, eps=0.2, parameter="tau"))
    >>> (branch,) = rqe.switch_branch(point)
    >>> [x[0].round(3).tolist() for x in branch.strategies]  # at its first end, tau = 0
    [[0.195, 0.805], [0.883, 0.117]]
    """
    if not isinstance(bifurcation, Bifurcation) or bifurcation._singular is None:
        raise TypeError(f"bifurcation must be an rqe.Bifurcation; got {type(bifurcation).__name__}")
    point = bifurcation._singular
    family = point.system.family
    if window is None:
        window = _window(bifurcation)
    edges = checked_window(window, family.name if family.path is None else None)
    concepts.whole("max_points", max_points)
    tol = tolerance(tol)
    low, high = sorted(map(family.coordinate, edges))
    if not low <= point.mu <= high:
        raise ValueError(f"window must hold the bifurcation, at {bifurcation.value}; got {window}")
    follower = Follower(point.system, low, high, max_points=max_points)
    origin = f"through the {bifurcation.name} at {family.name} = {bifurcation.value:.6g}"
    return tuple(
        _build.branch_of(point.system, curve, edges, tol=tol, origin=origin)
        for curve in curves(follower, point)
    )


def _window(bifurcation: Bifurcation) -> tuple[float, float]:
    """Return the window in which branches are followed by default."""
    t = bifurcation.value
    if bifurcation.parameter == "eps":
        return 0.1 * t, 10.0 * t
    if bifurcation.parameter == "tau":
        return 0.0, 3.0 * t
    assert bifurcation._singular is not None
    family = bifurcation._singular.system.family
    return family.value(0.0), family.value(3.0)


def curves(
    follower: Follower, point: Singular, known: Known = lambda theta, mu: False
) -> list[Located]:
    """Return the other curves through a singular point, each from end to end, with what they met.

    The point itself is one of their points. Arms that are known already are left out.
    """
    system = point.system
    if point.kind == _singular.FOLD or point.reduction is None:
        arms = _searched(point) if len(point.null) > 1 else []
        arms = [arm for arm in arms if not known(arm.theta, arm.mu)]
        groups, names = _paired(point, arms), [-1] * len(arms)
    else:
        names = [k for k in range(len(point.arms)) if k != point.on]
        groups = [[a for a in _arms(point, k) if not known(a.theta, a.mu)] for k in names]
    found = []
    for group, k in zip(groups, names, strict=False):
        halves = [_out(follower, point, arm) for arm in group]
        whole = [_follow.joined(*halves)] if len(halves) == 2 else halves
        found += [_build.marked(_build.located(system, t), replace(point, on=k)) for t in whole]
    return found


def _out(follower: Follower, point: Singular, arm: Arm) -> Trail:
    """Return the curve from the singular point by way of the arm's first point."""
    trail = follower.run(arm.theta, arm.mu, arm.away)

    def later(places: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(k + 1 for k in places)

    return Trail(
        np.vstack([point.theta, trail.theta]), np.append(point.mu, trail.mu), later(trail.turning),
        later(trail.crossing), later(trail.pairs), trail.end,
    )  # fmt: skip


def _arms(point: Singular, k: int) -> list[Arm]:
    """Return a point on each side of a simple crossing, along its k-th direction."""
    arms = []
    for side in (-1.0, 1.0):
        for distance in _AWAY:
            try:
                arm = _arm(point, k, side * distance)
            except (ReductionError, np.linalg.LinAlgError):
                continue
            if arm is not None:
                arms.append(arm)
                break
    return arms


def _arm(point: Singular, k: int, distance: float) -> Arm | None:
    """Return the point at a distance from the crossing along its k-th direction, or None."""
    reduction, jet = point.reduction, point.jet
    assert reduction is not None
    assert jet is not None
    if abs(point.arms[k][-1]) < 1e-9:  # the arms of a pitchfork are curved
        mu = point.mu - jet.sss * distance**2 / (6.0 * jet.sm)
        value = reduction.solve_mu(distance, mu)
        mu = mu if value is None else value.g
    else:
        slope = reduction.sigma(point.arms[k][:-1]) / float(point.arms[k][-1])
        if abs(slope) > 1.0:
            value = reduction.solve_mu(distance, point.mu + distance / slope)
            mu = point.mu if value is None else value.g
        else:
            mu = point.mu + distance
            value = reduction.solve_sigma(slope * distance, mu)
    if value is None:
        return None
    return Arm(value.theta, mu, np.append(value.theta - point.theta, mu - point.mu))


def _searched(point: Singular) -> list[Arm]:
    """Return points on branches found in many directions of a space of null vectors."""
    found: list[Arm] = []
    here = point.system.point(point.theta, point.mu)
    rows = np.array([here.lower(v) for v in point.null])
    root = np.linalg.cholesky(np.linalg.inv(rows @ point.null.T))  # orthonormal in the metric
    null = root.T @ point.null
    for weights in _directions(len(null)):
        arm = _on_plane(point, weights @ null)
        if arm is None:
            continue
        if all(_cosine(here, arm, other) < _ALIKE for other in found):
            found.append(arm)
    return found


def _cosine(here: Point, first: Arm, second: Arm) -> float:
    """Return the cosine between the directions of two arms, in Fisher's metric."""
    a, b = first.away[:-1], second.away[:-1]
    return float(here.lower(a) @ b) / max(here.length(a) * here.length(b), 1e-300)


def _paired(point: Singular, arms: list[Arm]) -> list[list[Arm]]:
    """Return the arms, those that continue each other through the point together."""
    here, left, groups = point.system.point(point.theta, point.mu), list(arms), []
    while left:
        arm = left.pop(0)
        facing = [k for k, other in enumerate(left) if _cosine(here, arm, other) < -_ALIKE]
        groups.append([arm, left.pop(facing[0])] if facing else [arm])
    return groups


def _directions(count: int) -> Array:
    """Return unit vectors: evenly around a circle, or random ones with both signs of each axis."""
    if count == 2:
        angles = 2.0 * math.pi * (np.arange(_ANGLES) + 0.137) / _ANGLES
        return np.column_stack([np.cos(angles), np.sin(angles)])
    drawn = np.random.default_rng(0).normal(size=(_DRAWS, count))
    drawn /= np.linalg.norm(drawn, axis=1)[:, None]
    return np.vstack([np.eye(count), -np.eye(count), drawn, -drawn])


def _on_plane(point: Singular, direction: Array) -> Arm | None:
    """Return a solution on the plane at a distance along a null vector, or None.

    The branch on which the point was found, along which null vectors do not move, is not on it.
    """
    system, distance = point.system, _AWAY[0]
    row = np.append(system.point(point.theta, point.mu).lower(direction), 0.0)
    z = np.append(point.theta + distance * direction, point.mu)
    centre = np.append(point.theta, point.mu)
    for _ in range(20):
        here = system.point(z[:-1], float(z[-1]))
        matrix = np.vstack([np.column_stack([here.jacobian, here.rate]), row])
        right = -np.append(here.residual, float(row @ (z - centre)) - distance)
        try:
            move = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(move).all():
            return None
        z = z + move * min(1.0, 0.5 * distance / max(float(np.abs(move).max()), 1e-300))
        if float(np.abs(move).max()) <= 1e-11 * (1.0 + float(np.abs(z).max())):
            away = z - centre
            near = here.length(away[:-1]) < 4.0 * distance and abs(away[-1]) < distance
            return Arm(z[:-1], float(z[-1]), away) if near else None
    return None
