"""What equilibria are worth: welfare, payoffs and free-riding against a parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe._input import instance
from rqe.branch import Branch
from rqe.concepts import one_of
from rqe.free_riding import collaboration
from rqe.plot._style import AXIS_LABELS, COLOURS, LINES, game_words, named, new_axes, tidy
from rqe.solution import Solution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from rqe.games.normal_form import NormalFormGame

    Array = NDArray[np.float64]
    Path = Branch | Sequence[Solution]
    Outcome = Callable[[NormalFormGame, Sequence[Array]], float]

_HEIGHT = 4.2  # inches
_DOTS = 12  # points up to which a curve shows them
_LEVEL = 1e-8  # of the payoff range: curves that move by less are level, and drawn so
_LABELS = {
    "welfare": "welfare, sum of expected payoffs",
    "payoffs": "expected payoff",
    "free_riding": "degree of free-riding (payoff)",
    "shared_reward": "expected shared reward (payoff)",
}


def plot_outcomes(
    results: Path | Mapping[str, Path],
    ax: Axes | None = None,
    *,
    y: str | Outcome = "welfare",
    x: str | None = None,
) -> Axes:
    """Draw what equilibria are worth against tau, eps or lam.

    Parameters
    ----------
    results : Branch, sequence of Solution, or a dict of either
        A curve: the points of a branch, or solutions in the order given, joined by lines; or
        several curves by the words of the legend.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    y : {"welfare", "payoffs", "free_riding", "shared_reward"} or callable
        The sum of expected payoffs; each player's expected payoff, a line per player; the degree
        of free-riding or the expected shared reward of a collaborative game, see
        `rqe.free_riding`; or ``y(game, strategies)``, a float.
    x : {"tau", "eps", "lam"}, optional
        By default what the branch changes, or tau where the solutions differ in it, else eps; of
        the first player whose parameter changes. Points at lam = 0 or eps = 0 are not on the
        logarithmic axes of lam and eps.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If there is nothing to draw, or something else, a name is unknown, or the game has no shared
        reward.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("example-4.2")
    >>> ax = rqe.plot.plot_outcomes(rqe.trace(game, 2.0, 0.2, parameter="tau"), y="welfare")
    """
    if isinstance(y, str):
        one_of("y", y, tuple(_LABELS))
    if x is not None:
        one_of("x", x, tuple(AXIS_LABELS))
    paths = dict(results) if isinstance(results, Mapping) else {"": results}
    _check_paths(paths)
    if not paths or any(not len(path) for path in paths.values()):
        raise ValueError("results must hold at least one equilibrium per curve; got none")
    curves = {words: _curve(path, x) for words, path in paths.items()}
    ax = new_axes(_HEIGHT) if ax is None else ax
    drawn = 0
    for words, curve in curves.items():
        for label, values in _series(curve, y):
            text = ", ".join(part for part in (words, label) if part)
            ax.plot(
                curve.x, values, LINES[drawn % len(LINES)], color=COLOURS[drawn % len(COLOURS)],
                lw=2.2, label=text or None, marker="" if len(curve.x) > _DOTS else "o", ms=4,
            )  # fmt: skip
            drawn += 1
    _finish(ax, next(iter(curves.values())), y, drawn)
    return ax


class _Curve(NamedTuple):
    """Positions (K,), what they are, the game and each player's strategies (K, n_i)."""

    x: Array
    parameter: str
    game: NormalFormGame
    strategies: tuple[Array, ...]


def _check_paths(paths: Mapping[str, Path]) -> None:
    """Raise unless each is a branch or a sequence of solutions."""
    for name, path in paths.items():
        if isinstance(path, Branch):
            continue
        place = f"results[{name!r}]" if name else "results"
        if isinstance(path, Solution) or not np.iterable(path):
            raise TypeError(
                f"{place} must be an rqe.Branch or a sequence of solutions; "
                f"got {type(path).__name__}"
            )
        for k, solution in enumerate(path):
            instance(f"{place}[{k}]", solution, Solution)


def _curve(path: Path, x: str | None) -> _Curve:
    """Return the points of a path that a finite axis can show."""
    if isinstance(path, Branch):
        if x is not None and (x == "tau") != (path.parameter == "tau"):
            raise ValueError(f"x must fit a branch in {path.parameter}; got {x!r}")
        parameter, values = x or path.parameter, path.values
        game, strategies = path.game, path.strategies
    else:
        game = path[0].game
        if any(solution.game.shape != game.shape for solution in path):
            shapes = sorted({solution.game.shape for solution in path})
            raise ValueError(
                f"results must be equilibria of games of one shape along a curve; got {shapes}"
            )
        differ = any((solution.tau != path[0].tau).any() for solution in path)
        parameter = x or ("tau" if differ else "eps")
        values = np.array([s.tau if parameter == "tau" else s.eps for s in path])
        strategies = tuple(
            np.array([solution.strategies[i] for solution in path]) for i in range(game.n_players)
        )
    moving = np.ptp(np.where(np.isinf(values), -1.0, values), axis=0) > 0.0
    with np.errstate(divide="ignore"):
        along = values[:, int(moving.argmax())]
        along = 1.0 / along if parameter == "lam" else along
    shown = np.isfinite(along) & ((along > 0.0) | (parameter == "tau"))
    return _Curve(along[shown], parameter, game, tuple(rows[shown] for rows in strategies))


def _series(curve: _Curve, y: str | Outcome) -> list[tuple[str, Array]]:
    """Return (label, values (K,)) of every line of a curve."""
    game, rows = curve.game, curve.strategies
    if callable(y):
        profiles = ([row[k] for row in rows] for k in range(len(curve.x)))
        return [("", np.array([y(game, profile) for profile in profiles]))]
    if y in ("welfare", "payoffs"):
        payoffs = [_expected(u, rows) for u in game.payoffs]
        if y == "welfare":
            return [("", np.sum(payoffs, axis=0))]
        return [(named(p), values) for p, values in zip(game.players, payoffs, strict=True)]
    shared = collaboration(game)
    if y == "shared_reward":
        return [("", _expected(shared.reward, rows))]
    costs = np.array([row @ cost for row, cost in zip(rows, shared.costs, strict=True)])
    return [("", np.ptp(costs, axis=0))]


def _expected(table: Array, rows: Sequence[Array]) -> Array:
    """Return the expectation of a table (n_1, ..., n_N) at K profiles, shape (K,)."""
    values = np.tensordot(rows[0], table, axes=(1, 0))
    for row in rows[1:]:
        values = np.einsum("ka,ka...->k...", row, values)
    return np.asarray(values)


def _finish(ax: Axes, curve: _Curve, y: str | Outcome, drawn: int) -> None:
    """Axis labels, title and, for several lines, a legend."""
    ax.set_xlabel(AXIS_LABELS[curve.parameter])
    if curve.parameter != "tau":
        ax.set_xscale("log")
    ax.set_ylabel(_LABELS[y] if isinstance(y, str) else getattr(y, "__name__", "outcome"))
    ax.set_title(game_words(curve.game), loc="left", size="medium")
    tidy(ax, "both")
    low, high = ax.dataLim.intervaly
    unit = float(curve.game.payoff_range.max())
    if isinstance(y, str) and high - low < _LEVEL * unit:  # rounding is nothing to look at
        ax.set_ylim(low - 0.1 * unit, high + 0.1 * unit)
    if drawn > 1:
        ax.legend(frameon=False, fontsize="small")
