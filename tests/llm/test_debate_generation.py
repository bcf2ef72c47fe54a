"""Batched generation: padding, caching and scoring change nothing that they must not."""

import numpy as np
import pytest
import torch

from marl.debate.generate import answer_logits, generate, token_log_probs
from marl.debate.models import ModelNotFoundError, build_model, load_agent
from marl.debate.protocol import first_prompt, later_prompt
from marl.debate.seeds import generator


def asked(problems, n=6):
    """Prompts of very different lengths."""
    chosen = problems["train"][:n]
    return [
        first_prompt(p.question, tokenizer=None)
        if k % 2
        else later_prompt(p.question, p.answer, p.answer, own_first=True, tokenizer=None)
        for k, p in enumerate(chosen)
    ]


def test_a_model_is_saved_whole_or_not_at_all(make_agent, tmp_path, monkeypatch):
    """Cut off while it is saved, the model that was there before is there still."""
    old, new = make_agent(0), make_agent(1)
    old.save(tmp_path / "model")
    before = {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()}

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(new.tokenizer, "save_pretrained", stop)
        with pytest.raises(KeyboardInterrupt):
            new.save(tmp_path / "model")
    files = [p for p in (tmp_path / "model").iterdir() if p.is_file()]
    assert {p.name: p.read_bytes() for p in files} == before
    new.save(tmp_path / "model")
    assert not [p for p in (tmp_path / "model").iterdir() if p.is_dir()]
    weights, ours = load_agent(tmp_path / "model").model.state_dict(), new.model.state_dict()
    assert all(torch.equal(weights[name], ours[name]) for name in ours)


def test_the_tokenizer_keeps_every_character(problems, tokenizer):
    for p in problems["test"]:
        text = later_prompt(p.question, p.answer, "#### 90210", own_first=False, tokenizer=None)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
        assert tokenizer.unk_token_id not in ids


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_padding_never_changes_an_answer(problems, tokenizer, make_agent, temperature):
    agent, texts = make_agent(0), asked(problems)
    options = {"max_new_tokens": 12, "temperature": temperature}
    together = generate(agent.model, tokenizer, texts, rng=generator(3), **options)
    uniform = torch.rand((len(texts), 12), generator=generator(3))
    for k, text in enumerate(texts):
        alone = _one_row(agent, tokenizer, text, uniform[k : k + 1], temperature)
        n = int(together.answer_mask[k].sum())
        assert alone[0][0, :n].tolist() == together.ids[k, together.n_prompt :][:n].tolist()
        torch.testing.assert_close(alone[1][0, :n], together.log_probs[k, :n], atol=1e-5, rtol=0)


def _one_row(agent, tokenizer, text, uniform, temperature):
    """The same row without a batch, and so without padding."""
    from marl.debate.generate import _sample

    encoded = tokenizer([text], return_tensors="pt")
    ids, mask = encoded["input_ids"], encoded["attention_mask"].bool()
    with torch.no_grad():
        return _sample(agent.model, tokenizer, ids, mask, temperature, uniform)


def test_log_probabilities_equal_one_by_one_scoring(problems, tokenizer, make_agent):
    agent = make_agent(1)
    said = generate(
        agent.model,
        tokenizer,
        asked(problems),
        max_new_tokens=10,
        temperature=0.7,
        rng=generator(0),
    )
    with torch.no_grad():
        scored = token_log_probs(answer_logits(agent.model, said, 0.7), said)
        torch.testing.assert_close(scored, said.log_probs, atol=1e-5, rtol=0)
        for k in range(len(said.ids)):
            ids = said.ids[k][said.mask[k]]
            n = int(said.answer_mask[k].sum())
            logits = agent.model(input_ids=ids[None]).logits[0, :-1].float() / 0.7
            own = logits.log_softmax(-1).gather(1, ids[1:, None])[-n:, 0]
            torch.testing.assert_close(own, said.log_probs[k, :n], atol=1e-5, rtol=0)


def test_rows_drop_padding_and_nothing_else(problems, tokenizer, make_agent):
    agent = make_agent(1)
    said = generate(
        agent.model,
        tokenizer,
        asked(problems),
        max_new_tokens=10,
        temperature=1.0,
        rng=generator(0),
    )
    index = torch.tensor([1, 3])
    piece = said.rows(index)
    for j, k in enumerate(index.tolist()):
        assert piece.ids[j][piece.mask[j]].tolist() == said.ids[k][said.mask[k]].tolist()
        assert int(piece.answer_mask[j].sum()) == int(said.answer_mask[k].sum())
    with torch.no_grad():
        whole = answer_logits(agent.model, said, 1.0)[index][:, : piece.answer_mask.shape[1]]
        part = answer_logits(agent.model, piece, 1.0)
    torch.testing.assert_close(whole[piece.answer_mask], part[piece.answer_mask], atol=1e-5, rtol=0)


def test_sampling_follows_the_distribution(problems, tokenizer, make_agent):
    """First tokens of many rows: frequencies within four standard errors of the probabilities."""
    agent, text = make_agent(0), asked(problems)[1]
    n = 4000
    said = generate(
        agent.model, tokenizer, [text] * n, max_new_tokens=1, temperature=1.0, rng=generator(9)
    )
    with torch.no_grad():
        p = answer_logits(agent.model, said.rows(torch.tensor([0])), 1.0)[0, 0].exp().numpy()
    seen = np.bincount(said.ids[:, -1].numpy(), minlength=len(p)) / n
    assert np.all(np.abs(seen - p) <= 4.0 * np.sqrt(p * (1.0 - p) / n) + 1e-3)


def test_a_prompt_too_long_for_the_model_is_refused(problems, tokenizer):
    agent = build_model("tiny", tokenizer, seed=0, context=32)
    with pytest.raises(ValueError, match=r"context of .* tokens; this model has 32"):
        generate(
            agent.model,
            tokenizer,
            asked(problems),
            max_new_tokens=10,
            temperature=1.0,
            rng=generator(0),
        )


def test_models_that_cannot_be_loaded_say_why(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no folder 'nobody/nothing'"):
        load_agent("nobody/nothing")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no causal model"):
        load_agent(tmp_path)
    with pytest.raises(ValueError, match="size must be one of tiny, mini, small"):
        build_model("huge", None, seed=0)


def test_saved_models_load_with_transformers_alone(folders):
    import pathlib

    from transformers import AutoModelForCausalLM, AutoTokenizer

    from marl.debate.generate import generate as say

    model = AutoModelForCausalLM.from_pretrained(folders[0])
    tokenizer = AutoTokenizer.from_pretrained(folders[0])
    agent = load_agent(folders[0])
    options = {"max_new_tokens": 5, "temperature": 0.0}
    ours = say(agent.model, agent.tokenizer, ["Question: Tom"], rng=generator(0), **options)
    encoded = tokenizer(["Question: Tom"], return_tensors="pt")
    encoded.pop("token_type_ids", None)
    theirs = model.generate(**encoded, max_new_tokens=5, do_sample=False)
    n = int(ours.answer_mask[0].sum())
    assert (
        ours.ids[0, ours.n_prompt :][:n].tolist()
        == theirs[0, encoded["input_ids"].shape[1] :][:n].tolist()
    )
    assert not list(pathlib.Path(folders[0]).glob("*.bin"))
