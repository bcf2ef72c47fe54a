"""The study of published data, and the commands `rqe study` and `rqe fit`."""

import csv
import json
from pathlib import Path

import pytest

import rqe
from rqe import cli, study

ROOT = Path(__file__).parent.parent
COUNTS = "player,action,count\n1,1,67\n1,2,61\n2,1,47\n2,2,81\n"


def run(*argv):
    return cli.main([str(argument) for argument in argv])


@pytest.fixture
def counts(tmp_path):
    """Return the path of a table of choices in the Ochs game."""
    path = tmp_path / "counts.csv"
    path.write_text(COUNTS)
    return path


def test_study_of_one_game_prints_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, "MODELS", {name: study.MODELS[name] for name in study._MAIN})
    folder = tmp_path / "out"
    assert run("study", "ochs", "--out", folder) == cli.SOLVED
    out = capsys.readouterr().out
    for part in ("Ochs", "Nash + noise", "What is evidence", "boundary", "no evidence"):
        assert part in out
    assert (folder / "study.txt").read_text().strip() == out.strip()
    rows = list(csv.DictReader((folder / "models.csv").read_text().splitlines()))
    assert [row["model"] for row in rows] == ["Nash + noise", "QRE", "RQE"]
    assert float(rows[1]["log_likelihood"]) == pytest.approx(-174.764532, abs=1e-6)
    games = list(csv.DictReader((folder / "games.csv").read_text().splitlines()))
    assert [float(row["observed"]) for row in games] == [0.527, 0.366]
    assert (folder / "observed.svg").read_text().lstrip().startswith("<?xml")


def test_study_of_several_games_predicts_games_left_out(monkeypatch):
    monkeypatch.setattr(study, "MODELS", {name: study.MODELS[name] for name in study._MAIN})
    full = rqe.datasets.load("selten-chmura")
    few = rqe.datasets.Dataset(
        "few", full.title, full.source, full.about, full.game_names[6:9], full.games[6:9],
        full.frequencies[6:9], full.n[6:9] if full.n else None,
    )  # fmt: skip
    monkeypatch.setattr(rqe.datasets, "load", lambda name: few)
    found = study.run("few")
    text = found.summary()
    for part in ("left out", "arXiv 2406.14156", "Student's t with 2 degrees", "of 3 games better"):
        assert part in text
    row = next(found.games())
    assert row["published (kl, log_barrier): tau"] == 0.1
    assert row["published (kl, log_barrier): predicted"] == pytest.approx(0.141, abs=0.002)
    models = {row["model"]: row for row in found.models()}
    assert models["RQE"]["left_out"] < models["RQE"]["log_likelihood"]
    out = found.left_out["QRE"].strategies[0][0][0]
    assert row["QRE, left out"] == pytest.approx(out)


def test_study_says_what_it_cannot_do(tmp_path, capsys):
    assert run("study", "selten_chmura") == cli.BAD_INPUT
    assert "nearest is 'selten-chmura'" in capsys.readouterr().err
    assert run("study", "goeree-holt-palfrey", "--out", tmp_path / "none") == cli.BAD_INPUT
    assert "cannot be fitted" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert run("study", "ochs", "--out", tmp_path / "no" / "folder") == cli.NO_OUTPUT
    assert run("study", "ochs", "--workers", 0) == cli.BAD_INPUT


@pytest.mark.slow
def test_the_page_on_estimation_shows_what_the_command_prints(capsys):
    assert run("study", "selten-chmura") == cli.SOLVED
    page = (ROOT / "docs" / "theory" / "estimation.md").read_text(encoding="utf-8")
    out = "\n".join(line.rstrip() for line in capsys.readouterr().out.strip().splitlines())
    assert out in page


def test_fit_prints_the_summary_and_json(counts, capsys):
    assert run("fit", "ochs-1995", "--counts", counts, "--model", "qre") == cli.SOLVED
    expected = rqe.fit(rqe.catalog.load("ochs-1995"), [[67, 61], [47, 81]], model="qre")
    assert capsys.readouterr().out.strip() == expected.summary()
    options = ("--model", "qre", "--fixed", "eps_2=1/2", "--json", "-")
    assert run("fit", "ochs-1995", "--counts", counts, *options) == cli.SOLVED
    data = json.loads(capsys.readouterr().out)
    assert data["fixed"] == {"eps_2": 0.5}
    assert list(data["estimates"]) == ["eps"]
    for shared, names in (("none", ["eps_1", "eps_2"]), ("eps", ["eps"]), ("all", ["eps"])):
        options = ("--model", "qre", "--shared", shared, "--json", "-")
        assert run("fit", "ochs-1995", "--counts", counts, *options) == cli.SOLVED
        assert list(json.loads(capsys.readouterr().out)["estimates"]) == names


def test_fit_pools_games_and_reads_frequencies(tmp_path, capsys):
    path = tmp_path / "table.csv"
    rows = [("game", "player", "action", "frequency", "n")]
    full = rqe.datasets.load("selten-chmura")
    for name in ("selten-chmura/1", "selten-chmura/7"):
        g = full.game_names.index(name)
        game = full.games[g]
        for i, player in enumerate(game.players):
            for a, action in enumerate(game.actions[i]):
                rows.append((name, player, action, str(full.frequencies[g][i][a]), "100"))
    path.write_text("\n".join(", ".join(row) for row in rows))
    names = ("selten-chmura/1", "selten-chmura/7")
    assert run("fit", *names, "--counts", path, "--model", "qre", "--errors", "cluster") == 0
    out = capsys.readouterr().out
    assert "cluster-robust" in out
    assert "choices      400" in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("player,action\n1,1\n", "frequency, n is missing"),
        ("player,action,count\n", "no rows below its header"),
        ("player,action,count\n3,1,5\n", "line 2: player must be one of"),
        ("player,action,count\n1,x,5\n", "line 2: action must be one of"),
        ("player,action,count\n1,1,five\n", "line 2: count must be a number; got 'five'"),
        ("player,action,count\n1,1,5\n\n1,2,six\n", "line 4: count must be a number; got 'six'"),
        (
            "player,action,count\n1,1,5\n1,1,5\n",
            "line 3: action '1' of player '1' has a row already",
        ),
        ("player,action,frequency,n\n1,1,.5,8\n1,2,.5,9\n", "n must be 8, as in an earlier row"),
        ("player,action,count\n1,1,5\n", "there is no row for action"),
        (COUNTS.replace("67", "-67"), "finite numbers >= 0"),
        (COUNTS.replace("67", "6.7"), "whole numbers of choices"),
    ],
)
def test_fit_names_what_is_wrong_with_a_table(tmp_path, capsys, text, message):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    assert run("fit", "ochs-1995", "--counts", path) == cli.BAD_INPUT
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_fit_names_what_is_wrong_with_the_command(counts, capsys):
    for options, message in (
        (("--model", "qr"), "did you mean 'qre'"),
        (("--fixed", "tau=x"), "'tau=x' is not NAME=NUMBER"),
        (("--fixed", "tau=1,tau=2"), "tau is given twice"),
        (("--shared", "tua"), "shared must be one of tau, eps; got 'tua'"),
        (("--fix", "tau=0"), "unrecognized arguments: --fix"),
        (("--per-role",), "unrecognized arguments: --per-role"),
        (("--errors", "cluster"), "at least 2 games"),
    ):
        assert run("fit", "ochs-1995", "--counts", counts, *options) == cli.BAD_INPUT
        assert message in capsys.readouterr().err
    assert run("fit", "ochs-1995", "--counts", counts.parent / "none.csv") == cli.BAD_INPUT
    assert "cannot read" in capsys.readouterr().err
    fixed = ("--model", "nash+noise", "--fixed", "noise=0")
    assert run("fit", "prisoners-dilemma", "--counts", counts, *fixed) == cli.NOT_CONVERGED
    assert "probability 0" in capsys.readouterr().err
