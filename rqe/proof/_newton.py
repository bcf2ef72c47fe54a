r"""Krawczyk's operator on many boxes at once, in float intervals and logit coordinates.

The equations are those of `rqe.proof._balls`: ``c(z)_a - (v_a - v_r) / eps = 0`` for a != r, with
z the logits relative to a reference action r of each player. Jacobians are kept as midpoint and
radius; the room added for rounding dwarfs the rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.proof import _intervals as intervals
from rqe.proof._intervals import ROOM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.proof._seats import Bounds, Seat

    Array = NDArray[np.float64]

_LEAST = 1e-8  # radius, relative, below which rounding would keep roots from being proved
_INFLATION = 1.05  # boxes are tested a little larger, so that roots on their faces are found


class Disc(NamedTuple):
    """Arrays of intervals as midpoint and radius."""

    mid: Array
    rad: Array


class Step(NamedTuple):
    """Krawczyk's image of boxes: logits (K, D), whether it lies inside, and the box tested."""

    low: Array
    high: Array
    inside: NDArray[np.bool_]
    tested_low: Array
    tested_high: Array


class Chart:
    """Logit coordinates for one choice of reference actions."""

    def __init__(self, seats: Sequence[Seat], reference: Sequence[int], total: int) -> None:
        self.seats, self.total = seats, total
        self.reference = [s.own.start + r for s, r in zip(seats, reference, strict=True)]
        self.free = [
            [k for k in range(s.own.start, s.own.stop) if k != r]
            for s, r in zip(seats, self.reference, strict=True)
        ]
        self.index = {k: d for d, k in enumerate(k for free in self.free for k in free)}
        self.size = len(self.index)
        self.anchor = np.array(
            [r for r, free in zip(self.reference, self.free, strict=True) for _ in free]
        )
        self.action = np.array(list(self.index), dtype=np.intp)

    @property
    def columns(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Columns of the actions behind the logits, and of their reference actions."""
        return self.action, self.anchor

    def logits(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return bounds (K, D) on logits from bounds on log-probabilities."""
        return (
            low[:, self.action] - high[:, self.anchor],
            high[:, self.action] - low[:, self.anchor],
        )

    def logs(self, low: Array, high: Array, like: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return bounds on log-probabilities from logits; others' columns are those of `like`."""
        out_low, out_high = like[0].copy(), like[1].copy()
        for r, free in zip(self.reference, self.free, strict=True):
            columns = [self.index[k] for k in free]
            zero = np.zeros((len(low), 1))
            z_low, z_high = (np.hstack([zero, z[:, columns]]) for z in (low, high))
            for position, k in enumerate([r, *free]):
                down, up = z_high.copy(), z_low.copy()
                down[:, position], up[:, position] = z_low[:, position], z_high[:, position]
                own_low, own_high = z_low[:, position], z_high[:, position]
                out_low[:, k] = own_low - intervals.log_sum_exp(down) - ROOM * np.abs(own_low)
                out_high[:, k] = own_high - intervals.log_sum_exp(up) + ROOM * np.abs(own_high)
        return intervals.lowered(out_low), np.minimum(intervals.raised(out_high), 0.0)

    def step(self, low: Array, high: Array) -> Step:
        """Return Krawczyk's image of boxes of log-probabilities (K, all actions)."""
        z_low, z_high = self.logits(low, high)
        centre = 0.5 * (z_low + z_high)
        radius = 0.5 * (z_high - z_low) * _INFLATION + _LEAST * (1.0 + np.abs(centre))
        tested = centre - radius, centre + radius
        J = self._jacobian(*self.logs(*tested, like=(low, high)))
        value = self._values(centre, (low, high))
        C = _inverse(J.mid)
        size = np.abs(C)
        G = np.abs(np.eye(self.size) - C @ J.mid) + size @ (J.rad + ROOM * np.abs(J.mid))
        G += ROOM * (size @ np.abs(J.mid))
        shift = (C @ value.mid[..., None])[..., 0]
        spread = (G @ radius[..., None] + size @ value.rad[..., None])[..., 0]
        spread += ROOM * (size @ np.abs(value.mid)[..., None])[..., 0] + ROOM * np.abs(centre)
        image = centre - shift - spread, centre - shift + spread
        good = np.all(np.isfinite(spread) & np.isfinite(shift), axis=1)
        inside = good & np.all((image[0] > tested[0]) & (image[1] < tested[1]), axis=1)
        image = (
            np.where(good[:, None], image[0], tested[0]),
            np.where(good[:, None], image[1], tested[1]),
        )
        return Step(*image, inside, *tested)

    def _values(self, z: Array, like: tuple[Array, Array]) -> Disc:
        """Return F at points z (K, D), with what rounding may do."""
        low, high = self.logs(z, z, like)
        mid, rad = np.empty_like(z), np.empty_like(z)
        for seat, r, free in zip(self.seats, self.reference, self.free, strict=True):
            columns = [self.index[k] for k in free]
            least, most = seat.advantages(seat.adversary(low, high))
            own = r - seat.own.start
            others = [k - seat.own.start for k in free]
            gain_low, gain_high = least[:, own][:, others], most[:, own][:, others]
            if seat.entropy:
                slope_low = slope_high = z[:, columns]
            else:
                slope_low = np.exp(-high[:, [r]]) - np.exp(-low[:, free])
                slope_high = np.exp(-low[:, [r]]) - np.exp(-high[:, free])
            mid[:, columns] = 0.5 * (slope_low + slope_high - gain_low - gain_high)
            rad[:, columns] = 0.5 * (slope_high - slope_low + gain_high - gain_low)
            if not seat.entropy:
                rad[:, columns] += ROOM * (np.exp(-low[:, [r]]) + np.exp(-low[:, free]))
        return Disc(mid, rad + ROOM * (np.abs(mid) + np.abs(z)))

    def _jacobian(self, low: Array, high: Array) -> Disc:
        """Return the Jacobians (K, D, D) over boxes of log-probabilities."""
        J = Disc(*(np.zeros((len(low), self.size, self.size)) for _ in range(2)))
        for seat, r, free in zip(self.seats, self.reference, self.free, strict=True):
            rows = np.array([self.index[k] for k in free])
            p = seat.adversary(low, high)
            D = seat.U[[k - seat.own.start for k in free]] - seat.U[r - seat.own.start]
            block = Block(seat, p, D, [intervals.exp(low[:, k], high[:, k]) for k in free])
            for members in seat.columns:
                for k in np.unique(members):
                    if k in self.index:
                        x = intervals.exp(low[:, k], high[:, k])
                        _add(J, rows, self.index[int(k)], block.by_other(members == k, x), -1.0)
            if seat.tau > 0.0:
                for position, k in enumerate(free):
                    _add(J, rows, self.index[k], block.by_own(position), seat.tau)
            J.mid[:, rows] /= seat.eps
            J.rad[:, rows] /= seat.eps
            _add_regularizer(J, seat, rows, low[:, [r, *free]], high[:, [r, *free]])
        return J


class Block:
    """Derivatives of one player's values, from bounds on his adversary.

    Values are taken relative to a centre, which changes no derivative and keeps intervals narrow:
    the mean under p, or for reverse KL the value at the joint action m of largest p / reach, whose
    weight can be astronomic and then drops out.
    """

    def __init__(self, seat: Seat, p: Bounds, D: Array, x: Sequence[tuple[Array, Array]]) -> None:
        self.kl = p.reach is None
        self.x = [_disc(*bounds) for bounds in x]
        self.p = self.weight = self.share = _disc(p.low, p.high)
        self.room = seat.room
        if p.reach is None:
            scale = np.maximum(self.p.mid.sum(axis=1, keepdims=True), 1e-300)
            centre = (self.p.mid @ D.T) / scale
        else:
            heaviest = (p.high / np.maximum(p.reach[0], 1e-300)).argmax(axis=1)
            self.weight, self.share = _weights(p.low, p.high, *p.reach, heaviest)
            centre = D.T[heaviest]
        self.w = D[None] - centre[:, :, None]  # (K, rows, M), each within `room`
        self.s = self._sum(self.w, self.share)

    def _sum(self, w: Array, p: Disc, factor: float = 0.0) -> Disc:
        """Return sum_m w p, (K, rows), for w (K, rows, M) within (1 + factor) room."""
        mid = (w * p.mid[:, None]).sum(axis=2)
        size = np.abs(w)
        rad = (size * p.rad[:, None]).sum(axis=2)
        top = (np.abs(p.mid) + p.rad).sum(axis=1)[:, None]
        return Disc(mid, rad + (self.room * (1.0 + factor) + ROOM * size.max(axis=2)) * top)

    def by_other(self, hit: NDArray[np.bool_], x: tuple[Array, Array]) -> Disc:
        """Return sum_m D dp by the logit of another player's action, which `hit` marks."""
        inside = self._sum(self.w[:, :, hit], Disc(self.p.mid[:, hit], self.p.rad[:, hit]))
        share = Disc(self.p.mid[:, hit].sum(axis=1), self.p.rad[:, hit].sum(axis=1))
        if self.kl:
            return _minus(inside, _times(self.s, _column(share)))
        own = _column(_disc(*x))
        drift = _times(self._sum(self.w, self.p), own)
        return _minus(_minus(inside, drift), _times(self.s, _minus(_column(share), own)))

    def by_own(self, position: int) -> Disc:
        """Return -sum_m D dp / tau by an own logit: x_c (cov(a, c) - sum_b x_b cov(a, b))."""
        mean = _times(self._covariance(0), _column(self.x[0]))
        for b in range(1, len(self.x)):
            mean = _plus(mean, _times(self._covariance(b), _column(self.x[b])))
        return _times(_minus(self._covariance(position), mean), _column(self.x[position]))

    def _covariance(self, c: int) -> Disc:
        """Return the covariance of D_a and D_c under the weights, times their total, (K, rows)."""
        size = 2.0 * float(np.abs(self.w).max())
        product = self._sum(self.w * self.w[:, [c]], self.weight, size)
        total = self._sum(self.w[:, [c]], self.weight)
        return _minus(product, _times(self.s, total))


def _weights(
    low: Array, high: Array, least: Array, most: Array, heaviest: NDArray[np.intp]
) -> tuple[Disc, Disc]:
    """Return p / reach and the same normalised, but 0 at the heaviest joint action, as discs."""
    low, high = low / most, high / np.maximum(least, 1e-300)
    rest_low = low.sum(axis=1, keepdims=True) - low
    rest_high = high.sum(axis=1, keepdims=True) - high
    share_low = low / np.maximum(low + rest_high, 1e-300) * (1.0 - ROOM)
    share_high = np.fmin(high / np.maximum(high + rest_low, 1e-300) * (1.0 + ROOM), 1.0)
    discs = _disc(low, high), _disc(share_low, share_high)
    rows = np.arange(len(low))
    for disc in discs:
        disc.mid[rows, heaviest] = disc.rad[rows, heaviest] = 0.0
    return discs


def _add(J: Disc, rows: NDArray[np.intp], column: int, entry: Disc, factor: float) -> None:
    """Add factor * entry (K, rows) to a column of J."""
    J.mid[:, rows, column] += factor * entry.mid
    J.rad[:, rows, column] += abs(factor) * entry.rad


def _add_regularizer(J: Disc, seat: Seat, rows: NDArray[np.intp], low: Array, high: Array) -> None:
    """Add dc/dz; columns of low and high are the reference action and then the free ones."""
    if seat.entropy:
        J.mid[:, rows, rows] += 1.0
        return
    x = _disc(*intervals.exp(low, high))
    inverse = _disc(np.exp(-high) * (1.0 - ROOM), np.exp(-low) * (1.0 + ROOM))
    drop = _minus(
        Disc(inverse.mid[:, :1], inverse.rad[:, :1]), Disc(inverse.mid[:, 1:], inverse.rad[:, 1:])
    )
    for position, column in enumerate(rows, start=1):
        one = Disc(x.mid[:, [position]], x.rad[:, [position]])
        _add(J, rows, int(column), _times(drop, one), 1.0)
    J.mid[:, rows, rows] += inverse.mid[:, 1:]
    J.rad[:, rows, rows] += inverse.rad[:, 1:]


def _inverse(J: Array) -> Array:
    """Return inverses; the identity where a matrix is singular or not finite."""
    good = np.all(np.isfinite(J), axis=(1, 2))
    safe = np.where(good[:, None, None], J, np.eye(J.shape[1]))
    sign, _ = np.linalg.slogdet(safe)
    return np.linalg.inv(np.where((sign == 0.0)[:, None, None], np.eye(J.shape[1]), safe))


def _disc(low: Array, high: Array) -> Disc:
    """Return the intervals as midpoint and radius."""
    mid = 0.5 * (low + high)
    return Disc(mid, 0.5 * (high - low) + ROOM * np.abs(mid) + 1e-300)


def _column(a: Disc) -> Disc:
    """Return (K,) as (K, 1)."""
    return Disc(a.mid[:, None], a.rad[:, None])


def _plus(a: Disc, b: Disc) -> Disc:
    """Return a + b."""
    mid = a.mid + b.mid
    return Disc(mid, a.rad + b.rad + ROOM * (np.abs(a.mid) + np.abs(b.mid)))


def _minus(a: Disc, b: Disc) -> Disc:
    """Return a - b."""
    mid = a.mid - b.mid
    return Disc(mid, a.rad + b.rad + ROOM * (np.abs(a.mid) + np.abs(b.mid)))


def _times(a: Disc, b: Disc) -> Disc:
    """Return a b."""
    rad = np.abs(a.mid) * b.rad + a.rad * (np.abs(b.mid) + b.rad)
    return Disc(a.mid * b.mid, rad + ROOM * np.abs(a.mid * b.mid))
