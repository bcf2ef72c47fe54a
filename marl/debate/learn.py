"""One update of one seat: credit, advantages, and the clipped policy-gradient loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from marl.debate.crew import ALONE, Crew
from marl.debate.generate import Completions, answer_logits, distinct, token_log_probs
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
    summed over processes. The same answer to the same prompt is computed once.
    Debates whose whole group earned the same teach nothing and are left out, of the mean entropy
    too (0 where nothing is left), unless something else is charged on their tokens.
    """
    pulls = tuple(pulls)
    everything = bool(pulls) or eps != 0.0 or head is not None
    own_tokens = sum(c.answer_mask.sum() for c in lesson.rounds)
    tokens = int(crew.sum(torch.as_tensor(own_tokens)))
    learned = [p for group in optimiser.param_groups for p in group["params"]]
    merged = [_merge(c, a) for c, a in zip(lesson.rounds, lesson.advantages, strict=True)]
    totals: dict[str, float] = {}
    # Checkpointing works in training mode alone, the cache of generation without it alone.
    agent.model.train(agent.checkpointing)
    for _ in range(training.epochs):
        for p in learned:  # zero, not None: moments go on, and processes sum equal shapes
            p.grad = torch.zeros_like(p)
        totals = dict.fromkeys(("loss", "entropy", "clipped", "pull", "heard"), 0.0)
        for piece in _pieces(merged, everything, training.micro_batch):
            loss, parts = _loss(agent, piece, training.clip, temperature, eps, pulls)
            (loss / tokens).backward()
            for name, value in parts.items():
                totals[name] += value / tokens
        if head is not None:
            _fit_head(agent, head, lesson, training.micro_batch, crew)
        crew.sum_gradients(learned)
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
    agent.model.eval()
    # Each process has counted its part of all tokens; what counts is the mean over processes.
    share = float(crew.sum(torch.tensor(totals.pop("heard"), device=learned[0].device)))
    totals["entropy"] /= share or 1.0
    return {name: value * crew.size for name, value in totals.items()}


@dataclass(frozen=True)
class _Merged:
    """Answers that differ, (U, T), with what all their copies earned.

    The clipped gain bends at an advantage of zero, so gains and losses are summed apart.
    """

    completions: Completions
    gains: Tensor
    losses: Tensor
    count: Tensor

    @property
    def teaching(self) -> Tensor:
        """Rows with any advantage."""
        return (self.gains - self.losses).amax(dim=1).cpu().nonzero()[:, 0]

    def rows(self, index: Tensor) -> _Merged:
        """Return some of the rows, without the columns that are padding in all of them."""
        piece = self.completions.rows(index)
        width = piece.answer_mask.shape[1]
        return _Merged(
            piece, self.gains[index][:, :width], self.losses[index][:, :width], self.count[index]
        )


def _merge(completions: Completions, advantages: Tensor) -> _Merged:
    """Return each answer once, with the sums of its copies' advantages."""
    first, kinds = distinct(completions.ids, completions.mask)
    copies = (kinds == torch.arange(len(first), device=kinds.device)[:, None]).float()
    return _Merged(
        Completions(
            completions.ids[first], completions.mask[first], completions.n_prompt,
            completions.log_probs[first], tuple(completions.texts[k] for k in first.tolist()),
        ),
        copies @ advantages.clamp(min=0.0), copies @ advantages.clamp(max=0.0), copies.sum(dim=1),
    )  # fmt: skip


def _pieces(merged: Iterable[_Merged], everything: bool, most: int) -> Iterator[_Merged]:
    """Yield what an agent learns from in pieces; answers that teach nothing only on demand."""
    for said in merged:
        chosen = torch.arange(len(said.count)) if everything else said.teaching
        for index in _by_length(said.completions, chosen, most):
            yield said.rows(index)


def _by_length(completions: Completions, chosen: Tensor, most: int) -> Iterator[Tensor]:
    """Yield the chosen rows in pieces of about equal length: what is padding is not computed."""
    if len(chosen):
        used = completions.mask.sum(dim=1).cpu()[chosen]
        yield from chosen[used.argsort(stable=True)].split(most)


def _loss(
    agent: Agent,
    said: _Merged,
    clip: float,
    temperature: float,
    eps: float,
    pulls: tuple[Pull, ...],
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss summed over the tokens of some debates, and its parts as numbers."""
    piece, mask, times = said.completions, said.completions.answer_mask, said.count[:, None]
    log_probs = answer_logits(agent.model, piece, temperature)
    ratio = (token_log_probs(log_probs, piece) - piece.log_probs).exp()
    gain = ratio.clamp(max=1.0 + clip) * said.gains + ratio.clamp(min=1.0 - clip) * said.losses
    with torch.set_grad_enabled(eps != 0.0):  # a number to look at, unless it is charged
        entropy = -times * (log_probs.exp() * log_probs).sum(dim=-1)
    per_token = -gain - eps * entropy
    pulled = torch.zeros_like(gain)
    for pull in pulls:
        kl = divergence(log_probs, pull.model, piece, temperature)
        pulled = pulled + pull.coefficient * times * kl
    loss = (per_token + pulled).masked_fill(~mask, 0.0).sum()
    clipped = times * (((ratio - 1.0).abs() > clip) & mask)
    return loss, {
        "loss": float(loss.detach()),
        "entropy": float(entropy.detach().masked_fill(~mask, 0.0).sum()),
        "clipped": float(clipped.sum()),
        "pull": float(pulled.detach().masked_fill(~mask, 0.0).sum()),
        "heard": float((times * mask).sum()),
    }


def divergence(log_probs: Tensor, other: Any, piece: Completions, temperature: float) -> Tensor:
    """Return KL(agent || other) of the next token at each place of the answers, exact; (B, T)."""
    with torch.no_grad():
        reference = answer_logits(other, piece, temperature)
    kl: Tensor = (log_probs.exp() * (log_probs - reference)).sum(dim=-1)
    return kl


def _fit_head(agent: Agent, head: nn.Module, lesson: Lesson, micro_batch: int, crew: Crew) -> None:
    """Add the gradient of half the squared error of a value head; the model itself is left."""
    for completions, returns in zip(lesson.rounds, lesson.returns, strict=True):
        rows = len(completions.ids) * len(lesson.rounds) * crew.size
        for index in _by_length(completions, torch.arange(len(completions.ids)), micro_batch):
            error = head(prompt_state(agent, completions.rows(index))).squeeze(-1) - returns[index]
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
    first, kinds = distinct(completions.ids, completions.mask)
    out = torch.zeros_like(completions.log_probs)
    for index in _by_length(completions, first.cpu(), micro_batch):
        piece = completions.rows(index)
        found = token_log_probs(answer_logits(model, piece, temperature), piece)
        out[index, : found.shape[1]] = found
    return out[first[kinds]]
