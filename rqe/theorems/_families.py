"""Families of symmetric collaborative games in which free-riding equilibria are likely, or sure.

Rewards span [0, 1] and costs lie in [0, 1], so that no claim is refuted by a choice of units.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rqe.theorems._batch import Array, Batch, newton, normalised


def unit(reward: Array) -> Array:
    """Return symmetric rewards with least entry 0 and greatest 1: (B, n, n)."""
    reward = reward - reward.min((1, 2), keepdims=True)
    out: Array = reward / np.maximum(reward.max((1, 2), keepdims=True), 1e-300)
    return out


def random(rng: Generator, count: int, n: int) -> Batch:
    """Rewards and costs uniform, or integers, with a start near an asymmetric pure profile."""
    reward = rng.random((count, n, n))
    integral = rng.random(count) < 0.3
    reward[integral] = rng.integers(0, 4, (int(integral.sum()), n, n)) / 3.0
    reward = unit(np.triu(reward) + np.triu(reward, 1).swapaxes(1, 2))
    return _started(rng, reward, rng.random((count, n)), None)


def volunteers(rng: Generator, count: int, n: int) -> Batch:
    """Near-coordination: one who works is enough, and idling, action 0, is free.

    R(idle, idle) is low, R(idle, work) and R(work, work) are near 1; further actions are decoys
    whose rewards are near 0 or near 1.
    """
    noise = rng.uniform(0.0, 0.1, (count, n, n))
    high = rng.random((count, n, n)) < 0.5
    high[:, 0, 0], high[:, 0, 1], high[:, 1, 1] = False, True, True
    reward = np.triu(np.where(high, 1.0 - noise, noise))
    reward = unit(reward + np.triu(reward, 1).swapaxes(1, 2))
    cost = rng.uniform(0.1, 1.0, (count, n))
    cost[:, 0] = 0.0
    return _started(rng, reward, cost, (1, 0))


def loose(rng: Generator, count: int, n: int) -> Batch:
    """Random rewards in which (work, idle) is good and (idle, idle) is bad; any costs."""
    reward = rng.random((count, n, n))
    reward = 0.5 * (reward + reward.swapaxes(1, 2))
    reward[:, 0, 0] *= 0.2
    reward[:, 0, 1] = reward[:, 1, 0] = rng.uniform(0.9, 1.0, count)
    cost = rng.random((count, n))
    cost[:, 0] = 0.0
    return _started(rng, unit(reward), cost, (1, 0))


def _started(rng: Generator, reward: Array, cost: Array, roles: tuple[int, int] | None) -> Batch:
    """Games with parameters, and starts in which the players favour different actions."""
    count, n = cost.shape
    eps = np.exp(rng.uniform(np.log(0.01), np.log(0.3), count))
    tau = np.exp(rng.uniform(np.log(0.05), np.log(30.0), count)) / eps
    logits = np.zeros((count, 2, n))
    first: NDArray[np.int64] = np.asarray(rng.integers(n, size=count))
    second = (first + rng.integers(1, n, size=count)) % n
    if roles is not None:
        first[:], second[:] = roles
    weight, rows = rng.uniform(1.0, 5.0, count), np.arange(count)
    logits[rows, 0, first] = logits[rows, 1, second] = weight
    return Batch(reward, cost, tau, eps, normalised(logits))


def planted(rng: Generator, count: int, n: int) -> Batch:
    r"""Games built around a given free-riding equilibrium, so that every one has one.

    Given x_1, x_2, p_1, p_2, the equations of an equilibrium are linear in R, c and constants. They
    can be solved when, in the notation of the exact identity (differences d between the players),

    .. math:: \epsilon \tau J(x_1, x_2) = -J(p_1, p_2) - \langle dp, d \log x \rangle ,

    which fixes eps tau. Profiles for which that is not positive are left out, so that fewer than
    `count` games may come back.
    """
    spread = rng.uniform(0.3, 4.0, (count, 1, 1))
    log_x = normalised(rng.normal(size=(count, 2, n)) * spread)
    lean = rng.uniform(0.0, 0.5, (count, 1, 1))
    noise = rng.normal(size=(count, 2, n)) * rng.choice([0.0, 0.1, 0.5, 1.0, 2.0], (count, 1, 1))
    log_p = normalised((1.0 - lean) * log_x[:, ::-1] + lean * log_x + noise)
    dx, dp = (np.exp(a)[:, 0] - np.exp(a)[:, 1] for a in (log_x, log_p))
    dlx, dlp = (a[:, 0] - a[:, 1] for a in (log_x, log_p))
    eps_tau = -((dp * dlp).sum(-1) + (dp * dlx).sum(-1)) / (dx * dlx).sum(-1)
    keep = eps_tau > 0.0
    return _around(rng, log_x[keep], log_p[keep], eps_tau[keep])


def _around(rng: Generator, log_x: Array, log_p: Array, eps_tau: Array) -> Batch:
    """Games with the equilibrium (x_1, x_2) and its adversaries (p_1, p_2), from eps = 1."""
    count, _, n = log_x.shape
    rows, columns = np.triu_indices(n)
    system, right = _equations(log_x, log_p, eps_tau)
    inverse = np.linalg.pinv(system, rcond=1e-12)
    unknown = (inverse @ right[..., None])[..., 0]
    free = rng.normal(size=unknown.shape) * rng.integers(0, 2, (count, 1))
    free *= np.abs(unknown).max(-1, keepdims=True)
    unknown += free - (inverse @ (system @ free[..., None]))[..., 0]
    reward = np.zeros((count, n, n))
    reward[:, rows, columns] = reward[:, columns, rows] = unknown[:, : len(rows)]
    cost = unknown[:, len(rows) :]
    reward -= reward.min((1, 2), keepdims=True)
    cost = cost - cost.min(-1, keepdims=True)
    size = np.maximum(reward.max((1, 2)), cost.max(-1))
    size = np.where(size > 1e-9, size, 1.0)
    games = Batch(
        reward / size[:, None, None], cost / size[:, None], eps_tau * size, 1.0 / size, log_x
    )
    return newton(games, max_steps=6)


def _equations(log_x: Array, log_p: Array, eps_tau: Array) -> tuple[Array, Array]:
    """Linear equations in (R's upper triangle, c), constants removed: (B, 4n, m + n), (B, 4n)."""
    count, _, n = log_x.shape
    centre = np.eye(n) - 1.0 / n
    nothing, minus = np.zeros((count, n, n)), np.broadcast_to(-np.eye(n), (count, n, n))
    left, right = [], []
    for i in range(2):
        values = _times(np.exp(log_p[:, i]))
        left.append(centre @ np.concatenate([values, minus], -1))
        right.append(log_x[:, i] @ centre)
        fears = -eps_tau[:, None, None] * _times(np.exp(log_x[:, i]))
        left.append(centre @ np.concatenate([fears, nothing], -1))
        right.append((log_p[:, i] - log_x[:, 1 - i]) @ centre)
    return np.concatenate(left, 1), np.concatenate(right, 1)


def _times(y: Array) -> Array:
    """Matrix that takes R's upper triangle to R y: (B, n, m)."""
    count, n = y.shape
    rows, columns = np.triu_indices(n)
    out = np.zeros((count, n, len(rows)))
    for k, (a, b) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        out[:, a, k] += y[:, b]
        if a != b:
            out[:, b, k] += y[:, a]
    return out


def mixed(rng: Generator, count: int) -> Batch:
    """Games of one size, 2 to 4 actions, with equilibria in them: half planted, half searched."""
    n = int(rng.integers(2, 5))
    kind = int(rng.integers(6))
    if kind < 3:
        return planted(rng, 2 * count, n).pick(slice(count))
    family = (random, volunteers, loose)[kind - 3]
    return newton(family(rng, count, n))
