"""What an evaluation stands on: resampling by hand, runs that are told apart, metrics on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from marl.debate.checkpoints import RunError
from marl.debate.evaluate import Outcome, _resampled
from marl.debate.figures import before_and_after
from marl.debate.protocol import Protocol
from marl.debate.report import _told_apart, evaluate_runs
from marl.debate.runs import Run, RunConfig
from marl.debate.settings import Training
from marl.debate.tables import Entrant, cross_play_cells, metric_rows, partner_scores


def run_of(path, seed, model="models/small", **training):
    """A run that is nowhere on disk."""
    config = RunConfig((model, model), "p.jsonl", Training(**training), Protocol(), seed)
    return Run(Path(path), config, 1)


@pytest.mark.parametrize("seed", range(5))
def test_resampled_means_equal_plain_loops(seed):
    """Once a run that was drawn twice counted four times in self-play."""
    values = np.random.default_rng(seed).normal(size=(6, 6))
    same = np.eye(6, dtype=bool)
    drawn = np.random.default_rng(seed).integers(6, size=6)

    own = _resampled(np.where(same, values, np.nan), np.random.default_rng(seed))
    assert own == pytest.approx(np.mean([values[r, r] for r in drawn]))

    crossed = _resampled(np.where(same, np.nan, values), np.random.default_rng(seed))
    pairs = [values[r, c] for r in drawn for c in drawn if r != c]
    assert crossed == pytest.approx(np.mean(pairs))

    beside = _resampled(values[:, :1], np.random.default_rng(seed))
    assert beside == pytest.approx(np.mean([values[r, 0] for r in drawn]))


def test_two_agents_of_one_run_are_one_draw():
    """Once six agents of three runs counted as six runs, and of two runs as four."""
    rng = np.random.default_rng(0)
    outcomes = {}
    for k in range(3):
        right = rng.random(40) < 0.2 + 0.3 * k  # who were trained together are alike
        for seat in (0, 1):
            correct = np.repeat(right[None, None], 2, axis=1).repeat(3, axis=0)
            outcomes[Entrant("srpo", f"run-{k}", "small", seat)] = Outcome(correct, right)
    (score,) = partner_scores(outcomes).values()
    assert score.shape == (3, 1, 40)
    (cell,) = cross_play_cells({("srpo", "small with small"): score}, table="partner")
    apart = {replace(e, run=f"{e.run}-{e.seat}"): o for e, o in outcomes.items()}
    (wrong,) = partner_scores(apart).values()
    (narrow,) = cross_play_cells({("srpo", "small with small"): wrong}, table="partner")
    assert cell.runs == 3
    assert cell.estimate.value == pytest.approx(narrow.estimate.value)
    widths = [c.estimate.high - c.estimate.low for c in (cell, narrow)]
    assert widths[0] > 1.2 * widths[1]
    told = [row["run"] for row in metric_rows(list(outcomes), outcomes, "small")]
    assert list(dict.fromkeys(told)) == [f"run-{k}/{seat}" for k in range(3) for seat in (0, 1)]


def test_sizes_have_bars_of_their_own():
    """Once a bar was the mean of small and medium agents, far from all of its dots."""

    def of(share):
        correct = np.broadcast_to(np.arange(10) < 10 * share, (3, 2, 10))
        return Outcome(correct, np.ones(10, dtype=bool))

    outcomes = {
        Entrant("ippo", "run-0", "small", 0): of(0.2),
        Entrant("ippo", "run-0", "medium", 1): of(0.8),
        Entrant("ippo", "run-1", "small", 0): of(0.4),
    }
    ax = before_and_after([("small", outcomes)]).axes[0]
    bars: Any = ax.patches
    assert [bar.get_width() for bar in bars] == pytest.approx([0.8, 0.8, 0.3, 0.3])
    told = [label.get_text() for label in ax.get_yticklabels()]
    assert told == ["medium, ippo beside small", "small, ippo beside small"]
    alike = {e: o for e, o in outcomes.items() if e.size == "small"}
    labels = before_and_after([("medium", alike)]).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["ippo beside medium"]


def test_runs_of_one_name_are_told_apart_by_their_folders():
    runs = [run_of("one/srpo", 0), run_of("two/srpo", 1)]
    assert [run.name for run in _told_apart(runs)] == ["one/srpo", "two/srpo"]
    runs = [run_of("one/a", 0), run_of("two/b", 1), run_of("three/c", 0, algo="ippo")]
    assert [run.name for run in _told_apart(runs)] == ["a", "b", "c"]


def test_runs_of_one_method_are_independent_and_alike():
    with pytest.raises(ValueError, match=r"independent: a and b have .* the same seed 3"):
        _told_apart([run_of("a", 3), run_of("b", 3)])
    with pytest.raises(ValueError, match=r"the same settings: b has .*tau=1\.0.*a has .*tau=10"):
        _told_apart([run_of("a", 3), run_of("b", 4, tau=1.0)])
    assert len(_told_apart([run_of("a", 3), run_of("b", 3, model="models/medium")])) == 2


def test_runs_that_are_not_at_their_end_are_refused(tmp_path):
    """Once a run that was cut off after one update counted as a seed like the others."""
    cut = run_of("cut", 0, debates=1280)
    with pytest.raises(ValueError, match="must be finished; cut has made 1 of 10 updates"):
        evaluate_runs([cut], [], partners=[], out=tmp_path)


@pytest.mark.parametrize("text", [None, "a,b\nx,1\n", "update,x\n1.0,2.0\n", "x\n1.0\n1.0\n"])
def test_damaged_metrics_are_named(tmp_path, text):
    if text is not None:
        (tmp_path / "metrics.csv").write_text(text)
    config = run_of("a", 0).config
    with pytest.raises(RunError, match=r"metrics\.csv: "):
        Run(tmp_path, config, 2).metrics()


def test_a_rank_is_not_negative():
    with pytest.raises(ValueError, match="lora must be a rank of at least 0; got -1"):
        RunConfig(("a", "b"), "p", Training(), Protocol(), lora=-1)
