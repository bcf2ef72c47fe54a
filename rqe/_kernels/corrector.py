"""Newton's method on the equilibrium system bordered by one more row: step, solve, correct."""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
from numba import njit

from rqe._kernels.adversary import _FAST, assign
from rqe._kernels.dense import add_product, lu_factor, lu_solve
from rqe._kernels.jacobian import assemble, find_active
from rqe._kernels.krylov import gmres
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
    apply_jacobian,
    evaluate,
    parameter_slope,
    span,
)

# Indices into the integer statistics that the kernels return.
STEPS, EVALUATIONS, TURNS, BIFURCATIONS, REJECTED = 0, 1, 2, 3, 4
# For the solver's own use: whether the last system was factored, whether all are from now on
# (GMRES has failed, or folds are near), steps taken without seeing the orientation, whether the
# last step was made with old factors, and whether none ever may be.
FACTORED, DOUBTED, UNSEEN, STALE, FRESH = 5, 6, 7, 8, 9
# How far a correction goes.
SHORT, CAREFUL, ROUNDING = 0, 1, 2
# How the last factored matrix lies in ``Solver.A``: index of the border, block eliminated first,
# number of rows.
BORDER, CUT, UNCUT, ROWS = 0, 1, 2, 3

_DENSE_MOST = 1600  # actions up to which a system may be factored when GMRES has failed
_KRYLOV = 40  # iterations of GMRES that cost about what a factorisation does
_RARE = 1e-4  # probabilities below _RARE / lam stay out of the linear systems (they follow exactly)
_GOAL = 2e-15  # residual that ends a tight correction, unless it stagnates sooner
_GROWTH = 1e7  # growth of the entries up to which a block with unit pivots is eliminated first
_REUSE = 24  # actions of two players from which old factors are cheaper than new ones
_SLOW = 0.2  # a step with old factors that shortens the last one by less is taken with new ones

# A: the bordered matrix, S: what is left of it when a block is eliminated, both flat; pivots of the
# latter; cut: (4,) int64, rows above; column, border, rhs, work: (n + 1,) arrays; limit: actions up
# to which systems are factored from the start; most: rows for which there is room.
Solver = namedtuple("Solver", "A S pivots cut column border rhs work limit most stats")


@njit(cache=True, nogil=True)
def new_solver(n, limit):
    """Return the work arrays for n unknowns, dense up to ``limit`` active ones."""
    most = min(n, 2 * _DENSE_MOST) + 1
    left = min(most, _DENSE_MOST + 1)
    work = np.zeros((4, n + 1))
    return Solver(
        np.empty(most * most), np.empty(left * left), np.empty(left, np.int64),
        np.zeros(4, np.int64), work[0], work[1], work[2], work[3], limit, most,
        np.zeros(10, np.int64),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _matrix(solver):
    """Return the last bordered matrix, partly eliminated, and the factors of the rest."""
    cut = solver.cut
    m = cut[ROWS]
    left = m - (cut[UNCUT] - cut[CUT])
    A, S = solver.A[: m * m].reshape(m, m), solver.S[: left * left].reshape(left, left)
    return A, S


@njit(cache=True, nogil=True, inline="always")
def _grows_little(problem, state):
    """Return whether both diagonal blocks are the identity and the others' product is not huge.

    An entry of a block is at most ``lam_i inv_a x_b``, as payoffs are in [0, 1].
    """
    if state.player[SPREAD].max() > 0.0:
        return False
    growth = 1.0
    for i in range(2):
        lo, hi = span(problem, OFF, i)
        growth *= state.player[LAM, i] * state.vec[INV, lo:hi].max() * state.vec[X, lo:hi].max()
    return growth <= _GROWTH


@njit(cache=True, nogil=True, inline="always")
def _plan(problem, state, solver, act):
    """Write how the bordered matrix on the actions ``act`` is to be laid out and eliminated.

    Return how many actions are left to be factored. Between two risk-neutral players the diagonal
    blocks are the identity: the larger one is eliminated without a factorisation, unless its unit
    pivots are too small beside the other entries. It comes first, or last with the border first.
    """
    r, cut = act.size, solver.cut
    cut[BORDER], cut[CUT], cut[UNCUT], cut[ROWS] = r, 0, 0, r + 1
    if problem.rates.shape[1] == 2 and _grows_little(problem, state):
        own = 0
        while own < r and act[own] < problem.layout[OFF, 1]:
            own += 1
        if 2 * own >= r:
            cut[UNCUT] = own
        else:
            cut[BORDER], cut[CUT], cut[UNCUT] = 0, 1 + own, 1 + r
    return r - (cut[UNCUT] - cut[CUT])


@njit(cache=True, nogil=True, inline="always")
def _factor(problem, state, solver, act):
    """Assemble and factor the bordered matrix on ``act``; return the sign of its determinant."""
    r, n, cut = act.size, state.active.size, solver.cut
    A, S = _matrix(solver)
    edge, lead = cut[BORDER], 1 if cut[BORDER] == 0 and r > 0 else 0
    assemble(problem, state, act, lead, A)
    for k in range(r):
        A[lead + k, edge] = -solver.column[act[k]]
        A[edge, lead + k] = solver.border[act[k]]
    A[edge, edge] = solver.border[n]
    start, stop = (cut[UNCUT], r + 1) if cut[CUT] == 0 else (0, cut[CUT])
    for j in range(start, stop):
        assign(S[j - start], A[j, start:stop])
    if cut[UNCUT] > cut[CUT]:
        out, into = A[start:stop, cut[CUT] : cut[UNCUT]], A[cut[CUT] : cut[UNCUT], start:stop]
        add_product(-1.0, out, into, False, S)
    return lu_factor(S, solver.pivots[: stop - start])


@njit(cache=True, nogil=True)
def solve_bordered(problem, state, solver, step, tolerance):
    """Solve ``[J, -column; border] step = rhs``; return (sign of the determinant, active set).

    step: (n + 1,), written. The sign is 0 when it was not computed (GMRES) or det = 0.
    """
    n = state.active.size
    act = find_active(problem, state, _RARE / max(1.0, state.player[LAM].max()))
    left = _plan(problem, state, solver, act)
    too_large = left > _DENSE_MOST or act.size >= solver.most
    if too_large or (left > solver.limit and solver.stats[DOUBTED] == 0):
        for i in range(problem.rates.shape[1]):
            lo, hi = span(problem, OFF, i)
            state.active[lo:hi] = problem.layout[FROZEN, i] == 0
        found, error = gmres(
            problem, state, solver.column[:n], solver.border[:n], solver.border[n],
            solver.rhs, tolerance, min(_KRYLOV, n + 1),
        )  # fmt: skip
        if error <= 10.0 * tolerance or too_large:
            assign(step, found)
            solver.stats[FACTORED] = 0
            return 0.0, act
        solver.stats[DOUBTED] = 1
        act = find_active(problem, state, _RARE / max(1.0, state.player[LAM].max()))
        _plan(problem, state, solver, act)
    solver.stats[FACTORED] = 1
    sign = _factor(problem, state, solver, act)
    if sign == 0.0:
        step[:] = np.nan  # singular: no step, which the corrector refuses
    else:
        resolve(solver, act, step)
    return sign, act


@njit(cache=True, nogil=True, fastmath=_FAST)
def resolve(solver, act, step):
    """Solve again with the factors at hand and the present rhs; step: (n + 1,), written."""
    r, n, cut = act.size, step.size - 1, solver.cut
    A, S = _matrix(solver)
    edge, lead = cut[BORDER], 1 if cut[BORDER] == 0 and r > 0 else 0
    b = solver.work[: r + 1]
    for k in range(r):
        b[lead + k] = solver.rhs[act[k]]
    b[edge] = solver.rhs[n]
    first, last = cut[CUT], cut[UNCUT]
    start, stop = (last, r + 1) if first == 0 else (0, first)
    for j in range(start, stop):
        row, s = A[j], 0.0
        for k in range(first, last):
            s += row[k] * b[k]
        b[j] -= s
    lu_solve(S, solver.pivots[: stop - start], b[start:stop])
    for j in range(first, last):
        row, s = A[j], 0.0
        for k in range(start, stop):
            s += row[k] * b[k]
        b[j] -= s
    step[:] = 0.0
    for k in range(r):
        step[act[k]] = b[lead + k]
    step[n] = b[edge]


@njit(cache=True, nogil=True, inline="always")
def refine(problem, state, solver, act, step, most, tolerance):
    """Improve a solution found with old factors; return whether the system holds to ``tolerance``.

    The rows of actions outside the factors are solved exactly. solver.rhs is overwritten.
    """
    n = state.active.size
    rhs, response, change = solver.rhs.copy(), np.empty(n), np.empty(n + 1)
    for _ in range(most):
        apply_jacobian(problem, state, step[:n], response)
        last = rhs[n]
        for a in range(n):
            defect = rhs[a] + solver.column[a] * step[n] - response[a]
            last -= solver.border[a] * step[a]
            solver.rhs[a] = defect
            if not state.active[a]:
                step[a] += defect
        solver.rhs[n] = last - solver.border[n] * step[n]
        resolve(solver, act, change)
        step += change
        size, whole = 0.0, 0.0
        for a in range(n):
            size += state.vec[X, a] * change[a] * change[a]
            whole += state.vec[X, a] * step[a] * step[a]
        if size <= tolerance * tolerance * whole:
            return True
    return False


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


@njit(cache=True, nogil=True, inline="always")
def _set_rhs(state, solver):
    """Write the right-hand side of a Newton step: minus the scaled equations, and no advance."""
    n = state.active.size
    for a in range(n):
        solver.rhs[a] = -state.vec[INV, a] * state.vec[FORCE, a]
    solver.rhs[n] = 0.0


@njit(cache=True, nogil=True, inline="always")
def correct(problem, state, solver, T, goal, most, cap, step):
    """Newton's corrector on the bordered system from ``log_x``; both are moved.

    Returns (converged, T, length of the first step, determinant's sign, its active set). The goal
    is a residual at ROUNDING level, a CAREFUL last step of at most 1e-6, or a SHORT one of at most
    1e-3, for which a clear contraction to one below 1e-2 also serves. At most ``most`` systems are
    made anew; large factors are used again while they contract as well as new ones hardly would.
    """
    n, first, last, before = state.active.size, 0.0, np.inf, np.inf
    sign, act, reuse, norm = 0.0, np.empty(0, np.int64), False, 0.0
    made, it, pays = 0, 0, solver.stats[FRESH] == 0
    least = _REUSE if problem.rates.shape[1] == 2 else 0
    while made < most:
        residual = evaluate(problem, state, T)
        solver.stats[EVALUATIONS] += 1
        if not residual < 1e300:
            break
        if it > 0 and goal == ROUNDING and settled(state, residual, before):
            return True, T, first, sign, act
        before = residual
        parameter_slope(problem, state, solver.column[:n])
        _set_rhs(state, solver)
        if reuse:
            resolve(solver, act, step)
            norm = length(state, T, step)
            reuse = norm <= (_SLOW if goal == SHORT else 0.05) * last
        if not reuse:
            made += 1
            sign, act = solve_bordered(
                problem, state, solver, step, 1e-2 if goal == SHORT else 1e-3
            )
            norm = length(state, T, step)
        solver.stats[STALE] = reuse
        first = norm if it == 0 else first
        if not norm < (cap if it == 0 else max(0.6 * last, 1e-7)):
            break
        reuse = pays and norm <= 0.1 and solver.stats[FACTORED] == 1 and act.size >= least
        for a in range(n):
            state.vec[LOG_X, a] += step[a]
        T = T + step[n]
        if goal == SHORT and it > 0 and norm <= min(1e-2, 0.1 * last):
            return T > 0.0, T, first, sign, act
        if goal != ROUNDING and norm <= (1e-3 if goal == SHORT else 1e-6):
            return T > 0.0, T, first, sign, act
        last = norm
        it += 1
    return False, T, first, sign, act
