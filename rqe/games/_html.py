"""Games as HTML tables, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rqe.games.normal_form import NormalFormGame

_MOST = 20  # rows and columns shown


def game_html(game: NormalFormGame) -> str:
    """Bimatrix of a two-player game (its first 20 rows and columns), else the players' actions."""
    title = f"<caption>{escape(game.title)}</caption>" if game.title else ""
    body = _bimatrix(game) if game.n_players == 2 else _summary(game)
    return f"<table>{title}{body}</table>"


def _bimatrix(game: NormalFormGame) -> str:
    """Rows of the table of payoff pairs."""
    rows, columns = (labels[:_MOST] for labels in game.actions)
    more = "<td>…</td>" if game.shape[1] > _MOST else ""
    corner = f"{escape(game.players[0])} \\ {escape(game.players[1])}"
    head = "".join(f"<th>{escape(label)}</th>" for label in columns)
    lines = [f"<tr><th>{corner}</th>{head}{more}</tr>"]
    for a, label in enumerate(rows):
        pairs = (f"{x:g}, {y:g}" for x, y in game.payoffs[:, a, :_MOST].T.tolist())
        cells = "".join(f"<td>{pair}</td>" for pair in pairs)
        lines.append(f"<tr><th>{escape(label)}</th>{cells}{more}</tr>")
    if game.shape[0] > _MOST:
        lines.append(f'<tr><td colspan="{len(columns) + 1}">…</td></tr>')
    return "".join(lines)


def _summary(game: NormalFormGame) -> str:
    """Rows of the table of players, their actions and their payoffs' bounds."""
    lines = ["<tr><th>player</th><th>actions</th><th>payoffs</th></tr>"]
    for player, labels, payoffs in zip(game.players, game.actions, game.payoffs, strict=True):
        names = ", ".join(map(escape, labels[:_MOST])) + (", …" if len(labels) > _MOST else "")
        span = f"{payoffs.min():g} to {payoffs.max():g}"
        lines.append(f"<tr><th>{escape(player)}</th><td>{names}</td><td>{span}</td></tr>")
    return "".join(lines)
