"""Linear algebra of small two-player games: responses, rows of the Jacobian, its factors.

Written out for a few actions, where calls to BLAS and LAPACK would cost more than the work.
"""

from __future__ import annotations

import math

from numba import njit

# The Jacobian's factors, its factors at the base of the step, and the Jacobian itself.
FACTORS, BASIS, PLAIN = 0, 1, 2

_FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def normalise(log_x, x):
    """Shift log_x so that exp sums to one; write x = exp(log_x)."""
    top = log_x[0]
    for a in range(1, log_x.size):
        top = max(top, log_x[a])
    total = 0.0
    for a in range(log_x.size):
        x[a] = math.exp(log_x[a] - top)
        total += x[a]
    shift, scale = top + math.log(total), 1.0 / total
    for a in range(log_x.size):
        log_x[a] -= shift
        x[a] *= scale


@njit(cache=True, nogil=True, fastmath=_FAST)
def answer(U, x, log_x, log_q, lam, dlam, tau, p, v, force, speed):
    """Write p, v, the centred F and -dF/dT of one player; return max |F|.

    U: (n, m), x, log_x, v, force, speed: (n,), log_q, p: (m,).
    """
    n, m = U.shape
    for k in range(m):
        p[k] = 0.0
    for a in range(n):
        for k in range(m):
            p[k] += x[a] * U[a, k]
    top = -1e300
    for k in range(m):
        p[k] = log_q[k] - tau * p[k]
        top = max(top, p[k])
    total = 0.0
    for k in range(m):
        p[k] = math.exp(p[k] - top)
        total += p[k]
    total = 1.0 / total
    for k in range(m):
        p[k] *= total
    mean = centre = 0.0
    for a in range(n):
        s = 0.0
        for k in range(m):
            s += U[a, k] * p[k]
        v[a] = s
        force[a] = log_x[a] - lam * s
        mean += x[a] * force[a]
        centre += x[a] * s
    worst = 0.0
    for a in range(n):
        force[a] -= mean
        worst = max(worst, abs(force[a]))
        speed[a] = dlam * (v[a] - centre)
    return worst


@njit(cache=True, nogil=True, fastmath=_FAST)
def rows(U, x, p, v, lam, tau, own, other, J, W):
    """Write one player's rows of the Jacobian; own, other: first rows of the players in J."""
    n, m = U.shape
    for a in range(n):
        for k in range(m):
            W[a, k] = U[a, k] - v[a]
            J[own + a, other + k] = p[k] * W[a, k]
    for a in range(n):
        for b in range(a + 1):
            c = 0.0
            for k in range(m):
                c += J[own + a, other + k] * W[b, k]
            c *= -tau
            J[own + a, own + b] = c * x[b]
            J[own + b, own + a] = c * x[a]
    for s in range(n + m):
        mean = 0.0
        for a in range(n):
            mean += x[a] * J[own + a, s]
        for a in range(n):
            J[own + a, s] = lam * (mean - J[own + a, s])
    for a in range(n):
        J[own + a, own + a] += 1.0


@njit(cache=True, nogil=True, fastmath=_FAST)
def factor(J, pivots):
    """Factor J in place with partial pivoting; return its determinant."""
    n, det = J.shape[0], 1.0
    for c in range(n):
        best, size = c, abs(J[c, c])
        for r in range(c + 1, n):
            if abs(J[r, c]) > size:
                best, size = r, abs(J[r, c])
        pivots[c] = best
        if not 1e-14 < size < 1e300:
            return 0.0
        if best != c:
            det = -det
            for k in range(n):
                J[c, k], J[best, k] = J[best, k], J[c, k]
        det *= J[c, c]
        scale = 1.0 / J[c, c]
        for r in range(c + 1, n):
            f = J[r, c] * scale
            J[r, c] = f
            for k in range(c + 1, n):
                J[r, k] -= f * J[c, k]
    return det


@njit(cache=True, nogil=True, fastmath=_FAST)
def substitute(J, pivots, b):
    """Solve in place with the factors of `factor`; b: (n,)."""
    n = b.size
    for c in range(n):
        b[c], b[pivots[c]] = b[pivots[c]], b[c]
    for r in range(1, n):
        s = b[r]
        for k in range(r):
            s -= J[r, k] * b[k]
        b[r] = s
    for r in range(n - 1, -1, -1):
        s = b[r]
        for k in range(r + 1, n):
            s -= J[r, k] * b[k]
        b[r] = s / J[r, r]


@njit(cache=True, nogil=True, fastmath=_FAST)
def length(x, step):
    """Return the Fisher length of a change of log-strategies, and its largest entry."""
    s = most = 0.0
    for a in range(x.size):
        s += x[a] * step[a] * step[a]
        most = max(most, abs(step[a]))
    return math.sqrt(s), most


@njit(cache=True, nogil=True, fastmath=_FAST)
def change_of(x, J, pivots, column):
    """Return the norm of J_base^-1 J - 1, Frobenius's in Fisher's coordinates.

    Below 1, no matrix between the two Jacobians is singular. x, column: (n,); column is written.
    """
    n, total = x.size, 0.0
    for b in range(n):
        for a in range(n):
            column[a] = J[PLAIN, a, b]
        substitute(J[BASIS], pivots[BASIS], column)
        column[b] -= 1.0
        s = 0.0
        for a in range(n):
            s += x[a] * column[a] * column[a]
        total += s / x[b]
    return math.sqrt(total)
