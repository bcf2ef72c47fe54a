"""Figures: the right curves, marks and words, on any axes and without a display."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest

import rqe
from rqe.solution import Branch
from tests.results import GAME, make_branch, make_solution

pytest.importorskip("matplotlib")

from matplotlib import pyplot

from rqe import plot


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def curves(ax):
    """Return the labelled curves of `ax`, without the entries that only explain marks."""
    return [line for line in ax.lines if ":" in str(line.get_label())]


def test_branch_shows_every_action_against_precision():
    branch = make_branch()
    ax = plot.plot_branch(branch)
    labels = [line.get_label() for line in curves(ax)]
    assert labels == ["Row: up", "Row: down", "Column: left", "Column: middle", "Column: right"]
    assert ax.get_xscale() == "log"
    assert "λ" in ax.get_xlabel()
    x, y = curves(ax)[0].get_data()
    np.testing.assert_allclose(x, 1.0 / branch.values[1:-1, 0])
    np.testing.assert_allclose(y, branch.strategies[0][1:-1, 0])
    legend = ax.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words[-3:] == ["turning point", "bifurcation", "limit ε = 0"]


def test_branch_marks_folds_where_they_are():
    branch = make_branch()
    ax = plot.plot_branch(branch, x="eps")
    circles = [np.asarray(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]
    assert [len(x) for x in circles] == [2, 2, 2, 2, 2, 0]  # the last explains the mark
    np.testing.assert_allclose(circles[0], branch.values[[10, 14], 0])


def test_colours_differ_within_a_figure_of_few_actions():
    lines = curves(plot.plot_branch(make_branch()))
    assert len({line.get_color() for line in lines}) == len(lines)
    assert {line.get_linestyle() for line in lines} == {"-", "--"}


def test_given_axes_are_used_and_returned():
    _, (left, right) = pyplot.subplots(1, 2)
    assert plot.plot_branch(make_branch(), left) is left
    assert plot.plot_strategies(make_solution(), right) is right
    assert make_branch().plot(x="eps").get_xlabel().startswith("bounded rationality")


def test_strategies_show_values_that_bars_cannot():
    ax = plot.plot_strategies(make_solution())
    words = [text.get_text() for text in ax.texts]
    assert "5.1e-435" in words
    assert "0.3333" in words
    assert "Row" in words
    assert ax.get_xlim()[1] > 1.0
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        *GAME.actions[0],
        *GAME.actions[1],
    ]


def test_large_games_are_cut_and_say_so():
    big = rqe.NormalFormGame(np.zeros((2, 2, 100)))
    logs = (np.log([0.5, 0.5]), np.log(np.full(100, 0.01)))
    ax = plot.plot_strategies(make_solution(log_strategies=logs, game=big))
    assert len(ax.patches) == 22
    assert ax.get_xlim()[1] > 0.5  # the other player's bars are long
    assert any("20 of 100 actions" in text.get_text() for text in ax.texts)


def test_tau_axis_and_parameters_per_player():
    tau = np.stack([np.linspace(0.0, 2.0, 5), np.zeros(5)], axis=1)
    logs = (np.log(np.full((5, 2), 1 / 2)), np.log(np.full((5, 3), 1 / 3)))
    none = np.array([], dtype=int)
    template = make_branch()
    branch = Branch(
        GAME, template.concept, "tau", tau, logs, np.zeros(5), none, none, template.status
    )
    ax = plot.plot_branch(branch)
    assert ax.get_xlabel() == "risk aversion τ (1/payoff) of Row"
    assert ax.get_xscale() == "linear"
    assert len(curves(ax)[0].get_xdata()) == 5
    with pytest.raises(ValueError, match="x must fit a branch in tau; got 'lam'"):
        plot.plot_branch(branch, x="lam")


def test_a_branch_that_does_not_move_is_a_level():
    whole = make_branch()
    logs = (np.log(np.full((1, 2), 1 / 2)), np.log(np.full((1, 3), 1 / 3)))
    none = np.array([], dtype=int)
    branch = Branch(
        GAME, whole.concept, "eps", np.zeros((1, 2)), logs, np.zeros(1), none, none, whole.status
    )
    lines = curves(plot.plot_branch(branch))
    assert [line.get_ydata()[0] for line in lines] == pytest.approx([0.5] * 2 + [1 / 3] * 3)


def test_one_figure_of_several_results_needs_no_pyplot():
    figure = plot.figure([make_branch(), make_solution(), make_branch()], columns=2)
    assert len(figure.axes) == 3
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    assert file.getvalue().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "lambda"}, "x must be one of lam, eps, tau; got 'lambda'"),
        ({"x": "tau"}, "x must fit a branch in eps; got 'tau'"),
        ({"player": 2}, "player must be from 0 to 1; got 2"),
    ],
)
def test_bad_choices(options, message):
    with pytest.raises(ValueError, match=message):
        plot.plot_branch(make_branch(), **options)


ANY: Any = plot


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: ANY.plot_strategies(3), "solution must be an rqe.Solution; got int"),
        (lambda: ANY.plot_branch(make_solution()), "branch must be an rqe.Branch; got Solution"),
        (lambda: ANY.plot_path(GAME), "branch must be an rqe.Branch; got NormalFormGame"),
        (lambda: ANY.plot_diagram(make_branch()), "diagram must be an rqe.Diagram; got Branch"),
        (lambda: ANY.plot_outcomes(make_solution()), "results must be an rqe.Branch or a sequence"),
        (
            lambda: ANY.plot_outcomes({"a": [1]}),
            r"results\['a'\]\[0\] must be an rqe.Solution; got",
        ),
        (lambda: ANY.plot_simplex("x"), r"results\[0\] must be an rqe.Solution or an rqe.Solut"),
        (lambda: ANY.plot_simplex(make_solution(), player="a"), "player must be from 0 to 1; got"),
        (lambda: ANY.figure(make_solution()), "results must be a sequence of solutions and bra"),
        (lambda: ANY.figure([GAME]), r"results\[0\] must be an rqe.Solution or an rqe.Branch; got"),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises((TypeError, ValueError), match=message):
        draw()


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="at least one solution or branch"):
        plot.figure([])


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'rqe\[plot\]'"):
        plot.plot_branch(make_branch())


def test_dollars_in_names_are_dollars():
    """Between two of them matplotlib would read mathematics, and fail on what is none."""
    game = rqe.NormalFormGame(
        [[[1, 0], [0, 1]], [[0, 1], [1, 0]]],
        players=("owes $1_{", "has $2 or $3"),
        actions=("pay $5_{ or $6^", "keep $7 and $8"),
        title="From $1_{ to $9^",
    )
    solution = rqe.solve(game, eps=1.0)
    figures: list[Any] = [plot.figure([solution, rqe.trace(game, eps=1.0)])]
    axes = [plot.plot_simplex(solution), plot.plot_best_responses(game, eps=1.0)]
    axes.append(plot.plot_outcomes([solution, rqe.solve(game, eps=2.0)], y="payoffs"))
    for figure in (*figures, *(ax.figure for ax in axes)):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
        assert "<!-- From $1_{ to $9^ (2 x 2)" in buffer.getvalue().decode()
