"""The gates tell the deaf, copiers of places, readers of tags, and a lesson learnt from none."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from marl.debate import gates
from marl.debate.drill import drill, judge
from marl.debate.episode import FixedSpeaker
from marl.debate.evaluate import Outcome
from marl.debate.gates import (
    Gate,
    ceiling,
    disagreements,
    read_gates,
    reading_test,
    tag_test,
    write_gates,
)
from marl.debate.protocol import Protocol
from marl.debate.settings import Training

SHORT = Protocol(max_new_tokens=6)


def _pretend(monkeypatch, choose):
    """Let every agent answer by a rule that sees the two lines of answers, as they stand."""

    def answer(model, tokenizer, prompts, **options):
        texts = []
        for prompt in prompts:
            shown = [line for line in prompt.splitlines() if line.startswith(("Yours", "Partner"))]
            texts.append("#### " + choose(shown).split("#### ")[1])
        return SimpleNamespace(texts=tuple(texts))

    monkeypatch.setattr(gates, "generate", answer)


def _pairs(problems):
    return [(f"#### {k}", f"#### {k + 1}") for k in range(len(problems))]


@pytest.mark.parametrize(
    ("rule", "value", "passed"),
    [
        (lambda shown: shown[-1], 1.0, False),
        (lambda shown: shown[0], 1.0, False),
        (lambda shown: max(shown), 0.0, True),  # Yours
        (lambda shown: min(shown), 0.0, True),  # Partner
    ],
)
def test_who_copies_a_place_fails_and_who_follows_a_tag_passes(
    monkeypatch, problems, make_agent, rule, value, passed
):
    _pretend(monkeypatch, rule)
    chosen = problems["train"][:10]
    gate = tag_test(make_agent(0), chosen, _pairs(chosen), SHORT, seed=0)
    assert (gate.value, gate.passed) == (value, passed)
    assert ("passed" if passed else "FAILED") in str(gate)


@pytest.mark.parametrize(
    ("rule", "value"),
    [(lambda shown: shown[-1], 1.0), (lambda shown: shown[0], 1.0), (lambda shown: "#### 1000", 0)],
)
def test_who_copies_reads_and_who_says_its_own_whatever_is_shown_is_deaf(
    monkeypatch, problems, make_agent, rule, value
):
    _pretend(monkeypatch, rule)
    chosen = [replace(p, answer=f"#### {k}") for k, p in enumerate(problems["train"][:10])]
    wrong = {p.question: "#### 1000" for p in chosen}
    gate = reading_test(make_agent(0), chosen, wrong, SHORT, seed=0)
    assert (gate.name, gate.value, gate.passed) == ("reading", value, value > 0)


def test_answers_that_agree_are_no_test(problems, make_agent):
    same = [("#### 7", "#### 7")]
    with pytest.raises(ValueError, match=r"both answers to .* end in the same number"):
        tag_test(make_agent(0), problems["train"][:1], same, SHORT, seed=0)


@pytest.mark.parametrize(("right", "passed"), [(6, True), (5, False)])
def test_the_ceiling_counts_who_ends_right(right, passed):
    base, trained = np.zeros((3, 2, 20), bool), np.zeros((3, 2, 20), bool)
    base[-1, 0, :3] = True
    base[:, 1] = trained[:, 1] = True  # the partner's own answers do not count
    trained[-1, 0, :right] = True
    found = ceiling(Outcome(trained, trained[-1, 0]), Outcome(base, base[-1, 0]))
    assert found.value == pytest.approx((right - 3) / 20)
    assert found.passed is passed
    with pytest.raises(ValueError, match="the same questions"):
        ceiling(Outcome(trained, trained[-1, 0]), Outcome(base[:, :, :9], base[-1, 0, :9]))


def test_disagreements_take_turns(problems):
    chosen = problems["train"][:4]
    wrong = {p.question: "#### 1000" for p in chosen[:3]}
    found, answers = disagreements(chosen, wrong)
    assert found == chosen[:3]
    assert [pair.index("#### 1000") for pair in answers] == [1, 0, 1]
    with pytest.raises(ValueError, match="is not wrong"):
        disagreements(chosen[:1], {chosen[0].question: chosen[0].answer})


def test_the_drill_leaves_its_agent_alone_and_trains_a_copy(problems, make_agent):
    agent, chosen = make_agent(0), problems["train"][:4]
    partner = FixedSpeaker({p.question: "#### 1000" for p in chosen})
    before = {name: p.clone() for name, p in agent.trainable.items()}
    training = Training(algo="ippo", debates=8, questions=2, group=2, warmup=0, lr=1e-3, eps=0.1)
    seen = []
    trained = drill(
        agent, partner, chosen, training, SHORT, seed=0, report=lambda *row: seen.append(row)
    )
    assert [update for update, _ in seen] == [1, 2]
    assert all((agent.trainable[name] == p).all() for name, p in before.items())
    assert any((trained.trainable[name] != p).any() for name, p in before.items())


def test_a_model_without_numbers_cannot_be_judged(problems, make_agent):
    training = Training(algo="ippo", debates=8, questions=2, group=2)
    few = problems["train"][:3]
    with pytest.raises(ValueError, match="the agent makes no mistakes"):
        judge(make_agent(0), few, few, training, Protocol(max_new_tokens=1), seed=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "0.3"}, "value must be of type float; got '0.3'"),
        ({"passed": "no"}, "passed must be of type bool; got 'no'"),
        ({"n": True}, "n must be of type int; got True"),
        ({"extra": 1}, "unexpected keyword argument 'extra'"),
    ],
)
def test_verdicts_of_other_types_are_refused_as_they_are_read(tmp_path, changes, words):
    place, gate = tmp_path / "gates.json", Gate("reading", 0.3, 0.2, True, 100, "detail")
    write_gates(place, [gate])
    assert read_gates(place) == [gate]
    place.write_text(json.dumps([asdict(gate) | changes]))
    with pytest.raises(ValueError, match=rf"gates\.json: not verdicts .*{words}"):
        read_gates(place)
