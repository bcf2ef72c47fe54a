"""How long a newcomer waits: the import, and the first solve of a 2x2 in a fresh process.

    python -m benchmarks.startup

Wall-clock seconds, medians over fresh processes. The kernel cache is a temporary directory: empty
for the cold line, filled by that one for the warm lines.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import ONE_THREAD, aligned, heading, markdown, publish, seconds

#: Loaded by nobody who only imports the library.
HEAVY = ("numba", "scipy", "pandas", "matplotlib")
GAME = 'NFG 1 R "A 2x2 game" { "Row" "Column" }\n{ 2 2 }\n\n10 8 9 9 0 18 10 8\n'
INSIDE = "import time; t = time.perf_counter(); import rqe; print(time.perf_counter() - t)"


def wall(command: Sequence[str], env: dict[str, str]) -> float:
    """Return the wall-clock seconds of one command, which has to succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - start


def python(code: str) -> str:
    """Return what a fresh interpreter prints for ``code``."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def imports(repeats: int) -> list[list[str]]:
    """Return the lines about ``import rqe``."""
    inside = [float(python(INSIDE)) for _ in range(repeats)]
    numpy_only = [float(python(INSIDE.replace("rqe", "numpy"))) for _ in range(repeats)]
    loaded = python(f"import rqe, sys; print(*[m for m in {HEAVY} if m in sys.modules])")
    return [
        ["import numpy", seconds(statistics.median(numpy_only))],
        ["import rqe (numpy included)", seconds(statistics.median(inside))],
        [f"loaded by it, of {', '.join(HEAVY)}", loaded or "none"],
    ]


def first_solves(repeats: int) -> list[list[str]]:
    """Return the lines about the first ``rqe solve`` of a 2x2."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "game.nfg"
        path.write_text(GAME, encoding="utf-8")
        env = {**os.environ, **ONE_THREAD, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        solve = [sys.executable, "-m", "rqe", "solve", str(path), "--tau", "1", "--eps", "0.5"]
        cold = wall(solve, env)
        warm = [wall(solve, env) for _ in range(repeats)]
    return [
        ["rqe solve 2x2, fresh process, cold kernel cache", seconds(cold)],
        ["rqe solve 2x2, fresh process, warm kernel cache", seconds(statistics.median(warm))],
        ["the slowest of those", seconds(max(warm))],
    ]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=7, help="fresh processes a line (default 7)")
    parser.add_argument("--markdown", type=Path, help="write the table to this file as well")
    args = parser.parse_args()
    lines = heading("numpy", "numba")
    print("\n".join(lines), "\n")
    head = ("what", "wall clock")
    rows = imports(args.repeats) + first_solves(args.repeats)
    print(aligned(head, rows))
    publish(args.markdown, "Start-up", lines, [markdown(head, rows)])


if __name__ == "__main__":
    main()
