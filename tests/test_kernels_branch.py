"""The kernels that follow branches: tangents, corrections, ends; dense and without a matrix."""

import math

import numpy as np
import pytest

import rqe
from benchmarks.common import random_payoffs
from rqe._kernels import branch, corrector, curve, system
from rqe.concepts import PENALTIES, REGULARIZERS
from tests import kernel_cases as cases
from tests.kernel_cases import assert_equals_its_python, payoffs_of, problem_of
from tests.reference import equilibria

NAMES = [(p, r) for p in PENALTIES for r in REGULARIZERS]
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), NAMES)
MATRIX_FREE = rqe.PrincipalBranch(dense_limit=1)
FOLDED = rqe.NormalFormGame(random_payoffs((3, 3, 3), 11, "coordination"))


def arguments(payoffs, tau, end, *, penalty="kl", regularizer="entropy", start=None, begin=0.0,
              over_tau=False, slope=1.0, limit=64, record=True, most=5000):  # fmt: skip
    """Return the arguments of `follow` for players alike, all payoffs in [0, 1]."""
    shape, none = payoffs.shape[1:], np.zeros(len(payoffs))
    u = np.concatenate([np.moveaxis(table, i, 0).ravel() for i, table in enumerate(payoffs)])
    centroid = np.concatenate([np.full(n, -math.log(n)) for n in shape])
    return (
        u, np.array(shape, np.int64), none + slope, none.copy(), none + tau, over_tau, none > 0.0,
        penalty == "reverse_kl", regularizer == "log_barrier",
        centroid if start is None else start, begin, end, 1e-12, most, record, limit, 0.05,
    )  # fmt: skip


def point(payoffs, tau, lam, penalty, regularizer):
    """Return the equilibrium by the reference, players in a row."""
    taus, epss = [tau] * len(payoffs), [1.0 / lam] * len(payoffs)
    return np.concatenate(equilibria.branch_end(payoffs, taus, epss, penalty, regularizer))


@each_pair
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2)], ids=str)
def test_the_end_of_the_branch_is_the_references(shape, penalty, regularizer):
    payoffs = payoffs_of(shape, 3)
    options = {"penalty": penalty, "regularizer": regularizer}
    status, log_x, T, stats, points, events = branch.follow(
        *arguments(payoffs, 1.5, 4.0, **options)
    )
    assert status == branch.CONVERGED
    assert T == 4.0
    np.testing.assert_allclose(log_x, point(payoffs, 1.5, 4.0, penalty, regularizer), atol=1e-10)
    np.testing.assert_allclose(points[-1], np.append(log_x, T), atol=1e-13)
    assert len(points) == stats[corrector.STEPS] + 1
    assert len(events) == 0
    for row in points:
        problem = problem_of(
            payoffs, 1.0, 1.5, reverse=penalty == "reverse_kl", barrier=regularizer != "entropy"
        )
        assert cases.evaluated(problem, row[:-1], row[-1])[1] < 1e-11


@each_pair
def test_following_tau_leads_where_following_precision_does(penalty, regularizer):
    payoffs = payoffs_of((3, 3), 3)
    options = {"penalty": penalty, "regularizer": regularizer}
    neutral = branch.follow(*arguments(payoffs, 0.0, 4.0, **options))[1]
    moved = branch.follow(
        *arguments(payoffs, 1.0, 1.5, start=neutral, over_tau=True, slope=4.0, **options)
    )
    assert moved[0] == branch.CONVERGED
    np.testing.assert_allclose(moved[1], point(payoffs, 1.5, 4.0, penalty, regularizer), atol=1e-10)


@each_pair
@pytest.mark.parametrize("limit", [64, 1])
def test_following_equals_its_python(penalty, regularizer, limit):
    payoffs = payoffs_of((2, 3), 1)
    options = {"penalty": penalty, "regularizer": regularizer, "limit": limit}
    assert_equals_its_python(
        branch.follow, *arguments(payoffs, 1.0, 5.0, **options), rtol=1e-9, atol=1e-9
    )
    assert_equals_its_python(
        branch.follow, *arguments(payoffs, 1.0, np.inf, most=12, **options), rtol=1e-6, atol=1e-6
    )


def located(payoffs, start, *, T=4.0, most=50):
    """Return the arguments of `locate`."""
    u, shape, slope, delay, tau, _, frozen, reverse, barrier, *_ = arguments(payoffs, 1.5, T)
    return u, shape, slope, delay, tau, frozen, reverse, barrier, start, T, most, 0.5, 64


def test_newtons_method_counts_its_steps_and_keeps_its_start():
    payoffs = payoffs_of((3, 3), 3)
    exact = point(payoffs, 1.5, 4.0, "kl", "entropy")
    start = exact + 0.2 * cases.tangent(payoffs, exact, 0)
    kept = start.copy()
    done, log_x, steps = branch.locate(*located(payoffs, start))
    assert done
    assert 2 <= steps <= 8
    np.testing.assert_allclose(log_x, exact, atol=1e-11)
    np.testing.assert_array_equal(start, kept)
    done, _, steps = branch.locate(*located(payoffs, start, most=1))
    assert not done
    assert steps == 1
    assert_equals_its_python(branch.locate, *located(payoffs, start), atol=1e-11)


@pytest.mark.parametrize("limit", [64, 1])
@each_pair
def test_the_tangent_is_the_direction_of_the_branch(penalty, regularizer, limit):
    """Unit length in Fisher's metric, rising in T, and along differences of the branch."""
    payoffs, T, h = payoffs_of((2, 3), 1), 3.0, 1e-3
    options = {"penalty": penalty, "regularizer": regularizer}
    before, log_x, after = (
        branch.follow(*arguments(payoffs, 1.0, T + s * h, **options))[1] for s in (-1, 0, 1)
    )
    problem = problem_of(
        payoffs, 1.0, 1.0, reverse=penalty == "reverse_kl", barrier=regularizer != "entropy"
    )
    state, solver = system.new_state(problem, log_x), corrector.new_solver(5, limit)
    tangent = curve.start_curve(problem, state, solver, T)[0].tangent
    assert corrector.length(state, T, tangent) == pytest.approx(1.0, abs=1e-12)
    assert tangent[-1] > 0.0
    slope = (after - before) / (2.0 * h)
    np.testing.assert_allclose(tangent[:-1] / tangent[-1], slope, atol=1e-6)


def bordered(shape, tau, limit, T=3.0):
    """Return problem, state, solver with a system to solve, and the profile."""
    payoffs, log_x, n = payoffs_of(shape, 1), cases.profile_of(shape, 1), sum(shape)
    problem = problem_of(payoffs, 1.0, tau)
    state, _ = cases.evaluated(problem, log_x, T)
    solver = corrector.new_solver(n, limit)
    system.parameter_slope(problem, state, solver.column[:n])
    solver.border[:n] = np.exp(log_x) * cases.tangent(payoffs, log_x, 1)
    solver.border[n] = 0.6
    solver.rhs[:n], solver.rhs[n] = cases.tangent(payoffs, log_x, 2), -0.3
    return problem, state, solver, log_x


def defects(problem, state, solver, step, rhs):
    """Return by how much J dlog_x - column dT = rhs and <border, (dlog_x, dT)> = rhs fail."""
    n = step.size - 1
    out = np.empty(n)
    system.apply_jacobian(problem, state, step[:n], out)
    return np.append(out - solver.column[:n] * step[n], solver.border @ step) - rhs


SYSTEMS = [((2, 3, 2), 1.0), ((2, 3, 2), 0.0), ((2, 5), 0.0), ((5, 2), 0.0), ((4, 4), 0.0),
           ((3, 4), 2.0), ((30, 70), 0.0), ((60, 50), 0.0), ((30, 30), 1.0)]  # fmt: skip


@pytest.mark.parametrize("limit", [64, 1])
@pytest.mark.parametrize(("shape", "tau"), SYSTEMS, ids=str)
def test_the_bordered_system_is_solved(shape, tau, limit):
    """The sign is that of the bordered determinant, however the matrix was eliminated."""
    problem, state, solver, _ = bordered(shape, tau, limit)
    n, rhs = sum(shape), solver.rhs.copy()
    step = np.empty(n + 1)
    sign, act = corrector.solve_bordered(problem, state, solver, step, 1e-12)
    assert (sign != 0.0) == (limit == 64)  # the determinant is not computed without a matrix
    assert len(act) == n
    np.testing.assert_allclose(defects(problem, state, solver, step, rhs), 0.0, atol=1e-9)
    if limit == 64:
        matrix = np.array([defects(problem, state, solver, e, 0.0) for e in np.eye(n + 1)]).T
        assert sign == np.linalg.slogdet(matrix)[0]


@pytest.mark.parametrize(("shape", "tau"), SYSTEMS, ids=str)
def test_old_factors_serve_again(shape, tau):
    """Refined with the operator, a solution found with factors from near by is one from here."""
    problem, state, solver, log_x = bordered(shape, tau, 64)
    n = sum(shape)
    step, rhs = np.empty(n + 1), solver.rhs.copy()
    _, act = corrector.solve_bordered(problem, state, solver, step, 1e-12)
    rng = np.random.default_rng(0)
    state.vec[system.LOG_X] = log_x + 0.02 * rng.standard_normal(n)
    system.evaluate(problem, state, 3.1)
    system.parameter_slope(problem, state, solver.column[:n])
    corrector.resolve(solver, act, step)
    assert np.abs(defects(problem, state, solver, step, rhs)).max() > 1e-6
    assert not corrector.refine(problem, state, solver, act, step.copy(), 1, 1e-12)
    solver.rhs[:] = rhs
    assert_equals_its_python(
        corrector.refine, problem, state, solver, act, step, 30, 1e-12, atol=1e-9
    )
    assert corrector.refine(problem, state, solver, act, step, 30, 1e-12)
    np.testing.assert_allclose(defects(problem, state, solver, step, rhs), 0.0, atol=1e-9)


def moved(shape, tau, T, far):
    """Return a factored system at a profile ``far`` from the base of a curve, and the curve."""
    problem, state, solver, log_x = bordered(shape, tau, 64, T)
    path, _ = curve.start_curve(problem, state, solver, T)
    state.vec[system.LOG_X] = log_x + far * cases.tangent(payoffs_of(shape, 1), log_x, 5)
    system.evaluate(problem, state, T + far)
    system.parameter_slope(problem, state, solver.column[: log_x.size])
    curve.set_border(solver, path, False)
    _, act = corrector.solve_bordered(problem, state, solver, path.trial, 1e-12)
    return problem, state, solver, path, act


def matrix_of(problem, state, solver):
    """Return the bordered Jacobian, a column at a time."""
    n = solver.border.size
    return np.array([defects(problem, state, solver, e, 0.0) for e in np.eye(n)]).T


@pytest.mark.parametrize("far", [1e-3, 0.5])
@pytest.mark.parametrize(
    ("shape", "tau"), [((2, 3, 2), 1.0), ((2, 5), 0.0), ((4, 4), 0.0), ((9, 12), 2.0)], ids=str
)
def test_the_change_of_the_jacobian_is_that_of_the_matrices(shape, tau, far):
    T = 3.0
    problem, state, solver, path, act = moved(shape, tau, T, far)
    x, n = np.exp(state.vec[system.LOG_X]), sum(shape)
    after, before = matrix_of(problem, state, solver), bordered(shape, tau, 64, T)[:2]
    scales = np.append(np.sqrt(x), 1.0 / (1.0 + T + far))
    shares = []
    for probe in path.probes:
        rhs = np.empty(n)
        system.apply_jacobian(*before, probe, rhs)
        y = np.linalg.solve(after, np.append(rhs, solver.border[:n] @ probe))
        w = np.append(probe, 0.0)
        shares.append(((scales * (y - w)) ** 2).sum() / ((scales * w) ** 2).sum())
    dimension = 1.0 + len(shape) ** 2 / (x**2).sum()
    expected = np.mean(shares) * min(dimension, 8.0)
    arguments_ = problem, state, solver, path, act, T + far
    assert_equals_its_python(curve.change, *arguments_, rtol=1e-8, atol=1e-8)
    assert curve.change(*arguments_) == pytest.approx(expected, rel=1e-7)
    assert (expected < 0.01) == (far < 0.01)


def test_the_corrector_returns_to_the_branch_across_the_tangent():
    payoffs, T = payoffs_of((3, 3), 3), 4.0
    exact, problem = point(payoffs, 1.5, T, "kl", "entropy"), problem_of(payoffs, 1.0, 1.5)
    state, solver = system.new_state(problem, exact), corrector.new_solver(6, 64)
    tangent = curve.start_curve(problem, state, solver, T)[0].tangent
    solver.border[:6], solver.border[6] = np.exp(exact) * tangent[:6], tangent[6] / (1 + T) ** 2
    state.vec[system.LOG_X] = exact + 0.05 * cases.tangent(payoffs, exact, 0)
    ok, T_new, first, sign, _ = corrector.correct(
        problem, state, solver, T, corrector.ROUNDING, 20, 1.0, np.empty(7)
    )
    assert ok
    assert first > 0.0
    assert sign != 0.0
    assert system.evaluate(problem, state, T_new) < 1e-13
    assert T_new != T
    found = branch.follow(*arguments(payoffs, 1.5, T_new))[1]
    np.testing.assert_allclose(state.vec[system.LOG_X], found, atol=1e-10)


@each_pair
@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (2, 2, 2), (3, 2, 3), (30, 25)], ids=str)
def test_dense_and_matrix_free_routes_end_alike(shape, penalty, regularizer):
    game = rqe.NormalFormGame(random_payoffs(shape, 4))
    for tau, eps in ((0.0, 0.3), (2.0, 0.1), (20.0, 0.3)):
        options = {"penalty": penalty, "regularizer": regularizer}
        dense = rqe.solve(game, tau, eps, **options)
        free = rqe.solve(game, tau, eps, solver=MATRIX_FREE, **options)
        for a, b in zip(dense.log_strategies, free.log_strategies, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-8)


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_both_routes_pass_the_folds(tau):
    for lam in (30.0, 39.26, 45.0):
        dense = rqe.solve(FOLDED, tau, 1.0 / lam)
        free = rqe.solve(FOLDED, tau, 1.0 / lam, solver=MATRIX_FREE)
        for a, b in zip(dense.log_strategies, free.log_strategies, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-8)


def degenerate_games():
    """Name games with ties, copies, constants and players without a choice."""
    rng = np.random.default_rng(0)
    copies = np.repeat(np.repeat(rng.random((2, 2, 2)), 2, axis=1), 3, axis=2)
    return {
        "constant": np.full((2, 3, 3), 7.0),
        "one constant player": np.stack([rng.random((3, 3)), np.zeros((3, 3))]),
        "no choice": rng.random((3, 1, 3, 1)),
        "a single profile": rng.random((2, 1, 1)),
        "copies of actions": copies,
        "identity": np.stack([np.eye(4), np.eye(4)]),
        "identity against its opposite": np.stack([np.eye(4), -np.eye(4)]),
        "zeros and ones": rng.integers(0, 2, (2, 5, 4)).astype(float),
        "own action alone": np.stack([np.arange(3.0)[:, None] + np.zeros((3, 3)),
                                      np.arange(3.0)[None, :] + np.zeros((3, 3))]),
        "the other's action alone": np.stack([np.arange(3.0)[None, :] + np.zeros((3, 3)),
                                              np.arange(3.0)[:, None] + np.zeros((3, 3))]),
        "three, zeros and ones": rng.integers(0, 2, (3, 2, 3, 2)).astype(float),
        "one payoff dwarfs all": np.where(rng.random((2, 3, 3)) < 0.2, 1e12, rng.random((2, 3, 3))),
    }  # fmt: skip


DEGENERATE = degenerate_games()


@each_pair
@pytest.mark.parametrize("name", DEGENERATE)
def test_certificates_hold_on_degenerate_games(name, penalty, regularizer):
    game = rqe.NormalFormGame(DEGENERATE[name])
    width = float(game.payoff_range.max()) or 1.0
    options = {"penalty": penalty, "regularizer": regularizer}
    for tau in (0.0, 1.0, 50.0, math.inf):
        for eps in (1.0, 0.05):
            solution = rqe.solve(game, tau / width, eps * width, **options)
            assert solution.residual <= 1e-10
            assert solution.regret <= 1e-9 * width
