"""The command line from end to end: exit codes, streams and files, in process and in a real one."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rqe
from rqe import cli
from rqe.parallel import LostWorkersError
from rqe.solution import Status

PD = "prisoners-dilemma"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def nfg(tmp_path):
    """Return the path of a small Gambit file whose title has spaces and quotes' company."""
    path = tmp_path / "small game.nfg"
    path.write_text(
        'NFG 1 R "A small game" { "Row player" "Column" } { 2 2 }\n\n3 3 5 0 0 5 3/2 1\n',
        encoding="utf-8",
    )
    return str(path)


def run(*argv):
    """Return the exit code of `rqe argv`."""
    return cli.main([str(argument) for argument in argv])


def test_solve_prints_a_table(nfg, capsys):
    assert run("solve", nfg, "--tau", 1, "--eps", "1/5") == cli.SOLVED
    out, err = capsys.readouterr()
    assert err == ""
    for part in ("A small game", "RQE", "Row player", "probability", "residual", "converged"):
        assert part in out


def test_solve_agrees_with_the_library(nfg, capsys):
    assert run("solve", nfg, "--tau", "1,0", "--eps", "0.2,0.4", "--json", "-") == cli.SOLVED
    out, err = capsys.readouterr()
    assert err == ""
    (entry,) = json.loads(out)
    expected = rqe.solve(rqe.read_nfg(nfg), [1, 0], [0.2, 0.4])
    assert entry["input"] == nfg
    assert entry["strategies"] == [x.tolist() for x in expected.strategies]
    assert entry["concept"]["tau"] == [1.0, 0.0]


def test_catalog_name_and_infinite_tau(capsys):
    assert run("solve", PD, "--tau", "inf", "--json") == cli.SOLVED
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["concept"]["name"] == "security"
    assert entry["concept"]["tau"] == ["inf", "inf"]


def test_options_reach_the_solver(capsys):
    options = ("--penalty", "reverse_kl", "--regularizer", "log_barrier", "--tol", "1e-8")
    assert run("solve", PD, "--tau", 0.1, "--eps", 2, *options, "--json") == cli.SOLVED
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["concept"]["penalty"] == "reverse_kl"
    assert entry["concept"]["regularizer"] == "log_barrier"


def test_families_take_parameters(capsys):
    name = "volunteers-dilemma:players=4,cost=1/3"
    assert run("solve", name, "--eps", 1, "--json") == cli.SOLVED
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["input"] == name
    assert entry["game"]["shape"] == [2, 2, 2, 2]


def test_several_games_in_one_csv(nfg, tmp_path, capsys):
    table = tmp_path / "table.csv"
    assert run("solve", nfg, PD, "--eps", 1, "--csv", table) == cli.SOLVED
    assert "A small game" in capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert [row["game"] for row in rows] == [nfg] * 4 + [PD] * 4
    assert sum(float(row["probability"]) for row in rows) == pytest.approx(4.0)
    assert {row["status"] for row in rows} == {"converged"}


def test_one_bad_game_does_not_stop_the_others(capsys):
    assert run("solve", "nonsense.nfg", PD, "--json") == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert [entry["input"] for entry in json.loads(out)] == [PD]
    assert "nonsense.nfg" in err


def test_trace_writes_a_branch_and_a_figure(nfg, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    figure, data = tmp_path / "branch.png", tmp_path / "branch.json"
    code = run("solve", nfg, "--tau", 1, "--eps", 0.5, "--trace", "--plot", figure, "--json", data)
    assert code == cli.SOLVED
    assert "Branch in eps to RQE" in capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")
    (entry,) = json.loads(data.read_text())
    assert entry["schema"] == "rqe.branch/1"
    assert entry["values"][-1] == pytest.approx([0.5, 0.5])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "branch.json", "branch.png", "small game.nfg",
    ]  # fmt: skip


def test_trace_to_csv_has_one_row_per_point_and_action(capsys):
    assert run("solve", PD, "--eps", 0.5, "--trace", "--csv", "-") == cli.SOLVED
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    points = {row["point"] for row in rows}
    assert len(rows) == 4 * len(points)
    assert rows[0]["eps"] == "inf"


def test_partial_answers_are_printed_with_their_own_code(monkeypatch, capsys):
    real = rqe.solve

    def stalled(*args, **options):
        assert options["throw"] is False
        solution = real(*args, **options)
        return type(solution)(**{**fields(solution), "status": Status.STALLED})

    monkeypatch.setattr(rqe, "solve", stalled)
    assert run("solve", PD, "--eps", 1) == cli.NOT_CONVERGED
    out, err = capsys.readouterr()
    assert "stalled" in out
    assert err == f"rqe: {PD}: {Status.STALLED.message}\n"


def fields(solution):
    """Return the fields of a result by name."""
    return {name: getattr(solution, name) for name in solution.__dataclass_fields__}


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        ([], 2, ["required", "--help"]),
        (["solve"], 2, ["GAME"]),
        (["solv", PD], 2, ["solv"]),
        (["solve", PD, "--ta", "1"], 2, ["--ta"]),
        (["solve", PD, "--tau", "x"], 2, ["--tau", "'x' is not a number"]),
        (["solve", PD, "--tau", "1,"], 2, ["--tau", "'' is not a number"]),
        (["solve", PD, "--eps", "1/0"], 2, ["--eps", "'1/0'"]),
        (["solve", PD, "--eps", "-1"], 2, [PD, "eps", "-1"]),
        (["solve", PD, "--eps", "nan"], 2, [PD, "eps", "nan"]),
        (["solve", PD, "--tau", "1,2,3"], 2, [PD, "tau", "3 values"]),
        (["solve", PD, "--penalty", "reverse_k"], 2, ["penalty", "'reverse_kl'"]),
        (["solve", PD, "--regularizer", "x"], 2, ["regularizer", "'x'"]),
        (["solve", PD, "--solver", "magic"], 2, ["solver", "'magic'"]),
        (["solve", PD, "--tol", "-1"], 2, ["tol", "-1"]),
        (["solve", "prisoner-dilema"], 2, ["no such file", "catalog", f"'{PD}'"]),
        (["solve", "volunteers-dilemma:players=x"], 2, ["players", "'x'"]),
        (["solve", "volunteers-dilemma:player=3"], 2, ["'player'", "players, benefit, cost"]),
        (["solve", "volunteers-dilemma:players=3,players=4"], 2, ["players is given twice"]),
        (["solve", "no/such.nfg"], 2, ["no/such.nfg: no such file", "rqe games"]),
        (["solve", "."], 2, [".: a directory"]),
        (["solve", PD, "--json", "-", "--csv", "-"], 2, ["--json and --csv"]),
        (["solve", PD, "--json", "b.nfg"], 2, ["--json: PATH must end in .json", "b.nfg"]),
        (["solve", PD, "--csv", "table.txt"], 2, ["--csv: PATH must end in .csv"]),
        (["solve", PD, "--plot", "x.bmp"], 2, ["--plot: PATH must end in .png"]),
        (["solve", PD, "--parameter", "tau"], 2, ["--trace"]),
        (["solve", PD, "--json", "no/such/dir/x.json"], 3, ["no such directory"]),
        (["games", "prisoner-dilemma"], 2, [f"'{PD}'"]),
        (["solve", "a" * 300], 2, ["aaa: File name too long"]),
        (["solve", PD, "--eps", "1" * 400 + "/1"], 2, ["--eps", "is not a number"]),
        (["sweep", "volunteers-dilemma:players=1"], 2, ["players must be at least 2, got 1"]),
        (["sweep", "volunteers-dilemma:player=3"], 2, ["'player'", "players, benefit, cost"]),
        (["sweep", PD, "--eps", "1" * 400 + "/1"], 2, ["--eps", "is no list of numbers"]),
        (["sweep", PD, "--tau", "0:1e400:1e399"], 2, ["--tau", "is no list of numbers"]),
        (["sweep", PD, "--tau", "0:1:1e-999999999"], 2, ["--tau", "needs a step"]),
        (["sweep", PD, "--csv", "b.nfg"], 2, ["--csv: PATH must end in .csv", "b.nfg"]),
        (["sweep", PD, "--csv", "no/such/dir/x.csv"], 3, ["no such directory"]),
        (["fit", "volunteers-dilemma:players=1", "--counts", "c.csv"], 2, ["at least 2, got 1"]),
        (["fit", PD, "--counts", "c.csv", "--json", "c.csv"], 2, ["PATH must end in .json"]),
        (["fit", PD, "--counts", "c.csv", "--json", "no/such/x.json"], 3, ["no such directory"]),
    ],
)
def test_bad_usage_is_one_line(argv, code, words, capsys):
    assert run(*argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rqe")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"EFG 2 R",
        b'NFG 1 R "t" { "1" "2" } { 2 2 }\n\n1 2 3',
        b'NFG 1 R "t" { "1" "2" } { 2 2 }\n\n1 2 3 4 5 6 7 x',
        b'NFG 1 R "t" { "1" } { 2 }\n\n1 2',
        b"\xff\xfe\x00binary",
    ],
)
def test_broken_files_are_one_line_that_names_them(content, tmp_path, capsys):
    path = tmp_path / "broken.nfg"
    path.write_bytes(content)
    assert run("solve", path) == cli.BAD_INPUT
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "broken.nfg" in err


def test_failed_writing_keeps_the_old_file(tmp_path, monkeypatch, capsys):
    path = tmp_path / "x.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert run("solve", PD, "--json", path) == cli.NO_OUTPUT
    assert f"cannot write {path}: No space left on device" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_matplotlib_is_found_before_solving(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("solve", PD, "--plot", "x.png") == cli.NO_OUTPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert "rqe[plot]" in err


def test_lost_workers_are_no_defect_of_rqe(monkeypatch, capsys):
    def lost(*_, **__):
        raise LostWorkersError(3, 7, "BrokenProcessPool")

    monkeypatch.setattr("rqe.sweeping.sweep", lost)
    monkeypatch.setattr("rqe.study.run", lost)
    for command in (["sweep", PD], ["study", "ochs"]):
        assert run(*command) == cli.NOT_CONVERGED
        out, err = capsys.readouterr()
        assert out == ""
        assert "lost its workers after 3 of 7 tasks" in err
        assert err.count("\n") == 1


def test_no_folder_is_left_by_a_study_of_nothing(tmp_path, capsys):
    for options in (["nothing"], ["ochs", "--workers", "0"]):
        assert run("study", *options, "--out", tmp_path / "new") == cli.BAD_INPUT
    assert not list(tmp_path.iterdir())


@pytest.fixture
def chinese(tmp_path):
    """Return the path of a game with names that few encodings hold."""
    path = tmp_path / "names.nfg"
    game = rqe.NormalFormGame([[[1, 0]], [[0, 1]]], players=("甲", "é"))
    game.write_nfg(path)
    return path


def test_names_that_the_terminal_cannot_show(chinese, monkeypatch):
    for options, encoding in (((), "ascii"), (("--csv", "-"), "utf-8")):
        stream = io.TextIOWrapper(io.BytesIO(), "ascii", newline="")
        monkeypatch.setattr(sys, "stdout", stream)
        assert run("solve", chinese, "--eps", 1, *options) == cli.SOLVED
        text = stream.buffer.getvalue().decode(encoding)
        assert ("甲" if options else "\\u7532") in text


def test_an_output_stream_that_fails_or_is_closed():
    command = [sys.executable, "-m", "rqe", "games"]
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert done.returncode == cli.NO_OUTPUT
        assert done.stderr == "rqe: cannot write to standard output: No space left on device\n"
    closed = ["import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"]
    done = subprocess.run([sys.executable, "-c", *closed, *command], stderr=subprocess.PIPE,
                          text=True, cwd=ROOT)  # fmt: skip
    assert (done.returncode, done.stderr) == (cli.SOLVED, "")


def test_defects_are_one_line_unless_debugging(monkeypatch, capsys):
    def broken(*_, **__):
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr(rqe, "solve", broken)
    monkeypatch.delenv("RQE_DEBUG", raising=False)
    assert run("solve", PD) == cli.INTERNAL
    err = capsys.readouterr().err
    assert err == "rqe: internal error, please report it: ZeroDivisionError: first second\n"
    monkeypatch.setenv("RQE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("solve", PD)


def test_games_lists_and_describes(capsys):
    assert run("games") == 0
    out = capsys.readouterr().out
    for name in rqe.catalog.names():
        assert name in out
    assert run("games", PD, "selten-chmura/1") == 0
    out = capsys.readouterr().out
    assert " ".join(rqe.catalog.describe(PD).split()) in " ".join(out.split())
    for action in rqe.catalog.load(PD).actions[0]:
        assert action in out


def test_help_has_examples_and_exit_codes(capsys):
    assert run("solve", "--help") == 0
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "exit codes:" in out
    assert run("games", "--help") == 0
    assert run("--help") == 0
    assert run("--version") == 0
    assert f"rqe {rqe.__version__}\n" in capsys.readouterr().out


def process(*argv):
    """Run `python -m rqe argv` in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "rqe", *argv],
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip


def test_real_process(nfg):
    done = process("solve", nfg, "--tau", "1", "--eps", "0.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "converged" in done.stdout
    failed = process("solve", "missing.nfg")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "Traceback" not in failed.stderr


def test_version_imports_nothing_heavy():
    code = (
        "import sys; from rqe.cli import main; assert main(['--version']) == 0; "
        "print([m for m in ('numba', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_end_with_a_killed_program(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "import os, signal\n"
        "from rqe.commands.common import workers\n"
        "if __name__ == '__main__':\n"
        "    print(workers(2).submit(os.getpid).result(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    out = tmp_path / "pid"  # a file: a worker that lives on would keep a pipe open
    with out.open("w") as file:
        assert subprocess.run([sys.executable, script], stdout=file).returncode == -signal.SIGKILL
    worker, deadline = Path("/proc", out.read_text().strip(), "stat"), time.monotonic() + 60
    with contextlib.suppress(OSError):  # it is gone
        while worker.read_text().split()[2] != "Z":
            assert time.monotonic() < deadline, "the worker lives on"
            time.sleep(0.05)
