"""Supervised training of a small model: solve alone, read two answers, trust one of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from marl.debate.grader import is_correct
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol, first_prompt, later_prompt
from marl.debate.seeds import derive, generator
from marl.debate.settings import SFT
from marl.debate.solo import solo_answers, solo_tries

Example = tuple[str, str]
Report = Callable[[int, float, float], None]
_IGNORE = -100
_WARMUP = 50
_POOL = 1500  # problems whose own answers the second part shows
_TRIES = 4  # answers sampled to each
_SECOND = 0.35  # learning rate of the last part, over the first one's
_READING = 0.8  # share of the examples with answers in view while it learns to read them
_TRUSTING = 0.5  # and while it learns whom to trust
_CHUNK = 8  # batches that are drawn together and sorted by length, against padding


def train_supervised(
    agent: Agent,
    problems: Sequence[Problem],
    settings: SFT,
    *,
    seed: int,
    held_out: Sequence[Problem] = (),
    report: Report | None = None,
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
    judged = list(held_out or problems)[: settings.check_on]
    course = _Course(agent, settings, judged, seed, report)
    accuracy = 0.0
    if settings.steps:
        draw = _drawn(agent, problems, settings, 0.0, seed)
        accuracy = course.run(draw, settings.steps, stop_at=settings.stop_at)
    if settings.read_steps:
        both_right = replace(settings, own_wrong=0.0, partner_wrong=0.0)
        draw = _drawn(agent, problems, both_right, _READING, seed)
        accuracy = course.run(draw, settings.read_steps)
    if settings.debate_steps:
        draw = _drawn(agent, problems, settings, _TRUSTING, seed)
        accuracy = course.run(draw, settings.debate_steps, slower=_SECOND)
    return accuracy


def _drawn(
    agent: Agent, problems: Sequence[Problem], settings: SFT, beside: float, seed: int
) -> Callable[[], Example]:
    """Return what draws a part's examples, a share of them with two of the model's own answers.

    They are what the model answers now. No part depends on when the one before has stopped.
    """
    tried = own_answers(agent, problems[:_POOL], seed=seed) if beside else []
    rng = random.Random(seed)

    def draw() -> Example:
        if beside and rng.random() < beside:
            return debate_example(tried, settings, rng)
        problem = rng.choice(problems)
        return first_prompt(problem.question, tokenizer=None), problem.answer

    return draw


@dataclass
class _Course:
    """A model in training, with what its accuracy is measured on."""

    agent: Agent
    settings: SFT
    judged: Sequence[Problem]
    seed: int
    report: Report | None
    done: int = 0

    def run(
        self,
        draw: Callable[[], Example],
        steps: int,
        *,
        stop_at: float | None = None,
        slower: float = 1.0,
    ) -> float:
        """Take steps on examples as drawn, all of them or until an accuracy; return the last one.

        The rate falls to a tenth; ``slower`` is its factor.
        """
        s = self.settings
        optimiser = torch.optim.AdamW(
            self.agent.model.parameters(), lr=slower * s.lr, betas=(0.9, 0.98), weight_decay=0.01
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _rate(k, steps))
        accuracy = 0.0
        for step, texts in enumerate(_batches(draw, s.batch, steps), start=1):
            loss = _step(self.agent, texts, optimiser)
            schedule.step()
            last = step == steps
            if last or (stop_at is not None and step % s.check_every == 0):
                tries = solo_tries(self.agent, self.judged, Protocol(), seed=self.seed, tries=1)
                accuracy = float(tries.mean())
                if self.report is not None:
                    self.report(self.done + step, loss, accuracy)
                if stop_at is not None and accuracy >= stop_at:
                    break
        self.done += step
        return accuracy


def _step(agent: Agent, texts: Sequence[Example], optimiser: torch.optim.Optimizer) -> float:
    """Take one step on (prompt, answer) pairs; return the loss per token before it."""
    ids, mask, labels = encode(agent, texts)
    positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
    out = agent.model(input_ids=ids, attention_mask=mask, position_ids=positions, labels=labels)
    optimiser.zero_grad(set_to_none=True)
    out.loss.backward()
    torch.nn.utils.clip_grad_norm_(agent.model.parameters(), 1.0)
    optimiser.step()
    return float(out.loss.detach())


def _rate(step: int, steps: int) -> float:
    """Return the factor of the learning rate: warm-up, then a cosine to a tenth."""
    warm = min(_WARMUP, max(1, steps // 10))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return 0.1 + 0.45 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def _batches(draw: Callable[[], Example], size: int, steps: int) -> Iterator[list[Example]]:
    """Yield batches of examples; those of one batch have about the same length."""
    for done in range(0, steps, _CHUNK):
        count = min(_CHUNK, steps - done)
        drawn = sorted((draw() for _ in range(size * count)), key=lambda e: len(e[0]) + len(e[1]))
        order = list(range(count))
        random.Random(derive(done, "order")).shuffle(order)
        yield from (drawn[k * size : (k + 1) * size] for k in order)


@dataclass(frozen=True)
class Tried:
    """A problem with the answers that a model gave to it alone.

    Attributes
    ----------
    problem : Problem
    right, wrong : tuple of str
        ``right`` holds at least the worked solution.
    """

    problem: Problem
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def own_answers(
    agent: Agent, problems: Sequence[Problem], *, seed: int, tries: int = _TRIES
) -> list[Tried]:
    """Return problems with a model's own sampled answers, sorted into right and wrong."""
    said = [
        solo_answers(agent, problems, Protocol(), generator(seed, "own", k)) for k in range(tries)
    ]
    tried = []
    for k, problem in enumerate(problems):
        answers = [texts[k] for texts in said]
        right = [text for text in answers if is_correct(text, problem.answer)]
        wrong = [text for text in answers if not is_correct(text, problem.answer)]
        tried.append(Tried(problem, tuple(right or [problem.answer]), tuple(wrong)))
    return tried


def debate_example(tried: Sequence[Tried], settings: SFT, rng: random.Random) -> Example:
    """Return a (prompt, right answer) whose prompt shows two of a model's own answers.

    Each is wrong with the probability that its tag has; either may stand first.
    """
    one = rng.choice(tried)
    shown = [
        rng.choice(one.wrong if one.wrong and rng.random() < share else one.right)
        for share in (settings.own_wrong, settings.partner_wrong)
    ]
    first = rng.random() < 0.5
    prompt = later_prompt(one.problem.question, *shown, own_first=first, tokenizer=None)
    return prompt, one.problem.answer


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
