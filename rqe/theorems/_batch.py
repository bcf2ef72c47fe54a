"""Many small collaborative games at once: symmetric reward R, common cost c, one tau, one eps.

Newton's method for all of them in plain numpy, so that a search can afford 100 000 games. What it
finds is a candidate; a counterexample is only reported after `rqe.solve` and the independent
check have confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SOLVED = 1e-9
"""Largest violation of the equilibrium equations, in logits, of a game that counts."""

ASYMMETRIC = 1e-3
"""Total variation from which two strategies count as different: rounding errors near a pitchfork,
where the equations are flat to third order, are smaller."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B games of n actions with a profile each.

    Attributes
    ----------
    reward : ndarray, shape (B, n, n)
        Symmetric shared rewards.
    cost : ndarray, shape (B, n)
        Private costs, the same for both players.
    tau, eps : ndarray, shape (B,)
    log_x : ndarray, shape (B, 2, n)
        Normalised log-strategies.
    """

    reward: Array
    cost: Array
    tau: Array
    eps: Array
    log_x: Array

    def __len__(self) -> int:
        return len(self.tau)

    def pick(self, index: Any) -> Batch:
        """Return the games of an index or mask."""
        return Batch(*(getattr(self, f.name)[index] for f in fields(self)))

    def with_profiles(self, log_x: Array) -> Batch:
        """Return the same games with other profiles."""
        return Batch(self.reward, self.cost, self.tau, self.eps, log_x)

    @property
    def distance(self) -> Array:
        """Total variation between the two strategies, shape (B,)."""
        x = np.exp(self.log_x)
        distance: Array = 0.5 * np.abs(x[:, 0] - x[:, 1]).sum(-1)
        return distance

    @property
    def degree(self) -> Array:
        """Degree of free-riding |<c, x_1 - x_2>|, shape (B,)."""
        x = np.exp(self.log_x)
        degree: Array = np.abs((self.cost * (x[:, 0] - x[:, 1])).sum(-1))
        return degree


def join(batches: list[Batch]) -> Batch:
    """Return games of one size in one batch."""
    return Batch(*(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(Batch)))


def normalised(log_x: Array) -> Array:
    """Return logits as log-probabilities, over the last axis."""
    shifted = log_x - log_x.max(-1, keepdims=True)
    out: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return out


def adversaries(batch: Batch) -> Array:
    """Return log p_i = log x_-i - tau R x_i, normalised: (B, 2, n)."""
    fear = batch.tau[:, None, None] * (np.exp(batch.log_x) @ batch.reward)
    return normalised(batch.log_x[:, ::-1] - fear)


def defect(batch: Batch) -> Array:
    """Return log x_i - (R p_i - c) / eps, centred: (B, 2, n), zero at an equilibrium."""
    values = np.exp(adversaries(batch)) @ batch.reward - batch.cost[:, None]
    out = batch.log_x - values / batch.eps[:, None, None]
    out -= out.mean(-1, keepdims=True)
    return out


def solved(batch: Batch) -> NDArray[np.bool_]:
    """Return which profiles are equilibria within `SOLVED`."""
    ok: NDArray[np.bool_] = np.abs(defect(batch)).max((1, 2)) <= SOLVED
    return ok


def newton(batch: Batch, max_steps: int = 60, max_length: float = 0.5) -> Batch:
    """Return the profiles at which Newton's method from the given ones ends; see `solved`.

    A step longer than `max_length` in Fisher's metric is shortened to it. A step costs one dense
    system of 2 n unknowns per game.
    """
    log_x = batch.log_x.copy()
    active = np.arange(len(batch))
    with np.errstate(all="ignore"):  # lost games end as NaN, which `solved` refuses
        for _ in range(max_steps):
            now = batch.pick(active).with_profiles(log_x[active])
            violation = defect(now)
            going = np.abs(violation).max((1, 2)) > 0.01 * SOLVED
            active, now, violation = active[going], now.pick(going), violation[going]
            if not len(active):
                break
            step = _step(now, violation)
            x = np.exp(now.log_x)
            step -= (x * step).sum(-1, keepdims=True)
            length = np.sqrt((x * step * step).sum((1, 2)))
            share = np.minimum(1.0, max_length / np.maximum(length, 1e-300))
            log_x[active] = normalised(now.log_x + share[:, None, None] * step)
    return batch.with_profiles(log_x)


def _step(batch: Batch, violation: Array) -> Array:
    """Solve the linearised equations for the step in logits: (B, 2, n)."""
    count, _, n = violation.shape
    centre = np.eye(n) - 1.0 / n
    reward, tau = batch.reward[:, None], batch.tau[:, None, None, None]
    cross = centre @ reward @ _covariance(np.exp(adversaries(batch)))
    cross /= batch.eps[:, None, None, None]
    own = np.eye(n) + tau * (cross @ reward @ _covariance(np.exp(batch.log_x)))
    system = np.empty((count, 2 * n, 2 * n))
    system[:, :n, :n], system[:, n:, n:] = own[:, 0], own[:, 1]
    system[:, :n, n:], system[:, n:, :n] = -cross[:, 0], -cross[:, 1]
    lost = ~np.isfinite(system).all((1, 2))
    system[lost] = np.eye(2 * n)
    try:
        step: Any = np.linalg.solve(system, -violation.reshape(count, 2 * n, 1))
    except np.linalg.LinAlgError:  # one singular game must not stop the others
        step = -np.linalg.pinv(system) @ violation.reshape(count, 2 * n, 1)
    step = step.reshape(count, 2, n)
    step[lost] = np.nan
    out: Array = step
    return out


def _covariance(p: Array) -> Array:
    """diag(p) - p p' over the last axis."""
    out: Array = p[..., None] * (np.eye(p.shape[-1]) - p[..., None, :])
    return out
