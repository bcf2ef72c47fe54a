"""What the tests of the kernels share: problems, profiles, and slow answers in plain numpy."""

import copy

import numpy as np

from rqe._kernels import system
from tests.reference import best_response, equilibria

PAIRS = [(reverse, barrier) for reverse in (False, True) for barrier in (False, True)]
SHAPES = [(2, 3), (4, 1), (5, 6), (2, 3, 2), (2, 2, 3, 2)]


def payoffs_of(shape, seed):
    """Return random payoffs in [0, 1], which is what the kernels are given."""
    return np.random.default_rng([seed, *shape]).random((len(shape), *shape))


def profile_of(shape, seed, spread=1.0):
    """Return stacked log-strategies, normalised per player."""
    rng = np.random.default_rng([seed, *shape, 7])
    return np.concatenate([equilibria.log_softmax(spread * rng.standard_normal(n)) for n in shape])


def problem_of(
    payoffs, slope, tau, *, delay=None, over_tau=False, frozen=None, reverse=False, barrier=False
):
    """Return the kernels' record of a game: own action first, players stacked."""
    n_players = len(payoffs)
    u = np.concatenate([np.moveaxis(table, i, 0).ravel() for i, table in enumerate(payoffs)])
    none = np.zeros(n_players)
    return system.new_problem(
        u, np.array(payoffs.shape[1:], np.int64), none + slope,
        none if delay is None else none + delay, none + tau, over_tau,
        none > 0.0 if frozen is None else np.array(frozen), reverse, barrier,
    )  # fmt: skip


def evaluated(problem, log_x, T):
    """Return a state at the profile and what `evaluate` says of it."""
    state = system.new_state(problem, log_x)
    return state, system.evaluate(problem, state, T)


def parts(payoffs, stacked):
    """Return a stacked vector as one array per player."""
    return np.split(stacked, np.cumsum(payoffs.shape[1:])[:-1])


def values(payoffs, log_x, tau, reverse):
    """Return v of all players in a row, by the reference."""
    x = [np.exp(a) / np.exp(a).sum() for a in parts(payoffs, log_x)]
    rows = []
    for i, own in enumerate(x):
        U, q = best_response.tables(payoffs, x, i)
        p = equilibria.adversary(own @ U, q, tau[i], "reverse_kl" if reverse else "kl")
        rows.append(U @ p)
    return np.concatenate(rows)


def uncentred(payoffs, log_x, lam, tau, reverse, barrier):
    """Return ``r(log x) - lam v`` of all players in a row, by the reference."""
    x = np.concatenate([np.exp(a) / np.exp(a).sum() for a in parts(payoffs, log_x)])
    lam = np.repeat(np.zeros(len(payoffs)) + lam, payoffs.shape[1:])
    slope = -1.0 / x if barrier else np.log(x)
    return slope - lam * values(payoffs, log_x, np.zeros(len(payoffs)) + tau, reverse)


def centred(payoffs, log_x, g, barrier):
    """Return ``(g - mean g) / r'``, with the mean's weights proportional to x / r'."""
    rows = []
    for log_own, own in zip(parts(payoffs, log_x), parts(payoffs, g), strict=True):
        x = np.exp(log_own)
        inverse = x if barrier else np.ones(len(x))
        weights = x * inverse / (x @ inverse)
        rows.append(inverse * (own - weights @ own))
    return np.concatenate(rows)


def tangent(payoffs, log_x, seed):
    """Return a random change of the logits that keeps every player's sum of probabilities."""
    d = np.random.default_rng([seed, 3]).standard_normal(log_x.size)
    rows = zip(parts(payoffs, log_x), parts(payoffs, d), strict=True)
    return np.concatenate([a - np.exp(x) @ a for x, a in rows])


def flattened(value):
    """Return the numbers of nested tuples and arrays in one list."""
    if isinstance(value, tuple):
        return [number for part in value for number in flattened(part)]
    return np.asarray(value, dtype=float).ravel().tolist()


def assert_equals_its_python(kernel, *args, rtol=1e-12, atol=1e-13):
    """Compiled and interpreted kernel return the same and leave the same in their arguments."""
    compiled, plain = copy.deepcopy(args), copy.deepcopy(args)
    first = kernel(*compiled)
    with np.errstate(all="ignore"):  # compiled arithmetic does not warn
        second = kernel.py_func(*plain)
    for a, b in ((first, second), (compiled, plain)):
        if a is not None:
            np.testing.assert_allclose(flattened(a), flattened(b), rtol=rtol, atol=atol)
