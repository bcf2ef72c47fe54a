"""Results made by hand, for the tests of what is done with results."""

from __future__ import annotations

import math

import numpy as np

import rqe
from rqe.check import Check
from rqe.concepts import Concept
from rqe.solution import Branch, Solution, Stats, Status

GAME = rqe.NormalFormGame(
    [[[3, 0, 1], [5, 1, 2]], [[3, 5, 1], [0, 1, 2]]],
    players=("Row", "Column"),
    actions=(("up", "down"), ("left", "middle", "right")),
    title="A & <B>",
)
NOTE = "Other equilibria may exist."


def make_solution(status=Status.CONVERGED, log_strategies=None, eps=(0.2, math.inf), game=GAME):
    """Return a solution with given answers, whatever they are worth."""
    if log_strategies is None:
        log_strategies = (np.array([-1000.0, 0.0]), np.log(np.full(3, 1 / 3)))
    check = Check(
        residual=3e-12,
        regret=4e-13,
        payoffs=np.array([2.5, 1.5]),
        risk_adjusted=np.array([2.25, 1.25]),
        adversaries=(np.full(3, 1 / 3), np.array([0.0, 1.0])),
    )
    concept = Concept.of(game, [1.0, 0.0], list(eps))
    return Solution(
        game, concept, log_strategies, check, status, "principal_branch", Stats(1, 2, 3, 4), (NOTE,)
    )


def make_branch(points=40, status=Status.CONVERGED):
    """Return a branch of 2 x 3 actions from the centroid to eps = 0."""
    eps = np.concatenate([[math.inf], np.geomspace(100.0, 0.01, points - 2), [0.0]])
    logits = np.linspace(0.0, 8.0, points)[:, None] * np.array([1.0, 0.5, 0.0])
    logs = [logits[:, :n] - np.logaddexp.reduce(logits[:, :n], axis=1)[:, None] for n in (2, 3)]
    return Branch(
        game=GAME,
        concept=Concept.of(GAME, 1.0, 0.0),
        parameter="eps",
        values=np.stack([eps, eps], axis=1),
        log_strategies=tuple(logs),
        residuals=np.full(points, 1e-12),
        turning_points=np.array([10, 14]),
        bifurcations=np.array([20]),
        status=status,
    )
