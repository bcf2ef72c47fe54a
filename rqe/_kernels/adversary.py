"""The fictitious adversaries and the risk-adjusted payoffs: values, products, Jacobian.

For player i, with ``q`` the product of the others' strategies over joint actions ``k`` and
``g = U^T x``, the adversary is (spec: Mazumdar et al. 2025, eq. for the two penalties)

    kl          p_k = q_k exp(-tau g_k) / normaliser
    reverse_kl  p_k = q_k / h_k,  h_k = d + tau (g_k - min g),  d in (0, 1] fixed by sum p = 1

and ``v = U p`` is the gradient of the risk-adjusted utility in ``x``. Perturbations obey

    dp = p dlog q - W w (U^T dx) - w * (what makes the sum zero),   W = tau * omega

with ``w`` a distribution: ``w = p, omega = 1`` for kl, ``w ~ p / h, omega = sum p / h`` for
reverse_kl. ``star = argmax w``: subtracting column ``star`` of U first keeps every difference exact
when ``w`` is concentrated.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_FAST = {
    "reassoc",
    "contract",
    "nsz",
    "arcp",
}  # reductions may be reordered; inf and nan stay exact
_LOG2E = 1.4426950408889634
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10


@njit(cache=True, nogil=True)
def assign(target, source):
    """Write the source to the beginning of the target.

    A slice assignment would compile the message of its error, which takes longer than this.
    """
    for k in range(source.size):
        target[k] = source[k]


@njit(cache=True, nogil=True, fastmath={"contract"})
def exp_into(a, shift, out):
    """Write ``exp(a - shift)`` to ``out`` (0 below -700); a, out: (m,), shift >= max(a).

    Range reduction and a degree-12 polynomial, written so that it vectorises; the relative error
    is below 4e-16.
    """
    if a.size < 16:
        for k in range(a.size):
            y = a[k] - shift
            out[k] = 0.0 if y < -700.0 else math.exp(y)
        return
    bits = out.view(np.int64)
    exponent = np.empty(256, np.int64)
    for start in range(0, a.size, 256):
        stop = min(start + 256, a.size)
        for k in range(stop - start):
            y = max(a[start + k] - shift, -700.0)
            whole = math.floor(y * _LOG2E + 0.5)
            r = (y - whole * _LN2_HI) - whole * _LN2_LO
            s = 1.0 / 479001600.0
            s = s * r + 1.0 / 39916800.0
            s = s * r + 1.0 / 3628800.0
            s = s * r + 1.0 / 362880.0
            s = s * r + 1.0 / 40320.0
            s = s * r + 1.0 / 5040.0
            s = s * r + 1.0 / 720.0
            s = s * r + 1.0 / 120.0
            s = s * r + 1.0 / 24.0
            s = s * r + 1.0 / 6.0
            s = s * r + 0.5
            s = s * r + 1.0
            out[start + k] = s * r + 1.0
            exponent[k] = np.int64(whole)
        for k in range(stop - start):
            bits[start + k] += exponent[k] << 52
        for k in range(start, stop):
            if a[k] - shift < -700.0:
                out[k] = 0.0


@njit(cache=True, nogil=True, fastmath=_FAST)
def _dot(a, b):
    """Return <a, b>; both (m,)."""
    s = 0.0
    for k in range(a.size):
        s += a[k] * b[k]
    return s


@njit(cache=True, nogil=True, fastmath=_FAST)
def matvec(U, p, out):
    """Write ``U p`` to out; U: (n, m), p: (m,), out: (n,)."""
    n, m = U.shape
    a = 0
    while a + 4 <= n:
        s0 = s1 = s2 = s3 = 0.0
        r0, r1, r2, r3 = U[a], U[a + 1], U[a + 2], U[a + 3]
        for k in range(m):
            s0 += r0[k] * p[k]
            s1 += r1[k] * p[k]
            s2 += r2[k] * p[k]
            s3 += r3[k] * p[k]
        out[a], out[a + 1], out[a + 2], out[a + 3] = s0, s1, s2, s3
        a += 4
    while a < n:
        out[a] = _dot(U[a], p)
        a += 1


@njit(cache=True, nogil=True, fastmath=_FAST)
def matvec_t(U, x, out):
    """Write ``U^T x`` to out; U: (n, m), x: (n,), out: (m,)."""
    n, m = U.shape
    out[:] = 0.0
    a = 0
    while a + 4 <= n:
        x0, x1, x2, x3 = x[a], x[a + 1], x[a + 2], x[a + 3]
        r0, r1, r2, r3 = U[a], U[a + 1], U[a + 2], U[a + 3]
        for k in range(m):
            out[k] += (x0 * r0[k] + x1 * r1[k]) + (x2 * r2[k] + x3 * r3[k])
        a += 4
    while a < n:
        xa, row = x[a], U[a]
        for k in range(m):
            out[k] += xa * row[k]
        a += 1


@njit(cache=True, nogil=True, fastmath=_FAST)
def outer_product(values, layout, i, start, stop, out):
    """Write ``prod_j values_j(a_j)``, j in start:stop but i, to out, first player slowest.

    layout: rows of offsets (row 0) and of numbers of actions (row 3), one column per player.
    """
    size = 1
    out[0] = 1.0
    for j in range(stop - 1, start - 1, -1):
        if j == i:
            continue
        for b in range(layout[3, j] - 1, -1, -1):
            factor = values[layout[0, j] + b]
            base = b * size
            for r in range(size):
                out[base + r] = factor * out[r]
        size *= layout[3, j]


@njit(cache=True, nogil=True, fastmath=_FAST)
def outer_sum(values, layout, i, start, stop, out):
    """Write ``sum_j values_j(a_j)``, j in start:stop but i, to out, first player slowest."""
    size = 1
    out[0] = 0.0
    for j in range(stop - 1, start - 1, -1):
        if j == i:
            continue
        for b in range(layout[3, j] - 1, -1, -1):
            term = values[layout[0, j] + b]
            base = b * size
            for r in range(size):
                out[base + r] = term + out[r]
        size *= layout[3, j]


@njit(cache=True, nogil=True, fastmath=_FAST)
def split_product(U, first, last, table, v):
    """Write the marginals of p U on both halves of the others, and v = U p; p = first x last.

    U: (n, m_1 m_2), first: (m_1,), last: (m_2,), table: (n, m_1 + m_2), v: (n,). One pass.
    """
    m_1, m_2 = first.size, last.size
    for a in range(U.shape[0]):
        left, right, total = table[a, :m_1], table[a, m_1:], 0.0
        right[:] = 0.0
        for k in range(m_1):
            row, q, s = U[a, k * m_2 : (k + 1) * m_2], first[k], 0.0
            for r in range(m_2):
                s += row[r] * last[r]
                right[r] += q * row[r]
            left[k] = q * s
            total += left[k]
        for r in range(m_2):
            right[r] *= last[r]
        v[a] = total


@njit(cache=True, nogil=True, fastmath=_FAST)
def split_joint(U, p, first, last, table, v):
    """Write the same for any joint distribution p: (m_1 m_2,), and its marginals first and last."""
    m_1, m_2 = first.size, last.size
    last[:] = 0.0
    for k in range(m_1):
        q, s = p[k * m_2 : (k + 1) * m_2], 0.0
        for r in range(m_2):
            s += q[r]
            last[r] += q[r]
        first[k] = s
    for a in range(U.shape[0]):
        left, right, total = table[a, :m_1], table[a, m_1:], 0.0
        right[:] = 0.0
        for k in range(m_1):
            row, q, s = U[a, k * m_2 : (k + 1) * m_2], p[k * m_2 : (k + 1) * m_2], 0.0
            for r in range(m_2):
                y = row[r] * q[r]
                s += y
                right[r] += y
            left[k] = s
            total += s
        v[a] = total


@njit(cache=True, nogil=True)
def _excess(log_q, cost, log_d):
    """Return sum p - 1 and its derivative in log d, for reverse_kl; log_q, cost: (m,)."""
    d = math.exp(log_d)
    total, slope = -1.0, 0.0
    for k in range(log_q.size):
        if cost[k] == 0.0:
            p = math.exp(min(log_q[k] - log_d, 700.0))
            total += p
            slope -= p
        else:
            h = d + cost[k]
            p = math.exp(log_q[k]) / h
            total += p
            slope -= p * (d / h)
    return total, slope


@njit(cache=True, nogil=True)
def _normalise_reverse(log_q, cost, star):
    """Return log d: the root of sum_k q_k / (d + cost_k) = 1; cost >= 0 with minimum 0: (m,)."""
    mean = 0.0
    for k in range(log_q.size):
        mean += math.exp(log_q[k]) * cost[k]
    low = max(log_q[star], -1e300)
    if mean < 1.0:
        low = max(low, math.log1p(-mean))
    high = 0.0
    log_d = low
    for _ in range(200):
        total, slope = _excess(log_q, cost, log_d)
        if total > 0.0:
            low = log_d
        else:
            high = log_d
        if abs(total) < 2e-16 or high - low <= 4e-16 * abs(low):
            break
        step = log_d - total / slope if slope < 0.0 else high + 1.0
        log_d = step if low < step < high else 0.5 * (low + high)
    return log_d


@njit(cache=True, nogil=True)
def reverse_adversary(log_q, cost, p, w):
    """Write the reverse_kl adversary p and weights w; return (omega, star).

    log_q, cost = tau (g - min g), p, w: (m,). Mass that the others leave free (q ~ 0 where g is
    least) is the adversary's to place: KL(q || p) does not forbid it.
    """
    star = 0
    for k in range(cost.size):
        if cost[k] < cost[star] or (cost[k] == cost[star] and log_q[k] > log_q[star]):
            star = k
    log_d = _normalise_reverse(log_q, cost, star)
    d = math.exp(log_d)
    least, others, top, best = 0.0, 0.0, -np.inf, 0
    for k in range(cost.size):
        log_h = log_d if cost[k] == 0.0 else math.log(d + cost[k])
        p[k] = math.exp(min(log_q[k] - log_h, 0.0))
        least += p[k] if cost[k] == 0.0 else 0.0
        others += p[k] if cost[k] > 0.0 else 0.0
        w[k] = log_q[k] - log_h - max(log_h, -200.0)  # e^200 acts as any larger weight would
        if w[k] > top:
            top, best = w[k], k
    mass, scale = 0.0, 1.0
    if least > 0.1:  # d is known to 1e-16 of its logarithm, which may be large
        scale = (1.0 - others) / least
    for k in range(cost.size):
        p[k] *= scale if cost[k] == 0.0 else 1.0
    for k in range(cost.size):
        w[k] = math.exp(w[k] - top)
        mass += w[k]
    for k in range(cost.size):
        w[k] /= mass
    return mass * math.exp(min(top, 200.0)), best
