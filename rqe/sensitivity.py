"""How an equilibrium moves with its parameters: `sensitivity`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe._sensitivity import Centre, Seat, System, linearise, marginal

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rqe.solution import Solution

    Array = NDArray[np.float64]

__all__ = ["Derivatives", "NearBifurcationError", "Sensitivity", "sensitivity"]

_LEAST_MARGIN = 1e-6
_SMALL = 1.0  # tau times payoff range up to which penalties are computed from their series


class NearBifurcationError(ArithmeticError):
    """The equilibrium is no smooth function of its parameters here: a fold or bifurcation is near.

    Attributes
    ----------
    margin : float
        Smallest singular value of the Jacobian in logit coordinates; 0 at the bifurcation.
    """

    def __init__(self, margin: float) -> None:
        self.margin = margin
        super().__init__(
            f"the Jacobian's smallest singular value is {margin:.1e}, below {_LEAST_MARGIN:.0e}: a "
            "bifurcation or a fold of the equilibria is near, where they are no differentiable "
            "function of tau, eps and payoffs. Move a parameter by a small amount, or see where "
            "the branch turns with rqe.trace"
        )

    def __reduce__(self) -> tuple[type[NearBifurcationError], tuple[float]]:
        """Rebuild from the margin."""
        return type(self), (self.margin,)


@dataclass(frozen=True, eq=False, repr=False)
class Derivatives:
    """Derivatives of everything at an equilibrium with respect to one kind of parameter.

    The last axes run over the parameters: (N,) for tau and eps, (N, n_1, ..., n_N) for payoffs,
    written ``...`` here.

    Attributes
    ----------
    log_strategies : tuple of N ndarrays, shape (n_i, ...)
        Of the logarithms of the probabilities.
    strategies : tuple of N ndarrays, shape (n_i, ...)
        Of the probabilities; they sum to 0 over the actions.
    payoffs : ndarray, shape (N, ...)
        Of the expected payoffs.
    risk_adjusted : ndarray, shape (N, ...)
        Of the risk-adjusted payoffs, without the regularizer.
    """

    log_strategies: tuple[Array, ...]
    strategies: tuple[Array, ...]
    payoffs: Array
    risk_adjusted: Array

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (*self.log_strategies, *self.strategies, self.payoffs, self.risk_adjusted):
            array.flags.writeable = False


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """Derivatives of an equilibrium by the implicit function theorem; `sensitivity` returns it.

    Attributes
    ----------
    solution : Solution
        The equilibrium.
    tau, eps : Derivatives
        With respect to each player's tau and eps, last axis of length N. At eps_i = inf the
        derivative with respect to eps_i is 0.
    payoffs : Derivatives
        With respect to every entry ``game.payoffs[j, a_1, ..., a_N]``.
    margin : float
        Smallest singular value of the Jacobian in logit coordinates, at most about 1 for generic
        games far from bifurcations and 0 at a fold or bifurcation.
    """

    solution: Solution
    tau: Derivatives
    eps: Derivatives
    payoffs: Derivatives
    margin: float

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per parameter of a player and per probability and payoff."""
        game = self.solution.game
        for kind, block in (("tau", self.tau), ("eps", self.eps)):
            for j, of in enumerate(game.players):
                for i, player in enumerate(game.players):
                    record = {"parameter": kind, "of": of, "player": player}
                    for a, action in enumerate(game.actions[i]):
                        value = float(block.strategies[i][a, j])
                        yield {**record, "quantity": f"P({action})", "derivative": value}
                    for name in ("payoffs", "risk_adjusted"):
                        value = float(getattr(block, name)[i, j])
                        label = "payoff" if name == "payoffs" else name
                        yield {**record, "quantity": label, "derivative": value}

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame of the derivatives with respect to tau and eps.

        Returns
        -------
        pandas.DataFrame
            Columns parameter, of (whose parameter), player, quantity and derivative.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows())

    def __repr__(self) -> str:
        """One line."""
        name = self.solution.concept.name
        return f"<Sensitivity of {name}, margin {self.margin:.2g}>"


def sensitivity(solution: Solution) -> Sensitivity:
    r"""Return the derivatives of an equilibrium with respect to tau, eps and every payoff.

    The equilibrium solves :math:`F(\log x; \tau, \epsilon, u) = 0`, hence on its branch, with
    :math:`\partial F` the effect of the parameters at fixed play,

    .. math:: \mathrm{d} \log x = -(\partial F / \partial \log x)^{-1} \, \partial F .

    Payoffs, expected and risk-adjusted, follow by the chain rule, through all players' reactions.

    Parameters
    ----------
    solution : Solution
        What `rqe.solve` returned, with eps > 0 and finite tau for every player; any number of
        players, every penalty and regularizer.

    Returns
    -------
    Sensitivity
        Derivatives with respect to ``tau``, ``eps`` and ``payoffs``.

    Raises
    ------
    NearBifurcationError
        If the Jacobian is singular, or so nearly that its inverse means nothing.
    ValueError
        If a player has eps = 0 or tau = inf, where the equilibrium is not smooth, or if the
        solution has not converged.
    TypeError
        If `solution` is not a `Solution`.

    Notes
    -----
    Costs one dense factorisation of a system with as many unknowns as there are actions, and
    memory for one derivative per probability and payoff entry. Nothing here is shared with the
    solvers. The derivatives are those of the branch that the solution lies on.

    References
    ----------
    .. [1] Mazumdar, Panaganti & Shi, ICLR 2025, arXiv 2406.14156: the equations.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("selten-chmura/1")
    >>> moves = rqe.sensitivity(rqe.solve(game, tau=0.1, eps=1.0))
    >>> moves.tau.strategies[0].shape, moves.payoffs.strategies[0].shape
    ((2, 2), (2, 2, 2, 2))
    >>> bool(moves.eps.payoffs[0, 0] < 0.0)  # noise of player 1 costs him payoff
    True
    """
    _check(solution)
    game, concept = solution.game, solution.concept
    lam = np.array([0.0 if e == math.inf else 1.0 / e for e in concept.eps.tolist()])
    system = linearise(
        game.payoffs[None], [log_x[None] for log_x in solution.log_strategies],
        concept.tau[None], lam[None],
        reverse=concept.penalty == "reverse_kl", barrier=concept.regularizer == "log_barrier",
    )  # fmt: skip
    matrix = system.matrix[0]
    margin = float(np.linalg.svd(matrix, compute_uv=False)[-1])
    if not margin >= _LEAST_MARGIN:
        raise NearBifurcationError(margin)
    barrier = concept.regularizer == "log_barrier"
    by_payoff, direct, adjusted = _by_payoff(system, concept.tau, lam, barrier, game.shape)
    n_players, n = game.n_players, len(matrix)
    given = np.hstack([system.by_tau[0], system.by_lam[0] * -(lam**2), by_payoff.reshape(n, -1)])
    parts = np.split(np.linalg.solve(matrix, given), [n_players, 2 * n_players], axis=1)
    chain = _Chain(system, concept.tau, concept.penalty == "reverse_kl", game.shape)
    zero = np.zeros((n_players, n_players))
    payoff_axes = (n_players, *game.shape)
    return Sensitivity(
        solution,
        chain.derivatives(parts[0], zero, np.diag(chain.penalty_by_tau)),
        chain.derivatives(parts[1], zero, zero),
        chain.derivatives(parts[2].reshape(n, *payoff_axes), direct, adjusted),
        margin,
    )


def _check(solution: Any) -> None:
    """Raise unless the equilibrium is a smooth one."""
    from rqe.solution import solved

    if not solved(solution).converged:
        raise ValueError(f"solution must have converged; its status is {solution.status.value!r}")
    for name, values, bad, why in (
        ("eps", solution.eps, 0.0, "eps > 0: best responses jump where eps = 0"),
        ("tau", solution.tau, math.inf, "finite tau: the worst case is not smooth"),
    ):
        if bad in values.tolist():
            raise ValueError(f"every player must have {why}; got {name} = {values.tolist()}")


def _by_payoff(
    system: System, tau: Array, lam: Array, barrier: bool, shape: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Return the right-hand sides for payoffs, and the direct effects on both kinds of payoff.

    Shapes (n, N, n_1, ..., n_N) and twice (N, N, n_1, ..., n_N).
    """
    n_players, starts = len(shape), np.concatenate([[0], np.cumsum(shape)])
    rows = np.zeros((starts[-1], n_players, *shape))
    expected, adjusted = (np.zeros((n_players, n_players, *shape)) for _ in range(2))
    for i, seat in enumerate(system.seats):
        x, p, q = system.x[i][0], seat.p[0], seat.q[0]
        own, others = shape[i], [n for j, n in enumerate(shape) if j != i]
        # dv(b) / dU(a, k) = p_k [a = b] - tau x_a w_k U_centred(b, k)
        block = np.einsum("ab,k->bak", np.eye(own), p)
        block -= tau[i] * np.einsum("a,k,bk->bak", x, seat.weight[0], seat.centred[0])
        centred = lam[i] * Centre.of(system.x[i], barrier)(block.reshape(1, own, -1))[0]
        full = centred.reshape(own, own, *others)
        rows[starts[i] : starts[i + 1], i] = np.moveaxis(full, 1, i + 1)
        for target, weights in ((expected, q), (adjusted, p)):
            product = np.outer(x, weights).reshape(own, *others)
            target[i, i] = np.moveaxis(product, 0, i)
    return rows, expected, adjusted


class _Chain:
    """The chain rule from log-probabilities to payoffs, at one profile.

    ``expected`` and ``adjusted`` are gradients in log x, shape (N, n).
    """

    def __init__(self, system: System, tau: Array, reverse: bool, shape: tuple[int, ...]) -> None:
        self.x, self.shape = [x[0] for x in system.x], shape
        starts = np.concatenate([[0], np.cumsum(shape)])
        self.cuts = starts[1:-1]
        n_players = len(shape)
        self.expected, self.adjusted = (np.zeros((n_players, starts[-1])) for _ in range(2))
        self.penalty_by_tau = np.zeros(n_players)
        for i, seat in enumerate(system.seats):
            by_log_q, by_tau = _penalty(seat, float(tau[i]), reverse)
            self.penalty_by_tau[i] = by_tau
            q_g = seat.q * (seat.g - (seat.q * seat.g).sum())
            for j in range(n_players):
                own = slice(starts[j], starts[j + 1])
                if j == i:
                    mean = np.einsum("gam,gm->ga", seat.utility, seat.q)[0]
                    self.expected[i, own] = self.x[i] * mean
                    self.adjusted[i, own] = self.x[i] * seat.v[0]
                else:
                    for target, weights in ((self.expected, q_g), (self.adjusted, by_log_q)):
                        target[i, own] = marginal(weights[:, None, :], shape, i, j)[0, 0]

    def derivatives(self, log_x: Array, payoffs: Array, adjusted: Array) -> Derivatives:
        """Return all derivatives from those of log x (n, ...) and the direct ones (N, ...)."""
        logs = tuple(part.copy() for part in np.split(log_x, self.cuts))
        own = tuple(
            x.reshape(-1, *[1] * (log.ndim - 1)) * log for x, log in zip(self.x, logs, strict=True)
        )
        return Derivatives(
            logs, own,
            payoffs + np.tensordot(self.expected, log_x, 1),
            adjusted + np.tensordot(self.adjusted, log_x, 1),
        )  # fmt: skip


def _penalty(seat: Seat, tau: float, reverse: bool) -> tuple[Array, float]:
    """Return the derivatives of min_p <p, g> + D(p, q) / tau in log q, (1, m), and in tau.

    By the envelope theorem only D and tau are differentiated: ``q dD/dq / tau`` up to a constant
    times q, and ``-D / tau^2``. Both have limits at tau = 0.
    """
    p, q = seat.p, seat.q
    if reverse:
        t = tau * (seat.g - (p * seat.g).sum())
        away = seat.g - (p * seat.g).sum()
        by_log_q = q * (away if tau == 0.0 else np.log1p(t) / tau)
        spread = float((p * away**2).sum() + (q * away**2 * _log_curve(t)).sum())
        return by_log_q, -spread
    away = seat.g - (q * seat.g).sum()
    t = tau * away
    if tau * float(np.ptp(seat.g)) > _SMALL:
        top = float((-t).max())
        log_z = top + math.log(float((q * np.exp(-t - top)).sum()))
        return (q - p) / tau, -float((p * (-t - log_z)).sum()) / tau**2
    z = 1.0 + float((q * np.expm1(-t)).sum())
    by_log_q = q * away if tau == 0.0 else q * ((z - 1.0) - np.expm1(-t)) / (z * tau)
    curve = float((q * away**2 * _exp_curve(t)).sum())
    slope = np.divide(-np.expm1(-t), t, out=np.ones_like(t), where=t != 0.0)
    excess = tau**2 * curve
    log_z = curve * (math.log1p(excess) / excess if excess > 0.0 else 1.0)
    return by_log_q, -(float((q * away**2 * slope).sum()) / z - log_z)


def _exp_curve(t: Array) -> Array:
    """Return (exp(-t) - 1 + t) / t^2."""
    near = np.abs(t) < 1e-2
    safe = np.where(near, 1.0, t)
    series = 0.5 - t / 6.0 + t**2 / 24.0 - t**3 / 120.0 + t**4 / 720.0
    curve: Array = np.where(near, series, (np.expm1(-safe) + safe) / safe**2)
    return curve


def _log_curve(t: Array) -> Array:
    """Return (log(1 + t) - t) / t^2."""
    near = np.abs(t) < 1e-2
    safe = np.where(near, 1.0, t)
    series = -0.5 + t / 3.0 - t**2 / 4.0 + t**3 / 5.0 - t**4 / 6.0 + t**5 / 7.0 - t**6 / 8.0
    curve: Array = np.where(near, series, (np.log1p(safe) - safe) / safe**2)
    return curve
