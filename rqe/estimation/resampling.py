"""Fits to other data than those at hand: bootstrap, and prediction of games left out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe.concepts import inside, one_of, whole
from rqe.estimation._build import build, estimate
from rqe.estimation._model import reciprocal
from rqe.estimation.errors import EstimationError
from rqe.estimation.result import Fit
from rqe.parallel import map_tasks

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd
    from numpy.typing import NDArray

    from rqe.parallel import Progress

    Array = NDArray[np.float64]

__all__ = ["Bootstrap", "LeaveOneOut", "bootstrap", "leave_one_out"]

KINDS = ("parametric", "nonparametric", "cluster")


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """Estimates on artificial data sets.

    Attributes
    ----------
    fit : Fit
        The fit to the real data.
    kind : {"parametric", "nonparametric", "cluster"}
    values : dict of ndarray, shape (n,)
        Estimates by name, as in `Fit.standard_errors`; infinities are kept, failures are NaN.
    failures : int
        Data sets on which no maximum was found.
    """

    fit: Fit
    kind: str
    values: dict[str, Array]
    failures: int

    def standard_errors(self) -> dict[str, float]:
        """Return the standard deviation of each estimate, inf if some estimates are infinite."""
        found = {}
        for name, column in self.values.items():
            kept = column[~np.isnan(column)]
            if len(kept) < 2:
                found[name] = math.nan
            else:
                found[name] = float(kept.std(ddof=1)) if np.isfinite(kept).all() else math.inf
        return found

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Return the percentile interval of a parameter; its ends may be 0 or inf."""
        one_of("name", name, tuple(self.values))
        inside("level", level, 0.0, 1.0)
        column = np.sort(self.values[name][~np.isnan(self.values[name])])
        if not len(column):
            return math.nan, math.nan
        tail = 0.5 * (1.0 - level)
        last = len(column) - 1
        low, high = math.floor(tail * last), math.ceil((1.0 - tail) * last)
        return float(column[low]), float(column[high])

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates as a frame, one row per data set."""
        names = list(self.values)
        rows = zip(*(self.values[name].tolist() for name in names), strict=True)
        return _plain.data_frame(dict(zip(names, row, strict=True)) for row in rows)

    def __repr__(self) -> str:
        """One line."""
        size = len(next(iter(self.values.values()), ()))
        return f"<Bootstrap: {size} {self.kind} data sets, {self.failures} failures>"


def bootstrap(
    fit: Fit, n: int = 200, *, kind: str = "parametric", rng: int | None = 0,
    executor: Executor | None = None, progress: Progress = None,
) -> Bootstrap:  # fmt: skip
    """Return the estimates on `n` artificial data sets.

    Parameters
    ----------
    fit : Fit
        What to repeat.
    n : int
        Number of data sets.
    kind : {"parametric", "nonparametric", "cluster"}
        Draw choices from the fitted model, from the observed frequencies, or draw whole games
        with replacement.
    rng : int or None
        Seed; None takes fresh entropy. Data set k depends on the seed and k alone, so that any
        executor gives the same numbers.
    executor, progress
        As for `rqe.parallel.map_tasks`.

    Returns
    -------
    Bootstrap
        Estimates, standard errors and percentile intervals.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, or games are drawn and there is only one.
    """
    whole("n", n)
    if rng is not None:
        whole("rng", rng, 0)
    one_of("kind", kind, KINDS)
    if kind == "cluster" and len(fit.data.games) < 2:
        raise ValueError("kind='cluster' draws games and needs at least 2; got 1")
    if fit.n_parameters == 0:
        raise ValueError("fit must have a free parameter; all are fixed")
    seeds = np.random.SeedSequence(rng).spawn(n)
    found = dict(map_tasks(_again, seeds, executor=executor, shared=(fit, kind), progress=progress))
    table = np.array([found[k] for k in range(n)])
    columns: dict[str, Array] = {}
    for k, parameter in enumerate(fit.model.free):
        values = table[:, k]
        if parameter.kind == "eps":
            with np.errstate(divide="ignore"):
                columns[parameter.name] = 1.0 / values
            columns[parameter.names[-1]] = values
        else:
            columns[parameter.name] = values
    return Bootstrap(fit, kind, columns, int(np.isnan(table[:, 0]).sum()))


def _again(seed: np.random.SeedSequence, shared: tuple[Fit, str]) -> list[float]:
    """Return the estimates on one artificial data set, NaN where there are none."""
    fit, kind = shared
    rng, data, anchors = np.random.default_rng(seed), fit.data, fit.anchors
    if kind == "cluster":
        drawn = rng.integers(len(data.games), size=len(data.games)).tolist()
        data = data.select(drawn)
        anchors = None if anchors is None else tuple(anchors[g] for g in drawn)
    else:
        data = data.redrawn(rng, fit.strategies if kind == "parametric" else data.frequencies)
    try:
        values: list[float] = estimate(fit.model, data, anchors, fit.maximum.c).values.tolist()
    except EstimationError:
        return [math.nan] * fit.n_parameters
    return values


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOneOut:
    """Each game predicted from a fit to all the others.

    Attributes
    ----------
    fit : Fit
        The fit to all games.
    log_likelihoods : ndarray, shape (G,)
        Of each game, when left out.
    values : ndarray, shape (G, K)
        Estimates without each game, as tau, lam = 1/eps and noise.
    strategies : tuple of tuples of ndarray
        Predicted probabilities for each game and role.
    """

    fit: Fit
    log_likelihoods: Array
    values: Array
    strategies: tuple[tuple[Array, ...], ...]

    @property
    def log_likelihood(self) -> float:
        """Sum over the games: what the model predicts of games that it has not seen."""
        return float(self.log_likelihoods.sum())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one record per game: estimates without it, log-likelihood, largest error."""
        for g, values in enumerate(self.values.tolist()):
            record: dict[str, Any] = {"game": g}
            for parameter, value in zip(self.fit.model.free, values, strict=True):
                record[parameter.name] = reciprocal(value) if parameter.kind == "eps" else value
            pairs = zip(self.strategies[g], self.fit.data.frequencies[g], strict=True)
            record["log_likelihood"] = float(self.log_likelihoods[g])
            record["largest_error"] = max(float(np.abs(x - f).max()) for x, f in pairs)
            yield record

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per game left out."""
        return _plain.data_frame(self.rows())

    def __repr__(self) -> str:
        """One line."""
        return f"<LeaveOneOut: {len(self.values)} games, log-likelihood {self.log_likelihood:.4f}>"


def leave_one_out(
    fit: Fit, *, executor: Executor | None = None, progress: Progress = None
) -> LeaveOneOut:
    """Return predictions of each game from a fit to all the others.

    Parameters
    ----------
    fit : Fit
        A fit to at least two games.
    executor, progress
        As for `rqe.parallel.map_tasks`.

    Raises
    ------
    ValueError
        If there is only one game.
    EstimationError
        If there is no maximum without one of the games.
    """
    count = len(fit.data.games)
    if count < 2:
        raise ValueError("leave_one_out needs a fit to at least 2 games; got 1")
    found = dict(
        map_tasks(_without, range(count), executor=executor, shared=fit, progress=progress)
    )
    results = [found[g] for g in range(count)]
    return LeaveOneOut(
        fit,
        np.array([value for _, value, _ in results]),
        np.array([values for values, _, _ in results]).reshape(count, fit.n_parameters),
        tuple(tuple(profile) for _, _, profile in results),
    )


def _without(g: int, fit: Fit) -> tuple[list[float], float, list[Array]]:
    """Return the estimates without game g, its log-likelihood and its predicted strategies."""
    rest = [k for k in range(len(fit.data.games)) if k != g]
    anchors = None if fit.anchors is None else tuple(fit.anchors[k] for k in rest)
    there = estimate(fit.model, fit.data.select(rest), anchors, fit.maximum.c)
    own = fit.data.select([g])
    anchor = None if fit.anchors is None else (fit.anchors[g],)
    logs = build(fit.model, own, anchor).predictions(there.point)
    value = float(own.log_likelihoods(logs)[0])
    return there.values.tolist(), value, [np.exp(log_x) for log_x in logs[0]]
