"""Derivatives of equilibria against finite differences, closed forms and identities."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe.concepts import PENALTIES, REGULARIZERS
from rqe.sensitivity import NearBifurcationError

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
SHAPES = [(2, 2), (3, 4), (2, 3, 2)]
H = 1e-5


def stacked(solution):
    return np.concatenate([*solution.strategies, solution.payoffs, solution.risk_adjusted])


def column(block, *index):
    own = [array[(slice(None), *index)] for array in block.strategies]
    rest = [array[(slice(None), *index)] for array in (block.payoffs, block.risk_adjusted)]
    return np.concatenate([*own, *rest])


@given(
    seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(SHAPES), pair=st.sampled_from(PAIRS),
    tau=st.sampled_from([0.0, 0.1, 2.0, 8.0]),
)  # fmt: skip
def test_derivatives_agree_with_finite_differences(seed, shape, pair, tau):
    rng = np.random.default_rng(seed)
    n_players = len(shape)
    payoffs = 1.0 + 2.0 * rng.random((n_players, *shape))
    taus, eps = tau * rng.uniform(0.5, 1.5, n_players), rng.uniform(0.4, 1.2, n_players)

    def at(u, t, e):
        game = rqe.NormalFormGame(u)
        return rqe.solve(game, t, e, penalty=pair[0], regularizer=pair[1], tol=1e-11)

    moves = rqe.sensitivity(at(payoffs, taus, eps))
    if moves.margin < 0.05:
        return  # close to a fold: finite differences are worth little there

    def difference(du, dt, de, one_sided=False):
        if one_sided:
            here, one, two = (stacked(at(payoffs, taus + k * dt, eps)) for k in range(3))
            return (4.0 * one - two - 3.0 * here) / (2.0 * H)
        up, down = (at(payoffs + s * du, taus + s * dt, eps + s * de) for s in (1, -1))
        return (stacked(up) - stacked(down)) / (2.0 * H)

    for j in range(n_players):
        step = H * np.eye(n_players)[j]
        expected = difference(0, step, 0, one_sided=tau == 0.0)
        np.testing.assert_allclose(column(moves.tau, j), expected, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(
            column(moves.eps, j), difference(0, 0, step), rtol=1e-4, atol=1e-7
        )
    index = tuple(rng.integers(0, size) for size in payoffs.shape)
    step = np.zeros_like(payoffs)
    step[index] = H
    np.testing.assert_allclose(
        column(moves.payoffs, *index), difference(step, 0, 0), rtol=1e-4, atol=1e-7
    )


@pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
def test_the_identity_of_scale_and_level_holds_for_derivatives(penalty, regularizer):
    # (u, tau, eps) -> (s u + b, tau / s, s eps) moves no strategy: differentiate at s = 1, b = 0.
    rng = np.random.default_rng(1)
    game = rqe.NormalFormGame(rng.random((3, 2, 3, 2)))
    options = {"penalty": penalty, "regularizer": regularizer}
    found = rqe.sensitivity(rqe.solve(game, [0.5, 1.0, 3.0], [0.3, 0.5, 0.4], **options))
    for i in range(3):
        by_scale = (
            np.tensordot(found.payoffs.strategies[i], game.payoffs, 4)
            - found.tau.strategies[i] @ found.solution.tau
            + found.eps.strategies[i] @ found.solution.eps
        )
        np.testing.assert_allclose(by_scale, 0.0, atol=1e-12)
        by_level = found.payoffs.strategies[i].sum(axis=(2, 3, 4))
        np.testing.assert_allclose(by_level, 0.0, atol=1e-12)
        assert abs(found.eps.strategies[i].sum(axis=0)).max() < 1e-13


def test_a_dominance_solvable_game_has_a_closed_form():
    # Defecting gains 1 whatever the other does: P(cooperate) = 1 / (1 + exp(1 / eps)).
    game, eps = rqe.catalog.load("prisoners-dilemma/additive"), 0.7
    found = rqe.sensitivity(rqe.solve(game, 0.0, eps))
    x = 1.0 / (1.0 + math.exp(1.0 / eps))
    assert found.eps.strategies[0][0] == pytest.approx([x * (1.0 - x) / eps**2, 0.0], abs=1e-12)


def test_tau_lowers_the_risk_adjusted_payoff_at_fixed_play_and_limits_exist():
    game = rqe.catalog.load("matching-pennies")  # play stays at one half, whatever tau
    for tau in (0.0, 1e-9, 1e-3, 0.4, 0.6, 5.0, 300.0):
        for penalty in PENALTIES:
            found = rqe.sensitivity(rqe.solve(game, tau, 0.5, penalty=penalty))
            # U = -log cosh(tau x) / tau with x the spread of g, which is 0 at one half
            assert found.tau.risk_adjusted == pytest.approx(np.zeros((2, 2)), abs=1e-9)
    flat = rqe.NormalFormGame.from_bimatrix([[1.0, -1.0]], [[0.0, 0.0]])
    for tau, tol in ((0.0, 1e-14), (1e-8, 1e-8), (0.3, 1e-12), (3.0, 1e-12)):
        found = rqe.sensitivity(rqe.solve(flat, tau, 1.0))
        exact = -0.5  # of -log(cosh tau) / tau at 0
        if tau > 1e-6:
            exact = math.log(math.cosh(tau)) / tau**2 - math.tanh(tau) / tau
        assert found.tau.risk_adjusted[0, 0] == pytest.approx(exact, abs=tol)


def test_infinite_eps_is_smooth_and_its_derivatives_vanish():
    game = rqe.catalog.load("selten-chmura/1")
    found = rqe.sensitivity(rqe.solve(game, 1.0, math.inf))
    for block in (found.tau, found.eps, found.payoffs):
        assert max(abs(x).max() for x in block.strategies) == 0.0
    assert found.margin == 1.0


def test_a_bifurcation_is_an_error_that_says_so():
    # Example 4.2: pitchfork at tau* = 0.8287886937257862 with eps = 0.2.
    game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    at = rqe.solve(game, 0.8287886937257862, 0.2)
    with pytest.raises(NearBifurcationError, match="bifurcation or a fold"):
        rqe.sensitivity(at)
    near = rqe.sensitivity(rqe.solve(game, 0.84, 0.2))
    assert 0.0 < near.margin < 0.1
    error = NearBifurcationError(1e-9)
    assert pickle.loads(pickle.dumps(error)).margin == 1e-9


def test_what_is_not_smooth_is_refused():
    game = rqe.catalog.load("selten-chmura/1")
    with pytest.raises(ValueError, match=r"eps > 0.*got eps = \[0.0, 0.0\]"):
        rqe.sensitivity(rqe.solve(game))
    with pytest.raises(ValueError, match="finite tau"):
        rqe.sensitivity(rqe.security(game, 0.5))
    with pytest.raises(TypeError, match=r"must be an rqe\.Solution"):
        rqe.sensitivity(game)  # type: ignore[arg-type]
    failed = rqe.solve(game, 0, 1e-3, solver=rqe.PrincipalBranch(max_steps=1), throw=False)
    with pytest.raises(ValueError, match="must have converged"):
        rqe.sensitivity(failed)


def test_arrays_are_read_only_and_the_frame_is_tidy():
    found = rqe.sensitivity(rqe.solve(rqe.catalog.load("selten-chmura/1"), 0.1, 1.0))
    with pytest.raises(ValueError, match="read-only"):
        found.tau.strategies[0][0, 0] = 1.0
    frame = found.to_frame()
    assert list(frame.columns) == ["parameter", "of", "player", "quantity", "derivative"]
    assert len(frame) == 2 * 2 * 2 * 4
    assert "RQE" in repr(found)
