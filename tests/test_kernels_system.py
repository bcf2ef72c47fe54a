"""The kernels of the equilibrium system: values, derivatives, the relevant actions."""

import math

import numpy as np
import pytest

from rqe._kernels import jacobian, system
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
from tests.reference import best_response, equilibria

each_pair = pytest.mark.parametrize(("reverse", "barrier"), PAIRS)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
T = 7.0


def mixed(shape, reverse=False, barrier=False, seed=0, **changed):
    """Return payoffs, a problem whose players differ in everything, a profile, lam and tau."""
    n = len(shape)
    options = {
        "slope": np.linspace(1.0, 0.4, n),
        "delay": np.linspace(0.0, 0.3, n),
        "tau": np.array([3.0, 0.0, 0.5, 8.0])[:n],
        **changed,
    }
    payoffs, log_x = payoffs_of(shape, seed), profile_of(shape, seed)
    problem = problem_of(payoffs, reverse=reverse, barrier=barrier, **options)
    lam = options["slope"] * T / (1.0 + options["delay"] * T)
    return payoffs, problem, log_x, lam, options["tau"]


@each_shape
def test_layout_of_a_problem(shape):
    payoffs, problem, log_x, _, _ = mixed(shape)
    state = system.new_state(problem, log_x)
    np.testing.assert_array_equal(state.vec[system.LOG_X], log_x)
    for i, n in enumerate(shape):
        lo, hi = system.span(problem, system.OFF, i)
        assert (lo, hi) == (sum(shape[:i]), sum(shape[: i + 1]))
        own_first = np.moveaxis(payoffs[i], i, 0).reshape(n, -1)
        np.testing.assert_array_equal(system.payoff_matrix(problem, i), own_first)
        first, last = system.span(problem, system.MOFF, i)
        assert last - first == own_first.shape[1]


@each_shape
def test_profiles_are_normalised_also_far_from_it(shape):
    payoffs, problem, log_x, _, _ = mixed(shape)
    raw = log_x + np.repeat(np.linspace(-900.0, 1e5, len(shape)), shape)
    x = np.empty(raw.size)
    assert_equals_its_python(system.normalise, problem, raw, x, atol=1e-10)
    system.normalise(problem, raw, x)
    np.testing.assert_allclose(raw, log_x, atol=1e-10)
    for part in cases.parts(payoffs, x):
        assert part.sum() == pytest.approx(1.0, abs=1e-15)


@each_pair
@each_shape
@pytest.mark.parametrize("over_tau", [False, True])
def test_values_and_residual_by_the_reference(shape, reverse, barrier, over_tau):
    changed = {"over_tau": True, "delay": np.zeros(len(shape))} if over_tau else {}
    payoffs, problem, log_x, lam, tau = mixed(shape, reverse, barrier, **changed)
    if over_tau:
        lam, tau = lam / T, tau * T
    state, residual = evaluated(problem, log_x, T)
    v = cases.values(payoffs, log_x, tau, reverse)
    np.testing.assert_allclose(state.vec[system.V], v, rtol=1e-11)
    np.testing.assert_allclose(state.player[system.LAM], lam, rtol=1e-14)
    np.testing.assert_allclose(state.player[system.TAU], tau, rtol=1e-14)
    g = cases.uncentred(payoffs, log_x, lam, tau, reverse, barrier)
    force = cases.centred(payoffs, log_x, g, barrier)  # inverse times F
    np.testing.assert_allclose(
        state.vec[system.INV] * state.vec[system.FORCE], force, rtol=1e-9, atol=1e-10
    )
    sizes = [
        np.abs(part).max() / max(precision, 1.0)
        for part, precision in zip(cases.parts(payoffs, state.vec[system.FORCE]), lam, strict=True)
    ]
    assert residual == pytest.approx(max(sizes), rel=1e-12)


@each_pair
def test_frozen_players_have_no_equations(reverse, barrier):
    shape = (2, 3, 2)
    frozen = np.array([False, True, False])
    _, free, log_x, _, _ = mixed(shape, reverse, barrier)
    _, problem, _, _, _ = mixed(shape, reverse, barrier, frozen=frozen)
    d = np.random.default_rng(0).standard_normal(7)
    state, _ = evaluated(problem, log_x, T)
    other, _ = evaluated(free, log_x, T)
    own = slice(2, 5)
    assert (state.vec[system.FORCE, own] == 0.0).all()
    column, out, expected = np.empty(7), np.empty(7), np.empty(7)
    system.parameter_slope(problem, state, column)
    system.apply_jacobian(problem, state, d, out)
    system.apply_jacobian(free, other, d, expected)
    assert (column[own] == 0.0).all()
    np.testing.assert_array_equal(out[own], d[own])
    np.testing.assert_allclose(np.delete(out, [2, 3, 4]), np.delete(expected, [2, 3, 4]))


@pytest.mark.parametrize("barrier", [False, True])
def test_rare_actions_outside_the_system_are_answered_exactly(barrier):
    """Their logits become the response to the others, however wrong they were."""
    payoffs = payoffs_of((3, 3), 5)
    payoffs[0][2] -= 1.0  # one action is far worse
    problem = problem_of(payoffs, 1.0, 2.0, barrier=barrier)
    precision = 60.0
    log_x = np.concatenate([np.log([0.6, 0.4, 1.0]), np.log([0.2, 0.3, 0.5])])
    log_x[2] = -40.0
    state = system.new_state(problem, log_x)
    state.active[2] = False
    if barrier:
        state.vec[system.LOG_X, 2] = -40.0
    system.evaluate(problem, state, precision)
    answered = state.vec[system.LOG_X].copy()
    assert state.vec[system.FORCE, 2] == 0.0
    g = cases.uncentred(payoffs, log_x, precision, 2.0, False, barrier)
    x = np.exp(log_x[:3])
    weights = x * x if barrier else x
    weights[2] = 0.0  # e^-40
    mean = weights @ g[:3] / weights.sum()
    v = cases.values(payoffs, log_x, [2.0, 2.0], False)[2]
    expected = -math.log(-(mean + precision * v)) if barrier else mean + precision * v
    assert answered[2] == pytest.approx(min(expected, -1.0), rel=1e-9)


@each_pair
@each_shape
def test_jacobian_by_central_differences(shape, reverse, barrier):
    payoffs, problem, log_x, lam, tau = mixed(shape, reverse, barrier)
    state, _ = evaluated(problem, log_x, T)
    for seed in range(3):
        d, out, h = cases.tangent(payoffs, log_x, seed), np.empty(log_x.size), 1e-4
        system.apply_jacobian(problem, state, d, out)
        ends = [
            cases.uncentred(payoffs, log_x + s * h * d, lam, tau, reverse, barrier)
            for s in (-2, -1, 1, 2)
        ]
        slope = (8.0 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12.0 * h)
        expected = cases.centred(payoffs, log_x, slope, barrier)
        np.testing.assert_allclose(out, expected, rtol=1e-7, atol=1e-7)


@each_pair
def test_shifts_of_a_players_logits_are_no_change_of_strategy(reverse, barrier):
    shape = (2, 3, 2)
    _, problem, log_x, _, _ = mixed(shape, reverse, barrier)
    state, _ = evaluated(problem, log_x, T)
    act, J = np.arange(7), np.empty((8, 8))
    jacobian.assemble(problem, state, act, 0, J)
    for shift in np.eye(3).repeat(shape, axis=1):
        out = np.empty(7)
        system.apply_jacobian(problem, state, shift, out)
        np.testing.assert_allclose(out, shift, atol=1e-14)
        np.testing.assert_allclose(J[:7, :7] @ shift, shift, atol=1e-13)


def derivative(function, at, one_sided):
    """Return the derivative by differences of second or fourth order."""
    h = 1e-4
    if one_sided:
        f = [function(at + k * h) for k in range(5)]
        return (-25 * f[0] + 48 * f[1] - 36 * f[2] + 16 * f[3] - 3 * f[4]) / (12.0 * h)
    f = [function(at + k * h) for k in (-2, -1, 1, 2)]
    return (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * h)


@each_pair
@each_shape
@pytest.mark.parametrize("where", ["precision", "tau", "tau = 0"])
def test_slope_in_the_parameter_by_differences(shape, reverse, barrier, where):
    over_tau = where != "precision"
    changed = {"over_tau": True, "delay": np.zeros(len(shape))} if over_tau else {}
    payoffs, problem, log_x, lam, tau = mixed(shape, reverse, barrier, **changed)
    slope, at = lam / T, 0.0 if where == "tau = 0" else T
    state, _ = evaluated(problem, log_x, at)

    def g(t):
        if over_tau:
            return cases.uncentred(payoffs, log_x, slope, tau * t, reverse, barrier)
        precision = np.linspace(1.0, 0.4, len(shape)) * t
        precision /= 1.0 + np.linspace(0.0, 0.3, len(shape)) * t
        return cases.uncentred(payoffs, log_x, precision, tau, reverse, barrier)

    column = np.empty(log_x.size)
    system.parameter_slope(problem, state, column)
    expected = -cases.centred(payoffs, log_x, derivative(g, at, at == 0.0), barrier)
    np.testing.assert_allclose(column, expected, rtol=2e-6, atol=1e-8)


@each_pair
@each_shape
def test_dense_matrix_is_the_operator(shape, reverse, barrier):
    payoffs, problem, log_x, _, _ = mixed(shape, reverse, barrier)
    state, _ = evaluated(problem, log_x, T)
    n = log_x.size
    J = np.full((n + 1, n + 1), np.nan)  # the border is not the kernel's
    jacobian.assemble(problem, state, np.arange(n), 0, J)
    assert np.isnan(J[n]).all()
    for seed in range(3):
        d, out = cases.tangent(payoffs, log_x, seed), np.empty(n)
        system.apply_jacobian(problem, state, d, out)
        np.testing.assert_allclose(J[:n, :n] @ d, out, atol=1e-12)


@each_pair
def test_matrix_of_the_relevant_actions_is_a_part_of_the_whole(reverse, barrier):
    shape = (3, 2, 3)
    payoffs, problem, log_x, _, _ = mixed(shape, reverse, barrier, tau=np.full(3, 0.5))
    log_x[[1, 7]] = -60.0
    log_x = np.concatenate([a - np.log(np.exp(a).sum()) for a in cases.parts(payoffs, log_x)])
    state, _ = evaluated(problem, log_x, T)
    act = jacobian.find_active(problem, state, 1e-6)
    np.testing.assert_array_equal(act, [0, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(np.nonzero(state.active)[0], act)
    whole, some = np.empty((9, 9)), np.empty((9, 9))
    jacobian.assemble(problem, state, np.arange(8), 1, whole)
    jacobian.assemble(problem, state, act, 0, some)
    np.testing.assert_allclose(some[:6, :6], whole[np.ix_(act + 1, act + 1)], atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_relevant_actions_by_the_definition(reverse):
    """An action counts if its player, magnified by his spread, or some adversary gives it weight.

    Here an adversary of large tau gives much weight to actions that are hardly played.
    """
    shape, tau = (3, 4), np.array([40.0, 0.0])
    for seed in range(20):
        payoffs, log_x = payoffs_of(shape, seed), profile_of(shape, seed, spread=9.0)
        problem = problem_of(payoffs, 1.0, tau, reverse=reverse)
        state, _ = evaluated(problem, log_x, T)
        x, spread = np.exp(state.vec[system.LOG_X]), state.player[system.SPREAD]
        expected = np.concatenate([x[:3] > 1e-4 / max(1.0, spread[0]), x[3:] > 1e-4])
        expected[3:] |= state.p[:4] > 1e-4  # player 2's actions in the eyes of player 1
        np.testing.assert_array_equal(
            jacobian.find_active(problem, state, 1e-4), np.nonzero(expected)[0]
        )


@each_pair
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2)], ids=str)
def test_kernels_equal_their_python(shape, reverse, barrier):
    n = sum(shape)
    for over_tau in (False, True):
        payoffs, problem, log_x, _, _ = mixed(shape, reverse, barrier, over_tau=over_tau)
        d, out = cases.tangent(payoffs, log_x, 0), np.zeros(n)
        fresh = system.new_state(problem, log_x)
        fresh.p[:], fresh.w[:], fresh.scratch[:] = 0.0, 0.0, 0.0  # were not initialised
        assert_equals_its_python(system.evaluate, problem, fresh, T)
        system.evaluate(problem, fresh, T)
        dv = np.zeros(shape[0])
        scale = fresh.player[system.LAM, 0]
        assert_equals_its_python(system.payoff_slope, problem, fresh, 0, d, dv)
        assert_equals_its_python(system.project, problem, fresh, 0, scale, dv + 1.0, dv)
        assert_equals_its_python(system.parameter_slope, problem, fresh, out)
        assert_equals_its_python(system.apply_jacobian, problem, fresh, d, out)
        assert_equals_its_python(system.star, fresh, 0)
        assert_equals_its_python(jacobian.find_active, problem, fresh, 1e-3)
        assert_equals_its_python(
            jacobian.assemble, problem, fresh, np.arange(n), 0, np.zeros((n + 1, n + 1))
        )


def test_constructors_equal_their_python():
    payoffs = payoffs_of((2, 3), 0)
    u, shape, rates = payoffs.ravel(), np.array([2, 3], np.int64), np.ones(2)
    frozen = np.array([True, False])
    args = (u, shape, rates, rates, rates, False, frozen, False, True)
    assert_equals_its_python(system.new_problem, *args)
    problem = system.new_problem(*args)
    assert_equals_its_python(system.payoff_matrix, problem, 1)
    assert_equals_its_python(system.span, problem, system.UOFF, 1)


@each_pair
@pytest.mark.parametrize(
    "shape", [(2, 3, 2), (1, 4, 3), (3, 1, 1), (2, 2, 3, 2), (2,) * 6], ids=str
)
def test_halves_hold_the_marginals_of_the_adversary(shape, reverse, barrier):
    """Sides are marginals of p, tables those of p U, for risk-averse and for neutral players."""
    n_players = len(shape)
    tau = np.where(np.arange(n_players) % 2, 0.0, 3.0)
    payoffs, problem, log_x, _, _ = mixed(
        shape, reverse, barrier, tau=tau, slope=np.ones(n_players), delay=np.zeros(n_players)
    )
    state, _ = evaluated(problem, log_x, T)
    x = [np.exp(a) for a in cases.parts(payoffs, log_x)]
    for i, n in enumerate(shape):
        U, q = best_response.tables(payoffs, x, i)
        p = equilibria.adversary(x[i] @ U, q, tau[i], "reverse_kl" if reverse else "kl")
        first, last, table = system.halves(problem, state, i)
        joint, weighted = p.reshape(first.size, -1), (U * p).reshape(n, first.size, -1)
        np.testing.assert_allclose(first, joint.sum(axis=1), atol=1e-12)
        np.testing.assert_allclose(last, joint.sum(axis=0), atol=1e-12)
        np.testing.assert_allclose(table[:, : first.size], weighted.sum(axis=2), atol=1e-12)
        np.testing.assert_allclose(table[:, first.size :], weighted.sum(axis=1), atol=1e-12)
        marginal = np.zeros(sum(shape))
        lo, hi = system.span(problem, system.SIDE, i)
        jacobian.both_marginals(problem, state, i, state.side, lo, hi, marginal)
        others = [m for j, m in enumerate(shape) if j != i]
        tensor = p.reshape(others)
        for k, j in enumerate(j for j in range(n_players) if j != i):
            axes = tuple(a for a in range(len(others)) if a != k)
            own = slice(sum(shape[:j]), sum(shape[: j + 1]))
            np.testing.assert_allclose(marginal[own], tensor.sum(axis=axes), atol=1e-12)


@each_pair
def test_large_risk_blocks_are_products_of_matrices(reverse, barrier):
    """Above a few actions BLAS makes the covariances; the matrix is still the operator."""
    for shape in ((9, 300), (12, 5, 7)):
        payoffs, problem, log_x, _, _ = mixed(shape, reverse, barrier)
        state, _ = evaluated(problem, log_x, T)
        n = log_x.size
        J, out, d = np.empty((n, n)), np.empty(n), cases.tangent(payoffs, log_x, 0)
        jacobian.assemble(problem, state, np.arange(n), 0, J)
        system.apply_jacobian(problem, state, d, out)
        np.testing.assert_allclose(J @ d, out, atol=1e-11)
