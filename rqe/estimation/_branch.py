"""Continuation of a chosen equilibrium to other parameters, along the branch that it lies on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rqe._sensitivity import linearise
from rqe.estimation._model import reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.solution import Solution

    Array = NDArray[np.float64]

_SHORTEST = 1e-3  # of the way: a branch that needs shorter steps is taken to end
_FAR = 0.05  # Fisher length by which the corrector may move the predictor's point


def follow(anchor: Solution, tau: list[float], eps: list[float]) -> Solution:
    """Return the equilibrium at tau and eps on the branch of the anchor.

    tau and lam = 1/eps go straight from the anchor's values to the target's, in Euler steps that
    Newton's method corrects; a correction that is too long could have changed branches, and halves
    the step. A branch that turns back before the target has no point there.
    """
    from rqe.estimation._predict import PredictionError

    if min(eps) == 0.0 or math.inf in tau:
        raise PredictionError("a chosen branch is followed to positive eps and finite tau only")
    begin = np.array([anchor.tau, 1.0 / anchor.eps])
    way = np.array([tau, [1.0 / e for e in eps]]) - begin  # 1 / inf is 0
    here, done, step = anchor, 0.0, 1.0
    if not way.any():
        return anchor
    while done < 1.0:
        step = min(step, 1.0 - done)
        there = _next(here, begin + (done + step) * way, step * way)
        if there is None:
            step *= 0.5
            if step < _SHORTEST:
                raise PredictionError("the chosen branch ends before these parameters")
            continue
        here, done, step = there, done + step, 2.0 * step
    return here


def nearest(known: list[Solution], tau: list[float], eps: list[float]) -> Solution:
    """Return the solution whose tau and lam are closest, relative to the payoffs' unit."""

    def distance(solution: Solution) -> float:
        """Return how far the target is, in tau and 1/eps of unit payoffs."""
        unit = float(solution.game.payoff_range.max()) or 1.0
        lam = np.array([reciprocal(e) for e in eps])
        here = np.abs(solution.tau - tau).max() + np.abs(1.0 / solution.eps - lam).max()
        return unit * float(here)

    return min(known, key=distance)


def _next(here: Solution, target: Array, move: Array) -> Solution | None:
    """Return the solution at target = (tau, lam), or None if the step was too long."""
    from rqe.solve import solve

    concept = here.concept
    system = linearise(
        here.game.payoffs[None], [log_x[None] for log_x in here.log_strategies],
        here.tau[None], (1.0 / here.eps)[None],
        reverse=concept.penalty == "reverse_kl", barrier=concept.regularizer == "log_barrier",
    )  # fmt: skip
    try:
        slope = np.linalg.solve(system.matrix[0], system.by_tau[0] @ move[0]
                                + system.by_lam[0] @ move[1])  # fmt: skip
    except np.linalg.LinAlgError:
        return None
    log_x = np.concatenate(here.log_strategies)
    length = math.sqrt(float(np.exp(log_x) @ np.minimum(np.abs(slope), 1e3) ** 2))
    if not length <= 0.5:
        return None
    parts = np.split(log_x + slope, np.cumsum(here.game.shape)[:-1])
    guess = [np.maximum(np.exp(part - part.max()), 1e-300) for part in parts]
    guess = [x / x.sum() for x in guess]
    eps = [reciprocal(lam) for lam in target[1].tolist()]
    found = solve(
        here.game, target[0], eps, start=guess, throw=False,
        penalty=concept.penalty, regularizer=concept.regularizer,
    )  # fmt: skip
    gap = math.sqrt(
        sum(
            float(((np.sqrt(x) - np.sqrt(y)) ** 2).sum())
            for x, y in zip(found.strategies, guess, strict=True)
        )
    )
    return found if found.converged and 2.0 * gap <= _FAR else None
