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

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rqe._clock import Clock
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
    payoffs, room, search = game.payoffs, 64, _kernel()
    found: list[Array] = []
    k = start = 1
    tried = unclear = 0
    while k:
        profiles, k, stop, pairs, open_ = search(payoffs, k, start, _BUDGET, room)
        room *= 2 if stop == start else 1  # one support alone has more equilibria than fit
        found += list(profiles)
        start, tried, unclear = stop, tried + pairs, unclear + open_
        if k and clock.tick("pairs of supports", tried):
            break
    rows = len(payoffs[0])
    return [[profile[:rows], profile[rows:]] for profile in found], tried, unclear


@functools.cache
def _kernel() -> Any:
    """Return the compiled search, loaded when first needed."""
    from rqe._kernels.bimatrix import equal_supports

    return equal_supports
