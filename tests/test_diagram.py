"""Diagrams: all branches of known games, isolas, stability, figures, time limits, bad input."""

import json
import math
import time
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot

import rqe
from rqe.plot.diagram import plot_diagram

matplotlib.use("Agg")

TAU_STAR = 0.8287886937257862
CASE = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0], actions=("C", "D"))
STAG_HUNT = rqe.NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]])


def crossings(diagram, t):
    """Count how often the branches pass a value of the parameter."""
    total = 0
    for branch in diagram.branches:
        gap = branch.values.max(axis=1) - t
        total += int(np.count_nonzero(gap[:-1] * gap[1:] < 0.0))
    return total


@pytest.fixture(scope="module")
def example():
    return rqe.diagram(CASE, eps=0.2, parameter="tau", window=(0, 2))


def test_example_4_2_has_two_branches_and_one_pitchfork(example):
    assert len(example) == 2
    assert example.finished
    (point,) = example.bifurcations
    assert point.name == "supercritical pitchfork"
    assert point.value == pytest.approx(TAU_STAR, abs=1e-13)
    assert [count for _, count, _ in example.counts] == [3, 3, 1, 1]
    assert all(complete for *_, complete in example.counts)
    for t, count in ((0.3, 3), (0.8, 3), (0.85, 1), (1.9, 1)):
        assert crossings(example, t) == count
    straight, arms = example.stability
    t = example.branches[0].values[:, 0]
    np.testing.assert_array_equal(straight.best_response, t > TAU_STAR + 1e-9)
    assert arms.best_response[0]
    assert arms.best_response[-1]
    assert all(branch.residual < 1e-12 for branch in example.branches)
    assert "not claimed" not in example.summary()
    assert "other branches may exist" in example.summary()


def test_a_branch_that_no_other_leads_to_is_found_at_a_sample():
    """The stag equilibria have a branch of their own, which turns at eps = 0.2188."""
    found = rqe.diagram(STAG_HUNT, window=(0.1, 20), samples=3)
    assert len(found) == 2
    assert [point.kind for point in found.bifurcations] == ["fold"]
    assert found.branches[0].origin == "principal at eps = 20"
    assert found.branches[1].origin == "found at eps = 0.1"
    assert len(rqe.diagram(STAG_HUNT, window=(0.1, 20), samples=0)) == 1


def test_an_isola_is_closed():
    """Stag pays 6 + 3 sin t: the stag branch exists for a while only, and comes back to itself."""

    def payoffs(t):
        u = np.array(STAG_HUNT.payoffs)
        u[:, 0, 0] = 8.2 + 1.2 * math.sin(t)
        return u

    path = rqe.PayoffPath(payoffs, name="season", game=STAG_HUNT)
    found = rqe.diagram(STAG_HUNT, eps=0.2, parameter=path, window=(0.0, math.pi), samples=3)
    assert len(found) == 2
    isola = found.branches[1]
    assert "isola" in isola.notes[0]
    assert isola.converged
    for i in range(2):
        np.testing.assert_allclose(isola.strategies[i][0], isola.strategies[i][-1], atol=1e-9)
    kinds = [point.kind for point in found.bifurcations]
    assert kinds == ["fold", "fold"]
    first, last = (point.value for point in found.bifurcations)
    assert first + last == pytest.approx(math.pi, abs=1e-9)  # sin is symmetric about pi / 2


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0]))
def test_branches_hold_every_equilibrium_between_the_samples(seed, tau):
    rng = np.random.default_rng(seed)
    common = rng.random((2, 2))
    game = rqe.NormalFormGame([common + 0.2 * rng.random((2, 2)) for _ in range(2)])
    found = rqe.diagram(game, tau, window=(0.03, 1.0))
    assert all(branch.converged for branch in found.branches)
    for t in (0.05, 0.11):
        known = rqe.solve_all(game, tau, t)
        if known.complete:
            assert crossings(found, t) == len(known)


def test_tables_and_plain_data(example):
    frame = example.to_frame()
    assert len(frame) == 4 * sum(map(len, example.branches))
    assert {"branch", "tau", "probability", "best_response_stable", "regret_stable"} <= set(frame)
    data = json.loads(json.dumps(example.to_dict()))
    assert data["schema"] == "rqe.diagram/1"
    assert data["bifurcations"][0]["kind"] == "pitchfork"
    assert len(data["branches"]) == len(data["stability"]) == 2


def test_the_picture_shows_what_is_stable(example):
    axes = example.plot(player=1, action=0)
    solid = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata())]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xdata())]
    assert max(x for line in dashed for x in line.get_xdata()) <= TAU_STAR + 1e-9
    assert max(x for line in solid for x in line.get_xdata()) == pytest.approx(2.0)
    marks = [line for line in axes.lines if line.get_marker() == "X" and len(line.get_xdata())]
    assert float(marks[0].get_xdata()[0]) == pytest.approx(TAU_STAR)
    assert "player 2 plays C" in axes.get_ylabel()
    for options in ({"player": 2}, {"action": 5}, {"x": "lam"}, {"dynamics": "none"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            plot_diagram(example, **options)
    pyplot.close("all")


def test_the_axis_of_a_diagram_in_eps_is_the_precision():
    found = rqe.diagram(STAG_HUNT, window=(0.2, 20), samples=0)
    axes = found.plot()
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == pytest.approx((0.05, 5.0))
    assert found.plot(x="eps", dynamics="regret").get_xlim() == pytest.approx((0.2, 20.0))
    pyplot.close("all")


@pytest.mark.parametrize("time_limit", [0.01, 0.3])
def test_the_time_limit_is_obeyed_and_told(time_limit):
    """Wherever it strikes: on the first branch, or in the search for others (ten at .005)."""
    game = rqe.NormalFormGame(np.random.default_rng(0).random((2, 14, 14)))
    seen = []
    start = time.monotonic()
    found = rqe.diagram(
        game, window=(0.002, 1.0), time_limit=time_limit, progress=lambda *a: seen.append(a)
    )
    assert time.monotonic() - start < 60.0  # minutes without the limit
    assert not found.finished
    assert seen or time_limit == 0.01
    assert any("time ran out" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": (1.0, 1.0)}, "different ends"),
        ({"window": (0.0, 1.0)}, "window must hold eps > 0"),
        ({"window": (-1.0, 1.0), "parameter": "tau", "eps": 0.1}, "window must hold tau >= 0"),
        ({"window": (0.0, math.inf), "parameter": "tau", "eps": 0.1}, "finite"),
        ({"window": (0.0, 1.0), "parameter": "tau"}, "eps must be > 0"),
        ({"window": (0.1, 1.0), "parameter": "lambda"}, "parameter must be one of"),
        ({"window": (0.1, 1.0), "samples": -1}, "samples"),
        ({"window": (0.1, 1.0), "time_limit": 0.0}, "time_limit"),
        ({"window": (0.1, 1.0), "tau": math.inf}, "tau must be finite"),
        ({"window": (0.0, 1.0), "eps": 0.1, "parameter": np.ones(3)}, "shape of the payoffs"),
        ({"window": (0.0, 1.0), "eps": 0.1, "parameter": np.zeros((2, 2, 2))}, "not zero"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        rqe.diagram(CASE, **options)


def test_windows_and_progress_of_the_wrong_type():
    wrong: Any = 3.0
    with pytest.raises(TypeError, match="window must be two numbers"):
        rqe.diagram(CASE, window=wrong)
    with pytest.raises(TypeError, match="progress"):
        rqe.diagram(CASE, window=(0.1, 1.0), progress=wrong)
