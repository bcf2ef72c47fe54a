"""What every benchmark shares: games, neutral residuals, clocks, the machine's line, tables."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
T = TypeVar("T")
U = TypeVar("U")

#: One thread everywhere, so that CPU time is the work done and not the cores kept warm.
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
}


def random_payoffs(shape: Sequence[int], seed: int, kind: str = "uniform") -> Array:
    """Return random payoffs of shape ``(N, *shape)``, the same for the same arguments.

    ``kind`` is ``"uniform"`` (independent U[0, 1]), ``"integer"`` (0..9), ``"coordination"`` (a
    common U[0, 1] part and a private one of half: branches that fold) or ``"lognormal"`` (a few
    payoffs dwarf the others).
    """
    rng = np.random.default_rng([seed, *shape])
    size = (len(shape), *shape)
    if kind == "integer":
        return rng.integers(0, 10, size).astype(float)
    if kind == "coordination":
        return rng.random(size[1:])[None] + 0.5 * rng.random(size)
    if kind == "lognormal":
        return np.exp(1.5 * rng.standard_normal(size))
    if kind != "uniform":
        raise ValueError(f"kind must be uniform, integer, coordination or lognormal, got {kind!r}")
    return rng.random(size)


def expected_payoffs(payoffs: Array, strategies: Sequence[Array]) -> list[Array]:
    """Return every player's expected payoff per own action, by plain contraction."""
    out = []
    for i, table in enumerate(payoffs):
        v = table
        for j in reversed(range(len(strategies))):
            if j != i:
                v = np.tensordot(v, strategies[j], axes=(j, 0))
        out.append(v)
    return out


def logit_gap(payoffs: Array, strategies: Sequence[Array], lam: float) -> float:
    """Return ``max |x - softmax(lam v(x))|``: how far a profile is from answering itself."""
    gap = 0.0
    for x, v in zip(strategies, expected_payoffs(payoffs, strategies), strict=True):
        z = np.exp(lam * (v - v.max()))
        gap = max(gap, float(np.abs(x - z / z.sum()).max()))
    return gap


def nash_regret(payoffs: Array, strategies: Sequence[Array]) -> float:
    """Return the largest gain of one player from his best reply, in payoff units."""
    values = expected_payoffs(payoffs, strategies)
    return max(float(v.max() - x @ v) for x, v in zip(strategies, values, strict=True))


def distance(first: Sequence[Array], second: Sequence[Array]) -> float:
    """Return ``max |dx|`` over players and actions."""
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def cpu_seconds(call: Callable[[], T], least: float = 0.02, most: int = 200) -> tuple[float, T]:
    """Return the mean CPU seconds of one call, repeated for ``least`` seconds, and its result."""
    count, spent = 0, 0.0
    while True:
        start = time.process_time()
        result = call()
        spent += time.process_time() - start
        count += 1
        if spent >= least or count >= most:
            return spent / count, result


def cpu_fresh(build: Callable[[], T], solve: Callable[[T], U], count: int) -> tuple[float, U]:
    """Return the median CPU seconds of the FIRST solve of ``count`` games, each built for it.

    The construction is not timed. Whatever a library computes once per game and keeps is.
    """
    times = []
    for _ in range(count):
        game = build()
        start = time.process_time()
        result = solve(game)
        times.append(time.process_time() - start)
    return statistics.median(times), result


def one_thread() -> None:
    """Start this very command again with one thread, unless it already runs so."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})


def cpu_model() -> str:
    """Return the processor's name as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions(*packages: str) -> str:
    """Return ``name version`` of each installed package; ``absent`` where it is not."""
    found = []
    for name in packages:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} absent")
    return ", ".join(found)


def heading(*packages: str) -> list[str]:
    """Return the lines that say what ran, when and on what."""
    import rqe

    module = sys.modules["__main__"].__spec__
    name = module.name if module else Path(sys.argv[0]).name
    command = shlex.join(["python", "-m", name, *sys.argv[1:]])
    own = getattr(rqe, "__version__", "unknown")
    return [
        f"command: {command}",
        f"date: {datetime.date.today().isoformat()}",
        f"machine: {cpu_model()}, {os.cpu_count()} cores, one thread used",
        f"versions: rqe {own}, Python {platform.python_version()}, {versions(*packages)}",
    ]


def seconds(value: float | None) -> str:
    """Return a duration in three digits with its unit; a dash for None."""
    if value is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def number(value: float | None, form: str = ".1e") -> str:
    """Return a number in the given format; a dash for None."""
    return "-" if value is None else format(value, form)


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a plain-text table, the first column to the left and the others to the right."""
    table = [list(head), *[list(r) for r in rows]]
    widths = [max(len(r[k]) for r in table) for k in range(len(head))]
    lines = []
    for r in table:
        cells = [
            r[0].ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(r[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the same table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(r) + " |" for r in rows]
    return "\n".join(lines)


def publish(path: Path | None, title: str, lines: Sequence[str], tables: Sequence[str]) -> None:
    """Write heading and Markdown tables to ``path``, where one is given."""
    if path is None:
        return
    notes = "\n".join(f"- {line}" for line in lines)
    path.write_text("\n\n".join([f"# {title}", notes, *tables]) + "\n", encoding="utf-8")
    print(f"written: {path}")
