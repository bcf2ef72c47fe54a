"""pygambit's games, versions 16 and 17, through the .nfg text that all of them write and read.

The text keeps what arrays of doubles lose: names, titles, and exact rationals and decimals. Only
the names of the functions differ: ``write`` and ``parse_game`` before 16.3, ``to_nfg`` and
``read_nfg`` from then on.
"""

from __future__ import annotations

import io
from typing import Any

from rqe._input import checked_game
from rqe.games._nfg import parse_nfg
from rqe.games.files import nfg_text
from rqe.games.normal_form import NormalFormGame
from rqe.interop._common import package, wrong


def from_gambit(game: Any) -> NormalFormGame:
    """Game of a ``pygambit`` game, exact, with its names and title.

    Parameters
    ----------
    game : pygambit.Game
        A strategic game; an extensive one gives its reduced strategic form, as Gambit writes it.

    Returns
    -------
    NormalFormGame
        ``exact`` holds Gambit's rationals.

    Raises
    ------
    TypeError
        If it is no such game.
    GameFileError
        If what Gambit writes is no game of this library, for example one of a single player.

    Examples
    --------
    >>> import pygambit
    >>> third = pygambit.Rational(1, 3)
    >>> theirs = pygambit.StrategicGame.from_arrays([[third, 0]], [[1, 2]], title="Thirds")
    >>> game = from_gambit(theirs)
    >>> game, game.exact[0][0, 0]
    (NormalFormGame(title='Thirds', shape=(1, 2)), Fraction(1, 3))
    """
    if hasattr(game, "to_nfg"):
        text = game.to_nfg()
    elif hasattr(game, "write") and hasattr(game, "players"):
        text = game.write("nfg")
    else:
        raise wrong(game, "a pygambit game")
    # Gambit 17 doubles a title's backslashes too, but in the text alone two may be two.
    return parse_nfg(text, "pygambit's text of the game").relabel(title=game.title)


def to_gambit(game: NormalFormGame) -> Any:
    """Return the game as a ``pygambit`` strategic game of exact numbers, with its names.

    Parameters
    ----------
    game : NormalFormGame
        Any that a .nfg file can hold.

    Raises
    ------
    ImportError
        If pygambit is not installed.
    ValueError
        If the title cannot be in a .nfg file, see `NormalFormGame.write_nfg`; before pygambit 16.3
        also if a name is not ASCII.

    Examples
    --------
    >>> import rqe
    >>> theirs = to_gambit(rqe.catalog.load("prisoners-dilemma"))
    >>> from_gambit(theirs) == rqe.catalog.load("prisoners-dilemma").relabel(comment="")
    True
    """
    peer, text = package("pygambit"), nfg_text(checked_game(game).relabel(comment=""))
    if hasattr(peer, "read_nfg"):
        return peer.read_nfg(io.BytesIO(text.encode()))
    return peer.Game.parse_game(text)
