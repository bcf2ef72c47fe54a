"""From trails of the equations to branches, and from branches back to trails."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from rqe._input import instance
from rqe.bifurcation import _follow, _singular
from rqe.bifurcation._family import parallel_family, tau_family
from rqe.bifurcation._follow import Trail
from rqe.bifurcation._system import System
from rqe.bifurcation.bifurcation import Bifurcation, from_singular
from rqe.branch import Branch
from rqe.check import check
from rqe.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rqe.bifurcation._family import Family
    from rqe.bifurcation._singular import Singular

    Array = NDArray[np.float64]


_ENDS = {
    _follow.WINDOW: "it ends at the edges of the window",
    _follow.CLOSED: "it is closed: an isola",
    _follow.STEPS: "it was given up after max_steps points",
    _follow.STALLED: "it could not be followed further: a degenerate point is near",
    _follow.TIME: "the time ran out before its end",
}
_STATUS = {_follow.STEPS: Status.MAX_STEPS, _follow.TIME: Status.MAX_STEPS}


@dataclasses.dataclass(frozen=True)
class Located:
    """A trail with its singular points, each of which is one of the trail's points."""

    trail: Trail
    singular: tuple[tuple[int, Singular], ...]


def located(system: System, trail: Trail) -> Located:
    """Return the trail with the singular points that were met put in their places."""
    found = dict(_singular.on_trail(system, trail)[0])
    for k in {*trail.turning, *trail.crossing} - set(found):
        found[k] = unresolved(system, trail, k)
    return inserted(trail, sorted(found.items()))


def unresolved(system: System, trail: Trail, k: int) -> Singular:
    """Return a point of the step on which something was met that could not be refined."""
    mu = 0.5 * float(trail.mu[k] + trail.mu[k + 1])
    theta = _follow.newton(system, 0.5 * (trail.theta[k] + trail.theta[k + 1]), mu, 8)
    if theta is None:
        theta, mu = trail.theta[k], float(trail.mu[k])
    point = system.point(theta, mu)
    null = np.linalg.svd(point.response)[2][-1]
    width = abs(float(trail.mu[k + 1] - trail.mu[k]))
    return _singular.Singular(
        system, point.theta, mu, _singular.UNCLASSIFIED,
        (null / max(point.length(null), 1e-300))[None], np.empty((0, system.size + 1)), -1, width,
        note="met on the branch, but not refined: only the step on which it lies is known",
    )  # fmt: skip


def inserted(trail: Trail, found: Sequence[tuple[int, Singular]]) -> Located:
    """Return the trail with points added after the given places."""
    theta, mu = list(trail.theta), list(trail.mu)
    placed: list[tuple[int, Singular]] = []
    for done, (k, point) in enumerate(found):
        theta.insert(k + 1 + done, point.theta)
        mu.insert(k + 1 + done, point.mu)
        placed.append((k + 1 + done, point))
    turning = tuple(k for k, point in placed if _turns(point))
    crossing = tuple(k for k, point in placed if point.kind != _singular.FOLD)
    whole = Trail(np.array(theta), np.array(mu, dtype=float), turning, crossing, (), trail.end)
    return Located(whole, tuple(placed))


def marked(curve: Located, point: Singular) -> Located:
    """Return the curve with one of its points declared the given singular point."""
    trail = curve.trail
    same = (trail.mu == point.mu) & (trail.theta == point.theta).all(axis=1)
    places = np.flatnonzero(same).tolist()
    if not places:
        return curve
    k = int(places[0])
    turning = (*trail.turning, k) if _turns(point) else trail.turning
    whole = dataclasses.replace(
        trail, turning=tuple(sorted(turning)), crossing=tuple(sorted((*trail.crossing, k)))
    )
    return Located(whole, tuple(sorted((*curve.singular, (k, point)), key=lambda pair: pair[0])))


def _turns(point: Singular) -> bool:
    """Return whether the curve turns at the point."""
    return point.on >= 0 and abs(float(point.arms[point.on][-1])) < 1e-9


def branch_of(
    system: System, found: Located, window: tuple[float, float], *, tol: float, origin: str,
    target: float | None = None,
) -> Branch:  # fmt: skip
    """Return a trail in the user's terms, every point judged by `rqe.check`.

    window: its two t; target: the t at which the branch must end to count as converged; without
    one, any end at the edge of the window, or a closed curve, will do.
    """
    family, trail = system.family, found.trail
    edges = {family.coordinate(t): t for t in window}
    values = np.array([_values(family, float(mu), edges) for mu in trail.mu])
    logs = [system.logs(theta) for theta in trail.theta]
    judged = [
        check(*family.at(float(mu)), log_x).residual
        for mu, log_x in zip(trail.mu, logs, strict=True)
    ]
    residuals, status, notes = np.array(judged), Status.CONVERGED, [_ENDS[trail.end]]
    if trail.end not in (_follow.WINDOW, _follow.CLOSED):
        status = _STATUS.get(trail.end, Status.STALLED)
    elif target is not None and float(trail.mu[-1]) != family.coordinate(target):
        status, notes = Status.STALLED, [f"it turns back and leaves the window at {window[0]:g}"]
    elif float(residuals.max()) > tol:
        status = Status.INACCURATE
    points = tuple(from_singular(point) for _, point in found.singular)
    game, concept = family.at(family.coordinate(window[1]))
    return Branch(
        game, concept, family.name, values,
        tuple(np.array(column) for column in zip(*logs, strict=True)), residuals,
        np.array(trail.turning, np.intp), np.array(trail.crossing, np.intp), status,
        family.path, points, origin, tuple(notes), window,
    )  # fmt: skip


def _values(family: Family, mu: float, edges: dict[float, float]) -> Array:
    """Return the players' parameters at mu, free of rounding at the window's edges."""
    values = family.values(mu)
    if mu in edges:
        exact, near = edges[mu], family.value(mu)
        values = values * (exact / near) if near else values * 0.0 + exact * (values == near)
        values = np.where(np.abs(values - exact) <= 1e-14 * abs(exact), exact, values)
    return values


def system_of(branch: Branch) -> System:
    """Return the equations that a branch of `rqe.trace` without a window solves."""
    game, concept = branch.game, branch.concept
    if branch.parameter == "tau":
        return System(tau_family(game, concept))
    return System(parallel_family(game, concept))


def trail_of(system: System, branch: Branch) -> Trail:
    """Return the points of a traced branch as a trail, without those at eps = 0 or inf."""
    family = system.family
    column = _leader(branch)
    t = branch.values[:, column]
    kept = np.flatnonzero(np.isfinite(t) & (t > 0.0) if branch.parameter == "eps" else t > -1.0)
    mu = np.array([family.coordinate(float(v)) for v in t[kept]])
    theta = np.array([system.theta([logs[k] for logs in branch.log_strategies]) for k in kept])
    theta = theta.reshape(len(kept), system.size)
    counts = [
        _follow.negative_count(system.point(row, float(m)).response)
        for row, m in zip(theta, mu, strict=True)
    ]
    first = int(kept[0]) if len(kept) else 0
    turning, crossing = (
        tuple(int(k) - first for k in places if first <= k < first + len(kept) - 1)
        for places in (branch.turning_points, branch.bifurcations)
    )
    pairs = tuple(
        k for k in range(len(kept) - 1)
        if abs(counts[k + 1] - counts[k]) > (k in turning) + (k in crossing)
    )  # fmt: skip
    return Trail(theta, mu, turning, crossing, pairs, _follow.WINDOW)


def _leader(branch: Branch) -> int:
    """Return the player whose parameter is the family's t."""
    if branch.parameter == "tau":
        return int(branch.concept.tau.argmax())
    if branch.parameter != "eps":
        return 0
    finite = np.where(np.isfinite(branch.concept.eps), branch.concept.eps, math.inf)
    return int(finite.argmin())


def bifurcations(branch: Branch) -> tuple[Bifurcation, ...]:
    """Return the folds and bifurcations on a branch, each refined and named.

    Every turning point and crossing that `rqe.trace` recorded is solved for by Newton's method on
    the equations reduced to the null vector, which is regular at folds and at simple crossings. On
    the way eigenvalues that pass zero in pairs, as games with a symmetry have them, are looked for.

    Parameters
    ----------
    branch : Branch
        From `rqe.trace`, `rqe.switch_branch` or a `Diagram`.

    Returns
    -------
    tuple of Bifurcation
        In the order of the branch. One that could not be refined is "unclassified", its ``error``
        the length of the step on which it lies.

    Raises
    ------
    TypeError, ValueError
        If it is no branch; if some tau is inf; if there are more than 400 free probabilities.

    Notes
    -----
    Cost: one eigenvalue problem per point of the branch, and about a hundred linear systems per
    bifurcation. A bifurcation between two points of the branch that changes neither its direction,
    nor the determinant's sign, nor the number of negative eigenvalues is not seen.

    References
    ----------
    .. [1] Govaerts, Numerical Methods for Bifurcations of Dynamical Equilibria (2000).

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("mckelvey-mclennan")
    >>> rqe.bifurcations(rqe.trace(game, eps=0.5))
    (<Bifurcation: transcritical at eps = 1.675729151>,)
    """
    instance("branch", branch, Branch)
    if branch.window is not None:
        return branch.bifurcation_points
    system = system_of(branch)
    if not system.size or len(branch) < 2:
        return ()
    trail = trail_of(system, branch)
    found = dict(_singular.on_trail(system, trail)[0])
    for k in {*trail.turning, *trail.crossing} - set(found):
        closer = _closer(system, trail, k)
        found[k] = unresolved(system, trail, k) if closer is None else closer
    return tuple(from_singular(point) for _, point in sorted(found.items()))


def _closer(system: System, trail: Trail, k: int) -> Singular | None:
    """Return what lies between points k and k + 1, which are far apart: in smaller steps."""
    gap = np.append(trail.theta[k + 1] - trail.theta[k], trail.mu[k + 1] - trail.mu[k])
    room = 1.0 + 2.0 * abs(float(gap[-1]))
    mu = float(trail.mu[k])
    follower = _follow.Follower(system, mu - room, mu + room, max_points=80, longest=0.02)
    fine = follower.run(trail.theta[k], mu, gap)
    wanted = fine.turning if k in trail.turning else fine.crossing
    return _singular.between(system, fine, wanted[0]) if wanted else None
