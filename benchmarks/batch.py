"""Games per CPU second through `rqe.solve_batch`, with and without the certificate.

    python -m benchmarks.batch

RQE at lambda = 5 and tau = 1 unless told otherwise, one thread. "Kernel" is the light path alone,
"whole" the public call: light path, games handed on to ``rqe.solve``, residual and regret by plain
numpy. CPU seconds, the median of several runs over the same games, after a warm-up. "Agree" is
the share of a sample on which ``rqe.solve`` finds the same equilibrium (max |dx| < 1e-9).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import Array, aligned, heading, markdown, one_thread, publish

KINDS = ("uniform", "integer", "coordination", "lognormal")
GAMES = {2: 50_000, 3: 20_000, 5: 10_000, 10: 1_000}
HEAD = ["games", "kernel/s", "whole/s", "one by one/s", "handed on", "failed", "residual", "agree"]


def payoffs(n: int, count: int, kind: str) -> Array:
    """Return random payoffs of shape (count, 2, n, n), of the kinds of `random_payoffs`."""
    rng = np.random.default_rng([7, n])
    size = (count, 2, n, n)
    if kind == "integer":
        return rng.integers(0, 10, size).astype(float)
    if kind == "coordination":
        return rng.random((count, 1, n, n)) + 0.5 * rng.random(size)
    if kind == "lognormal":
        return np.exp(1.5 * rng.standard_normal(size))
    return rng.random(size)


def cpu(call: Callable[[], object], repeats: int) -> float:
    """Return the median CPU seconds of a call, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times)


def row(n: int, kind: str, tau: float, lam: float, repeats: int) -> list[str]:
    """Return a line of the table."""
    import rqe
    from rqe._kernels.batch import FOUND, solve_two

    count = GAMES[n]
    games = payoffs(n, count, kind)
    # U[0, 1] payoffs as they are; other games by their range, which leaves equilibria unchanged.
    width = np.ones(count) if kind == "uniform" else np.ptp(games.reshape(count, -1), axis=1)
    eps = np.repeat(width[:, None] / lam, 2, axis=1)
    taus = np.repeat(tau / width[:, None], 2, axis=1)
    log_x, codes = np.empty((count, 2 * n)), np.empty(count, np.int8)
    kernel = cpu(lambda: solve_two(games, taus, eps, log_x, codes), repeats)
    whole = cpu(lambda: rqe.solve_batch(games, taus, eps, threads=1), repeats)
    batch = rqe.solve_batch(games, taus, eps, threads=1)
    sample = min(count, 300)
    agree = 0
    start = time.process_time()
    for k in range(sample):
        one = rqe.solve(rqe.NormalFormGame(games[k]), taus[k], eps[k], throw=False)
        pairs = zip(one.strategies, batch.strategies, strict=True)
        agree += max(float(np.abs(x - y[k]).max()) for x, y in pairs) < 1e-9
    single = (time.process_time() - start) / sample
    return [
        f"{n}x{n} {kind}", f"{count / kernel:,.0f}", f"{count / whole:,.0f}", f"{1 / single:,.0f}",
        f"{np.mean(codes != FOUND):.2%}", str(batch.n_failed),
        f"{batch.residual[batch.converged].max():.1e}", f"{agree}/{sample}",
    ]  # fmt: skip


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tau", type=float, default=1.0, help="tau times payoff range (default 1)")
    parser.add_argument("--lam", type=float, default=5.0, help="lam times payoff range (default 5)")
    parser.add_argument("--repeats", type=int, default=5, help="runs a line (default 5)")
    parser.add_argument("--markdown", type=Path, help="write the table to this file as well")
    args = parser.parse_args()
    one_thread()
    lines = heading("numpy", "numba")
    print("\n".join(lines))
    kinds = [(n, "uniform") for n in GAMES] + [(n, kind) for kind in KINDS[1:] for n in (2, 5)]
    rows = [row(n, kind, args.tau, args.lam, args.repeats) for n, kind in kinds]
    print(aligned(HEAD, rows))
    publish(args.markdown, "Games per CPU second", lines, [markdown(HEAD, rows)])


if __name__ == "__main__":
    main()
