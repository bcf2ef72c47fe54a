"""What people did beside what models predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rqe.concepts import one_of
from rqe.plot._style import COLOURS, GREY, MARKS, WIDTH, named, new_axes, short, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_LAYOUTS = ("scatter", "rows")
_SIDE = 4.9  # inches
_ROW = 0.3


def plot_observed(
    observed: Any,
    predicted: ArrayLike | Mapping[str, ArrayLike] | None = None,
    ax: Axes | None = None,
    *,
    n: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    level: float = 0.95,
    layout: str = "scatter",
) -> Axes:
    """Draw observed frequencies with their intervals beside predictions.

    Parameters
    ----------
    observed : array_like, shape (K,), or Fit, or sequence of Fit
        Relative frequencies; or what `rqe.fit` returned, of one model or of several on the same
        data, which says all the rest. Of each role's n_i frequencies the first n_i - 1 are drawn.
    predicted : array_like, shape (K,), or dict of them
        Predicted probabilities, of one model or of several by name.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    n : int or array_like, shape (K,), optional
        Number of choices behind each frequency; without it there are no intervals.
    labels : sequence of K str, optional
        What each frequency is; shown by ``layout="rows"``.
    level : float
        Nominal coverage of the intervals, which are Wilson's.
    layout : {"scatter", "rows"}
        Observed against predicted, with the line on which they agree; or a row per frequency with
        its interval and every model's prediction.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If sizes do not match, something is no probability, or the fits are of different data.

    References
    ----------
    .. [1] Wilson, Journal of the American Statistical Association 22 (1927): the interval.

    Examples
    --------
    >>> models = {"QRE": [0.2, 0.5, 0.7], "RQE": [0.1, 0.6, 0.9]}
    >>> ax = plot_observed([0.12, 0.55, 0.91], models, n=200, layout="rows")
    """
    one_of("layout", layout, _LAYOUTS)
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be a number in (0, 1); got {level!r}")
    data = _data(observed, predicted, n, labels)
    if layout == "rows":
        return _rows(data, level, ax)
    return _scatter(data, level, ax)


class _Data(NamedTuple):
    """Frequencies (K,), choices behind them or None, predictions by model, and labels or None."""

    observed: Array
    n: Array | None
    predicted: dict[str, Array]
    labels: list[str] | None


def _data(observed: Any, predicted: Any, n: Any, labels: Sequence[str] | None) -> _Data:
    """Return what to draw, checked."""
    fits = _fits(observed)
    if fits:
        if predicted is not None or n is not None or labels is not None:
            raise ValueError("a fit says all itself: leave out predicted, n and labels")
        return _of_fits(fits)
    if predicted is None:
        raise ValueError("predicted must hold the predictions; got none")
    models = predicted if isinstance(predicted, Mapping) else {"": predicted}
    frequencies = _shares(observed, "observed")
    shares = {str(k): _shares(v, f"predicted {k}".rstrip()) for k, v in models.items()}
    size = frequencies.shape
    for name, values in shares.items():
        if values.shape != size:
            raise ValueError(
                f"predicted {name} must be as many as observed, {size[0]}; got {values.shape[0]}"
            )
    if labels is not None and len(labels) != size[0]:
        raise ValueError(f"labels must be {size[0]} texts; got {len(labels)}")
    numbers = None if n is None else np.broadcast_to(np.asarray(n, dtype=float), size)
    if numbers is not None and not (numbers > 0.0).all():
        raise ValueError(f"n must be positive numbers of choices; got {n!r}")
    return _Data(frequencies, numbers, shares, None if labels is None else list(labels))


def _shares(values: ArrayLike, name: str) -> Array:
    """Return probabilities (K,), checked."""
    shares = np.asarray(values, dtype=float)
    if shares.ndim != 1 or not ((shares >= 0.0) & (shares <= 1.0)).all():
        raise ValueError(f"{name} must be a list of numbers from 0 to 1; got {values!r}")
    return shares


def _fits(observed: Any) -> list[Any]:
    """Return the fits that `observed` is or holds; none if it is an array."""
    listed = list(observed) if isinstance(observed, list | tuple) else [observed]
    return listed if listed and all(hasattr(fit, "log_strategies") for fit in listed) else []


def _of_fits(fits: list[Any]) -> _Data:
    """Return the frequencies and predictions of fits of one data set."""
    data = fits[0].data
    cells = [
        (g, i, a)
        for g, game in enumerate(data.games)
        for i, count in enumerate(game.shape)
        for a in range(count - 1)
    ]
    models: dict[str, Array] = {}
    for fit in fits:
        if tuple(fit.data.games) != tuple(data.games):
            raise ValueError("the fits must be of the same games; got different ones")
        logs = fit.log_strategies
        shares = np.exp([float(logs[g][i][a]) for g, i, a in cells])
        name = str(getattr(fit.model, "title", fit.model))
        models[name if name not in models else f"{name} ({len(models) + 1})"] = shares
    titles = _titles(data.games)
    labels = []
    for g, i, a in cells:
        game = data.games[g]
        labels.append(f"{titles[g]}, {named(game.players[i])}: {short(game.actions[i][a])}")
    counts = [data.counts[g][i] for g, i, _ in cells]
    numbers = np.array([float(np.sum(row)) for row in counts])
    observed = np.array([row[a] for row, (_, _, a) in zip(counts, cells, strict=True)]) / numbers
    return _Data(observed, numbers, models, labels)


def _titles(games: Sequence[Any]) -> list[str]:
    """Return what tells the games apart: their titles without the words that all begin with."""
    titles = [game.title.split() or ["game", str(g + 1)] for g, game in enumerate(games)]
    shared = 0
    while len(titles) > 1 and len({tuple(words[: shared + 1]) for words in titles}) == 1:
        shared += 1
    rests = [words[shared:] for words in titles]
    if shared and titles[0][shared - 1] == "game":  # "game 3" rather than "3"
        rests = [["game", *rest] for rest in rests]
    return [short(" ".join(rest)) for rest in rests]


def _interval(data: _Data, level: float) -> Array | None:
    """Return Wilson's intervals as distances below and above the frequencies, shape (2, K)."""
    if data.n is None:
        return None
    p, n = data.observed, data.n
    z = NormalDist().inv_cdf(0.5 + 0.5 * level)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    bars: Array = np.maximum(np.array([p - (centre - half), centre + half - p]), 0.0)
    return bars


def _scatter(data: _Data, level: float, ax: Axes | None) -> Axes:
    """Observed against predicted."""
    ax = new_axes(_SIDE, _SIDE) if ax is None else ax
    ax.plot([0, 1], [0, 1], color=GREY, lw=1.0, zorder=1)
    bars = _interval(data, level)
    for k, (name, shares) in enumerate(data.predicted.items()):
        colour = COLOURS[k % len(COLOURS)]
        ax.errorbar(
            shares, data.observed, bars, fmt=MARKS[k % len(MARKS)], color=colour, ms=6,
            mec="white", mew=0.7, elinewidth=1.0, label=name or None, zorder=3 + k,
        )  # fmt: skip
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="predicted probability")
    ax.set_ylabel("observed frequency" + _covered(bars, level))
    ax.set_box_aspect(1)
    tidy(ax, "both")
    if any(data.predicted):
        ax.legend(frameon=False, fontsize="small", loc="upper left")
    return ax


def _rows(data: _Data, level: float, ax: Axes | None) -> Axes:
    """One row per frequency."""
    count, names = len(data.observed), data.labels
    ax = new_axes(1.4 + _ROW * count, WIDTH) if ax is None else ax
    places, bars = np.arange(count), _interval(data, level)
    ax.hlines(places, 0.0, 1.0, color="#e6e6e6", lw=0.7, zorder=0)
    ax.errorbar(
        data.observed, places, xerr=bars, fmt="|", color="black", ms=11, mew=1.8, elinewidth=1.2,
        label="observed" + _covered(bars, level), zorder=2,
    )  # fmt: skip
    for k, (name, shares) in enumerate(data.predicted.items()):
        ax.plot(
            shares, places, MARKS[k % len(MARKS)], color=COLOURS[k % len(COLOURS)], mec="white",
            mew=0.7, ms=7.5, ls="none", label=name or "predicted", zorder=3 + k,
        )  # fmt: skip
    ax.set_yticks(places, names or [str(k + 1) for k in range(count)])
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(count - 0.4, -0.6), xlim=(-0.02, 1.02), xlabel="probability, relative frequency")
    tidy(ax, "x")
    handles, words = ax.get_legend_handles_labels()
    ax.legend(
        [handles[-1], *handles[:-1]], [words[-1], *words[:-1]],  # the observed first
        frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0.0, 1.0),
        ncols=min(3, len(data.predicted) + 1), borderaxespad=0.2,
    )  # fmt: skip
    return ax


def _covered(bars: Array | None, level: float) -> str:
    """Words for the intervals."""
    return "" if bars is None else f" ({100 * level:g}% interval)"
