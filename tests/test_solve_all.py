"""All equilibria: known counts, scans, reference solvers, and honesty where proofs end."""

import dataclasses
import itertools
import json
import math
import time
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe import SetStatus
from rqe.concepts import PENALTIES, REGULARIZERS
from tests.reference import equilibria

INF = math.inf
TAU_STAR = 0.8287886937257862
PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
CASE = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
STAG_HUNT = rqe.NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]])
COUNTEREXAMPLE = rqe.NormalFormGame.collaborative(
    [[0.1, 1, 0, 0.04], [1, 1, 0.94, 0.9], [0, 0.94, 0, 0.92], [0.04, 0.9, 0.92, 0]],
    [0, 0.9, 1, 1],
)


def first_probabilities(found):
    return [float(solution.strategies[0][0]) for solution in found]


def scan(game, tau, eps, points=4001):
    """Count fixed points of player 2's reply to player 1's reply by sign changes on a grid."""

    def reply(i, y):
        """Player i's best logit against the other's logits y, by bisection of a monotone slope."""
        U = np.moveaxis(game.payoffs[i], i, 0)
        bound = 1.01 * float(np.ptp(U)) / eps + 1.0
        low, high = np.full_like(y, -bound), np.full_like(y, bound)
        for _ in range(80):
            z = 0.5 * (low + high)
            x = 1.0 / (1.0 + np.exp(-z))
            g = x[:, None] * U[0] + (1.0 - x[:, None]) * U[1]
            p = 1.0 / (1.0 + np.exp(-(y - tau * (g[:, 0] - g[:, 1]))))
            above = eps * z > p * (U[0, 0] - U[1, 0]) + (1.0 - p) * (U[0, 1] - U[1, 1])
            low, high = np.where(above, low, z), np.where(above, z, high)
        return 0.5 * (low + high)

    bound = 1.01 * float(np.ptp(game.payoffs[1])) / eps + 0.5
    grid = np.linspace(-bound, bound, points) + 1e-4 * math.pi
    gap = reply(1, reply(0, grid)) - grid
    return int(np.count_nonzero(np.sign(gap[1:]) != np.sign(gap[:-1])))


@pytest.mark.parametrize(
    ("tau", "count"),
    [(0.0, 3), (0.5, 3), (TAU_STAR - 1e-6, 3), (TAU_STAR + 1e-6, 1), (1.0, 1), (10.0, 1)],
)
def test_example_4_2_has_three_equilibria_below_tau_star_and_one_above(tau, count):
    found = rqe.solve_all(CASE, tau, 0.2)
    assert found.complete
    assert found.status is SetStatus.COMPLETE
    assert len(found) == count
    assert all(certificate.proved for certificate in found.certificates)
    assert found[0].solver == "principal_branch"
    assert found[0].unique is (True if count == 1 else None)
    if tau == 0.5:
        known = [0.5836957235919357, 0.8425245812594138, 0.2801747842381935]
        assert first_probabilities(found) == pytest.approx(known, abs=1e-12)


def test_stag_hunt_has_three_symmetric_logit_equilibria():
    found = rqe.solve_all(STAG_HUNT, 0.0, 0.2)
    assert found.complete
    assert sorted(first_probabilities(found)) == pytest.approx([0.0, 0.947150, 0.990079], abs=1e-6)
    for solution in found:
        assert np.allclose(solution.strategies[0], solution.strategies[1], atol=1e-12)


def test_the_counterexample_has_five_certified_equilibria():
    found = rqe.solve_all(COUNTEREXAMPLE, 1200.0, 0.02, time_limit=10.0)
    assert len(found) == 5
    assert all(certificate.proved for certificate in found.certificates)
    assert any(abs(x - 0.1192789) < 1e-7 for x in first_probabilities(found))
    if not found.complete:
        assert found.status is SetStatus.TIME_LIMIT


@given(
    st.lists(st.floats(-1.0, 1.0).map(lambda u: round(u, 3)), min_size=8, max_size=8),
    st.sampled_from([0.0, 0.3, 2.0, 8.0]),
    st.sampled_from([0.05, 0.1, 0.4]),
)
def test_the_proved_count_of_a_2x2_game_is_that_of_a_scan_and_odd(payoffs, tau, eps):
    game = rqe.NormalFormGame(np.reshape(payoffs, (2, 2, 2)))
    found = rqe.solve_all(game, tau, eps, starts=0)
    if not found.complete:  # only at a bifurcation
        assert found.status is SetStatus.DEGENERATE
        return
    assert len(found) % 2 == 1
    assert len(found) in (1, 3, 5)
    assert all(c.proved for c in found.certificates)
    assert all(s.regret < 1e-12 for s in found)
    logits = sorted(float(s.log_strategies[1][0] - s.log_strategies[1][1]) for s in found)
    if all(b - a > 0.1 for a, b in itertools.pairwise(logits)):
        assert scan(game, tau, eps) == len(found)


@pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (2, 2, 2)])
def test_nothing_is_missed_that_many_starts_find(shape, penalty, regularizer):
    rng = np.random.default_rng([5, *shape])
    common = rng.random(shape)
    game = rqe.NormalFormGame([common + 0.1 * rng.random(shape) for _ in shape])
    eps = 0.02 if regularizer == "log_barrier" else 0.08
    tau = [0.5] * len(shape)
    found = rqe.solve_all(game, tau, eps, penalty=penalty, regularizer=regularizer, starts=5)
    assert found.complete
    others = equilibria.all_equilibria(
        game.payoffs, tau, [eps] * len(shape), rng, penalty, regularizer, starts=30
    )
    assert len(others) <= len(found)
    for logs in others:
        profile = np.exp(np.concatenate(logs))
        assert min(np.abs(profile - np.concatenate(s.strategies)).max() for s in found) < 1e-6


@pytest.mark.parametrize(("eps", "count"), [(0.5, 1), (0.1, 7)])
def test_three_by_three_coordination(eps, count):
    found = rqe.solve_all(rqe.NormalFormGame([np.eye(3)] * 2), 0.0, eps)
    assert found.complete
    assert len(found) == count
    assert "branch and prune" in found.notes[0]


def test_branch_and_prune_agrees_with_the_proof_in_one_dimension():
    from rqe.proof._search import Search, distinct

    for tau in (0.0, 0.5, 1.0):
        concept = rqe.Concept.of(CASE, tau, 0.2)
        boxes = Search(CASE, concept, {}).run(time.monotonic() + 30.0)
        assert boxes.complete
        assert len(distinct(boxes.roots)) == len(rqe.solve_all(CASE, tau, 0.2))


def test_players_with_limits_of_tau_and_eps():
    game = rqe.NormalFormGame(np.random.default_rng(0).random((3, 2, 3, 2)))
    for tau, eps in (([INF, 1.0, 0.4], 0.1), (0.4, [0.1, INF, 0.1]), (INF, 0.1), (1.0, INF)):
        found = rqe.solve_all(game, tau, eps, starts=10)
        assert found.complete, found.notes
        assert len(found) == 1
    assert "strict concavity" in rqe.solve_all(game, INF, 0.1).notes[0]


def test_a_published_theorem_counts_as_proof():
    game = rqe.NormalFormGame(np.random.default_rng(0).random((2, 8, 8)))
    found = rqe.solve_all(game, 5.0, 0.5, penalty="reverse_kl", starts=5)
    assert found.complete
    assert "arXiv" in found.notes[0]


def test_at_a_bifurcation_nothing_is_claimed():
    found = rqe.solve_all(rqe.NormalFormGame([np.eye(2)] * 2), 0.0, 0.5)
    assert not found.complete
    assert found.status is SetStatus.DEGENERATE
    assert [c.status.value for c in found.certificates] == ["singular"]
    assert "bifurcation" in found.notes[-1]


def test_a_search_cut_short_where_nothing_can_be_proved_says_so():
    """Once it was "searched": as if all means of finding had been used."""
    game = rqe.NormalFormGame(np.random.default_rng(0).random((2, 14, 14)))
    found = rqe.solve_all(game, 0.0, 0.005, time_limit=0.01)
    assert found.status.value == "time_limit"
    assert "raise time_limit" in found.status.message
    assert len(found) >= 1


def test_the_time_limit_is_obeyed_and_what_is_known_is_returned():
    rqe.solve_all(COUNTEREXAMPLE, 600.0, 0.02, time_limit=0.1)  # compiles what it needs
    seen = []
    start = time.process_time()  # wall time would judge what else the machine does
    found = rqe.solve_all(
        COUNTEREXAMPLE, 600.0, 0.02, time_limit=2.0, progress=lambda *a: seen.append(a)
    )
    assert time.process_time() - start < 6.0
    assert not found.complete
    assert found.status is SetStatus.TIME_LIMIT
    assert len(found) >= 1
    assert seen
    work = ("boxes", "starts", "branches", "Nash equilibria", "tau")
    assert all(any(word in text for word in work) for text, _ in seen)


def test_large_games_are_searched_without_a_claim():
    game = rqe.NormalFormGame(np.random.default_rng(1).random((2, 8, 8)))
    found = rqe.solve_all(game, 0.0, 0.02, starts=30)
    assert not found.complete
    assert found.status is SetStatus.SEARCHED
    assert "max_dimensions" in found.notes[0]
    assert len(found) >= 1


def test_exact_payoffs_and_plain_data():
    found = rqe.solve_all(CASE, 0.5, 0.2, payoffs="exact")
    assert found.complete
    assert {c.payoffs for c in found.certificates} == {"exact"}
    data = json.loads(json.dumps(found.to_dict()))
    assert [c["status"] for c in data["certificates"]] == ["proved"] * 3
    assert "complete" in found.summary()


def test_nash_equilibria_are_left_to_nash():
    found = rqe.solve_all(rqe.catalog.load("stag-hunt"), 0.0, 0.0)
    assert found.complete
    assert len(found) == 3
    with pytest.raises(ValueError, match="eps must be > 0"):
        rqe.solve_all(CASE, 1.0, 0.0)


@pytest.mark.parametrize(
    ("option", "value"), [("starts", -1), ("time_limit", 0.0), ("max_dimensions", -1)]
)
def test_options_are_checked(option, value):
    with pytest.raises(ValueError, match=option):
        rqe.solve_all(CASE, 0.5, 0.2, **{option: value})


def test_solutions_are_sorted_by_the_branch_they_lie_on():
    found = rqe.solve_all(STAG_HUNT, 0.0, 0.2)
    assert found.branches[0] == "principal branch"
    assert found.branches[1] == found.branches[2] == "branch 1, of eps up to 0.2188"
    case = rqe.solve_all(CASE, 0.5, 0.2)
    assert case.branches[0] == "principal branch"
    assert case.branches[1] == case.branches[2]
    assert "through the pitchfork" in case.branches[1]
    assert "pitchfork" in case.summary()
    assert json.loads(json.dumps(case.to_dict()))["branches"] == list(case.branches)


def test_the_means_agree_with_the_proof():
    """All that is proved to exist is found without the proof too: nine equilibria."""
    game = rqe.catalog.load("mckelvey-mclennan")
    proved = rqe.solve_all(game, 0.0, 0.3)
    searched = rqe.solve_all(game, 0.0, 0.3, max_dimensions=0, starts=12)
    assert proved.complete
    assert searched.status is SetStatus.SEARCHED
    assert len(searched) == len(proved) == 9
    means = ("principal branch", "starts of Newton", "deflated", "Nash equilibria", "branches")
    assert all(word in searched.notes[1] for word in means)
    one, other = sorted(first_probabilities(searched)), sorted(first_probabilities(proved))
    assert one == pytest.approx(other, abs=1e-12)


def test_deflation_alone_finds_what_newton_is_kept_from():
    from rqe._clock import Clock
    from rqe.bifurcation._family import parallel_family
    from rqe.bifurcation._system import System
    from rqe.proof._multistart import deflation
    from rqe.proof._pool import Pool

    concept = rqe.Concept.of(STAG_HUNT, 0.0, 0.2)
    pool = Pool(STAG_HUNT, concept, "doubles")
    system = System(parallel_family(STAG_HUNT, concept))
    mu = system.family.coordinate(0.2)
    used = deflation(pool, system, mu, 40, Clock(None), np.random.default_rng(0))
    assert used == 40
    assert len(pool.solutions) == 3


def test_a_bar_is_shown(capsys):
    pytest.importorskip("tqdm")
    rqe.solve_all(CASE, 0.5, 0.2, progress=True)
    wrong: Any = 3
    with pytest.raises(TypeError, match="progress"):
        rqe.solve_all(CASE, 0.5, 0.2, progress=wrong)


@pytest.mark.parametrize("eps", [1e-50, 1e-200])
@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_the_smallest_eps_ends_in_a_status(tau, eps):
    found = rqe.solve_all(rqe.catalog.load("stag-hunt"), tau, eps, time_limit=2.0)
    assert len(found) >= 1
    assert all(solution.converged for solution in found)


def test_a_proof_that_took_its_time_does_not_cost_the_names_of_the_branches(monkeypatch):
    # the quick proof has a second; on a busy machine it may end after it, and complete
    late = types.SimpleNamespace(monotonic=lambda: math.inf)
    monkeypatch.setattr("rqe.proof._complete.time", late)
    found = rqe.solve_all(rqe.catalog.load("stag-hunt"), 0.0, 0.2)
    assert found.complete
    assert found.branches[1] == found.branches[2] == "branch 1, of eps up to 0.2786"


def test_the_summary_says_what_was_not_followed():
    found = rqe.solve_all(rqe.catalog.load("stag-hunt"), 0.0, 0.2)
    names = ("principal branch", "branch not followed", "branch not followed")
    text = dataclasses.replace(found, branches=names).summary()
    assert "1, 2 on a branch that was not followed" in text


def test_one_equilibrium_that_cannot_be_certified_is_not_called_several():
    """At tau = inf worst cases tie: a theorem says that there is one; no proof says which."""
    game = rqe.NormalFormGame(
        [
            [[-1.0, 2.0, -1.0], [0.0, -1.0, -1.0], [2.0, 2.0, -2.0]],
            [[2.0, 2.0, -1.0], [0.0, 0.0, 1.0], [0.0, -2.0, 2.0]],
        ]
    )
    found = rqe.solve_all(game, np.inf, 0.5)
    assert len(found) == 1
    assert not found.complete
    assert found.status == SetStatus.SEARCHED
    assert "exactly one equilibrium" in found.notes[0]
    assert "only residual and regret say how near" in found.notes[-1]
    assert "several or none" not in " ".join(found.notes)
