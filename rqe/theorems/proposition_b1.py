r"""Proposition B.1 of arXiv 2602.21515: means of the aggregative game, and erratum A2.

The best response of a general quadratic game needs the block of player i's utility in the others'
actions. As published ``H_-i,-i = I (x) (-H)``; right is ``(1 1') (x) (-H)``, because the square of
a sum has cross terms. They agree only for two players. For N = 3, H = rho = abar = eps = 1 and
tau = 1/2 the published block gives m = 5/16, the truth is 2/7; the condition for finite risk that
comes with it takes each j alone instead of the sum over j (tau < 2 instead of tau < 1).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.concepts import one_of
from rqe.theorems._base import (
    Counterexample,
    Evidence,
    Least,
    Progress,
    Proved,
    Search,
    Theorem,
    literal,
)
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from rqe.games import AggregativeGame

    Array = NDArray[np.float64]

PUBLISHED = r"H_{-i,-i} = I_{N-1} \otimes (-H)"
CORRECTED = r"H_{-i,-i} = (1 1^\top) \otimes (-H)"
_TOLERANCE = 1e-7


def means(game: AggregativeGame, tau: Any, eps: Any, kind: str = "corrected") -> Array:
    """Return the means, shape (N, n), by the lemma's best responses with the block of this kind.

    Parameters
    ----------
    game : AggregativeGame
    tau, eps : float or sequence of N floats, positive
    kind : {"corrected", "published"}

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    one_of("kind", kind, ("corrected", "published"))
    count, n = game.n_players, len(game.target)
    taus, epss = (np.broadcast_to(np.asarray(v, dtype=float), count) for v in (tau, eps))
    system, right = np.zeros((count * n, count * n)), np.empty(count * n)
    for i in range(count):
        rest = [k for j in range(count) if j != i for k in range(j * n, (j + 1) * n)]
        own = slice(i * n, (i + 1) * n)
        mine, theirs, free = _response(game, i, float(taus[i]), epss, kind)
        system[own, own], right[own] = mine, free
        system[own, rest] = -theirs
    stacked: Any = np.linalg.solve(system, right)
    out: Array = stacked.reshape(count, n)
    return out


def _response(
    game: AggregativeGame, i: int, tau: float, eps: Array, kind: str
) -> tuple[Array, Array, Array]:
    """Return A, B, k of player i's best response ``A m_i = B m_-i + k``."""
    count, n, H = game.n_players, len(game.target), game.H
    pattern = np.eye(count - 1) if kind == "published" else np.ones((count - 1, count - 1))
    precision = np.zeros(((count - 1) * n, (count - 1) * n))
    for k, j in enumerate(j for j in range(count) if j != i):
        place = slice(k * n, (k + 1) * n)
        precision[place, place] = (game.rho[j] * np.eye(n) + H) / (eps[j] * tau)
    cross = np.kron(np.ones((1, count - 1)), -H)
    reach = np.linalg.solve((precision + np.kron(pattern, -H)).T, cross.T).T
    slope = H @ game.target
    mine = game.rho[i] * np.eye(n) + H + reach @ cross.T
    return mine, reach @ precision, slope - reach @ np.tile(slope, count - 1)


def check(game: Any, tau: Any, eps: Any, *, kind: str = "corrected") -> Evidence:
    """Return whether the lemma with this block gives the means of the certified equilibrium."""
    import rqe

    if not isinstance(game, rqe.AggregativeGame):
        raise ValueError(
            f"game must be an rqe.AggregativeGame for this claim; got {type(game).__name__}"
        )
    if not (np.all(np.asarray(tau) > 0.0) and np.all(np.asarray(eps) > 0.0)):
        raise ValueError(f"tau and eps must be positive for this claim; got {tau!r}, {eps!r}")
    solution = rqe.solve(game, tau, eps)
    truth, stated = np.stack(solution.means), means(game, tau, eps, kind)
    size = float(np.abs(truth).max()) or 1.0
    margin = 1.0 - float(np.abs(truth - stated).max()) / size / _TOLERANCE
    note = (
        f"m = {literal(np.round(truth, 6))}, the {kind} block gives {literal(np.round(stated, 6))}"
    )
    return Evidence(margin >= 0.0, margin, solution, note)


def search(rng: Generator, examples: int, progress: Progress, *, kind: str) -> Search:
    """Compare in random games of 2 to 4 players."""
    import rqe

    least = Least(progress)
    for _ in range(examples):
        count, n = int(rng.integers(2, 5)), int(rng.integers(1, 3))
        root = rng.normal(size=(n, n))
        H = np.round(root @ root.T + 0.2 * np.eye(n), 2)
        rho, eps = np.round(rng.uniform(0.2, 3.0, (2, count)), 1)
        game = rqe.AggregativeGame(H, np.round(rng.uniform(0.5, 2.0, n), 1), rho)
        tau = rng.uniform(0.05, 0.9, count) * rqe.tau_limits(game, eps)
        found = check(game, tau, eps, kind=kind)
        least.add(1, found.margin)
        if not found.holds:
            simple = _simplest(kind)
            return Search(
                least.tried, least.margin, simple or _counterexample(game, tau, eps, found)
            )
    return Search(least.tried, least.margin, None, "random games of 2 to 4 players")


def _simplest(kind: str) -> Counterexample | None:
    """Shrink to the simplest game there is: three equal players and all parameters one."""
    import rqe

    game = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0, 1.0])
    found = check(game, 0.5, 1.0, kind=kind)
    return None if found.holds else _counterexample(game, 0.5, 1.0, found)


def _counterexample(game: AggregativeGame, tau: Any, eps: Any, found: Evidence) -> Counterexample:
    """Return the failure with the lines that show it."""
    code = (
        "import rqe\nfrom rqe.theorems import proposition_b1\n"
        f"game = rqe.AggregativeGame({literal(game.H)}, {literal(game.target)},"
        f" {literal(game.rho)})\n"
        f"print(rqe.solve(game, {literal(tau)}, {literal(eps)}).means)\n"
        f'print(proposition_b1.means(game, {literal(tau)}, {literal(eps)}, "published"))'
    )
    return Counterexample(game, tau, eps, found, code)


def derive() -> tuple[Proved, ...]:
    """Prove the block from the reward, the closed form for N = 2 and 3, and both numbers of A2."""
    sp = sympy()
    h, rho, eps, abar, tau = positive("h rho epsilon abar tau")
    a = sp.symbols("a1:4")
    reward = -h * (sum(a) - abar) ** 2 / 2
    cross = sp.diff(reward, a[1], a[2])
    ones = {h: 1, rho: 1, eps: 1, abar: 1, tau: sp.Rational(1, 2)}
    proved = [prove("the reward has cross terms of two other players", cross, -h)]
    for count in (2, 3):
        V = (count - 1) * eps / (rho + h)
        closed = h * abar / (count * h + rho * (1 - tau * h * V))
        solved = _symmetric_mean(sp, count, sp.ones(count - 1, count - 1))
        proved.append(prove(f"the closed form, {count} players", solved, closed))
    right = _symmetric_mean(sp, 3, sp.ones(2, 2)).subs(ones)
    wrong = _symmetric_mean(sp, 3, sp.eye(2)).subs(ones)
    proved.append(prove("three equal players, the right block", right, sp.Rational(2, 7)))
    proved.append(prove("three equal players, the published block", wrong, sp.Rational(5, 16)))
    return tuple(proved)


def _symmetric_mean(sp: Any, count: int, pattern: Any) -> Any:
    """Mean of equal scalar players by the lemma, with H_-i,-i = -h pattern."""
    h, rho, eps, abar, tau = positive("h rho epsilon abar tau")
    precision = (rho + h) / (eps * tau)
    inner = (precision * sp.eye(count - 1) - h * pattern).inv()
    cross = -h * sp.ones(1, count - 1)
    one = sp.ones(count - 1, 1)
    mine = rho + h + (cross * inner * cross.T)[0]
    theirs = (cross * inner * one)[0] * precision
    free = h * abar - (cross * inner * one)[0] * h * abar
    return sp.simplify(free / (mine - theirs))


def _theorem(kind: str, title: str, latex: str, block: str) -> Theorem:
    """Return the lemma with the block of this kind as a claim."""
    return Theorem(
        name="proposition-b.1" if kind == "corrected" else "proposition-b.1-published",
        title=title,
        source="Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, proposition B.1",
        true=kind == "corrected",
        statement="The means of an aggregative game solve the lemma's best responses with "
        f"H_-i,-i = {block}.",
        latex=latex,
        margin=f"1 - (relative error of the means) / {_TOLERANCE:g}",
        _check=functools.partial(check, kind=kind),
        _search=functools.partial(search, kind=kind),
        _derive=derive,
    )


THEOREMS = (
    _theorem("corrected", "Proposition B.1, corrected", CORRECTED, "(1 1') (x) (-H)"),
    _theorem("published", "Proposition B.1 as published (erratum A2)", PUBLISHED, "I (x) (-H)"),
)
