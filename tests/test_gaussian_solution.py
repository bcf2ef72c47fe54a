"""The record of Gaussian answers, and how `solve` takes quadratic games."""

import json
import pickle
from typing import Any

import numpy as np
import pytest

import rqe
from rqe import games
from rqe.gaussian import solve_gaussian

GAME = rqe.AggregativeGame(
    [[2.0, 0.5], [0.5, 1.0]], [1.0, -1.0], [0.5, 1.0], players=("A", "B"), title="Pair"
)


@pytest.fixture
def solution():
    return rqe.solve(GAME, [0.5, 0.0], [1.0, 0.5])


def test_fields(solution):
    assert isinstance(solution, rqe.GaussianSolution)
    assert solution.game is GAME
    assert solution.tau.tolist() == [0.5, 0.0]
    assert solution.eps.tolist() == [1.0, 0.5]
    assert [mean.shape for mean in solution.means] == [(2,), (2,)]
    assert [c.shape for c in solution.covariances] == [(2, 2), (2, 2)]
    assert solution.payoffs is solution.check.payoffs
    assert solution.converged
    assert solution.unique is True
    assert solution.notes[0].startswith("unique: ")
    effort = (
        0.5
        * GAME.rho
        * [m @ m + np.trace(c) for m, c in zip(solution.means, solution.covariances, strict=True)]
    )
    assert solution.payoffs == pytest.approx(solution.shared_reward - effort)
    assert solution.margins == pytest.approx(1.0 - solution.tau / solution.tau_limits)


def test_general_games_have_no_shared_reward():
    solution = rqe.solve(GAME.to_quadratic(), 0.1, 1.0)
    assert solution.shared_reward is None
    assert solution.shortfall is None
    assert "shared" not in solution.summary()


def test_texts(solution):
    text = solution.summary()
    for part in ("Pair (2 players)", "mixed, Gaussian strategies", "deviation", "margin", "unique"):
        assert part in text
    short = solution.summary(max_rows=1)
    assert "(3 coordinates not shown)" in short
    assert repr(solution).startswith("<GaussianSolution: mixed of Pair (2 players), converged")
    assert max(map(len, text.splitlines())) <= 92


def test_plain_data(solution):
    data = json.loads(json.dumps(solution.to_dict()))
    assert data["schema"] == "rqe.gaussian_solution/1"
    assert data["means"] == [mean.tolist() for mean in solution.means]
    assert data["shortfall"] == solution.shortfall.tolist()
    assert data["tau_limits"] == solution.tau_limits.tolist()
    unbounded = rqe.solve(games.cournot(3.0, 1.0, [1.0, 1.0]), 1.0, 0.1).to_dict()
    assert json.loads(json.dumps(unbounded))["tau_limits"] == ["inf", "inf"]
    frame = solution.to_frame()
    assert frame.shape == (4, 9)
    assert frame["variance"].tolist() == [
        float(c[k, k]) for c in solution.covariances for k in (0, 1)
    ]


def test_nobody_can_change_it(solution):
    arrays = [*solution.means, *solution.covariances, solution.margins, solution.tau_limits]
    arrays += [solution.payoffs, solution.risk_adjusted, solution.shortfall]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    with pytest.raises(AttributeError):
        solution.means = ()
    again = pickle.loads(pickle.dumps(solution))
    assert again.means[0].tolist() == solution.means[0].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "reverse_kl"}, "penalty must be 'kl' in a quadratic game"),
        ({"regularizer": "log_barrier"}, "regularizer must be 'entropy' in a quadratic game"),
        ({"solver": "newton"}, "solver must be None in a quadratic game"),
        ({"start": [np.ones(2), np.ones(2)]}, "start must be None in a quadratic game"),
        ({"start": np.ones((2, 2))}, "start must be None in a quadratic game"),
        ({"tol": 0.0}, "tol must be a number in"),
        ({"tau": -1.0}, "tau must be >= 0"),
        ({"tau": [1.0, 2.0, 3.0]}, "tau must be one number or a list of 2"),
        ({"tau": np.nan}, "tau must be >= 0"),
        (
            {"eps": np.inf},
            r"eps must be finite in a game .*; got eps\[0\] = inf",
        ),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ValueError, match=message):
        rqe.solve(GAME, **options)


def test_the_default_options_may_be_given():
    base = rqe.solve(GAME, 0.1, 1.0)
    defaults: dict[str, Any] = {
        "penalty": "kl",
        "regularizer": "entropy",
        "solver": None,
        "start": None,
    }
    same = rqe.solve(GAME, 0.1, 1.0, **defaults)
    assert same.means[0].tolist() == base.means[0].tolist()


def test_an_answer_beyond_tol_raises_and_carries_itself():
    with pytest.raises(rqe.ConvergenceError, match="no RQE of Pair") as caught:
        solve_gaussian(GAME, 0.1, 1.0, tol=1e-300)
    partial = caught.value.solution
    assert partial.status is rqe.Status.INACCURATE
    assert "payoff range" not in str(caught.value)
    kept = solve_gaussian(GAME, 0.1, 1.0, tol=1e-300, throw=False)
    assert kept.status is rqe.Status.INACCURATE
    twin = pickle.loads(pickle.dumps(caught.value))
    assert str(twin) == str(caught.value)


def test_ill_posed_risk_names_player_value_and_bound():
    with pytest.raises(rqe.IllPosedRiskError, match=r"tau\[1\] must be below .* player 'B'") as e:
        rqe.solve(GAME, [0.0, 50.0], 1.0)
    error = e.value
    assert isinstance(error, ValueError)
    assert (error.player, error.tau) == (1, 50.0)
    assert error.limit == rqe.tau_limits(GAME, 1.0)[1]
    assert rqe.solve(GAME, [0.0, 0.999 * error.limit], 1.0).converged
    twin = pickle.loads(pickle.dumps(error))
    assert (str(twin), twin.limit) == (str(error), error.limit)


def test_other_entry_points():
    assert rqe.nash(GAME).concept.name == "Nash"
    assert rqe.qre(GAME, lam=4.0).eps.tolist() == [0.25, 0.25]
    finite_only: list[Any] = [rqe.trace, rqe.security]
    for call in finite_only:
        with pytest.raises(TypeError, match="NormalFormGame"):
            call(GAME)


def test_finite_games_alone_have_a_list_of_all_equilibria():
    with pytest.raises(TypeError, match=r"game must be an rqe\.NormalFormGame .*AggregativeGame"):
        rqe.solve_all(rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0]), 1.0, 1.0)  # type: ignore[arg-type]


def test_what_overflows_is_not_certified():
    game = rqe.AggregativeGame(1e200, 1.0, [1e-200, 1.0])  # its gains exceed doubles
    solution = rqe.solve(game, 0.0, 1.0, throw=False)
    assert (solution.status, solution.residual) == (rqe.Status.INACCURATE, np.inf)
    assert solution.regret == np.inf
    with pytest.raises(rqe.ConvergenceError):
        rqe.solve(game, 0.0, 1.0)
