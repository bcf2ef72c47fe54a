"""Intervals over seeds: what can be said from a handful of independently trained teams.

The seed is the unit that is drawn again, never the episode and never the entry of a cross-play
matrix: its n (n - 1) entries come from n independent teams and are not independent themselves.
A resample is a vector of weights, how often each team was drawn; every statistic is a function
of such weights, so that the teams' own means and the means over pairs go through the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "Share", "bootstrap", "pair_mean", "share", "team_mean"]

Array = NDArray[np.float64]
Statistic = Callable[..., Array]

_FEWEST = 5  # below this many teams an interval would be an illusion


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes
    ----------
    value : float
        The statistic on the teams as they are.
    low, high : float
        Ends of the interval; NaN with fewer than five teams.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """For people: ``536 [520, 551]``."""
        if not np.isfinite(self.low):
            return _short(self.value)
        return f"{_short(self.value)} [{_short(self.low)}, {_short(self.high)}]"

    def scaled(self, factor: float) -> Estimate:
        """The same figure in another unit; `factor` is positive."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Share:
    """How many teams of how many, with the exact binomial interval of the share."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        """For people: ``15 of 15 [78 %, 100 %]``."""
        if self.of == 0:
            return "0 of 0"
        return f"{self.count} of {self.of} [{100 * self.low:.0f} %, {100 * self.high:.0f} %]"


def bootstrap(
    statistic: Statistic,
    *sizes: int,
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> Estimate:
    """Return a statistic with its percentile bootstrap interval over teams.

    Parameters
    ----------
    statistic : callable
        Takes one array of weights per group, [..., n] counts of how often each of its teams was
        drawn, and returns [...] values; NaN where a resample does not determine it.
    *sizes : int
        Number of teams in each group; the groups are drawn independently.
    level : float
        Coverage that is aimed at.
    resamples : int
        How many times the teams are drawn again.
    seed : int
        Of the draws: the interval is a function of the figures.

    Notes
    -----
    Coverage is approximate; it falls short of `level` by a few percent at ten teams. Below five
    teams no interval is given.

    Examples
    --------
    >>> returns = np.array([430.0, 436.0, 441.0, 428.0, 445.0])
    >>> print(bootstrap(lambda weights: team_mean(returns, weights), 5))
    436 [430, 442]
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes: every group needs at least one team, got {sizes}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    value = float(statistic(*(np.ones(n) for n in sizes)))
    if min(sizes) < _FEWEST:
        return Estimate(value, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    weights = [rng.multinomial(n, np.full(n, 1.0 / n), size=resamples) for n in sizes]
    drawn = statistic(*(w.astype(np.float64) for w in weights))
    if not np.isfinite(drawn).any():
        return Estimate(value, np.nan, np.nan)
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high))


def team_mean(values: ArrayLike, weights: Array) -> Array:
    """Mean of one figure per team: `values` [n], `weights` [..., n] -> [...]; NaNs are left out."""
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    total = weights[..., known].sum(axis=-1)
    return _ratio(weights[..., known] @ values[known], total)


def pair_mean(matrix: ArrayLike, weights: Array, columns: Array | None = None) -> Array:
    """Mean over pairs of different teams: `matrix` [n, n], `weights` [..., n] -> [...].

    A team that was drawn twice is not its own partner: the diagonal never counts. With weights
    for the `columns` too, `matrix` [n, m] is between two groups and every entry counts.
    """
    entries = np.array(matrix, dtype=np.float64)
    if columns is not None:
        total = weights.sum(axis=-1) * columns.sum(axis=-1)
        return _ratio(np.einsum("...i,ij,...j->...", weights, entries, columns), total)
    np.fill_diagonal(entries, 0.0)
    pairs = weights.sum(axis=-1) ** 2 - (weights**2).sum(axis=-1)
    return _ratio(((weights @ entries) * weights).sum(axis=-1), pairs)


def share(condition: ArrayLike) -> Share:
    """Count the teams of which `condition` [n] holds; Clopper-Pearson interval at 95 %.

    Examples
    --------
    >>> print(share([True] * 15))
    15 of 15 [78 %, 100 %]
    """
    from scipy.stats import binomtest

    holds = np.asarray(condition, dtype=bool)
    if holds.size == 0:
        return Share(0, 0, 0.0, 1.0)
    interval = binomtest(int(holds.sum()), holds.size).proportion_ci(0.95)
    return Share(int(holds.sum()), int(holds.size), float(interval.low), float(interval.high))


def _ratio(above: Any, below: Any) -> Array:
    """Quotient, NaN where nothing was counted."""
    below = np.asarray(below, dtype=np.float64)
    quotient: Array = np.full(below.shape, np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient


def _short(value: float) -> str:
    """Three figures, or all before the point, or one of what is next to nothing."""
    if 0.0 < abs(value) < 1e-3:
        return f"{value:.0e}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
