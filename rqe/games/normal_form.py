"""Finite games in strategic form: one payoff array per player over all players' actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rqe.games import _checks
from rqe.games._collaborative import collaborative_payoffs
from rqe.games._written import Written

Labels = Iterable[str] | Iterable[Iterable[str]]


class NormalFormGame(Written):
    """Finite game of N players: ``payoffs[i][a_1, ..., a_N]`` is u_i at the actions a_1, ..., a_N.

    The axes are common to all players: axis j of every player's array runs over the actions of
    player j (the own action does not come first). A game never changes: the numbers given are
    copied and its arrays are read-only, so games can be hashed, compared, and shared by threads.

    Parameters
    ----------
    payoffs : array_like, shape (N, n_1, ..., n_N), or N arrays of shape (n_1, ..., n_N)
        Payoffs, N >= 2, every n_i >= 1: booleans, integers, floats, `fractions.Fraction` or
        `decimal.Decimal`, all finite. Fractions, decimals and integers beyond 2**53 are kept
        exact beside their doubles, see `exact`.
    players : sequence of N str, optional
        Different names of the players, "1", ..., "N" by default.
    actions : sequence of str, or one sequence of str per player, optional
        Different names of each player's actions, "1", ..., "n_i" by default; a single list of
        names serves all players.
    title, comment : str, optional
        Texts that go with the game into its file.

    Raises
    ------
    TypeError
        If a payoff is not a real number, or a label or a text not a string.
    ValueError
        If the shape is not one of a game, a payoff is NaN or infinite, or labels are too many,
        too few, repeated, empty, or such that a file could not hold them. The message names the
        argument, the rule and the value.

    Notes
    -----
    Building a game costs one copy of the payoffs and one pass over them.

    Examples
    --------
    >>> game = NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]], actions=("stag", "hare"))
    >>> game
    NormalFormGame(shape=(2, 2))
    >>> game.payoffs[1][0, 1]  # what player 2 gets from (stag, hare)
    np.float64(8.0)
    """

    __slots__ = (
        "__weakref__",
        "_actions",
        "_comment",
        "_exact",
        "_literals",
        "_payoffs",
        "_players",
        "_range",
        "_title",
    )

    def __init__(
        self,
        payoffs: Any,
        *,
        players: Iterable[str] | None = None,
        actions: Labels | None = None,
        title: str = "",
        comment: str = "",
    ) -> None:
        raw = _checks.real_array(payoffs, "payoffs")
        _checks.check_shape(raw.shape)
        # From a list, asarray has already made a new array; anything else may share memory.
        data = _checks.doubles(raw, "payoffs", copy=type(payoffs) not in (list, tuple))
        self._fill(
            data,
            _checks.literals(raw, data),
            players=players,
            actions=actions,
            title=title,
            comment=comment,
        )

    def _fill(
        self,
        data: NDArray[np.float64],
        literals: NDArray[np.object_] | None,
        *,
        players: Iterable[str] | None = None,
        actions: Labels | None = None,
        title: str = "",
        comment: str = "",
    ) -> None:
        """Take over checked `data`, which nobody else may hold, and check the texts."""
        if data.flags.writeable:
            data += 0.0  # no negative zeros: equal games have equal bytes
            data.flags.writeable = False
        self._payoffs = data.view()  # a view of a read-only array cannot be made writeable again
        self._literals = literals
        self._players = _checks.check_players(players, data.shape[0])
        self._actions = _checks.check_actions(actions, data.shape[1:])
        self._title = _checks.check_text(title, "title")
        self._comment = _checks.check_text(comment, "comment")
        self._exact: NDArray[np.object_] | None = None
        self._range: NDArray[np.float64] | None = None

    @classmethod
    def _adopt(
        cls, data: NDArray[np.float64], literals: NDArray[np.object_] | None = None, **texts: Any
    ) -> NormalFormGame:
        """Game around `data` without a copy: C-contiguous, finite, of a game's shape, ours alone.

        `literals` holds what `exact` makes fractions of: numbers, or strings such as "1/3".
        """
        game = cls.__new__(cls)
        game._fill(data, literals, **texts)
        return game

    @classmethod
    def from_bimatrix(
        cls,
        A: Any,
        B: Any,
        *,
        players: Iterable[str] | None = None,
        actions: Labels | None = None,
        title: str = "",
        comment: str = "",
    ) -> NormalFormGame:
        """Two-player game in which the row player gets A[a_1, a_2], the column player B[a_1, a_2].

        Parameters
        ----------
        A, B : array_like, shape (n_1, n_2)
            Payoffs; rows are actions of player 1 in both. For a zero-sum game B is -A, for a
            symmetric one B is A.T. There is no default: peers disagree which of the two it is.
        players, actions, title, comment
            As for the class.

        Returns
        -------
        NormalFormGame

        Raises
        ------
        TypeError, ValueError
            As for the class, and if A and B are not matrices of one shape.

        Examples
        --------
        >>> A = np.array([[1, -1], [-1, 1]])
        >>> NormalFormGame.from_bimatrix(A, -A, title="Matching pennies")
        NormalFormGame(title='Matching pennies', shape=(2, 2))
        """
        both = _checks.bimatrix(A, B)
        return cls(both, players=players, actions=actions, title=title, comment=comment)

    @classmethod
    def collaborative(
        cls,
        reward: ArrayLike,
        costs: Any,
        *,
        players: Iterable[str] | None = None,
        actions: Labels | None = None,
        title: str = "",
        comment: str = "",
    ) -> NormalFormGame:
        """Game of one shared reward and private costs, u_i(a) = R(a_1, ..., a_N) - c_i(a_i).

        Parameters
        ----------
        reward : array_like, shape (n_1, ..., n_N)
            R, what every player gets, N >= 2.
        costs : array_like, shape (n,), or N of them, shapes (n_1,), ..., (n_N,)
            Private costs of the own action: one vector shared by players who all have n actions,
            or one vector per player.
        players, actions, title, comment
            As for the class.

        Returns
        -------
        NormalFormGame
            Its payoffs are exact if the reward or the costs are fractions or decimals; from floats
            they are differences of doubles.

        Raises
        ------
        TypeError, ValueError
            As for the class, and if the costs do not fit the reward.

        References
        ----------
        Qu, Zhang, Lanzetti and Mazumdar, arXiv 2602.21515, section 4.

        Examples
        --------
        >>> game = NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0], actions=("C", "D"))
        >>> game.payoffs[0]
        array([[0.6, 0.6],
               [1. , 0. ]])
        """
        data, literals = collaborative_payoffs(reward, costs)
        return cls._adopt(
            data, literals, players=players, actions=actions, title=title, comment=comment
        )

    @property
    def payoffs(self) -> NDArray[np.float64]:
        """Payoffs as read-only doubles, shape (N, n_1, ..., n_N)."""
        return self._payoffs

    @property
    def players(self) -> tuple[str, ...]:
        """Names of the N players."""
        return self._players

    @property
    def actions(self) -> tuple[tuple[str, ...], ...]:
        """Names of each player's actions."""
        return self._actions

    @property
    def title(self) -> str:
        """Title of the game, "" when it has none."""
        return self._title

    @property
    def comment(self) -> str:
        """Comment that a file carries beside the title, "" when there is none."""
        return self._comment

    @property
    def n_players(self) -> int:
        """Number of players N."""
        return len(self._players)

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of actions (n_1, ..., n_N)."""
        return self._payoffs.shape[1:]

    @property
    def exact(self) -> NDArray[np.object_]:
        """Payoffs as `fractions.Fraction`, shape (N, n_1, ..., n_N), read-only, made on demand.

        Exactly what was given or read, 1/3 as 1/3. A double stands for the shortest decimal that
        rounds to it, 0.1 for 1/10, as in files and in Gambit. ``payoffs`` holds these rounded.
        """
        if self._exact is None:
            source = self._payoffs if self._literals is None else self._literals
            exact = _checks.fractions(source)
            exact.flags.writeable = False
            self._exact = exact.view()
            if self._literals is not None:
                self._literals = self._exact  # the literals have served
        return self._exact

    @property
    def payoff_range(self) -> NDArray[np.float64]:
        """Largest less smallest payoff of each player, shape (N,), read-only."""
        if self._range is None:
            axes = tuple(range(1, self._payoffs.ndim))
            span = self._payoffs.max(axis=axes) - self._payoffs.min(axis=axes)
            span.flags.writeable = False
            self._range = span
        return self._range

    def relabel(
        self,
        *,
        players: Iterable[str] | None = None,
        actions: Labels | None = None,
        title: str | None = None,
        comment: str | None = None,
    ) -> NormalFormGame:
        """Game with the same payoffs, which are shared, and other names; None keeps the old ones.

        The parameters and what they raise are the class's.
        """
        return self._adopt(
            self._payoffs,
            self._literals,
            players=self._players if players is None else players,
            actions=self._actions if actions is None else actions,
            title=self._title if title is None else title,
            comment=self._comment if comment is None else comment,
        )

    def permute(
        self,
        players: ArrayLike | None = None,
        actions: Sequence[ArrayLike] | None = None,
    ) -> NormalFormGame:
        """Same game in another order of its players and of their actions, names included.

        Parameters
        ----------
        players : sequence of N int, optional
            The new game's player k is this game's player ``players[k]``.
        actions : sequence of N sequences of int, optional
            Action k of this game's player i becomes the action ``actions[i][k]`` of now.

        Returns
        -------
        NormalFormGame

        Raises
        ------
        ValueError
            If an order is not a permutation of 0, ..., count - 1.

        Examples
        --------
        >>> game = NormalFormGame.from_bimatrix([[1, 2]], [[3, 4]])
        >>> game.permute(players=(1, 0), actions=((0,), (1, 0))).payoffs[0]
        array([[4.],
               [3.]])
        """
        order, orders = _checks.check_orders(players, actions, self.shape)
        axes = (0, *(i + 1 for i in order))
        cells = np.ix_(order, *orders)
        kept = self._literals
        return self._adopt(
            np.array(self._payoffs[cells].transpose(axes), order="C"),
            None if kept is None else np.array(kept[cells].transpose(axes), order="C"),
            players=[self._players[i] for i in order],
            actions=[[self._actions[i][k] for k in orders[i]] for i in order],
            title=self._title,
            comment=self._comment,
        )

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a game of the same exact payoffs, names and texts."""
        if not isinstance(other, NormalFormGame):
            return NotImplemented
        texts = self._players, self._actions, self._title, self._comment
        if texts != (other._players, other._actions, other._title, other._comment):
            return False
        if not np.array_equal(self._payoffs, other._payoffs):
            return False
        if self._literals is None and other._literals is None:
            return True
        return bool(np.array_equal(self.exact, other.exact))

    def __hash__(self) -> int:
        names = self._players, self._actions, self._title
        return hash((self.shape, self._payoffs.tobytes(), *names))

    def __repr__(self) -> str:
        title = f"title={self._title!r}, " if self._title else ""
        return f"NormalFormGame({title}shape={self.shape})"

    def __copy__(self) -> NormalFormGame:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> NormalFormGame:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        names = {"players": self._players, "actions": self._actions}
        texts = {"title": self._title, "comment": self._comment}
        return _restore, (np.array(self._payoffs), self._literals, names | texts)


def _restore(
    data: NDArray[np.float64], literals: NDArray[np.object_] | None, texts: dict[str, Any]
) -> NormalFormGame:
    """Unpickled game, its arrays read-only again."""
    return NormalFormGame._adopt(data, literals, **texts)
