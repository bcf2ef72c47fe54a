"""The result records: what they hold, what they say, and that nobody can change them."""

from __future__ import annotations

import json
import math
import pickle
import sys
import timeit

import numpy as np
import pytest

import rqe
from rqe import report
from rqe.concepts import Concept
from rqe.solution import Branch, ConvergenceError, Solution, Status
from tests.results import GAME, NOTE, make_branch, make_solution


def test_derived_values_come_from_the_inputs():
    solution = make_solution()
    np.testing.assert_allclose(solution.strategies[1], np.full(3, 1 / 3))
    assert solution.payoffs is solution.check.payoffs
    assert solution.risk_adjusted is solution.check.risk_adjusted
    assert solution.adversaries is solution.check.adversaries
    assert (solution.residual, solution.regret) == (3e-12, 4e-13)
    assert solution.tau is solution.concept.tau
    assert solution.eps is solution.concept.eps
    assert solution.converged
    assert not make_solution(Status.STALLED).converged


def test_nothing_can_be_changed():
    solution, branch = make_solution(), make_branch()
    with pytest.raises(AttributeError):
        solution.status = Status.STALLED
    arrays = (*solution.strategies, *solution.log_strategies, branch.values, branch.residuals)
    for array in (*arrays, *branch.strategies, *branch.log_strategies):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.5


def test_building_one_is_cheap():
    """Solvers answer small games in tens of microseconds; the record must not be what costs."""
    done = make_solution()
    parts = (done.game, done.concept, done.log_strategies, done.check, done.status, done.solver)
    seconds = min(timeit.repeat(lambda: Solution(*parts, done.stats), number=200, repeat=5)) / 200
    assert seconds < 5e-5


def test_every_status_but_success_says_what_to_try():
    assert len({status.value for status in Status}) == len(Status)
    for status in Status:
        assert status.message.endswith(".")
        if status is not Status.CONVERGED:
            assert any(word in status.message for word in ("raise", "change", "try"))


def test_to_dict_is_json_and_reads_back():
    data = json.loads(json.dumps(make_solution().to_dict(adversaries=True), allow_nan=False))
    assert data["schema"] == "rqe.solution/1"
    assert data["game"]["players"] == ["Row", "Column"]
    assert data["game"]["actions"][1] == ["left", "middle", "right"]
    assert data["concept"]["eps"] == [0.2, "inf"]
    assert float(data["concept"]["eps"][1]) == math.inf
    assert data["strategies"][1] == [1 / 3] * 3
    assert data["log_strategies"][0][0] == -1000.0
    assert data["certificate"] == {"residual": 3e-12, "regret": 4e-13}
    assert data["status"] == "converged"
    assert data["stats"]["turning_points"] == 3
    assert "strict concavity" in data["notes"][0]  # one player is at eps = inf
    assert data["unique"] is True
    other = make_solution(eps=(0.2, 0.2)).to_dict()
    assert (other["notes"], other["unique"]) == ([NOTE], None)
    assert set(data["versions"]) == {"rqe", "numpy", "python"}
    assert data["adversaries"][1] == [0.0, 1.0]
    assert "adversaries" not in make_solution().to_dict()


def test_to_dict_keeps_actions_that_are_never_played():
    logs = (np.array([-math.inf, 0.0]), np.log(np.full(3, 1 / 3)))
    data = make_solution(log_strategies=logs).to_dict()
    assert data["log_strategies"][0] == ["-inf", 0.0]
    assert data["strategies"][0] == [0.0, 1.0]


def test_summary_holds_what_a_person_wants():
    text = make_solution(Status.MAX_STEPS).summary()
    for part in (
        "A & <B> (2 x 3)", "penalty kl", "regularizer entropy", "Row", "middle", "0.333333",
        "2.5", "1.25", "5.1e-435", "inf", "3e-12", "4e-13", "max_steps", "1 step,", NOTE,
    ):  # fmt: skip
        assert part in text
    assert "0.000000" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_long_strategies_are_cut_and_the_rest_is_counted():
    rest = make_solution().summary(max_actions=2)
    assert "(1 others, together)" not in rest
    assert "(1 other)" in rest
    big = rqe.NormalFormGame(np.zeros((2, 2, 500)))
    logs = (np.log([0.5, 0.5]), np.log(np.full(500, 1 / 500)))
    text = make_solution(log_strategies=logs, game=big).summary()
    assert "(488 others, together)" in text
    assert "0.976000" in text
    assert len(text.splitlines()) < 40


@pytest.mark.parametrize(
    ("log_p", "text"),
    [
        (0.0, "1.000000"),
        (math.log(0.25), "0.250000"),
        (math.log(1.2e-23), "1.2e-23"),
        (math.log(9.99e-6), "1.0e-05"),
        (-1000.0, "5.1e-435"),
        (-1e6, "3.3e-434295"),
        (-math.inf, "0"),
        (math.nan, "nan"),
    ],
)
def test_probabilities_never_round_to_zero(log_p, text):
    shown = report.probability(log_p)
    assert shown == text


def test_repr_is_one_short_line():
    assert repr(make_solution()).startswith("<Solution: mixed of A & <B> (2 x 3), converged")
    assert repr(make_branch()).startswith("<Branch in eps to risk-averse Nash of A & <B> (2 x 3)")


def test_html_and_latex_escape_labels():
    page = make_solution()._repr_html_()
    assert "A &amp; &lt;B&gt;" in page
    assert "<B>" not in page
    labelled = rqe.NormalFormGame(
        GAME.payoffs, actions=(("50% & _up_", r"a\b"), ("x^2", "{", "}")), players=("P#1", "P$2")
    )
    text = report.latex(make_solution(game=labelled))
    assert r"P\#1 & 50\% \& \_up\_ & $5.1 \times 10^{-435}$ \\" in text
    assert r"a\textbackslash{}b" in text
    assert r"x\textasciicircum{}2" in text


def test_frames_are_tidy():
    pytest.importorskip("pandas")
    frame = make_solution().to_frame()
    assert list(frame.columns[:4]) == ["player", "action", "probability", "log_probability"]
    assert len(frame) == 5
    assert frame.groupby("player").probability.sum().tolist() == pytest.approx([1.0, 1.0])
    path = make_branch().to_frame()
    assert len(path) == 40 * 5
    assert path[path.turning_point].point.unique().tolist() == [10, 14]
    assert path.eps.iloc[0] == math.inf


def test_frames_without_pandas_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in (make_solution(), make_branch()):
        with pytest.raises(ImportError, match=r"pip install 'rqe\[frames\]'"):
            result.to_frame()


@pytest.mark.parametrize("make", [make_solution, make_branch])
def test_convergence_error_carries_the_partial_answer(make):
    partial = make(status=Status.STALLED)
    error = ConvergenceError(partial)
    assert error.solution is partial
    message = str(error)
    for part in ("A & <B>", "stalled", "residual", Status.STALLED.message, "throw=False"):
        assert part in message
    copy = pickle.loads(pickle.dumps(error))  # worker processes send their errors home
    assert copy.solution.status is Status.STALLED
    assert str(copy) == message


def test_branch_says_where_it_turns():
    branch = make_branch()
    text = branch.summary()
    assert len(branch) == 40
    assert text.count("turning point\n") == 2
    assert "bifurcation\n" in text
    assert "40 points" in text
    assert "Column:right" in text
    assert branch.converged
    assert branch.residual == 1e-12


def test_branch_to_dict_is_json():
    data = json.loads(json.dumps(make_branch().to_dict(), allow_nan=False))
    assert data["schema"] == "rqe.branch/1"
    assert data["values"][0] == ["inf", "inf"]
    assert data["turning_points"] == [10, 14]
    assert np.shape(data["strategies"][1]) == (40, 3)


def test_branch_of_a_large_game_shows_favourites():
    big = rqe.NormalFormGame(np.zeros((2, 20, 20)))
    logs = np.log(np.full((3, 20), 1 / 20))
    eps = np.array([[math.inf, math.inf], [1.0, 2.0], [0.5, 1.5]])
    branch = Branch(
        big, Concept.of(big, 0.0, [0.5, 1.5]), "eps", eps, (logs, logs.copy()),
        np.zeros(3), np.array([], dtype=int), np.array([], dtype=int), Status.CONVERGED,
    )  # fmt: skip
    text = branch.summary()
    assert "38 actions not shown" in text
    assert "eps 1" in text
    assert "eps 2" in text


def test_a_branch_without_points_can_still_be_told():
    none = np.array([], dtype=int)
    empty = tuple(np.zeros((0, n)) for n in GAME.shape)
    concept = Concept.of(GAME, 1.0, 0.0)
    branch = Branch(
        GAME, concept, "eps", np.zeros((0, 2)), empty, np.zeros(0), none, none, Status.STALLED
    )
    assert "0 points" in branch.summary()
    assert math.isnan(branch.residual)
    assert "stalled" in str(ConvergenceError(branch))
