"""Bifurcations: known points to 1e-10, their names, switching, stability, and honest failures."""

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import rqe
from rqe.bifurcation._family import eps_family, parallel_family, payoff_family, tau_family
from rqe.bifurcation._system import System
from rqe.check import check
from rqe.concepts import PENALTIES, REGULARIZERS

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
TAU_STAR, X_STAR = 0.8287886937257862, 0.6002057027981795
CASE = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0], actions=("C", "D"))
STAG_HUNT = rqe.NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]])
COORDINATION = rqe.NormalFormGame([np.eye(3)] * 2)


def team_matching_pennies():
    """Two teammates against a third player who watches whether their pennies match.

    Logit equilibria depend on payoff differences only. These follow from the branch in Gambit's
    issue 492: the team's pennies stay at 1/2 with the opponent's log-odds 1.5 lam, up to a
    bifurcation near lam = 1.385313, and the Nash equilibrium is ((1 -+ sqrt(3/5)) / 2, 2/5).
    """
    u = np.zeros((3, 2, 2, 2))
    for a, b in itertools.product(range(2), repeat=2):
        match = float(a == b)
        u[:2, a, b] = [3.0 * match, 2.0 * (1.0 - match)]
        u[2, a, b] = [1.0 - match, 4.0 * match]
    return rqe.NormalFormGame(u, title="Team matching pennies")


def three_alike():
    """Three players who like to do what both others do: the principal branch is symmetric."""
    u = np.zeros((3, 2, 2, 2))
    for profile in itertools.product(range(2), repeat=3):
        same = [sum(p == q for q in profile) - 1 for p in profile]
        values = [s * (1.0 if p else 1.5) for s, p in zip(same, profile, strict=True)]
        u[:, profile[0], profile[1], profile[2]] = values
    return rqe.NormalFormGame(u)


def families(game, concept, rng):
    direction = rng.random(game.payoffs.shape)
    waves = rqe.PayoffPath(lambda t: game.payoffs * (1.0 + np.sin(t)), game=game)
    return [
        eps_family(game, concept), parallel_family(game, concept), tau_family(game, concept),
        payoff_family(rqe.PayoffPath.line(game, direction), concept, (0.0, 1.0)),
        payoff_family(waves, concept, (0.0, 1.0)),
    ]  # fmt: skip


@pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 2), (2, 2, 3)], ids=str)
def test_derivatives_agree_with_differences_and_equations_with_the_solver(
    shape, penalty, regularizer
):
    rng = np.random.default_rng(0)
    game = rqe.NormalFormGame(rng.random((len(shape), *shape)))
    tau, eps = 3.0 * rng.random(len(shape)), 0.1 + 0.3 * rng.random(len(shape))
    concept = rqe.Concept.of(game, tau, eps, penalty, regularizer)
    for family in families(game, concept, rng):
        system = System(family)
        theta, mu, h = rng.normal(size=system.size), 0.7, 1e-6

        def residual(theta, mu, system=system):
            return system.point(theta, mu).residual

        point = system.point(theta, mu)
        columns = [
            (residual(theta + h * e, mu) - residual(theta - h * e, mu)) / (2.0 * h)
            for e in np.eye(system.size)
        ]
        size = 1.0 + np.abs(point.jacobian).max()
        np.testing.assert_allclose(np.transpose(columns), point.jacobian, atol=1e-7 * size)
        slope = (residual(theta, mu + h) - residual(theta, mu - h)) / (2.0 * h)
        np.testing.assert_allclose(slope, point.rate, atol=1e-7 * (1.0 + np.abs(slope).max()))
    solution = rqe.solve(game, tau, eps, penalty=penalty, regularizer=regularizer)
    system = System(parallel_family(game, concept))
    mu = system.family.coordinate(float(eps.min()))
    exact = system.point(system.theta(solution.log_strategies), mu)
    assert np.abs(exact.residual).max() < 1e-11


def test_the_pitchfork_of_example_4_2_to_1e_10():
    branch = rqe.trace(CASE, 2.0, 0.2, parameter="tau")
    (point,) = rqe.bifurcations(branch)
    assert (point.kind, point.criticality, point.side) == ("pitchfork", "supercritical", "below")
    assert point.value == pytest.approx(TAU_STAR, abs=1e-13)
    assert point.error < 1e-12
    assert point.residual < 1e-14
    assert point.strategies[0][0] == pytest.approx(X_STAR, abs=1e-12)
    (null,) = point.null_vectors
    np.testing.assert_allclose(null[0], -null[1], atol=1e-12)
    assert point.directions[point.found_on].parameter != 0.0
    arms = point.directions[1 - point.found_on]
    assert arms.parameter == 0.0
    assert json.loads(json.dumps(point.to_dict()))["kind"] == "pitchfork"
    assert "supercritical pitchfork at tau" in point.summary()


@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_the_same_pitchfork_is_met_along_eps(tau):
    """At the symmetric equilibrium eps = p (1 - p) (1 - tau x (1 - x)) at the crossing."""
    (point,) = rqe.bifurcations(rqe.trace(CASE, tau, 0.05))
    x, eps = float(point.strategies[0][0]), point.value
    p = 1.0 / (1.0 + (1.0 - x) / x * math.exp(tau * (1.0 - x)))
    assert point.kind == "pitchfork"
    assert eps == pytest.approx(p * (1.0 - p) * (1.0 - tau * x * (1.0 - x)), abs=1e-12)
    assert eps * math.log(x / (1.0 - x)) == pytest.approx(0.6 - p, abs=1e-12)


def test_the_fold_of_the_stag_hunt():
    """The stag branch ends where its two symmetric equilibria meet: an independent root."""
    (low,) = [s for s in rqe.solve_all(STAG_HUNT, 0.0, 0.2) if 0.93 < s.strategies[0][0] < 0.96]
    branch = rqe.trace(STAG_HUNT, parameter="eps", window=(0.2, 1.0), start=low, throw=False)
    assert not branch.converged  # it turns back before eps = 1
    (fold,) = branch.bifurcation_points
    assert (fold.kind, fold.side) == ("fold", "below")

    def eps_at(p):  # eps log(p / (1 - p)) = 8 p - 7
        return (8.0 * p - 7.0) / math.log(p / (1.0 - p))

    def slope(p):
        return 8.0 * math.log(p / (1.0 - p)) - (8.0 * p - 7.0) / (p * (1.0 - p))

    p = brentq(slope, 0.9, 0.99, xtol=1e-15)
    assert fold.value == pytest.approx(eps_at(p), abs=1e-12)
    assert fold.strategies[0][0] == pytest.approx(p, abs=1e-7)
    assert rqe.switch_branch(fold) == ()


def test_team_matching_pennies_is_followed_through_its_bifurcation():
    game = team_matching_pennies()
    lam = brentq(lambda k: k * (2.0 - 5.0 / (1.0 + math.exp(1.5 * k))) - 2.0, 1.0, 2.0, xtol=1e-15)
    assert lam == pytest.approx(1.385313, abs=1e-6)
    branch = rqe.trace(game, eps=0.1)
    (point,) = rqe.bifurcations(branch)
    assert point.name == "supercritical pitchfork"
    assert 1.0 / point.value == pytest.approx(lam, abs=1e-10)
    (arms,) = rqe.switch_branch(point, window=(0.001, 10.0))
    assert arms.converged
    low = (1.0 - math.sqrt(0.6)) / 2.0
    ends = sorted(tuple(round(float(x[k][0]), 2) for x in arms.strategies) for k in (0, -1))
    wanted = [round(low, 2), round(1.0 - low, 2)]
    assert ends == [(wanted[0], wanted[1], 0.4), (wanted[1], wanted[0], 0.4)]


def test_mckelvey_and_mclennans_game_is_followed_through_its_crossing():
    game = rqe.catalog.load("mckelvey-mclennan")
    branch = rqe.trace(game, eps=0.02)
    assert branch.converged
    (point,) = rqe.bifurcations(branch)
    assert point.kind == "transcritical"
    assert 1.0 / point.value == pytest.approx(0.597, abs=5e-4)
    np.testing.assert_allclose(point.strategies[:2], 0.5, atol=1e-12)
    (other,) = rqe.switch_branch(point)
    assert other.converged
    assert np.ptp(other.strategies[0][:, 0]) > 0.5
    assert any(p.kind == "transcritical" for p in other.bifurcation_points)


def test_a_three_player_game_with_bifurcations_on_its_principal_branch():
    game = three_alike()
    branch = rqe.trace(game, eps=0.05)
    assert branch.converged
    for x in branch.strategies[1:]:
        np.testing.assert_allclose(x, branch.strategies[0], atol=1e-6)
    for point in rqe.bifurcations(branch):
        assert point.residual < 1e-10
        assert point.error < 1e-10


def test_several_eigenvalues_at_once_are_said_not_to_be_classified():
    """Three actions alike: at eps = 1/3 two eigenvalues vanish, and the sign of det J stays."""
    branch = rqe.trace(COORDINATION, eps=0.1)
    assert len(branch.bifurcations) == 0
    (point,) = rqe.bifurcations(branch)
    assert point.kind == "unclassified"
    assert "2 eigenvalues" in point.note
    assert len(point.null_vectors) == 2
    assert point.value == pytest.approx(1.0 / 3.0, abs=1e-12)
    others = rqe.switch_branch(point, window=(0.1, 1.0))
    assert len(others) == 3
    for other in others:
        assert [p.kind for p in other.bifurcation_points if p.kind == "fold"] == ["fold"]
        assert other.residual < 1e-10


def test_switched_branches_are_equilibria_and_hold_the_bifurcation():
    (point,) = rqe.bifurcations(rqe.trace(CASE, 2.0, 0.2, parameter="tau"))
    (branch,) = rqe.switch_branch(point, window=(0.0, 2.0))
    (k,) = branch.bifurcations
    assert branch.values[k, 0] == pytest.approx(TAU_STAR, abs=1e-13)
    assert branch.bifurcation_points[0].found_on != point.found_on
    for k in range(0, len(branch), 5):
        game, concept = branch.at(k)
        logs = [log_x[k] for log_x in branch.log_strategies]
        assert check(game, concept, logs).residual == branch.residuals[k] < 1e-12
    known = (0.1952261892493389, 0.8832804852572657)  # tau = 0, spec 2 B
    assert [float(x[0][0]) for x in branch.strategies] == pytest.approx(known, abs=1e-12)


def slow_dynamics(game, solution, tau, eps, h):
    """Move a little off the equilibrium by best response dynamics; return distances over time."""
    rng = np.random.default_rng(3)
    x = [np.clip(p + 1e-3 * rng.normal(size=len(p)), 1e-9, None) for p in solution.strategies]
    x = [p / p.sum() for p in x]
    gaps = []
    for _ in range(400):
        reply = [rqe.best_response(game, x, i, tau, eps).strategy for i in range(len(x))]
        x = [p + h * (q - p) for p, q in zip(x, reply, strict=True)]
        pairs = zip(x, solution.strategies, strict=True)
        gaps.append(max(float(np.abs(p - q).max()) for p, q in pairs))
    return gaps


@pytest.mark.parametrize(("tau", "stable"), [(0.5, False), (1.5, True)])
def test_stability_agrees_with_simulated_best_response_dynamics(tau, stable):
    solution = rqe.solve(CASE, tau, 0.2)
    found = rqe.stability(solution)
    assert found.best_response.tolist() == [stable]
    gaps = slow_dynamics(CASE, solution, tau, 0.2, 0.1)
    assert (gaps[-1] < gaps[0]) == stable
    if stable:
        rate = math.log(gaps[300] / gaps[200]) / (100 * 0.1)
        assert rate == pytest.approx(float(found.best_response_rate[0]), rel=0.05)


def test_stability_of_known_games():
    """At tau = 0, BR = softmax(u / eps): matching pennies has eigenvalues -1 -+ i / (2 eps) ..."""
    game = rqe.catalog.load("matching-pennies")
    found = rqe.stability(rqe.solve(game, eps=0.2))
    assert found.best_response_rate[0] == pytest.approx(-1.0)
    assert found.spectral_radius[0] == pytest.approx(1.0 / 0.2)
    assert found.regret_rate[0] == pytest.approx(-0.2)
    branch = rqe.trace(CASE, 2.0, 0.2, parameter="tau")
    along = rqe.stability(branch)
    np.testing.assert_array_equal(along.best_response, branch.values[:, 0] > TAU_STAR)
    centroid = rqe.stability(rqe.trace(CASE, eps=0.2))
    assert len(centroid.best_response) == len(rqe.trace(CASE, eps=0.2))
    assert centroid.best_response[0]


def test_what_is_refused():
    solution: Any = rqe.solve(CASE, eps=0.2)
    game: Any = CASE
    with pytest.raises(TypeError, match=r"rqe\.Branch"):
        rqe.bifurcations(solution)
    with pytest.raises(TypeError, match=r"rqe\.Bifurcation"):
        rqe.switch_branch(solution)
    with pytest.raises(TypeError, match="Solution or a Branch"):
        rqe.stability(game)
    with pytest.raises(ValueError, match="eps must be > 0"):
        rqe.stability(rqe.solve(CASE))
    with pytest.raises(ValueError, match="tau must be finite"):
        rqe.bifurcations(rqe.trace(CASE, [math.inf, 0.0], 0.1))
    (point,) = rqe.bifurcations(rqe.trace(CASE, 2.0, 0.2, parameter="tau"))
    with pytest.raises(ValueError, match="window must hold the bifurcation"):
        rqe.switch_branch(point, window=(1.0, 2.0))
    big = rqe.NormalFormGame(np.random.default_rng(0).random((2, 210, 210)))
    with pytest.raises(ValueError, match="418 free probabilities"):
        rqe.bifurcations(rqe.trace(big, eps=10.0))


def test_stability_along_unequal_parameters_is_that_of_single_solutions():
    game = rqe.NormalFormGame(np.random.default_rng(2).random((2, 2, 3)))
    for parameter, window in (("eps", (1.0, 0.1)), ("tau", (3.0, 0.5))):
        branch = rqe.trace(game, [1.0, 3.0], [0.2, 0.1], parameter=parameter, window=window)
        along = rqe.stability(branch)
        for k in (0, len(branch) // 2, len(branch) - 1):
            there, concept = branch.at(k)
            alone = rqe.stability(rqe.solve(there, concept.tau, concept.eps))
            assert along.best_response_rate[k] == pytest.approx(alone.best_response_rate[0])
            assert along.regret_rate[k] == pytest.approx(alone.regret_rate[0])
            assert along.spectral_radius[k] == pytest.approx(alone.spectral_radius[0])
        np.testing.assert_array_equal(branch.concept.tau, branch.at(-1)[1].tau)
        np.testing.assert_allclose(branch.concept.eps, branch.at(-1)[1].eps, rtol=1e-14)


@pytest.mark.parametrize(
    ("cubic", "name", "side"),
    [(0.0, "supercritical pitchfork", "below"), (1.0, "subcritical pitchfork", "above")],
)
def test_criticality_of_a_game_whose_equations_are_known(cubic, name, side):
    """Four players, actions -1 and 1: x = tanh((x + c x^3) / eps) on the symmetric branch.

    To third order (1 / eps - 1) x + (c - 1 / 3) x^3 = 0: the arms bend to eps > 1 iff c > 1 / 3.
    """
    u = np.zeros((4, 2, 2, 2, 2))
    for profile in itertools.product(range(2), repeat=4):
        signs = [2.0 * p - 1.0 for p in profile]
        for i in range(4):
            others = signs[:i] + signs[i + 1 :]
            pull = sum(others) / 3.0 + cubic * math.prod(others)
            u[(i, *profile)] = signs[i] * pull
    branch = rqe.trace(rqe.NormalFormGame(u), eps=0.5)
    (point,) = rqe.bifurcations(branch)
    assert point.name == name
    assert point.side == side
    assert point.value == pytest.approx(1.0, abs=1e-12)
    (arms,) = rqe.switch_branch(point, window=(0.5, 2.0))
    t, x = arms.values[:, 0], arms.strategies[0][:, 1] - arms.strategies[0][:, 0]
    np.testing.assert_allclose(x, np.tanh((x + cubic * x**3) / t), atol=1e-9)
    assert (t.max() > 1.0 + 1e-6) == (side == "above")


@pytest.mark.parametrize(("value", "got"), [(0.0, "zeros alone"), (np.inf, "infinities or NaN")])
def test_a_direction_is_finite_and_moves_something(value, got):
    game = rqe.catalog.load("matching-pennies")
    with pytest.raises(ValueError, match=f"direction must be finite.*; got {got}"):
        rqe.PayoffPath.line(game, np.full(game.payoffs.shape, value))
