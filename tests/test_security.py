"""Worst cases: linear programmes and their smoothed versions, against answers found elsewhere."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import brentq, linprog, minimize

import rqe
from benchmarks.common import random_payoffs

BOTH = pytest.mark.parametrize("regularizer", ["entropy", "log_barrier"])
PENNIES = [[1, -1], [-1, 1]]
RPS = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]


def zero_sum(A):
    return rqe.NormalFormGame.from_bimatrix(A, (-np.array(A)).tolist())


def own_first(game, i):
    """Return U_i: own actions as rows, joint actions of the others as columns."""
    return np.moveaxis(game.payoffs[i], i, 0).reshape(game.shape[i], -1)


@pytest.mark.parametrize(
    ("A", "x", "y", "value"),
    [
        (PENNIES, [0.5, 0.5], [0.5, 0.5], 0.0),
        (RPS, [1 / 3] * 3, [1 / 3] * 3, 0.0),
        ([[3, -1], [-2, 1]], [3 / 7, 4 / 7], [2 / 7, 5 / 7], 1 / 7),
        ([[5]], [1.0], [1.0], 5.0),
        ([[4, 2], [3, 1]], [1.0, 0.0], [0.0, 1.0], 2.0),  # a saddle point
        ([[1, 2, 3]], [1.0], [1.0, 0.0, 0.0], 1.0),
        (np.diag([1.0, 2.0, 4.0]), [4 / 7, 2 / 7, 1 / 7], [4 / 7, 2 / 7, 1 / 7], 4 / 7),
        # O'Neill (1987): four cards, the joker wins against itself only.
        ([[-1, 1, 1, -1], [1, -1, 1, -1], [1, 1, -1, -1], [-1, -1, -1, 1]],
         [0.2, 0.2, 0.2, 0.4], [0.2, 0.2, 0.2, 0.4], -0.2),
    ],
)  # fmt: skip
def test_values_of_zero_sum_games(A, x, y, value):
    solution = rqe.security(zero_sum(A))
    np.testing.assert_allclose(solution.strategies[0], x, atol=1e-12)
    np.testing.assert_allclose(solution.strategies[1], y, atol=1e-12)
    np.testing.assert_allclose(solution.risk_adjusted, [value, -value], atol=1e-12)
    assert solution.concept.name == "security"
    for p, other in zip(solution.adversaries, (y, x), strict=True):
        np.testing.assert_allclose(p, other, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 3), (4, 7), (2, 3, 2), (2, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_values_are_the_dual_programmes(shape, seed):
    """The adversary's programme: the least t that a joint distribution holds every action to."""
    game = rqe.NormalFormGame(random_payoffs(shape, seed))
    solution = rqe.security(game)
    for i in range(len(shape)):
        U = own_first(game, i)
        n, m = U.shape
        dual = linprog(
            [*np.zeros(m), 1.0],
            A_ub=np.hstack([U, -np.ones((n, 1))]),
            b_ub=np.zeros(n),
            A_eq=[[*np.ones(m), 0.0]],
            b_eq=[1.0],
            bounds=[(0, None)] * m + [(None, None)],
        )
        assert solution.risk_adjusted[i] == pytest.approx(dual.fun, abs=1e-12)
        assert (solution.strategies[i] @ U).min() == pytest.approx(dual.fun, abs=1e-12)
        assert (U @ solution.adversaries[i].ravel()).max() == pytest.approx(dual.fun, abs=1e-10)


def test_the_others_may_be_feared_to_act_together():
    """With N players the worst case is over joint actions, worse than over independent ones."""
    u = np.zeros((3, 2, 2, 2))
    u[0, 0] = [[1, 0], [0, 1]]  # pays where the two others agree
    u[0, 1] = [[0, 1], [1, 0]]  # pays where they do not
    solution = rqe.security(rqe.NormalFormGame(u))
    assert solution.risk_adjusted[0] == pytest.approx(0.5)
    np.testing.assert_allclose(solution.strategies[0], [0.5, 0.5], atol=1e-12)
    p = solution.adversaries[0]
    assert p[0, 0] + p[1, 1] == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(("scale", "level"), [(1e-6, 0.0), (1e9, 0.0), (1.0, 1e6), (1e9, -1e12)])
@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_units_do_not_matter(scale, level, eps):
    payoffs = random_payoffs((3, 4), 1)
    plain = rqe.security(rqe.NormalFormGame(payoffs), eps)
    other = rqe.security(rqe.NormalFormGame(scale * payoffs + level), scale * eps)
    for a, b in zip(plain.strategies, other.strategies, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)
    np.testing.assert_allclose(other.risk_adjusted, scale * plain.risk_adjusted + level, rtol=1e-9)


def smoothed_by_cvxpy(U, eps, regularizer):
    """Return the maximiser of min_k (U^T x)_k - eps nu(x), to a conic solver's precision."""
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(len(U), nonneg=True)
    smooth = cp.sum(cp.entr(x) if regularizer == "entropy" else cp.log(x))
    programme = cp.Problem(cp.Maximize(cp.min(U.T @ x) + eps * smooth), [cp.sum(x) == 1])
    programme.solve(solver=cp.CLARABEL)
    return np.asarray(x.value)


@BOTH
@pytest.mark.parametrize("eps", [0.01, 0.3, 10.0])
@pytest.mark.parametrize(("shape", "seed"), [((3, 3), 0), ((2, 6), 1), ((5, 3), 2), ((2, 3, 2), 3)])
def test_smoothed_security_by_a_conic_solver(shape, seed, eps, regularizer):
    game = rqe.NormalFormGame(random_payoffs(shape, seed))
    solution = rqe.security(game, eps, regularizer=regularizer)
    assert solution.concept.name == "smoothed security"
    for i, x in enumerate(solution.strategies):
        expected = smoothed_by_cvxpy(own_first(game, i), eps, regularizer)
        np.testing.assert_allclose(x, expected, atol=2e-4)


@BOTH
@pytest.mark.parametrize("eps", [0.05, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_smoothed_security_of_two_actions_by_a_line_search(seed, eps, regularizer):
    """One number to choose: the objective is concave, and its maximum lies where the slope is 0."""
    game = rqe.NormalFormGame(random_payoffs((2, 4), seed))
    U = own_first(game, 0)
    x = rqe.security(game, eps, regularizer=regularizer).strategies[0][0]

    def objective(a):
        nu = (
            a * math.log(a) + (1 - a) * math.log1p(-a)
            if regularizer == "entropy"
            else -math.log(a) - math.log1p(-a)
        )
        return (a * U[0] + (1 - a) * U[1]).min() - eps * nu

    candidates = []
    for d in U[0] - U[1]:  # where one column binds, its slope is matched by the regularizer's

        def slope(a, d=d):
            r = math.log(a / (1 - a)) if regularizer == "entropy" else 1 / (1 - a) - 1 / a
            return eps * r - d

        candidates.append(brentq(slope, 1e-12, 1 - 1e-12, xtol=1e-15))
    for j, k in itertools.combinations(range(4), 2):  # or two bind
        gap = (U[0, j] - U[1, j]) - (U[0, k] - U[1, k])
        candidates.append((U[1, k] - U[1, j]) / gap)
    best = max((a for a in candidates if 0 < a < 1), key=objective)
    assert x == pytest.approx(best, abs=1e-9)


@BOTH
def test_a_large_eps_is_nearly_uniform_and_a_small_one_nearly_secure(regularizer):
    game = rqe.NormalFormGame(random_payoffs((4, 5), 7))
    loose = rqe.security(game, 1e4, regularizer=regularizer)
    for x in loose.strategies:
        np.testing.assert_allclose(x, 1.0 / len(x), atol=1e-4)
    nearly, exact = (rqe.security(game, e, regularizer=regularizer) for e in (1e-5, 0.0))
    np.testing.assert_allclose(nearly.risk_adjusted, exact.risk_adjusted, atol=1e-4)
    centroid = rqe.security(game, math.inf, regularizer=regularizer)
    for x in centroid.strategies:
        np.testing.assert_allclose(x, 1.0 / len(x), rtol=1e-15)


def test_rare_actions_of_smoothed_security_are_kept():
    """A dominated action against a column that always binds: log x falls as payoffs over eps."""
    game = rqe.NormalFormGame.from_bimatrix([[2, 1], [1, 0]], [[0, 0], [0, 0]])
    solution = rqe.security(game, 1e-3)
    assert solution.log_strategies[0][1] == pytest.approx(-1000.0, rel=1e-12)
    np.testing.assert_allclose(solution.strategies[1], 0.5, rtol=1e-15)


def test_a_worst_case_beside_a_risk_neutral_player():
    """The neutral player answers the fixed security strategy: a softmax of his payoffs."""
    game = rqe.NormalFormGame(random_payoffs((3, 3), 3))
    solution = rqe.solve(game, [math.inf, 0.0], [0.0, 0.2])
    x = rqe.security(game).strategies[0]
    np.testing.assert_allclose(solution.strategies[0], x, atol=1e-12)
    v = x @ game.payoffs[1]
    answer = np.exp((v - v.max()) / 0.2)
    np.testing.assert_allclose(solution.strategies[1], answer / answer.sum(), atol=1e-11)
    assert solution.concept.name == "mixed"


@BOTH
@pytest.mark.parametrize("seed", range(12))
def test_degenerate_games_are_solved_or_refused(seed, regularizer):
    """Ties, copies and zeros never give a wrong answer that is called converged."""
    rng = np.random.default_rng(seed)
    shape = [(3, 3), (5, 4), (2, 2, 2), (6, 6)][seed % 4]
    payoffs = rng.integers(0, 2 + seed % 3, (len(shape), *shape))
    payoffs[0, 1] = payoffs[0, 0]  # two copies of an action
    game = rqe.NormalFormGame(payoffs)
    values = rqe.security(game).risk_adjusted
    for eps in (0.0, 1e-4, 0.05, 1.0, 50.0):
        solution = rqe.security(game, eps, regularizer=regularizer, throw=False)
        assert solution.converged == (solution.residual <= 1e-10)
        if not solution.converged:
            with pytest.raises(rqe.ConvergenceError):
                rqe.security(game, eps, regularizer=regularizer)
            continue
        assert solution.regret <= 1e-9
        for i, x in enumerate(solution.strategies):
            worst = float((x @ own_first(game, i)).min())
            assert worst <= values[i] + 1e-12
            assert worst == pytest.approx(solution.risk_adjusted[i], abs=1e-12)
        if eps:  # the optimum is unique, so that copies of an action are played alike
            one, copy = solution.strategies[0][:2]
            assert one == pytest.approx(copy, rel=1e-6)


def test_no_profile_does_better_by_local_search():
    """SLSQP from many starts finds no larger objective (max t subject to U^T x >= t)."""
    game = rqe.NormalFormGame(random_payoffs((4, 5), 11))
    U, eps = own_first(game, 0), 0.1
    x = rqe.security(game, eps).strategies[0]
    here = float((x @ U).min() - eps * x @ np.log(x))
    rng = np.random.default_rng(0)
    for _ in range(5):
        start = np.append(rng.dirichlet(np.ones(4)), 0.0)
        found = minimize(
            lambda z: -z[4] + eps * float(z[:4] @ np.log(z[:4])),
            start,
            bounds=[(1e-9, 1.0)] * 4 + [(None, None)],
            constraints=[
                {"type": "eq", "fun": lambda z: z[:4].sum() - 1.0},
                {"type": "ineq", "fun": lambda z: z[:4] @ U - z[4]},
            ],
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert -found.fun <= here + 1e-9


def test_uniqueness_is_not_claimed_without_a_theorem():
    assert rqe.security(zero_sum(RPS)).unique is None


@pytest.mark.parametrize("tau", [1e3, 1e5, 1e6])
def test_a_very_risk_averse_player_ignores_what_a_security_strategy_never_plays(tau):
    """The KL adversary cannot play an action of probability 0, however strong his tilt."""
    for seed in range(12):
        payoffs = np.random.default_rng(seed).integers(0, 6, (2, 3, 3)) / 6.0
        game = rqe.NormalFormGame(payoffs)
        found = rqe.solve(game, [np.inf, tau], [0.0, 0.1])
        assert found.converged
        played = found.strategies[0] > 0.0
        seen = rqe.NormalFormGame(payoffs[:, played])
        profile = [found.strategies[0][played], found.strategies[1]]
        response = rqe.best_response(seen, profile, 1, [0.0, tau], [0.0, 0.1])
        assert response.strategy == pytest.approx(found.strategies[1], abs=1e-8)
