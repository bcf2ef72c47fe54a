"""Squares, triangles, outcomes, heat maps, data: the right numbers at the right places."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rqe

pytest.importorskip("matplotlib")

from matplotlib import pyplot

import rqe.plot

plot: Any = rqe.plot  # the types of matplotlib's artists are unions that a test need not tell apart
PENNIES = rqe.catalog.load("matching-pennies")
ROCK = rqe.catalog.load("rock-paper-scissors")
FREE = rqe.catalog.load("example-4.2")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def line(ax: Any, label: str) -> Any:
    """The data of the curve with a label."""
    return next(np.array(x.get_data()) for x in ax.lines if x.get_label() == label)


def labels(ax: Any) -> Any:
    """The words of the legend."""
    legend = ax.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_best_responses_of_nash_jump_at_the_mixed_equilibrium():
    ax = plot.plot_best_responses(PENNIES)
    x, y = line(ax, "best response of player 1")
    assert set(np.unique(x).tolist()) <= {0.0, 0.5, 1.0}
    jump = np.flatnonzero(np.diff(x) > 0.0)
    assert np.abs(y[jump] - 0.5).max() < 1e-8


@pytest.mark.parametrize(("tau", "eps"), [(0.0, 0.5), (2.0, 0.3), (float("inf"), 0.3)])
def test_curves_of_best_responses_cross_at_the_equilibrium(tau, eps):
    solution = rqe.solve(FREE, tau, eps)
    ax = plot.plot_simplex(solution)
    a, b = (float(x[0]) for x in solution.strategies)
    own, other = line(ax, "best response of player 1")
    assert np.interp(b, other, own) == pytest.approx(a, abs=2e-3)
    other, own = line(ax, "best response of player 2")
    assert np.interp(a, other, own) == pytest.approx(b, abs=2e-3)
    marks = [np.array(x.get_data()).ravel() for x in ax.lines if x.get_marker() == "o"]
    np.testing.assert_allclose(marks[-1], [a, b])


def test_several_concepts_and_a_branch_in_one_square():
    found = [rqe.solve(FREE, 1.0, 0.2), rqe.nash(FREE, "all"), rqe.trace(FREE, 1.0, 0.2)]
    ax = plot.plot_simplex(found)
    assert labels(ax)[2:] == ["branch in ε", "RQE, τ = 1, ε = 0.2", "Nash, τ = 0, ε = 0"]
    assert line(ax, "Nash, τ = 0, ε = 0").shape == (2, 3)
    assert line(ax, "branch in ε")[:, 0].tolist() == [0.5, 0.5]


def test_regions_of_a_triangle_hold_the_best_replies():
    from rqe.concepts import Concept
    from rqe.plot._replies import reply_field

    for tau in (0.0, 1.0, float("inf")):
        field = reply_field(ROCK, Concept.of(ROCK, tau, 0.1), 0)
        rng = np.random.default_rng(0)
        for k in rng.choice(len(field.points), 25, replace=False):
            x = field.points[k]
            reply = rqe.best_response(ROCK, [x, np.full(3, 1 / 3)], 1, tau, 0.1).strategy
            assert reply[field.lead[k].argmax()] >= reply.max() - 1e-9
        corners = field.points[field.triangles]
        area = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        assert area.sum() == pytest.approx(np.abs(np.cross([-1, 1, 0], [-1, 0, 1])).sum())


def test_a_triangle_shows_the_players_strategy():
    solution = rqe.solve(ROCK, 1.0, 0.3)
    ax = plot.plot_simplex([solution], player=1)
    assert labels(ax)[-1] == "RQE, τ = 1, ε = 0.3"
    place = line(ax, "RQE, τ = 1, ε = 0.3").ravel()
    np.testing.assert_allclose(place, [0.5, np.sqrt(3) / 6], atol=1e-9)
    words = {text.get_text() for text in ax.texts}
    assert set(ROCK.actions[1]) <= words
    assert "strategies of player 2" in ax.get_title(loc="left")


def test_a_triangle_of_three_players_has_no_regions():
    game = rqe.NormalFormGame(np.arange(36.0).reshape(3, 3, 2, 2) % 7)
    ax = plot.plot_simplex(rqe.solve(game, 0.0, 1.0))
    assert labels(ax) == ["logit QRE, τ = 0, ε = 1"]
    with pytest.raises(ValueError, match="two players; got 3"):
        plot.plot_best_responses(game)


def test_pictures_that_cannot_be():
    big = rqe.NormalFormGame(np.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match=r"player 0 have three actions; got shape \(4, 3\)"):
        plot.plot_best_responses(big)
    with pytest.raises(ValueError, match="player must be from 0 to 1; got 2"):
        plot.plot_best_responses(big, player=2)
    with pytest.raises(ValueError, match="got none"):
        plot.plot_simplex([])
    with pytest.raises(ValueError, match="of one game"):
        plot.plot_simplex([rqe.solve(FREE, 1.0, 1.0), rqe.solve(PENNIES, 1.0, 1.0)])


def test_outcomes_along_a_branch_are_those_of_its_points():
    branch = rqe.trace(FREE, 2.0, 0.2, parameter="tau")
    ax = plot.plot_outcomes(branch)
    x, y = ax.lines[0].get_data()
    last = rqe.solve(FREE, 2.0, 0.2)
    assert x[-1] == 2.0
    assert y[-1] == pytest.approx(last.payoffs.sum(), abs=1e-8)
    assert ax.get_xlabel().startswith("risk aversion")


def test_outcomes_of_solutions_by_name_and_by_function():
    taus = [0.0, 0.5, 1.0]
    solved = [rqe.solve(FREE, tau, 0.2) for tau in taus]
    ax = plot.plot_outcomes({"principal": solved}, y="payoffs")
    assert labels(ax) == ["principal, player 1", "principal, player 2"]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [s.payoffs[1] for s in solved])
    uneven = [rqe.solve(FREE, 0.3, 0.2, start=[[0.2, 0.8], [0.88, 0.12]])] * 2
    ax = plot.plot_outcomes(uneven, y="free_riding", x="tau")
    assert ax.lines[0].get_ydata()[0] == pytest.approx(rqe.free_riding(uneven[0]).degree)
    ax = plot.plot_outcomes(solved, y="shared_reward")
    reward = [float(s.payoffs[0] + 0.4 * s.strategies[0][0]) for s in solved]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), reward)
    ax = plot.plot_outcomes(solved, y=lambda game, x: x[0][0])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [s.strategies[0][0] for s in solved])


def test_a_level_outcome_is_drawn_level_however_it_is_rounded():
    game = rqe.catalog.load("example-4.2")
    branch = rqe.trace(game, tau=1.5, eps=0.2, parameter="tau")  # symmetric: nobody rides free
    ax = plot.plot_outcomes(branch, y="free_riding")
    low, high = ax.get_ylim()
    assert ax.lines[0].get_ydata().max() < 1e-8 < high
    assert low < -0.01


def test_outcomes_against_precision():
    ax = plot.plot_outcomes(rqe.trace(FREE, 0.0, 0.2), x="lam")
    assert ax.get_xscale() == "log"
    assert ax.lines[0].get_xdata()[-1] == pytest.approx(5.0)


def test_bad_outcomes():
    with pytest.raises(ValueError, match="y must be one of"):
        plot.plot_outcomes(rqe.trace(FREE, 0.0, 0.2), y="happiness")
    with pytest.raises(ValueError, match="x must fit a branch in eps; got 'tau'"):
        plot.plot_outcomes(rqe.trace(FREE, 0.0, 0.2), x="tau")
    with pytest.raises(ValueError, match="at least one equilibrium per curve"):
        plot.plot_outcomes({})
    with pytest.raises(ValueError, match="must be collaborative"):
        plot.plot_outcomes([rqe.solve(PENNIES, 0.0, 1.0)], y="free_riding")


def grid(**change: Any) -> dict[str, Any]:
    """A table over 3 x 4 points, the value tau + 10 eps."""
    tau, eps = (a.ravel() for a in np.meshgrid([0.0, 1.0, 2.0], [0.1, 0.2, 0.4, 0.8]))
    return {"tau": tau, "eps": eps, "regret": tau + 10 * eps, **change}


def test_heat_maps_put_values_where_they_belong():
    import pandas as pd

    frame = pd.DataFrame(grid()).sample(frac=1, random_state=1)
    ax = plot.plot_heatmap(frame, "regret")
    values = np.asarray(ax.collections[0].get_array()).reshape(4, 3)
    np.testing.assert_allclose(values, np.add.outer([1.0, 2.0, 4.0, 8.0], [0.0, 1.0, 2.0]))
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert ax.get_ylabel().startswith("bounded rationality")


def test_heat_maps_leave_out_what_is_missing():
    columns = grid()
    kept = np.arange(12) != 5
    ax = plot.plot_heatmap({k: v[kept] for k, v in columns.items()}, "regret", centre=4.0)
    values = ax.collections[0].get_array()
    assert values is not None
    assert np.ma.getmaskarray(np.ma.masked_invalid(values)).sum() == 1
    low, high = ax.collections[0].get_clim()
    assert low + high == pytest.approx(8.0)


def test_bad_heat_maps():
    with pytest.raises(KeyError, match="column 'welfare'; got tau, eps, regret"):
        plot.plot_heatmap(grid(), "welfare")
    twice = {k: np.tile(v, 2) for k, v in grid().items()}
    with pytest.raises(ValueError, match=r"one row per point; got 2 at tau = 0, eps = 0\.1"):
        plot.plot_heatmap(twice, "regret")
    with pytest.raises(ValueError, match="2 x 2 points at least; got 1 x 4"):
        plot.plot_heatmap(grid(tau=np.zeros(12)), "regret")


def test_intervals_are_those_of_wilson():
    """Against the roots of (p - q)^2 = z^2 q (1 - q) / n, which define them."""
    p, n, z = np.array([0.0, 0.1, 0.5, 1.0]), 40, 1.959963984540054
    ax = plot.plot_observed(p, p, n=n)
    bars = ax.containers[0].lines[2][0].get_segments()
    for share, segment in zip(p, bars, strict=True):
        roots = np.roots([1 + z**2 / n, -(2 * share + z**2 / n), share**2])
        np.testing.assert_allclose(np.sort(segment[:, 1]), np.sort(roots.real), atol=1e-12)


def test_rows_name_every_frequency_and_model():
    ax = plot.plot_observed(
        [0.2, 0.7], {"QRE": [0.3, 0.6], "RQE": [0.2, 0.8]}, labels=["a", "b"], layout="rows"
    )
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert labels(ax) == ["observed", "QRE", "RQE"]
    np.testing.assert_allclose(line(ax, "RQE"), [[0.2, 0.8], [0.0, 1.0]])


def a_fit(title, shift=0.0):
    """What `plot_observed` reads of a fit."""
    x = (np.array([0.5 + shift, 0.5 - shift]), np.array([0.25, 0.75]))
    counts = (np.array([30.0, 10.0]), np.array([10.0, 30.0]))
    return SimpleNamespace(
        data=SimpleNamespace(games=(PENNIES,), counts=(counts,)),
        log_strategies=(tuple(map(np.log, x)),),
        model=SimpleNamespace(title=title),
    )


def test_fits_say_all_themselves():
    ax = plot.plot_observed([a_fit("QRE"), a_fit("RQE", 0.2)], layout="rows")
    assert labels(ax) == ["observed (95% interval)", "QRE", "RQE"]
    np.testing.assert_allclose(line(ax, "RQE")[0], [0.7, 0.25])
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0.75, 0.25])
    ticks = [text.get_text() for text in ax.get_yticklabels()]
    assert ticks == ["Matching pennies, player 1: heads", "Matching pennies, player 2: heads"]
    with pytest.raises(ValueError, match="leave out predicted"):
        plot.plot_observed(a_fit("QRE"), [0.5])


def test_a_real_fit_is_drawn():
    fit = rqe.fit(PENNIES, [[30, 10], [12, 28]], model="qre")
    ax = plot.plot_observed(fit)
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(), [0.75, 0.3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicted": [0.5]}, "as many as observed, 2; got 1"),
        ({"predicted": None}, "predicted must hold the predictions"),
        ({"observed": [0.5, 1.5]}, "observed must be a list of numbers from 0 to 1"),
        ({"n": 0}, "n must be positive"),
        ({"labels": ["a"]}, "labels must be 2 texts; got 1"),
        ({"level": 1.0}, r"level must be a number in \(0, 1\)"),
        ({"layout": "pie"}, "layout must be one of scatter, rows"),
    ],
)
def test_bad_data(change, message):
    with pytest.raises(ValueError, match=message):
        plot.plot_observed(**({"observed": [0.1, 0.2], "predicted": [0.1, 0.2]} | change))


def test_given_axes_are_used_and_files_written():
    figure, axes = pyplot.subplots(2, 3)
    assert plot.plot_simplex(rqe.solve(FREE, 1.0, 0.3), axes[0, 0]) is axes[0, 0]
    assert plot.plot_best_responses(ROCK, 0.0, 0.0, axes[0, 1]) is axes[0, 1]
    assert plot.plot_outcomes([rqe.solve(FREE, 1.0, 0.3)], axes[0, 2]) is axes[0, 2]
    assert plot.plot_heatmap(grid(), "regret", axes[1, 0]) is axes[1, 0]
    assert plot.plot_observed([0.1], [0.2], axes[1, 1]) is axes[1, 1]
    assert plot.plot_observed([0.1], [0.2], axes[1, 2], layout="rows") is axes[1, 2]
    for kind, head in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=30)
        assert file.getvalue().startswith(head)


def test_the_pictures_of_the_documentation_are_drawn_by_their_command(tmp_path):
    from pathlib import Path

    from rqe.cli import main

    assert main(["figure", "pictures", "--out", str(tmp_path)]) == 0
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert all(text.startswith("<?xml") for text in drawn.values())
    kept = Path(__file__).parent.parent / "docs" / "images"
    assert {path.name for path in kept.glob("*.svg")} >= set(drawn)
