"""From nothing to both tables, on a model of some ten thousand parameters."""

import csv
import dataclasses

import numpy as np
import pytest
import torch

from marl.cli import main
from marl.debate.models import load_agent
from marl.debate.problems import generate_problems, write_problems
from marl.debate.protocol import Protocol
from marl.debate.reproduce import FULL, QUICK, Plan, _make_model, reproduce
from marl.debate.settings import SFT, Training
from marl.debate.tables import misled, training_row, training_table
from marl.lock import locked

TINY = Plan(
    sizes=("tiny",),
    seeds=1,
    problems=120,
    questions=8,
    sft=SFT(steps=60, batch=16, lr=1e-2, check_every=60, check_on=20, read_steps=8, debate_steps=4),
    training=Training(debates=8, questions=2, group=2),
    drill=Training(algo="ippo", debates=8, questions=2, group=2),
    protocol=Protocol(order="random", max_new_tokens=16),
)


def test_from_nothing_to_both_tables_and_on_from_there(tmp_path):
    said: list[str] = []
    text = reproduce(tmp_path, plan=TINY, workers=1, tell=said.append)
    assert text.startswith("tiny, reading: ")
    assert "tiny, order swap: " in text
    assert "tiny, ceiling: " in text
    assert [p.name for p in (tmp_path / "gates").iterdir()] == ["tiny.json"]
    with (tmp_path / "report" / "tables.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"self-play", "partner"} <= {row["table"] for row in rows}
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<img") >= 2
    assert 'src="http' not in page
    assert "order swap" in page
    for name in ("training", "before-after", "cross-play-0"):
        assert (tmp_path / "report" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.glob("models/**/*.safetensors")}
    assert reproduce(tmp_path, plan=TINY, workers=1, tell=said.append) == text
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    more = dataclasses.replace(TINY, seeds=2)
    assert reproduce(tmp_path, plan=more, workers=1, tell=said.append) != text
    assert len(list((tmp_path / "runs").iterdir())) == 4
    assert all(p.stat().st_mtime_ns == when for p, when in kept.items())
    for other in (TINY, dataclasses.replace(more, questions=9)):
        with pytest.raises(ValueError, match="holds another experiment"):
            reproduce(tmp_path, plan=other, workers=1)


def test_the_model_of_a_reproduction_is_the_one_that_sft_trains(tmp_path):
    """Same size, problems, settings and seed: the same weights, whichever command made them."""
    plan = dataclasses.replace(TINY, sft=SFT(steps=3, check_every=3, check_on=4, read_steps=2))
    data, made = tmp_path / "problems.jsonl", tmp_path / "made"
    write_problems(data, generate_problems(plan.problems, seed=0))
    folder = _make_model(plan, tmp_path, "tiny", 0)
    words = ["debate", "sft", "--size", "tiny", "--data", str(data), "--out", str(made)]
    words += ["--steps", "3", "--check-every", "3", "--check-on", "4", "--read-steps", "2"]
    assert main([*words, "--threads", "1"]) == 0
    ours = load_agent(made).model.state_dict()
    theirs = load_agent(folder).model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_settings_of_a_size_hold_unless_the_plan_says_others():
    assert QUICK.supervised("small") == SFT()
    assert FULL.supervised("medium") == SFT.of_size("medium") != SFT()
    assert SFT.of_size("medium", read_steps=7).read_steps == 7
    mine = SFT(read_steps=7)
    plan = dataclasses.replace(FULL, sft=mine)
    assert plan.supervised("medium") == mine
    assert plan.record()["sft"]["medium"] == dataclasses.asdict(mine)


def test_a_folder_is_for_one_process(tmp_path):
    with (
        locked(tmp_path / "debate", ValueError),
        pytest.raises(ValueError, match="debate: another process is working here"),
    ):
        reproduce(tmp_path / "debate", plan=TINY, workers=1)


def test_a_size_that_is_none_leaves_the_folder_alone(tmp_path):
    with pytest.raises(ValueError, match=r"size must be one of tiny, .*; got 'smal'"):
        reproduce(tmp_path, plan=dataclasses.replace(TINY, sizes=("tiny", "smal")), workers=1)
    assert not list(tmp_path.iterdir())


def test_plans_compare_like_with_like():
    """One training for both methods, at least two runs each; the full plan meets the issue."""
    for plan in (QUICK, FULL):
        assert plan.seeds >= 2
        assert plan.protocol.order == "random"
    assert FULL.seeds >= 3
    assert FULL.teams == [("small", "small"), ("medium", "medium"), ("small", "medium")]
    assert dataclasses.replace(FULL, pairs="mixed").teams == [("small", "medium")]
    with pytest.raises(ValueError, match="a mixed team needs two sizes; got small"):
        dataclasses.replace(QUICK, pairs="mixed")


def test_the_training_table_tells_the_fall_from_the_start():
    """Both agents' mean: .5 at the start, .2 at its lowest over five updates, .4 at the end."""
    course = np.array([0.5] * 5 + [0.2] * 5 + [0.4] * 5)
    metrics = {
        "agent_0_last": course + 0.1, "agent_1_last": course - 0.1,
        "agent_0_first": course + 0.2, "agent_1_first": course,
        "adversary_0_kl": np.full(15, 0.02), "adversary_1_kl": np.full(15, 0.04),
    }  # fmt: skip
    row = training_row("a", "srpo", metrics)
    assert {k: round(row[k], 9) for k in ("start", "lowest", "end", "gain", "adversary_kl")} == {
        "start": 0.5, "lowest": 0.2, "end": 0.4, "gain": -0.1, "adversary_kl": 0.03,
    }  # fmt: skip
    text = training_table([row])
    assert "| a | 15 | 0.500 | 0.200 | 0.300 | 0.400 | -0.100 ± 0.000 | 0.030 |" in text


def test_misleading_is_judged_beside_ippo():
    """Gains of -.10 and -.06 with adversaries, -.02 and +.02 without: adversaries take .08."""
    rows = [
        {"method": method, "gain": gain, "gain_error": 0.01}
        for method, gain in (("srpo", -0.1), ("srpo", -0.06), ("ippo", -0.02), ("ippo", 0.02))
    ]
    assert "srpo - ippo: -0.080 ± 0.010" in misled(rows)[-1]
    more = [*rows, {**rows[0], "gain": -0.08}, {**rows[2], "gain": 0.0}]
    assert "srpo - ippo: -0.080 ± 0.016" in misled(more)[-1]
    assert misled(rows[:2]) == []
