"""Best responses and regret of users' own profiles, against scipy, closed forms and the check."""

import math
from typing import Any

import numpy as np
import pytest

import rqe
from rqe.concepts import PENALTIES, REGULARIZERS
from tests.reference.best_response import improvement

INF = math.inf
PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
ANY: Any = rqe  # for arguments of wrong types
PENNIES = rqe.NormalFormGame.from_bimatrix([[1, -1], [-1, 1]], [[-1, 1], [1, -1]])


def setting(shape, zeros=False, seed=0):
    rng = np.random.default_rng([seed, *shape])
    game = rqe.NormalFormGame(3.0 + 2.0 * rng.random((len(shape), *shape)))
    profile = [rng.dirichlet(np.ones(n)) for n in shape]
    if zeros:
        for x in profile:
            x[0] = 0.0
            x /= x.sum()
    return game, profile


@each_pair
@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("tau", [0.0, 0.5, 10.0])
@pytest.mark.parametrize("eps", [0.0, 0.02, 1.0])
def test_gains_are_those_of_a_general_purpose_optimiser(shape, tau, eps, penalty, regularizer):
    game, profile = setting(shape)
    for i in range(len(shape)):
        found = rqe.best_response(
            game, profile, i, tau, eps, penalty=penalty, regularizer=regularizer
        )
        assert found.gap < 1e-9
        expected = improvement(game.payoffs, profile, i, tau, eps, penalty, regularizer)
        assert found.gain == pytest.approx(expected, abs=1e-6)
        assert found.strategy.sum() == pytest.approx(1.0, abs=1e-12)


@each_pair
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("tau", [0.0, 1.0, 30.0, INF])
@pytest.mark.parametrize("eps", [0.0, 0.05])
def test_responses_are_optimal_by_duality_with_zeros_too(zeros, tau, eps, penalty, regularizer):
    game, profile = setting((3, 4), zeros)
    for i in range(2):
        found = rqe.best_response(
            game, profile, i, tau, eps, penalty=penalty, regularizer=regularizer
        )
        assert found.gap < 1e-9
        if zeros and regularizer == "log_barrier" and eps > 0.0:
            assert found.gain == INF
            continue
        changed = list(profile)
        changed[i] = found.strategy
        options = {"penalty": penalty, "regularizer": regularizer}
        again = rqe.best_response(game, changed, i, tau, eps, **options)
        assert again.gain < 1e-9
        assert again.value == pytest.approx(found.value, abs=1e-9)


@each_pair
def test_regret_is_below_the_bound_and_vanishes_at_solutions(penalty, regularizer):
    game, profile = setting((3, 3))
    options = {"penalty": penalty, "regularizer": regularizer}
    concept = rqe.Concept.of(game, 1.0, 0.3, **options)
    exact = rqe.regret(game, profile, 1.0, 0.3, **options)
    bound = rqe.check(game, concept, [np.log(x) for x in profile]).regret
    assert 0.0 < exact <= bound + 1e-12
    assert not rqe.is_equilibrium(game, profile, 1.0, 0.3, **options)
    solution = rqe.solve(game, 1.0, 0.3, **options)
    assert rqe.regret(game, solution.strategies, 1.0, 0.3, **options) < 1e-12
    assert rqe.is_equilibrium(game, solution.strategies, 1.0, 0.3, **options)


def test_closed_forms():
    profile = [[0.5, 0.5], [0.9, 0.1]]
    plain = rqe.best_response(PENNIES, profile, 0)
    assert plain.strategy.tolist() == [1.0, 0.0]
    assert (plain.value, plain.gain) == pytest.approx((0.8, 0.8))
    logit = rqe.best_response(PENNIES, profile, 0, 0.0, 0.5)
    assert logit.strategy[0] == pytest.approx(1.0 / (1.0 + math.exp(-1.6 / 0.5)))
    tied = rqe.best_response(PENNIES, [[0.5, 0.5], [0.5, 0.5]], 0)
    assert tied.strategy.tolist() == [0.5, 0.5]
    safe = rqe.best_response(PENNIES, profile, 0, INF)
    assert safe.strategy == pytest.approx([0.5, 0.5])
    assert safe.value == pytest.approx(0.0, abs=1e-12)
    assert rqe.is_equilibrium(PENNIES, [[0.5, 0.5], [0.5, 0.5]])
    assert rqe.is_equilibrium(PENNIES, profile, tol=0.9)


def test_infinite_eps_and_indifferent_players():
    assert rqe.regret(PENNIES, [[0.5, 0.5], [0.5, 0.5]], 1.0, INF) == 0.0
    assert rqe.regret(PENNIES, [[0.6, 0.4], [0.5, 0.5]], 1.0, INF) == INF
    flat = rqe.NormalFormGame(np.ones((2, 2, 3)))
    found = rqe.best_response(flat, [[1.0, 0.0], [0.2, 0.3, 0.5]], 1, 1.0, 0.1)
    assert found.strategy == pytest.approx(np.full(3, 1 / 3))


def test_a_response_survives_payoffs_of_any_level_and_scale():
    game, profile = setting((3, 3))
    base = rqe.best_response(game, profile, 0, 1.0, 0.1)
    moved = rqe.NormalFormGame(1e6 * game.payoffs - 7e8)
    other = rqe.best_response(moved, profile, 0, 1e-6, 1e5)
    assert other.strategy == pytest.approx(base.strategy, abs=1e-9)
    assert other.gain == pytest.approx(1e6 * base.gain, rel=1e-6)


@pytest.mark.parametrize(
    ("profile", "player", "error", "words"),
    [
        ([[0.5, 0.5]], 0, ValueError, "one strategy per player"),
        ([[0.5, 0.5], [1.0]], 0, ValueError, r"profile\[1\] must have shape"),
        ([[0.5, 0.5], [0.7, 0.7]], 0, ValueError, "sum to 1"),
        ([[0.5, 0.5], [1.5, -0.5]], 0, ValueError, "sum to 1"),
        ([[0.5, 0.5], [math.nan, 1.0]], 0, ValueError, "sum to 1"),
        ([[0.5, 0.5], ["a", "b"]], 0, TypeError, r"profile\[1\]"),
        ([[0.5, 0.5], [0.5, 0.5]], 2, ValueError, "player must be in"),
        ([[0.5, 0.5], [0.5, 0.5]], "1", TypeError, "player must be an int"),
    ],
)
def test_arguments_are_checked(profile, player, error, words):
    with pytest.raises(error, match=words):
        rqe.best_response(PENNIES, profile, player)


def test_wrong_objects_are_named():
    solution = rqe.solve(PENNIES, eps=1.0)
    with pytest.raises(TypeError, match=r"profile must be a sequence.*solution\.strategies"):
        ANY.regret(PENNIES, solution, eps=1.0)
    with pytest.raises(TypeError, match=r"game must be an rqe.NormalFormGame.*got list"):
        ANY.is_equilibrium([1], solution.strategies, eps=1.0)
    with pytest.raises(TypeError, match="game must be an AggregativeGame or a QuadraticGame"):
        ANY.tau_limits(PENNIES, 1.0)
    with pytest.raises(TypeError, match=r"solution must be an rqe\.Solution"):
        ANY.certify(PENNIES)


@pytest.mark.parametrize("seconds", ["1", True])
def test_time_limits_are_numbers(seconds):
    for search in (
        lambda: rqe.nash(PENNIES, "all", time_limit=seconds),
        lambda: rqe.solve_all(PENNIES, eps=1.0, time_limit=seconds),
        lambda: rqe.diagram(PENNIES, eps=1.0, window=(1, 2), time_limit=seconds),
    ):
        with pytest.raises(TypeError, match="time_limit must be a number of seconds, or None"):
            search()


def test_tolerances_of_any_real_type():
    loose = ANY.solve(PENNIES, eps=1.0, tol=np.float32(1e-6))
    assert ANY.is_equilibrium(PENNIES, loose.strategies, eps=1.0, tol=np.float32(1e-6))


def test_tolerance_is_checked():
    with pytest.raises(ValueError, match="tol"):
        rqe.is_equilibrium(PENNIES, [[0.5, 0.5], [0.5, 0.5]], tol=-1.0)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
def test_under_kl_what_nobody_plays_does_not_matter_however_large_tau(eps, regularizer):
    rng = np.random.default_rng(5)
    payoffs = rng.random((2, 3, 4))
    payoffs[0, :, 3] = [-9.0, -5.0, -7.0]  # the adversary would love it, and nobody plays it
    whole, x = rqe.NormalFormGame(payoffs), [0.2, 0.3, 0.5]
    part = rqe.NormalFormGame(payoffs[:, :, :3])
    for tau in (1e3, 1e6):
        found, expected = (
            rqe.best_response(game, [x, y], 0, tau, eps, regularizer=regularizer)
            for game, y in ((whole, [0.3, 0.4, 0.3, 0.0]), (part, [0.3, 0.4, 0.3]))
        )
        assert found.gap < 1e-9
        assert found.value == pytest.approx(expected.value, abs=1e-9)
        if eps:
            assert found.strategy == pytest.approx(expected.strategy, abs=1e-7)


def test_regret_is_never_below_what_some_strategy_gains():
    # reverse KL, zeros and a large tau: the response is not found to rounding, and regret says so
    u = np.array([[0.0536, 0.9323, 0.046], [0.1951, 0.9907, 0.9707], [0.6377, 0.4955, 0.1357]])
    game = rqe.NormalFormGame.from_bimatrix(u, np.eye(3))
    x = np.array([0.862, 0.0, 0.138])
    first, second = np.meshgrid(np.linspace(1e-9, 1.0, 400), np.linspace(1e-9, 1.0, 400))
    inside = first + second < 1.0
    y = np.stack([first[inside], second[inside], 1.0 - first[inside] - second[inside]])

    def objective(y, tau):  # the other plays his second action; p moves to the lowest as it pays
        g = u.T @ y
        gap = np.maximum(g[1] - g.min(axis=0), 1.0 / tau)
        kept = 1.0 / (tau * gap)
        worth = kept * g[1] + (1.0 - kept) * g.min(axis=0) - np.log(kept) / tau
        return worth - (y * np.log(np.maximum(y, 1e-300))).sum(axis=0)

    for tau in (1e3, 1e6):
        gained = objective(y, tau).max() - float(objective(x[:, None], tau)[0])
        profile = [x, np.array([0.0, 1.0, 0.0])]
        told = rqe.regret(game, profile, tau, [1.0, 1e9], penalty="reverse_kl")
        assert told >= gained - 1e-9
        response = rqe.best_response(game, profile, 0, tau, 1.0, penalty="reverse_kl")
        assert told >= response.gain + response.gap - 1e-9


@pytest.mark.parametrize("tau", [1e300, 1e307, 1.7e308])
def test_a_tau_near_the_largest_double_is_the_worst_case(tau):
    game, profile = rqe.catalog.load("stag-hunt"), [[0.5, 0.5], [0.5, 0.5]]
    limit = rqe.best_response(game, profile, 0, INF, 1.0)
    found = rqe.best_response(game, profile, 0, tau, 1.0)
    assert found.strategy == pytest.approx(limit.strategy, abs=1e-9)
    assert not rqe.is_equilibrium(game, profile, tau, 1.0)
    assert rqe.solve(game, tau, 1.0).strategies[0] == pytest.approx(limit.strategy, abs=1e-9)


@each_pair
@pytest.mark.parametrize("tau", [0.5, 10.0, INF])
def test_a_response_does_not_depend_on_what_the_player_does_himself(tau, penalty, regularizer):
    game, profile = setting((3, 4))
    options = {"penalty": penalty, "regularizer": regularizer}
    best = rqe.best_response(game, profile, 0, tau, 0.3, **options).strategy
    near = best * [1.0 + 1e-8, 1.0, 1.0 - 1e-8]  # as good as the best, to rounding
    found = rqe.best_response(game, [near / near.sum(), profile[1]], 0, tau, 0.3, **options)
    assert found.strategy == pytest.approx(best, abs=1e-12)
