r"""The exact identity of free-riding, and two of its corollaries.

Derived for this library. At every RQE of the pair (KL, entropy) of two equal players with
symmetric shared reward R, with p_i the adversary's distribution, J the Jeffreys divergence,

.. math:: \epsilon \tau J(x_1, x_2) + J(p_1, p_2)
          = -\tfrac1\epsilon (p_1 - p_2)^\top R (p_1 - p_2) .

Proof: ``log x_i = (R p_i - c) / eps + const`` and ``log p_i = log x_-i - tau R x_i + const``; take
differences over the players, pair them with x_1 - x_2 and p_1 - p_2, and add.

Corollaries. If R is positive semidefinite on vectors that sum to zero, the right side is not
positive, so that every RQE is symmetric, for every tau and eps. If ``Gamma <= 4 eps`` the same
follows, because the right side is at most ``S^2 Gamma / eps`` and ``J(p_1, p_2) > 4 S^2``, where
S > 0 is the total variation between p_1 and p_2.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.free_riding import constants
from rqe.theorems import _finite
from rqe.theorems._base import Evidence, Progress, Proved, Search, Theorem
from rqe.theorems._batch import ASYMMETRIC, Array, Batch, adversaries
from rqe.theorems._finite import Claim
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator

IDENTITY = (
    r"\epsilon \tau J(x_1, x_2) + J(p_1, p_2)"
    r" = -\tfrac{1}{\epsilon} (p_1 - p_2)^\top R (p_1 - p_2)"
)
DEFINITE = r"z^\top R z \ge 0 \ \forall z: 1^\top z = 0 \implies x_1 = x_2"
INTERACTION = r"\Gamma \le 4 \epsilon \implies x_1 = x_2 \ \forall \tau \ge 0"
_TOLERANCE = 1e-6
_SOURCE = "derived in this library"


def sides(batch: Batch) -> tuple[Array, Array]:
    """Return both sides of the identity, shape (B,) each."""
    log_p = adversaries(batch)
    dp = np.exp(log_p[:, 0]) - np.exp(log_p[:, 1])
    left = batch.eps * batch.tau * _jeffreys(batch.log_x) + _jeffreys(log_p)
    right: Array = -np.einsum("ka,kab,kb->k", dp, batch.reward, dp) / batch.eps
    return left, right


def _jeffreys(log_x: Array) -> Array:
    """Symmetrised relative entropy of pairs of log-strategies: (B, 2, n) to (B,)."""
    first, second = log_x[:, 0], log_x[:, 1]
    out: Array = ((np.exp(first) - np.exp(second)) * (first - second)).sum(-1)
    return out


def _identity(batch: Batch) -> Array:
    """1 - error / tolerance."""
    left, right = sides(batch)
    out: Array = 1.0 - np.abs(left - right) / (1.0 + left + np.abs(right)) / _TOLERANCE
    return out


def _definite(batch: Batch) -> Array:
    """How far R is from semidefinite, at equilibria in which the players differ; else inf."""
    n = batch.cost.shape[-1]
    centre = np.eye(n) - 1.0 / n
    span = np.ptp(batch.reward, axis=(1, 2))
    unit = np.where(span > 0.0, span, 1.0)[:, None, None]
    # The constant vector has eigenvalue 0 whatever R is: + 1 moves it to n, above all others.
    least = np.linalg.eigvalsh(centre @ batch.reward @ centre / unit + 1.0)[:, 0]
    out: Array = np.where(batch.distance > ASYMMETRIC, -least, np.inf)
    return out


def _interaction(batch: Batch) -> Array:
    """Gamma / (4 eps) - 1 at equilibria in which the players differ; else inf."""
    strength = constants(batch.reward, batch.cost).interaction / (4.0 * batch.eps)
    out: Array = np.where(batch.distance > ASYMMETRIC, strength - 1.0, np.inf)
    return out


def _describe_identity(batch: Batch) -> str:
    left, right = sides(batch)
    return f"left side {left[0]:.12g}, right side {right[0]:.12g}"


def _describe(batch: Batch) -> str:
    strength = constants(batch.reward, batch.cost).interaction
    return (
        f"total variation {batch.distance[0]:.6g} between the players, "
        f"Gamma / (4 eps) = {strength[0] / (4.0 * batch.eps[0]):.6g}"
    )


_CLAIMS = {
    "identity": Claim(_identity, _describe_identity),
    "corollary-definite": Claim(_definite, _describe),
    "corollary-interaction": Claim(_interaction, _describe),
}


def check(game: Any, tau: Any, eps: Any, *, name: str = "identity", starts: Any = ()) -> Evidence:
    """Return the RQE found in one game at which the claim of that name comes closest to failing."""
    return _finite.check(_CLAIMS[name], game, tau, eps, starts=starts)


def search(rng: Generator, examples: int, progress: Progress, *, name: str) -> Search:
    """Judge the claim of that name at equilibria of drawn games, most of them asymmetric."""
    return _finite.search(_CLAIMS[name], rng, examples, progress)


def derive() -> tuple[Proved, ...]:
    """Prove the identity for 2, 3 and 4 actions, with every quantity a symbol."""
    return tuple(_derived(n) for n in (2, 3, 4))


def _derived(n: int) -> Proved:
    """Prove the identity for n actions: x_i, p_i sum to one and are otherwise free symbols."""
    sp = sympy()
    tau, eps = positive("tau epsilon")
    R = sp.Matrix(n, n, lambda a, b: sp.Symbol(f"R{min(a, b)}{max(a, b)}"))
    c = sp.Matrix(sp.symbols(f"c:{n}"))
    one = sp.ones(n, 1)
    x, p = ([_distribution(sp, n, f"{name}{i}") for i in (1, 2)] for name in "xp")
    k, m = sp.symbols("k:2"), sp.symbols("m:2")
    log_x = [(R * p[i] - c) / eps + k[i] * one for i in (0, 1)]
    log_p = [log_x[1 - i] - tau * R * x[i] + m[i] * one for i in (0, 1)]
    dx, dp = x[0] - x[1], p[0] - p[1]
    left = eps * tau * dx.dot(log_x[0] - log_x[1]) + dp.dot(log_p[0] - log_p[1])
    return prove(f"the identity, {n} actions", left, -dp.dot(R * dp) / eps)


def _distribution(sp: Any, n: int, name: str) -> Any:
    """Symbols that sum to one."""
    free = sp.symbols(f"{name}_:{n - 1}", seq=True)
    return sp.Matrix([*free, 1 - sum(free)])


def derive_interaction() -> tuple[Proved, ...]:
    """Prove the steps from the identity to the second corollary.

    With S the total variation between p_1 and p_2: ``J(p_1, p_2) >= 2 S log((1 + S) / (1 - S))``,
    as in the sharp form of theorem 2, which exceeds ``4 S^2`` for S > 0. So, if J(x_1, x_2) > 0,
    ``4 S^2 < S^2 Gamma / eps``.
    """
    sp = sympy()
    S = positive("S")
    excess = sp.log((1 + S) / (1 - S)) - 2 * S
    return (
        *derive(),
        prove("log((1 + S) / (1 - S)) - 2 S grows", sp.diff(excess, S), 2 * S**2 / (1 - S**2)),
        prove("from 0", excess.subs(S, 0), 0),
    )


def _theorem(name: str, title: str, statement: str, latex: str, margin: str, proof: Any) -> Theorem:
    """Return one of the three claims."""
    return Theorem(
        name=name,
        title=title,
        source=_SOURCE,
        true=True,
        statement=statement,
        latex=latex,
        margin=margin,
        _check=functools.partial(check, name=name),
        _search=functools.partial(search, name=name),
        _derive=proof,
    )


_WHO = "Two equal players with symmetric shared reward R:"
THEOREMS = (
    _theorem(
        "identity",
        "The exact identity of free-riding",
        f"{_WHO} at every RQE, eps tau J(x_1, x_2) + J(p_1, p_2) "
        "= -(p_1 - p_2)' R (p_1 - p_2) / eps.",
        IDENTITY,
        f"1 - (relative error) / {_TOLERANCE:g}",
        derive,
    ),
    _theorem(
        "corollary-definite",
        "No free-riding where R is semidefinite",
        f"{_WHO} if R is positive semidefinite on zero-sum vectors, every RQE is symmetric.",
        DEFINITE,
        "-(least eigenvalue of R on zero-sum vectors) / range of R, at asymmetric RQE",
        derive,
    ),
    _theorem(
        "corollary-interaction",
        "No free-riding where interaction is weak",
        f"{_WHO} if Gamma <= 4 eps, every RQE is symmetric, for every tau >= 0.",
        INTERACTION,
        "Gamma / (4 eps) - 1, at asymmetric RQE",
        derive_interaction,
    ),
)
