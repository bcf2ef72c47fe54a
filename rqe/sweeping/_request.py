"""What a sweep was asked for: checked, cut into parts, and described for its folder."""

from __future__ import annotations

import functools
import hashlib
import itertools
import numbers
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from rqe.concepts import Concept, one_of
from rqe.free_riding import collaboration
from rqe.games import NormalFormGame

OUTPUTS = (
    "strategies", "payoffs", "risk_adjusted", "regret", "residual", "welfare", "free_riding",
)  # fmt: skip
COLUMNS = {"strategies": "probability", "payoffs": "payoff"}
HEAD = ("point", "tau", "eps", "status", "player", "action")  # columns of every table, or of most
_RESERVED = {*HEAD, *COLUMNS.values(), *OUTPUTS}
_MOST_PARTS = 200

Entry = float | tuple[float, ...]  # one tau or eps for all players, or one per player
Output = str | Callable[..., Any]


@dataclass(frozen=True)
class Request:
    """A grid: games times tau times eps, and what is wanted of each point.

    Attributes
    ----------
    games : tuple of (labels, game)
        Labels are the first columns of the table.
    taus, epss : tuple of float or tuple
    penalty, regularizer : str
    outputs : tuple of str or callable
    tol : float
    """

    games: tuple[tuple[dict[str, Any], NormalFormGame], ...]
    taus: tuple[Entry, ...]
    epss: tuple[Entry, ...]
    penalty: str
    regularizer: str
    outputs: tuple[Output, ...]
    tol: float

    @property
    def n_rows(self) -> int:
        """Rows of the grid: a game with a tau, to be solved at all eps."""
        return len(self.games) * len(self.taus)

    @property
    def n_points(self) -> int:
        """Points of the grid."""
        return self.n_rows * len(self.epss)

    @property
    def parts(self) -> list[range]:
        """Numbers of the rows in each part. It does not depend on who computes them."""
        size = max(1, -(-self.n_rows // _MOST_PARTS))
        return [range(k, min(k + size, self.n_rows)) for k in range(0, self.n_rows, size)]

    @property
    def by_player(self) -> bool:
        """Whether a table needs a row per player."""
        own = ("payoffs", "risk_adjusted", "strategies")
        given = any(isinstance(entry, tuple) for entry in (*self.taus, *self.epss))
        return given or any(output in own for output in self.outputs if isinstance(output, str))

    def describe(self) -> dict[str, Any]:
        """Return all that determines the results, as plain data for a manifest."""
        import rqe

        return {
            "games": [[labels, list(game.shape), _digest(game)] for labels, game in self.games],
            "tau": [str(entry) for entry in self.taus],
            "eps": [str(entry) for entry in self.epss],
            "penalty": self.penalty,
            "regularizer": self.regularizer,
            "outputs": [_described(output) for output in self.outputs],
            "tol": self.tol,
            "rqe": rqe.__version__,
        }


def _digest(game: NormalFormGame) -> str:
    """Return a hash of all that tables show of a game."""
    text = repr((game.shape, game.players, game.actions)).encode()
    return hashlib.sha256(text + game.payoffs.tobytes()).hexdigest()


def _described(output: Output) -> str:
    """Return an output's name; with a hash of what it computes if it is a function."""
    if isinstance(output, str):
        return output
    name = getattr(output, "__qualname__", type(output).__qualname__)
    digest = hashlib.sha256(repr(_parts(output)).encode()).hexdigest()
    return f"{getattr(output, '__module__', '')}.{name}:{digest[:16]}"


def _parts(value: Any, within: tuple[int, ...] = ()) -> Any:
    """Return what a function is made of, as plain data: code, and the values that it holds."""
    if id(value) in within:  # a function that calls itself
        return "itself"
    within, code = (*within, id(value)), getattr(value, "__code__", None)
    if isinstance(value, functools.partial):
        held = (value.func, *value.args, *value.keywords.items())
    elif isinstance(value, tuple | list):
        held = tuple(value)
    elif code is not None:
        cells = value.__closure__ or ()
        held = (
            *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).items(),
            *(cell.cell_contents for cell in cells), getattr(value, "__self__", None),
        )  # fmt: skip
    else:
        try:
            return hashlib.sha256(pickle.dumps(value)).hexdigest()
        except Exception:  # what cannot be pickled is told by its type
            return type(value).__qualname__
    body = None if code is None else _instructions(code, value.__doc__)
    return body, [_parts(part, within) for part in held]


def _instructions(code: CodeType, doc: str | None = None) -> Any:
    """Return what a function's code does, without its docstring, names and line numbers."""
    constants = list(code.co_consts)
    if constants and constants[0] == doc:
        del constants[0]
    plain = [
        _instructions(c) if isinstance(c, CodeType)
        else sorted(map(repr, c)) if isinstance(c, frozenset)
        else repr(c)
        for c in constants
    ]  # fmt: skip
    return code.co_code, code.co_names, plain


def games_of(games: Any, over: Mapping[str, Iterable[Any]] | None) -> list[Any]:
    """Return pairs of labels and game, from one game, several, or a function of parameters."""
    if callable(games):
        return _made(games, over)
    if over is not None:
        raise TypeError("over must be given only with a function that makes games of its values")
    if isinstance(games, NormalFormGame):
        return [({}, games)]
    if isinstance(games, Mapping):
        pairs = [({"game": str(label)}, game) for label, game in games.items()]
    elif isinstance(games, Sequence) and not isinstance(games, str | bytes):
        pairs = [({"game": game_label(k, game)}, game) for k, game in enumerate(games)]
    else:
        raise TypeError(
            "games must be a NormalFormGame, a list of them, a dict from labels to them, or a "
            f"function that makes them; got {games!r}"
        )
    for labels, game in pairs:
        _check_game(labels, game)
    names = [labels["game"] for labels, _ in pairs]
    if len(set(names)) < len(names):  # titles need not differ
        pairs = [
            ({"game": f"{name} #{k}"}, g)
            for k, (name, (_, g)) in enumerate(zip(names, pairs, strict=True))
        ]
    if not pairs:
        raise ValueError("games must hold at least one game; got none")
    return pairs


def game_label(k: int, game: Any) -> str:
    """Return a game's title, or its place in the list."""
    return getattr(game, "title", "") or str(k)


def _check_game(labels: dict[str, Any], game: Any) -> None:
    """Raise if this is no game."""
    if not isinstance(game, NormalFormGame):
        raise TypeError(f"games must be NormalFormGame objects; got {game!r} for {labels}")


def _made(make: Callable[..., Any], over: Mapping[str, Iterable[Any]] | None) -> list[Any]:
    """Return a game for each combination of parameter values, with the values as labels."""
    if not over or not isinstance(over, Mapping):
        raise TypeError(
            "over must give the values of the parameters of games, such as over={'cost': [0, 1]}; "
            f"got {over!r}"
        )
    for name in over:
        if name in _RESERVED:
            raise ValueError(f"over must not use the name of a column, {name!r}")
    values = [_values(name, given) for name, given in over.items()]
    pairs = []
    for combination in itertools.product(*values):
        labels = dict(zip(over, combination, strict=True))
        game = make(**labels)
        _check_game(labels, game)
        pairs.append((labels, game))
    return pairs


def _values(name: str, given: Any) -> list[Any]:
    """Return the values of one parameter: all real numbers, or all strings."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"over[{name!r}] must be a list of values; got {given!r}")
    values = [v.item() if isinstance(v, np.generic) else v for v in given]
    real = [isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values]
    if not values or not (all(real) or all(isinstance(v, str) for v in values)):
        raise ValueError(
            f"over[{name!r}] must hold numbers, or strings, at least one; got {given!r}"
        )
    return [
        float(v) if isinstance(v, numbers.Real) and not isinstance(v, int) else v for v in values
    ]


def entries(name: str, given: Any, games: Iterable[NormalFormGame]) -> tuple[Entry, ...]:
    """Return the grid of tau or eps: each entry a number, or one number per player."""
    if isinstance(given, numbers.Real) and not isinstance(given, bool):
        given = [given]
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = [given.item()]
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a number or a list of them; got {given!r}")
    found: list[Entry] = []
    for entry in given:
        if isinstance(entry, Iterable) and not isinstance(entry, str):
            found.append(tuple(entry))
        else:
            found.append(entry)
    if not found:
        raise ValueError(f"{name} must hold at least one value; got {given!r}")
    for game in games:
        for entry in found:
            Concept.of(game, **{name: entry})  # type: ignore[arg-type]
    return tuple(
        tuple(map(float, entry)) if isinstance(entry, tuple) else float(entry) for entry in found
    )


def outputs_of(given: Any, games: Iterable[NormalFormGame]) -> tuple[Output, ...]:
    """Return the outputs, checked; free-riding needs collaborative games."""
    if not isinstance(given, str | Iterable) and not callable(given):
        raise TypeError(f"outputs must be names or functions; got {given!r}")
    wanted = [given] if isinstance(given, str) or callable(given) else list(given)
    for output in wanted:
        if not callable(output):
            one_of("outputs", output, OUTPUTS)
    if "free_riding" in [output for output in wanted if isinstance(output, str)]:
        for game in games:
            collaboration(game)
    return tuple(wanted)
