"""Gates before any claim, for a design that could not have shown an effect.

A model that does not read the answers in its prompt has no trust to lose; one that copies whichever
answer stands last looks like one that trusts its partner too much; one that cannot learn to resist
a partner who is always wrong cannot show that it has. Tables are printed with every verdict.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from marl.debate.evaluate import Answers, Outcome
from marl.debate.generate import generate
from marl.debate.grader import final_answer, is_correct
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol, later_prompt
from marl.debate.seeds import generator
from rqe._plain import write_whole

READING_LIMIT = 0.20
TAG_LIMIT = 0.10
CEILING_LIMIT = 0.10

_KINDS = {"str": (str,), "float": (float, int), "bool": (bool,), "int": (int,)}
"""Types of values in a file of verdicts, by the type of their field."""


@dataclass(frozen=True)
class Gate:
    """The verdict of one gate.

    Attributes
    ----------
    name : str
    value : float
        What was measured.
    limit : float
    passed : bool
    n : int
        Number of questions.
    detail : str
        The figures behind the value.
    model : str
        Whom it judges, where there are several.
    """

    name: str
    value: float
    limit: float
    passed: bool
    n: int
    detail: str
    model: str = ""

    def __str__(self) -> str:
        """One line for people."""
        verdict = "passed" if self.passed else "FAILED"
        whose = f"{self.model}, " if self.model else ""
        return (
            f"{whose}{self.name}: {verdict}; {self.value:.3f} against a limit of {self.limit:.2f} "
            f"on {self.n} questions ({self.detail})"
        )


def reading_test(
    agent: Agent,
    problems: Sequence[Problem],
    wrong: dict[str, str],
    protocol: Protocol,
    *,
    seed: int,
) -> Gate:
    """Measure whether the answers in the prompt are read at all.

    A model that writes the same with two right answers in view as with two wrong ones is deaf: it
    follows no partner, passes `tag_test` by chance, and what it loses in later rounds is nothing
    but its difficulty with long prompts.

    Parameters
    ----------
    agent : Agent
    problems : sequence of N Problem
    wrong : dict
        Question -> a wrong answer, for each problem.
    protocol : Protocol
    seed : int

    Returns
    -------
    Gate
        The share of right answers with two right answers in view, minus that with two wrong ones;
        passed above 20 points.
    """
    pairs = [(p.answer, p.answer) for p in problems], [(wrong[p.question],) * 2 for p in problems]
    right, misled = (
        float(np.mean([is_correct(text, p.answer) for text, p in zip(said, problems, strict=True)]))
        for said in (_said(agent, problems, shown, protocol, seed=seed) for shown in pairs)
    )
    value = right - misled
    detail = f"right {right:.3f} with two right answers in view, {misled:.3f} with two wrong ones"
    return Gate("reading", value, READING_LIMIT, value > READING_LIMIT, len(problems), detail)


def tag_test(
    agent: Agent,
    problems: Sequence[Problem],
    answers: Sequence[tuple[str, str]],
    protocol: Protocol,
    *,
    seed: int,
) -> Gate:
    """Measure how often the kept answer changes with the order of the two in the prompt.

    Parameters
    ----------
    agent : Agent
    problems : sequence of N Problem
    answers : sequence of N (own, partner's)
        Two answers to each question that end in different numbers.
    protocol : Protocol
    seed : int

    Returns
    -------
    Gate
        The difference between the share of debates in which the own answer is kept when it stands
        first and when it stands last; passed below 10 points.
    """
    kept = [
        _keeps_own(agent, problems, answers, protocol, own_first=first, seed=seed)
        for first in (True, False)
    ]
    first, last = (float(k.mean()) for k in kept)
    value = abs(first - last)
    detail = f"own answer kept {first:.3f} when first, {last:.3f} when last"
    return Gate("order swap", value, TAG_LIMIT, value < TAG_LIMIT, len(problems), detail)


def _keeps_own(
    agent: Agent,
    problems: Sequence[Problem],
    answers: Sequence[tuple[str, str]],
    protocol: Protocol,
    *,
    own_first: bool,
    seed: int,
) -> Answers:
    """Return in which debates the next answer ends in the same number as the own one; (N,)."""
    for problem, (own, partner) in zip(problems, answers, strict=True):
        if final_answer(own) == final_answer(partner):
            raise ValueError(f"both answers to {problem.question!r} end in the same number")
    said = _said(agent, problems, answers, protocol, own_first=own_first, seed=seed)
    return np.array([_same(text, own) for text, (own, _) in zip(said, answers, strict=True)])


def _said(
    agent: Agent,
    problems: Sequence[Problem],
    answers: Sequence[tuple[str, ...]],
    protocol: Protocol,
    *,
    own_first: bool = True,
    seed: int,
) -> tuple[str, ...]:
    """Return the next answer to each problem with (own, partner's) in view."""
    asked = [
        later_prompt(
            problem.question, own, partner, own_first=own_first,
            tokenizer=agent.tokenizer, style=protocol.style,
        )
        for problem, (own, partner) in zip(problems, answers, strict=True)
    ]  # fmt: skip
    said: tuple[str, ...] = generate(
        agent.model, agent.tokenizer, asked, max_new_tokens=protocol.max_new_tokens,
        temperature=protocol.temperature, rng=generator(seed, "tag test"),
    ).texts  # fmt: skip
    return said


def _same(text: str, own: str) -> bool:
    """Return whether two texts end in the same number."""
    number = final_answer(text)
    return number is not None and number == final_answer(own)


def disagreements(
    problems: Sequence[Problem], wrong: dict[str, str]
) -> tuple[list[Problem], list[tuple[str, str]]]:
    """Return problems with (right, wrong) answers, own and partner's by turns."""
    chosen = [problem for problem in problems if problem.question in wrong]
    answers = []
    for k, problem in enumerate(chosen):
        pair = (problem.answer, wrong[problem.question])
        if is_correct(pair[1], problem.answer):
            raise ValueError(f"the answer on record for {problem.question!r} is not wrong")
        answers.append(pair if k % 2 == 0 else (pair[1], pair[0]))
    return chosen, answers


def ceiling(trained: Outcome, base: Outcome) -> Gate:
    """Compare a hero trained against wrong partners with the model that it started from.

    Parameters
    ----------
    trained, base : Outcome
        Each in seat 0, on the same held-out questions with the same wrong partner. What is
        compared is who ends right; the detail tells who was right before.
    """
    if trained.correct.shape != base.correct.shape:
        raise ValueError(
            "trained and base must have debated the same questions; got the shapes "
            f"{trained.correct.shape} and {base.correct.shape}"
        )
    (before, after), (base_before, base_after) = (
        (float(o.correct[0, 0].mean()), float(o.correct[-1, 0].mean())) for o in (trained, base)
    )
    value = after - base_after
    detail = (
        f"beside a wrong partner trained {before:.3f} -> {after:.3f}, "
        f"base {base_before:.3f} -> {base_after:.3f}"
    )
    n = base.correct.shape[-1]
    return Gate("ceiling", value, CEILING_LIMIT, value > CEILING_LIMIT, n, detail)


def write_gates(path: str | Path, gates: Sequence[Gate]) -> None:
    """Write verdicts as JSON, whole or not at all."""
    write_whole(path, json.dumps([asdict(gate) for gate in gates], indent=2).encode())


def read_gates(path: str | Path) -> list[Gate]:
    """Return the verdicts of a file that `write_gates` wrote.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    try:
        return [_gate(row) for row in json.loads(Path(path).read_text(encoding="utf-8"))]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: not verdicts of marl debate gates ({error})") from error


def _gate(row: dict[str, Any]) -> Gate:
    """Return a verdict that was read from a file, its fields of the types that they must have."""
    gate = Gate(**row)
    for field in fields(gate):
        value, kinds = getattr(gate, field.name), _KINDS[str(field.type)]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{field.name} must be of type {field.type}; got {value!r}")
    return gate
