r"""All equilibria of a 2x2 game, by a proof in one dimension.

With y the logit of player 2's first action, let T(y) be his best response to player 1's best
response to y. Best responses are unique (the objectives are strictly concave) and monotone: with
alpha_i = u_i(1,1) - u_i(1,2) - u_i(2,1) + u_i(2,2), own action first, player i's rises with the
other's logit if alpha_i > 0 and falls if alpha_i < 0, for every penalty and regularizer. Hence:

* if alpha_1 alpha_2 <= 0, T falls or is constant, and there is exactly one equilibrium;
* otherwise T rises: [a, b] holds no equilibrium if T(a) > b or T(b) < a, and where T' - 1 has one
  sign on [a, b], the signs of T - y at a and b tell whether it holds one or none.

Intervals are split until one of these applies. Values of T are brackets proved by signs in ball
arithmetic, and T' is enclosed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flint

if TYPE_CHECKING:
    from fractions import Fraction

    from rqe.concepts import Concept

Ball = Any

_PRECISIONS = (80, 160, 320)
_SPLIT = 0.4871  # no simple fraction, so that cuts do not fall on symmetric equilibria
_MOST = 4000  # intervals looked at before the working precision is raised or the search ends


@dataclass
class Roots:
    """Intervals (ends as balls) that hold exactly one equilibrium each, in y, and what is left.

    ``undecided`` intervals may hold any number. Nothing is outside of both.
    """

    found: list[tuple[Ball, Ball]] = field(default_factory=list)
    undecided: list[tuple[Ball, Ball]] = field(default_factory=list)
    seen: int = 0


class Reply:
    """The best response of one player, in logits of first actions."""

    def __init__(self, table: list[list[Fraction]], tau: float, eps: float, concept: Concept):
        (a, b), (c, d) = table  # own action first
        self.alpha = _exact(a - b - c + d)
        self.beta, self.gamma = _exact(b - d), _exact(c - d)
        self.sign = (a - b - c + d > 0) - (a - b - c + d < 0)
        self.tau, self.eps = flint.arb(tau), flint.arb(eps)
        self.neutral = tau == 0.0
        self.kl = concept.penalty == "kl"
        self.entropy = concept.regularizer == "entropy"

    def bounds(self) -> tuple[Ball, Ball]:
        """Return logits that every best response lies strictly between."""
        ends = [self.beta(), self.alpha() + self.beta()]
        low, high = (ends[0], ends[1]) if self.sign >= 0 else (ends[1], ends[0])
        return self._response(low.lower()) - 1e-9, self._response(high.upper()) + 1e-9

    def _response(self, advantage: Ball) -> Ball:
        """Return the logit whose slope c is advantage / eps."""
        slope = advantage / self.eps
        return slope if self.entropy else (slope / 2).asinh()

    def defect(self, z: Ball, y: Ball) -> Ball:
        """Return eps c(z) - alpha p - beta, which rises with z and is 0 at the best response.

        z and y are balls, or power series in one variable to the second order.
        """
        return self.eps * self._slope(z) - self.alpha() * self._adversary(z, y) - self.beta()

    def _slope(self, z: Ball) -> Ball:
        """Return c(z)."""
        return z if self.entropy else z.exp() - (-z).exp()

    def _adversary(self, z: Ball, y: Ball) -> Ball:
        """Return p, the probability of the other's first action."""
        if self.neutral:
            return _logistic(y)
        t = self.tau * (self.alpha() * _logistic(z) + self.gamma())
        if self.kl:
            return _logistic(y - t)
        rises = bool((t if isinstance(t, flint.arb) else t[0]).mid() >= 0)
        return _reverse(_logistic(y), t) if rises else 1 - _reverse(_logistic(-y), -t)

    def steepness(self, z: Ball, y: Ball) -> Ball:
        """Return the derivative of the defect by z, which is at least eps c'(z) > 0."""
        p, x = self._adversary(z, y), _logistic(z)
        inner = p * (1 - p)
        if not (self.kl or self.neutral):
            inner = inner / self._reach(z, y, p)
        tilt = self.tau * self.alpha() * self.alpha() * inner * x * (1 - x)
        own = self.eps * (1 if self.entropy else z.exp() + (-z).exp())
        return own if self.neutral else own + tilt.nonnegative_part()

    def _reach(self, z: Ball, y: Ball, p: Ball) -> Ball:
        """Return dq/dp > 0 of the reverse KL penalty: two forms of 1 + t (1 - 2 p)."""
        t = self.tau * (self.alpha() * _logistic(z) + self.gamma())
        positive = _logistic(y) * (1 - p) / p + _logistic(-y) * p / (1 - p)
        plain = 1 + t * (1 - 2 * p)
        return positive.intersection(plain) if plain.is_finite() else positive

    def series(self, z: Ball, y: Any) -> Any:
        """Return the best response as a power series around y[0], z enclosing its values."""
        steep = self.steepness(z, y[0])
        coefficients = [z]
        for k in (1, 2):
            defect = self.defect(flint.arb_series(coefficients), y)
            coefficients.append(-(defect[k] / steep))
        return flint.arb_series(coefficients)

    def at(self, y: Ball) -> tuple[Ball, Ball]:
        """Return proved bounds on the best response to the exact number y."""
        low, high = (b.mid() for b in self.bounds())
        z = ((low + high) / 2).mid()
        for _ in range(200):
            value = self.defect(z, y)
            if value > 0:
                high = z
            elif value < 0:
                low = z
            else:
                break
            step = (value / self.steepness(z, y)).mid()
            new = (z - step).mid()
            z = new if low < new < high else ((low + high) / 2).mid()
            if abs(step) < abs(z) * _unit() + _unit():
                break
        return self._bracket(z, y)

    def _bracket(self, z: Ball, y: Ball) -> tuple[Ball, Ball]:
        """Return z - d and z + d between which the defect provably changes its sign."""
        d = (abs(z) + 1) * _unit()
        for _ in range(200):
            low, high = (z - d).mid(), (z + d).mid()
            if self.defect(low, y) < 0 and self.defect(high, y) > 0:
                return low, high
            d = d * 4
        raise ArithmeticError("the defect does not change its sign")  # pragma: no cover

    def over(self, low: Ball, high: Ball) -> tuple[Ball, Ball]:
        """Return bounds on the best responses to everything in [low, high]."""
        first, last = (low, high) if self.sign >= 0 else (high, low)
        return self.at(first)[0], self.at(last)[1]


class Circle:
    """T = B_2(B_1(y)) and its derivative, with proved bounds; both replies rise or both fall."""

    def __init__(self, first: Reply, second: Reply):
        self.first, self.second = first, second

    def at(self, y: Ball) -> tuple[Ball, Ball]:
        """Return bounds on T(y) for an exact y."""
        return self.second.over(*self.first.at(y))

    def slope(self, a: Ball, b: Ball) -> Ball:
        """Return an enclosure of T' over [a, b], sharp to the second order in b - a."""
        try:
            wide = self._series(a, b)
        except (ValueError, ZeroDivisionError):  # flint's series: a denominator holds 0
            return flint.arb.nan()
        if wide[1] > 1 or wide[1] < 1 or not wide[2].is_finite():
            return wide[1]
        middle = ((a + b) / 2).mid()
        there = self._series(middle, middle)[1]
        return there + 2 * wide[2] * (_hull(a, b) - middle)

    def _series(self, a: Ball, b: Ball) -> Any:
        """Return coefficients that enclose T and T', T'' / 2 over [a, b]."""
        ends = self.first.over(a, b)
        inner = self.first.series(_hull(*ends), flint.arb_series([_hull(a, b), 1]))
        return self.second.series(_hull(*self.second.over(*ends)), inner)


def roots(circle: Circle, deadline: float) -> Roots:
    """Return intervals with exactly one fixed point of a rising T, proved to be all there are."""
    out, cap = Roots(), flint.ctx.cap
    flint.ctx.cap = 3  # series to the second order
    try:
        for precision in _PRECISIONS:
            with flint.ctx.workprec(precision):
                out = _search(circle, deadline)
            if not out.undecided or time.monotonic() > deadline:
                break
    finally:
        flint.ctx.cap = cap
    return out


def _search(circle: Circle, deadline: float) -> Roots:
    """Return the roots as far as the present working precision and the deadline allow."""
    out = Roots()
    low, high = (b.mid() for b in circle.second.bounds())
    todo = [(low, high, circle.at(low), circle.at(high), low, high)]
    while todo:
        a, b, at_a, at_b, outer_a, outer_b = todo.pop()  # no fixed points between ends and outers
        out.seen += 1
        if at_a[0] > b or at_b[1] < a:
            continue
        a, at_a = _march(circle, a, at_a, b)
        b, at_b = _march(circle, b, at_b, a)
        if at_a[0] > b or at_b[1] < a:
            continue
        verdict = _count(circle, a, b, at_a, at_b)
        if verdict == 1:
            out.found.append((outer_a, outer_b))
        if verdict is not None:
            continue
        cut = _cut(circle, a, b)
        if cut is None or out.seen > _MOST or time.monotonic() > deadline:
            out.undecided.append((outer_a, outer_b))
            continue
        y, at_y = cut
        todo += [(a, y, at_a, at_y, outer_a, y), (y, b, at_y, at_b, y, outer_b)]
    return out


def _march(
    circle: Circle, y: Ball, at: tuple[Ball, Ball], other: Ball
) -> tuple[Ball, tuple[Ball, Ball]]:
    """Return an end y moved towards the other end over what T excludes: y to T(y) is free."""
    for _ in range(3):
        new = at[0].mid() if y < other else at[1].mid()
        if not (y < new < other or y > new > other):
            break
        value = circle.at(new)
        if not (value[0] > new or value[1] < new):  # the sign there must stay known
            break
        y, at = new, value
    return y, at


def _count(
    circle: Circle, a: Ball, b: Ball, at_a: tuple[Ball, Ball], at_b: tuple[Ball, Ball]
) -> int | None:
    """Return how many fixed points [a, b] holds, 0 or 1, or None if that is not clear yet."""
    steep = circle.slope(a, b) - 1
    if not (steep > 0 or steep < 0):
        return None
    signs = [(at[0] > y) - (at[1] < y) for y, at in ((a, at_a), (b, at_b))]
    if 0 in signs:
        return None
    return int(signs[0] != signs[1])


def _cut(circle: Circle, a: Ball, b: Ball) -> tuple[Ball, tuple[Ball, Ball]] | None:
    """Return a point to split at, with T there off the diagonal; None if [a, b] is too narrow."""
    if b - a < (abs(a) + abs(b) + 1) * _unit() * 2**16:
        return None
    for share in (_SPLIT, 0.3303, 0.6679):
        y = (a + (b - a) * share).mid()
        value = circle.at(y)
        if value[0] > y or value[1] < y:
            return y, value
    return None


def approach(circle: Circle, a: Ball, b: Ball) -> tuple[float, float]:
    """Return the fixed point in [a, b], which holds one, and player 1's logit there, as doubles."""
    with flint.ctx.workprec(_PRECISIONS[1]):
        below = bool(circle.at(a)[0] > a)
        for _ in range(60):
            middle = ((a + b) / 2).mid()
            low, high = circle.at(middle)
            if not (low > middle or high < middle):
                break
            a, b = (middle, b) if (low > middle) == below else (a, middle)
        y = ((a + b) / 2).mid()
        return float(y), float(circle.first.at(y)[0])


def _exact(number: Fraction) -> Callable[[], Ball]:
    """Return a function for the number to the working precision."""
    rational = flint.fmpq(number.numerator, number.denominator)
    return lambda: flint.arb(rational)


def _reverse(q: Ball, t: Ball) -> Ball:
    """Return the root p of q = p + t p (1 - p) in (0, 1), for t around or above 0."""
    square = (1 + t) * (1 + t) - 4 * t * q
    root = square.nonnegative_part().sqrt() if isinstance(square, flint.arb) else square.sqrt()
    return 2 * q / (1 + t + root)


def _logistic(z: Ball) -> Ball:
    """Return 1 / (1 + exp(-z)) of a ball, as sharp as for a point, or of a series."""
    if isinstance(z, flint.arb):
        return _hull(_point_logistic(z.lower()), _point_logistic(z.upper()))
    p = _logistic(z[0])
    slope = p * (1 - p)
    return flint.arb_series([p, slope * z[1], slope * z[2] + slope * (1 - 2 * p) * z[1] ** 2 / 2])


def _point_logistic(z: Ball) -> Ball:
    """Return 1 / (1 + exp(-z)), without a power that overflows where z is far below 0."""
    if z < 0:
        power = z.exp()
        return power / (1 + power)
    return 1 / (1 + (-z).exp())


def _hull(low: Ball, high: Ball) -> Ball:
    """Return the ball around two balls."""
    return low.union(high)


def _unit() -> Ball:
    """Return the resolution of the working precision, with room for a few operations."""
    return flint.arb(2) ** (16 - flint.ctx.prec)
