"""vLLM as the generator, with a stand-in: it cannot be installed beside every torch."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from marl.debate.protocol import Protocol
from marl.debate.seats import Seats


class Sampling:
    """``vllm.SamplingParams``: the options that are passed."""

    def __init__(self, *, temperature, max_tokens, seed):
        self.temperature, self.max_tokens, self.seed = temperature, max_tokens, seed


class Engine:
    """``vllm.LLM``: answers with what it was asked for."""

    def __init__(self, model, **options):
        assert options["trust_remote_code"] is False
        self.model, self.options = model, options

    def get_tokenizer(self):
        return SimpleNamespace(chat_template=None)

    def generate(self, prompts, wishes, *, lora_request, use_tqdm):
        self.adapter, self.wishes = lora_request, wishes
        texts = [
            f"{prompt} #### {wish.max_tokens}" for prompt, wish in zip(prompts, wishes, strict=True)
        ]
        return [SimpleNamespace(outputs=[SimpleNamespace(text=text)]) for text in texts]


@pytest.fixture
def stand_in(monkeypatch):
    vllm, lora, request = (ModuleType(n) for n in ("vllm", "vllm.lora", "vllm.lora.request"))
    vllm.LLM, vllm.SamplingParams = Engine, Sampling  # type: ignore[attr-defined]
    request.LoRARequest = lambda *words: words  # type: ignore[attr-defined]
    for module in (vllm, lora, request):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_seat_answers_through_vllm(stand_in, tmp_path):
    seats = Seats("vllm", models=3)
    speaker = seats.at(tmp_path, "bfloat16")
    assert seats.at(tmp_path) is speaker  # loaded once
    protocol = Protocol(max_new_tokens=9, temperature=0.5)
    rng = torch.Generator().manual_seed(0)
    texts, completions = speaker.answer([], ["one", "two"], protocol, rng)
    assert texts == ("one #### 9", "two #### 9")
    assert completions is None
    engine = speaker.engine  # type: ignore[attr-defined]
    assert engine.options["gpu_memory_utilization"] == pytest.approx(0.3)
    assert engine.options["dtype"] == "bfloat16"
    assert {wish.temperature for wish in engine.wishes} == {0.5}
    assert len({wish.seed for wish in engine.wishes}) == 2


def test_an_adapter_is_served_on_its_base(stand_in, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "base"}))
    speaker = Seats("vllm").at(tmp_path)
    speaker.answer([], ["one"], Protocol(), torch.Generator())
    engine = speaker.engine  # type: ignore[attr-defined]
    assert engine.model == "base"
    assert engine.options["enable_lora"] is True
    assert engine.adapter == ("agent", 1, str(tmp_path))


def test_without_vllm_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ImportError, match="pip install vllm, or take engine 'transformers'"):
        Seats("vllm").at(tmp_path)
    with pytest.raises(ValueError, match="engine must be transformers or vllm; got 'sglang'"):
        Seats("sglang")  # type: ignore[arg-type]
