"""Solve the .nfg files of examples/games and some games of the catalog.

    python examples/solve_files.py

For each game: its Nash equilibrium, a noisy equilibrium (logit QRE) and a noisy, risk-averse one
(RQE), each on the principal branch and each with its certificate. Writes one figure to
build/demo/branches.png: how play in three of the games changes as noise vanishes.
"""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import rqe
from rqe import plot, report

GAMES = Path(__file__).resolve().parent / "games"
FIGURE = Path("build") / "demo" / "branches.png"
CATALOG = ("public-goods", "volunteers-dilemma", "minimum-effort", "free-riding/counterexample")
DRAWN = ("selten-chmura/1", "von-stengel-6x6", "example-4.2")

# Concept by name: tau and eps for a payoff range of 1. A game with range R gets tau / R and eps R,
# which is the same concept in its units.
CONCEPTS = {"Nash": (0.0, 0.0), "QRE": (0.0, 0.1), "RQE": (2.0, 0.1)}


def games() -> Iterator[tuple[str, rqe.NormalFormGame]]:
    """Yield (name, game), files first."""
    for path in sorted(GAMES.glob("*.nfg")):
        yield path.name, rqe.read_nfg(path)
    for name in CATALOG:
        yield name, rqe.catalog.load(name)


def in_units_of(game: rqe.NormalFormGame, tau: float, eps: float) -> tuple[float, float]:
    """Return tau and eps, given for payoffs of range 1, in the units of `game`."""
    span = float(game.payoff_range.max())
    return tau / span, eps * span


def favourites(solution: rqe.Solution) -> str:
    """Each player's most probable action with its probability."""
    parts = []
    for names, x in zip(solution.game.actions, solution.strategies, strict=True):
        best = int(x.argmax())
        parts.append(f"{names[best]} {x[best]:.3f}")
    shown = ", ".join(parts[:3])
    return f"{shown}, ..." if len(parts) > 3 else shown


def rows() -> Iterator[tuple[str, ...]]:
    """Solve everything; yield one row of the table per answer."""
    for name, game in games():
        size = "x".join(str(n) for n in game.shape)
        for concept, parameters in CONCEPTS.items():
            tau, eps = in_units_of(game, *parameters)
            start = perf_counter()
            solution = rqe.solve(game, tau, eps)
            took = perf_counter() - start
            certificate = f"{solution.residual:.0e}", f"{solution.regret:.0e}"
            yield name, size, concept, favourites(solution), *certificate, f"{1e3 * took:.1f}"
            name = size = ""


def draw() -> Path:
    """Draw the branches of three games to the figure's file; return its path."""
    small_steps = rqe.PrincipalBranch(predictor_error=1e-4)  # for smooth curves
    branches = []
    for name in DRAWN:
        game = rqe.catalog.load(name)
        branches.append(rqe.trace(game, *in_units_of(game, 2.0, 0.01), solver=small_steps))
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    plot.figure(branches).savefig(FIGURE, dpi=120)
    return FIGURE


def main() -> None:
    """Print the table and write the figure."""
    print("The first solve compiles the kernels, once per installation.\n")
    header = ("game", "size", "concept", "most played", "residual", "regret", "ms")
    print("\n".join(report.table(header, rows(), range(4))))
    print("\nresidual: relative to the payoff range; regret: in payoff units; both recomputed by")
    print("independent code. Nash: tau = eps = 0; QRE: eps = 0.1; RQE: tau = 2, eps = 0.1 (payoff")
    print("range 1). Where several equilibria exist, the one on the principal branch is shown.")
    print(f"\nfigure: {draw()}")


if __name__ == "__main__":
    main()
