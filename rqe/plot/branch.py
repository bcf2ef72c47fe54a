"""Probabilities along a branch of equilibria."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe._input import instance
from rqe.branch import Branch
from rqe.concepts import one_of
from rqe.games._checks import check_index
from rqe.plot._style import (
    AXIS_LABELS,
    COLOURS,
    GREY,
    LINES,
    SMALL,
    heading,
    named,
    new_axes,
    short,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_AXES = ("lam", "eps", "tau")
_MAX_LINES = 14
_WIDE = 100.0  # ratio of largest to smallest positive tau from which its axis is logarithmic
HEIGHT = 4.2  # inches


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
    TypeError, ValueError
        If `branch` is none, or has no such axis, no such player, or no points.

    Notes
    -----
    Points are joined by straight lines. For a smooth curve, trace with more of them:
    ``rqe.trace(..., solver=rqe.PrincipalBranch(predictor_error=1e-4))``.
    """
    instance("branch", branch, Branch)
    axis = _axis_of(branch, x, player)
    if ax is None:
        ax = new_axes(HEIGHT)
    lines = _lines_of(branch)
    for style, (i, a) in enumerate(lines):
        label = f"{named(branch.game.players[i])}: {short(branch.game.actions[i][a])}"
        look = _Look(COLOURS[style % len(COLOURS)], LINES[i % len(LINES)], 1.6 if i else 2.8)
        _draw_line(ax, axis, branch, branch.strategies[i][:, a], label, look)
    _scale_axis(ax, axis)
    ax.set_xlabel(axis.label)
    ax.set_ylabel("probability")
    highest = max(float(branch.strategies[i][:, a].max()) for i, a in lines)
    top = 1.0 if highest > SMALL else highest
    ax.set_ylim(-0.03 * top, 1.03 * top)
    ax.set_title(heading(branch), loc="left", size="medium")
    tidy(ax, "both")
    _legend(ax, branch, axis, len(lines))
    return ax


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
    else:
        check_index("player", player, branch.game.n_players)
    values = branch.values[:, player]
    if kind == "lam":
        with np.errstate(divide="ignore"):
            values = 1.0 / values
    common = bool((branch.values == branch.values[:, :1]).all())
    label = AXIS_LABELS[kind]
    if not common:
        label += f" of {named(branch.game.players[player])}"
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
        ("limit ε = 0" if axis.kind != "tau" else "limit τ = ∞", "D", GREY, _at_limit(axis)),
    )
    for text, mark, fill, occurs in marks:
        if occurs:
            ax.plot([], [], mark, mfc=fill, mec=GREY, ms=6, label=text)
    total = sum(branch.game.shape)
    title = f"{drawn} of {total} actions" if drawn < total else None
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize="small", title=title
    )
