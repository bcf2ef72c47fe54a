"""Economists' standard games with quadratic utilities, each with its source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rqe.games import _checks
from rqe.games import _quadratic_checks as checks
from rqe.games.aggregative import AggregativeGame
from rqe.games.quadratic import QuadraticGame

Array = NDArray[np.float64]

__all__ = [
    "beauty_contest",
    "cournot",
    "moving_object",
    "network_game",
    "public_good",
    "team",
]


def cournot(
    intercept: float,
    slope: float,
    costs: ArrayLike,
    *,
    curvature: ArrayLike = 0.0,
    substitution: float = 1.0,
) -> QuadraticGame:
    r"""Cournot oligopoly with linear demand and linear-quadratic costs.

    .. math:: u_i = (\alpha - b q_i - \gamma b \sum_{j \ne i} q_j - c_i) q_i - \frac{k_i}{2} q_i^2

    Parameters
    ----------
    intercept : float
        alpha, the price at which demand vanishes.
    slope : float
        b > 0, the fall of the price per unit sold.
    costs : sequence of N floats
        Marginal costs c_i at 0; N >= 2 firms.
    curvature : float or sequence of N floats
        k_i >= 0, rise of the marginal cost per unit.
    substitution : float
        gamma in [-1, 1]: 1 for one good, 0 for independent goods, below 0 for complements.

    Returns
    -------
    QuadraticGame
        Quantities may be negative: the linear model is taken at its word. Risk is never infinite,
        as profits are linear in the others' quantities.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a finite number in its range.

    References
    ----------
    Cournot (1838), Recherches sur les principes mathematiques de la theorie des richesses, ch. 7;
    Singh & Vives, RAND Journal of Economics 15 (1984), for differentiated goods.

    Examples
    --------
    >>> import rqe
    >>> game = cournot(10.0, 1.0, [1.0, 1.0])
    >>> rqe.nash(game).means  # (intercept - cost) / 3 slope
    (array([3.]), array([3.]))
    >>> rqe.solve(game, tau=1.0, eps=0.5).means[0].round(6)  # less, against uncertain rivals
    array([2.769231])
    """
    marginal = _players(costs, "costs")
    rise = checks.per_player(curvature, "curvature", len(marginal))
    if not (rise >= 0.0).all():
        raise ValueError(f"curvature must be >= 0; got {rise.min():g}")
    b = _number(slope, "slope", 0.0)
    gamma = _number(substitution, "substitution")
    if abs(gamma) > 1.0:
        raise ValueError(f"substitution must be in [-1, 1]; got {gamma:g}")
    cross = np.full((len(marginal),) * 2, -gamma * b)
    margins = _number(intercept, "intercept") - marginal
    return _own_terms(-2.0 * b - rise, cross, margins, "Cournot oligopoly")


def public_good(benefit: float, saturation: float, costs: ArrayLike) -> AggregativeGame:
    r"""Voluntary contributions to a public good whose value to everyone saturates.

    .. math:: u_i(g) = \beta G - \frac{\sigma}{2} G^2 - \frac{\rho_i}{2} g_i^2, \quad G = \sum_j g_j

    Parameters
    ----------
    benefit : float
        beta, the marginal value of the good at G = 0.
    saturation : float
        sigma > 0, the fall of the marginal value per unit.
    costs : sequence of N floats
        rho_i > 0; N >= 2 contributors.

    Returns
    -------
    AggregativeGame
        With shared reward beta G - sigma G^2 / 2, which is 0 where nobody contributes.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a finite number in its range.

    References
    ----------
    Bergstrom, Blume & Varian, Journal of Public Economics 29 (1986), for the private provision of
    public goods; Keser, Economics Letters 50 (1996), for quadratic experiments.

    Examples
    --------
    >>> import rqe
    >>> rqe.nash(public_good(2.0, 1.0, [1.0, 1.0])).means  # beta / (N sigma + rho)
    (array([0.66666667]), array([0.66666667]))
    """
    sigma = _number(saturation, "saturation", 0.0)
    rho = checks.positive(_players(costs, "costs"), "costs")
    return AggregativeGame.from_shared(
        -sigma, _number(benefit, "benefit"), rho, title="Public good"
    )


def moving_object(
    target: ArrayLike = 1.0, *, stiffness: ArrayLike = 1.0, costs: ArrayLike = (1.0, 1.0)
) -> AggregativeGame:
    r"""Robots who push one object together to a place (example 4.1 of [1]_).

    The object moves by the sum of the pushes, R = -1/2 ||sum a_i - target||_H^2, and effort costs
    rho_i/2 ||a_i||^2.

    Parameters
    ----------
    target : array_like, shape (n,), or float
        Where the object should go.
    stiffness : array_like, shape (n, n), or float
        H, symmetric positive definite; a number stands for that multiple of the identity.
    costs : sequence of N floats
        rho_i > 0; N >= 2 robots.

    Returns
    -------
    AggregativeGame

    Raises
    ------
    TypeError, ValueError
        As for `AggregativeGame`.

    References
    ----------
    .. [1] Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515. Its printed formula
       target / (3 - tau eps) should read target / (3 - tau eps / 2).

    Examples
    --------
    >>> import rqe
    >>> rqe.solve(moving_object(), tau=1.0, eps=1.0).means
    (array([0.4]), array([0.4]))
    """
    place = checks.vector(target, "target")
    weight = np.asarray(stiffness)
    H: Any = stiffness if weight.ndim else np.eye(len(place)) * _number(stiffness, "stiffness", 0.0)
    return AggregativeGame(H, place, _players(costs, "costs"), title="Moving an object")


def beauty_contest(fundamentals: ArrayLike, coordination: float) -> QuadraticGame:
    r"""Beauty contest: close to the own fundamental, and close to what the others do.

    .. math:: u_i = -\frac{1-r}{2} (a_i - \theta_i)^2 - \frac{r}{2} (a_i - \bar a_{-i})^2

    with the others' average in the second term.

    Parameters
    ----------
    fundamentals : sequence of N floats
        theta_i; N >= 2 players.
    coordination : float
        r in [0, 1), the weight of the others.

    Returns
    -------
    QuadraticGame

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a finite number in its range.

    References
    ----------
    Morris & Shin, American Economic Review 92 (2002), whose loss compares a_i with each other
    player's action and subtracts the average of all such losses; here a_i is compared with their
    average, as in Angeletos & Pavan, Econometrica 75 (2007).

    Examples
    --------
    >>> import rqe
    >>> rqe.nash(beauty_contest([0.0, 1.0], 0.5)).means
    (array([0.33333333]), array([0.66666667]))
    """
    theta = _players(fundamentals, "fundamentals")
    r = _number(coordination, "coordination")
    if not 0.0 <= r < 1.0:
        raise ValueError(f"coordination must be in [0, 1); got {r:g}")
    count = len(theta)
    matrices, linear = [], np.diag((1.0 - r) * theta)
    for i in range(count):
        gap = np.full(count, -1.0 / (count - 1))
        gap[i] = 1.0
        matrix = -r * np.outer(gap, gap)
        matrix[i, i] = -1.0
        matrices.append(matrix)
    constant = -0.5 * (1.0 - r) * np.square(theta)
    return QuadraticGame(matrices, linear, constant=constant, title="Beauty contest")


def network_game(
    adjacency: ArrayLike, benefits: ArrayLike, spillover: float, *, curvature: ArrayLike = 1.0
) -> QuadraticGame:
    r"""Linear-quadratic game on a network.

    .. math:: u_i(a) = \alpha_i a_i - \frac{\kappa_i}{2} a_i^2 + \phi \sum_j g_{ij} a_i a_j

    Parameters
    ----------
    adjacency : array_like, shape (N, N)
        g_ij, how much j's action matters to i, N >= 2; zero diagonal, need not be symmetric.
    benefits : float or sequence of N floats
        alpha_i.
    spillover : float
        phi, above 0 for complements, below for substitutes.
    curvature : float or sequence of N floats
        kappa_i > 0.

    Returns
    -------
    QuadraticGame
        Its Nash equilibrium is (diag(kappa) - phi g)^{-1} alpha, Bonacich centralities where kappa
        and alpha are 1. Risk is never infinite.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a finite number in its range, or the adjacency matrix is not square
        with a zero diagonal.

    References
    ----------
    Ballester, Calvo-Armengol & Zenou, Econometrica 74 (2006).

    Examples
    --------
    >>> import rqe
    >>> star = [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    >>> [round(float(m[0]), 6) for m in rqe.nash(network_game(star, 1.0, 0.2)).means]
    [1.521739, 1.304348, 1.304348]
    """
    links = checks.numbers(adjacency, "adjacency", 2)
    count = len(links)
    if links.shape != (count, count) or count < 2:
        raise ValueError(f"adjacency must be N x N with N >= 2; got shape {links.shape}")
    if links.diagonal().any():
        i = int(np.argmax(links.diagonal() != 0.0))
        raise ValueError(
            f"adjacency must have a zero diagonal; got adjacency[{i}, {i}] = {links[i, i]:g}"
        )
    bend = checks.positive(checks.per_player(curvature, "curvature", count), "curvature")
    alpha = checks.per_player(benefits, "benefits", count)
    return _own_terms(-bend, _number(spillover, "spillover") * links, alpha, "Network game")


def team(H: ArrayLike, target: ArrayLike, costs: Any) -> QuadraticGame:
    r"""Shared quadratic reward of the sum of actions, with a cost matrix per player.

    .. math:: u_i(a) = -\frac12 \| \sum_j a_j - \bar a \|_H^2 - \frac12 a_i^\top C_i a_i

    Where every C_i is a multiple of the identity, prefer `AggregativeGame`: there risk aversion
    always raises the shared reward (theorem 1 of [1]_). With general C_i it need not.

    Parameters
    ----------
    H : array_like, shape (n, n), or float
        Weight of the shared reward, symmetric positive definite.
    target : array_like, shape (n,), or float
        The sum of actions at which the reward is largest.
    costs : sequence of N array_like, shape (n, n), or floats
        C_i, symmetric positive definite; N >= 2 players.

    Returns
    -------
    QuadraticGame

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, or a matrix is not symmetric positive definite.

    References
    ----------
    .. [1] Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515.

    Examples
    --------
    >>> import rqe
    >>> rqe.solve(team(1.0, 1.0, [1.0, 1.0]), tau=1.0, eps=1.0).means
    (array([0.4]), array([0.4]))
    """
    weight = checks.symmetric(H, "H")
    checks.check_definite(weight, "H", 1)
    aim, n = checks.vector(target, "target", len(weight)), len(weight)
    if not hasattr(costs, "__iter__"):
        raise TypeError(f"costs must be a matrix or a number for each player; got {costs!r}")
    private = [checks.symmetric(cost, f"costs[{i}]") for i, cost in enumerate(costs)]
    count = len(private)
    if count < 2:
        raise ValueError(f"costs must hold one matrix for each of at least 2 players; got {count}")
    shared, matrices = np.kron(np.ones((count, count)), -weight), []
    for i, cost in enumerate(private):
        if cost.shape != weight.shape:
            raise ValueError(f"costs[{i}] must have shape {weight.shape}; got {cost.shape}")
        checks.check_definite(cost, f"costs[{i}]", 1)
        own = slice(i * n, (i + 1) * n)
        matrices.append(shared.copy())
        matrices[i][own, own] -= cost
    linear = [np.tile(weight @ aim, count)] * count
    base = -0.5 * float(aim @ weight @ aim)
    return QuadraticGame(matrices, linear, constant=base, title="Team")


def _own_terms(diagonal: Array, cross: Array, linear: Array, title: str) -> QuadraticGame:
    """Scalar game u_i = diagonal_i a_i^2 / 2 + sum_{j != i} cross_ij a_i a_j + linear_i a_i."""
    rows = cross.copy()
    np.fill_diagonal(rows, diagonal)
    return QuadraticGame.from_own_rows(rows, np.diag(linear), title=title)


def _players(value: ArrayLike, name: str) -> Array:
    """`value` as a vector of one number for each of at least 2 players."""
    data = checks.numbers(value, name, 1)
    if len(data) < 2:
        raise ValueError(f"{name} must hold one number for each of at least 2 players; got 1")
    return data


def _number(value: Any, name: str, above: float | None = None) -> float:
    """`value` as a finite number, above a bound if one is given."""
    number = float(checks.numbers(_checks.real_array(value, name), name, 0))
    if above is not None and not number > above:
        raise ValueError(f"{name} must be > {above:g}; got {number:g}")
    return number
