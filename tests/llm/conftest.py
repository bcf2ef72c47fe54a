"""Tests of the language-model debate: they need the extra `llm` (``make test-llm``)."""

import importlib.util
import os

import pytest

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
    collect_ignore_glob = ["test_*.py"]

# No test may reach for the hub: a model that is not on the disk is an error at once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """One thread: the same sums in the same order, and no fight for two cores."""
    import torch

    torch.set_num_threads(1)
    from transformers.utils import logging

    logging.disable_progress_bar()


@pytest.fixture(scope="session")
def problems():
    from marl.debate.problems import generate_problems

    return generate_problems(400, seed=0, difficulties=(1, 2))


@pytest.fixture(scope="session")
def tokenizer(problems):
    from marl.debate.vocabulary import build_tokenizer

    return build_tokenizer([*problems["train"], *problems["test"]])


@pytest.fixture
def make_agent(tokenizer):
    """A tiny untrained model per seed; its weights are spread so that it is not indifferent."""
    import torch

    from marl.debate.models import build_model

    def make(seed):
        agent = build_model("tiny", tokenizer, seed=seed)
        with torch.no_grad():
            for p in agent.model.parameters():
                if p.ndim > 1:
                    p.mul_(8.0)
        return agent

    return make


@pytest.fixture
def folders(tmp_path, make_agent):
    """Two saved tiny models."""
    names = []
    for seed in (0, 1):
        folder = tmp_path / f"model-{seed}"
        make_agent(seed).save(folder)
        names.append(str(folder))
    return tuple(names)
