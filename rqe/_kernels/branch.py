"""Following a branch of equilibria: pseudo-arclength predictor-corrector in Fisher's metric.

A branch is a curve of solutions (log_x, T) of the equilibrium system. Lengths along it are
measured by ``sqrt(sum_a x_a dlog_x_a^2 + (dT / (1 + T))^2)``: Fisher's information metric on
strategies, in which logits of actions that are never played weigh nothing. The predictor is of
second order (the last two tangents), the corrector is Newton's method on the system bordered by
the hyperplane orthogonal to the tangent, so that folds in T are ordinary points. A step is refused,
and repeated shorter, if the corrector contracts slowly, the point strays further than foretold, the
tangent turns sharply, the Jacobian changes as much as it would on the way through a singularity, or
the orientation changes: the sign of the bordered determinant is constant along a regular branch,
folds included, and flips only where a simple bifurcation is passed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from rqe._kernels.adversary import assign
from rqe._kernels.corrector import (
    BIFURCATIONS,
    CAREFUL,
    DOUBTED,
    FACTORED,
    FRESH,
    REJECTED,
    ROUNDING,
    SHORT,
    STEPS,
    TURNS,
    UNSEEN,
    correct,
    length,
    new_solver,
    settled,
    solve_bordered,
)
from rqe._kernels.curve import (
    advance,
    change,
    new_tangent,
    predict,
    reach,
    set_border,
    start_curve,
    strayed,
)
from rqe._kernels.system import (
    DELAY,
    FORCE,
    FROZEN,
    INV,
    LAM,
    LOG_X,
    OFF,
    SLOPE,
    V,
    X,
    evaluate,
    new_problem,
    new_state,
    normalise,
    span,
)

CONVERGED, MAX_STEPS, STALLED, UNSURE = 0, 1, 2, 3

_FAR = 1e13  # stands for T = inf
_STIFF = 30.0  # tau, in units of the inverse payoff range
_SHORTEST = 1e-11  # a step below it means that the follower is stuck
_CROSSING = 1e-5  # an orientation that changes within so short a step is a bifurcation
_PROBED = 1e-4  # longer steps are refused if the Jacobian changes too much on the way


@njit(cache=True, nogil=True, inline="always")
def _distance_to_limit(problem, state, T):
    """Return how far the point is from one at T = inf, in units of the payoff range.

    For players whose eps ends at 0 that is ``max v - <x, v>``, the gain a best response has; for
    the others the part of the first-order condition that 1 / T still contributes.
    """
    worst = 0.0
    for i in range(problem.rates.shape[1]):
        if problem.layout[FROZEN, i] or problem.rates[SLOPE, i] == 0.0:
            continue
        lo, hi = span(problem, OFF, i)
        if problem.rates[DELAY, i] > 0.0:
            r = state.vec[FORCE, lo:hi] + state.player[LAM, i] * state.vec[V, lo:hi]
            worst = max(worst, (r.max() - r.min()) / T)
            continue
        best, mean = -np.inf, 0.0
        for a in range(lo, hi):
            best = max(best, state.vec[V, a])
            mean += state.vec[X, a] * state.vec[V, a]
        worst = max(worst, best - mean)
    return worst


@njit(cache=True, nogil=True, inline="always")
def _crosses(T0, s0, T1, s1, h, T_end):
    """Return whether the cubic through (T0, slope s0), (T1, slope s1) passes T_end inside."""
    for k in range(1, 17):
        z = k / 16.0
        cubic = (
            (1.0 + 2.0 * z) * (1.0 - z) ** 2 * T0
            + z * (1.0 - z) ** 2 * h * s0
            + z * z * (3.0 - 2.0 * z) * T1
            + z * z * (z - 1.0) * h * s1
        )
        if cubic >= T_end:
            return True
    return False


@njit(cache=True, nogil=True, inline="always")
def _attempt(problem, state, solver, curve, h, T_end, landing, goal, step):
    """Predict, correct and judge one step; return (accepted, T, predictor's error, sign, change).

    On acceptance the state holds the point and, unless landing, ``curve.trial`` its tangent.
    """
    n = state.active.size
    T0, speed = curve.base[n], curve.tangent[n]
    set_border(solver, curve, landing)
    T, changed = predict(state, curve, h), 0.0
    T = T_end if landing else T
    if not T > 0.0:
        return False, T, 1.0, 0.0, changed
    ok, T, first, sign, act = correct(
        problem, state, solver, T, goal, 25 if landing else 8, 0.4, step
    )
    if not ok or strayed(state, curve, h):
        return False, T, first, sign, changed
    if h > _PROBED and solver.stats[FACTORED] == 1:
        changed = change(problem, state, solver, curve, act, T)
    if not changed <= 1.0:
        return False, T, first, sign, changed
    if landing:
        return True, T, first, sign, changed
    if speed > 0.0 and T0 < T_end <= T:
        return False, T, first, sign, changed
    cosine = new_tangent(problem, state, solver, curve, act, T)
    if cosine < 0.5 and h > 1e-6:
        return False, T, first, sign, changed
    turned = speed > 0.0 and curve.trial[n] < 0.0 and h > 1e-9 and T_end < np.inf
    if turned and _crosses(T0, speed, T, curve.trial[n], h, T_end):
        return False, T, first, sign, changed  # T_end lies before the fold: look closer
    return True, T, first, sign, changed


@njit(cache=True, nogil=True, inline="always")
def _shrinking(first, target, changed):
    """Return the factor for a refused step, its predictor ``first`` off, Jacobian ``changed``."""
    if changed > 1.0:  # in proportion to the step's square
        return min(max(0.8 / math.sqrt(changed), 0.2), 0.7)
    return max((target / first) ** (1.0 / 3.0), 0.2) if first > 8.0 * target else 0.5


@njit(cache=True, nogil=True, inline="always")
def _growing(first, target, changed, most):
    """Return the factor for the step after an accepted one."""
    factor = min(max((target / max(first, 1e-9)) ** (1.0 / 3.0), 0.3), most)
    return min(factor, max(0.8 / math.sqrt(max(changed, 1e-9)), 0.3))


@njit(cache=True, nogil=True, inline="always")
def _stride(curve, T_end, h):
    """Return the next step's length, ``h`` at most, and whether it is to land on T_end."""
    to_end = reach(curve, T_end)
    if to_end <= 1.1 * h:
        return to_end, True
    n = curve.base.size - 1
    return min(h, 9.0 * (1.0 + curve.base[n]) / max(abs(curve.tangent[n]), 1e-300)), False


@njit(cache=True, nogil=True, inline="always")
def _accept(problem, state, stats, curve, T, h, landing, sign, flipped):
    """Make the state's point the base of the curve and count it; return whether T turned."""
    n = state.active.size
    turned = not landing and curve.tangent[n] * curve.trial[n] < 0.0
    stats[STEPS] += 1
    stats[UNSEEN] += sign == 0.0
    stats[TURNS] += turned
    stats[BIFURCATIONS] += flipped
    if landing:
        assign(curve.base, state.vec[LOG_X])
        curve.base[n] = T
    else:
        advance(problem, state, curve, T, h)
    return turned


@njit(cache=True, nogil=True, inline="always")
def _appended(rows, count, row):
    """Return the matrix with ``row`` after its first ``count`` rows, in a longer one if need be."""
    if count == rows.shape[0]:
        longer = np.empty((2 * count, rows.shape[1]), rows.dtype)
        for k in range(count):
            assign(longer[k], rows[k])
        rows = longer
    for j in range(rows.shape[1]):
        rows[count, j] = row[j]
    return rows


@njit(cache=True, nogil=True)
def follow(
    u, shape, slope, delay, tau, over_tau, frozen, reverse, barrier,
    log_x, T, T_end, limit_goal, max_steps, record, dense_limit, target,
):  # fmt: skip
    """Follow the branch through (log_x, T) until T_end is first met (or the limit, T_end = inf).

    The status is UNSURE if the orientation changed after steps without determinants (GMRES); the
    caller should start again with a higher ``dense_limit``.

    Returns (status, log_x, T, stats, points, events): points (K, n + 1) are the converged points
    with T last, if ``record``; events (E, 2) pairs a point's index with +1 for a turning point
    and -1 for a bifurcation met just before it. ``target`` is the length of the predictor's error
    that the step control aims at; ``limit_goal`` the distance to the limit that ends T_end = inf.
    """
    problem = new_problem(u, shape, slope, delay, tau, over_tau, frozen, reverse, barrier)
    n = log_x.size
    state, solver, step = new_state(problem, log_x), new_solver(n, dense_limit), np.empty(n + 1)
    curve, orientation = start_curve(problem, state, solver, T)
    points, events = np.empty((64 if record else 1, n + 1)), np.empty((16, 2), np.int64)
    points, count, seen = _appended(points, 0, curve.base), 1, 0
    # A strongly risk-averse adversary switches within a distance 1 / tau: stay close to the branch.
    stiff = reverse or (not over_tau and tau.max() > _STIFF)
    stats, h, refused, status = solver.stats, 1.0, False, MAX_STEPS
    stats[FRESH] = stiff or barrier
    while status == MAX_STEPS and stats[STEPS] + stats[REJECTED] < max_steps:
        h, landing = _stride(curve, T_end, h)
        far = curve.base[n] > 50.0 and (T_end == np.inf or barrier)
        goal = ROUNDING if landing or record or stiff or far else CAREFUL if refused else SHORT
        ok, T, first, sign, changed = _attempt(
            problem, state, solver, curve, h, T_end, landing, goal, step
        )
        flipped = ok and sign * orientation < 0.0
        refused = not ok or (flipped and h > _CROSSING)
        if refused or abs(curve.tangent[n]) < 0.3 * (1.0 + curve.base[n]):
            stats[DOUBTED] = 1
        if refused:
            stats[REJECTED] += 1
            h *= 0.3 if flipped else 0.5 if stiff else _shrinking(first, target, changed)
            status = STALLED if h < _SHORTEST else MAX_STEPS
        elif flipped and stats[UNSEEN] > 0:
            status = UNSURE  # a jump while the orientation was not seen, perhaps: who knows
        else:
            turned = _accept(problem, state, stats, curve, T, h, landing, sign, flipped)
            orientation = -orientation if flipped else orientation
            h *= _growing(first, target, changed, 3.0 if stiff else 2.0)
            near = goal == ROUNDING and _distance_to_limit(problem, state, T) <= limit_goal
            if landing or (T_end == np.inf and (near or T > _FAR)):
                status = CONVERGED
            if record and (flipped or turned):
                events = _appended(events, seen, (count, -1 if flipped else 1))
                seen += 1
            if record:
                points = _appended(points, count, curve.base)
                count += 1
    assign(state.vec[LOG_X], curve.base[:n])
    normalise(problem, state.vec[LOG_X], state.vec[X])
    log_x = state.vec[LOG_X].copy()
    return status, log_x, curve.base[n], stats, points[:count], events[:seen]


@njit(cache=True, nogil=True)
def locate(
    u, shape, slope, delay, tau, frozen, reverse, barrier, log_x, T, max_steps, longest, dense_limit
):
    """Newton's method at a fixed T from ``log_x``; return (converged, log_x, steps).

    Steps longer than ``longest`` in Fisher's metric are shortened to it.
    """
    problem = new_problem(u, shape, slope, delay, tau, False, frozen, reverse, barrier)
    n = log_x.size
    state, solver, step = new_state(problem, log_x), new_solver(n, dense_limit), np.empty(n + 1)
    solver.border[n] = 1.0
    before, steps, done = np.inf, 0, False
    while steps < max_steps:
        residual = evaluate(problem, state, T)
        done = settled(state, residual, before)
        if done:
            break
        before, steps = residual, steps + 1
        for a in range(n):
            solver.rhs[a] = -state.vec[INV, a] * state.vec[FORCE, a]
        solve_bordered(problem, state, solver, step, 1e-3)
        share = min(1.0, longest / max(length(state, T, step), 1e-300))
        for a in range(n):
            state.vec[LOG_X, a] += share * step[a]
    normalise(problem, state.vec[LOG_X], state.vec[X])
    return done, state.vec[LOG_X].copy(), steps
