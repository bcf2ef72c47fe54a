"""Learned strategies beside exact equilibria: ``python -m benchmarks.marl_link [--quick]``.

Prints the table of docs/marl/link.md: example 4.2 (free-riding) over tau, the stag hunt, and the
13 human-data games of the catalog, payoffs divided by their range. Equilibria come from
`rqe.solve_all` at the learner's own (tau, eps) and penalty.
"""

from __future__ import annotations

import argparse

import numpy as np

import rqe
from marl import link

HUMAN = [f"selten-chmura/{k}" for k in range(1, 13)] + ["goeree-holt-palfrey/4"]


def unit(name: str) -> rqe.NormalFormGame:
    """Game of the catalog with payoffs of range 1."""
    game = rqe.catalog.load(name)
    return rqe.NormalFormGame(game.payoffs / np.ptp(game.payoffs), title=name)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--updates", type=int, default=3000)
    parser.add_argument("--quick", action="store_true", help="leave out the human-data games")
    args = parser.parse_args()
    free, stag = [unit("free-riding")], [unit("stag-hunt")]
    runs = [(free, link.learner(tau=tau, eps=0.2)) for tau in (0.0, 0.1, 1.0, 10.0)]
    runs += [(free, link.learner(tau=10.0, eps=0.2, penalty="kl"))]
    runs += [(free, link.learner(tau=10.0, eps=0.2, penalty="kl", adversary="tilted"))]
    runs += [(stag, link.learner(tau=tau, eps=0.1)) for tau in (0.0, 2.0)]
    if not args.quick:
        human = [unit(name) for name in HUMAN]
        runs += [(human, link.learner(tau=0.0, eps=0.1))]
        runs += [(human, link.learner(tau=2.0, eps=0.1))]
        runs += [(human, link.learner(tau=2.0, eps=0.1, penalty="kl", adversary="tilted"))]
    found, printed = [], 0
    for games, algo in runs:
        found += link.compare(games, algo, seeds=args.seeds, updates=args.updates)
        lines = link.markdown(found).splitlines()
        print("\n".join(lines[printed:]), flush=True)
        printed = len(lines)
    worst = max(found, key=lambda one: one.gap)
    inside = sum(one.gap <= 3 * one.error for one in found if one.runs > 1)
    several = sum(one.runs > 1 for one in found)
    print(f"\nlargest gap {worst.gap:.4f} ({worst.game.title})")
    print(f"within three standard errors: {inside} of {several} comparisons of several runs")


if __name__ == "__main__":
    main()
