"""Batched sampling with a key-value cache, and the log-probabilities of what was sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_FEWER = 7 / 8  # share of rows that still run at which the others are left out


@dataclass(frozen=True)
class Completions:
    """Prompts and the answers that a model gave to them.

    Attributes
    ----------
    ids : Tensor of int, shape (B, P + T)
        Prompts, padded on the left to P tokens, then answers, padded on the right to T tokens.
    mask : Tensor of bool, shape (B, P + T)
        Where ``ids`` is no padding.
    n_prompt : int
        P.
    log_probs : Tensor, shape (B, T)
        Log-probability of each token of the answers when it was sampled, at the temperature of
        sampling; 0 behind an answer's end.
    texts : tuple of str
        The answers.
    """

    ids: Tensor
    mask: Tensor
    n_prompt: int
    log_probs: Tensor
    texts: tuple[str, ...]

    @property
    def answer_mask(self) -> Tensor:
        """Where the answers' tokens are, end-of-text included; bool, shape (B, T)."""
        return self.mask[:, self.n_prompt :]

    def rows(self, index: Tensor) -> Completions:
        """Return some of the rows, without the columns that are padding in all of them."""
        ids, mask = self.ids[index], self.mask[index]
        used = mask.any(dim=0).nonzero()
        first, last = int(used[0]), int(used[-1]) + 1
        return Completions(
            ids[:, first:last],
            mask[:, first:last],
            self.n_prompt - first,
            self.log_probs[index][:, : last - self.n_prompt],
            tuple(self.texts[k] for k in index.tolist()),
        )


@torch.no_grad()
def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float,
    rng: torch.Generator,
) -> Completions:
    """Return one sampled answer per prompt.

    Each row has its own stream of uniform numbers, drawn before the first token, and its positions
    do not count padding: what a row says depends neither on the longest prompt of its batch nor on
    when the other rows end (up to rounding in the model).

    Parameters
    ----------
    model, tokenizer
        A causal model and its tokenizer, with a padding token.
    prompts : sequence of B str
    max_new_tokens : int
        T at most; an answer ends at the tokenizer's end-of-text or is cut here.
    temperature : float
        0 takes the most likely token.
    rng : torch.Generator
        On the CPU, whatever the model's device: the same numbers everywhere.

    Raises
    ------
    ValueError
        If the longest prompt and answer do not fit into the model's context.
    """
    once = list(dict.fromkeys(prompts))
    place = {prompt: k for k, prompt in enumerate(once)}
    encoded = tokenizer(once, padding=True, padding_side="left", return_tensors="pt")
    device = next(model.parameters()).device
    copies = torch.tensor([place[prompt] for prompt in prompts])
    ids, mask = encoded["input_ids"][copies], encoded["attention_mask"][copies]
    ids, mask = ids.to(device), mask.to(device).bool()
    require_context(model, ids.shape[1] + max_new_tokens)
    uniform = torch.rand((len(ids), max_new_tokens), generator=rng).to(device)
    tokens, log_probs = _sample(model, tokenizer, ids, mask, temperature, uniform)
    answered = _until_end(tokens, _end(tokenizer))
    tokens = tokens.masked_fill(~answered, tokenizer.pad_token_id)
    texts = tuple(tokenizer.batch_decode(tokens, skip_special_tokens=True))
    return Completions(
        torch.cat([ids, tokens], dim=1),
        torch.cat([mask, answered], dim=1),
        ids.shape[1],
        log_probs.masked_fill(~answered, 0.0),
        texts,
    )


def _sample(
    model: Any, tokenizer: Any, ids: Tensor, mask: Tensor, temperature: float, uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Return tokens and their log-probabilities, (B, T); rubbish behind an end-of-text.

    A prompt that stands in several rows is read once, and rows that have ended are left out.
    """
    end, rows = _end(tokenizer), torch.arange(len(ids), device=ids.device)
    tokens = torch.zeros(uniform.shape, dtype=torch.long, device=ids.device)
    log_probs = torch.zeros(uniform.shape, device=ids.device)
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    cache, logits = _read_prompts(model, ids, mask)
    positions = _positions(mask)[:, -1:]
    for t in range(uniform.shape[1]):
        token, log_prob = _draw(logits, temperature, uniform[rows, t])
        tokens[rows, t], log_probs[rows, t] = token, log_prob
        ended = ended | (token == end)
        left = int((~ended).sum())
        if left == 0 or t + 1 == uniform.shape[1]:
            break
        if left <= _FEWER * len(rows) and _selects(cache):
            on = (~ended).nonzero()[:, 0]
            cache.batch_select_indices(on)
            rows, token, ended = rows[on], token[on], ended[on]
            positions, mask = positions[on], mask[on]
        positions = positions + 1
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        cache, logits = _next_logits(model, token[:, None], mask, positions, cache)
    return tokens[:, : t + 1], log_probs[:, : t + 1]


def _read_prompts(model: Any, ids: Tensor, mask: Tensor) -> tuple[Any, Tensor]:
    """Return the cache of some prompts and the logits of their first answers' tokens, (B, V)."""
    first, copies = distinct(ids, mask)
    if len(first) < len(ids):
        few, kept = ids[first], mask[first]
        cache, logits = _next_logits(model, few, kept, _positions(kept), None)
        if _selects(cache):
            cache.batch_select_indices(copies)
            return cache, logits[copies]
    return _next_logits(model, ids, mask, _positions(mask), None)


def _next_logits(
    model: Any, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any
) -> tuple[Any, Tensor]:
    """Return the cache after some more tokens, and the logits of what follows them, (B, V)."""
    out = model(
        input_ids=ids, attention_mask=mask.long(), position_ids=positions,
        past_key_values=cache, use_cache=True, logits_to_keep=1,
    )  # fmt: skip
    return out.past_key_values, out.logits[:, -1]


def _selects(cache: Any) -> bool:
    """Return whether rows of a cache can be picked; caches of recurrent models may not do it."""
    layers = getattr(cache, "layers", ())
    return bool(layers) and all(hasattr(layer, "batch_select_indices") for layer in layers)


def distinct(*columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return one row, the first, of each kind of rows that are equal, and the kind of each row.

    Parameters
    ----------
    *columns : Tensor, shape (B, any)
        The parts of the rows.

    Examples
    --------
    >>> import torch
    >>> from marl.debate.generate import distinct
    >>> first, kinds = distinct(torch.tensor([[1], [2], [1]]))
    >>> first.tolist(), kinds.tolist()
    ([0, 1], [0, 1, 0])
    """
    rows = torch.cat([column.long() for column in columns], dim=1)
    kinds = rows.unique(dim=0, return_inverse=True)[1]
    places = torch.arange(len(rows), device=rows.device)
    first = torch.full((int(kinds.max()) + 1,), len(rows), device=rows.device)
    return first.scatter_reduce(0, kinds, places, "amin"), kinds


def _draw(logits: Tensor, temperature: float, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Return a token per row by inversion of its distribution, and its log-probability; (B,)."""
    if temperature == 0.0:
        scores = logits.float().log_softmax(dim=-1)
        token = scores.argmax(dim=-1)
    else:
        scores = (logits.float() / temperature).log_softmax(dim=-1)
        steps = scores.double().exp().cumsum(dim=-1)
        target = uniform.double() * steps[:, -1]
        token = torch.searchsorted(steps, target[:, None], right=True)[:, 0]
        token = token.clamp(max=logits.shape[-1] - 1)
    return token, scores.gather(1, token[:, None])[:, 0]


def _positions(mask: Tensor) -> Tensor:
    """Return the position of each token, counted without padding; (B, L)."""
    return (mask.long().cumsum(dim=1) - 1).clamp(min=0)


def _end(tokenizer: Any) -> int:
    """Return the end-of-text token, or one that does not exist."""
    return -1 if tokenizer.eos_token_id is None else int(tokenizer.eos_token_id)


def _until_end(tokens: Tensor, end: int) -> Tensor:
    """Return where an answer still runs, its first end-of-text included; bool, (B, T)."""
    is_end = (tokens == end).long()
    return is_end.cumsum(dim=1) - is_end == 0


def answer_logits(model: Any, completions: Completions, temperature: float) -> Tensor:
    """Return the log-probabilities of every token at each place of the answers; (B, T, V).

    One forward pass over prompts and answers, with gradients if they are enabled.
    """
    out = model(
        input_ids=completions.ids,
        attention_mask=completions.mask.long(),
        position_ids=_positions(completions.mask),
        use_cache=False,
        logits_to_keep=completions.ids.shape[1] - completions.n_prompt + 1,
    )
    scale = temperature if temperature > 0.0 else 1.0
    log_probs: Tensor = (out.logits[:, :-1].float() / scale).log_softmax(dim=-1)
    return log_probs


def token_log_probs(log_probs: Tensor, completions: Completions) -> Tensor:
    """Return the log-probability of each token of the answers, 0 behind their end; (B, T)."""
    answers = completions.ids[:, completions.n_prompt :]
    chosen = log_probs.gather(2, answers[:, :, None])[:, :, 0]
    return chosen.masked_fill(~completions.answer_mask, 0.0)


def batches(n: int, size: int) -> Iterator[Tensor]:
    """Yield the indices 0..n-1 in pieces of at most ``size``."""
    yield from torch.arange(n).split(size)


def require_context(model: Any, length: int) -> None:
    """Raise if a model's context is shorter than ``length`` tokens."""
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is not None and length > longest:
        raise ValueError(
            f"prompt and answer need a context of {length} tokens; this model has {longest}: "
            "lower max_new_tokens, shorten the questions, or take another model"
        )
