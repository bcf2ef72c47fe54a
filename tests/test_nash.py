"""`rqe.nash`: known answers of every kind, honest completeness, arguments, records."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe.enumeration.pure import pure_equilibria

NAMES = [name for name in rqe.catalog.names() if rqe.catalog.known(name).nash]
LARGE = "travellers-dilemma"  # 99 x 99: too many vertices, see the test of the time limit
ALL = [
    name
    for name in NAMES
    if rqe.catalog.known(name).complete in ("all", "all_extreme") and name != LARGE
]


def close(first, second, tol=1e-9):
    return all(np.abs(np.asarray(a) - b).max() < tol for a, b in zip(first, second, strict=True))


def payoffs(shape, seed, high=None):
    rng = np.random.default_rng([seed, *shape])
    size = (len(shape), *shape)
    return rng.random(size) if high is None else rng.integers(0, high, size).astype(float)


@pytest.mark.parametrize("name", ALL)
def test_all_published_equilibria_and_no_others(name):
    game, known = rqe.catalog.load(name), rqe.catalog.known(name)
    found = rqe.nash(game, "all")
    assert found.complete
    assert found.status is rqe.SetStatus.COMPLETE
    assert len(found) == len(known.nash)
    for profile in known.nash:
        assert sum(close(profile, solution.strategies) for solution in found) == 1
    assert all(solution.converged for solution in found)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {*ALL, LARGE}))
def test_published_equilibria_are_among_those_found(name):
    found = rqe.nash(rqe.catalog.load(name), "all")
    for profile in rqe.catalog.known(name).nash:
        assert any(close(profile, solution.strategies) for solution in found)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {LARGE}))
def test_pure_equilibria_are_those_of_all_that_are_pure(name):
    game = rqe.catalog.load(name)
    found = rqe.nash(game, "pure")
    assert found.complete
    pure = [s for s in rqe.nash(game, "all") if all(x.max() == 1.0 for x in s.strategies)]
    assert len(found) == len(pure)
    for solution in found:
        assert solution.regret == 0.0
        assert solution.solver == "pure"


def test_counts_of_the_literature():
    counts = {
        "von-stengel-6x6": 75,
        "coordination/3x3": 7,
        "coordination/4x4": 15,
        "winkels-1979": 12,
        "nashpy/degenerate-3x5": 8,
        "mckelvey-mclennan": 9,
        "savani-von-stengel-6x6": 1,
        "oneill": 1,
        "shapley": 1,
    }
    for name, count in counts.items():
        found = rqe.nash(rqe.catalog.load(name), "all")
        assert (len(found), found.complete) == (count, True), name


@given(seed=st.integers(0, 10**6), n_players=st.integers(2, 4), high=st.integers(2, 4))
def test_pure_equilibria_by_definition(seed, n_players, high):
    shape = tuple(np.random.default_rng(seed).integers(1, 4, n_players).tolist())
    game = rqe.NormalFormGame(payoffs(shape, seed, high))
    expected = [
        a
        for a in np.ndindex(*shape)
        if all(
            game.payoffs[i][a] >= game.payoffs[i][(*a[:i], slice(None), *a[i + 1 :])].max()
            for i in range(n_players)
        )
    ]
    assert pure_equilibria(game) == expected


def test_rationals_that_round_to_the_same_double_are_told_apart():
    from fractions import Fraction

    third, more = Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**30)
    payoffs_exact = np.array([[[third], [more]], [[0], [0]]], dtype=object)
    game = rqe.NormalFormGame(payoffs_exact)
    assert game.payoffs[0][0, 0] == game.payoffs[0][1, 0]
    assert pure_equilibria(game) == [(1, 0)]
    assert rqe.undominated(game, mixed=False) == ((0, 1), (0,))  # a margin seen by rationals only
    found = rqe.nash(game, "all")
    assert found.exact == (((Fraction(0), Fraction(1)), (Fraction(1),)),)


def test_a_game_without_pure_equilibria_has_an_empty_complete_set():
    found = rqe.nash(rqe.catalog.load("matching-pennies"), "pure")
    assert (len(found), found.complete) == (0, True)
    assert "0 of Nash" in found.summary()
    assert found.to_dict()["solutions"] == []


@pytest.mark.parametrize(
    ("shape", "method"),
    [
        ((20, 20), "vertex_enumeration"),
        ((40, 40), "vertex_enumeration"),
        ((30, 30), "support_enumeration"),
        ((4, 4, 4), "branch_and_prune"),
    ],
)
def test_the_time_limit_is_kept_and_what_was_found_is_returned(shape, method):
    import time

    game = rqe.NormalFormGame(payoffs(shape, 0))
    rqe.nash(game, "all", method=method, time_limit=0.1)  # compiles what it needs
    calls = []
    start = time.process_time()  # wall time would judge what else the machine does
    found = rqe.nash(
        game,
        "all",
        method=method,
        time_limit=0.6,
        progress=lambda text, seconds: calls.append((text, seconds)),
    )
    assert time.process_time() - start < 5.0
    assert not found.complete
    assert found.status is rqe.SetStatus.TIME_LIMIT
    assert "time_limit" in found.status.message
    assert all(solution.regret < 1e-9 for solution in found)
    assert len(found) >= len(pure_equilibria(game)) or method == "support_enumeration"
    assert calls
    assert calls[0][1] < 1.0


def test_a_game_too_large_gives_its_pure_equilibria_and_no_promise():
    found = rqe.nash(rqe.catalog.load(LARGE), "all", time_limit=0.2)
    assert not found.complete
    assert [s.strategies[0][0] for s in found] == [1.0]
    assert rqe.nash(rqe.catalog.load(LARGE, high=8), "all").complete


def test_support_enumeration_never_claims_a_proof():
    game = rqe.NormalFormGame(payoffs((4, 4), 3))
    found = rqe.nash(game, "all", method="support_enumeration")
    assert not found.complete
    assert found.status is rqe.SetStatus.SEARCHED
    degenerate = rqe.nash(rqe.catalog.load("winkels-1979"), "all", method="support_enumeration")
    assert degenerate.status is rqe.SetStatus.DEGENERATE


def test_wrong_arguments_name_the_rule():
    game, three = rqe.catalog.load("stag-hunt"), rqe.catalog.load("mckelvey-mclennan")
    with pytest.raises(ValueError, match="which must be one of one, pure, all"):
        rqe.nash(game, "every")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="method must be one of"):
        rqe.nash(game, "all", method="lemke_howson")
    with pytest.raises(ValueError, match="did you mean 'lemke_howson'"):
        rqe.nash(game, method="lemke-howson")
    with pytest.raises(ValueError, match="for two players; this game has 3"):
        rqe.nash(three, method="lemke_howson")
    with pytest.raises(ValueError, match="for two players; this game has 3"):
        rqe.nash(three, "all", method="support_enumeration")
    with pytest.raises(ValueError, match="add up to a constant"):
        rqe.nash(game, method="zero_sum")
    with pytest.raises(ValueError, match="leave method out"):
        rqe.nash(game, "pure", method="exhaustive")
    with pytest.raises(TypeError, match="start"):
        rqe.nash(game, "all", start=[[0.5, 0.5]] * 2)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="time_limit must be >= 0 seconds"):
        rqe.nash(game, "all", time_limit=-1.0)
    with pytest.raises(ValueError, match="below 4"):
        rqe.nash(game, method=rqe.LemkeHowson(drop=4))
    with pytest.raises(ValueError, match="tol must be"):
        rqe.nash(game, "all", tol=2.0)
    with pytest.raises(TypeError, match="NormalFormGame"):
        rqe.nash([[1, 0], [0, 1]], "all")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"an rqe\.LemkeHowson"):
        rqe.nash(game, method=3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="at most 62 actions"):
        rqe.nash(rqe.NormalFormGame(np.zeros((2, 63, 2))), "all", method="support_enumeration")


def test_the_record_of_a_set():
    found = rqe.nash(rqe.catalog.load("winkels-1979"), "all")
    data = json.loads(json.dumps(found.to_dict()))
    assert data["schema"] == "rqe.solution_set/1"
    assert data["complete"] is True
    assert len(data["solutions"]) == len(data["exact"]) == 12
    assert data["components"][0]["solutions"] == list(range(12))
    frame = found.to_frame()
    assert frame.groupby(["solution", "player"]).probability.sum().to_numpy() == pytest.approx(1.0)
    text = found.summary(max_solutions=2)
    assert "12 of Nash, 10 not shown" in text
    assert "complete  yes" in text
    assert found[0] is found.solutions[0]
    assert found[1:3] == found.solutions[1:3]
    assert repr(found).startswith("<SolutionSet: 12 of Nash of")
    many = rqe.nash(rqe.NormalFormGame(payoffs((9, 9), 1)), "all")
    assert math.isclose(many[-1].strategies[0].sum(), 1.0)
    assert "more" in many.summary() or max((s.strategies[0] > 0).sum() for s in many) <= 6


def test_dominance():
    game = rqe.NormalFormGame.from_bimatrix(
        [[4, 0, 9], [0, 4, 9], [1, 1, 9], [0, 0, 0]], [[1, 0, 0], [0, 1, 0], [2, 0, 0], [3, 3, 4]]
    )
    assert rqe.undominated(game) == ((0, 1), (0, 1))
    small = rqe.eliminate_dominated(game)
    assert small.actions == (("1", "2"), ("1", "2"))
    assert len(rqe.nash(game, "all")) == len(rqe.nash(small, "all")) == 3
    assert rqe.eliminate_dominated(small) is small
    weak = rqe.NormalFormGame.from_bimatrix([[1, 1], [1, 0]], [[1, 1], [1, 0]])
    assert rqe.undominated(weak) == ((0, 1), (0, 1))
    with pytest.raises(TypeError, match="NormalFormGame"):
        rqe.undominated(np.zeros((2, 2, 2)))  # type: ignore[arg-type]


@given(seed=st.integers(0, 10**6))
def test_no_equilibrium_plays_what_was_eliminated(seed):
    game = rqe.NormalFormGame(payoffs((3, 4), seed, 6))
    kept = rqe.undominated(game)
    for solution in rqe.nash(game, "all"):
        for own, x in zip(kept, solution.strategies, strict=True):
            assert np.delete(x, own).sum() == 0.0


def test_dominance_is_found_for_several_players():
    shape = (3, 2, 2)
    u = payoffs(shape, 5)
    u[0, 2] = 0.5 * u[0, 0] + 0.5 * u[0, 1] - 0.01
    assert 2 not in rqe.undominated(rqe.NormalFormGame(u))[0]
    u[0, 2] += 0.02
    assert 2 in rqe.undominated(rqe.NormalFormGame(u))[0]
