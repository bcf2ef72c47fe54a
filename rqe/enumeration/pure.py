"""All equilibria in pure strategies, for any number of players."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rqe.games import NormalFormGame


def pure_equilibria(game: NormalFormGame) -> list[tuple[int, ...]]:
    """Return the action profiles at which no player gains by another action, in the game's order.

    Exact: rounding to doubles keeps the order of rationals, so that a profile refused by the
    doubles is none; where two doubles tie, the rationals decide. One pass over the payoffs.

    Examples
    --------
    >>> import rqe
    >>> pure_equilibria(rqe.catalog.load("stag-hunt"))
    [(0, 0), (1, 1)]
    """
    best = np.ones(game.shape, dtype=bool)
    tied = np.zeros(game.shape, dtype=bool)
    for i, u in enumerate(game.payoffs):
        among = u == u.max(axis=i, keepdims=True)
        best &= among
        tied |= among & (among.sum(axis=i, keepdims=True) > 1)
    profiles = [tuple(a) for a in np.argwhere(best).tolist()]
    if not (best & tied).any():
        return profiles
    return [a for a in profiles if not tied[a] or _is_exact(game, a)]


def _is_exact(game: NormalFormGame, profile: tuple[int, ...]) -> bool:
    """Return whether no player gains by another action, in rational numbers."""
    for i, u in enumerate(game.exact):
        line = u[(*profile[:i], slice(None), *profile[i + 1 :])]
        if line[profile[i]] < max(line):
            return False
    return True
