"""Payoffs as words, for tables: exact where that is short, and which of them are best responses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games.normal_form import NormalFormGame


def decimal_text(value: Fraction, decimals: int | None = None) -> str | None:
    """`value` as an integer or a decimal, rounded where asked; None if that is endless or long.

    Examples
    --------
    >>> decimal_text(Fraction(5, 4)), decimal_text(Fraction(1, 3)), decimal_text(Fraction(1, 3), 2)
    ('1.25', None, '0.33')
    """
    if decimals is not None:
        text = f"{float(value):.{decimals}f}"
        return text.removeprefix("-") if not float(text) else text
    if value.denominator == 1:
        return str(value.numerator)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest > 1:
        return None
    places = max(twos, fives)
    if places > 15:  # a tiny or a long number: as its double is written, if that is exact
        text = repr(float(value))
        return text if Fraction(text) == value else None
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    return f"{'-' * (value < 0)}{digits[:-places]}.{digits[-places:]}"


def best_replies(game: NormalFormGame) -> NDArray[np.bool_]:
    """Return where a payoff is the player's best against the others' actions, as `payoffs`."""
    marks = np.empty(game.payoffs.shape, dtype=bool)
    for i, u in enumerate(game.exact):
        marks[i] = u == u.max(axis=i, keepdims=True)
    return marks


def panels(game: NormalFormGame) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the bimatrices of players 1 and 2: what the others play, in words, and their cells.

    Index an array ``(N, n_1, ..., n_N)`` by the second entry to get the panel ``(N, n_1, n_2)``.
    """
    for rest in itertools.product(*map(range, game.shape[2:])):
        words = (f"{game.players[i]}: {game.actions[i][a]}" for i, a in enumerate(rest, start=2))
        yield ", ".join(words), (slice(None), slice(None), slice(None), *rest)
