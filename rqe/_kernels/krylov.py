"""The bordered system without a matrix: GMRES in Fisher's coordinates."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from rqe._kernels.adversary import _FAST
from rqe._kernels.system import X, apply_jacobian


@njit(cache=True, nogil=True, fastmath=_FAST)
def _operator(problem, state, column, border, corner, root, y, work, out):
    """Write the bordered Jacobian times y, in Fisher coordinates; y, out: (n + 1,).

    Coordinates are ``y_a = sqrt(x_a) dlog_x_a``; column = -dF/dT (n,), border (n,), corner: scalar.
    """
    n = root.size
    dT = y[n]
    for a in range(n):
        work[a] = y[a] / root[a]
    apply_jacobian(problem, state, work, out[:n])
    last = corner * dT
    for a in range(n):
        last += border[a] * work[a]
        out[a] = root[a] * (out[a] - column[a] * dT)
    out[n] = last


@njit(cache=True, nogil=True, fastmath=_FAST)
def _orthogonalise(V, H, j):
    """Make row j + 1 of V orthogonal to rows 0 : j + 1 and of length one; coefficients to H[:, j].

    Modified Gram-Schmidt; V: (limit + 1, n + 1), H: (limit + 1, limit).
    """
    w = V[j + 1]
    for i in range(j + 1):
        v, h = V[i], 0.0
        for k in range(w.size):
            h += v[k] * w[k]
        for k in range(w.size):
            w[k] -= h * v[k]
        H[i, j] = h
    norm = 0.0
    for k in range(w.size):
        norm += w[k] * w[k]
    H[j + 1, j] = math.sqrt(norm)
    if H[j + 1, j] > 0.0:
        for k in range(w.size):
            w[k] /= H[j + 1, j]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _rotate(H, rotations, g, j):
    """Make column j of H upper triangular by Givens rotations, g too; return whether it has rank.

    rotations: (2, limit), cosines and sines of the columns before, that of column j is added.
    """
    cs, sn = rotations[0], rotations[1]
    for i in range(j):
        t = cs[i] * H[i, j] + sn[i] * H[i + 1, j]
        H[i + 1, j] = cs[i] * H[i + 1, j] - sn[i] * H[i, j]
        H[i, j] = t
    r = math.hypot(H[j, j], H[j + 1, j])
    if r == 0.0:
        return False
    cs[j], sn[j] = H[j, j] / r, H[j + 1, j] / r
    H[j, j] = r
    g[j + 1] = -sn[j] * g[j]
    g[j] *= cs[j]
    return True


@njit(cache=True, nogil=True, fastmath=_FAST)
def _combine(V, H, g, used, solution):
    """Write the combination of ``used`` rows of V that solves the triangular system H y = g."""
    y = np.zeros(used)
    for i in range(used - 1, -1, -1):
        s = g[i]
        for k in range(i + 1, used):
            s -= H[i, k] * y[k]
        y[i] = s / H[i, i]
    solution[:] = 0.0
    for i in range(used):
        for a in range(solution.size):
            solution[a] += y[i] * V[i, a]


@njit(cache=True, nogil=True, fastmath=_FAST)
def gmres(problem, state, column, border, corner, b, tolerance, limit):
    """Solve the bordered system by GMRES to a relative residual; return (solution, its residual).

    Unknown (dlog_x, dT): (n + 1,); b: (n + 1,) in the same (row) units as the Jacobian.
    """
    n = column.size
    root, square = np.empty(n), b[n] * b[n]
    V, H = np.empty((limit + 1, n + 1)), np.zeros((limit + 1, limit))
    rotations, g, work = np.zeros((2, limit)), np.zeros(limit + 1), np.empty(n)
    for a in range(n):
        root[a] = math.sqrt(max(state.vec[X, a], 1e-200))
        V[0, a] = b[a] * root[a]
        square += V[0, a] * V[0, a]
    V[0, n], start = b[n], math.sqrt(square)
    solution = np.zeros(n + 1)
    if start == 0.0:
        return solution, 0.0
    for a in range(n + 1):
        V[0, a] /= start
    g[0], used = start, 0
    for j in range(limit):
        _operator(problem, state, column, border, corner, root, V[j], work, V[j + 1])
        _orthogonalise(V, H, j)
        if not _rotate(H, rotations, g, j):
            break
        used = j + 1
        if abs(g[used]) <= tolerance * start:
            break
    _combine(V, H, g, used, solution)
    dT = solution[n]
    for a in range(n):
        work[a] = solution[a] / root[a]
    apply_jacobian(problem, state, work, solution[:n])
    for a in range(n):  # one fixed-point pass gives the rows that the Fisher norm cannot see
        solution[a] = b[a] + column[a] * dT + (work[a] - solution[a])
    return solution, abs(g[used]) / start
