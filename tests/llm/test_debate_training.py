"""Training by debate: the protocol, the objective, supervised training, and its settings."""

import dataclasses
import math

import pytest
import torch

from marl.debate.episode import FixedSpeaker, ModelSpeaker, hold
from marl.debate.evaluate import outcome
from marl.debate.generate import answer_logits
from marl.debate.learn import centred, divergence, price_to_go, rewards
from marl.debate.protocol import Protocol
from marl.debate.settings import SFT, Training
from marl.debate.sft import train_supervised
from marl.debate.trainer import Trainer
from tests.llm.small import SHORT, SMALL, parameters


def test_prompts_hold_what_the_protocol_allows_and_nothing_else(problems, make_agent):
    """Round 1: the question. Later: both answers of the round before. Never the solution."""
    chosen = problems["train"][:6]
    agent = make_agent(0)
    debate = hold(chosen, (ModelSpeaker(agent), ModelSpeaker(agent)), SHORT, key=(0,))
    for k, problem in enumerate(chosen):
        for seat in (0, 1):
            assert debate.turns[0][seat].prompts[k] == f"Question: {problem.question}\nAnswer:"
            for r in (1, 2):
                own, other = (debate.turns[r - 1][s].texts[k].strip() for s in (seat, 1 - seat))
                assert debate.turns[r][seat].prompts[k] == (
                    f"Question: {problem.question}\nYours: {own}\nPartner: {other}\nAnswer:"
                )


@pytest.mark.parametrize("order", ["own_first", "partner_first", "random"])
def test_the_order_of_answers(problems, order):
    chosen = problems["train"][:40]
    mine, theirs = ({p.question: text for p in chosen} for text in ("one", "two"))
    speakers = (FixedSpeaker(mine), FixedSpeaker(theirs))
    debate = hold(chosen, speakers, Protocol(rounds=2, order=order), key=(1,))
    first = ["Yours: one\nPartner: two" in text for text in debate.turns[1][0].prompts]
    assert {"own_first": all(first), "partner_first": not any(first)}.get(
        order, 5 < sum(first) < 35
    )


def test_rewards_reach_earlier_rounds_discounted():
    correct = torch.tensor([[True, False], [False, False], [True, False]])
    found = rewards(correct, discount=0.5, credit="final")
    assert found.tolist() == [[0.25, 0.0], [0.5, 0.0], [1.0, 0.0]]
    found = rewards(correct, discount=0.5, credit="round")
    assert found.tolist() == [[1.25, 0.0], [0.5, 0.0], [1.0, 0.0]]


def test_group_advantages_sum_to_zero_in_each_group():
    values = torch.arange(12.0).reshape(2, 6)
    assert centred(values, 3)[0].tolist() == [-1.0, 0.0, 1.0, -1.0, 0.0, 1.0]


def test_the_price_of_divergence_is_paid_from_each_token_on():
    own = torch.log(torch.tensor([[0.5, 0.5, 0.2], [0.5, 0.1, 0.3]]))
    partner = torch.log(torch.tensor([[0.25, 0.5, 0.4], [0.5, 0.2, 0.3]]))
    mask = torch.tensor([[True, True, True], [True, True, False]])
    tau = 2.0
    reward = (partner - own) / tau
    to_go = [[sum(reward[b, t:n].tolist()) for t in range(3)] for b, n in ((0, 3), (1, 2))]
    mean = [(to_go[0][t] + to_go[1][t]) / 2 for t in range(2)]
    expected = [
        [to_go[0][0] - mean[0], to_go[0][1] - mean[1], 0.0],
        [to_go[1][0] - mean[0], to_go[1][1] - mean[1], 0.0],
    ]
    found = price_to_go(own, partner, mask, tau)
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-6, rtol=0)


def test_divergence_equals_its_closed_form(problems, make_agent):
    one, two = make_agent(0), make_agent(1)
    speaker = ModelSpeaker(one)
    said = speaker.answer(problems["train"][:3], ["Question: Tom"] * 3, SHORT, _rng())[1]
    assert said is not None
    with torch.no_grad():
        p, q = (answer_logits(a.model, said, 1.0).double() for a in (one, two))
        found = divergence(answer_logits(one.model, said, 1.0), two.model, said, 1.0)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=p), torch.distributions.Categorical(logits=q)
    )
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-4)


def _rng():
    return torch.Generator().manual_seed(0)


def test_tau_zero_is_ippo_bit_for_bit(problems, make_agent):
    found = []
    for algo in ("ippo", "srpo"):
        training = Training(algo=algo, tau=0.0, debates=12, **SMALL)
        trainer = Trainer((make_agent(0), make_agent(1)), problems["train"], training, SHORT)
        for _ in range(training.updates):
            trainer.step()
        found.append([parameters(agent) for agent in trainer.agents])
    for ippo, srpo in zip(*found, strict=True):
        assert torch.equal(ippo, srpo)


def test_methods_use_the_same_number_of_debates():
    ippo, srpo = (Training(algo=algo, debates=640, **SMALL) for algo in ("ippo", "srpo"))
    assert ippo.updates * ippo.per_update == srpo.updates * srpo.per_update == 640


def test_the_adversary_earns_what_it_can_still_change(problems, make_agent):
    """Agent i answers the same round without having seen it: only later rounds count."""
    training = Training(credit="round", discount=0.5, **SMALL)
    trainer = Trainer((make_agent(0), make_agent(1)), problems["train"], training, SHORT)
    assert trainer.adversaries is not None
    adversary = trainer.adversaries[0]
    debate = trainer._hold((trainer.agents[0], adversary.agent), "adversary 0")
    right = [(True, True, False), (True, False, True), (False, True, False), (False, False, False)]
    turns = [
        (dataclasses.replace(turn[0], correct=torch.tensor([k[r] for k in right])), turn[1])
        for r, turn in enumerate(debate.turns)
    ]
    debate = dataclasses.replace(debate, turns=tuple(turns))
    lesson, _ = trainer._adversary_lesson(0, debate, adversary, trainer.agents[1])
    expected = [[-0.5, -0.25, -0.5, 0.0], [0.0, -0.5, 0.0, 0.0], [0.0] * 4]
    assert torch.stack(list(lesson.returns)).tolist() == expected


@pytest.mark.parametrize("kl_in", ["reward", "loss"])
@pytest.mark.parametrize("advantage", ["group", "value"])
def test_a_high_price_keeps_the_adversary_at_its_partner(problems, make_agent, kl_in, advantage):
    """Frozen agents; adversaries that start elsewhere: a tiny tau pulls them to the partner."""
    found = {}
    for tau in (1e-2, float("inf")):
        training = Training(
            tau=tau, debates=320, kl_in=kl_in, advantage=advantage,
            questions=8, group=2, warmup=0, lr=1e-12, adversary_lr=5e-3,
        )  # fmt: skip
        trainer = Trainer((make_agent(0), make_agent(1)), _easy(problems), training, SHORT)
        assert trainer.adversaries is not None
        stranger = make_agent(2).model.state_dict()
        for adversary in trainer.adversaries:
            adversary.agent.model.load_state_dict(stranger)
        rows = [trainer.step() for _ in range(training.updates)]
        assert all(math.isfinite(value) for row in rows for value in row.values())
        found[tau] = sum(row[f"adversary_{i}_kl"] for row in rows[-5:] for i in (0, 1)) / 10
    assert found[1e-2] < 0.9 * found[float("inf")]


def _easy(problems):
    return problems["train"][:4]


def test_a_step_raises_the_probability_of_what_earned_more(problems, make_agent):
    """One update on one question: better answers gain, worse ones lose."""
    from marl.debate.generate import token_log_probs
    from marl.debate.learn import Lesson, improve

    agent = make_agent(0)
    speaker = ModelSpeaker(agent)
    said = speaker.answer(problems["train"][:8], ["Question: Tom"] * 8, SHORT, _rng())[1]
    assert said is not None
    gains = torch.tensor([1.0, -1.0] * 4)
    advantages = gains[:, None].expand(-1, said.answer_mask.shape[1])
    optimiser = torch.optim.Adam(agent.model.parameters(), lr=1e-4)
    training = Training(debates=8, **SMALL)
    improve(agent, optimiser, Lesson([said], [advantages], [gains]), training, temperature=1.0)
    with torch.no_grad():
        after = token_log_probs(answer_logits(agent.model, said, 1.0), said)
    change = ((after - said.log_probs).sum(dim=1) * gains).sum()
    assert float(change) > 0.0


def test_outcomes_count_recovery_and_corruption(problems):
    """Fixed speakers: seat 0 always right, seat 1 always wrong."""
    chosen = problems["train"][:5]
    right = {p.question: p.answer for p in chosen}
    wrong = {p.question: "#### 1000" for p in chosen}
    speakers = (FixedSpeaker(right), FixedSpeaker(wrong))
    metrics = outcome(hold(chosen, speakers, SHORT, key=(0,))).metrics()
    assert metrics["first"] == metrics["last"] == 1.0
    assert metrics["joint"] == metrics["agreement"] == metrics["partner_last"] == 0.0
    assert metrics["corruption"] == 0.0
    assert metrics["recovery"] != metrics["recovery"]  # no wrong answer that could recover


def test_a_tiny_model_learns_a_few_problems_by_heart(problems, tokenizer):
    from marl.debate.models import build_model

    agent = build_model("tiny", tokenizer, seed=0)
    settings = SFT(
        steps=200, batch=16, lr=1e-2, check_every=100, stop_at=1.0, read_steps=30, debate_steps=60
    )
    seen = []
    few = problems["train"][:2]
    accuracy = train_supervised(agent, few, settings, seed=0, report=lambda *row: seen.append(row))
    assert accuracy >= 0.5
    assert seen[-1][1] < 0.1


def test_no_part_depends_on_how_long_the_one_before_took(problems, make_agent):
    """In one go or part by part: the same model."""
    once, thrice = make_agent(0), make_agent(0)
    whole = SFT(steps=3, batch=4, check_every=3, check_on=4, read_steps=2, debate_steps=2)
    train_supervised(once, problems["train"][:20], whole, seed=0)
    parts = {"steps": 3, "read_steps": 2, "debate_steps": 2}
    for part in parts:
        alone = dataclasses.replace(whole, **{name: 0 for name in parts if name != part})
        train_supervised(thrice, problems["train"][:20], alone, seed=0)
    for a, b in zip(once.model.parameters(), thrice.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_answers_in_view_are_wrong_as_often_as_their_tags_say(problems):
    """Either tag in either place; who is wrong depends on the tag, the target is always right."""
    import random

    from marl.debate.sft import Tried, debate_example

    tried = [Tried(p, (p.answer,), ("#### 1000",)) for p in problems["train"][:20]]
    solutions = {t.problem.answer for t in tried}
    rng, seen = random.Random(0), []
    for _ in range(400):
        prompt, target = debate_example(tried, SFT(own_wrong=0.75, partner_wrong=0.25), rng)
        assert target in solutions
        wrong = ["#### 1000" in prompt.split(f"{tag}: ")[1].split(": ")[0] for tag in TAGS]
        seen.append((prompt.index("Yours") < prompt.index("Partner"), *wrong))
    for share, wished in zip(zip(*seen, strict=True), (0.5, 0.75, 0.25), strict=True):
        assert sum(share) / 400 == pytest.approx(wished, abs=0.08)


TAGS = ("Yours", "Partner")


def test_who_learns_to_read_sees_right_answers_alone(monkeypatch, problems, make_agent):
    """Wrong ones come later, when it learns whom to trust; problems alone come all the time."""
    from marl.debate import sft

    tried = [sft.Tried(p, (p.answer,), ("#### 1000",)) for p in problems["train"][:20]]
    seen: list[list[str]] = []
    monkeypatch.setattr(sft, "own_answers", lambda *args, **options: tried)

    def look(agent, texts, optimiser):
        seen.append([prompt for prompt, _ in texts])
        optimiser.step()
        return 0.0

    monkeypatch.setattr(sft, "_step", look)
    settings = SFT(steps=0, read_steps=8, debate_steps=8, own_wrong=0.5, partner_wrong=0.5)
    train_supervised(make_agent(0), problems["train"][:20], settings, seed=0)
    assert len(seen) == 16
    for part, beside, misleads in ((seen[:8], 0.8, False), (seen[8:], 0.5, True)):
        prompts = [prompt for batch in part for prompt in batch]
        assert sum("Partner" in p for p in prompts) / len(prompts) == pytest.approx(beside, abs=0.1)
        assert any("#### 1000" in p for p in prompts) is misleads


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tau": -1.0}, "tau must be at least 0"),
        ({"algo": "ppo"}, "algo must be one of srpo, ippo"),
        ({"group": 1}, "group must be at least 2"),
        ({"debates": 3}, "debates must be at least 128"),
        ({"lr": 0.0}, "lr must be positive"),
        ({"lr": math.inf}, "lr must be positive, a finite number; got inf"),
        ({"adversary_lr": "1e-3"}, "adversary_lr must be positive, a finite number; got '1e-3'"),
        ({"tau": math.nan}, "tau must be at least 0; got nan"),
        ({"tau": "10"}, "tau must be at least 0; got '10'"),
        ({"eps": math.inf}, "eps must be finite; got inf"),
        ({"warmup": 2.5}, r"warmup must be at least 0, a whole number; got 2\.5"),
        ({"discount": "1"}, r"discount must be in \[0, 1\]; got '1'"),
        ({"discount": 1.5}, r"discount must be in \[0, 1\]"),
        ({"questions": 0}, "questions must be a positive integer"),
    ],
)
def test_bad_settings_say_what_is_wrong(changes, words):
    with pytest.raises(ValueError, match=words):
        Training(**changes)
