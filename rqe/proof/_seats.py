"""What one player's equations say about boxes: bounds on the adversary, values and responses.

Boxes hold bounds on the logarithms of all players' probabilities, one column per action. K is the
number of boxes, n the number of own actions, M that of the others' joint actions.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.proof import _intervals as intervals
from rqe.proof._intervals import ROOM, Range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]


_TINY = 1e-300  # stands for what underflows


class Bounds(NamedTuple):
    """Bounds (K, M) on the adversary's p; for reverse KL also on its denominator q / p."""

    low: Array
    high: Array
    reach: tuple[Array, Array] | None = None


class Seat:
    """One player whose strategy is sought, with what can be computed before any box is seen."""

    def __init__(self, game: NormalFormGame, concept: Concept, i: int, starts: list[int]) -> None:
        shape = game.shape
        self.n = shape[i]
        self.own = slice(starts[i], starts[i] + self.n)
        self.tau, self.eps = float(concept.tau[i]), float(concept.eps[i])
        self.kl = concept.penalty == "kl"
        self.entropy = concept.regularizer == "entropy"
        self.U = np.moveaxis(game.payoffs[i], i, 0).reshape(self.n, -1)
        self.width = float(self.U.max() - self.U.min())
        rest = [j for j in range(len(shape)) if j != i]
        grid = np.indices([shape[j] for j in rest]).reshape(len(rest), -1)
        self.columns = grid + np.array([starts[j] for j in rest])[:, None]  # (N - 1, M)
        self.rest = rest
        self.room = 1e-15 * float(np.abs(self.U).max())
        rounding = 2.3e-16 * np.abs(self.U)  # of differences, and of exact payoffs to doubles
        self.pairs = list(itertools.combinations(range(self.n), 2))
        first, second = (np.array(k, dtype=np.intp) for k in zip(*self.pairs, strict=True))
        self.first, self.second = first, second
        room = (rounding[first] + rounding[second]).max(axis=1)
        self.values = Range(self.U[second] - self.U[first], room)
        joints = list(itertools.combinations(range(self.U.shape[1]), 2))
        if self.tau > 0.0 and joints:
            a, b = (np.array(k, dtype=np.intp) for k in zip(*joints, strict=True))
            room = (rounding[:, a] + rounding[:, b]).max(axis=0)
            self.spreads = Range((self.U[:, b] - self.U[:, a]).T, room)
            self.joints = a, b

    def least(self) -> float:
        """Return a lower bound on the logarithm of any own probability at an equilibrium."""
        width = (self.width + 4.0 * self.room) * (1.0 + ROOM)
        if self.entropy:
            return -width / self.eps * (1.0 + ROOM) - math.log(self.n) - ROOM
        return math.log(self.eps / (self.n * self.eps + width)) - 1e-9

    def adversary(self, low: Array, high: Array) -> Bounds:
        """Return bounds on p from boxes (K, all actions)."""
        q_low, q_high = low[:, self.columns].sum(axis=1), high[:, self.columns].sum(axis=1)
        if self.tau == 0.0 or q_low.shape[1] == 1:
            return Bounds(*intervals.trim(*intervals.exp(q_low, q_high)))
        tilt_low, tilt_high = self._tilts(low, high)
        if self.kl:
            return Bounds(*intervals.trim(*_tilted(q_low, q_high, tilt_low, tilt_high)))
        return _reverse(q_low, q_high, tilt_low, tilt_high)

    def _tilts(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return bounds (K, M, M) on tau (g(m') - g(m)) at [m, m']."""
        own_low, own_high = intervals.exp(low[:, self.own], high[:, self.own])
        bottom, top = self.spreads(own_low, own_high)
        size = self.columns.shape[1]
        least, most = (np.zeros((len(low), size, size)) for _ in range(2))
        a, b = self.joints
        least[:, a, b] = intervals.lowered(self.tau * bottom)
        most[:, a, b] = intervals.raised(self.tau * top)
        least[:, b, a], most[:, b, a] = -most[:, a, b], -least[:, a, b]
        return least, most

    def advantages(self, p: Bounds) -> tuple[Array, Array]:
        """Return bounds (K, n, n) on (v_b - v_a) / eps at [a, b]."""
        bottom, top = self.values(p.low, p.high)
        least, most = (np.zeros((len(bottom), self.n, self.n)) for _ in range(2))
        a, b = self.first, self.second
        least[:, a, b], most[:, a, b] = bottom / self.eps, top / self.eps
        least[:, b, a], most[:, b, a] = -most[:, a, b], -least[:, a, b]
        return least, most

    def response(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return bounds (K, n) on the logarithms of best responses to boxes."""
        least, most = self.advantages(self.adversary(low, high))
        if self.entropy:
            return (
                intervals.lowered(-intervals.log_sum_exp(most)),
                intervals.raised(-intervals.log_sum_exp(least)),
            )
        parts = [
            (
                intervals.log_barrier(_own_first(most[:, a], a), -1),
                intervals.log_barrier(_own_first(least[:, a], a), +1),
            )
            for a in range(self.n)
        ]
        return np.stack([b for b, _ in parts], 1), np.stack([t for _, t in parts], 1)


def _own_first(advantages: Array, a: int) -> Array:
    """Return advantages (K, n) with the entry of action a, which is 0, exactly so."""
    result = advantages.copy()
    result[:, a] = 0.0
    return result


def _tilted(q_low: Array, q_high: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return bounds on p proportional to q exp(-tau g), from logarithms of q and tilts."""
    size = q_low.shape[1]
    diagonal = np.arange(size)
    with np.errstate(divide="ignore"):
        rest_least = np.log(np.maximum(1.0 - np.exp(q_high) * (1.0 + ROOM), 0.0))
        rest_most = np.log(np.clip(1.0 - np.exp(q_low) * (1.0 - ROOM), 0.0, 1.0))
    weights_low, weights_high = -high, -low  # log of exp(-tau (g(m') - g(m)))
    least, most = q_low[:, None, :] + weights_low, q_high[:, None, :] + weights_high
    least[:, diagonal, diagonal] = most[:, diagonal, diagonal] = -np.inf
    weights_low[:, diagonal, diagonal], weights_high[:, diagonal, diagonal] = np.inf, -np.inf
    # What the other joint actions weigh, relative to m: sums, or their total times the extreme.
    others_least = np.maximum(intervals.log_sum_exp(least), rest_least + weights_low.min(axis=2))
    others_most = np.minimum(intervals.log_sum_exp(most), rest_most + weights_high.max(axis=2))
    above = np.logaddexp(q_low, intervals.raised(others_most))
    below = np.logaddexp(q_high, intervals.lowered(others_least))
    bottom = q_low - above - ROOM * (np.abs(q_low) + np.abs(above))
    top = q_high - below + ROOM * (np.abs(q_high) + np.abs(below))
    return intervals.exp(bottom, np.minimum(top, 0.0))


def _reverse(q_low: Array, q_high: Array, low: Array, high: Array) -> Bounds:
    """Return bounds on p = q / reach with sum p = 1, from logarithms of q and tilts.

    p(m) = q(m) / kappa, where ``sum q(m') / (kappa + tau (g(m') - g(m))) = 1``; it rises with q(m)
    and falls with the other q and with the tilts.
    """
    least, most = intervals.exp(q_low, q_high)
    most = np.maximum(most, _TINY)
    diagonal = np.arange(least.shape[1])
    small, large = (np.repeat(q[:, None, :], q.shape[1], axis=1) for q in (least, most))
    small[:, diagonal, diagonal], large[:, diagonal, diagonal] = most, least
    with np.errstate(over="ignore"):
        top = most / _kappa(small, high, -1) * (1.0 + ROOM)
        bottom = least / _kappa(large, low, +1) * (1.0 - ROOM)
    p_low, p_high = intervals.trim(np.fmax(bottom, 0.0), np.fmin(top, 1.0))
    reach = (
        least / np.maximum(p_high, _TINY) * (1.0 - ROOM),
        most / np.maximum(p_low, _TINY) * (1.0 + ROOM),
    )
    return Bounds(p_low, p_high, reach)


def _kappa(q: Array, tilts: Array, side: int) -> Array:
    """Return a lower (side -1) or an upper (+1) bound on the root of sum q / (kappa + tilt) = 1.

    q and tilts: (K, M, M), one equation per row. Newton's iteration on the reciprocal of the sum,
    which is concave, rises to the root; then the root is moved to the safe side until the sign of
    the equation there, with rounding accounted for, proves the bound.
    """
    kappa = np.maximum((q - tilts).max(axis=2), _TINY)
    for _ in range(60):
        reach = np.maximum(kappa[:, :, None] + tilts, _TINY)
        share = q / reach
        total = share.sum(axis=2)
        step = (total - 1.0) * total / np.maximum((share / reach).sum(axis=2), _TINY)
        kappa = kappa + np.where(np.isfinite(step), np.maximum(step, 0.0), 0.0)
        if not np.any(step > 1e-15 * kappa):
            break
    slack = 1e-13
    for _ in range(20):
        trial = kappa * (1.0 + side * slack)
        reach = trial[:, :, None] + tilts
        inside = np.all(reach > 0.0, axis=2)
        share = q / np.maximum(reach, _TINY)
        error = 1e-15 * (np.abs(trial)[:, :, None] + np.abs(tilts)) / np.maximum(reach, _TINY)
        total, off = share.sum(axis=2), (share * (error + 1e-14)).sum(axis=2)
        proved = inside & (total + off <= 1.0) if side > 0 else ~inside | (total - off >= 1.0)
        if np.all(proved):
            break
        slack *= 10.0
    return np.where(proved, trial, np.inf if side > 0 else 0.0)
