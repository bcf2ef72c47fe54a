"""Dense linear algebra: LU with the determinant's sign, and products, all on rows of doubles.

Small systems are factored here, four columns at a time; large ones by LAPACK, and products go to
BLAS, through the symbols that numba's own ``np.linalg`` calls (they come from scipy). A matrix that
is stored by rows is its transpose to LAPACK, hence the second way to solve.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.core import types

from rqe._kernels.adversary import _FAST

_OWN_MOST = 48  # the size up to which the LU below beats LAPACK's

_size, _doubles = types.intp, types.CPointer(types.float64)
_getrf = types.ExternalFunction(
    "numba_xxgetrf",
    types.intc(types.char, _size, _size, _doubles, _size, types.CPointer(types.int32)),
)
_gemm = types.ExternalFunction(
    "numba_xxgemm",
    types.intc(
        types.char, types.char, types.char, _size, _size, _size, types.voidptr, types.voidptr,
        _size, types.voidptr, _size, types.voidptr, types.voidptr, _size,
    ),
)  # fmt: skip
_KIND, _AS_IS, _TRANSPOSED = ord("d"), ord("n"), ord("t")


@njit(cache=True, nogil=True)
def add_product(scale, A, B, transposed, C):
    """Write ``C + scale A B`` (``A B^T`` if transposed) to C; rows contiguous, C: (m, n)."""
    m, n, k = C.shape[0], C.shape[1], A.shape[1]
    if m == 0 or n == 0 or k == 0:
        return
    alpha, beta = np.full(1, scale), np.ones(1)
    _gemm(  # by columns, C^T += scale B^T A^T
        _KIND, _TRANSPOSED if transposed else _AS_IS, _AS_IS, n, m, k, alpha.ctypes,
        B.ctypes, B.strides[0] // 8, A.ctypes, A.strides[0] // 8, beta.ctypes, C.ctypes,
        C.strides[0] // 8,
    )  # fmt: skip


@njit(cache=True, nogil=True, fastmath=_FAST)
def _pivot(A, pivots, j):
    """Bring the largest entry of column j, from row j on, to row j by exchanging whole rows.

    Return the sign of this entry times that of the exchange; 0 if there is no finite pivot.
    """
    m, sign = A.shape[0], 1.0
    best, size = j, abs(A[j, j])
    for r in range(j + 1, m):
        if abs(A[r, j]) > size:
            best, size = r, abs(A[r, j])
    if not 0.0 < size < np.inf:
        return 0.0
    pivots[j] = best
    if best != j:
        sign = -1.0
        for k in range(m):
            A[j, k], A[best, k] = A[best, k], A[j, k]
    return -sign if A[j, j] < 0.0 else sign


@njit(cache=True, nogil=True, fastmath=_FAST)
def _factor_panel(A, pivots, c, width):
    """Factor columns c : c + width of A (whole rows are exchanged); return the sign, 0 if singular.

    Only these columns, and the rows c : c + width of those to the right, are brought up to date.
    """
    m, sign = A.shape[0], 1.0
    for j in range(c, c + width):
        sign *= _pivot(A, pivots, j)
        if sign == 0.0:
            return 0.0
        scale = 1.0 / A[j, j]
        for r in range(j + 1, m):
            factor = A[r, j] * scale
            A[r, j] = factor
            for k in range(j + 1, c + width):
                A[r, k] -= factor * A[j, k]
    for j in range(c, c + width):
        top = A[j]
        for r in range(j + 1, c + width):
            factor, row = A[r, j], A[r]
            for k in range(c + width, m):
                row[k] -= factor * top[k]
    return sign


@njit(cache=True, nogil=True)
def _factor_by_lapack(A, pivots):
    """Factor the transpose of A, in place; return the sign of det A (0 if singular)."""
    m, sign, order = A.shape[0], 1.0, pivots.view(np.int32)
    if _getrf(_KIND, m, m, A.ctypes, m, order.ctypes) != 0:
        return 0.0
    for j in range(m):
        if not 0.0 < abs(A[j, j]) < np.inf:
            return 0.0
        sign = -sign if (A[j, j] < 0.0) != (order[j] != j + 1) else sign
    return sign


@njit(cache=True, nogil=True, fastmath=_FAST)
def lu_factor(A, pivots):
    """Factor A in place with partial pivoting; return the sign of det A (0 if singular).

    A: (m, m), pivots: (m,) int64, written. Four columns at a time, so that the update of the rest
    reads every entry once per four pivots; sizes above ``_OWN_MOST`` by LAPACK.
    """
    m, sign = A.shape[0], 1.0
    if m > _OWN_MOST:
        return _factor_by_lapack(A, pivots)
    for r in range(m):
        pivots[r] = r
    for c in range(0, m - 3, 4):
        sign *= _factor_panel(A, pivots, c, 4)
        if sign == 0.0:
            return 0.0
        t0, t1, t2, t3 = A[c], A[c + 1], A[c + 2], A[c + 3]
        for r in range(c + 4, m):
            row = A[r]
            f0, f1, f2, f3 = row[c], row[c + 1], row[c + 2], row[c + 3]
            for k in range(c + 4, m):
                row[k] -= (f0 * t0[k] + f1 * t1[k]) + (f2 * t2[k] + f3 * t3[k])
    c = m - m % 4
    if c < m:
        sign *= _factor_panel(A, pivots, c, m - c)
    return sign


@njit(cache=True, nogil=True, fastmath=_FAST)
def _solve_by_transpose(A, pivots, b):
    """Solve in place with LAPACK's factors of the transpose: ``A = U^T L^T P^T``; b: (m,)."""
    m, order = A.shape[0], pivots.view(np.int32)
    for r in range(m):
        row, s = A[r], b[r]
        for k in range(r):
            s -= row[k] * b[k]
        b[r] = s / row[r]
    for r in range(m - 2, -1, -1):
        row, s = A[r], b[r]
        for k in range(r + 1, m):
            s -= row[k] * b[k]
        b[r] = s
    for c in range(m - 1, -1, -1):
        b[c], b[order[c] - 1] = b[order[c] - 1], b[c]


@njit(cache=True, nogil=True, fastmath=_FAST)
def lu_solve(A, pivots, b):
    """Solve in place with the factors of ``lu_factor``; b: (m,), overwritten by the solution."""
    m = A.shape[0]
    if m > _OWN_MOST:
        _solve_by_transpose(A, pivots, b)
        return
    for c in range(m):
        b[c], b[pivots[c]] = b[pivots[c]], b[c]
    for r in range(1, m):
        row, s = A[r], b[r]
        for k in range(r):
            s -= row[k] * b[k]
        b[r] = s
    for r in range(m - 1, -1, -1):
        row, s = A[r], b[r]
        for k in range(r + 1, m):
            s -= row[k] * b[k]
        b[r] = s / row[r]
