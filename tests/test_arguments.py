"""Arguments of wrong kinds: an error of the library that names the argument, never numpy's."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import find

import rqe
from rqe import testing

ANY: Any = rqe  # for arguments of wrong types
GAME = rqe.catalog.load("stag-hunt")
SOLVED: Any = rqe.solve(GAME, 1.0, 1.0)
CONCEPT = rqe.Concept.of(GAME, 1.0, 1.0)
TEAM = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0])
PAIR_GAME = TEAM.to_quadratic()
HALF = [[0.5, 0.5], [0.5, 0.5]]
LOGS = [np.log([0.5, 0.5])] * 2
PAIR = np.array(["kl", "kl"])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ANY.solve(GAME, penalty=PAIR), ValueError, "penalty must be one of"),
        (lambda: ANY.solve(GAME, regularizer=np.zeros((0,))), ValueError, "regularizer must be"),
        (lambda: ANY.nash(GAME, PAIR), ValueError, "which must be one of"),
        (lambda: ANY.nash(GAME, method=PAIR), TypeError, "method must be"),
        (lambda: ANY.solve(GAME, eps=1, start=np.array(1.0)), TypeError, "start must be a"),
        (lambda: ANY.solve(GAME, eps=1, start=[[0.5j, 0.5], [1, 0]]), TypeError, r"start\[0\]"),
        (lambda: ANY.regret(GAME, np.array(1.0)), TypeError, "profile must be a"),
        (lambda: ANY.regret(GAME, [[0.5j, 0.5], [1, 0]]), TypeError, r"profile\[0\] must hold"),
        (lambda: ANY.regret(GAME, [["0.5", "0.5"], [1, 0]]), TypeError, r"profile\[0\] must hold"),
        (lambda: ANY.regret(GAME, [[10**400, 0.5], [1, 0]]), TypeError, r"profile\[0\] must hold"),
        (lambda: ANY.check(HALF, CONCEPT, LOGS), TypeError, "game must be an rqe game; got list"),
        (lambda: ANY.check(GAME, "kl", LOGS), TypeError, "concept must be an rqe concept; got str"),
        (lambda: ANY.check(GAME, CONCEPT, 3), TypeError, "log_strategies must be one array per"),
        (lambda: ANY.check(GAME, CONCEPT, [1, 2]), TypeError, "log_strategies must be one array"),
        (lambda: ANY.read_nfg(3), TypeError, "path must be a string or a path, got 3"),
        (lambda: ANY.read_nfg(b"a.nfg"), TypeError, "path must be a string or a path"),
        (lambda: ANY.solve_all(GAME, time_limit=10**400), ValueError, "time_limit must be"),
        (lambda: ANY.PrincipalBranch(predictor_error=10**400), ValueError, "predictor_error must"),
        (lambda: ANY.LemkeHowson(drop=True), ValueError, "drop must be None or an integer"),
        (lambda: GAME.to_latex(decimals=True), TypeError, "decimals must be an integer; got True"),
        (lambda: SOLVED.summary(max_actions=-1), ValueError, "max_actions must be at least 1"),
        (lambda: SOLVED.to_latex(max_actions="2"), TypeError, "max_actions must be an integer"),
        (lambda: ANY.trace(GAME, eps=1).summary(max_points=-3), ValueError, "max_points must be"),
        (lambda: PAIR_GAME.quadratic(-1), ValueError, "i must be from 0 to 1; got -1"),
        (lambda: PAIR_GAME.block(0, 0, 2), ValueError, "k must be from 0 to 1; got 2"),
        (lambda: PAIR_GAME.utilities("a"), TypeError, "actions must hold real numbers"),
        (lambda: TEAM.reward([["a"], ["b"]]), TypeError, "actions must hold real numbers"),
        (lambda: ANY.QuadraticGame.from_own_rows(np.eye(2), dims=5), TypeError, "dims must hold"),
        (lambda: ANY.uniqueness.interaction(GAME, "a"), ValueError, "player must be from 0"),
        (lambda: ANY.solve_all(GAME, starts="10"), TypeError, "starts must be an integer"),
        (lambda: ANY.solve_all(GAME, starts=float("nan")), TypeError, "starts must be an integer"),
        (lambda: ANY.solve_all(GAME, max_dimensions=None), TypeError, "max_dimensions must be an"),
        (lambda: ANY.solve_all(GAME, rng=-1), TypeError, "rng must be a numpy Generator or"),
        (lambda: ANY.solve_all(GAME, 0, 0, payoffs="all"), ValueError, "payoffs must be one of"),
        (lambda: ANY.nash(GAME, "all", progress=5), TypeError, "progress must be callable"),
        (lambda: ANY.nash(TEAM, method="zero_sum"), ValueError, "method must be None in a game of"),
        (lambda: ANY.PayoffPath(lambda t: GAME, game=3), TypeError, "game must be an rqe"),
    ],
)
def test_the_error_names_the_argument(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("direction", "error", "words"),
    [
        (None, TypeError, "parameter must"),
        (np.zeros((2, 2)), ValueError, "parameter must have the shape of the payoffs"),
        (np.full((2, 2, 2), 1j), TypeError, "parameter must hold real numbers"),
        ([[1.0], [1.0, 2.0]], ValueError, "parameter must be rectangular"),
        (np.full((2, 2, 2), np.inf), ValueError, "parameter must be finite"),
    ],
)
def test_a_direction_that_is_none_is_refused_by_the_name_it_was_given(direction, error, words):
    with pytest.raises(error, match=words):
        ANY.trace(GAME, eps=1.0, parameter=direction, window=(0.0, 1.0))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"window": (-0.5, 2.0)}, ValueError, "window must hold tau >= 0"),
        ({"window": (-2.0, 2.0)}, ValueError, "window must hold tau >= 0"),
        ({"window": (0.0, np.inf)}, ValueError, "window must hold two finite numbers"),
        ({"window": 3}, TypeError, "window must be two numbers"),
        ({"max_points": 0}, ValueError, "max_points must be at least 1"),
        ({"tol": float("nan")}, ValueError, "tol must be a number in"),
    ],
)
def test_switch_branch_holds_its_options_to_the_rules_of_trace(options, error, words):
    shared = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    (point,) = rqe.bifurcations(rqe.trace(shared, tau=2.0, eps=0.2, parameter="tau"))
    with pytest.raises(error, match=words):
        ANY.switch_branch(point, **options)


@pytest.mark.parametrize("follow", [rqe.trace, rqe.diagram])
def test_an_eps_of_0_beside_others_is_refused_in_a_window(follow):
    with pytest.raises(ValueError, match="eps must be > 0 for every player, or 0 for all"):
        follow(GAME, eps=[0.0, 0.2], window=(0.1, 1.0))


def test_a_tau_of_inf_is_refused_in_a_window_of_tau():
    with pytest.raises(ValueError, match="tau must be finite"):
        rqe.trace(GAME, tau=[1.0, np.inf], eps=1.0, parameter="tau", window=(0.0, 1.0))


def test_a_derivative_of_another_shape_is_refused():
    path = ANY.PayoffPath(lambda t: GAME.payoffs * (1 + t), derivative=lambda t: 1.0)
    with pytest.raises(ValueError, match=r"derivative\(t\) must have the shape"):
        ANY.trace(GAME, eps=1.0, parameter=path, window=(0.0, 1.0))


@pytest.mark.parametrize("tol", [Fraction(1, 10**8), np.float32(1e-6)])
@pytest.mark.parametrize("which", ["one", "pure", "all"])
def test_nash_takes_tolerances_of_any_real_type(which, tol):
    found = ANY.nash(GAME, which, tol=tol)
    assert all(s.converged for s in ([found] if which == "one" else found))


def test_lemke_howson_takes_the_integers_of_numpy():
    found = ANY.nash(GAME, method=ANY.LemkeHowson(drop=np.int64(1), max_steps=np.int64(9)))
    assert found.converged


@pytest.mark.parametrize(
    "call",
    [
        lambda no: ANY.solve(GAME, throw=no),
        lambda no: ANY.qre(GAME, 1.0, throw=no),
        lambda no: ANY.security(GAME, throw=no),
        lambda no: ANY.nash(GAME, throw=no),
        lambda no: ANY.nash(GAME, "all", throw=no),
        lambda no: ANY.nash(GAME, method="zero_sum", throw=no),
        lambda no: ANY.trace(GAME, eps=1.0, throw=no),
        lambda no: ANY.solve_batch(GAME.payoffs, eps=1.0, throw=no),
        lambda no: ANY.solve(rqe.AggregativeGame(1.0, 1.0, [1.0] * 3), eps=1.0, throw=no),
        lambda no: ANY.undominated(GAME, mixed=no),
        lambda no: ANY.eliminate_dominated(GAME, mixed=no),
        lambda no: ANY.LemkeHowson(exact=no),
        lambda no: ANY.ZeroSum(exact=no),
        lambda no: SOLVED.to_dict(adversaries=no),
        lambda no: GAME.to_latex(best_responses=no),
        lambda no: GAME.write_nfg("nowhere/game.nfg", outcomes=no),
        lambda no: ANY.plot.plot_simplex(SOLVED, best_responses=no),
        lambda no: ANY.estimation.vuong(None, None, by_game=no),
        lambda no: find(testing.games(symmetric=no), lambda _: True),
        lambda no: find(testing.games(zero_sum=no), lambda _: True),
        lambda no: find(testing.games(integer=no), lambda _: True),
        lambda no: find(testing.profiles(GAME, interior=no), lambda _: True),
    ],
)
@pytest.mark.parametrize("no", ["no", 0, None])
def test_what_is_true_or_false_is_nothing_else(call, no):
    with pytest.raises(TypeError, match=f"must be True or False; got {no!r}"):
        call(no)


def test_numpy_may_say_true_or_false():
    assert ANY.solve(GAME, throw=np.False_).converged
