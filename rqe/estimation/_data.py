"""Games and the choices that were observed in them, checked."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe._input import instance
from rqe.games import NormalFormGame
from rqe.games._checks import real_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_SUM_TOL = 1e-6
Profile = tuple["Array", ...]


@dataclass(frozen=True, eq=False)
class Observations:
    """What was played in each game: ``counts[g][i]`` has shape (n_i,), unit choices."""

    games: tuple[NormalFormGame, ...]
    counts: tuple[Profile, ...]

    @cached_property
    def n_choices(self) -> float:
        """Choices of all roles in all games."""
        return float(sum(row.sum() for rows in self.counts for row in rows))

    @property
    def n_frequencies(self) -> int:
        """Number of observed frequencies that are free to vary: actions less one, per role."""
        return sum(len(row) - 1 for rows in self.counts for row in rows)

    @cached_property
    def frequencies(self) -> tuple[Profile, ...]:
        """Relative frequencies, as `counts`."""
        return tuple(tuple(row / row.sum() for row in rows) for rows in self.counts)

    def log_likelihoods(self, log_strategies: Sequence[Sequence[Array]]) -> Array:
        """Return the log-likelihood of each game, without the multinomial constant."""
        return np.array(
            [
                sum(log_likelihood(n, log_x) for n, log_x in zip(rows, logs, strict=True))
                for rows, logs in zip(self.counts, log_strategies, strict=True)
            ]
        )

    def select(self, indices: Iterable[int]) -> Observations:
        """Return some of the games, which may repeat."""
        chosen = list(indices)
        return Observations(
            tuple(self.games[g] for g in chosen), tuple(self.counts[g] for g in chosen)
        )

    def redrawn(self, rng: np.random.Generator, chances: Sequence[Sequence[Array]]) -> Observations:
        """Return as many choices as observed, drawn with the given probabilities."""
        counts = tuple(
            tuple(
                rng.multinomial(round(float(row.sum())), x / x.sum()).astype(float)
                for row, x in zip(rows, profile, strict=True)
            )
            for rows, profile in zip(self.counts, chances, strict=True)
        )
        return Observations(self.games, counts)


def log_likelihood(counts: Array, log_x: Array) -> float:
    """Return sum counts log x, where 0 log 0 = 0."""
    played = counts > 0.0
    return float(counts[played] @ log_x[played])


def observations(games: Any, counts: Any, n: Any = None) -> Observations:
    """Return games and counts, checked; frequencies become counts by n."""
    listed, rows = _paired(games, counts)
    sizes = None if n is None else _sizes(n, listed, isinstance(games, NormalFormGame))
    checked = []
    for g, (game, given) in enumerate(zip(listed, rows, strict=True)):
        place = "counts" if isinstance(games, NormalFormGame) else f"counts[{g}]"
        profile = entries_of(_by_label(given, game.players, place, "player"), place)
        if len(profile) != game.n_players:
            raise ValueError(
                f"{place} must hold one row per player, {game.n_players} in all; got {len(profile)}"
            )
        checked.append(
            tuple(
                _row(row, names, None if sizes is None else sizes[g][i], f"{place}[{i}]")
                for i, (row, names) in enumerate(zip(profile, game.actions, strict=True))
            )
        )
    return Observations(tuple(listed), tuple(checked))


def listed_games(games: Any) -> tuple[NormalFormGame, ...]:
    """Return one game or several as a tuple, checked."""
    several = [games] if isinstance(games, NormalFormGame) else entries_of(games, "games")
    for g, game in enumerate(several):
        instance(f"games[{g}]", game, NormalFormGame)
    if not several:
        raise ValueError("games must hold at least one game; got none")
    return tuple(several)


def _paired(games: Any, counts: Any) -> tuple[tuple[NormalFormGame, ...], list[Any]]:
    """Return games and as many entries of counts."""
    listed = listed_games(games)
    if isinstance(games, NormalFormGame):
        return listed, [counts]
    rows = entries_of(counts, "counts")
    if len(rows) != len(listed):
        raise ValueError(
            f"counts must hold one entry per game, {len(listed)} in all; got {len(rows)}"
        )
    return listed, rows


def entries_of(value: Any, name: str) -> list[Any]:
    """Return the entries of a sequence."""
    if isinstance(value, str | bytes | dict | set) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} must be a sequence; got {value!r} of type {type(value).__name__}")
    # the entries of a data frame are its rows, though iterating gives the names of its columns
    return list(value.to_numpy() if hasattr(value, "columns") else value)


def _by_label(given: Any, names: Sequence[str], place: str, what: str) -> Any:
    """Return the entries of a pandas Series in the order of `names`; anything else as it is."""
    if not (hasattr(given, "index") and hasattr(given, "iloc")) or hasattr(given, "columns"):
        return given
    labels = list(given.index)
    if labels == list(range(len(labels))):  # pandas numbers entries without labels like this
        return given.to_list()
    order = {str(label): k for k, label in enumerate(labels)}
    if len(labels) != len(names) or set(order) != set(names):
        raise ValueError(
            f"{place} must be labelled by the {what}s {', '.join(names)} in any order, or not at "
            f"all, as a Series; got the labels {', '.join(map(str, labels))}"
        )
    return [given.iloc[order[name]] for name in names]


def _row(given: Any, names: Sequence[str], n: int | None, place: str) -> Array:
    """Return the counts of one role, whose actions have these names."""
    given, size = _by_label(given, names, place, "action"), len(names)
    try:
        row = real_array(given, place).astype(float)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{place} must hold real numbers; got {given!r}") from None
    if row.shape != (size,):
        raise ValueError(
            f"{place} must hold one number per action, {size} in all; got shape {row.shape}"
        )
    if not (np.isfinite(row).all() and (row >= 0.0).all()):
        raise ValueError(f"{place} must hold finite numbers >= 0; got {row.tolist()}")
    total = float(row.sum())
    if n is not None:
        if abs(total - 1.0) > _SUM_TOL:
            raise ValueError(
                f"{place} must hold frequencies that sum to 1, as n is given; "
                f"got {row.tolist()}, whose sum is {total:g}"
            )
        return _plain.read_only(row * n)
    if total == 0.0:
        raise ValueError(f"{place} must have a positive total; got {row.tolist()}")
    if (row != np.round(row)).any():
        raise ValueError(
            f"{place} must hold whole numbers of choices; got {row.tolist()}. Frequencies need "
            "n=..., the number of choices that they are frequencies of"
        )
    return _plain.read_only(row)


def _sizes(n: Any, games: Sequence[NormalFormGame], single: bool) -> list[list[int]]:
    """Return n for each game and role: given once, per game, or per game and role."""
    if isinstance(n, np.ndarray) and n.ndim == 0:
        n = n.item()
    if not hasattr(n, "__iter__"):
        return [[_size(n, "n")] * game.n_players for game in games]
    entries = [n] if single else entries_of(n, "n")
    if len(entries) != len(games):
        raise ValueError(
            f"n must be one number, or one entry per game, {len(games)} in all; got {len(entries)}"
        )
    sizes = []
    for g, (entry, game) in enumerate(zip(entries, games, strict=True)):
        row = entries_of(entry, "n") if hasattr(entry, "__iter__") else [entry] * game.n_players
        if len(row) != game.n_players:
            raise ValueError(
                f"n[{g}] must be one number or one per role, {game.n_players}; got {len(row)}"
            )
        sizes.append([_size(value, f"n[{g}]") for value in row])
    return sizes


def _size(value: Any, place: str) -> int:
    """Return a positive whole number."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and math.isfinite(value) and float(value).is_integer() and value >= 1):
        raise ValueError(f"{place} must be a whole number of choices >= 1; got {value!r}")
    return round(float(value))
