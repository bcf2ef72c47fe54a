"""What an evaluation stands on: resampling by hand, runs that are told apart, metrics on disk."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from marl.debate.evaluate import _resampled
from marl.debate.protocol import Protocol
from marl.debate.report import _told_apart
from marl.debate.runs import Run, RunConfig, RunError
from marl.debate.settings import Training


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
