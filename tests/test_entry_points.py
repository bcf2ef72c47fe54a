"""The entry points: limits, extremes, failures and bad input, as a user meets them."""

import math

import numpy as np
import pytest

import rqe

GAME = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])


def random_game(seed, shape=(3, 3)):
    return rqe.NormalFormGame(np.random.default_rng(seed).random((len(shape), *shape)))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"tau": -1.0}, ValueError, "tau must be >= 0"),
        ({"eps": math.nan}, ValueError, "eps must be >= 0"),
        ({"eps": [0.1]}, ValueError, "eps must be one number or a list of 2"),
        ({"tau": "high"}, TypeError, "tau must be a real number"),
        ({"tau": True}, TypeError, "tau must be a real number"),
        ({"penalty": "KL"}, ValueError, "did you mean 'kl'"),
        ({"regularizer": "entropie"}, ValueError, "did you mean 'entropy'"),
        ({"solver": "newtn"}, ValueError, "did you mean 'newton'"),
        ({"solver": 3}, TypeError, "solver must be"),
        ({"tol": 0.0}, ValueError, "tol must be"),
        ({"eps": 0.1, "start": [[0.5, 0.5]]}, ValueError, "one strategy per player"),
        ({"eps": 0.1, "start": [[0.5, 0.5], [1.0, 0.0]]}, ValueError, "positive probabilities"),
        ({"eps": 0.0, "start": [[0.5, 0.5], [0.5, 0.5]]}, ValueError, "needs eps > 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error) as caught:
        rqe.solve(GAME, **arguments)
    assert words in str(caught.value)


def test_a_game_is_asked_for():
    with pytest.raises(TypeError, match=r"rqe\.NormalFormGame"):
        rqe.solve([[1, 0], [0, 1]])  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="parameter must be one of eps, tau"):
        rqe.trace(GAME, eps=0.1, parameter="lam")


def test_a_failure_carries_the_partial_answer():
    short = rqe.PrincipalBranch(max_steps=1)
    with pytest.raises(rqe.ConvergenceError) as caught:
        rqe.solve(GAME, eps=0.01, solver=short)
    assert caught.value.solution.status is rqe.Status.MAX_STEPS
    assert not rqe.solve(GAME, eps=0.01, solver=short, throw=False).converged


def test_arrays_of_the_caller_are_left_alone():
    payoffs = np.random.default_rng(0).random((2, 3, 3))
    tau, eps = np.array([1.0, 2.0]), np.array([0.1, 0.2])
    copies = payoffs.copy(), tau.copy(), eps.copy()
    rqe.solve(rqe.NormalFormGame(payoffs), tau, eps)
    for given, copy in zip((payoffs, tau, eps), copies, strict=True):
        np.testing.assert_array_equal(given, copy)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_units_and_level_of_payoffs_do_not_matter(scale, shift):
    game = random_game(1)
    moved = rqe.NormalFormGame(scale * (game.payoffs + (shift if scale == 1.0 else 0.0)))
    plain, other = rqe.solve(game, 2.0, 0.1), rqe.solve(moved, 2.0 / scale, 0.1 * scale)
    for x, y in zip(plain.strategies, other.strategies, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-7 if shift else 1e-10)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("tau", "eps"), [(1e6, 0.1), (1e3, 0.02), (0.0, 1e-6), (2.0, 1e-6)])
def test_extreme_parameters_are_solved(seed, tau, eps):
    solution = rqe.solve(random_game(seed), tau, eps)
    assert solution.residual <= 1e-10
    assert all(np.all(np.isfinite(log_x)) for log_x in solution.log_strategies)


@pytest.mark.parametrize("tau", [0.0, 2.0])
def test_factored_and_matrix_free_systems_agree(tau):
    game = random_game(3, (12, 12))
    free = rqe.solve(game, tau, 0.1, solver=rqe.PrincipalBranch(dense_limit=1))
    for x, y in zip(free.strategies, rqe.solve(game, tau, 0.1).strategies, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-10)


def test_uniform_players_are_uniform():
    solution = rqe.solve(random_game(4), 1.0, [math.inf, 0.1])
    np.testing.assert_allclose(solution.strategies[0], 1 / 3, rtol=1e-12)


def test_a_trace_ends_where_solve_does():
    game = random_game(5)
    branch = rqe.trace(game, 1.0, 0.05)
    assert branch.converged
    assert math.isinf(branch.values[0, 0])
    np.testing.assert_allclose(branch.values[-1], 0.05)
    assert float(branch.residuals.max()) <= 1e-10
    solution = rqe.solve(game, 1.0, 0.05)
    for x, y in zip(branch.strategies, solution.strategies, strict=True):
        np.testing.assert_allclose(x[-1], y, atol=1e-10)


def test_a_trace_in_tau_meets_the_pitchfork():
    branch = rqe.trace(GAME, 2.0, 0.2, parameter="tau")
    assert len(branch.bifurcations) == 1
    before = int(branch.bifurcations[0])
    low, high = branch.values[before, 0], branch.values[before + 1, 0]
    assert min(low, high) <= 0.8287886937257862 <= max(low, high)
    np.testing.assert_allclose(branch.values[-1], 2.0)


def test_security_values_of_zero_sum_games():
    for name, value in (("matching-pennies", 0.0), ("oneill", -0.2)):
        solution = rqe.security(rqe.catalog.load(name))
        assert solution.risk_adjusted[0] == pytest.approx(value, abs=1e-9)
        assert solution.risk_adjusted.sum() == pytest.approx(0.0, abs=1e-9)
