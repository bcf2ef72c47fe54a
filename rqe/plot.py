"""Figures of solutions and branches, with matplotlib (extra ``rqe[plot]``).

The functions draw on the axes they are given, or on new ones, and return them. Colours are those
of Okabe and Ito, which stay apart for colour-blind readers; players also differ by line style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rqe import report
from rqe.branch import Branch
from rqe.concepts import one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.solution import Solution

    Array = NDArray[np.float64]

# Okabe & Ito (2008), darkest first; their yellow is left out because it is too faint for a line.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", ":", "-.")
_GREY = "#555555"
_AXES = ("lam", "eps", "tau")
_AXIS_LABELS = {
    "lam": "precision λ = 1/ε (1/payoff)",
    "eps": "bounded rationality ε (payoff)",
    "tau": "risk aversion τ (1/payoff)",
}
_MAX_BARS = 40
_MAX_LINES = 14
_SMALL = 0.3  # where no probability is larger, its axis does not run to 1
_WIDE = 100.0  # ratio of largest to smallest positive tau from which its axis is logarithmic
_PANEL_WIDTH = 6.8  # inches


def plot_strategies(
    solution: Solution, ax: Axes | None = None, *, max_actions: int | None = None
) -> Axes:
    """Draw every player's probabilities as bars, with the values beside them.

    Parameters
    ----------
    solution : Solution
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes that are as tall as the number of actions asks.
    max_actions : int, optional
        Players with more actions are shown by their most probable ones; by default about 40
        actions are shown in all.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    limit = max_actions or max(2, _MAX_BARS // solution.game.n_players)
    if ax is None:
        ax = _new_axes(_strategies_height(solution, limit))
    position, ticks, labels, longest = 0.0, [], [], 0.0
    for i, player in enumerate(solution.game.players):
        log_x = solution.log_strategies[i]
        shown = report.shown_actions(log_x, limit)
        hidden = "" if len(shown) == len(log_x) else f", {len(shown)} of {len(log_x)} actions"
        head = f"payoff {solution.payoffs[i]:.4g}, risk-adjusted {solution.risk_adjusted[i]:.4g}"
        bold = ax.text(0.0, position, _named(player, "Player"), weight="bold", va="center")
        ax.annotate(
            f"  {head}{hidden}", (1, 0.5), xycoords=bold, va="center", color=_GREY, size="small"
        )
        for a in shown:
            position += 1.0
            ticks.append(position)
            labels.append(_short(solution.game.actions[i][a]))
            x = float(solution.strategies[i][a])
            longest = max(longest, x)
            ax.barh(position, x, height=0.72, color=_COLOURS[i % len(_COLOURS)])
            text = report.probability(log_x[a]) if x < 1e-4 else f"{x:.4f}"
            ax.annotate(
                text, (x, position), (4, 0), textcoords="offset points", va="center",
                size="small", color=_GREY,
            )  # fmt: skip
        position += 1.4
    ax.set_yticks(ticks, labels)
    ax.set_ylim(position - 0.6, -0.8)
    span = 1.0 if longest > _SMALL else longest
    ax.set_xlim(0.0, 1.13 * span)
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= span])
    ax.set_xlabel("probability")
    ax.set_title(_title(solution), loc="left", size="medium")
    _tidy(ax, "x")
    return ax


def plot_branch(
    branch: Branch, ax: Axes | None = None, *, x: str | None = None, player: int | None = None
) -> Axes:
    """Draw probabilities along a branch; folds and bifurcations are marked.

    Parameters
    ----------
    branch : Branch
        What `rqe.trace` returned.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    x : {"lam", "eps", "tau"}, optional
        Horizontal axis; by default lam = 1/eps for a branch in eps, and tau for one in tau.
        lam and eps are on logarithmic axes, so the centroid (lam = 0) is not on them; the limit
        eps = 0 is a diamond at the margin.
    player : int, optional
        Whose parameter the horizontal axis shows; by default the first whose parameter changes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. At most 14 actions are drawn, those that reach the largest probabilities.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the branch has no such axis, no such player, or no points.

    Notes
    -----
    Points are joined by straight lines. For a smooth curve, trace with more of them:
    ``rqe.trace(..., solver=rqe.PrincipalBranch(predictor_error=1e-4))``.
    """
    axis = _axis_of(branch, x, player)
    if ax is None:
        ax = _new_axes(4.2)
    lines = _lines_of(branch)
    for style, (i, a) in enumerate(lines):
        label = f"{_named(branch.game.players[i])}: {_short(branch.game.actions[i][a])}"
        look = _Look(_COLOURS[style % len(_COLOURS)], _LINES[i % len(_LINES)], 1.6 if i else 2.8)
        _draw_line(ax, axis, branch, branch.strategies[i][:, a], label, look)
    _scale_axis(ax, axis)
    ax.set_xlabel(axis.label)
    ax.set_ylabel("probability")
    highest = max(float(branch.strategies[i][:, a].max()) for i, a in lines)
    top = 1.0 if highest > _SMALL else highest
    ax.set_ylim(-0.03 * top, 1.03 * top)
    ax.set_title(_title(branch), loc="left", size="medium")
    _tidy(ax, "both")
    _legend(ax, branch, axis, len(lines))
    return ax


def figure(results: Sequence[Solution | Branch], *, columns: int = 1) -> Figure:
    """Draw several results in one figure, each in its own panel.

    The figure belongs to no window and needs no display: write it with ``figure.savefig``.

    Parameters
    ----------
    results : sequence of Solution or Branch
        Branches are drawn by `plot_branch`, solutions by `plot_strategies`.
    columns : int
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is nothing to draw.
    """
    if not results:
        raise ValueError("results must hold at least one solution or branch; got none")
    make_figure = _matplotlib("matplotlib.figure").Figure
    columns = min(columns, len(results))
    blocks = [results[k : k + columns] for k in range(0, len(results), columns)]
    heights = [max(_panel_height(result) for result in block) for block in blocks]
    fig: Figure = make_figure((_PANEL_WIDTH * columns, sum(heights)), layout="constrained")
    grid = fig.add_gridspec(len(blocks), columns, height_ratios=heights)
    for k, result in enumerate(results):
        ax = fig.add_subplot(grid[k // columns, k % columns])
        if isinstance(result, Branch):
            plot_branch(result, ax)
        else:
            plot_strategies(result, ax)
    return fig


@dataclass(frozen=True)
class _Axis:
    """Horizontal axis of a branch: its kind, words, and the position of each point (K,)."""

    kind: str
    label: str
    values: Array


def _axis_of(branch: Branch, x: str | None, player: int | None) -> _Axis:
    """Horizontal positions of the branch's points, for the asked kind and player."""
    kind = x or ("lam" if branch.parameter == "eps" else "tau")
    one_of("x", kind, _AXES)
    if not len(branch):
        raise ValueError("branch must have at least one point; got none")
    if (kind == "tau") != (branch.parameter == "tau"):
        raise ValueError(f"x must fit a branch in {branch.parameter}; got {kind!r}")
    if player is None:
        changing = np.ptp(np.where(np.isinf(branch.values), -1.0, branch.values), axis=0) > 0.0
        player = int(changing.argmax())
    elif not 0 <= player < branch.game.n_players:
        raise ValueError(f"player must be from 0 to {branch.game.n_players - 1}; got {player}")
    values = branch.values[:, player]
    if kind == "lam":
        with np.errstate(divide="ignore"):
            values = 1.0 / values
    common = bool((branch.values == branch.values[:, :1]).all())
    label = _AXIS_LABELS[kind]
    if not common:
        label += f" of {_named(branch.game.players[player])}"
    return _Axis(kind, label, values)


def _on_axis(axis: _Axis) -> NDArray[np.bool_]:
    """Points that the axis can show: positive ones on a logarithmic axis, finite ones on any."""
    shown: NDArray[np.bool_] = np.isfinite(axis.values)
    return shown if axis.kind == "tau" else shown & (axis.values > 0.0)


def _at_limit(axis: _Axis) -> bool:
    """Whether the branch ends beyond the axis: at eps = 0 or tau = inf."""
    end = axis.values[-1] if len(axis.values) > 1 else 1.0
    return bool(end == 0.0) if axis.kind == "eps" else bool(np.isinf(end))


def _lines_of(branch: Branch) -> list[tuple[int, int]]:
    """(player, action) pairs to draw, at most `_MAX_LINES`, in the game's order."""
    pairs = [(i, a) for i, n in enumerate(branch.game.shape) for a in range(n)]
    peaks = np.concatenate([log_x.max(axis=0) for log_x in branch.log_strategies])
    return [pairs[k] for k in sorted(np.argsort(-peaks, kind="stable")[:_MAX_LINES].tolist())]


@dataclass(frozen=True)
class _Look:
    """How a curve looks; the first player's are wide, so that others show on top of them."""

    colour: str
    dashes: str
    width: float


def _draw_line(ax: Axes, axis: _Axis, branch: Branch, y: Array, label: str, look: _Look) -> None:
    """One action's curve with its marks, y: (K,) probabilities; a level where nothing moves."""
    if len(y) == 1:
        ax.axhline(y[0], ls=look.dashes, color=look.colour, lw=look.width, label=label)
        return
    shown = _on_axis(axis)
    ax.plot(
        axis.values[shown], y[shown], look.dashes, color=look.colour, lw=look.width, label=label
    )
    for points, mark in ((branch.turning_points, "o"), (branch.bifurcations, "X")):
        kept = points[shown[points]]
        ax.plot(axis.values[kept], y[kept], mark, mfc="white", mec=look.colour, ms=6, zorder=4)
    if _at_limit(axis):
        edge = 0.0 if axis.kind == "eps" else 1.0
        where = ax.get_yaxis_transform()
        ax.plot(edge, y[-1], "D", color=look.colour, ms=5, clip_on=False, transform=where, zorder=5)


def _scale_axis(ax: Axes, axis: _Axis) -> None:
    """Logarithmic where the parameter spans decades."""
    if axis.kind != "tau":
        ax.set_xscale("log")
        return
    positive = axis.values[_on_axis(axis) & (axis.values > 0.0)]
    if positive.size and positive.max() > _WIDE * positive.min():
        ax.set_xscale("symlog", linthresh=float(positive.min()))


def _legend(ax: Axes, branch: Branch, axis: _Axis, drawn: int) -> None:
    """Legend beside the axes: one entry per curve, then one per kind of mark that occurs."""
    marks = (
        ("turning point", "o", "white", len(branch.turning_points) > 0),
        ("bifurcation", "X", "white", len(branch.bifurcations) > 0),
        ("limit ε = 0" if axis.kind != "tau" else "limit τ = ∞", "D", _GREY, _at_limit(axis)),
    )
    for text, mark, fill, occurs in marks:
        if occurs:
            ax.plot([], [], mark, mfc=fill, mec=_GREY, ms=6, label=text)
    total = sum(branch.game.shape)
    title = f"{drawn} of {total} actions" if drawn < total else None
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize="small", title=title
    )


def _title(result: Solution | Branch) -> str:
    """Two lines: the game, then the concept with its parameters."""
    name, concept = report.game_name(result.game), result.concept
    return f"{name[0].upper()}{name[1:]}\n{_concept_words(concept)}"


def _concept_words(concept: Concept) -> str:
    """Name and parameters of the concept, one value where all players share it."""
    parts = [
        f"{symbol} = {values[0]:g}"
        if (values == values[0]).all()
        else f"{symbol} = ({', '.join(f'{value:g}' for value in values)})"
        for symbol, values in (("τ", concept.tau), ("ε", concept.eps))
    ]
    return ", ".join([concept.name, *parts])


def _named(player: str, word: str = "player") -> str:
    """Name of a player, with a word before it where it is only a number."""
    return f"{word} {player}" if player.isdigit() else _short(player)


def _short(label: str) -> str:
    """`label`, cut where it would take over the figure."""
    return label if len(label) <= 24 else label[:23] + "…"


def _tidy(ax: Axes, grid: Literal["x", "both"]) -> None:
    """Light grid behind the data; no frame above and at the right."""
    ax.grid(visible=True, axis=grid, color="#dddddd", lw=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _strategies_height(solution: Solution, limit: int) -> float:
    """Height in inches that the bars of `plot_strategies` need."""
    rows = sum(min(n, limit) + 1.4 for n in solution.game.shape)
    return 1.3 + 0.27 * rows


def _panel_height(result: Solution | Branch) -> float:
    """Height in inches of a result's panel in `figure`."""
    if isinstance(result, Branch):
        return 4.2
    return _strategies_height(result, max(2, _MAX_BARS // result.game.n_players))


def _new_axes(height: float) -> Axes:
    """Axes on a new figure of pyplot, which notebooks show by themselves."""
    pyplot = _matplotlib("matplotlib.pyplot")
    _, ax = pyplot.subplots(figsize=(_PANEL_WIDTH, height), layout="constrained")
    axes: Axes = ax
    return axes


def _matplotlib(module: str) -> Any:
    """Import a module of matplotlib; a clear ImportError where it is missing."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install 'rqe[plot]'") from error
