"""Gaussian equilibria against the definitions: quadrature, sampling, and finite games on grids."""

import itertools

import numpy as np
import pytest
from scipy import optimize

import rqe
from rqe import games
from tests.quadratic_cases import curved
from tests.reference import gaussian

GENERAL = [
    curved(),
    curved(seed=1, dims=(1, 1, 1)),
    curved(seed=2, dims=(2, 1)),
    (games.beauty_contest([0.0, 1.0, 3.0], 0.6), np.full(3, 1.5), np.full(3, 0.7)),
    (games.cournot(5.0, 1.0, [1.0, 2.0]), np.full(2, 2.0), np.array([0.5, 0.3])),
    (games.public_good(2.0, 1.0, [1.0, 0.5]).to_quadratic(), np.full(2, 0.7), np.full(2, 0.9)),
]


@pytest.mark.parametrize(("game", "tau", "eps"), GENERAL)
def test_entropic_utilities_by_quadrature(game, tau, eps):
    solution = rqe.solve(game, tau, eps)
    for i in range(game.n_players):
        play = (solution.means, solution.covariances)
        assert gaussian.entropic(game, i, tau[i], *play) == pytest.approx(
            solution.risk_adjusted[i], rel=1e-9, abs=1e-9
        )
        assert gaussian.entropic(game, i, 0.0, *play) == pytest.approx(
            solution.payoffs[i], rel=1e-12, abs=1e-12
        )


@pytest.mark.parametrize(("game", "tau", "eps"), GENERAL)
def test_best_responses_by_quadrature(game, tau, eps):
    """A search over means and covariances, by the definition alone, ends at the solution."""
    solution = rqe.solve(game, tau, eps)
    play = (solution.means, solution.covariances)
    for i, (mean, covariance) in enumerate(zip(*play, strict=True)):
        n = len(mean)
        lower = np.tril_indices(n)

        def loss(z, i=i, n=n, lower=lower):
            factor = np.zeros((n, n))
            factor[lower] = z[n:]
            own = {"mean": z[:n], "covariance": factor @ factor.T}
            return -gaussian.objective(game, i, tau[i], eps[i], *play, nodes=24, **own)

        start = np.concatenate([mean + 0.3, 1.2 * np.linalg.cholesky(covariance)[lower]])
        found = optimize.minimize(loss, start, tol=1e-9).x
        assert found[:n] == pytest.approx(mean, abs=2e-4)
        factor = np.zeros((n, n))
        factor[lower] = found[n:]
        assert factor @ factor.T == pytest.approx(covariance, abs=2e-4)


def test_no_mixture_does_better_than_the_gaussian():
    """The objective of a mixture of two Gaussians, its entropy by quadrature, is below."""
    game, tau, eps = GENERAL[1]
    solution = rqe.solve(game, tau, eps)
    a = np.linspace(-30.0, 30.0, 60_001)

    def density(center, variance):
        return np.exp(-((a - center) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)

    for i, gap in itertools.product(range(3), (0.3, 1.0, 2.0)):
        mean, variance = float(solution.means[i][0]), float(solution.covariances[i][0, 0])
        mixed = 0.5 * (density(mean - gap, variance) + density(mean + gap, variance))
        entropy = -float(np.sum(mixed * np.log(np.maximum(mixed, 1e-300)))) * (a[1] - a[0])
        play = (solution.means, solution.covariances)
        worth = gaussian.entropic(
            game, i, tau[i], *play, covariance=np.array([[variance + gap**2]])
        )
        best = solution.risk_adjusted[i] + eps[i] * 0.5 * np.log(2 * np.pi * np.e * variance)
        assert worth + eps[i] * entropy < best - 1e-6


@pytest.mark.parametrize(("game", "tau", "eps"), GENERAL[:4])
def test_utilities_by_sampling(game, tau, eps):
    solution = rqe.solve(game, 0.5 * np.asarray(tau), eps)
    rng = np.random.default_rng(12)
    for i in range(game.n_players):
        mean, error, risky, risky_error = gaussian.sampled(
            game, i, 0.5 * tau[i], solution, rng, 200_000
        )
        assert abs(mean - solution.payoffs[i]) < 4.0 * error
        assert abs(risky - solution.risk_adjusted[i]) < 4.0 * risky_error


def test_shared_reward_by_sampling():
    game = rqe.AggregativeGame([[2.0, 0.5], [0.5, 1.0]], [1.0, -1.0], [0.5, 1.0, 2.0])
    solution = rqe.solve(game, 0.3, [0.5, 1.0, 0.2])
    rng = np.random.default_rng(3)
    shares = [
        mean + rng.standard_normal((200_000, 2)) @ np.linalg.cholesky(covariance).T
        for mean, covariance in zip(solution.means, solution.covariances, strict=True)
    ]
    rewards = game.reward(np.stack(shares, axis=1))
    assert abs(rewards.mean() - solution.shared_reward) < 4.0 * rewards.std() / np.sqrt(200_000)


def on_grid(game, solution, points, width):
    """Finite game of `points` actions per player, within `width` deviations of his mean."""
    grids = [
        float(mean[0]) + np.sqrt(covariance[0, 0]) * np.linspace(-width, width, points)
        for mean, covariance in zip(solution.means, solution.covariances, strict=True)
    ]
    actions = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1)
    return rqe.NormalFormGame(np.moveaxis(game.utilities(actions), -1, 0)), grids


@pytest.mark.parametrize(
    ("game", "tau", "eps"),
    [
        (games.moving_object().to_quadratic(), [0.0, 0.0], [0.5, 0.5]),
        (games.moving_object().to_quadratic(), [0.8, 0.8], [0.5, 0.5]),
        (rqe.AggregativeGame(1.5, 1.0, [0.5, 2.0]).to_quadratic(), [0.4, 0.9], [0.6, 0.3]),
        (games.beauty_contest([0.0, 1.0], 0.5), [0.7, 1.2], [0.5, 0.8]),
        (games.cournot(5.0, 1.0, [1.0, 2.0]), [1.0, 0.5], [0.5, 0.8]),
    ],
)
def test_finite_games_on_fine_grids_converge_to_the_gaussian(game, tau, eps):
    """The solver of finite games and the closed form check each other.

    On a grid the density is the mass over the step, so that both entropies differ by a constant.
    """
    solution = rqe.solve(game, tau, eps)
    errors = []
    for points in (9, 17, 71):
        finite, grids = on_grid(game, solution, points, 8.0)
        played = rqe.solve(finite, tau, eps).strategies
        error = 0.0
        for i, (x, grid) in enumerate(zip(played, grids, strict=True)):
            mean, variance = x @ grid, x @ (grid - x @ grid) ** 2
            error = max(error, abs(mean - solution.means[i][0]))
            error = max(error, abs(variance - solution.covariances[i][0, 0]))
        errors.append(error)
    assert errors[0] > errors[1]
    assert errors[2] < 1e-8


def test_finite_game_of_three_players():
    game = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0, 2.0]).to_quadratic()
    tau, eps = [0.4, 0.2, 0.3], [0.5, 0.4, 0.6]
    solution = rqe.solve(game, tau, eps)
    finite, grids = on_grid(game, solution, 25, 6.0)
    answer = rqe.solve(finite, tau, eps)
    for i, (x, grid) in enumerate(zip(answer.strategies, grids, strict=True)):
        assert x @ grid == pytest.approx(solution.means[i][0], abs=1e-6)
        assert x @ (grid - x @ grid) ** 2 == pytest.approx(solution.covariances[i][0, 0], abs=1e-6)
    assert answer.payoffs == pytest.approx(solution.payoffs, abs=1e-6)
    assert answer.risk_adjusted == pytest.approx(solution.risk_adjusted, abs=1e-6)
