"""A neutral referee for the principal branch: plain numpy, many small steps, no shortcuts.

The branch of equilibria with a common ``eps = 1/lam`` solves, for every player i,

    w_i = lam * (v_i(x) - mean v_i(x)),    x_i = softmax(w_i),    v_i = U_i p_i,
    p_i(a_-i) proportional to prod_j x_j(a_j) * exp(-tau_i * (U_i' x_i)(a_-i)).

It starts at ``w = 0, lam = 0`` (the centroid) and is followed by pseudo-arclength continuation in
``(w, lam * range)``, where one unit of length is one unit of log-probability: a step far below 1
cannot pass over a feature of the softmax unseen. Every step is checked three ways (Newton moves
little, the tangent turns little, the orientation of the curve is kept), and halved otherwise.
Slow on purpose, and shares no code with the library.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class RefereeError(RuntimeError):
    """The referee could not follow the branch within its own rules."""


@dataclass(frozen=True)
class Verdict:
    """The point of the principal branch at its first arrival at ``lam``.

    Attributes
    ----------
    strategies : tuple of ndarray
        One distribution per player, shape ``(n_i,)``.
    turns : int
        Folds in lam passed on the way.
    steps : int
        Accepted continuation steps.
    """

    strategies: tuple[Array, ...]
    turns: int
    steps: int


class BranchEquations:
    """The equations above and their Jacobian for one game at one ``tau`` per player."""

    def __init__(self, payoffs: Array, tau: float | Array = 0.0) -> None:
        u = np.asarray(payoffs, dtype=float)
        self.shape = u.shape[1:]
        n_players = len(self.shape)
        self.scale = float(max(np.ptp(u[i]) for i in range(n_players))) or 1.0
        self.tau = np.broadcast_to(np.asarray(tau, float), (n_players,)) * self.scale
        ends = np.cumsum((0, *self.shape))
        self.slices = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.size = int(ends[-1])
        self.tables, self.indicators = [], []
        for i in range(n_players):
            own_first = np.moveaxis((u[i] - u[i].min()) / self.scale, i, 0)
            self.tables.append(np.ascontiguousarray(own_first.reshape(self.shape[i], -1)))
            self.indicators.append(self._indicator(i))

    def _indicator(self, i: int) -> Array:
        """Matrix (joint actions of the others, all actions): 1 where the action is played."""
        others = [j for j in range(len(self.shape)) if j != i]
        grid = np.indices([self.shape[j] for j in others]).reshape(len(others), -1)
        out = np.zeros((grid.shape[1], self.size))
        for row, j in enumerate(others):
            out[np.arange(grid.shape[1]), self.slices[j].start + grid[row]] = 1.0
        return out

    def log_strategies(self, w: Array) -> Array:
        """Normalised log-probabilities of all players, shape (size,)."""
        out = np.empty_like(w)
        for s in self.slices:
            top = w[s].max()
            out[s] = w[s] - top - np.log(np.exp(w[s] - top).sum())
        return out

    def values(self, w: Array) -> tuple[Array, Array]:
        """Centred ``v`` (size,) and its derivative in ``w`` (size, size)."""
        log_x = self.log_strategies(w)
        x = np.exp(log_x)
        v, dv = np.empty(self.size), np.zeros((self.size, self.size))
        for i, s in enumerate(self.slices):
            table = self.tables[i]
            log_p = self.indicators[i] @ log_x - self.tau[i] * (x[s] @ table)
            p = np.exp(log_p - log_p.max())
            p /= p.sum()
            v[s] = table @ p
            cov = table * p - np.outer(v[s], p)
            dv[s] = cov @ self.indicators[i]
            if self.tau[i] > 0.0:
                curve = cov @ table.T
                dv[s, s] = -self.tau[i] * (curve * x[s] - np.outer(curve @ x[s], x[s]))
            v[s] -= v[s].mean()
            dv[s] -= dv[s].mean(axis=0)
        return v, dv

    def split(self, w: Array) -> tuple[Array, ...]:
        """Strategies of each player."""
        x = np.exp(self.log_strategies(w))
        return tuple(x[s] for s in self.slices)


def _bordered(eq: BranchEquations, y: Array, row: Array) -> tuple[Array, Array]:
    """Residual (size,) and bordered Jacobian (size + 1, size + 1) at ``y = (w, lam * scale)``."""
    v, dv = eq.values(y[:-1])
    jac = np.empty((eq.size + 1, eq.size + 1))
    jac[:-1, :-1] = np.eye(eq.size) - y[-1] * dv
    jac[:-1, -1] = -v
    jac[-1] = row
    return y[:-1] - y[-1] * v, jac


def _correct(eq: BranchEquations, guess: Array, row: Array, reach: float) -> Array | None:
    """Newton on the branch and the hyperplane ``row . (y - guess) = 0``; None where it strays."""
    y = guess.copy()
    for _ in range(8):
        res, jac = _bordered(eq, y, row)
        try:
            move = np.linalg.solve(jac, np.append(-res, -row @ (y - guess)))
        except np.linalg.LinAlgError:
            return None
        y = y + move
        if not np.linalg.norm(y - guess) <= reach:
            return None
        if np.abs(move).max() <= 1e-11 * (1.0 + np.abs(y).max()):
            return y
    return None


def _tangent(eq: BranchEquations, y: Array, row: Array) -> tuple[Array, float]:
    """Unit tangent, oriented along ``row``, and the sign of the bordered determinant."""
    _, jac = _bordered(eq, y, row)
    unit = np.zeros(eq.size + 1)
    unit[-1] = 1.0
    t: Array = np.linalg.solve(jac, unit).astype(np.float64)
    t /= np.sqrt(t @ t)
    jac[-1] = t
    return t, float(np.linalg.slogdet(jac)[0])


def _settle(eq: BranchEquations, y: Array, t: Array, target: float, step: float) -> Array | None:
    """Newton at fixed ``lam`` from a point whose tangent crosses it within one step."""
    row = np.zeros(eq.size + 1)
    row[-1] = 1.0
    guess = y + t * ((target - y[-1]) / t[-1])
    guess[-1] = target
    return _correct(eq, guess, row, 0.5 * step)


def principal_branch(
    payoffs: Array,
    lam: float,
    tau: float | Array = 0.0,
    *,
    step: float = 0.1,
    max_steps: int = 400_000,
) -> Verdict:
    """Return the point where the principal branch first arrives at ``lam``.

    Parameters
    ----------
    payoffs : ndarray
        Shape ``(N, n_1, ..., n_N)``.
    lam : float
        Logit precision ``1/eps``, unit 1/payoff, positive.
    tau : float or ndarray, optional
        Risk aversion, unit 1/payoff, one value or one per player; 0 is logit QRE.
    step : float, optional
        Largest step, in log-probability. It is halved, never raised, where the branch bends.
    max_steps : int, optional
        Trial steps before it gives up.

    Raises
    ------
    RefereeError
        Where the branch bifurcates or bends faster than steps of 1e-9 can follow.

    Notes
    -----
    Cost: about ``lam * range / step`` dense solves. No guarantee at exact bifurcations.
    """
    eq = BranchEquations(payoffs, tau)
    target = lam * eq.scale
    y, row = np.zeros(eq.size + 1), np.zeros(eq.size + 1)
    row[-1] = 1.0
    t, side = _tangent(eq, y, row)
    h, turns, steps = step, 0, 0
    for _ in range(max_steps):
        accepted = _try_step(eq, y, t, side, h, target)
        if accepted is None:
            h *= 0.5
            if h < 1e-9:
                raise RefereeError(f"no step of 1e-9 is acceptable at lam = {y[-1] / eq.scale:.6g}")
            continue
        new, t_new = accepted
        if new[-1] >= target:
            final = _settle(eq, y, t, target, h)
            if final is not None:
                return Verdict(eq.split(final[:-1]), turns, steps)
            h *= 0.5
            continue
        turns += int(t_new[-1] * t[-1] < 0.0)
        y, t, h, steps = new, t_new, min(1.4 * h, step), steps + 1
    raise RefereeError(f"max_steps = {max_steps} reached at lam = {y[-1] / eq.scale:.6g}")


def _try_step(
    eq: BranchEquations, y: Array, t: Array, side: float, h: float, target: float
) -> tuple[Array, Array] | None:
    """Next point and its tangent, or None where the step breaks one of the three rules."""
    new = _correct(eq, y + h * t, t, 0.1 * h)
    if new is None:
        return None
    t_new, side_new = _tangent(eq, new, t)
    if t_new @ t < 0.995 or side_new != side or _may_skip(y, new, t, t_new, target, h):
        return None
    return new, t_new


def _may_skip(y: Array, new: Array, t: Array, t_new: Array, target: float, h: float) -> bool:
    """Whether lam turned back within this step so near the target that it may have crossed it."""
    turned = t[-1] > 0.0 > t_new[-1]
    return bool(turned and new[-1] < target <= max(y[-1], new[-1]) + h * t[-1] and h > 1e-6)
