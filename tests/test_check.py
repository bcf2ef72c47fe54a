"""The certificate against the definitions at 60 digits, closed forms and other solvers."""

import ast
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import rqe
from rqe.check import Check, check
from rqe.concepts import PENALTIES, REGULARIZERS, Concept
from tests.reference import best_response, equilibria, formulas

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
INF = math.inf
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)


def random_game(rng, shape, scale=1.0, level=0.0):
    return rqe.NormalFormGame(level + scale * rng.random((len(shape), *shape)))


def random_logs(rng, shape, spread=1.0):
    return tuple(equilibria.log_softmax(spread * rng.normal(size=n)) for n in shape)


def compare(game, logs, tau, eps, penalty, regularizer, accuracy=2e-15):
    """Assert that the certificate is what the definitions give at 60 digits."""
    concept = Concept.of(game, tau, eps, penalty, regularizer)
    found = check(game, concept, logs)
    profile = formulas.strategies_of(logs)
    rows = formulas.judge(game.payoffs, concept.tau, concept.eps, penalty, regularizer, profile)
    width = game.payoff_range
    scale = np.maximum(width, 1e-4 * concept.eps)
    residual = max(float(row.violation / s) for row, s in zip(rows, scale, strict=True))
    assert found.residual == pytest.approx(residual, rel=20 * accuracy, abs=20 * accuracy)
    regret = max(float(row.regret) for row in rows)
    assert found.regret == pytest.approx(regret, rel=20 * accuracy, abs=accuracy * width.max())
    level = 2e-16 * np.abs(game.payoffs).max()
    for i, row in enumerate(rows):
        assert abs(float(found.payoffs[i] - row.expected)) <= accuracy * width[i] + level
        assert abs(float(found.risk_adjusted[i] - row.adjusted)) <= accuracy * width[i] + level
        p = np.array([float(a) for a in row.p])
        np.testing.assert_allclose(found.adversaries[i].ravel(), p, rtol=0, atol=10 * accuracy)


@each_pair
@pytest.mark.parametrize("tau", [0.0, 1e-300, 1e-9, 1e-3, 1.0, 30.0, 1e4, 1e6])
def test_equals_the_definitions_for_any_risk_aversion(penalty, regularizer, tau):
    rng = np.random.default_rng(int(1000 * math.log1p(tau)))
    if tau == 1e-300:  # beyond the 60 digits of the reference, but the same as 0
        game, logs = random_game(rng, (2, 3)), random_logs(rng, (2, 3))
        tiny, zero = (check(game, Concept.of(game, t, 1.0, penalty), logs) for t in (tau, 0.0))
        assert tiny.residual == pytest.approx(zero.residual, rel=1e-14)
        np.testing.assert_allclose(tiny.risk_adjusted, zero.risk_adjusted, rtol=1e-14)
        return
    for shape in ((3, 4), (2, 3, 2)):
        game, logs = random_game(rng, shape), random_logs(rng, shape)
        # Errors of q are amplified by tau at most.
        compare(game, logs, tau, 0.3, penalty, regularizer, accuracy=2e-15 + 2e-16 * tau)


@each_pair
@pytest.mark.parametrize("eps", [1e-9, 1e-3, 1.0, 1e3, 1e9])
def test_equals_the_definitions_for_any_rationality(penalty, regularizer, eps):
    rng = np.random.default_rng(7)
    game, logs = random_game(rng, (3, 3)), random_logs(rng, (3, 3))
    compare(game, logs, [2.0, 0.0], eps, penalty, regularizer)
    game, logs = random_game(rng, (2, 2, 2, 2)), random_logs(rng, (2, 2, 2, 2))
    compare(game, logs, [2.0, 0.0, 1e-9, 50.0], [eps, 1.0, 0.1, 5.0], penalty, regularizer, 1e-14)


@each_pair
@pytest.mark.parametrize("spread", [10.0, 100.0, 1000.0])
def test_probabilities_far_below_the_smallest_float_count(penalty, regularizer, spread):
    """Reverse KL sends the adversary to payoffs that others give with probability e^-1000."""
    rng = np.random.default_rng(int(spread))
    for tau in (1e-9, 2.0, 100.0):
        game, logs = random_game(rng, (3, 3)), random_logs(rng, (3, 3), spread)
        if regularizer == "entropy" or spread <= 100.0:  # else 1/x is no float
            compare(game, logs, tau, 0.3, penalty, regularizer, accuracy=2e-14)
    far = check(
        game, Concept.of(game, 2.0, 0.3, penalty, regularizer), random_logs(rng, (3, 3), 1e6)
    )
    assert far.residual > 1.0
    assert 0.0 < far.regret < INF


@each_pair
@pytest.mark.parametrize(("scale", "level"), [(1.0, 1e6), (1e9, 0.0), (1e-6, 0.0), (1e9, -1e15)])
def test_level_and_scale_of_payoffs_cost_no_digits(penalty, regularizer, scale, level):
    rng = np.random.default_rng(3)
    for shape in ((3, 3), (2, 3, 2)):
        for tau, eps in ((2.0, 0.3), (1e3, 1e-3), (0.0, 0.1), (1e-9, 0.1)):
            game, logs = random_game(rng, shape, scale, level), random_logs(rng, shape)
            compare(game, logs, tau / scale, eps * scale, penalty, regularizer, 3e-15 + 2e-16 * tau)


@each_pair
def test_no_warning_and_no_nan_at_any_corner(penalty, regularizer):
    """Warnings are errors here: nothing may overflow, and wrong profiles must look wrong."""
    pennies = rqe.NormalFormGame.from_bimatrix([[1, -1], [-1, 1]], [[-1, 1], [1, -1]])
    half = (np.log([0.5, 0.5]), np.log([0.5, 0.5]))
    wrong = [
        (np.array([0.0, -INF]), np.array([-INF, 0.0])),
        (np.array([0.0, -1e6]), np.array([-1e6, 0.0])),
        (np.array([0.0, -800.0]), np.log([0.9, 0.1])),
        (np.log([0.3, 0.7]), np.log([0.9, 0.1])),
    ]
    for tau in (0.0, 1e-320, 1e-9, 1.0, 1e6, 1e300, INF):
        for eps in (0.0, 1e-300, 1e-9, 1.0, 1e9, 1e60, INF):
            concept = Concept.of(pennies, tau, eps, penalty, regularizer)
            right = check(pennies, concept, half)
            assert right.residual <= 1e-15
            assert right.regret <= 1e-15
            for profile in wrong:
                found = check(pennies, concept, profile)
                assert found.residual > 0.0
                assert found.regret > 0.0
                assert all(p.sum() == pytest.approx(1.0) for p in found.adversaries)


@each_pair
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 2)])
def test_residual_and_regret_vanish_at_equilibria_only(penalty, regularizer, shape):
    rng = np.random.default_rng(5)
    game = random_game(rng, shape)
    n = len(shape)
    tau, eps = [2.0] * (n - 1) + [0.0], [0.2, 0.3, 0.4][:n]
    logs = equilibria.branch_end(game.payoffs, tau, eps, penalty, regularizer)
    concept = Concept.of(game, tau, eps, penalty, regularizer)
    exact = check(game, concept, logs)
    assert exact.residual < 1e-12
    assert exact.regret < 1e-24  # quadratic in the residual
    for size in (1e-6, 1e-3, 1e-1):
        moved = tuple(equilibria.log_softmax(a + size * rng.normal(size=len(a))) for a in logs)
        found = check(game, concept, moved)
        assert found.residual > 0.01 * size
        assert 1e-3 * size**2 < found.regret < 10.0 * size**2


def other_improvements(tool, game, logs, tau, eps, penalty, regularizer):
    strategies = [np.exp(a) for a in logs]
    return max(
        tool(game.payoffs, strategies, i, tau[i], eps[i], penalty, regularizer)
        for i in range(game.n_players)
    )


@each_pair
@pytest.mark.parametrize("seed", range(3))
def test_regret_bounds_what_scipy_gains(penalty, regularizer, seed):
    rng = np.random.default_rng(seed)
    game, logs = random_game(rng, (2, 3, 2)), random_logs(rng, (2, 3, 2))
    tau, eps = [0.0, 3.0, 30.0], [0.5, 0.1, 0.02]
    found = check(game, Concept.of(game, tau, eps, penalty, regularizer), logs)
    gain = other_improvements(best_response.improvement, game, logs, tau, eps, penalty, regularizer)
    assert gain <= found.regret + 1e-12
    neutral = check(game, Concept.of(game, 0.0, eps, penalty, regularizer), logs)
    gain = other_improvements(
        best_response.improvement, game, logs, [0.0] * 3, eps, penalty, regularizer
    )
    assert gain == pytest.approx(neutral.regret, rel=1e-6)  # exact where nobody is risk averse


@each_pair
@pytest.mark.parametrize("tau", [0.0, 2.0, 40.0, INF])
@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_regret_bounds_what_a_conic_solver_gains(penalty, regularizer, tau, eps):
    pytest.importorskip("cvxpy")
    rng = np.random.default_rng(11)
    game, logs = random_game(rng, (3, 4)), random_logs(rng, (3, 4))
    found = check(game, Concept.of(game, tau, eps, penalty, regularizer), logs)
    gain = other_improvements(
        best_response.improvement_by_cvxpy,
        game, logs, [tau] * 2, [eps] * 2, penalty, regularizer,
    )  # fmt: skip
    assert -1e-7 < gain <= found.regret + 1e-7


@each_pair
def test_worst_case_at_the_answer_of_a_conic_solver(penalty, regularizer):
    """The certificate finds a least favourable adversary by itself; any witness is a bound."""
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(2)
    game = random_game(rng, (3, 4))
    eps, logs = 0.15, []
    for i in range(2):
        U = np.moveaxis(game.payoffs[i], i, 0)
        x = cp.Variable(len(U), nonneg=True)
        bonus = cp.sum(cp.entr(x) if regularizer == "entropy" else cp.log(x))
        cp.Problem(cp.Maximize(cp.min(U.T @ x) + eps * bonus), [cp.sum(x) == 1]).solve(
            solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
        )
        logs.append(np.log(x.value / x.value.sum()))
    concept = Concept.of(game, INF, eps, penalty, regularizer)
    found = check(game, concept, logs)
    assert found.regret < 1e-7
    assert found.residual < 1e-4
    worse = check(game, concept, logs, {0: np.full(4, 0.25), 1: np.full(3, 1 / 3)})
    assert worse.regret > found.regret
    again = check(game, concept, logs, dict(enumerate(found.adversaries)))
    assert again.residual == pytest.approx(found.residual, abs=1e-12)


@pytest.mark.parametrize("witness", [np.zeros(2), np.full(2, math.nan), np.array([INF, 0.0])])
def test_a_witness_that_is_no_distribution_is_not_believed(witness):
    game = rqe.NormalFormGame.from_bimatrix([[3, -1], [-2, 1]], [[-3, 1], [2, -1]])
    even = (np.log([0.5, 0.5]), np.log([0.5, 0.5]))
    concept = Concept.of(game, INF, 0.0)
    found = check(game, concept, even, {0: witness, 1: witness})
    assert found.regret == pytest.approx(check(game, concept, even).regret)
    with pytest.raises(ValueError, match=r"2 here; got shape \(3,\)"):
        check(game, concept, even, {0: np.ones(3)})


def test_security_strategies_of_a_zero_sum_game():
    game = rqe.NormalFormGame.from_bimatrix([[3, -1], [-2, 1]], [[-3, 1], [2, -1]])
    logs = (np.log([3 / 7, 4 / 7]), np.log([2 / 7, 5 / 7]))
    found = check(game, Concept.of(game, INF, 0.0), logs)
    assert found.residual < 1e-15
    assert found.regret < 1e-15
    np.testing.assert_allclose(found.risk_adjusted, [1 / 7, -1 / 7], atol=1e-15)
    np.testing.assert_allclose(found.adversaries[0], [2 / 7, 5 / 7], atol=1e-15)
    timid = check(game, Concept.of(game, INF, 0.0), (np.log([0.5, 0.5]), logs[1]))
    assert timid.regret == pytest.approx(1 / 7)


def test_nash_equilibria_may_leave_actions_out():
    game = rqe.NormalFormGame.from_bimatrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])
    defect, cooperate = np.array([-INF, 0.0]), np.array([0.0, -INF])
    for tau in (0.0, 1.0, 1e6, INF):
        concept = Concept.of(game, tau, 0.0)
        assert check(game, concept, (defect, defect)).residual == 0.0
        assert check(game, concept, (defect, defect)).regret == 0.0
        assert check(game, concept, (cooperate, cooperate)).regret >= 1.0
    smooth = check(game, Concept.of(game, 1.0, 0.5), (defect, defect))
    assert smooth.residual > 1.0


def test_infinite_eps_asks_for_the_centroid():
    game = random_game(np.random.default_rng(0), (2, 3))
    centroid = tuple(np.log(np.full(n, 1 / n)) for n in (2, 3))
    concept = Concept.of(game, 1.0, INF)
    assert check(game, concept, centroid).residual < 1e-15
    assert check(game, concept, centroid).regret == 0.0
    off = check(game, concept, (np.log([0.4, 0.6]), centroid[1]))
    assert off.residual == pytest.approx(0.1)
    assert off.regret == INF


def test_what_is_not_a_profile_has_no_certificate():
    game = random_game(np.random.default_rng(0), (2, 2))
    concept, half = Concept.of(game, 1.0, 1.0), np.log([0.5, 0.5])
    for tau in (0.0, 1.0, INF):
        for bad in (np.array([math.nan, 0.0]), np.log([0.5, 0.501]), np.array([0.0, 800.0])):
            found = check(game, Concept.of(game, tau, 1.0), (half, bad))
            assert found.residual == INF
            assert found.regret == INF
            assert np.isnan(found.payoffs).all()
    slightly = check(game, Concept.of(game, 0.0, INF), (half, np.log([0.5, 0.5 + 1e-8])))
    assert slightly.residual >= 0.9e-8
    with pytest.raises(ValueError, match=r"lengths \(2, 2\); got lengths \(2, 3\)"):
        check(game, concept, (half, np.log([0.2, 0.3, 0.5])))


def test_players_who_are_always_indifferent():
    game = rqe.NormalFormGame(np.ones((2, 2, 3)))
    centroid = tuple(np.log(np.full(n, 1 / n)) for n in (2, 3))
    for tau in (0.0, 1.0, INF):
        for eps in (0.0, 1.0):
            found = check(game, Concept.of(game, tau, eps), centroid)
            assert found.residual < 1e-15
            np.testing.assert_allclose(found.risk_adjusted, 1.0, rtol=1e-15)


@pytest.mark.parametrize("tau", [0.0, 1.0, INF, [0.0, 2.0, INF]])
def test_adversaries_are_joint_distributions_of_the_others(tau):
    rng = np.random.default_rng(1)
    game, logs = random_game(rng, (2, 3, 4)), random_logs(rng, (2, 3, 4))
    found = check(game, Concept.of(game, tau, 0.2), logs)
    assert [p.shape for p in found.adversaries] == [(3, 4), (2, 4), (2, 3)]
    assert found.adversaries is found.adversaries
    for p in (*found.adversaries, found.payoffs, found.risk_adjusted):
        assert not p.flags.writeable
    for p in found.adversaries:
        assert p.sum() == pytest.approx(1.0)
    assert all(a.flags.writeable for a in logs)
    if tau == 0.0:
        x = [np.exp(a) for a in logs]
        np.testing.assert_allclose(found.adversaries[1], np.multiply.outer(x[0], x[2]), atol=1e-16)


def test_adversaries_may_be_given():
    given = (np.array([1.0]), np.array([0.5, 0.5]))
    made = Check(0.0, 0.0, np.zeros(2), np.zeros(2), given)
    assert made.adversaries is given
    assert "residual=0.0" in repr(made)


def test_memory_stays_below_a_copy_of_the_payoffs():
    shape = (3,) * 10
    game = random_game(np.random.default_rng(0), shape)
    logs = random_logs(np.random.default_rng(1), shape)
    game.payoff_range  # noqa: B018 - computed once per game
    for tau in (0.0, 1.0):
        concept = Concept.of(game, tau, 0.5)
        check(game, concept, logs)
        tracemalloc.start()
        check(game, concept, logs)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.75 * game.payoffs.nbytes


CERTIFICATE = {"check", "_adversary", "_rows", "_residuals"}


@pytest.mark.parametrize("name", sorted(CERTIFICATE))
def test_shares_nothing_with_the_solvers(name):
    path = Path(rqe.__file__).parent / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:  # what only type checkers import is one level deeper
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rqe"):
            module = node.module or ""
            names = {a.name for a in node.names} if module == "rqe" else {module[4:]}
            assert names <= CERTIFICATE
        if isinstance(node, ast.Import):
            assert not any("numba" in a.name or "rqe" in a.name for a in node.names)
