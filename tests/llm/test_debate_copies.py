"""Copies among the debates of a question are computed once, and count as often as they occur."""

import pytest
import torch

from marl.debate import generate as generation
from marl.debate.generate import Completions, answer_logits, generate, token_log_probs
from marl.debate.learn import Lesson, Pull, divergence, improve, other_log_probs
from marl.debate.seeds import generator
from marl.debate.settings import Training

TEXTS = ["Question: Tom has 3 pens."] * 5 + ["Question: Ann buys 2 more coins."] * 4


def said(agent, tokenizer, tokens=8):
    return generate(
        agent.model, tokenizer, TEXTS, max_new_tokens=tokens, temperature=1.0, rng=generator(0)
    )


@pytest.mark.parametrize("fewer", [0.0, 1.0])
def test_rows_say_what_they_say_without_sharing(tokenizer, make_agent, monkeypatch, fewer):
    """Prompts read once, ended rows left out early or never: the same tokens."""
    agent = make_agent(0)
    monkeypatch.setattr(generation, "_FEWER", fewer)
    shared = said(agent, tokenizer)
    monkeypatch.setattr(generation, "_selects", lambda cache: False)
    plain = said(agent, tokenizer)
    assert shared.texts == plain.texts
    assert torch.equal(shared.mask, plain.mask)
    assert torch.equal(shared.ids, plain.ids)
    torch.testing.assert_close(shared.log_probs, plain.log_probs, atol=1e-5, rtol=0)


def copies(agent, tokenizer):
    """Nine answers of which the first three, and two more, are one answer each."""
    once = said(agent, tokenizer)
    index = torch.tensor([0, 0, 0, 3, 4, 6, 6, 7, 8])
    texts = tuple(once.texts[k] for k in index.tolist())
    return Completions(
        once.ids[index], once.mask[index], once.n_prompt, once.log_probs[index], texts
    )


def test_another_models_scores_of_copies(tokenizer, make_agent):
    heard, other = copies(make_agent(0), tokenizer), make_agent(1)
    with torch.no_grad():
        plain = token_log_probs(answer_logits(other.model, heard, 1.0), heard)
    found = other_log_probs(other.model, heard, 1.0, 2)
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)


def test_copies_teach_what_they_teach_one_by_one(tokenizer, make_agent):
    """The gradient of the clipped gain, entropy and divergence, where the clip binds."""
    agent, other = make_agent(0), make_agent(1)
    heard = copies(agent, tokenizer)
    off = torch.linspace(-0.5, 0.5, heard.log_probs.shape[1]) * heard.answer_mask
    old = heard.log_probs + off
    heard = Completions(heard.ids, heard.mask, heard.n_prompt, old, heard.texts)
    gains = torch.tensor([1.0, -0.5, 0.25, 0.0, 2.0, -1.0, 1.0, -2.0, 0.5])
    advantages = gains[:, None].expand(-1, heard.answer_mask.shape[1])
    eps, clip, pull = 0.01, 0.2, Pull(other.model, 0.3)

    log_probs = answer_logits(agent.model, heard, 1.0)
    ratio = (token_log_probs(log_probs, heard) - heard.log_probs).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    entropy = -(log_probs.exp() * log_probs).sum(dim=-1)
    kl = divergence(log_probs, other.model, heard, 1.0)
    per_token = (-gain - eps * entropy + 0.3 * kl).masked_fill(~heard.answer_mask, 0.0)
    plain = per_token.sum() / heard.answer_mask.sum()
    wanted = torch.autograd.grad(plain, list(agent.model.parameters()))
    norm = torch.sqrt(sum((g**2).sum() for g in wanted))

    optimiser = torch.optim.SGD(agent.model.parameters(), lr=0.0)
    metrics = improve(
        agent, optimiser, Lesson([heard], [advantages], [gains]),
        Training(debates=8, questions=2, group=2, clip=clip, micro_batch=2),
        temperature=1.0, eps=eps, pulls=[pull],
    )  # fmt: skip
    assert metrics["loss"] == pytest.approx(float(plain.detach()), abs=1e-5)
    assert metrics["clipped"] > 0.0
    for p, g in zip(agent.model.parameters(), wanted, strict=True):
        torch.testing.assert_close(p.grad, g / norm.clamp(min=1.0), atol=2e-5, rtol=1e-3)


def test_entropy_is_the_mean_over_the_tokens_that_teach(tokenizer, make_agent):
    """However many debates teach nothing, it is that of a batch of the others alone."""
    agent = make_agent(0)
    heard = copies(agent, tokenizer)
    few = torch.tensor([3, 4])
    taught = heard.rows(few)
    with torch.no_grad():
        log_probs = answer_logits(agent.model, taught, 1.0)
    each = -(log_probs.exp() * log_probs).sum(dim=-1)
    gains = torch.zeros(9)
    gains[few] = torch.tensor([1.0, -1.0])
    advantages = gains[:, None].expand(-1, heard.answer_mask.shape[1])
    for gain, wanted in ((advantages, each[taught.answer_mask].mean()), (0.0 * advantages, 0.0)):
        metrics = improve(
            agent, torch.optim.SGD(agent.model.parameters(), lr=0.0),
            Lesson([heard], [gain], [gains]), Training(debates=8, questions=2, group=2),
            temperature=1.0,
        )  # fmt: skip
        assert metrics["entropy"] == pytest.approx(float(wanted), rel=1e-4)
        assert "heard" not in metrics
