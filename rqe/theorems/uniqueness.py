r"""Uniqueness of the RQE of two players, whatever their payoffs, and where it fails.

Published for the pairs (KL, log barrier) and (reverse KL, entropy), as conditions on
``k = eps_1 tau_1 eps_2 tau_2`` alone: ``k >= 1`` (arXiv 2406.14156), and the weaker ``16 k > 1``
(arXiv 2602.12386). Neither covers (KL, entropy), the pair of arXiv 2602.21515: there the claim is
false, and games with several RQE at ``k >= 1`` are found.

Derivation of ``16 k > 1``, with d the difference between two equilibria, or a tangent vector. For
(KL, log barrier), with ``B_i = sum dx_i^2 / (x_i x_i')`` and ``A_i = sum dp_i^2``, the equations
of player i and of his adversary give

.. math:: \epsilon_i \tau_i B_i + J(p_i, p_i') = \langle dp_i, d \log x_{-i} \rangle
          \le \sqrt{A_i B_{-i}}, \qquad J(p_i, p_i') \ge A_i ,

so that ``eps_i tau_i B_i <= B_-i / 4``; the product over both players is at most 1/16 unless all
B_i vanish. For (reverse KL, entropy), tangent vectors obey

.. math:: \epsilon_i \tau_i \sum \frac{dx_i^2}{x_i} + \sum \frac{q\, dp_i^2}{p_i^2}
          = \sum \frac{dp_i\, dq}{p_i} \le \sum \frac{q\, dp_i^2}{p_i^2} + \sum \frac{dq^2}{4 q},

with q = x_-i: no equilibrium is singular, hence there is one. `derive` proves the two squares.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe._input import checked_game
from rqe.concepts import Concept
from rqe.theorems import _finite
from rqe.theorems._agreement import SAME, agreement, counterexample, from_two_starts
from rqe.theorems._base import Evidence, Least, Progress, Proved, Search, Theorem
from rqe.theorems._batch import Array, Batch
from rqe.theorems._finite import Claim
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator

    from rqe.games.normal_form import NormalFormGame

PAIRS = (("kl", "log_barrier"), ("reverse_kl", "entropy"))
STRONG = r"\epsilon_1 \tau_1 \epsilon_2 \tau_2 \ge 1"
WEAK = r"16\, \epsilon_1 \tau_1 \epsilon_2 \tau_2 > 1"
_APART = 0.1  # total variation: two equilibria that nobody takes for one
_LEAST = {"strong": 1.0, "weak": 1.0 / 16.0}


def check(game: Any, tau: Any, eps: Any, *, condition: str = "weak", starts: Any = ()) -> Evidence:
    """Return whether the equilibria found in one game agree, for both pairs.

    The margin is inf where the condition does not hold, and nothing is claimed.
    """
    concept = Concept.of(checked_game(game), tau, eps)
    if game.n_players != 2:
        raise ValueError(f"game must have two players for this claim; got {game.n_players}")
    product = math.prod(concept.tau.tolist() + concept.eps.tolist())
    least = _LEAST[condition]
    claimed = product > least or (condition == "strong" and product == least)
    if not claimed:  # nor where it is inf * 0, which no comparison accepts
        return Evidence(
            True, math.inf, None, f"not claimed at eps_1 tau_1 eps_2 tau_2 = {product:g}"
        )
    worst = Evidence(True, math.inf, None, "no equilibrium was found")
    for penalty, regularizer in PAIRS:
        found = _finite.equilibria(game, tau, eps, starts, penalty=penalty, regularizer=regularizer)
        evidence = agreement(list(found))
        if evidence.margin < worst.margin:
            worst = evidence
    return worst


def search(rng: Generator, examples: int, progress: Progress, *, condition: str) -> Search:
    """Solve random games, at or a little above the condition, from two starts each."""
    least = Least(progress)
    while least.tried < examples:
        game = _game(rng)
        product = _LEAST[condition] * 10.0 ** rng.choice([1e-6, 0.1, 1.0])
        share, split = 10.0 ** rng.uniform(-1, 1), 10.0 ** rng.uniform(-0.5, 0.5)
        eps = np.array([share, share * 10.0 ** rng.uniform(-0.5, 0.5)])
        tau = math.sqrt(product) * np.array([split, 1.0 / split]) / eps
        penalty, regularizer = PAIRS[int(rng.integers(2))]
        found = from_two_starts(rng, game, tau, eps, penalty, regularizer)
        evidence = agreement(found)
        if len(found) < 2:
            continue
        least.add(1, evidence.margin)
        if not evidence.holds:
            return Search(least.tried, least.margin, counterexample(game, evidence))
    return Search(least.tried, least.margin, None, "the principal branch and a random start each")


def _game(rng: Generator) -> NormalFormGame:
    """Random, coordination, anti-coordination and zero-sum games of two players."""
    import rqe

    n = int(rng.integers(2, 4))
    A, B = rng.random((2, n, n))
    kind = int(rng.integers(4))
    if kind == 1:
        A, B = A + 5.0 * np.eye(n), B + 5.0 * np.eye(n)
    elif kind == 2:
        A, B = A + 5.0 * (1.0 - np.eye(n)), B + 5.0 * (1.0 - np.eye(n))
    elif kind == 3:
        B = -A
    return rqe.NormalFormGame.from_bimatrix(A, B)


def _crowded(batch: Batch) -> Array:
    """1 - (eps tau)^2 at equilibria in which the players differ, whose mirror is another one."""
    out: Array = np.where(batch.distance > _APART, 1.0 - (batch.eps * batch.tau) ** 2, np.inf)
    return out


def _describe(batch: Batch) -> str:
    product = float((batch.eps[0] * batch.tau[0]) ** 2)
    apart = float(batch.distance[0])
    mirror = "so that its mirror image is another" if apart > _APART else "which says nothing"
    return (
        f"eps_1 tau_1 eps_2 tau_2 = {product:.6g} and an RQE in which the players differ by "
        f"{apart:.6g}, {mirror}"
    )


_MIRROR = """print(solution.summary())
mirror = rqe.solve(game, tau={tau}, eps={eps}, start=start[::-1])
print(mirror.summary())"""
_CROWDED = Claim(_crowded, _describe, _MIRROR)


def check_entropy(game: Any, tau: Any, eps: Any, *, starts: Any = ()) -> Evidence:
    """Return the least margin of the (KL, entropy) claim in one symmetric collaborative game."""
    worst = _finite.check(_CROWDED, game, tau, eps, starts=starts)
    if worst.witness is None or worst.margin < math.inf:
        return worst
    found = list(_finite.equilibria(game, tau, eps, starts))  # all symmetric: do they agree?
    profiles = np.array([solution.strategies[0] for solution in found])
    distance = 0.5 * np.abs(profiles - profiles[0]).sum(1)
    k = int(distance.argmax())
    if not distance[k] > _APART:
        return worst
    product = (_finite.parameter("eps", eps) * _finite.parameter("tau", tau)) ** 2
    note = f"eps_1 tau_1 eps_2 tau_2 = {product:.6g} and two symmetric RQE {distance[k]:.6g} apart"
    return Evidence(1.0 - product >= -_finite.ROUNDING, 1.0 - product, found[k], note)


def search_entropy(rng: Generator, examples: int, progress: Progress) -> Search:
    """Look for two RQE at ``k >= 1`` among games with a planted or searched asymmetric RQE."""
    return _finite.search(_CROWDED, rng, examples, progress)


def derive() -> tuple[Proved, ...]:
    """Prove the two completed squares of the derivation above, and that means bound logarithms."""
    sp = sympy()
    a, b, p, q, s = positive("a b p q s")
    dp, dq = sp.symbols("dp dq", real=True)
    gap = sp.sinh(s) - s  # (x - x') / sqrt(x x') less log(x / x'), with x / x' = exp(2 s), halved
    return (
        prove("b^2 / 4 - a b + a^2 is a square", b**2 / 4 - a * b + a**2, (b / 2 - a) ** 2),
        prove(
            "q dp^2 / p^2 - dp dq / p + dq^2 / (4 q) is a square",
            q * dp**2 / p**2 - dp * dq / p + dq**2 / (4 * q),
            (sp.sqrt(q) * dp / p - dq / (2 * sp.sqrt(q))) ** 2,
        ),
        prove("|d log x| <= |dx| / sqrt(x x'): the gap grows", sp.diff(gap, s),
              2 * sp.sinh(s / 2) ** 2),
        prove("from 0", gap.subs(s, 0), 0),
    )  # fmt: skip


def derive_entropy() -> tuple[Proved, ...]:
    """Show where the argument breaks: entropy gives ``sum dx^2 / x``, not ``sum dx^2 / x^2``.

    For (KL, entropy) the right side is ``sum dp dx_-i / x_-i`` as before, and
    ``sum dx^2 / x^2`` is not bounded by a multiple of ``sum dx^2 / x``: with x = (r, 1 - r) their
    ratio, proved here, has no upper bound as r falls.
    """
    r = positive("r")
    left = (1 / r**2 + 1 / (1 - r) ** 2) / (1 / r + 1 / (1 - r))
    return (prove("the ratio", left, 1 / (r * (1 - r)) - 2),)


def _published(condition: str, source: str, words: str, latex: str) -> Theorem:
    """Return the theorem with one of the two conditions."""
    return Theorem(
        name=f"uniqueness-{condition}",
        title=f"One RQE where {words}",
        source=source,
        true=True,
        statement=f"Two players with (KL, log barrier) or (reverse KL, entropy) have one RQE, "
        f"whatever their payoffs, if {words}.",
        latex=latex,
        margin=f"1 - (distance between the equilibria found) / {SAME:g}",
        _check=functools.partial(check, condition=condition),
        _search=functools.partial(search, condition=condition),
        _derive=derive,
    )


THEOREMS = (
    _published("strong", "arXiv 2406.14156 (ICLR 2025)", "eps_1 tau_1 eps_2 tau_2 >= 1", STRONG),
    _published("weak", "arXiv 2602.12386", "16 eps_1 tau_1 eps_2 tau_2 > 1", WEAK),
    Theorem(
        name="uniqueness-kl-entropy",
        title="The same for (KL, entropy)",
        source="not published; the pair of arXiv 2602.21515, to which it does not extend",
        true=False,
        statement="Two players with (KL, entropy) have one RQE if eps_1 tau_1 eps_2 tau_2 >= 1.",
        latex=STRONG,
        margin="1 - eps_1 tau_1 eps_2 tau_2, where there are several RQE",
        _check=check_entropy,
        _search=search_entropy,
        _derive=derive_entropy,
    ),
)
