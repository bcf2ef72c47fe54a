r"""Gaussian equilibrium of a quadratic aggregative game, in closed form.

In the eigenbasis of H (eigenvalues h) everything is diagonal, so that each direction is a scalar
game of its own (arXiv 2602.21515, appendix B.1, with the errata of this package's theory page):

    sigma_i = eps_i / (rho_i + h),   V_i = sum_{j != i} sigma_j,   w_i = 1 - tau_i h V_i > 0,
    g_i = h / (rho_i w_i),   d = target / (1 + sum_i g_i),   m_i = g_i d.

Cost O(N n^2) beside the eigenvectors, which the game holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rqe.solvers import _gaussian
from rqe.status import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import AggregativeGame

    Array = NDArray[np.float64]

_PROOF = (
    "unique: every best response is Gaussian with the covariance shown, and the linear system of "
    "the means has one solution, as 1 + sum g_i > 0 along each eigenvector of H"
)


def limits(game: AggregativeGame, eps: Array) -> Array:
    """Least tau at which each player's risk is infinite, shape (N,)."""
    ends: Array = _per_direction(game, _variances(game, eps)).min(axis=1)
    return ends


def solve(game: AggregativeGame, tau: Array, eps: Array) -> _gaussian.Outcome:
    """Return the equilibrium; tau and eps of shape (N,), checked."""
    h, basis = game.eigenbasis
    variances = _variances(game, eps)
    ends = _per_direction(game, variances)
    bounds = ends.min(axis=1)
    tau = _gaussian.admissible(game, tau, eps, bounds)
    room = _gaussian.margin(tau[:, None], ends)
    with np.errstate(over="ignore", invalid="ignore"):  # the certificate refuses what overflows
        gains = h / (game.rho[:, None] * room)
        shortfall = (game.target @ basis) / (1.0 + gains.sum(axis=0))
        means = (gains * shortfall) @ basis.T
    covariances = (variances[:, None, :] * basis) @ basis.T
    covariances = 0.5 * (covariances + covariances.transpose(0, 2, 1))
    return _gaussian.Outcome(
        means.ravel(), tuple(covariances), room.min(axis=1), bounds, Status.CONVERGED, True, _PROOF
    )


def _variances(game: AggregativeGame, eps: Array) -> Array:
    """Variance of each player's action along each eigenvector of H, shape (N, n)."""
    variances: Array = eps[:, None] / (game.rho[:, None] + game.eigenbasis[0])
    return variances


def _per_direction(game: AggregativeGame, variances: Array) -> Array:
    """Least tau at which risk is infinite along each eigenvector, 1 / (h V_i), shape (N, n)."""
    with np.errstate(divide="ignore", over="ignore"):
        ends: Array = 1.0 / (game.eigenbasis[0] * _sum_of_others(variances))
    return ends


def _sum_of_others(values: Array) -> Array:
    """Sums over all rows but one, (N, n) to (N, n), without subtracting: nothing cancels."""
    sums = np.zeros_like(values)
    np.cumsum(values[:-1], axis=0, out=sums[1:])
    sums[:-1] += np.cumsum(values[:0:-1], axis=0)[::-1]
    return sums
