"""Gambit's .nfg files, version 1: payoff lists and outcome lists, read and written.

The format lists the cells of the game with the first player's action varying fastest, and in
each cell the payoffs of players 1, ..., N; that is ``payoffs`` in Fortran order.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np

from rqe.concepts import flag
from rqe.games import _checks
from rqe.games._nfg import GameFileError, parse_nfg
from rqe.games.normal_form import NormalFormGame

__all__ = ["GameFileError", "read_nfg", "write_nfg"]


def read_nfg(path: str | os.PathLike[str]) -> NormalFormGame:
    """Game in a Gambit .nfg file of version 1, with payoffs or with outcomes listed.

    Parameters
    ----------
    path : str or PathLike
        UTF-8 text. Numbers are integers, decimals ``-1.5e-3`` or ratios ``3/2``.

    Returns
    -------
    NormalFormGame
        With the file's title, comment and names. As in Gambit every number is exact, a decimal
        too: ``exact`` holds 1/10 for 0.1, whether the header says R (rational) or D (double).

    Raises
    ------
    GameFileError
        If the file breaks a rule of the format or describes no game that the library holds;
        it names the line.
    OSError
        If the file cannot be opened.

    Notes
    -----
    As in Gambit, empty and repeated names get a number, ("x", "x") being read as ("x_1", "x_2");
    outer and repeated white space in names is dropped. Cost: about 0.3 microseconds a payoff.

    References
    ----------
    Gambit documentation, "Game representation formats": the strategic game (.nfg) file format,
    payoff version and outcome version.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "dilemma.nfg")
    ...     with open(path, "w") as file:
    ...         _ = file.write('NFG 1 R "Dilemma" { "1" "2" } { 2 2 } 3 3 5 0 0 5 3/2 1')
    ...     game = read_nfg(path)
    >>> game.payoffs[0]
    array([[3. , 0. ],
           [5. , 1.5]])
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a string or a path, got {path!r}")
    name = os.fspath(path)
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        rule = f"the text must be UTF-8, got the byte 0x{content[error.start]:02x}"
        raise GameFileError(name, line, rule) from None
    return parse_nfg(text, name)


def write_nfg(
    game: NormalFormGame, path: str | os.PathLike[str], *, outcomes: bool = False
) -> None:
    """Write `game` to a Gambit .nfg file, which `read_nfg` reads back as an equal game.

    Parameters
    ----------
    game : NormalFormGame
        Its exact payoffs are written, ratios where it was made from fractions, else integers and
        the shortest decimals that round to its doubles.
    path : str or PathLike
        Written whole or not at all: an existing file is replaced once the new one is complete.
    outcomes : bool
        Whether to list the different payoff vectors once and to refer to them by number,
        instead of listing every cell's payoffs.

    Raises
    ------
    ValueError
        If the title or the comment ends with a backslash or holds half a surrogate pair, which
        the format cannot hold.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> game = NormalFormGame.from_bimatrix([[1, 0]], [[0, 1]], title="Tiny")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nfg(game, os.path.join(folder, "tiny.nfg"))
    ...     read_nfg(os.path.join(folder, "tiny.nfg")) == game
    True
    """
    flag("outcomes", outcomes)
    _replace_file(path, _lines(game, outcomes))


def nfg_text(game: NormalFormGame) -> str:
    """Return the content of the file that `write_nfg` writes."""
    return "".join(_lines(game, outcomes=False))


def _lines(game: NormalFormGame, outcomes: bool) -> Iterator[str]:
    """Header and body of the file."""
    body = (_outcome_lines if outcomes else _payoff_lines)(_payoff_words(game), game.n_players)
    strategies = ("{ " + " ".join(map(_quoted, labels)) + " }\n" for labels in game.actions)
    header = [
        f"NFG 1 R {_quoted(game.title)}\n",
        "{ " + " ".join(map(_quoted, game.players)) + " }\n",
        "{\n",
        *strategies,
        "}\n",
        f"{_quoted(game.comment)}\n\n",
    ]
    return chain(header, body)


def _payoff_words(game: NormalFormGame) -> Iterator[str]:
    """Payoffs as words in the file's order."""
    if game._literals is not None:
        return map(str, game.exact.ravel("F").tolist())
    payoffs = game.payoffs.ravel("F")
    whole = (np.abs(payoffs) <= _checks.EXACT_INTEGER) & (payoffs == np.rint(payoffs))
    return (
        str(int(value)) if integer else repr(value)
        for value, integer in zip(payoffs.tolist(), whole.tolist(), strict=True)
    )


def _payoff_lines(words: Iterator[str], n_players: int) -> Iterator[str]:
    """One line per cell."""
    return (" ".join(cell) + "\n" for cell in zip(*[words] * n_players, strict=True))


def _outcome_lines(words: Iterator[str], n_players: int) -> Iterator[str]:
    """Different payoff vectors, then one line with each cell's number among them."""
    numbers: dict[tuple[str, ...], int] = {}
    cells = [
        str(numbers.setdefault(cell, len(numbers) + 1))
        for cell in zip(*[words] * n_players, strict=True)
    ]
    yield "{\n"
    for cell in numbers:
        yield f'{{ "" {", ".join(cell)} }}\n'
    yield "}\n" + " ".join(cells) + "\n"


def _quoted(text: str) -> str:
    """`text` between quotes, its own quotes escaped."""
    if text.endswith("\\") or re.search("[\ud800-\udfff]", text):
        raise ValueError(
            f"a .nfg file cannot hold a text that ends with a backslash or has half a surrogate"
            f" pair, got {text!r}"
        )
    return '"' + text.replace('"', '\\"') + '"'


def _replace_file(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write `lines` beside `path`, then put the finished file in its place."""
    target = os.path.realpath(path)
    temporary = f"{target}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
