"""OpenSpiel's matrix and tensor games (``pyspiel``); axes are common to all players, as here."""

from __future__ import annotations

from typing import Any

import numpy as np

from rqe._input import checked_game
from rqe.games.normal_form import NormalFormGame
from rqe.interop._common import labels, package, wrong


def from_openspiel(game: Any) -> NormalFormGame:
    """Game of a ``pyspiel.MatrixGame`` or ``pyspiel.TensorGame``, with its names of actions.

    Parameters
    ----------
    game : pyspiel.MatrixGame or pyspiel.TensorGame
        Other games of OpenSpiel become one of these by ``pyspiel.extensive_to_tensor_game``.

    Returns
    -------
    NormalFormGame
        Repeated names of actions are numbered, as in Gambit.

    Raises
    ------
    TypeError
        If it is no such game; the message says how to make one.

    Examples
    --------
    >>> import pyspiel  # doctest: +SKIP
    >>> from_openspiel(pyspiel.load_game("matrix_pd")).actions[0]  # doctest: +SKIP
    ('Cooperate', 'Defect')
    """
    if hasattr(game, "row_utilities"):
        payoffs = np.stack([np.asarray(game.row_utilities()), np.asarray(game.col_utilities())])
        names = [
            [name(a) for a in range(n)]
            for name, n in zip(
                (game.row_action_name, game.col_action_name), payoffs.shape[1:], strict=True
            )
        ]
    elif hasattr(game, "player_utilities") and hasattr(game, "action_name"):
        count, shape = game.num_players(), tuple(game.shape())
        payoffs = np.stack([np.reshape(game.player_utilities(i), shape) for i in range(count)])
        names = [[game.action_name(i, a) for a in range(n)] for i, n in enumerate(shape)]
    elif hasattr(game, "new_initial_state"):
        raise TypeError(
            "game must be in strategic form, an OpenSpiel matrix or tensor game: convert it by "
            f"pyspiel.extensive_to_tensor_game(game); got {game}"
        )
    else:
        raise wrong(game, "an OpenSpiel matrix or tensor game")
    title = " ".join(game.get_type().long_name.split())
    return NormalFormGame(payoffs, actions=list(map(labels, names)), title=title)


def to_openspiel(game: NormalFormGame) -> Any:
    """Return the game as a ``pyspiel.MatrixGame`` (two players) or ``pyspiel.TensorGame``.

    Parameters
    ----------
    game : NormalFormGame
        Any; payoffs are its doubles. OpenSpiel has no names for players.

    Raises
    ------
    ImportError
        If OpenSpiel is not installed.

    Examples
    --------
    >>> import rqe
    >>> theirs = to_openspiel(rqe.catalog.load("stag-hunt"))  # doctest: +SKIP
    >>> theirs.row_utilities().tolist()  # doctest: +SKIP
    [[9.0, 0.0], [8.0, 7.0]]
    """
    peer, title = package("pyspiel", "open_spiel"), checked_game(game).title or "strategic game"
    short = "".join(c if c.isalnum() else "_" for c in title.lower())
    names = [list(own_names) for own_names in game.actions]
    if game.n_players == 2:
        tables = [table.tolist() for table in game.payoffs]
        return peer.create_matrix_game(short, title, *names, *tables)
    flat = [table.ravel().tolist() for table in game.payoffs]
    return peer.create_tensor_game(short, title, names, flat)
