"""Continuation of a chosen equilibrium to other parameters, along the branch that it lies on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rqe._sensitivity import System, linearise
from rqe.estimation._model import reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.solution import Solution

    Array = NDArray[np.float64]

_SHORTEST = 1e-4  # of the longest step: a branch that needs shorter ones is taken to end
_PACE = 0.25  # longest step: relative change of tau and lam
_OFF = 0.1  # by how much the corrector may move log-probabilities, absolutely and of the step
_RARE = math.log(1e-9)  # log-probabilities below are not looked at


def follow(anchor: Solution, tau: list[float], eps: list[float]) -> Solution:
    """Return the equilibrium at tau and eps on the branch of the anchor.

    tau and lam = 1/eps go straight from the anchor's values to the target's, in Euler steps that
    Newton's method corrects. A correction that is too long, or turns the sign of the Jacobian's
    determinant, could have changed branches, and halves the step. A branch that turns back before
    the target has no point there.
    """
    from rqe.estimation._predict import PredictionError

    if min(eps) == 0.0 or math.inf in tau:
        raise PredictionError("a chosen branch is followed to positive eps and finite tau only")
    unit = float(anchor.game.payoff_range.max()) or 1.0
    here, place = anchor, np.array([anchor.tau, 1.0 / anchor.eps])  # 1 / inf is 0
    target = np.array([tau, [reciprocal(e) for e in eps]])
    share = 1.0
    while (place != target).any():
        way = target - place
        pace = float((np.abs(way) / (_PACE * (place + 0.2 / unit))).max())
        step = share / max(pace, share)
        there = _next(here, place + step * way if step < 1.0 else target, step * way)
        if there is None:
            share *= 0.5
            if share < _SHORTEST:
                raise PredictionError("the chosen branch ends before these parameters")
            continue
        here, place = there, place + step * way if step < 1.0 else target
        share = min(2.0 * share, 1.0)
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

    before = _system(here)
    try:
        slope = np.linalg.solve(
            before.matrix[0], before.by_tau[0] @ move[0] + before.by_lam[0] @ move[1]
        )
    except np.linalg.LinAlgError:
        return None
    shape, concept = here.game.shape, here.concept
    parts = np.split(np.concatenate(here.log_strategies) + slope, np.cumsum(shape)[:-1])
    guess = [np.maximum(np.exp(part - part.max()), 1e-300) for part in parts]
    guess = [x / x.sum() for x in guess]
    found = solve(
        here.game, target[0], [reciprocal(lam) for lam in target[1].tolist()], start=guess,
        penalty=concept.penalty, regularizer=concept.regularizer, throw=False,
    )  # fmt: skip
    if not found.converged:
        return None
    log_x, log_guess = np.concatenate(found.log_strategies), np.log(np.concatenate(guess))
    off = np.abs(log_x - log_guess)[np.maximum(log_x, log_guess) > _RARE]
    if not off.max() <= _OFF + _OFF * np.abs(slope).max():
        return None
    signs = [np.linalg.slogdet(system.matrix[0])[0] for system in (before, _system(found))]
    return found if signs[0] == signs[1] else None


def _system(solution: Solution) -> System:
    """Return the linearised equations at a solution."""
    return linearise(
        solution.game.payoffs[None], [log_x[None] for log_x in solution.log_strategies],
        solution.tau[None], (1.0 / solution.eps)[None],
        reverse=solution.concept.penalty == "reverse_kl",
        barrier=solution.concept.regularizer == "log_barrier",
    )  # fmt: skip
