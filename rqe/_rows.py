"""Arrays that hold all players' actions in a row, in plain numpy, for the certificate alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rqe._adversary import largest, smallest

Array = NDArray[np.float64]


class Layout(NamedTuple):
    """Where each player's actions lie in such an array."""

    starts: NDArray[np.intp]
    owner: NDArray[np.intp]
    slices: tuple[slice, ...]
    members: Array | None  # (N, n), 1 where the action is the player's; None if that is large


@lru_cache(maxsize=256)
def layout_of(shape: tuple[int, ...]) -> Layout:
    """Return the layout of actions in a row for a game of this shape."""
    ends = np.cumsum(np.array(shape))
    starts = ends - np.array(shape)
    slices = tuple(slice(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True))
    owner = np.repeat(np.arange(len(shape)), shape)
    small = len(shape) * len(owner) <= 4096
    members = (owner == np.arange(len(shape))[:, None]).astype(np.float64) if small else None
    return Layout(starts, owner, slices, members)


def per_player(values: Array, layout: Layout) -> Array:
    """Return each player's sum of the values of his actions; a product costs less than reduceat."""
    sums: Array
    if layout.members is None:
        sums = np.add.reduceat(values, layout.starts)
    else:
        sums = layout.members.dot(values)
    return sums


def stacked(log_strategies: Sequence[Array], layout: Layout, floor: float) -> Array:
    """Return the log-strategies in a row, within [floor, 1]."""
    log_x = np.empty(len(layout.owner))
    for own, given in zip(layout.slices, log_strategies, strict=True):
        log_x[own] = given
    if not floor <= smallest(log_x) <= largest(log_x) <= 1.0:
        np.maximum(log_x, floor, out=log_x)
        np.minimum(log_x, 1.0, out=log_x)
    return log_x
