"""All Nash equilibria, and one by Lemke-Howson, beside QuantEcon and Gambit.

    python -m benchmarks.nash_enumeration

Four tables, CPU time after warm-up, one thread. What is called ``rqe`` includes the certificate of
every equilibrium, which the others do not compute; "search" and "path" leave it out.

1. Support enumeration of random games; the peer is QuantEcon's.
2. Lemke-Howson on random games: the pivots alone ("path") and ``rqe.nash`` with its certificate,
   beside QuantEcon's ``lemke_howson``. Ours drops the label whose path is short, QuantEcon's label
   0. Mean over the seeds, for path lengths vary by orders of magnitude.
3. All equilibria of von Stengel's 6 x 6 game (75), and of random games with integer and with
   uniform payoffs, by vertex enumeration: ours ("search": the fractions alone) and Gambit's
   (rational) are exact, QuantEcon's and Gambit's doubles are not; repetitions are counted once.
4. Games of more than two players, proved complete; the peer is Gambit's ``enumpoly_solve``.
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
    heading,
    markdown,
    one_thread,
    publish,
    random_payoffs,
    seconds,
)
from benchmarks.gambit import build
from benchmarks.nash import quantecon_game
from rqe._clock import Clock
from rqe._kernels import bimatrix
from rqe.enumeration.support_enumeration import equal_supports
from rqe.enumeration.vertices import extreme_equilibria

SUPPORTS_HEAD = ("random 2p", "search", "rqe.nash", "quantecon", "quantecon/search", "found")
PATH_HEAD = ("random 2p", "path", "rqe.nash", "quantecon", "quantecon/path", "quantecon/nash")
VERTEX_HEAD = (
    "game", "search", "rqe", "quantecon", "gambit rational", "gambit doubles", "found, in order",
)  # fmt: skip
MANY_HEAD = ("game", "rqe", "found", "complete", "gambit enumpoly", "found by peer")


def supports_line(size: int) -> list[str]:
    """Return both support enumerations of one random game."""
    from quantecon.game_theory import support_enumeration

    payoffs = random_payoffs((size, size), 1)
    game, peer = rqe.NormalFormGame(payoffs), quantecon_game(payoffs)

    def own() -> rqe.SolutionSet:
        return rqe.nash(game, "all", method="support_enumeration", time_limit=None)

    own()
    cpu, found = cpu_seconds(own)
    support_enumeration(peer)
    cpu_peer, theirs = cpu_seconds(partial(support_enumeration, peer))
    search, _ = cpu_seconds(partial(pairs, game))
    times = (seconds(search), seconds(cpu), seconds(cpu_peer), f"{cpu_peer / search:.1f}")
    return [f"{size}x{size}", *times, f"{len(found)}/{len(theirs)}"]


def path_line(size: int, seeds: int) -> list[str]:
    """Return mean times of Lemke-Howson over random games."""
    from quantecon.game_theory import lemke_howson

    paths, ours, theirs = [], [], []
    for seed in range(seeds):
        payoffs = random_payoffs((size, size), seed)
        game, peer = rqe.NormalFormGame(payoffs), quantecon_game(payoffs)
        rqe.nash(game, method="lemke_howson")
        paths.append(cpu_seconds(partial(pivots, game.payoffs))[0])
        ours.append(cpu_seconds(partial(rqe.nash, game, method="lemke_howson"))[0])
        lemke_howson(peer)
        theirs.append(cpu_seconds(partial(lemke_howson, peer, max_iter=10**7))[0])
    path, own, peer_time = map(statistics.mean, (paths, ours, theirs))
    times = (seconds(path), seconds(own), seconds(peer_time))
    return [f"{size}x{size}", *times, f"{peer_time / path:.1f}", f"{peer_time / own:.1f}"]


def pivots(payoffs: Array) -> tuple[int, int]:
    """Run the compiled algorithm alone."""
    A, B = payoffs
    room = np.empty(A.shape[0]), np.empty(A.shape[1])
    label, steps = bimatrix.shortest_path(A, B, 16, 10**7, *room)
    return int(label), int(steps)


def pairs(game: rqe.NormalFormGame) -> int:
    """Run the compiled search of supports alone."""
    return len(equal_supports(game, Clock(None))[0])


def vertex_line(name: str, payoffs: Array) -> list[str]:
    """Return times and counts of the vertex enumerations of one game."""
    import pygambit
    from quantecon.game_theory import vertex_enumeration

    game, peer = rqe.NormalFormGame(payoffs), quantecon_game(payoffs)
    gambit = build(payoffs)
    calls: list[Any] = [
        lambda: extreme_equilibria(game, Clock(None)).pairs,
        lambda: rqe.nash(game, "all", time_limit=None).exact,
        partial(vertex_enumeration, peer),
        lambda: pygambit.nash.enummixed_solve(gambit, rational=True).equilibria,
        lambda: pygambit.nash.enummixed_solve(gambit, rational=False).equilibria,
    ]
    for call in calls[:3]:
        call()
    measured = [cpu_seconds(call) for call in calls]
    counts = "/".join(str(len({str(profile) for profile in found})) for _, found in measured[1:])
    return [name, *(seconds(cpu) for cpu, _ in measured), counts]


def many_line(name: str, payoffs: Array) -> list[str]:
    """Return the proved enumeration of a game of several players, and Gambit's."""
    import pygambit

    game = rqe.NormalFormGame(payoffs)
    cpu, found = cpu_seconds(lambda: rqe.nash(game, "all", time_limit=None))
    peer = build(payoffs)
    cpu_peer, theirs = cpu_seconds(lambda: pygambit.nash.enumpoly_solve(peer).equilibria)
    complete = "proved" if found.complete else found.status.value
    return [name, seconds(cpu), str(len(found)), complete, seconds(cpu_peer), str(len(theirs))]


def main() -> None:
    """Run the command."""
    one_thread()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nash_enumeration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=20, help="games a size of Lemke-Howson")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file as well")
    args = parser.parse_args()
    lines = heading("numpy", "numba", "quantecon", "pygambit")
    print("\n".join(lines))
    six = rqe.catalog.load("von-stengel-6x6").payoffs
    mclennan = rqe.catalog.load("mckelvey-mclennan").payoffs
    many = {"McKelvey-McLennan 2x2x2": mclennan} | {
        f"random {'x'.join(map(str, shape))}": random_payoffs(shape, 1)
        for shape in ((2, 2, 2, 2), (3, 3, 2), (3, 3, 3))
    }
    vertex = {"von Stengel 6x6": six} | {
        f"random {n}x{n}, {kind}": random_payoffs((n, n), 1, kind)
        for kind in ("integer", "uniform")
        for n in (6, 8, 10)
    }
    tables = []
    for head, rows in (
        (SUPPORTS_HEAD, [supports_line(size) for size in (2, 3, 5, 8, 10, 11)]),
        (PATH_HEAD, [path_line(size, args.seeds) for size in (5, 10, 20, 50, 100)]),
        (VERTEX_HEAD, [vertex_line(name, payoffs) for name, payoffs in vertex.items()]),
        (MANY_HEAD, [many_line(name, payoffs) for name, payoffs in many.items()]),
    ):
        print("\n" + aligned(head, rows), flush=True)
        tables.append(markdown(head, rows))
    publish(args.markdown, "All Nash equilibria", lines, tables)


if __name__ == "__main__":
    main()
