"""Exact integer dictionaries of polytopes, pivoted in 64 bits, and the walk over their bases.

The dictionary is that of `rqe.enumeration._dictionary`: rows ``T: (R, C + 1)`` of int64 with
``scale * basic[r] + sum_c T[r, c] * nonbasic[c] = T[r, C]``. Every entry after a pivot,
``(v * p - f * w) / d``, is an integer. Its residue modulo 2^(64 - s), where 2^s divides d, follows
from products that wrap around, and a product of doubles with its error bound says which number of
that residue it is. Where the bound does not decide, a function says so and nothing it wrote counts.

Labels are below 62, so that sets of them are masks in int64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

DONE, PAUSED, FULL, OVERFLOW = 0, 1, 2, 3
SCALE, COLUMN, DEPTH, COUNT = 0, 1, 2, 3  # entries of the array `state`
_ROUND = 2.0**-49  # bounds the relative error of the few operations on doubles below, amply
_UNDECIDED = 2
_NEAR = 1e-10  # doubles closer than this are no evidence of a difference


@njit(cache=True, nogil=True)
def _inverse(odd):
    """Return the inverse of an odd number modulo 2^64, by Newton's iteration."""
    x = odd  # right in the last 3 bits
    for _ in range(5):
        x *= np.int64(2) - odd * x
    return x


@njit(cache=True, nogil=True)
def _pivot(T, r, c, d):
    """Exchange basic variable r and nonbasic variable c in place; return whether all fits."""
    rows, width = T.shape
    p = T[r, c]
    s = 0
    while (d >> s) & 1 == 0:
        s += 1
    inverse = _inverse(d >> s)
    most = 2.0 ** (62 - s)
    fits = True
    for i in range(rows):
        if i == r:
            continue
        f = T[i, c]
        if f == 0 and p == d:
            continue
        for j in range(width):
            v, w = T[i, j], T[r, j]
            x, y = float(v) * float(p), float(f) * float(w)
            near = abs((x - y) / float(d)) + _ROUND * (abs(x) + abs(y)) / abs(float(d))
            fits = fits and near < most
            T[i, j] = ((((v * p - f * w) >> s) * inverse) << s) >> s
        T[i, c] = -f
    T[r, c] = d
    return fits


@njit(cache=True, nogil=True)
def _compare(a, b, c, e):
    """Return the sign of a * b - c * e, or `_UNDECIDED`."""
    x, y = float(a) * float(b), float(c) * float(e)
    error = _ROUND * (abs(x) + abs(y))
    if x - y > error:
        return 1
    if y - x > error:
        return -1
    if error >= 2.0**60:
        return _UNDECIDED
    difference = a * b - c * e  # its true size is below 2^62, so that wrapping around is harmless
    return 1 if difference > 0 else (-1 if difference < 0 else 0)


@njit(cache=True, nogil=True)
def _leaving(T, where, order, scale, c, ties):
    """Return the row that leaves when column c enters: -1 if none does, -2 where undecided.

    ties: (R,) int64, work space. Ties are broken lexicographically, by the slacks in `order`.
    """
    last = T.shape[1] - 1
    count = 0
    for i in range(T.shape[0]):
        if T[i, c] <= 0:
            continue
        sign = -1
        if count > 0:
            sign = _compare(T[i, last], T[ties[0], c], T[ties[0], last], T[i, c])
        if sign == _UNDECIDED:
            return -2
        if sign < 0:
            count = 0
        if sign <= 0:
            ties[count] = i
            count += 1
    s = 0
    while count > 1 and s < len(order):
        count = _fewer(T, where[order[s]], scale, c, ties, count)
        if count == -2:
            return -2
        s += 1
    return ties[0] if count > 0 else -1


@njit(cache=True, nogil=True)
def _fewer(T, place, scale, c, ties, count):
    """Keep the tied rows with the least perturbation by one slack; return how many, or -2.

    place: row of the slack, or -column - 1, which says where its column of the inverse is.
    """
    kept = 1
    for t in range(1, count):
        i, k = ties[t], ties[0]
        if place >= 0:
            a = scale if place == i else np.int64(0)
            b = scale if place == k else np.int64(0)
        else:
            a, b = T[i, -place - 1], T[k, -place - 1]
        sign = _compare(a, T[k, c], b, T[i, c])
        if sign == _UNDECIDED:
            return -2
        if sign < 0:
            kept = 0
        if sign <= 0:
            ties[kept] = i
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _step(T, basic, nonbasic, where, state, r, c):
    """Pivot, and exchange the labels of row r and column c; return whether all fits."""
    p = T[r, c]
    fits = _pivot(T, r, c, state[SCALE])
    state[SCALE] = p
    basic[r], nonbasic[c] = nonbasic[c], basic[r]
    where[basic[r]] = r
    where[nonbasic[c]] = -c - 1
    return fits


@njit(cache=True, nogil=True)
def _slot(table, mask):
    """Return where the mask is in the hash table, or the free place (-1) where it belongs."""
    size = len(table)
    k = (mask * np.int64(-7046029254386353131) >> 20) & (size - 1)
    while table[k] != mask and table[k] != -1:
        k = (k + 1) & (size - 1)
    return k


@njit(cache=True, nogil=True)
def rehash(old, new):
    """Put all masks of a hash table into a larger one, filled with -1."""
    for mask in old:
        if mask != -1:
            new[_slot(new, mask)] = mask


@njit(cache=True, nogil=True)
def _mask(labels):
    """Return the labels as a mask."""
    mask = np.int64(0)
    for label in labels:
        mask |= np.int64(1) << label
    return mask


@njit(cache=True, nogil=True)
def _tight(T, basic, mask):
    """Return the mask of all variables that are zero: the nonbasic ones and basic ones at zero."""
    last = T.shape[1] - 1
    for i in range(T.shape[0]):
        if T[i, last] == 0:
            mask |= np.int64(1) << basic[i]
    return mask


@njit(cache=True, nogil=True)
def walk(T, basic, nonbasic, where, order, state, trail, table, bases, tights, budget):
    """Walk over the lexicographically feasible bases, depth first; go on where the last call ended.

    where: (labels,) row of a basic label, -column - 1 of another. order: (R,) slack labels. state:
    see the constants; zeros but the scale at first. trail: (most depth, 2). table: hash table of
    masks, its length a power of 2. bases, tights: masks of the nonbasic labels and of all labels at
    zero, one per basis met, ``state[COUNT]`` of them. Return DONE, PAUSED after `budget` bases,
    FULL where an array is, or OVERFLOW.
    """
    width = len(nonbasic)
    ties = np.empty(len(basic), np.int64)
    mask = _mask(nonbasic)
    until = state[COUNT] + budget
    if state[COUNT] == 0:
        table[_slot(table, mask)] = mask
        bases[0], tights[0] = mask, _tight(T, basic, mask)
        state[COUNT] = 1
    while state[COLUMN] < width or state[DEPTH] > 0:
        count = state[COUNT]
        if count == len(bases) or 2 * count >= len(table) or state[DEPTH] == len(trail):
            return FULL
        if count >= until:
            return PAUSED
        if state[COLUMN] == width:
            state[DEPTH] -= 1
            r, c = trail[state[DEPTH]]
            if not _step(T, basic, nonbasic, where, state, r, c):
                return OVERFLOW
            mask = _mask(nonbasic)
            state[COLUMN] = c + 1
            continue
        c = state[COLUMN]
        r = _leaving(T, where, order, state[SCALE], c, ties)
        if r == -2:
            return OVERFLOW
        new = mask ^ (np.int64(1) << nonbasic[c]) ^ (np.int64(1) << basic[r])
        slot = _slot(table, new)
        if table[slot] == new:
            state[COLUMN] = c + 1
            continue
        table[slot] = mask = new
        trail[state[DEPTH], 0], trail[state[DEPTH], 1] = r, c
        state[DEPTH] += 1
        if not _step(T, basic, nonbasic, where, state, r, c):
            return OVERFLOW
        bases[count], tights[count] = mask, _tight(T, basic, mask)
        state[COUNT] = count + 1
        state[COLUMN] = 0
    return DONE


@njit(cache=True, nogil=True)
def vertices(start, slacks, structural, bases, values):
    """Write the structural variables at each basis, times its determinant's size; return success.

    start: (R, C + 1), the dictionary at the origin. bases: (K,) masks of nonbasic labels. values:
    (K, C), overwritten.
    """
    T = np.empty_like(start)
    basic, nonbasic = slacks.copy(), structural.copy()
    for k in range(len(bases)):
        T[:] = start
        basic[:], nonbasic[:] = slacks, structural
        d = np.int64(1)
        for c in range(len(nonbasic)):
            if bases[k] >> nonbasic[c] & 1:
                continue
            r = 0
            while r < len(basic) and (T[r, c] == 0 or not bases[k] >> basic[r] & 1):
                r += 1
            if r == len(basic):
                return False
            p = T[r, c]
            if not _pivot(T, r, c, d):
                return False
            d = p
            basic[r], nonbasic[c] = nonbasic[c], basic[r]
        values[k] = 0
        for i in range(len(basic)):
            for j in range(len(structural)):
                if structural[j] == basic[i]:
                    values[k, j] = T[i, -1] if d > 0 else -T[i, -1]
    return True


@njit(cache=True, nogil=True)
def explore(start, slacks, structural, state, table, bases, budget):
    """Collect the bases that a search in doubles meets; nothing is proved of them.

    start: (R, C + 1) doubles, the dictionary at the origin, of which every basis's own is made
    afresh, so that errors do not pile up. state: COLUMN is the number of bases whose neighbours are
    known, COUNT that of all; zeros at first. table, bases: as for `walk`. Return DONE, PAUSED,
    FULL, or OVERFLOW where a tie is near: the polytope may be degenerate.
    """
    T, basic, nonbasic = np.empty_like(start), slacks.copy(), structural.copy()
    if state[COUNT] == 0:
        bases[0] = _mask(structural)
        table[_slot(table, bases[0])] = bases[0]
        state[COUNT] = 1
    until = state[COLUMN] + budget
    while state[COLUMN] < state[COUNT]:
        if state[COUNT] + len(nonbasic) > min(len(bases), len(table) // 2):
            return FULL
        if state[COLUMN] >= until:
            return PAUSED
        mask = bases[state[COLUMN]]
        T[:], basic[:], nonbasic[:] = start, slacks, structural
        if not _reach(T, basic, nonbasic, mask):
            return OVERFLOW
        for c in range(len(nonbasic)):
            r = _sole(T, c)
            if r < 0:
                return OVERFLOW
            new = mask ^ (np.int64(1) << nonbasic[c]) ^ (np.int64(1) << basic[r])
            slot = _slot(table, new)
            if table[slot] != new:
                table[slot] = bases[state[COUNT]] = new
                state[COUNT] += 1
        state[COLUMN] += 1
    return DONE


@njit(cache=True, nogil=True)
def _reach(T, basic, nonbasic, mask):
    """Pivot from the origin to the basis whose nonbasic labels are the mask; return success."""
    rows, width = T.shape
    for c in range(len(nonbasic)):
        if mask >> nonbasic[c] & 1:
            continue
        r = -1
        for i in range(rows):
            if mask >> basic[i] & 1 and (r < 0 or abs(T[i, c]) > abs(T[r, c])):
                r = i
        if r < 0 or abs(T[r, c]) < _NEAR:
            return False
        p = T[r, c]
        for j in range(width):
            T[r, j] /= p
        T[r, c] = 1.0 / p
        for i in range(rows):
            f = T[i, c]
            if i != r and f != 0.0:
                for j in range(width):
                    T[i, j] -= f * T[r, j]
                T[i, c] = -f / p
        basic[r], nonbasic[c] = nonbasic[c], basic[r]
    return True


@njit(cache=True, nogil=True)
def _sole(T, c):
    """Return the row that leaves when column c enters, -1 where there is none or a tie is near."""
    best, second, row, last = np.inf, np.inf, -1, T.shape[1] - 1
    for i in range(T.shape[0]):
        if T[i, c] > _NEAR:
            ratio = T[i, last] / T[i, c]
            if ratio < best:
                best, second, row = ratio, best, i
            elif ratio < second:
                second = ratio
    if row < 0 or best <= 0.0 or second - best <= _NEAR * best:
        return -1
    return row
