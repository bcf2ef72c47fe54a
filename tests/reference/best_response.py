"""One player's best response as a concave programme, by solvers that know nothing of ours."""

from __future__ import annotations

import importlib
import itertools
import math
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import logsumexp


def tables(payoffs, strategies, i):
    """Return U_i with own actions as rows and joint actions of the others as columns, and q_i."""
    shape = [len(x) for x in strategies]
    rest = [j for j in range(len(shape)) if j != i]
    joints = list(itertools.product(*(range(shape[j]) for j in rest)))
    U = np.empty((shape[i], len(joints)))
    q = np.empty(len(joints))
    for k, joint in enumerate(joints):
        q[k] = math.prod(strategies[j][a] for j, a in zip(rest, joint, strict=True))
        for own in range(shape[i]):
            full = list(joint)
            full.insert(i, own)
            U[own, k] = payoffs[i][tuple(full)]
    return U, q


def risk_adjusted(g, q, tau, penalty):
    """Return min_p <p, g> + D / tau."""
    if tau == math.inf:
        return float(g.min())
    if tau == 0:
        return float(q @ g)
    if penalty == "kl":
        return float(-logsumexp(-tau * g, b=q) / tau)
    low = float(g.min())

    def surplus(log_d):
        return float((q / (math.exp(log_d) + tau * (g - low))).sum()) - 1.0

    floor = math.log(float(q[g.argmin()]))
    d = math.exp(brentq(surplus, floor, 1e-12, xtol=1e-15, rtol=1e-15)) if surplus(floor) > 0 else 1
    p = q / (d + tau * (g - low))
    return float(p @ g + q @ np.log(q / p) / tau)


def regularizer_of(x, regularizer):
    """Return sum x log x or -sum log x."""
    if regularizer == "log_barrier":
        return -float(np.log(x).sum())
    return float(sum(a * math.log(a) for a in x if a > 0))


def objective(U, q, x, tau, eps, penalty, regularizer):
    """Return U_i^{tau,eps} at the own strategy x."""
    value = risk_adjusted(x @ U, q, tau, penalty)
    return value - eps * regularizer_of(x, regularizer) if eps else value


def improvement(payoffs, strategies, i, tau, eps, penalty, regularizer):
    """Return what player i gains by a best response found by scipy (SLSQP), for tau < inf."""
    U, q = tables(payoffs, strategies, i)
    n = len(U)
    here = objective(U, q, np.asarray(strategies[i]), tau, eps, penalty, regularizer)
    best = here
    for start in (np.full(n, 1 / n), np.asarray(strategies[i]), *(0.9 * np.eye(n) + 0.1 / n)):
        found = minimize(
            lambda y: -objective(U, q, y / y.sum(), tau, eps, penalty, regularizer),
            start,
            bounds=[(1e-9, 1.0)] * n,
            constraints={"type": "eq", "fun": lambda y: y.sum() - 1.0},
            method="SLSQP",
            options={"ftol": 1e-13, "maxiter": 300},
        )
        best = max(best, -float(found.fun))
    return best - here


def improvement_by_cvxpy(payoffs, strategies, i, tau, eps, penalty, regularizer):
    """Return the same by a conic solver, for any tau; needs cvxpy."""
    cp: Any = importlib.import_module("cvxpy")
    U, q = tables(payoffs, strategies, i)
    x = cp.Variable(len(U), nonneg=True)
    g = U.T @ x
    if tau == 0:
        value = q @ g
    elif tau == math.inf:
        value = cp.min(g)
    elif penalty == "kl":
        value = -cp.log_sum_exp(np.log(q) - tau * g) / tau
    else:  # the dual of the adversary's programme, p = q / (tau (g + mu))
        mu = cp.Variable()
        value = 1 / tau - mu + (q @ cp.log(g + mu) + math.log(tau)) / tau
    if eps:
        value += eps * cp.sum(cp.entr(x) if regularizer == "entropy" else cp.log(x))
    programme = cp.Problem(cp.Maximize(value), [cp.sum(x) == 1])
    best = float(programme.solve(solver=cp.CLARABEL))
    here = objective(U, q, np.asarray(strategies[i]), tau, eps, penalty, regularizer)
    return best - here
