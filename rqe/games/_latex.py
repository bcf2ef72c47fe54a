r"""Games as LaTeX tables: the bimatrix of two players, one panel per choice of the others.

The tables need the package ``multirow`` and nothing else.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rqe.games._cells import best_replies, decimal_text, panels
from rqe.report import escape_latex

if TYPE_CHECKING:
    from rqe.games.normal_form import NormalFormGame


def game_latex(game: NormalFormGame, decimals: int | None, best_responses: bool) -> str:
    """Return the table that `NormalFormGame.to_latex` describes."""
    marks = best_replies(game) if best_responses else None
    numbers = game.exact
    tables = []
    for title, cells in panels(game):
        underlined = None if marks is None else marks[cells]
        tables.append(_panel(game, title, _words(numbers[cells], decimals, underlined)))
    return "\n\\quad\n".join(tables)


def _words(numbers: Any, decimals: int | None, underlined: Any) -> list[list[str]]:
    """Return the cells of a panel: payoff vectors in mathematics, shape (n_1, n_2)."""
    count, rows, columns = numbers.shape

    def word(i: int, a: int, b: int) -> str:
        text = _number(numbers[i, a, b], decimals)
        best = underlined is not None and underlined[i, a, b]
        return rf"\underline{{{text}}}" if best else text

    return [
        ["$" + r",\, ".join(word(i, a, b) for i in range(count)) + "$" for b in range(columns)]
        for a in range(rows)
    ]


def _number(value: Fraction, decimals: int | None) -> str:
    """One payoff in mathematics."""
    text = decimal_text(value, decimals)
    if text is None:
        sign = "-" if value < 0 else ""
        return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else text


def _panel(game: NormalFormGame, title: str, words: list[list[str]]) -> str:
    """Return the tabular of one panel."""
    rows, columns = game.actions[:2]
    row_player, column_player = (_player(name) for name in game.players[:2])
    width = len(columns)
    rule = rf"\cline{{3-{width + 2}}}"
    heads = (rf"\multicolumn{{1}}{{c}}{{{escape_latex(name)}}}" for name in columns)
    lines = [rf"\begin{{tabular}}{{ll|{'c|' * width}}}"]
    if title:
        others = rf"\multicolumn{{{width}}}{{c}}{{({escape_latex(title)})}}"
        lines.append(rf"\multicolumn{{2}}{{l}}{{}} & {others} \\")
    lines += [
        rf"\multicolumn{{2}}{{l}}{{}} & \multicolumn{{{width}}}{{c}}{{{column_player}}} \\",
        rf"\multicolumn{{2}}{{l}}{{}} & {' & '.join(heads)} \\ {rule}",
    ]
    for a, name in enumerate(rows):
        owner = rf"\multirow{{{len(rows)}}}{{*}}{{{row_player}}}" if a == 0 else ""
        lines.append(rf"{owner} & {escape_latex(name)} & {' & '.join(words[a])} \\ {rule}")
    return "\n".join([*lines, r"\end{tabular}"])


def _player(name: str) -> str:
    """Name of a player, with a word before it where it is only a number."""
    return f"Player {name}" if name.isdigit() else escape_latex(name)
