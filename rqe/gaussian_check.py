r"""The judge of Gaussian answers: best responses recomputed in plain numpy.

Nothing here is shared with the solvers, which work in an eigenbasis or with square roots of
covariances. Aggregative games are judged player by player in the coordinates of the user, with
exactly rounded sums over players; general quadratic games by the lemma of arXiv 2602.21515
(appendix B.1) as it is printed, with the inverse of the others' covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rqe.concepts import Concept
    from rqe.games import AggregativeGame, QuadraticGame

Array = NDArray[np.float64]

__all__ = ["GaussianCheck", "check_gaussian"]

_TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, eq=False)
class GaussianCheck:
    """What independent arithmetic says of a profile of Gaussian strategies.

    Attributes
    ----------
    residual : float
        Largest distance of a player's mean or covariance from that of his best response, relative
        to the absolute terms whose sum it is.
    regret : float
        Payoff units: what a player can gain at most by deviating alone, to any distribution.
    payoffs : ndarray, shape (N,)
        Expected utilities.
    risk_adjusted : ndarray, shape (N,)
        Risk-adjusted utilities, without the entropy.
    shared_reward : float or None
        Expected shared reward of an aggregative game.
    shortfall : ndarray, shape (n,), or None
        Target of an aggregative game less the sum of all means.
    """

    residual: float
    regret: float
    payoffs: Array
    risk_adjusted: Array
    shared_reward: float | None = None
    shortfall: Array | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.payoffs, self.risk_adjusted, self.shortfall):
            if array is not None:
                array.flags.writeable = False


def check_gaussian(
    game: AggregativeGame | QuadraticGame,
    concept: Concept,
    means: Sequence[Array],
    covariances: Sequence[Array],
) -> GaussianCheck:
    """Judge Gaussian strategies: distance from best responses, regret and utilities.

    Parameters
    ----------
    game : AggregativeGame or QuadraticGame
        N players.
    concept : Concept
        tau and eps, at which every player's risk must be finite.
    means, covariances : sequence of N arrays, shapes (n_i,) and (n_i, n_i)
        The strategies; each covariance is zero or positive definite.

    Returns
    -------
    GaussianCheck

    Notes
    -----
    The best response to Gaussian play, among all distributions, is Gaussian: the objective depends
    on a strategy by its mean, its covariance and its entropy alone. The regret is therefore exact,
    half the squared distance in the objective's curvature. Where a matrix is singular in double
    precision nothing can be said: residual and regret are inf, utilities NaN. Cost O(N n^3) for
    aggregative games, O(N D^3) for others with D coordinates.
    """
    from rqe.games import AggregativeGame

    try:
        if isinstance(game, AggregativeGame):
            return _check_aggregative(game, concept, np.stack(means), np.stack(covariances))
        return _check_quadratic(game, concept, np.concatenate(means), covariances)
    except np.linalg.LinAlgError:  # too ill-conditioned to judge
        unknown = np.full(game.n_players, np.nan)
        return GaussianCheck(np.inf, np.inf, unknown, unknown.copy())


def _check_aggregative(
    game: AggregativeGame, concept: Concept, means: Array, covariances: Array
) -> GaussianCheck:
    """Judge means (N, n) and covariances (N, n, n), all players at once."""
    H, rho, eye = game.H, game.rho[:, None, None], np.eye(len(game.H))
    total, rest = _exact_sum(covariances)
    others = (total - covariances) + rest
    tau = np.where(others.any(axis=(1, 2)), concept.tau, 0.0)
    shortfall = _exact_sum(np.concatenate([game.target[None], -means]))[0]
    weights = np.broadcast_to(H, others.shape)
    pull = np.linalg.solve(rho * (eye - tau[:, None, None] * (H @ others)) + H, weights)
    gap = means - np.einsum("ijk,ik->ij", pull, shortfall + means)
    size = np.abs(pull) @ (np.abs(game.target) + np.abs(means).sum(axis=0))
    fear, logs = _feared_curvature(H, others, tau)
    spread, excess = _covariance_gap(rho * eye + H, covariances, concept.eps)
    regrets = 0.5 * np.einsum("ij,ijk,ik->i", gap, rho * eye + fear, gap) + excess
    effort = 0.5 * game.rho * (np.square(means).sum(1) + covariances.trace(axis1=1, axis2=2))
    noise = 0.5 * np.einsum("jk,ikj->i", H, covariances)
    reward = game.constant - 0.5 * float(shortfall @ H @ shortfall + np.sum(H * total))
    worst = game.constant - 0.5 * np.einsum("j,ijk,k->i", shortfall, fear, shortfall) + logs
    return GaussianCheck(
        max(_relative(gap, size), spread),
        _at_least_zero(regrets),
        reward - effort,
        worst - noise - effort,
        reward,
        shortfall,
    )


def _feared_curvature(H: Array, others: Array, tau: Array) -> tuple[Array, Array]:
    """(H^{-1} - tau_i V_i)^{-1}, (N, n, n), and logdet(I - tau_i H V_i) / (2 tau_i), (N,)."""
    root = np.linalg.cholesky(H)
    bends, axes = np.linalg.eigh(root.T @ others @ root)
    frame = root @ axes
    room = np.maximum(1.0 - tau[:, None] * bends, np.finfo(float).epsneg)
    return (frame / room[:, None, :]) @ frame.transpose(0, 2, 1), _mean_log(-bends, tau)


class _Play(NamedTuple):
    """Everybody's play stacked, D coordinates, and what players whose fears are linear see of it.

    means (D,); covariance S, inverse S^{-1} and Cholesky factor, block diagonal (D, D), the last
    two zero where the covariance is; who is uncertain (D,); S times the rows H^i_i (D, D) and
    times h_i (D, N); S^{-1} times the means, and the size of its terms (D,).
    """

    means: Array
    trust: Array
    root: Array
    noise: Array
    uncertain: NDArray[np.bool_]
    seen: Array
    felt: Array
    pull: Array
    pull_size: Array


def _stacked(game: QuadraticGame, means: Array, covariances: Sequence[Array]) -> _Play:
    """Return the players' independent strategies as one Gaussian over all coordinates."""
    noise, trust, root = (np.zeros_like(game.own_rows) for _ in range(3))
    uncertain = np.zeros(len(means), dtype=bool)
    for own, covariance in zip(game.places, covariances, strict=True):
        noise[own, own] = covariance
        if covariance.any():
            trust[own, own] = np.linalg.inv(covariance)
            root[own, own] = np.linalg.cholesky(covariance)
            uncertain[own] = True
    return _Play(
        means=means,
        trust=trust,
        root=root,
        noise=noise,
        uncertain=uncertain,
        seen=noise @ game.own_rows.T,
        felt=noise @ game.linear.T,
        pull=trust @ means,
        pull_size=np.abs(trust) @ np.abs(means),
    )


def _check_quadratic(
    game: QuadraticGame, concept: Concept, means: Array, covariances: Sequence[Array]
) -> GaussianCheck:
    """Judge stacked means (D,) and one covariance per player."""
    play = _stacked(game, means, covariances)
    residual, regrets = 0.0, []
    payoffs = game.utilities(means)
    risky = payoffs.copy()
    for i, own in enumerate(game.places):
        best, size, curvature, price = _lemma(game, i, float(concept.tau[i]), play)
        gap, bend = means[own] - best, game.own_rows[own, own]
        spread, excess = _covariance_gap(-bend[None], covariances[i][None], concept.eps[i : i + 1])
        residual = max(residual, _relative(gap[None], size[None]), spread)
        regrets.append(0.5 * gap @ curvature @ gap + excess[0])
        own_noise = 0.5 * float(np.sum(bend * covariances[i]))
        matrix = game.others(i)
        payoffs[i] += own_noise + (0.0 if matrix is None else 0.5 * np.sum(matrix * play.noise))
        risky[i] += own_noise + price
    return GaussianCheck(residual, _at_least_zero(np.array(regrets)), payoffs, risky)


def _lemma(
    game: QuadraticGame, i: int, tau: float, play: _Play
) -> tuple[Array, Array, Array, float]:
    """Player i's best mean, the size of its terms, the curvature, and the price of risk.

    Others whose covariance is zero are certain: they enter as constants.
    """
    own, matrix = game.places[i], game.others(i)
    free, fixed = play.uncertain.copy(), ~play.uncertain
    free[own] = fixed[own] = False
    row, certain = game.own_rows[own], play.means * fixed
    curvature, level = -row[:, own], game.linear[i, own] + row @ certain
    terms = np.abs(game.linear[i, own]) + np.abs(row) @ np.abs(certain)
    price = 0.0
    if free.any():
        field = game.linear[i] if matrix is None else game.linear[i] + matrix @ certain
        slope = field + row.T @ play.means[own]
        if matrix is None:
            reaction, response = play.seen[:, own], play.felt[:, i]
            response = (response + reaction @ play.means[own]) * free
            reaction = reaction * free[:, None]
        else:
            slope = slope + matrix @ (play.means * free)
            reaction, response, price = _adversary(tau, matrix, play, free, row.T, slope)
        curvature = curvature + tau * row @ reaction
        level += reaction.T @ (play.pull - tau * field)
        terms += np.abs(reaction).T @ (play.pull_size + tau * np.abs(field))
        price -= 0.5 * tau * float(slope @ response)
    best = np.asarray(np.linalg.solve(curvature, level), dtype=float)
    size: Array = np.abs(np.linalg.inv(curvature)) @ terms
    return best, size, curvature, price


def _adversary(
    tau: float, matrix: Array, play: _Play, free: NDArray[np.bool_], cross: Array, slope: Array
) -> tuple[Array, Array, float]:
    """(S^{-1} + tau W)^{-1} times cross (D, n) and slope (D,), and the price of W in risk.

    Over the coordinates that are free, 0 at the others.
    """
    inside = np.ix_(free, free)
    outer, root = matrix[inside], play.root[inside]
    asked = np.column_stack([cross, slope])
    answer = np.zeros_like(asked)
    answer[free] = np.linalg.solve(play.trust[inside] + tau * outer, asked[free])
    bends = np.linalg.eigvalsh(root.T @ outer @ root)
    return answer[:, :-1], answer[:, -1], float(_mean_log(bends[None], np.array([tau]))[0])


def _covariance_gap(curvature: Array, covariances: Array, eps: Array) -> tuple[float, Array]:
    """Distance from eps curvature^{-1}, relative, and the objective that it costs each player.

    For curvatures and covariances of shape (N, n, n) and eps (N,). With X = curvature Sigma / eps
    the loss is eps/2 (tr X - n - logdet X), at eps = 0 it is tr(curvature Sigma) / 2.
    """
    eye = np.eye(covariances.shape[-1])
    product = covariances @ curvature
    size = np.abs(covariances) @ np.abs(curvature)
    wanted = eps[:, None, None] * eye
    gap = _relative(product - wanted, size + wanted)
    root = np.linalg.cholesky(curvature)
    ratios = np.linalg.eigvalsh(root.transpose(0, 2, 1) @ covariances @ root)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = ratios / eps[:, None] - 1.0
        excess = eps[:, None] * (scaled - np.log1p(np.maximum(scaled, -1.0)))
    loss = 0.5 * np.where(eps[:, None] > 0.0, excess, ratios).sum(axis=1)
    return gap, loss


def _exact_sum(values: Array) -> tuple[Array, Array]:
    """Sum over the first axis, exactly rounded, and what rounding left out of it."""
    columns = values.reshape(len(values), -1).T.tolist()
    totals = [math.fsum(column) for column in columns]
    rests = [math.fsum([*column, -t]) for column, t in zip(columns, totals, strict=True)]
    shape = values.shape[1:]
    return np.array(totals).reshape(shape), np.array(rests).reshape(shape)


def _mean_log(values: NDArray[np.floating[Any]], tau: Array) -> Array:
    """Sum of log(1 + tau v) / (2 tau) over v, (N, n) and (N,) to (N,); tau = 0 is its limit.

    Where rounding puts a well-posed 1 + tau v at or below 0 it counts as one unit of rounding.
    """
    scaled = np.maximum(tau[:, None] * values, np.finfo(float).epsneg - 1.0)
    small = np.abs(scaled) < _TINY
    ratio = np.where(small, 1.0, np.log1p(scaled) / np.where(small, 1.0, scaled))
    sums: Array = 0.5 * (values * ratio).sum(axis=1)
    return sums


def _relative(gap: Array, size: Array) -> float:
    """Largest gap relative to the largest size of its player (first axis), 0 where both are 0.

    What overflows cannot be judged: inf.
    """
    gaps = np.abs(gap).reshape(len(gap), -1).max(axis=1)
    sizes = size.reshape(len(size), -1).max(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(gaps == 0.0, 0.0, gaps / sizes)
    judged = np.isfinite(gaps) & np.isfinite(sizes)
    return float(np.where(judged, ratios, np.inf).max())


def _at_least_zero(regrets: Array) -> float:
    """Return the largest regret; rounding may put it below 0, and overflow makes it unknown."""
    largest = float(regrets.max())
    return math.inf if math.isnan(largest) else max(0.0, largest)
