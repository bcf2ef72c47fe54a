"""The fictitious adversary in plain numpy, for the certificate alone.

Shares nothing with the solvers or their kernels; conventions as in `rqe.check`: ``q`` the product
of the others' strategies, ``p`` the adversary's distribution, ``g`` the payoff averaged over the
own strategy (one entry per joint action of the others), ``v`` the payoff averaged over ``p``. Joint
actions of the others are flat, in player order. Arrays of payoffs are never changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FEW = 200  # numbers up to which Python reduces a list faster than numpy an array
_TINY = 1e-280  # a probability that stands for 0 next to a sum of order 1
_TAU_FLOOR, _TAU_CEILING = (
    1e-30,
    1e290,
)  # in units of 1/range: p = q below; exp(-tau g) stays finite


class Seat(NamedTuple):
    """One player's data; `payoffs` has shape (joint before, own, joint after), level removed."""

    payoffs: Array
    width: float
    x: Array
    log_x: Array
    log_q: Array
    tau: float
    eps: float


class Reply(NamedTuple):
    """The adversary's p, E_q[g], the risk-adjusted utility, and E_p[g] - min g if tau = inf."""

    p: Array
    mean: float
    utility: float
    slack: float


def largest(values: Array) -> float:
    """Return the largest number; Python finds it faster in a few than numpy does. No NaN."""
    if values.size <= _FEW:
        return float(max(values.tolist()))
    return float(np.maximum.reduce(values))


def smallest(values: Array) -> float:
    """Return the smallest number. No NaN."""
    if values.size <= _FEW:
        return float(min(values.tolist()))
    return float(np.minimum.reduce(values))


def total(values: Array) -> float:
    """Return the sum."""
    if values.size <= _FEW:
        return math.fsum(values.tolist())
    return float(np.add.reduce(values))


def product(strategies: Sequence[Array]) -> Array:
    """Return the product measure of strategies, flat, first player slowest."""
    joint = strategies[0]
    for x in strategies[1:]:
        joint = (joint[:, None] * x).ravel()
    return joint


def joints(strategies: tuple[Array, ...], tilted: tuple[Array | None, ...]) -> tuple[Array, ...]:
    """Return the adversaries' distributions: the product of the others' play where not tilted."""
    shaped = []
    for i, p in enumerate(tilted):
        others = strategies[:i] + strategies[i + 1 :]
        joint = product(others) if p is None else p
        joint = joint.reshape([len(x) for x in others])
        joint.flags.writeable = False
        shaped.append(joint)
    return tuple(shaped)


def gradients(payoffs: Array, strategies: Sequence[Array]) -> list[Array]:
    """Return v_i of risk-neutral players from payoffs of shape (N, n_1, ..., n_N)."""
    half = len(strategies) // 2
    first, last = _halved(strategies[:half]), _halved(strategies[half:])
    return _contract(payoffs, (np.empty(0), len(strategies), first, last))


# A group of players: product measure of its strategies, number of players, its two halves.
_Group = tuple[Array, int, Any, Any]


def _halved(strategies: Sequence[Array]) -> _Group:
    """Return players with their joint play, in halves down to single players."""
    m = len(strategies)
    if m == 1:
        return strategies[0], 1, None, None
    first, last = _halved(strategies[: m // 2]), _halved(strategies[m // 2 :])
    return (first[0][:, None] * last[0]).ravel(), m, first, last


def _contract(payoffs: Array, group: _Group) -> list[Array]:
    """Return v_i of a group's players from payoffs of shape (players, joint actions of the group).

    Each half's play is contracted out of the other half's payoffs, and so on within the halves.
    For small arrays ``a.dot(b)`` costs half of ``a @ b``.
    """
    _, m, first, last = group
    if m == 1:
        return [payoffs.ravel()]
    p, q, half = first[0], last[0], first[1]
    blocks = payoffs.reshape(m, p.size, q.size)
    if m == 2:
        return [blocks[0].dot(q), p.dot(blocks[1])]
    left = blocks[:half].reshape(-1, q.size).dot(q)
    right = p @ blocks[half:]
    return _contract(left, first) + _contract(right, last)


def others(logs: Sequence[Array]) -> Iterator[tuple[int, Array, int]]:
    """Yield per player the sizes before and after him, around the log of the others' product."""
    if len(logs) == 2:
        yield 1, logs[1], len(logs[1])
        yield len(logs[0]), logs[0], 1
        return
    after = [np.zeros(1)]
    for log_x in logs[:0:-1]:
        after.append((log_x[:, None] + after[-1]).ravel())
    before = np.zeros(1)
    for log_x in logs:
        rest = after.pop()
        if before.size == 1:
            joint = rest
        elif rest.size == 1:
            joint = before
        else:
            joint = (before[:, None] + rest).ravel()
        yield before.size, joint, rest.size
        if after:
            before = (before[:, None] + log_x).ravel()


def own_average(utility: Array, x: Array) -> Array:
    """Return g: payoffs (before, own, after) averaged over the own strategy, flat."""
    average: Array
    if utility.shape[0] == 1:
        average = x.dot(utility[0])
    elif utility.shape[2] == 1:
        average = utility[:, :, 0].dot(x)
    else:
        average = (x @ utility).ravel()
    return average


def value(utility: Array, p: Array) -> Array:
    """Return v: payoffs (before, own, after) averaged over the others' joint play p, flat."""
    before, _, after = utility.shape
    average: Array
    if before == 1:
        average = utility[0].dot(p)
    elif after == 1:
        average = p.dot(utility[:, :, 0])
    else:
        average = (utility @ p.reshape(before, after, 1)).sum(axis=(0, 2))
    return average


def reply(seat: Seat, penalty: str, regularizer: str, given: Array | None) -> Reply:
    """Return the adversary's minimiser at the seat's strategy; `given` only serves tau = inf."""
    g = own_average(seat.payoffs, seat.x)
    q = np.exp(seat.log_q)
    mean = float(q.dot(g))
    if seat.tau * seat.width <= _TAU_FLOOR:
        return Reply(q, mean, mean, 0.0)
    if seat.tau == math.inf:
        p, slack = _worst_case(seat, g, given, regularizer)
        return Reply(p, mean, smallest(g), slack)
    tau = min(seat.tau, _TAU_CEILING / seat.width)
    if penalty == "kl":
        p, utility = _tilt_kl(seat, tau, q, g, mean)
    else:
        p, utility = _tilt_reverse_kl(seat, tau, q, g)
    return Reply(p, mean, utility, 0.0)


def _tilt_kl(seat: Seat, tau: float, q: Array, g: Array, mean: float) -> tuple[Array, float]:
    """Return p ∝ q exp(-tau g) and the utility -(1/tau) log E_q exp(-tau g)."""
    tilt = (mean - g) * tau
    if tau * seat.width <= 1.0:
        excess = q * np.expm1(tilt)
        mass = total(excess)
        return (q + excess) / (1.0 + mass), mean - math.log1p(mass) / tau
    tilt += seat.log_q
    top = largest(tilt)
    p = np.exp(tilt - top)
    mass = total(p)
    return p / mass, mean - (top + math.log(mass)) / tau


def _tilt_reverse_kl(seat: Seat, tau: float, q: Array, g: Array) -> tuple[Array, float]:
    """Return p = q / (d + tau (g - min g)) and the utility E_p[g] + KL(q || p) / tau."""
    low = smallest(g)
    gap = tau * (g - low)
    d = _reverse_kl_root(q, gap)
    if d > 0.0:
        p = q / (d + gap)
        p /= total(p)
    else:
        p = _remainder_on_lowest(q, seat.log_q, gap)
    if tau * seat.width <= 0.5:
        at_p = low + float(p @ (g - low))
        return p, at_p + float(q @ np.log1p(tau * (g - at_p))) / tau
    divergence = float(q @ np.log(np.maximum(d + gap, _TINY)))
    return p, low + (1.0 - d + divergence) / tau


def _reverse_kl_root(q: Array, gap: Array) -> float:
    """Return the root d in [0, 1] of sum q / (d + gap) = 1, where min gap = 0.

    0 stands for a root too small to be told from 0: the lowest entries then have q near 0. The
    reciprocal of the sum is concave in d, so that Newton's iteration rises to the root.
    """
    d = max(float(q[gap == 0.0].sum()), 1.0 - float(q @ gap), largest(q - gap))
    if d < _TINY:
        d = _TINY
        if float((q / np.maximum(gap, d)).sum()) <= 1.0:
            return 0.0
    for _ in range(200):
        reach = d + gap
        p = q / reach
        mass = total(p)
        step = (mass - 1.0) * mass / total(p / reach)
        if not step > 1e-16 * d:
            break
        d += step
    return min(d, 1.0)


def _remainder_on_lowest(q: Array, log_q: Array, gap: Array) -> Array:
    """Return the limit d -> 0: entries with gap 0 share, as q does, what the others leave."""
    lowest = gap == 0.0
    p = q / np.where(lowest, 1.0, gap)
    share = np.exp(log_q[lowest] - log_q[lowest].max())
    p[lowest] = 0.0
    p[lowest] = max(1.0 - float(p.sum()), 0.0) * share / share.sum()
    return p


def _worst_case(seat: Seat, g: Array, given: Array | None, regularizer: str) -> tuple[Array, float]:
    """Return the worst case's p and slack E_p[g] - min g: `given`, or from a linear programme."""
    low = smallest(g)
    p = (g == low).astype(np.float64) if given is None else _non_negative(given, g.size)
    unusable = not 0.0 < float(p.sum()) < math.inf
    if unusable or (given is None and seat.eps < math.inf):
        p = _least_favourable(seat, regularizer)
    p /= p.sum()
    return p, float(p @ (g - low))


def _non_negative(given: Array, size: int) -> Array:
    """Return a witness, flat, with what is negative set to 0; NaN stays."""
    p = np.asarray(given, dtype=np.float64).ravel()
    if p.size != size:
        raise ValueError(
            "witnesses must hold one probability per joint action of the others, "
            f"{size} here; got shape {np.shape(given)}"
        )
    return np.maximum(p, 0.0)


def _least_favourable(seat: Seat, regularizer: str) -> Array:
    """Return the p that minimises the highest ``v - eps grad nu(x)``, by linear programming.

    The bound on the regret is convex in this vector; at a smoothed security strategy the programme
    makes all its entries equal with p on the lowest g, and with eps = 0 it is the dual of the
    maximin programme.
    """
    from scipy.optimize import linprog

    rows = seat.payoffs.transpose(1, 0, 2).reshape(len(seat.x), -1) / seat.width
    lift = barrier_slope(seat.log_x) if regularizer == "log_barrier" else -seat.log_x
    lift = lift * (seat.eps / seat.width)
    rows = rows + np.minimum(lift - lift.min(), 1e3)[:, None]
    n_rows, n_columns = rows.shape
    found = linprog(
        np.append(np.zeros(n_columns), 1.0),
        A_ub=np.hstack([rows, -np.ones((n_rows, 1))]),
        b_ub=np.zeros(n_rows),
        A_eq=np.append(np.ones(n_columns), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0.0, None)] * n_columns + [(None, None)],
    )
    p = np.full(n_columns, 1.0) if found.x is None else np.maximum(found.x[:-1], 0.0)
    return np.asarray(p, dtype=np.float64)


def barrier_slope(log_x: Array) -> Array:
    """Return 1/x, at most exp(300)."""
    slope: Array = np.exp(np.minimum(-log_x, 300.0))
    return slope
