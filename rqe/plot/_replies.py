"""Best responses sampled for pictures: curves of two actions, fields over a triangle of three."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.best_response import best_response

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame

    Array = NDArray[np.float64]

_SAMPLES = 65
_STEP = 0.02  # largest change of a response between neighbours, but at a jump
_JUMP = 1e-9  # neighbours closer than this are on both sides of a jump
_SIDE = 60  # points along a side of the triangle, less one
_FINE = 150  # the same where a best response is one product
_LEAST = -40.0  # stands for the logarithm of 0 where logarithms are compared


def reply_curve(game: NormalFormGame, concept: Concept, player: int) -> tuple[Array, Array]:
    """Return (q, y): the other's probability of his first action, and the player's best reply.

    Both players have two actions. Points are dense where the reply changes fast, so that jumps are
    drawn upright.
    """

    def reply(q: float) -> float:
        return float(_reply(game, concept, player, np.array([q, 1.0 - q]))[0])

    points = {float(q): reply(float(q)) for q in np.linspace(0.0, 1.0, _SAMPLES)}
    _refine(points, reply)
    q = np.array(sorted(points))
    return q, np.array([points[value] for value in q.tolist()])


def _refine(points: dict[float, float], reply: Callable[[float], float]) -> None:
    """Add points between neighbours whose replies are far apart."""
    known = sorted(points)
    waiting = list(itertools.pairwise(known))
    while waiting:
        left, right = waiting.pop()
        if abs(points[right] - points[left]) <= _STEP or right - left <= _JUMP:
            continue
        middle = 0.5 * (left + right)
        points[middle] = reply(middle)
        waiting += [(left, middle), (middle, right)]


def _reply(game: NormalFormGame, concept: Concept, player: int, other: Array) -> Array:
    """Return the player's best reply in a two-player game."""
    return np.exp(_log_reply(game, concept, player, other))


def _log_reply(game: NormalFormGame, concept: Concept, player: int, other: Array) -> Array:
    """Return the logarithms of the player's best reply to the other's strategy."""
    own = np.full(game.shape[player], 1.0 / game.shape[player])
    profile = [own, other] if player == 0 else [other, own]
    found = best_response(
        game, profile, player, concept.tau, concept.eps,
        penalty=concept.penalty, regularizer=concept.regularizer,
    )  # fmt: skip
    return found.log_strategy


class Field(NamedTuple):
    """Strategies (K, 3) on a triangular grid, its triangles (T, 3), and each reply's lead (K, n).

    The lead of a reply is positive where it is the most probable one.
    """

    points: Array
    triangles: NDArray[np.intp]
    lead: Array


def reply_field(game: NormalFormGame, concept: Concept, player: int) -> Field:
    """Return how far each of the other's actions leads in his best reply to the player's strategy.

    The player has three actions. Without risk aversion an action leads where it pays most, whatever
    eps; with it, where it is most probable.
    """
    other = 1 - player
    neutral = concept.tau[other] == 0.0
    points, triangles = _grid(_FINE if neutral else _SIDE)
    if neutral:
        u = game.payoffs[other] if other == 1 else game.payoffs[other].T
        values = points @ u
    else:
        known: dict[bytes, Array] = {}
        for x in points:
            key = _key(concept, other, x)
            if key not in known:
                known[key] = _log_reply(game, concept, other, x)
        values = np.array([known[_key(concept, other, x)] for x in points])
        values = np.maximum(values, _LEAST)
    ranked = np.sort(values, axis=1)
    best, second = ranked[:, -1:], ranked[:, -2:-1] if values.shape[1] > 1 else ranked - 1.0
    lead = np.where(values == best, best - second, values - best)
    return Field(points, triangles, lead)


def _key(concept: Concept, player: int, other: Array) -> bytes:
    """Return what the player's reply depends on: for tau = inf, the other's support alone."""
    supported = np.isinf(concept.tau[player])
    return (other > 0.0).tobytes() if supported else other.tobytes()


def _grid(side: int) -> tuple[Array, NDArray[np.intp]]:
    """Return barycentric points of a triangular grid and the corners of its triangles."""
    place: dict[tuple[int, int], int] = {}
    points: list[tuple[int, int, int]] = []
    for i in range(side + 1):
        for j in range(side + 1 - i):
            place[i, j] = len(points)
            points.append((i, j, side - i - j))
    triangles = []
    for i, j in place:
        if i + j < side:
            triangles.append((place[i, j], place[i + 1, j], place[i, j + 1]))
        if i + j < side - 1:
            triangles.append((place[i + 1, j], place[i + 1, j + 1], place[i, j + 1]))
    return np.array(points) / side, np.array(triangles)
