r"""Theorem 1 of arXiv 2602.21515: risk aversion induces collaboration.

In a quadratic aggregative game (`rqe.AggregativeGame`) the expected shared reward J rises strictly
in every tau_i, on the whole domain in which risk is finite: for any number of players,
heterogeneous tau_i, eps_i and rho_i, and every H > 0. True as published. In H's eigenbasis

.. math:: d = \bar a / (1 + \textstyle\sum_j g_j), \qquad
          g_j = \frac{1}{\rho_j (1/h - \tau_j V_j)}, \qquad
          \frac{\partial J}{\partial \tau_i} = \frac{h\, d^2 \rho_i V_i g_i^2}{1 + \sum_j g_j} > 0 .

Outside the claim: where private costs are matrices that differ between players, the directions do
not separate, and J can fall (`theorem-1-matrix-costs`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.concepts import per_player
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
from rqe.theorems._proof import positive, prove, real, sympy

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from rqe.games import AggregativeGame, QuadraticGame
    from rqe.gaussian_solution import GaussianSolution

    Array = NDArray[np.float64]

LATEX = r"\partial J / \partial \tau_i > 0 \quad \forall i"
_STEP = 0.1  # part of the way to the end of the domain by which a player's tau is raised
_MARGIN = "least rise of J over the players, relative to the loss of reward by the shortfall"


def check(game: AggregativeGame, tau: Any, eps: Any, *, players: Any = None) -> Evidence:
    """Return the least rise of the shared reward when one player's risk aversion is raised.

    No tau moves the covariances, so that the rise is what the loss by the shortfall falls by: it
    is compared as such, free of the noise in the reward, which may be far larger.

    Parameters
    ----------
    game : AggregativeGame
        Any number of players.
    tau, eps : float or sequence of N floats
        In the domain of finite risk. Players whose tau changes nothing, because the others do not
        err (eps = 0), are left out; so is all where the target is 0, or met to the last digit.
    players : sequence of int, optional
        Whose tau is raised, one after the other; by default everyone's.
    """
    import rqe

    if not isinstance(game, rqe.AggregativeGame):
        raise ValueError(
            f"game must be an rqe.AggregativeGame for this claim; got {type(game).__name__}"
        )
    taus = per_player("tau", tau, game.n_players).copy()
    before = rqe.solve(game, taus, eps)
    left, rounding = _shortfall(before), _rounding(before)
    if not rounding < 1.0:
        return Evidence(True, math.inf, before, "no shortfall is left that tau could reduce")
    return _least_rise(
        taus,
        before.tau_limits,
        lambda raised: 1.0 - (_shortfall(rqe.solve(game, raised, eps)) / left) ** 2,
        before,
        players,
        rounding,
    )


def _shortfall(solution: GaussianSolution) -> float:
    """|shortfall|_H of an aggregative game; half its square is the reward that is lost by it."""
    gap: Any = solution.shortfall
    weight: Any = solution.game.H  # type: ignore[union-attr]
    return math.sqrt(float(gap @ weight @ gap))


def _rounding(solution: GaussianSolution) -> float:
    """What rounding of the means may do to a relative rise: inf where there is no shortfall."""
    game: Any = solution.game
    size = np.abs(game.target) + np.abs(np.stack(solution.means)).sum(axis=0)
    most, left = math.sqrt(float(size @ np.abs(game.H) @ size)), _shortfall(solution)
    return 16.0 * float(np.finfo(float).eps) * most / left if left > 0.0 else math.inf


def _least_rise(
    taus: Array,
    limits: Array,
    rise: Any,
    witness: Any,
    players: Any = None,
    rounding: float = 0.0,
) -> Evidence:
    """Raise each tau in turn by a part of what its domain allows; a fall is one beyond rounding."""
    worst = Evidence(True, math.inf, witness, "no player's tau changes anything")
    for i in range(len(taus)) if players is None else players:
        if not math.isfinite(limits[i]):
            continue
        raised = taus.copy()
        raised[i] += _STEP * (limits[i] - taus[i])
        margin = float(rise(raised))
        if margin < worst.margin:
            note = f"tau[{i}] from {taus[i]:.6g} to {raised[i]:.6g}: relative rise {margin:.6g}"
            worst = Evidence(margin > 0.0 or -margin < rounding, margin, witness, note)
    return worst


def search(rng: Generator, examples: int, progress: Progress) -> Search:
    """Judge random heterogeneous games of 2 to 5 players with 1 to 3 coordinates."""
    least = Least(progress)
    while least.tried < examples:
        game, tau, eps = _draw(rng)
        found = check(game, tau, eps, players=[int(rng.integers(game.n_players))])
        least.add(1, found.margin)
        if not found.holds:
            code = (
                f"import rqe\ngame = rqe.AggregativeGame({literal(game.H)}, {literal(game.target)},"
                f" {literal(game.rho)})\n"
                f"print(rqe.theorems.by_name('theorem-1').check(game, {literal(tau)},"
                f" {literal(eps)}))"
            )
            return Search(least.tried, least.margin, Counterexample(game, tau, eps, found, code))
    return Search(least.tried, least.margin, None, "2 to 5 players, 1 to 3 coordinates")


def _draw(rng: Generator) -> tuple[AggregativeGame, Array, Array]:
    """A random game with tau in its domain."""
    import rqe

    count, n = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    root = rng.normal(size=(n, n))
    game = rqe.AggregativeGame(
        root @ root.T + 0.1 * np.eye(n), rng.normal(size=n), 10.0 ** rng.uniform(-1, 1, count)
    )
    eps = 10.0 ** rng.uniform(-1, 1, count)
    return game, rng.uniform(0.0, 0.95, count) * rqe.tau_limits(game, eps), eps


def derive() -> tuple[Proved, ...]:
    """Prove the mean's best response from the entropic utility, and J's derivative, N = 2 and 3."""
    k, V, rho, h, tau = positive("k V rho h tau")
    s, M, y, abar, d = real("s M y abar d")
    start = (M + k * V * y) / (1 - k * V)
    square = -(1 - k * V) / (2 * V) * (s - start) ** 2 + k * (M + y) ** 2 / (2 * (1 - k * V))
    mean = d / (rho * (1 / h - tau * V))
    slope = h * (abar - (abar - d)) / (1 - tau * h * V) - rho * mean
    return (
        prove("the Gaussian integral of exp(k (s + y)^2 / 2), s of mean M and variance V",
              k * (s + y) ** 2 / 2 - (s - M) ** 2 / (2 * V), square),
        prove("m_i = d / (rho_i (1/h - tau_i V_i)) is the best response at shortfall d", slope, 0),
        *(_slope_of_reward(n) for n in (2, 3)),
    )  # fmt: skip


def _slope_of_reward(count: int) -> Proved:
    """Prove the formula for dJ/dtau_1 with all parameters different."""
    sp = sympy()
    h, abar = positive("h abar")
    tau, rho, V = (positive(f"{name}1:{count + 1}") for name in ("tau", "rho", "V"))
    g = [1 / (rho[i] * (1 / h - tau[i] * V[i])) for i in range(count)]
    d = abar / (1 + sum(g))
    reward = -h * d**2 / 2
    return prove(
        f"dJ/dtau_1 is a product of positive numbers, {count} players",
        sp.diff(reward, tau[0]),
        h * d**2 / (1 + sum(g)) * rho[0] * V[0] * g[0] ** 2,
    )


def matrix_costs(H: Any, target: Any, costs: Any) -> QuadraticGame:
    """Return the aggregative game in which player i pays ``a_i' C_i a_i / 2``.

    Parameters
    ----------
    H : array_like, shape (n, n)
        Weight of the shared reward ``-|sum_i a_i - target|_H^2 / 2``.
    target : array_like, shape (n,)
    costs : sequence of N array_like, shape (n, n)
        C_i, symmetric positive definite.
    """
    import rqe

    weight, aim = np.asarray(H, dtype=float), np.asarray(target, dtype=float)
    count, n = len(costs), len(aim)
    shared = np.kron(np.ones((count, count)), -weight)
    matrices = [shared.copy() for _ in range(count)]
    for i, cost in enumerate(costs):
        own = slice(i * n, (i + 1) * n)
        matrices[i][own, own] -= np.asarray(cost, dtype=float)
    return rqe.QuadraticGame(
        matrices, np.tile(np.tile(weight @ aim, count), (count, 1)), dims=[n] * count
    )


def shared_reward(game: QuadraticGame, solution: Any) -> tuple[float, float]:
    """Return J of a game of `matrix_costs`, up to its constant, and the loss by the shortfall."""
    weight = -game.block(0, 0, 1)
    target = np.linalg.solve(weight, game.linear[0][game.places[0]])
    gap = target - np.sum(solution.means, axis=0)
    loss = 0.5 * float(gap @ weight @ gap)
    noise = 0.5 * float(np.trace(weight @ np.sum(solution.covariances, axis=0)))
    return -loss - noise, loss


def check_matrix_costs(game: QuadraticGame, tau: Any, eps: Any) -> Evidence:
    """Return the least rise of the shared reward in a game made by `matrix_costs`."""
    import rqe

    if not isinstance(game, rqe.QuadraticGame) or len(set(game.dims)) != 1:
        raise ValueError("game must be made by rqe.theorems.theorem_1.matrix_costs for this claim")
    taus = per_player("tau", tau, game.n_players).copy()
    before = rqe.solve(game, taus, eps)
    _, loss = shared_reward(game, before)
    if not loss > 0.0:
        return Evidence(True, math.inf, before, "no shortfall is left that tau could reduce")

    def rise(raised: Array) -> float:  # no tau moves the noise
        return 1.0 - shared_reward(game, rqe.solve(game, raised, eps))[1] / loss

    return _least_rise(taus, before.tau_limits, rise, before)


def search_matrix_costs(rng: Generator, examples: int, progress: Progress) -> Search:
    """Judge random games of two players with two coordinates, in numbers of one decimal."""
    least = Least(progress)
    while least.tried < examples:
        roots = np.round(rng.normal(size=(3, 2, 2)), 1)
        H, *costs = (np.round(root @ root.T + 0.1 * np.eye(2), 2) for root in roots)
        target = np.round(rng.normal(size=2), 1)
        eps = np.round(rng.uniform(0.1, 2.0, 2), 1)
        if not target.any():
            continue
        game = matrix_costs(H, target, costs)
        tau = _rounded_down(rng.uniform(0.0, 0.9, 2) * _limits(game, eps))
        found = check_matrix_costs(game, tau, eps)
        least.add(1, found.margin)
        if found.margin < -1e-3:
            code = _code(H, target, costs, tau, eps)
            return Search(least.tried, least.margin, Counterexample(game, tau, eps, found, code))
    return Search(least.tried, least.margin, None, "two players, two coordinates")


def _limits(game: QuadraticGame, eps: Array) -> Array:
    """End of the domain of tau."""
    import rqe

    return rqe.tau_limits(game, eps)


def _rounded_down(values: Array) -> Array:
    """Two significant digits, towards zero."""
    unit = 10.0 ** (np.floor(np.log10(np.maximum(values, 1e-6))) - 1.0)
    out: Array = np.array([float(f"{v:.6g}") for v in np.floor(values / unit) * unit])
    return out


def _code(H: Array, target: Array, costs: Any, tau: Array, eps: Array) -> str:
    """Python that shows the fall of the reward."""
    return "\n".join(
        (
            "import rqe",
            "from rqe.theorems import theorem_1",
            f"game = theorem_1.matrix_costs({literal(H)}, {literal(target)},",
            f"    [{', '.join(literal(cost) for cost in costs)}])",
            f"print(theorem_1.check_matrix_costs(game, {literal(tau)}, {literal(eps)}))",
        )
    )


def derive_matrix_costs() -> tuple[Proved, ...]:
    """Show what fails: with matrix costs the product C_i^-1 K_i^-1 need not be symmetric.

    G_i = C_i^{-1} K_i^{-1} commutes with H for scalar C_i; the commutator proved here does not
    vanish for C = diag(c, 1) and a K with an off-diagonal entry.
    """
    sp = sympy()
    c, k = positive("c k")
    cost, kernel = sp.diag(1 / c, 1), sp.Matrix([[1, k], [k, 1]])
    product = cost * kernel
    return (prove("asymmetry of C^-1 K^-1", (product - product.T)[0, 1], k / c - k),)


THEOREMS = (
    Theorem(
        name="theorem-1",
        title="Risk aversion induces collaboration",
        source="Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, theorem 1",
        true=True,
        statement="In quadratic aggregative games with costs rho_i |a_i|^2 / 2 the expected shared "
        "reward J rises strictly in every tau_i, as long as risk is finite, the target is not 0 "
        "and the others err.",
        latex=LATEX,
        margin=_MARGIN,
        _check=check,
        _search=search,
        _derive=derive,
    ),
    Theorem(
        name="theorem-1-matrix-costs",
        title="The same where costs are different matrices",
        source="outside the claim of arXiv 2602.21515",
        true=False,
        statement="With private costs a_i' C_i a_i / 2 that are different matrices, J rises "
        "strictly in every tau_i.",
        latex=LATEX,
        margin=_MARGIN,
        _check=check_matrix_costs,
        _search=search_matrix_costs,
        _derive=derive_matrix_costs,
    ),
)
