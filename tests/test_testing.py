"""The public hypothesis strategies: what they draw is of the kind asked for, and shrinks."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import rqe
from rqe import testing

QUICK = settings(max_examples=2000, database=None, derandomize=True)
FLAGS = st.fixed_dictionaries({"symmetric": st.booleans(), "integer": st.booleans()})


@given(st.data(), FLAGS)
def test_sizes_and_whole_numbers(data, flags):
    game = data.draw(testing.games((2, 3), (1, 3), **flags))
    assert 2 <= game.n_players <= 3
    assert all(1 <= n <= 3 for n in game.shape)
    if flags["integer"]:
        assert (game.payoffs == game.payoffs.round()).all()
    assert np.abs(game.payoffs).max() <= 5.0


@given(st.data(), st.sampled_from(["", "collaborative", "potential"]))
def test_symmetric_games_look_the_same_from_every_seat(data, kind):
    kinds = {kind: True} if kind else {}
    game = data.draw(testing.games((2, 3), (2, 3), symmetric=True, **kinds))
    seats = list(range(game.n_players))
    for swap in ([1, 0, *seats[2:]], seats[::-1]):
        np.testing.assert_array_equal(game.permute(players=swap).payoffs, game.payoffs)


@given(st.data(), st.booleans())
def test_zero_sum_games_add_up(data, symmetric):
    players = 2 if symmetric else (2, 3)
    game = data.draw(testing.games(players, (2, 3), zero_sum=True, symmetric=symmetric))
    np.testing.assert_allclose(game.payoffs.sum(0), 0.0, atol=1e-12)
    if symmetric:
        np.testing.assert_array_equal(game.payoffs[1], game.payoffs[0].T)


@given(testing.games((2, 3), (2, 3), collaborative=True))
def test_collaborative_games_are_collaborative(game):
    from rqe.free_riding import collaboration

    assert len(collaboration(game).costs) == game.n_players


@given(testing.games((2, 3), (2, 3), potential=True))
def test_potential_games_have_no_cycles_of_gains(game):
    """Of every two players and every square of their actions (Monderer and Shapley 1996)."""
    for i in range(game.n_players):
        for j in range(i):
            first = np.moveaxis(game.payoffs[i], (i, j), (0, 1))
            second = np.moveaxis(game.payoffs[j], (i, j), (0, 1))
            by_i = np.diff(np.diff(first, axis=0), axis=1)
            by_j = np.diff(np.diff(second, axis=1), axis=0)
            np.testing.assert_allclose(by_i, by_j, atol=1e-12)


@given(st.data(), testing.games((2, 3), (1, 4)), st.booleans())
def test_profiles_are_distributions(data, game, interior):
    profile = data.draw(testing.profiles(game, interior=interior))
    assert [len(x) for x in profile] == list(game.shape)
    for x in profile:
        assert x.sum() == pytest.approx(1.0)
        assert (x > 0.0).all() if interior else (x >= 0.0).all()


@given(testing.risk_parameters(least_eps=0.1, most_tau=3.0))
def test_parameters_stay_in_range(risk):
    assert 0.0 <= risk.tau <= 3.0
    assert 0.1 <= risk.eps <= 2.0


@given(testing.aggregative_games(), st.floats(0.0, 0.9))
def test_aggregative_games_can_be_solved(game, share):
    assert rqe.solve(game, share * rqe.tau_limits(game, 1.0), 1.0).converged


def test_everything_shrinks_to_something_simple():
    game = find(testing.games(), lambda game: True, settings=QUICK)
    assert game.shape == (2, 2)
    assert not game.payoffs.any()
    assert find(testing.risk_parameters(), lambda risk: True, settings=QUICK) == (0.0, 1.0)
    smallest = find(testing.aggregative_games(), lambda game: True, settings=QUICK)
    assert (smallest.H.tolist(), smallest.target.tolist()) == ([[1.0]], [1.0])
    assert smallest.rho.tolist() == [1.0, 1.0]


def test_a_failing_conjecture_shrinks_to_a_readable_game():
    """The conjecture: nobody is more than 90 % sure at lambda = 1."""
    game = find(
        testing.games(2, integer=True),
        lambda game: float(rqe.solve(game, 0.0, 1.0).strategies[0].max()) > 0.9,
        settings=QUICK,
    )
    assert game.shape == (2, 2)
    assert np.abs(game.payoffs).sum() <= 10.0


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (lambda: testing.games(1), "players must be a whole number >= 2"),
        (lambda: testing.games(actions=(3, 2)), "actions must be"),
        (lambda: testing.games(zero_sum=True, potential=True), "exclude one another; got True"),
        (lambda: testing.games(3, symmetric=True, zero_sum=True), "players must be 2"),
        (lambda: testing.games(12, 12), r"at most 20000 payoffs; got shape \(12, "),
        (lambda: testing.risk_parameters(least_eps=0.0), "least_eps must be in"),
        (lambda: testing.risk_parameters(most_tau=-1.0), "most_tau must be >= 0"),
    ],
)
def test_errors(strategy, message):
    with pytest.raises(ValueError, match=message):
        find(strategy(), lambda _: True, settings=QUICK)


@pytest.mark.parametrize("size", [2.5, "2", None, (2,), (2, 3, 4), (2, 2.5)])
def test_sizes_that_are_none_are_named(size):
    with pytest.raises(ValueError, match="players must be a whole number >= 2 or a range"):
        find(testing.games(players=size), lambda game: True)


def test_sizes_may_be_integers_of_numpy():
    players, actions = np.array([2, 1])
    found = find(testing.games(players=players, actions=actions), lambda game: True)
    assert found.shape == (1, 1)


def test_profiles_are_of_finite_games():
    quadratic = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0])
    with pytest.raises(TypeError, match=r"game must be an rqe\.NormalFormGame"):
        find(testing.profiles(quadratic), lambda profile: True)  # type: ignore[arg-type]
