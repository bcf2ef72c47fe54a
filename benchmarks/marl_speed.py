"""Environment steps per second of training on the kitchen, compile time, memory.

    python -m benchmarks.marl_speed

Every row runs in a fresh process with the programs of `marl train`: the paper's settings
(`marl.preset`), many seeds vmapped in one program, spread over devices (threads) of the processor,
learning included. A step is one joint step of one environment; all phases count. CPU time is
`time.process_time`, which sums threads; the median over the pieces of a run. Compiling is all that
passes before the second update. `devices` 0 is JAX as it comes: one device, all threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.common import aligned, heading, markdown, publish, seconds
from rqe.parallel import cores

HEAD = (
    "algorithm",
    "seeds",
    "devices",
    "steps/CPU s",
    "steps/s",
    "compile CPU",
    "compile",
    "memory",
)


def measure(algo: str, seeds: int, updates: int, pieces: int, devices: int) -> dict[str, float]:
    """Figures of one row, in this process."""
    import jax

    import marl
    from marl.compile import use_cores
    from marl.programs import programs

    if devices:
        use_cores(devices)
    env: Any = marl.make_env("kitchen")
    preset = marl.preset("kitchen", algo)
    start = time.process_time(), time.perf_counter()
    compiled = programs(env, preset.algo, updates, tuple(jax.devices()))
    go, state = compiled.advance, compiled.init(jax.random.split(jax.random.key(0), seeds))
    state, _ = jax.block_until_ready(go(state, 1))  # type: ignore[no-untyped-call]
    compile_cpu, compile_wall = time.process_time() - start[0], time.perf_counter() - start[1]
    cpu, wall = [], []
    for _ in range(pieces):
        start = time.process_time(), time.perf_counter()
        state, _ = jax.block_until_ready(go(state, updates))  # type: ignore[no-untyped-call]
        cpu.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
    steps = seeds * updates * preset.algo.interactions()
    return {
        "cpu": steps / statistics.median(cpu),
        "wall": steps / statistics.median(wall),
        "compile_cpu": compile_cpu,
        "compile_wall": compile_wall,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def fresh(*arguments: str) -> dict[str, float]:
    """Figures of one row, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.marl_speed", "--row", *arguments]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(out.strip().splitlines()[-1])
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--updates", type=int, default=5, help="updates in a piece")
    parser.add_argument("--pieces", type=int, default=5)
    parser.add_argument("--devices", type=int, nargs="+", default=sorted({0, 1, cores()}))
    parser.add_argument("--row", nargs=5, metavar=("ALGO", "SEEDS", "UPDATES", "PIECES", "DEVICES"))
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    if given.row:
        algo, *numbers = given.row
        print(json.dumps(measure(algo, *map(int, numbers))))
        return
    rows = []
    for algo, seeds, devices in product(("ippo", "srpo"), given.seeds, given.devices):
        found = fresh(algo, *map(str, (seeds, given.updates, given.pieces, devices)))
        rows.append(
            (
                algo,
                str(seeds),
                str(devices) if devices else "JAX's own",
                f"{found['cpu']:,.0f}",
                f"{found['wall']:,.0f}",
                seconds(found["compile_cpu"]),
                seconds(found["compile_wall"]),
                f"{found['memory']:.0f} MB",
            )
        )
        print(" ".join(rows[-1]), flush=True)
    print(aligned(HEAD, rows))
    publish(given.markdown, "Training speed", heading("jax", "flax"), [markdown(HEAD, rows)])


if __name__ == "__main__":
    main()
