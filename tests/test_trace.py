"""Whole branches: where they begin and end, what they pass, how well every point solves."""

import math
from typing import Any

import numpy as np
import pytest

import rqe
from benchmarks.common import random_payoffs
from rqe.check import check
from rqe.concepts import PENALTIES, REGULARIZERS, Concept

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
FOLDED = rqe.NormalFormGame(random_payoffs((3, 3, 3), 11, "coordination"))
FREE_RIDING = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
PITCHFORK = 0.8287886937257862  # of example 4.2, in tau at eps = 0.2


def game_of(shape, seed=0):
    return rqe.NormalFormGame(random_payoffs(shape, seed))


def at(branch, k):
    """Return the log-strategies at point k."""
    return [logs[k] for logs in branch.log_strategies]


def assert_same_profile(first, second, atol=1e-9):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=atol)


@each_pair
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (2, 2, 2)], ids=str)
def test_a_branch_in_eps_leads_from_the_centroid_to_the_answer(shape, penalty, regularizer):
    game, options = game_of(shape), {"penalty": penalty, "regularizer": regularizer}
    for tau, eps in ((0.0, 0.1), (2.0, 0.1)):
        branch = rqe.trace(game, tau, eps, **options)
        assert branch.converged
        assert branch.parameter == "eps"
        assert branch.values.shape == (len(branch), len(shape))
        assert (branch.values[0] == math.inf).all()
        assert (branch.values[-1] == eps).all()
        for logs, n in zip(branch.log_strategies, shape, strict=True):
            assert logs.shape == (len(branch), n)
            np.testing.assert_allclose(logs[0], -math.log(n), rtol=1e-15)
        solution = rqe.solve(game, tau, eps, **options)
        assert_same_profile(at(branch, -1), solution.log_strategies)


@each_pair
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (2, 2, 2)], ids=str)
def test_a_branch_in_tau_leads_from_one_answer_to_the_other(shape, penalty, regularizer):
    game, options = game_of(shape), {"penalty": penalty, "regularizer": regularizer}
    branch = rqe.trace(game, 3.0, 0.3, parameter="tau", **options)
    assert branch.converged
    assert branch.parameter == "tau"
    assert (branch.values[0] == 0.0).all()
    assert (branch.values[-1] == 3.0).all()
    for k, tau in ((0, 0.0), (-1, 3.0)):
        assert_same_profile(at(branch, k), rqe.solve(game, tau, 0.3, **options).log_strategies)


@each_pair
@pytest.mark.parametrize("parameter", ["eps", "tau"])
def test_every_point_has_its_own_certificate(parameter, penalty, regularizer):
    game, tau, eps = game_of((3, 3), 5), np.array([4.0, 1.0]), np.array([0.05, 0.2])
    branch = rqe.trace(
        game, tau, eps, parameter=parameter, penalty=penalty, regularizer=regularizer
    )
    assert len(branch.residuals) == len(branch)
    assert branch.residual == branch.residuals.max() <= 1e-10
    for k, value in enumerate(branch.values):
        taus, epss = (tau, value) if parameter == "eps" else (value, eps)
        concept = Concept.of(game, taus, epss, penalty, regularizer)
        found = check(game, concept, at(branch, k))
        assert branch.residuals[k] == pytest.approx(found.residual, abs=2e-15)
    for logs in branch.strategies:
        np.testing.assert_allclose(logs.sum(axis=1), 1.0, atol=1e-14)


def test_eps_fall_together_and_taus_grow_in_proportion():
    """Along eps the points are eps_i + s; along tau they are shares of the target."""
    game, tau, eps = game_of((2, 2, 2), 1), [1.0, 0.0, 4.0], [0.1, 0.5, 0.2]
    branch = rqe.trace(game, tau, eps)
    extra = branch.values[1:] - np.array(eps)
    np.testing.assert_allclose(extra, extra[:, :1].repeat(3, axis=1), rtol=1e-9, atol=1e-15)
    assert (extra >= -1e-16).all()
    grown = rqe.trace(game, tau, eps, parameter="tau")
    share = grown.values / np.array([1.0, 1.0, 4.0])
    np.testing.assert_allclose(share[:, 0], share[:, 2], rtol=1e-14)
    assert (grown.values[:, 1] == 0.0).all()
    np.testing.assert_array_equal(grown.values[-1], tau)


def test_folds_are_passed_and_recorded():
    """The branch of this game turns back at lam = 7.2574 and forth again at lam = 7.1759."""
    branch = rqe.trace(FOLDED, eps=1.0 / 39.26)
    assert branch.converged
    assert len(branch.turning_points) == 2
    assert len(branch.bifurcations) == 0
    lam = 1.0 / branch.values[:, 0]
    back, forth = branch.turning_points
    assert lam[back] == pytest.approx(7.2574, abs=0.02)
    assert lam[forth] == pytest.approx(7.1759, abs=0.02)
    rising = np.diff(lam) > 0.0
    assert rising[:back].all()
    assert not rising[back + 1 : forth].any()
    assert rising[forth + 1 :].all()
    assert rqe.solve(FOLDED, eps=1.0 / 39.26).stats.turning_points == 2


def test_short_steps_show_where_the_folds_are():
    branch = rqe.trace(FOLDED, eps=1.0 / 39.26, solver=rqe.PrincipalBranch(predictor_error=1e-5))
    folds = 1.0 / branch.values[branch.turning_points, 0]
    np.testing.assert_allclose(folds, [7.2574, 7.1759], atol=2e-4)


def test_the_first_point_at_the_target_is_the_end():
    """Between the folds three points of the branch have this lam: the answer is the first."""
    lam = 7.2
    branch = rqe.trace(FOLDED, eps=1.0 / lam)
    assert len(branch.turning_points) == 0
    longer = rqe.trace(FOLDED, eps=1.0 / 10.0, solver=rqe.PrincipalBranch(predictor_error=1e-4))
    lams = 1.0 / longer.values[:, 0]
    crossings = np.flatnonzero(np.diff(np.sign(lams - lam)))
    assert len(crossings) == 3
    first = crossings[0]
    for logs, end in zip(longer.strategies, branch.strategies, strict=True):
        low, high = np.sort(logs[first : first + 2], axis=0)
        assert (end[-1] >= low - 1e-3).all()
        assert (end[-1] <= high + 1e-3).all()


@pytest.mark.parametrize("target", [0.9, 1.0, 3.0])
def test_the_pitchfork_of_example_4_2_in_tau(target):
    """It is recorded between the points on both sides, and the branch stays symmetric."""
    branch = rqe.trace(FREE_RIDING, target, 0.2, parameter="tau")
    assert branch.converged
    assert len(branch.turning_points) == 0
    (k,) = branch.bifurcations
    assert branch.values[k, 0] <= PITCHFORK <= branch.values[k + 1, 0]
    assert branch.values[k + 1, 0] - branch.values[k, 0] < 1e-2
    first, second = branch.strategies
    np.testing.assert_allclose(first, second, atol=1e-6)
    np.testing.assert_allclose(first[[k, k + 1], 0], 0.6002057027981795, atol=1e-3)
    assert len(rqe.trace(FREE_RIDING, 0.8, 0.2, parameter="tau").bifurcations) == 0


@pytest.mark.parametrize("tau", [0.0, 0.5, PITCHFORK, 1.5])
def test_the_pitchfork_of_example_4_2_in_eps(tau):
    """Along eps the determinant of the antisymmetric direction changes sign where 1 = slope.

    At the symmetric equilibrium x = softmax(v / eps), an antisymmetric change d of the logits comes
    back as -x (1 - x) slope d / eps, with slope the difference of the two actions' dv.
    """
    branch = rqe.trace(FREE_RIDING, tau, 0.02)
    assert branch.converged
    (k,) = branch.bifurcations
    eps = branch.values[:, 0]
    assert eps[k] > eps[k + 1] >= 0.99 * eps[k]

    def antisymmetric(point):
        """Return 1 - (the response's slope): positive before the pitchfork, negative after."""
        logs = [a[point] for a in branch.log_strategies]
        h = 1e-6
        moved = [logs[0] + h * np.array([1.0, 0.0]), logs[1] - h * np.array([1.0, 0.0])]
        x, y = (np.exp(a) / np.exp(a).sum() for a in moved)
        u = FREE_RIDING.payoffs[0]
        weight = y * np.exp(-tau * (x @ u))
        v = u @ (weight / weight.sum())
        response = (v[0] - v[1]) / eps[point]
        start = logs[0][0] - logs[0][1]
        return 1.0 - (response - start) / h

    assert antisymmetric(k - 3) > 0.0 > antisymmetric(k + 4)


@each_pair
def test_a_limit_ends_at_eps_zero_exactly(penalty, regularizer):
    game, options = game_of((3, 3), 2), {"penalty": penalty, "regularizer": regularizer}
    branch = rqe.trace(game, 1.0, 0.0, **options)
    assert branch.converged
    assert (branch.values[-1] == 0.0).all()
    assert (branch.values[:-1] > 0.0).all()
    assert branch.residuals[-1] <= 1e-10
    solution = rqe.solve(game, 1.0, 0.0, **options)
    for a, b in zip(branch.strategies, solution.strategies, strict=True):
        np.testing.assert_allclose(a[-1], b, atol=1e-9)


def test_limits_may_be_mixed_with_numbers():
    game = game_of((3, 3), 2)
    branch = rqe.trace(game, [0.0, 1.0], [0.0, 0.5])
    np.testing.assert_array_equal(branch.values[-1], [0.0, 0.5])
    np.testing.assert_allclose(branch.values[1:-1, 1] - branch.values[1:-1, 0], 0.5, rtol=1e-9)
    solution = rqe.solve(game, [0.0, 1.0], [0.0, 0.5])
    for a, b in zip(branch.strategies, solution.strategies, strict=True):
        np.testing.assert_allclose(a[-1], b, atol=1e-9)


def test_players_who_do_not_move():
    """Uniform players keep eps = inf; players with tau = inf keep their eps and strategy."""
    game = game_of((3, 3), 2)
    branch = rqe.trace(game, [0.0, 1.0], [math.inf, 0.1])
    assert (branch.values[:, 0] == math.inf).all()
    np.testing.assert_allclose(branch.strategies[0], 1.0 / 3.0, rtol=1e-14)
    worst = rqe.trace(game, [math.inf, 1.0], [0.3, 0.1])
    assert (worst.values[:, 0] == 0.3).all()
    assert np.ptp(worst.strategies[0], axis=0).max() < 1e-15
    assert worst.residual <= 1e-10


@pytest.mark.parametrize(
    ("tau", "eps", "parameter"),
    [(0.0, math.inf, "eps"), (math.inf, 0.2, "eps"), (0.0, 0.2, "tau"), (1.0, math.inf, "tau")],
)
def test_where_nothing_moves_the_branch_is_one_point(tau, eps, parameter):
    game = game_of((2, 3))
    branch = rqe.trace(game, tau, eps, parameter=parameter)
    assert branch.converged
    assert len(branch) == 1
    assert branch.residual <= 1e-10
    np.testing.assert_array_equal(branch.values[0], [tau if parameter == "tau" else eps] * 2)
    assert_same_profile(at(branch, 0), rqe.solve(game, tau, eps).log_strategies)
    assert len(branch.turning_points) == len(branch.bifurcations) == 0


def test_points_lie_as_densely_as_the_solver_is_told():
    game = game_of((3, 3), 4)
    coarse = rqe.trace(game, 1.0, 0.05)
    fine = rqe.trace(game, 1.0, 0.05, solver=rqe.PrincipalBranch(predictor_error=1e-5))
    assert len(fine) > 2 * len(coarse)
    assert_same_profile(at(fine, -1), at(coarse, -1))
    by_name = rqe.trace(game, 1.0, 0.05, solver="principal_branch")
    np.testing.assert_array_equal(by_name.values, coarse.values)


def test_a_branch_that_ends_early_is_an_error_that_carries_it():
    short = rqe.PrincipalBranch(max_steps=3)
    with pytest.raises(rqe.ConvergenceError, match="max_steps") as caught:
        rqe.trace(FOLDED, eps=0.01, solver=short)
    partial = caught.value.solution
    assert isinstance(partial, rqe.Branch)
    assert partial.status is rqe.Status.MAX_STEPS
    assert partial.values[-1, 0] > 0.01
    silent = rqe.trace(FOLDED, eps=0.01, solver=short, throw=False)
    assert not silent.converged
    np.testing.assert_array_equal(silent.values, partial.values)
    assert silent.residual <= 1e-10  # what has been found is exact all the same


def test_a_branch_that_turns_back_to_tau_zero_does_not_reach_its_target():
    """Unequal taus undo the pitchfork: the branch through the symmetric point turns back."""
    branch = rqe.trace(FREE_RIDING, [0.5, 1.5], 0.2, parameter="tau", throw=False)
    assert not branch.converged
    assert len(branch.turning_points) == 1
    assert branch.values[-1].max() < 1e-6
    assert branch.residual <= 1e-10


def test_a_tolerance_out_of_reach_is_not_called_converged():
    branch = rqe.trace(game_of((3, 3), 4), 1.0, 0.05, tol=1e-18, throw=False)
    assert branch.status is rqe.Status.INACCURATE


def test_arrays_are_the_branchs_own_and_read_only():
    tau, eps = np.array([1.0, 2.0]), np.array([0.1, 0.2])
    branch = rqe.trace(game_of((3, 3)), tau, eps)
    tau[:], eps[:] = -1.0, -1.0
    assert branch.concept.tau.tolist() == [1.0, 2.0]
    for array in (branch.values, branch.residuals, *branch.log_strategies, *branch.strategies):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_window_in_tau_gives_the_same_branch_with_its_bifurcation_refined():
    branch = rqe.trace(FREE_RIDING, eps=0.2, parameter="tau", window=(0.0, 2.0))
    assert branch.converged
    assert branch.window == (0.0, 2.0)
    assert (branch.values[0] == 0.0).all()
    assert (branch.values[-1] == 2.0).all()
    assert branch.residual < 1e-12
    (point,) = branch.bifurcation_points
    (k,) = branch.bifurcations
    assert branch.values[k, 0] == point.value == pytest.approx(PITCHFORK, abs=1e-13)
    assert rqe.bifurcations(branch) == branch.bifurcation_points
    assert_same_profile(at(branch, -1), rqe.solve(FREE_RIDING, 2.0, 0.2).log_strategies)


@each_pair
def test_a_window_in_eps_ends_where_the_solver_does(penalty, regularizer):
    game, options = game_of((2, 3), 7), {"penalty": penalty, "regularizer": regularizer}
    branch = rqe.trace(game, [1.0, 2.0], [1.0, 0.5], window=(2.0, 0.1), **options)
    assert branch.converged
    np.testing.assert_array_equal(branch.values[0], [2.0, 1.0])
    np.testing.assert_allclose(branch.values[-1], [0.1, 0.05], rtol=1e-15)
    solution = rqe.solve(game, [1.0, 2.0], branch.values[-1], **options)
    assert_same_profile(at(branch, -1), solution.log_strategies, atol=1e-8)


@each_pair
@pytest.mark.parametrize("way", ["direction", "function", "game", "path"])
def test_a_branch_in_a_payoff_parameter(way, penalty, regularizer):
    game = game_of((2, 3), 3)
    step = np.random.default_rng(4).normal(size=game.payoffs.shape)
    parameter = {
        "direction": step,
        "function": lambda t: game.payoffs + t * step,
        "game": lambda t: rqe.NormalFormGame(game.payoffs + t * step),
        "path": rqe.PayoffPath.line(game, step, name="t"),
    }[way]
    options = {"penalty": penalty, "regularizer": regularizer}
    branch = rqe.trace(game, 1.0, 0.2, parameter=parameter, window=(-0.5, 1.0), **options)
    assert branch.converged
    assert branch.parameter == "t"
    for k in (0, len(branch) // 2, -1):
        there, concept = branch.at(k)
        t = float(branch.values[k, 0])
        np.testing.assert_allclose(there.payoffs, game.payoffs + t * step, atol=1e-15)
        assert check(there, concept, at(branch, k)).residual == branch.residuals[k] < 1e-11
    end = rqe.solve(rqe.NormalFormGame(game.payoffs + step), 1.0, 0.2, **options)
    assert_same_profile(at(branch, -1), end.log_strategies, atol=1e-8)


def test_a_fold_in_a_payoff_parameter_is_followed():
    """As the reward of the stag falls, its equilibrium meets the mixed one and turns back."""
    hunt = rqe.NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]])
    step = np.zeros_like(hunt.payoffs)
    step[:, 0, 0] = -1.0
    branch = rqe.trace(
        hunt, eps=0.15, parameter=rqe.PayoffPath.line(hunt, step, name="loss"), window=(0.0, 5.0),
        start=[[0.99, 0.01]] * 2, throw=False,
    )  # fmt: skip
    assert not branch.converged
    assert "turns back" in branch.notes[0]
    (fold,) = branch.bifurcation_points
    assert (fold.kind, fold.side, fold.parameter) == ("fold", "below", "loss")
    x, t = fold.strategies[0][0], fold.value  # eps logit(x) = (9 - t - 8 + 7) x - 7, and its slope
    assert 0.15 * math.log(x / (1.0 - x)) == pytest.approx((8.0 - t) * x - 7.0, abs=1e-12)
    assert 0.15 / (x * (1.0 - x)) == pytest.approx(8.0 - t, rel=1e-7)
    with pytest.raises(rqe.ConvergenceError):
        rqe.trace(hunt, eps=0.15, parameter=step, window=(0.0, 5.0), start=[[0.99, 0.01]] * 2)
    assert set(branch.to_frame().columns) >= {"loss", "probability"}
    assert "loss" in branch.summary()
    axes = branch.plot()
    assert axes.get_xlabel() == "loss"


def test_windows_and_starts_are_checked():
    for parameter, message in ((np.ones((2, 2, 2)), "window must be given"), ("mu", "one of")):
        with pytest.raises(ValueError, match=message):
            rqe.trace(FREE_RIDING, eps=0.2, parameter=parameter)
    with pytest.raises(ValueError, match="start needs a window"):
        rqe.trace(FREE_RIDING, eps=0.2, start=[[0.5, 0.5]] * 2)
    with pytest.raises(ValueError, match="one shape for every t"):
        rqe.trace(FREE_RIDING, eps=0.2, parameter=lambda t: game_of((3, 3)), window=(0.0, 1.0))
    with pytest.raises(ValueError, match="finite"):
        rqe.trace(
            FREE_RIDING, eps=0.2, window=(0.0, 1.0),
            parameter=lambda t: FREE_RIDING.payoffs + (math.nan if t > 0.5 else 0.0),
        )  # fmt: skip
    wrong: Any = 3
    for make in (lambda: rqe.PayoffPath(wrong), lambda: rqe.PayoffPath(abs, name="")):
        with pytest.raises(TypeError):
            make()
