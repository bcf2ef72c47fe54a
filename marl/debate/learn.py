"""One update of one seat: credit, advantages, and the clipped policy-gradient loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from marl.debate.crew import ALONE, Crew
from marl.debate.generate import Completions, answer_logits, batches, token_log_probs
from marl.debate.models import Agent
from marl.debate.settings import Training


def rewards(correct: Tensor, *, discount: float, credit: str) -> Tensor:
    """Return the reward credited to each round of one seat, (rounds, B), from who was right when.

    Examples
    --------
    >>> import torch
    >>> from marl.debate.learn import rewards
    >>> rewards(torch.tensor([[False], [True]]), discount=0.5, credit="final").tolist()
    [[0.5], [1.0]]
    """
    rounds = len(correct)
    earned = correct.float()
    if credit == "final":
        earned = torch.zeros_like(earned)
        earned[-1] = correct[-1].float()
    total = torch.zeros_like(earned)
    total[-1] = earned[-1]
    for r in range(rounds - 2, -1, -1):
        total[r] = earned[r] + discount * total[r + 1]
    return total


def centred(values: Tensor, group: int) -> Tensor:
    """Return values (..., B) minus the mean of each group of ``group`` neighbours.

    Not divided by the deviation, which would blow up questions that are nearly always right.
    """
    grouped = values.unflatten(-1, (-1, group))
    return (grouped - grouped.mean(dim=-1, keepdim=True)).flatten(-2)


def price_to_go(
    own: Tensor, partner: Tensor, mask: Tensor, tau: float, crew: Crew = ALONE
) -> Tensor:
    """Return minus the price of divergence still to be paid from each token on, centred; (B, T).

    The reward of a token is ``(log partner - log adversary) / tau``; the mean over the batch of
    what is to come at the same place is the baseline.
    """
    reward = ((partner - own) / tau).masked_fill(~mask, 0.0)
    to_go = reward.flip(1).cumsum(1).flip(1)
    sums = torch.stack([to_go.masked_fill(~mask, 0.0).sum(dim=0), mask.sum(dim=0).float()])
    if crew.size > 1:  # the others' longest answers may be shorter or longer
        longest = int(crew.sum(torch.tensor(mask.shape[1], device=mask.device)))
        total = crew.sum(nn.functional.pad(sums, (0, longest - mask.shape[1])))
        sums = total[:, : mask.shape[1]]
    baseline = sums[0] / sums[1].clamp(min=1)
    return (to_go - baseline).masked_fill(~mask, 0.0)


@dataclass(frozen=True)
class Lesson:
    """What one seat learns from in one update: tokens and advantages of each round.

    Attributes
    ----------
    rounds : sequence of Completions
    advantages : sequence of Tensor, shape (B, T)
    returns : sequence of Tensor, shape (B,)
        What a value head is fitted to.
    """

    rounds: Sequence[Completions]
    advantages: Sequence[Tensor]
    returns: Sequence[Tensor]


@dataclass(frozen=True)
class Pull:
    """A divergence from another model that is charged as a loss, per token.

    Attributes
    ----------
    model : transformers.PreTrainedModel
    coefficient : float
    """

    model: Any
    coefficient: float


def improve(
    agent: Agent,
    optimiser: torch.optim.Optimizer,
    lesson: Lesson,
    training: Training,
    *,
    temperature: float,
    eps: float = 0.0,
    pulls: Iterable[Pull] = (),
    head: nn.Module | None = None,
    crew: Crew = ALONE,
) -> dict[str, float]:
    """Improve an agent on a lesson, in place; return loss, entropy and clipped share per token.

    Gradients are accumulated over pieces of ``micro_batch`` debates of about equal length, and
    summed over processes.
    Debates whose whole group earned the same teach nothing and are left out, of the entropy too,
    unless something else is charged on their tokens.
    """
    pulls = tuple(pulls)
    everything = bool(pulls) or eps != 0.0 or head is not None
    own_tokens = sum(c.answer_mask.sum() for c in lesson.rounds)
    tokens = int(crew.sum(torch.as_tensor(own_tokens)))
    learned = [p for group in optimiser.param_groups for p in group["params"]]
    totals: dict[str, float] = {}
    # Checkpointing works in training mode alone, the cache of generation without it alone.
    agent.model.train(agent.checkpointing)
    for _ in range(training.epochs):
        for p in learned:  # zero, not None: moments go on, and processes sum equal shapes
            p.grad = torch.zeros_like(p)
        totals = {"loss": 0.0, "entropy": 0.0, "clipped": 0.0, "pull": 0.0}
        for completions, advantages, returns in zip(
            lesson.rounds, lesson.advantages, lesson.returns, strict=True
        ):
            teaches = advantages.abs().amax(dim=1) > 0.0
            chosen = torch.arange(len(teaches)) if everything else teaches.cpu().nonzero()[:, 0]
            for index in _by_length(completions, chosen, training.micro_batch):
                piece = completions.rows(index)
                width = piece.answer_mask.shape[1]
                loss, parts = _loss(
                    agent, piece, advantages[index][:, :width], training.clip,
                    temperature=temperature, eps=eps, pulls=pulls,
                )  # fmt: skip
                (loss / tokens).backward()
                if head is not None:
                    rows = len(completions.ids) * len(lesson.rounds) * crew.size
                    _fit_head(agent, head, piece, returns[index], rows)
                for name, value in parts.items():
                    totals[name] += value / tokens
        crew.sum_gradients(learned)
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
    agent.model.eval()
    # Each process has counted its part of all tokens; what counts is the mean over processes.
    return {name: value * crew.size for name, value in totals.items()}


def _by_length(completions: Completions, chosen: Tensor, most: int) -> Iterator[Tensor]:
    """Yield the chosen rows in pieces of about equal length: what is padding is not computed."""
    if len(chosen):
        used = completions.mask.sum(dim=1).cpu()[chosen]
        yield from chosen[used.argsort(stable=True)].split(most)


def _loss(
    agent: Agent,
    piece: Completions,
    advantages: Tensor,
    clip: float,
    *,
    temperature: float,
    eps: float,
    pulls: tuple[Pull, ...],
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss summed over the tokens of some debates, and its parts as numbers."""
    mask = piece.answer_mask
    log_probs = answer_logits(agent.model, piece, temperature)
    ratio = (token_log_probs(log_probs, piece) - piece.log_probs).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip, 1.0 + clip) * advantages)
    with torch.set_grad_enabled(eps != 0.0):  # a number to look at, unless it is charged
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1)
    per_token = -gain - eps * entropy
    pulled = torch.zeros_like(gain)
    for pull in pulls:
        pulled = pulled + pull.coefficient * divergence(log_probs, pull.model, piece, temperature)
    loss = (per_token + pulled).masked_fill(~mask, 0.0).sum()
    clipped = ((ratio - 1.0).abs() > clip) & mask
    return loss, {
        "loss": float(loss.detach()),
        "entropy": float(entropy.detach().masked_fill(~mask, 0.0).sum()),
        "clipped": float(clipped.sum()),
        "pull": float(pulled.detach().masked_fill(~mask, 0.0).sum()),
    }


def divergence(log_probs: Tensor, other: Any, piece: Completions, temperature: float) -> Tensor:
    """Return KL(agent || other) of the next token at each place of the answers, exact; (B, T)."""
    with torch.no_grad():
        reference = answer_logits(other, piece, temperature)
    kl: Tensor = (log_probs.exp() * (log_probs - reference)).sum(dim=-1)
    return kl


def _fit_head(
    agent: Agent, head: nn.Module, piece: Completions, returns: Tensor, rows: int
) -> None:
    """Add the gradient of half the squared error of a value head; the model itself is left."""
    error = head(prompt_state(agent, piece)).squeeze(-1) - returns
    (0.5 * error.square().sum() / rows).backward()


@torch.no_grad()
def prompt_state(agent: Agent, completions: Completions) -> Tensor:
    """Return the last hidden state at the last token of each prompt, (B, hidden)."""
    p = completions.n_prompt
    mask = completions.mask[:, :p]
    out = agent.model(
        input_ids=completions.ids[:, :p],
        attention_mask=mask.long(),
        position_ids=(mask.long().cumsum(dim=1) - 1).clamp(min=0),
        output_hidden_states=True,
        use_cache=False,
        logits_to_keep=1,
    )
    state: Tensor = out.hidden_states[-1][:, -1].float()
    return state


@torch.no_grad()
def other_log_probs(
    model: Any, completions: Completions, temperature: float, micro_batch: int
) -> Tensor:
    """Return another model's log-probabilities of the same tokens, (B, T)."""
    out = torch.zeros_like(completions.log_probs)
    for index in batches(len(completions.ids), micro_batch):
        piece = completions.rows(index)
        found = token_log_probs(answer_logits(model, piece, temperature), piece)
        out[index, : found.shape[1]] = found
    return out
