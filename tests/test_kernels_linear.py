"""The kernels of linear algebra: LU with the determinant's sign, and GMRES without a matrix."""

import numpy as np
import pytest

from rqe._kernels import dense, krylov, system
from tests import kernel_cases as cases
from tests.kernel_cases import (
    PAIRS,
    SHAPES,
    assert_equals_its_python,
    evaluated,
    payoffs_of,
    problem_of,
    profile_of,
)

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 33]
LARGE = [49, 50, 97]  # LAPACK's


def factored(A):
    """Return the factors, the pivots and the sign."""
    factors, pivots = A.copy(), np.empty(len(A), np.int64)
    return factors, pivots, dense.lu_factor(factors, pivots)


@pytest.mark.parametrize("size", SIZES + LARGE)
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_systems_and_signs_are_numpys(size, scale):
    rng = np.random.default_rng(size)
    for _ in range(10):
        A, b = rng.standard_normal((size, size)), rng.standard_normal(size)
        factors, pivots, sign = factored(scale * A)
        assert sign == np.linalg.slogdet(A)[0]
        x = b.copy()
        dense.lu_solve(factors, pivots, x)
        np.testing.assert_allclose(A @ (scale * x), b, atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_partial_pivoting(size):
    """No factor exceeds 1, and the factors times each other are the exchanged matrix."""
    A = np.random.default_rng(size).standard_normal((size, size))
    factors, pivots, _ = factored(A)
    lower, upper = np.tril(factors, -1) + np.eye(size), np.triu(factors)
    assert np.abs(lower).max() <= 1.0
    exchanged = A.copy()
    for c, r in enumerate(pivots):
        exchanged[[c, r]] = exchanged[[r, c]]
    np.testing.assert_allclose(lower @ upper, exchanged, atol=1e-13)


def test_signs_of_permutations():
    rng = np.random.default_rng(0)
    for size in SIZES + LARGE:
        order = rng.permutation(size)
        P = np.eye(size)[order]
        factors, pivots, sign = factored(P)
        assert sign == round(np.linalg.det(P))
        x = np.arange(size, dtype=float)
        dense.lu_solve(factors, pivots, x)
        np.testing.assert_array_equal(P @ x, np.arange(size))


@pytest.mark.parametrize("size", SIZES + LARGE)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_singular_matrices_have_sign_zero(size, where):
    """Rank is exact in small integers: two equal columns, or one of zeros; pivots in range."""
    rng = np.random.default_rng(size)
    column = {"first": 0, "middle": size // 2, "last": size - 1}[where]
    A = np.triu(rng.integers(1, 5, (size, size)).astype(float))
    A[:, column] = A[:, column - 1] if column and size in SIZES else 0.0
    _, pivots, sign = factored(A)
    assert sign == 0.0
    if size in SIZES:
        assert ((pivots >= 0) & (pivots < size)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_has_sign_zero(bad):
    for size in (1, 4, 9, 60):
        A = np.eye(size)
        A[-1, -1] = bad
        assert factored(A)[2] == 0.0


@pytest.mark.parametrize("size", [1, 3, 4, 6, 9])
def test_factorisation_equals_its_python(size):
    A = np.random.default_rng(size).standard_normal((size, size))
    assert_equals_its_python(dense.lu_factor, A, np.zeros(size, np.int64))
    assert_equals_its_python(dense.lu_factor, np.ones((size, size)), np.zeros(size, np.int64))
    factors, pivots, _ = factored(A)
    assert_equals_its_python(dense.lu_solve, factors, pivots, np.arange(size) + 1.0)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (3, 4, 5), (5, 3, 0), (0, 3, 4), (20, 30, 17)], ids=str
)
def test_products_of_parts_of_matrices(shape, transposed):
    """Only rows need be contiguous; what lies beside the target is left alone."""
    m, n, k = shape
    rng = np.random.default_rng(m)
    A, C = rng.standard_normal((m, k + 3)), rng.standard_normal((m + 1, n + 2))
    B = rng.standard_normal((n, k + 4) if transposed else (k, n + 4))
    part = B[:, 1 : k + 1].T if transposed else B[:, 2 : n + 2]
    expected = C.copy()
    expected[:m, 1 : n + 1] -= 0.5 * A[:, :k] @ part
    given = part.T if transposed else part
    dense.add_product(-0.5, A[:, :k], given, transposed, C[:m, 1 : n + 1])
    np.testing.assert_allclose(C, expected, atol=1e-13)


def bordered(shape, reverse, barrier, T=3.0):
    """Return a problem, a state on it, a border and the dense bordered matrix."""
    payoffs, log_x = payoffs_of(shape, 1), profile_of(shape, 1)
    problem = problem_of(payoffs, 1.0, 1.5, reverse=reverse, barrier=barrier)
    state, _ = evaluated(problem, log_x, T)
    n, rng = log_x.size, np.random.default_rng(9)
    column = np.empty(n)
    system.parameter_slope(problem, state, column)
    border, corner = np.exp(log_x) * cases.tangent(payoffs, log_x, 4), 0.7
    matrix, out = np.zeros((n + 1, n + 1)), np.empty(n)
    for a, unit in enumerate(np.eye(n)):
        system.apply_jacobian(problem, state, unit, out)
        matrix[:n, a] = out
    matrix[:n, n], matrix[n, :n], matrix[n, n] = -column, border, corner
    return problem, state, column, border, corner, matrix, rng.standard_normal(n + 1)


@pytest.mark.parametrize(("reverse", "barrier"), PAIRS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gmres_solves_the_bordered_system(shape, reverse, barrier):
    problem, state, column, border, corner, matrix, b = bordered(shape, reverse, barrier)
    found, error = krylov.gmres(problem, state, column, border, corner, b, 1e-13, b.size)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, b), rtol=1e-9, atol=1e-10)
    assert error <= 1e-10
    assert_equals_its_python(
        krylov.gmres, problem, state, column, border, corner, b, 1e-13, b.size, atol=1e-9
    )


def test_gmres_improves_until_it_may_stop():
    problem, state, column, border, corner, _, b = bordered((5, 6), False, False)
    errors = [
        krylov.gmres(problem, state, column, border, corner, b, 1e-14, k)[1] for k in range(1, 13)
    ]
    assert (np.diff(errors) <= 1e-12).all()
    assert errors[0] > 1e-3
    assert errors[-1] < 1e-12
    loose = krylov.gmres(problem, state, column, border, corner, b, 1e-3, 12)[1]
    assert min(e for e in errors if e > loose) > 1e-3 >= loose


def test_gmres_of_nothing_is_nothing():
    problem, state, column, border, corner, _, b = bordered((2, 3), False, False)
    found, error = krylov.gmres(problem, state, column, border, corner, 0.0 * b, 1e-12, b.size)
    assert (found == 0.0).all()
    assert error == 0.0
