"""The RQE authors' published method, as a peer: projected gradient play of a four-player game.

Mazumdar, Panaganti & Shi (ICLR 2025) find the RQE of a 2x2 game by letting both players and both
adversaries descend their own objectives at once,

    x_i :  -<x_i, U_i p_i> + eps_i nu(x_i),          nu = -sum log   (log barrier)
    p_i :   <x_i, U_i p_i> + KL(p_i || x_-i) / tau_i,

with a fixed step from a random start. After each step the probabilities are clipped to
``[1e-8, 1 - 1e-8]`` and then projected on the simplex, as in the public notebook: that clipping is
what moves its fixed point where a probability below 1e-8 is part of the answer.
"""

from __future__ import annotations

import numpy as np

from benchmarks.common import Array

CLIP = 1e-8


def project(point: Array) -> Array:
    """Return the nearest point of the simplex (shift and cut, the shift found by sorting)."""
    falling = np.sort(point)[::-1]
    excess = np.cumsum(falling) - 1.0
    kept = np.flatnonzero(falling * np.arange(1, point.size + 1) > excess)[-1]
    nearest: Array = np.maximum(point - excess[kept] / (kept + 1), 0.0)
    return nearest


def descend(
    payoffs: Array,
    tau: Array,
    eps: Array,
    rng: np.random.Generator,
    *,
    rate: float = 2e-4,
    steps: int = 10_000,
) -> tuple[Array, Array]:
    """Return the two strategies after ``steps`` steps of length ``rate``.

    Parameters
    ----------
    payoffs : ndarray
        Shape ``(2, n, n)``; the published code is for 2x2.
    tau, eps : ndarray
        Shape ``(2,)``, positive.
    rng : numpy.random.Generator
        Draws the random start.
    rate, steps : float and int
        Those of the notebook for the games of Selten and Chmura.

    Notes
    -----
    No test of convergence, as published; no guarantee.
    """
    tables = (payoffs[0], payoffs[1].T)
    x = [point / point.sum() for point in rng.random((2, payoffs.shape[1]))]
    p = [point / point.sum() for point in rng.random((2, payoffs.shape[1]))]
    for _ in range(steps):
        down_x = [-tables[i] @ p[i] - eps[i] / x[i] for i in range(2)]
        down_p = [tables[i].T @ x[i] + (np.log(p[i] / x[1 - i]) + 1.0) / tau[i] for i in range(2)]
        x = [project(np.clip(x[i] - rate * down_x[i], CLIP, 1.0 - CLIP)) for i in range(2)]
        p = [project(np.clip(p[i] - rate * down_p[i], CLIP, 1.0 - CLIP)) for i in range(2)]
    return x[0], x[1]
