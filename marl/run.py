"""Runs on disk: many seeds at once, checkpoints, metrics, and going on after an interruption.

A run's folder holds ``config.json`` (what it is), ``checkpoint.safetensors`` (the whole state of
all seeds after the last interval), ``metrics.csv`` and ``tb/``, and at its end
``policies.safetensors``. The same call on the same folder goes on where the last process stopped,
and the figures are those of an uninterrupted run, bit by bit.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marl.checkpoint import CheckpointError, flatten, load_arrays, restore, save_arrays
from marl.config import RunConfig
from marl.lock import locked
from marl.metrics import MetricsFile, interval_rows, read_metrics
from marl.programs import programs
from marl.progress import Progress, Watchdog

if TYPE_CHECKING:
    from marl.algorithms.config import Algorithm
    from marl.envs.base import Env

__all__ = ["Run", "load_run", "run_config", "train_run", "train_runs"]

CHECKPOINT, POLICIES = "marl.checkpoint/1", "marl.policies/1"

_KEYS = 2**32  # JAX's keys of integers begin anew here: another seed, the same run
_INTERVALS = 50  # rows of metrics and checkpoints in a run, unless asked otherwise


@dataclass(frozen=True, eq=False)
class Run:
    """A run that is complete.

    Attributes
    ----------
    path : Path
        Its folder.
    config : RunConfig
        What it is.
    actors : pytree
        Actors' parameters, [seeds, n_agents, ...].
    metrics : dict of str to ndarray
        Columns of ``metrics.csv``: one row for each interval and seed.
    """

    path: Path
    config: RunConfig
    actors: Any
    metrics: Mapping[str, NDArray[np.float64]]

    @cached_property
    def env(self) -> Env:
        """The environment."""
        return self.config.objects()[0]

    @cached_property
    def algo(self) -> Algorithm:
        """The algorithm."""
        return self.config.objects()[1]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed."""
        return tuple(range(self.config.seed, self.config.seed + self.config.seeds))


def train_run(
    env: Env,
    algo: Algorithm,
    out: str | Path,
    *,
    steps: float = 2e6,
    seeds: int = 30,
    seed: int = 0,
    log_every: int | None = None,
    devices: Sequence[Any] | None = None,
    progress: bool = False,
    patience: float | None = None,
) -> Run:
    """Train many seeds side by side and keep everything in a folder; or go on with that.

    Parameters
    ----------
    env, algo : Env, Algorithm
        Where they live and how they learn.
    out : str or Path
        The run's folder; made if missing. If it holds this run, the run goes on, or is returned
        if it is complete.
    steps : float
        Environment steps of each seed, all tables and phases counted; rounded down to what the
        algorithm can take, see `Algorithm.round_steps`.
    seeds, seed : int
        Number of independent teams, and the first seed; all seeds are below 2**32.
    log_every : int, optional
        Updates in an interval: after each come a row of metrics, a look at the teams at play with
        each other, and a checkpoint. By default there are about fifty intervals.
    devices : sequence of jax.Device, optional
        The seeds are spread over them evenly; by default over the largest number of
        ``jax.devices()`` that divides `seeds`.
    progress : bool
        Report on standard error.
    patience : float, optional
        Minutes without a finished interval after which the process ends with exit code 75; the
        first interval includes compilation. By default it may hang for ever.

    Returns
    -------
    Run
        The complete run.

    Raises
    ------
    ValueError
        When a setting is out of range.
    CheckpointError
        When the folder holds another run, a damaged one, or is in use by another process.

    Notes
    -----
    Figures are the same bits whenever seeds, number of devices, and the versions in
    ``config.json`` are; nothing else matters, interruptions included.
    """
    config = run_config(env, algo, steps=steps, seeds=seeds, seed=seed, log_every=log_every)
    updates = algo.total_updates(config.steps, env.n_agents)
    folder = Path(out)
    with locked(folder, CheckpointError):
        _remove_strays(folder)
        config = _agreed(folder, config)
        if not (folder / "policies.safetensors").exists():
            message = f"The state of the last interval is in {folder}: the same command goes on."
            with Watchdog(patience, message) if patience else nullcontext() as dog:
                _Training(folder, config, updates, devices).finish(progress, dog)
    return load_run(folder)


def run_config(
    env: Env,
    algo: Algorithm,
    *,
    steps: float = 2e6,
    seeds: int = 30,
    seed: int = 0,
    log_every: int | None = None,
) -> RunConfig:
    """Describe the run that `train_run` would make of these arguments; see there."""
    seeds, seed = _whole("seeds", seeds, 1), _whole("seed", seed, 0)
    log_every = None if log_every is None else _whole("log_every", log_every, 1)
    if seed + seeds > _KEYS:
        raise ValueError(f"seed must be at most {_KEYS - seeds} with {seeds} seeds, got {seed}")
    whole = algo.round_steps(steps, env.n_agents)
    updates = algo.total_updates(whole, env.n_agents)
    algo = algo.planned(whole, env.n_agents)
    every = min(log_every or -(-updates // _INTERVALS), updates)
    return RunConfig.of(env, algo, seeds=seeds, seed=seed, steps=whole, log_every=every)


def _whole(name: str, value: Any, least: int) -> int:
    """`value` as Python's own integer, ValueError unless it is one of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be at least {least}, a whole number; got {value!r}")
    return int(value)


def train_runs(
    configs: Mapping[str, RunConfig], *, executor: Executor | None = None, progress: bool = False
) -> Iterator[Path]:
    """Make independent runs, here or on an executor's machines; yield each folder when complete.

    Parameters
    ----------
    configs : mapping of path to RunConfig
        What to run in which folder; a folder that all machines see.
    executor : concurrent.futures.Executor, optional
        For example a process pool that spawns, or Dask's; by default one after the other here.
    progress : bool
        Every run reports on the standard error of its process.
    """
    from rqe.parallel import map_tasks

    tasks = [(path, config, progress, None) for path, config in configs.items()]
    for index, _ in map_tasks(train_task, tasks, executor=executor):
        yield Path(tasks[index][0])


def load_run(path: str | Path) -> Run:
    """Read a complete run.

    Raises
    ------
    CheckpointError
        When the folder holds no run, an incomplete one, or a damaged one.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder")
    config = RunConfig.load(folder / "config.json")
    file = folder / "policies.safetensors"
    if not file.exists():
        raise CheckpointError(f"{folder}: the run is not complete; 'marl train' goes on with it")
    arrays, metadata = load_arrays(file, schema=POLICIES)
    _check_owner(file, metadata, config)
    like = _Training(folder, config, 0, None).actors_like()
    actors = restore(like, arrays, source=str(file))
    return Run(folder, config, actors, read_metrics(folder / "metrics.csv"))


def train_task(task: tuple[str, RunConfig, bool, float | None]) -> None:
    """One run of many, as (folder, config, progress, patience), here or in another process."""
    path, config, progress, patience = task
    env, algo = config.objects()
    train_run(
        env,
        algo,
        path,
        steps=config.steps,
        seeds=config.seeds,
        seed=config.seed,
        log_every=config.log_every,
        progress=progress,
        patience=patience,
    )


def _remove_strays(folder: Path) -> None:
    """Remove what a process that was killed left half written."""
    for stray in folder.glob(".*.safetensors-*"):
        stray.unlink()


def _agreed(folder: Path, config: RunConfig) -> RunConfig:
    """Return the folder's own configuration, if it is the same run; write it if it has none.

    Before the first checkpoint there is nothing to lose: settings that could not even begin do not
    keep the folder from the right ones.
    """
    file = folder / "config.json"
    if not any((folder / f"{kind}.safetensors").exists() for kind in ("checkpoint", "policies")):
        config.save(file)
        return config
    if not file.exists():
        raise CheckpointError(f"{folder}: has a checkpoint but no config.json")
    old = RunConfig.load(file)
    differences = config.differences(old)  # not the digests: 10 and 10.0 are the same setting
    if differences:
        told = "; ".join(differences)
        raise CheckpointError(f"{folder} holds another run ({told}): choose another folder")
    changed = [name for name, value in old.versions.items() if config.versions.get(name) != value]
    if changed:
        warnings.warn(
            f"{folder} was begun with other versions of {', '.join(changed)}: "
            "what follows may not be the same bits",
            stacklevel=3,
        )
    return old


def _check_owner(file: Path, metadata: Mapping[str, str], config: RunConfig) -> None:
    """Refuse a file that another configuration wrote."""
    if metadata.get("config") != config.digest:
        raise CheckpointError(f"{file}: belongs to another configuration than config.json")


class _Training:
    """One run's work in its folder."""

    def __init__(
        self, folder: Path, config: RunConfig, updates: int, devices: Sequence[Any] | None
    ) -> None:
        self.folder, self.config, self.updates = folder, config, updates
        self.env, self.algo = config.objects()
        self.seeds = range(config.seed, config.seed + config.seeds)
        env: Any = self.env  # hashable, which the protocol cannot say
        self.programs = programs(env, self.algo, config.log_every, self._chosen(devices))

    def finish(self, progress: bool, dog: Watchdog | None) -> None:
        """Make all updates that are missing, then write the policies."""
        import jax

        state = self._start()
        update, per_update = int(state.update[0]), self.algo.interactions(self.env.n_agents)
        each = per_update * len(self.seeds)
        with ExitStack() as stack:
            file = MetricsFile(self.folder / "metrics.csv", update, self.folder / "tb")
            stack.callback(file.close)
            bar = Progress(str(self.folder), self.updates * each, update * each)
            stack.callback(bar.close)
            while update < self.updates:
                count = min(self.config.log_every, self.updates - update)
                state, metrics = self.programs.advance(state, np.int32(count))
                update += count
                seen = self.programs.look(state, np.int32(update))
                found = jax.device_get({**metrics, **seen})
                rows = interval_rows(found, count, update, self.seeds)
                file.append(rows)
                self._save(state, update)
                if dog is not None:
                    dog.feed()
                if progress:
                    mean = np.mean([row["play.return.0"] for row in rows])
                    bar(update * each, f"update {update}/{self.updates}  return {mean:.1f}")
        self._save_policies(state)

    def actors_like(self) -> Any:
        """Shapes of all seeds' actors, [seeds, n_agents, ...]."""
        import jax

        state = jax.eval_shape(self.programs.init, self._keys())
        return jax.eval_shape(self.programs.actors, state)

    def _keys(self) -> Any:
        """First key of every seed: ``jax.random.key(seed)``."""
        import jax

        return jax.vmap(jax.random.key)(np.array(self.seeds))

    def _start(self) -> Any:
        """State of the last checkpoint, or the first state."""
        import jax

        file, keys = self.folder / "checkpoint.safetensors", self._keys()
        if not file.exists():
            return self.programs.init(keys)
        arrays, metadata = load_arrays(file, schema=CHECKPOINT)
        _check_owner(file, metadata, self.config)
        return restore(jax.eval_shape(self.programs.init, keys), arrays, source=str(file))

    def _save(self, state: Any, update: int) -> None:
        """Write the checkpoint of all seeds."""
        notes = {"config": self.config.digest, "update": str(update)}
        file = self.folder / "checkpoint.safetensors"
        save_arrays(file, flatten(state), schema=CHECKPOINT, metadata=notes)

    def _save_policies(self, state: Any) -> None:
        """Write the actors of a complete run."""
        import jax

        notes = {"config": self.config.digest, "seeds": json.dumps(list(self.seeds))}
        arrays = flatten(jax.device_get(self.programs.actors(state)))
        file = self.folder / "policies.safetensors"
        save_arrays(file, arrays, schema=POLICIES, metadata=notes)

    def _chosen(self, devices: Sequence[Any] | None) -> tuple[Any, ...]:
        """Devices that share the seeds evenly."""
        import jax

        chosen = tuple(jax.devices() if devices is None else devices)
        if devices is None:
            n = max(n for n in range(1, len(chosen) + 1) if len(self.seeds) % n == 0)
            chosen = chosen[:n]
        if not chosen or len(self.seeds) % len(chosen):
            raise ValueError(
                f"devices must divide the seeds evenly, got {len(chosen)} for {len(self.seeds)}"
            )
        return chosen
