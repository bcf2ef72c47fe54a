"""Which model do the data favour? Likelihood-ratio and Vuong tests, and a table of criteria."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe.concepts import flag, one_of
from rqe.estimation._data import entries_of
from rqe.estimation.result import Fit
from rqe.report import table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Comparison", "LikelihoodRatio", "Vuong", "compare", "likelihood_ratio", "vuong"]


@dataclass(frozen=True)
class LikelihoodRatio:
    """Result of `likelihood_ratio`.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods.
    df : int
        Parameters that the restriction takes away.
    p_value : float
        Of the chi-squared distribution with df degrees of freedom; at a boundary, of the equal
        mixture of those with df - 1 and df.
    boundary : bool
        Whether the restriction lies at the end of a parameter's range, as tau = 0, noise = 0 and
        noise = 1 do. With more than one such parameter ``p_value`` is an upper bound.
    """

    statistic: float
    df: int
    p_value: float
    boundary: bool


@dataclass(frozen=True)
class Vuong:
    """Result of `vuong`.

    Attributes
    ----------
    statistic : float
        Positive if the first model is closer to the data.
    p_value : float
        Two-sided, under the hypothesis that both are equally close.
    log_ratio : float
        Difference of the log-likelihoods, corrected if that was asked for.
    clusters : int or None
        Number of games, if choices within one game may depend on each other.
    """

    statistic: float
    p_value: float
    log_ratio: float
    clusters: int | None


def likelihood_ratio(restricted: Fit, full: Fit) -> LikelihoodRatio:
    """Return the likelihood-ratio test of a restricted model within a larger one.

    Parameters
    ----------
    restricted, full : Fit
        Fits to the same data; the first is the second with some parameters fixed or shared. QRE is
        RQE with tau = 0.

    Raises
    ------
    ValueError
        If the data differ, or one model is not nested in the other: use `vuong`.

    Notes
    -----
    With one parameter restricted to the end of its range the statistic has in large samples the
    mixture of chi-squared distributions with df - 1 and df degrees of freedom, half of each (with
    df = 1, half of the usual tail): Self and Liang [1]_, Theorem 3, cases 5 and 6. With several
    the weights depend on the information matrix; as the parameters' cone lies within a half-space,
    the same mixture is an upper bound.

    It is assumed that the parameters that both models estimate lie inside their ranges, and that
    the data determine them under the restriction. Neither holds at eps = inf (random play) within
    RQE, where no choice depends on tau: p-values are no guide there. The test takes choices as
    independent. Where people chose repeatedly it rejects too often; see
    ``vuong(..., by_game=True)`` and leave-one-out prediction.

    References
    ----------
    .. [1] Self & Liang, Journal of the American Statistical Association 82 (1987), 605-610:
       boundaries.

    Examples
    --------
    >>> import rqe
    >>> data = rqe.datasets.load("ochs")
    >>> fits = [rqe.fit(data.games, data.frequencies, n=data.n, model=m) for m in ("qre", "rqe")]
    >>> test = rqe.estimation.likelihood_ratio(*fits)
    >>> test.df, test.boundary, round(test.p_value, 3)
    (1, True, 0.147)
    """
    from scipy.stats import chi2

    _same_data(restricted, full)
    lost = _restrictions(restricted, full)
    df = full.n_parameters - restricted.n_parameters
    if lost is None or df < 1:
        raise ValueError(
            f"{restricted.model.title} must be nested in {full.model.title}, with fewer free "
            f"parameters; got {list(restricted.estimates)} and {list(full.estimates)}. For models "
            "that are not nested there is vuong()"
        )
    statistic = max(2.0 * (full.log_likelihood - restricted.log_likelihood), 0.0)
    p_value = float(chi2.sf(statistic, df))
    if lost:
        inner = float(chi2.sf(statistic, df - 1)) if df > 1 else float(statistic == 0.0)
        p_value = 0.5 * (inner + p_value)
    return LikelihoodRatio(statistic, df, p_value, lost)


def _restrictions(restricted: Fit, full: Fit) -> bool | None:
    """Return whether the restriction is at a boundary; None if the models are not nested."""
    small, large = restricted.model, full.model
    kinds = (small.kind, large.kind)
    same = (small.regularizer, small.estimator) == (large.regularizer, large.estimator)
    if kinds not in (("qre", "rqe"), ("rqe", "rqe"), ("qre", "qre"), ("nash+noise",) * 2):
        return None
    if not same or (kinds == ("rqe", "rqe") and small.penalty != large.penalty):
        return None
    anchored = restricted.anchors is not None, full.anchors is not None
    if anchored[0] != anchored[1]:
        return None
    given = dict(small.fixed)
    if kinds == ("qre", "rqe"):
        given |= {f"tau_{r + 1}": 0.0 for r in range(small.n_roles)}
    ends = False
    for parameter in large.free:
        values = {given.get(f"{parameter.kind}_{r + 1}") for r in parameter.roles}
        values |= {given.get("noise")} if parameter.kind == "noise" else set()
        if len(values) > 1 or (values == {None} and not _within(parameter.roles, small, parameter)):
            return None
        ends = ends or values in ({0.0}, {1.0 if parameter.kind == "noise" else math.inf})
    if any(given.get(name) != value for name, value in large.fixed.items()):
        return None
    return ends


def _within(roles: tuple[int, ...], small: Any, parameter: Any) -> bool:
    """Return whether the small model has the same parameter for all these roles."""
    return any(
        other.kind == parameter.kind and set(roles) <= set(other.roles) for other in small.free
    )


def vuong(first: Fit, second: Fit, *, correction: str = "none", by_game: bool = False) -> Vuong:
    """Return Vuong's test of two models that need not be nested.

    Parameters
    ----------
    first, second : Fit
        Fits to the same data.
    correction : {"none", "aic", "bic"}
        Penalty for the number of parameters, taken off the log-likelihoods.
    by_game : bool
        Compare sums over games, with Student's t, instead of single choices, which are then taken
        as independent.

    Raises
    ------
    ValueError
        If the data differ, or games are to be compared and there is only one.

    References
    ----------
    .. [1] Vuong, Econometrica 57 (1989), equations 4.2 and 5.6 to 5.9.
    """
    from scipy.stats import norm, t

    one_of("correction", correction, ("none", "aic", "bic"))
    flag("by_game", by_game)
    _same_data(first, second)
    extra = first.n_parameters - second.n_parameters
    price = {"none": 0.0, "aic": 1.0, "bic": 0.5 * math.log(first.data.n_choices)}[correction]
    pairs = list(_ratios(first, second))
    ratio = first.log_likelihood - second.log_likelihood - price * extra
    games = len(first.data.games)
    if by_game:
        if games < 2:
            raise ValueError("by_game=True needs at least 2 games; got 1")
        each = first.data.log_likelihoods(first.log_strategies)
        each = each - first.data.log_likelihoods(second.log_strategies) - price * extra / games
        spread = math.sqrt(games) * float(each.std(ddof=1))
        z = ratio / spread if spread > 0.0 else 0.0
        return Vuong(z, 2.0 * float(t.sf(abs(z), games - 1)), ratio, games)
    total = first.data.n_choices
    mean = sum(float(n @ d) for n, d in pairs) / total
    square = sum(float(n @ d**2) for n, d in pairs) / total
    spread = math.sqrt(max(square - mean**2, 0.0) * total)
    z = ratio / spread if spread > 0.0 else 0.0
    return Vuong(z, 2.0 * float(norm.sf(abs(z))), ratio, None)


def _ratios(first: Fit, second: Fit) -> Iterator[tuple[Array, Array]]:
    """Yield the counts of what was played and the differences of its log-probabilities, by role.

    What nobody played may have probability 0, whose logarithm is no term of the likelihood.
    """
    games = zip(first.data.counts, first.log_strategies, second.log_strategies, strict=True)
    for game in games:
        for counts, a, b in zip(*game, strict=True):
            played = counts > 0.0
            yield counts[played], a[played] - b[played]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Models side by side; `compare` returns it.

    Attributes
    ----------
    fits : tuple of Fit
        In the order given.
    """

    fits: tuple[Fit, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one record per model."""
        best = min(fit.aic for fit in self.fits)
        for fit in self.fits:
            yield {
                "model": fit.model.title,
                "parameters": fit.n_parameters,
                "log_likelihood": fit.log_likelihood,
                "aic": fit.aic,
                "delta_aic": fit.aic - best,
                "bic": fit.bic,
                "explained": fit.share_explained,
                **{name: value for name, value in fit.estimates.items()},
            }

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per model."""
        return _plain.data_frame(self.rows())

    def summary(self) -> str:
        """Return a table for people."""
        header = ("model", "k", "log-likelihood", "AIC", "delta", "BIC", "explained", "estimates")
        rows = [
            (
                fit.model.title, str(fit.n_parameters), f"{fit.log_likelihood:.3f}",
                f"{row['aic']:.3f}", f"{row['delta_aic']:.3f}", f"{row['bic']:.3f}",
                f"{row['explained']:.4f}",
                ", ".join(f"{name} = {value:.4g}" for name, value in fit.estimates.items()),
            )
            for fit, row in zip(self.fits, self.rows(), strict=True)
        ]  # fmt: skip
        return "\n".join(table(header, rows, (0, 7)))

    def __repr__(self) -> str:
        """Return the table."""
        return self.summary()


def compare(fits: Sequence[Fit]) -> Comparison:
    """Return fits to the same data side by side, by AIC and BIC.

    Raises
    ------
    TypeError, ValueError
        If it is not a sequence of fits to the same data.
    """
    listed = tuple(entries_of(fits, "fits"))
    if not listed or not all(isinstance(fit, Fit) for fit in listed):
        raise TypeError(f"fits must be a sequence of rqe.Fit; got {fits!r}")
    for fit in listed[1:]:
        _same_data(listed[0], fit)
    return Comparison(listed)


def _same_data(first: Fit, second: Fit) -> None:
    """Raise unless two fits are to the same choices in the same games."""
    for fit in (first, second):
        if not isinstance(fit, Fit):
            raise TypeError(f"both fits must be rqe.Fit; got {fit!r}")
    a, b = first.data, second.data
    same = len(a.games) == len(b.games) and all(
        g == h and all(np.array_equal(r, s) for r, s in zip(rows, others, strict=True))
        for g, h, rows, others in zip(a.games, b.games, a.counts, b.counts, strict=True)
    )
    if not same:
        raise ValueError("both fits must be to the same games and counts; these differ")
