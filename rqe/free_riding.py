r"""Free-riding in collaborative games: its degree, the bounds on it, and the tau that rules it out.

Two players share a reward R and pay private costs c of their own actions; the degree of
free-riding of a profile is ``delta = |<c, x_1 - x_2>|``. The bounds hold at every RQE of the pair
(KL, entropy) when R is symmetric and both players have the same c, tau and eps. With
``Dc = max c - min c``, ``t = delta / Dc`` and the strength of interaction

.. math:: \Gamma = \max_{a, a', b, b'} [R(a,b) - R(a',b) - R(a,b') + R(a',b')] ,

no degree of delta or more is possible when tau exceeds

- "sharp": :math:`\Gamma / (2 \epsilon^2 t \log \frac{1 + t}{1 - t})`, proved in `rqe.theorems`;
- "corrected": :math:`2 (\epsilon \log n + \bar v) D_c^2 / (\epsilon^2 \delta^2)` with
  ``vbar = max R - min R + Dc``, theorem 2 of [1]_ with the eps that its proof drops;
- "published": the same with one eps less, as printed in [1]_. It is false.

References
----------
.. [1] Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe._input import checked_game
from rqe.concepts import one_of
from rqe.games._checks import doubles, real_array
from rqe.solution import solved

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rqe.games.normal_form import NormalFormGame
    from rqe.solution import Solution

    Array = NDArray[np.float64]

__all__ = [
    "KINDS",
    "Collaboration",
    "FreeRiding",
    "collaboration",
    "free_riding",
    "free_riding_bound",
    "risk_aversion_for",
]

KINDS = ("sharp", "corrected", "published")
# Payoffs of a collaborative game are differences of doubles: what rounding may do to them,
_ROUNDING = 1e-9  # of the payoff range,
_LAST_DIGITS = 2e-15  # and of the payoffs' size


@dataclass(frozen=True, eq=False)
class FreeRiding:
    """Who carries the costs of a profile.

    Attributes
    ----------
    degree : float
        Largest less smallest expected cost over the players; for two players |<c, x_1 - x_2>|.
    expected_costs : ndarray, shape (N,)
        Expected private cost of each player, in payoff units.
    shares : ndarray, shape (N,)
        Each player's part of the total expected cost; NaN where the total is not positive.
    costs : tuple of N ndarrays, shape (n_i,)
        The private costs that were used.
    """

    degree: float
    expected_costs: Array
    shares: Array
    costs: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Collaboration:
    """A game as shared reward less private costs, u_i(a) = R(a) - c_i(a_i).

    Attributes
    ----------
    reward : ndarray, shape (n_1, ..., n_N)
    costs : tuple of N ndarrays, shape (n_i,)
    """

    reward: Array
    costs: tuple[Array, ...]


def collaboration(game: NormalFormGame, costs: Any = None) -> Collaboration:
    """Return the shared reward and the private costs of a collaborative game.

    Payoffs determine them up to one constant, which reward and all costs may share. Without
    `costs` it is chosen so that the cheapest action of all costs 0.

    Parameters
    ----------
    game : NormalFormGame
        N players with ``u_i(a) = R(a) - c_i(a_i)``.
    costs : sequence of N array_like, shape (n_i,), or one array_like, optional
        The costs, where their level matters; one vector serves players with equally many actions.

    Raises
    ------
    ValueError
        If the payoffs are not those of a collaborative game (with these costs).

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    >>> collaboration(game).costs[0].round(12).tolist()
    [0.4, 0.0]
    """
    payoffs, shape = game.payoffs, game.shape
    found = _recovered(payoffs, shape) if costs is None else _given(costs, shape)
    rewards = [payoffs[i] + _along(c, i, len(shape)) for i, c in enumerate(found)]
    gap = max(float(np.abs(r - rewards[0]).max()) for r in rewards)
    if not gap <= _tolerance(game):
        what = "these costs" if costs is not None else "any private costs"
        raise ValueError(
            "game must be collaborative, u_i(a) = R(a_1, ..., a_N) - c_i(a_i), to have costs; "
            f"with {what} the players' rewards differ by {gap:.3g}. Build such a game with "
            "rqe.NormalFormGame.collaborative(reward, costs)"
        )
    return Collaboration(rewards[0], tuple(found))


def _tolerance(game: NormalFormGame) -> float:
    """Return by how much payoffs may differ that are to be the same, in payoff units."""
    size, width = float(np.abs(game.payoffs).max()), float(game.payoff_range.max())
    return max(_ROUNDING * width + _LAST_DIGITS * size, 1e-300)


def _recovered(payoffs: Array, shape: tuple[int, ...]) -> list[Array]:
    """Costs read off the payoffs, the least of them 0: u_j - u_i = c_i(a_i) - c_j(a_j)."""
    costs = []
    for i in range(len(shape)):
        j = 1 if i == 0 else 0
        lines = np.moveaxis(payoffs[j] - payoffs[i], i, 0).reshape(shape[i], -1)
        costs.append(lines[:, 0] - lines[0, 0])
    # At the first joint action, u_0 - u_i = c_i(0) - c_0(0).
    first = (0,) * len(shape)
    levels = [float(payoffs[0][first] - payoffs[i][first]) for i in range(len(shape))]
    raised = [cost + level for cost, level in zip(costs, levels, strict=True)]
    least = min(float(cost.min()) for cost in raised)
    return [cost - least for cost in raised]


def _given(costs: Any, shape: tuple[int, ...]) -> list[Array]:
    """Costs as given, one vector per player."""
    if isinstance(costs, str | bytes) or not hasattr(costs, "__iter__"):
        raise TypeError(f"costs must be a vector, or one per player; got {costs!r}")
    items = list(costs)
    if all(np.ndim(item) == 0 for item in items):
        items = [items] * len(shape)
    vectors = [doubles(real_array(item, "costs"), "costs", copy=True) for item in items]
    if [vector.shape for vector in vectors] != [(n,) for n in shape]:
        raise ValueError(
            f"costs must be one vector per player, of lengths {shape}, or one shared by all; "
            f"got shapes {[vector.shape for vector in vectors]}"
        )
    return vectors


def _along(cost: Array, i: int, n_players: int) -> Array:
    """A vector over the actions of player i, to broadcast over joint actions."""
    return cost.reshape(*(1,) * i, -1, *(1,) * (n_players - 1 - i))


def free_riding(solution: Solution, costs: Any = None) -> FreeRiding:
    """Return the degree of free-riding, and each player's expected cost and share of all costs.

    Parameters
    ----------
    solution : Solution
        An equilibrium of a collaborative game.
    costs : sequence of N array_like, or one array_like, optional
        The private costs, as for `collaboration`. Without them they are read off the payoffs, and
        are those above the cheapest action; the degree of equal players does not depend on that.

    Raises
    ------
    ValueError
        If the game is not collaborative.

    References
    ----------
    .. [1] Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, section 4.2.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    >>> worker_and_rider = [[0.9, 0.1], [0.2, 0.8]]
    >>> rider = rqe.free_riding(rqe.solve(game, 0.5, 0.2, start=worker_and_rider))
    >>> round(rider.degree, 8), rider.shares.round(3).tolist()
    (0.22493992, [0.75, 0.25])
    """
    parts = collaboration(solved(solution).game, costs)
    expected = np.array(
        [float(x @ c) for x, c in zip(solution.strategies, parts.costs, strict=True)]
    )
    total = float(expected.sum())
    shares = expected / total if total > 0.0 else np.full(len(expected), math.nan)
    return FreeRiding(float(np.ptp(expected)), expected, shares, parts.costs)


def free_riding_bound(game: NormalFormGame, tau: float, eps: float, kind: str = "sharp") -> float:
    """Return the degree of free-riding that no RQE of the pair (KL, entropy) exceeds.

    Parameters
    ----------
    game : NormalFormGame
        Two players, symmetric shared reward, the same costs for both.
    tau : float, in [0, inf)
        Risk aversion of both players, 1/payoff.
    eps : float, in (0, inf)
        Bounded rationality of both players, payoff.
    kind : {"sharp", "corrected", "published"}
        Which bound; the published one is false and here to be compared.

    Returns
    -------
    float
        Never above ``max c - min c``, which bounds the degree at any tau.

    Raises
    ------
    ValueError
        If the game or a parameter is none that the bound speaks about.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    >>> [round(free_riding_bound(game, tau, 0.2), 4) for tau in (5.0, 50.0, 500.0)]
    [0.3549, 0.1385, 0.0446]
    """
    one_of("kind", kind, KINDS)
    tau, eps = _parameter("tau", tau, positive=False), _parameter("eps", eps, positive=True)
    found = constants(*symmetric(game))
    spread = float(found.spread)
    if spread == 0.0 or tau == 0.0:
        return spread
    if kind != "sharp":
        with np.errstate(divide="ignore", over="ignore"):
            level = float(_level(found, np.array(eps), kind))
        return min(spread, spread * math.sqrt(level / tau))
    from scipy.optimize import brentq

    target = float(found.interaction) / (2.0 * eps) / eps / tau  # eps^2 may vanish
    if _divergence(1.0 - 1e-15) <= target:
        return spread
    upper = min(1.0 - 1e-15, math.sqrt(target / 2.0))  # t log(...) = 2 t^2 (1 + t^2 / 3 + ...)
    if target <= 1e-13:  # where the second term is no more than rounding
        return spread * upper
    share = brentq(lambda t: _divergence(t) - target, 0.0, upper, xtol=1e-300, rtol=1e-14)
    return spread * float(share)


def risk_aversion_for(
    game: NormalFormGame, degree: float, eps: float, kind: str = "sharp"
) -> float:
    """Return the tau above which no RQE has a degree of free-riding of `degree` or more.

    The inverse of `free_riding_bound`, with the same conditions.

    Parameters
    ----------
    game : NormalFormGame
        Two players, symmetric shared reward, the same costs for both.
    degree : float, positive
        The degree to rule out, payoff.
    eps : float, in (0, inf)
        Bounded rationality of both players, payoff.
    kind : {"sharp", "corrected", "published"}
        Which bound.

    Returns
    -------
    float
        1/payoff; 0 for degrees that no profile has.

    Raises
    ------
    ValueError
        If the game or a parameter is none that the bound speaks about.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0.0])
    >>> [round(risk_aversion_for(game, 0.1, 0.2, kind), 1) for kind in ("sharp", "corrected")]
    [97.9, 1230.9]
    """
    one_of("kind", kind, KINDS)
    eps, degree = _parameter("eps", eps, positive=True), _parameter("degree", degree, positive=True)
    found = constants(*symmetric(game))
    return float(threshold(found, np.array(degree), np.array(eps), kind))


def _parameter(name: str, value: float, *, positive: bool) -> float:
    """Return a finite number of the right sign."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number; got {value!r}")
    number = float(value)
    if not math.isfinite(number) or number < 0.0 or (positive and number == 0.0):
        rule = "positive and finite" if positive else "in [0, inf)"
        raise ValueError(f"{name} must be {rule}; got {value!r}")
    return number


def symmetric(game: NormalFormGame) -> tuple[Array, Array]:
    """Return (R, c) of a two-player game with symmetric shared reward and one cost vector."""
    checked_game(game)
    if game.n_players != 2:
        raise ValueError(f"game must have two players for this bound; got {game.n_players}")
    parts = collaboration(game)
    tolerance = _tolerance(game)
    reward, (first, second) = parts.reward, parts.costs
    if game.shape[0] != game.shape[1]:
        raise ValueError(
            f"game must give both players the same actions for this bound; got shape {game.shape}"
        )
    gap = float(np.abs(reward - reward.T).max())
    if gap > tolerance:
        raise ValueError(
            "game must have a symmetric shared reward, R(a, b) = R(b, a), for this bound; "
            f"got a difference of {gap:.3g}"
        )
    if np.abs(first - second).max() > tolerance:
        raise ValueError(
            "game must have the same costs for both players for this bound; "
            f"got {first.tolist()} and {second.tolist()}"
        )
    return 0.5 * (reward + reward.T), 0.5 * (first + second)


@dataclass(frozen=True, eq=False)
class Constants:
    """What the bounds need of a game, or of many games, one entry each."""

    actions: int
    spread: Array
    range: Array
    interaction: Array


def constants(reward: Array, cost: Array) -> Constants:
    """Return them for rewards of shape (..., n, n) and costs (..., n)."""
    n = cost.shape[-1]
    rows: Sequence[tuple[int, int]] = [(a, b) for a in range(n) for b in range(n) if a != b]
    interaction = np.zeros(cost.shape[:-1])
    for a, other in rows:
        gain = reward[..., a, :] - reward[..., other, :]
        interaction = np.maximum(interaction, np.ptp(gain, axis=-1))
    return Constants(n, np.ptp(cost, axis=-1), np.ptp(reward, axis=(-2, -1)), interaction)


def threshold(found: Constants, degree: Array, eps: Array, kind: str) -> Array:
    """Return the tau above which the bound of that kind excludes the degree, elementwise."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = degree / found.spread
        if kind == "sharp":
            out = found.interaction / (2.0 * eps * eps * _divergence(share))
        else:
            out = _level(found, eps, kind) / (share * share)
    impossible = (share > 1.0) | (found.spread == 0.0)
    result: Array = np.where(degree > 0.0, np.where(impossible, 0.0, out), np.inf)
    return result


def _level(found: Constants, eps: Array, kind: str) -> Array:
    """2 (eps log n + vbar) / eps^2, or with one eps less as published."""
    top = 2.0 * (eps * math.log(found.actions) + found.range + found.spread)
    level: Array = top / (eps * eps if kind == "corrected" else eps)
    return level


def _divergence(share: ArrayLike) -> Any:
    """Return t log((1 + t) / (1 - t)): half the least Jeffreys divergence at total variation t."""
    t = np.minimum(np.asarray(share, dtype=float), 1.0)
    with np.errstate(divide="ignore"):
        return t * (np.log1p(t) - np.log1p(-t))
