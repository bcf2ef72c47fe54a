"""Do the equilibria that are found in one game agree? What claims of uniqueness are judged by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.theorems._base import Counterexample, Evidence
from rqe.theorems._batch import Array

if TYPE_CHECKING:
    from numpy.random import Generator

    from rqe.games.normal_form import NormalFormGame
    from rqe.solution import Solution

SAME = 1e-6
"""Equilibria no further apart than this count as one: each is known to about 1e-9."""


def agreement(found: list[Solution]) -> Evidence:
    """Return how far apart the equilibria of one game are, as 1 - distance / `SAME`."""
    if not found:
        return Evidence(True, math.inf, None, "no equilibrium was found")
    profiles = np.array([np.concatenate(solution.strategies) for solution in found])
    distance = np.abs(profiles[:, None] - profiles).max(axis=(1, 2))  # to the farthest other
    k, concept = int(distance.argmax()), found[0].concept
    note = (
        f"{len(found)} answers for ({concept.penalty}, {concept.regularizer}), "
        f"at most {distance[k]:.1e} apart"
    )
    margin = 1.0 - float(distance[k]) / SAME
    return Evidence(margin >= 0.0, margin, found[k], note)


def from_two_starts(
    rng: Generator, game: NormalFormGame, tau: Array, eps: Array, penalty: str, regularizer: str
) -> list[Solution]:
    """Return the certified answers of the principal branch and of a random start."""
    import rqe

    options: dict[str, Any] = {"penalty": penalty, "regularizer": regularizer, "throw": False}
    start = [rng.dirichlet(np.full(n, 0.3)) + 1e-9 for n in game.shape]
    answers = [
        rqe.solve(game, tau, eps, **options),
        rqe.solve(game, tau, eps, start=[x / x.sum() for x in start], **options),
    ]
    return [answer for answer in answers if answer.converged]


def counterexample(game: NormalFormGame, found: Evidence) -> Counterexample:
    """Return the failure with the lines that show it."""
    concept = found.witness.concept
    tau, eps = concept.tau.tolist(), concept.eps.tolist()
    start = [x.tolist() for x in found.witness.strategies]
    code = (
        f"import rqe\ngame = rqe.NormalFormGame({game.payoffs.tolist()})\n"
        f'pair = {{"penalty": "{concept.penalty}", "regularizer": "{concept.regularizer}"}}\n'
        f"for start in (None, {start}):\n"
        f"    print(rqe.solve(game, {tau}, {eps}, start=start, **pair).summary())"
    )
    return Counterexample(game, tau, eps, found, code)
