"""Residuals of many profiles at once, in plain numpy: what `rqe.check.check` says one by one.

For the KL penalty and the entropy, finite tau and positive, finite eps. Shares nothing with the
solvers or their kernels; conventions as in `rqe.check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rqe.games.normal_form import NormalFormGame

Array = NDArray[np.float64]

_FAR_LEVEL = 8.0  # payoffs further from 0 than so many ranges are shifted before any product
_RESOLUTION = 1e-4  # eps log x is not known better than 1e-16 eps
_MOST = 1 << 19  # numbers in the largest temporary array


def residuals(
    game: NormalFormGame, tau: Array, eps: Array, log_strategies: Sequence[Array]
) -> Array:
    """Return the residual of K profiles each, the largest violation of ``eps log x - v = const``.

    It is relative to the payoff range, and at least the defect of the strategies' sums: (K,).

    Parameters
    ----------
    game : NormalFormGame
        N players.
    tau, eps : ndarray, shape (K, N)
        Finite; eps > 0.
    log_strategies : sequence of N arrays, shape (K, n_i)
        Logarithms of normalised strategies, all finite.
    """
    found = np.zeros(len(eps))
    for i, log_x in enumerate(log_strategies):
        U = np.moveaxis(game.payoffs[i], i, 0).reshape(log_x.shape[1], -1)
        width = float(game.payoff_range[i]) or 1.0
        if abs(float(U[0, 0])) > _FAR_LEVEL * width:
            U = U - U[0, 0]
        rows = max(1, _MOST // U.shape[1])
        for start in range(0, len(eps), rows):
            part = slice(start, start + rows)
            logs = [other[part] for other in log_strategies]
            worst = _violations(U, i, logs, tau[part, i], eps[part, i])
            unit = np.maximum(width, _RESOLUTION * eps[part, i])
            found[part] = np.maximum(found[part], worst / unit)
        found = np.maximum(found, np.abs(np.exp(log_x).sum(axis=1) - 1.0))
    return found


def _violations(U: Array, i: int, logs: Sequence[Array], tau: Array, eps: Array) -> Array:
    """Return ``max |c - <x, c>|`` of player i, ``c = eps log x - v``: (K,); U: own action first."""
    log_p = np.zeros((len(eps), 1))
    for j, log_x in enumerate(logs):
        if j != i:
            log_p = (log_p[:, :, None] + log_x[:, None, :]).reshape(len(eps), -1)
    x = np.exp(logs[i])
    if tau.any():
        log_p -= tau[:, None] * (x @ U)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    c = eps[:, None] * logs[i] - p @ U.T
    c -= (x * c).sum(axis=1, keepdims=True)
    worst: Array = np.abs(c).max(axis=1)
    return worst
