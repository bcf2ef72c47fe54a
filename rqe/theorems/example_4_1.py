r"""Example 4.1 of arXiv 2602.21515: two robots with H = rho = 1, and erratum A1.

As published, ``m* = abar / (3 - tau eps)``; right is ``m* = abar / (3 - tau eps / 2)``, which the
paper's own appendix uses for the utility: the variance of the other's action is
eps / (rho + H) = eps / 2. Utility peaks at tau = 1 / eps, and the domain ends at tau = 2 / eps.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.theorems._base import Counterexample, Evidence, Least, Progress, Proved, Search, Theorem
from rqe.theorems._finite import parameter
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator

    from rqe.games import AggregativeGame

PUBLISHED = r"m^* = \bar a / (3 - \tau \epsilon)"
CORRECTED = r"m^* = \bar a / (3 - \tau \epsilon / 2)"
_TOLERANCE = 1e-9


def game(target: float = 1.0) -> AggregativeGame:
    """Return the game of the example: two robots that move an object to the target."""
    import rqe

    return rqe.AggregativeGame(1.0, target, [1.0, 1.0], title="Example 4.1: two robots")


def formula(tau: float, eps: float, target: float, kind: str) -> float:
    """Return m* as published or as corrected."""
    return target / (3.0 - tau * eps * (1.0 if kind == "published" else 0.5))


def check(example: Any, tau: Any, eps: Any, *, kind: str = "corrected") -> Evidence:
    """Return whether the mean of a robot's action, computed, is that of the formula."""
    import rqe

    if not isinstance(example, rqe.AggregativeGame) or example.n_players != 2:
        raise ValueError("game must be that of example 4.1, see example_4_1.game()")
    if example.H.tolist() != [[1.0]] or example.rho.tolist() != [1.0, 1.0]:
        raise ValueError("game must have H = 1 and rho = (1, 1), as in example 4.1")
    tau, eps, target = parameter("tau", tau), parameter("eps", eps), float(example.target[0])
    solution = rqe.solve(example, tau, eps)
    stated, found = formula(tau, eps, target, kind), float(solution.means[0][0])
    margin = 1.0 - abs(found - stated) / abs(target) / _TOLERANCE
    note = f"m* = {found:.12g}, the {kind} formula gives {stated:.12g}"
    return Evidence(margin >= 0.0, margin, solution, note)


def search(rng: Generator, examples: int, progress: Progress, *, kind: str) -> Search:
    """Compare at random tau, eps and target."""
    least = Least(progress)
    for _ in range(examples):
        eps, target = float(np.round(rng.uniform(0.1, 3.0), 1)), float(rng.integers(1, 10))
        tau = float(np.round(rng.uniform(0.05, 0.95) * 2.0 / eps, 2))
        found = check(game(target), tau, eps, kind=kind)
        least.add(1, found.margin)
        if not found.holds:
            simple = check(game(), 1.0, 1.0, kind=kind)
            code = (
                "import rqe\ngame = rqe.AggregativeGame(H=1, target=1, rho=[1, 1])\n"
                f"print(rqe.solve(game, tau=1, eps=1).means)  # {simple.note}"
            )
            shown = Counterexample(game(), 1.0, 1.0, simple, code)
            return Search(least.tried, least.margin, shown)
    return Search(least.tried, least.margin, None, "random tau, eps and target")


def derive() -> tuple[Proved, ...]:
    """Prove the corrected formula from the first-order condition, and where the utility peaks."""
    sp = sympy()
    tau, eps, abar, m = positive("tau epsilon abar m")
    variance = eps / 2
    condition = (abar - 2 * m) / (1 - tau * variance) - m
    right = abar / (3 - tau * eps / 2)
    utility = -((abar - 2 * m) ** 2) / 2 - m**2 / 2
    slope = sp.diff(utility, m).subs(m, right)
    return (
        prove("the corrected mean solves the first-order condition", condition.subs(m, right), 0),
        prove("the published one misses it", condition.subs(m, abar / (3 - tau * eps)),
              -abar * tau * eps / ((3 - tau * eps) * (2 - tau * eps))),
        prove("utility peaks where tau eps = 1", slope.subs(tau, 1 / eps), 0),
    )  # fmt: skip


def _theorem(kind: str, title: str, latex: str, denominator: str) -> Theorem:
    """Return the formula of this kind as a claim."""
    return Theorem(
        name="example-4.1" if kind == "corrected" else "example-4.1-published",
        title=title,
        source="Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, example 4.1",
        true=kind == "corrected",
        statement=f"Two robots with H = rho = 1 move by m* = abar / ({denominator}) in the mean.",
        latex=latex,
        margin=f"1 - |error| / |abar| / {_TOLERANCE:g}",
        _check=functools.partial(check, kind=kind),
        _search=functools.partial(search, kind=kind),
        _derive=derive,
    )


THEOREMS = (
    _theorem("corrected", "Example 4.1, corrected", CORRECTED, "3 - tau eps / 2"),
    _theorem("published", "Example 4.1 as published (erratum A1)", PUBLISHED, "3 - tau eps"),
)
