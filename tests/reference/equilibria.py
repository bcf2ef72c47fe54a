"""Equilibria of small games by scipy's root finder: from many starts, or down in eps."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, root

from tests.reference.best_response import tables


def log_softmax(z):
    """Return log probabilities from logits."""
    shifted = z - z.max()
    return shifted - np.log(np.exp(shifted).sum())


def adversary(g, q, tau, penalty):
    """Return p for tau < inf, without care for extremes."""
    if tau == 0:
        return q
    if penalty == "kl":
        weights = q * np.exp(-tau * (g - g.min()))
        return weights / weights.sum()
    low = g.min()
    d = brentq(lambda d: (q / (d + tau * (g - low))).sum() - 1, 1e-300, 1 + 1e-9, xtol=1e-300)
    return q / (d + tau * (g - low))


def log_response(v, eps, regularizer):
    """Return the log of argmax <x, v> - eps nu(x)."""
    if regularizer == "entropy":
        return log_softmax(v / eps)
    gap = v.max() - v
    t = brentq(lambda t: (eps / (t + gap)).sum() - 1, eps * (1 - 1e-9), 1.1 * len(v) * eps)
    return np.log(eps / (t + gap))


def defect(z, payoffs, tau, eps, penalty, regularizer):
    """Return log x - log response for all players in a row; 0 at an equilibrium."""
    cuts = np.cumsum(payoffs.shape[1:])[:-1]
    logits = np.split(z, cuts)
    logs = [log_softmax(a) for a in logits]
    strategies = [np.exp(a) for a in logs]
    rows = []
    for i, x in enumerate(strategies):
        U, q = tables(payoffs, strategies, i)
        p = adversary(x @ U, q, tau[i], penalty)
        # The mean of the logits pins what the softmax leaves free.
        rows.append(logs[i] - log_response(U @ p, eps[i], regularizer) + logits[i].mean())
    return np.concatenate(rows)


def equilibrium(payoffs, tau, eps, penalty="kl", regularizer="entropy", start=None):
    """Return log-strategies at which scipy's hybrid method stops, or None if not a solution."""
    size = sum(payoffs.shape[1:])
    z = np.zeros(size) if start is None else start
    found = root(defect, z, args=(payoffs, tau, eps, penalty, regularizer), tol=1e-13)
    if np.abs(found.fun).max() > 1e-9:
        return None
    return [log_softmax(a) for a in np.split(found.x, np.cumsum(payoffs.shape[1:])[:-1])]


def branch_end(payoffs, tau, eps, penalty="kl", regularizer="entropy", steps=40):
    """Return log-strategies on the branch from the centroid, if it does not fold on the way."""
    logs = None
    eps = np.asarray(eps, dtype=float)
    spread = 100.0 * float(payoffs.max() - payoffs.min())
    for s in [*np.geomspace(spread, 1e-3 * spread * eps.min(), steps), 0.0]:
        start = None if logs is None else np.concatenate([a - a.mean() for a in logs])
        logs = equilibrium(payoffs, tau, eps + s, penalty, regularizer, start)
        if logs is None:
            return None
    return logs


def all_equilibria(payoffs, tau, eps, rng, penalty="kl", regularizer="entropy", starts=200):
    """Return the different equilibria that Newton-like runs from random starts end at."""
    found: list[list[np.ndarray]] = []
    for _ in range(starts):
        z = rng.normal(size=sum(payoffs.shape[1:])) * rng.choice([0.5, 2.0, 5.0])
        logs = equilibrium(payoffs, tau, eps, penalty, regularizer, z)
        if logs is None:
            continue
        profile = np.exp(np.concatenate(logs))
        if all(np.abs(profile - np.exp(np.concatenate(other))).max() > 1e-6 for other in found):
            found.append(logs)
    return found
