"""The pictures of the documentation, each drawn by the functions of `rqe.plot`.

``rqe figure pictures --out docs/images`` writes them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import rqe
from rqe import plot
from rqe.plot._style import matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PICTURES", "draw"]

_EPS = 0.2


def _game() -> rqe.NormalFormGame:
    """Return the free-riding game of arXiv 2602.21515, example 4.2."""
    return rqe.catalog.load("example-4.2")


def _square(ax: Axes) -> None:
    """Three equilibria of the free-riding game, where the best responses meet."""
    game = _game()
    plot.plot_simplex([rqe.solve_all(game, 0.4, _EPS), rqe.nash(game, "all")], ax)


def _triangle(ax: Axes) -> None:
    """Risk-averse best responses in rock-paper-scissors with a bad loss, and a branch."""
    A = np.array([[0.0, -1.0, 1.5], [1.0, 0.0, -1.0], [-2.0, 1.0, 0.0]])
    names = ("rock", "paper", "scissors")
    game = rqe.NormalFormGame.from_bimatrix(
        A, A.T, actions=names, title="Rock, paper, scissors with a bad loss"
    )
    fine = rqe.PrincipalBranch(predictor_error=1e-4)
    path = rqe.trace(game, 2.0, 0.05, solver=fine)
    plot.plot_simplex([rqe.solve(game, 2.0, 0.05), rqe.nash(game), path], ax)


def _outcomes(ax: Axes) -> None:
    """Free-riding against tau: on the branch of the worker and the rider, and on the symmetric."""
    game = _game()
    symmetric = [rqe.solve(game, tau, _EPS) for tau in np.linspace(0.0, 1.5, 61)]
    riding, start = [], [[0.2, 0.8], [0.88, 0.12]]
    for tau in 0.8287 * (1.0 - np.linspace(1.0, 0.0, 40) ** 2):
        riding.append(rqe.solve(game, tau, _EPS, start=start))
        start = [x.tolist() for x in riding[-1].strategies]
    plot.plot_outcomes({"free-riding": riding, "symmetric": symmetric}, ax, y="free_riding")


def _heatmap(ax: Axes) -> None:
    """Welfare over tau and eps on the principal branch."""
    game = _game()
    points = [(t, e) for t in np.linspace(0.0, 4.0, 33) for e in np.geomspace(0.05, 1.6, 31)]
    welfare = [float(rqe.solve(game, t, e).payoffs.sum()) for t, e in points]
    tau, eps = np.array(points).T
    table = {"tau": tau, "eps": eps, "welfare": welfare}
    plot.plot_heatmap(table, "welfare", ax, label="welfare, sum of expected payoffs")


def _observed(ax: Axes) -> None:
    """Play in twelve games beside two models, each fitted to all games at once."""
    data = rqe.datasets.load("selten-chmura")
    models = [
        rqe.fit(data.games, data.frequencies, n=data.n, model=model) for model in ("qre", "rqe")
    ]
    plot.plot_observed(models, ax=ax)


#: Name of the file without its ending -> size in inches and what draws on the axes.
PICTURES: dict[str, tuple[float, float, Callable[[Axes], None]]] = {
    "best_responses": (6.6, 5.0, _square),
    "triangle": (6.8, 4.8, _triangle),
    "free_riding": (6.6, 4.2, _outcomes),
    "welfare": (6.8, 4.6, _heatmap),
    "observed": (5.0, 5.0, _observed),
}


def draw(name: str) -> Figure:
    """Draw a picture, or ``"gallery"``: four of them in one, for the README.

    Raises
    ------
    ImportError
        If matplotlib is not installed (extra ``rqe[plot]``).
    KeyError
        If there is no picture of this name.
    """
    make = matplotlib("matplotlib.figure").Figure
    if name != "gallery":
        width, height, paint = PICTURES[name]
        alone: Figure = make((width, height), layout="constrained")
        paint(alone.subplots())
        return alone
    drawing: Figure = make((13.8, 9.2), layout="constrained")
    parts = ("best_responses", "triangle", "free_riding", "welfare")
    panels: Any = drawing.subfigures(2, 2, wspace=0.04, hspace=0.05)
    for panel, part in zip(panels.ravel(), parts, strict=True):
        PICTURES[part][2](panel.subplots())
    return drawing
