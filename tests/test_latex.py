"""Tables for papers and notebooks: exact numbers, escaped labels, every cell where it belongs."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe.games._cells import decimal_text
from rqe.report import escape_latex

STAG = rqe.NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]], actions=("stag", "hare"))
NASTY = rqe.NormalFormGame(
    [[[1, 2]], [[3, 4]]],
    players=("R&D", "50%"),
    actions=(("[x]",), ("a_b", "c^d")),
    title="<i>$\\alpha$",
)


def test_a_bimatrix_in_full():
    assert STAG.to_latex().splitlines() == [
        r"\begin{tabular}{ll|c|c|}",
        r"\multicolumn{2}{l}{} & \multicolumn{2}{c}{Player 2} \\",
        r"\multicolumn{2}{l}{} & \multicolumn{1}{c}{stag} & \multicolumn{1}{c}{hare}"
        r" \\ \cline{3-4}",
        r"\multirow{2}{*}{Player 1} & stag & $9,\, 9$ & $0,\, 8$ \\ \cline{3-4}",
        r" & hare & $8,\, 0$ & $7,\, 7$ \\ \cline{3-4}",
        r"\end{tabular}",
    ]


def test_labels_are_escaped():
    text = NASTY.to_latex()
    assert r"\multicolumn{2}{c}{50\%}" in text
    assert r"\multirow{1}{*}{R\&D} & {[}x] & $1,\, 3$ & $2,\, 4$" in text
    assert r"\multicolumn{1}{c}{a\_b} & \multicolumn{1}{c}{c\textasciicircum{}d}" in text


@given(st.text(alphabet=r"ab\~^<>|[]*&%$#_{} ", max_size=12))
def test_escaped_text_has_no_command_of_its_own(text):
    """Undoing the escapes one by one gives the text back, so nothing is left that LaTeX reads."""
    commands = {
        r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^",
        r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", "{[}": "[", "{*}": "*",
    }  # fmt: skip
    commands |= {"\\" + c: c for c in "&%$#_{}"}
    pattern = "|".join(map(re.escape, sorted(commands, key=len, reverse=True)))
    escaped = escape_latex(text)
    assert re.sub(pattern, lambda m: commands[m[0]], escaped) == text
    assert not re.search(r"[\\~^<>|&%$#_{}*\[]", re.sub(pattern, "", escaped))


def test_numbers_are_exact_or_rounded():
    game = rqe.NormalFormGame.from_bimatrix(
        [[Fraction(-1, 3), 0.1]], [[1e-20, 0.30000000000000004]]
    )
    assert r"$-\frac{1}{3},\, 1 \cdot 10^{-20}$" in game.to_latex()
    assert r"$0.1,\, 0.30000000000000004$" in game.to_latex()
    assert r"$-0.33,\, 0.00$" in game.to_latex(decimals=2)
    with pytest.raises(ValueError, match="decimals must be at least 0; got -1"):
        game.to_latex(decimals=-1)


def test_best_responses_are_underlined():
    lines = STAG.to_latex(best_responses=True).splitlines()
    assert r"$\underline{9},\, \underline{9}$ & $0,\, 8$" in lines[3]
    assert r"$8,\, 0$ & $\underline{7},\, \underline{7}$" in lines[4]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2), (2, 2, 2, 3)])
def test_pure_equilibria_are_the_cells_with_everything_underlined(shape):
    rng = np.random.default_rng(3)
    game = rqe.NormalFormGame(rng.integers(0, 4, (len(shape), *shape)))
    text = game.to_latex(best_responses=True)
    assert text.count(r"\begin{tabular}") == int(np.prod(shape[2:]))
    cells = re.findall(r"\$(.*?)\$", text)
    assert len(cells) == int(np.prod(shape))
    full = [cell for cell in cells if cell.count("underline") == len(shape)]
    assert len(full) == len(rqe.nash(game, "pure"))


def test_more_players_say_what_the_others_play():
    game = rqe.NormalFormGame(np.zeros((3, 1, 1, 2)), players=("a", "b", "c"), actions=None)
    assert r"\multicolumn{1}{c}{(c: 2)} \\" in game.to_latex()


@given(st.fractions(max_denominator=10**6))
def test_decimals_say_the_number_or_nothing(value):
    text = decimal_text(value)
    if text is not None:
        assert Fraction(text) == value
    else:
        assert 10**15 % value.denominator  # no decimal of 15 places


def test_solutions_print_as_latex():
    solution = rqe.solve(STAG, 0.0, 1.0)
    assert solution.to_latex() == rqe.report.latex(solution)
    lines = rqe.solve(NASTY, 0.0, 1.0).to_latex().splitlines()
    assert lines[4].startswith(r"R\&D & {[}x] & 1.000000")


def test_notebooks_show_summaries():
    found = rqe.nash(STAG, "all")
    assert "3 of Nash" in found._repr_html_()
    path = rqe.trace(STAG, 0.0, 1.0)
    assert "Branch in eps" in path._repr_html_()
    assert "&lt;i&gt;" in rqe.nash(NASTY, "all")._repr_html_()


def test_fractions_show_as_given_in_notebooks():
    third = Fraction(1, 3)
    html = rqe.NormalFormGame.from_bimatrix([[third]], [[Fraction(1, 2)]])._repr_html_()
    assert "<td>1/3, 0.5</td>" in html
