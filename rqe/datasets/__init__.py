"""Published choices of people in games of the catalog, ready for `rqe.fit`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe.games import NormalFormGame, catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Dataset", "UnknownDatasetError", "load", "names"]

_NAMES = ("goeree-holt-palfrey", "ochs", "selten-chmura")


class UnknownDatasetError(KeyError, ValueError):
    """No data set has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Games and what people played in them.

    Attributes
    ----------
    name, title, source, about : str
        What it is and where it was published.
    game_names : tuple of str
        Names of the games in the catalog.
    games : tuple of NormalFormGame
        The games.
    frequencies : tuple of tuples of ndarray
        For each game and role the observed frequencies of the actions, shape (n_i,), read-only.
    n : tuple of tuples of int, or None
        For each game and role the number of choices; None where it is not known.
    """

    name: str
    title: str
    source: str
    about: str
    game_names: tuple[str, ...]
    games: tuple[NormalFormGame, ...]
    frequencies: tuple[tuple[Array, ...], ...]
    n: tuple[tuple[int, ...], ...] | None

    @property
    def counts(self) -> tuple[tuple[Array, ...], ...]:
        """Frequencies times n, which need not be whole numbers: frequencies are rounded.

        Raises
        ------
        ValueError
            If n is not known.
        """
        if self.n is None:
            raise ValueError(f"the number of choices of {self.name!r} is not known; {self.about}")
        return tuple(
            tuple(_plain.read_only(m * f) for m, f in zip(sizes, game, strict=True))
            for sizes, game in zip(self.n, self.frequencies, strict=True)
        )

    def __repr__(self) -> str:
        """One line."""
        return f"<Dataset {self.name!r}: {len(self.games)} games, {self.source}>"


def names() -> tuple[str, ...]:
    """Names of the data sets.

    Examples
    --------
    >>> names()
    ('goeree-holt-palfrey', 'ochs', 'selten-chmura')
    """
    return _NAMES


def load(name: str) -> Dataset:
    """Return the data set of that name.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Dataset
        Games, observed frequencies, numbers of choices and source.

    Raises
    ------
    UnknownDatasetError
        If no data set has this name; the message names the nearest.
    TypeError
        If the name is not a string.

    Examples
    --------
    >>> data = load("selten-chmura")
    >>> data
    <Dataset 'selten-chmura': 12 games, Selten and Chmura, American Economic Review ...>
    >>> data.frequencies[0][0].tolist(), data.n[0]
    ([0.079, 0.921], (9600, 9600))
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string; got {name!r}")
    if name not in _NAMES:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), _NAMES, n=1, cutoff=0.4)
        hint = f"the nearest is {near[0]!r}" if near else f"there are {', '.join(_NAMES)}"
        raise UnknownDatasetError(f"no data set is called {name!r}; {hint}")
    data = _record(name)
    entries = data["games"]
    sizes = [entry["n"] for entry in entries]
    return Dataset(
        name,
        data["title"],
        data["source"],
        data["about"],
        tuple(entry["game"] for entry in entries),
        tuple(catalog.load(entry["game"]) for entry in entries),
        tuple(
            tuple(_plain.read_only(np.array(row)) for row in entry["frequencies"])
            for entry in entries
        ),
        None if None in sizes else tuple(tuple(row) for row in sizes),
    )


@cache
def _record(name: str) -> dict[str, Any]:
    """Content of a data set's file; not to be changed."""
    from importlib.resources import files

    text = files("rqe.datasets").joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    record: dict[str, Any] = json.loads(text)
    return record
