"""Exact values on the kitchen: ``python -m benchmarks.marl_exact [--teams 60] [--run FOLDER ...]``.

Without a run, what they cost: CPU seconds of this process, after a first call that compiles; the
policies are random tables, which reach every state, as trained ones do. With runs (folders that
`marl train` wrote), what their teams are worth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from marl import exact


def cpu(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def judge(folder: Path) -> tuple[str, ...]:
    """Means over the teams of a run, as words."""
    from marl.measures import free_riding
    from marl.run import load_run

    teams = exact.policy_table(load_run(folder).actors)
    cross = exact.crossplay(teams)
    own = np.eye(len(teams), dtype=bool)
    work = cross.events["deliveries"][own]
    conv = np.mean([exact.nash_conv(team).value for team in teams])
    worst = np.mean([exact.worst_case(t[s], seat=s).value for t in teams for s in (0, 1)])
    risk = [
        exact.risk_adjusted(team, seat=seat, tau=0.1, penalty="reverse_kl").value
        for team in teams
        for seat in (0, 1)
    ]
    figures = (cross.total[own].mean(), cross.total[~own].mean(), conv, worst, np.mean(risk))
    riders = free_riding(work).sum()
    return (folder.name, str(len(teams)), *(f"{x:.1f}" for x in figures), str(riders))


def worth(folders: list[Path]) -> None:
    """Print what the teams of runs are worth."""
    figures = ("total", "cross-play", "NashConv", "worst case", "tau 0.1")
    columns = ("run", "teams", *figures, "free-riding")
    print("| " + " | ".join(columns) + " |\n| " + " | ".join(["---"] * len(columns)) + " |")
    for folder in folders:
        print("| " + " | ".join(judge(folder)) + " |", flush=True)


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teams", type=int, default=60, help="teams in the cross-play matrix")
    parser.add_argument("--run", type=Path, action="append", help="a run to judge; repeat")
    args = parser.parse_args()
    if args.run:
        worth(args.run)
    else:
        cost(args.teams)


def cost(teams: int) -> None:
    """Print what the functions cost."""
    build = cpu(exact.kitchen_model)
    model = exact.kitchen_model()
    rng = np.random.default_rng(0)
    tables = rng.dirichlet(np.full(5, 0.3), (teams, 2, model.n_states))
    team = tables[0]
    exact.crossplay(tables[:1])
    exact.risk_adjusted(team, seat=0, tau=1.0)
    exact.team_optimum()
    single: dict[str, Callable[[], object]] = {
        "returns of a pair": lambda: exact.evaluate(team),
        "best response": lambda: exact.best_response(team[1], seat=0),
        "worst case": lambda: exact.worst_case(team[0], seat=0),
        "NashConv": lambda: exact.nash_conv(team),
        "KL-constrained worst case": lambda: exact.risk_adjusted(team, seat=0, tau=10.0),
        "reverse-KL-constrained worst case": lambda: exact.risk_adjusted(
            team, seat=0, tau=10.0, penalty="reverse_kl"
        ),
        "team optimum": exact.team_optimum,
    }
    print("| what | CPU seconds |\n| --- | --- |")
    print(f"| tables ({model.n_states} states, 25 joint actions, 2 orders) | {build:.2f} |")
    for name, call in single.items():
        print(f"| {name} | {np.median([cpu(call) for _ in range(5)]):.3f} |")
    whole = cpu(lambda: exact.crossplay(tables))
    print(f"| cross-play {teams}x{teams} | {whole:.1f} |")


if __name__ == "__main__":
    main()
