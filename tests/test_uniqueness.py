"""`unique` is claimed where a theorem proves it: there any start leads to it, and nowhere else."""

import dataclasses
import itertools
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import rqe
from rqe import uniqueness
from rqe.concepts import Concept
from rqe.proof._search import Search, distinct
from tests.test_properties import PAYOFFS, assert_close, games, profiles

INF = math.inf
TRACTABLE = [("kl", "log_barrier"), ("reverse_kl", "entropy")]
TAUS = [0.0, 0.1, 1.0, 10.0, 1000.0, INF]


def weakest(game, tau, total):
    """Return the eps, common to all players, at which the condition's sum is `total`."""
    low, high = 1e-6, 1e6
    for _ in range(100):
        eps = math.sqrt(low * high)
        if uniqueness.dependence(game, Concept.of(game, tau, eps)) > total:
            low = eps
        else:
            high = eps
    return high


def lead_to(game, tau, eps, start, **options):
    """Return the principal equilibrium and the one that Newton's method reaches from a start."""
    solution = rqe.solve(game, tau, eps, **options)
    other = rqe.solve(game, tau, eps, start=start, throw=False, **options)
    assume(other.converged)
    return solution, other


@given(
    data=st.data(),
    game=games(),
    tau=st.sampled_from(TAUS[:-1]),
    total=st.sampled_from([0.3, 0.9, 0.99]),
)
def test_under_weak_interaction_any_start_leads_to_the_one_equilibrium(data, game, tau, total):
    eps = weakest(game, tau, total)
    start = [np.exp(log_x) for log_x in data.draw(profiles(game.shape))]
    solution, other = lead_to(game, tau, eps, start)
    assert solution.unique is True
    assert other.unique is True
    assert_close(solution.strategies, other.strategies, 1e-8)


@pytest.mark.parametrize("pair", TRACTABLE)
@given(
    data=st.data(),
    game=games(shapes=[(2, 2), (2, 3), (3, 3)]),
    tau=st.sampled_from([0.5, 2.0]),
    factor=st.sampled_from([1.0, 0.3]),
)
def test_under_the_published_conditions_any_start_leads_to_it(pair, data, game, tau, factor):
    """Two players with eps tau eps tau >= 1, or 16 times that > 1, whatever the payoffs."""
    start = [np.exp(log_x) for log_x in data.draw(profiles(game.shape))]
    # An action of probability 1e-7 can be dear to an adversary; its worth then has nine digits.
    options = {"penalty": pair[0], "regularizer": pair[1], "tol": 1e-8}
    solution, other = lead_to(game, tau, factor / tau, start, **options)
    assert solution.unique is True
    assert "arXiv" in solution.notes[0]
    assert_close(solution.strategies, other.strategies, 1e-8)


@given(
    data=st.data(),
    payoffs=st.lists(PAYOFFS, min_size=8, max_size=8),
    tau=st.sampled_from(TAUS[:-1]),
    eps=st.sampled_from([0.05, 0.3]),
    pair=st.sampled_from([*TRACTABLE, ("kl", "entropy"), ("reverse_kl", "log_barrier")]),
)
def test_opposed_2x2_games_have_one_equilibrium_for_every_pair(data, payoffs, tau, eps, pair):
    game = rqe.NormalFormGame(np.reshape(payoffs, (2, 2, 2)).astype(float))
    b = [uniqueness.second_difference(game, i) for i in (0, 1)]
    assume(b[0] * b[1] < -1e-6)
    start = [np.exp(log_x) for log_x in data.draw(profiles(game.shape))]
    options = {"penalty": pair[0], "regularizer": pair[1]}
    solution, other = lead_to(game, tau, eps, start, **options)
    assert solution.unique is True
    assert_close(solution.strategies, other.strategies, 1e-7)


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (3, 3), (2, 2, 2)])
@pytest.mark.parametrize("tau", [0.0, 1.0, 20.0])
def test_branch_and_prune_finds_no_second_equilibrium(shape, tau):
    payoffs = np.random.default_rng(3).random((len(shape), *shape))
    payoffs.reshape(len(shape), -1)[:, 0] += 1.0
    game = rqe.NormalFormGame(payoffs)
    concept = Concept.of(game, tau, weakest(game, tau, 0.98))
    assert uniqueness.theorem(game, concept) is not None
    boxes = Search(game, concept, {}).run(time.monotonic() + 30.0)
    assert boxes.complete
    assert len(distinct(boxes.roots)) == 1


def test_the_condition_of_weak_interaction_is_sharp():
    """Matching payoffs of 1: three logit equilibria for eps < 1/2, one from there on."""
    game = rqe.NormalFormGame([np.eye(2)] * 2)
    assert rqe.solve(game, 0.0, 0.5 + 1e-9).unique is True
    assert rqe.solve(game, 5.0, 0.5 + 1e-9).unique is True
    assert rqe.solve(game, 0.0, 0.5).unique is None
    assert len(rqe.solve_all(game, 0.0, 0.499)) == 3


@pytest.mark.parametrize("name", [f"selten-chmura/{k}" for k in range(1, 13)] + ["ochs-1995"])
def test_the_equilibria_that_people_s_play_is_compared_with_are_unique(name):
    solution = rqe.solve(rqe.catalog.load(name), 1.0, 0.05)
    assert solution.unique is True
    assert solution.to_dict()["unique"] is True


def test_what_is_known_of_two_risk_neutral_players_with_a_constant_sum():
    A = np.random.default_rng(0).random((4, 5))
    zero_sum = rqe.NormalFormGame.from_bimatrix(A, -A)
    for options in ({}, {"regularizer": "log_barrier"}):
        solution = rqe.qre(zero_sum, 50.0, **options)
        assert solution.unique is True
        assert "saddle point" in solution.notes[0]
    assert rqe.solve(zero_sum, 0.1, 0.02).unique is None
    nearly = rqe.NormalFormGame.from_bimatrix(A, 0.3 - A)  # the sum is 0.3, but for rounding
    assert rqe.qre(nearly, 50.0).unique is None


@pytest.mark.parametrize(("penalty", "regularizer"), [*TRACTABLE, ("kl", "entropy")])
def test_nothing_is_claimed_beyond_the_conditions(penalty, regularizer):
    game = rqe.NormalFormGame.from_bimatrix([[30, 0], [20, 20]], [[30, 20], [0, 20]])
    covered = (penalty, regularizer) in TRACTABLE
    options = {"penalty": penalty, "regularizer": regularizer}
    assert rqe.solve(game, 1.0, 1.0, **options).unique is (True if covered else None)
    assert rqe.solve(game, 1.0, 0.26, **options).unique is (True if covered else None)
    assert rqe.solve(game, 1.0, 0.25, **options).unique is None  # 16 eps tau eps tau = 1
    assert rqe.solve(game, 0.0, 1.0, **options).unique is None
    assert "other equilibria may exist" in rqe.solve(game, 0.0, 1.0, **options).notes[0]
    assert rqe.nash(rqe.catalog.load("matching-pennies")).unique is None


def test_an_answer_that_did_not_converge_is_never_called_unique():
    game = rqe.catalog.load("selten-chmura/1")
    stopped = rqe.solve(game, 1.0, 0.05, solver=rqe.PrincipalBranch(max_steps=1), throw=False)
    assert not stopped.converged
    assert stopped.unique is None
    done = rqe.solve(game, 1.0, 0.05)
    assert dataclasses.replace(done, proof="by hand").notes == ("by hand",)


@given(games(shapes=[(2, 3), (3, 3), (2, 3, 2)]), st.data())
def test_interaction_is_the_largest_second_difference(game, data):
    i = data.draw(st.integers(0, game.n_players - 1))
    u = np.moveaxis(game.payoffs[i], i, 0).reshape(game.shape[i], -1)
    rows, columns = range(u.shape[0]), range(u.shape[1])
    each = (
        u[a, b] - u[c, b] - u[a, d] + u[c, d]
        for a, c in itertools.product(rows, rows)
        for b, d in itertools.product(columns, columns)
    )
    assert uniqueness.interaction(game, i) == pytest.approx(max(each), abs=1e-12)


def test_interaction_of_a_large_game_is_bounded_from_above(monkeypatch):
    game = rqe.NormalFormGame(np.random.default_rng(0).random((2, 30, 40)))
    exact = uniqueness.interaction(game, 0)
    monkeypatch.setattr(uniqueness, "_AFFORDABLE", 100)
    assert exact <= uniqueness.interaction(game, 0) <= 2.0 * exact


def test_solve_all_needs_no_search_where_interaction_is_weak():
    game = rqe.NormalFormGame(np.random.default_rng(0).random((3, 6, 6, 6)))
    found = rqe.solve_all(game, 3.0, 2.0)
    assert found.complete
    assert len(found) == 1
    assert "weak interaction" in found.notes[0]


def test_other_games_and_players_are_refused_by_name():
    quadratic: Any = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0])
    concept = Concept.of(rqe.catalog.load("chicken"), 1.0, 1.0)
    for ask in (uniqueness.theorem, uniqueness.dependence):
        with pytest.raises(TypeError, match=r"game must be an rqe\.NormalFormGame"):
            ask(quadratic, concept)
    with pytest.raises(ValueError, match="player must be from 0 to 1; got 2"):
        uniqueness.interaction(rqe.catalog.load("chicken"), 2)
