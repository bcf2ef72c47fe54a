"""Degrees, shares and bounds of free-riding."""

import math
from typing import Any

import numpy as np
import pytest

import rqe
from rqe.free_riding import KINDS, collaboration, constants, symmetric

ANY: Any = rqe  # for arguments of wrong types
GAME = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0], actions=("C", "D"))
RECORD = rqe.catalog.load("free-riding/counterexample")


def rider():
    return rqe.solve(GAME, 0.0, 0.2, start=[[0.9, 0.1], [0.2, 0.8]])


def test_degree_and_shares():
    found = rqe.free_riding(rider())
    expected = 0.4 * np.array([0.8832804852572657, 0.1952261892493389])
    np.testing.assert_allclose(found.expected_costs, expected, atol=1e-10)
    assert found.degree == pytest.approx(float(np.ptp(expected)), abs=1e-10)
    np.testing.assert_allclose(found.shares, expected / expected.sum(), atol=1e-9)
    assert rqe.free_riding(rqe.solve(GAME, 1.0, 0.2)).degree == pytest.approx(0.0, abs=1e-12)


def test_costs_can_be_given_where_their_level_matters():
    solution = rider()
    plain, given = rqe.free_riding(solution), rqe.free_riding(solution, costs=[1.4, 1.0])
    assert given.degree == pytest.approx(plain.degree)
    np.testing.assert_allclose(given.expected_costs, plain.expected_costs + 1.0)
    with pytest.raises(ValueError, match="with these costs the players' rewards differ"):
        rqe.free_riding(solution, costs=[0.5, 0.0])
    with pytest.raises(ValueError, match="costs must be one vector per player"):
        rqe.free_riding(solution, costs=[0.4, 0.0, 0.0])


def test_without_costs_there_are_no_shares():
    game = rqe.NormalFormGame.collaborative([[1, 0], [0, 1]], [0, 0])
    assert np.isnan(rqe.free_riding(rqe.solve(game, 1.0, 1.0)).shares).all()


@pytest.mark.parametrize("seed", range(5))
def test_costs_are_recovered_for_any_number_of_players(seed):
    rng = np.random.default_rng(seed)
    shape = (2, 3, 4)[: 2 + seed % 2]
    costs = [rng.random(n) for n in shape]
    reward = rng.random(shape)
    parts = collaboration(rqe.NormalFormGame.collaborative(reward, costs))
    least = min(c.min() for c in costs)
    for found, cost in zip(parts.costs, costs, strict=True):
        np.testing.assert_allclose(found, cost - least, atol=1e-12)
    np.testing.assert_allclose(parts.reward, reward - least, atol=1e-12)


def test_other_games_have_no_costs():
    game = rqe.catalog.load("matching-pennies")
    with pytest.raises(ValueError, match=r"game must be collaborative.*NormalFormGame.collabor"):
        rqe.free_riding(rqe.solve(game, 1.0, 1.0))


@pytest.mark.parametrize("level", [0.0, 1e6, 1e10])
def test_what_is_collaborative_does_not_depend_on_the_level_of_payoffs(level):
    pennies = rqe.NormalFormGame(rqe.catalog.load("matching-pennies").payoffs + level)
    with pytest.raises(ValueError, match="game must be collaborative"):
        collaboration(pennies)
    lopsided = rqe.NormalFormGame.collaborative(np.array([[1, 1], [0, 0]]) + level, [0.1, 0.0])
    with pytest.raises(ValueError, match="symmetric shared reward"):
        symmetric(lopsided)
    work = rqe.NormalFormGame.collaborative(np.array([[1, 1], [1, 0]]) + level, [0.4, 0.0])
    np.testing.assert_allclose(collaboration(work).costs[0], [0.4, 0.0], atol=1e-5)
    assert symmetric(work)[0].shape == (2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ANY.free_riding(GAME), "solution must be an rqe.Solution.*NormalFormGame"),
        (lambda: ANY.free_riding(rider(), costs=0.4), "costs must be a vector.*got 0.4"),
        (lambda: ANY.free_riding(rider(), costs=["a", "b"]), "costs must hold real numbers"),
        (lambda: ANY.free_riding_bound([1], 1.0, 0.2), "game must be an rqe.NormalFormGame"),
        (lambda: ANY.free_riding_bound(GAME, None, 0.2), "tau must be a real number; got None"),
        (lambda: ANY.free_riding_bound(GAME, 1.0, "x"), "eps must be a real number; got 'x'"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_constants_match_their_definitions():
    rng = np.random.default_rng(0)
    R = rng.random((5, 4, 4))
    found = constants(R, rng.random((5, 4)))
    for k in range(5):
        brute = max(
            R[k, a, b] - R[k, c, b] - R[k, a, d] + R[k, c, d]
            for a in range(4) for b in range(4) for c in range(4) for d in range(4)
        )  # fmt: skip
        assert found.interaction[k] == pytest.approx(brute)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("degree", [0.001, 0.05, 0.3, 0.683404, 0.999])
def test_bound_and_its_inverse(kind, degree):
    tau = rqe.risk_aversion_for(RECORD, degree, 0.02, kind)
    assert rqe.free_riding_bound(RECORD, tau, 0.02, kind) == pytest.approx(degree, rel=1e-9)


@pytest.mark.parametrize("power", [10, 16.85, 17, 20.2, 24, 100, 300])
def test_the_sharp_bound_at_any_tau(power):
    tau, gamma, eps = 10.0**power, float(constants(*symmetric(RECORD)).interaction), 17.8
    leading = math.sqrt(gamma / tau) / (2.0 * eps)  # t log((1 + t) / (1 - t)) = 2 t^2 + ...
    assert rqe.free_riding_bound(RECORD, tau, eps) == pytest.approx(leading, rel=1e-8)


def test_values_of_the_specification():
    degree = 0.683404
    limit = rqe.risk_aversion_for(RECORD, degree, 0.02, "published")
    assert limit == pytest.approx(434.2, abs=0.05)
    gamma, t = float(constants(*symmetric(RECORD)).interaction), degree
    sharp = gamma / (2 * 0.02**2 * t * math.log((1 + t) / (1 - t)))
    assert rqe.risk_aversion_for(RECORD, degree, 0.02) == pytest.approx(sharp)


def test_sharp_is_the_smallest_and_corrected_has_units():
    for degree in (0.01, 0.5, 0.9):
        sharp, corrected, _ = (rqe.risk_aversion_for(RECORD, degree, 0.02, k) for k in KINDS)
        assert 4.0 * sharp <= corrected
        bigger = rqe.NormalFormGame(10.0 * RECORD.payoffs)
        for kind, power in (("sharp", 1), ("corrected", 1), ("published", 0)):
            scaled = rqe.risk_aversion_for(bigger, 10.0 * degree, 0.2, kind)
            plain = rqe.risk_aversion_for(RECORD, degree, 0.02, kind)
            assert scaled == pytest.approx(plain / 10.0**power)


def test_edges():
    assert rqe.free_riding_bound(GAME, 0.0, 0.2) == pytest.approx(0.4)
    assert rqe.free_riding_bound(GAME, 1e-12, 0.2) == pytest.approx(0.4)
    assert 0.0 < rqe.free_riding_bound(GAME, 1e30, 0.2) < 1e-12
    assert rqe.risk_aversion_for(GAME, 0.5, 0.2) == 0.0  # no profile has it
    free = rqe.NormalFormGame.collaborative([[1, 0], [0, 1]], [0.3, 0.3])
    assert rqe.free_riding_bound(free, 1.0, 0.2) == 0.0
    assert rqe.risk_aversion_for(free, 0.1, 0.2) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rqe.free_riding_bound(GAME, -1.0, 0.2), r"tau must be in \[0, inf\); got -1.0"),
        (lambda: rqe.free_riding_bound(GAME, 1.0, 0.0), "eps must be positive and finite"),
        (lambda: rqe.risk_aversion_for(GAME, 0.0, 0.2), "degree must be positive"),
        (lambda: rqe.free_riding_bound(GAME, 1.0, 0.2, "blunt"), "kind must be one of"),
        (
            lambda: rqe.free_riding_bound(rqe.catalog.load("free-riding", players=3), 1.0, 0.2),
            "two players",
        ),
        (
            lambda: rqe.free_riding_bound(
                rqe.NormalFormGame.collaborative([[1, 1, 0], [1, 0, 0]], [[0, 0], [0, 0, 0]]),
                1.0,
                0.2,
            ),
            r"the same actions .*; got shape \(2, 3\)",
        ),
        (
            lambda: rqe.free_riding_bound(
                rqe.NormalFormGame.collaborative([[1, 1], [0, 0]], [0.1, 0.0]), 1.0, 0.2
            ),
            "symmetric shared reward, .*; got a difference of 1",
        ),
        (
            lambda: rqe.free_riding_bound(
                rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [[0.1, 0], [0.2, 0]]), 1.0, 0.2
            ),
            "same costs for both",
        ),
    ],
)
def test_errors_name_the_rule(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_at_the_least_eps_excludes_nothing(kind):
    game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    for tau, eps in ((1.0, 1e-200), (1e-300, 1e-100), (1.0, 5e-324)):
        assert rqe.free_riding_bound(game, tau, eps, kind) == 0.4
