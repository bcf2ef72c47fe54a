"""Who sees what in which round: the prompts of a debate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from marl.debate import _fields

_TASK = "Solve this problem. Show each step. End with a line '#### <number>'."
_REVISE = (
    "Two answers were given, yours and your partner's; either may be wrong. "
    "Solve the problem again. Show each step. End with a line '#### <number>'."
)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The rules of a debate (arXiv 2602.21515, section 6.4).

    In round 1 each agent sees the question alone. In each later round it sees the question and
    both agents' answers of the round before, nothing else, and answers again.

    Attributes
    ----------
    rounds : int, at least 1
        Number of answers that each agent gives.
    order : {"own_first", "partner_first", "random"}
        Which of the two answers stands first in a prompt. Untrained models keep the answer that
        stands last, whoever gave it: judge with `marl.debate.gates.tag_test`.
    style : {"auto", "plain", "chat"}
        "chat" wraps the prompt in the tokenizer's chat template, "auto" does so where it has one.
    max_new_tokens : int
        Longest answer, in tokens.
    temperature : float, at least 0
        Of sampling; 0 takes the most likely token.
    """

    rounds: int = 3
    order: Literal["own_first", "partner_first", "random"] = "own_first"
    style: Literal["auto", "plain", "chat"] = "auto"
    max_new_tokens: int = 64
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Check each field."""
        _fields.positive_whole(self, "rounds", "max_new_tokens")
        _fields.one_of(
            self, order=("own_first", "partner_first", "random"), style=("auto", "plain", "chat")
        )
        _fields.not_negative(self, "temperature")


def first_prompt(question: str, *, tokenizer: Any, style: str = "auto") -> str:
    """Return the prompt of round 1, made of the question alone."""
    if _is_chat(tokenizer, style):
        return _chat(tokenizer, f"{_TASK}\n\n{question}")
    return f"Question: {question}\nAnswer:"


def later_prompt(
    question: str,
    own: str,
    partner: str,
    *,
    own_first: bool,
    tokenizer: Any,
    style: str = "auto",
) -> str:
    """Return the prompt of a later round: the question and both answers of the round before."""
    answers = [f"Yours: {own.strip()}", f"Partner: {partner.strip()}"]
    shown = "\n".join(answers if own_first else answers[::-1])
    if _is_chat(tokenizer, style):
        return _chat(tokenizer, f"{_REVISE}\n\nQuestion: {question}\n\n{shown}")
    return f"Question: {question}\n{shown}\nAnswer:"


def prompts(
    questions: Sequence[str],
    answers: tuple[Sequence[str], Sequence[str]] | None,
    *,
    own_first: Sequence[bool],
    tokenizer: Any,
    style: str = "auto",
) -> list[str]:
    """Return one prompt per question; ``answers`` are (own, partner's), or None in round 1."""
    if answers is None:
        return [first_prompt(q, tokenizer=tokenizer, style=style) for q in questions]
    return [
        later_prompt(q, own, partner, own_first=first, tokenizer=tokenizer, style=style)
        for q, own, partner, first in zip(questions, *answers, own_first, strict=True)
    ]


def _is_chat(tokenizer: Any, style: str) -> bool:
    """Return whether prompts go through the tokenizer's chat template."""
    has = bool(getattr(tokenizer, "chat_template", None))
    if style == "chat" and not has:
        raise ValueError("style 'chat' needs a tokenizer with a chat template; this one has none")
    return has and style != "plain"


def _chat(tokenizer: Any, content: str) -> str:
    """Return one user turn in the tokenizer's own chat format, ready for the answer."""
    message = [{"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    # Some templates write the start-of-text that the tokenizer adds as well: once is enough.
    start = getattr(tokenizer, "bos_token", None)
    adds = bool(start) and tokenizer("")["input_ids"] == [tokenizer.bos_token_id]
    return str(text).removeprefix(str(start)) if adds else str(text)
