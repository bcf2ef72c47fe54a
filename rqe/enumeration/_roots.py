"""All roots of a support profile's equations in the unit box, by branch and prune.

A box is discarded where an equation keeps its sign or an inequality is broken throughout, where
Krawczyk's operator leaves nothing of it, or where it lies in the region of a known root. A region
is a box around a root that Krawczyk's operator maps into its interior, which proves that there is
exactly one root in it [1]_; it may reach beyond the unit box, so that roots on the boundary are no
special case. What is left is cut in two, until it is too small to go on.

References
----------
.. [1] Krawczyk, Computing 4 (1969); Neumaier, Interval Methods for Systems of Equations (1990),
   chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.enumeration._system import Range, System

    Array = NDArray[np.float64]

_BATCH = 512  # boxes examined together
_SMALLEST = 1e-7  # half the width of a box that is given up
_GIVEN_UP = 8  # such boxes before the whole system is given up
_REGIONS = 10.0 ** -np.arange(0.5, 10.1, 0.5)  # half widths tried for the region of a root


class Root(NamedTuple):
    """A root within ``error`` of ``point`` (d,), the only one within ``reach`` of it."""

    point: Array
    error: float
    reach: float


@dataclass
class Search:
    """What became of a search: roots, centres of boxes given up, and whether it ran to its end."""

    roots: list[Root] = field(default_factory=list)
    given_up: list[Array] = field(default_factory=list)
    boxes: int = 0
    ended: bool = True


def search(system: System, clock: Clock) -> Search:
    """Return all roots in the unit box that satisfy the inequalities or nearly so.

    The search has proved that there are no others if it ended and gave nothing up.
    """
    with np.errstate(all="ignore"):  # singular Jacobians give infinite images, which cut nothing
        return _search(system, clock)


def _search(system: System, clock: Clock) -> Search:
    """Examine boxes, the last cut first, until none is left."""
    found = Search()
    low, high = np.zeros((1, system.size)), np.ones((1, system.size))
    while len(low):
        found.boxes += min(len(low), _BATCH)
        low, high, left_low, left_high = (
            low[-_BATCH:],
            high[-_BATCH:],
            low[:-_BATCH],
            high[:-_BATCH],
        )
        low, high = _examined(system, low, high, found)
        low, high = np.vstack([left_low, low]), np.vstack([left_high, high])
        if clock.tick("boxes", found.boxes) or len(found.given_up) >= _GIVEN_UP:
            found.ended = not len(low)
            break
    return found


def _examined(system: System, low: Array, high: Array, found: Search) -> tuple[Array, Array]:
    """Return the boxes into which those given are cut; what is settled is noted in `found`."""
    mid, rad = _centred(low, high)
    keep = _possible(system, low, mid, rad) & ~_covered(mid, rad, found.roots)
    low, high, mid, rad = low[keep], high[keep], mid[keep], rad[keep]
    if not len(low):
        return low, high
    image, factor = krawczyk(system, mid, rad)
    new_low = np.maximum(low, image.mid - image.rad)
    new_high = np.minimum(high, image.mid + image.rad)
    keep = np.all(new_low <= new_high, axis=1)
    low, high = new_low[keep], new_high[keep]
    before, factor = rad[keep], factor[keep]
    mid, rad = _centred(low, high)
    for k in np.flatnonzero(factor < 0.9).tolist():
        if not _covered(mid[k : k + 1], rad[k : k + 1], found.roots)[0]:
            root = certified_root(system, mid[k])
            if root is not None and not _known(root, found.roots):
                found.roots.append(root)
    widest = rad.max(axis=1)
    small = widest < _SMALLEST
    keep = ~_covered(mid, rad, found.roots)
    found.given_up += list(mid[keep & small])
    keep &= ~small
    halve = widest > 0.5 * before.max(axis=1)
    whole = keep & ~halve
    cut = keep & halve
    halves = _halved(low[cut], high[cut], mid[cut], rad[cut])
    return np.vstack([low[whole], halves[0]]), np.vstack([high[whole], halves[1]])


def _centred(low: Array, high: Array) -> tuple[Array, Array]:
    """Return midpoints and radii, rounded up, of boxes given by their corners."""
    mid = 0.5 * (low + high)
    return mid, np.maximum(mid - low, high - mid) * (1.0 + 1e-15) + 1e-300


def _possible(system: System, low: Array, mid: Array, rad: Array) -> NDArray[np.bool_]:
    """Return which boxes may hold a solution: probabilities, equations and inequalities."""
    equations, inequalities = system.ranges(mid, rad)
    possible: NDArray[np.bool_] = np.all(np.abs(equations.mid) <= equations.rad, axis=1)
    possible &= (inequalities.mid <= inequalities.rad).all(axis=1)
    for block in system.blocks:
        possible &= low[:, block].sum(axis=1) <= 1.0 + 1e-14
    return possible


def _covered(mid: Array, rad: Array, roots: list[Root]) -> NDArray[np.bool_]:
    """Return which boxes lie in the region of a known root."""
    covered = np.zeros(len(mid), dtype=bool)
    for root in roots:
        covered |= (np.abs(mid - root.point) + rad <= root.reach * (1.0 - 1e-12)).all(axis=1)
    return covered


def _known(root: Root, roots: list[Root]) -> bool:
    """Return whether the root lies in the region of another, which holds only one."""
    return any(
        bool((np.abs(root.point - other.point) + root.error <= other.reach * (1.0 - 1e-12)).all())
        for other in roots
    )


def _halved(low: Array, high: Array, mid: Array, rad: Array) -> tuple[Array, Array]:
    """Return both halves of boxes cut across their widest side."""
    rows, side = np.arange(len(low)), rad.argmax(axis=1)
    upper, lower = low.copy(), high.copy()
    upper[rows, side] = mid[rows, side]
    lower[rows, side] = mid[rows, side]
    return np.vstack([low, upper]), np.vstack([lower, high])


def krawczyk(system: System, mid: Array, rad: Array) -> tuple[Range, Array]:
    """Return the image of boxes (B, d) under Krawczyk's operator, and how far it contracts (B,).

    ``K(X) = m - Y F(m) + (I - Y J(X)) (X - m)`` with Y the inverse of the Jacobian's midpoint.
    Every root in X lies in K(X). A factor below 1 also means that every matrix in J(X) is regular.
    Boxes without an inverse get an infinite image.
    """
    from rqe.enumeration._system import Range

    slope = system.jacobian(mid, rad)
    d = mid.shape[1]
    Y = _inverses(slope.mid)
    value, _ = system.ranges(mid, np.zeros_like(mid))
    size = np.abs(Y)
    product = np.abs(np.eye(d) - Y @ slope.mid) + size @ slope.rad
    product += (d + 2) * 2.0**-52 * (size @ np.abs(slope.mid) + 1.0)
    shrunk = (product @ rad[..., None])[..., 0] * (1.0 + 1e-13)
    step = (Y @ value.mid[..., None])[..., 0]
    noise = (size @ (value.rad + (d + 4) * 2.0**-52 * np.abs(value.mid))[..., None])[..., 0]
    centre = mid - step
    spread = shrunk + noise * (1.0 + 1e-13) + 2.0**-52 * (np.abs(mid) + np.abs(step))
    bad = ~np.isfinite(centre + spread).all(axis=1)
    centre[bad], spread[bad] = mid[bad], np.inf
    return Range(centre, spread), np.where(bad, np.inf, (shrunk / rad).max(axis=1))


def _inverses(matrices: Array) -> Array:
    """Return the inverses of matrices (B, d, d), NaN where there is none."""
    try:
        inverses: Array = np.asarray(np.linalg.inv(matrices), dtype=np.float64)
        return inverses
    except np.linalg.LinAlgError:
        out = np.full_like(matrices, np.nan)
        regular = np.abs(np.linalg.det(matrices)) > 0.0
        for k in np.flatnonzero(regular).tolist():
            try:
                out[k] = np.linalg.inv(matrices[k])
            except np.linalg.LinAlgError:
                continue
        return out


def certified_root(system: System, start: Array) -> Root | None:
    """Return the root that Newton's method finds from `start`, if it can be certified."""
    point = newton(system, start)
    if point is None:
        return None
    count = len(_REGIONS)
    mid = np.repeat(point[None], count, axis=0)
    rad = np.repeat(_REGIONS[:, None], len(point), axis=1)
    image, _ = krawczyk(system, mid, rad)
    offset = (np.abs(image.mid - mid) + image.rad).max(axis=1)
    inside = np.flatnonzero(offset < _REGIONS)
    if not len(inside):
        return None
    return Root(point, float(offset[inside].min()), float(_REGIONS[inside[0]]))


def nearest_root(system: System, start: Array) -> Array:
    """Return a root near a point (d,) at which the Jacobian may be singular, by Gauss-Newton."""
    point = start[None]
    nothing = np.zeros_like(point)
    for _ in range(20):
        value, _ = system.ranges(point, nothing)
        slope = system.jacobian(point, nothing).mid[0]
        point = point - np.linalg.pinv(slope, rcond=1e-9) @ value.mid[0]
    nearest: Array = np.clip(point[0], 0.0, 1.0)
    return nearest


def newton(system: System, start: Array) -> Array | None:
    """Return the limit of Newton's method from a point (d,), None where it does not settle."""
    point = start[None].copy()
    nothing = np.zeros_like(point)
    for _ in range(30):
        value, _ = system.ranges(point, nothing)
        Y = _inverses(system.jacobian(point, nothing).mid)
        step = (Y @ value.mid[..., None])[..., 0]
        if not np.isfinite(step).all() or np.abs(step).max() > 1e3:
            return None
        point = point - step
        if np.abs(step).max() <= 1e-15:
            break
    return point[0] if np.abs(step).max() <= 1e-9 else None
