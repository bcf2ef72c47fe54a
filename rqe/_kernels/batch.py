"""Many small two-player games at once: a light path follower that knows when to give up.

For KL and entropy, finite tau and positive eps. Equation of player i, with ``x = exp(log_x)``:

    F = log_x - lam v - const = 0,   v = U p,   p ~ exp(log_q - tau U^T x)

with ``log_q`` the other's log-strategy and the constant eliminated by the weights x. Continuation
is in T itself (``lam_i = slope_i T / (1 + delay_i T)``), hence blind beyond folds: a run counts
only if everything along it says that the branch is monotone in T and was not left. Else the game
is returned as DOUBTFUL, for the full path follower. Watched are the determinant of the Jacobian (1
at T = 0; it changes sign at folds and bifurcations, and must not change fast), the length of the
first step of Newton's method and its contraction, the branch's slope and its turns.

2x2 games have another way. In the coordinates ``d = log x(1) / x(2)`` the adversary only
translates: ``logit p = d_other - tau (g_1 - g_2)``, whence ``|dd_1 / dd_2| <= lam_1 |b_1| / 4`` for
every tau, with ``b`` the second difference of U. Where ``b_1 b_2 <= 0`` or
``lam_1 |b_1| lam_2 |b_2| < 16`` the equilibrium is therefore unique, at this and all smaller
precisions, the Jacobian's determinant is positive everywhere, and any way of finding the
equilibrium finds the one on the principal branch.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

FOUND, DOUBTFUL = 0, 1
LARGEST = 32  # actions of both players together; larger games gain nothing from the light path

_STIFF = 30.0  # largest tau, and 200 the largest lam, in units of the payoff range, that are tried
_PRECISE = 200.0
_STEPS = 100
_REFUSALS = 6
_TARGET = 0.02  # length of Newton's first step that the step control aims at
_FIRST = 0.1  # longest first step of Newton's method, in Fisher's metric, that is trusted
_CONTRACTION = 0.25
_STEADY = 0.9  # largest relative change of the Jacobian in one step, see `_change`
_STRAIGHT = 0.8  # least cosine between successive tangents
_STEEP = 8.0  # largest length of the branch per unit of log(1 + T)

_FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(cache=True, nogil=True)
def solve_two(payoffs, tau, eps, log_x, codes):
    """Find the principal equilibria of two-player games; codes say which were found.

    payoffs: (B, 2, n_1, n_2); tau, eps: (B, 2), finite and eps > 0; log_x: (B, n_1 + n_2) and
    codes: (B,) int8, written. log_x of a DOUBTFUL game means nothing.
    """
    n1, n2 = payoffs.shape[2], payoffs.shape[3]
    n = n1 + n2
    U, V = np.empty((n1, n2)), np.empty((n2, n1))
    work, J, pivots = np.empty((10, n)), np.empty((3, n, n)), np.empty((2, n), np.int64)
    W = np.empty((max(n1, n2), max(n1, n2)))
    for k in range(payoffs.shape[0]):
        codes[k] = DOUBTFUL
        if n1 == 2 and n2 == 2:
            codes[k] = _two_by_two(payoffs[k], tau[k], eps[k], log_x[k])
        if codes[k] == DOUBTFUL and n <= LARGEST:
            r1, r2 = _scale(payoffs[k], U, V)
            codes[k] = _follow(U, V, r1, r2, tau[k], eps[k], log_x[k], work, J, pivots, W)


@njit(cache=True, nogil=True)
def _sigmoid(d):
    """Return 1 / (1 + exp(-d)) and its derivative."""
    e = math.exp(-abs(d))
    s = 1.0 / (1.0 + e)
    return (s if d >= 0.0 else e * s), e * s * s


@njit(cache=True, nogil=True)
def _seat(own, other, lam, tau, c, e, b):
    """Return F = d - lam (v_1 - v_2) of one player, and its derivatives in own and other's d.

    ``v_1 - v_2 = c + b p``, ``g_1 - g_2 = e + b x`` with x, p the first probabilities.
    """
    x, dx = _sigmoid(own)
    p, dp = _sigmoid(other - tau * (e + b * x))
    slope = lam * b * dp
    return own - lam * (c + b * p), 1.0 + slope * tau * b * dx, -slope


@njit(cache=True, nogil=True)
def _two_by_two(u, tau, eps, log_x):
    """Solve a 2x2 game whose equilibrium is proved to be unique, by damped Newton's method.

    u: (2, 2, 2), tau, eps: (2,), log_x: (4,), written.
    """
    b1 = (u[0, 0, 0] - u[0, 1, 0]) - (u[0, 0, 1] - u[0, 1, 1])
    b2 = (u[1, 0, 0] - u[1, 0, 1]) - (u[1, 1, 0] - u[1, 1, 1])
    c1, e1 = u[0, 0, 1] - u[0, 1, 1], u[0, 1, 0] - u[0, 1, 1]
    c2, e2 = u[1, 1, 0] - u[1, 1, 1], u[1, 0, 1] - u[1, 1, 1]
    l1, l2, t1, t2 = 1.0 / eps[0], 1.0 / eps[1], tau[0], tau[1]
    if not (b1 * b2 <= 0.0 or l1 * b1 * l2 * b2 < 15.99):
        return DOUBTFUL
    d1 = d2 = 0.0
    share = 1.0
    F1, a11, a12 = _seat(d1, d2, l1, t1, c1, e1, b1)
    F2, a22, a21 = _seat(d2, d1, l2, t2, c2, e2, b2)
    for _ in range(60):
        size = max(abs(F1), abs(F2))
        det = a11 * a22 - a12 * a21
        s1, s2 = (a22 * F1 - a12 * F2) / det, (a11 * F2 - a21 * F1) / det
        if not abs(s1) + abs(s2) < 1e300:
            return DOUBTFUL
        share = 1.0
        while True:
            n1, n2 = d1 - share * s1, d2 - share * s2
            F1, a11, a12 = _seat(n1, n2, l1, t1, c1, e1, b1)
            F2, a22, a21 = _seat(n2, n1, l2, t2, c2, e2, b2)
            if max(abs(F1), abs(F2)) <= (1.0 - 0.25 * share) * size or share < 1e-3:
                break
            if size <= 1e-12 * (1.0 + l1 * abs(c1) + l2 * abs(c2)):
                break
            share *= 0.5
        d1, d2 = n1, n2
        if share == 1.0 and abs(s1) <= 1e-9 * (1.0 + abs(d1)) and abs(s2) <= 1e-9 * (1.0 + abs(d2)):
            _log_strategy(d1, log_x[:2])
            _log_strategy(d2, log_x[2:])
            return FOUND
    return DOUBTFUL


@njit(cache=True, nogil=True)
def _log_strategy(d, log_x):
    """Write log probabilities of two actions whose logits differ by d."""
    rest = math.log1p(math.exp(-abs(d)))
    log_x[0] = -rest if d >= 0.0 else d - rest
    log_x[1] = -d - rest if d >= 0.0 else -rest


@njit(cache=True, nogil=True)
def _scale(u, U, V):
    """Write the payoffs of both players, own action first, scaled to [0, 1]; return the ranges."""
    n1, n2 = U.shape
    low1 = high1 = u[0, 0, 0]
    low2 = high2 = u[1, 0, 0]
    for a in range(n1):
        for b in range(n2):
            low1, high1 = min(low1, u[0, a, b]), max(high1, u[0, a, b])
            low2, high2 = min(low2, u[1, a, b]), max(high2, u[1, a, b])
    s1 = 1.0 / (high1 - low1) if high1 > low1 else 1.0
    s2 = 1.0 / (high2 - low2) if high2 > low2 else 1.0
    for a in range(n1):
        for b in range(n2):
            U[a, b] = (u[0, a, b] - low1) * s1
            V[b, a] = (u[1, a, b] - low2) * s2
    return high1 - low1, high2 - low2


# Rows of the work space.
LOG_X, X, P, FORCE, SPEED, BASE, TANGENT, BEND, NEW, VALUE = range(10)
# The Jacobian's factors, the Jacobian itself, and its factors at the base of the step.
FACTORS, BASIS, PLAIN = 0, 1, 2


@njit(cache=True, nogil=True, fastmath=_FAST)
def _normalise(log_x, x):
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
def _answer(U, x, log_x, log_q, lam, dlam, tau, p, v, force, speed):
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
def _rows(U, x, p, v, lam, tau, own, other, J, W):
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
def _factor(J, pivots):
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
def _solve(J, pivots, b):
    """Solve in place with the factors of `_factor`; b: (n,)."""
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
def _length(x, step):
    """Return the Fisher length of a change of log-strategies, and its largest entry."""
    s = most = 0.0
    for a in range(x.size):
        s += x[a] * step[a] * step[a]
        most = max(most, abs(step[a]))
    return math.sqrt(s), most


@njit(cache=True, nogil=True)
def _evaluate(U, V, T, rates, work):
    """Normalise log_x; write x, p, v, F and the slope at T; return max |F| / max(lam, 1).

    rates: (3, 2), rows slope, delay and tau. p of player 1 lies where player 2's actions are.
    """
    n1 = U.shape[0]
    log_x, x, p = work[LOG_X], work[X], work[P]
    _normalise(log_x[:n1], x[:n1])
    _normalise(log_x[n1:], x[n1:])
    slow = 1.0 + rates[1, 0] * T
    lam, dlam = rates[0, 0] * (T / slow), rates[0, 0] / (slow * slow)
    first = _answer(
        U, x[:n1], log_x[:n1], log_x[n1:], lam, dlam, rates[2, 0],
        p[n1:], work[VALUE, :n1], work[FORCE, :n1], work[SPEED, :n1],
    ) / max(lam, 1.0)  # fmt: skip
    slow = 1.0 + rates[1, 1] * T
    lam, dlam = rates[0, 1] * (T / slow), rates[0, 1] / (slow * slow)
    second = _answer(
        V, x[n1:], log_x[n1:], log_x[:n1], lam, dlam, rates[2, 1],
        p[:n1], work[VALUE, n1:], work[FORCE, n1:], work[SPEED, n1:],
    ) / max(lam, 1.0)  # fmt: skip
    return max(first, second)


@njit(cache=True, nogil=True)
def _linearise(U, V, T, rates, work, J, pivots, W):
    """Factor the Jacobian at the point last evaluated; return its determinant."""
    n1 = U.shape[0]
    x, p, v = work[X], work[P], work[VALUE]
    lam = rates[0, 0] * (T / (1.0 + rates[1, 0] * T))
    _rows(U, x[:n1], p[n1:], v[:n1], lam, rates[2, 0], 0, n1, J[PLAIN], W)
    lam = rates[0, 1] * (T / (1.0 + rates[1, 1] * T))
    _rows(V, x[n1:], p[:n1], v[n1:], lam, rates[2, 1], n1, 0, J[PLAIN], W)
    J[FACTORS] = J[PLAIN]
    return _factor(J[FACTORS], pivots[FACTORS])


@njit(cache=True, nogil=True, fastmath=_FAST)
def _change(x, J, pivots, column):
    """Return the norm of J_base^-1 J - 1, Frobenius's in Fisher's coordinates.

    Below 1, no matrix between the two Jacobians is singular. x, column: (n,); column is written.
    """
    n, total = x.size, 0.0
    for b in range(n):
        for a in range(n):
            column[a] = J[PLAIN, a, b]
        _solve(J[BASIS], pivots[BASIS], column)
        column[b] -= 1.0
        s = 0.0
        for a in range(n):
            s += x[a] * column[a] * column[a]
        total += s / x[b]
    return math.sqrt(total)


@njit(cache=True, nogil=True)
def _correct(U, V, T, rates, landing, work, J, pivots, W):
    """Newton's method at T from work[LOG_X]; return whether it is trusted, and the first step.

    The factors of the last Jacobian stay in J, the branch's slope at the last point in SPEED.
    """
    first = last = 0.0
    log_x, step = work[LOG_X], work[NEW]
    for it in range(10):
        residual = _evaluate(U, V, T, rates, work)
        det = _linearise(U, V, T, rates, work, J, pivots, W) if residual < 1e300 else 0.0
        if not det > 0.0:
            return False, 1.0
        step[:] = -work[FORCE]
        _solve(J[FACTORS], pivots[FACTORS], step)
        norm, most = _length(work[X], step)
        first = norm if it == 0 else first
        if not norm <= (_FIRST if it == 0 else max(_CONTRACTION * last, 1e-9)):
            return False, first
        log_x += step
        if landing and norm <= 1e-6 and most <= 1e-4:
            _evaluate(U, V, T, rates, work)  # once more with the same factors: now to rounding
            step[:] = -work[FORCE]
            _solve(J[FACTORS], pivots[FACTORS], step)
            norm, most = _length(work[X], step)
            log_x += step
            return norm <= 1e-9, first
        if not landing and most <= 0.3 and norm <= (1e-3 if it == 0 else 1e-2):
            return True, first
        last = norm
    return False, first


@njit(cache=True, nogil=True)
def _turn(T, work):
    """Return length of work[NEW] and of the tangent, per unit of log(1 + T), and their cosine."""
    s0 = s1 = c = 0.0
    for a in range(work.shape[1]):
        s0 += work[X, a] * work[TANGENT, a] ** 2
        s1 += work[X, a] * work[NEW, a] ** 2
        c += work[X, a] * work[TANGENT, a] * work[NEW, a]
    w = 1.0 / (1.0 + T) ** 2
    return math.sqrt(s1) * (1.0 + T), (c + w) / math.sqrt((s0 + w) * (s1 + w))


@njit(cache=True, nogil=True)
def _set_rates(r1, r2, tau, eps, rates):
    """Write slope, delay and tau of both players in units of their ranges; return the last T.

    It is 0 if the light path should not be tried.
    """
    floor, scale = min(eps[0], eps[1]), max(r1, r2)
    if not (scale > 0.0 and floor > 0.0 and scale / floor <= _PRECISE):
        return 0.0
    rates[0, 0], rates[0, 1] = r1 / scale, r2 / scale
    rates[1, 0], rates[1, 1] = (eps[0] - floor) / scale, (eps[1] - floor) / scale
    rates[2, 0], rates[2, 1] = tau[0] * r1, tau[1] * r2
    return scale / floor if max(rates[2, 0], rates[2, 1]) <= _STIFF else 0.0


@njit(cache=True, nogil=True)
def _follow(U, V, r1, r2, tau, eps, out, work, J, pivots, W):
    """Follow the principal branch of one game; out: (n,), written. Return FOUND or DOUBTFUL."""
    rates = np.empty((3, 2))
    T, T_end = 0.0, _set_rates(r1, r2, tau, eps, rates)
    if T_end == 0.0:
        return DOUBTFUL
    n1 = U.shape[0]
    work[LOG_X, :n1], work[LOG_X, n1:] = -math.log(n1), -math.log(V.shape[0])
    _evaluate(U, V, 0.0, rates, work)
    work[TANGENT], work[BEND], work[BASE] = work[SPEED], 0.0, work[LOG_X]
    _linearise(U, V, 0.0, rates, work, J, pivots, W)
    J[BASIS], pivots[BASIS] = J[FACTORS], pivots[FACTORS]
    d = 1.0 / math.sqrt(1.0 + _length(work[X], work[TANGENT])[0] ** 2)
    refusals = 0
    for _ in range(_STEPS):
        landing = T + 1.1 * d >= T_end
        d = T_end - T if landing else d
        for a in range(out.size):
            change = work[TANGENT, a] + 0.5 * d * work[BEND, a]
            work[LOG_X, a] = work[BASE, a] + d * change
        good, first = _correct(U, V, T + d, rates, landing, work, J, pivots, W)
        change = _change(work[X], J, pivots, work[NEW]) if good else 0.0
        if not change <= _STEADY:
            d *= max(0.8 * _STEADY / change, 0.1)
            continue
        cosine = 1.0
        if good and not landing:
            work[NEW] = work[SPEED]
            _solve(J[FACTORS], pivots[FACTORS], work[NEW])
            steep, cosine = _turn(T + d, work)
            if steep > _STEEP:
                return DOUBTFUL
        if not good or cosine < _STRAIGHT:
            refusals += 1
            if refusals > _REFUSALS:
                return DOUBTFUL
            d *= 0.4
            continue
        if landing:
            out[:] = work[LOG_X]
            return FOUND
        work[BEND] = (work[NEW] - work[TANGENT]) / d
        work[TANGENT], work[BASE] = work[NEW], work[LOG_X]
        J[BASIS], pivots[BASIS] = J[FACTORS], pivots[FACTORS]
        T += d
        d *= min(max((_TARGET / max(first, 1e-9)) ** (1.0 / 3.0), 0.3), 3.0, 0.8 * _STEADY / change)
    return DOUBTFUL
