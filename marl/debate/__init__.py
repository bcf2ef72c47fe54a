"""Language models that debate (arXiv 2602.21515, section 6.4): SRPO and IPPO for a team of two.

Modules that need torch and transformers (extra ``rqe[llm]``) are imported when their names are
first used; problems, grader and prompts need neither.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "Agent": "models",
    "FixedSpeaker": "episode",
    "ModelNotFoundError": "models",
    "ModelSpeaker": "episode",
    "Problem": "problems",
    "Protocol": "protocol",
    "RunConfig": "runs",
    "RunError": "checkpoints",
    "SFT": "settings",
    "Trainer": "trainer",
    "Training": "settings",
    "build_model": "models",
    "build_tokenizer": "vocabulary",
    "cross_play": "evaluate",
    "final_answer": "grader",
    "generate_problems": "problems",
    "hold": "episode",
    "is_correct": "grader",
    "load_agent": "models",
    "mistakes": "solo",
    "open_run": "runs",
    "read_problems": "problems",
    "tag_test": "gates",
    "train": "runs",
    "train_supervised": "sft",
    "write_problems": "problems",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _NAMES:
        raise AttributeError(f"module 'marl.debate' has no attribute {name!r}")
    try:
        return getattr(import_module(f"marl.debate.{_NAMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "transformers", "tokenizers", "peft", "safetensors"):
            raise ImportError(
                f"marl.debate.{name} needs {error.name}: pip install 'rqe[llm]'"
            ) from error
        raise
