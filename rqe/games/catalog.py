"""Named games with their sources and with what is known about them.

The games are those of the literature that economists and algorithms are tested on. Some are
families with parameters, such as ``load("volunteers-dilemma", players=5)``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rqe.games import _checks
from rqe.games._families import FAMILIES
from rqe.games.normal_form import NormalFormGame

__all__ = ["Fit", "Known", "Point", "UnknownGameError", "describe", "known", "load", "names"]

Profile = tuple[tuple[float, ...], ...]


class UnknownGameError(KeyError, ValueError):
    """No game of the catalog has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Point:
    """Equilibrium published for one tau and eps per player.

    Attributes
    ----------
    strategies : tuple of N tuples of float
    tau, eps : tuple of N floats
        A logit QRE has tau = 0 and eps = 1 / lambda.
    penalty, regularizer : str
    principal : bool or None
        Whether it lies on the principal branch, None where that is not recorded.
    source : str
        Where it is from, and how exact it is.
    """

    strategies: Profile
    tau: tuple[float, ...]
    eps: tuple[float, ...]
    penalty: str
    regularizer: str
    principal: bool | None
    source: str


@dataclass(frozen=True)
class Fit:
    """Parameters published as those at which the RQE meets the observed frequencies.

    Attributes
    ----------
    tau, eps : tuple of N floats
    penalty, regularizer : str
    """

    tau: tuple[float, ...]
    eps: tuple[float, ...]
    penalty: str
    regularizer: str


@dataclass(frozen=True)
class Known:
    """What the literature says about a game; empty where it says nothing.

    Attributes
    ----------
    nash : tuple of profiles
        Nash equilibria.
    complete : str
        What `nash` holds: "all" of them, "all_extreme" of a degenerate game, the "symmetric" one,
        "some", or "" if it is empty.
    points : tuple of Point
        Logit QRE and RQE.
    observed : profile or None
        Frequencies with which people played.
    fits : tuple of Fit
    """

    nash: tuple[Profile, ...]
    complete: str
    points: tuple[Point, ...]
    observed: Profile | None
    fits: tuple[Fit, ...]


def names() -> tuple[str, ...]:
    """All names, classics first.

    Examples
    --------
    >>> "selten-chmura/1" in names()
    True
    """
    return tuple(_entries())


def load(name: str, **parameters: Any) -> NormalFormGame:
    """Game of that name.

    Parameters
    ----------
    name : str
        One of `names`.
    **parameters
        Of a family; `describe` lists them with their defaults.

    Returns
    -------
    NormalFormGame
        With a title and, as its comment, the source.

    Raises
    ------
    UnknownGameError
        If no game has this name; it is a KeyError and a ValueError and names the nearest one.
    TypeError, ValueError
        If a parameter is unknown to the game or breaks a rule of the family.

    Examples
    --------
    >>> load("volunteers-dilemma", players=5).shape
    (2, 2, 2, 2, 2)
    """
    entry = _entry(name)
    defaults = _defaults(entry)
    unknown = sorted(parameters.keys() - defaults.keys())
    if unknown:
        accepted = ", ".join(defaults) or "none"
        raise TypeError(f"{name!r} has no parameter {unknown[0]!r}; its parameters: {accepted}")
    if "family" in entry:
        game = FAMILIES[entry["family"]](**parameters)
        values = ", ".join(f"{key}={value}" for key, value in (defaults | parameters).items())
        return game.relabel(title=f"{entry['title']} ({values})", comment=entry["source"])
    texts: dict[str, Any] = {
        key: entry[key] for key in ("title", "players", "actions") if key in entry
    }
    texts["comment"] = entry["source"]
    if "reward" in entry:
        return NormalFormGame.collaborative(
            _exact(entry["reward"]), _exact(entry["costs"]), **texts
        )
    payoffs = entry["payoffs"] if "payoffs" in entry else _answers()[entry["known"]]["payoffs"]
    return NormalFormGame(payoffs, **texts)


def describe(name: str) -> str:
    """Title, source, facts and parameters of the game of that name, as text of a few lines.

    Raises
    ------
    UnknownGameError
        If no game has this name.

    Examples
    --------
    >>> print(describe("oneill"))
    O'Neill's zero-sum game
    Source: O'Neill, Proceedings of the National Academy of Sciences 84 (1987)
    Played by people; the minimax strategies put 2/5 on the first action, 1/5 on the others.
    """
    entry = _entry(name)
    lines = [entry["title"], f"Source: {entry['source']}", entry["about"]]
    defaults = _defaults(entry)
    if defaults:
        lines.append("Parameters: " + ", ".join(f"{key}={v}" for key, v in defaults.items()))
    return "\n".join(lines)


def known(name: str) -> Known:
    """Published equilibria and observed frequencies of the game of that name.

    For a family they belong to its default parameters.

    Raises
    ------
    UnknownGameError
        If no game has this name.

    Examples
    --------
    >>> known("selten-chmura/1").observed
    ((0.079, 0.921), (0.69, 0.31))
    """
    entry = _entry(name)
    answers = _answers()[entry["known"]] if "known" in entry else entry
    human = _human()[entry["human"]] if "human" in entry else None
    nash = answers.get("nash_float", answers.get("nash", ()))
    return Known(
        nash=tuple(map(_profile, nash)),
        complete=answers.get("complete", ""),
        points=(*map(_qre, answers.get("logit_qre", ())), *map(_rqe, entry.get("rqe", ()))),
        observed=None if human is None else tuple((x, _rest(x)) for x in human["observed"]),
        fits=() if human is None else _fits(human),
    )


def _qre(given: dict[str, Any]) -> Point:
    """Logit QRE of known_answers.json."""
    players = len(given["profile"])
    return Point(
        strategies=_profile(given["profile"]),
        tau=(0.0,) * players,
        eps=(1.0 / given["lambda"],) * players,
        penalty="kl",
        regularizer="entropy",
        principal=True if given.get("branch") == "principal" else None,
        source=given["kind"],
    )


def _rqe(given: dict[str, Any]) -> Point:
    """RQE of games.json."""
    return Point(
        strategies=_profile(given["profile"]),
        tau=tuple(map(float, given["tau"])),
        eps=tuple(map(float, given["eps"])),
        penalty="kl",
        regularizer="entropy",
        principal=given["principal"],
        source=given["source"],
    )


def _fits(human: dict[str, Any]) -> tuple[Fit, ...]:
    """Published parameters of one game of selten_chmura_2008.json."""
    pairs = (("kl", "log_barrier"), ("reverse_kl", "entropy"))
    return tuple(
        Fit(
            tau=tuple(map(float, human[f"{penalty}_{regularizer}"]["tau"])),
            eps=tuple(map(float, human[f"{penalty}_{regularizer}"]["eps"])),
            penalty=penalty,
            regularizer=regularizer,
        )
        for penalty, regularizer in pairs
    )


def _profile(given: list[list[Any]]) -> Profile:
    """Profile of numbers or of ratios such as "1/3"."""
    return tuple(tuple(float(Fraction(x)) for x in strategy) for strategy in given)


def _rest(probability: float) -> float:
    """1 - probability, rounded as the decimals that it comes from."""
    return float(1 - Fraction(repr(probability)))


def _exact(literals: list[Any]) -> NDArray[np.object_]:
    """Nested texts such as "2/5" as an array of fractions."""
    return _checks.fractions(np.array(literals, dtype=object))


def _entry(name: str) -> dict[str, Any]:
    """Record of the game of that name."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    entries = _entries()
    if name in entries:
        return entries[name]
    from difflib import get_close_matches

    near = get_close_matches(name, entries, n=1, cutoff=0.5)
    hint = f"the nearest is {near[0]!r}" if near else "catalog.names() lists them"
    raise UnknownGameError(f"no game of the catalog is called {name!r}; {hint}")


def _defaults(entry: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a game with their defaults, none unless it is a family."""
    if "family" not in entry:
        return {}
    from inspect import signature

    parameters = signature(FAMILIES[entry["family"]]).parameters
    return {key: parameter.default for key, parameter in parameters.items()}


@cache
def _data(file: str) -> Any:
    """Content of a JSON file of the package; not to be changed."""
    from importlib.resources import files

    return json.loads(files("rqe.games").joinpath("data", file).read_text(encoding="utf-8"))


def _entries() -> dict[str, dict[str, Any]]:
    """Records of all games by name."""
    entries: dict[str, dict[str, Any]] = _data("games.json")["games"]
    return entries


@cache
def _answers() -> dict[str, dict[str, Any]]:
    """Published answers by the names that known_answers.json gives."""
    return {game["name"]: game for game in _data("known_answers.json")["games"]}


@cache
def _human() -> dict[str, dict[str, Any]]:
    """Observed frequencies by the names that selten_chmura_2008.json gives."""
    return {game["name"]: game for game in _data("selten_chmura_2008.json")["games"]}
