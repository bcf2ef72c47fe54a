r"""The interior bound: at an RQE with entropy every action is played, at least this much.

.. math:: x_i(a) \ge e^{-\Delta_i / \epsilon_i} / n_i , \qquad \Delta_i = \max u_i - \min u_i .

It holds for any number of players, any penalty, and every tau, because ``x_i = softmax(v_i / eps)``
and every v_i(a), a mean of payoffs, lies between their least and greatest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.theorems import _finite
from rqe.theorems._base import Counterexample, Evidence, Least, Progress, Proved, Search, Theorem
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator

    from rqe.games.normal_form import NormalFormGame
    from rqe.solution import Solution

LATEX = r"x_i(a) \ge \frac{1}{n_i} \exp\left(-\frac{\max u_i - \min u_i}{\epsilon_i}\right)"
_ROUNDING = 1e-7
_SHAPES = ((2, 2), (2, 3), (3, 3), (4, 4), (2, 2, 2), (3, 2, 2))


def check(game: Any, tau: Any, eps: Any, *, starts: Any = ()) -> Evidence:
    """Return the least log(x_i(a)) less its bound over the equilibria found in one game."""
    if not np.all(np.asarray(eps, dtype=float) > 0.0):
        raise ValueError(f"eps must be positive for this claim; got {eps!r}")
    worst = Evidence(True, math.inf, None, "no equilibrium was found")
    for solution in _finite.equilibria(game, tau, eps, starts):
        found = _judged(solution)
        if worst.witness is None or found.margin < worst.margin:
            worst = found
    return worst


def _judged(solution: Solution) -> Evidence:
    """Return the margin at one equilibrium."""
    spans = solution.game.payoff_range
    margins = [
        float(log_x.min() + span / eps) + math.log(len(log_x))
        for log_x, span, eps in zip(solution.log_strategies, spans, solution.eps, strict=True)
    ]
    i = int(np.argmin(margins))
    scale = 1.0 + float(spans[i] / solution.eps[i])
    note = f"player {i}: log x is at least its bound plus {margins[i]:.6g}"
    return Evidence(margins[i] >= -_ROUNDING * scale, margins[i], solution, note)


def search(rng: Generator, examples: int, progress: Progress) -> Search:
    """Judge the principal equilibria of random games of two and three players."""
    import rqe

    least = Least(progress)
    while least.tried < examples:
        shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
        game = rqe.NormalFormGame(rng.random((len(shape), *shape)))
        tau, eps = 10.0 ** rng.uniform(-1, 2), 10.0 ** rng.uniform(-1.5, 1)
        solution = rqe.solve(game, tau, eps, throw=False)
        if not solution.converged:
            continue
        found = _judged(solution)
        least.add(1, found.margin)
        if not found.holds:
            return Search(least.tried, least.margin, _counterexample(game, tau, eps, found))
    return Search(least.tried, least.margin, None, "random games of two and three players")


def _counterexample(
    game: NormalFormGame, tau: float, eps: float, found: Evidence
) -> Counterexample:
    """Return the failure with the lines that show it."""
    code = (
        f"import rqe\ngame = rqe.NormalFormGame({game.payoffs.tolist()})\n"
        f"print(rqe.solve(game, {tau!r}, {eps!r}).summary())"
    )
    return Counterexample(game, tau, eps, found, code)


def derive() -> tuple[Proved, ...]:
    """Prove that softmax of values in [low, low + span] is least where one is low, the others high.

    The derivative of x(a) in the value of another action is negative and in its own positive.
    """
    sp = sympy()
    eps, span = positive("epsilon Delta")
    v = sp.symbols("v:3", real=True)
    x = sp.exp(v[0] / eps) / sum(sp.exp(w / eps) for w in v)
    others = [sp.exp(w / eps) / sum(sp.exp(u / eps) for u in v) for w in v]
    corner = x.subs({v[0]: 0, v[1]: span, v[2]: span}, simultaneous=True)
    excess = (1 - sp.exp(-span / eps)) / (sp.exp(span / eps) * 3 * (2 + sp.exp(-span / eps)))
    return (
        prove("dx(a)/dv(a) = x(a)(1 - x(a)) / eps > 0", sp.diff(x, v[0]), x * (1 - x) / eps),
        prove("dx(a)/dv(b) = -x(a) x(b) / eps < 0", sp.diff(x, v[1]), -x * others[1] / eps),
        prove(
            "the least value exceeds exp(-Delta / eps) / 3 (three actions)",
            corner - sp.exp(-span / eps) / 3,
            excess,
        ),
    )


THEOREMS = (
    Theorem(
        name="interior-bound",
        title="Every action is played",
        source="folklore of quantal response; stated for RQE in this library",
        true=True,
        statement="At every RQE with entropy, x_i(a) >= exp(-(max u_i - min u_i) / eps_i) / n_i.",
        latex=LATEX,
        margin="least log x_i(a) less the logarithm of its bound",
        _check=check,
        _search=search,
        _derive=derive,
    ),
)
