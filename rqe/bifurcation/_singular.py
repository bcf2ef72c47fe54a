"""Where a curve of equilibria turns, or where others cross it: found to rounding, and named."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe.bifurcation import _follow
from rqe.bifurcation._reduction import STEPS, Jet, Reduction, ReductionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.bifurcation._follow import Trail
    from rqe.bifurcation._system import Point, System

    Array = NDArray[np.float64]

FOLD, PITCHFORK, TRANSCRITICAL, UNCLASSIFIED = "fold", "pitchfork", "transcritical", "unclassified"
_FLAT = 1e-6  # a derivative of g below this, next to those of order 1, is 0
_ON_CURVE = 1e-9  # |g| above this: the branches miss each other
_NULL = 1e-6  # a singular value of profile minus best response below this is 0
_NEAR = 2e-2
_REACH = 0.3  # a singular point further than this from where it was seen is another one
_ASIDE = 1e-3  # where the sign of the critical eigenvalue is read


@dataclass(frozen=True)
class Singular:
    """One singular point of the equations.

    kind, criticality, side, note: as for `Bifurcation`, side in mu (+1, -1 or 0). reduction and jet
    are None where more than one eigenvalue vanishes; null: (k, n) null vectors of Fisher's length
    1; arms: (m, n + 1) unit tangents (theta, mu) of the branches through the point; on: which of
    them the curve has on which the point was found, or -1; error: of mu.
    """

    system: System
    theta: Array
    mu: float
    kind: str
    null: Array
    arms: Array
    on: int
    error: float
    criticality: str | None = None
    side: int = 0
    note: str = ""
    reduction: Reduction | None = None
    jet: Jet | None = None


def on_trail(system: System, trail: Trail) -> tuple[list[tuple[int, Singular]], int]:
    """Return the singular points met on a trail with their places, and how many were not found."""
    found: list[tuple[int, Singular]] = []
    missed = 0
    for k in sorted({*trail.turning, *trail.crossing, *trail.pairs}):
        point = between(system, trail, k)
        if point is not None:
            found.append((k, point))
        elif k in trail.crossing or k in trail.turning:
            missed += 1
    return found, missed


def between(system: System, trail: Trail, k: int) -> Singular | None:
    """Return the singular point seen between points k and k + 1 of a trail, or None."""
    ahead = np.append(trail.theta[k + 1] - trail.theta[k], trail.mu[k + 1] - trail.mu[k])
    if k not in trail.crossing and k not in trail.turning:
        return _several(system, trail, k)
    fold = k not in trail.crossing
    places = (k, k + 1)
    sizes = [_least(system, trail.theta[j], float(trail.mu[j])) for j in places]
    for j in sorted(places, key=lambda j: float(sizes[j - k][-1])):
        if sizes[j - k].size > 1 and sizes[j - k][-2] < _NEAR:
            several = _several(system, trail, k)
            if several is not None:
                return several
        found = near(system, trail.theta[j], float(trail.mu[j]), ahead, fold)
        if found is not None:
            return found
    return None


def _least(system: System, theta: Array, mu: float) -> Array:
    """Return the singular values of profile minus best response."""
    found = np.linalg.svd(system.point(theta, mu).response, compute_uv=False)
    return np.asarray(found, dtype=np.float64)


def near(system: System, theta: Array, mu: float, ahead: Array, fold: bool) -> Singular | None:
    """Return the singular point next to (theta, mu), a crossing unless `fold`; None if none is.

    ahead: (n + 1,) direction of the curve there.
    """
    for turning, step in itertools.product((fold, not fold), STEPS):
        try:
            found = _solved(system, theta, mu, ahead, turning, step)
        except (ReductionError, np.linalg.LinAlgError):
            continue
        if found is not None:
            return found
    return None


def _solved(
    system: System, theta: Array, mu: float, ahead: Array, fold: bool, step: float
) -> Singular | None:
    """Return the fold, or the crossing, next to (theta, mu); None if there is none."""
    start, begin = theta, mu
    error = math.inf
    for _ in range(3):  # each time from null vectors of the point that was found
        reduction = Reduction(system, theta, mu, step)
        solve = reduction.fold if fold else reduction.crossing
        sigma, mu, error = solve(0.0, mu)
        theta = reduction.at(sigma, mu).theta
    reduction = Reduction(system, theta, mu, step)
    point = system.point(theta, mu)
    move = np.append(theta - start, mu - begin)
    if math.hypot(point.length(move[:-1]), float(move[-1])) > _REACH:
        return None
    jet = reduction.jet(0.0, mu)
    if abs(jet.g) > _ON_CURVE or int((reduction.singular_values < _NULL).sum()) != 1:
        return None
    error += float(np.abs(np.linalg.solve(point.own, point.residual)).max(initial=0.0))
    if fold and abs(jet.m) > _FLAT:
        return _fold(system, reduction, jet, error)
    return _crossing(system, reduction, jet, ahead, error)


def _fold(system: System, reduction: Reduction, jet: Jet, error: float) -> Singular:
    """Return the fold at the base of a reduction."""
    arms = np.append(reduction.phi, 0.0)[None]
    flat = abs(jet.ss) <= _FLAT * max(abs(jet.sss), abs(jet.m), 1.0)
    curvature = -jet.ss / jet.m
    return Singular(
        system, reduction.theta, reduction.mu, UNCLASSIFIED if flat else FOLD, reduction.phi[None],
        arms, 0, error, None, 0 if flat else int(math.copysign(1.0, curvature)),
        "the fold is of higher order (hysteresis point)" if flat else "", reduction, jet,
    )  # fmt: skip


def _crossing(
    system: System, reduction: Reduction, jet: Jet, ahead: Array, error: float
) -> Singular:
    """Return what crosses at the base of a reduction, at which g and its gradient vanish."""
    here = reduction.at(0.0, reduction.mu)
    size = max(abs(jet.ss), abs(jet.sm), abs(jet.mm), abs(jet.sss))
    flat = abs(jet.ss) <= _FLAT * size
    kind, note, pairs = UNCLASSIFIED, "", []
    turn = jet.sm**2 - jet.ss * jet.mm
    if flat and abs(jet.sm) > _FLAT * size:
        pairs = [(-0.5 * jet.mm / jet.sm, 1.0), (1.0, 0.0)]
        if abs(jet.sss) > _FLAT * size:
            kind = PITCHFORK
        else:
            note = "a pitchfork of higher order: the cubic term vanishes"
    elif not flat and turn > (_FLAT * size) ** 2:
        root = math.sqrt(turn)
        pairs = [((-jet.sm + sign * root) / jet.ss, 1.0) for sign in (1.0, -1.0)]
        kind = TRANSCRITICAL
    elif not flat and turn < 0.0:
        note = "an isolated point: no branch leads through it"
    else:
        note = "the quadratic terms are degenerate: branches touch, or more than two cross"
    arms = [s * np.append(here.theta_s, 0.0) + m * np.append(here.theta_m, 1.0) for s, m in pairs]
    point = system.point(reduction.theta, reduction.mu)
    unit = np.array([_unit(point, arm) for arm in arms]).reshape(-1, system.size + 1)
    criticality, side = None, 0
    if kind == PITCHFORK:
        side = int(math.copysign(1.0, -jet.sss / jet.sm))
        criticality = _criticality(reduction, pairs[0][0], side)
    return Singular(
        system, reduction.theta, reduction.mu, kind, reduction.phi[None], unit,
        _nearest(point, unit, ahead), error, criticality, side, note, reduction, jet,
    )  # fmt: skip


def _criticality(reduction: Reduction, slope: float, side: int) -> str | None:
    """Return "supercritical" if the arms exist where the straight branch has lost stability."""
    signs = []
    for aside in (side * _ASIDE, -side * _ASIDE):
        value = reduction.solve_sigma(slope * aside, reduction.mu + aside)
        if value is None:
            return None
        response = reduction.system.point(value.theta, reduction.mu + aside).response
        signs.append(critical_eigenvalue(response))
    if not signs[0] * signs[1] < 0.0:
        return None
    return "supercritical" if signs[0] < 0.0 else "subcritical"


def critical_eigenvalue(response: Array) -> float:
    """Return the real part of the eigenvalue of least modulus of profile minus best response."""
    values = np.linalg.eigvals(response)
    return float(values[np.abs(values).argmin()].real)


def _unit(point: Point, arm: Array) -> Array:
    """Return a direction at length 1."""
    return arm / math.hypot(point.length(arm[:-1]), float(arm[-1]))


def _nearest(point: Point, arms: Array, ahead: Array) -> int:
    """Return which of the directions is closest to `ahead`, up to sign; -1 without any."""
    if not len(arms):
        return -1
    row = np.append(point.lower(ahead[:-1]), ahead[-1])
    return int(np.abs(arms @ row).argmax())


def _on_curve(system: System, node: _follow.Node, h: float) -> Point:
    """Return the curve's point at distance h, also where the bordered matrix is singular.

    Steps of least norm stay on the curve there, as its tangent is known.
    """
    row, ahead = (
        _follow.row_across(node),
        np.append(node.point.theta, node.point.mu) + h * node.tangent,
    )
    z = ahead.copy()
    for _ in range(30):
        point = system.point(z[:-1], float(z[-1]))
        right = -np.append(point.residual, row @ (z - ahead))
        move = np.linalg.lstsq(_follow.bordered(point, row), right, rcond=1e-9)[0]
        z = z + move
        if np.abs(move).max() <= 1e-12 * (1.0 + np.abs(z).max()):
            return system.point(z[:-1], float(z[-1]))
    raise ReductionError("the curve was lost")


def _several(system: System, trail: Trail, k: int) -> Singular | None:
    """Return the point between k and k + 1 where several eigenvalues vanish at once, or None.

    The curve goes through it with a regular tangent, so that the eigenvalue of least modulus
    changes sign in the arclength.
    """
    theta, mu = trail.theta[k], float(trail.mu[k])
    gap = np.append(trail.theta[k + 1] - theta, trail.mu[k + 1] - mu)
    try:
        node = _follow.make_node(system.point(theta, mu), gap)
    except np.linalg.LinAlgError:
        return None
    end = float(_follow.row_across(node) @ gap)
    points: dict[float, Point] = {0.0: node.point}

    def eigenvalue(h: float) -> float:
        if h not in points:
            points[h] = _on_curve(system, node, h)
        return critical_eigenvalue(points[h].response)

    from scipy.optimize import brentq

    try:
        if not end > 0.0 or not eigenvalue(0.0) * eigenvalue(end) < 0.0:
            return None
        root = float(brentq(eigenvalue, 0.0, end, xtol=1e-15, rtol=1e-14))
        last = eigenvalue(root)
    except (ReductionError, np.linalg.LinAlgError):
        return None
    point = points[root]
    _, values, right = np.linalg.svd(point.response)
    null = right[values < max(_NULL, 10.0 * abs(last))]
    if len(null) < 2:
        return None
    null = np.array([v / max(point.length(v), 1e-300) for v in null])
    note = f"{len(null)} eigenvalues vanish at once, as games with a symmetry have it"
    tangent = _unit(point, node.tangent)
    return Singular(
        system, point.theta, point.mu, UNCLASSIFIED, null, tangent[None], 0, abs(last), note=note
    )
