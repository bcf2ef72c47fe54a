"""The command ``rqe fit``: tau and eps estimated from a table of choices."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rqe.commands.common import (
    NOT_CONVERGED,
    SOLVED,
    CommandError,
    check_output,
    number,
    one_line,
    write,
)

if TYPE_CHECKING:
    from rqe.games import NormalFormGame

_EPILOG = """\
examples:
  rqe fit game.nfg --counts counts.csv                   tau and eps, the same for all roles
  rqe fit game.nfg --counts counts.csv --model qre       lam = 1 / eps alone
  rqe fit game.nfg --counts counts.csv --shared none --fixed tau_2=0
  rqe fit a.nfg b.nfg --counts counts.csv --errors cluster --json fit.json

counts.csv has a header and the columns player, action and count, by the labels or the numbers of
the game; with several games also the column game, with the names given on the command line. In
place of count there may be frequency and n, the number of choices of that player.

exit codes:
  0   estimated
  1   no maximum of the likelihood found
  2   bad usage or bad input
  3   the output could not be written"""
_COLUMNS = ("player", "action")


def add(commands: Any, load: Callable[[str], NormalFormGame]) -> None:
    """Add the command to the program's; `load` makes a game of a file or a name."""
    parser = commands.add_parser(
        "fit",
        help="estimate tau and eps from how people played",
        description="Estimate a model of play from choices in each GAME, all games pooled.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("games", nargs="+", metavar="GAME", help="file or catalog name")
    option("--counts", required=True, metavar="PATH", help="table of choices (.csv)")
    option("--model", default="rqe", help="rqe (default), qre or nash+noise")
    shared = "parameters that all roles have in common: all (default), none, or names"
    option("--shared", type=_shared, default=True, metavar="NAME,...", help=shared)
    option("--fixed", default="", metavar="NAME=VALUE,...", help="parameters that are given")
    option("--penalty", default="kl", help="kl (default) or reverse_kl")
    option("--regularizer", default="entropy", help="entropy (default) or log_barrier")
    option("--estimator", default="fixed_point", help="fixed_point (default) or empirical_payoff")
    errors = "observed information (default), or clustered by game"
    option("--errors", choices=("observed", "cluster"), default="observed", help=errors)
    option("--json", metavar="PATH", help="write the result to PATH, or standard output with -")
    parser.set_defaults(command=lambda arguments: _fit(arguments, load))


def _fit(arguments: argparse.Namespace, load: Callable[[str], NormalFormGame]) -> int:
    """Read, estimate, print and write."""
    from rqe import estimation

    if arguments.json != "-":
        check_output("--json", arguments.json, (".json",))
    games = [load(name) for name in arguments.games]
    try:
        counts, n = _counts(arguments.counts, arguments.games, games)
        found = estimation.fit(
            games, counts, n=n, model=arguments.model, shared=arguments.shared,
            fixed=_fixed(arguments.fixed), penalty=arguments.penalty,
            regularizer=arguments.regularizer, estimator=arguments.estimator,
        )  # fmt: skip
        text = found.summary(arguments.errors)
    except estimation.EstimationError as error:
        raise CommandError(one_line(error), NOT_CONVERGED) from error
    except (ValueError, TypeError) as error:
        raise CommandError(one_line(error)) from error
    if arguments.json != "-":
        print(text)
    if arguments.json:
        import json

        write(arguments.json, (json.dumps(found.to_dict(), indent=1) + "\n").encode())
    return SOLVED


def _shared(text: str) -> bool | list[str]:
    """Return what `rqe.fit` takes as ``shared``; for argparse."""
    names = [name.strip() for name in text.split(",")]
    return {"all": True, "none": False}.get(text.strip(), names)


def _fixed(text: str) -> dict[str, float]:
    """Return parameters from name=value,name=value."""
    given: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name.strip() in given:
            raise ValueError(f"--fixed: {name.strip()} is given twice")
        try:
            given[name.strip()] = number(value)
        except ValueError:
            raise ValueError(f"--fixed: {part!r} is not NAME=NUMBER") from None
    return given


def _counts(
    path: str, names: Sequence[str], games: Sequence[NormalFormGame]
) -> tuple[list[list[list[float]]], list[list[int]] | None]:
    """Return counts, or frequencies with n, of every game and role from a CSV file."""
    rows = _table(path)
    header = rows[0][1]
    what = "count" if "count" in header else "frequency"
    needed = (*_COLUMNS, what, *(("n",) if what == "frequency" else ()),
              *(("game",) if len(games) > 1 else ()))  # fmt: skip
    missing = [column for column in needed if column not in header]
    if missing:
        raise ValueError(
            f"{path}: the header must have the columns {', '.join(needed)}; "
            f"{', '.join(missing)} is missing"
        )
    values: dict[tuple[int, int, int], float] = {}
    sizes: dict[tuple[int, int], float] = {}
    for line, row in rows:
        g = _index(row["game"], names, f"{path}, line {line}: game") if "game" in needed else 0
        i = _index(row["player"], games[g].players, f"{path}, line {line}: player")
        a = _index(row["action"], games[g].actions[i], f"{path}, line {line}: action")
        if (g, i, a) in values:
            raise ValueError(
                f"{path}, line {line}: action {row['action']!r} of player {row['player']!r} has a "
                "row already"
            )
        values[g, i, a] = _number(row[what], f"{path}, line {line}: {what}")
        if what == "frequency":
            n = _number(row["n"], f"{path}, line {line}: n")
            if sizes.setdefault((g, i), n) != n:
                raise ValueError(
                    f"{path}, line {line}: n must be {sizes[g, i]:g}, as in an earlier row of the "
                    f"role; got {n:g}"
                )
    return _arranged(path, values, games), _arranged_sizes(sizes, games)


def _table(path: str) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV file with their lines, without blanks around what they hold."""
    import csv

    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            rows = [
                (reader.line_num, {(key or "").strip(): (value or "").strip()
                                   for key, value in row.items() if isinstance(value, str | None)})
                for row in reader
            ]  # fmt: skip
    except OSError as error:
        raise ValueError(f"--counts: cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"--counts: {path} is no CSV file: {error}") from error
    if not rows:
        raise ValueError(f"--counts: {path} has no rows below its header")
    return rows


def _index(label: str, labels: Sequence[str], place: str) -> int:
    """Return the index of a label, or of a number from 1."""
    if label in labels:
        return labels.index(label)
    if label.isdecimal() and 1 <= int(label) <= len(labels):
        return int(label) - 1
    raise ValueError(f"{place} must be one of {', '.join(labels)}; got {label!r}")


def _number(text: str, place: str) -> float:
    """Return a number."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{place} must be a number; got {text!r}") from None


def _arranged(
    path: str, values: dict[tuple[int, int, int], float], games: Sequence[NormalFormGame]
) -> list[list[list[float]]]:
    """Return the numbers by game, role and action; every action needs one."""
    for g, game in enumerate(games):
        for i, actions in enumerate(game.actions):
            for a, action in enumerate(actions):
                if (g, i, a) not in values:
                    raise ValueError(
                        f"{path}: there is no row for action {action!r} of player "
                        f"{game.players[i]!r} in game {g + 1}"
                    )
    return [
        [[values[g, i, a] for a in range(count)] for i, count in enumerate(game.shape)]
        for g, game in enumerate(games)
    ]


def _arranged_sizes(
    sizes: dict[tuple[int, int], float], games: Sequence[NormalFormGame]
) -> list[list[int]] | None:
    """Return n by game and role, None where there are counts."""
    if not sizes:
        return None
    return [
        [sizes[g, i] for i in range(game.n_players)]  # type: ignore[misc]
        for g, game in enumerate(games)
    ]
