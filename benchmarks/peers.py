"""The library beside Gambit: CPU time, residuals and agreement, row by row.

    python -m benchmarks.peers --quick
    python -m benchmarks.peers --markdown docs/benchmarks.md

Every row runs in one process of its own, with one thread, both libraries taking turns on the same
random U[0, 1] games, after a warm-up. CPU time is `time.process_time` of the first solve of a game
object (small games: the median of several copies); a cell holds the median over the seeds.
``rqe.qre`` and ``rqe.trace`` are measured as a user calls them, validation and certificate
included; Gambit's time leaves out the construction of its game and the reading of its answer. A
branch is followed to the lambda at which Gambit stops by itself (regret 1e-8 of the payoff range).
The gap is ``max |x - softmax(lam v(x))|`` for both, computed by neutral numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import ONE_THREAD, aligned, heading, markdown, number, publish, seconds

ROWS: dict[str, tuple[int, ...]] = {
    "2p 5x5": (5, 5),
    "2p 20x20": (20, 20),
    "2p 50x50": (50, 50),
    "2p 100x100": (100, 100),
    "2p 200x200": (200, 200),
    "3p 20^3": (20,) * 3,
    "3p 30^3": (30,) * 3,
    "5p 4^5": (4,) * 5,
    "6p 5^6": (5,) * 6,
    "8p 2^8": (2,) * 8,
    "10p 2^10": (2,) * 10,
    "12p 2^12": (2,) * 12,
}
#: Rows that take Gambit more than about a second a branch.
SLOW = ("2p 100x100", "2p 200x200", "3p 30^3", "6p 5^6", "12p 2^12")
LAMBDAS: tuple[float | None, ...] = (1.0, 10.0, 100.0, None)
HEAD = (
    "game, cell",
    "rqe",
    "Gambit",
    "Gambit/rqe",
    "gap rqe",
    "gap Gambit",
    "agree",
    "max dx",
    "RQE",
    "RQE/QRE",
    "residual",
)
#: What the project set out to reach: Gambit/rqe at one lambda, on a branch; RQE/QRE.
TARGETS = (20.0, 10.0, 1.5)
SAME = 1e-6


class Row:
    """The process of one row; started again where Gambit had to be stopped."""

    def __init__(self, shape: tuple[int, ...], limit: float) -> None:
        self.shape, self.limit = shape, limit
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.row"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        """Pass the process's lines on; None when it ends."""
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def ask(self, lam: float | None, seeds: int, peer: bool) -> list[dict[str, Any]] | None:
        """Return the measurements of one cell; None where Gambit took over the limit."""
        request = {"shape": self.shape, "lam": lam, "seeds": seeds, "peer": peer}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        waiting: float | None = None
        while True:
            try:
                line = self.lines.get(timeout=waiting)
            except queue.Empty:
                self.close()
                self._start()
                return None
            if line is None:
                raise RuntimeError(
                    f"the process of the row {self.shape} ended; see its output above"
                )
            message = json.loads(line)
            if message["event"] == "done":
                cells: list[dict[str, Any]] = message["cells"]
                return cells
            waiting = self.limit if message["event"] == "gambit" else None

    def close(self) -> None:
        """Stop the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@dataclass(frozen=True)
class Cell:
    """One line of the table: medians of CPU seconds, largest gaps, over the seeds."""

    name: str
    branch: bool
    runs: list[dict[str, Any]]

    def median(self, key: str) -> float | None:
        """Return the median over the seeds that have an answer."""
        values = [run[key] for run in self.runs if run[key] is not None]
        return statistics.median(values) if values else None

    def largest(self, key: str) -> float | None:
        """Return the maximum over the seeds that have an answer."""
        return max((run[key] for run in self.runs if run[key] is not None), default=None)

    def ratio(self, top: str, bottom: str) -> float | None:
        """Return the median over seeds of the ratio within a seed."""
        pairs = [(r[top], r[bottom]) for r in self.runs if r[top] and r[bottom]]
        return statistics.median(a / b for a, b in pairs) if pairs else None

    def texts(self) -> list[str]:
        """Return the cells of the printed line."""
        close = [r["apart"] <= SAME for r in self.runs if r["apart"] is not None]
        return [
            self.name,
            seconds(self.median("rqe")),
            seconds(self.median("gambit")),
            number(self.ratio("gambit", "rqe"), ".1f"),
            number(self.largest("gap")),
            number(self.largest("gambit_gap")),
            f"{sum(close)}/{len(close)}" if close else "-",
            number(self.largest("apart")),
            seconds(self.median("risk")),
            number(self.ratio("risk", "rqe"), ".2f"),
            number(self.largest("residual")),
        ]

    def misses(self) -> list[str]:
        """Return which of the project's targets this cell does not reach."""
        out = []
        speed, target = self.ratio("gambit", "rqe"), TARGETS[1] if self.branch else TARGETS[0]
        if speed is not None and speed < target:
            out.append(f"{self.name}: Gambit/rqe {speed:.1f}, target {target:g}")
        cost = self.ratio("risk", "rqe")
        if cost is not None and cost > TARGETS[2]:
            out.append(f"{self.name}: RQE/QRE {cost:.2f}, target {TARGETS[2]:g}")
        out += [f"{self.name}, seed {k}: {r['why']}" for k, r in enumerate(self.runs) if r["why"]]
        return out


def measure_row(name: str, args: argparse.Namespace) -> list[Cell]:
    """Measure the cells of one row, printing each as it comes."""
    shape, cells, peer = ROWS[name], [], not args.alone
    seeds = args.seeds or (1 if args.quick else 3 if name in SLOW else 7)
    row = Row(shape, args.gambit_limit)
    for lam in LAMBDAS:
        label = f"{name}, branch" if lam is None else f"{name}, lam {lam:g}"
        runs = row.ask(lam, seeds, peer)
        if runs is None:
            print(f"{label}: Gambit took over {args.gambit_limit:g} s and was stopped", flush=True)
            runs = row.ask(lam, seeds, peer=False) or []
        cell = Cell(label, lam is None, runs)
        print("  ".join(cell.texts()), flush=True)
        cells.append(cell)
    row.close()
    return cells


def chosen(args: argparse.Namespace) -> list[str]:
    """Return the names of the rows to run."""
    if args.rows:
        return list(args.rows)
    return [name for name in ROWS if not (args.quick and name in SLOW)]


def options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="one seed, without the slow rows")
    parser.add_argument("--rows", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", type=int, help="games a row (default 7, slow rows 3, quick 1)")
    parser.add_argument("--alone", action="store_true", help="do not run Gambit at all")
    parser.add_argument(
        "--gambit-limit", type=float, default=60.0, help="seconds for one of its cells"
    )
    parser.add_argument("--markdown", type=Path, help="write the table to this file as well")
    return parser.parse_args(argv)


def main() -> None:
    """Run the command."""
    args = options()
    lines = heading("numpy", "numba", "pygambit")
    print("\n".join(lines), "\n")
    cells = [cell for name in chosen(args) for cell in measure_row(name, args)]
    rows = [cell.texts() for cell in cells]
    missed = [miss for cell in cells for miss in cell.misses()]
    print("\n" + aligned(HEAD, rows) + "\n")
    print("\n".join(missed) or "every target of the project is met in every cell above")
    notes = [*lines, __doc__.strip().split("\n\n")[-1].replace("\n", " ")]
    publish(args.markdown, "Beside Gambit", notes, [markdown(HEAD, rows)])


if __name__ == "__main__":
    main()
