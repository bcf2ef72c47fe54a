"""Games with quadratic utilities of continuous actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rqe.games import _checks, _quadratic_blocks
from rqe.games import _quadratic_checks as checks

Array = NDArray[np.float64]


class QuadraticGame:
    r"""Game of N players whose utilities are quadratic in all actions a_i in R^{n_i}.

    .. math:: u_i(a) = \frac12 \sum_{j, k} a_j^\top H^i_{jk} a_k + h_i^\top a + c_i

    with H^i_kj the transpose of H^i_jk, H^i_ii negative definite, and a = (a_1, ..., a_N) stacked,
    D = n_1 + ... + n_N coordinates in all. A game never changes: its arrays are read-only copies.

    Parameters
    ----------
    quadratic : sequence of N
        H^i for each player i: a symmetric matrix, shape (D, D), or a mapping {(j, k): block} with
        the blocks that are not zero, shapes (n_j, n_k), players counted from 0. A pair given in
        one order holds for both. Player i's own block (i, i) must be negative definite.
    linear : array_like, shape (N, D), or None
        h_i; None is zero.
    constant : float or sequence of N floats
        c_i, which moves no equilibrium.
    dims : sequence of N int, optional
        n_1, ..., n_N; by default those of the own blocks, or D / N each.
    players : sequence of N str, optional
        Different names of the players, "1", ..., "N" by default.
    title : str
        Title of the game, "" for none.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or a label or title is not a string.
    ValueError
        If there are fewer than 2 players, shapes do not fit, a matrix is not symmetric, an own
        block is not negative definite, or a number is NaN or infinite.

    Notes
    -----
    A player whose utility has no terms in the others' actions alone (no blocks (j, k) with j and
    k both different from i) costs memory n_i D, another D^2.

    References
    ----------
    Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515, appendix B.1.

    Examples
    --------
    >>> import rqe
    >>> game = QuadraticGame([{(0, 0): -2, (0, 1): -1}, {(1, 1): -2, (0, 1): -1}], [[3, 0], [0, 3]])
    >>> rqe.solve(game).means  # Nash
    (array([1.]), array([1.]))
    """

    __slots__ = (
        "_constant",
        "_dims",
        "_linear",
        "_others",
        "_places",
        "_players",
        "_rows",
        "_title",
    )

    def __init__(
        self,
        quadratic: Any,
        linear: ArrayLike | None = None,
        *,
        constant: ArrayLike = 0.0,
        dims: Iterable[int] | None = None,
        players: Iterable[str] | None = None,
        title: str = "",
    ) -> None:
        parts, sizes = _quadratic_blocks.read(quadratic, dims)
        rows = np.vstack([row for row, _ in parts])
        self._check(rows, sizes, linear, constant, players, title, [rest for _, rest in parts])

    @classmethod
    def from_own_rows(
        cls,
        rows: ArrayLike,
        linear: ArrayLike | None = None,
        *,
        constant: ArrayLike = 0.0,
        dims: Iterable[int] | None = None,
        players: Iterable[str] | None = None,
        title: str = "",
    ) -> QuadraticGame:
        """Return the game in which nobody cares about terms in the others' actions alone.

        Parameters
        ----------
        rows : array_like, shape (D, D)
            H^i_ij for all i and j, stacked by i: one matrix, as `own_rows` gives it.
        linear, constant, dims, players, title
            As for the class; dims are D ones by default.

        Raises
        ------
        TypeError, ValueError
            If an argument breaks the rules of the class.

        Examples
        --------
        >>> game = QuadraticGame.from_own_rows([[-2, -1], [-1, -2]], [[3, 0], [0, 3]])
        >>> game.quadratic(0).tolist()
        [[-2.0, -1.0], [-1.0, 0.0]]
        """
        matrix, sizes = _quadratic_blocks.own_rows(rows, dims)
        game = cls.__new__(cls)
        game._check(matrix, sizes, linear, constant, players, title, [None] * len(sizes))
        return game

    def _check(
        self,
        rows: Array,
        sizes: tuple[int, ...],
        linear: ArrayLike | None,
        constant: ArrayLike,
        players: Iterable[str] | None,
        title: str,
        others: list[Array | None],
    ) -> None:
        """Check the other arguments against the matrices, and take over what was read."""
        count, total = len(sizes), sum(sizes)
        for i, own in enumerate(_quadratic_blocks.places(sizes)):
            checks.check_definite(rows[own, own], f"own block of player {i}", -1)
        self._fill(
            rows,
            tuple(others),
            np.zeros((count, total)) if linear is None else _slopes(linear, count, total),
            checks.per_player(constant, "constant", count),
            dims=sizes,
            players=_checks.check_players(players, count),
            title=_checks.check_text(title, "title"),
        )

    def _fill(
        self,
        rows: Array,
        others: tuple[Array | None, ...],
        linear: Array,
        constant: Array,
        *,
        dims: tuple[int, ...],
        players: tuple[str, ...],
        title: str,
    ) -> None:
        """Take over checked arrays, which nobody else may hold."""
        for array in (rows, *others, linear, constant):
            if array is not None:
                array.flags.writeable = False
        self._rows, self._linear, self._constant = rows.view(), linear.view(), constant.view()
        self._others = tuple(None if matrix is None else matrix.view() for matrix in others)
        self._dims, self._players, self._title = dims, players, title
        self._places = _quadratic_blocks.places(dims)

    @property
    def linear(self) -> Array:
        """Linear coefficients h_i, shape (N, D), read-only."""
        return self._linear

    @property
    def constant(self) -> Array:
        """Constants c_i, shape (N,), read-only."""
        return self._constant

    @property
    def own_rows(self) -> Array:
        """H^i_ij for all i and j, stacked by i, shape (D, D), read-only."""
        return self._rows

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimensions of the players' actions (n_1, ..., n_N)."""
        return self._dims

    @property
    def places(self) -> tuple[slice, ...]:
        """Where each player's action lies among the D coordinates."""
        return self._places

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

    def others(self, i: int) -> Array | None:
        """Return H^i with rows and columns of player i set to zero, (D, D), or None if all zero."""
        _checks.check_index("i", i, self.n_players)
        return self._others[i]

    def quadratic(self, i: int) -> Array:
        """Return H^i, shape (D, D), a new array."""
        kept = self.others(i)
        matrix = np.zeros_like(self._rows) if kept is None else kept.copy()
        own = self._places[i]
        matrix[own] = self._rows[own]
        matrix[:, own] = self._rows[own].T
        return matrix

    def block(self, i: int, j: int, k: int) -> Array:
        """Return H^i_jk, shape (n_j, n_k), a new array; players counted from 0."""
        for name, player in (("j", j), ("k", k)):
            _checks.check_index(name, player, self.n_players)
        return self.quadratic(i)[self._places[j], self._places[k]].copy()

    def utilities(self, actions: ArrayLike) -> Array:
        """Utility of every player at stacked action profiles: shape (..., D) to (..., N)."""
        a = _checks.real_array(actions, "actions").astype(float)
        if a.shape[-1:] != (len(self._rows),):
            raise ValueError(
                f"actions must have shape (..., {len(self._rows)}), the players' actions stacked; "
                f"got shape {a.shape}"
            )
        out: Array = a @ self._linear.T + self._constant
        for i, own in enumerate(self._places):
            rest = a.copy()
            rest[..., own] *= 0.5
            out[..., i] += np.einsum("...j,jk,...k", a[..., own], self._rows[own], rest)
            matrix = self._others[i]
            if matrix is not None:
                out[..., i] += 0.5 * np.einsum("...j,jk,...k", a, matrix, a)
        return out

    def _key(self) -> tuple[Any, ...]:
        """What makes two games equal."""
        arrays = [self._rows, self._linear, self._constant]
        others = [b"" if matrix is None else matrix.tobytes() for matrix in self._others]
        coefficients = (*(array.tobytes() for array in arrays), *others)
        return (*coefficients, self._dims, self._players, self._title)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuadraticGame) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        title = f"title={self._title!r}, " if self._title else ""
        sizes = set(self._dims)
        dims = str(sizes.pop()) if len(sizes) == 1 else str(self._dims)
        return f"QuadraticGame({title}players={self.n_players}, dims={dims})"

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = [np.array(array) for array in (self._rows, self._linear, self._constant)]
        others = [None if matrix is None else np.array(matrix) for matrix in self._others]
        texts = {"dims": self._dims, "players": self._players, "title": self._title}
        return _restore, (*arrays, others, texts)


def _slopes(linear: ArrayLike, count: int, total: int) -> Array:
    """`linear` as an array of shape (count, total)."""
    data = checks.numbers(linear, "linear", 2)
    if data.shape != (count, total):
        raise ValueError(
            f"linear must have shape {(count, total)}, one row of coefficients of all actions per "
            f"player; got {data.shape}"
        )
    return data


def _restore(
    rows: Array, linear: Array, constant: Array, others: list[Array | None], texts: dict[str, Any]
) -> QuadraticGame:
    """Unpickled game, its arrays read-only again."""
    game = QuadraticGame.__new__(QuadraticGame)
    game._fill(rows, tuple(others), linear, constant, **texts)
    return game
