"""Runs on disk: the same figures however often they are interrupted, and nothing foreign."""

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import marl  # noqa: E402
import marl.run  # noqa: E402
from marl.checkpoint import CheckpointError, load_arrays, save_arrays  # noqa: E402
from marl.lock import locked  # noqa: E402
from marl.metrics import MetricsFile, interval_rows, read_metrics  # noqa: E402
from marl.progress import STALLED, Progress, Watchdog  # noqa: E402
from marl.run import load_run, run_config, train_run, train_runs  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ARRAYS = {"policies.safetensors": marl.run.POLICIES, "checkpoint.safetensors": marl.run.CHECKPOINT}


class Crash(BaseException):
    """The end of a process, as far as files are concerned."""


def same(a, b):
    """Whether two runs' metrics are the same bytes, and their arrays the same bits."""
    for name, schema in ARRAYS.items():
        (one, about_one), (two, about_two) = (load_arrays(x / name, schema=schema) for x in (a, b))
        if about_one != about_two or set(one) != set(two):
            return False
        if any(one[key].tobytes() != two[key].tobytes() for key in one):
            return False
    return (a / "metrics.csv").read_bytes() == (b / "metrics.csv").read_bytes()


def script(text, **environment):
    """Start a Python process on `text`."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_is_what_it_says(tiny_run):
    assert tiny_run.seeds == (0, 1)
    assert tiny_run.env == marl.make_env("kitchen")
    assert tiny_run.algo == marl.IPPO(n_envs=2, n_steps=8, hidden=(8, 8))
    assert tiny_run.actors["Dense_0"]["kernel"].shape == (2, 2, 8, 8)
    assert tiny_run.metrics["update"].tolist() == [3, 3, 6, 6, 8, 8]
    assert tiny_run.metrics["steps"].tolist() == [48, 48, 96, 96, 128, 128]
    assert tiny_run.metrics["seed"].tolist() == [0, 1, 0, 1, 0, 1]
    assert tiny_run.config.versions["jax"] == jax.__version__
    assert list((tiny_run.path / "tb").glob("events*"))


def test_the_figures_are_those_of_an_uncut_training(tiny_run):
    trainer = marl.Trainer(tiny_run.env, tiny_run.algo)
    keys = jax.vmap(jax.random.key)(np.arange(2))
    state, metrics = jax.jit(jax.vmap(lambda key: trainer.advance(trainer.init(key), 8)))(keys)
    np.testing.assert_allclose(
        tiny_run.actors["Dense_1"]["kernel"], state.params["actor"]["Dense_1"]["kernel"], rtol=1e-4
    )
    rewards = np.asarray(metrics["reward"])  # [seeds, updates, agents]
    last = tiny_run.metrics["reward.1"].reshape(-1, 2)
    np.testing.assert_allclose(last[0], rewards[:, :3, 1].mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(last[2], rewards[:, 6:, 1].mean(axis=1), rtol=1e-4)


@pytest.mark.parametrize(
    "moment", ["before the rows", "before the checkpoint", "while it is written"]
)
@pytest.mark.parametrize("interval", [1, 2])
def test_a_run_that_ends_anywhere_goes_on_bit_by_bit(
    train_tiny, tiny_run, tmp_path, monkeypatch, moment, interval
):
    calls = {"rows": 0, "checkpoints": 0}
    append, save = MetricsFile.append, save_arrays

    def appends(self, rows):
        calls["rows"] += 1
        if moment == "before the rows" and calls["rows"] == interval:
            raise Crash
        append(self, rows)

    def saves(path, arrays, **options):
        calls["checkpoints"] += 1
        if calls["checkpoints"] == interval and moment != "before the rows":
            if moment == "while it is written":
                (tmp_path / f".{path.name}-half").write_bytes(b"half of it")
            raise Crash
        save(path, arrays, **options)

    with monkeypatch.context() as patched:
        patched.setattr(MetricsFile, "append", appends)
        patched.setattr(marl.run, "save_arrays", saves)
        with pytest.raises(Crash):
            train_tiny(tmp_path)
    with pytest.raises(CheckpointError, match="not complete"):
        load_run(tmp_path)
    train_tiny(tmp_path)
    assert same(tmp_path, tiny_run.path)
    assert not list(tmp_path.glob(".*half"))


def test_a_killed_process_loses_one_interval_at_most(train_tiny, tiny_run, tmp_path):
    process = script(
        f"""
        import time, marl, marl.run
        save = marl.run.save_arrays
        def slowly(path, *args, **options):
            save(path, *args, **options)
            time.sleep(60 if path.name == "checkpoint.safetensors" and done else 0)
            done.append(path)
        done = []
        marl.run.save_arrays = slowly
        algo = marl.IPPO(n_envs=2, n_steps=8, hidden=(8, 8))
        marl.run.train_run(marl.make_env("kitchen"), algo, {str(tmp_path)!r}, steps=128, seeds=2,
                           log_every=3)
        """
    )
    metrics, deadline = tmp_path / "metrics.csv", time.monotonic() + 300
    while not (metrics.exists() and len(metrics.read_text().splitlines()) == 5):
        assert time.monotonic() < deadline, "the process makes no progress"
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    run = train_tiny(tmp_path)
    assert same(tmp_path, tiny_run.path)
    np.testing.assert_array_equal(run.metrics["play.return.0"], tiny_run.metrics["play.return.0"])


def test_a_complete_run_is_returned_and_not_touched(train_tiny, tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "copy")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "copy").glob("[!.]*.*")}
    train_tiny(tmp_path / "copy")
    assert before == {file: file.stat().st_mtime_ns for file in before}


def test_other_seeds_of_the_same_method(train_tiny, tiny_run, tmp_path):
    run = train_tiny(tmp_path, seed=1)
    assert run.seeds == (1, 2)
    first = tiny_run.metrics["reward.0"][tiny_run.metrics["seed"] == 1]
    np.testing.assert_allclose(run.metrics["reward.0"][run.metrics["seed"] == 1], first, rtol=1e-4)


def test_another_run_in_the_folder_is_named(train_tiny, tiny_run):
    with pytest.raises(CheckpointError, match="seeds: 4, not 2"):
        train_tiny(tiny_run.path, seeds=4)
    algo = marl.IPPO(n_envs=2, n_steps=8, hidden=(8, 8), lr=0.001)
    with pytest.raises(CheckpointError, match=r"algo\.lr: 0\.001, not 0\.0006"):
        train_run(tiny_run.env, algo, tiny_run.path, steps=128, seeds=2, log_every=3)


def test_settings_that_cannot_begin_leave_the_folder_to_the_right_ones(train_tiny, tmp_path):
    algo = marl.SRPO(n_envs=4, n_steps=8, hidden=(8, 8), risk_weight=0.25, minibatches=16)
    with pytest.raises(ValueError, match="minibatches must divide the 8 samples"):
        train_run(marl.make_env("kitchen"), algo, tmp_path, steps=128, seeds=2)
    assert train_tiny(tmp_path).algo.name == "ippo"


def test_two_processes_do_not_share_a_folder(train_tiny, tmp_path):
    with (
        locked(tmp_path / "run", CheckpointError),
        pytest.raises(CheckpointError, match="run: another process is working here"),
    ):
        train_tiny(tmp_path / "run")


def test_other_versions_are_mentioned(train_tiny, tiny_run, tmp_path):
    copy = shutil.copytree(tiny_run.path, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["versions"]["jax"] = "0.1"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match="other versions of jax"):
        train_tiny(copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "not a run's configuration"),
        ("config.json", b'{"schema": "other"}', "schema is 'other'"),
        ("config.json", b'{"schema": "marl.run/1", "seeds": 2}', "not a run's configuration"),
        ("policies.safetensors", b"nonsense", "not a whole safetensors file"),
        ("metrics.csv", b"a,b\n1,x\n", "not a table of metrics"),
        ("metrics.csv", b"a,b\n1,2\n", "it lacks update, steps, seed"),
    ],
)
def test_damaged_runs_are_refused(tiny_run, tmp_path, name, content, message):
    copy = shutil.copytree(tiny_run.path, tmp_path / "copy")
    (copy / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_run(copy)


def test_a_checkpoint_of_another_configuration_is_refused(train_tiny, tiny_run, tmp_path):
    train_tiny(tmp_path / "other", seed=5)
    copy = shutil.copytree(tiny_run.path, tmp_path / "copy")
    shutil.copy(tmp_path / "other" / "policies.safetensors", copy)
    with pytest.raises(CheckpointError, match="another configuration"):
        load_run(copy)
    (copy / "policies.safetensors").unlink()
    shutil.copy(tmp_path / "other" / "checkpoint.safetensors", copy)
    with pytest.raises(CheckpointError, match="another configuration"):
        train_tiny(copy)
    (copy / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        train_tiny(copy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be at least 1, a whole number; got 0"),
        ({"seed": -1}, "seed must be at least 0, a whole number; got -1"),
        ({"log_every": 0}, "log_every must be at least 1, a whole"),
        ({"steps": 7}, "steps must be at least"),
        ({"seeds": 2.5}, "seeds must be at least 1, a whole number; got 2.5"),
        ({"seed": "3"}, "seed must be at least 0, a whole number; got '3'"),
        ({"seed": 2**32 - 1}, "seed must be at most 4294967294 with 2 seeds, got 4294967295"),
        ({"patience": -1.0}, "patience must be a positive number"),
        ({"devices": []}, "devices must divide the seeds"),
    ],
)
def test_bad_numbers_are_refused(train_tiny, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train_tiny(tmp_path, **options)


def test_independent_runs_go_through_an_executor(tiny_run, tmp_path):
    config = run_config(tiny_run.env, tiny_run.algo, steps=128, seeds=2, log_every=3)
    (folder,) = train_runs({str(tmp_path / "a"): config})
    assert same(folder, tiny_run.path)


@pytest.mark.slow
def test_seeds_on_two_devices_learn_the_same(tiny_run, tmp_path):
    process = script(
        f"""
        import jax, marl
        from marl.run import train_run
        assert len(jax.devices()) == 2
        algo = marl.IPPO(n_envs=2, n_steps=8, hidden=(8, 8))
        train_run(marl.make_env("kitchen"), algo, {str(tmp_path)!r}, steps=128, seeds=2,
                  log_every=3)
        """,
        XLA_FLAGS="--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=1",
    )
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    two = load_run(tmp_path)
    for name, column in tiny_run.metrics.items():
        np.testing.assert_allclose(two.metrics[name], column, rtol=1e-4, atol=1e-5, err_msg=name)


def test_numpys_integers_are_as_good_as_pythons():
    env, algo = marl.make_env("kitchen"), marl.IPPO(n_envs=2, n_steps=8)
    numbers: dict[str, Any] = {"steps": np.int64(32), "seeds": np.int64(2), "seed": np.uint8(3)}
    mine = run_config(env, algo, **numbers)
    assert mine.digest == run_config(env, algo, steps=32, seeds=2, seed=3).digest


@pytest.mark.parametrize("text", [b"a,b\nx,1\n", b"\xff\xfe\n1,2\n", b"update,steps\n1\n"])
def test_damaged_metrics_of_a_run_that_goes_on_are_named(tmp_path, text):
    (tmp_path / "metrics.csv").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"metrics.csv: not a table of metrics"):
        MetricsFile(tmp_path / "metrics.csv", 9)


def test_rows_beyond_the_checkpoint_are_cut_off(tmp_path):
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path, 0)
    for update in (10, 20):
        file.append([{"update": update, "steps": update, "seed": s, "x": 0.1} for s in (0, 1)])
    whole = path.read_text()
    with path.open("a") as stream:
        stream.write("30,30,0,0.")  # the process was killed here
    MetricsFile(path, 20)
    assert path.read_text() == whole
    again = MetricsFile(path, 10)
    again.append([{"update": 20, "steps": 20, "seed": s, "x": 0.1} for s in (0, 1)])
    assert path.read_text() == whole
    assert read_metrics(path)["x"].tolist() == [0.1] * 4
    MetricsFile(path, 0)
    assert not path.exists()


def test_an_interval_is_averaged_over_the_updates_it_has():
    metrics = {
        "steps": np.array([[16, 32, 0]]),
        "reward": np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]]),
    }
    assert interval_rows(metrics, 2, 2, [7]) == [
        {"update": 2, "steps": 32, "seed": 7, "reward.0": 2.0, "reward.1": 3.0}
    ]


def test_progress_off_a_terminal_is_a_line_each(capsys):
    stream = io.StringIO()
    progress = Progress("runs/a", 1000, 0, stream)
    progress(500, "return 3.0")
    progress.close()
    line = stream.getvalue()
    assert line.startswith("runs/a:  50.0 %")
    assert "return 3.0" in line
    assert line.endswith("left\n")


def test_the_watchdog_bites_only_when_nothing_happens(capsys):
    ends: list[int] = []
    with Watchdog(2.0 / 60, "The state is in runs/a.", ends.append) as dog:
        for _ in range(25):  # longer in all than the dog's patience
            time.sleep(0.1)
            dog.feed()
    assert ends == []
    with Watchdog(0.05 / 60, "The state is in runs/a.", ends.append):
        until = time.monotonic() + 60
        while not ends and time.monotonic() < until:
            time.sleep(0.05)
    assert ends == [STALLED]
    assert "no progress for" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", [math.inf, 1e300])
def test_a_watchdog_may_have_all_the_patience_there_is(minutes):
    with Watchdog(minutes, "", print) as dog:
        dog.feed()
        assert dog._wait() <= threading.TIMEOUT_MAX


def test_a_setting_in_whole_numbers_is_the_same_run(tmp_path):
    """``--set eps=1`` on the command line goes on with what ``IPPO(eps=1.0)`` began."""
    env = marl.make_env("kitchen")
    size: dict[str, Any] = {"n_envs": 2, "n_steps": 8, "hidden": (8, 8)}
    options: dict[str, Any] = {"steps": 32, "seeds": 1, "log_every": 1}
    first = train_run(env, marl.make_algo("ippo", eps=1.0, **size), tmp_path, **options)
    again = train_run(env, marl.make_algo("ippo", eps=1, **size), tmp_path, **options)
    assert again.config.digest == first.config.digest
    with pytest.raises(CheckpointError, match=r"another run \(algo.eps: 2, not 1.0\)"):
        train_run(env, marl.make_algo("ippo", eps=2, **size), tmp_path, **options)
