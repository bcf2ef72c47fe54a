"""Runs on disk: resumed exactly, kept to one process and one set of settings, adapters."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from marl.debate.checkpoints import RunError
from marl.debate.models import ModelNotFoundError, load_agent
from marl.debate.runs import RunConfig, open_run, train
from marl.debate.settings import Training
from tests.llm.small import SHORT, SMALL, parameters


@pytest.mark.parametrize("algo", ["ippo", "srpo"])
def test_an_interrupted_run_goes_on_exactly(tmp_path, problems, folders, algo):
    """Killed between checkpoints, resumed: metrics and weights as if nothing had happened."""
    training = Training(algo=algo, debates=48, advantage="value", **SMALL)
    config = RunConfig(folders, "problems.jsonl", training, SHORT, seed=3)
    whole = train(config, problems["train"], tmp_path / "whole", every=2)

    def stop(trainer, metrics):
        if trainer.update == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, problems["train"], tmp_path / "cut", every=2, report=stop)
    assert open_run(tmp_path / "cut").update == 4
    cut = train(config, problems["train"], tmp_path / "cut", every=2)
    assert (whole.path / "metrics.csv").read_text() == (cut.path / "metrics.csv").read_text()
    for seat in (0, 1):
        assert torch.equal(parameters(whole.agent(seat)), parameters(cut.agent(seat)))
    assert cut.finished
    assert len(list(cut.path.glob("checkpoint-*"))) == 1


HOLDER = """
import sys, time
from pathlib import Path
from marl.lock import locked
with locked(Path(sys.argv[1]), ValueError):
    print("mine", flush=True)
    time.sleep(300)
"""


def test_a_folder_is_for_one_process_until_that_is_killed(tmp_path, problems, folders):
    training = Training(algo="ippo", debates=8, **SMALL)
    config = RunConfig(folders, "problems.jsonl", training, SHORT)
    words = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"mine\n"
            with pytest.raises(RunError, match="run: another process is working here; wait for it"):
                train(config, problems["train"], tmp_path / "run")
            assert [p.name for p in (tmp_path / "run").iterdir()] == [".lock"]
        finally:
            other.kill()
    assert train(config, problems["train"], tmp_path / "run").finished


def test_settings_that_cannot_begin_leave_the_folder_to_the_right_ones(tmp_path, problems, folders):
    training = Training(algo="ippo", debates=8, **SMALL)
    wrong = RunConfig((folders[0], str(tmp_path / "typo")), "problems.jsonl", training, SHORT)
    with pytest.raises(ModelNotFoundError, match="typo"):
        train(wrong, problems["train"], tmp_path / "run")
    right = dataclasses.replace(wrong, agents=folders)
    assert train(right, problems["train"], tmp_path / "run").config == right


def test_adapters_learn_and_load(tmp_path, problems, folders):
    training = Training(debates=16, eps=0.1, **SMALL)  # entropy moves it without a right answer
    config = RunConfig(folders, "problems.jsonl", training, SHORT, lora=2)
    run = train(config, problems["train"], tmp_path / "run", every=1)
    files = {p.name for p in (run.checkpoint / "agent-0").iterdir()}
    assert "adapter_model.safetensors" in files
    adapted, base = run.agent(0), load_agent(folders[0])
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        gap = adapted.model(input_ids=ids).logits - base.model(input_ids=ids).logits
    assert float(gap.abs().max()) > 0.0


def test_adapters_find_their_model_from_any_working_directory(
    tmp_path, problems, folders, monkeypatch
):
    monkeypatch.chdir(Path(folders[0]).parent)
    near = (Path(folders[0]).name, Path(folders[0]).name)
    config = RunConfig(near, "problems.jsonl", Training(debates=8, **SMALL), SHORT, lora=2)
    run = train(config, problems["train"], tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert run.agent(0).trainable


def test_bfloat16_trains_adapters_in_float32(tmp_path, problems, folders):
    """A run in bfloat16 learns, is cut off, and goes on exactly."""
    training = Training(algo="ippo", debates=16, eps=0.1, **SMALL)
    with pytest.raises(ValueError, match="lora must be at least 1 with dtype bfloat16"):
        RunConfig(folders, "problems.jsonl", training, SHORT, dtype="bfloat16")
    config = RunConfig(folders, "problems.jsonl", training, SHORT, lora=2, dtype="bfloat16")
    whole = train(config, problems["train"], tmp_path / "whole", every=1)

    def stop(trainer, metrics):
        kinds = {p.dtype for p in trainer.agents[0].trainable.values()}
        assert kinds == {torch.float32}
        assert trainer.agents[0].model.dtype == torch.bfloat16
        if trainer.update == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, problems["train"], tmp_path / "cut", every=1, report=stop)
    cut = train(config, problems["train"], tmp_path / "cut", every=1)
    assert (whole.path / "metrics.csv").read_text() == (cut.path / "metrics.csv").read_text()


def test_checkpointing_recomputes_and_changes_nothing(tmp_path, problems, folders):
    training = Training(algo="ippo", debates=8, eps=0.1, **SMALL)
    config = RunConfig(folders, "problems.jsonl", training, SHORT)
    passes: dict[bool, list[int]] = {False: [], True: []}
    weights = []
    for checkpointing, found in passes.items():

        def count(trainer, metrics, found=found):
            layer = trainer.agents[0].model.model.layers[0].mlp
            layer.register_forward_pre_hook(lambda *_: found.append(1))

        run = train(
            config, problems["train"], tmp_path / str(checkpointing), every=1, report=count,
            checkpointing=checkpointing,
        )  # fmt: skip
        weights.append(parameters(run.agent(0)))
    rounds = SHORT.rounds
    assert len(passes[True]) == len(passes[False]) + rounds  # each once more in the backward pass
    torch.testing.assert_close(weights[0], weights[1], atol=1e-6, rtol=0)


def test_damaged_and_foreign_runs_are_refused(tmp_path, problems, folders):
    with pytest.raises(RunError, match="no run of marl debate here"):
        open_run(tmp_path)
    training = Training(algo="ippo", debates=8, **SMALL)
    config = RunConfig(folders, "problems.jsonl", training, SHORT)
    run = train(config, problems["train"], tmp_path / "run", every=1)
    with pytest.raises(RunError, match="begun with other problems than those that --data holds"):
        train(config, problems["train"][::-1], run.path)
    other = dataclasses.replace(config, seed=9)
    with pytest.raises(RunError, match=r"other settings \(seed: 9, not 0\)"):
        train(other, problems["train"], run.path)
    longer = dataclasses.replace(training, debates=16)
    damaged = tmp_path / "damaged"
    shutil.copytree(run.path, damaged)
    data = json.loads((damaged / "config.json").read_text())
    data["training"] = dataclasses.asdict(longer)
    (damaged / "config.json").write_text(json.dumps(data))
    place = next(damaged.glob("checkpoint-*")) / "optimisers.safetensors"
    place.write_bytes(place.read_bytes()[:100])
    again = dataclasses.replace(config, training=longer)
    with pytest.raises(RunError, match=r"optimisers\.safetensors: damaged"):
        train(again, problems["train"], damaged)
    (damaged / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"config\.json: not readable as JSON"):
        open_run(damaged)
