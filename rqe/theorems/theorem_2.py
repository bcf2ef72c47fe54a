r"""Theorem 2 of arXiv 2602.21515, risk aversion rules out free-riding: three forms of its bound.

As published (false), as corrected, and sharp: see `PUBLISHED`, `CORRECTED` and `SHARP`. Two
players, n actions, symmetric shared reward R, one cost vector c, one tau and one eps; the degree
of free-riding is ``delta = |<c, x_1 - x_2>|``, ``Dc = max c - min c`` and
``vbar = (max R - min c) - (min R - max c)``.

Erratum B1. The published proof drops one eps from the strong concavity of the entropy term: the
objective is eps-strongly concave, not 1-strongly. The printed threshold is not even invariant
under a change of payoff units, (R, c, eps, tau) to (s R, s c, s eps, tau / s), which moves no RQE.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.free_riding import constants, threshold
from rqe.theorems import _climb, _finite
from rqe.theorems._base import Evidence, Progress, Proved, Search, Theorem
from rqe.theorems._batch import ASYMMETRIC, Array, Batch
from rqe.theorems._finite import ROUNDING, Claim
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator

_SOURCE = "Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, theorem 2"
_PATIENCE = 400_000  # about one in 35 000 bred games refutes the published form
_SHY = 1.0 - 1e-9
_MARGIN = "1 - tau / (the threshold at the degree of the equilibrium)"
PUBLISHED = r"\tau > \frac{2 (\epsilon \log n + \bar v) D_c^2}{\epsilon \delta^2}"
CORRECTED = r"\tau > \frac{2 (\epsilon \log n + \bar v) D_c^2}{\epsilon^2 \delta^2}"
SHARP = (
    r"\tau > \frac{\Gamma}{2 \epsilon^2 t \log\frac{1 + t}{1 - t}}, \quad t = \delta / D_c, \quad"
    r" \Gamma = \max_{a,a',b,b'} [R(a,b) - R(a',b) - R(a,b') + R(a',b')]"
)


def margins(batch: Batch, kind: str) -> Array:
    """Return 1 - tau / threshold(degree): negative where the bound excludes an equilibrium.

    Equilibria at which the players do not differ say nothing: inf.
    """
    found = constants(batch.reward, batch.cost)
    silent = (batch.distance <= ASYMMETRIC) | (batch.degree <= ROUNDING)
    # A little less than the degree: near t = 1 the sharp bound would judge its rounding error.
    limit = threshold(found, np.minimum(batch.degree, found.spread) * _SHY, batch.eps, kind)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 only where silent
        out: Array = np.where(silent, np.inf, 1.0 - batch.tau / limit)
    return out


def _describe(batch: Batch, kind: str) -> str:
    """Degree and threshold of a batch of one."""
    limit = threshold(constants(batch.reward, batch.cost), batch.degree, batch.eps, kind)
    return (
        f"degree {batch.degree[0]:.6g} at tau = {batch.tau[0]:g}; "
        f"the {kind} bound excludes it above tau = {limit[0]:.6g}"
    )


def _claim(kind: str) -> Claim:
    """Return the claim that no equilibrium breaks the bound of this kind."""
    lines = (
        "found = rqe.free_riding(solution).degree",
        f'limit = rqe.risk_aversion_for(game, found, {{eps}}, kind="{kind}")',
        'print(f"degree {{found:.6f}} at tau = {tau}, excluded above {{limit:.1f}}")',
    )
    return Claim(
        functools.partial(margins, kind=kind),
        functools.partial(_describe, kind=kind),
        "\n".join(lines),
    )


def check(game: Any, tau: Any, eps: Any, *, kind: str = "sharp", starts: Any = ()) -> Evidence:
    """Return the RQE found in one game that comes closest to the bound of that kind."""
    return _finite.check(_claim(kind), game, tau, eps, starts=starts)


def search(rng: Generator, examples: int, progress: Progress, *, kind: str) -> Search:
    """Look for an RQE beyond the bound, in games that are bred, and before that in drawn ones.

    For the published form all are bred, and as many as it takes, up to `_PATIENCE`.
    """
    claim = _claim(kind)
    if kind == "published":
        return _climb.search(claim, rng, examples, progress, _PATIENCE)
    drawn = _finite.search(claim, rng, (examples + 1) // 2, progress)
    if drawn.counterexample is not None or examples < 2:
        return drawn
    bred = _climb.search(claim, rng, examples // 2, progress)
    return Search(
        drawn.tried + bred.tried,
        min(drawn.margin, bred.margin),
        bred.counterexample,
        f"{drawn.tried} drawn, {drawn.note}; {bred.tried} {bred.note}",
    )


def derive_sharp() -> tuple[Proved, ...]:
    """Prove the steps from the exact identity to the sharp bound, and its simpler form.

    By the identity, ``eps tau J(x_1, x_2) <= -(p_1 - p_2)' R (p_1 - p_2) / eps``. The right side is
    at most Gamma / eps, being S^2 <= 1 times a mean of the brackets that Gamma is the maximum of.
    The left side is at least 2 eps tau T log((1 + T) / (1 - T)), with T the total variation, by the
    data-processing inequality for the event {x_1 > x_2}. Last, delta <= T Dc.
    """
    sp = sympy()
    T, w = positive("T w")
    quarter = sp.Rational(1, 4)
    R = sp.Function("R")
    a, b, m = sp.symbols("a b m")
    two_point = T * (sp.log(w + T / 2 + T**2 / 4) - sp.log(w - T / 2 + T**2 / 4))
    first, second = m + T / 2, m - T / 2
    odds = sp.expand(first * (1 - second)) - sp.expand(m * (1 - m) + T / 2 + T**2 / 4)
    excess = sp.log((1 + T) / (1 - T)) - 2 * T
    pair = sp.Matrix([[R(a, a), R(a, b)], [R(a, b), R(b, b)]])
    d = sp.Matrix([1, -1])
    return (
        prove(
            "the odds ratio of P{x_1 > x_2} = m + T/2 and m - T/2 depends on w = m(1 - m)", odds, 0
        ),
        prove(
            "and its logarithm falls in w, so that w = 1/4 is the least favourable",
            sp.diff(two_point, w),
            -(T**2) / ((w + T**2 / 4) ** 2 - T**2 / 4),
        ),
        prove(
            "where it is 2 log((1 + T) / (1 - T))",
            (quarter + T / 2 + T**2 / 4) / (quarter - T / 2 + T**2 / 4),
            ((1 + T) / (1 - T)) ** 2,
        ),
        prove("log((1 + T) / (1 - T)) - 2 T grows", sp.diff(excess, T), 2 * T**2 / (1 - T**2)),
        prove("from 0", excess.subs(T, 0), 0),
        prove(
            "-(e_a - e_b)' R (e_a - e_b) is a bracket of Gamma",
            -(d.T * pair * d)[0],
            R(a, b) - R(a, a) - R(b, b) + R(a, b),
        ),
    )


def derive_corrected() -> tuple[Proved, ...]:
    """Prove that the corrected bound follows from the sharp one, with a factor of 4 to spare.

    ``Gamma <= 2 (max R - min R) <= 2 vbar`` and ``t log((1 + t) / (1 - t)) >= 2 t^2``, so that the
    sharp threshold is at most ``vbar / (2 eps^2 t^2)``.
    """
    sp = sympy()
    eps, t, vbar, n = positive("epsilon t vbar n")
    corrected = 2 * (eps * sp.log(n) + vbar) / (eps**2 * t**2)
    sharp_at_most = 2 * vbar / (2 * eps**2 * 2 * t**2)
    gap = 2 * sp.log(n) / (eps * t**2) + 3 * vbar / (2 * eps**2 * t**2)
    return (
        *derive_sharp(),
        prove("corrected less sharp threshold is at least a positive number",
              corrected - sharp_at_most, gap),
    )  # fmt: skip


def derive_published() -> tuple[Proved, ...]:
    """Prove that the published threshold changes with the unit of payoffs, and tau does not fit it.

    In units in which payoffs are s times as large, tau is tau / s; a threshold for tau must do the
    same. The corrected one does, the published one does not change at all.
    """
    sp = sympy()
    eps, t, vbar, n, s = positive("epsilon t vbar n s")
    published = 2 * (eps * sp.log(n) + vbar) / (eps * t**2)
    corrected = published / eps
    units = {eps: s * eps, vbar: s * vbar}
    return (
        prove("the corrected threshold has the unit of tau",
              corrected.subs(units, simultaneous=True), corrected / s),
        prove("the published one has none",
              published.subs(units, simultaneous=True), published),
    )  # fmt: skip


def _theorem(kind: str, title: str, statement: str, latex: str, derive: Any) -> Theorem:
    """Return the theorem of this kind."""
    return Theorem(
        name=f"theorem-2-{kind}",
        title=title,
        source=_SOURCE if kind == "published" else f"{_SOURCE}, {kind} here",
        true=kind != "published",
        statement=statement,
        latex=latex,
        margin=_MARGIN,
        _check=functools.partial(check, kind=kind),
        _search=functools.partial(search, kind=kind),
        _derive=derive,
    )


_START = (
    "Two equal players with symmetric shared reward: no RQE has a degree of free-riding >= delta"
)
THEOREMS = (
    _theorem(
        "published",
        "Theorem 2 as published (erratum B1)",
        f"{_START} if tau > 2 (eps log n + vbar) Dc^2 / (eps delta^2).",
        PUBLISHED,
        derive_published,
    ),
    _theorem(
        "corrected",
        "Theorem 2, corrected",
        f"{_START} if tau > 2 (eps log n + vbar) Dc^2 / (eps^2 delta^2).",
        CORRECTED,
        derive_corrected,
    ),
    _theorem(
        "sharp",
        "Theorem 2, sharp",
        f"{_START} if tau > Gamma / (2 eps^2 t log((1 + t) / (1 - t))), t = delta / Dc.",
        SHARP,
        derive_sharp,
    ),
)
