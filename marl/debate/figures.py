"""Figures of the report: training curves, before and after debate, cross-play of the runs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from marl.debate.evaluate import Array, Outcome
from marl.debate.tables import rolling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marl.debate.runs import Run
    from marl.debate.tables import Entrant

COLOURS = {"ippo": "#0072B2", "srpo": "#D55E00", "start": "#000000"}
LINES = {"ippo": "-", "srpo": "--", "start": ":"}


def curves(runs: Sequence[Run], *, smooth: int = 10) -> Figure:
    """Return training accuracy after debate, over debates: one thin line a run, its agents' mean.

    An agent of SRPO is shown while it debates its adversary, which is meant to mislead it.

    Parameters
    ----------
    runs : sequence of Run
    smooth : int
        Updates over which the accuracy of a batch is averaged.
    """
    figure = _figure(6.8, 3.4)
    ax = figure.add_subplot()
    named: set[str] = set()
    for run in runs:
        method = run.config.training.algo
        metrics = run.metrics()
        debates = metrics["debates"]
        for name, alpha, label in (("last", 0.9, method), ("first", 0.3, f"{method}, before")):
            accuracy = (metrics[f"agent_0_{name}"] + metrics[f"agent_1_{name}"]) / 2.0
            ax.plot(
                debates, rolling(accuracy, smooth), lw=1.1, alpha=alpha, color=COLOURS[method],
                ls=LINES[method], label=None if label in named else label,
            )  # fmt: skip
            named.add(label)
    ax.set_xlabel("debates")
    ax.set_ylabel(f"right in training (mean of {smooth} updates)")
    ax.legend(frameon=False, ncols=2)
    return figure


def before_and_after(beside: Sequence[tuple[str, Mapping[Entrant, Outcome]]]) -> Figure:
    """Return own accuracy before and after debate with each partner, a dot an agent, bars means.

    Agents of different sizes have bars of their own: a mean over sizes would be nobody's.
    """
    groups = sorted({(e.size, e.method) for _, outcomes in beside for e in outcomes})
    figure = _figure(6.8, 1.6 + 0.45 * len(beside) * len(groups))
    ax = figure.add_subplot()
    ticks, labels = [], []
    place = 0.0
    for partner, outcomes in beside:
        for size, method in groups:
            found = [
                o.correct[:, 0].mean(axis=1)
                for e, o in outcomes.items()
                if (e.size, e.method) == (size, method)
            ]
            for r, fill in ((0, 0.35), (-1, 1.0)):
                values = [float(rounds[r]) for rounds in found]
                ax.barh(place, float(np.mean(values)), height=0.36, alpha=fill,
                        color=COLOURS.get(method, COLOURS["start"]))  # fmt: skip
                ax.plot(values, [place] * len(values), "k.", ms=3)
                place += 0.38
            ticks.append(place - 0.57)
            agent = method if len({size for size, _ in groups}) == 1 else f"{size}, {method}"
            labels.append(f"{agent} beside {partner}")
            place += 0.14
        place += 0.2
    ax.set_yticks(ticks, labels)
    ax.invert_yaxis()
    ax.set_xlabel("own accuracy: before debate (pale), after (full)")
    return figure


def heat_maps(scores: Mapping[str, Array]) -> Figure:
    """Return the joint accuracy of every pair of runs, a map a method.

    Parameters
    ----------
    scores : mapping of ndarray, shape (R, R)
        By title; row run in seat 0, column run in seat 1.
    """
    figure = _figure(3.4 * len(scores) + 0.6, 3.2)
    low = min(float(np.nanmin(s)) for s in scores.values())
    high = max(float(np.nanmax(s)) for s in scores.values())
    axes = figure.subplots(1, len(scores), squeeze=False)[0]
    for ax, (title, score) in zip(axes, scores.items(), strict=True):
        image = ax.imshow(score, cmap="cividis", vmin=low, vmax=high)
        for (r, c), value in np.ndenumerate(score):
            dark = value < (low + high) / 2
            ax.text(c, r, f"{value:.2f}", ha="center", va="center", color="w" if dark else "k")
        ax.set(title=title, xlabel="run in seat 1", ylabel="run in seat 0")
        ax.set_xticks(range(score.shape[1]))
        ax.set_yticks(range(score.shape[0]))
    figure.colorbar(image, ax=axes.tolist(), label="both right", shrink=0.85)
    return figure


def png(figure: Figure, *, dpi: int = 110) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()


def img_tag(image: bytes, alt: str) -> str:
    """Return an HTML image that holds its own data."""
    return f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(image).decode()}">'


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure that no window knows of."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install 'rqe[llm]'") from error
    return Figure(figsize=(width, height), layout="constrained")
