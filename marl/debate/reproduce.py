"""From nothing to both tables: data, models, gates, training, evaluation; goes on if cut off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from marl.debate.protocol import Protocol
from marl.debate.settings import SFT, Training
from marl.debate.workers import processes
from marl.lock import locked
from rqe._plain import write_whole

if TYPE_CHECKING:
    from marl.debate.gates import Gate

Tell = Callable[[str], None]


# Each answer earns its own reward too: a first answer hardly moves the last one, and credited with
# that alone it would learn mostly from chance.
_COMMON = Training(
    credit="round", discount=0.5, lr=1.5e-4, adversary_lr=1.5e-3, warmup=5, debates=2560
)
# Much of an update is chance even in batches of 256 debates (`benchmarks.debate_signal`).
_DRILL = replace(_COMMON, algo="ippo", questions=32, group=8, lr=3e-4, debates=15360)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a reproduction runs.

    Attributes
    ----------
    sizes : tuple of str
        Models trained from scratch.
    pairs : {"all", "mixed"}
        Teams are all pairs (size, size) and, with two sizes, the mixed one; or the mixed one alone.
    seeds : int
        Independent runs a method and team.
    problems : int
        Word problems, train and test together.
    questions : int
        Held-out questions of the evaluation.
    sft : SFT, optional
        Of every model; by default those of its size (`SFT.of_size`).
    training : Training
        Shared by the methods, which differ in ``algo`` alone.
    drill : Training
        Of the last gate, the ceiling.
    protocol : Protocol
    """

    sizes: tuple[str, ...] = ("small",)
    pairs: Literal["all", "mixed"] = "all"
    seeds: int = 2
    problems: int = 20000
    questions: int = 300
    sft: SFT | None = None
    training: Training = _COMMON
    drill: Training = _DRILL
    protocol: Protocol = field(default_factory=lambda: Protocol(order="random", max_new_tokens=24))

    def __post_init__(self) -> None:
        """Refuse a mixed team of one size."""
        if self.pairs not in ("all", "mixed"):
            raise ValueError(f'pairs must be "all" or "mixed"; got {self.pairs!r}')
        if self.pairs == "mixed" and len(self.sizes) < 2:
            raise ValueError(f"a mixed team needs two sizes; got {', '.join(self.sizes)}")

    @property
    def teams(self) -> list[tuple[str, str]]:
        """Pairs of sizes that are trained together."""
        same = [(size, size) for size in self.sizes] if self.pairs == "all" else []
        return same + [(self.sizes[0], other) for other in self.sizes[1:2]]

    def supervised(self, size: str) -> SFT:
        """Return the settings with which a size of model is trained from nothing."""
        return self.sft or SFT.of_size(size)

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON writes it, with the supervised training of each size."""
        taught = {size: asdict(self.supervised(size)) for size in self.sizes}
        whole: dict[str, Any] = json.loads(json.dumps(asdict(self) | {"sft": taught}))
        return whole


QUICK = Plan()
FULL = Plan(
    sizes=("small", "medium"),
    seeds=3,
    questions=1000,
    training=replace(_COMMON, debates=12800),
)


def reproduce(
    out: str | Path, *, plan: Plan = QUICK, workers: int = 2, seed: int = 0, tell: Tell = print
) -> str:
    """Run a whole experiment, or what is missing of it; return its gates and tables.

    Parameters
    ----------
    out : path
        Folder of data, models, runs and the report. What is complete there is not made again; a
        plan with more seeds, else the same, adds its runs.
    plan : Plan
        ``QUICK`` (one size, two seeds a method) or ``FULL`` (two sizes, three seeds), or your own.
    workers : int
        Processes of one thread each; they end with this one, however it ends.
    seed : int
    tell : callable
        Called with lines of text, each with the seconds since the start.

    Raises
    ------
    ValueError
        If there is no such size, or the folder holds another experiment or is in use by another
        process.
    """
    from marl.debate.models import check_size

    for size in plan.sizes:  # before the folder becomes this plan's
        check_size(size)
    out, start = Path(out), time.perf_counter()

    def say(line: str) -> None:
        tell(f"[{time.perf_counter() - start:5.0f} s] {line}")

    with locked(out, ValueError):
        return _reproduced(plan, out, workers, seed, say)


def _reproduced(plan: Plan, out: Path, workers: int, seed: int, say: Tell) -> str:
    """Run what is missing of an experiment; return its gates and tables."""
    from marl.debate.problems import generate_problems, read_problems, write_problems
    from marl.debate.report import evaluate_runs
    from marl.debate.runs import open_run

    _same_plan(plan, seed, out)
    data = out / "problems.jsonl"
    if not data.exists():
        write_problems(data, generate_problems(plan.problems, seed=seed))
    held_out = read_problems(data, split="test")[: plan.questions]
    sizes, teams = ", ".join(plan.sizes), len(plan.teams)
    with processes(workers) as pool:
        say(f"supervised training from nothing: {sizes}")
        _each(pool, _make_model, [(plan, out, size, seed) for size in plan.sizes], say)
        say(f"the gates, and {plan.seeds} runs a method of {teams} team(s), {workers} at a time")
        gates_jobs = [pool.submit(_run_gates, plan, out, size, seed) for size in plan.sizes]
        paths = _each(pool, _make_run, _jobs(plan, out, seed), say)
        gates = [gate for job in gates_jobs for gate in job.result()]
    for gate in gates:
        say(str(gate))
    say(f"evaluation on {len(held_out)} held-out problems")
    models = [str(out / "models" / size) for size in plan.sizes]
    runs = [open_run(path) for path in paths]
    text = evaluate_runs(
        runs, held_out, partners=models, out=out / "report", seed=seed, gates=gates, report=say
    )
    say(f"report: {out / 'report' / 'report.html'}")
    return text


def _jobs(plan: Plan, out: Path, seed: int) -> list[tuple[Any, ...]]:
    """Return the arguments of `_make_run` for every run of a plan, the methods by turns."""
    return [
        (plan, out, algo, team, seed + k)
        for team in plan.teams
        for k in range(plan.seeds)
        for algo in ("srpo", "ippo")
    ]


def _same_plan(plan: Plan, seed: int, out: Path) -> None:
    """Write the plan, or raise if the folder holds another one; more runs are no other plan."""
    place = out / "plan.json"
    wanted = {"seed": seed, **plan.record()}
    if place.exists():
        found = json.loads(place.read_text(encoding="utf-8"))
        if {**found, "seeds": plan.seeds} != wanted or found["seeds"] > plan.seeds:
            raise ValueError(f"{out} holds another experiment; name another folder")
    write_whole(place, json.dumps(wanted, indent=2).encode())


def _each(
    pool: Executor, function: Callable[..., Any], jobs: Sequence[Any], tell: Tell
) -> list[Any]:
    """Return the results of some jobs in their order, telling each when it is done."""

    def done(future: Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            tell(f"done: {future.result()}")

    futures = []
    for job in jobs:
        futures.append(pool.submit(function, *job))
        futures[-1].add_done_callback(done)
    return [future.result() for future in futures]


def _make_model(plan: Plan, out: Path, size: str, seed: int) -> str:
    """Train a small model from scratch, if it is not there; return its folder."""
    import torch

    from marl.debate.models import untrained
    from marl.debate.problems import read_problems
    from marl.debate.sft import train_supervised

    folder = out / "models" / size
    if (folder / "accuracy.json").exists():
        return str(folder)
    torch.set_num_threads(1)
    problems = read_problems(out / "problems.jsonl")
    held_out = read_problems(out / "problems.jsonl", split="test")
    agent = untrained(size, [*problems, *held_out], seed=seed)
    settings = plan.supervised(size)
    accuracy = train_supervised(agent, problems, settings, seed=seed, held_out=held_out)
    agent.save(folder)
    write_whole(folder / "accuracy.json", json.dumps({"held_out": accuracy}).encode())
    return str(folder)


def _make_run(
    plan: Plan, out: Path, algo: Literal["srpo", "ippo"], team: tuple[str, str], seed: int
) -> str:
    """Train one team, or go on with it; return the folder of its run."""
    import torch

    from marl.debate.problems import read_problems
    from marl.debate.runs import RunConfig, train

    torch.set_num_threads(1)
    training = replace(plan.training, algo=algo)
    data = out / "problems.jsonl"
    agents = (str(out / "models" / team[0]), str(out / "models" / team[1]))
    config = RunConfig(agents, str(data), training, plan.protocol, seed)
    path = out / "runs" / f"{algo}-{'-'.join(team)}-{seed}"
    train(config, read_problems(data), path, every=10)
    return str(path)


def _run_gates(plan: Plan, out: Path, size: str, seed: int) -> list[Gate]:
    """Judge a model by every gate, if it has not been."""
    import torch

    from marl.debate.drill import judge
    from marl.debate.gates import read_gates, write_gates
    from marl.debate.models import load_agent
    from marl.debate.problems import read_problems

    place = out / "gates" / f"{size}.json"
    if place.exists():
        return read_gates(place)
    torch.set_num_threads(1)
    agent = load_agent(out / "models" / size)
    data = out / "problems.jsonl"
    held_out = read_problems(data, split="test")[: 2 * plan.questions]
    to_learn = read_problems(data)[: 4 * len(held_out)]  # as in `marl debate gates`
    judged = judge(agent, to_learn, held_out, plan.drill, plan.protocol, seed=seed)
    gates = [replace(gate, model=size) for gate in judged]
    place.parent.mkdir(exist_ok=True)
    write_gates(place, gates)
    return gates
