r"""Existence and uniqueness by Krawczyk's operator, around an approximate solution.

For a midpoint m, radii r, X = m + [-r, r], and any matrix C,

    K = m - C F(m) + (I - C J(X)) (X - m).

If K lies in the interior of X, then X holds exactly one zero of F, and K encloses it. C is a
floating-point inverse of the Jacobian; its errors cost sharpness, never rigour.

References
----------
.. [1] Rump, Verification methods, Acta Numerica 19 (2010), theorem 13.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flint
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.proof._balls import Balls, System

    Array = NDArray[np.float64]

_SMALL = 8  # up to so many unknowns, wide boxes are tried first: they cost next to nothing
_WIDE, _NARROW = (1e-1, 1e-2, 1e-4), (1e-6, 1e-9, 1e-12, 1e-16, 1e-22, 1e-30)
_ILL = 1e-10  # below this reciprocal condition number the inverse is computed in balls


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A zero of F: the only one in `centre` +- `radius`, and within the balls `zero`.

    `unique` tells whether that holds for the logits alone, whatever the other unknowns are.
    """

    centre: Balls
    radius: Balls
    zero: Balls
    unique: bool


@dataclass(frozen=True, slots=True)
class Polished:
    """Where Newton's method settled: the point, the Jacobian there, its inverse, its condition."""

    y: Balls
    jacobian: Any
    inverse: Any
    condition: float
    settled: bool


def condition_of(J: Array) -> float:
    """Return the reciprocal condition number, rows scaled; 0 if singular or not finite."""
    if not np.all(np.isfinite(J)) or J.size == 0:
        return 0.0 if J.size else 1.0
    scale = np.abs(J).max(axis=1, keepdims=True)
    spread = np.linalg.svd(J / np.where(scale > 0.0, scale, 1.0), compute_uv=False)
    return float(spread[-1] / spread[0]) if spread[0] > 0.0 else 0.0


def _inverse(system: System, y: Balls) -> tuple[Any, Any, float]:
    """Return the Jacobian at y, an approximate inverse (None if singular) and its condition."""
    _, J = system.evaluate(y)
    flat = np.array([float(e) for e in J.entries()]).reshape(system.size, system.size)
    condition = condition_of(flat)
    if condition > _ILL:
        return J, flint.arb_mat(np.linalg.inv(flat).tolist()), condition
    try:
        return J, J.inv().mid(), condition
    except ZeroDivisionError:
        return J, None, condition


def polish(system: System, y: Balls, rounds: int = 12) -> Polished:
    """Return the zero that Newton's method finds from y, to the working precision if it settles."""
    if not y:  # nothing is unknown
        return Polished(y, None, None, 1.0, True)
    small = flint.arb(2) ** (12 - flint.ctx.prec)
    last = flint.arb(1e300)
    for _ in range(rounds):
        J, C, condition = _inverse(system, y)
        if C is None:
            return Polished(y, J, None, condition, False)
        for _ in range(40):
            y, step = _newton_step(system, y, C)
            if not step.is_finite() or step > 1e6:
                return Polished(y, J, C, condition, False)
            if step < small:
                return Polished(y, J, C, condition, True)
            slow = bool(step > last * 0.25)
            last = step
            if slow:
                break
    return Polished(y, J, C, condition, bool(last < small * 2**20))


def _newton_step(system: System, y: Balls, C: Any) -> tuple[Balls, Any]:
    """Return the midpoint of y - C F(y), and how far the largest unknown moved, relatively."""
    values, _ = system.evaluate(y, jacobian=False)
    step = (C * flint.arb_mat([[v] for v in values])).entries()
    new = [(a - s).mid() for a, s in zip(y, step, strict=True)]
    moves = [(abs(s.mid()) / (1 + abs(a))).mid() for a, s in zip(new, step, strict=True)]
    largest = moves[0]
    for move in moves[1:]:
        if not move.is_finite() or move > largest:
            largest = move
    return new, largest


def enclose(system: System, found: Polished, away: Sequence[Any]) -> Enclosure | None:
    """Return a proved enclosure of the zero near `found.y`, or None.

    The box is made to hold all points within `away` of the centre as well.
    """
    y, C = found.y, found.inverse
    if not y:
        return Enclosure(y, [], [], True)
    if C is None:
        return None
    values, _ = system.evaluate(y, jacobian=False)
    defect = (C * flint.arb_mat([[v] for v in values])).entries()
    least = 2.0 ** (16 - flint.ctx.prec)
    tried, fallback = "", None
    for rho in _ladder(system.size):
        if rho < least:
            break
        radius = _radii(system, found, rho, away)
        if str(radius) == tried:  # the distance to the given profile decides: nothing new
            continue
        tried = str(radius)
        zero = _contract(system, y, radius, C, defect)
        if zero is None:
            continue
        box = [a + flint.arb(0, r) for a, r in zip(y, radius, strict=True)]
        if system.covers(box):
            return Enclosure(y, radius, zero, True)
        fallback = fallback or Enclosure(y, radius, zero, False)
    return fallback


def _ladder(size: int) -> Iterator[float]:
    """Yield radii to try, in logits."""
    if size <= _SMALL:
        yield from _WIDE
    yield from _NARROW


def _radii(system: System, found: Polished, rho: float, away: Sequence[Any]) -> Balls:
    """Return radii >= rho and >= twice `away`; unknowns of the penalty as wide as logits make."""
    least = flint.arb(rho)
    radius = []
    for distance in away:
        wide = (2 * distance).abs_upper()
        radius.append(wide.mid() if wide > least else least)
    if system.implicit:
        offsets = [flint.arb(0, r) for r in radius[: system.logits]]
        offsets += [flint.arb(0)] * (system.size - system.logits)
        box = [a + o for a, o in zip(found.y, offsets, strict=True)]
        values, _ = system.evaluate(box, jacobian=False)
        for k in system.implicit:
            radius[k] += (3 * values[k] / found.jacobian[k, k]).abs_upper()
    return [r.mid() for r in radius]


def _contract(system: System, y: Balls, radius: Balls, C: Any, defect: Balls) -> Balls | None:
    """Return an enclosure of the zero if Krawczyk's operator maps the box into its interior."""
    offsets = [flint.arb(0, r) for r in radius]
    box = [a + o for a, o in zip(y, offsets, strict=True)]
    _, J = system.evaluate(box)
    E = _identity(system.size) - C * J
    image = _image(E, offsets, defect)
    inside = all(k.is_finite() and k.abs_upper() < r for k, r in zip(image, radius, strict=True))
    if not inside or not system.strict(box):
        return None
    for _ in range(50):
        image = _iterate(E, image, defect)
        if _width(image) < flint.arb(2) ** (40 - flint.ctx.prec):
            break
        before = _width(image)
        offsets = [flint.arb(0, k.abs_upper()) for k in image]
        _, J = system.evaluate([a + o for a, o in zip(y, offsets, strict=True)])
        E = _identity(system.size) - C * J
        tighter = _image(E, offsets, defect)
        if not _width(tighter) < 0.99 * before:
            break
        image = tighter
    return [a + k for a, k in zip(y, image, strict=True)]


def _iterate(E: Any, image: Balls, defect: Balls) -> Balls:
    """Return the image of the image, and so on while it shrinks; E holds over the first box."""
    width = _width(image)
    for _ in range(200):
        tighter = _image(E, image, defect)
        new = _width(tighter)
        if not new < 0.5 * width:
            break
        image, width = tighter, new
    return image


def _image(E: Any, offsets: Balls, defect: Balls) -> Balls:
    """Return E offsets - defect: Krawczyk's image relative to the centre."""
    moved = (E * flint.arb_mat([[o] for o in offsets])).entries()
    return [m - d for m, d in zip(moved, defect, strict=True)]


def _width(balls: Balls) -> Any:
    """Return the largest absolute bound of the balls."""
    bounds = [b.abs_upper() for b in balls]
    top = bounds[0]
    for bound in bounds[1:]:
        top = bound if bound > top else top
    return top


def _identity(n: int) -> Any:
    """Return the identity as an arb_mat."""
    return flint.arb_mat(n, n, [flint.arb(int(k % (n + 1) == 0)) for k in range(n * n)])


def gap(first: Balls, second: Sequence[Any]) -> list[Any]:
    """Return upper bounds on |first - second|."""
    return [(a - b).abs_upper() for a, b in zip(first, second, strict=True)]


def bound(ball: Any) -> float:
    """Return a double that is at least the absolute value of everything in the ball."""
    if not ball.is_finite():
        return math.inf
    top = float(ball.abs_upper())
    return math.nextafter(top * (1.0 + 1e-14), math.inf) if top else 0.0 if ball == 0 else 5e-324
