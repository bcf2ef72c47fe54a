"""Equilibria of two players by trying all pairs of supports of equal size.

In a nondegenerate game both players of an equilibrium mix between equally many actions, and the
mixture of each is the one that makes the other's support indifferent. Supports with an action that
another one beats against the whole support of the other player are skipped unseen [1]_. Sums in
double precision; what is too close to call is counted.

References
----------
.. [1] Porter, Nudelman & Shoham, Games and Economic Behavior 63 (2008).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.enumeration._clock import Clock
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_BUDGET = 200_000  # pairs of supports between two looks at the clock
MAX_ACTIONS = 62  # supports are masks of 64 bits


def equal_supports(game: NormalFormGame, clock: Clock) -> tuple[list[list[Array]], int, int]:
    """Return equilibria of equal supports, the pairs tried, and the pairs left undecided.

    Raises
    ------
    ValueError
        If a player has more than 62 actions.
    """
    if max(game.shape) > MAX_ACTIONS:
        raise ValueError(
            f"support_enumeration takes at most {MAX_ACTIONS} actions a player; this game has "
            f"shape {game.shape}: ask for one equilibrium, or for the pure ones"
        )
    from rqe._kernels import bimatrix

    prepared = bimatrix.prepare(*game.payoffs)
    found: dict[bytes, list[Array]] = {}
    k = start = 1
    tried = unclear = 0
    room = 64
    while k:
        x, y = (np.empty((room, n)) for n in game.shape)
        count, size, stop, pairs, open_ = bimatrix.equal_supports(
            *prepared, k, start, _BUDGET, x, y
        )
        found |= {x[f].tobytes() + y[f].tobytes(): [x[f], y[f]] for f in range(count)}
        if stop == start:  # one support of player 1 alone has more equilibria than fit
            room *= 2
            continue
        k, start, tried, unclear = size, stop, tried + pairs, unclear + open_
        if clock.tick("pairs of supports", tried):
            break
    return list(found.values()), tried, unclear
