"""`sweep`: what `solve` finds, at every point, in a tidy table that survives interruptions."""

import functools
import inspect
import itertools
import json
import multiprocessing
import shutil
import textwrap
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rqe
from benchmarks.common import random_payoffs
from rqe.cli import main
from rqe.sweeping import _request, _rows, read_sweep, sweep

STAG = rqe.catalog.load("stag-hunt")
PENNIES = rqe.catalog.load("matching-pennies")


def probabilities(frame):
    """One row per point: all players' strategies in a row."""
    return frame.groupby("point").probability.apply(list).to_list()


def shared_work(cost):
    return rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [cost, 0.0])


def largest(solution):
    return max(float(x.max()) for x in solution.strategies)


def several(solution):
    return {"first": float(solution.strategies[0][0]), "second": float(solution.strategies[1][0])}


def same(first, second):
    pd.testing.assert_frame_equal(first, second)
    assert first.attrs == second.attrs


@pytest.mark.parametrize("kind", ["uniform", "integer", "coordination", "lognormal"])
@pytest.mark.parametrize("shape", [(2, 2), (4, 3), (2, 2, 2)])
def test_every_point_is_what_solve_returns(kind, shape):
    """Along one branch, folds included: a warm start never changes which equilibrium it is."""
    taus, width = [0.0, 1.0, np.inf], 1.0 if kind == "uniform" else 5.0
    epss = np.geomspace(0.02, 2.0, 7) * width
    for seed in range(2):
        game = rqe.NormalFormGame(random_payoffs(shape, seed, kind))
        frame = sweep(game, taus, epss)
        for point, found in enumerate(probabilities(frame)):
            tau, eps = taus[point // 7], epss[point % 7]
            one = rqe.solve(game, tau, eps)
            assert found == pytest.approx(np.concatenate(one.strategies), abs=1e-9)


@pytest.mark.parametrize("game", [STAG, rqe.catalog.load("chicken"), PENNIES], ids=str)
def test_symmetric_games_where_branches_cross(game):
    epss = [3.0, 0.5, 0.9, 0.1, 0.7, 0.05, 0.0]
    frame = sweep(game, [0.0, 2.0], epss)
    for point, found in enumerate(probabilities(frame)):
        one = rqe.solve(game, [0.0, 2.0][point // 7], epss[point % 7])
        assert found == pytest.approx(np.concatenate(one.strategies), abs=1e-9)


def test_grid_order_and_columns():
    frame = sweep({"a": STAG, "b": PENNIES}, [0.0, 1.0], [0.5, 2.0, 1.0])
    assert frame.columns.tolist() == [
        "point", "game", "tau", "eps", "status", "player", "action", "probability", "payoff"
    ]  # fmt: skip
    points = frame.groupby("point")[["game", "tau", "eps"]].first()
    wanted = list(itertools.product("ab", [0.0, 1.0], [0.5, 2.0, 1.0]))
    assert list(points.itertuples(index=False, name=None)) == wanted
    assert frame.attrs == {"points": 12, "failed": 0}
    assert frame.action.unique().tolist() == [*STAG.actions[0], *PENNIES.actions[0]]


def test_rows_are_as_fine_as_the_outputs():
    assert len(sweep(STAG, 1.0, [0.5, 1.0], outputs="welfare")) == 2
    assert len(sweep(STAG, 1.0, [0.5, 1.0], outputs=["welfare", "payoffs"])) == 4
    assert len(sweep(STAG, 1.0, [0.5, 1.0], outputs=["welfare", "strategies"])) == 8
    per_player = sweep(STAG, [(0.0, 2.0)], 1.0, outputs="welfare")
    assert per_player.tau.tolist() == [0.0, 2.0]
    assert sweep(PENNIES, np.array(2.0), np.array(1.0), outputs="welfare").tau.tolist() == [2.0]
    assert per_player.welfare.nunique() == 1


def test_outputs_are_those_of_the_solution():
    game = shared_work(0.4)
    outputs = ["strategies", "payoffs", "risk_adjusted", "regret", "residual", "welfare"]
    frame = sweep(game, 1.0, 0.2, outputs=[*outputs, "free_riding", largest, several])
    one = rqe.solve(game, 1.0, 0.2)
    assert frame.payoff.to_numpy() == pytest.approx(np.repeat(one.payoffs, 2))
    assert frame.risk_adjusted.to_numpy() == pytest.approx(np.repeat(one.risk_adjusted, 2))
    assert frame.welfare.unique() == pytest.approx(one.payoffs.sum())
    assert frame.free_riding.unique() == pytest.approx(rqe.free_riding(one).degree, abs=1e-12)
    assert frame.largest.unique() == pytest.approx(largest(one))
    assert frame["first"].unique() == pytest.approx(one.strategies[0][0])
    assert frame.second.unique() == pytest.approx(one.strategies[1][0])
    assert frame.residual.max() < 1e-10
    assert frame.regret.max() < 1e-10


def test_path_over_payoffs():
    frame = sweep(shared_work, 1.0, 0.2, over={"cost": [0.1, 0.2, 0.3]}, outputs="free_riding")
    assert frame.cost.tolist() == [0.1, 0.2, 0.3]
    wanted = [rqe.free_riding(rqe.solve(shared_work(c), 1.0, 0.2)).degree for c in frame.cost]
    assert frame.free_riding.to_numpy() == pytest.approx(wanted, abs=1e-12)


def test_titles_label_a_list_and_repeated_ones_are_numbered():
    titled = rqe.NormalFormGame(random_payoffs((2, 2), 0), title="mine")
    frame = sweep([titled, titled], 1.0, 0.5, outputs="welfare")
    assert frame.game.tolist() == ["mine #0", "mine #1"]
    bare = [rqe.NormalFormGame(random_payoffs((2, 2), seed)) for seed in range(2)]
    assert sweep(bare, 1.0, 0.5, outputs="welfare").game.tolist() == ["0", "1"]


def test_failures_are_rows(monkeypatch):
    tired = rqe.PrincipalBranch(max_steps=1)
    monkeypatch.setattr(_rows, "PrincipalBranch", lambda: tired)
    monkeypatch.setitem(rqe.solvers._DEFAULTS, "principal_branch", tired)
    frame = sweep(STAG, 0.0, [100.0, 0.01], outputs=["strategies", "residual", "welfare", largest])
    assert frame.attrs == {"points": 2, "failed": 1}
    lost = frame[frame.eps == 0.01]
    assert set(lost.status) == {"max_steps"}
    assert lost[["probability", "welfare", "largest"]].isna().all(axis=None)
    assert (lost.residual > 1e-10).all()
    kept = frame[frame.eps == 100.0]
    assert not kept.isna().any(axis=None)


@pytest.mark.parametrize("kind", ["threads", "pool"])
def test_executors_give_the_same_table(kind):
    games = {str(seed): rqe.NormalFormGame(random_payoffs((3, 3), seed)) for seed in range(3)}
    alone = sweep(games, [0.0, 1.0], [0.1, 1.0], outputs=["strategies", largest])
    if kind == "threads":
        make: Any = ThreadPoolExecutor(2)
    else:
        make = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    with make as executor:
        same(
            alone,
            sweep(
                games, [0.0, 1.0], [0.1, 1.0], outputs=["strategies", largest], executor=executor
            ),
        )


class StoppedError(Exception):
    pass


def test_resumes_without_repeating_work(tmp_path, monkeypatch):
    folder = tmp_path / "study"
    grid: dict[str, Any] = {"tau": [0.0, 0.5, 1.0, 2.0], "eps": [0.2, 1.0]}

    def stop(done, points):
        if done == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        sweep(STAG, **grid, path=folder, progress=stop)
    assert sorted(p.name for p in folder.iterdir()) == [
        "manifest.json", "part-00000.parquet", "part-00001.parquet"
    ]  # fmt: skip
    assert read_sweep(folder).attrs == {"points": 4, "failed": 0}

    computed, original = [], _rows._solve_row

    def solve_row(*args):
        computed.append(args)
        return original(*args)

    monkeypatch.setattr(_rows, "_solve_row", solve_row)
    seen: list[int] = []
    resumed = sweep(STAG, **grid, path=folder, progress=lambda done, _: seen.append(done))
    assert len(computed) == 2
    assert seen == [4, 6, 8]
    whole = sweep(STAG, **grid)
    same(resumed, whole)
    same(read_sweep(folder), whole)
    computed.clear()
    same(sweep(STAG, **grid, path=folder), whole)
    assert not computed


def test_a_part_half_written_is_no_part(tmp_path):
    sweep(STAG, [0.0, 1.0], 1.0, path=tmp_path)
    (tmp_path / "part-00001.parquet").rename(tmp_path / ".part-00001.parquet-x7")
    assert read_sweep(tmp_path).attrs["points"] == 1
    assert sweep(STAG, [0.0, 1.0], 1.0, path=tmp_path).attrs["points"] == 2


def test_a_part_of_another_sweep_is_refused(tmp_path):
    """Rows must not be counted twice."""
    sweep(STAG, [0.0, 1.0], 1.0, path=tmp_path)
    shutil.copy(tmp_path / "part-00001.parquet", tmp_path / "part-00007.parquet")
    for again in (lambda: read_sweep(tmp_path), lambda: sweep(STAG, [0, 1], 1, path=tmp_path)):
        with pytest.raises(ValueError, match=r"part-00007\.parquet is no part of this sweep"):
            again()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tau": 2.0}, "tau"),
        ({"eps": [1.0, 0.5]}, "eps"),
        ({"games": PENNIES}, "games"),
        ({"outputs": [largest]}, "outputs"),
        ({"penalty": "reverse_kl"}, "penalty"),
        ({"tol": 1e-8}, "tol"),
    ],
)
def test_another_request_is_refused(tmp_path, change, named):
    request: dict[str, Any] = {"games": STAG, "tau": 1.0, "eps": 1.0, "outputs": "welfare"}
    sweep(**request, path=tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=f"holds another sweep, which differs in .*{named}"):
        sweep(**{**request, **change}, path=tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def scaled(solution, by=1.0, *, of=0):
    return by * float(solution.strategies[of][0])


def scaling(by):
    return lambda solution: by * float(solution.strategies[0][0])


class Scale:
    """An output that is an object."""

    def __init__(self, by):
        self.by = by

    def __call__(self, solution):
        return scaled(solution, self.by)

    def method(self, solution):
        return scaled(solution, self.by)


@pytest.mark.parametrize(
    "make",
    [
        scaling,
        Scale,
        lambda by: functools.partial(scaled, by=by),
        lambda by: Scale(by).method,
        lambda by: lambda solution, by=by: scaled(solution, by),
        lambda by: functools.partial(scaling(by)),
    ],
)
def test_functions_that_hold_other_values_are_other_outputs(make, tmp_path):
    frame = sweep(STAG, 1.0, 1.0, outputs=make(2.0), path=tmp_path)
    same(sweep(STAG, 1.0, 1.0, outputs=make(2.0), path=tmp_path), frame)
    with pytest.raises(ValueError, match="holds another sweep, which differs in outputs"):
        sweep(STAG, 1.0, 1.0, outputs=make(3.0), path=tmp_path)


def test_functions_are_told_apart_by_what_they_do():
    def documented(solution):
        """Say something."""
        return [scaled(solution, k) for k in (1, 2)] if "a" in {"a", "b", "c"} else documented

    source = inspect.getsource(documented).replace("Say something.", "Say something else.")
    again, other = [
        define(textwrap.dedent(text), {"scaled": scaled})
        for text in (source, source.replace("(1, 2)", "(1, 3)"))
    ]
    assert _request._described(again).split(":")[1] == _request._described(documented).split(":")[1]
    assert _request._described(other) != _request._described(again)


def define(source, names):
    """Return the function of a source text, as a closure over itself like the original."""
    body = textwrap.indent(source, "    ")
    exec(f"def outer():\n{body}\n    return documented", names)
    return names["outer"]()


def test_names_of_outputs():
    partial = functools.partial(scaled, by=2.0)
    frame = sweep(STAG, 1.0, 1.0, outputs=[partial, Scale(3.0)])
    one = float(rqe.solve(STAG, 1.0, 1.0).strategies[0][0])
    assert frame.scaled[0] == pytest.approx(2.0 * one)
    assert frame.Scale[0] == pytest.approx(3.0 * one)


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"has no manifest\.json"):
        sweep(STAG, 1.0, 1.0, path=tmp_path)
    with pytest.raises(ValueError, match=r"has no manifest\.json"):
        read_sweep(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        read_sweep(tmp_path / "nowhere")
    for manifest in ({"schema": "other"}, {"schema": "rqe.sweep/1", "request": 3}):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(ValueError, match="is not the manifest of a sweep"):
            sweep(STAG, 1.0, 1.0, path=tmp_path)


def test_many_rows_share_parts(tmp_path):
    taus = np.linspace(0.0, 1.0, 450)
    frame = sweep(PENNIES, taus, 1.0, outputs="welfare", path=tmp_path)
    assert len(list(tmp_path.glob("part-*.parquet"))) == 150
    assert frame.tau.to_numpy() == pytest.approx(taus)
    assert frame.point.tolist() == list(range(450))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"games": "stag-hunt"}, TypeError, "games must be a NormalFormGame"),
        ({"games": []}, ValueError, "at least one game"),
        ({"games": [1]}, TypeError, "games must be NormalFormGame objects; got 1"),
        ({"games": shared_work}, TypeError, "over must give the values"),
        ({"games": shared_work, "over": {"tau": [1]}}, ValueError, "name of a column, 'tau'"),
        ({"games": shared_work, "over": {"cost": []}}, ValueError, r"over\['cost'\] must hold"),
        ({"games": shared_work, "over": {"cost": 1}}, TypeError, r"over\['cost'\] must be a list"),
        ({"over": {"cost": [1]}}, TypeError, "over must be given only with a function"),
        ({"tau": []}, ValueError, "tau must hold at least one value"),
        ({"tau": [1.0, -1.0]}, ValueError, "tau must be >= 0"),
        ({"eps": [(1.0, 2.0, 3.0)]}, ValueError, "eps must be one number or a list of 2"),
        ({"eps": "1"}, TypeError, "eps must be a number or a list of them"),
        ({"outputs": "wellfare"}, ValueError, "did you mean 'welfare'"),
        ({"games": PENNIES, "outputs": "free_riding"}, ValueError, "game must be collaborative"),
        ({"outputs": None}, TypeError, "outputs must be names or functions; got None"),
        ({"outputs": [largest, largest]}, ValueError, "a column 'largest' already"),
        ({"outputs": lambda _: {"eps": 1.0}}, ValueError, "a column 'eps' already"),
        ({"outputs": ["payoffs", lambda _: {"payoff": 1}]}, ValueError, "column 'payoff' already"),
        ({"eps": {"a": 1.0}}, TypeError, "eps must be a number or a list of them"),
        ({"regularizer": "x"}, ValueError, "regularizer must be one of"),
        ({"tol": 0.0}, ValueError, "tol must be a number"),
    ],
)
def test_bad_input(options, error, text):
    with pytest.raises(error, match=text):
        sweep(**{"games": STAG, "tau": 1.0, "eps": 1.0, **options})


def test_command(tmp_path, capsys):
    arguments = ["sweep", "free-riding", "--tau", "0:1:0.5", "--eps", "1/5,inf"]
    assert main([*arguments, "--outputs", "welfare,free_riding", "--csv", "-"]) == 0
    frame = pd.read_csv(pd.io.common.StringIO(capsys.readouterr().out))
    assert frame.tau.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    assert frame.eps.tolist() == [0.2, np.inf] * 3
    folder = str(tmp_path / "study")
    assert main([*arguments, "--out", folder]) == 0
    assert "6 points, 0 failed" in capsys.readouterr().out
    assert read_sweep(folder).attrs["points"] == 6
    assert main(["sweep", "stag-hunt", "--out", folder]) == 2
    assert "holds another sweep" in capsys.readouterr().err


def test_command_takes_a_game_once(capsys):
    assert main(["sweep", "stag-hunt", "stag-hunt", "--tau", "1"]) == 2
    assert "GAME: each game once; got stag-hunt twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--tau", "1:0:1", "needs a step that leads from START to STOP"),
        ("--tau", "0:1:0", "needs a step that leads"),
        ("--tau", "a", "is no list of numbers"),
        ("--eps", "-1", "eps must be >= 0"),
        ("--outputs", "x", "outputs must be one of"),
        ("--workers", "0", "--workers must be at least 1"),
    ],
)
def test_command_complains_in_one_line(option, value, text, capsys):
    assert main(["sweep", "stag-hunt", f"{option}={value}"]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
