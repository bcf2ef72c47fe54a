"""Many small two-player games at once: a light path follower that knows when to give up.

For KL and entropy, finite tau and positive eps. Equation of player i, with ``x = exp(log_x)``:

    F = log_x - lam v - const = 0,   v = U p,   p ~ exp(log_q - tau U^T x)

with ``log_q`` the other's log-strategy and the constant eliminated by the weights x. Continuation
is in T itself (``lam_i = slope_i T / (1 + delay_i T)``), hence blind beyond folds: a run counts
only if everything along it says that the branch is monotone in T and was not left. Else the game
is returned as DOUBTFUL, for the full path follower. Watched are the determinant of the Jacobian (1
at T = 0; it changes sign at folds and bifurcations, and must not change fast), the length of the
first step of Newton's method and its contraction, the branch's slope and its turns.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from rqe._kernels.small import (
    BASIS,
    FACTORS,
    PLAIN,
    answer,
    change_of,
    factor,
    length,
    normalise,
    rows,
    substitute,
)
from rqe._kernels.two_by_two import DOUBTFUL, FOUND, two_by_two

__all__ = ["DOUBTFUL", "FOUND", "LARGEST", "solve_two"]

LARGEST = 32  # actions of both players together; larger games gain nothing from the light path

_STIFF = 30.0  # largest tau, and 200 the largest lam, in units of the payoff range, that are tried
_PRECISE = 200.0
_STEPS = 100
_REFUSALS = 6
_TARGET = 0.02  # length of Newton's first step that the step control aims at
_FIRST = 0.1  # longest first step of Newton's method, in Fisher's metric, that is trusted
_CONTRACTION = 0.25
_STEADY = 0.9  # largest relative change of the Jacobian in one step, see `change_of`
_STRAIGHT = 0.8  # least cosine between successive tangents
_STEEP = 8.0  # largest length of the branch per unit of log(1 + T)


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
            codes[k] = two_by_two(payoffs[k], tau[k], eps[k], log_x[k])
        if codes[k] == DOUBTFUL and n <= LARGEST:
            r1, r2 = _scale(payoffs[k], U, V)
            codes[k] = _follow(U, V, r1, r2, tau[k], eps[k], log_x[k], work, J, pivots, W)


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


@njit(cache=True, nogil=True)
def _evaluate(U, V, T, rates, work):
    """Normalise log_x; write x, p, v, F and the slope at T; return max |F| / max(lam, 1).

    rates: (3, 2), rows slope, delay and tau. p of player 1 lies where player 2's actions are.
    """
    n1 = U.shape[0]
    log_x, x, p = work[LOG_X], work[X], work[P]
    normalise(log_x[:n1], x[:n1])
    normalise(log_x[n1:], x[n1:])
    slow = 1.0 + rates[1, 0] * T
    lam, dlam = rates[0, 0] * (T / slow), rates[0, 0] / (slow * slow)
    first = answer(
        U, x[:n1], log_x[:n1], log_x[n1:], lam, dlam, rates[2, 0],
        p[n1:], work[VALUE, :n1], work[FORCE, :n1], work[SPEED, :n1],
    ) / max(lam, 1.0)  # fmt: skip
    slow = 1.0 + rates[1, 1] * T
    lam, dlam = rates[0, 1] * (T / slow), rates[0, 1] / (slow * slow)
    second = answer(
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
    rows(U, x[:n1], p[n1:], v[:n1], lam, rates[2, 0], 0, n1, J[PLAIN], W)
    lam = rates[0, 1] * (T / (1.0 + rates[1, 1] * T))
    rows(V, x[n1:], p[:n1], v[n1:], lam, rates[2, 1], n1, 0, J[PLAIN], W)
    J[FACTORS] = J[PLAIN]
    return factor(J[FACTORS], pivots[FACTORS])


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
        substitute(J[FACTORS], pivots[FACTORS], step)
        norm, most = length(work[X], step)
        first = norm if it == 0 else first
        if not norm <= (_FIRST if it == 0 else max(_CONTRACTION * last, 1e-9)):
            return False, first
        log_x += step
        if landing and norm <= 1e-6 and most <= 1e-4:
            _evaluate(U, V, T, rates, work)  # once more with the same factors: now to rounding
            step[:] = -work[FORCE]
            substitute(J[FACTORS], pivots[FACTORS], step)
            norm, most = length(work[X], step)
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
def _predict(d, work):
    """Write the second-order prediction at the distance d from the base to work[LOG_X]."""
    for a in range(work.shape[1]):
        change = work[TANGENT, a] + 0.5 * d * work[BEND, a]
        work[LOG_X, a] = work[BASE, a] + d * change


@njit(cache=True, nogil=True)
def _advance(d, work, J, pivots):
    """Make the corrected point the base, work[NEW] its tangent, and the last factors its own."""
    work[BEND] = (work[NEW] - work[TANGENT]) / d
    work[TANGENT], work[BASE] = work[NEW], work[LOG_X]
    J[BASIS], pivots[BASIS] = J[FACTORS], pivots[FACTORS]


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
    d = 1.0 / math.sqrt(1.0 + length(work[X], work[TANGENT])[0] ** 2)
    refusals = 0
    for _ in range(_STEPS):
        landing = T + 1.1 * d >= T_end
        d = T_end - T if landing else d
        _predict(d, work)
        good, first = _correct(U, V, T + d, rates, landing, work, J, pivots, W)
        change = change_of(work[X], J, pivots, work[NEW]) if good else 0.0
        if not change <= _STEADY:
            d *= max(0.8 * _STEADY / change, 0.1)
            continue
        cosine = 1.0
        if good and not landing:
            work[NEW] = work[SPEED]
            substitute(J[FACTORS], pivots[FACTORS], work[NEW])
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
        _advance(d, work, J, pivots)
        T += d
        steady = 0.8 * _STEADY / max(change, 1e-9)  # no change where payoffs do not interact
        d *= min(max((_TARGET / max(first, 1e-9)) ** (1.0 / 3.0), 0.3), 3.0, steady)
    return DOUBTFUL
