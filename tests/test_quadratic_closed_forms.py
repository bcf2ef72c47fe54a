"""Quadratic games whose equilibria are known in closed form, and the errata of arXiv 2602.21515."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

import rqe
from rqe import games


def symmetric(count, h=1.0, rho=1.0, target=1.0):
    """Scalar game of equal players."""
    return rqe.AggregativeGame(h, target, [rho] * count)


@pytest.mark.parametrize(
    ("count", "h", "rho", "target", "eps", "share"),
    [
        *itertools.product(
            (2, 3, 7), (0.5, 2.0), (0.3, 4.0), (-1.5, 3.0), (0.2, 2.0), (0.0, 0.5, 0.99)
        )
    ],
)
def test_symmetric_scalar_formula(count, h, rho, target, eps, share):
    limit = (rho + h) / ((count - 1) * eps * h)
    game = symmetric(count, h, rho, target)
    assert rqe.tau_limits(game, eps) == pytest.approx(np.full(count, limit), rel=1e-14)
    tau = share * limit
    solution = rqe.solve(game, tau, eps)
    spread = (count - 1) * eps / (rho + h)
    expected = h * target / (count * h + rho * (1.0 - tau * h * spread))
    assert np.concatenate(solution.means) == pytest.approx(np.full(count, expected), rel=1e-12)
    assert solution.covariances[0] == pytest.approx(np.array([[eps / (rho + h)]]), rel=1e-15)
    assert solution.margins == pytest.approx(1.0 - share, rel=1e-12)
    assert solution.shortfall == pytest.approx([target - count * expected], rel=1e-9)


def test_expected_utility_peaks_at_tau_opt_with_the_team_optimum():
    count, h, rho, target, eps = 3, 2.0, 0.7, 1.3, 0.4
    game = symmetric(count, h, rho, target)
    best = (rho + h) / (count * h * eps)
    at = [float(rqe.solve(game, tau, eps).payoffs[0]) for tau in best * np.array([0.99, 1, 1.01])]
    assert at[1] > max(at[0], at[2])
    optimum = count * h * target / (count**2 * h + rho)
    assert rqe.solve(game, best, eps).means[0] == pytest.approx([optimum], rel=1e-14)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 1.9])
@pytest.mark.parametrize("eps", [0.0, 0.3, 1.0])
def test_erratum_a1_two_robots(tau, eps):
    solution = rqe.solve(games.moving_object(1.5), tau, eps)
    assert np.concatenate(solution.means) == pytest.approx(
        np.full(2, 1.5 / (3.0 - tau * eps / 2.0)), rel=1e-14
    )


def test_erratum_a1_domain_and_peak():
    game = games.moving_object()
    assert rqe.tau_limits(game, 1.0).tolist() == [2.0, 2.0]
    payoffs = [rqe.solve(game, tau, 1.0).payoffs[0] for tau in (0.95, 1.0, 1.05)]
    assert payoffs[1] > max(payoffs[0], payoffs[2])


def test_erratum_a2_three_players():
    game = symmetric(3)
    for variant in (game, game.to_quadratic()):
        means = np.concatenate(rqe.solve(variant, 0.5, 1.0).means)
        assert means == pytest.approx(np.full(3, 2 / 7), rel=1e-14)  # the paper's block: 5/16
        assert rqe.tau_limits(variant, 1.0) == pytest.approx(np.ones(3), rel=1e-14)  # its tau: 2


@pytest.mark.parametrize("count", [2, 3])
def test_first_order_conditions_solved_by_sympy(count):
    """Exact equilibrium of a heterogeneous scalar game from the entropic utility alone."""
    h, target = sp.Rational(3, 2), sp.Rational(5, 4)
    rho = [sp.Rational(k + 1, 3) for k in range(count)]
    eps = [sp.Rational(1, k + 2) for k in range(count)]
    tau = [sp.Rational(k + 1, 4) for k in range(count)]
    m = sp.symbols(f"m:{count}")
    z = sp.symbols("z")  # the others' sum is Gaussian: complete the square in the integral
    equations = []
    for i in range(count):
        variance = sum(eps[j] / (rho[j] + h) for j in range(count) if j != i)
        mean = sum(m[j] for j in range(count) if j != i)
        exponent = tau[i] * h / 2 * (m[i] + z - target) ** 2 - (z - mean) ** 2 / (2 * variance)
        peak = sp.solve(sp.diff(exponent, z), z)[0]
        utility = -exponent.subs(z, peak) / tau[i] - rho[i] / 2 * m[i] ** 2
        equations.append(sp.diff(utility, m[i]))
    exact = sp.solve(equations, m)
    game = rqe.AggregativeGame(float(h), float(target), [float(r) for r in rho])
    solution = rqe.solve(game, [float(t) for t in tau], [float(e) for e in eps])
    for symbol, mean in zip(m, solution.means, strict=True):
        assert mean[0] == pytest.approx(float(exact[symbol]), rel=1e-14)


def test_limits_tau_zero_and_eps_zero_mix():
    rho, h = np.array([0.5, 1.0, 2.0]), 1.5
    game = rqe.AggregativeGame(h, 2.0, rho)
    nash = rqe.nash(game)
    assert nash.concept.name == "Nash"
    assert all(not c.any() for c in nash.covariances)
    exact = 2.0 * (h / rho) / (1.0 + (h / rho).sum())
    assert np.concatenate(nash.means) == pytest.approx(exact, rel=1e-15)
    quantal = rqe.qre(game, lam=2.0)  # noise alone does not move the means
    assert quantal.concept.name == "logit QRE"
    assert np.concatenate(quantal.means) == pytest.approx(exact, rel=1e-15)
    assert quantal.covariances[1] == pytest.approx(np.array([[0.5 / 2.5]]))
    # Only player 0 errs, so only the others have something to fear.
    mixed = rqe.solve(game, [0.7, 0.7, 0.0], [1.0, 0.0, 0.0])
    gains = h / rho / np.array([1.0, 1.0 - 0.7 * h * 1.0 / (rho[0] + h), 1.0])
    assert np.concatenate(mixed.means) == pytest.approx(2.0 * gains / (1.0 + gains.sum()))
    assert mixed.concept.name == "mixed"
    for variant in (game, game.to_quadratic()):
        small = rqe.solve(variant, 1e-12, 1e-12)
        assert np.concatenate(small.means) == pytest.approx(exact, rel=1e-11)
        assert rqe.solve(variant, 1e-300, 1.0).risk_adjusted == pytest.approx(
            rqe.solve(variant, 0.0, 1.0).payoffs, rel=1e-13
        )


def test_infinite_tau_where_the_others_are_certain():
    game = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0])
    for variant in (game, game.to_quadratic()):
        solution = rqe.solve(variant, [np.inf, 0.0], [1.0, 0.0])
        assert np.concatenate(solution.means) == pytest.approx([1 / 3, 1 / 3])
        assert "tau = inf changes nothing" in solution.notes[1]
        with pytest.raises(rqe.IllPosedRiskError, match=r"tau\[1\] must be below 2\.0"):
            rqe.solve(variant, [0.0, np.inf], [1.0, 0.0])
    cournot = games.cournot(5.0, 1.0, [1.0, 1.0])
    with pytest.raises(rqe.IllPosedRiskError, match=r"tau\[0\] must be finite, as the others"):
        rqe.solve(cournot, np.inf, 0.1)
    assert rqe.tau_limits(cournot, 0.1).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_domain_ends_exactly_where_the_formula_says(count):
    game = symmetric(count)
    limit = 2.0 / (count - 1)  # (rho + h) / ((N - 1) eps h)
    inside = rqe.solve(game, np.nextafter(limit, 0.0), 1.0)
    assert inside.converged
    assert inside.unique
    assert 0.0 < inside.margins.min() <= 4e-16
    with pytest.raises(rqe.IllPosedRiskError) as caught:
        rqe.solve(game, limit, 1.0)
    assert (caught.value.player, caught.value.tau, caught.value.limit) == (0, limit, limit)


def test_the_domain_in_several_dimensions():
    rng = np.random.default_rng(7)
    for _ in range(20):
        B = rng.normal(size=(3, 3))
        game = rqe.AggregativeGame(B @ B.T + 0.1 * np.eye(3), [1.0, 0, 0], rng.uniform(0.1, 2, 4))
        eps = rng.uniform(0.0, 2.0, 4)
        root = np.linalg.cholesky(game.H)
        inverses = [np.linalg.inv(r * np.eye(3) + game.H) for r in game.rho]
        covariances = [e * inverse for e, inverse in zip(eps, inverses, strict=True)]
        for i, limit in enumerate(rqe.tau_limits(game, eps)):
            others = sum(c for j, c in enumerate(covariances) if j != i)
            largest = np.linalg.eigvalsh(root.T @ others @ root)[-1]
            assert limit == pytest.approx(1.0 / largest, rel=1e-12)
            tau = np.zeros(4)
            tau[i] = np.nextafter(limit, 0.0)
            assert rqe.solve(game, tau, eps).converged
            tau[i] = limit
            with pytest.raises(rqe.IllPosedRiskError, match=rf"tau\[{i}\] must be below") as error:
                rqe.solve(game, tau, eps)
            assert repr(float(limit)) in str(error.value)


def test_risk_is_infinite_beyond_the_limit():
    """The entropic integral over a growing window settles inside the domain, not outside."""
    z = np.linspace(-200.0, 200.0, 400_001)

    def loss(tau, window):  # log E exp(tau z^2 / 2), z ~ N(0, 1/2): limit tau = 2
        inside = np.abs(z) <= window
        return np.logaddexp.reduce(tau * z[inside] ** 2 / 2 - z[inside] ** 2)

    assert loss(1.9, 100.0) == pytest.approx(loss(1.9, 200.0), abs=1e-12)
    assert loss(2.1, 200.0) > loss(2.1, 100.0) + 1000.0


def test_cournot_against_the_textbook():
    costs = np.array([1.0, 2.0, 0.5])
    solution = rqe.nash(games.cournot(10.0, 2.0, costs))
    expected = (10.0 - 3 * costs + (costs.sum() - costs)) / (4 * 2.0)
    assert np.concatenate(solution.means) == pytest.approx(expected, rel=1e-14)
    assert solution.payoffs == pytest.approx(2.0 * expected**2, rel=1e-13)
    assert solution.unique


def test_network_game_against_bonacich():
    rng = np.random.default_rng(0)
    links = rng.integers(0, 2, (6, 6)) * (1 - np.eye(6))
    expected = np.linalg.solve(np.eye(6) * 2.0 - 0.1 * links, np.full(6, 3.0))
    solution = rqe.nash(games.network_game(links, 3.0, 0.1, curvature=2.0))
    assert np.concatenate(solution.means) == pytest.approx(expected, rel=1e-14)


def test_beauty_contest_and_public_good_by_hand():
    contest = games.beauty_contest([0.0, 3.0], 0.5)
    assert np.concatenate(rqe.nash(contest).means) == pytest.approx([1.0, 2.0])
    a = np.array([0.4, 1.0])
    by_hand = -0.25 * (a - [0.0, 3.0]) ** 2 - 0.25 * (a - a[::-1]) ** 2
    assert contest.utilities(a) == pytest.approx(by_hand)
    good = games.public_good(2.0, 0.5, [1.0, 3.0])
    g = np.array([[0.3], [1.1]])
    assert good.reward(g) == pytest.approx(2.0 * 1.4 - 0.25 * 1.4**2)
    assert good.utilities(g) == pytest.approx(good.reward(g) - [0.045, 1.5 * 1.21])
    solution = rqe.nash(good)
    assert solution.shared_reward == pytest.approx(float(good.reward(np.stack(solution.means))))


def test_singular_systems_are_not_called_unique():
    # Each wants to match the other exactly: every common action is an equilibrium.
    match = [{(0, 0): -1.0, (0, 1): 1.0}, {(1, 1): -1.0, (0, 1): 1.0}]
    solution = rqe.solve(rqe.QuadraticGame(match))
    assert solution.unique is None
    assert "other equilibria may exist" in solution.notes[0]
    # Each wants to exceed the other: best responses never meet.
    with pytest.raises(rqe.ConvergenceError, match="no common point") as caught:
        rqe.solve(rqe.QuadraticGame(match, [[1.0, 0.0], [0.0, 1.0]]))
    assert caught.value.solution.status is rqe.Status.NO_EQUILIBRIUM
    kept = rqe.solve(rqe.QuadraticGame(match, [[1.0, 0.0], [0.0, 1.0]]), throw=False)
    assert kept.residual > 0.1
    assert kept.regret > 0.1
    assert not kept.converged


def test_private_cost_matrices_break_theorem_1():
    """More risk aversion, less shared reward: outside the claim, where costs are multiples of I."""
    game = games.team(np.eye(2), [0, 1], [[[5, -3], [-3, 2]], [[1, 0], [0, 9]]])

    def reward(tau):
        solution = rqe.solve(game, [tau, 0.0], 1.0)
        assert solution.unique
        gap = sum(solution.means) - np.array([0.0, 1.0])
        noise = sum(np.trace(covariance) for covariance in solution.covariances)
        return -0.5 * float(gap @ gap) - 0.5 * noise

    falling = [reward(tau) for tau in (0.0, 0.25, 0.5)]
    assert falling[0] > falling[1] > falling[2]
    assert falling[0] - falling[2] == pytest.approx(0.0017910, abs=1e-6)


def test_sums_of_others_do_not_cancel():
    """One player's noise 1e20 times the others': his own limit hangs on theirs."""
    game = rqe.AggregativeGame(1.0, 1.0, [1.0] * 3)
    limits = rqe.tau_limits(game, [1e20, 1.0, 3.0])
    assert limits[0] == float(Fraction(2, 4))
    assert rqe.solve(game, [0.25, 0.0, 0.0], [1e20, 1.0, 3.0]).residual < 1e-14
