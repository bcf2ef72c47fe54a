"""Supervised training of a small model: solve a problem alone, and with two answers at hand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from marl.debate.generate import batches, generate
from marl.debate.grader import final_answer, is_correct
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol, first_prompt, later_prompt
from marl.debate.seeds import generator
from marl.debate.settings import SFT

_IGNORE = -100


def train_supervised(
    agent: Agent,
    problems: Sequence[Problem],
    settings: SFT,
    *,
    seed: int,
    held_out: Sequence[Problem] = (),
    report: Callable[[int, float, float], None] | None = None,
) -> float:
    """Train a model on worked solutions, in place; return its last measured accuracy.

    Parameters
    ----------
    agent : Agent
    problems : sequence of Problem
        To learn from.
    settings : SFT
    seed : int
        Of examples and their order.
    held_out : sequence of Problem
        On which accuracy is measured; ``problems`` if empty.
    report : callable, optional
        Called with (step, loss, accuracy) after each measurement.
    """
    rng = random.Random(seed)
    optimiser = torch.optim.AdamW(agent.model.parameters(), lr=settings.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _rate(k, settings.steps))
    judged = list(held_out or problems)[: settings.check_on]
    accuracy = 0.0
    for step, texts in enumerate(_examples(problems, settings, rng), start=1):
        ids, mask, labels = encode(agent, texts)
        positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
        out = agent.model(input_ids=ids, attention_mask=mask, position_ids=positions, labels=labels)
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(agent.model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        if step % settings.check_every == 0 or step == settings.steps:
            accuracy = solo_accuracy(agent, judged, seed=seed)
            if report is not None:
                report(step, float(out.loss.detach()), accuracy)
            if accuracy >= settings.stop_at:
                break
    return accuracy


def _rate(step: int, steps: int) -> float:
    """Return the factor of the learning rate: warm-up, then a cosine to a tenth."""
    warm = min(100, max(1, steps // 10))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return 0.1 + 0.45 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def _examples(
    problems: Sequence[Problem], settings: SFT, rng: random.Random
) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of (prompt, answer)."""
    for _ in range(settings.steps):
        yield [
            _example(rng.choice(problems), settings, rng, problems) for _ in range(settings.batch)
        ]


def _example(
    problem: Problem, settings: SFT, rng: random.Random, problems: Sequence[Problem]
) -> tuple[str, str]:
    """Return one (prompt, right answer), with or without two answers to look at."""
    if rng.random() >= settings.debate_share:
        return first_prompt(problem.question, tokenizer=None), problem.answer
    shown = [
        wrong_answer(problem, rng) if rng.random() < settings.wrong_share else problem.answer
        for _ in range(2)
    ]
    prompt = later_prompt(problem.question, *shown, own_first=rng.random() < 0.5, tokenizer=None)
    return prompt, problem.answer


def wrong_answer(problem: Problem, rng: random.Random) -> str:
    """Return the worked solution with one slip, carried through to a wrong final number."""
    lines = problem.answer.splitlines()
    truth = final_answer(problem.answer)
    slip = rng.choice([-10, -3, -2, -1, 1, 2, 3, 10])
    wrong = str(max(0, int(truth or 0) + slip))
    if final_answer(f"#### {wrong}") == truth:
        wrong = str(int(truth or 0) + 1)
    if len(lines) > 1:
        lines[-2] = lines[-2].rsplit(" ", 1)[0] + f" {wrong}"
    return "\n".join([*lines[:-1], f"#### {wrong}"])


def encode(agent: Agent, texts: Sequence[tuple[str, str]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, mask and labels, (B, L), of prompts followed by answers; only answers count."""
    tokenizer = agent.tokenizer
    device = next(agent.model.parameters()).device
    rows = []
    for prompt, answer in texts:
        left = tokenizer(prompt)["input_ids"]
        right = tokenizer(" " + answer, add_special_tokens=False)["input_ids"]
        rows.append((left, [*right, tokenizer.eos_token_id]))
    longest = max(len(left) + len(right) for left, right in rows)
    shape = (len(rows), longest)
    ids = torch.full(shape, tokenizer.pad_token_id)
    mask, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, _IGNORE)
    for k, (left, right) in enumerate(rows):
        n = len(left) + len(right)
        ids[k, :n] = torch.tensor(left + right)
        mask[k, :n] = 1
        labels[k, len(left) : n] = torch.tensor(right)
    return ids.to(device), mask.to(device), labels.to(device)


def solo_accuracy(
    agent: Agent,
    problems: Sequence[Problem],
    *,
    seed: int,
    protocol: Protocol | None = None,
    batch: int = 256,
) -> float:
    """Return the share of problems that a model solves alone, one sampled answer each."""
    protocol = protocol or Protocol()
    rng = generator(seed, "solo")
    right = 0
    for index in batches(len(problems), batch):
        chosen = [problems[k] for k in index.tolist()]
        answers = generate(
            agent.model,
            agent.tokenizer,
            [
                first_prompt(p.question, tokenizer=agent.tokenizer, style=protocol.style)
                for p in chosen
            ],
            max_new_tokens=protocol.max_new_tokens,
            temperature=protocol.temperature,
            rng=rng,
        )
        pairs = zip(answers.texts, chosen, strict=True)
        right += sum(is_correct(text, p.answer) for text, p in pairs)
    return right / len(problems)
