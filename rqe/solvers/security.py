"""Security strategies: the best guaranteed payoff, with or without a regularizer.

A player with ``tau = inf`` maximises ``min_k g_k(x) - eps nu(x)`` over his own strategy, with
``g = U^T x`` and k over the joint actions of the others. At ``eps = 0`` that is a linear
programme (scipy's HiGHS); above, a concave programme that a proximal point method reduces to
risk-averse ones. The multipliers are the adversary that proves the value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rqe.solvers._problem import scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_ROUNDS, _STRONGEST = 60, 4096.0  # proximal steps, and their largest tau (payoff range 1)


def strategies(
    game: NormalFormGame, concept: Concept
) -> tuple[dict[int, Array], dict[int, Array] | None]:
    """Return log-strategies and adversaries of the players with tau = inf and finite eps.

    Adversaries are shaped by the others' actions, in player order; None where no player has
    tau = inf.
    """
    taus, epss = concept.tau.tolist(), concept.eps.tolist()
    if math.inf not in taus:
        return {}, None
    worst = [i for i, t in enumerate(taus) if t == math.inf and epss[i] < math.inf]
    if not worst:
        return {}, None
    known = scaled(game)
    rows, ranges = known.u.reshape(game.n_players, -1), known.ranges
    held, witnesses = {}, {}
    for i in worst:
        n = game.shape[i]
        others = game.shape[:i] + game.shape[i + 1 :]
        if ranges[i] == 0.0:
            held[i] = np.full(n, -math.log(n))
            witnesses[i] = np.full(others, 1.0 / math.prod(others))
            continue
        U = rows[i].reshape(n, -1)
        if epss[i] == 0.0:
            x, p = maximin(U)
            with np.errstate(divide="ignore"):
                held[i] = np.log(x)
        else:
            held[i], p = smoothed(U, epss[i] / ranges[i], concept.regularizer == "log_barrier")
        witnesses[i] = p.reshape(others)
    return held, witnesses


def maximin(U: Array) -> tuple[Array, Array]:
    """Return a maximin strategy of U and an adversary proving it: (n,), (m,) for U: (n, m).

    Solves ``max t`` subject to ``U^T x >= t``, x in the simplex.
    """
    from scipy.optimize import linprog

    n, m = U.shape
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.hstack([-U.T, np.ones((m, 1))]),
        b_ub=np.zeros(m),
        A_eq=np.append(np.ones(n), 0.0)[None, :],
        b_eq=[1.0],
        bounds=[(0.0, None)] * n + [(None, None)],
        method="highs",
    )
    if not found.success:  # a bounded, feasible programme: only HiGHS itself can fail
        return np.full(n, 1.0 / n), np.full(m, 1.0 / m)
    x = np.maximum(found.x[:n], 0.0)
    p = np.maximum(-found.ineqlin.marginals, 0.0)
    return x / x.sum(), p / p.sum()


def smoothed(U: Array, eps: float, barrier: bool) -> tuple[Array, Array]:
    """Return log x and the adversary p of ``max_x min_k (U^T x)_k - eps nu(x)``; U: (n, m).

    Entropic proximal point method, payoffs in [0, 1]: x answers an adversary who pays
    ``KL(. || p) / tau`` (the risk-averse programme of a player who faces p), and p becomes that
    adversary's choice. x is then the exact response to the new p, and the slack
    ``<p, g> - min g`` falls to zero, at a linear rate that improves with tau; degenerate
    constraints do no harm.

    References
    ----------
    .. [1] Teboulle, Mathematics of Operations Research 17 (1992).
    """
    from rqe._kernels.branch import follow

    n, m = U.shape
    payoffs, stacked = np.zeros(2 * n * m), np.empty(n + m)
    payoffs[: n * m] = U.ravel()
    log_p, tau = np.full(m, -math.log(m)), 16.0
    best, answer = math.inf, (_response(U.mean(axis=1), eps, barrier), np.exp(log_p))
    for _ in range(_ROUNDS):
        stacked[:n], stacked[n:] = _response(U @ np.exp(log_p), eps, barrier), log_p
        code, log_x, reached, *_ = follow(
            payoffs, np.array([n, m]), np.array([1.0 / eps, 0.0]), np.zeros(2),
            np.array([1.0, 0.0]), True, np.array([False, True]), False, barrier, stacked, 0.0, tau,
            0.0, 20_000, False, 64, 0.05,
        )  # fmt: skip
        g = U.T @ np.exp(log_x[:n])
        log_p = log_p - reached * (g - g.min())
        log_p -= math.log(float(np.exp(log_p - log_p.max()).sum())) + log_p.max()
        slack = float(np.exp(log_p) @ (g - g.min()))
        if slack < best:
            best, answer = slack, (log_x[:n], np.exp(log_p))
        if slack <= 1e-15:
            return answer
        tau = min(2.0 * tau, _STRONGEST) if code == 0 else 0.25 * tau
    return _polish(U, answer, best, eps, barrier)


def _polish(
    U: Array, answer: tuple[Array, Array], slack: float, eps: float, barrier: bool
) -> tuple[Array, Array]:
    """Return the answer, or a better one that solves the equations of its binding constraints.

    Where a constraint binds without weight, proximal steps converge slowly: the constraints of
    most weight are tried, one more at a time, and the best feasible solution is kept.
    """
    log_x, p = answer
    order = np.argsort(-p)
    for k in range(1, min(p.size, log_x.size + 2) + 1):
        binding = np.zeros(p.size, bool)
        binding[order[:k]] = p[order[:k]] > 0.0
        exact, weights = _solve_binding(U, log_x, p, binding, eps, barrier)
        if not (np.all(np.isfinite(exact)) and np.all(np.isfinite(weights))):
            continue
        g = U.T @ np.exp(exact)
        error = max(float(g[binding].max() - g.min()), -float(weights.min()))
        if error < slack:
            weights = np.maximum(weights, 0.0)
            slack, answer = error, (exact, weights / weights.sum())
    return answer


def _solve_binding(
    U: Array, log_x: Array, p: Array, binding: NDArray[np.bool_], eps: float, barrier: bool
) -> tuple[Array, Array]:
    """Newton's method on ``eps r(x) - U p = const`` and equal g on ``binding``: log x and p."""
    n, A = log_x.size, U[:, binding]
    k = A.shape[1]
    weights = p[binding] / p[binding].sum()
    system = np.zeros((n + k + 2, n + k + 2))
    system[:n, n : n + k], system[:n, n + k] = -A, 1.0
    system[n + k + 1, n : n + k] = 1.0
    system[n : n + k, n + k + 1] = -1.0
    for _ in range(30):
        x = np.exp(log_x)
        r = -eps / x if barrier else eps * log_x
        system[range(n), range(n)] = eps / x if barrier else eps
        system[n : n + k, :n] = A.T * x
        system[n + k, :n] = x
        rhs = np.concatenate([A @ weights - r, -(A.T @ x), [0.0], [1.0 - weights.sum()]])
        rows = np.abs(system).max(axis=1)
        step = np.linalg.lstsq(system / rows[:, None], rhs / rows, rcond=1e-15)[0]
        log_x = np.maximum(log_x + step[:n], -600.0 if barrier else -1e8)
        top = float(log_x.max())
        log_x = log_x - (top + math.log(float(np.exp(log_x - top).sum())))
        weights = weights + step[n : n + k]
        length = math.sqrt(float(x @ step[:n] ** 2))
        if not 1e-13 < length < 1.0:
            break
    p = np.zeros(p.size)
    p[binding] = weights
    return log_x, p


def _response(v: Array, eps: float, barrier: bool) -> Array:
    """Return the log of the regularised best response to payoffs v: (n,)."""
    if barrier:
        low, high = float(v.max()) + eps / v.size, float(v.max()) + eps * v.size
        for _ in range(200):  # sum eps / (mu - v) = 1 has one root above max v
            mu = 0.5 * (low + high)
            if float((eps / (mu - v)).sum()) > 1.0:
                low = mu
            else:
                high = mu
        logits = np.log(eps / (high - v))
    else:
        logits = v / eps
    top = float(logits.max())
    answer: Array = logits - (top + math.log(float(np.exp(logits - top).sum())))
    return answer
