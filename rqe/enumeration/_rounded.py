r"""Vertices of a nondegenerate best-response polytope from doubles, proved to be all.

A search in double precision guesses the feasible bases. Each guess is then proved: a linear system
with an approximate inverse X encloses the vertex [1]_,

.. math:: |z - \tilde z|_\infty \le
    \frac{\| |X| \, |b - A \tilde z| \|_\infty}{1 - \|I - X A\|_\infty},

with bounds for every rounding error and for the distance of the doubles from the exact payoffs; all
basic variables must be positive beyond it. Such a vertex is nondegenerate and has one edge per
nonbasic label. Where every edge has two ends among the bases proved, no edge leads out of them; and
the graph of a polytope is connected, so they are all.

References
----------
.. [1] Rump, Acta Numerica 19 (2010), section 10: verified solutions of linear systems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.enumeration._dictionary import Polytope

    Array = NDArray[np.float64]
    Masks = NDArray[np.int64]

_BUDGET = 5_000  # bases between two looks at the clock
_ROOM = 1024
_BITS = 900
_BATCH = 2048  # bases proved together
_ULP = 2.0**-52  # twice the rounding error of one operation
_UP = 1.0 + 1e-12  # covers the rounding of the bounds themselves


def proved_bases(polytope: Polytope, clock: Clock) -> list[int] | None:
    """Return the masks of the nonbasic labels of all bases; None where the proof fails.

    If the clock has stopped, some are missing, and all that are returned are proved feasible.
    """
    matrix = _scaled(polytope)
    if matrix is None:
        return None
    dictionary = polytope.dictionary
    labels = np.array(dictionary.basic), np.array(dictionary.nonbasic)
    parts: list[Masks] = []
    for part in _explored(matrix, *labels, clock):
        if part is None or not _feasible(matrix, part, *labels):
            return None
        parts.append(part)
    bases = np.concatenate(parts)
    if not clock.stopped and not _closed(bases, len(labels[1]), sum(map(len, labels))):
        return None
    found: list[int] = bases.tolist()
    return found


def _scaled(polytope: Polytope) -> Array | None:
    """Return the constraints, at most 1 in size, each entry off by a relative 2^-53 at most.

    None where that would need numbers smaller than doubles.
    """
    rows = [row[:-1] for row in polytope.dictionary.rows]
    shift = max(map(max, rows)).bit_length()
    if shift > _BITS:
        return None
    return np.array([[value / (1 << shift) for value in row] for row in rows])


def _explored(
    matrix: Array, slacks: Masks, structural: Masks, clock: Clock
) -> Iterator[Masks | None]:
    """Yield, as they are found, the masks of the bases of a search in doubles; None at a near tie.

    In parts, so that what checks them in between takes from the same time.
    """
    from rqe._kernels import polytope as kernel

    start = np.hstack([matrix, np.ones((len(matrix), 1))])
    state, table, bases = np.zeros(4, np.int64), np.full(4 * _ROOM, -1), np.empty(_ROOM, np.int64)
    seen = 0
    while True:
        status = kernel.explore(start, slacks, structural, state, table, bases, _BUDGET)
        count = int(state[kernel.COUNT])
        if status == kernel.OVERFLOW:
            yield None
            return
        for first in range(seen, count, _BATCH):
            yield bases[first : min(first + _BATCH, count)].copy()
            if clock.tick("bases", count):
                return
        seen = count
        if status == kernel.DONE or clock.tick("bases", count):
            return
        if status == kernel.FULL:
            bases = np.concatenate([bases, np.empty_like(bases)])
            larger = np.full(2 * len(table), -1)
            kernel.rehash(table, larger)
            table = larger


def _feasible(matrix: Array, bases: Masks, slacks: Masks, structural: Masks) -> bool:
    """Return whether it is proved that all basic variables at the bases are positive.

    matrix: (R, C); bases: (K,).
    """
    width = len(structural)
    tight = (bases[:, None] >> slacks & 1).astype(bool)  # (K, R)
    zero = (bases[:, None] >> structural & 1).astype(bool)  # (K, C)
    if not (tight.sum(axis=1) + zero.sum(axis=1) == width).all():
        return False
    rows = np.nonzero(np.hstack([zero, tight]))[1].reshape(-1, width)
    A, b = np.vstack([np.eye(width), matrix])[rows], (rows >= width).astype(float)
    try:
        X = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        return False
    z = (X @ b[..., None])[..., 0]
    size, away = np.abs(X), np.abs(A) @ np.abs(z)[..., None]
    rounding = (width + 4) * _ULP
    rest = np.abs(b[..., None] - A @ z[..., None]) + rounding * (away + np.abs(b)[..., None])
    gap = np.abs(np.eye(width) - X @ A) + rounding * (size @ np.abs(A) + np.eye(width))
    factor = gap.sum(axis=2).max(axis=1) * _UP
    if not (factor < 0.5).all():  # false for NaN, too
        return False
    error = (size @ rest)[..., 0].max(axis=1) / (1.0 - factor) * _UP
    slack = 1.0 - z @ matrix.T
    far = rounding * (np.abs(z) @ matrix.T + 1.0) + error[:, None] * matrix.sum(axis=1)
    return bool((zero | (z > error[:, None])).all() and (tight | (slack > far * _UP)).all())


def _closed(bases: Masks, width: int, labels: int) -> bool:
    """Return whether every edge, a basis without one nonbasic label, has two ends."""
    powers = np.int64(1) << np.arange(labels)
    edges = bases[:, None] & ~powers
    edges = edges[(bases[:, None] & powers) != 0]
    if len(edges) != width * len(bases) or len(np.unique(bases)) != len(bases):
        return False
    return bool((np.unique(edges, return_counts=True)[1] == 2).all())
