"""Many methods in one environment: trained, crossed and reported on the same protocol.

Every run is kept, so that an interrupted benchmark goes on where it was, and a method that is
added later meets the teams that are there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marl.plans import BENCHMARKS, Plan

if TYPE_CHECKING:
    from marl.algorithms import Algorithm
    from marl.config import RunConfig
    from marl.envs.base import Env
    from marl.results import Results

__all__ = ["run_benchmark"]

_EPISODES = 100  # of each entry of the matrix


def run_benchmark(
    plan: Plan,
    out: str | Path,
    *,
    executor: Executor | None = None,
    progress: bool = False,
    patience: float | None = None,
    notes: Mapping[str, str] | None = None,
) -> Results:
    """Train what is missing, play, and write the report; interrupted, the same call goes on.

    Parameters
    ----------
    plan : Plan
        From `benchmark_plan`.
    out : str or Path
        Folder of everything: ``runs/``, ``runners/`` and ``report/``.
    executor : concurrent.futures.Executor, optional
        Runs are independent tasks; by default one after the other.
    progress : bool
        Report on standard error.
    patience : float, optional
        Minutes without a finished interval after which the process ends with exit code 75.
    notes : mapping of str to str, optional
        What the report should tell beside versions, machine and date.

    Returns
    -------
    Results
        What the report in ``out/report`` shows.

    Raises
    ------
    CheckpointError
        If a folder holds another run or a damaged one; the message names it.
    """
    from marl.benchmark_report import further_tables
    from marl.report import write_report
    from marl.teams import play_all

    folder = Path(out)
    env = environment(plan, folder, progress=progress, patience=patience)
    cells = dict(plan.methods)
    _train(plan, env, cells, folder, executor, progress, patience)
    folders = {name: list(plan.batches(name, folder / "runs")) for name in cells}
    results = play_all(folders, episodes=_EPISODES, exact=False, progress=progress, notes=notes)
    results.tables.extend(further_tables(plan, folder, env, results.cross, folders))
    for ablation, sweep in plan.sweeps.items():
        named = {f"{ablation}-{series}-{value:g}": algo for series, value, algo in sweep}
        _train(plan, env, named, folder, executor, progress, patience)
        results.sweeps.append(_swept(plan, ablation, folder))
    results.save(folder / "report")
    write_report(folder / "report")
    return results


def environment(
    plan: Plan, folder: Path, *, progress: bool = False, patience: float | None = None
) -> Env:
    """The benchmark's environment; for tag, runners are trained first if they are missing."""
    from marl.envs.base import make_env

    name, options = BENCHMARKS[plan.name]
    if name != "tag":
        return make_env(name, **options)
    files = runner_files(plan, folder)
    if not all(file.is_file() for file in files):
        _train_runners(plan, folder, files, progress, patience)
    return make_env("tag", runner=str(files[0]), **options)


def runner_files(plan: Plan, folder: Path) -> list[Path]:
    """Where tag's runners are kept: the one of the training, then one that nobody has met."""
    return [folder / "runners" / f"runner-{k}.safetensors" for k in range(plan.runners)]


def _train_runners(
    plan: Plan, folder: Path, files: list[Path], progress: bool, patience: float | None
) -> None:
    """Chasers and runners learn against each other; the runners are kept."""
    from marl.envs.base import make_env
    from marl.envs.tag import save_runner
    from marl.run import train_run

    run = train_run(
        make_env("tag", runner="learned"),
        plan.trainer,
        folder / "runners" / "run",
        steps=plan.steps,
        seeds=plan.runners,
        progress=progress,
        patience=patience,
    )
    for seed, file in zip(run.seeds, files, strict=True):
        save_runner(run, seed, file)


def _train(
    plan: Plan,
    env: Env,
    cells: Mapping[str, Algorithm],
    folder: Path,
    executor: Executor | None,
    progress: bool,
    patience: float | None,
) -> None:
    """Make the runs that are missing."""
    from marl.run import run_config
    from rqe.parallel import map_tasks

    tasks = []
    for name, algo in cells.items():
        for run, (first, teams) in plan.batches(name, folder / "runs").items():
            config = run_config(env, algo, steps=plan.steps, seeds=teams, seed=first)
            tasks.append((str(run), config, progress, patience))
    tasks.sort(key=lambda task: task[1].seed)  # all methods advance together
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for _ in map_tasks(_timed_run, tasks, executor=executor):
        pass


def _timed_run(task: tuple[str, RunConfig, bool, float | None]) -> None:
    """One run, and in ``wall.json`` the seconds that its sessions took."""
    from marl.run import train_task
    from rqe import _plain

    folder = Path(task[0])
    complete = (folder / "policies.safetensors").exists()
    begun = time.perf_counter()
    try:
        train_task(task)
    finally:
        if not complete and folder.is_dir():
            seconds = wall_seconds(folder) + time.perf_counter() - begun
            text = json.dumps({"seconds": round(seconds, 3)}) + "\n"
            _plain.write_whole(folder / "wall.json", text.encode())


def wall_seconds(path: str | Path) -> float:
    """Seconds that a run has taken so far, compilation included; 0 where nobody counted."""
    try:
        return float(json.loads((Path(path) / "wall.json").read_text("utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _swept(plan: Plan, ablation: str, folder: Path) -> dict[str, Any]:
    """One ablation's table: every cell crossed with itself."""
    from marl.crossplay import cross_play
    from marl.measures import rows, summarize
    from marl.teams import group, load_groups
    from rqe import _plain

    label, title = {
        "tau": ("strategic risk aversion τ (1/reward)", "SRPO over tau"),
        "eps": ("entropy bonus ε (reward per nat)", "Entropy of IPPO and SRPO"),
    }[ablation]
    table = []
    for series, value, _ in plan.sweeps[ablation]:
        name = f"{ablation}-{series}-{value:g}"
        runs = load_groups({name: plan.batches(name, folder / "runs")})[name]
        teams = group(name, runs)
        cross = cross_play(runs[0].env, [teams], episodes=_EPISODES, partners=())
        record: dict[str, Any] = {"free_riding_teams": 0, "idle_teams": 0}
        record |= rows(summarize(cross))[0]
        for part in ("work_less", "work_more"):
            for end in ("", "_low", "_high"):
                record.setdefault(f"{part}{end}", float("nan"))
        table.append({"series": series, ablation: value, **record})
    clean = [_plain.jsonable(row) for row in table]
    return {"parameter": ablation, "label": label, "title": title, "rows": clean}
