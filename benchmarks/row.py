"""One row of :mod:`benchmarks.peers`: a process that measures both libraries on one shape of game.

It reads one JSON request a line from standard input and answers with JSON lines, the last one
with ``"event": "done"``. A line ``"event": "gambit"`` says that Gambit has been called, so that the
parent can stop the process when Gambit takes too long.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

import rqe
from benchmarks import gambit
from benchmarks.common import cpu_fresh, distance, logit_gap, random_payoffs

T = TypeVar("T")

#: The risk aversion of the RQE beside each QRE, unit 1/payoff (payoffs are U[0, 1]).
TAU = 2.0
#: Where the branch ends when there is no Gambit to say it.
LAST_LAM = 1e3


def tell(**message: Any) -> None:
    """Write one JSON line to the parent."""
    print(json.dumps(message), flush=True)


def copies(shape: tuple[int, ...]) -> int:
    """Return how many copies of one game are solved, each once: building Gambit's takes long."""
    size = len(shape) * int(np.prod(shape))
    return 11 if size <= 5_000 else 3 if size <= 50_000 else 1


def measured(
    shape: tuple[int, ...], seed: int, solve: Callable[[rqe.NormalFormGame], T]
) -> tuple[float | None, T | None, str]:
    """Return CPU seconds and result, or why this library refused to answer."""
    payoffs = random_payoffs(shape, seed)
    try:
        cpu, result = cpu_fresh(lambda: rqe.NormalFormGame(payoffs), solve, copies(shape))
    except rqe.ConvergenceError as error:
        return None, None, str(error)
    return cpu, result, ""


def measured_gambit(
    shape: tuple[int, ...], seed: int, solve: Callable[[Any], T]
) -> tuple[float, T]:
    """Return Gambit's CPU seconds and result, with the parent watching the clock."""
    payoffs = random_payoffs(shape, seed)

    def build() -> Any:
        tell(event="back")
        game = gambit.build(payoffs)
        tell(event="gambit")
        return game

    result = cpu_fresh(build, solve, copies(shape))
    tell(event="back")
    return result


def qre_cell(shape: tuple[int, ...], seed: int, lam: float, peer: bool) -> dict[str, Any]:
    """Measure QRE at ``lam`` by both, and RQE by this library."""
    payoffs = random_payoffs(shape, seed)
    theirs: tuple[float | None, Any] = (None, None)
    if peer and seed % 2:  # alternate who comes first
        theirs = measured_gambit(shape, seed, lambda game: gambit.qre(game, lam))
    ours, solution, why = measured(shape, seed, lambda game: rqe.qre(game, lam))
    risk, risky, risk_why = measured(shape, seed, lambda game: rqe.solve(game, TAU, 1.0 / lam))
    if peer and not seed % 2:
        theirs = measured_gambit(shape, seed, lambda game: gambit.qre(game, lam))
    mine = None if solution is None else tuple(solution.strategies)
    peers = gambit.strategies(theirs[1], shape) if theirs[1] is not None else None
    return {
        "rqe": ours,
        "gambit": theirs[0],
        "risk": risk,
        "why": why or risk_why,
        "gap": None if mine is None else logit_gap(payoffs, mine, lam),
        "gambit_gap": None if peers is None else logit_gap(payoffs, peers, lam),
        "apart": None if mine is None or peers is None else distance(mine, peers),
        "residual": None if risky is None else risky.residual,
        "lam": lam,
    }


def branch_cell(shape: tuple[int, ...], seed: int, peer: bool) -> dict[str, Any]:
    """Measure the whole branch by both, to the lambda where Gambit stops by itself."""
    payoffs = random_payoffs(shape, seed)
    cpu, lam, peers = None, LAST_LAM, None
    if peer:
        cpu, points = measured_gambit(shape, seed, gambit.branch)
        lam, peers = points[-1].lam, gambit.strategies(points[-1], shape)
    ours, branch, why = measured(shape, seed, lambda game: rqe.trace(game, 0.0, 1.0 / lam))
    risk, risky, risk_why = measured(shape, seed, lambda game: rqe.trace(game, TAU, 1.0 / lam))
    mine = None if branch is None else tuple(np.asarray(x[-1]) for x in branch.strategies)
    return {
        "rqe": ours,
        "gambit": cpu,
        "risk": risk,
        "why": why or risk_why,
        "gap": None if mine is None else logit_gap(payoffs, mine, lam),
        "gambit_gap": None if peers is None else logit_gap(payoffs, peers, lam),
        "apart": None if mine is None or peers is None else distance(mine, peers),
        "residual": None if risky is None else float(np.max(risky.residuals)),
        "lam": lam,
    }


def warm_up(shape: tuple[int, ...], peer: bool) -> None:
    """Compile or load the kernels and touch every path once, unmeasured."""
    game = rqe.NormalFormGame(random_payoffs(shape, 0))
    rqe.qre(game, 1.0)
    rqe.solve(game, TAU, 1.0)
    rqe.trace(game, 0.0, 1.0)
    rqe.trace(game, TAU, 1.0)
    if peer:
        gambit.qre(gambit.build(random_payoffs(shape, 0)), 1.0)


def main() -> None:
    """Answer requests until standard input closes."""
    warm: set[tuple[tuple[int, ...], bool]] = set()
    for line in sys.stdin:
        ask = json.loads(line)
        shape, peer = tuple(ask["shape"]), ask["peer"]
        if (shape, peer) not in warm:
            warm_up(shape, peer)
            warm.add((shape, peer))
        cells = []
        for seed in range(ask["seeds"]):
            if ask["lam"] is None:
                cells.append(branch_cell(shape, seed, peer))
            else:
                cells.append(qre_cell(shape, seed, ask["lam"], peer))
        tell(event="done", cells=cells)


if __name__ == "__main__":
    main()
