r"""Example 4.2 of arXiv 2602.21515: the pitchfork in which free-riding ends.

Reward 1 if anyone plays C, cost 2/5 of C, eps = 1/5. In log-odds, with x the probability of C at a
symmetric RQE and p the adversary's,

.. math:: \epsilon \log\tfrac{x}{1 - x} = 1 - \kappa - p, \qquad
          \log\tfrac{p}{1 - p} = \log\tfrac{x}{1 - x} - \tau (1 - x),

and antisymmetric tangents exist where ``eps = p (1 - p) (1 - tau x (1 - x))``. The three equations
give ``tau* = 0.8287886937257862``: three RQE below it, one at and above it.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rqe.theorems import _finite
from rqe.theorems._base import Counterexample, Evidence, Least, Progress, Proved, Search, Theorem
from rqe.theorems._proof import prove, real, sympy

if TYPE_CHECKING:
    from numpy.random import Generator

    from rqe.games.normal_form import NormalFormGame
    from rqe.solution import Solution

LATEX = r"\#\mathrm{RQE} = 3 \text{ if } \tau < \tau^*, \quad 1 \text{ if } \tau \ge \tau^*"
EPS = 0.2
COST = 0.4
_DIFFERENT = 1e-6
_BLUR = 1e-5  # closer to the pitchfork the branches are less than 1e-3 apart


class Pitchfork(NamedTuple):
    """Where the free-riding branches meet the symmetric one."""

    tau: float
    x: float


@functools.cache
def pitchfork(cost: float = COST, eps: float = EPS) -> Pitchfork:
    """Return tau* and the probability of C there, by Newton's method.

    Raises
    ------
    ValueError
        If there is no pitchfork at a positive tau.

    Examples
    --------
    >>> pitchfork()
    Pitchfork(tau=0.828788693725..., x=0.600205702798...)
    """
    from scipy.optimize import brentq

    def symmetric(tau: float) -> tuple[float, float]:
        def gap(x: float) -> float:
            odds = math.log(x / (1.0 - x))
            return eps * odds - (1.0 - cost - _logistic(odds - tau * (1.0 - x)))

        x = float(brentq(gap, 1e-12, 1.0 - 1e-12, xtol=1e-15))
        return x, _logistic(math.log(x / (1.0 - x)) - tau * (1.0 - x))

    def stiffness(tau: float) -> float:
        x, p = symmetric(tau)
        return eps - p * (1.0 - p) * (1.0 - tau * x * (1.0 - x))

    if not stiffness(0.0) < 0.0:
        raise ValueError(f"cost and eps must allow free-riding at tau = 0; got {cost}, {eps}")
    tau = float(brentq(stiffness, 0.0, 4.0 / eps, xtol=1e-15))
    return Pitchfork(tau, symmetric(tau)[0])


def _logistic(odds: float) -> float:
    """1 / (1 + exp(-odds))."""
    return 0.5 * (1.0 + math.tanh(0.5 * odds))


def game() -> NormalFormGame:
    """Return the game of the example."""
    import rqe

    return rqe.NormalFormGame.collaborative(
        [[1, 1], [1, 0]], [COST, 0.0], actions=("C", "D"), title="Example 4.2"
    )


def profiles(tau: float) -> list[Solution]:
    """Return the different RQE found at eps = 0.2, the principal one first."""
    found: list[Solution] = []
    for solution in _finite.equilibria(game(), tau, EPS):
        x = np.concatenate(solution.strategies)
        if all(np.abs(x - np.concatenate(o.strategies)).max() > _DIFFERENT for o in found):
            found.append(solution)
    return found


def check(example: Any, tau: Any, eps: Any, *, starts: Any = ()) -> Evidence:
    """Return whether as many RQE are found at this tau as stated; only for the example's game."""
    from rqe.free_riding import symmetric

    reward, cost = symmetric(example)
    tau, eps = _finite.parameter("tau", tau), _finite.parameter("eps", eps)
    stated = [[1.0, 1.0], [1.0, 0.0]]
    same = reward.shape == (2, 2) and np.allclose(reward, stated) and np.allclose(cost, [COST, 0.0])
    if not same or eps != EPS:
        raise ValueError("game and eps must be those of example 4.2, see example_4_2.game()")
    del starts
    return _judged(tau)


def _judged(tau: float) -> Evidence:
    """Count the equilibria at one tau."""
    found, stated = profiles(tau), 3 if tau < pitchfork().tau else 1
    distance = abs(tau / pitchfork().tau - 1.0)
    holds = len(found) == stated
    note = f"{len(found)} RQE found at tau = {tau:g}, {stated} stated"
    return Evidence(holds, distance if holds else -distance, found[-1], note)


def search(rng: Generator, examples: int, progress: Progress) -> Search:
    """Count the equilibria at random tau on both sides of the pitchfork, at most 200 times."""
    least, star = Least(progress), pitchfork().tau
    for _ in range(min(examples, 200)):
        tau = star * (1.0 + float(rng.choice([-1, 1])) * 10.0 ** float(rng.uniform(-4, -0.01)))
        found = _judged(tau)
        least.add(1, found.margin)
        if not found.holds and abs(tau / star - 1.0) > _BLUR:
            code = f"from rqe.theorems import example_4_2\nprint(example_4_2.profiles({tau!r}))"
            return Search(least.tried, least.margin, Counterexample(game(), tau, EPS, found, code))
    return Search(least.tried, least.margin, None, "one game, different tau")


def derive() -> tuple[Proved, ...]:
    """Prove the condition for antisymmetric tangents, from the equations of the example."""
    sp = sympy()
    z1, z2, tau, eps, x, p = real("z1 z2 tau epsilon x p")

    def logistic(odds: Any) -> Any:
        return 1 / (1 + sp.exp(-odds))

    slope = logistic(z1) * (1 - logistic(z1))
    odds = z2 - tau * (1 - logistic(z1))
    weights = x * sp.exp(-tau), (1 - x) * sp.exp(-tau * x)
    # With p a function of its log-odds w, dp/dw = p (1 - p), and dw along (1, -1) as proved here.
    along = sp.diff(odds, z1) - sp.diff(odds, z2)
    mode = eps + p * (1 - p) * (tau * x * (1 - x) - 1)
    return (
        prove("log-odds of the adversary: g(C) = 1 and g(D) = x",
              weights[0] / weights[1], x / (1 - x) * sp.exp(-tau * (1 - x))),
        prove("d logistic = x (1 - x)", sp.diff(logistic(z1), z1), slope),
        prove("log-odds of p along the antisymmetric direction", along, tau * slope - 1),
        prove("eps z - (1 - kappa - p) is flat along it where eps = p (1 - p) (1 - tau x (1 - x))",
              mode, eps - p * (1 - p) * (1 - tau * x * (1 - x))),
    )  # fmt: skip


THEOREMS = (
    Theorem(
        name="example-4.2",
        title="The pitchfork of example 4.2",
        source="Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, example 4.2; tau* is ours",
        true=True,
        statement="R = 1 if anyone plays C, cost 0.4, eps = 0.2: three RQE below "
        "tau* = 0.8287886937257862, one at and above it.",
        latex=LATEX,
        margin="|tau / tau* - 1|, negative where another number of RQE is found",
        _check=check,
        _search=search,
        _derive=derive,
    ),
)
