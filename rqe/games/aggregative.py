"""Quadratic aggregative games: one reward of the sum of all actions, and private costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rqe.games import _checks
from rqe.games import _quadratic_checks as checks
from rqe.games.quadratic import QuadraticGame

Array = NDArray[np.float64]


class AggregativeGame:
    r"""Game of N players whose actions a_i in R^n add up to a shared reward, at private costs.

    .. math:: u_i(a) = c - \frac12 \| \sum_j a_j - \bar a \|_H^2 - \frac{\rho_i}{2} \| a_i \|^2

    where ``||x||_H^2 = x' H x`` (section 4.1 of [1]_). A game never changes: its arrays are
    read-only copies.

    Parameters
    ----------
    H : array_like, shape (n, n), or float
        Weight of the shared reward, symmetric positive definite; unit payoff/action^2.
    target : array_like, shape (n,), or float
        The sum of actions at which the reward is largest.
    rho : sequence of N floats
        Private cost of effort, each > 0; unit payoff/action^2. Its length is the number of
        players, N >= 2.
    constant : float
        c, which moves no equilibrium.
    players : sequence of N str, optional
        Different names of the players, "1", ..., "N" by default.
    title : str
        Title of the game, "" for none.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or a label or title is not a string.
    ValueError
        If H is not symmetric positive definite, rho is not positive or of fewer than 2 players,
        shapes do not fit, the target is empty, or a number is NaN or infinite.

    References
    ----------
    .. [1] Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.AggregativeGame(H=1.0, target=1.0, rho=[1.0, 1.0])
    >>> rqe.solve(game, tau=1.0, eps=1.0).means  # target / (3 - tau eps / 2)
    (array([0.4]), array([0.4]))
    """

    __slots__ = ("_H", "_constant", "_eigen", "_players", "_rho", "_target", "_title")

    def __init__(
        self,
        H: ArrayLike,
        target: ArrayLike,
        rho: ArrayLike,
        *,
        constant: float = 0.0,
        players: Iterable[str] | None = None,
        title: str = "",
    ) -> None:
        weight = checks.symmetric(H, "H")
        checks.check_definite(weight, "H", 1)
        aim = checks.vector(target, "target", len(weight))
        costs = checks.positive(checks.numbers(rho, "rho", 1), "rho")
        if len(costs) < 2:
            raise ValueError(f"rho must give each of at least 2 players a cost; got {len(costs)}")
        values, vectors = np.linalg.eigh(weight)
        if not values[0] > 0.0:
            raise ValueError(
                f"H must be positive definite in double precision; got eigenvalue {values[0]:g}"
            )
        for array in (weight, aim, costs, values, vectors):
            array.flags.writeable = False
        self._H, self._target, self._rho = weight.view(), aim.view(), costs.view()
        self._eigen = values.view(), vectors.view()
        self._constant = float(checks.numbers(constant, "constant", 0))
        self._players = _checks.check_players(players, len(costs))
        self._title = _checks.check_text(title, "title")

    @classmethod
    def from_shared(
        cls,
        H_prime: ArrayLike,
        h: ArrayLike,
        rho: ArrayLike,
        *,
        players: Iterable[str] | None = None,
        title: str = "",
    ) -> AggregativeGame:
        r"""Game with the shared reward R(s) = 1/2 <s, H' s> + <h, s> of the sum s of all actions.

        Parameters
        ----------
        H_prime : array_like, shape (n, n), or float
            H', symmetric negative definite.
        h : array_like, shape (n,), or float
            Slope of the reward at s = 0.
        rho, players, title
            As for the class.

        Returns
        -------
        AggregativeGame
            With H = -H' and target = -H'^{-1} h; `constant` makes its rewards those of R.

        Raises
        ------
        TypeError, ValueError
            As for the class, and if H' is not symmetric negative definite.

        Examples
        --------
        >>> AggregativeGame.from_shared([[-2.0]], [2.0], [1.0, 1.0]).target
        array([1.])
        """
        curvature = checks.symmetric(H_prime, "H_prime")
        checks.check_definite(curvature, "H_prime", -1)
        slope = checks.vector(h, "h", len(curvature))
        target = np.linalg.solve(-curvature, slope)
        best = 0.5 * float(slope @ target)
        return cls(-curvature, target, rho, constant=best, players=players, title=title)

    @property
    def H(self) -> Array:  # noqa: N802 (the paper's letter)
        """Weight of the shared reward, shape (n, n), read-only."""
        return self._H

    @property
    def target(self) -> Array:
        """Sum of actions at which the reward is largest, shape (n,), read-only."""
        return self._target

    @property
    def rho(self) -> Array:
        """Private cost of effort of each player, shape (N,), read-only."""
        return self._rho

    @property
    def constant(self) -> float:
        """Reward at the target."""
        return self._constant

    @property
    def players(self) -> tuple[str, ...]:
        """Names of the N players."""
        return self._players

    @property
    def title(self) -> str:
        """Title of the game, "" when it has none."""
        return self._title

    @property
    def n_players(self) -> int:
        """Number of players N."""
        return len(self._players)

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimension of each player's action: n, N times."""
        return (len(self._target),) * self.n_players

    @property
    def eigenbasis(self) -> tuple[Array, Array]:
        """Eigenvalues of H, shape (n,), ascending, and eigenvectors as columns, shape (n, n)."""
        return self._eigen

    def reward(self, actions: ArrayLike) -> Array:
        """Shared reward of action profiles: shape (..., N, n) to (...,)."""
        gap = self._profiles(actions).sum(axis=-2) - self._target
        shared: Array = self._constant - 0.5 * np.einsum("...j,jk,...k", gap, self._H, gap)
        return shared

    def utilities(self, actions: ArrayLike) -> Array:
        """Utility of every player at action profiles: shape (..., N, n) to (..., N)."""
        profiles = self._profiles(actions)
        shared = self.reward(profiles)[..., None]
        private: Array = 0.5 * self._rho * np.square(profiles).sum(axis=-1)
        return shared - private

    def _profiles(self, actions: ArrayLike) -> Array:
        """`actions` as an array that ends in (N, n)."""
        profiles: Array = _checks.real_array(actions, "actions").astype(float)
        if profiles.shape[-2:] != (self.n_players, len(self._target)):
            raise ValueError(
                f"actions must have shape (..., {self.n_players}, {len(self._target)}), one row "
                f"per player; got shape {profiles.shape}"
            )
        return profiles

    def to_quadratic(self) -> QuadraticGame:
        """Return the same game as a `QuadraticGame`: N matrices of N n rows, for moderate N.

        Examples
        --------
        >>> game = AggregativeGame(1.0, 1.0, [1.0, 3.0])
        >>> game.to_quadratic().block(1, 1, 1)
        array([[-4.]])
        """
        count, n = self.n_players, len(self._target)
        shared = np.kron(np.ones((count, count)), -self._H)
        matrices = np.repeat(shared[None], count, axis=0)
        for i, cost in enumerate(self._rho):
            own = np.arange(i * n, (i + 1) * n)
            matrices[i, own, own] -= cost
        slope = np.tile(self._H @ self._target, count)
        base = self._constant - 0.5 * float(self._target @ self._H @ self._target)
        return QuadraticGame(
            matrices, [slope] * count, constant=base, players=self._players, title=self._title
        )

    def _key(self) -> tuple[Any, ...]:
        """What makes two games equal."""
        arrays = (self._H.tobytes(), self._target.tobytes(), self._rho.tobytes())
        return (*arrays, self._constant, self._players, self._title)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AggregativeGame) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        title = f"title={self._title!r}, " if self._title else ""
        return f"AggregativeGame({title}players={self.n_players}, dims={len(self._target)})"

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = tuple(np.array(array) for array in (self._H, self._target, self._rho))
        return _restore, (arrays, self._constant, self._players, self._title)


def _restore(
    arrays: tuple[Array, Array, Array], constant: float, players: tuple[str, ...], title: str
) -> AggregativeGame:
    """Unpickled game, its arrays read-only again."""
    return AggregativeGame(*arrays, constant=constant, players=players, title=title)
