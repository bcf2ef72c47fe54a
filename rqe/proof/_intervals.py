r"""Float intervals for many boxes at once, in numpy: bounds that rounding cannot break.

Every function returns bounds with room for rounding: relative errors of sums, products and of
numpy's exp and log (a few units in the last place each) stay far below the widths added here. All
arrays have the boxes along their first axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROOM = 1e-13  # relative room: some hundred units in the last place


class Range:
    """Lowest and highest ``sum_k w_k p_k`` over boxes cut with the simplex, for fixed weights.

    Parameters
    ----------
    weights : ndarray, shape (P, n)
        P linear functions of p; for each, the simplex is filled in the order of its weights.
    room : ndarray, shape (P,)
        Bound on the error of any weight.
    """

    def __init__(self, weights: Array, room: Array) -> None:
        self.order = np.argsort(weights, axis=1, kind="stable")
        self.sorted = np.take_along_axis(weights, self.order, axis=1)
        largest = np.abs(weights).max(axis=1, initial=0.0)
        self.room = room + ROOM * weights.shape[1] * largest

    def __call__(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return bounds, (K, P) each, from boxes (K, n)."""
        least, most = low[:, self.order], high[:, self.order]
        free = 1.0 - low.sum(axis=1)[:, None, None]
        size = most - least
        filled = np.cumsum(size, axis=2)
        up = np.clip(free - (filled - size), 0.0, size)
        rest = filled[:, :, -1:] - filled
        down = np.clip(free - rest, 0.0, size)
        bottom = ((least + up) * self.sorted).sum(axis=2)  # the smallest weights filled first
        top = ((least + down) * self.sorted).sum(axis=2)
        return bottom - self.room, top + self.room


def trim(low: Array, high: Array) -> tuple[Array, Array]:
    """Return the boxes (K, n) of probabilities cut to what a total of 1 allows."""
    above = 1.0 - (low.sum(axis=1, keepdims=True) - low)
    below = 1.0 - (high.sum(axis=1, keepdims=True) - high)
    return np.maximum(low, below - ROOM), np.minimum(high, above + ROOM)


def exp(low: Array, high: Array) -> tuple[Array, Array]:
    """Return probabilities from logarithms <= 0."""
    return np.exp(lowered(low)), np.minimum(np.exp(raised(high)), 1.0)


def log_sum_exp(terms: Array) -> Array:
    """Return log sum exp along the last axis, without room."""
    top = terms.max(axis=-1)
    total: Array = top + np.log(np.exp(terms - top[..., None]).sum(axis=-1))
    return total


def lowered(values: Array) -> Array:
    """Return the values with room below."""
    result: Array = values - ROOM * (1.0 + np.abs(values))
    return result


def raised(values: Array) -> Array:
    """Return the values with room above."""
    result: Array = values + ROOM * (1.0 + np.abs(values))
    return result


def log_barrier(advantages: Array, side: int) -> Array:
    """Return a lower (side -1) or an upper (+1) bound on log x under the log barrier.

    `advantages`: (..., n), all actions' values less that of the action in question, over eps. x
    solves ``sum_b x / (1 - x advantages_b) = 1``. An approximate 1/x is moved to the safe side
    until the sign of the equation there, with rounding accounted for, proves the bound.
    """
    s = _inverse_share(advantages)
    slack = 1e-12
    for _ in range(20):
        trial = s * (1.0 - side * slack)
        reach = np.maximum(trial[..., None] - advantages, 1e-300)
        share = 1.0 / reach
        error = share * (1e-15 * (np.abs(trial)[..., None] + np.abs(advantages)) * share + 1e-14)
        total = share.sum(axis=-1)
        off = error.sum(axis=-1)
        proved = (total - off >= 1.0) if side > 0 else (total + off <= 1.0)
        if np.all(proved):
            break
        slack *= 10.0
    bound = -np.log(np.maximum(trial, 1.0))
    loose = 0.0 if side > 0 else -1e300
    result: Array = np.where(proved, raised(bound) if side > 0 else lowered(bound), loose)
    return result


def _inverse_share(advantages: Array) -> Array:
    """Return 1/x, nearly: Newton's iteration from below on a convex falling function."""
    s: Array = advantages.max(axis=-1) + 1.0
    for _ in range(60):
        share = 1.0 / (s[..., None] - advantages)
        total = share.sum(axis=-1)
        step = (total - 1.0) / (share * share).sum(axis=-1)
        s = s + np.maximum(step, 0.0)
        if not np.any(step > 1e-15 * s):
            break
    return s
