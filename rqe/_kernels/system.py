"""The equilibrium system: its value, its Jacobian as an operator and as a dense matrix.

Unknown: ``log_x``, with ``sum_a x_i(a) = 1``, at precision ``lam_i = 1/eps_i``. Equation of
player i:

    F_i = r(log_x_i) - lam_i v_i - const = 0,   r = log x (entropy) or -1/x (log barrier),

with the constant eliminated by the weights ``omega ~ x / r'``; then every solution of the linear
system keeps ``sum_a x_i(a) dlog_x_i(a) = 0``, the tangent space of the simplex.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
from numba import njit

from rqe._kernels.adversary import (
    _FAST,
    assign,
    exp_into,
    matvec,
    matvec_t,
    outer_product,
    outer_sum,
    reverse_adversary,
    split_joint,
    split_product,
)

# Few arrays with many rows: records are passed by value, and every array in one costs ten words.
# u: payoffs. layout: (8, N + 1) int64, rows below. rates: (3, N), rows below: precision
# lam_i(T) = slope_i T / (1 + delay_i T); with over_tau lam_i = slope_i and tau_i(T) = tau_i T.
# FROZEN marks players whose strategy is given. reverse, barrier: penalty and regularizer.
# With three players or more the others of player i are cut into halves, in player order, the first
# one with MANY joint actions; SIDE, TABLE: offsets into the arrays below.
Problem = namedtuple("Problem", "u layout rates over_tau reverse barrier")
OFF, MOFF, UOFF, SHAPE, FROZEN, MANY, SIDE, TABLE = 0, 1, 2, 3, 4, 5, 6, 7
SLOPE, DELAY, RISK = 0, 1, 2
# vec: (7, n), rows below, with VW = U w, WEIGHT = omega, INV = 1 / r', FORCE = F. p, w: (sum m_i,),
# one array for kl; p of a risk-neutral player is not written. player: (6, N), rows below, SPREAD =
# tau * omega of the adversary. active: (n,), the actions inside the linear system. scratch:
# (3, max m_i). side: per player the marginals of p on his two halves of the others (first half,
# then the rest); table: per player and own action the same marginals of p U.
State = namedtuple("State", "vec p w player active scratch side table")
LOG_X, X, V, VW, WEIGHT, INV, FORCE = 0, 1, 2, 3, 4, 5, 6
SPREAD, RATIO, STAR, LAM, DLAM, TAU = 0, 1, 2, 3, 4, 5


@njit(cache=True, nogil=True)
def first_half(n_players, i):
    """Return the range of players (i himself left out) in the first half of the others of i."""
    half = (n_players - 1) // 2
    return 0, half + 1 if i < half else half


@njit(cache=True, nogil=True)
def new_problem(u, shape, slope, delay, tau, over_tau, frozen, reverse, barrier):
    """Return the Problem; slope, delay, tau, frozen: (N,), see above."""
    n_players, cells = shape.size, 1
    layout, rates = np.zeros((8, n_players + 1), np.int64), np.empty((3, n_players))
    for i in range(n_players):
        cells *= shape[i]
    for i in range(n_players):
        layout[OFF, i + 1] = layout[OFF, i] + shape[i]
        layout[MOFF, i + 1] = layout[MOFF, i] + cells // shape[i]
        layout[UOFF, i + 1] = layout[UOFF, i] + cells
        layout[SHAPE, i], layout[FROZEN, i] = shape[i], frozen[i]
        rates[SLOPE, i], rates[DELAY, i], rates[RISK, i] = slope[i], delay[i], tau[i]
        last, many = first_half(n_players, i)[1], 1
        for j in range(last):
            many *= 1 if j == i else shape[j]
        both = many + cells // shape[i] // many if n_players > 2 else 0
        layout[MANY, i] = many
        layout[SIDE, i + 1] = layout[SIDE, i] + both
        layout[TABLE, i + 1] = layout[TABLE, i] + shape[i] * both
    return Problem(u, layout, rates, over_tau, reverse, barrier)


@njit(cache=True, nogil=True)
def new_state(problem, log_x):
    """Return a State at ``log_x`` (copied); nothing else is computed yet."""
    n, n_players, widest = log_x.size, problem.rates.shape[1], 0
    for i in range(n_players):
        widest = max(widest, problem.layout[MOFF, i + 1] - problem.layout[MOFF, i])
    p = np.empty(problem.layout[MOFF, n_players])
    w = np.empty(p.size) if problem.reverse else p
    vec = np.zeros((7, n))
    for a in range(n):
        vec[LOG_X, a], vec[X, a] = log_x[a], math.exp(log_x[a])
    side = np.empty(problem.layout[SIDE, n_players])
    table = np.empty(problem.layout[TABLE, n_players])
    scratch = np.empty((3, max(widest + 1, n)))
    return State(vec, p, w, np.zeros((6, n_players)), np.ones(n, np.bool_), scratch, side, table)


@njit(cache=True, nogil=True)
def span(problem, row, i):
    """Return where player i starts and ends in a stacked array; row: OFF, MOFF, ..., TABLE."""
    return problem.layout[row, i], problem.layout[row, i + 1]


@njit(cache=True, nogil=True)
def payoff_matrix(problem, i):
    """Return U_i as a view: (n_i, m_i)."""
    (lo, hi), n = span(problem, UOFF, i), problem.layout[SHAPE, i]
    return problem.u[lo:hi].reshape(n, (hi - lo) // n)


@njit(cache=True, nogil=True)
def star(state, i):
    """Return the joint action to which player i's weights w are highest."""
    return np.int64(state.player[STAR, i])


@njit(cache=True, nogil=True, inline="always")
def _set_parameters(problem, state, T):
    """Write lam, dlam/dT and tau of every player at parameter T."""
    for i in range(problem.rates.shape[1]):
        if problem.over_tau:
            state.player[LAM, i], state.player[DLAM, i] = problem.rates[SLOPE, i], 0.0
            state.player[TAU, i] = problem.rates[RISK, i] * T
        else:
            slow = 1.0 + problem.rates[DELAY, i] * T
            state.player[LAM, i] = problem.rates[SLOPE, i] * (T / slow)
            state.player[DLAM, i] = problem.rates[SLOPE, i] / slow / slow
            state.player[TAU, i] = problem.rates[RISK, i]


@njit(cache=True, nogil=True)
def normalise(problem, log_x, x):
    """Shift ``log_x`` so that every player's probabilities sum to one; write x = exp(log_x)."""
    for i in range(problem.rates.shape[1]):
        lo, hi = span(problem, OFF, i)
        top = -np.inf
        for a in range(lo, hi):
            top = max(top, log_x[a])
        exp_into(log_x[lo:hi], top, x[lo:hi])
        total = 0.0
        for a in range(lo, hi):
            total += x[a]
        shift = top + math.log(total)
        for a in range(lo, hi):
            log_x[a] -= shift
            x[a] /= total


@njit(cache=True, nogil=True, fastmath=_FAST)
def _adversary(problem, state, i):
    """Write p_i, w_i, spread_i, ratio_i = omega_i and star_i at the current strategies."""
    lo, hi = span(problem, MOFF, i)
    p, tau, n_players = state.p[lo:hi], state.player[TAU, i], problem.rates.shape[1]
    state.player[SPREAD, i], state.player[RATIO, i], state.player[STAR, i] = 0.0, 1.0, 0
    if tau == 0.0 and not (problem.over_tau and problem.reverse):
        outer_product(state.vec[X], problem.layout, i, 0, n_players, p)
        if problem.reverse:
            assign(state.w[lo:hi], p)
        return
    log_q, g = state.scratch[0, : hi - lo], state.scratch[1, : hi - lo]
    outer_sum(state.vec[LOG_X], problem.layout, i, 0, n_players, log_q)
    first, last = span(problem, OFF, i)
    matvec_t(payoff_matrix(problem, i), state.vec[X, first:last], g)
    if problem.reverse:
        least = g.min()
        for k in range(g.size):
            g[k] = tau * (g[k] - least)
        ratio, best = reverse_adversary(log_q, g, p, state.w[lo:hi])
        state.player[SPREAD, i], state.player[RATIO, i] = tau * ratio, ratio
        state.player[STAR, i] = best
        return
    top = -np.inf
    for k in range(g.size):
        log_q[k] -= tau * g[k]
        top = max(top, log_q[k])
    exp_into(log_q, top, p)
    total, best = 0.0, 0
    for k in range(p.size):
        total += p[k]
    for k in range(p.size):
        p[k] /= total
    for k in range(p.size):
        best = k if p[k] > p[best] else best
    state.player[SPREAD, i], state.player[STAR, i] = tau, best


@njit(cache=True, nogil=True, inline="always")
def halves(problem, state, i):
    """Return player i's side and table, cut between the halves of the others, as views.

    Shapes (m_1,), (m_2,) and (n_i, m_1 + m_2), where m_1 m_2 = m_i.
    """
    (lo, hi), many = span(problem, SIDE, i), problem.layout[MANY, i]
    side, (first, last) = state.side[lo:hi], span(problem, TABLE, i)
    table = state.table[first:last].reshape(problem.layout[SHAPE, i], hi - lo)
    return side[:many], side[many:], table


@njit(cache=True, nogil=True, inline="always")
def _values(problem, state, i, v):
    """Write v_i: (n_i,), and for three players or more the side and table of player i."""
    lo, hi = span(problem, MOFF, i)
    U, n_players = payoff_matrix(problem, i), problem.rates.shape[1]
    if n_players == 2:
        _adversary(problem, state, i)
        matvec(U, state.p[lo:hi], v)
        return
    first, last, table = halves(problem, state, i)
    if state.player[TAU, i] == 0.0 and not problem.over_tau:
        state.player[SPREAD, i], state.player[RATIO, i], state.player[STAR, i] = 0.0, 1.0, 0
        start, stop = first_half(n_players, i)
        outer_product(state.vec[X], problem.layout, i, start, stop, first)
        outer_product(state.vec[X], problem.layout, i, stop, n_players, last)
        split_product(U, first, last, table, v)
    else:
        _adversary(problem, state, i)
        split_joint(U, state.p[lo:hi], first, last, table, v)


@njit(cache=True, nogil=True)
def evaluate(problem, state, T):
    """Write x, p, v, F and weights at ``log_x`` and parameter T; return the residual.

    ``log_x`` is normalised in place, and the logits of inactive actions (those whose probability
    cannot matter to anyone) are set to their exact response. The residual is
    ``max |F| / max(lam, 1)``, in units of the payoff range.
    """
    _set_parameters(problem, state, T)
    normalise(problem, state.vec[LOG_X], state.vec[X])
    residual = 0.0
    for i in range(problem.rates.shape[1]):
        lo, hi = span(problem, OFF, i)
        if problem.layout[FROZEN, i]:
            state.vec[FORCE, lo:hi] = 0.0
            continue
        _values(problem, state, i, state.vec[V, lo:hi])
        if problem.reverse and state.player[SPREAD, i] > 0.0:
            first, last = span(problem, MOFF, i)
            matvec(payoff_matrix(problem, i), state.w[first:last], state.vec[VW, lo:hi])
        else:
            assign(state.vec[VW, lo:hi], state.vec[V, lo:hi])
        residual = max(residual, _force(problem, state, lo, hi, state.player[LAM, i]))
    return residual


@njit(cache=True, nogil=True, inline="always")
def _force(problem, state, lo, hi, lam):
    """Write weight, inv = 1/r' and F of one player; answer inactive actions; return residual."""
    total = 0.0
    for a in range(lo, hi):
        state.vec[INV, a] = state.vec[X, a] if problem.barrier else 1.0
        state.vec[WEIGHT, a] = state.vec[X, a] * state.vec[INV, a]
        total += state.vec[WEIGHT, a]
    mean = 0.0
    for a in range(lo, hi):
        state.vec[WEIGHT, a] /= total
        r = -1.0 / max(state.vec[X, a], 1e-300) if problem.barrier else state.vec[LOG_X, a]
        state.vec[FORCE, a] = r - lam * state.vec[V, a]
        mean += state.vec[WEIGHT, a] * state.vec[FORCE, a] if state.vec[WEIGHT, a] > 0.0 else 0.0
    again = 0.0  # the mean of the centred force is its rounding, which lam has magnified
    for a in range(lo, hi):
        state.vec[FORCE, a] -= mean
        again += state.vec[WEIGHT, a] * state.vec[FORCE, a] if state.vec[WEIGHT, a] > 0.0 else 0.0
    worst, rare = 0.0, -7.0 - math.log(max(lam, 1.0))
    for a in range(lo, hi):
        state.vec[FORCE, a] -= again
        if not state.active[a]:
            answer = state.vec[LOG_X, a] - state.vec[FORCE, a]
            if problem.barrier:
                answer = -math.log(max(-(mean + lam * state.vec[V, a]), 1e-300))
            if state.vec[LOG_X, a] < rare:
                moved = abs(state.vec[LOG_X, a] - min(answer, -1.0))
                worst = max(
                    worst, lam * state.vec[X, a] * moved
                )  # the others see it only next time
                state.vec[LOG_X, a], state.vec[FORCE, a] = min(answer, -1.0), 0.0
                worst = worst if answer < rare else max(worst, lam)  # no longer rare: go on
        worst = max(worst, abs(state.vec[FORCE, a]))
    return worst / max(lam, 1.0)


@njit(cache=True, nogil=True, fastmath=_FAST)
def payoff_slope(problem, state, i, dlog_x, dv):
    """Write dv_i for a change dlog_x of all strategies; dlog_x: (n,), dv: (n_i,)."""
    lo, hi = span(problem, MOFF, i)
    first, last = span(problem, OFF, i)
    n_players, total = problem.rates.shape[1], 0.0
    if n_players == 2:
        p, t = state.p[lo:hi], state.scratch[0, : hi - lo]
        base = problem.layout[OFF, 1 - i]
        for k in range(p.size):
            t[k] = p[k] * dlog_x[base + k]
            total += t[k]
        matvec(payoff_matrix(problem, i), t, dv)
    else:
        left, right, table = halves(problem, state, i)
        start, stop = first_half(n_players, i)
        t = state.scratch[0, : left.size + right.size]
        outer_sum(dlog_x, problem.layout, i, start, stop, t[: left.size])
        outer_sum(dlog_x, problem.layout, i, stop, n_players, t[left.size :])
        for k in range(left.size):
            total += left[k] * t[k]
        for k in range(right.size):
            total += right[k] * t[left.size + k]
        matvec(table, t, dv)
    for a in range(dv.size):
        dv[a] -= total * state.vec[VW, first + a]
    if state.player[SPREAD, i] > 0.0:
        _add_own_slope(problem, state, i, dlog_x[first:last], dv)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _add_own_slope(problem, state, i, dlog_x, dv):
    """Add to dv_i what the adversary's reaction to a change of player i's own strategy does."""
    (lo, hi), (first, last) = span(problem, MOFF, i), span(problem, OFF, i)
    w, U = state.w[lo:hi], payoff_matrix(problem, i)
    y, change = state.scratch[1, : hi - lo], state.scratch[0, : dv.size]
    matvec_t(U, state.vec[X, first:last] * dlog_x, y)
    pivot, spread, total = y[star(state, i)], state.player[SPREAD, i], 0.0
    for k in range(w.size):
        y[k] = spread * (w[k] * (y[k] - pivot))
        total += y[k]
    matvec(U, y, change)
    for a in range(dv.size):
        dv[a] -= change[a] - total * state.vec[VW, first + a]


@njit(cache=True, nogil=True)
def project(problem, state, i, scale, dv, out):
    """Write ``inv * scale * (dv - <weight, dv>)`` of player i into out: (n_i,) each."""
    lo, hi = span(problem, OFF, i)
    mean = 0.0
    for a in range(lo, hi):
        mean += state.vec[WEIGHT, a] * dv[a - lo]
    for a in range(lo, hi):
        out[a - lo] = state.vec[INV, a] * scale * (dv[a - lo] - mean)


@njit(cache=True, nogil=True)
def parameter_slope(problem, state, out):
    """Write ``-(dF/dT)`` scaled as the rows are, i.e. the fixed-point map's slope in T: (n,)."""
    out[:] = 0.0
    for i in range(problem.rates.shape[1]):
        if problem.layout[FROZEN, i]:
            continue
        lo, hi = span(problem, OFF, i)
        if not problem.over_tau:
            project(problem, state, i, state.player[DLAM, i], state.vec[V, lo:hi], out[lo:hi])
            continue
        first, last = span(problem, MOFF, i)
        U, w = payoff_matrix(problem, i), state.w[first:last]
        g = state.scratch[1, : last - first]
        matvec_t(U, state.vec[X, lo:hi], g)
        pivot = g[star(state, i)]
        total = 0.0
        for k in range(g.size):
            g[k] = w[k] * (g[k] - pivot)
            total += g[k]
        dv = np.empty(hi - lo)
        matvec(U, g, dv)
        for a in range(hi - lo):
            dv[a] -= total * state.vec[VW, lo + a]
        scale = -state.player[LAM, i] * problem.rates[RISK, i] * state.player[RATIO, i]
        project(problem, state, i, scale, dv, out[lo:hi])


@njit(cache=True, nogil=True)
def apply_jacobian(problem, state, dlog_x, out):
    """Write ``J dlog_x = dlog_x - inv lam (dv - mean)`` to out; both (n,)."""
    centred = dlog_x.copy()  # a shift of a player's logits is no change of strategy
    for i in range(problem.rates.shape[1]):
        lo, hi = span(problem, OFF, i)
        shift = 0.0
        for a in range(lo, hi):
            shift += state.vec[X, a] * dlog_x[a]
        for a in range(lo, hi):
            centred[a] -= shift
    for i in range(problem.rates.shape[1]):
        lo, hi = span(problem, OFF, i)
        if problem.layout[FROZEN, i]:
            assign(out[lo:hi], dlog_x[lo:hi])
            continue
        dv = state.scratch[2, : hi - lo]
        payoff_slope(problem, state, i, centred, dv)
        project(problem, state, i, state.player[LAM, i], dv, out[lo:hi])
        for a in range(lo, hi):
            out[a] = dlog_x[a] - out[a]
