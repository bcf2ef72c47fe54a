"""Sizes that Gambit does not finish, and how the cost grows with the size.

    python -m benchmarks.large
    python -m benchmarks.large --rows "12p 3^12" --lambdas 1 10

Every solve of the first table runs once in a process of its own (kernels warmed up on a small game
with as many players), so that its memory is its own. "Held before" is what the process holds with
the game built; "solve adds" is the peak of ``resource.getrusage`` after the solve above that, an
upper bound of what the solve needed. The second table sets the cost of one QRE and one RQE beside
that of one payoff contraction: every player's expected payoffs once, by ``numpy.tensordot`` on the
same tensor (for small games that is the overhead of numpy, not arithmetic).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    Array,
    aligned,
    cpu_seconds,
    expected_payoffs,
    heading,
    logit_gap,
    markdown,
    number,
    one_thread,
    publish,
    random_payoffs,
    seconds,
)

ROWS: dict[str, tuple[int, ...]] = {
    "2p 1000x1000": (1000, 1000),
    "3p 80^3": (80,) * 3,
    "12p 3^12": (3,) * 12,
    "16p 2^16": (2,) * 16,
}
GROWTH: dict[str, tuple[int, ...]] = {
    **{f"2p {n}x{n}": (n, n) for n in (25, 50, 100, 200, 400, 800)},
    **{f"3p {n}^3": (n,) * 3 for n in (5, 10, 20, 40, 80)},
    **{f"{n}p 2^{n}": (2,) * n for n in (4, 8, 12, 14, 16)},
}
HEAD = (
    "game, cell",
    "CPU",
    "payoffs",
    "held before",
    "solve adds",
    "adds/payoffs",
    "gap",
    "residual",
)
GROWTH_HEAD = ("game", "entries", "contraction", "QRE", "QRE/contraction", "RQE", "RQE/contraction")
TAU = 2.0


def peak() -> int:
    """Return the process's peak memory so far, in bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


def resident() -> int:
    """Return the memory that the process holds now, in bytes; its peak where that is not told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak()
    return pages * resource.getpagesize()


def solve_alone(shape: tuple[int, ...], lam: float, tau: float) -> dict[str, Any]:
    """Solve one game in this process and return time, memory and residuals."""
    import rqe

    rqe.solve(rqe.NormalFormGame(random_payoffs((2,) * len(shape), 0)), tau, 1.0)
    payoffs = random_payoffs(shape, 0)
    game = rqe.NormalFormGame(payoffs)
    before, start = resident(), time.process_time()
    solution = rqe.solve(game, tau, 1.0 / lam, throw=False)
    spent, after = time.process_time() - start, peak()
    strategies = tuple(np.asarray(x) for x in solution.strategies)
    return {
        "cpu": spent,
        "bytes": payoffs.nbytes,
        "before": before,
        "adds": after - before,
        "gap": logit_gap(payoffs, strategies, lam) if tau == 0.0 else None,
        "residual": solution.residual,
        "converged": solution.converged,
    }


def megabytes(size: float) -> str:
    """Return a size in MB."""
    return f"{size / 1e6:.1f} MB"


def large_line(name: str, lam: float, tau: float, limit: float) -> list[str]:
    """Run one solve in a child and return the line of the table."""
    label = f"{name}, lam {lam:g}" + (f", tau {tau:g}" if tau else "")
    ask = [sys.executable, "-m", "benchmarks.large", "--alone", name, str(lam), str(tau)]
    try:
        done = subprocess.run(ask, stdout=subprocess.PIPE, text=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return [label, f"> {limit:g} s", *["-"] * 6]
    got = json.loads(done.stdout)
    return [
        label if got["converged"] else f"{label} (not converged)",
        seconds(got["cpu"]),
        megabytes(got["bytes"]),
        megabytes(got["before"]),
        megabytes(got["adds"]),
        f"{got['adds'] / got['bytes']:.2f}",
        number(got["gap"]),
        number(got["residual"]),
    ]


def growth_line(name: str, lam: float) -> list[str]:
    """Return the costs of one size in seconds and in contractions."""
    import rqe

    shape = GROWTH[name]
    payoffs = random_payoffs(shape, 0)
    game = rqe.NormalFormGame(payoffs)
    uniform: list[Array] = [np.full(n, 1.0 / n) for n in shape]
    calls: list[Callable[[], object]] = [
        lambda: expected_payoffs(payoffs, uniform),
        lambda: rqe.qre(game, lam),
        lambda: rqe.solve(game, TAU, 1.0 / lam),
    ]
    for call in calls:
        call()
    one, plain, risky = (cpu_seconds(call)[0] for call in calls)
    return [
        name,
        str(payoffs.size),
        seconds(one),
        seconds(plain),
        f"{plain / one:.0f}",
        seconds(risky),
        f"{risky / one:.0f}",
    ]


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.large",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--lambdas", type=float, nargs="+", default=[1.0, 10.0, 100.0])
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one solve")
    parser.add_argument("--no-growth", action="store_true", help="leave the second table out")
    parser.add_argument("--growth-lambda", type=float, default=10.0)
    parser.add_argument("--markdown", type=Path, help="write the tables to this file as well")
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    one_thread()
    args = options()
    if args.alone:
        name, lam, tau = args.alone
        print(json.dumps(solve_alone(ROWS[name], float(lam), float(tau))))
        return
    lines = heading("numpy", "numba")
    print("\n".join(lines), "\n")
    rows, growth = [], []
    for name in args.rows:
        for lam, tau in [*((lam, 0.0) for lam in args.lambdas), (args.lambdas[0], TAU)]:
            rows.append(large_line(name, lam, tau, args.limit))
            print("  ".join(rows[-1]), flush=True)
    tables = [markdown(HEAD, rows)]
    print("\n" + aligned(HEAD, rows))
    if not args.no_growth:
        growth = [growth_line(name, args.growth_lambda) for name in GROWTH]
        tables.append(markdown(GROWTH_HEAD, growth))
        print(f"\nlam {args.growth_lambda:g}, tau {TAU:g}\n" + aligned(GROWTH_HEAD, growth))
    publish(args.markdown, "Large games", lines, tables)


if __name__ == "__main__":
    main()
