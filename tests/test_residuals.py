"""Residuals of many profiles at once are those that the certificate says one by one."""

import numpy as np
import pytest

import rqe
from rqe._residuals import _MOST, residuals

SHAPES = [(2, 2), (3, 5), (2, 3, 4), (2, 2, 2, 2)]


def profiles(shape, count, seed=0):
    """Return normalised log-strategies: (count, n_i) per player, some of them very uneven."""
    rng = np.random.default_rng([seed, *shape])
    logs = [3.0 * rng.standard_normal((count, n)) * np.arange(count)[:, None] for n in shape]
    return [
        a - np.log(np.exp(a - a.max(1)[:, None]).sum(1))[:, None] - a.max(1)[:, None] for a in logs
    ]


def one_by_one(game, tau, eps, logs):
    """Return what the certificate says of each profile."""
    return [
        rqe.check(game, rqe.Concept.of(game, t, e), [a[k] for a in logs]).residual
        for k, (t, e) in enumerate(zip(tau, eps, strict=True))
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("averse", [False, True])
@pytest.mark.parametrize(("scale", "level"), [(1.0, 0.0), (1e-6, 1.0), (1e9, 1e6)])
def test_they_are_the_certificates(shape, averse, scale, level):
    rng = np.random.default_rng([1, *shape])
    game = rqe.NormalFormGame(scale * rng.random((len(shape), *shape)) + level)
    tau = averse * rng.random((9, len(shape))) * 10.0 ** rng.integers(-4, 3, (9, 1)) / scale
    eps = rng.random((9, len(shape))) * 10.0 ** rng.integers(-3, 6, (9, 1)) * scale
    logs = profiles(shape, 9)
    np.testing.assert_allclose(
        residuals(game, tau, eps, logs), one_by_one(game, tau, eps, logs), rtol=1e-10, atol=1e-13
    )


def test_large_games_are_taken_in_parts():
    shape = (600, 900)
    game = rqe.NormalFormGame(np.random.default_rng(0).random((2, *shape)))
    count = _MOST // 600 + 3
    logs = [np.full((count, n), -np.log(n)) for n in shape]
    tau, eps = np.zeros((count, 2)), np.full((count, 2), 0.1)
    found = residuals(game, tau, eps, logs)
    np.testing.assert_allclose(found, one_by_one(game, tau[:1], eps[:1], logs)[0], rtol=1e-10)


def test_what_does_not_sum_to_one_shows():
    game = rqe.catalog.load("matching-pennies")
    logs = [np.log([[0.5, 0.5], [0.5, 0.5 + 1e-7]]), np.log([[0.5, 0.5], [0.5, 0.5]])]
    found = residuals(game, np.zeros((2, 2)), np.ones((2, 2)), logs)
    assert found[0] <= 1e-15
    assert found[1] >= 0.9e-7


@pytest.mark.parametrize("parameter", ["eps", "tau"])
@pytest.mark.parametrize("end", [(2.0, 0.1), (1.0, [0.2, 0.3])])
def test_a_branch_has_them(parameter, end):
    game = rqe.NormalFormGame(np.random.default_rng(3).random((2, 3, 4)))
    branch = rqe.trace(game, *end, parameter=parameter)
    assert len(branch) > 1
    for k, value in enumerate(branch.values):
        tau, eps = (end[0], value) if parameter == "eps" else (value, end[1])
        logs = [a[k] for a in branch.log_strategies]
        expected = rqe.check(game, rqe.Concept.of(game, tau, eps), logs).residual
        assert branch.residuals[k] == pytest.approx(expected, abs=1e-14)
