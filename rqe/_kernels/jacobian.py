"""The Jacobian of the equilibrium system as a dense matrix on the actions that matter."""

from __future__ import annotations

import numpy as np
from numba import njit

from rqe._kernels.adversary import _FAST
from rqe._kernels.system import (
    FROZEN,
    INV,
    LAM,
    MOFF,
    OFF,
    SHAPE,
    SPREAD,
    TAU,
    VW,
    WEIGHT,
    X,
    payoff_matrix,
    span,
    star,
)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _marginals(problem, i, y, buffer, out):
    """Write the marginals of y (m_i,) on each other player's actions to out: (n,)."""
    size = y.size
    source = y
    for j in range(problem.rates.shape[1]):
        if j == i:
            continue
        n_j = problem.layout[SHAPE, j]
        size //= n_j
        for r in range(size):
            buffer[r] = source[r]
        out[problem.layout[OFF, j]] = _total(source, 0, size)
        for b in range(1, n_j):
            base, s = b * size, 0.0
            for r in range(size):
                s += source[base + r]
                buffer[r] += source[base + r]
            out[problem.layout[OFF, j] + b] = s
        source = buffer


@njit(cache=True, nogil=True, fastmath=_FAST)
def _total(y, start, size):
    """Return the sum of y[start : start + size]."""
    s = 0.0
    for r in range(size):
        s += y[start + r]
    return s


@njit(cache=True, nogil=True)
def find_active(problem, state, threshold):
    """Mark the actions whose probability, to anyone, exceeds the threshold; return their indices.

    An action counts if its own strategy or some adversary's marginal gives it weight; its own
    weight is magnified by the player's spread, with which his adversary reacts to it.
    """
    n, n_players = state.vec[X].size, problem.rates.shape[1]
    for i in range(n_players):
        lo, hi = span(problem, OFF, i)
        least = threshold / max(1.0, state.player[SPREAD, i])
        for a in range(lo, hi):
            state.active[a] = state.vec[X, a] > least
    marginal, buffer = np.empty(n), state.scratch[0]
    for i in range(n_players):
        if problem.layout[FROZEN, i]:
            state.active[problem.layout[OFF, i] : problem.layout[OFF, i + 1]] = False
        elif state.player[TAU, i] > 0.0:
            lo, hi = span(problem, MOFF, i)
            _marginals(problem, i, state.p[lo:hi], buffer, marginal)
            for j in range(n_players):
                if j != i and not problem.layout[FROZEN, j]:
                    for b in range(problem.layout[OFF, j], problem.layout[OFF, j + 1]):
                        state.active[b] = state.active[b] or marginal[b] > threshold
    return np.nonzero(state.active)[0]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _own_block(problem, state, i, act, first, last, J):
    """Add the risk block ``-spread Cov_w(U_a, U_b) x_b`` to rows and columns first:last of J."""
    lo, hi = span(problem, MOFF, i)
    U, w = payoff_matrix(problem, i), state.w[lo:hi]
    y, pivot, base = state.scratch[0, : hi - lo], star(state, i), problem.layout[OFF, i]
    cov = np.empty(last - first)
    for r in range(first, last):
        row, a = U[act[r] - base], act[r]
        shift, total = row[pivot], 0.0
        for k in range(y.size):
            y[k] = w[k] * (row[k] - shift)
            total += y[k]
        matvec_rows(U, act, first, r + 1, base, y, cov)
        for s in range(first, r + 1):
            b = act[s]
            other = U[b - base, pivot]
            c = cov[s - first] - other * total
            c -= (state.vec[VW, a] - shift) * (state.vec[VW, b] - other)
            J[r, s] -= state.player[SPREAD, i] * c * state.vec[X, b]
            if s != r:
                J[s, r] -= state.player[SPREAD, i] * c * state.vec[X, a]


@njit(cache=True, nogil=True, fastmath=_FAST)
def matvec_rows(U, act, first, last, base, y, out):
    """Write <U[act[r] - base], y> for r in first:last to out[r - first]."""
    r = first
    while r + 4 <= last:
        r0, r1 = U[act[r] - base], U[act[r + 1] - base]
        r2, r3 = U[act[r + 2] - base], U[act[r + 3] - base]
        s0 = s1 = s2 = s3 = 0.0
        for k in range(y.size):
            s0 += r0[k] * y[k]
            s1 += r1[k] * y[k]
            s2 += r2[k] * y[k]
            s3 += r3[k] * y[k]
        out[r - first], out[r + 1 - first] = s0, s1
        out[r + 2 - first], out[r + 3 - first] = s2, s3
        r += 4
    while r < last:
        row, s0 = U[act[r] - base], 0.0
        for k in range(y.size):
            s0 += row[k] * y[k]
        out[r - first] = s0
        r += 1


@njit(cache=True, nogil=True, fastmath=_FAST)
def _cross_rows(problem, state, i, act, first, last, J):
    """Write dv_a / dlog_x_b of the others' actions b into rows first:last of J."""
    lo, hi = span(problem, MOFF, i)
    U, p, n = payoff_matrix(problem, i), state.p[lo:hi], state.vec[X].size
    y, buffer = state.scratch[0, : hi - lo], state.scratch[1, : hi - lo]
    mass, marginal = np.zeros(n), np.zeros(n)
    two, size = problem.rates.shape[1] == 2, act.size
    _marginals(problem, i, p, buffer, mass)
    for r in range(first, last):
        row, a = U[act[r] - problem.layout[OFF, i]], act[r]
        if two:
            base = problem.layout[OFF, 1 - i]
            for s in range(size):
                if s < first or s >= last:
                    b = act[s] - base
                    J[r, s] = p[b] * (row[b] - state.vec[VW, a])
            continue
        for k in range(y.size):
            y[k] = p[k] * row[k]
        _marginals(problem, i, y, buffer, marginal)
        for s in range(size):
            if s < first or s >= last:
                J[r, s] = marginal[act[s]] - state.vec[VW, a] * mass[act[s]]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _centre_columns(problem, state, act, first, last, J):
    """Make rows first:last of J blind to shifts of any player's logits: J_b - x_b sum J.

    Shifts are no change of strategy; rounding would make them one when lam is large.
    """
    start, size = 0, act.size
    for j in range(problem.rates.shape[1]):
        stop, mass = start, 0.0
        while stop < size and act[stop] < problem.layout[OFF, j + 1]:
            mass += state.vec[X, act[stop]]
            stop += 1
        for r in range(first, last):
            total = 0.0
            for s in range(start, stop):
                total += J[r, s]
            for s in range(start, stop):
                J[r, s] -= state.vec[X, act[s]] / mass * total
        start = stop


@njit(cache=True, nogil=True, fastmath=_FAST)
def assemble(problem, state, act, J):
    """Write the Jacobian on the active actions to J[:r, :r]; act: (r,) indices, sorted."""
    size = act.size
    J[:size, :size] = 0.0
    mean = np.empty(size)
    first = 0
    for i in range(problem.rates.shape[1]):
        last = first
        while last < size and act[last] < problem.layout[OFF, i + 1]:
            last += 1
        if last == first:
            continue
        _cross_rows(problem, state, i, act, first, last, J)
        if state.player[SPREAD, i] > 0.0:
            _own_block(problem, state, i, act, first, last, J)
            _centre_columns(problem, state, act, first, last, J)
        mean[:] = 0.0
        for r in range(first, last):
            for s in range(size):
                mean[s] += state.vec[WEIGHT, act[r]] * J[r, s]
        for r in range(first, last):
            scale = state.vec[INV, act[r]] * state.player[LAM, i]
            for s in range(size):
                J[r, s] = scale * (mean[s] - J[r, s])
            J[r, r] += 1.0
        first = last
