"""Exact values on the kitchen, timed: ``python -m benchmarks.marl_exact [--teams 60]``.

CPU seconds of this process, after a first call that compiles; the policies are random tables, which
reach every state, as trained ones do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from marl import exact


def cpu(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teams", type=int, default=60, help="teams in the cross-play matrix")
    teams = parser.parse_args().teams
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
