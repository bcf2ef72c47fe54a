"""Figures for comparing methods from few seeds, after Agarwal et al. 2021 ("rliable").

A team's cross-play score is its mean return with the other teams of its method, both seatings.
Scores of methods are aggregated by the interquartile mean, compared by the probability that a team
of one beats a team of the other; all intervals are bootstrap intervals over teams, in which also
the partners are drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marl.statistics import Estimate, bootstrap

if TYPE_CHECKING:
    from marl.crossplay import CrossPlay

__all__ = ["Aggregate", "aggregate", "blocks", "improvement", "interquartile_mean", "strangers"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """One method's aggregates; returns are sums over the seats.

    Attributes
    ----------
    name : str
        The method.
    training, crossing : Estimate
        Interquartile mean over teams of the return as trained, and of the cross-play score.
    loss : Estimate
        Difference of the two.
    worst : Estimate
        Mean cross-play score of the lower quarter of the teams.
    """

    name: str
    training: Estimate
    crossing: Estimate
    loss: Estimate
    worst: Estimate


def aggregate(cross: CrossPlay) -> tuple[Aggregate, ...]:
    """Return the aggregates of every method in a cross-play, in the order of the groups."""
    return tuple(_aggregate(name, _block(cross, name)) for name in cross.names)


def _block(cross: CrossPlay, name: str) -> Array:
    """Returns [n, n] among the teams of one method."""
    members = cross.members(name)
    return cross.returns[np.ix_(members, members)]


def _aggregate(name: str, returns: Array) -> Aggregate:
    """Aggregates of one method from its block of the matrix."""
    n, own = len(returns), returns.diagonal()

    def crossing(weights: Array, low: float = 0.25, high: float = 0.75) -> Array:
        return _trimmed(_scores(returns, weights), weights, low, high)

    def training(weights: Array) -> Array:
        return interquartile_mean(np.broadcast_to(own, weights.shape), weights)

    return Aggregate(
        name=name,
        training=bootstrap(training, n),
        crossing=bootstrap(crossing, n),
        loss=bootstrap(lambda w: training(w) - crossing(w), n),
        worst=bootstrap(lambda w: crossing(w, 0.0, 0.25), n),
    )


def improvement(cross: CrossPlay, first: str, second: str) -> Estimate:
    """Return the probability that a team of `first` crosses better than one of `second`.

    Ties count half; 0.5 says nothing (Agarwal et al. 2021, section 4.3). Undefined (NaN) where a
    method has a single team.
    """
    one, two = _block(cross, first), _block(cross, second)

    def probability(w: Array, v: Array) -> Array:
        x, y = _scores(one, w)[..., :, None], _scores(two, v)[..., None, :]
        wins = np.where(np.isnan(x) | np.isnan(y), np.nan, (x > y) + 0.5 * (x == y))
        counts = w[..., :, None] * v[..., None, :] * ~np.isnan(wins)
        total = counts.sum(axis=(-1, -2))
        above = np.where(np.isnan(wins), 0.0, counts * wins).sum(axis=(-1, -2))
        return _ratio(above, total)

    return bootstrap(probability, len(one), len(two), resamples=1999)


def interquartile_mean(values: ArrayLike, weights: ArrayLike) -> Array:
    """Mean of the middle half: `values` and `weights` [..., n] -> [...]; NaNs are left out.

    Examples
    --------
    >>> float(interquartile_mean([1.0, 2.0, 3.0, 100.0], [1, 1, 1, 1]))
    2.5
    """
    return _trimmed(values, weights, 0.25, 0.75)


def _trimmed(values: ArrayLike, weights: ArrayLike, low: float, high: float) -> Array:
    """Mean of what lies between two quantiles; a weight may lie on either side of one."""
    x, w = np.broadcast_arrays(np.asarray(values, np.float64), np.asarray(weights, np.float64))
    known = ~np.isnan(x)
    w, x = np.where(known, w, 0.0), np.where(known, x, 0.0)
    order = np.argsort(np.where(known, x, np.inf), axis=-1, kind="stable")
    x, w = np.take_along_axis(x, order, -1), np.take_along_axis(w, order, -1)
    ends = np.cumsum(w, axis=-1)
    total = ends[..., -1:]
    inside = np.minimum(ends, high * total) - np.maximum(ends - w, low * total)
    inside = np.maximum(inside, 0.0)
    return _ratio((inside * x).sum(axis=-1), inside.sum(axis=-1))


def _scores(returns: Array, weights: Array) -> Array:
    """Each team's mean return with the others, [..., n], if these count as `weights` [..., n]."""
    both = (returns + returns.T) / 2.0
    np.fill_diagonal(both, 0.0)
    total = weights.sum(axis=-1, keepdims=True) - weights
    return _ratio(weights @ both, total)


def blocks(cross: CrossPlay) -> tuple[tuple[str, ...], Array]:
    """Names, and mean returns [methods, methods]: seat 0 from the row, the others from the column.

    On the diagonal are pairs of different teams of one method; NaN where there is one team only.
    """
    names = cross.names
    table = np.full((len(names), len(names)), np.nan)
    for r, row in enumerate(names):
        for c, column in enumerate(names):
            block = cross.returns[np.ix_(cross.members(row), cross.members(column))]
            pairs = block[~np.eye(len(block), dtype=bool)] if r == c else block
            table[r, c] = pairs.mean() if pairs.size else np.nan
    return names, table


def strangers(cross: CrossPlay, name: str) -> Estimate:
    """Return the mean return of a method's teams with all teams of all other methods.

    Both seatings; the interval is over the method's own teams. NaN where it is the only one.
    """
    own = cross.members(name)
    others = np.setdiff1d(np.arange(len(cross.groups)), own)
    if not len(others):
        return Estimate(np.nan, np.nan, np.nan)
    there, back = cross.returns[np.ix_(own, others)], cross.returns[np.ix_(others, own)]
    values = (there.mean(axis=1) + back.mean(axis=0)) / 2.0
    return bootstrap(lambda w: _ratio(w @ values, w.sum(axis=-1)), len(own))


def records(cross: CrossPlay, baseline: str) -> Sequence[dict[str, Any]]:
    """One flat record per method, for CSV; probabilities are of beating `baseline`."""
    found = []
    for method in aggregate(cross):
        record: dict[str, Any] = {"method": method.name}
        figures = {
            part: getattr(method, part) for part in ("training", "crossing", "loss", "worst")
        }
        figures["strangers"] = strangers(cross, method.name)
        if method.name != baseline:
            figures["improvement"] = improvement(cross, method.name, baseline)
        else:
            figures["improvement"] = Estimate(0.5, np.nan, np.nan)
        for part, figure in figures.items():
            record[part], record[f"{part}_low"] = figure.value, figure.low
            record[f"{part}_high"] = figure.high
        found.append(record)
    return found


def _ratio(above: Any, below: Any) -> Array:
    """Quotient, NaN where nothing was counted."""
    below = np.asarray(below, np.float64)
    quotient: Array = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
