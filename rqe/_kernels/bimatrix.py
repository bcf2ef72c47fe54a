"""Two players: Lemke-Howson pivoting and the enumeration of supports of equal size.

Payoffs ``A`` and ``B`` have shape (m, n), player 1's actions first in both. Label i < m is
player 1's action i, label m + j player 2's action j.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_TIE = 1e-11  # ratios closer than this are ties, decided by the lexicographic rule
_PIVOT = 1e-11  # smaller entries are no pivots
_EDGE = 1e-10  # probabilities and payoff gaps below it leave a support pair undecided


@njit(cache=True, nogil=True)
def _exchange(T, basic, nonbasic, where, r, c):
    """Exchange basic variable r and nonbasic variable c of the dictionary T, in place."""
    rows, width = T.shape
    scale = 1.0 / T[r, c]
    top = T[r]
    for k in range(width):
        top[k] *= scale
    top[c] = scale
    for i in range(rows):
        f = T[i, c]
        if i != r and f != 0.0:
            row = T[i]
            for k in range(width):
                row[k] -= f * top[k]
            row[c] = -f * scale
    basic[r], nonbasic[c] = nonbasic[c], basic[r]
    where[basic[r]] = r
    where[nonbasic[c]] = -c - 1


@njit(cache=True, nogil=True)
def _leaving(T, where, first, c, ties):
    """Return the row that leaves when column c enters, -1 if none; slacks start at label first.

    ties: (rows,) int64, work space. Lexicographic: the perturbation of constraint s is column s
    of the inverse of the basis, read off the dictionary.
    """
    rows, last = T.shape[0], T.shape[1] - 1
    count, best = 0, 0.0
    for i in range(rows):
        a = T[i, c]
        if a > _PIVOT:
            ratio = T[i, last] / a
            if count == 0 or ratio < best - _TIE:
                best, count = ratio, 1
                ties[0] = i
            elif ratio <= best + _TIE:
                best = min(best, ratio)
                ties[count] = i
                count += 1
    s = 0
    while count > 1 and s < rows:
        place, kept, least = where[first + s], 0, 0.0
        for t in range(count):
            i = ties[t]
            if place >= 0:
                ratio = 1.0 / T[i, c] if place == i else 0.0
            else:
                ratio = T[i, -place - 1] / T[i, c]
            if kept == 0 or ratio < least - _TIE:
                least, kept = ratio, 1
                ties[0] = i
            elif ratio <= least + _TIE:
                ties[kept] = i
                kept += 1
        count = kept
        s += 1
    return ties[0] if count > 0 else -1


@njit(cache=True, nogil=True)
def scaled(A):
    """Return payoffs moved and stretched to [0, 1]; zeros if they are all one. A: (m, n)."""
    low = high = A[0, 0]
    for row in A:
        for u in row:
            low, high = min(low, u), max(high, u)
    return (A - low) / (high - low if high > low else 1.0)


@njit(cache=True, nogil=True)
def lemke_howson(A, B, drop, max_steps, x, y):
    """Follow the path that drops label `drop`; return the pivots made, negative if it broke.

    x: (m,), y: (n,), overwritten by the strategies. A broken path ran out of steps or of pivots.
    """
    return _path(1.0 + scaled(A), 1.0 + scaled(B).T, drop, max_steps, x, y)


@njit(cache=True, nogil=True)
def _path(A, BT, drop, max_steps, x, y):
    """Follow a path for positive payoffs A: (m, n) and BT: (n, m).

    Dictionaries: player 1's polytope has n rows and m columns, player 2's m rows and n columns.
    """
    m, n = A.shape
    P, Q = np.ones((n, m + 1)), np.ones((m, n + 1))
    P[:, :m], Q[:, :n] = BT, A
    rows, columns = np.arange(m), np.arange(m, m + n)
    p_basic, p_free, q_basic, q_free = columns.copy(), rows.copy(), rows.copy(), columns.copy()
    p_where, q_where = np.empty(m + n, np.int64), np.empty(m + n, np.int64)
    for i in range(m):
        p_where[i], q_where[i] = -i - 1, i
    for j in range(n):
        p_where[m + j], q_where[m + j] = j, -j - 1
    ties = np.empty(max(m, n), np.int64)
    label, ours, steps = drop, drop < m, 0
    while steps < max_steps:
        if ours:
            c = -p_where[label] - 1
            r = _leaving(P, p_where, m, c, ties)
            if r < 0:
                return -steps - 1
            label = p_basic[r]
            _exchange(P, p_basic, p_free, p_where, r, c)
        else:
            c = -q_where[label] - 1
            r = _leaving(Q, q_where, 0, c, ties)
            if r < 0:
                return -steps - 1
            label = q_basic[r]
            _exchange(Q, q_basic, q_free, q_where, r, c)
        steps += 1
        ours = not ours
        if label == drop:
            _read(P, p_where, 0, x)
            _read(Q, q_where, m, y)
            return steps
    return -steps - 1


@njit(cache=True, nogil=True)
def shortest_path(A, B, unit, max_steps, x, y):
    """Try one label after another, for as many pivots as Luby's sequence allows times `unit`.

    Path lengths vary by orders of magnitude between labels, which restarts exploit. Return the
    label whose path ended and the pivots made in all, negative if they ran out. x, y: as above.
    """
    A, BT = 1.0 + scaled(A), 1.0 + scaled(B).T
    labels, steps, attempt = A.shape[0] + A.shape[1], 0, 1
    while steps < max_steps:
        drop = (attempt - 1) % labels
        allowed = min(unit * _luby(attempt), max_steps - steps)
        made = _path(A, BT, drop, allowed, x, y)
        if made > 0:
            return drop, steps + made
        steps += max(-made - 1, 1)
        attempt += 1
    return -1, -steps


@njit(cache=True, nogil=True)
def _luby(t):
    """Return term t >= 1 of 1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8, ..."""
    size = 1
    while size < t + 1:
        size *= 2
    while size != t + 1:
        t -= size // 2 - 1
        size = 1
        while size < t + 1:
            size *= 2
    return size // 2


@njit(cache=True, nogil=True)
def _read(T, where, first, out):
    """Write the strategy at a dictionary's vertex: its variables, made to sum to 1."""
    last, total = T.shape[1] - 1, 0.0
    for a in range(len(out)):
        place = where[first + a]
        out[a] = max(T[place, last], 0.0) if place >= 0 else 0.0
        total += out[a]
    for a in range(len(out)):
        out[a] /= total


@njit(cache=True, nogil=True)
def _beaten(A):
    """Return (m, m) int64 masks: the columns in which row b is better than row a, A: (m, n)."""
    m, n = A.shape
    masks = np.zeros((m, m), np.int64)
    for a in range(m):
        for b in range(m):
            for j in range(n):
                if A[b, j] > A[a, j]:
                    masks[a, b] |= np.int64(1) << j
    return masks


@njit(cache=True, nogil=True)
def _survives(masks, a, others):
    """Return whether no action beats action a at all of the others' actions in the mask."""
    for b in range(masks.shape[0]):
        if others & ~masks[a, b] == 0:
            return False
    return True


@njit(cache=True, nogil=True)
def _next_subset(mask):
    """Return the next larger mask with as many ones."""
    low = mask & -mask
    ripple = mask + low
    return ripple | (((mask ^ ripple) // low) >> 2)


@njit(cache=True, nogil=True)
def _members(mask, out):
    """Write the positions of the ones of a mask; return their number."""
    count, k = 0, 0
    while mask >> k:
        if mask >> k & 1:
            out[count] = k
            count += 1
        k += 1
    return count


@njit(cache=True, nogil=True)
def _eliminate(M, k):
    """Bring M: (k, k + 1) to upper triangular form in place; return whether it is regular."""
    for c in range(k):
        best = c
        for r in range(c + 1, k):
            if abs(M[r, c]) > abs(M[best, c]):
                best = r
        if abs(M[best, c]) < _PIVOT:
            return False
        if best != c:
            for j in range(c, k + 1):
                M[c, j], M[best, j] = M[best, j], M[c, j]
        for r in range(c + 1, k):
            f = M[r, c] / M[c, c]
            if f != 0.0:
                for j in range(c + 1, k + 1):
                    M[r, j] -= f * M[c, j]
    return True


@njit(cache=True, nogil=True)
def _mixture(A, rows, columns, k, M, z):
    """Find the mixture z of k columns between which k rows are indifferent.

    Return 1 if it is positive and no row is better, 0 if not; 2 if it is one but a row outside the
    support ties, -1 if no verdict is safe. M: (k, k + 1) work space, z: overwritten in [0, k).
    """
    for j in range(k):
        M[0, j] = 1.0
        for r in range(1, k):
            M[r, j] = A[rows[r], columns[j]] - A[rows[0], columns[j]]
    M[:k, k] = 0.0
    M[0, k] = 1.0
    if not _eliminate(M, k):
        return -1
    verdict = 1
    for c in range(k - 1, -1, -1):
        value = M[c, k]
        for j in range(c + 1, k):
            value -= M[c, j] * z[j]
        z[c] = value / M[c, c]
        if z[c] < -_EDGE:
            return 0
        if z[c] <= _EDGE:
            verdict = -1
    return _outside(A, rows, columns, k, z, verdict)


@njit(cache=True, nogil=True)
def _outside(A, rows, columns, k, z, verdict):
    """Return 0 if a row outside the support is better against z, else the verdict, 2 for a tie."""
    level = 0.0
    for j in range(k):
        level += A[rows[0], columns[j]] * z[j]
    t = 0
    for a in range(A.shape[0]):
        if t < k and rows[t] == a:
            t += 1
            continue
        gain = -level
        for j in range(k):
            gain += A[a, columns[j]] * z[j]
        if gain > _EDGE:
            return 0
        if gain >= -_EDGE and verdict == 1:
            verdict = 2
    return verdict


@njit(cache=True, nogil=True)
def _try_pair(A, BT, rows, columns, k, M, x, y):
    """Return the worse of the two players' verdicts on a pair of supports: 0, -1, 2 or 1.

    x, y: work space; where the verdict is positive they hold the mixtures in [0, k).
    """
    verdict = _mixture(A, rows, columns, k, M, y)
    if verdict == 0:
        return 0
    reply = _mixture(BT, columns, rows, k, M, x)
    if reply == 0 or verdict == -1:
        return min(verdict, reply) if reply != 0 else 0
    return reply if verdict == 1 else (2 if reply > 0 else reply)


@njit(cache=True, nogil=True)
def _all_survive(masks, actions, k, others):
    """Return whether the first k actions all survive against the mask."""
    for t in range(k):
        if not _survives(masks, actions[t], others):
            return False
    return True


@njit(cache=True, nogil=True)
def _spread(choice, free):
    """Return the mask of free[t] for the ones t of `choice`."""
    mask, t = np.int64(0), 0
    while choice >> t:
        if choice >> t & 1:
            mask |= np.int64(1) << free[t]
        t += 1
    return mask


@njit(cache=True, nogil=True)
def _prepare(payoffs):
    """Return what the search reads: scaled payoffs, own actions first, and their masks."""
    ours, theirs = scaled(payoffs[0]), np.ascontiguousarray(scaled(payoffs[1]).T)
    return ours, theirs, _beaten(ours), _beaten(theirs)


@njit(cache=True, nogil=True)
def equal_supports(payoffs, k, start, budget, room):
    """Search pairs of supports, from player 1's support `start` (a mask of k actions) onwards.

    payoffs: (2, m, n), of any scale. Return equilibria (F, m + n), at most `room`, the size and the
    support at which to go on (0 and 0 at the end), the pairs tried and the pairs left undecided.
    If there is no room for those of a support, it is where to go on.
    """
    m, n = payoffs.shape[1:]
    A, BT, ours, theirs = _prepare(payoffs)
    size, found = max(m, n), np.empty((room, m + n))
    rows, columns, free = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(n, np.int64)
    M, x, y = np.empty((size, size + 1)), np.empty(size), np.empty(size)
    one, own = np.int64(1), start
    count, tried, unclear = 0, 0, 0
    while k > 0:
        whole = count, tried, unclear
        if tried >= budget:
            break
        _members(own, rows)
        alive = _free(theirs, n, own, free)
        choice = (one << k) - 1
        if alive < k or not _all_survive(ours, rows, k, _spread((one << alive) - 1, free)):
            choice = one << alive
        while choice < one << alive:
            other = _spread(choice, free)
            tried += 1
            choice = _next_subset(choice)
            if not _all_survive(ours, rows, k, other):
                continue
            _members(other, columns)
            verdict = _try_pair(A, BT, rows, columns, k, M, x, y)
            unclear += verdict == -1 or verdict == 2
            if verdict > 0:
                if count == room:
                    return found[: whole[0]], k, own, whole[1], whole[2]
                found[count] = 0.0
                for t in range(k):
                    found[count, rows[t]], found[count, m + columns[t]] = x[t], y[t]
                count += 1
        own = _next_subset(own)
        if own >= one << m:
            k = k + 1 if k < min(m, n) else 0
            own = (one << k) - 1
    return found[:count], k, own, tried, unclear


@njit(cache=True, nogil=True)
def _free(masks, n, others, free):
    """Write the actions that survive against the mask; return their number."""
    count = 0
    for b in range(n):
        if _survives(masks, b, others):
            free[count] = b
            count += 1
    return count
