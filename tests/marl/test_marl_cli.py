"""The program marl from end to end: exit codes, streams and files."""

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

from marl import cli
from marl.commands import common
from marl.commands.crossplay import parse_runs
from marl.reproduce import Cell, Plan
from rqe.commands.common import workers

TINY = ("--set", "n_envs=2", "--set", "n_steps=8", "--set", "hidden=8x8")


def run(*argv):
    """Return the exit code of `marl argv`."""
    return cli.main([str(argument) for argument in argv])


def test_train_makes_a_run_and_goes_on_with_it(tiny_run, tmp_path, capsys):
    """The program and the library make the same run."""
    out = tmp_path / "run"
    numbers = ("--seeds", 2, "--steps", "1.28e2", "--log-every", 3, "--quiet")
    assert run("train", "--algo", "ippo", *TINY, *numbers, "--out", out) == common.DONE
    text, errors = capsys.readouterr()
    assert "ippo on kitchen, 2 teams of 128 steps each" in text
    assert errors == ""
    assert (out / "metrics.csv").read_text() == (tiny_run.path / "metrics.csv").read_text()
    (out / "policies.safetensors").unlink()
    assert run("train", "--resume", out) == common.DONE
    assert (out / "policies.safetensors").exists()


def test_crossplay_report_and_watch(tiny_run, tmp_path, capsys):
    out = tmp_path / "report"
    other = shutil.copytree(tiny_run.path, tmp_path / "other")
    code = run("crossplay", f"a={tiny_run.path}", other, "--episodes", 3, "--out", out)
    assert code == common.DONE
    text = capsys.readouterr().out
    for part in ("sampled: returns", "exact, 50 steps: returns", "greedy worker", "TP - CP"):
        assert part in text
    assert run("report", out) == common.DONE
    assert "data:image/png" in (out / "index.html").read_text()
    notes = json.loads((out / "report.json").read_text())["notes"]
    assert notes["command"].startswith("marl crossplay a=")
    assert "n_steps=8" in notes["a"]
    _watch(tiny_run, tmp_path, capsys)


def _watch(tiny_run, tmp_path, capsys):
    """Text frames and a GIF of one episode."""
    capsys.readouterr()
    assert run("watch", tiny_run.path, "--seed", 1) == common.DONE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 50 * 6
    assert lines[3] == "  .  .  ## .  ."
    gif = tmp_path / "out.gif"
    assert run("watch", tiny_run.path, "--partner", "stay", "--gif", gif) == common.DONE
    import imageio.v3 as imageio

    assert imageio.imread(gif).shape == (50, 274, 240, 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train --algo srpo --tau -1 --out x", "tau must be in"),
        ("train --algo srp --out x", "did you mean 'srpo'"),
        ("train --algo srpo --set taus=1 --out x", "has no option 'taus', did you mean 'tau'"),
        ("train --algo ippo --set eps=much --out x", "eps must be"),
        ("train --algo ippo --set eps --out x", "is not NAME=VALUE"),
        ("train --algo ippo --env kichen --out x", "did you mean 'kitchen'"),
        ("train --algo ippo --env kitchen:horizon=0 --out x", "horizon must be"),
        ("train --algo ippo --env kitchen:horizon --out x", "'horizon' is not NAME=VALUE"),
        (
            "train --algo fcp --steps 1e5 --set population_steps=200000 --out x",
            "population_steps must leave",
        ),
        ("train --algo ippo --steps 12 --out x", "steps must be at least"),
        ("train --algo ippo --steps many --out x", "'many' is not a number"),
        ("train --algo ippo --steps nan --out x", "steps must be"),
        ("train --algo ippo --seeds 0 --out x", "'0' is not a positive whole number"),
        ("train --algo ippo --patience -1 --out x", "patience must be a positive"),
        ("train --algo ippo", "give --algo and --out, or --resume"),
        ("train --resume none", "no such file, so this is no run"),
        ("train --resume none --algo ippo", "from the folder: drop --algo"),
        ("train --resume none --steps 4e6 --seed 0 --set lr=1", "drop --steps, --seed, --set"),
        ("train --algo ippo --steps inf --out x", "steps must be"),
        ("train --algo ippo --env matrix --out x", "needs the option 'game'"),
        ("train --algo ippo --env kitchen:egocentric=no --out x", "egocentric must be True or"),
        ("crossplay none --out x", "none: no such folder"),
        ("crossplay a=x a=y --out x", "two methods are called 'a'"),
        ("crossplay a= --out x", "is not [NAME=]RUN"),
        ("report none", "no results of a cross-play"),
        ("watch none", "none: no such folder"),
        ("watch none --gif a.png", "PATH must end in .gif"),
        ("watch none --delay -1", "--delay must be from 0 to 60"),
        ("reproduce hanabi", "invalid choice"),
        ("learn", "invalid choice"),
    ],
)
def test_bad_input_is_one_clear_line(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*line.split()) == common.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not list(tmp_path.glob("x/*.safetensors"))


def test_bad_choices_for_a_run_are_named(tiny_run, capsys):
    for arguments, message in (
        (("--seed", 7), "has seeds 0 to 1, got 7"),
        (("--partner", "me"), "want one of random, stay, greedy worker, noisy worker, or RUN:SEED"),
        (("--partner", "none:1"), "none: no such folder"),
    ):
        assert run("watch", tiny_run.path, *arguments) == common.BAD_INPUT
        assert message in capsys.readouterr().err
    assert run("train", "--algo", "srpo", "--out", tiny_run.path) == common.BAD_INPUT
    assert "holds another run (algo." in capsys.readouterr().err


def test_a_matrix_game_cannot_be_drawn(tiny_run, monkeypatch, capsys):
    import marl

    env = marl.make_env("matrix", game="prisoners-dilemma")
    monkeypatch.setattr("marl.run.Run.env", env)
    assert run("watch", tiny_run.path) == common.BAD_INPUT
    assert "only the kitchen can be drawn" in capsys.readouterr().err


def test_outputs_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code = run("train", "--algo", "ippo", *TINY, "--steps", 128, "--out", tmp_path / "file" / "x")
    assert code == common.NO_OUTPUT
    assert "file" in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert run("report", tmp_path) == common.NO_OUTPUT
    assert "pip install 'rqe[marl]'" in capsys.readouterr().err


def test_the_extra_that_brings_a_package_is_that_of_the_command(monkeypatch, capsys):
    def lacking(*_, **__):
        raise ModuleNotFoundError("No module named 'peft'", name="peft")

    monkeypatch.setattr("marl.debate.problems.generate_problems", lacking)
    assert run("debate", "data", "--out", "x") == common.NO_OUTPUT
    assert "No module named 'peft': pip install 'rqe[llm]'" in capsys.readouterr().err


def test_help_says_what_every_setting_of_a_debate_means(capsys):
    assert run("debate", "train", "--help") == common.DONE
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "--group GROUP Debates of each problem in a batch. (default 4)",
        '--credit CREDIT {"final", "round"}: Whether a round is credited',
        "--temperature TEMPERATURE Of sampling;",
    ):
        assert part in text
    assert not re.search(r"--[a-z-]+ [A-Z_]+ \(default", text)  # a default alone says nothing


def test_defects_are_not_blamed_on_the_user(monkeypatch, capsys):
    def broken(_):
        return np.zeros(2) @ np.zeros(3)

    monkeypatch.setattr("marl.report.write_report", broken)
    assert run("report", "x") == common.INTERNAL
    assert "internal error" in capsys.readouterr().err


def test_interruptions_have_their_code(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("marl.report.write_report", interrupted)
    assert run("report", "x") == 130
    assert capsys.readouterr().err == "marl: interrupted\n"
    monkeypatch.setattr("marl.commands.common.make_env", interrupted)
    assert run("train", "--algo", "ippo", "--out", "x") == 130
    assert "goes on from the last interval" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        ("train", "0 2 3 75 70 130"),
        ("benchmark", "0 2 3 75 70 130"),
        ("reproduce", "0 1 2 3 70 130"),
        ("report", "0 2 3 70 130"),
        ("debate train", "0 2 3 70 130"),
    ],
)
def test_help_states_the_exit_codes_of_the_command(command, codes, capsys):
    assert run(*command.split(), "--help") == common.DONE
    told = capsys.readouterr().out.partition("exit codes:\n")[2].splitlines()
    assert [line.split()[0] for line in told if line.strip()] == codes.split()
    again = command in ("train", "benchmark", "reproduce", "debate train")
    assert told[-1].endswith("from the last interval") == again


def test_help_and_version_are_quick_and_need_no_jax():
    code = "import sys, marl.cli; marl.cli.main(['--version']); assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("marl ")
    for command in ("train", "crossplay", "report", "watch", "reproduce"):
        assert run(command, "--help") == 0


def test_runs_are_named(tmp_path, monkeypatch):
    (tmp_path / "runs" / "tau=10").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_runs(["runs/tau=10", "a=b"]) == {"tau=10": ["runs/tau=10"], "a": ["b"]}
    assert parse_runs(["a/ippo", "s=b,c"]) == {"ippo": ["a/ippo"], "s": ["b", "c"]}


def test_settings_are_read_as_what_they_are():
    texts = ("tau=1e-2", "minibatches=4", "hidden=64x64", "kl-in=reward", "premium_head=true")
    assert [common.setting(text) for text in texts] == [
        ("tau", 0.01),
        ("minibatches", 4),
        ("hidden", (64, 64)),
        ("kl_in", "reward"),
        ("premium_head", True),
    ]


@pytest.fixture
def tiny_plan(tiny_run, monkeypatch):
    """An experiment of seconds; its IPPO is the tiny run's."""
    from marl import SRPO

    ippo = Cell("ippo", tiny_run.algo, 2)
    srpo = Cell("srpo", SRPO(tau=10.0, n_envs=2, n_steps=8, hidden=(8, 8)), 2)
    sweep = (("reverse_kl", 0.0, ippo), ("reverse_kl", 10.0, srpo))
    whole = Plan(128, (ippo, srpo), sweep, (("ippo", 0.1, ippo),), False)
    monkeypatch.setattr("marl.reproduce.plan", lambda *, quick=False: whole)
    return whole


@pytest.mark.slow
def test_reproduce_ends_with_verdicts_and_goes_on(tiny_plan, tmp_path, capsys):
    out = tmp_path / "kitchen"
    assert run("reproduce", "kitchen", "--quick", "--out", out, "--quiet") == common.FAILED
    text = capsys.readouterr().out
    for part in ("FAILS * ", "entropy alone", "from some tau on", "exact, 50 steps"):
        assert part in text
    assert {path.name for path in (out / "runs").iterdir()} == {"ippo-0", "srpo-0"}
    page = (out / "report" / "index.html").read_text()
    assert "Threshold in tau" in page
    before = (out / "runs" / "srpo-0" / "policies.safetensors").stat().st_mtime_ns
    run("reproduce", "kitchen", "--quick", "--out", out, "--quiet", "--only", "main")
    assert (out / "runs" / "srpo-0" / "policies.safetensors").stat().st_mtime_ns == before


def test_workers_are_processes_that_were_not_forked():
    with workers(1) as nothing:
        assert nothing is None
    pool: Any = workers(2)
    assert pool._mp_context.get_start_method() == "spawn"
    pool.shutdown()
