"""Two processes, started by accelerate, train one team."""

import csv
import subprocess
import sys
from pathlib import Path

import crew_worker  # type: ignore[import-not-found]
import pytest
import torch

from marl.debate.problems import write_problems
from marl.debate.runs import open_run

LAUNCH = [
    sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_machines=1",
    "--num_processes=2", "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0",
    "--num_cpu_threads_per_process=1",
]  # fmt: skip


def test_two_processes_make_the_run_of_one(tmp_path, problems, folders):
    data = tmp_path / "problems.jsonl"
    write_problems(data, problems)
    words = [str(data), *folders]
    crew_worker.main(*words, str(tmp_path / "alone"))
    launch = [*LAUNCH, crew_worker.__file__, *words, str(tmp_path / "together")]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (alone, weights), (together, shared) = (_found(tmp_path / n) for n in ("alone", "together"))
    assert len(alone) == len(together) > 1
    for one, two in zip(alone, together, strict=True):
        for name, value in one.items():
            assert float(two[name]) == pytest.approx(float(value), abs=2e-4), name
    torch.testing.assert_close(shared, weights, atol=2e-4, rtol=0)


def _found(out: Path) -> tuple[list[dict[str, str]], torch.Tensor]:
    """Return a run's metrics and the weights of both agents."""
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    agents = [open_run(out).agent(seat) for seat in (0, 1)]
    return rows, torch.cat([p.flatten() for a in agents for p in a.model.parameters()])
