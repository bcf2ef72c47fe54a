"""A training run on disk: settings, metrics, checkpoints that resume it exactly."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from marl.debate.crew import Crew, launched
from marl.debate.models import Agent, load_agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.debate.seeds import derive
from marl.debate.settings import Training
from marl.debate.trainer import Learner, Trainer
from rqe._plain import write_whole

SCHEMA = "marl.debate/1"
_CONFIG, _STATE, _METRICS, _OPTIMISERS = (
    "config.json", "state.json", "metrics.csv", "optimisers.safetensors",
)  # fmt: skip
_PREFIX = "checkpoint-"


class RunError(ValueError):
    """A folder is no run of this library, is damaged, or was made with other settings."""


@dataclass(frozen=True)
class RunConfig:
    """What a run is: two runs with equal settings, seed and data give the same agents.

    Attributes
    ----------
    agents : tuple of two str
        Folders or names on the hub of the models that start.
    data : str
        Where the problems come from.
    training : Training
    protocol : Protocol
    seed : int
    lora : int
        Rank of the adapters; 0 trains whole models.
    dtype : {"float32", "bfloat16"}
        Of the models; adapters, the part that then learns, are float32 always.
    """

    agents: tuple[str, str]
    data: str
    training: Training
    protocol: Protocol
    seed: int = 0
    lora: int = 0
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        """Refuse to train weights that are too coarse for the steps of training."""
        if isinstance(self.lora, bool) or not isinstance(self.lora, int) or self.lora < 0:
            raise ValueError(f"lora must be a rank of at least 0; got {self.lora!r}")
        if self.dtype == "bfloat16" and self.lora == 0:
            raise ValueError(
                "lora must be at least 1 with dtype bfloat16; got 0: steps of training are smaller "
                "than the spacing of bfloat16 weights, adapters are kept in float32"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a JSON file."""
        return {"schema": SCHEMA, **json.loads(json.dumps(asdict(self)))}

    @classmethod
    def from_dict(cls, data: dict[str, Any], place: Path) -> RunConfig:
        """Return the settings that a file holds; the error names the file."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else type(data).__name__
            raise RunError(f"{place}: schema must be {SCHEMA!r}; got {found!r}")
        try:
            return cls(
                agents=(str(data["agents"][0]), str(data["agents"][1])),
                data=str(data["data"]),
                training=Training(**data["training"]),
                protocol=Protocol(**data["protocol"]),
                seed=int(data["seed"]),
                lora=int(data["lora"]),
                dtype=data["dtype"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RunError(f"{place}: not the settings of a run ({error!r})") from error


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes
    ----------
    path : Path
    config : RunConfig
    update : int
        Updates behind the newest checkpoint.
    label : str
        What tables call it; the folder's name if empty.
    """

    path: Path
    config: RunConfig
    update: int
    label: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.path.resolve().name

    @property
    def checkpoint(self) -> Path:
        """Folder of the newest checkpoint."""
        return self.path / f"{_PREFIX}{self.update:06d}"

    @property
    def finished(self) -> bool:
        """Whether the budget of debates is used."""
        return self.update >= self.config.training.updates

    def agent(self, seat: int, *, device: str = "cpu") -> Agent:
        """Load the agent of a seat."""
        agent = load_agent(
            self.checkpoint / f"agent-{seat}", device=device, dtype=self.config.dtype
        )
        agent.name = self.config.agents[seat]
        return agent

    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Return the metrics of training, one array over updates per name."""
        rows = _rows(self.path / _METRICS, self.update)
        if not rows:
            raise RunError(f"{self.path}: no update has been made, so there are no metrics")
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def open_run(path: str | Path) -> Run:
    """Return a run on disk.

    Raises
    ------
    RunError
        If the folder holds none, or a damaged one; the message names the file.
    """
    path = Path(path)
    place = path / _CONFIG
    if not place.exists():
        raise RunError(f"{path}: no run of marl debate here (no {_CONFIG})")
    config = RunConfig.from_dict(_json(place), place)
    updates = [_update_of(p) for p in path.glob(f"{_PREFIX}*") if (p / _STATE).exists()]
    if not updates:
        raise RunError(f"{path}: no complete checkpoint; go on with the command that made the run")
    return Run(path, config, max(updates))


def train(
    config: RunConfig,
    problems: Sequence[Problem],
    out: str | Path,
    *,
    every: int = 20,
    device: str = "cpu",
    checkpointing: bool = False,
    report: Callable[[Trainer, dict[str, float]], None] | None = None,
) -> Run:
    """Train a team, or go on where an interrupted run stopped; return the finished run.

    Started by ``accelerate launch`` or ``torchrun``, several processes share the debates of each
    update and make the run that one process makes, up to rounding.

    Parameters
    ----------
    config : RunConfig
    problems : sequence of Problem
        What they debate.
    out : path
        Folder of the run. One that holds a run of the same settings is continued, exactly: the
        metrics are those of a run that was never interrupted.
    every : int
        Updates between checkpoints; at most these are lost.
    device : str
    checkpointing : bool
        Whether to trade time for memory in the backward pass (gradient checkpointing).
    report : callable, optional
        Called with the trainer and the metrics after each update.

    Raises
    ------
    RunError
        If the folder holds another run, one on other problems, or a damaged one.
    """
    out, crew = Path(out), launched(device)
    if crew.leads:
        _claim(out, config)
    crew.wait()
    trainer = _trainer(config, problems, crew, device, checkpointing)
    newest = _newest(out)
    if newest is not None:
        _restore(trainer, newest)
    rows = _rows(out / _METRICS, trainer.update)
    crew.wait()  # all have read the checkpoint before the next one replaces it
    while trainer.update < config.training.updates:
        metrics = trainer.step()
        if not crew.leads:
            continue
        rows.append({"update": float(trainer.update), **metrics})
        if report is not None:
            report(trainer, metrics)
        if trainer.update % every == 0 or trainer.update == config.training.updates:
            _save(trainer, rows, out)
    crew.wait()
    return open_run(out)


def _trainer(
    config: RunConfig, problems: Sequence[Problem], crew: Crew, device: str, checkpointing: bool
) -> Trainer:
    """Return the trainer of a run before its first update."""
    first, second = (
        load_agent(
            name, device=crew.device(device), dtype=config.dtype, lora=config.lora,
            seed=derive(config.seed, i), checkpointing=checkpointing,
        )
        for i, name in enumerate(config.agents)
    )  # fmt: skip
    return Trainer(
        (first, second), problems, config.training, config.protocol, config.seed, crew=crew
    )


def _claim(out: Path, config: RunConfig) -> None:
    """Write the settings, or raise if the folder belongs to other ones."""
    place = out / _CONFIG
    if place.exists():
        found = RunConfig.from_dict(_json(place), place)
        if found != config:
            ours, theirs = config.to_dict(), found.to_dict()
            changed = [key for key in ours if ours[key] != theirs.get(key)]
            raise RunError(
                f"{out} holds a run with other settings ({', '.join(changed)} differ); "
                "name another folder, or repeat the settings to go on with that run"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    write_whole(place, json.dumps(config.to_dict(), indent=2).encode())


def _save(trainer: Trainer, rows: list[dict[str, float]], out: Path) -> None:
    """Write metrics and a checkpoint, the folder whole or not at all; drop older checkpoints."""
    from safetensors.torch import save_file

    final = out / f"{_PREFIX}{trainer.update:06d}"
    partial = out / f".partial-{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tensors: dict[str, torch.Tensor] = {}
    for name, learner in trainer.everyone.items():
        learner.agent.save(partial / name)
        tensors |= {f"{name}/{key}": value for key, value in _optimiser_tensors(learner).items()}
    save_file(tensors, partial / _OPTIMISERS)
    state = {"update": trainer.update, "problems": _digest(trainer.problems)}
    write_whole(partial / _STATE, json.dumps(state).encode())
    _write_rows(out / _METRICS, rows)
    os.replace(partial, final)
    for old in out.glob(f"{_PREFIX}*"):
        if old != final:
            shutil.rmtree(old)


def _restore(trainer: Trainer, folder: Path) -> None:
    """Bring a trainer to the state of a checkpoint, in place."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state, ours = _json(folder / _STATE), _digest(trainer.problems)
    if state.get("problems", ours) != ours:  # older checkpoints do not say
        raise RunError(
            f"{folder}: this run was begun with other problems than those that --data holds now; "
            "go on with the same ones, or name another folder"
        )
    try:
        tensors = load_file(folder / _OPTIMISERS)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder / _OPTIMISERS}: damaged or missing ({error})") from error
    for name, learner in trainer.everyone.items():
        saved = load_agent(folder / name)
        _copy_parameters(saved, learner.agent, folder / name)
        own = {
            k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")
        }
        _restore_optimiser(learner, own, folder)
    trainer.update = int(state["update"])


def _digest(problems: Sequence[Problem]) -> str:
    """Return a checksum of some problems, in their order."""
    text = json.dumps([[problem.question, problem.answer] for problem in problems])
    return hashlib.sha256(text.encode()).hexdigest()


def _copy_parameters(saved: Agent, agent: Agent, place: Path) -> None:
    """Copy the parameters that learn from a loaded model into a trainer's."""
    found = dict(saved.model.named_parameters())
    for name, parameter in agent.trainable.items():
        if name not in found or found[name].shape != parameter.shape:
            raise RunError(f"{place}: parameter {name} is missing or has another shape")
        with torch.no_grad():
            parameter.copy_(found[name])


def _named(learner: Learner) -> dict[str, torch.nn.Parameter]:
    """Return everything that a learner's optimiser moves, by name."""
    named = {f"model.{name}": p for name, p in learner.agent.trainable.items()}
    if learner.head is not None:
        named |= {f"head.{name}": p for name, p in learner.head.named_parameters()}
    return named


def _optimiser_tensors(learner: Learner) -> dict[str, torch.Tensor]:
    """Return the state of a learner's Adam, and its value head, as tensors by name."""
    tensors = {}
    for name, parameter in _named(learner).items():
        for key, value in learner.optimiser.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = torch.as_tensor(value).detach().cpu().contiguous().clone()
        if name.startswith("head."):
            tensors[f"value/{name}"] = parameter.detach().cpu().clone()
    return tensors


def _restore_optimiser(learner: Learner, tensors: dict[str, torch.Tensor], place: Path) -> None:
    """Put the state of `_optimiser_tensors` back."""
    for name, parameter in _named(learner).items():
        try:
            state = {key: tensors[f"{key}/{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            if name.startswith("head."):
                with torch.no_grad():
                    parameter.copy_(tensors[f"value/{name}"])
        except KeyError as error:
            raise RunError(f"{place / _OPTIMISERS}: holds no {error}") from error
        state = {k: v if k == "step" else v.to(parameter.device) for k, v in state.items()}
        learner.optimiser.state[parameter] = state


def _newest(out: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, if there is one."""
    complete = [p for p in out.glob(f"{_PREFIX}*") if (p / _STATE).exists()]
    return max(complete, key=_update_of) if complete else None


def _update_of(folder: Path) -> int:
    """Return the update that a checkpoint's name tells."""
    digits = folder.name.removeprefix(_PREFIX)
    if not digits.isdecimal():
        raise RunError(f"{folder}: not the name of a checkpoint")
    return int(digits)


def _rows(path: Path, update: int) -> list[dict[str, float]]:
    """Return the metrics on disk up to an update, which are written before its checkpoint."""
    if update == 0:
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        kept = [row for row in rows if row["update"] <= update]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise RunError(f"{path}: not a table of metrics ({error!r})") from error
    if len(kept) != update:
        raise RunError(f"{path}: must have a row for each of {update} updates; got {len(kept)}")
    return kept


def _write_rows(path: Path, rows: list[dict[str, float]]) -> None:
    """Write the metrics, whole or not at all."""
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _json(place: Path) -> Any:
    """Return what a JSON file holds; the error names the file."""
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{place}: not readable as JSON ({error})") from error
