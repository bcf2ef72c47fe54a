"""Time of bifurcation diagrams: ``python -m benchmarks.bifurcation``.

One line per diagram: branches, points, bifurcations with the largest estimated error, CPU seconds,
and CPU milliseconds per point without the search for equilibria at samples.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import rqe


def games() -> Iterator[tuple[str, rqe.NormalFormGame, dict[str, Any]]]:
    """Yield names, games and options of `rqe.diagram`."""
    case = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    yield "example 4.2 in tau", case, {"eps": 0.2, "parameter": "tau", "window": (0.0, 2.0)}
    hunt = rqe.catalog.load("stag-hunt/aumann")
    yield "stag hunt in eps", hunt, {"window": (0.1, 20.0)}
    yield "McKelvey and McLennan", rqe.catalog.load("mckelvey-mclennan"), {"window": (0.1, 10.0)}
    yield "3x3 coordination", rqe.NormalFormGame([np.eye(3)] * 2), {"window": (0.06, 2.0)}
    rng = np.random.default_rng(0)
    for n, tau in itertools.product((4, 8), (0.0, 1.0)):
        common = rng.random((n, n))
        game = rqe.NormalFormGame([common + 0.2 * rng.random((n, n)) for _ in range(2)])
        yield f"common interest {n}x{n}, tau = {tau:g}", game, {"tau": tau, "window": (0.03, 1.0)}


def measured(game: rqe.NormalFormGame, options: dict[str, Any]) -> tuple[rqe.Diagram, float]:
    """Return a diagram and the CPU seconds it took."""
    begin = time.process_time()
    found = rqe.diagram(game, **options)
    return found, time.process_time() - begin


def main() -> None:
    """Print the table."""
    print(f"{'game':32} {'branches':>8} {'points':>6} {'bifurcations':>12} {'error':>7} "
          f"{'CPU s':>6} {'ms/point':>8}")  # fmt: skip
    for name, game, options in games():
        measured(game, {**options, "samples": 0})  # compiled, and in the caches
        bare, seconds = measured(game, {**options, "samples": 0})
        found, total = measured(game, options)
        error = max((point.error for point in found.bifurcations), default=0.0)
        each = 1e3 * seconds / sum(map(len, bare.branches))
        print(f"{name:32} {len(found):8} {sum(map(len, found.branches)):6} "
              f"{len(found.bifurcations):12} {error:7.0e} {total:6.2f} {each:8.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
