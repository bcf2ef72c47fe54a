"""The judge of many profiles at once: the measures of `rqe.check` in vectorised numpy.

For KL and entropy, finite tau and positive, finite eps. Nothing is shared with the kernels. The
formulas and their guards against rounding are those of `rqe.check` and `rqe._adversary`, with the
games on the last axis of every array.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LOG_FLOOR = -1e100
_FAR_LEVEL = 8.0
_RESOLUTION = 1e-4
_MOST_DEFECT = 1e-6
_TAU_FLOOR = 1e-30


class Verdicts(NamedTuple):
    """Residual and regret bound per game, (B,); payoffs and risk-adjusted ones, (B, N)."""

    residual: Array
    regret: Array
    payoffs: Array
    risk_adjusted: Array


class _Seats(NamedTuple):
    """One player of every game: U (n, m, B), x, log_x (n, B), log_q (m, B), the others (B,)."""

    U: Array
    x: Array
    log_x: Array
    log_q: Array
    width: Array
    tau: Array
    eps: Array


def judge(payoffs: Array, tau: Array, eps: Array, log_x: Array) -> Verdicts:
    """Return the verdicts on B profiles.

    payoffs: (B, N, n_1, ..., n_N), tau, eps: (B, N), log_x: (B, n_1 + ... + n_N). Profiles that are
    no strategies have residual and regret inf, and payoffs NaN.
    """
    count, n_players, shape = payoffs.shape[0], payoffs.shape[1], payoffs.shape[2:]
    u = np.ascontiguousarray(payoffs.reshape(count, -1).T).reshape(n_players, *shape, count)
    logs = np.ascontiguousarray(np.clip(log_x.T, _LOG_FLOOR, 1.0))
    ends = np.cumsum(shape)[:-1]
    log_parts, x_parts = np.split(logs, ends), np.split(np.exp(logs), ends)
    defect = np.max([np.abs(x.sum(axis=0) - 1.0) for x in x_parts], axis=0)
    residual, regret = defect, np.zeros(count)
    means, adjusted = np.empty((n_players, count)), np.empty((n_players, count))
    with np.errstate(invalid="ignore"):  # NaN marks what is no profile, below
        for i in range(n_players):
            U, level, width = _own_first(u[i], i)
            log_q = _others(log_parts[:i] + log_parts[i + 1 :])
            seats = _Seats(U, x_parts[i], log_parts[i], log_q, width, tau[:, i], eps[:, i])
            p, mean, utility = _tilted(seats)
            means[i], adjusted[i] = mean + level, utility + level
            violation, gain = _judged(seats, (U * p).sum(axis=1))
            residual = np.maximum(residual, violation)
            regret = np.maximum(regret, gain)
    bad = ~(defect <= _MOST_DEFECT)
    residual, regret = np.where(bad, np.inf, residual), np.where(bad, np.inf, regret)
    means[:, bad], adjusted[:, bad] = np.nan, np.nan
    return Verdicts(residual, regret, means.T, adjusted.T)


def _own_first(u: Array, i: int) -> tuple[Array, Array, Array]:
    """Return payoffs (n, m, B) without a far level, the level, and the payoff range or 1."""
    U = np.moveaxis(u, i, 0).reshape(u.shape[i], -1, u.shape[-1])
    flat = u.reshape(-1, u.shape[-1])
    width = flat.max(axis=0) - flat.min(axis=0)
    width = np.where(width > 0.0, width, 1.0)
    far = np.abs(flat[0]) > _FAR_LEVEL * width
    level = np.where(far, flat[0], 0.0)
    return (U - level if far.any() else U), level, width


def _others(logs: list[Array]) -> Array:
    """Return the log of the product of strategies (n_j, B), joint actions in player order."""
    joint = logs[0]
    for log_x in logs[1:]:
        joint = (joint[:, None] + log_x).reshape(-1, joint.shape[-1])
    return joint


def _tilted(seats: _Seats) -> tuple[Array, Array, Array]:
    """Return the adversary's p ∝ q exp(-tau g), E_q[g] and -(1/tau) log E_q exp(-tau g)."""
    g, q = (seats.x[:, None] * seats.U).sum(axis=0), np.exp(seats.log_q)
    mean = (q * g).sum(axis=0)
    risky = seats.tau * seats.width > _TAU_FLOOR
    if not risky.any():
        return q, mean, mean
    tau = np.where(risky, seats.tau, 0.0)
    tilt = (mean - g) * tau
    mild = tau * seats.width <= 1.0
    per_tau = 1.0 / np.where(risky, tau, 1.0)
    if mild.all():
        return _mild(q, mean, tilt, per_tau)
    p, utility = _strong(seats.log_q, mean, tilt, per_tau)
    if mild.any():
        mild_p, _, mild_utility = _mild(q, mean, np.where(mild, tilt, 0.0), per_tau)
        p, utility = np.where(mild, mild_p, p), np.where(mild, mild_utility, utility)
    return p, mean, utility


def _mild(q: Array, mean: Array, tilt: Array, per_tau: Array) -> tuple[Array, Array, Array]:
    """Return p, mean and utility where the tilt is small: differences from q, exact in them."""
    excess = q * np.expm1(tilt)
    total = excess.sum(axis=0)
    return (q + excess) / (1.0 + total), mean, mean - np.log1p(total) * per_tau


def _strong(log_q: Array, mean: Array, tilt: Array, per_tau: Array) -> tuple[Array, Array]:
    """Return p and utility for any tilt, by logarithms."""
    tilt = tilt + log_q
    top = tilt.max(axis=0)
    p = np.exp(tilt - top)
    total = p.sum(axis=0)
    return p / total, mean - (top + np.log(total)) * per_tau


def _judged(seats: _Seats, v: Array) -> tuple[Array, Array]:
    """Return violation relative to the range and gain of the best deviation: (B,) each."""
    x, eps = seats.x, seats.eps
    c = eps * seats.log_x - v
    mean = (x * c).sum(axis=0)
    c -= mean
    violation = np.abs(c).max(axis=0)
    near = violation <= eps
    d = np.where(near, c / eps, 0.0)
    gain = eps * np.log1p((x * (np.expm1(-d) + d)).sum(axis=0))
    if not near.all():
        far = ~near
        gain[far] = _far_gain(v[:, far] + mean[far], eps[far])
    return violation / np.maximum(seats.width, _RESOLUTION * eps), gain


def _far_gain(advantage: Array, eps: Array) -> Array:
    """Return max_y [<y, v> - eps sum y log y] minus its value at x; advantage = v + <x, c>."""
    top = advantage.max(axis=0)
    gain: Array = np.maximum(top + eps * np.log(np.exp((advantage - top) / eps).sum(axis=0)), 0.0)
    return gain
