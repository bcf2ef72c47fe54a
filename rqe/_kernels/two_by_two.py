"""2x2 games whose equilibrium is proved to be unique, by damped Newton's method.

For KL and entropy. In the coordinates ``d = log x(1) / x(2)`` the adversary only translates:
``logit p = d_other - tau (g_1 - g_2)``, whence ``|dd_1 / dd_2| <= lam_1 |b_1| / 4`` for every tau,
with ``b`` the second difference of U. Where ``b_1 b_2 <= 0`` or ``lam_1 |b_1| lam_2 |b_2| < 16``
the equilibrium is therefore unique, at this and all smaller precisions, the determinant of the
Jacobian is positive everywhere, and any way of finding the equilibrium finds the principal one.
"""

from __future__ import annotations

import math

from numba import njit

FOUND, DOUBTFUL = 0, 1


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
def two_by_two(u, tau, eps, log_x):
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
