"""From a model and data to the likelihood, and to a fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rqe.estimation import _inference
from rqe.estimation._data import Observations
from rqe.estimation._likelihood import Likelihood, maximise
from rqe.estimation._model import Model
from rqe.estimation._predict import EmpiricalPayoff, Equilibria, NashNoise, Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.estimation.result import Fit
    from rqe.games import NormalFormGame
    from rqe.solution import Solution

    Array = NDArray[np.float64]


def build(
    model: Model,
    data: Observations | None,
    anchors: tuple[Solution, ...] | None,
    games: Sequence[NormalFormGame] = (),
) -> Likelihood:
    """Return the likelihood of data; without data, what only predicts equilibria of games."""
    predictor: Predictor
    if data is None:
        data = Observations(tuple(games), ())
    elif model.estimator == "empirical_payoff":
        predictor = EmpiricalPayoff(data.games, model, data.frequencies)
        return Likelihood(model, data, predictor)
    if model.kind == "nash+noise":
        predictor = NashNoise(data.games)
    else:
        predictor = Equilibria(data.games, model, anchors)
    return Likelihood(model, data, predictor)


def estimate(
    model: Model,
    data: Observations,
    anchors: tuple[Solution, ...] | None = None,
    start: Array | None = None,
) -> Fit:
    """Return the fit of a model to data; a start makes the search shorter."""
    from rqe.estimation.errors import EstimationError
    from rqe.estimation.result import Fit

    problem = build(model, data, anchors)
    best = maximise(problem, start)
    if best.value == -math.inf:
        raise EstimationError(
            "the likelihood is 0, or cannot be computed, wherever the search has looked: people "
            f"made choices that {model.title} gives probability 0 at all parameters, or its "
            "equilibria were not found",
            None,
        )
    bend = _inference.curvature(problem, best)
    told = _inference.warnings(problem, best, bend)
    logs = problem.predictions(model.point(model.values(best.c)))
    found = Fit(
        model, data, best.value, tuple(tuple(rows) for rows in logs), tuple(told), best, bend,
        anchors,
    )  # fmt: skip
    settled = _inference.settled(problem, best, bend)
    if settled and not _inference.saddle(bend):
        return found
    if _inference.jumps(problem, best):
        bend = bend._replace(information=None)
        told = _inference.warnings(problem, best, bend)
        return Fit(model, data, best.value, found.log_strategies, tuple(told), best, bend, anchors)
    if settled:
        return found
    raise EstimationError(
        f"the search ended at {found!r}, where the likelihood can still rise by "
        f"{bend.decrement:.1e}; fix a parameter, or share it between roles",
        found,
    )
