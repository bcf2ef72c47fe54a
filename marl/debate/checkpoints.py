"""Checkpoints of a run: agents, optimisers and the number of the update, in one folder each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from marl.debate.models import Agent, load_agent
from marl.debate.problems import Problem
from marl.debate.trainer import Learner, Trainer
from rqe._plain import write_whole

_STATE, _OPTIMISERS = "state.json", "optimisers.safetensors"
_PREFIX = "checkpoint-"


class RunError(ValueError):
    """A folder is no run of this library, is damaged, or was made with other settings."""


def save(trainer: Trainer, out: Path) -> None:
    """Write a checkpoint into a run's folder, whole or not at all; drop older ones."""
    from safetensors.torch import save_file

    final = place_of(out, trainer.update)
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
    os.replace(partial, final)
    for old in out.glob(f"{_PREFIX}*"):
        if old != final:
            shutil.rmtree(old)


def restore(trainer: Trainer, folder: Path) -> None:
    """Bring a trainer to the state of a checkpoint, in place."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state, ours = read_json(folder / _STATE), _digest(trainer.problems)
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


def place_of(out: Path, update: int) -> Path:
    """Return the folder of the checkpoint after an update."""
    return out / f"{_PREFIX}{update:06d}"


def newest(out: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, if there is one."""
    complete = [p for p in out.glob(f"{_PREFIX}*") if (p / _STATE).exists()]
    return max(complete, key=update_of) if complete else None


def update_of(folder: Path) -> int:
    """Return the update that a checkpoint's name tells."""
    digits = folder.name.removeprefix(_PREFIX)
    if not digits.isdecimal():
        raise RunError(f"{folder}: not the name of a checkpoint")
    return int(digits)


def read_json(place: Path) -> Any:
    """Return what a JSON file holds; the error names the file."""
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{place}: not readable as JSON ({error})") from error
