"""Many methods in one environment: trained, crossed and reported on the same protocol.

Every run is kept, so that an interrupted benchmark goes on where it was, and a method that is
added later meets the teams that are there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marl.algorithms import ALGORITHMS, Algorithm, algo_config, make_algo
from marl.config import RunConfig
from marl.envs.base import check_name

if TYPE_CHECKING:
    from marl.envs.base import Env
    from marl.results import Results

__all__ = ["ABLATIONS", "BENCHMARKS", "SIZES", "Plan", "benchmark_plan", "run_benchmark"]

_COPIES = 100  # episodes of each entry of the matrix
_TOGETHER = 5  # teams in a run, at most

BENCHMARKS: dict[str, tuple[str, dict[str, Any]]] = {
    "kitchen": ("kitchen", {}),
    "tag": ("tag", {}),
    "hanabi2": ("hanabi", {"players": 2}),
    "hanabi4": ("hanabi", {"players": 4}),
}
"""Name of a benchmark -> environment and its options."""

SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "quick": {
        "kitchen": {"steps": 3e5, "seeds": 5},
        "tag": {"steps": 3e5, "seeds": 5, "n_envs": 16, "hidden": (64, 64)},
        "hanabi2": {"steps": 4e5, "seeds": 5, "n_envs": 64, "n_steps": 50, "epochs": 4},
        "hanabi4": {"steps": 4e5, "seeds": 5, "n_envs": 64, "n_steps": 50, "epochs": 4},
    },
    "default": {
        "kitchen": {"steps": 2e6, "seeds": 10},
        "tag": {"steps": 3e6, "seeds": 10, "n_envs": 16, "hidden": (64, 64)},
        "hanabi2": {"steps": 6e6, "seeds": 5, "n_envs": 128, "n_steps": 100, "epochs": 4},
        "hanabi4": {"steps": 6e6, "seeds": 5, "n_envs": 128, "n_steps": 100, "epochs": 4},
    },
    "paper": {
        "kitchen": {"steps": 2e6, "seeds": 30},
        "tag": {"steps": 3e7, "seeds": 30},
        "hanabi2": {"steps": 3e7, "seeds": 10},
        "hanabi4": {"steps": 3e7, "seeds": 10, "hidden": (256, 256)},
    },
}
"""Size -> benchmark -> environment steps and teams of each method, and settings of them all."""

ABLATIONS = ("tau", "eps")
_TAUS = (0.01, 0.1, 1.0, 10.0, 100.0)
_EPSILONS = (0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a benchmark trains; `benchmark_plan` makes it.

    Attributes
    ----------
    name : str
        Key of `BENCHMARKS`.
    methods : dict of str to Algorithm
        Who is compared; the first is the baseline.
    steps : float
        Environment steps of each team, all tables and phases counted.
    seeds : int
        Teams of each method.
    runners : int
        Runners that are trained first, for tag: chasers learn against the first and are tested
        against the second too.
    trainer : Algorithm
        How these runners and chasers of their own learn: IPPO, whatever `methods` are given
        for themselves, so that tuning a method leaves the runners as they are.
    sweeps : dict of str to tuple of (str, float, Algorithm)
        Per ablation: series, value of the parameter, who learns.
    """

    name: str
    methods: dict[str, Algorithm]
    steps: float
    seeds: int
    runners: int
    trainer: Algorithm
    sweeps: dict[str, tuple[tuple[str, float, Algorithm], ...]]

    def batches(self, name: str, runs: Path) -> dict[Path, tuple[int, int]]:
        """One method's runs below `runs`: path -> first seed and teams; those there stay."""
        found, first = {}, 0
        while first < self.seeds:
            run, teams = runs / f"{name}-{first}", min(_TOGETHER, self.seeds - first)
            if (run / "config.json").exists():  # perhaps of fewer, when fewer were asked for
                teams = max(1, min(teams, RunConfig.load(run / "config.json").seeds))
            found[run] = first, teams
            first += teams
        return found


def benchmark_plan(
    name: str,
    *,
    methods: Sequence[str] | None = None,
    seeds: int | None = None,
    steps: float | None = None,
    size: str = "default",
    ablations: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    variants: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> Plan:
    """Return what a benchmark of that name and size trains.

    Parameters
    ----------
    name : {"kitchen", "tag", "hanabi2", "hanabi4"}
        Where.
    methods : sequence of str, optional
        Names of algorithms, the baseline first; all of them by default, IPPO first.
    seeds, steps : int and float, optional
        Teams of each method, and environment steps of each team, if not those of the size.
    size : {"default", "quick", "paper"}
        See `SIZES`.
    ablations : sequence of {"tau", "eps"}
        SRPO over tau for both directions of the KL; IPPO and SRPO over the entropy bonus.
    settings : mapping of str to object, optional
        Settings of all methods that have them; ``"srpo.eps"`` is that of one method alone.
    variants : sequence of (str, mapping of str to object), optional
        Further methods: an algorithm's name and what differs from its settings above.

    Raises
    ------
    ValueError
        If a name is unknown (the nearest is named), or a setting out of its range.

    Examples
    --------
    >>> plan = benchmark_plan("kitchen", methods=["ippo", "srpo"], size="quick")
    >>> plan.seeds, plan.methods["srpo"].tau
    (5, 10.0)
    >>> plan = benchmark_plan("kitchen", methods=["ippo"], variants=[("srpo", {"tau": 1.0})])
    >>> list(plan.methods)
    ['ippo', 'srpo-tau-1.0']
    """
    from marl.presets import preset
    from marl.presets import settings as those_of

    check_name("benchmark", name, BENCHMARKS)
    check_name("size", size, SIZES)
    names = list(dict.fromkeys(methods or ALGORITHMS))
    for method in (*names, *(kind for kind, _ in variants)):
        check_name("method", method, ALGORITHMS)
    for ablation in ablations:
        check_name("ablation", ablation, dict.fromkeys(ABLATIONS))
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds!r}")
    chosen = dict(SIZES[size][name])
    own_steps, own_seeds = chosen.pop("steps"), chosen.pop("seeds")
    fields, own = _by_method({**chosen, **(settings or {})}, names)

    def algo(method: str, **more: Any) -> Algorithm:
        base = algo_config(preset(BENCHMARKS[name][0], method).algo)
        kind = ALGORITHMS[method]
        return make_algo(**(base | those_of(kind, fields) | more))

    return Plan(
        name=name,
        methods=_compared(names, own, variants, algo),
        steps=own_steps if steps is None else steps,
        seeds=own_seeds if seeds is None else seeds,
        runners=2 if name == "tag" else 0,
        trainer=algo("ippo", share_policies=False),
        sweeps={ablation: tuple(_sweep_cells(ablation, algo)) for ablation in ablations},
    )


def _by_method(
    settings: Mapping[str, Any], methods: Sequence[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Settings of all, and those that are for one method alone ("srpo.eps")."""
    common: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {method: {} for method in methods}
    for name, value in settings.items():
        method, dot, field = name.rpartition(".")
        if dot:
            check_name(f"method, of those that are compared, in {name!r}", method, own)
        (own[method] if dot else common)[field] = value
    return common, own


def _compared(
    names: Sequence[str],
    own: Mapping[str, Mapping[str, Any]],
    variants: Sequence[tuple[str, Mapping[str, Any]]],
    algo: Any,
) -> dict[str, Algorithm]:
    """Who is compared: methods, then their variants, which are called by what they change."""
    found = {method: algo(method, **own[method]) for method in names}
    for kind, changes in variants:
        parts = (
            (x if isinstance(x, tuple | list) else (x,), field) for field, x in changes.items()
        )
        label = "-".join((kind, *(f"{field}-{'x'.join(map(str, x))}" for x, field in parts)))
        found[label] = algo(kind, **{**own.get(kind, {}), **changes})
    return found


def _sweep_cells(ablation: str, algo: Any) -> Iterable[tuple[str, float, Algorithm]]:
    """Series, value, algorithm of one ablation."""
    if ablation == "tau":
        for penalty in ("reverse_kl", "kl"):
            for tau in _TAUS:
                yield penalty, tau, algo("srpo", tau=tau, penalty=penalty)
        return
    for method in ("ippo", "srpo"):
        for eps in _EPSILONS:
            yield method, eps, algo(method, eps=eps)


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
    results = play_all(folders, copies=_COPIES, exact=False, progress=progress, notes=notes)
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
        cross = cross_play(runs[0].env, [teams], copies=_COPIES, partners=())
        record: dict[str, Any] = {"free_riding_teams": 0, "idle_teams": 0}
        record |= rows(summarize(cross))[0]
        for part in ("work_less", "work_more"):
            for end in ("", "_low", "_high"):
                record.setdefault(f"{part}{end}", float("nan"))
        table.append({"series": series, ablation: value, **record})
    clean = [_plain.jsonable(row) for row in table]
    return {"parameter": ablation, "label": label, "title": title, "rows": clean}
