"""The two interval kernels against points inside, finite differences and each other."""

import flint
import numpy as np
import pytest

import rqe
from rqe.concepts import PENALTIES, REGULARIZERS, Concept
from rqe.proof import _intervals as intervals
from rqe.proof._balls import System
from rqe.proof._newton import Chart
from rqe.proof._seats import Seat
from tests.reference import equilibria
from tests.reference.best_response import tables

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
each_shape = pytest.mark.parametrize("shape", [(2, 2), (3, 4), (2, 3, 2)])


def setting(shape, tau, penalty, regularizer, seed=0):
    """A random game and concept, its seats, and a random profile of logarithms in a row."""
    rng = np.random.default_rng([seed, *shape])
    game = rqe.NormalFormGame(rng.random((len(shape), *shape)))
    concept = Concept.of(game, tau, 0.3, penalty, regularizer)
    starts = np.concatenate([[0], np.cumsum(shape)]).tolist()
    seats = [Seat(game, concept, i, starts) for i in range(len(shape))]
    return rng, game, concept, seats


def profile(rng, shape):
    return [equilibria.log_softmax(rng.normal(size=n)) for n in shape]


def around(rng, logs, width):
    """Bounds around a profile, which is somewhere inside."""
    row = np.concatenate(logs)
    return row - width * rng.random(row.size), np.minimum(row + width * rng.random(row.size), 0.0)


@each_pair
@each_shape
@pytest.mark.parametrize("tau", [0.0, 0.01, 2.0])
def test_ball_jacobian_is_the_derivative(shape, tau, penalty, regularizer):
    rng, game, concept, _ = setting(shape, tau, penalty, regularizer)
    logs = profile(rng, shape)
    with flint.ctx.workprec(300):
        system = System(game, concept, logs, [np.ones(1)] * len(shape), exact=False)
        y = system.start()
        values, J = system.evaluate(y)
        h = flint.arb(2) ** -100
        for k in range(system.size):
            shifted = [v + h if j == k else v for j, v in enumerate(y)]
            there, _ = system.evaluate(shifted, jacobian=False)
            for row in range(system.size):
                slope = (there[row] - values[row]) / h
                assert abs(float(slope - J[row, k])) < 1e-20


@each_pair
@each_shape
@pytest.mark.parametrize("tau", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("width", [1e-6, 0.1, 2.0])
def test_bounds_hold_at_points_inside(shape, tau, width, penalty, regularizer):
    rng, game, concept, seats = setting(shape, tau, penalty, regularizer)
    for _ in range(10):
        logs = profile(rng, shape)
        low, high = (b[None] for b in around(rng, logs, width))
        strategies = [np.exp(log_x) for log_x in logs]
        for i, seat in enumerate(seats):
            U, q = tables(game.payoffs, strategies, i)
            p = equilibria.adversary(strategies[i] @ U, q, tau, penalty)
            bounds = seat.adversary(low, high)
            assert np.all(bounds.low[0] <= p + 1e-12)
            assert np.all(bounds.high[0] >= p - 1e-12)
            if bounds.reach is not None:
                assert np.all(bounds.reach[0][0] <= q / p * (1 + 1e-9))
                assert np.all(bounds.reach[1][0] >= q / p * (1 - 1e-9))
            response = equilibria.log_response(U @ p, float(concept.eps[i]), regularizer)
            bottom, top = seat.response(low, high)
            assert np.all(bottom[0] <= response + 1e-9)
            assert np.all(top[0] >= response - 1e-9)


@each_pair
@each_shape
@pytest.mark.parametrize("tau", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("width", [1e-7, 0.05, 0.5])
def test_float_jacobian_holds_ball_jacobians_inside(shape, tau, width, penalty, regularizer):
    rng, game, concept, seats = setting(shape, tau, penalty, regularizer)
    total = sum(shape)
    for _ in range(3):
        logs = profile(rng, shape)
        low, high = (b[None] for b in around(rng, logs, width))
        system = System(game, concept, logs, [np.ones(1)] * len(shape), exact=False)
        chart = Chart(seats, system.reference, total)
        found = chart._jacobian(low, high)
        _, J = system.evaluate(system.start())
        exact = np.array([float(e) for e in J.entries()]).reshape(system.size, system.size)
        if system.implicit:  # eliminate log kappa: the logits' own Jacobian
            m = system.logits
            exact = exact[:m, :m] - exact[:m, m:] @ np.linalg.solve(exact[m:, m:], exact[m:, :m])
        assert np.all(np.abs(exact - found.mid[0]) <= found.rad[0] + 1e-12 * np.abs(exact))
        if width == 1e-7:
            assert np.all(found.rad[0] < 1e-3 * (1.0 + np.abs(exact)))
        values = chart._values(np.array([[float(v) for v in system.start()]])[:, : system.logits],
                               (low, high))  # fmt: skip
        at, _ = system.evaluate(system.start(), jacobian=False)
        F = np.array([float(v) for v in at])[: system.logits]
        assert np.all(np.abs(F - values.mid[0]) <= values.rad[0] + 1e-12 * (1 + np.abs(F)))


def test_linear_ranges_are_those_of_the_linear_programme():
    from scipy.optimize import linprog

    rng = np.random.default_rng(0)
    for _ in range(30):
        n = int(rng.integers(2, 6))
        x = rng.dirichlet(np.ones(n))
        low, high = x * rng.random(n), np.minimum(x + 0.3 * rng.random(n), 1.0)
        w = rng.normal(size=(2, n))
        bottom, top = intervals.Range(w, np.zeros(2))(low[None], high[None])
        for k in range(2):
            for sign, bound in ((1.0, bottom), (-1.0, top)):
                best = linprog(
                    sign * w[k], A_eq=np.ones((1, n)), b_eq=[1.0],
                    bounds=list(zip(low, high, strict=True)),
                )  # fmt: skip
                assert bound[0, k] == pytest.approx(sign * best.fun, abs=1e-9)


def test_trimming_keeps_every_strategy():
    rng = np.random.default_rng(0)
    x = rng.dirichlet(np.ones(4), size=50)
    low, high = x * rng.random(x.shape), np.minimum(x + rng.random(x.shape), 1.0)
    new_low, new_high = intervals.trim(low, high)
    assert np.all((new_low <= x) & (x <= new_high))
    assert np.all((low <= new_low) & (new_high <= high))
