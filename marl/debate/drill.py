"""Train one agent beside a partner that does not learn, and judge a design by its gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from marl.debate.episode import FixedSpeaker, ModelSpeaker, hold
from marl.debate.evaluate import play, wrong_partner
from marl.debate.gates import Gate, ceiling, disagreements, reading_test, tag_test
from marl.debate.learn import Lesson, centred, improve, rewards
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.debate.seeds import generator
from marl.debate.settings import Training
from marl.debate.solo import mistakes


def drill(
    agent: Agent,
    partner: FixedSpeaker,
    problems: Sequence[Problem],
    training: Training,
    protocol: Protocol,
    *,
    seed: int,
    report: Callable[[int, float], None] | None = None,
) -> Agent:
    """Return a copy of the agent, trained for its own right answers beside a fixed partner.

    Parameters
    ----------
    agent : Agent
        Not changed.
    partner : FixedSpeaker
        With an answer on record for each problem.
    problems : sequence of Problem
    training : Training
        Batch sizes, rates, credit; the budget is ``debates``, each update takes one batch.
    protocol : Protocol
    seed : int
    report : callable, optional
        Called with (update, accuracy of the last round) after each update.
    """
    learner = agent.clone()
    optimiser = torch.optim.Adam(list(learner.trainable.values()), lr=training.lr)
    for update in range(training.debates // (training.questions * training.group)):
        rng = generator(seed, update, "drill")
        drawn = torch.randint(len(problems), (training.questions,), generator=rng).tolist()
        chosen = [problems[k] for k in drawn for _ in range(training.group)]
        speaker = ModelSpeaker(learner, len(chosen))
        debate = hold(chosen, (speaker, partner), protocol, key=(seed, update, "drill"))
        earned = rewards(debate.correct()[:, 0], discount=training.discount, credit=training.credit)
        said = [turn[0].completions for turn in debate.turns]
        rounds = [completions for completions in said if completions is not None]
        gains = centred(earned, training.group).to(rounds[0].ids.device)
        advantages = [
            gain[:, None].expand(-1, completions.answer_mask.shape[1])
            for gain, completions in zip(gains, rounds, strict=True)
        ]
        for group in optimiser.param_groups:
            group["lr"] = training.lr * min(1.0, (update + 1) / max(1, training.warmup))
        improve(
            learner, optimiser, Lesson(rounds, advantages, list(earned)), training,
            temperature=protocol.temperature, eps=training.eps,
        )  # fmt: skip
        if report is not None:
            report(update + 1, float(debate.correct()[-1, 0].float().mean()))
    return learner


def judge(
    agent: Agent,
    to_learn: Sequence[Problem],
    held_out: Sequence[Problem],
    training: Training,
    protocol: Protocol,
    *,
    seed: int,
    report: Callable[[int, float], None] | None = None,
) -> list[Gate]:
    """Return the verdict of every gate on the model from which debaters would start.

    Parameters
    ----------
    agent : Agent
        Not changed.
    to_learn, held_out : sequence of Problem
        Wrong partners are built from the agent's own mistakes on each.
    training : Training
        Of the agent that debates wrong partners alone.
    protocol : Protocol
    seed : int
    report : callable, optional
        Called with (update, accuracy) of that training.

    Raises
    ------
    ValueError
        If the agent makes no mistakes to build partners from.
    """
    wrong = mistakes(agent, held_out, protocol, seed=seed)
    lessons = mistakes(agent, to_learn, protocol, seed=seed + 1, tries=4)
    problems, answers = disagreements(held_out, wrong)
    beaten = [p for p in to_learn if p.question in lessons]
    if not problems or not beaten:
        raise ValueError("the agent makes no mistakes on these problems: harder ones are needed")
    read = reading_test(agent, problems, wrong, protocol, seed=seed)
    order = tag_test(agent, problems, answers, protocol, seed=seed)
    trained = drill(
        agent, wrong_partner(lessons, beaten), beaten, training, protocol, seed=seed, report=report
    )
    partner = wrong_partner(wrong, problems)
    found = [
        play(problems, (ModelSpeaker(hero), partner), protocol, seed=seed)[0]
        for hero in (trained, agent)
    ]
    return [read, order, ceiling(found[0], found[1])]
