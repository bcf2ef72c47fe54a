"""Figures of training and cross-play; every function returns a `matplotlib.figure.Figure`.

Colours are those of Okabe and Ito (2008) and cividis: they can be told apart by colour-blind
readers and in grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marl.measures import RIDER, work_event
from marl.statistics import bootstrap, team_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from marl.crossplay import CrossPlay
    from marl.measures import Method

__all__ = ["Curve", "curves", "heat_map", "partners", "roles", "sweep"]

Array = NDArray[np.float64]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")

_FEW = 4  # methods whose names fit into a plot
_ROOM = 24  # letters that all methods' names may have together, side by side along a matrix


@dataclass(frozen=True, eq=False)
class Curve:
    """One method's figures while it trained.

    Attributes
    ----------
    steps : ndarray
        [k]: environment steps of each team so far.
    returns : ndarray
        [teams, k]: return of the team at play with itself, all seats together.
    least : ndarray or None
        [teams, k]: share of the work that the less productive agent does; NaN without work.
    """

    steps: Array
    returns: Array
    least: Array | None


def heat_map(cross: CrossPlay, title: str = "") -> Figure:
    """Return the cross-play matrix in colours, teams in the order of their seeds."""
    n = len(cross.groups)
    figure = _figure(min(4.2 + 0.06 * n, 8.0), min(3.6 + 0.06 * n, 7.2))
    ax = figure.add_subplot()
    image = ax.imshow(cross.returns, cmap="cividis", interpolation="nearest")
    figure.colorbar(image, ax=ax, label="return of all seats", shrink=0.85)
    edges = [int(cross.members(name)[0]) for name in cross.names]
    for edge in edges[1:]:
        ax.axhline(edge - 0.5, color="white", lw=1.5)
        ax.axvline(edge - 0.5, color="white", lw=1.5)
    middles = [float(cross.members(name).mean()) for name in cross.names]
    if sum(map(len, cross.names)) > _ROOM:  # side by side they would overlap
        ax.set_xticks(middles, cross.names, rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(middles, cross.names)
    else:
        ax.set_xticks(middles, cross.names)
        ax.set_yticks(middles, cross.names, rotation=90, va="center")
    ax.tick_params(length=0)
    two = cross.private.shape[-1] == 2
    ax.set_xlabel("team of seat 1" if two else "team of the other seats")
    ax.set_ylabel("team of seat 0")
    ax.set_title(title or "Cross-play: every pair of teams", fontsize=10)
    return figure


def curves(found: Mapping[str, Curve]) -> Figure:
    """Return learning curves: mean over teams with its 95 % band, and who does the work."""
    shares = any(curve.least is not None for curve in found.values())
    figure = _figure(6.8 if len(found) <= _FEW else 8.8, 5.2 if shares else 3.2)
    axes = figure.subplots(2 if shares else 1, 1, sharex=True, squeeze=False)[:, 0]
    for k, (name, curve) in enumerate(found.items()):
        _band(axes[0], curve.steps, curve.returns, k, f"{name} ({len(curve.returns)} teams)")
        if shares and curve.least is not None:
            _band(axes[1], curve.steps, curve.least, k, name)
    axes[0].set_ylabel("return of all seats")
    _legend(axes[0])
    if shares:
        axes[1].axhline(RIDER, color="#555555", lw=0.8, ls=(0, (2, 2)))
        axes[1].set_ylabel("work share of the\nless productive agent")
        axes[1].set_ylim(-0.02, 0.52)
    axes[-1].set_xlabel("environment steps of each team, all phases counted")
    axes[-1].ticklabel_format(axis="x", style="sci", scilimits=(6, 6), useMathText=True)
    for ax in axes:
        _tidy(ax)
    return figure


def roles(cross: CrossPlay) -> Figure:
    """Return who delivers in each team: one mark a team, free-riding in the shaded wedges."""
    figure = _figure(4.6, 4.2)
    ax = figure.add_subplot()
    largest, event = 1.0, work_event(cross.events)
    if event is None:
        raise ValueError(f"cross: no event in {cross.env['name']} counts as work")
    for k, name in enumerate(cross.names):
        members = cross.members(name)
        work = cross.events[event][members, members]
        largest = max(largest, float(work.max()))
        style: dict[str, Any] = {"color": COLOURS[k % 7], "marker": _mark(k), "alpha": 0.75}
        ax.scatter(work[:, 0], work[:, 1], s=26, label=name, linewidths=0, zorder=3, **style)
    top, slope = 1.08 * largest, RIDER / (1 - RIDER)
    ends = np.array([0.0, top])
    ax.fill_between(ends, 0, slope * ends, color="#dddddd", lw=0, label="free-riding")
    ax.fill_betweenx(ends, 0, slope * ends, color="#dddddd", lw=0)
    ax.plot(ends, ends, color="#999999", lw=0.7)
    ax.set(xlim=(-0.03 * top, top), ylim=(-0.03 * top, top), aspect="equal")
    ax.set_xlabel(f"{event} of seat 0 in {cross.steps} steps")
    ax.set_ylabel(f"{event} of seat 1 in {cross.steps} steps")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _tidy(ax)
    return figure


def partners(methods: Sequence[Method]) -> Figure:
    """Return the returns beside each partner, own and scripted, with 95 % intervals."""
    labels = ["own team", "other seeds", *methods[0].beside]
    apart = min(0.18, 0.84 / len(methods))  # so that no method reaches into the next partner
    figure = _figure(6.8, 0.9 + len(labels) * max(0.42, 0.1 * len(methods)))
    ax = figure.add_subplot()
    for place in range(1, len(labels)):
        ax.axhline(place - 0.5, color="#dddddd", lw=0.8)
    for k, method in enumerate(methods):
        beside = [method.beside[name].returns for name in methods[0].beside]
        figures = [method.training, method.crossing, *beside]
        values = np.array([figure.value for figure in figures])
        places = np.arange(len(labels)) + apart * (k - (len(methods) - 1) / 2)
        ends = np.array([[f.value - f.low, f.high - f.value] for f in figures]).T
        ax.errorbar(
            values, places, xerr=np.nan_to_num(np.maximum(ends, 0.0)), fmt=_mark(k),
            color=COLOURS[k % 7], ms=5, lw=1.3, capsize=2, label=method.name,
        )  # fmt: skip
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set_xlabel("return of all seats (95 % interval over teams)")
    _legend(ax)
    _tidy(ax)
    return figure


def sweep(rows: Sequence[Mapping[str, Any]], parameter: str, label: str) -> Figure:
    """Return returns and free-riding against a parameter; `rows` as `marl.measures.rows` makes.

    Each row has also `parameter` and ``series``, the line that it belongs to. A parameter of zero
    is drawn at the left end of the logarithmic axis.
    """
    figure = _figure(6.8, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True)
    values = sorted({float(row[parameter]) for row in rows})
    positive = [value for value in values if value > 0]
    least = positive[0] if positive else 1.0
    for k, series in enumerate(dict.fromkeys(row["series"] for row in rows)):
        line = sorted((row for row in rows if row["series"] == series), key=lambda r: r[parameter])
        x = np.array([float(row[parameter]) or least / 10 for row in line])
        style: dict[str, Any] = {"color": COLOURS[k % 7], "marker": _mark(k), "ms": 4.5}
        for name, dash, what in (("training", "-", "TP"), ("crossing", "--", "CP")):
            y = np.array([float(row[name]) for row in line])
            low, high = (
                np.array([float(row[f"{name}_{end}"]) for row in line]) for end in ("low", "high")
            )
            top.plot(x, y, ls=dash, lw=1.4, label=f"{series}: {what}", **style)
            top.fill_between(x, low, high, color=COLOURS[k % 7], alpha=0.12, lw=0)
        riders = [row["free_riding_teams"] / row["teams"] for row in line]
        bottom.plot(x, riders, ls="-", lw=1.4, label=series, **style)
    top.set_ylabel("return of all seats")
    top.legend(frameon=False, fontsize=8, ncols=2)
    bottom.set_ylabel("share of free-riding teams")
    bottom.set_ylim(-0.04, 1.04)
    bottom.set_xscale("log")
    ticks = [value or least / 10 for value in values]
    bottom.set_xticks(ticks, [f"{value:g}" for value in values])
    bottom.minorticks_off()
    bottom.set_xlabel(label)
    for ax in (top, bottom):
        _tidy(ax)
    return figure


def _band(ax: Axes, x: Array, y: Array, k: int, label: str) -> None:
    """Mean of `y` [teams, k] over teams, with its bootstrap band."""
    points = [
        bootstrap(lambda w, column=column: team_mean(column, w), len(y), resamples=1000)
        for column in y.T
    ]
    colour = COLOURS[k % 7]
    ax.plot(x, [p.value for p in points], color=colour, ls=LINES[k % 4], lw=1.5, label=label)
    low, high = np.array([p.low for p in points]), np.array([p.high for p in points])
    ax.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)


def _mark(k: int) -> str:
    """Mark of the k-th method; with its colour it is another's only after 49."""
    return MARKS[(k + k // 7) % 7]


def _legend(ax: Axes) -> None:
    """Legend of the methods: inside for a few, beside the axes where it would cover the data."""
    if len(ax.get_legend_handles_labels()[1]) <= _FEW:
        ax.legend(frameon=False, fontsize=8)
    else:
        ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure that no window knows of."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install 'rqe[marl]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def _tidy(ax: Axes) -> None:
    """Light grid behind the data; no frame above and at the right."""
    ax.grid(visible=True, color="#e2e2e2", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
