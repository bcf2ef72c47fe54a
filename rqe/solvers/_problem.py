"""From a game and a concept to what the kernels read, and back.

The kernels see one matrix per player, own action first, scaled to [0, 1]; precision and risk
aversion are multiplied by the payoff range, which leaves the equilibria unchanged (spec: scale).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

import numpy as np

from rqe.status import Stats, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_NEVER = -1e5  # stands for log 0 in the kernels, where differences of logarithms must stay finite
_STRONGEST = 1e300  # tau in units of the inverse payoff range: any larger one acts the same


class Scaled(NamedTuple):
    """What the kernels read of a game, whatever the concept.

    u: stacked own-action-first matrices in [0, 1], (sum_i n_i m_i,); shape: (N,); ranges: payoff
    range of each player; centroid: log of the uniform profile, (sum n_i,); symmetric: whether a
    two-player game looks the same from both seats; free: nobody's strategy is given, (N,).
    """

    u: Array
    shape: NDArray[np.int64]
    ranges: list[float]
    centroid: Array
    symmetric: bool
    free: NDArray[np.bool_]


# By identity: hashing a game would read all its payoffs. Entries go with their game, as the
# reference kept beside them sees to.
_matrices: dict[int, tuple[Scaled, ref[NormalFormGame]]] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a solver hands back: unchecked, because it does not judge itself.

    Attributes
    ----------
    log_strategies : list of ndarray
        One array of shape (n_i,) per player.
    status : Status
        How the run ended.
    stats : Stats
        Work done.
    witnesses : mapping
        Adversary distributions of the players with tau = inf, by player index.
    """

    log_strategies: list[Array]
    status: Status
    stats: Stats
    witnesses: Mapping[int, Array] | None = None


def scaled(game: NormalFormGame) -> Scaled:
    """Return what the kernels read of a game: computed once and kept as long as the game lives."""
    key = id(game)
    found = _matrices.get(key)
    if found is None:
        found = _scale(game), ref(game, lambda _: _matrices.pop(key, None))
        _matrices[key] = found
    return found[0]


def _scale(game: NormalFormGame) -> Scaled:
    """Stack the own-action-first matrices, each scaled to [0, 1]; one copy of the payoffs."""
    payoffs, shape = game.payoffs, game.shape
    n_players = len(shape)
    flat = payoffs.reshape(n_players, -1)
    low, spread = _bounds(flat)
    ranges = spread.ravel().tolist()
    u = np.empty(flat.shape)
    u[0] = flat[0]
    for i in range(1, n_players):
        own_first = payoffs[i].swapaxes(0, i) if i == 1 else np.moveaxis(payoffs[i], i, 0)
        u[i].reshape(own_first.shape)[...] = own_first
    u -= low
    if 0.0 in ranges:
        spread[spread == 0.0] = 1.0
    u /= spread
    centroid, counts, free, alike = _frame(shape)
    return Scaled(u.reshape(-1), counts, ranges, centroid, alike and _equal(u), free)


def _bounds(flat: Array) -> tuple[Array, Array]:
    """Return every row's minimum and its range: (N, 1) each; lists are faster for a few numbers."""
    if flat.shape[1] > 200:
        low = np.minimum.reduce(flat, axis=1, keepdims=True)
        return low, np.maximum.reduce(flat, axis=1, keepdims=True) - low
    rows = flat.tolist()
    low = np.array([[min(row)] for row in rows])
    return low, np.array([[max(row)] for row in rows]) - low


@lru_cache(maxsize=256)
def _frame(
    shape: tuple[int, ...],
) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_], bool]:
    """Return what the shape alone gives: centroid, numbers of actions, free, and whether n x n."""
    centroid = np.repeat([-math.log(n) for n in shape], shape)
    counts = np.array(shape, np.int64)
    free = np.zeros(len(shape), np.bool_)
    return centroid, counts, free, len(shape) == 2 and shape[0] == shape[1]


def _equal(u: Array) -> bool:
    """Return whether both rows are the same; most are not, and differ at once."""
    return u[0, :4].tolist() == u[1, :4].tolist() and bool(np.array_equal(u[0], u[1]))


class Path(NamedTuple):
    """The arguments of the kernels for one game and concept.

    ``T = t * scale`` with ``t`` the precision of the least noisy player along eps_i + s, so that
    ``lam_i * range_i = slope_i T / (1 + delay_i T)``, and T ends at ``stop`` (inf for eps = 0).
    """

    u: Array
    shape: NDArray[np.int64]
    slope: Array
    delay: Array
    tau: Array
    frozen: NDArray[np.bool_]
    reverse: bool
    barrier: bool
    scale: float
    stop: float
    floor: float
    log_x: Array

    idle: bool


def path(game: NormalFormGame, concept: Concept, frozen: Mapping[int, Array] | None = None) -> Path:
    """Return the kernels' arguments; ``frozen`` gives log-strategies that are held fixed.

    ``idle`` says that nothing depends on the branch: every player frozen, uniform or indifferent.
    """
    known, held = scaled(game), frozen or {}
    ranges, taus, epss = known.ranges, concept.tau.tolist(), concept.eps.tolist()
    free = [i not in held and e < math.inf for i, e in enumerate(epss)]
    floor = min((e for e, f in zip(epss, free, strict=True) if f), default=0.0)
    scale = max((r for r, f in zip(ranges, free, strict=True) if f), default=0.0)
    unit = scale or 1.0
    players = list(zip(free, ranges, epss, taus, strict=True))
    rates = np.array(
        [
            [r / unit if f else 0.0 for f, r, _, _ in players],
            [(e - floor) / unit if f and scale else 0.0 for f, _, e, _ in players],
            [min(t * r, _STRONGEST) if f and r else 0.0 for f, r, _, t in players],
        ]
    )
    start, frozen_flags = known.centroid, known.free
    if held:
        start = start.copy()
        frozen_flags = np.array([i in held for i in range(len(epss))])
        ends = np.cumsum((0, *game.shape))
        never = _NEVER - 4.0 * float(rates[2].max())  # which no adversary's tilt makes up for
        for i, log_x in held.items():
            start[ends[i] : ends[i + 1]] = np.maximum(log_x, never)
    return Path(
        known.u, known.shape, rates[0], rates[1], rates[2], frozen_flags,
        concept.penalty == "reverse_kl",
        concept.regularizer == "log_barrier", unit,
        scale / floor if floor > 0.0 else math.inf, floor, start, scale == 0.0,
    )  # fmt: skip


def split(
    log_x: Array, shape: Sequence[int], held: Mapping[int, Array] | None = None
) -> list[Array]:
    """Return the stacked vector as one array per player, held ones as they were given."""
    parts, start = [], 0
    for n in shape:
        parts.append(log_x[start : start + n])
        start += n
    for i, given in (held or {}).items():
        parts[i] = given
    return parts
