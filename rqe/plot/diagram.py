"""Bifurcation diagrams: every branch of equilibria, solid where it attracts learners."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from rqe._input import instance
from rqe.branch import Branch
from rqe.concepts import one_of
from rqe.diagram import Diagram
from rqe.games._checks import check_index
from rqe.plot._style import (
    AXIS_LABELS,
    COLOURS,
    GREY,
    SMALL,
    game_words,
    heading,
    named,
    new_axes,
    short,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from rqe.bifurcation.stability import Stability
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

DYNAMICS = ("best_response", "best_response_map", "regret")
_WORDS = {
    "best_response": "best response dynamics",
    "best_response_map": "iterated best responses",
    "regret": "regret dynamics",
}
_POINTS = {"fold": "o", "pitchfork": "X", "transcritical": "D", "unclassified": "s"}
_HEIGHT = 4.2
_DECADE = 8.0  # an axis in eps or lam that spans more is logarithmic
_MAX_LINES = 14


def plot_diagram(
    diagram: Diagram,
    ax: Axes | None = None,
    *,
    player: int = 0,
    action: int = 0,
    x: str | None = None,
    dynamics: str = "best_response",
) -> Axes:
    """Draw one action's probability along every branch; stable parts solid, others dashed.

    Parameters
    ----------
    diagram : Diagram
        What `rqe.diagram` returned.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    player, action : int
        Whose probability of what is drawn.
    x : {"eps", "lam"}, optional
        Horizontal axis of a diagram in eps; lam = 1 / eps by default.
    dynamics : {"best_response", "best_response_map", "regret"}
        Which learners a solid line attracts.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `diagram` is none, or there is no such player, action, axis or dynamics.
    """
    instance("diagram", diagram, Diagram)
    one_of("dynamics", dynamics, DYNAMICS)
    check_index("player", player, diagram.game.n_players)
    check_index("action", action, diagram.game.shape[player])
    lam = _lam(diagram.parameter, x)
    if ax is None:
        ax = new_axes(_HEIGHT)
    highest = 0.0
    for k, (branch, stable) in enumerate(zip(diagram.branches, diagram.stability, strict=True)):
        t, y = _positions(branch, lam), branch.strategies[player][:, action]
        highest = max(highest, float(y.max()))
        colour = COLOURS[k % len(COLOURS)]
        for part, solid in _pieces(_flags(stable, dynamics, branch)):
            ax.plot(
                t[part], y[part], "-" if solid else "--", color=colour, lw=2.2 if solid else 1.3
            )
    for point in diagram.bifurcations:
        place = 1.0 / point.value if lam else point.value
        height = float(point.strategies[player][action])
        mark = _POINTS[point.kind]
        ax.plot(place, height, mark, mfc="white", mec="black", ms=7, mew=1.2, zorder=4)
    _axes(ax, diagram.parameter, lam, diagram.window, diagram.game)
    name = short(diagram.game.actions[player][action])
    ax.set_ylabel(f"probability that {named(diagram.game.players[player])} plays {name}")
    top = 1.0 if highest > SMALL else highest
    ax.set_ylim(-0.03 * top, 1.03 * top)
    ax.set_title(_title(diagram), loc="left", size="medium")
    _legend(ax, diagram, dynamics)
    return ax


def plot_path(branch: Branch, ax: Axes | None = None) -> Axes:
    """Draw every action's probability along a branch in a payoff parameter.

    Parameters
    ----------
    branch : Branch
        What `rqe.trace` returned.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. At most 14 actions are drawn.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `branch` is none.
    """
    instance("branch", branch, Branch)
    if ax is None:
        ax = new_axes(_HEIGHT)
    game, t = branch.game, branch.values[:, 0]
    pairs = [(i, a) for i, n in enumerate(game.shape) for a in range(n)][:_MAX_LINES]
    for k, (i, a) in enumerate(pairs):
        label = f"{named(game.players[i])}: {short(game.actions[i][a])}"
        y, colour = branch.strategies[i][:, a], COLOURS[k % len(COLOURS)]
        ax.plot(t, y, ("-", "--", ":", "-.")[i % 4], color=colour, lw=1.6, label=label)
        for points, mark in ((branch.turning_points, "o"), (branch.bifurcations, "X")):
            ax.plot(t[points], y[points], mark, mfc="white", mec=colour, ms=6, zorder=4)
    ax.set_xlabel(branch.parameter)
    ax.set_ylabel("probability")
    ax.set_ylim(-0.03, 1.03)
    ax.set_title(heading(branch), loc="left", size="medium")
    tidy(ax, "both")
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize="small")
    return ax


def _lam(parameter: str, x: str | None) -> bool:
    """Return whether the horizontal axis is 1 / eps."""
    allowed = ("lam", "eps") if parameter == "eps" else (parameter,)
    return one_of("x", x or allowed[0], allowed) == "lam"


def _positions(branch: Branch, lam: bool) -> Array:
    """Return the parameter of every point, the largest where players' differ."""
    values = np.where(np.isfinite(branch.values), branch.values, -np.inf)
    t: Array = values.max(axis=1)
    return 1.0 / t if lam else t


def _flags(stable: Stability, dynamics: str, branch: Branch) -> NDArray[np.bool_]:
    """Return which of the branch's chords are solid: (K - 1,).

    At a bifurcation itself nothing is decided: the chord's other end says what it is.
    """
    flags: NDArray[np.bool_] = getattr(stable, dynamics)
    known = np.ones(len(flags), bool)
    known[branch.turning_points] = known[branch.bifurcations] = False
    solid: NDArray[np.bool_] = (flags | ~known)[:-1] & (flags | ~known)[1:]
    return solid & (known[:-1] | known[1:])


def _pieces(solid: NDArray[np.bool_]) -> list[tuple[slice, bool]]:
    """Return the runs of equal chords as slices of points."""
    cuts = [0, *(np.flatnonzero(np.diff(solid)) + 1).tolist(), len(solid)]
    return [(slice(a, b + 1), bool(solid[a])) for a, b in itertools.pairwise(cuts) if b > a]


def _axes(
    ax: Axes, parameter: str, lam: bool, window: tuple[float, float], game: NormalFormGame
) -> None:
    """Scale and label the horizontal axis."""
    low, high = sorted(1.0 / t for t in window) if lam else sorted(window)
    if parameter == "eps" and high > _DECADE * low:
        ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_xlabel(AXIS_LABELS.get("lam" if lam else parameter, parameter))
    tidy(ax, "both")


def _title(diagram: Diagram) -> str:
    """Return two lines: the game, then what is held fixed."""
    fixed = [
        f"{symbol} = {values[0]:g}" if (values == values[0]).all() else f"{symbol} = {values}"
        for name, symbol, values in (
            ("tau", "τ", diagram.concept.tau), ("eps", "ε", diagram.concept.eps),
        )
        if name != diagram.parameter
    ]  # fmt: skip
    return f"{game_words(diagram.game)}\nequilibria at {', '.join(fixed)}"


def _legend(ax: Axes, diagram: Diagram, dynamics: str) -> None:
    """Legend beside the axes: what lines and marks mean."""
    ax.plot([], [], "-", color=GREY, lw=2.2, label=f"stable under\n{_WORDS[dynamics]}")
    ax.plot([], [], "--", color=GREY, lw=1.3, label="not stable")
    for kind, mark in _POINTS.items():
        if any(point.kind == kind for point in diagram.bifurcations):
            ax.plot([], [], mark, mfc="white", mec="black", ms=7, ls="", label=kind)
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize="small")
