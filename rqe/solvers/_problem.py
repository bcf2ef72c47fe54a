"""From a game and a concept to what the kernels read, and back.

The kernels see one matrix per player, own action first, scaled to [0, 1]; precision and risk
aversion are multiplied by the payoff range, which leaves the equilibria unchanged (spec: scale).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from weakref import finalize

import numpy as np

from rqe.status import Stats, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_NEVER = -1e5  # stands for log 0 in the kernels, where differences of logarithms must stay finite


class Scaled(NamedTuple):
    """What the kernels read of a game, whatever the concept.

    u: stacked own-action-first matrices in [0, 1], (sum_i n_i m_i,); shape: (N,); ranges: payoff
    range of each player; centroid: log of the uniform profile, (sum n_i,); symmetric: whether a
    two-player game looks the same from both seats.
    """

    u: Array
    shape: NDArray[np.int64]
    ranges: list[float]
    centroid: Array
    symmetric: bool


# By identity: hashing a game would read all its payoffs. Entries go with their game.
_matrices: dict[int, Scaled] = {}


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
    found = _matrices.get(id(game))
    if found is None:
        found = _matrices[id(game)] = _scale(game)
        finalize(game, _matrices.pop, id(game), None)
    return found


def _scale(game: NormalFormGame) -> Scaled:
    """Stack the own-action-first matrices, each scaled to [0, 1]; one copy of the payoffs."""
    n_players, shape = game.n_players, game.shape
    flat = game.payoffs.reshape(n_players, -1)
    low = flat.min(axis=1)
    spread = flat.max(axis=1) - low
    u = np.empty_like(flat)
    for i in range(n_players):
        own_first = np.moveaxis(game.payoffs[i], i, 0)
        u[i].reshape(own_first.shape)[...] = own_first
    u -= low[:, None]
    u /= np.where(spread > 0.0, spread, 1.0)[:, None]
    ranges = spread.tolist()
    symmetric = n_players == 2 and shape[0] == shape[1] and bool(np.array_equal(u[0], u[1]))
    centroid = np.repeat([-math.log(n) for n in shape], shape)
    return Scaled(u.ravel(), np.array(shape, np.int64), ranges, centroid, symmetric)


@dataclass(frozen=True, slots=True)
class Path:
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
    rates = np.zeros((3, len(epss)))
    for i, f in enumerate(free):
        if f and scale > 0.0:
            rates[0, i] = ranges[i] / scale
            rates[1, i] = (epss[i] - floor) / scale
            rates[2, i] = taus[i] * ranges[i]
    start = known.centroid
    if held:
        start = start.copy()
        ends = np.cumsum((0, *game.shape))
        for i, log_x in held.items():
            start[ends[i] : ends[i + 1]] = np.maximum(log_x, _NEVER)
    return Path(
        known.u, known.shape, rates[0], rates[1], rates[2],
        np.array([i in held for i in range(len(epss))]), concept.penalty == "reverse_kl",
        concept.regularizer == "log_barrier", scale or 1.0,
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
