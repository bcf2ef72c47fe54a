"""From runs on disk to teams that play, and the curves of how they learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from marl.checkpoint import CheckpointError
from marl.crossplay import Group, cross_play
from marl.figures import Curve
from marl.measures import work_event
from marl.results import Results, exact_cross_play
from marl.run import Run, load_run

__all__ = ["curve", "group", "load_groups", "play_all"]


def play_all(
    folders: Mapping[str, Iterable[str | Path]],
    *,
    episodes: int = 100,
    steps: int | None = None,
    seed: int = 0,
    exact: bool = True,
    progress: bool = False,
    notes: Mapping[str, str] | None = None,
) -> Results:
    """Cross-play of runs on disk, sampled and, on the kitchen, exact.

    Parameters
    ----------
    folders : mapping of str to iterable of path
        Name of a method and its runs' folders.
    episodes, steps, seed, progress
        As `marl.crossplay.cross_play` takes them.
    exact : bool
        Whether to compute exact values too, where that is possible.
    notes : mapping of str to str, optional
        What to tell a reader beside versions, machine and date.
    """
    runs = load_groups(folders)
    groups = [group(name, members) for name, members in runs.items()]
    firsts = [members[0] for members in runs.values()]
    env = firsts[0].env
    cross = cross_play(env, groups, episodes=episodes, steps=steps, seed=seed, progress=progress)
    found = None
    if exact:
        found = exact_cross_play(env, groups, [run.algo.activation for run in firsts])
    told = {name: members for name, members in runs.items() if all(run.metrics for run in members)}
    curves = {name: curve(members) for name, members in told.items()}
    return Results(cross, curves, found, notes={**(notes or {}), **provenance(runs)})


def provenance(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    """When and on what the figures were made."""
    import datetime
    import os

    config = next(iter(runs.values()))[0].config
    versions = ", ".join(f"{name} {value}" for name, value in config.versions.items())
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    found = {"date": today, "machine": f"{os.cpu_count()} CPU cores", "trained with": versions}
    for name, members in runs.items():
        algo = members[0].config.algo
        about = ", ".join(f"{key}={value}" for key, value in algo.items() if key != "name")
        seeds = sum(len(run.seeds) for run in members)
        found[name] = f"{algo['name']}: {seeds} teams x {members[0].config.steps} steps; {about}"
    return found


def load_groups(folders: Mapping[str, Iterable[str | Path]]) -> dict[str, list[Run]]:
    """Read the runs of each method, all in the same environment.

    Parameters
    ----------
    folders : mapping of str to iterable of path
        Name of a method and its runs' folders.

    Raises
    ------
    CheckpointError
        When a folder is no complete run.
    ValueError
        When runs do not belong together.
    """
    runs = {name: [load_run(path) for path in paths] for name, paths in folders.items()}
    everything = [run for members in runs.values() for run in members]
    if not everything:
        raise ValueError("runs must hold at least one run, got none")
    for run in everything:
        if run.env != everything[0].env:
            raise ValueError(
                f"runs must share their environment: {run.path} has {run.config.env}, "
                f"{everything[0].path} has {everything[0].config.env}"
            )
    for members in runs.values():
        _check_members(members)
    return runs


def group(name: str, runs: Sequence[Run]) -> Group:
    """Return the teams of all `runs` of one method as a group that plays."""
    import jax

    first = runs[0]
    actors = jax.tree.map(lambda *leaves: np.concatenate(leaves), *[run.actors for run in runs])
    env: Any = first.env  # hashable, which the protocol cannot say
    policy = _policy(env, tuple(first.algo.hidden), first.algo.activation)
    return Group(name, actors, policy, tuple(seed for run in runs for seed in run.seeds))


def curve(runs: Sequence[Run]) -> Curve:
    """Return how the teams of one method learned, from the metrics of its runs.

    Raises
    ------
    CheckpointError
        When a run's metrics lack rows.
    ValueError
        When the runs were logged at different steps.
    """
    event = work_event(runs[0].env.events)
    seats = range(runs[0].env.n_agents)
    works = [] if event is None else [f"play.{event}.{i}" for i in seats]
    tables = [_table(run, ("play.return.0", *works)) for run in runs]
    if any(not np.array_equal(table["steps"][0], tables[0]["steps"][0]) for table in tables):
        raise ValueError(
            f"runs must be logged at the same steps, got {[str(run.path) for run in runs]}"
        )
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    work = [joined[name] for name in works]
    least = None
    if len(work) > 1:
        total = np.sum(work, axis=0)
        least = np.full(total.shape, np.nan)
        np.divide(np.min(work, axis=0), total, out=least, where=total > 0)
    return Curve(joined["steps"][0], joined["play.return.0"], least)


def _check_members(runs: Sequence[Run]) -> None:
    """Refuse to call runs one method that differ in more than their seeds."""
    first = runs[0].config
    seeds: set[int] = set()
    for run in runs:
        if (run.config.algo, run.config.steps) != (first.algo, first.steps):
            raise ValueError(
                "runs of one method must have the same settings and steps, got "
                f"{run.path} beside {runs[0].path}"
            )
        if seeds & set(run.seeds):
            both = sorted(seeds & set(run.seeds))
            raise ValueError(
                f"runs of one method must have different seeds, got {both} again in {run.path}"
            )
        seeds |= set(run.seeds)


def _table(run: Run, needed: Sequence[str]) -> dict[str, Any]:
    """Metrics of one run, each [seeds, rows], among them those that are `needed`."""
    file, config = run.path / "metrics.csv", run.config
    for name in needed:
        if name not in run.metrics:
            raise CheckpointError(f"{file}: lacks the column {name!r}")
    updates = run.algo.total_updates(config.steps, run.env.n_agents)
    shape = (-(-updates // config.log_every), config.seeds)
    seeds = run.metrics["seed"]
    if len(seeds) != shape[0] * shape[1] or (seeds.reshape(shape) != run.seeds).any():
        raise CheckpointError(
            f"{file}: must have a row for each of {config.seeds} seeds in every one of {shape[0]} "
            f"intervals; it has {len(seeds)} rows"
        )
    return {name: column.reshape(shape).T for name, column in run.metrics.items()}


@lru_cache(maxsize=32)
def _policy(env: Any, hidden: tuple[int, ...], activation: str) -> Any:
    """One policy for all methods with the same network, so that play is compiled once."""
    from types import SimpleNamespace

    from marl.play import learned

    return learned(env, SimpleNamespace(hidden=hidden, activation=activation))
