"""The Jacobian of the equilibrium system as a dense matrix on the actions that matter."""

from __future__ import annotations

import numpy as np
from numba import njit

from rqe._kernels.adversary import _FAST, assign
from rqe._kernels.dense import add_product
from rqe._kernels.system import (
    FROZEN,
    INV,
    LAM,
    MANY,
    MOFF,
    OFF,
    SHAPE,
    SIDE,
    SPREAD,
    TABLE,
    TAU,
    VW,
    WEIGHT,
    X,
    first_half,
    payoff_matrix,
    span,
    star,
)

_FEW = 8  # actions below which BLAS does not pay
_CHUNK = 256  # joint actions of the others taken at a time in the products of the risk block


@njit(cache=True, nogil=True, fastmath=_FAST)
def group_marginals(layout, i, start, stop, y, at, size, buffer, out):
    """Write the marginals of y[at : at + size] on the actions of players start:stop but i to out.

    y: over their joint actions, first player slowest; buffer: (size,); out: (n,).
    """
    for r in range(size):
        buffer[r] = y[at + r]
    for j in range(start, stop):
        if j == i:
            continue
        n_j, base, s = layout[SHAPE, j], layout[OFF, j], 0.0
        size //= n_j
        for r in range(size):
            s += buffer[r]
        out[base] = s
        for b in range(1, n_j):
            s = 0.0
            for r in range(size):
                y_r = buffer[b * size + r]
                s += y_r
                buffer[r] += y_r
            out[base + b] = s


@njit(cache=True, nogil=True)
def both_marginals(problem, state, i, y, lo, hi, out):
    """Write the marginals on each other player's actions, given those on both halves, to out.

    y[lo:hi] holds the first half's, then the second's.
    """
    n_players, many = problem.rates.shape[1], problem.layout[MANY, i]
    start, stop = first_half(n_players, i)
    buffer = state.scratch[0]
    group_marginals(problem.layout, i, start, stop, y, lo, many, buffer, out)
    group_marginals(problem.layout, i, stop, n_players, y, lo + many, hi - lo - many, buffer, out)


@njit(cache=True, nogil=True, inline="always")
def find_active(problem, state, threshold):
    """Mark the actions whose probability, to anyone, exceeds the threshold; return their indices.

    An action counts if its own strategy or some adversary's marginal gives it weight; its own
    weight is magnified by the player's spread, with which his adversary reacts to it.
    """
    n_players = problem.rates.shape[1]
    for i in range(n_players):
        lo, hi = span(problem, OFF, i)
        least = threshold / max(1.0, state.player[SPREAD, i])
        for a in range(lo, hi):
            state.active[a] = state.vec[X, a] > least
    for i in range(n_players):
        if problem.layout[FROZEN, i]:
            state.active[problem.layout[OFF, i] : problem.layout[OFF, i + 1]] = False
        elif state.player[TAU, i] > 0.0:
            _mark_feared(problem, state, i, threshold)
    return np.nonzero(state.active)[0]


@njit(cache=True, nogil=True, inline="always")
def _mark_feared(problem, state, i, threshold):
    """Mark the others' actions to which the adversary of player i gives more than the threshold."""
    n_players, marginal = problem.rates.shape[1], state.scratch[1]
    if n_players == 2:
        (lo, hi), (first, last) = span(problem, MOFF, i), span(problem, OFF, 1 - i)
        assign(marginal[first:last], state.p[lo:hi])
    else:
        lo, hi = span(problem, SIDE, i)
        both_marginals(problem, state, i, state.side, lo, hi, marginal)
    for j in range(n_players):
        if j != i and not problem.layout[FROZEN, j]:
            for b in range(problem.layout[OFF, j], problem.layout[OFF, j + 1]):
                state.active[b] = state.active[b] or marginal[b] > threshold


@njit(cache=True, nogil=True, fastmath=_FAST)
def _small_products(U, w, act, first, base, pivot, scratch, cov):
    """Write ``sum_k w_k (U_rk - U_rp) (U_sk - U_sp)`` to cov, p the pivot; rows from act[first]."""
    y = scratch[0, : w.size]
    for r in range(cov.shape[0]):
        row = U[act[first + r] - base]
        shift = row[pivot]
        for k in range(w.size):
            y[k] = w[k] * (row[k] - shift)
        for s in range(r + 1):
            other, total = U[act[first + s] - base], 0.0
            shift = other[pivot]
            for k in range(w.size):
                total += y[k] * (other[k] - shift)
            cov[r, s] = cov[s, r] = total


@njit(cache=True, nogil=True, fastmath=_FAST)
def _large_products(U, w, act, first, base, pivot, cov):
    """Add the same to cov by matrix products, some joint actions of the others at a time."""
    size, wide = cov.shape[0], min(_CHUNK, w.size)
    shifted, weighted = np.empty((size, wide)), np.empty((size, wide))
    for start in range(0, w.size, wide):
        used = min(wide, w.size - start)
        for r in range(size):
            row = U[act[first + r] - base]
            shift, y, z = row[pivot], shifted[r], weighted[r]
            for k in range(used):
                y[k] = row[start + k] - shift
                z[k] = w[start + k] * y[k]
        add_product(1.0, weighted[:, :used], shifted[:, :used], True, cov)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _own_block(problem, state, i, act, first, last, lead, J):
    """Add the risk block ``-spread Cov_w(U_a, U_b) x_b`` of player i's active actions to J.

    Its rows and columns are lead + first : lead + last.
    """
    (lo, hi), size = span(problem, MOFF, i), last - first
    U, w = payoff_matrix(problem, i), state.w[lo:hi]
    pivot, base, spread = star(state, i), problem.layout[OFF, i], state.player[SPREAD, i]
    cov = np.zeros((size, size))
    if size < _FEW:
        _small_products(U, w, act, first, base, pivot, state.scratch, cov)
    else:
        _large_products(U, w, act, first, base, pivot, cov)
    for r in range(size):
        a = act[first + r]
        above = state.vec[VW, a] - U[a - base, pivot]
        row = J[lead + first + r, lead + first : lead + last]
        for s in range(size):
            b = act[first + s]
            c = cov[r, s] - above * (state.vec[VW, b] - U[b - base, pivot])
            row[s] -= spread * c * state.vec[X, b]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _cross_rows(problem, state, i, act, first, last, lead, J):
    """Write dv_a / dlog_x_b of the others' actions b into rows lead + first : lead + last of J."""
    size, n = act.size, state.active.size
    mass, marginal = state.scratch[1, :n], state.scratch[2, :n]
    (lo, hi), (base, _) = span(problem, SIDE, i), span(problem, TABLE, i)
    both_marginals(problem, state, i, state.side, lo, hi, mass)
    for r in range(first, last):
        a, row = act[r], J[lead + r, lead : lead + size]
        at = base + (a - problem.layout[OFF, i]) * (hi - lo)
        both_marginals(problem, state, i, state.table, at, at + hi - lo, marginal)
        value = state.vec[VW, a]
        for s in range(size):
            row[s] = marginal[act[s]] - value * mass[act[s]]
        for s in range(first, last):
            row[s] = 0.0


@njit(cache=True, nogil=True, fastmath=_FAST)
def _cross_rows_of_two(problem, state, i, act, first, last, lead, J):
    """Write the same in a game of two players."""
    lo, hi = span(problem, MOFF, i)
    U, p, base = payoff_matrix(problem, i), state.p[lo:hi], problem.layout[OFF, 1 - i]
    start, stop = (0, first) if i == 1 else (last, act.size)
    whole = stop - start == p.size
    for r in range(first, last):
        own, value = U[act[r] - problem.layout[OFF, i]], state.vec[VW, act[r]]
        J[lead + r, lead + first : lead + last] = 0.0
        row = J[lead + r, lead + start : lead + stop]
        if whole:
            for b in range(p.size):
                row[b] = p[b] * (own[b] - value)
        else:
            for s in range(stop - start):
                b = act[start + s] - base
                row[s] = p[b] * (own[b] - value)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _centre_columns(problem, state, act, first, last, lead, J):
    """Make rows of J blind to shifts of any player's logits: J_b - x_b sum J.

    Shifts are no change of strategy; rounding would make them one when lam is large.
    """
    start, size = 0, act.size
    for j in range(problem.rates.shape[1]):
        stop, mass = start, 0.0
        while stop < size and act[stop] < problem.layout[OFF, j + 1]:
            mass += state.vec[X, act[stop]]
            stop += 1
        for r in range(first, last):
            row, total = J[lead + r, lead + start : lead + stop], 0.0
            for s in range(stop - start):
                total += row[s]
            for s in range(stop - start):
                row[s] -= state.vec[X, act[start + s]] / mass * total
        start = stop


@njit(cache=True, nogil=True, fastmath=_FAST)
def _project_rows(problem, state, i, act, first, last, lead, J):
    """Turn rows of dv into rows of the Jacobian: I - inv lam (row - weighted mean of the rows)."""
    size = act.size
    mean = state.scratch[1, :size]
    mean[:] = 0.0
    for r in range(first, last):
        row, weight = J[lead + r, lead : lead + size], state.vec[WEIGHT, act[r]]
        for s in range(size):
            mean[s] += weight * row[s]
    for r in range(first, last):
        row = J[lead + r, lead : lead + size]
        scale = state.vec[INV, act[r]] * state.player[LAM, i]
        for s in range(size):
            row[s] = scale * (mean[s] - row[s])
        row[r] += 1.0


@njit(cache=True, nogil=True, inline="always")
def assemble(problem, state, act, lead, J):
    """Write the Jacobian on the active actions to J[lead : lead + r, lead : lead + r].

    act: (r,) indices, sorted. Two risk-neutral players: the diagonal blocks are the identity.
    """
    first = problem.layout[OFF, 0]  # 0, but no literal: those are compiled apart
    for i in range(problem.rates.shape[1]):
        last = first
        while last < act.size and act[last] < problem.layout[OFF, i + 1]:
            last += 1
        if last == first:
            continue
        if problem.rates.shape[1] == 2:
            _cross_rows_of_two(problem, state, i, act, first, last, lead, J)
        else:
            _cross_rows(problem, state, i, act, first, last, lead, J)
        if state.player[SPREAD, i] > 0.0:
            _own_block(problem, state, i, act, first, last, lead, J)
            _centre_columns(problem, state, act, first, last, lead, J)
        _project_rows(problem, state, i, act, first, last, lead, J)
        first = last
