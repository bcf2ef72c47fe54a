"""Hold debates: two speakers answer a batch of problems, round after round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import torch
from torch import Tensor

from marl.debate.generate import Completions, generate
from marl.debate.grader import is_correct
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol, prompts
from marl.debate.seeds import derive, generator


class Speaker(Interface):
    """Whoever takes a seat: a model, a fixed text, another generation engine."""

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer, whose chat template shapes the prompts; None for none."""

    def answer(
        self,
        problems: Sequence[Problem],
        texts: Sequence[str],
        protocol: Protocol,
        rng: torch.Generator,
    ) -> tuple[tuple[str, ...], Completions | None]:
        """Return one answer per prompt, and its tokens if they are to be learned from."""


@dataclass(frozen=True)
class ModelSpeaker:
    """A model in a seat."""

    agent: Agent
    batch: int = 256

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self.agent.tokenizer

    def answer(
        self,
        problems: Sequence[Problem],
        texts: Sequence[str],
        protocol: Protocol,
        rng: torch.Generator,
    ) -> tuple[tuple[str, ...], Completions | None]:
        """Return sampled answers; a single batch keeps its tokens."""
        pieces = [
            generate(
                self.agent.model, self.agent.tokenizer, texts[k : k + self.batch],
                max_new_tokens=protocol.max_new_tokens, temperature=protocol.temperature, rng=rng,
            )
            for k in range(0, len(texts), self.batch)
        ]  # fmt: skip
        said = tuple(text for piece in pieces for text in piece.texts)
        return said, pieces[0] if len(pieces) == 1 else None


@dataclass(frozen=True)
class FixedSpeaker:
    """Gives each question the same answer in every round, whatever the other says.

    Attributes
    ----------
    answers : dict
        Question -> answer.
    """

    answers: dict[str, str]
    tokenizer: Any = None

    def answer(
        self,
        problems: Sequence[Problem],
        texts: Sequence[str],
        protocol: Protocol,
        rng: torch.Generator,
    ) -> tuple[tuple[str, ...], Completions | None]:
        """Return the answers on record."""
        return tuple(self.answers[problem.question] for problem in problems), None


@dataclass(frozen=True)
class Turn:
    """What one seat said in one round.

    Attributes
    ----------
    prompts, texts : tuple of B str
    correct : Tensor of bool, shape (B,)
    completions : Completions or None
        Tokens, where the speaker is a model and the batch was one piece.
    """

    prompts: tuple[str, ...]
    texts: tuple[str, ...]
    correct: Tensor
    completions: Completions | None


@dataclass(frozen=True)
class Debate:
    """A batch of debates.

    Attributes
    ----------
    problems : tuple of B Problem
    turns : tuple, one per round, of (Turn of seat 0, Turn of seat 1)
    """

    problems: tuple[Problem, ...]
    turns: tuple[tuple[Turn, Turn], ...]

    def correct(self) -> Tensor:
        """Return who was right when; bool, shape (rounds, 2, B)."""
        return torch.stack([torch.stack([t.correct for t in turn]) for turn in self.turns])

    def transcripts(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per debate, for a file of JSON lines."""
        for k, problem in enumerate(self.problems):
            yield {
                "question": problem.question,
                "solution": problem.answer,
                "template": problem.template,
                "rounds": [
                    [{"text": t.texts[k], "correct": bool(t.correct[k])} for t in turn]
                    for turn in self.turns
                ],
            }


def hold(
    problems: Sequence[Problem],
    speakers: tuple[Speaker, Speaker],
    protocol: Protocol,
    *,
    key: tuple[int | str, ...],
    skip: int = 0,
) -> Debate:
    """Return debates of two speakers, one per problem.

    Parameters
    ----------
    problems : sequence of B Problem
    speakers : (seat 0, seat 1)
    protocol : Protocol
    key : tuple of int or str
        Seeds everything: the same key, models and batch give the same debates.
    skip : int
        Debates of the same batch that are held elsewhere, before these: their draws are left out.
    """
    turns: list[tuple[Turn, Turn]] = []
    for r in range(protocol.rounds):
        # One draw for both seats' prompts of a round: swapping seats swaps the debate exactly.
        first = _own_first(skip + len(problems), protocol, key, r)[skip:]
        streams = [_stream(protocol, key, r, seat, skip) for seat in (0, 1)]
        turns.append(
            (
                _turn(problems, speakers, turns, protocol, seat=0, first=first, rng=streams[0]),
                _turn(problems, speakers, turns, protocol, seat=1, first=first, rng=streams[1]),
            )
        )
    return Debate(tuple(problems), tuple(turns))


def _turn(
    problems: Sequence[Problem],
    speakers: tuple[Speaker, Speaker],
    turns: Sequence[tuple[Turn, Turn]],
    protocol: Protocol,
    *,
    seat: int,
    first: list[bool],
    rng: torch.Generator,
) -> Turn:
    """Return what one seat says in the next round."""
    answers = (turns[-1][seat].texts, turns[-1][1 - seat].texts) if turns else None
    speaker = speakers[seat]
    asked = prompts(
        [problem.question for problem in problems], answers, own_first=first,
        tokenizer=speaker.tokenizer, style=protocol.style,
    )  # fmt: skip
    texts, completions = speaker.answer(problems, asked, protocol, rng)
    pairs = zip(texts, problems, strict=True)
    correct = torch.tensor([is_correct(text, problem.answer) for text, problem in pairs])
    return Turn(tuple(asked), texts, correct, completions)


def _stream(
    protocol: Protocol, key: tuple[int | str, ...], round_: int, seat: int, skip: int
) -> torch.Generator:
    """Return the random numbers of a seat's round, behind those of the debates before."""
    rng = generator(*key, "round", round_, "seat", seat)
    torch.rand((skip, protocol.max_new_tokens), generator=rng)
    return rng


def _own_first(n: int, protocol: Protocol, key: tuple[int | str, ...], round_: int) -> list[bool]:
    """Return, per debate, whether a seat's own answer stands first in its prompt."""
    if protocol.order != "random":
        return [protocol.order == "own_first"] * n
    rng = torch.Generator().manual_seed(derive(*key, "order", round_))
    draws: list[bool] = (torch.rand(n, generator=rng) < 0.5).tolist()
    return draws
