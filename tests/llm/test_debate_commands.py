"""``marl debate`` from data to report, on a model of a few thousand parameters."""

import csv
import json
import shutil

import pytest

from marl.cli import main
from marl.debate.models import load_agent
from marl.debate.problems import read_problems
from marl.debate.protocol import Protocol
from marl.debate.solo import solo_tries


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with problems, a tiny model and one run a method."""
    folder = tmp_path_factory.mktemp("debate")
    data, model = folder / "problems.jsonl", folder / "tiny"
    assert main(["debate", "data", "--out", str(data), "--n", "300", "--steps", "1"]) == 0
    options = ["--steps", "60", "--batch", "16", "--check-every", "60", "--check-on", "20"]
    options += ["--lr", "1e-2", "--debate-steps", "8"]
    words = ["debate", "sft", "--size", "tiny", "--data", str(data), "--out", str(model)]
    assert main([*words, *options]) == 0
    for algo in ("ippo", "srpo"):
        for seed in ("0", "1"):
            words = ["debate", "train", "--algo", algo, "--agents", str(model), str(model)]
            words += ["--data", str(data), "--out", str(folder / f"{algo}-{seed}")]
            words += ["--debates", "8", "--questions", "2", "--group", "2", "--seed", seed]
            assert main([*words, "--max-new-tokens", "12", "--threads", "1"]) == 0
    return folder


def test_evaluate_writes_tables_transcripts_and_a_page(workshop, capsys):
    runs = [str(workshop / f"{algo}-{seed}") for algo in ("ippo", "srpo") for seed in (0, 1)]
    out = workshop / "report"
    words = ["debate", "evaluate", *runs, "--data", str(workshop / "problems.jsonl")]
    words += ["--partners", str(workshop / "tiny"), "--questions", "20", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    with (out / "tables.csv").open() as file:
        rows = list(csv.DictReader(file))
    tables = {(row["table"], row["method"]) for row in rows}
    assert {("cross-play", m) for m in ("ippo", "srpo", "srpo - ippo")} <= tables
    assert {("partner", m) for m in ("ippo", "srpo", "srpo - ippo")} <= tables
    for row in rows:
        assert float(row["low"]) <= float(row["value"]) + 1e-9
        assert float(row["value"]) <= float(row["high"]) + 1e-9
    assert "| cross-play | tiny & tiny | joint | srpo |" in printed
    records = [json.loads(line) for line in (out / "transcripts.jsonl").read_text().splitlines()]
    assert len(records[0]["rounds"]) == 3
    assert "These figures" not in printed
    assert "The gates were not run" in (out / "report.html").read_text()


def test_the_verdict_of_the_gates_stands_above_the_tables(workshop, capsys):
    data, gates = str(workshop / "problems.jsonl"), str(workshop / "gates.json")
    words = ["debate", "gates", "--model", str(workshop / "tiny"), "--data", data, "--out", gates]
    words += ["--held-out", "10", "--debates", "8", "--questions", "2", "--group", "2"]
    assert main([*words, "--max-new-tokens", "16"]) == 0
    verdict = capsys.readouterr().out
    model, problems = load_agent(workshop / "tiny"), read_problems(data, split="test")[:10]
    protocol = Protocol(max_new_tokens=16)
    alone = solo_tries(model, problems, protocol, seed=0, tries=1).sum()
    assert f"tiny: solves {10.0 * alone:.1f} % of 10 held-out problems alone\n" in verdict
    assert verdict.startswith("tiny, reading: ")
    out = workshop / "judged"
    words = ["debate", "evaluate", str(workshop / "ippo-0"), "--data", data, "--questions", "4"]
    assert main([*words, "--gates", gates, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(verdict.splitlines()[0])
    assert "order swap" in (out / "report.html").read_text()
    assert main([*words, "--gates", data, "--out", str(out)]) in (2, 3)
    assert "not verdicts of marl debate gates" in capsys.readouterr().err


def test_show_prints_a_transcript(workshop, capsys):
    words = ["debate", "show", str(workshop / "srpo-0"), "--problem", "1"]
    assert main([*words, "--data", str(workshop / "problems.jsonl")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Question: ")
    assert printed.count("Round") == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "nowhere", "--data", "x.jsonl"], "no run of marl debate here"),
        (["train", "--agents", "a", "b", "--data", "none.jsonl", "--out", "o"], "no file none"),
        (
            ["train", "--agents", "a", "b", "--data", "{data}", "--out", "new"],
            "no folder 'a'",
        ),
        (
            ["train", "--agents", "a", "b", "--data", "{data}", "--out", "o", "--tau", "-1"],
            "tau must be at least 0; got -1.0",
        ),
        (["sft", "--size", "huge", "--data", "{data}", "--out", "o"], "size must be one of tiny"),
        (["show", "{run}", "--data", "{data}", "--problem", "99999"], "--problem must be a number"),
        (["show", "{run}", "--data", "{data}", "--seed", "-1"], "'-1' is not a whole number >= 0"),
        (["show", "{run}", "--data", "{data}", "--threads", "-1"], "'-1' is not a whole number"),
        (["reproduce", "--quick", "--workers", "0", "--out", "o"], "'0' is not a positive whole"),
        (["reproduce", "--quick", "--seeds", "0", "--out", "o"], "'0' is not a positive whole"),
        (
            ["evaluate", "{run}", "--data", "{data}", "--questions", "0", "--out", "o"],
            "'0' is not a positive whole number",
        ),
        (
            ["evaluate", "{run}", "{run}", "--data", "{data}", "--out", "o"],
            "runs of one method must be independent",
        ),
        (
            ["train", "--agents", "a", "b", "--data", "{data}", "--out", "o", "--every", "0"],
            "'0' is not a positive whole number",
        ),
        (
            ["train", "--agents", "a", "b", "--data", "{data}", "--out", "o", "--device", "none"],
            "device must be one that torch has here, such as 'cpu'; got 'none'",
        ),
    ],
)
def test_errors_are_one_line(workshop, capsys, monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    names = {"{data}": str(workshop / "problems.jsonl"), "{run}": str(workshop / "srpo-0")}
    for key, value in names.items():
        words = [word.replace(key, value) for word in words]
    assert main(["debate", *words]) in (2, 3)
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_another_runs_folder_gets_no_event_files(workshop, capsys):
    run = workshop / "srpo-0"
    before = sorted(run.rglob("*"))
    words = ["debate", "train", "--agents", "a", "b", "--data", str(workshop / "problems.jsonl")]
    assert main([*words, "--out", str(run), "--tau", "3"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert sorted(run.rglob("*")) == before


def test_a_tokenizer_that_cannot_pad_is_refused(workshop, tmp_path):
    from transformers import AutoTokenizer

    bare = shutil.copytree(workshop / "tiny", tmp_path / "bare")
    tokenizer = AutoTokenizer.from_pretrained(bare)
    tokenizer.pad_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(bare)
    with pytest.raises(ValueError, match="must have a padding token or an end-of-text token"):
        load_agent(bare)
