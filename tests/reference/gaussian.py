"""Entropic utilities of quadratic games against Gaussian play, by quadrature and by sampling.

Slow and literal: nothing here knows a best response, a determinant or an inverse.
"""

import numpy as np


def hermite(covariance, nodes):
    """Points (K, n) and weights (K,) of Gauss-Hermite quadrature for N(0, covariance)."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    n = len(covariance)
    grid = np.stack(np.meshgrid(*[z] * n, indexing="ij"), axis=-1).reshape(-1, n)
    weights = np.prod(
        np.stack(np.meshgrid(*[w / w.sum()] * n, indexing="ij"), axis=-1).reshape(-1, n), axis=1
    )
    return grid @ root(covariance).T, weights


def root(covariance):
    """A square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def stacked(matrices):
    """Block diagonal matrix of the players' covariances."""
    total = sum(len(m) for m in matrices)
    out, at = np.zeros((total, total)), 0
    for m in matrices:
        out[at : at + len(m), at : at + len(m)] = m
        at += len(m)
    return out


def conditional(game, i, mean, covariance, others):
    """E over a_i of u_i at each row of `others` (K, D), whose own columns are ignored."""
    own = game.places[i]
    profiles = np.array(others)
    profiles[:, own] = mean
    noise = 0.5 * np.sum(game.block(i, i, i) * covariance)
    return game.utilities(profiles)[:, i] + noise


def entropic(game, i, tau, means, covariances, *, nodes=40, mean=None, covariance=None):
    """Player i's U^tau when he plays `mean` and `covariance`, by quadrature over the others."""
    own = game.places[i]
    mean = means[i] if mean is None else mean
    covariance = covariances[i] if covariance is None else covariance
    rest = np.ones(sum(game.dims), dtype=bool)
    rest[own] = False
    points, weights = hermite(stacked(covariances)[np.ix_(rest, rest)], nodes)
    others = np.tile(np.concatenate(means), (len(points), 1))
    others[:, rest] += points
    values = conditional(game, i, mean, covariance, others)
    if tau == 0.0:
        return float(weights @ values)
    low = values.min()
    return float(low - np.log(weights @ np.exp(-tau * (values - low))) / tau)


def objective(game, i, tau, eps, means, covariances, **play):
    """`entropic` plus eps times the entropy of a Gaussian, up to a constant."""
    covariance = play.get("covariance", covariances[i])
    entropy = 0.5 * np.linalg.slogdet(covariance)[1] if eps else 0.0
    return entropic(game, i, tau, means, covariances, **play) + eps * entropy


def sampled(game, i, tau, solution, rng, draws):
    """Monte Carlo (expected utility, its error, U^tau, its error) for player i."""
    mean = np.concatenate(solution.means)
    actions = mean + rng.standard_normal((draws, len(mean))) @ root(stacked(solution.covariances)).T
    utilities = game.utilities(actions)[:, i]
    values = conditional(game, i, solution.means[i], solution.covariances[i], actions)
    worth = np.exp(-tau * (values - values.mean()))
    entropic = values.mean() - np.log(worth.mean()) / tau
    return (
        utilities.mean(),
        utilities.std() / np.sqrt(draws),
        entropic,
        worth.std() / worth.mean() / np.sqrt(draws) / tau,
    )
