r"""The equilibrium equations in free logits, with their derivatives, in plain numpy.

Player i's strategy is ``x_i = softmax(B_i theta_i)`` with the columns of B_i an orthonormal basis
of the vectors that sum to 0. With v_i the payoffs under the adversary's p_i,

.. math:: F_i = B_i^T (r(x_i) - \lambda_i v_i), \qquad r = \log x \text{ or } -1/x ,

and with w = 1 for the penalty KL(p || q), w = p / q for KL(q || p), and s = <p, w>,

.. math:: dp = (\mathrm{diag}(p) - p w p^T / s) \, d\log q
               - \tau (\mathrm{diag}(p w) - p w (p w)^T / s) \, dg .

Players with eps = inf are uniform and have no unknowns. Dense: meant for small games.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rqe.bifurcation._family import Family, Setting

    Array = NDArray[np.float64]

MOST_UNKNOWNS = 400
_ROOT_STEPS = 200


class System:
    """The equations of one family of games.

    Parameters
    ----------
    family : Family
        Game and concept as functions of mu.

    Raises
    ------
    ValueError
        If tau = inf or eps = 0 occurs, or the game is too large for dense linear algebra.
    """

    def __init__(self, family: Family) -> None:
        shape = family.game.shape
        if not np.isfinite(family.concept.tau).all():
            raise ValueError(
                "tau must be finite for every player where branches are followed this way; got "
                f"{family.concept.tau.tolist()}"
            )
        self.family, self.shape = family, shape
        uniform = ~np.isfinite(family.concept.eps)
        self.bases = [_basis(n, bool(u)) for n, u in zip(shape, uniform, strict=True)]
        ends = np.cumsum([0, *(basis.shape[1] for basis in self.bases)]).tolist()
        self.parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.size = int(ends[-1])
        if self.size > MOST_UNKNOWNS:
            raise ValueError(
                f"the game has {self.size} free probabilities; bifurcations are looked for in "
                f"games of at most {MOST_UNKNOWNS}. rqe.trace without a window follows larger ones"
            )
        self.reverse = family.concept.penalty == "reverse_kl"
        self.barrier = family.concept.regularizer == "log_barrier"

    def theta(self, logs: Sequence[Array]) -> Array:
        """Return the unknowns of a profile of log-probabilities; log 0 becomes log 1e-300."""
        parts = [
            basis.T @ np.maximum(log_x, -690.0)
            for basis, log_x in zip(self.bases, logs, strict=True)
        ]
        return np.concatenate(parts)

    def logs(self, theta: Array) -> list[Array]:
        """Return normalised log-probabilities, one array per player."""
        found = []
        for basis, part in zip(self.bases, self.parts, strict=True):
            z = basis @ theta[part]
            z = z - z.max() if z.size else z
            found.append(z - math.log(np.exp(z).sum()))
        return found

    def point(self, theta: Array, mu: float) -> Point:
        """Return everything at one point, computed when asked for."""
        return Point(self, theta, mu)


@dataclass(frozen=True)
class _Reply:
    """One player's adversary: p, p w, s = <p, w>, values v, own averages g, and the table."""

    table: Array
    p: Array
    pw: Array
    s: float
    v: Array
    g: Array


class Point:
    """Equations and derivatives at one (theta, mu)."""

    def __init__(self, system: System, theta: Array, mu: float) -> None:
        self.system, self.theta, self.mu = system, theta, mu

    @cached_property
    def setting(self) -> Setting:
        """Payoffs, tau, lam and their derivatives."""
        return self.system.family.setting(self.mu)

    @cached_property
    def logs(self) -> list[Array]:
        """Log-probabilities."""
        return self.system.logs(self.theta)

    @cached_property
    def x(self) -> list[Array]:
        """Probabilities."""
        return [np.exp(log_x) for log_x in self.logs]

    @cached_property
    def moves(self) -> list[Array]:
        """Per player d log x / d theta: (n_i, free_i)."""
        pairs = zip(self.system.bases, self.x, strict=True)
        return [basis - x @ basis for basis, x in pairs]

    @cached_property
    def replies(self) -> list[_Reply]:
        """Every player's adversary."""
        return [self._reply(i) for i in range(len(self.x))]

    def _reply(self, i: int) -> _Reply:
        """Return player i's adversary at this point."""
        table = _own_first(self.setting.payoffs[i], i)
        log_q = np.zeros(1)
        for j, log_x in enumerate(self.logs):
            if j != i:
                log_q = (log_q[:, None] + log_x).ravel()
        g, tau = self.x[i] @ table, float(self.setting.tau[i])
        if self.system.reverse and tau > 0.0:
            p, w = _reverse(np.exp(log_q), tau * (g - g.min()))
            pw, s = p * w, float(p @ w)
        else:
            tilt = log_q - tau * (g - g.min())
            p = np.exp(tilt - tilt.max())
            p /= p.sum()
            pw, s = p, 1.0
        return _Reply(table, p, pw, s, table @ p, g)

    @cached_property
    def residual(self) -> Array:
        """Residual of the equations: (size,)."""
        rows = []
        for i, (basis, part) in enumerate(zip(self.system.bases, self.system.parts, strict=True)):
            pull = float(self.setting.lam[i]) * self.replies[i].v
            own = -(basis.T @ np.exp(-self.logs[i])) if self.system.barrier else self.theta[part]
            rows.append(own - basis.T @ pull)
        return np.concatenate(rows)

    @cached_property
    def jacobian(self) -> Array:
        """Derivative of F in theta: (size, size)."""
        system, jacobian = self.system, np.zeros((self.system.size, self.system.size))
        for i, (rows, basis) in enumerate(zip(system.parts, system.bases, strict=True)):
            if not basis.shape[1]:
                continue
            project = -float(self.setting.lam[i]) * basis.T
            for j, columns in enumerate(system.parts):
                if j == i:
                    jacobian[rows, rows] = self._own(i, basis) + project @ self._self_risk(i)
                else:
                    jacobian[rows, columns] = project @ self._cross(i, j) @ self.moves[j]
        return jacobian

    def _own(self, i: int, basis: Array) -> Array:
        """Return the derivative of B' r(x_i)."""
        if not self.system.barrier:
            return np.eye(basis.shape[1])
        slope: Array = basis.T @ (np.exp(-self.logs[i])[:, None] * self.moves[i])
        return slope

    def _self_risk(self, i: int) -> Array:
        """Return d v_i / d theta_i, by way of the adversary's view of the own strategy."""
        reply, tau = self.replies[i], float(self.setting.tau[i])
        if tau == 0.0:
            return np.zeros_like(self.moves[i])
        weighed = reply.table * reply.pw
        mean = weighed.sum(axis=1)
        spread = weighed @ reply.table.T - np.outer(mean, mean) / reply.s
        moved: Array = -tau * spread @ (self.x[i][:, None] * self.moves[i])
        return moved

    def _cross(self, i: int, j: int) -> Array:
        """Return d v_i / d log x_j: (n_i, n_j)."""
        reply, shape = self.replies[i], self.system.shape
        sizes = [n for k, n in enumerate(shape) if k != i]
        axis = 1 + (j if j < i else j - 1)
        summed = tuple(k for k in range(1, len(shape)) if k != axis)
        joint = (reply.table * reply.p).reshape(shape[i], *sizes).sum(axis=summed)
        margin = reply.p.reshape(1, *sizes).sum(axis=summed)[0]
        found: Array = joint - np.outer(reply.table @ reply.pw, margin) / reply.s
        return found

    @cached_property
    def rate(self) -> Array:
        """Derivative of F in mu: (size,)."""
        rows, known = [], self.setting
        for i, basis in enumerate(self.system.bases):
            reply, tau = self.replies[i], float(known.tau[i])
            moved = float(known.d_lam[i]) * reply.v
            change = np.zeros_like(reply.g)
            if known.d_payoffs is not None:
                table = _own_first(known.d_payoffs[i], i)
                moved = moved + float(known.lam[i]) * (table @ reply.p)
                change = tau * (self.x[i] @ table)
            change = change + float(known.d_tau[i]) * reply.g
            if change.any():
                spread = reply.pw * (change - float(reply.pw @ change) / reply.s)
                moved = moved - float(known.lam[i]) * (reply.table @ spread)
            rows.append(-(basis.T @ moved))
        return np.concatenate(rows)

    @cached_property
    def own(self) -> Array:
        """The diagonal blocks of J, one per player: what the own best response inverts."""
        blocks = np.zeros_like(self.jacobian)
        for part in self.system.parts:
            blocks[part, part] = self.jacobian[part, part]
        return blocks

    @cached_property
    def response(self) -> Array:
        """``I - dBR``, the derivative of profile minus best response, in the free logits."""
        return solved(self.own, self.jacobian) if self.system.size else self.jacobian

    def length(self, step: Array) -> float:
        """Return Fisher's length of a step in theta: ``sqrt(sum x (d log x)^2)``."""
        total = 0.0
        for x, move, part in zip(self.x, self.moves, self.system.parts, strict=True):
            total += float(x @ np.square(move @ step[part]))
        return math.sqrt(total)

    def lower(self, step: Array) -> Array:
        """Return the row whose product with another step is Fisher's inner product with this."""
        rows = [
            move.T @ (x * (move @ step[part]))
            for x, move, part in zip(self.x, self.moves, self.system.parts, strict=True)
        ]
        return np.asarray(np.concatenate(rows), dtype=np.float64)


def solved(matrix: Array, right: Array) -> Array:
    """Return the solution of a linear system.

    Raises
    ------
    LinAlgError
        If the matrix is singular to rounding.
    """
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _own_first(table: Array, i: int) -> Array:
    """Return player i's payoffs as (n_i, joint actions of the others), one of them subtracted."""
    own = np.moveaxis(table, i, 0)
    flat = own.reshape(own.shape[0], -1)
    relative: Array = flat - flat[0, 0]
    return relative


def _basis(n: int, fixed: bool) -> Array:
    """Return orthonormal columns that sum to 0 (Helmert's): (n, n - 1), or none if fixed."""
    basis = np.zeros((n, 0 if fixed else n - 1))
    for k in range(basis.shape[1]):
        basis[: k + 1, k] = 1.0
        basis[k + 1, k] = -(k + 1.0)
        basis[:, k] /= math.sqrt((k + 1.0) * (k + 2.0))
    return basis


def _reverse(q: Array, gap: Array) -> tuple[Array, Array]:
    """Return p = q w and w = 1 / (d + gap), with d the root of ``sum q / (d + gap) = 1``.

    The sum is convex and falls in d: Newton's method rises to the root from below.
    """
    d = max(float((q - gap).max()), 1e-300)
    for _ in range(_ROOT_STEPS):
        p = q / (d + gap)
        step = (float(p.sum()) - 1.0) / float((p / (d + gap)).sum())
        if not step > 1e-16 * d:
            break
        d += step
    w = 1.0 / (d + gap)
    p = q * w
    return p / p.sum(), w
