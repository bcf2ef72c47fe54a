"""Following a curve of equilibria through folds and crossings, in plain numpy.

Pseudo-arclength predictor-corrector (Keller 1977; Allgower & Georg 2003), in Fisher's metric on
strategies and the coordinate mu of the parameter. The sign of the bordered determinant is constant
along a regular curve, folds included; it changes where an odd number of eigenvalues passes zero at
a crossing. Steps on which it changes are shortened first, so that what is recorded as a crossing
is no jump to another curve. Eigenvalues that pass zero in pairs leave the sign; they show in the
number of negative real eigenvalues of profile minus best response.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe.bifurcation._system import solved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.bifurcation._system import Point, System

    Array = NDArray[np.float64]
    Stop = Callable[[], bool]

LONGEST = 0.1
SHORT = 1e-3  # a sign that changes within so short a step is a crossing
_SHORTEST = 1e-10
_TOL = 1e-12
_FIRST = 0.01  # the corrector's first step that the step control aims at
_REAL = 1e-9  # imaginary parts below this are rounding

WINDOW, CLOSED, STEPS, STALLED, TIME = "window", "closed", "max_steps", "stalled", "time_limit"


@dataclass(frozen=True)
class Trail:
    """Points of a curve, in order, and what was met between them.

    theta: (K, n); mu: (K,); turning, crossing, pairs: indices of points just after which mu turns,
    the determinant changes sign, or a pair of eigenvalues may pass zero; end: how it ended.
    """

    theta: Array
    mu: Array
    turning: tuple[int, ...]
    crossing: tuple[int, ...]
    pairs: tuple[int, ...]
    end: str


@dataclass(frozen=True)
class Node:
    """A point with its unit tangent (n + 1,), the determinant's sign and the negative count."""

    point: Point
    tangent: Array
    sign: float
    negative: int


def newton(system: System, theta: Array, mu: float, steps: int = 40) -> Array | None:
    """Return theta with F = 0 at fixed mu, from a guess; None if Newton's method fails.

    Steps longer than 1 in Fisher's metric are shortened to it.
    """
    for _ in range(steps):
        point = system.point(theta, mu)
        try:
            move = -solved(point.jacobian, point.residual)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(move).all():
            return None
        long = point.length(move)
        theta = theta + move * min(1.0, 1.0 / max(long, 1e-300))
        if _small(theta, move) and long < 1.0:
            return theta
    return None


def _small(theta: Array, move: Array) -> bool:
    """Return whether a Newton step is down to rounding."""
    return bool(np.abs(move).max(initial=0.0) <= _TOL * (1.0 + np.abs(theta).max(initial=0.0)))


def negative_count(response: Array) -> int:
    """Return how many real eigenvalues of ``I - dBR`` are negative."""
    values = np.linalg.eigvals(response)
    real = np.abs(values.imag) <= _REAL * (1.0 + np.abs(values))
    return int((real & (values.real < 0.0)).sum())


def unit_tangent(point: Point, guess: Array) -> Array:
    """Return the tangent of the curve through a point, on the side of `guess`."""
    wide = np.column_stack([point.response, solved(point.own, point.rate)])
    null: Array = np.linalg.svd(wide)[2][-1]
    return _normed(point, null if _inner(point, null, guess) >= 0.0 else -null)


def _inner(point: Point, first: Array, second: Array) -> float:
    """Return the metric's inner product of two directions."""
    return float(point.lower(first[:-1]) @ second[:-1] + first[-1] * second[-1])


def _normed(point: Point, tangent: Array) -> Array:
    """Return the direction at length 1."""
    unit: Array = tangent / max(_inner(point, tangent, tangent) ** 0.5, 1e-300)
    return unit


def bordered(point: Point, row: Array) -> Array:
    """Return ``[J, F_mu; row]``."""
    return np.vstack([np.column_stack([point.jacobian, point.rate]), row])


def row_across(node: Node) -> Array:
    """Return the row of the hyperplane across the tangent."""
    return np.append(node.point.lower(node.tangent[:-1]), node.tangent[-1])


def make_node(point: Point, tangent: Array) -> Node:
    """Return a point with its tangent, oriented by the given one."""
    row = np.append(point.lower(tangent[:-1]), tangent[-1])
    right = np.zeros(len(row))
    right[-1] = 1.0
    unit = _normed(point, solved(bordered(point, row), right))
    matrix = bordered(point, np.append(point.lower(unit[:-1]), unit[-1]))
    sign = float(np.linalg.slogdet(matrix)[0])
    return Node(point, unit, sign, negative_count(point.response))


def correct(system: System, node: Node, h: float) -> tuple[Point | None, float]:
    """Return the curve's point at distance h along the tangent, and the first correction's length.

    None if Newton's method contracts slowly or goes far.
    """
    row, ahead = row_across(node), np.append(node.point.theta, node.point.mu) + h * node.tangent
    z, first, before = ahead.copy(), 0.0, np.inf
    for k in range(9):
        point = system.point(z[:-1], float(z[-1]))
        right = -np.append(point.residual, row @ (z - ahead))
        try:
            move = solved(bordered(point, row), right)
        except np.linalg.LinAlgError:
            return None, first
        if not np.isfinite(move).all():
            return None, np.inf
        length = (point.length(move[:-1]) ** 2 + move[-1] ** 2) ** 0.5
        first = length if k == 0 else first
        if first > 0.5 * h or (k > 1 and length > 0.5 * before and not _small(z, move)):
            return None, first
        z, before = z + move, length
        if _small(z, move):
            return system.point(z[:-1], float(z[-1])), first
    return None, first


class Follower:
    """Follows one curve from one point, in one direction.

    Parameters
    ----------
    system : System
        The equations.
    low, high : float
        Bounds of mu; the curve ends where it leaves them.
    max_points : int
        Bound on the points.
    stop : callable
        Says when time is up.
    longest : float
        Longest step.
    """

    def __init__(
        self, system: System, low: float, high: float, *, max_points: int = 4000,
        stop: Stop = lambda: False, longest: float = LONGEST,
    ) -> None:  # fmt: skip
        self.system, self.low, self.high = system, low, high
        self.max_points, self.stop, self.longest = max_points, stop, longest

    def run(self, theta: Array, mu: float, guess: Array) -> Trail:
        """Return the curve from (theta, mu) in the direction of `guess` (n + 1,)."""
        start = self.system.point(theta, mu)
        node = first = make_node(start, unit_tangent(start, guess))
        trail: list[Point] = [start]
        events: tuple[list[int], list[int], list[int]] = ([], [], [])
        h, end = 0.1 * self.longest, ""
        while not end:
            if len(trail) >= self.max_points or self.stop():
                end = STEPS if len(trail) >= self.max_points else TIME
                break
            landing = self._landing(node, h)
            if landing is not None:
                trail += [landing] * (landing.mu != trail[-1].mu)  # not where it leads straight out
                end = WINDOW
                break
            point, correction = correct(self.system, node, h)
            after = None if point is None else self._accepted(node, point, h)
            if after is None:
                h *= 0.4
                end = STALLED if h < _SHORTEST else ""
                continue
            if after.sign * node.sign < 0.0 and h > SHORT:
                h = max(0.3 * h, 0.5 * SHORT)
                continue
            _note(node, after, len(trail) - 1, events)
            trail.append(after.point)
            node = after
            if len(trail) > 4 and self._closes(first, node, h):
                trail.append(start)
                end = CLOSED
            h = min(h * min(max((_FIRST / max(correction, 1e-9)) ** 0.5, 0.3), 2.0), self.longest)
        return Trail(
            np.array([p.theta for p in trail]), np.array([p.mu for p in trail]),
            tuple(events[0]), tuple(events[1]), tuple(events[2]), end,
        )  # fmt: skip

    def _accepted(self, node: Node, point: Point, h: float) -> Node | None:
        """Return the next node unless the curve turned sharply or left the window."""
        if not self.low <= point.mu <= self.high:
            return None
        try:
            after = make_node(point, node.tangent)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(after.tangent).all():
            return None
        before = _normed(point, node.tangent)
        return after if _inner(point, after.tangent, before) > 0.9 or h < 1e-7 else None

    def _landing(self, node: Node, h: float) -> Point | None:
        """Return the point on the window's edge, if the next step leads there."""
        speed, mu = float(node.tangent[-1]), node.point.mu
        edge = self.high if speed > 0.0 else self.low
        gap = edge - mu
        if abs(speed) < 1e-3 or not 0.0 <= gap / speed <= h:
            return None
        move = gap / speed * node.tangent[:-1]
        theta = newton(self.system, node.point.theta + move, edge, 8)
        if theta is None:
            return None
        away = node.point.length(theta - node.point.theta - move)
        return self.system.point(theta, edge) if away <= 0.5 * h else None

    def _closes(self, first: Node, node: Node, h: float) -> bool:
        """Return whether the next step leads to the first point again."""
        start, here = first.point, node.point
        gap = np.append(start.theta - here.theta, start.mu - here.mu)
        length = _inner(here, gap, gap) ** 0.5
        ahead = _inner(here, gap, node.tangent)
        alike = _inner(here, first.tangent, node.tangent)
        if length > 2.0 * h or not ahead > 0.0 or alike < 0.5 or ahead < 0.7 * length:
            return False
        point, _ = correct(self.system, node, ahead)
        if point is None:
            return False
        miss = np.append(start.theta - point.theta, start.mu - point.mu)
        return bool(_inner(here, miss, miss) ** 0.5 < 1e-6 + 0.05 * length**2)


def _note(
    before: Node, after: Node, k: int, events: tuple[list[int], list[int], list[int]]
) -> None:
    """Add what lies between two nodes to the events."""
    turned = before.tangent[-1] * after.tangent[-1] < 0.0
    flipped = before.sign * after.sign < 0.0
    if turned:
        events[0].append(k)
    if flipped:
        events[1].append(k)
    if abs(after.negative - before.negative) - turned - flipped >= 1:
        events[2].append(k)


def both_ways(follower: Follower, theta: Array, mu: float, guess: Array) -> Trail:
    """Return the curve through a point, followed in both directions and joined."""
    ahead = follower.run(theta, mu, guess)
    if ahead.end == CLOSED:
        return ahead
    return joined(follower.run(theta, mu, -guess), ahead)


def joined(back: Trail, ahead: Trail) -> Trail:
    """Return one trail from the end of `back` to the end of `ahead`, which share their start."""
    last = len(back.mu) - 1
    turned = back.mu[:-1][::-1]
    ends = sorted({back.end, ahead.end}, key=lambda e: (e == WINDOW, e))

    def merged(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
        reversed_ = [last - 1 - k for k in reversed(first)]
        return tuple(reversed_ + [last + k for k in second])

    return Trail(
        np.vstack([back.theta[::-1], ahead.theta[1:]]),
        np.concatenate([back.mu[-1:], turned, ahead.mu[1:]]),
        merged(back.turning, ahead.turning), merged(back.crossing, ahead.crossing),
        merged(back.pairs, ahead.pairs), ends[0],
    )  # fmt: skip
