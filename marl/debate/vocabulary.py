"""A tokenizer for generated problems: whole words, numbers by two digits, text kept exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from marl.debate.problems import Problem
from marl.debate.protocol import first_prompt, later_prompt

# A word, one or two digits, a line break or a run of other signs; each with the blank before it.
_PIECES = r" ?\p{L}+| ?[0-9]{1,2}|\n| ?[^\s\p{L}0-9]+"
_PAD, _START, _END, _UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"


def build_tokenizer(problems: Iterable[Problem]) -> Any:
    """Return a fast tokenizer over the words of the given problems and of the debate's prompts.

    A number of one or two digits is a token, a longer one a sequence of them: none is unknown. It
    saves and loads as any Hugging Face tokenizer (``tokenizer.json``).

    Parameters
    ----------
    problems : iterable of Problem
        At least one; words that they do not hold become ``<unk>``.

    Raises
    ------
    ValueError
        If there is no problem.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = Regex(_PIECES)
    split = pre_tokenizers.Split(pieces, behavior="isolated")
    words = sorted({word for text in _texts(problems) for word, _ in split.pre_tokenize_str(text)})
    if not words:
        raise ValueError("problems must hold at least one problem; got none")
    bare = {word.strip(" ") for word in words} | _numbers()
    known = {blank + word for word in bare - {"\n"} for blank in ("", " ")} | {"\n"}
    tokens = [_PAD, _START, _END, _UNKNOWN, *sorted(known)]
    model = models.WordLevel({token: k for k, token in enumerate(tokens)}, unk_token=_UNKNOWN)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=_PAD, bos_token=_START, eos_token=_END,
        unk_token=_UNKNOWN, padding_side="left", clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _numbers() -> set[str]:
    """Return every text of one or two digits."""
    return {str(k) for k in range(10)} | {f"{k:02d}" for k in range(100)}


def _texts(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield every kind of text that a model of generated problems reads or writes."""
    for problem in problems:
        yield first_prompt(problem.question, tokenizer=None) + " " + problem.answer
        yield later_prompt(
            problem.question, problem.answer, problem.answer, own_first=True, tokenizer=None
        )
