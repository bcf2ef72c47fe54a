"""Several results in one figure, for scripts and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rqe._input import instance
from rqe.branch import Branch
from rqe.concepts import whole
from rqe.plot._style import WIDTH, matplotlib
from rqe.plot.branch import HEIGHT, plot_branch
from rqe.plot.strategies import plot_strategies, strategies_height
from rqe.solution import Solution

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    TypeError, ValueError
        If there is nothing to draw, or something else than solutions and branches.
    """
    if isinstance(results, Solution | Branch) or not np.iterable(results):
        raise TypeError(
            f"results must be a sequence of solutions and branches; got {type(results).__name__}"
        )
    if not results:
        raise ValueError("results must hold at least one solution or branch; got none")
    for k, result in enumerate(results):
        instance(f"results[{k}]", result, Solution, Branch)
    whole("columns", columns)
    make_figure = matplotlib("matplotlib.figure").Figure
    columns = min(columns, len(results))
    blocks = [results[k : k + columns] for k in range(0, len(results), columns)]
    heights = [max(_panel_height(result) for result in block) for block in blocks]
    fig: Figure = make_figure((WIDTH * columns, sum(heights)), layout="constrained")
    grid = fig.add_gridspec(len(blocks), columns, height_ratios=heights)
    for k, result in enumerate(results):
        ax = fig.add_subplot(grid[k // columns, k % columns])
        if isinstance(result, Branch):
            plot_branch(result, ax)
        else:
            plot_strategies(result, ax)
    return fig


def _panel_height(result: Solution | Branch) -> float:
    """Height in inches of a result's panel in `figure`."""
    if isinstance(result, Branch):
        return HEIGHT
    return strategies_height(result)
