"""What must hold in every quadratic game, on games drawn by hypothesis."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe.gaussian_check import check_gaussian
from tests.quadratic_cases import POSITIVE, aggregative_games, curved, problems

SOLUTION_ARRAYS = ("payoffs", "risk_adjusted", "margins")


def close(left, right, rel=1e-10):
    """Whether two nested sequences of arrays agree, relative to the largest entry."""
    for a, b in zip(left, right, strict=True):
        scale = max(np.abs(np.asarray(b)).max(), 1e-300)
        np.testing.assert_allclose(a, b, rtol=0.0, atol=rel * scale)


@given(problems())
def test_both_routes_agree(problem):
    game, tau, eps = problem
    closed, general = rqe.solve(game, tau, eps), rqe.solve(game.to_quadratic(), tau, eps)
    assert (closed.solver, general.solver) == ("aggregative", "quadratic")
    close([np.concatenate(general.means)], [np.concatenate(closed.means)])
    close(general.covariances, closed.covariances)
    for name in SOLUTION_ARRAYS:
        close([getattr(general, name)], [getattr(closed, name)])
    limits = rqe.tau_limits(game, eps), rqe.tau_limits(game.to_quadratic(), eps)
    assert (np.isinf(limits[0]) == np.isinf(limits[1])).all()
    np.testing.assert_allclose(limits[1], limits[0], rtol=1e-10)
    assert general.unique
    assert closed.unique


@given(problems())
def test_certificates_are_at_the_level_of_rounding(problem):
    game, tau, eps = problem
    for variant in (game, game.to_quadratic()):
        solution = rqe.solve(variant, tau, eps)
        assert solution.residual < 1e-13
        assert solution.regret < 1e-20 * (1.0 + np.abs(solution.payoffs).max())


@given(aggregative_games(), st.data())
def test_the_shared_reward_rises_with_every_tau(game, data):
    """Theorem 1 of arXiv 2602.21515."""
    count = game.n_players
    eps = np.array(data.draw(st.lists(POSITIVE, min_size=count, max_size=count)))
    limits = rqe.tau_limits(game, eps)
    share = st.sampled_from([0.0, 0.2, 0.5, 0.8])
    low = np.array(data.draw(st.lists(share, min_size=count, max_size=count))) * limits
    who = data.draw(st.integers(0, count - 1))
    high = low.copy()
    high[who] = 0.5 * low[who] + 0.5 * limits[who]
    before, after = rqe.solve(game, low, eps), rqe.solve(game, high, eps)
    assert after.shared_reward > before.shared_reward
    gaps = [solution.shortfall @ game.H @ solution.shortfall for solution in (before, after)]
    assert gaps[1] < gaps[0]


@given(problems(), st.sampled_from([1e-6, 0.3, 1e5]), st.floats(-3.0, 3.0))
def test_units_of_payoff_do_not_matter(problem, scale, shift):
    game, tau, eps = problem
    base = rqe.solve(game, tau, eps)
    other = rqe.AggregativeGame(
        scale * game.H, game.target, scale * game.rho, constant=scale * shift
    )
    scaled = rqe.solve(other, tau / scale, scale * eps)
    close([np.stack(scaled.means)], [np.stack(base.means)])
    close([scaled.payoffs], [scale * (base.payoffs + shift)], rel=1e-9)
    close([scaled.risk_adjusted], [scale * (base.risk_adjusted + shift)], rel=1e-9)


@given(problems(), st.sampled_from([1e-3, 50.0]))
def test_units_of_action_do_not_matter(problem, unit):
    game, tau, eps = problem
    base = rqe.solve(game, tau, eps)
    other = rqe.AggregativeGame(game.H / unit**2, unit * game.target, game.rho / unit**2)
    scaled = rqe.solve(other, tau, eps)
    close([np.stack(scaled.means)], [unit * np.stack(base.means)])
    close([scaled.payoffs, scaled.risk_adjusted], [base.payoffs, base.risk_adjusted], rel=1e-9)


@given(problems(), st.randoms(use_true_random=False))
def test_relabelled_players_permute_the_answer(problem, random):
    game, tau, eps = problem
    order = list(range(game.n_players))
    random.shuffle(order)
    base = rqe.solve(game, tau, eps)
    moved = rqe.solve(
        rqe.AggregativeGame(game.H, game.target, game.rho[order]), tau[order], eps[order]
    )
    close([np.stack(moved.means)], [np.stack(base.means)[order]], rel=1e-13)
    for name in SOLUTION_ARRAYS:
        close([getattr(moved, name)], [getattr(base, name)[order]], rel=1e-12)


@given(problems(), st.integers(0, 10**6))
def test_rotated_coordinates_rotate_the_answer(problem, seed):
    game, tau, eps = problem
    n = len(game.target)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    base = rqe.solve(game, tau, eps)
    turned = rqe.solve(
        rqe.AggregativeGame(turn @ game.H @ turn.T, turn @ game.target, game.rho), tau, eps
    )
    close([np.stack(turned.means)], [np.stack(base.means) @ turn.T])
    close(turned.covariances, [turn @ c @ turn.T for c in base.covariances])
    close([turned.risk_adjusted], [base.risk_adjusted], rel=1e-9)


@given(problems())
def test_risk_aversion_never_raises_the_risk_adjusted_utility(problem):
    game, tau, eps = problem
    solution = rqe.solve(game, tau, eps)
    rounding = 1e-12 * np.abs(solution.payoffs).max()
    assert (solution.risk_adjusted <= solution.payoffs + rounding).all()


@given(problems(), st.integers(0, 10**6))
def test_the_certificate_sees_what_is_wrong(problem, seed):
    """A mean or a covariance moved away costs what the definition says."""
    game, tau, eps = problem
    solution = rqe.solve(game, tau, eps)
    who = seed % game.n_players
    rng = np.random.default_rng(seed)
    for part in ("means", "covariances"):
        play = {"means": list(solution.means), "covariances": list(solution.covariances)}
        move = 0.5 * rng.normal(size=len(game.target))
        spread = np.outer(move, move) + 0.1 * np.eye(len(move))
        play[part][who] = play[part][who] + (move if part == "means" else spread)
        for variant in (game, game.to_quadratic()):
            verdict = check_gaussian(variant, solution.concept, **play)
            assert verdict.residual > 1e-6
            assert verdict.regret > 1e-9


def test_general_games_of_mixed_dimensions_in_any_order():
    game, tau, eps = curved()
    order = np.array([2, 0, 1])
    places = np.concatenate([np.arange(10)[game.places[i]] for i in order])
    moved = rqe.QuadraticGame(
        [game.quadratic(i)[np.ix_(places, places)] for i in order],
        game.linear[np.ix_(order, places)],
        constant=game.constant[order],
        dims=[game.dims[i] for i in order],
    )
    base, other = rqe.solve(game, tau, eps), rqe.solve(moved, tau[order], eps[order])
    close(other.means, [base.means[i] for i in order], rel=1e-12)
    close(other.covariances, [base.covariances[i] for i in order], rel=1e-13)
    close([other.risk_adjusted], [base.risk_adjusted[order]], rel=1e-12)


@pytest.mark.parametrize("n", [1, 3])
def test_ten_thousand_players_in_a_second(n):
    rng = np.random.default_rng(n)
    B = rng.normal(size=(n, n))
    game = rqe.AggregativeGame(
        B @ B.T + 0.1 * np.eye(n), rng.normal(size=n), rng.uniform(0.2, 3.0, 10_000)
    )
    eps = rng.uniform(0.0, 2.0, 10_000)
    tau = rng.uniform(0.0, 0.9, 10_000) * rqe.tau_limits(game, eps)
    times = []
    for _ in range(3):
        start = time.process_time()
        solution = rqe.solve(game, tau, eps)
        times.append(time.process_time() - start)
    assert min(times) < 1.0
    assert solution.unique
    assert solution.residual < 1e-13
    gaps = game.target - np.sum(solution.means, axis=0)
    assert gaps == pytest.approx(solution.shortfall, rel=1e-6)
    assert "9988 coordinates" in solution.summary() or "29988 coordinates" in solution.summary()
