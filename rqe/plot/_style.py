"""What all figures share: colours, axes, words, and the import of matplotlib."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from rqe import report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rqe.branch import Branch
    from rqe.concepts import Concept
    from rqe.games import NormalFormGame
    from rqe.solution import Solution

# Okabe & Ito (2008), darkest first; their yellow is left out because it is too faint for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#555555"
AXIS_LABELS = {
    "lam": "precision λ = 1/ε (1/payoff)",
    "eps": "bounded rationality ε (payoff)",
    "tau": "risk aversion τ (1/payoff)",
}
SMALL = 0.3  # where no probability is larger, its axis does not run to 1
WIDTH = 6.8  # inches


def heading(result: Solution | Branch) -> str:
    """Two lines: the game, then the concept with its parameters."""
    return f"{game_words(result.game)}\n{concept_words(result.concept)}"


def game_words(game: NormalFormGame) -> str:
    """Title and size of a game, as a figure's title begins."""
    name = report.game_name(game)
    return _plainly(f"{name[0].upper()}{name[1:]}")


def concept_words(concept: Concept) -> str:
    """Name and parameters of the concept, one value where all players share it."""
    parts = [
        f"{symbol} = {values[0]:g}"
        if (values == values[0]).all()
        else f"{symbol} = ({', '.join(f'{value:g}' for value in values)})"
        for symbol, values in (("τ", concept.tau), ("ε", concept.eps))
    ]
    return ", ".join([concept.name, *parts])


def named(player: str, word: str = "player") -> str:
    """Name of a player, with a word before it where it is only a number."""
    return f"{word} {player}" if player.isdigit() else short(player)


def short(label: str) -> str:
    """`label`, cut where it would take over the figure."""
    return _plainly(label if len(label) <= 24 else label[:23] + "…")


def _plainly(text: str) -> str:
    """`text` as it stands: matplotlib reads what is between two dollars as mathematics."""
    return text.replace("$", r"\$")


def tidy(ax: Axes, grid: Literal["x", "both"]) -> None:
    """Light grid behind the data; no frame above and at the right."""
    ax.grid(visible=True, axis=grid, color="#dddddd", lw=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def new_axes(height: float, width: float = WIDTH) -> Axes:
    """Axes on a new figure of pyplot, which notebooks show by themselves."""
    pyplot = matplotlib("matplotlib.pyplot")
    _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
    axes: Axes = ax
    return axes


def matplotlib(module: str) -> Any:
    """Import a module of matplotlib; a clear ImportError where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install 'rqe[plot]'") from error
