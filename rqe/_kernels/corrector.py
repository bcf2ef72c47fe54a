"""Newton's method on the equilibrium system bordered by one more row: step, solve, correct."""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
from numba import njit

from rqe._kernels.jacobian import assemble, find_active
from rqe._kernels.linear import gmres, lu_factor, lu_solve
from rqe._kernels.system import (
    FORCE,
    FROZEN,
    INV,
    LAM,
    LOG_X,
    OFF,
    SPREAD,
    TAU,
    X,
    evaluate,
    parameter_slope,
    span,
)

# Indices into the integer statistics that the kernels return.
STEPS, EVALUATIONS, TURNS, BIFURCATIONS, REJECTED = 0, 1, 2, 3, 4
# For the solver's own use: whether the last system was factored, whether all are from now on
# (GMRES has failed, or folds are near), and steps taken without seeing the orientation.
FACTORED, DOUBTED, UNSEEN = 5, 6, 7

_DENSE_MOST = 1600  # active actions up to which a system may be factored when GMRES has failed
_RARE = 1e-4  # probabilities below _RARE / lam stay out of the linear systems (they follow exactly)
_GOAL = 2e-15  # residual that ends a tight correction, unless it stagnates sooner

# A, pivots: dense bordered factors; column, border, rhs: (n + 1,) work arrays.
Solver = namedtuple("Solver", "A pivots column border rhs limit krylov stats")


@njit(cache=True, nogil=True)
def new_solver(n, limit):
    """Return the work arrays for n unknowns, dense up to ``limit`` active ones."""
    size = min(n, max(limit, _DENSE_MOST)) + 1
    return Solver(
        np.empty((size, size)), np.empty(size, np.int64), np.zeros(n + 1), np.zeros(n + 1),
        np.zeros(n + 1), limit, 80, np.zeros(8, np.int64),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def solve_bordered(problem, state, solver, step, tolerance):
    """Solve ``[J, -column; border] step = rhs``; return (sign of the determinant, active set).

    step: (n + 1,), written. The sign is 0 when it was not computed (GMRES) or det = 0.
    """
    n = state.active.size
    act = find_active(problem, state, _RARE / max(1.0, state.player[LAM].max()))
    r, largest = act.size, solver.A.shape[0] - 1
    if r > largest or (r > solver.limit and solver.stats[DOUBTED] == 0):
        for i in range(problem.rates.shape[1]):
            lo, hi = span(problem, OFF, i)
            state.active[lo:hi] = problem.layout[FROZEN, i] == 0
        found, error = gmres(
            problem, state, solver.column[:n], solver.border[:n], solver.border[n],
            solver.rhs, tolerance, min(solver.krylov, n + 1),
        )  # fmt: skip
        if error <= 10.0 * tolerance or r > largest:
            step[:] = found
            solver.stats[FACTORED] = 0
            return 0.0, act
        solver.stats[DOUBTED] = 1
        act = find_active(problem, state, _RARE / max(1.0, state.player[LAM].max()))
    solver.stats[FACTORED] = 1
    A = solver.A[: r + 1, : r + 1]
    assemble(problem, state, act, A)
    for k in range(r):
        A[k, r] = -solver.column[act[k]]
        A[r, k] = solver.border[act[k]]
    A[r, r] = solver.border[n]
    sign = lu_factor(A, solver.pivots[: r + 1])
    if sign == 0.0:
        step[:] = np.nan  # singular: no step, which the corrector refuses
    else:
        resolve(solver, act, step)
    return sign, act


@njit(cache=True, nogil=True)
def resolve(solver, act, step):
    """Solve again with the factors at hand and the present rhs; step: (n + 1,), written."""
    r, n = act.size, step.size - 1
    b = np.empty(r + 1)
    for k in range(r):
        b[k] = solver.rhs[act[k]]
    b[r] = solver.rhs[n]
    lu_solve(solver.A[: r + 1, : r + 1], solver.pivots[: r + 1], b)
    step[:] = 0.0
    for k in range(r):
        step[act[k]] = b[k]
    step[n] = b[r]


@njit(cache=True, nogil=True)
def length(state, T, step):
    """Return the Fisher length of a step (n + 1,) at the state's strategies."""
    n = state.active.size
    s = (step[n] / (1.0 + T)) ** 2
    for a in range(n):
        s += state.vec[X, a] * step[a] * step[a]
    return math.sqrt(s)


@njit(cache=True, nogil=True)
def settled(state, residual, before):
    """Return whether Newton's method has come as far as rounding lets it.

    Rounding of x enters the adversary multiplied by tau, hence the residual that may stagnate.
    """
    floor = 1e-12 + 1e-15 * max(state.player[TAU].max(), min(state.player[SPREAD].max(), 3e4))
    return residual <= _GOAL or (residual <= floor and residual > 0.3 * before)


@njit(cache=True, nogil=True)
def correct(problem, state, solver, T, tight, most, cap, step):
    """Newton's corrector on the bordered system from ``log_x``; both are moved.

    Returns (converged, T, length of the first step, determinant's sign, its active set). ``tight``
    asks for a residual at rounding level, else a short step, or a clear contraction to one below
    1e-2, suffices.
    """
    n, first, last, before = state.active.size, 0.0, np.inf, np.inf
    sign, act = 0.0, np.empty(0, np.int64)
    for it in range(most):
        residual = evaluate(problem, state, T)
        solver.stats[EVALUATIONS] += 1
        if not residual < 1e300:
            return False, T, first, sign, act
        if it > 0 and tight:
            if settled(state, residual, before):
                return True, T, first, sign, act
        before = residual
        parameter_slope(problem, state, solver.column[:n])
        for a in range(n):
            solver.rhs[a] = -state.vec[INV, a] * state.vec[FORCE, a]
        solver.rhs[n] = 0.0
        sign, act = solve_bordered(problem, state, solver, step, 1e-3 if tight else 1e-2)
        norm = length(state, T, step)
        if it == 0:
            first = norm
        if not norm < (cap if it == 0 else max(0.6 * last, 1e-7)):
            return False, T, first, sign, act
        for a in range(n):
            state.vec[LOG_X, a] += step[a]
        T = T + step[n]
        if not tight and (norm <= 1e-3 or (it > 0 and norm <= min(1e-2, 0.1 * last))):
            return T > 0.0, T, first, sign, act
        last = norm
    return False, T, first, sign, act
