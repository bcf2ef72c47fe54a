"""The page and its figures: complete, self-contained, and safe whatever the names are."""

import dataclasses
import json
import re
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("jinja2")

from marl import figures
from marl.algorithms import ALGORITHMS
from marl.checkpoint import CheckpointError
from marl.crossplay import Against, CrossPlay
from marl.figures import Curve
from marl.measures import rows, summarize
from marl.report import method_tables, text_table, write_report
from marl.reproduce import claims, plan
from marl.results import Exact, Results

N = 12


def cross_play(first="ippo", second="srpo", episodes=64):
    """Two methods of twelve teams: one free-rides in either seat, the other shares the work."""
    rng = np.random.default_rng(0)
    rider = np.arange(N) % 2
    both = np.concatenate([rider, np.full(N, -1)])
    works = [(both != 0).astype(int), (both != 1).astype(int)]  # seat 0 works, seat 1 works
    returns = np.array([-10.0, 430.0, 540.0])[works[0][:, None] + works[1][None, :]]
    returns[:N, :N][returns[:N, :N] > 500] = 100.0  # two who never met stand in each other's way
    returns += rng.normal(scale=3.0, size=returns.shape)
    work = np.stack([w * 13.0 + 7.0 * (1 - v) * w for w, v in (works, works[::-1])], axis=1)
    events = np.zeros((2 * N, 2 * N, 2))
    events[np.arange(2 * N), np.arange(2 * N)] = work
    alone = np.stack([w * (19.0 if i else 4.0) for i, w in enumerate(works)], axis=1)
    alone[N:] = [4.0, 8.0]
    beside = Against(np.full((2 * N, 2), 150.0), np.zeros((2 * N, 2)), {"deliveries": alone})
    return CrossPlay(
        env={"name": "kitchen", "options": {}},
        groups=(first,) * N + (second,) * N,
        seeds=tuple(range(N)) * 2,
        episodes=episodes,
        steps=128,
        returns=returns,
        spread=np.ones_like(returns),
        private=-1.2 * events,
        events={"deliveries": events},
        against={"stay": beside, "greedy worker": beside},
    )


def curves(*names):
    steps = np.linspace(4e5, 2e6, 5)
    least = np.linspace(0.0, 0.5, N * 5).reshape(N, 5)
    least[0, 0] = np.nan
    return {name: Curve(steps, np.outer(np.ones(N), steps / 1e4), least) for name in names}


def sweep(parameter="tau"):
    records = rows(summarize(cross_play()))
    return {
        "parameter": parameter,
        "label": "strategic risk aversion",
        "title": "Threshold",
        "rows": [
            {"series": "reverse_kl", parameter: value, **records[k]}
            for value, k in ((0.0, 0), (0.1, 0), (10.0, 1))
        ],
    }


@pytest.fixture
def results():
    cross = cross_play()
    exact = Exact(cross_play(episodes=0), np.full(2 * N, 40.0), 304.2, 184.2, 87.2)
    return Results(cross, curves("ippo", "srpo"), exact, [sweep()], {"command": "marl reproduce"})


def test_the_page_needs_nothing_else(results, tmp_path):
    results.save(tmp_path)
    page = write_report(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<img ") == 5
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "http" not in text
    assert "<script" not in text
    for part in ("TP - CP", "free-riding teams", "12 of 12 [74 %, 100 %]", "304.2", "stay",
                 "NashConv", "marl reproduce", "Clopper-Pearson"):  # fmt: skip
        assert part in text
    for name in ("crossplay", "roles", "partners", "curves", "sweep_tau"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    records = (tmp_path / "teams.csv").read_text().splitlines()
    assert len(records) == 1 + 2 * N
    assert records[0].startswith("method,seed,return,exact_return,nash_conv,cost_0,cost_1")


def test_a_report_with_less_has_fewer_parts(tmp_path):
    cross = cross_play()
    bare = CrossPlay(**{**cross.__dict__, "events": {}, "against": {}})
    Results(bare, {}).save(tmp_path)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert text.count("<img ") == 1
    for part in ("Exact values", "Who works", "Held-out", "Learning"):
        assert part not in text


def test_names_are_escaped(tmp_path):
    name = '<script>alert("x")</script>'
    Results(cross_play(first=name), curves(name)).save(tmp_path)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_results_are_read_back(results, tmp_path):
    results.save(tmp_path)
    again = Results.load(tmp_path)
    assert again.notes == results.notes
    assert again.sweeps == results.sweeps
    np.testing.assert_array_equal(again.cross.returns, results.cross.returns)
    np.testing.assert_array_equal(again.curves["srpo"].least, results.curves["srpo"].least)
    assert again.exact is not None
    assert again.exact.team_optimum == 304.2


def test_a_kitchen_that_pays_nothing_has_no_share_of_its_optimum(results, tmp_path):
    nothing = dataclasses.replace(
        results, exact=dataclasses.replace(results.exact, team_optimum=0.0)
    )
    nothing.save(tmp_path)
    assert "the best team earns 0.0" in write_report(tmp_path).read_text(encoding="utf-8")


def test_undetermined_figures_survive_a_report(results, tmp_path):
    results.sweeps[0]["rows"][0]["gap"] = float("nan")
    results.save(tmp_path)
    assert "–" in write_report(tmp_path).read_text(encoding="utf-8")


def test_exact_values_of_other_teams_are_never_shown(results, tmp_path):
    """Once `--no-exact`, or another environment, in a folder left the values of the last teams."""
    results.save(tmp_path)
    dataclasses.replace(results, cross=cross_play(first="mappo"), exact=None).save(tmp_path)
    assert Results.load(tmp_path).exact is None
    assert "Exact values" not in write_report(tmp_path).read_text(encoding="utf-8")
    cross_play(first="mappo").save(tmp_path / "exact.safetensors")  # cut off between two files
    results.save(tmp_path)
    cross_play(first="mappo").save(tmp_path / "crossplay.safetensors")
    with pytest.raises(CheckpointError, match=r"exact\.safetensors: of other teams than"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("sweeps", [{}], r"sweeps\[0\] lacks 'parameter'"),
        ("sweeps", 3, "sweeps must be a list, got int"),
        ("tables", [{"title": "x"}], r"tables\[0\] lacks 'text'"),
        ("tables", ["x"], r"tables\[0\] must be a mapping, got str"),
        ("notes", [], "notes must be a mapping, got list"),
    ],
)
def test_a_foreign_part_of_the_report_is_named(results, tmp_path, part, value, words):
    results.save(tmp_path)
    file = tmp_path / "report.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), part: value}))
    with pytest.raises(CheckpointError, match=words):
        write_report(tmp_path)


@pytest.mark.parametrize("name", ["crossplay.safetensors", "report.json", "curves.safetensors"])
def test_damaged_results_are_refused(results, tmp_path, name):
    with pytest.raises(CheckpointError, match="no results of a cross-play"):
        write_report(tmp_path)
    results.save(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-20])
    with pytest.raises(CheckpointError, match=name):
        write_report(tmp_path)


def test_tables_for_a_terminal_line_up():
    tables = [text_table(t) for t in method_tables(summarize(cross_play()), "sampled")]
    for text in tables:
        _, header, rule, *lines = text.splitlines()
        assert set(rule) == {"-", " "}
        assert len(lines) == 2
        assert max(len(line) for line in (header, *lines)) <= len(rule)


def test_the_heat_map_shows_the_matrix():
    cross = cross_play()
    (image,) = figures.heat_map(cross).axes[0].images
    np.testing.assert_array_equal(image.get_array(), cross.returns)
    assert image.get_cmap().name == "cividis"


def test_with_four_seats_a_column_is_all_the_others(tmp_path):
    cross = cross_play()
    four = {"private": np.zeros((2 * N, 2 * N, 4)), "events": {}, "against": {}}
    cross = dataclasses.replace(cross, **four)
    assert figures.heat_map(cross).axes[0].get_xlabel() == "team of the other seats"
    Results(cross, {}).save(tmp_path)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "seat 0 from one and all other seats from the other" in text
    assert "seat 1" not in text


@pytest.mark.parametrize("names", [("ippo", "srpo"), tuple(ALGORITHMS)], ids=len)
def test_the_names_along_the_heat_map_do_not_overlap(names):
    groups = np.repeat(names, 3)
    members = {name: np.flatnonzero(groups == name) for name in names}
    returns = np.zeros((len(groups), len(groups)))
    cross: Any = SimpleNamespace(
        groups=tuple(groups), names=names, returns=returns, members=members.__getitem__,
        private=np.zeros((*returns.shape, 2)),
    )  # fmt: skip
    figure = figures.heat_map(cross)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [label.get_text() for label in labels] == list(names)
        upright = [label.get_rotation() % 90 == 0 for label in labels]
        boxes = [label.get_window_extent() for label in labels]
        for first, second in pairwise(boxes):
            if all(upright):
                assert not first.overlaps(second)
            else:  # slanted lines of text, 10 points high: their distance is what counts
                distance = (second.x1 - first.x1) * np.sin(np.radians(40))
                assert distance > 10 * figure.dpi / 72


def test_the_curves_are_means_over_teams():
    axes = figures.curves(curves("ippo")).axes
    drawn = [np.asarray(ax.lines[0].get_ydata(), dtype=float) for ax in axes]
    np.testing.assert_allclose(drawn[0], np.arange(1, 6) * 40.0)
    least = np.array(curves("ippo")["ippo"].least, dtype=float)
    np.testing.assert_allclose(drawn[1], np.nanmean(least, axis=0))


def test_ten_methods_can_be_told_apart_and_their_legend_covers_nothing():
    names = [f"method {k}" for k in range(10)]
    figure = figures.curves(curves(*names))
    ax = figure.axes[0]
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 10
    figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_window_extent().x0 >= ax.get_window_extent().x1
    assert len({(figures.COLOURS[k % 7], figures._mark(k)) for k in range(49)}) == 49


def verdicts(results, **options):
    return {claim.text: claim for claim in claims(results, **options)}


def test_claims_are_judged_by_the_figures(results):
    found = verdicts(results)
    assert found["IPPO free-rides in at least 9 of 10 teams"].holds
    assert found["SRPO free-rides in at most 1 of 10 teams"].holds
    assert found["IPPO's gap is at least 30 %"].holds
    assert found["SRPO's TP at least 1.12 times IPPO's"].holds
    alone = found["alone, SRPO's better seat delivers more than IPPO's"]
    assert not alone.holds
    assert not alone.goal
    assert found["reverse_kl: free-riding in at most 1 of 10 teams from some tau on"].holds
    assert not any("TP" in text for text in verdicts(results, full=False))


def test_claims_fail_where_the_figures_say_so(results):
    found = verdicts(Results(cross_play(first="srpo", second="ippo"), {}))
    assert not found["IPPO free-rides in at least 9 of 10 teams"].holds
    assert not found["SRPO's gap is within 5 %"].holds
    with pytest.raises(ValueError, match="need the groups ippo and srpo, got a, b"):
        claims(Results(cross_play("a", "b"), {}))
    entropy = {**sweep("eps"), "title": "Entropy"}
    found = verdicts(Results(results.cross, {}, sweeps=[entropy]))
    (cure,) = (claim for text, claim in found.items() if "no cure" in text)
    assert not cure.holds  # the last row is one of teams that share the work
    assert "10: 12 of 12" in cure.found


def test_the_plan_trains_everything_once():
    whole = plan()
    main, tau, entropy = (whole.runs(part) for part in ("main", "tau", "entropy"))
    assert list(main)[:4] == ["ippo-0", "srpo-0", "ippo-10", "srpo-10"]
    assert sum(cell.teams for cell in main.values()) == 60
    series = {(s, value) for s, value, _ in whole.tau}
    values = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)
    assert series == {(s, value) for s in ("reverse_kl", "kl") for value in values}
    assert all(cell.teams >= 10 for _, _, cell in whole.tau)
    new = [cell for part in (tau, entropy) for cell in part.values() if cell.name not in
           ("ippo", "srpo")]  # fmt: skip
    assert len(new) == len({cell.name for cell in new}) == 9 + 3
    for cell in new:
        assert cell.algo.round_steps(whole.steps) == whole.main[0].algo.round_steps(whole.steps)
