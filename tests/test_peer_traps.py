"""Where other libraries fail, silently or by hanging: each failure is a test of this one.

The traps are those seen in Gambit 17.0.0b2, Nashpy 0.0.4x, QuantEcon 0.7 and the code published
with arXiv 2406.14156.
"""

import math
import time

import numpy as np
import pytest
from scipy.optimize import brentq

import rqe
from tests.reference import equilibria

# Stag hunt with payoffs 9, 0; 8, 7: at lambda = 5 three symmetric logit equilibria.
STAG_HUNT = rqe.NormalFormGame.from_bimatrix([[9, 0], [8, 7]], [[9, 8], [0, 7]])


@pytest.mark.parametrize("lam", [-1.0, -1e-9, math.nan, [1.0, -2.0]])
def test_precision_below_zero_is_an_error(lam):
    """Gambit: lambda = 1.7e308 is returned for lambda <= 0, without an error."""
    with pytest.raises(ValueError, match=r"lam must be >= 0 .* got"):
        rqe.qre(STAG_HUNT, lam)


@pytest.mark.parametrize("lam", [[5.0, 1.0, 2.0], [1.0], []])
def test_lists_are_one_value_per_player(lam):
    """Gambit: lambda = 1.7e308 is returned for an unsorted list of lambdas."""
    with pytest.raises(ValueError, match="one per player"):
        rqe.qre(STAG_HUNT, lam)
    both = rqe.qre(STAG_HUNT, [5.0, 1.0])
    np.testing.assert_allclose(both.eps, [0.2, 1.0])


def test_precision_zero_and_infinity_are_limits():
    centroid = rqe.qre(STAG_HUNT, 0.0)
    assert all((x == 0.5).all() for x in centroid.strategies)
    assert rqe.qre(STAG_HUNT, math.inf).concept.name == "Nash"


@pytest.mark.parametrize("scale", [1e-6, 1e4, 1e9])
def test_scaled_payoffs_take_no_longer_and_answer_the_same(scale):
    """Gambit: hangs on payoffs x 1e4 with lambda = 1e-4."""
    rng = np.random.default_rng(4)
    payoffs = rng.random((2, 4, 4))
    plain = rqe.qre(rqe.NormalFormGame(payoffs), 1.0)
    started = time.process_time()
    scaled = rqe.qre(rqe.NormalFormGame(payoffs * scale), 1.0 / scale)
    assert time.process_time() - started < 0.5
    for a, b in zip(plain.log_strategies, scaled.log_strategies, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def symmetric_logit_equilibria(lam):
    """Return the probabilities of stag in the symmetric QRE, by scanning a scalar equation."""

    def slope(p):
        return math.log(p / (1 - p)) - lam * (9 * p - 8 * p - 7 * (1 - p))

    grid = np.concatenate([[1e-20], np.linspace(1e-6, 1 - 1e-6, 2000)])
    values = [slope(p) for p in grid]
    return [
        brentq(slope, a, b, xtol=1e-17)
        for a, b, fa, fb in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True)
        if fa * fb < 0
    ]


def test_other_equilibria_are_owned_up_to_and_reachable():
    """Gambit: returns one of three QRE (p = 0, .947, .990) and does not say that others exist."""
    shares = symmetric_logit_equilibria(5.0)
    np.testing.assert_allclose(shares, [0.0, 0.947, 0.990], atol=5e-4)
    solution = rqe.qre(STAG_HUNT, 5.0)
    assert solution.strategies[0][0] == pytest.approx(shares[0], rel=1e-9)
    assert solution.unique is None
    assert any("others" in note or "other equilibria" in note for note in solution.notes)
    for share in shares[1:]:
        start = [[share + 1e-4, 1 - share - 1e-4]] * 2
        other = rqe.qre(STAG_HUNT, 5.0, start=start)
        assert other.converged
        for x in other.strategies:
            assert x[0] == pytest.approx(share, abs=1e-12)


def test_no_jump_to_another_branch_on_the_way_to_nash():
    """The branch of this stag hunt leads to hare at every eps, and so does its end."""
    for eps in (1.0, 0.1, 1e-2, 1e-4, 0.0):
        for tau in (0.0, 1.0):
            solution = rqe.solve(STAG_HUNT, tau, eps)
            assert solution.strategies[0][0] < 1e-3, (tau, eps)


@pytest.mark.parametrize("seed", range(6))
def test_degenerate_ten_by_ten_games_end(seed):
    """Nashpy: Lemke-Howson hangs on 10 x 10 games. Small integers make ties, zero-one worse."""
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(0, 2 + seed % 3, size=(2, 10, 10))
    started = time.process_time()
    solution = rqe.nash(rqe.NormalFormGame(payoffs), throw=False)
    assert time.process_time() - started < 5.0
    assert solution.residual <= 1e-10 or not solution.converged


@pytest.mark.parametrize("seed", range(4))
def test_generic_ten_by_ten_games_are_solved(seed):
    game = rqe.NormalFormGame(np.random.default_rng(seed).random((2, 10, 10)))
    assert rqe.nash(game).regret < 1e-9


def test_too_few_steps_are_an_error():
    """QuantEcon: a profile that is no equilibrium comes back at max_iter without a word."""
    game = rqe.NormalFormGame(np.random.default_rng(1).random((2, 5, 5)))
    hasty = rqe.PrincipalBranch(max_steps=2)
    with pytest.raises(rqe.ConvergenceError, match="max_steps") as caught:
        rqe.solve(game, 1.0, 0.001, solver=hasty)
    partial = caught.value.solution
    assert partial.residual > 1e-10
    silent = rqe.solve(game, 1.0, 0.001, solver=hasty, throw=False)
    assert not silent.converged
    assert silent.status is rqe.Status.MAX_STEPS
    assert silent.residual == pytest.approx(partial.residual)


def test_a_tolerance_out_of_reach_is_not_called_converged():
    game = rqe.NormalFormGame(np.random.default_rng(1).random((2, 5, 5)))
    solution = rqe.solve(game, 1.0, 0.1, tol=1e-18, throw=False)
    assert solution.converged == (solution.residual <= 1e-18)


def test_answers_do_not_depend_on_clipped_probabilities():
    """Published code: clips at 1e-8, which moves its fixed point by up to 1.7e-2.

    At these parameters the adversary's smaller probability is 1e-105, and the exact equilibrium is
    the one that plain root finding gives.
    """
    game = rqe.NormalFormGame([[[10, 0], [9, 10]], [[8, 18], [9, 8]]])
    tau, eps = [0.1, 100.0], [0.21, 0.555]
    solution = rqe.solve(game, tau, eps, penalty="kl", regularizer="log_barrier")
    start = np.concatenate([np.log([0.08, 0.92]), np.log([0.69, 0.31])])
    other = equilibria.equilibrium(game.payoffs, tau, eps, "kl", "log_barrier", start)
    for a, b in zip(solution.log_strategies, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    assert solution.adversaries[1].min() < 1e-100
    assert solution.residual <= 1e-10


def test_tiny_probabilities_are_kept():
    """Not clipped, rounded to 0 or lost to overflow, for lambda up to 1e6 over the range."""
    game = rqe.NormalFormGame.from_bimatrix([[3, 1], [4, 2]], [[3, 4], [1, 2]])
    for lam in (1e2, 1e4, 1e6 / 3):
        solution = rqe.qre(game, lam)
        assert solution.log_strategies[0][0] == pytest.approx(-lam, rel=1e-10)
        assert solution.residual <= 1e-10


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("penalty", "regularizer"), [("kl", "log_barrier"), ("reverse_kl", "entropy")]
)
def test_gradient_descent_precision_is_not_enough(seed, penalty, regularizer):
    """Published code: 4e-4 to 1.7e-2 off. Here the answer is exact to rounding, and says so."""
    game = rqe.NormalFormGame(np.random.default_rng(seed).random((2, 3, 3)))
    solution = rqe.solve(game, 2.0, 0.3, penalty=penalty, regularizer=regularizer)
    reference = equilibria.branch_end(game.payoffs, [2.0] * 2, [0.3] * 2, penalty, regularizer)
    for a, b in zip(solution.log_strategies, reference, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)
    assert solution.regret < 1e-15


@pytest.mark.parametrize("high", [4.5, 4.99, 5.0])
def test_a_branch_that_arrives_within_rounding_is_judged_by_its_certificate(high):
    """Player 2's adversary leans on actions of probability 2e-7: steps end at the noise there."""
    game = rqe.NormalFormGame(
        [[[1, 4, 0], [0, 1, 2]], [[0, high, 0], [0, 2, 0]]],
    )
    solution = rqe.solve(game, 2.0, 0.15, penalty="reverse_kl")
    assert solution.residual <= 1e-10
    assert solution.strategies[0][0] == pytest.approx(2 / 3, abs=1e-6)
