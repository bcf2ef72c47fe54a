"""The kernels of the adversaries: products, exponentials, the reverse KL root."""

import functools
import math
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest

from rqe._kernels import adversary
from tests.kernel_cases import SHAPES, assert_equals_its_python
from tests.reference import formulas


def layout_of(shape):
    """Return offsets (row 0) and numbers of actions (row 3) as the kernels' record has them."""
    layout = np.zeros((4, len(shape) + 1), np.int64)
    layout[0, 1:], layout[3, :-1] = np.cumsum(shape), shape
    return layout


@pytest.mark.parametrize("size", [0, 1, 5])
@pytest.mark.parametrize("assign", [adversary.assign, adversary.assign.py_func])
def test_assign_writes_the_beginning_and_leaves_the_rest(assign, size):
    target, source = np.full(6, -1.0), np.arange(float(size))
    assign(target, source)
    assert target.tolist() == [*source.tolist(), *[-1.0] * (6 - size)]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000])
def test_exponentials_are_accurate_to_the_last_digits(size):
    a = np.random.default_rng(size).uniform(-720.0, 0.0, size)
    a[0] = 0.0
    out = np.empty(size)
    adversary.exp_into(a + 5.0, 5.0, out)
    exact = np.exp((a + 5.0) - 5.0)
    kept = (a + 5.0) - 5.0 >= -700.0
    np.testing.assert_allclose(out[kept], exact[kept], rtol=1e-15)
    assert (out[~kept] == 0.0).all()


def test_exponentials_at_the_edges():
    a = np.array([0.0, -1e-300, -math.log(2.0), -699.999, -700.001, -1e5, -1e300, -np.inf])
    out = np.full(a.size, np.nan)
    adversary.exp_into(a, 0.0, out)
    np.testing.assert_allclose(out[:4], np.exp(a[:4]), rtol=1e-15)
    assert (out[4:] == 0.0).all()


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("m", [1, 2, 7, 300])
def test_products_with_a_matrix(n, m):
    rng = np.random.default_rng([n, m])
    U, p, x = rng.standard_normal((n, m)), rng.random(m), rng.random(n)
    left, right, rows = np.empty(n), np.empty(m), np.full(n, np.nan)
    adversary.matvec(U, p, left)
    adversary.matvec_t(U, x, right)
    np.testing.assert_allclose(left, U @ p, atol=1e-13)
    np.testing.assert_allclose(right, x @ U, atol=1e-13)
    rows[:] = 1.0
    assert_equals_its_python(adversary.matvec, U, p, rows)
    assert_equals_its_python(adversary.matvec_t, U, x, np.ones(m))


@pytest.mark.parametrize("shape", SHAPES)
def test_products_and_sums_over_the_others(shape):
    values = np.random.default_rng(shape).standard_normal(sum(shape))
    rows = np.split(values, np.cumsum(shape)[:-1])
    last = len(shape)
    for i, start, stop in [*((i, 0, last) for i in range(last)), (0, 1, 2), (last - 1, 0, 1)]:
        others = [rows[j] for j in range(start, stop) if j != i]
        args = (values, layout_of(shape), i, start, stop)
        m = math.prod(len(row) for row in others)
        for kernel, operation in (
            (adversary.outer_product, np.multiply),
            (adversary.outer_sum, np.add),
        ):
            out = np.empty(m)
            kernel(*args, out)
            expected = functools.reduce(operation.outer, others).ravel()
            np.testing.assert_allclose(out, expected, rtol=1e-14, atol=1e-15)
            assert_equals_its_python(kernel, *args, np.zeros(m))


@pytest.mark.parametrize("sizes", [(3, 1, 4), (2, 5, 16), (1, 7, 3), (6, 20, 30)], ids=str)
def test_marginals_on_two_halves(sizes):
    """Of p U, row by row, and their sum U p: for a product measure, and for any other."""
    n, m_1, m_2 = sizes
    rng = np.random.default_rng(sizes)
    U, first, last = rng.standard_normal((n, m_1 * m_2)), rng.random(m_1), rng.random(m_2)
    p = np.outer(first, last)
    cases: list[tuple[Any, tuple[Any, ...]]] = [
        (adversary.split_product, (U, first, last)),
        (adversary.split_joint, (U, p.ravel(), np.empty(m_1), np.empty(m_2))),
    ]
    for kernel, args in cases:
        table, v = np.empty((n, m_1 + m_2)), np.empty(n)
        kernel(*args, table, v)
        weighted = U.reshape(n, m_1, m_2) * p
        np.testing.assert_allclose(table[:, :m_1], weighted.sum(axis=2), atol=1e-12)
        np.testing.assert_allclose(table[:, m_1:], weighted.sum(axis=1), atol=1e-12)
        np.testing.assert_allclose(v, weighted.sum(axis=(1, 2)), atol=1e-12)
        if kernel is adversary.split_joint:
            np.testing.assert_allclose(args[2], p.sum(axis=1), atol=1e-13)
            np.testing.assert_allclose(args[3], p.sum(axis=0), atol=1e-13)
        if n < 6:
            assert_equals_its_python(kernel, *args, np.zeros_like(table), np.zeros(n))


def reverse_cases():
    """Name log q and the cost ``tau (g - min g)`` of what may be hard."""
    rng = np.random.default_rng(0)
    g = rng.random(6)
    log_q = np.log(rng.dirichlet(np.ones(6)))
    steep = np.log(np.array([0.5, 0.3, 0.2 - 1e-9, 1e-9]))
    tied = np.array([0.0, 0.4, 0.0, 0.0, 1.0])
    even = np.full(5, -math.log(5.0))
    free = np.array([-300.0, -0.2, math.log1p(-math.exp(-0.2))])
    return {
        "one joint action": (np.zeros(1), np.zeros(1)),
        "no difference": (even, np.zeros(5)),
        "generic": (log_q, 2.0 * (g - g.min())),
        "tiny tau": (log_q, 1e-12 * (g - g.min())),
        "huge tau": (log_q, 1e6 * (g - g.min())),
        "ties at the least": (even, 3.0 * tied),
        "ties elsewhere": (even, np.array([0.0, 2.0, 2.0, 2.0, 5.0])),
        "small where g is least": (steep, np.array([30.0, 20.0, 10.0, 0.0])),
        "nearly none where g is least": (free, np.array([0.0, 4.0, 7.0])),
        "nearly none at two": (np.append(free, -310.0), np.array([0.0, 4.0, 7.0, 0.0])),
        "nearly none, and none needed": (free, np.array([0.0, 0.3, 0.2])),
    }


CASES = reverse_cases()
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each_case
def test_reverse_adversary_by_the_definition(case):
    """``p = q / h`` with the sum 1, to 60 digits; its weights are ``p / h``."""
    log_q, cost = case
    p, w = np.empty(log_q.size), np.empty(log_q.size)
    omega, star = adversary.reverse_adversary(log_q, cost, p, w)
    q = [mp.exp(mp.mpf(a)) for a in log_q]
    exact = formulas.adversary(q, [mp.mpf(c) for c in cost], 1, "reverse_kl")
    np.testing.assert_allclose(p, np.array(exact, dtype=float), rtol=1e-12, atol=1e-300)
    assert p.sum() == pytest.approx(1.0, abs=1e-14)
    steep = [a * a / b for a, b in zip(exact, q, strict=True)]
    total = mp.fsum(steep)
    assert star == max(range(len(steep)), key=lambda k: steep[k])
    shares = np.array([a / total for a in steep], dtype=float)
    np.testing.assert_allclose(w, shares, rtol=1e-11, atol=1e-80)
    # Only omega w of the actions that cost more than the least enters products, where it is finite.
    dear = cost > 0.0
    np.testing.assert_allclose((omega * w)[dear], np.array(steep, dtype=float)[dear], rtol=1e-11)
    assert math.isfinite(omega)


def test_the_reverse_adversary_takes_what_the_others_leave_free():
    """Joint actions that are never played (log q = -1e5) get the mass that the others leave."""
    log_q = np.array([-1e5, math.log(0.25), math.log(0.75), -1e5])
    cost = np.array([0.0, 1.0, 3.0, 2.0])
    p, w = np.empty(4), np.empty(4)
    omega, star = adversary.reverse_adversary(log_q, cost, p, w)
    np.testing.assert_allclose(p, [0.5, 0.25, 0.25, 0.0], rtol=1e-12)
    assert star == 0
    assert w[0] == 1.0
    assert math.isfinite(omega)
    # W = omega w is exact away from the free action: q / h^2
    np.testing.assert_allclose(omega * w[1:3], [0.25 / 1.0, 0.75 / 9.0], rtol=1e-11)


@each_case
def test_reverse_adversary_equals_its_python(case):
    log_q, cost = case
    blank = np.ones(log_q.size)
    assert_equals_its_python(adversary.reverse_adversary, log_q, cost, blank, blank.copy())
