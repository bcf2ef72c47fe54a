"""Who takes a seat in an evaluation: agents of runs and untuned models, by the engine asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from marl.debate.episode import ModelSpeaker, Speaker
from marl.debate.models import load_agent
from marl.debate.runs import Run

Engine = Literal["transformers", "vllm"]


@dataclass(frozen=True)
class Seats:
    """Loads each model once.

    Attributes
    ----------
    engine : {"transformers", "vllm"}
        Which library generates answers.
    device : str
        For transformers; vLLM takes the device that it finds.
    models : int
        How many models share the device's memory (vLLM reserves its share at once).
    """

    engine: Engine = "transformers"
    device: str = "cpu"
    models: int = 1
    loaded: dict[str, Speaker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the engine."""
        if self.engine not in ("transformers", "vllm"):
            raise ValueError(f"engine must be transformers or vllm; got {self.engine!r}")

    def of(self, run: Run, seat: int) -> Speaker:
        """Return the agent of a run's seat."""
        return self.at(run.checkpoint / f"agent-{seat}", run.config.dtype)

    def at(self, place: str | Path, dtype: str = "float32") -> Speaker:
        """Return the model of a folder, or of the hub."""
        key = str(place)
        if key not in self.loaded:
            self.loaded[key] = self._load(key, dtype)
        return self.loaded[key]

    def _load(self, place: str, dtype: str) -> Speaker:
        """Load a model into the engine."""
        if self.engine == "vllm":
            from marl.debate.vllm import vllm_speaker

            return vllm_speaker(place, dtype=dtype, memory=0.9 / self.models)
        number: Literal["float32", "bfloat16"] = "bfloat16" if dtype == "bfloat16" else "float32"
        return ModelSpeaker(load_agent(place, device=self.device, dtype=number).freeze())
