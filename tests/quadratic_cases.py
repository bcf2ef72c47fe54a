"""Quadratic games for the tests: drawn by hypothesis, or fixed."""

import numpy as np
from hypothesis import strategies as st

import rqe

NUMBERS = st.integers(-20, 20).map(lambda k: k / 10.0)
POSITIVE = st.integers(1, 30).map(lambda k: k / 10.0)
OFTEN_ZERO = st.one_of(st.just(0.0), POSITIVE)


@st.composite
def definite(draw, n):
    """A symmetric positive definite matrix with entries of order 1."""
    entries = draw(st.lists(NUMBERS, min_size=n * n, max_size=n * n))
    B = np.array(entries).reshape(n, n)
    return B @ B.T + draw(POSITIVE) * np.eye(n)


@st.composite
def aggregative_games(draw, most_players=5, most_dims=3):
    """Heterogeneous games with a target that is not 0."""
    count, n = draw(st.integers(2, most_players)), draw(st.integers(1, most_dims))
    target = draw(st.lists(NUMBERS, min_size=n, max_size=n).filter(any))
    rho = draw(st.lists(POSITIVE, min_size=count, max_size=count))
    return rqe.AggregativeGame(draw(definite(n)), target, rho)


@st.composite
def problems(draw):
    """(game, tau, eps) with well-posed risk; some tau and some eps are 0."""
    game = draw(aggregative_games())
    each = {"min_size": game.n_players, "max_size": game.n_players}
    eps = np.array(draw(st.lists(OFTEN_ZERO, **each)))
    limits = rqe.tau_limits(game, eps)
    shares = np.array(draw(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99]), **each)))
    return game, shares * np.where(np.isfinite(limits), limits, 1.0), eps


def curved(seed=5, dims=(1, 2, 1)):
    """A general quadratic game, every block filled, and admissible tau and eps."""
    rng = np.random.default_rng(seed)
    total, count = sum(dims), len(dims)
    matrices = []
    for i in range(count):
        B = rng.normal(size=(total, total))
        matrix = 0.3 * (B + B.T)
        own = slice(sum(dims[:i]), sum(dims[: i + 1]))
        matrix[own, own] = -np.eye(dims[i]) * (2.0 + i) + 0.2 * (1.0 - np.eye(dims[i]))
        matrices.append(matrix)
    game = rqe.QuadraticGame(
        matrices, rng.normal(size=(count, total)), constant=rng.normal(size=count), dims=dims
    )
    eps = np.array([0.5, 0.8, 0.3])[:count]
    limits = rqe.tau_limits(game, eps)
    return game, 0.4 * np.minimum(limits, 2.0), eps
