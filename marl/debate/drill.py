"""Train one agent against a partner that does not learn: the second gate's ceiling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from marl.debate.episode import FixedSpeaker, ModelSpeaker, hold
from marl.debate.learn import Lesson, centred, improve, rewards
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.debate.seeds import generator
from marl.debate.settings import Training


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
