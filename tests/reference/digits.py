"""Equilibria to 50 digits: Newton's method in mpmath on the definitions in `formulas`."""

from __future__ import annotations

import mpmath as mp  # type: ignore[import-untyped]

from tests.reference import formulas


def strategies(z, shape):
    """Return strategies from logits relative to each player's first action."""
    profile, position = [], 0
    for n in shape:
        odds = [mp.mpf(1), *(mp.exp(v) for v in z[position : position + n - 1])]
        total = mp.fsum(odds)
        profile.append([o / total for o in odds])
        position += n - 1
    return profile


def defects(z, payoffs, tau, eps, penalty, regularizer):
    """Return the first-order conditions relative to the first actions; 0 at an equilibrium."""
    shape = payoffs.shape[1:]
    profile = strategies(z, shape)
    rows = []
    for i, x in enumerate(profile):
        q = formulas.product_measure(profile, i)
        g = formulas.own_average(payoffs, profile, i)
        p = formulas.adversary(q, g, mp.mpf(float(tau[i])), penalty) if tau[i] else q
        v = formulas.action_values(payoffs, shape, i, p)
        slope = [mp.log(a) if regularizer == "entropy" else -1 / a for a in x]
        e = mp.mpf(float(eps[i]))
        rows += [e * (slope[a] - slope[0]) - (v[a] - v[0]) for a in range(1, len(x))]
    return rows


def refine(solution, digits=50):
    """Return the strategies of the equilibrium next to a solution, as lists of mpf."""
    concept, payoffs = solution.concept, solution.game.payoffs
    start = [
        mp.mpf(float(value)) - mp.mpf(float(log_x[0]))
        for log_x in solution.log_strategies
        for value in log_x[1:]
    ]

    def function(*z):
        return defects(z, payoffs, concept.tau, concept.eps, concept.penalty, concept.regularizer)

    found = mp.findroot(function, start, solver="mdnewton", tol=mp.mpf(10) ** (-2 * digits))
    return strategies(list(found), payoffs.shape[1:])
