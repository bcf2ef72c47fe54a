"""What proofs cost: seconds per certificate, and per proved-complete enumeration.

    python -m benchmarks.proof [--quick]

CPU seconds of one thread. A certificate's line is the median over games; an enumeration's line
shows how many equilibria were found and whether the list is proved complete. Targets: a 2x2
certificate in 10 ms, 50x50 in 2 s, all equilibria of a 2x2 game in 1 s, of a 3x3 game in 60 s.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

import rqe
from benchmarks.common import (
    aligned,
    heading,
    markdown,
    one_thread,
    publish,
    random_payoffs,
    seconds,
)

T = TypeVar("T")

CERTIFY = (
    # shape, tau, eps, penalty, regularizer
    ((2, 2), 0.0, 0.1, "kl", "entropy"),
    ((2, 2), 1.0, 0.1, "kl", "entropy"),
    ((2, 2), 1.0, 0.1, "reverse_kl", "log_barrier"),
    ((5, 5), 1.0, 0.1, "kl", "entropy"),
    ((20, 20), 1.0, 0.1, "kl", "entropy"),
    ((50, 50), 0.0, 0.05, "kl", "entropy"),
    ((50, 50), 1.0, 0.05, "kl", "entropy"),
    ((50, 50), 1.0, 0.05, "reverse_kl", "log_barrier"),
    ((100, 100), 1.0, 0.05, "kl", "entropy"),
    ((4, 4, 4), 1.0, 0.1, "kl", "entropy"),
    ((2,) * 8, 1.0, 0.1, "kl", "entropy"),
)
ENUMERATE = (
    ((2, 2), 0.0, 0.05, "kl", "entropy"),
    ((2, 2), 1.0, 0.05, "kl", "entropy"),
    ((2, 2), 1.0, 0.05, "reverse_kl", "log_barrier"),
    ((3, 3), 0.0, 0.1, "kl", "entropy"),
    ((3, 3), 0.0, 0.01, "kl", "entropy"),
    ((3, 3), 1.0, 0.1, "kl", "entropy"),
    ((3, 3), 3.0, 0.02, "kl", "entropy"),
    ((3, 3), 1.0, 0.1, "reverse_kl", "entropy"),
    ((3, 3), 1.0, 0.1, "kl", "log_barrier"),
    ((2, 2, 2), 0.0, 0.05, "kl", "entropy"),
    ((2, 2, 2), 1.0, 0.05, "kl", "entropy"),
    ((4, 4), 0.0, 0.05, "kl", "entropy"),
    ((4, 4), 1.0, 0.05, "kl", "entropy"),
)
HEAD = ("game", "tau", "eps", "penalty, regularizer", "median", "slowest", "outcome")


def spent(call: Callable[..., T], *args: object, **options: object) -> tuple[float, T]:
    """Return the CPU seconds of one call, and its result."""
    start = time.process_time()
    result = call(*args, **options)
    return time.process_time() - start, result


def certificates(games: int) -> Iterator[list[str]]:
    """Yield the lines about `certify`, on random games of U[0, 1] payoffs."""
    for shape, tau, eps, penalty, regularizer in CERTIFY:
        times, proved = [], 0
        for seed in range(games):
            game = rqe.NormalFormGame(random_payoffs(shape, seed))
            solution = rqe.solve(game, tau, eps, penalty=penalty, regularizer=regularizer)
            elapsed, certificate = spent(rqe.certify, solution)
            times.append(elapsed)
            proved += certificate.proved
        yield row(shape, tau, eps, (penalty, regularizer), times, f"{proved}/{games} proved")


def enumerations(games: int, limit: float) -> Iterator[list[str]]:
    """Yield the lines about `solve_all`, on games with a shared part: several equilibria."""
    for shape, tau, eps, penalty, regularizer in ENUMERATE:
        times, complete, counts = [], 0, []
        for seed in range(games):
            game = rqe.NormalFormGame(random_payoffs(shape, seed, "coordination"))
            elapsed, found = spent(
                rqe.solve_all, game, tau, eps, penalty=penalty, regularizer=regularizer,
                time_limit=limit,
            )  # fmt: skip
            times.append(elapsed)
            complete += found.complete
            counts.append(len(found))
        outcome = f"{complete}/{games} complete, {min(counts)} to {max(counts)} equilibria"
        yield row(shape, tau, eps, (penalty, regularizer), times, outcome)


def example() -> Iterator[list[str]]:
    """Yield the lines about example 4.2 of arXiv 2602.21515, up to its pitchfork."""
    game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    star = 0.8287886937257862
    for name, tau in (("0", 0.0), ("tau* - 1e-6", star - 1e-6), ("tau* + 1e-6", star + 1e-6)):
        elapsed, found = spent(rqe.solve_all, game, tau, 0.2)
        outcome = f"{len(found)} equilibria, {'complete' if found.complete else 'not proved'}"
        cells = ["example 4.2", name, "0.2", "kl, entropy", seconds(elapsed), seconds(elapsed)]
        yield [*cells, outcome]


def row(
    shape: tuple[int, ...], tau: float, eps: float, pair: tuple[str, str], times: list[float],
    outcome: str,
) -> list[str]:  # fmt: skip
    """Return one line of a table."""
    name = "x".join(map(str, shape))
    middle, most = statistics.median(times), max(times)
    return [name, f"{tau:g}", f"{eps:g}", ", ".join(pair), seconds(middle), seconds(most), outcome]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proof",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer games, time limit 10 s")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file as well")
    args = parser.parse_args()
    one_thread()
    games, limit = (3, 10.0) if args.quick else (9, 60.0)
    warm = rqe.NormalFormGame(np.random.default_rng(0).random((2, 2, 2)))
    for pair in (("kl", "entropy"), ("reverse_kl", "log_barrier")):  # compile, import
        rqe.solve_all(warm, 1.0, 0.1, penalty=pair[0], regularizer=pair[1], starts=3)
    lines = heading("numpy", "numba", "python-flint")
    print("\n".join(lines))
    tables = []
    for title, rows in (
        ("certify", certificates(games)),
        ("solve_all", enumerations(games, limit)),
        ("solve_all near a bifurcation", example()),
    ):
        made = list(rows)
        print(f"\n{title}\n{aligned(HEAD, made)}")
        tables.append(f"## {title}\n\n{markdown(HEAD, made)}")
    publish(args.markdown, "Proofs", lines, tables)


if __name__ == "__main__":
    main()
