"""All extreme equilibria of two players, by the vertices of the best-response polytopes.

A pair of vertices is an equilibrium when every action is either unplayed or a best response: the
labels of the two vertices, taken together, are all labels [1]_. Vertices are found by walking
over the lexicographically feasible bases, in exact integers, so nothing is missed or counted
twice, whatever ties the payoffs hold. In a nondegenerate game these are all equilibria; in a
degenerate one they span the others [2]_.

References
----------
.. [1] Avis, Rosenberg, Savani & von Stengel, Economic Theory 42 (2010).
.. [2] Winkels, in Game Theory and Related Topics (1979); Jansen, Naval Research Logistics 28
   (1981).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rqe.enumeration._dictionary import Polytope, polytopes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rqe.enumeration._clock import Clock
    from rqe.games import NormalFormGame

    Exact = tuple[tuple[Fraction, ...], ...]


def extreme_equilibria(game: NormalFormGame, clock: Clock) -> tuple[list[Exact], bool]:
    """Return the extreme equilibria of a two-player game in fractions, and whether all.

    Both polytopes are walked in full, then matched; False means that the clock stopped a walk, so
    that some vertices were never seen.
    """
    first, second = polytopes(game)
    ours, theirs = _vertices(first, clock), _vertices(second, clock)
    everything = (1 << sum(game.shape)) - 1
    strategies: tuple[dict[int, tuple[Fraction, ...]], ...] = ({}, {})
    found: list[Exact] = []
    for a, b in _matches(list(ours), list(theirs), everything):
        x = strategies[0].setdefault(a, first.strategy(ours[a]))
        y = strategies[1].setdefault(b, second.strategy(theirs[b]))
        found.append((x, y))
    return found, not clock.stopped


def _vertices(polytope: Polytope, clock: Clock) -> dict[int, dict[int, int]]:
    """Return the vertices but the origin: their tight labels and positive variables."""
    dictionary = polytope.dictionary
    origin = dictionary.mask
    found = {}
    for count in _walk(polytope):
        tight = dictionary.tight()
        if tight & origin != origin and tight not in found:
            found[tight] = dictionary.vertex()
        if clock.tick("bases", count):
            break
    return found


def _walk(polytope: Polytope) -> Iterator[int]:
    """Yield once per lexicographically feasible basis, at which the dictionary then is.

    Depth first, every step back undone by the pivot that made it: the memory is that of the bases'
    masks. The graph of a polytope is connected, so every basis is met.
    """
    dictionary = polytope.dictionary
    basic, nonbasic = dictionary.basic, dictionary.nonbasic
    seen = {dictionary.mask}
    trail: list[tuple[int, int]] = []
    width, column = len(nonbasic), 0
    yield 1
    while column < width or trail:
        if column == width:
            row, column = trail.pop()
            dictionary.pivot(row, column)
        else:
            row = dictionary.leaving(column)
            mask = dictionary.mask ^ (1 << nonbasic[column]) ^ (1 << basic[row])
            if mask not in seen:
                seen.add(mask)
                trail.append((row, column))
                dictionary.pivot(row, column)
                yield len(seen)
                column = -1
        column += 1


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
