"""The models that debate: small ones built here, any causal model of Hugging Face by name."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from marl.debate.problems import Problem
from marl.debate.seeds import derive
from marl.debate.vocabulary import build_tokenizer

SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    "mini": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4},
    "small": {"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4},
    "medium": {"hidden_size": 160, "num_hidden_layers": 4, "num_attention_heads": 5},
    "large": {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 8},
}
"""Small models for `build_model`: about 0.03, 0.2, 0.5, 1.3 and 5 million parameters."""


def check_size(size: str) -> None:
    """Raise unless `build_model` knows a size."""
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}; got {size!r}")


class ModelNotFoundError(FileNotFoundError):
    """Neither a folder nor a model of the hub within reach has this name."""


@dataclass
class Agent:
    """A model with its tokenizer.

    Attributes
    ----------
    model : transformers.PreTrainedModel or peft.PeftModel
    tokenizer : transformers.PreTrainedTokenizerBase
    name : str
        Where it comes from.
    """

    model: Any
    tokenizer: Any
    name: str

    def clone(self) -> Agent:
        """Return an independent copy of the model, with the same tokenizer."""
        return Agent(copy.deepcopy(self.model), self.tokenizer, self.name)

    def freeze(self) -> Agent:
        """Return this agent, whose parameters take no gradients from now on."""
        self.model.requires_grad_(False)
        self.model.eval()
        return self

    @property
    def checkpointing(self) -> bool:
        """Whether the backward pass computes activations again instead of keeping them."""
        return any(getattr(m, "gradient_checkpointing", False) for m in self.model.modules())

    @property
    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, by name."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def save(self, folder: str | Path) -> None:
        """Write model (safetensors; the adapter alone for LoRA) and tokenizer into a folder.

        Every file appears whole, and none before all are written.
        """
        partial = Path(folder) / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        self.model.save_pretrained(partial, safe_serialization=True)
        self.tokenizer.save_pretrained(partial)
        shutil.copytree(partial, folder, copy_function=os.replace, dirs_exist_ok=True)
        shutil.rmtree(partial)


def build_model(size: str, tokenizer: Any, *, seed: int, context: int = 320) -> Agent:
    """Return an untrained Llama model of one of the `SIZES` for a tokenizer's vocabulary.

    Raises
    ------
    ValueError
        If the size is unknown.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    check_size(size)
    shape = SIZES[size]
    config = LlamaConfig(
        **shape,
        vocab_size=len(tokenizer),
        intermediate_size=8 * shape["hidden_size"] // 3,  # as many weights as four times, ungated
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.eval()
    return Agent(model, tokenizer, size)


def untrained(size: str, problems: Sequence[Problem], *, seed: int) -> Agent:
    """Return a new model of one of the `SIZES`; its tokenizer knows the words of some problems."""
    return build_model(size, build_tokenizer(problems), seed=derive(seed, size))


def load_agent(
    name: str | Path,
    *,
    device: str | torch.device = "cpu",
    dtype: Literal["float32", "bfloat16"] = "float32",
    lora: int = 0,
    seed: int = 0,
    checkpointing: bool = False,
) -> Agent:
    """Load a causal model and its tokenizer from a folder, or by name from the hub.

    Weights are read from safetensors only, and code that a model brings is never run.

    Parameters
    ----------
    name : path or str
        A folder written by ``save_pretrained`` (of a model, or of a PEFT adapter), or a name on
        the hub such as ``Qwen/Qwen2.5-0.5B-Instruct``.
    device, dtype
        Where the model lives, and its type of number.
    lora : int
        Rank of a new LoRA adapter, the only part that then learns; 0 trains the whole model.
    seed : int
        Of the new adapter's weights.
    checkpointing : bool
        Whether to recompute activations in the backward pass instead of keeping them.

    Raises
    ------
    ModelNotFoundError
        If there is no such folder and no such model within reach.
    ValueError
        If the folder holds no loadable causal model, its tokenizer cannot pad, or torch has no such
        device here.
    """
    _check_device(device)
    model, tokenizer = _load(name, dtype)
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is None:
        raise ValueError(
            f"{name}: its tokenizer must have a padding token or an end-of-text token; it has none"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    if lora:
        from peft import LoraConfig, get_peft_model

        adapter = LoraConfig(r=lora, lora_alpha=2 * lora, target_modules="all-linear")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = get_peft_model(model, adapter)
    if checkpointing:
        # transformers 5 renamed it
        enable = getattr(model, "activation_checkpointing_enable", None)
        (enable or model.gradient_checkpointing_enable)()
        model.enable_input_require_grads()
    _without_dropout(model)
    model.to(device)
    model.eval()
    return Agent(model, tokenizer, str(name))


def _check_device(device: str | torch.device) -> None:
    """Raise unless torch can use a device here."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without it
        raise ValueError(
            f"device must be one that torch has here, such as 'cpu'; got {str(device)!r} "
            f"({_first_line(error)})"
        ) from error


def _without_dropout(model: Any) -> None:
    """Switch dropout off for good: the policy that samples is the policy that learns."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0


def _load(name: str | Path, dtype: str) -> tuple[Any, Any]:
    """Return model and tokenizer of a folder or of the hub."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(name)
    adapter = folder / "adapter_config.json"
    options = {"trust_remote_code": False}
    try:
        if adapter.exists():
            from peft import AutoPeftModelForCausalLM

            model = AutoPeftModelForCausalLM.from_pretrained(
                folder, is_trainable=True, dtype=dtype, **options
            )
        else:
            # an adapter's file names its base, which is to be found from any working directory
            place = folder.resolve() if folder.exists() else name
            model = AutoModelForCausalLM.from_pretrained(
                place, dtype=dtype, use_safetensors=True, **options
            )
        return model, AutoTokenizer.from_pretrained(name, **options)
    except (OSError, ValueError, RuntimeError) as error:
        if not folder.exists():
            raise ModelNotFoundError(
                f"no folder {str(name)!r}, and no such model could be loaded from the hub "
                f"({_first_line(error)}); name a folder written by save_pretrained, or make a "
                "small model with: marl debate sft"
            ) from error
        raise ValueError(
            f"{name} holds no causal model in safetensors that loads without code of its own "
            f"({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error).splitlines() or [type(error).__name__])[0]
