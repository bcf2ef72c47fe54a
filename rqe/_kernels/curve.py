"""A point of a branch, its tangent and bend: prediction, and what betrays another branch.

Lengths are those of ``rqe._kernels.branch``: Fisher's metric on strategies, dT / (1 + T) in T.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
from numba import njit

from rqe._kernels.adversary import assign
from rqe._kernels.corrector import FACTORED, STALE, length, refine, resolve, solve_bordered
from rqe._kernels.system import (
    FROZEN,
    LOG_X,
    OFF,
    X,
    apply_jacobian,
    evaluate,
    parameter_slope,
    span,
)

PROBES = 4  # directions along which changes of the Jacobian are watched

# base, tangent, bend, trial: (n + 1,) point, unit tangent, its derivative along the branch, tangent
# at the next point. by_T: (1,), whether the bend is a second derivative in T (where the branch
# moves mostly in T) or in arclength. probes, images: (PROBES, n) directions, and the Jacobian at
# the base times each of them.
Curve = namedtuple("Curve", "base tangent bend trial by_T probes images")


@njit(cache=True, nogil=True, inline="always")
def new_tangent(problem, state, solver, curve, act, T):
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


@njit(cache=True, nogil=True, inline="always")
def _new_curve(problem, n):
    """Return a Curve without values but for its probes, the same spread of signs for every n."""
    probes = np.zeros((PROBES, n))
    for i in range(problem.rates.shape[1]):
        if not problem.layout[FROZEN, i]:
            lo, hi = span(problem, OFF, i)
            for k in range(PROBES):
                for a in range(lo, hi):
                    probes[k, a] = math.cos((2.399963 + k) * (a + 1.0) * (a + 1.0) + k)
    return Curve(
        np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1), np.zeros(1, np.bool_),
        probes, np.empty((PROBES, n)),
    )  # fmt: skip


@njit(cache=True, nogil=True, inline="always")
def change(problem, state, solver, curve, act, T):
    """Return how much the bordered Jacobian B changed since the base; below 1 is harmless.

    Two bifurcations within one step leave the orientation as it was, but then ``B^-1 B_base`` has
    two negative eigenvalues, and the squared Frobenius norm of ``B^-1 B_base - 1`` is at least 2.
    It is estimated, in Fisher's metric, by its action on a few directions, and returned in units of
    1, or of 1/8 per dimension where there are more than 8 and 1 would forbid most steps: there
    this is no guarantee. Needs the factors of B; curve.trial is overwritten.
    """
    n, y, mean, spread, free = state.active.size, curve.trial, 0.0, 0.0, 0
    for k in range(PROBES):
        w, solver.rhs[n] = curve.probes[k], 0.0
        for a in range(n):
            solver.rhs[a] = curve.images[k, a]
            solver.rhs[n] += solver.border[a] * w[a]
        resolve(solver, act, y)
        moved, size = (y[n] / (1.0 + T)) ** 2, 1e-300
        for a in act:
            moved += state.vec[X, a] * (y[a] - w[a]) ** 2
            size += state.vec[X, a] * w[a] ** 2
        mean += moved / size / PROBES
    for a in act:
        spread += state.vec[X, a] ** 2
    for i in range(problem.rates.shape[1]):
        free += not problem.layout[FROZEN, i]
    dimension = 1.0 + free**2 / max(spread, 1e-300)  # as many even actions would give it
    return mean * dimension / max(1.0, dimension / 8.0)


@njit(cache=True, nogil=True, inline="always")
def advance(problem, state, curve, T, h):
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
    assign(curve.base, state.vec[LOG_X])
    curve.base[n] = T
    for k in range(PROBES):
        apply_jacobian(problem, state, curve.probes[k], curve.images[k])


@njit(cache=True, nogil=True, inline="always")
def start_curve(problem, state, solver, T):
    """Return the Curve through ``log_x`` at T, oriented so that T rises, and its orientation."""
    n, sign = state.active.size, 1.0
    curve = _new_curve(problem, n)
    evaluate(problem, state, T)
    for k in range(PROBES):
        apply_jacobian(problem, state, curve.probes[k], curve.images[k])
    parameter_slope(problem, state, solver.column[:n])
    if T == 0.0 and not problem.over_tau:  # lam = 0: the Jacobian is the identity
        assign(curve.tangent, solver.column[:n])
        curve.tangent[n] = 1.0
        size = length(state, T, curve.tangent)
        for a in range(n + 1):
            curve.tangent[a] /= size
    else:
        solver.border[:] = 0.0
        solver.border[n] = 1.0
        solver.rhs[:] = 0.0
        solver.rhs[n] = 1.0
        sign, act = solve_bordered(problem, state, solver, curve.trial, 1e-3)
        new_tangent(problem, state, solver, curve, act, T)
        assign(curve.tangent, curve.trial)
    assign(curve.base, state.vec[LOG_X])
    curve.base[n] = T
    return curve, sign if sign != 0.0 else 1.0


@njit(cache=True, nogil=True)
def predict(state, curve, h):
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


@njit(cache=True, nogil=True, inline="always")
def reach(curve, T_end):
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


@njit(cache=True, nogil=True, inline="always")
def strayed(state, curve, h):
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
def set_border(solver, curve, landing):
    """Write the bordering row: fixed T for a landing, else the hyperplane across the tangent."""
    n = curve.base.size - 1
    solver.border[:] = 0.0
    solver.border[n] = 1.0
    if not landing:
        for a in range(n):
            solver.border[a] = math.exp(curve.base[a]) * curve.tangent[a]
        solver.border[n] = curve.tangent[n] / (1.0 + curve.base[n]) ** 2
