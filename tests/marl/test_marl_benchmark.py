"""`marl benchmark`: plans, aggregates against plain loops, interruption, damage."""

import csv
import dataclasses
import io
import itertools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

import marl
from marl.aggregate import (
    aggregate,
    blocks,
    improvement,
    interquartile_mean,
    records,
    strangers,
)
from marl.algorithms import ALGORITHMS
from marl.benchmark import run_benchmark, wall_seconds
from marl.benchmark_report import unseen_csv, unseen_figures
from marl.checkpoint import CheckpointError, save_arrays
from marl.cli import main
from marl.crossplay import CrossPlay
from marl.measures import compare
from marl.plans import BENCHMARKS, SIZES, benchmark_plan
from marl.presets import PRESETS, preset
from marl.run import run_config

RNG = np.random.default_rng(0)
TINY = {"n_envs": 2, "n_steps": 8, "hidden": (8, 8)}


class Crash(BaseException):
    """The end of a process, as far as files are concerned."""


def crossed(**sizes):
    """A cross-play of random returns, that many teams in each group."""
    groups = tuple(name for name, n in sizes.items() for _ in range(n))
    found: Any = SimpleNamespace(
        groups=groups,
        names=tuple(sizes),
        returns=RNG.normal(size=(len(groups), len(groups))),
        members=lambda name: np.flatnonzero([g == name for g in groups]),
    )
    return found


def test_interquartile_mean_equals_repeating_and_cutting():
    for n in (4, 5, 8, 11):
        values, weights = RNG.normal(size=n), RNG.integers(0, 4, n)
        weights[0] += 1
        drawn = np.sort(np.repeat(values, 4 * weights))  # four of each: quarters are whole
        quarter = len(drawn) // 4
        want = drawn[quarter:-quarter].mean()
        assert float(interquartile_mean(values, weights)) == pytest.approx(want)
    assert float(interquartile_mean([1.0, np.nan, 3.0], [1, 1, 1])) == 2.0


def test_aggregates_equal_plain_loops():
    cross = crossed(a=8, b=3)
    first, second = aggregate(cross)
    scores = []
    for i in range(8):
        others = [j for j in range(8) if j != i]
        scores.append(np.mean([(cross.returns[i, j] + cross.returns[j, i]) / 2 for j in others]))
    assert first.crossing.value == pytest.approx(np.sort(scores)[2:6].mean())
    assert first.worst.value == pytest.approx(np.sort(scores)[:2].mean())
    assert first.training.value == pytest.approx(np.sort(np.diag(cross.returns)[:8])[2:6].mean())
    assert first.loss.value == pytest.approx(first.training.value - first.crossing.value)
    assert first.crossing.low < first.crossing.value < first.crossing.high
    assert np.isnan(second.crossing.low)  # three teams are too few for an interval


def test_probability_of_improvement_counts_pairs_and_is_antisymmetric():
    cross = crossed(a=6, b=5)

    def score(members):
        both = (cross.returns + cross.returns.T) / 2
        return [np.mean([both[i, j] for j in members if j != i]) for i in members]

    pairs = itertools.product(score(range(6)), score(range(6, 11)))
    want = np.mean([x > y for x, y in pairs])
    found = improvement(cross, "a", "b")
    assert found.value == pytest.approx(want)
    assert improvement(cross, "b", "a").value == pytest.approx(1 - want)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert improvement(cross, "a", "a").value == pytest.approx(0.5)


def test_blocks_leave_teams_among_themselves_out():
    cross = crossed(a=2, b=1)
    names, table = blocks(cross)
    returns = cross.returns
    assert names == ("a", "b")
    assert table[0, 0] == pytest.approx((returns[0, 1] + returns[1, 0]) / 2)
    assert table[0, 1] == pytest.approx(returns[:2, 2].mean())
    assert table[1, 0] == pytest.approx(returns[2, :2].mean())
    assert np.isnan(table[1, 1])
    assert strangers(cross, "b").value == pytest.approx((table[0, 1] + table[1, 0]) / 2)
    assert [record["method"] for record in records(cross, "a")] == ["a", "b"]


def test_the_baseline_has_no_ratio_to_itself():
    """Once IPPO was 1 [0.894, 1.12] times as good as IPPO."""
    rng = np.random.default_rng(2)
    cross = CrossPlay(
        env={"name": "tag", "options": {}},
        groups=("a",) * 5 + ("b",) * 5,
        seeds=tuple(range(5)) * 2,
        episodes=1,
        steps=1,
        returns=rng.normal(100.0, 10.0, size=(10, 10)),
        spread=np.zeros((10, 10)),
        private=np.zeros((10, 10, 2)),
        events={},
        against={},
    )
    figures = unseen_figures(cross, "a")
    assert all(np.isnan(x) for x in dataclasses.astuple(figures["a"]["ratio"]))
    expected = compare(cross, "b", "a").crossing
    assert figures["b"]["ratio"] == expected
    told = list(csv.DictReader(io.StringIO(unseen_csv(figures))))
    assert [row["method"] for row in told] == ["a", "b"]
    assert (told[0]["ratio"], float(told[1]["ratio_high"])) == ("nan", expected.high)


def test_every_size_of_every_benchmark_is_equal_in_interactions():
    for size, name in itertools.product(SIZES, BENCHMARKS):
        plan = benchmark_plan(name, size=size)
        assert set(plan.methods) == set(ALGORITHMS)
        agents = 4 if name == "hanabi4" else 2
        totals = {algo.round_steps(plan.steps, agents) for algo in plan.methods.values()}
        assert max(totals) - min(totals) <= 0.03 * max(totals), f"{size} {name}: {totals}"


def test_presets_hold_the_papers_settings():
    tag: Any = preset("tag", "srpo").algo
    assert (tag.n_envs, tag.lr, tag.hidden, tag.tau, tag.eps) == (64, 1e-3, (128, 128), 10.0, 0.01)
    hanabi: Any = preset("hanabi", "srpo").algo
    assert (hanabi.n_envs, hanabi.epochs, hanabi.tau) == (1000, 15, 0.01)
    assert hanabi.share_policies
    assert (tag.shared_trunk, tag.max_grad_norm, hanabi.critic_lr) == (True, 10.0, 1e-3)
    assert not preset("tag", "mappo").algo.shared_trunk  # type: ignore[attr-defined]
    for env, name in itertools.product(PRESETS, ALGORITHMS):
        assert preset(env, name).algo.name == name
    changed: Any = {"settings": {"eps": 0.2}, "ablations": ["tau", "eps"]}
    plan: Any = benchmark_plan("tag", methods=["srpo"], **changed)
    assert plan.methods["srpo"].eps == 0.2
    assert plan.trainer.eps == 0.2
    assert {cell[0] for cell in plan.sweeps["tau"]} == {"reverse_kl", "kl"}
    assert [cell[2].eps for cell in plan.sweeps["eps"][:4]] == [0.01, 0.03, 0.1, 0.3]


def test_schedules_last_the_run_and_give_way_to_the_users_settings():
    plan: Any = benchmark_plan("hanabi2", steps=1e6, ablations=["eps"])
    for name in ("ippo", "srpo", "mappo"):
        algo = plan.methods[name]
        assert (algo.lr_start, algo.lr_warmup, algo.eps_warmup) == (2e-3, 1_000_000, 1_000_000)
        assert algo.lr == algo.critic_lr < algo.lr_start
    assert plan.methods["high_entropy"].eps_start is None  # its bonus is what it is
    assert plan.methods["high_entropy"].lr_start == 2e-3
    assert plan.methods["fcp"].lr_start is None
    assert plan.methods["fcp"].lr > plan.methods["ippo"].lr
    assert [cell[2].eps_start for cell in plan.sweeps["eps"]] == [None] * 8
    given: Any = {"lr": 1e-4, "srpo.eps": 0.3}
    plan = benchmark_plan("hanabi2", methods=["ippo", "srpo"], settings=given)
    assert (plan.methods["ippo"].lr, plan.methods["ippo"].lr_start) == (1e-4, None)
    assert plan.methods["ippo"].eps_start == 2e-2
    assert (plan.methods["srpo"].eps, plan.methods["srpo"].eps_start) == (0.3, None)


def test_a_setting_may_be_one_methods_alone_and_leaves_the_runners_as_they_are():
    changed = {"n_envs": 4, "ippo.eps": 0.3, "srpo.tau": 100.0, "srpo.penalty": "kl"}
    plan: Any = benchmark_plan("tag", methods=["ippo", "srpo"], settings=changed)
    ippo, srpo = plan.methods["ippo"], plan.methods["srpo"]
    assert (ippo.eps, ippo.n_envs) == (0.3, 4)
    assert (srpo.eps, srpo.n_envs, srpo.tau, srpo.penalty) == (0.01, 4, 100.0, "kl")
    assert (plan.trainer.eps, plan.trainer.n_envs, plan.trainer.share_policies) == (0.01, 4, False)


def test_variants_are_methods_of_the_same_table():
    changed: Any = {"n_envs": 4, "srpo.eps": 0.3}
    variants: Any = [("srpo", {"tau": 1, "penalty": "kl"}), ("mappo", {"eps": 0.2})]
    plan: Any = benchmark_plan("kitchen", methods=["srpo"], settings=changed, variants=variants)
    assert list(plan.methods) == ["srpo", "srpo-tau-1-penalty-kl", "mappo-eps-0.2"]
    srpo, other, mappo = plan.methods.values()
    assert (srpo.tau, srpo.penalty, srpo.eps) == (10.0, "reverse_kl", 0.3)
    assert (other.tau, other.penalty, other.eps, other.n_envs) == (1, "kl", 0.3, 4)
    assert (mappo.eps, mappo.n_envs) == (0.2, 4)
    runs = plan.batches("mappo-eps-0.2", Path("none"))
    assert [run.name for run in runs] == ["mappo-eps-0.2-0", "mappo-eps-0.2-5"]


def test_more_seeds_add_runs_to_those_that_are_there(tmp_path):
    """Once seven teams could not become ten: the run of the last two was to have five."""
    env = marl.make_env("kitchen")

    def begun(seeds):
        plan = benchmark_plan("kitchen", methods=["ippo"], seeds=seeds, settings=TINY)
        found = plan.batches("ippo", tmp_path)
        for run, (first, teams) in found.items():
            config = run_config(env, plan.methods["ippo"], steps=128, seeds=teams, seed=first)
            run.mkdir(exist_ok=True)
            config.save(run / "config.json")
        return list(found.values())

    assert begun(3) == [(0, 3)]
    assert begun(7) == [(0, 3), (3, 4)]
    assert begun(14) == [(0, 3), (3, 4), (7, 5), (12, 2)]


@pytest.fixture(scope="module")
def plan():
    """Two teams of IPPO on the kitchen, a few updates each."""
    return benchmark_plan("kitchen", methods=["ippo"], seeds=2, steps=128, settings=TINY)


@pytest.fixture
def alone(monkeypatch):
    """No scripted partners: they take long to compile."""
    monkeypatch.setattr("marl.partners.held_out", lambda env: ())


def test_an_interrupted_benchmark_goes_on_bit_by_bit(plan, alone, tmp_path, monkeypatch):
    whole = run_benchmark(plan, tmp_path / "whole")
    calls, save = itertools.count(), save_arrays

    def saves(path, arrays, **options):
        if next(calls) == 2:
            raise Crash
        save(path, arrays, **options)

    with monkeypatch.context() as patched:
        patched.setattr("marl.run.save_arrays", saves)
        with pytest.raises(Crash):
            run_benchmark(plan, tmp_path / "cut")
    again = run_benchmark(plan, tmp_path / "cut")
    np.testing.assert_array_equal(again.cross.returns, whole.cross.returns)
    for file in ("report/benchmark.csv", "report/methods.csv", "runs/ippo-0/metrics.csv"):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert wall_seconds(tmp_path / "cut" / "runs" / "ippo-0") > 0
    page = (tmp_path / "whole" / "report" / "index.html").read_text()
    for title in ("Aggregates", "Between methods", "Cost"):
        assert f">{title}<" in page
    damaged = tmp_path / "whole" / "runs" / "ippo-0" / "policies.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match=r"ippo-0/policies\.safetensors: not a whole"):
        run_benchmark(plan, tmp_path / "whole")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: benchmark_plan("kitchens"), "did you mean 'kitchen'"),
        (lambda: benchmark_plan("tag", methods=["ipo"]), "unknown method 'ipo', did you mean"),
        (lambda: benchmark_plan("tag", variants=[("spro", {"tau": 1})]), "did you mean 'srpo'"),
        (lambda: benchmark_plan("tag", variants=[("srpo", {"tua": 1})]), "has no option 'tua'"),
        (lambda: benchmark_plan("tag", seeds=0), "seeds must be at least 1, got 0"),
        (
            lambda: benchmark_plan("tag", seeds=2.5),  # type: ignore[arg-type]
            r"seeds must be a whole number, got 2\.5",
        ),
        (lambda: benchmark_plan("hanabi2", steps=math.inf), "steps must be a positive, finite"),
        (
            lambda: benchmark_plan("kitchen", steps="1e6"),  # type: ignore[arg-type]
            "steps must be a positive, finite number; got '1e6'",
        ),
        (lambda: benchmark_plan("kitchen", steps=-1), "steps must be .* number; got -1"),
        (
            lambda: benchmark_plan("kitchen", settings={"gama": 0.9}),
            "unknown setting of the methods that are compared, 'gama', did you mean 'gamma'",
        ),
        (
            lambda: benchmark_plan(
                "kitchen", methods=["ippo", "adversarial"], settings={"tau": 1.0}
            ),
            "unknown setting of the methods that are compared, 'tau'",
        ),
        (lambda: benchmark_plan("tag", ablations=["lr"]), "unknown ablation 'lr'"),
        (
            lambda: benchmark_plan("tag", methods=["ippo"], settings={"srpo.eps": 1.0}),
            "unknown method, of those that are compared, in 'srpo.eps' 'srpo'",
        ),
        (
            lambda: benchmark_plan("tag", methods=["ippo"], settings={"ippo.tau": 1.0}),
            "algorithm 'ippo' has no option 'tau'",
        ),
        (lambda: marl.make_env("tag", runner="none"), r"which is no file; marl\.envs\.tag"),
    ],
)
def test_bad_plans_and_missing_runners_get_clear_errors(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_the_command_names_what_is_wrong(capsys):
    assert main(["benchmark", "kitchen", "--methods", "ippo,spro"]) == 2
    assert "did you mean 'srpo'" in capsys.readouterr().err
    assert main(["benchmark", "kitchen", "--variant", "spro:tau=1"]) == 2
    assert "did you mean 'srpo'" in capsys.readouterr().err
    assert main(["benchmark", "kitchen", "--variant", "srpo"]) == 2
    assert "'srpo' is not METHOD:NAME=VALUE" in capsys.readouterr().err
