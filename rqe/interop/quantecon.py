"""QuantEcon's ``NormalFormGame``: every player's array begins with the own action.

Axis j of the array of QuantEcon's player i belongs to player ``(i + j) mod N``, so that for two
players it is the second matrix that is transposed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rqe._input import checked_game
from rqe.games.normal_form import NormalFormGame
from rqe.interop._common import package, wrong


def from_quantecon(game: Any) -> NormalFormGame:
    """Game of a ``quantecon.game_theory.NormalFormGame``.

    Parameters
    ----------
    game : quantecon.game_theory.NormalFormGame
        Two players or more.

    Returns
    -------
    NormalFormGame
        Payoffs copied onto axes that are common to all players.

    Raises
    ------
    TypeError, ValueError
        If it is no such game, or has one player only.

    Examples
    --------
    >>> from quantecon.game_theory import NormalFormGame, Player
    >>> theirs = NormalFormGame([Player([[1, 2, 3], [4, 5, 6]]), Player([[1, 4], [2, 5], [3, 6]])])
    >>> game = from_quantecon(theirs)
    >>> game.shape, bool((game.payoffs[0] == game.payoffs[1]).all())
    ((2, 3), True)
    """
    tables: list[Any] = [
        getattr(player, "payoff_array", None) for player in getattr(game, "players", ())
    ]
    if not tables or any(table is None for table in tables):
        raise wrong(game, "a quantecon.game_theory.NormalFormGame")
    count = len(tables)
    common = [
        np.transpose(table, [(k - i) % count for k in range(count)])
        for i, table in enumerate(tables)
    ]
    return NormalFormGame(np.stack(common))


def to_quantecon(game: NormalFormGame) -> Any:
    """Return the game as a ``quantecon.game_theory.NormalFormGame`` of doubles.

    QuantEcon has no names for players and actions.

    Parameters
    ----------
    game : NormalFormGame
        Any.

    Raises
    ------
    ImportError
        If quantecon is not installed.

    Examples
    --------
    >>> import rqe
    >>> theirs = to_quantecon(rqe.catalog.load("prisoners-dilemma"))
    >>> theirs[0, 1] == rqe.catalog.load("prisoners-dilemma").payoffs[:, 0, 1]
    array([ True,  True])
    """
    checked_game(game)
    peer = package("quantecon.game_theory", "quantecon")
    count = game.n_players
    tables = [
        np.array(np.transpose(table, [(i + j) % count for j in range(count)]), order="C")
        for i, table in enumerate(game.payoffs)
    ]
    return peer.NormalFormGame([peer.Player(table) for table in tables])
