"""Nashpy's ``Game``: two payoff matrices, rows for the first player in both, as here."""

from __future__ import annotations

from typing import Any

from rqe._input import checked_game
from rqe.games.normal_form import NormalFormGame
from rqe.interop._common import package, wrong


def from_nashpy(game: Any) -> NormalFormGame:
    """Game of a ``nashpy.Game``; of one matrix, Nashpy has made a zero-sum game already.

    Parameters
    ----------
    game : nashpy.Game
        Its two payoff matrices are copied.

    Raises
    ------
    TypeError
        If it is no such game.

    Examples
    --------
    >>> import nashpy
    >>> from_nashpy(nashpy.Game([[1, -1], [-1, 1]])).payoffs[1]
    array([[-1.,  1.],
           [ 1., -1.]])
    """
    matrices = getattr(game, "payoff_matrices", None)
    if matrices is None:
        raise wrong(game, "a nashpy.Game")
    return NormalFormGame.from_bimatrix(*matrices)


def to_nashpy(game: NormalFormGame) -> Any:
    """Return a two-player game as a ``nashpy.Game`` of doubles, without names.

    Parameters
    ----------
    game : NormalFormGame
        Two players.

    Raises
    ------
    ImportError
        If nashpy is not installed.
    ValueError
        If the game has more than two players.

    Examples
    --------
    >>> import rqe
    >>> to_nashpy(rqe.catalog.load("prisoners-dilemma")).payoff_matrices[0].shape
    (2, 2)
    """
    if checked_game(game).n_players != 2:
        raise ValueError(f"game must have two players for nashpy; got {game.n_players}")
    return package("nashpy").Game(*(table.copy() for table in game.payoffs))
