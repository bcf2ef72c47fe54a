"""All extreme equilibria of two players, by the vertices of the best-response polytopes.

A pair of vertices is an equilibrium when every action is either unplayed or a best response: the
labels of the two vertices, taken together, are all labels [1]_. Vertices are found by walking
over the feasible bases, exactly or with a proof (`_walk`), so nothing is missed or counted twice,
whatever ties the payoffs hold. In a nondegenerate game these are all equilibria; in
a degenerate one they span the others [2]_.

References
----------
.. [1] Avis, Rosenberg, Savani & von Stengel, Economic Theory 42 (2010).
.. [2] Winkels, in Game Theory and Related Topics (1979); Jansen, Naval Research Logistics 28
   (1981).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.enumeration._dictionary import polytopes
from rqe.enumeration._walk import strategies, vertices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rqe._clock import Clock
    from rqe.enumeration._walk import Strategy
    from rqe.games import NormalFormGame


class Extreme(NamedTuple):
    """Extreme equilibria: different strategies of each player, and the pairs that fit together.

    `rounded` says that vertices were found in doubles, with a proof, and not in integers.
    """

    strategies: tuple[list[Strategy], list[Strategy]]
    pairs: list[tuple[int, int]]
    done: bool
    rounded: bool


def extreme_equilibria(game: NormalFormGame, clock: Clock) -> Extreme:
    """Return the extreme equilibria of a two-player game in fractions, and whether all.

    Both polytopes are walked in full, then matched; not `done` means that the clock stopped a walk,
    so that some vertices were never seen.
    """
    polytope_pair = polytopes(game)
    seen = [vertices(polytope, clock) for polytope in polytope_pair]
    everything = (1 << sum(game.shape)) - 1
    matched = list(_matches(seen[0].tights, seen[1].tights, everything))
    numbers: tuple[dict[int, int], ...] = ({}, {})
    pairs = []
    for a, b in matched:
        first, second = numbers
        pairs.append((first.setdefault(a, len(first)), second.setdefault(b, len(second))))
    sides = []
    for polytope, found, number in zip(polytope_pair, seen, numbers, strict=True):
        basis = dict(zip(found.tights, found.bases, strict=True))
        sides.append(strategies(polytope, [basis[tight] for tight in number]))
    rounded = any(found.rounded for found in seen)
    return Extreme((sides[0], sides[1]), pairs, not clock.stopped, rounded)


def _matches(ours: list[int], theirs: list[int], everything: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of masks, one of each list, that have all labels together."""
    size = everything.bit_length()
    if not ours or not theirs:
        return
    if max(map(int.bit_count, ours)) + max(map(int.bit_count, theirs)) == size:  # nondegenerate
        partners = set(theirs)
        for a in ours:
            if everything ^ a in partners:
                yield a, everything ^ a
        return
    words = (size + 63) // 64
    table = np.array([_words(b, words) for b in theirs], dtype=np.uint64).reshape(-1, words)
    for a in ours:
        missing = np.array(_words(everything ^ a, words), dtype=np.uint64)
        for k in np.flatnonzero(((table & missing) == missing).all(axis=1)).tolist():
            yield a, theirs[k]


def _words(mask: int, count: int) -> list[int]:
    """Return a mask as `count` words of 64 bits."""
    return [mask >> (64 * k) & (1 << 64) - 1 for k in range(count)]
