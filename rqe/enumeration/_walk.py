"""Vertices of a best-response polytope, all of them, by the quickest means that proves it.

First by a compiled walk in exact 64-bit integers, which notices when a number would not fit. Then,
for a nondegenerate polytope, from doubles with a proof (`_rounded`). Else by a walk in integers of
any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.enumeration._rounded import proved_bases

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.enumeration._dictionary import Polytope

    Integers = NDArray[np.int64]
    Strategy = tuple[Fraction, ...]

_BUDGET = 20_000  # bases between two looks at the clock
_LABELS = 61  # of masks of 64 bits
_LARGEST = 2**61
_ROOM = 1024


class Vertices(NamedTuple):
    """Vertices but the origin: masks of the labels that are zero, and of the nonbasic ones.

    `rounded` says that they were found in doubles, with a proof, and not in integers.
    """

    tights: list[int]
    bases: list[int]
    rounded: bool = False


def vertices(polytope: Polytope, clock: Clock) -> Vertices:
    """Return the vertices of a polytope whose dictionary is at the origin, where it stays.

    Each is met once per basis and returned once. Some are missing if the clock has stopped.
    """
    start, rounded = _array(polytope), False
    found = None if start is None else _compiled(polytope, start, clock)
    if found is None and _n_labels(polytope) <= _LABELS:
        bases = proved_bases(polytope, clock)
        found, rounded = (None, False) if bases is None else ((bases, bases), True)
    found = _walked(polytope, clock) if found is None else found
    origin = polytope.dictionary.mask
    first: dict[int, int] = {}
    for tight, basis in zip(*found, strict=True):
        if tight & origin != origin:
            first.setdefault(tight, basis)
    return Vertices(list(first), list(first.values()), rounded)


def strategies(polytope: Polytope, bases: Sequence[int]) -> list[Strategy]:
    """Return the strategies at bases of a polytope whose dictionary is at the origin."""
    from rqe._kernels import polytope as kernel

    start, width = _array(polytope), len(polytope.structural)
    values = np.empty((len(bases), width), np.int64)
    if start is not None and kernel.vertices(
        start, *_labels(polytope), np.array(bases, dtype=np.int64), values
    ):
        return [polytope.normalised(row) for row in values.tolist()]
    return [_at(polytope, basis) for basis in bases]


def _array(polytope: Polytope) -> Integers | None:
    """Return the dictionary as an array of 64-bit integers, None if it does not fit."""
    rows = polytope.dictionary.rows
    if _n_labels(polytope) > _LABELS or max(map(max, rows)) > _LARGEST:
        return None
    return np.array(rows, dtype=np.int64)


def _n_labels(polytope: Polytope) -> int:
    """Return the number of all labels."""
    return len(polytope.dictionary.basic) + len(polytope.dictionary.nonbasic)


def _labels(polytope: Polytope) -> tuple[Integers, Integers]:
    """Return the labels of the slacks and of the structural variables."""
    dictionary = polytope.dictionary
    return np.array(dictionary.basic), np.array(dictionary.nonbasic)


def _compiled(polytope: Polytope, start: Integers, clock: Clock) -> tuple[list[int], ...] | None:
    """Return the masks (tight, nonbasic) of all bases; None if a number did not fit."""
    from rqe._kernels import polytope as kernel

    T, (basic, nonbasic) = start.copy(), _labels(polytope)
    order = basic.copy()
    where = np.empty(len(basic) + len(nonbasic), np.int64)
    where[basic], where[nonbasic] = np.arange(len(basic)), -1 - np.arange(len(nonbasic))
    state = np.zeros(4, np.int64)
    state[kernel.SCALE] = 1
    trail, table = np.empty((_ROOM, 2), np.int64), np.full(4 * _ROOM, -1)
    bases, tights = np.empty(_ROOM, np.int64), np.empty(_ROOM, np.int64)
    while True:
        status = kernel.walk(
            T, basic, nonbasic, where, order, state, trail, table, bases, tights, _BUDGET
        )
        count = int(state[kernel.COUNT])
        if status == kernel.OVERFLOW:
            return None
        if clock.tick("bases", count) or status == kernel.DONE:
            return tights[:count].tolist(), bases[:count].tolist()
        if status == kernel.FULL:
            bases, tights = _longer(bases), _longer(tights)
            trail = np.concatenate([trail, np.empty_like(trail)])
            larger = np.full(2 * len(table), -1)
            kernel.rehash(table, larger)
            table = larger


def _longer(array: Integers) -> Integers:
    """Return a copy with room for twice as much."""
    return np.concatenate([array, np.empty_like(array)])


def _walked(polytope: Polytope, clock: Clock) -> tuple[list[int], ...]:
    """Return the masks (tight, nonbasic) of all bases, in integers of any size."""
    tights, bases = [], []
    for count in _walk(polytope):
        tights.append(polytope.dictionary.tight())
        bases.append(polytope.dictionary.mask)
        if count and clock.tick("bases", count):
            break
    return tights, bases


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
    try:
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
    finally:  # back to the origin, also where the walk was given up
        for row, column in reversed(trail):
            dictionary.pivot(row, column)


def _at(polytope: Polytope, basis: int) -> Strategy:
    """Return the strategy at a basis, from its linear system in integers of any size."""
    from flint import fmpz_mat

    dictionary = polytope.dictionary
    free = [c for c, label in enumerate(dictionary.nonbasic) if not basis >> label & 1]
    tight = [r for r, label in enumerate(dictionary.basic) if basis >> label & 1]
    system = fmpz_mat([[dictionary.rows[r][c] for c in free] for r in tight])
    solved = system.solve(fmpz_mat([[1]] * len(tight)))
    values = [Fraction(0)] * len(dictionary.nonbasic)
    for k, c in enumerate(free):
        values[c] = Fraction(int(solved[k, 0].p), int(solved[k, 0].q))
    common = math.lcm(*(value.denominator for value in values))
    return polytope.normalised([int(value * common) for value in values])
