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
from collections import namedtuple

import numpy as np
from numba import njit

from rqe._kernels.corrector import (
    BIFURCATIONS,
    CAREFUL,
    DOUBTED,
    FACTORED,
    FRESH,
    REJECTED,
    ROUNDING,
    SHORT,
    STALE,
    STEPS,
    TURNS,
    UNSEEN,
    correct,
    length,
    new_solver,
    refine,
    resolve,
    settled,
    solve_bordered,
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
    apply_jacobian,
    evaluate,
    new_problem,
    new_state,
    normalise,
    parameter_slope,
    span,
)

CONVERGED, MAX_STEPS, STALLED, UNSURE = 0, 1, 2, 3

_FAR = 1e13  # stands for T = inf
_STIFF = 30.0  # tau, in units of the inverse payoff range
_SHORTEST = 1e-11  # a step below it means that the follower is stuck
_CROSSING = 1e-5  # an orientation that changes within so short a step is a bifurcation
_PROBED = 1e-4  # longer steps are refused if the Jacobian changes too much on the way
_PROBES = 4

# base, tangent, bend, trial: (n + 1,) point, unit tangent, its derivative along the branch, tangent
# at the next point. by_T: (1,), whether the bend is a second derivative in T (where the branch
# moves mostly in T) or in arclength. probes, images: (_PROBES, n) directions, and the base's Jacobian
# times each of them.
Curve = namedtuple("Curve", "base tangent bend trial by_T probes images")


@njit(cache=True, nogil=True)
def _new_tangent(problem, state, solver, curve, act, T):
    """Write the unit tangent at the state's point to ``curve.trial``; return its turn.

    The turn is the cosine of its angle with the last tangent, in Fisher's metric.
    """
    n, new = state.active.size, curve.trial
    solver.rhs[:] = 0.0
    solver.rhs[n] = 1.0
    if solver.stats[FACTORED] == 0:
        solve_bordered(problem, state, solver, new, 1e-3)
    else:
        resolve(solver, act, new)
        if solver.stats[STALE] > 0:  # the factors are those of the first iterate
            if not refine(problem, state, solver, act, new, 6, 3e-3):
                solver.rhs[:] = 0.0
                solver.rhs[n] = 1.0
                _, act = solve_bordered(problem, state, solver, new, 1e-3)
        elif act.size < n:  # actions outside the system follow the others
            response = np.empty(n)
            apply_jacobian(problem, state, new[:n], response)
            for a in range(n):
                if not state.active[a]:
                    new[a] += solver.column[a] * new[n] - response[a]
    new *= 1.0 / length(state, T, new)
    cosine = curve.tangent[n] * new[n] / (1.0 + T) ** 2
    for a in range(n):
        cosine += state.vec[X, a] * curve.tangent[a] * new[a]
    return cosine / max(length(state, T, curve.tangent), 1e-300)


@njit(cache=True, nogil=True)
def _new_curve(n):
    """Return a Curve without values but for its probes, the same spread of signs for every n."""
    probes = np.empty((_PROBES, n))
    for k in range(_PROBES):
        for a in range(n):
            probes[k, a] = math.cos((2.399963 + k) * (a + 1.0) * (a + 1.0) + k)
    return Curve(
        np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1), np.zeros(1, np.bool_),
        probes, np.empty((_PROBES, n)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _bent(problem, state, solver, curve, act, T):
    """Return whether the bordered Jacobian B changed too much since the base, for what is factored.

    Two bifurcations within one step leave the orientation as it was, but then the matrix
    ``B^-1 B_base - 1`` is at least as long as a unit matrix in two directions. Its Frobenius norm, in
    Fisher's metric, is estimated by its action on a few directions: below 1 no singularity can lie
    between. In many dimensions, where that would forbid most steps, a quarter per direction is let
    pass. curve.trial is overwritten.
    """
    n, y, worst, spread = state.active.size, curve.trial, 0.0, 0.0
    for k in range(_PROBES):
        w, solver.rhs[n] = curve.probes[k], 0.0
        for a in range(n):
            solver.rhs[a] = curve.images[k, a]
            solver.rhs[n] += solver.border[a] * w[a]
        resolve(solver, act, y)
        change, size = (y[n] / (1.0 + T)) ** 2, 1e-300
        for a in act:
            change += state.vec[X, a] * (y[a] - w[a]) ** 2
            size += state.vec[X, a] * w[a] ** 2
        worst += change / size / _PROBES
    for a in range(n):
        spread += state.vec[X, a] ** 2
    dimension = 1.0 + problem.rates.shape[1] ** 2 / spread  # as many even actions would give it
    return not worst * dimension <= max(1.0, dimension / 16.0)


@njit(cache=True, nogil=True)
def _move(problem, state, curve, T, h):
    """Make the state's point the base, the trial tangent the tangent, and bend accordingly."""
    n, new = state.active.size, curve.trial
    T0, old = curve.base[n], curve.tangent[n]
    curve.by_T[0] = new[n] > 0.7 * (1.0 + T) and old > 0.7 * (1.0 + T0)
    for a in range(n + 1):
        if curve.by_T[0]:
            curve.bend[a] = (new[a] / new[n] - curve.tangent[a] / old) / (T - T0)
        else:
            curve.bend[a] = (new[a] - curve.tangent[a]) / h
        curve.tangent[a] = new[a]
    curve.base[:n], curve.base[n] = state.vec[LOG_X], T
    for k in range(_PROBES):
        apply_jacobian(problem, state, curve.probes[k], curve.images[k])


@njit(cache=True, nogil=True)
def start_curve(problem, state, solver, T):
    """Return the Curve through ``log_x`` at T, oriented so that T rises, and its orientation."""
    n, sign = state.active.size, 1.0
    curve = _new_curve(n)
    evaluate(problem, state, T)
    for k in range(_PROBES):
        apply_jacobian(problem, state, curve.probes[k], curve.images[k])
    parameter_slope(problem, state, solver.column[:n])
    if T == 0.0 and not problem.over_tau:  # lam = 0: the Jacobian is the identity
        curve.tangent[:n], curve.tangent[n] = solver.column[:n], 1.0
        curve.tangent[:] = curve.tangent / length(state, T, curve.tangent)
    else:
        solver.border[:] = 0.0
        solver.border[n] = 1.0
        solver.rhs[:] = 0.0
        solver.rhs[n] = 1.0
        sign, act = solve_bordered(problem, state, solver, curve.trial, 1e-3)
        _new_tangent(problem, state, solver, curve, act, T)
        curve.tangent[:] = curve.trial
    curve.base[:n], curve.base[n] = state.vec[LOG_X], T
    return curve, sign if sign != 0.0 else 1.0


@njit(cache=True, nogil=True)
def _predict(state, curve, h):
    """Write the second-order prediction at arclength h to ``log_x``; return its T."""
    n, log_x = state.active.size, state.vec[LOG_X]
    if curve.by_T[0]:
        d = h * curve.tangent[n]
        for a in range(n):
            slope = curve.tangent[a] / curve.tangent[n]
            log_x[a] = curve.base[a] + d * (slope + 0.5 * d * curve.bend[a])
        return curve.base[n] + d
    for a in range(n):
        log_x[a] = curve.base[a] + h * (curve.tangent[a] + 0.5 * h * curve.bend[a])
    return curve.base[n] + h * (curve.tangent[n] + 0.5 * h * curve.bend[n])


@njit(cache=True, nogil=True)
def _reach(curve, T_end):
    """Return the arclength at which the prediction meets T_end, or inf if it is far."""
    n = curve.base.size - 1
    T0, speed, bend = curve.base[n], curve.tangent[n], curve.bend[n]
    gap = T_end - T0
    if not speed > 0.0 or gap > 10.0 * (1.0 + T0):
        return np.inf
    if curve.by_T[0]:
        return gap / speed
    inside = speed * speed + 2.0 * bend * gap
    return 2.0 * gap / (speed + math.sqrt(inside)) if inside > 0.0 else np.inf


@njit(cache=True, nogil=True)
def _strayed(state, curve, h):
    """Return whether the point is much further from the base than the tangent's length foretells.

    Distances are Fisher's (twice Hellinger's), so that a landing on another vertex is seen.
    """
    foretold, distance = 0.0, 0.0
    for a in range(state.active.size):
        x = math.exp(curve.base[a])
        foretold += x * (h * curve.tangent[a]) ** 2
        distance += (math.sqrt(math.exp(min(state.vec[LOG_X, a], 0.0))) - math.sqrt(x)) ** 2
    return 2.0 * math.sqrt(distance) > 0.2 + 2.0 * math.sqrt(foretold)


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _set_border(solver, curve, landing):
    """Write the bordering row: fixed T for a landing, else the hyperplane across the tangent."""
    n = curve.base.size - 1
    solver.border[:] = 0.0
    solver.border[n] = 1.0
    if not landing:
        for a in range(n):
            solver.border[a] = math.exp(curve.base[a]) * curve.tangent[a]
        solver.border[n] = curve.tangent[n] / (1.0 + curve.base[n]) ** 2


@njit(cache=True, nogil=True)
def _attempt(problem, state, solver, curve, h, T_end, landing, goal, step):
    """Predict, correct and judge one step; return (accepted, T, predictor's error, sign).

    On acceptance the state holds the point and, unless landing, ``curve.trial`` its tangent.
    """
    n = state.active.size
    T0, speed = curve.base[n], curve.tangent[n]
    _set_border(solver, curve, landing)
    T = _predict(state, curve, h)
    T = T_end if landing else T
    if not T > 0.0:
        return False, T, 1.0, 0.0
    ok, T, first, sign, act = correct(
        problem, state, solver, T, goal, 25 if landing else 8, 0.4, step
    )
    if not ok or _strayed(state, curve, h):
        return False, T, first, sign
    probed = h > _PROBED and solver.stats[FACTORED] == 1
    if probed and _bent(problem, state, solver, curve, act, T):
        return False, T, first, sign
    if landing:
        return True, T, first, sign
    if speed > 0.0 and T0 < T_end <= T:
        return False, T, first, sign
    cosine = _new_tangent(problem, state, solver, curve, act, T)
    if cosine < 0.5 and h > 1e-6:
        return False, T, first, sign
    turned = speed > 0.0 and curve.trial[n] < 0.0 and h > 1e-9 and T_end < np.inf
    if turned and _crosses(T0, speed, T, curve.trial[n], h, T_end):
        return False, T, first, sign  # T_end lies before the fold: look closer
    return True, T, first, sign


@njit(cache=True, nogil=True)
def _shrinking(first, target):
    """Return the factor for a refused step whose predictor was ``first`` off; NaN is allowed."""
    return max((target / first) ** (1.0 / 3.0), 0.2) if first > 8.0 * target else 0.5


@njit(cache=True, nogil=True)
def _grown(array):
    """Return a copy with twice as many rows."""
    grown = np.empty((2 * array.shape[0], array.shape[1]), array.dtype)
    grown[: array.shape[0]] = array
    return grown


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
    stats = solver.stats
    curve, orientation = start_curve(problem, state, solver, T)
    points, count = np.empty((64 if record else 1, n + 1)), 1
    events, seen = np.empty((16, 2), np.int64), 0
    points[0] = curve.base
    # A strongly risk-averse adversary switches within a distance 1 / tau: stay close to the branch.
    stiff, refused = reverse or (not over_tau and tau.max() > _STIFF), False
    stats[FRESH] = stiff or barrier
    h, status = 1.0, MAX_STEPS
    while status == MAX_STEPS and stats[STEPS] + stats[REJECTED] < max_steps:
        T0, speed, reach = curve.base[n], curve.tangent[n], _reach(curve, T_end)
        landing = reach <= 1.1 * h
        h = reach if landing else min(h, 9.0 * (1.0 + T0) / max(abs(speed), 1e-300))
        far = T0 > 50.0 and (T_end == np.inf or barrier)
        goal = ROUNDING if landing or record or stiff or far else CAREFUL if refused else SHORT
        ok, T, first, sign = _attempt(problem, state, solver, curve, h, T_end, landing, goal, step)
        flipped = ok and sign * orientation < 0.0
        refused = not ok or (flipped and h > _CROSSING)
        if refused or abs(speed) < 0.3 * (1.0 + T0):
            stats[DOUBTED] = 1
        if flipped and not refused and stats[UNSEEN] > 0:
            status = UNSURE  # a jump while the orientation was not seen, perhaps: who knows
            break
        if refused:
            stats[REJECTED] += 1
            h *= 0.3 if flipped else 0.5 if stiff else _shrinking(first, target)
            status = STALLED if h < _SHORTEST else MAX_STEPS
            continue
        stats[STEPS] += 1
        stats[UNSEEN] += sign == 0.0
        turned = not landing and speed * curve.trial[n] < 0.0
        stats[TURNS] += turned
        stats[BIFURCATIONS] += flipped
        orientation = -orientation if flipped else orientation
        if landing:
            curve.base[:n], curve.base[n] = state.vec[LOG_X], T
            status = CONVERGED
        else:
            _move(problem, state, curve, T, h)
            h *= min(max((target / max(first, 1e-9)) ** (1.0 / 3.0), 0.3), 3.0 if stiff else 2.0)
            if T_end == np.inf:
                near = goal == ROUNDING and _distance_to_limit(problem, state, T) <= limit_goal
                status = CONVERGED if near or T > _FAR else MAX_STEPS
        if record:
            points = _grown(points) if count == points.shape[0] else points
            points[count] = curve.base
            count += 1
            if flipped or turned:
                events = _grown(events) if seen == events.shape[0] else events
                events[seen, 0], events[seen, 1] = count - 1, -1 if flipped else 1
                seen += 1
    state.vec[LOG_X] = curve.base[:n]
    normalise(problem, state.vec[LOG_X], state.vec[X])
    return status, state.vec[LOG_X].copy(), curve.base[n], stats, points[:count], events[:seen]


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
