"""What every game checks: numbers, shapes and labels, with errors that name the argument."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from numbers import Integral, Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

EXACT_INTEGER = 2.0**53
"""Every integer up to this size is a double, and the next one is rounded to it."""

_DEEPEST = 1000  # decimal places: more than doubles have, too few to stall on

# What Gambit refuses in a label (outer or double white space, control characters) or reads as
# another one (a backslash before a quote, a backslash or the end); and what UTF-8 cannot hold.
_BAD_LABEL = re.compile(r'^\s|\s$|\s\s|[\x00-\x1f\x7f-\x9f\ud800-\udfff]|\\(?:$|["\\])')


def real_array(value: Any, name: str) -> NDArray[Any]:
    """`value` as an array of booleans, integers, floats, or objects that are exact numbers."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array: a mask would be dropped without a word")
    try:
        raw = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be rectangular, got {_parts(value)}") from None
    except TypeError as error:
        raise TypeError(f"{name} must hold real numbers: {error}") from None
    if raw.dtype.kind in "biuf":
        return raw
    if raw.dtype.kind != "O":
        raise TypeError(f"{name} must hold real numbers, got an array of type {raw.dtype}")
    for index, item in np.ndenumerate(raw):
        if not isinstance(item, Rational | Decimal | float | np.floating | np.bool_):
            where = f"{name}[{', '.join(map(str, index))}]" if index else name
            raise TypeError(f"{where} must be a real number, got {item!r}")
    return raw


def _parts(value: Any) -> str:
    """Shapes of the parts of a ragged `value`, for the message."""
    try:
        return "parts of shapes " + ", ".join(str(np.shape(part)) for part in value)
    except (TypeError, ValueError):
        return "nested sequences of different lengths"


def bimatrix(A: Any, B: Any) -> list[NDArray[Any]]:
    """A and B as two matrices of one shape."""
    both = [real_array(A, "A"), real_array(B, "B")]
    for name, matrix in zip("AB", both, strict=True):
        if matrix.ndim != 2:
            raise ValueError(f"{name} must be a matrix, got shape {matrix.shape}")
    if both[0].shape != both[1].shape:
        raise ValueError(
            "A and B must have the same shape, rows being player 1's actions in both,"
            f" got {both[0].shape} and {both[1].shape}"
        )
    return both


def doubles(raw: NDArray[Any], name: str, *, copy: bool) -> NDArray[np.float64]:
    """`raw` as finite C-contiguous doubles; a new array if `copy` or if converted."""
    try:
        data = raw.astype(np.float64, order="C", copy=copy)
    except OverflowError:
        raise ValueError(f"{name} must fit into doubles, got a number above 1.8e308") from None
    check_finite(data, name)
    return data


def check_finite(data: NDArray[np.float64], name: str) -> None:
    """Raise unless all of `data` is finite and no two entries are further apart than a double."""
    low, high = float(data.min()), float(data.max())  # NaN passes through both
    if high - low < np.inf:
        return
    bad = np.argwhere(~np.isfinite(data))
    if not len(bad):
        raise ValueError(
            f"{name} must span a range that a double can hold, got {low:g} to {high:g}"
        )
    where = f"{name}[{', '.join(map(str, bad[0]))}] = " if data.ndim else ""
    raise ValueError(f"{name} must be finite, got {where}{data[tuple(bad[0])]}")


def literals(raw: NDArray[Any], data: NDArray[np.float64]) -> NDArray[np.object_] | None:
    """Exact values of `raw` as fractions; None where they are those that `data` stands for."""
    if raw.dtype.kind == "O":
        exact = fractions(raw)
        return None if (exact == fractions(data)).all() else exact
    if raw.dtype.kind in "iu" and raw.dtype.itemsize == 8 and np.abs(data).max() >= EXACT_INTEGER:
        return fractions(raw.astype(object))
    return None


def fraction(value: Any) -> Fraction:
    """`value`, a finite real number or its literal, as a fraction.

    A double stands for the shortest decimal that rounds to it, 0.1 for 1/10, as in a file.
    """
    if type(value) is Fraction:
        return value
    if isinstance(value, float | np.floating):
        number = float(value)
        whole = abs(number) <= EXACT_INTEGER and number.is_integer()
        return Fraction(int(number) if whole else repr(number))
    if isinstance(value, str):
        return Fraction(value)
    if isinstance(value, Decimal):
        if value and value.adjusted() < -_DEEPEST:
            raise ValueError(f"a decimal must be 0 or at least 1e-{_DEEPEST} in size, got {value}")
        return Fraction(value) if value else Fraction(0)
    if isinstance(value, Integral | np.bool_):
        return Fraction(int(value))
    return Fraction(int(value.numerator), int(value.denominator))


def fractions(values: NDArray[Any]) -> NDArray[np.object_]:
    """Elementwise `fraction`, as an object array of the same shape."""
    out = np.empty(values.shape, dtype=object)
    out.ravel()[:] = [fraction(value) for value in values.ravel().tolist()]
    return out


def check_shape(shape: tuple[int, ...], name: str = "payoffs") -> None:
    """Raise unless `shape` is (N, n_1, ..., n_N) with N >= 2 and every n_i >= 1."""
    if len(shape) == 2 and shape[0] == 1:
        raise ValueError(f"{name} must describe at least 2 players, got 1 (shape {shape})")
    if len(shape) < 3 or len(shape) != shape[0] + 1:
        hint = "; for two matrices use from_bimatrix(A, B)" if len(shape) == 2 else ""
        raise ValueError(
            f"{name} must have shape (N, n_1, ..., n_N), one array of the N players' actions"
            f" per player, got shape {shape}{hint}"
        )
    if 0 in shape:
        player = shape.index(0)
        raise ValueError(f"{name} must give every player an action, player {player} has none")


@lru_cache(maxsize=256)
def numbered(count: int) -> tuple[str, ...]:
    """The labels ("1", ..., str(count))."""
    return tuple(map(str, range(1, count + 1)))


def check_labels(values: Iterable[str], count: int, name: str) -> tuple[str, ...]:
    """`values` as `count` different labels that a file can hold."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a sequence of strings, got {values!r}")
    labels = tuple(values)
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"{name} must be strings, got {label!r}")
        if not label or _BAD_LABEL.search(label):
            raise ValueError(
                f"{name} must be non-empty lines without outer or double spaces, control"
                f" characters, or a backslash before a quote, a backslash or the end, got {label!r}"
            )
    if len(labels) != count:
        raise ValueError(f"{name} must be {count} labels, got {len(labels)}: {labels}")
    if len(set(labels)) != count:
        twice = next(label for k, label in enumerate(labels) if label in labels[:k])
        raise ValueError(f"{name} must differ from one another, got {twice!r} twice")
    return labels


def check_players(players: Iterable[str] | None, count: int) -> tuple[str, ...]:
    """`players` as labels, numbered by default."""
    return numbered(count) if players is None else check_labels(players, count, "players")


def check_actions(
    actions: Iterable[str] | Iterable[Iterable[str]] | None, shape: tuple[int, ...]
) -> tuple[tuple[str, ...], ...]:
    """`actions` as one tuple of labels per player, numbered by default; one list serves all."""
    if actions is None:
        return tuple(map(numbered, shape))
    if isinstance(actions, str) or not isinstance(actions, Iterable):
        raise TypeError(f"actions must be a sequence of labels per player, got {actions!r}")
    lists: Sequence[Any] = tuple(actions)
    if lists and all(isinstance(item, str) for item in lists):
        lists = (lists,) * len(shape)
    if len(lists) != len(shape):
        raise ValueError(f"actions must be {len(shape)} lists of labels, got {len(lists)}")
    return tuple(
        check_labels(item, n, f"actions[{i}]")
        for i, (item, n) in enumerate(zip(lists, shape, strict=True))
    )


def check_text(value: str, name: str) -> str:
    """`value` if it is text."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    return value


def check_index(name: str, value: int, count: int) -> None:
    """Raise unless ``value`` is a whole number from 0 to count - 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value < count:
        raise ValueError(f"{name} must be from 0 to {count - 1}; got {value!r}")


def check_orders(
    players: ArrayLike | None,
    actions: Sequence[ArrayLike] | None,
    shape: tuple[int, ...],
) -> tuple[list[int], list[list[int]]]:
    """Permutations of the players and of each player's actions, the identity by default."""
    orders: list[ArrayLike] = [*map(range, shape)] if actions is None else list(actions)
    if len(orders) != len(shape):
        raise ValueError(f"actions must be {len(shape)} permutations, got {len(orders)}")
    order = range(len(shape)) if players is None else players
    return _permutation(order, len(shape), "players"), [
        _permutation(given, n, f"actions[{i}]")
        for i, (given, n) in enumerate(zip(orders, shape, strict=True))
    ]


def _permutation(order: ArrayLike, count: int, name: str) -> list[int]:
    """`order` as a permutation of 0, ..., count - 1."""
    given = np.asarray(order)
    if given.dtype.kind not in "iu" or sorted(given.ravel().tolist()) != list(range(count)):
        raise ValueError(f"{name} must be a permutation of 0, ..., {count - 1}, got {order!r}")
    return [int(k) for k in given.ravel()]
