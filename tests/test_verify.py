"""`rqe verify` and `rqe figure`: exit codes, output, files written whole."""

import csv
import dataclasses
import io
from html.parser import HTMLParser

import numpy as np
import pytest

import rqe
from rqe import cli, theorems
from rqe.theorems import Search


def run(*argv):
    return cli.main([str(argument) for argument in argv])


def test_true_claim(capsys):
    assert run("verify", "theorem-2-sharp", "--examples", 600, "--seed", 3) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for part in ("claim ", "proof ", "tried ", "margin ", "TRUE, as on record"):
        assert part in out


def test_false_claim_prints_code_that_runs(capsys):
    assert run("verify", "proposition-b.1-published") == 0
    out = capsys.readouterr().out
    assert "FALSE, as on record; refuted" in out
    code = [line[4:] for line in out.splitlines() if line.startswith("    ")]
    code = code[code.index("import rqe") :]
    exec("\n".join(code), {})
    assert "0.3125" in capsys.readouterr().out


def test_list(capsys):
    assert run("verify", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(theorems.names())


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["theorem-9"], 2, "no theorem is called 'theorem-9'"),
        (["--examples", "0"], 2, "not a positive whole number"),
        (["--examples", "many"], 2, "not a positive whole number"),
        (["--seed", "-1"], 2, "not a whole number"),
        (["--report", "a.txt"], 2, "PATH must end in .html"),
        (["--report", "nowhere/a.html"], 3, "no such directory"),
    ],
)
def test_bad_usage(argv, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("verify", *argv) == code
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def fake(theorem, **changes):
    return dataclasses.replace(theorem, **changes)


def test_unexpected_verdicts_have_their_own_code(monkeypatch, capsys):
    """A false claim that survives, and a true one that is refuted."""
    false = theorems.by_name("example-4.1-published")
    survives = fake(false, _search=lambda rng, examples, progress: Search(5, 0.5))
    refuted = fake(false, true=True)
    for claim, words in ((survives, "no counterexample was found"), (refuted, "not as on record")):
        monkeypatch.setattr(theorems, "by_name", lambda name, claim=claim: claim)
        assert run("verify", "x") == 1
        assert words in capsys.readouterr().out


def test_missing_sympy_is_said(monkeypatch, capsys):
    def missing():
        raise ImportError("no sympy")

    claim = fake(theorems.by_name("example-4.1"), _derive=missing)
    monkeypatch.setattr(theorems, "by_name", lambda name: claim)
    assert run("verify", "x", "--examples", 3) == 0
    assert "sympy is missing" in " ".join(capsys.readouterr().out.split())


class Page(HTMLParser):
    """Checks that tags are balanced and nothing is loaded."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "img")
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_report_is_one_page(tmp_path, capsys):
    path = tmp_path / "theorems.html"
    claims = ("example-4.1", "example-4.1-published")
    assert run("verify", *claims, "--examples", 20, "--report", path) == 0
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    for part in (*claims, "rqe.AggregativeGame", r"\bar a / (3 - \tau \epsilon / 2)"):
        assert part in text
    assert [p.name for p in tmp_path.iterdir()] == ["theorems.html"]


def test_progress_is_reported():
    counts: list[int] = []
    verdict = theorems.verify(theorems.by_name("identity"), examples=700, progress=counts.append)
    assert sum(counts) == verdict.search.tried == 700
    assert verdict.proved
    assert verdict.as_recorded


def test_figure_1(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "figures"
    assert run("figure", 1, "--out", folder) == 0
    assert "tau* = 0.8287886937257" in capsys.readouterr().out
    assert (folder / "figure_1.png").read_bytes().startswith(b"\x89PNG")
    utility = rows(folder / "figure_1_utility.csv")
    best = max(utility, key=lambda row: float(row["expected_utility"]))
    assert float(best["tau"]) == pytest.approx(1.0, abs=0.02)
    points = rows(folder / "figure_1_collaboration.csv")
    symmetric = [row for row in points if row["branch"] == "symmetric"]
    riding = [row for row in points if row["branch"] == "free-riding"]
    star = 0.8287886937257862
    for row in symmetric:
        assert row["stable"] == str(float(row["tau"]) >= star - 1e-12)
        assert row["probability"] == pytest.approx(row["probability_other"])
    first = (float(riding[0]["probability_other"]), float(riding[0]["probability"]))
    assert sorted(first) == pytest.approx([0.1952261892493389, 0.8832804852572657], abs=1e-9)
    assert float(riding[-1]["tau"]) == pytest.approx(star, abs=1e-12)
    assert max(float(row["residual"]) for row in points) <= 1e-10


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_stability_in_figure_1_is_that_of_the_logit_dynamics():
    """z' = (v(z) - eps z): the antisymmetric direction grows below tau*, shrinks above it."""
    game = rqe.theorems.example_4_2.game()
    for tau, grows in ((0.5, True), (1.5, False)):
        x = rqe.solve(game, tau, 0.2).strategies[0]
        push = np.array([1e-4, -1e-4])
        pushed = [x + push, x - push]
        gaps = [pushed[0][0] - pushed[1][0]]
        for _ in range(600):
            moved = []
            for own, other in (pushed, pushed[::-1]):
                p = other * np.exp(-tau * np.array([1.0, own[0]]))
                p /= p.sum()
                v = np.array([1.0 - 0.4, p[0]])
                z = 0.9 * np.log(own) + 0.1 * v / 0.2
                moved.append(np.exp(z) / np.exp(z).sum())
            pushed = moved
            gaps.append(pushed[0][0] - pushed[1][0])
        assert (abs(gaps[-1]) > 10 * gaps[0]) == grows


@pytest.mark.parametrize("argv", [["2"], []])
def test_figure_usage(argv, capsys):
    assert run("figure", *argv) == 2
    assert capsys.readouterr().err


def test_figure_into_a_missing_place(tmp_path, capsys):
    assert run("figure", 1, "--out", tmp_path / "no" / "where") == 3
    assert "cannot make" in capsys.readouterr().err
