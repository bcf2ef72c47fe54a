"""Two peers that solve something near: Lemke-Howson for Nash, the RQE authors' gradient descent.

    python -m benchmarks.nash

First table: ``rqe.nash`` (the limit of the principal branch) beside QuantEcon's ``lemke_howson``
(the end of one pivoting path). These are DIFFERENT algorithms that select different equilibria:
Lemke-Howson is exact pivoting to some vertex and is the faster of the two wherever one arbitrary
equilibrium of a two-player game is all that is wanted; the principal branch selects one equilibrium
and holds for N players. Second table: the published gradient descent (see
:mod:`benchmarks.descent`) beside ``rqe.solve`` on the games that people played, with the log
barrier and the published tau and eps; its error is the distance to the certified equilibrium.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import rqe
from benchmarks.common import (
    Array,
    aligned,
    cpu_seconds,
    distance,
    heading,
    markdown,
    nash_regret,
    number,
    one_thread,
    publish,
    random_payoffs,
    seconds,
)
from benchmarks.descent import descend

SIZES = (5, 20, 50, 100)
NASH_HEAD = ("random 2p", "rqe.nash", "lemke_howson", "rqe/LH", "regret rqe", "regret LH", "same")
DESCENT_HEAD = ("game", "rqe.solve", "descent", "descent/rqe", "residual rqe", "error descent")
#: Catalog name -> eps and tau of both players, as published for (KL, log barrier).
PUBLISHED: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "selten-chmura/1": ((0.21, 0.555), (0.1, 100)),
    "selten-chmura/2": ((0.68, 10), (0.08, 2)),
    "selten-chmura/3": ((0.216, 0.837), (0.1, 56)),
    "selten-chmura/4": ((0.35, 1.64), (0.1, 30)),
    "selten-chmura/5": ((0.38, 2.7), (0.1, 10)),
    "selten-chmura/6": ((0.92, 3.8), (0.1, 6)),
    "selten-chmura/7": ((0.49, 1.88), (0.1, 11)),
    "selten-chmura/8": ((0.36, 2.8), (0.1, 10)),
    "selten-chmura/9": ((0.179, 0.65), (0.1, 90)),
    "selten-chmura/10": ((0.1, 2.11), (0.3, 20)),
    "selten-chmura/11": ((0.172, 2.97), (0.1, 25)),
    "selten-chmura/12": ((0.23, 5.74), (0.04, 19)),
    "goeree-holt-palfrey/4": ((170, 110), (0.001, 0.06)),
}
#: The published step and count of steps where they are not those of Selten and Chmura's games.
STEPS = {"goeree-holt-palfrey/4": (1e-4, 1_000)}


def lemke_howson(game: Any) -> tuple[tuple[Array, Array], bool]:
    """Return QuantEcon's equilibrium and whether it says that it has converged."""
    from quantecon.game_theory import lemke_howson as solve

    profile, result = solve(game, full_output=True)
    return profile, bool(result.converged)


def quantecon_game(payoffs: Array) -> Any:
    """Return QuantEcon's game."""
    from quantecon.game_theory import NormalFormGame, Player

    tables = (payoffs[0], np.ascontiguousarray(payoffs[1].T))
    return NormalFormGame([Player(table) for table in tables])


def nash_line(size: int, seeds: int) -> list[str]:
    """Return medians and worst regrets over the seeds for one size."""
    ours, theirs, gaps, peer_gaps, alike = [], [], [], [], 0
    failures = 0
    for seed in range(seeds):
        payoffs = random_payoffs((size, size), seed)
        game, peer = rqe.NormalFormGame(payoffs), quantecon_game(payoffs)
        lemke_howson(peer)
        cpu_peer, (vertex, converged) = cpu_seconds(partial(lemke_howson, peer))
        theirs.append(cpu_peer)
        peer_gaps.append(nash_regret(payoffs, vertex) if converged else np.inf)
        try:
            rqe.nash(game)
            cpu, solution = cpu_seconds(partial(rqe.nash, game))
        except rqe.ConvergenceError as error:
            print(f"{size}x{size}, seed {seed}: {error}")
            failures += 1
            continue
        ours.append(cpu)
        gaps.append(nash_regret(payoffs, solution.strategies))
        alike += distance(solution.strategies, vertex) < 1e-6
    if not ours:
        return [f"{size}x{size}", "fails", seconds(statistics.median(theirs)), *["-"] * 4]
    return [
        f"{size}x{size}" + (f" ({failures} fail)" if failures else ""),
        seconds(statistics.median(ours)),
        seconds(statistics.median(theirs)),
        f"{statistics.median(ours) / statistics.median(theirs):.1f}",
        number(max(gaps)),
        number(max(peer_gaps)),
        f"{alike}/{seeds}",
    ]


def descent_line(name: str, seed: int) -> list[str]:
    """Return times and the error of the gradient descent for one game of the human data."""
    game = rqe.catalog.load(name)
    eps, tau = (np.array(values, dtype=float) for values in PUBLISHED[name])
    rate, steps = STEPS.get(name, (2e-4, 10_000))

    def own() -> rqe.Solution:
        return rqe.solve(game, tau, eps, regularizer="log_barrier")

    def peer() -> tuple[Array, Array]:
        rng = np.random.default_rng(seed)
        return descend(game.payoffs, tau, eps, rng, rate=rate, steps=steps)

    own()
    cpu, solution = cpu_seconds(own)
    cpu_peer, answer = cpu_seconds(peer, most=1)
    return [
        name,
        seconds(cpu),
        seconds(cpu_peer),
        f"{cpu_peer / cpu:.0f}",
        number(solution.residual),
        number(distance(solution.strategies, answer)),
    ]


def main() -> None:
    """Run the command."""
    one_thread()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=7, help="games a size (default 7)")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--no-descent", action="store_true", help="leave the second table out")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file as well")
    args = parser.parse_args()
    lines = [
        *heading("numpy", "numba", "quantecon"),
        "Lemke-Howson is another algorithm: see --help",
    ]
    print("\n".join(lines), "\n")
    rows = [nash_line(size, args.seeds) for size in args.sizes]
    print(aligned(NASH_HEAD, rows))
    tables = [markdown(NASH_HEAD, rows)]
    if not args.no_descent:
        played = [descent_line(name, seed=73) for name in PUBLISHED]
        print("\n" + aligned(DESCENT_HEAD, played))
        tables.append(markdown(DESCENT_HEAD, played))
    publish(args.markdown, "Other peers", lines, tables)


if __name__ == "__main__":
    main()
