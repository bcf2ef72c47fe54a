"""What a model says when it is asked alone: accuracy, mistakes, and the null of a debate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from marl.debate.generate import batches, generate
from marl.debate.grader import final_answer, is_correct
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol, first_prompt
from marl.debate.seeds import generator

_BATCH = 256


def solo_answers(
    agent: Agent, problems: Sequence[Problem], protocol: Protocol, rng: torch.Generator
) -> list[str]:
    """Return one sampled answer to each question alone."""
    said: list[str] = []
    for index in batches(len(problems), _BATCH):
        asked = [
            first_prompt(problems[k].question, tokenizer=agent.tokenizer, style=protocol.style)
            for k in index.tolist()
        ]
        said += generate(
            agent.model, agent.tokenizer, asked, max_new_tokens=protocol.max_new_tokens,
            temperature=protocol.temperature, rng=rng,
        ).texts  # fmt: skip
    return said


def solo_tries(
    agent: Agent, problems: Sequence[Problem], protocol: Protocol, *, seed: int, tries: int = 3
) -> NDArray[np.bool_]:
    """Return which of several independent solo tries are right, (tries, N): the null of a debate.

    A wrong first answer that ends right may be nothing but another draw.
    """
    right = []
    for k in range(tries):
        texts = solo_answers(agent, problems, protocol, generator(seed, k, "alone"))
        pairs = zip(texts, problems, strict=True)
        right.append([is_correct(text, problem.answer) for text, problem in pairs])
    return np.array(right, dtype=bool)


def mistakes(
    agent: Agent,
    problems: Sequence[Problem],
    protocol: Protocol,
    *,
    seed: int,
    tries: int = 8,
) -> dict[str, str]:
    """Return, per question, a wrong solution that the model itself wrote when asked alone.

    Partners made of them are believed as real ones are; made-up slips are spotted. Questions that
    the model got right, or did not finish, in all its tries are left out.
    """
    found: dict[str, str] = {}
    for attempt in range(tries):
        left = [problem for problem in problems if problem.question not in found]
        if not left:
            break
        texts = solo_answers(agent, left, protocol, generator(seed, attempt, "alone"))
        for problem, text in zip(left, texts, strict=True):
            if final_answer(text) is not None and not is_correct(text, problem.answer):
                found[problem.question] = text
    return found
