"""Games as HTML tables, for notebooks."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from rqe.games._cells import decimal_text, panels

if TYPE_CHECKING:
    from rqe.games.normal_form import NormalFormGame

_MOST = 20  # rows and columns shown
_PANELS = 12  # panels of more than two players shown


def game_html(game: NormalFormGame) -> str:
    """Bimatrix (its first 20 rows and columns), one per choice of the players from the third on.

    Games that would need more than 12 panels show their players' actions and payoffs' bounds.
    """
    title = f"<caption>{escape(game.title)}</caption>" if game.title else ""
    if math.prod(game.shape[2:]) > _PANELS:
        return f"<table>{title}{_summary(game)}</table>"
    bodies = (_bimatrix(game, words, cells) for words, cells in panels(game))
    return f"<table>{title}{''.join(bodies)}</table>"


def _bimatrix(game: NormalFormGame, words: str, cells: tuple[Any, ...]) -> str:
    """Rows of the table of payoff vectors, under a line that says what the others play."""
    rows, columns = (labels[:_MOST] for labels in game.actions[:2])
    more = "<td>…</td>" if game.shape[1] > _MOST else ""
    corner = f"{escape(game.players[0])} \\ {escape(game.players[1])}"
    head = "".join(f"<th>{escape(label)}</th>" for label in columns)
    lines = [f"<tr><th>{corner}</th>{head}{more}</tr>"]
    if words:
        lines.insert(0, f'<tr><th colspan="{len(columns) + 1}">{escape(words)}</th></tr>')
    numbers = game.payoffs[cells] if game._literals is None else game.exact[cells]
    for a, label in enumerate(rows):
        vectors = (", ".join(map(_number, numbers[:, a, b])) for b in range(len(columns)))
        line = "".join(f"<td>{vector}</td>" for vector in vectors)
        lines.append(f"<tr><th>{escape(label)}</th>{line}{more}</tr>")
    if game.shape[0] > _MOST:
        lines.append(f'<tr><td colspan="{len(columns) + 1}">…</td></tr>')
    return "".join(lines)


def _number(value: Any) -> str:
    """One payoff: a short decimal, or the fraction that was given."""
    if isinstance(value, float):
        return f"{value:g}"
    short = decimal_text(value)
    return str(value) if short is None else f"{float(value):g}"


def _summary(game: NormalFormGame) -> str:
    """Rows of the table of players, their actions and their payoffs' bounds."""
    lines = ["<tr><th>player</th><th>actions</th><th>payoffs</th></tr>"]
    for player, labels, payoffs in zip(game.players, game.actions, game.payoffs, strict=True):
        names = ", ".join(map(escape, labels[:_MOST])) + (", …" if len(labels) > _MOST else "")
        span = f"{payoffs.min():g} to {payoffs.max():g}"
        lines.append(f"<tr><th>{escape(player)}</th><td>{names}</td><td>{span}</td></tr>")
    return "".join(lines)
