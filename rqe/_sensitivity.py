"""The equilibrium equations linearised, in plain numpy, for a stack of games of one shape.

Unknown are ``y = dlog x``, with ``sum_a x_i(a) y_i(a) = 0``. The equations of player i are

    r(log x_i) - lam_i v_i = const,    r = log x (entropy) or -1/x (log barrier),

with lam = 1/eps, so that lam = 0 is an ordinary point, and v_i = U_i p_i the payoffs that he sees
through his adversary's eyes. With q the product of the others' strategies, U as (own, others),
dlog q the sum of the others' y, and g = U' x,

    dp = p dlog q - w (tau dg + g dtau) - w c,    c such that sum dp = 0,

where w = p for the penalty kl and w = p / h, p = q / h, for reverse_kl. Centring U by its mean
under w, row by row (``centred`` below), makes c disappear from dv. All constants over a player's
actions are eliminated by weights ``~ x / r'``.

Shapes: G games, N players, n_i actions, n their sum, m_i joint actions of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_TINY = 1e-290
_FLOOR = -1e4  # stands for log 0: 0 times it is 0


class Seat(NamedTuple):
    """One player in G games: U less its least entry and U centred (G, n_i, m_i); q, p, w, g."""

    utility: Array
    centred: Array
    q: Array
    p: Array
    weight: Array
    g: Array
    v: Array


@dataclass(frozen=True)
class System:
    """The linear system ``matrix @ y = ...`` at G profiles.

    Attributes
    ----------
    x : tuple of N arrays, shape (G, n_i)
    seats : tuple of N Seat
    matrix : ndarray, shape (G, n, n)
    by_tau, by_lam : ndarray, shape (G, n, N)
        Right-hand sides for the parameters of each player.
    force : ndarray, shape (G, n)
        What is left of the equations; ``-matrix^-1 force`` is Newton's step.
    """

    x: tuple[Array, ...]
    seats: tuple[Seat, ...]
    matrix: Array
    by_tau: Array
    by_lam: Array
    force: Array


def linearise(
    payoffs: Array, log_x: Sequence[Array], tau: Array, lam: Array,
    *, reverse: bool, barrier: bool, log_others: Sequence[Array] | None = None,
) -> System:  # fmt: skip
    """Return the system at profiles of log-probabilities.

    payoffs: (G, N, n_1, ..., n_N); log_x: N arrays (G, n_i); tau, lam: (G, N), finite. With
    ``log_others`` the others do not react: they play these strategies, and every player responds.
    """
    n_games, n_players = tau.shape
    shape = payoffs.shape[2:]
    offsets = np.concatenate([[0], np.cumsum(shape)])
    log_x = [np.maximum(given, _FLOOR) for given in log_x]
    seen = log_x if log_others is None else [np.maximum(given, _FLOOR) for given in log_others]
    x = tuple(np.exp(given) for given in log_x)
    matrix = np.broadcast_to(np.eye(offsets[-1]), (n_games, offsets[-1], offsets[-1])).copy()
    by_tau, by_lam = (np.zeros((n_games, offsets[-1], n_players)) for _ in range(2))
    force = np.zeros((n_games, offsets[-1]))
    seats = []
    for i in range(n_players):
        seat = _seat(payoffs[:, i], x[i], seen, i, tau[:, i], reverse)
        seats.append(seat)
        own = slice(offsets[i], offsets[i + 1])
        centre = Centre.of(x[i], barrier)
        slope = lam[:, i, None, None]
        for j in range(n_players):
            if j == i:
                block = _own_block(seat, x[i], tau[:, i])
            elif log_others is None:
                block = _cross_block(seat, shape, i, j)
            else:
                continue
            matrix[:, own, offsets[j] : offsets[j + 1]] -= slope * centre(block)
        by_lam[:, own, i] = centre(seat.v[..., None])[..., 0]
        by_tau[:, own, i] = lam[:, i, None] * centre(_tau_column(seat)[..., None])[..., 0]
        level = -np.exp(np.minimum(-log_x[i], 600.0)) if barrier else log_x[i]
        force[:, own] = centre(level[..., None])[..., 0] - lam[:, i, None] * by_lam[:, own, i]
    return System(x, tuple(seats), matrix, by_tau, by_lam, force)


class Centre(NamedTuple):
    """Removal of the constant over a player's actions, and division by r'."""

    weight: Array
    inverse: Array

    @classmethod
    def of(cls, x: Array, barrier: bool) -> Centre:
        """Return it for strategies x, (G, n_i)."""
        inverse = x if barrier else np.ones_like(x)
        weight = x * inverse
        return cls(weight / np.maximum(weight.sum(axis=1, keepdims=True), _TINY), inverse)

    def __call__(self, rows: Array) -> Array:
        """Return rows (G, n_i, k), centred and scaled."""
        centred: Array = rows - (self.weight[:, :, None] * rows).sum(axis=1, keepdims=True)
        return centred * self.inverse[:, :, None]


def _seat(
    payoffs: Array, x: Array, log_x: Sequence[Array], i: int, tau: Array, reverse: bool
) -> Seat:
    """Return player i's data; payoffs: (G, n_1, ..., n_N)."""
    utility = np.moveaxis(payoffs, i + 1, 1).reshape(len(x), x.shape[1], -1)
    utility = utility - utility.min(axis=(1, 2), keepdims=True)
    log_q = log_of_others(log_x, i)
    q = np.exp(log_q)
    g = np.einsum("ga,gam->gm", x, utility)
    p, weight = (_reverse_kl if reverse else _kl)(log_q, q, g, tau[:, None])
    total = weight.sum(axis=1)[:, None, None]
    centred = utility - np.einsum("gam,gm->ga", utility, weight)[..., None] / total
    v = np.einsum("gam,gm->ga", utility, p)
    return Seat(utility, centred, q, p, weight, g, v)


def log_of_others(log_x: Sequence[Array], i: int) -> Array:
    """Return the log of the product of the others' strategies, (G, m_i), in player order."""
    joint = np.zeros((len(log_x[0]), 1))
    for j, log_y in enumerate(log_x):
        if j != i:
            joint = (joint[:, :, None] + log_y[:, None, :]).reshape(len(joint), -1)
    return joint


def _kl(log_q: Array, q: Array, g: Array, tau: Array) -> tuple[Array, Array]:
    """Return the adversary's p and weights for the penalty kl; all (G, m), tau (G, 1)."""
    tilt = log_q - tau * g
    p = np.exp(tilt - tilt.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p, p


def _reverse_kl(log_q: Array, q: Array, g: Array, tau: Array) -> tuple[Array, Array]:
    """Return the adversary's p = q / h and weights p / h, with h = d + tau (g - min g).

    The reciprocal of ``sum q / (d + gap)`` is concave in d, so that Newton's iteration rises to the
    root from any point below it.
    """
    gap = tau * (g - g.min(axis=1, keepdims=True))
    d = np.maximum(1.0 - (q * gap).sum(axis=1), (q - gap).max(axis=1))
    d = np.maximum(np.maximum(d, np.where(gap == 0.0, q, 0.0).sum(axis=1)), _TINY)
    for _ in range(100):
        reach = d[:, None] + gap
        p = q / reach
        total = p.sum(axis=1)
        step = (total - 1.0) * total / (p / reach).sum(axis=1)
        d = np.minimum(d + np.maximum(step, 0.0), 1.0)
        if not (step > 1e-16 * d).any():
            break
    reach = d[:, None] + gap
    p = q / reach
    p /= p.sum(axis=1, keepdims=True)
    return p, p / reach


def _own_block(seat: Seat, x: Array, tau: Array) -> Array:
    """Return dv_i / dlog x_i, (G, n_i, n_i): the adversary's reaction to the own strategy."""
    weighted = seat.centred * seat.weight[:, None, :]
    block: Array = np.einsum("gam,gbm->gab", seat.centred, weighted)
    return -tau[:, None, None] * block * x[:, None, :]


def _cross_block(seat: Seat, shape: Sequence[int], i: int, j: int) -> Array:
    """Return dv_i / dlog x_j, (G, n_i, n_j)."""
    return marginal(seat.centred * seat.p[:, None, :], shape, i, j)


def marginal(rows: Array, shape: Sequence[int], i: int, j: int) -> Array:
    """Return rows (G, k, m_i) summed over all others of player i but j: (G, k, n_j)."""
    others = [n for k, n in enumerate(shape) if k != i]
    axis = j - (j > i)
    full = rows.reshape(*rows.shape[:2], *others)
    summed: Array = full.sum(axis=tuple(2 + k for k in range(len(others)) if k != axis))
    return summed


def _tau_column(seat: Seat) -> Array:
    """Return dv_i / dtau_i at a fixed profile, (G, n_i)."""
    mean = (seat.weight * seat.g).sum(axis=1) / seat.weight.sum(axis=1)
    column: Array = np.einsum("gam,gm->ga", seat.centred, seat.weight * (seat.g - mean[:, None]))
    return -column
