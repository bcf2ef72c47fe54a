"""Bars of a solution's probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rqe import report
from rqe._input import instance
from rqe.concepts import whole
from rqe.plot._style import COLOURS, GREY, SMALL, heading, named, new_axes, short, tidy
from rqe.solution import Solution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_BARS = 40


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
    TypeError, ValueError
        If `solution` is none, or `max_actions` no positive integer.
    """
    instance("solution", solution, Solution)
    if max_actions is not None:
        whole("max_actions", max_actions)
    limit = max_actions or shown_bars(solution)
    if ax is None:
        ax = new_axes(strategies_height(solution, limit))
    position, ticks, labels, longest = 0.0, [], [], 0.0
    for i, player in enumerate(solution.game.players):
        log_x = solution.log_strategies[i]
        shown = report.shown_actions(log_x, limit)
        hidden = "" if len(shown) == len(log_x) else f", {len(shown)} of {len(log_x)} actions"
        head = f"payoff {solution.payoffs[i]:.4g}, risk-adjusted {solution.risk_adjusted[i]:.4g}"
        bold = ax.text(0.0, position, named(player, "Player"), weight="bold", va="center")
        ax.annotate(
            f"  {head}{hidden}", (1, 0.5), xycoords=bold, va="center", color=GREY, size="small"
        )
        for a in shown:
            position += 1.0
            ticks.append(position)
            labels.append(short(solution.game.actions[i][a]))
            x = float(solution.strategies[i][a])
            longest = max(longest, x)
            ax.barh(position, x, height=0.72, color=COLOURS[i % len(COLOURS)])
            text = report.probability(log_x[a]) if x < 1e-4 else f"{x:.4f}"
            ax.annotate(
                text, (x, position), (4, 0), textcoords="offset points", va="center",
                size="small", color=GREY,
            )  # fmt: skip
        position += 1.4
    ax.set_yticks(ticks, labels)
    ax.set_ylim(position - 0.6, -0.8)
    span = 1.0 if longest > SMALL else longest
    ax.set_xlim(0.0, 1.13 * span)
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= span])
    ax.set_xlabel("probability")
    ax.set_title(heading(solution), loc="left", size="medium")
    tidy(ax, "x")
    return ax


def strategies_height(solution: Solution, limit: int | None = None) -> float:
    """Height in inches that the bars of `plot_strategies` need."""
    limit = limit or shown_bars(solution)
    rows = sum(min(n, limit) + 1.4 for n in solution.game.shape)
    return 1.3 + 0.27 * rows


def shown_bars(solution: Solution) -> int:
    """Return how many actions of each player are drawn by default."""
    return max(2, _MAX_BARS // solution.game.n_players)
