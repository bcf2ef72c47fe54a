"""`solve_batch`: the same equilibria as `solve`, one by one, whatever the games."""

import itertools

import numpy as np
import pytest

import rqe
from benchmarks.common import random_payoffs
from rqe._batch_check import judge
from rqe._kernels.batch import DOUBTFUL, FOUND, solve_two
from rqe.batch import BatchConvergenceError, solve_batch

# Three actions, nearly symmetric: two eigenvalues of the Jacobian change sign within a short step,
# the determinant does not. The principal branch folds there; a follower that goes straight on
# arrives at the centroid.
PERTURBED = [
    ([[1.00023648, 1.00041414, 0.99978064], [0.99990826, 0.99953912, 1.00062739]],
     [0.0, 5.0], [0.10028045, 0.2005609]),
    ([[0.9999339, 0.99990892, 1.0000354], [0.99994458, 0.99997128, 1.00001105]],
     [2.0, 0.5], [0.30007076, 0.10002359]),
]  # fmt: skip
# A symmetric game in which steps of the usual length jump to another branch.
JUMPY = np.array(
    [[0.33247539, 0.395888, 0.6910087],
     [0.16150187, 0.8652137, 0.30370012],
     [0.22374379, 0.89634797, 0.0805681]]
)  # fmt: skip
CAREFUL = rqe.PrincipalBranch(predictor_error=1e-3)


def stag_hunts(count, n, seed):
    """Minimum-effort games with noise: the folds of coordination."""
    rng = np.random.default_rng(seed)
    effort = np.arange(n)
    common = np.minimum.outer(effort, effort) * (1.0 + rng.random((count, 1, 1)))
    mine = common - effort[:, None] * rng.random((count, 1, 1))
    return np.stack([mine, mine.transpose(0, 2, 1)], 1) + 1e-2 * rng.random((count, 2, n, n))


def batch_of(kind, shape, count):
    if kind == "hunt":
        return stag_hunts(count, shape[0], 5)
    return np.stack([random_payoffs(shape, seed, kind) for seed in range(count)])


def distance(batch, index, solution):
    return max(
        np.abs(x[index] - y).max()
        for x, y in zip(batch.strategies, solution.strategies, strict=True)
    )


def assert_agrees(games, tau, eps, **options):
    batch = solve_batch(games, tau, eps, **options)
    players = options.pop("players", 2)
    taus = np.broadcast_to(tau, (len(games), players))
    epss = np.broadcast_to(eps, (len(games), players))
    for k, payoffs in enumerate(games):
        one = rqe.solve(rqe.NormalFormGame(payoffs), taus[k], epss[k], throw=False, **options)
        assert batch.status[k] == one.status.value
        if one.converged:
            assert distance(batch, k, one) < 1e-9, k
            assert batch.residual[k] <= 1e-10
            assert abs(batch.regret[k] - one.regret) < 1e-12
            np.testing.assert_allclose(batch.payoffs[k], one.payoffs, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(
                batch.risk_adjusted[k], one.risk_adjusted, rtol=1e-9, atol=1e-9
            )
    return batch


@pytest.mark.parametrize("kind", ["uniform", "integer", "coordination", "lognormal", "hunt"])
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (5, 5)])
def test_agrees_with_solve(kind, shape):
    rng = np.random.default_rng(3)
    games = batch_of(kind, shape, 40)
    width = np.ptp(games.reshape(40, 2, -1), axis=2).max()
    tau = rng.choice([0.0, 0.5, 1.0, 3.0], (40, 2))
    eps = rng.choice([0.07, 0.1, 0.2, 1.0], (40, 2)) * width
    assert_agrees(games, tau, eps)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uniform", "integer", "coordination", "lognormal", "hunt"])
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (2, 5), (5, 5)])
def test_agrees_with_solve_on_thousands(kind, shape):
    if kind == "hunt" and shape[0] != shape[1]:
        pytest.skip("a stag hunt is square")
    rng = np.random.default_rng(4)
    games = batch_of(kind, shape, 2000)
    width = np.ptp(games.reshape(len(games), 2, -1), axis=2).max(axis=1)[:, None]
    tau = rng.choice([0.0, 0.1, 0.5, 1.0, 5.0], (len(games), 2)) / width
    assert_agrees(games, tau, 0.1 * width * rng.choice([0.5, 1.0, 2.0, 5.0], (len(games), 2)))


@pytest.mark.parametrize("eps", [1.0, 0.25, 0.1])
@pytest.mark.parametrize("tau", [0.0, 1.0, [0.0, 4.0]])
def test_every_two_by_two_game_of_zeros_and_ones(tau, eps):
    """Ties, indifference, dominance, exact pitchforks: all 256 games agree, failures included."""
    games = np.array(list(itertools.product([0.0, 1.0], repeat=8))).reshape(256, 2, 2, 2)
    assert_agrees(games, tau, eps)


@pytest.mark.parametrize(
    ("tau", "eps", "options"),
    [
        (0.0, 0.0, {}),
        (1.0, 0.0, {}),
        (np.inf, 0.5, {}),
        (1.0, np.inf, {}),
        ([0.0, np.inf], [0.3, 0.5], {}),
        ([100.0, 1.0], [0.5, 0.001], {}),
        (1.0, 0.5, {"penalty": "reverse_kl"}),
        (1.0, 0.5, {"regularizer": "log_barrier"}),
    ],
)
def test_agrees_off_the_light_way(tau, eps, options):
    assert_agrees(batch_of("uniform", (3, 2), 6), tau, eps, **options)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 1), (1, 6)])
def test_players_with_one_action(shape):
    assert_agrees(np.random.default_rng(5).random((4, 2, *shape)), 1.0, 0.2)


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (4, 3)])
def test_payoffs_that_do_not_interact(shape):
    """A linear public good: what one gives changes the other's payoff, but not his choice."""
    gifts = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))
    games = [gifts - 2.0 * np.arange(shape[0])[:, None], gifts - 2.0 * np.arange(shape[1])]
    assert_agrees(np.array([games]), 0.0, 0.5)
    assert_agrees(np.array([games]), 1.0, 0.5)


def test_three_players():
    batch = assert_agrees(batch_of("uniform", (2, 3, 2), 6), 1.0, 0.2, players=3)
    assert [x.shape for x in batch.strategies] == [(6, 2), (6, 3), (6, 2)]


@pytest.mark.parametrize(("diagonals", "tau", "eps"), PERTURBED)
def test_nearly_symmetric_coordination_follows_the_fold(diagonals, tau, eps):
    """Two bifurcations nearly at one point lie within one step: the orientation does not tell."""
    payoffs = np.array([np.diag(d) for d in diagonals])
    batch = solve_batch(payoffs, tau, eps)
    careful = rqe.solve(rqe.NormalFormGame(payoffs), tau, eps, solver=CAREFUL)
    assert careful.stats.turning_points == 2
    assert distance(batch, (), careful) < 1e-9
    codes = np.empty(1, np.int8)
    solve_two(payoffs[None], np.array([tau]), np.array([eps]), np.empty((1, 6)), codes)
    assert codes[0] == DOUBTFUL


def test_stays_on_the_branch_where_long_steps_leave_it():
    payoffs = np.stack([JUMPY, JUMPY.T])
    batch = solve_batch(payoffs, 0.1, 0.01930652)
    game = rqe.NormalFormGame(payoffs)
    careful = rqe.solve(game, 0.1, 0.01930652, solver=CAREFUL)
    assert distance(batch, (), careful) < 1e-9
    assert distance(batch, (), rqe.solve(game, 0.1, 0.01930652)) < 1e-9


def test_stag_hunt_has_three_equilibria_and_the_principal_one_is_returned():
    payoffs = [[[9.0, 0.0], [8.0, 7.0]], [[9.0, 8.0], [0.0, 7.0]]]
    eps = 1.0 / np.array([[0.1], [1.0], [5.0], [50.0]])
    assert_agrees(np.array([payoffs] * 4), 0.0, eps)
    assert solve_batch(payoffs, 0.0, 0.2).strategies[0][0] < 1e-6  # of 0, 0.947 and 0.990


@pytest.mark.parametrize("seed", range(6))
def test_two_by_two_games_below_the_bound_have_one_equilibrium(seed):
    payoffs = random_payoffs((2, 2), seed, "coordination")
    b = payoffs[:, 0, 0] - payoffs[:, 0, 1] - payoffs[:, 1, 0] + payoffs[:, 1, 1]
    eps = 0.26 * np.sqrt(abs(b[0] * b[1])) if b[0] * b[1] > 0.0 else 0.01
    found = rqe.solve_all(rqe.NormalFormGame(payoffs), 2.0, eps)
    assert found.complete
    assert len(found) == 1  # see the head of rqe/_kernels/two_by_two.py for why
    assert distance(solve_batch(payoffs, 2.0, eps), (), found[0]) < 1e-9


@pytest.mark.parametrize("level", [0.0, 1e6])
@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (2, 2, 3)])
def test_verdicts_are_those_of_check(shape, level):
    rng = np.random.default_rng(8)
    count, n_players = 30, len(shape)
    games = level + rng.random((count, n_players, *shape)) * 10.0 ** rng.integers(
        -2, 3, (count, *[1] * (n_players + 1))
    )
    tau = rng.choice([0.0, 1e-3, 1.0, 50.0], (count, n_players))
    eps = rng.choice([1e-3, 0.1, 5.0, 1e5], (count, n_players))
    parts = [rng.gumbel(0.0, 5.0, (count, n)) for n in shape]
    logs = [z - np.log(np.exp(z).sum(axis=1, keepdims=True)) for z in parts]
    verdicts = judge(games, tau, eps, np.concatenate(logs, axis=1))
    for k in range(count):
        game = rqe.NormalFormGame(games[k])
        concept = rqe.Concept.of(game, tau[k], eps[k])
        one = rqe.check(game, concept, [x[k] for x in logs])
        unit = 1e-15 * max(1.0, np.abs(games[k]).max())
        assert verdicts.residual[k] == pytest.approx(one.residual, rel=1e-10, abs=1e-14)
        assert verdicts.regret[k] == pytest.approx(one.regret, rel=1e-9, abs=1e2 * unit)
        np.testing.assert_allclose(verdicts.payoffs[k], one.payoffs, rtol=1e-12)
        np.testing.assert_allclose(verdicts.risk_adjusted[k], one.risk_adjusted, rtol=1e-12)


def test_what_is_no_profile_has_infinite_residual():
    games, ones = np.ones((3, 2, 2, 2)), np.ones((3, 2))
    logs = np.log(np.full((3, 4), 0.5))
    logs[0, 0], logs[1, 2] = 0.0, np.nan
    verdicts = judge(games, ones, ones, logs)
    assert verdicts.residual[:2].tolist() == [np.inf, np.inf]
    assert verdicts.residual[2] < 1e-15
    assert np.isnan(verdicts.payoffs[:2]).all()


def test_compiled_kernel_equals_its_source():
    games, tau = batch_of("uniform", (3, 2), 4), np.full((4, 2), 1.0)
    logs, codes = np.empty((2, 4, 5)), np.empty((2, 4), np.int8)
    solve_two(games, tau, 0.2 * tau, logs[0], codes[0])
    solve_two.py_func(games, tau, 0.2 * tau, logs[1], codes[1])
    assert (codes == FOUND).all()
    np.testing.assert_allclose(logs[0], logs[1], rtol=1e-14)


def test_failures_are_masked_and_counted():
    games = batch_of("uniform", (5, 5), 5)
    batch = solve_batch(games, 1.0, 0.2, tol=1e-19)
    assert batch.n_failed == np.count_nonzero(~batch.converged) > 0
    lost = ~batch.converged
    assert set(batch.status[lost]) == {"inaccurate"}
    assert np.isnan(batch.strategies[0][lost]).all()
    assert np.isnan(batch.payoffs[lost]).all()
    assert (batch.residual[lost] < 1e-14).all()
    assert not np.isnan(batch.strategies[0][~lost]).any()
    with pytest.raises(BatchConvergenceError, match="of 5 games were not solved") as caught:
        solve_batch(games, 1.0, 0.2, tol=1e-19, throw=True)
    assert caught.value.solution.n_failed == batch.n_failed
    assert isinstance(caught.value, rqe.ConvergenceError)


def test_a_single_game_is_a_batch_without_dimensions():
    batch = solve_batch(batch_of("uniform", (2, 3), 1)[0], 1.0, 0.5)
    assert batch.converged.shape == batch.residual.shape == ()
    assert batch.n_failed == 0
    assert "1 games of shape (2, 3), 0 failed" in repr(batch)
    assert batch.solution().strategies[0] == pytest.approx(batch.strategies[0])
    with pytest.raises(BatchConvergenceError, match="first is game"):
        solve_batch(batch.games, 1.0, 0.5, tol=1e-300, throw=True)


def test_batch_dimensions_and_broadcasting():
    games = batch_of("uniform", (2, 3), 12).reshape(3, 4, 2, 2, 3)
    eps = np.linspace(0.2, 1.0, 4)[:, None]  # one per column of games, the same for both players
    batch = solve_batch(games, [0.5, 2.0], eps)
    assert batch.strategies[1].shape == (3, 4, 3)
    assert batch.payoffs.shape == (3, 4, 2)
    one = rqe.solve(rqe.NormalFormGame(games[2, 1]), [0.5, 2.0], float(eps[1, 0]))
    assert distance(batch, (2, 1), one) < 1e-9
    again = batch.solution(2, 1)
    assert again.converged
    assert distance(batch, (2, 1), again) < 1e-9
    with pytest.raises(ValueError, match="index must hold 2 integers"):
        batch.solution(2)


def test_threads_do_not_change_a_bit():
    games = batch_of("coordination", (3, 3), 200)
    one = solve_batch(games, 1.0, 0.1, threads=1)
    two = solve_batch(games, 1.0, 0.1, threads=3)
    for x, y in zip(one.log_strategies, two.log_strategies, strict=True):
        assert np.array_equal(x, y)
    assert np.array_equal(one.residual, two.residual)


def test_inputs_are_neither_changed_nor_shared():
    games = batch_of("uniform", (2, 2), 4)
    before = games.copy()
    batch = solve_batch(games, 1.0, 0.2)
    assert np.array_equal(games, before)
    games[:] = 0.0
    assert np.array_equal(batch.games, before)
    with pytest.raises(ValueError, match="read-only"):
        batch.strategies[0][0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        batch.residual[0] = 1.0


def test_empty_batch():
    batch = solve_batch(np.empty((0, 2, 2, 2)), 1.0, 0.2)
    assert batch.residual.shape == (0,)
    assert batch.n_failed == 0
    assert "0 games" in repr(batch)


def test_frame_has_a_row_per_game_player_and_action():
    batch = solve_batch(batch_of("uniform", (2, 3), 2), 1.0, 0.2)
    frame = batch.to_frame()
    assert len(frame) == 2 * 5
    assert frame.groupby(["game", "player"]).probability.sum().to_numpy() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("args", "options", "error", "text"),
    [
        ((np.ones((4, 3)),), {}, ValueError, r"payoffs must have shape \(..., N, n_1"),
        ((np.ones((3, 2, 2, 2)),), {}, ValueError, "may be games of 2 or 3 players"),
        ((np.ones((3, 2, 2, 2)),), {"players": 4}, ValueError, "with players=4"),
        ((np.ones((3, 2, 2, 2)),), {"players": 1}, ValueError, "players must be at least 2"),
        (([[[1, np.nan]] * 2] * 2,), {}, ValueError, "payoffs"),
        (("abc",), {}, TypeError, "payoffs must hold real numbers"),
        ((np.ones((5, 2, 2, 2)), -1.0), {}, ValueError, "tau must be >= 0"),
        ((np.ones((5, 2, 2, 2)), 1.0, np.nan), {}, ValueError, "eps must be >= 0"),
        ((np.ones((5, 2, 2, 2)), np.ones(5)), {}, ValueError, "tau must be a number or an array"),
        ((np.ones((5, 2, 2, 2)), "1"), {}, TypeError, "tau must be a real number"),
        ((np.ones((5, 2, 2, 2)),), {"threads": 0}, ValueError, "threads must be at least 1"),
        ((np.ones((5, 2, 2, 2)),), {"tol": 2.0}, ValueError, "tol must be a number"),
        ((np.ones((5, 2, 2, 2)),), {"penalty": "k"}, ValueError, "penalty must be one of"),
    ],
)
def test_bad_input(args, options, error, text):
    with pytest.raises(error, match=text):
        solve_batch(*args, **options)
