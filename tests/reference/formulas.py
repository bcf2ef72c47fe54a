"""Risk-adjusted utilities by explicit loops over joint actions, in numbers of any precision.

Everything is computed with 60 digits (mpmath). ``payoffs[i][a_1, ..., a_N]``, strategies as
lists of lists. Only for small games: nothing here is vectorised, stabilised or cached.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

mp.mp.dps = 60


def joint_actions_of_others(shape, i):
    """Return the joint actions of all players but i, in player order."""
    return list(itertools.product(*(range(n) for j, n in enumerate(shape) if j != i)))


def with_own(others, i, a):
    """Return the full joint action in which player i plays a."""
    return (*others[:i], a, *others[i:])


def product_measure(strategies, i):
    """Return q_i: the probability of each joint action of the others."""
    rest = [x for j, x in enumerate(strategies) if j != i]
    shape = [len(x) for x in strategies]
    return [
        mp.fprod(mp.mpf(x[a]) for x, a in zip(rest, joint, strict=True))
        for joint in joint_actions_of_others(shape, i)
    ]


def own_average(payoffs, strategies, i):
    """Return g_i: player i's payoff averaged over his strategy, per joint action of the others."""
    shape = [len(x) for x in strategies]
    return [
        mp.fsum(
            mp.mpf(strategies[i][a]) * mp.mpf(float(payoffs[i][with_own(joint, i, a)]))
            for a in range(shape[i])
        )
        for joint in joint_actions_of_others(shape, i)
    ]


def action_values(payoffs, shape, i, p):
    """Return v_i: player i's payoff of each own action against the joint distribution p."""
    joints = joint_actions_of_others(shape, i)
    return [
        mp.fsum(
            p[k] * mp.mpf(float(payoffs[i][with_own(joint, i, a)]))
            for k, joint in enumerate(joints)
        )
        for a in range(shape[i])
    ]


def bisect(function, low, high, steps=300):
    """Return the root of a decreasing function between low and high."""
    for _ in range(steps):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def adversary(q, g, tau, penalty):
    """Return the minimiser p of <p, g> + D / tau, for tau in (0, inf), or q for tau = 0."""
    if tau == 0:
        return q
    tau = mp.mpf(tau)
    low = min(g)
    if penalty == "kl":
        weights = [qk * mp.exp(-tau * (gk - low)) for qk, gk in zip(q, g, strict=True)]
        total = mp.fsum(weights)
        return [w / total for w in weights]
    # p = q / (tau (g + mu)) with mu > -min g; d = tau (mu + min g) lies between q at min g and 1.
    d = mp.exp(
        bisect(
            lambda t: (
                mp.fsum(a / (mp.exp(t) + tau * (b - low)) for a, b in zip(q, g, strict=True)) - 1
            ),
            mp.log(q[g.index(low)]),
            mp.mpf(0),
        )
    )
    return [qk / (d + tau * (gk - low)) for qk, gk in zip(q, g, strict=True)]


def divergence(p, q, penalty):
    """Return KL(p || q) or KL(q || p)."""
    top, bottom = (p, q) if penalty == "kl" else (q, p)
    return mp.fsum(a * mp.log(a / b) for a, b in zip(top, bottom, strict=True) if a > 0)


def nu(x, regularizer):
    """Return the regularizer of a strategy given as numbers: sum x log x, or -sum log x."""
    if regularizer == "entropy":
        return mp.fsum(mp.mpf(a) * mp.log(a) for a in x if a > 0)
    return -mp.fsum(mp.log(a) for a in x)


def best_objective(v, eps, regularizer):
    """Return max over strategies y of <y, v> - eps nu(y), with eps > 0."""
    eps, top = mp.mpf(eps), max(v)
    if regularizer == "entropy":
        return top + eps * mp.log(mp.fsum(mp.exp((a - top) / eps) for a in v))
    n = len(v)
    t = bisect(lambda t: mp.fsum(eps / (t + top - a) for a in v) - 1, mp.mpf(0), n * eps)
    y = [eps / (t + top - a) for a in v]
    return mp.fsum(a * b for a, b in zip(y, v, strict=True)) - eps * nu(y, regularizer)


class Row(NamedTuple):
    """One player: first-order violation, regret bound, payoffs (payoff units) and adversary."""

    violation: Any
    regret: Any
    expected: Any
    adjusted: Any
    p: list[Any]


def judge(payoffs, tau, eps, penalty, regularizer, strategies):
    """Return a `Row` per player, from the definitions, for tau in [0, inf) and eps in (0, inf)."""
    shape = [len(x) for x in strategies]
    rows = []
    for i, x in enumerate(strategies):
        q, g = product_measure(strategies, i), own_average(payoffs, strategies, i)
        p = adversary(q, g, tau[i], penalty)
        v = action_values(payoffs, shape, i, p)
        cost = divergence(p, q, penalty) / mp.mpf(tau[i]) if tau[i] else mp.mpf(0)
        adjusted = mp.fsum(a * b for a, b in zip(p, g, strict=True)) + cost
        slope = [mp.log(a) if regularizer == "entropy" else -1 / mp.mpf(a) for a in x]
        c = [mp.mpf(eps[i]) * s - b for s, b in zip(slope, v, strict=True)]
        mean = mp.fsum(a * b for a, b in zip(x, c, strict=True))
        regret = (
            best_objective(v, eps[i], regularizer)
            + cost
            - (adjusted - mp.mpf(eps[i]) * nu(x, regularizer))
        )
        expected = mp.fsum(a * b for a, b in zip(q, g, strict=True))
        rows.append(Row(max(abs(a - mean) for a in c), regret, expected, adjusted, p))
    return rows


def strategies_of(log_strategies):
    """Return probabilities from log-probabilities, normalised exactly, as mpmath numbers."""
    profile = []
    for logs in log_strategies:
        weights = [mp.exp(mp.mpf(float(a))) for a in np.asarray(logs)]
        total = mp.fsum(weights)
        profile.append([w / total for w in weights])
    return profile
