"""A training run on disk: settings, metrics, checkpoints that resume it exactly."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marl.config import differing
from marl.debate import checkpoints
from marl.debate.checkpoints import RunError, read_json
from marl.debate.crew import Crew, launched
from marl.debate.models import Agent, load_agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.debate.seeds import derive
from marl.debate.settings import Training
from marl.debate.trainer import Trainer
from marl.lock import locked
from rqe._plain import write_whole

SCHEMA = "marl.debate/1"
_CONFIG, _METRICS = "config.json", "metrics.csv"

Report = Callable[[Trainer, dict[str, float]], None]


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
        return checkpoints.place_of(self.path, self.update)

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
    config = RunConfig.from_dict(read_json(place), place)
    newest = checkpoints.newest(path)
    if newest is None:
        raise RunError(f"{path}: no complete checkpoint; go on with the command that made the run")
    return Run(path, config, checkpoints.update_of(newest))


def train(
    config: RunConfig,
    problems: Sequence[Problem],
    out: str | Path,
    *,
    every: int = 20,
    device: str = "cpu",
    checkpointing: bool = False,
    report: Report | None = None,
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
        If the folder holds another run, one on other problems, or a damaged one, or is in use by
        another process.
    """
    out, crew = Path(out), launched(device)
    with locked(out, RunError) if crew.leads else nullcontext():
        if crew.leads:
            _claim(out, config)
        crew.wait()
        trainer = _trainer(config, problems, crew, device, checkpointing)
        _finish(trainer, out, every, report)
        crew.wait()
    return open_run(out)


def _finish(trainer: Trainer, out: Path, every: int, report: Report | None) -> None:
    """Make all updates that are missing behind the newest checkpoint."""
    newest = checkpoints.newest(out)
    if newest is not None:
        checkpoints.restore(trainer, newest)
    rows = _rows(out / _METRICS, trainer.update)
    trainer.crew.wait()  # all have read the checkpoint before the next one replaces it
    while trainer.update < trainer.training.updates:
        metrics = trainer.step()
        if not trainer.crew.leads:
            continue
        rows.append({"update": float(trainer.update), **metrics})
        if report is not None:
            report(trainer, metrics)
        if trainer.update % every == 0 or trainer.update == trainer.training.updates:
            _write_rows(out / _METRICS, rows)  # first: rows beyond a checkpoint are left out
            checkpoints.save(trainer, out)


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
    """Write the settings, or raise if the folder holds checkpoints of other ones.

    Before the first checkpoint there is nothing to lose: settings that could not even begin, such
    as the wrong name of a model, do not keep the folder from the right ones.
    """
    place = out / _CONFIG
    if place.exists() and checkpoints.newest(out) is not None:
        found = RunConfig.from_dict(read_json(place), place)
        if found != config:
            told = "; ".join(differing(config.to_dict(), found.to_dict()))
            raise RunError(
                f"{out} holds a run with other settings ({told}); "
                "name another folder, or repeat the settings to go on with that run"
            )
        return
    write_whole(place, json.dumps(config.to_dict(), indent=2).encode())


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
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
