"""The command ``rqe sweep``: equilibria over grids of tau and eps, as a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rqe.commands.common import (
    NO_OUTPUT,
    NOT_CONVERGED,
    SOLVED,
    CommandError,
    check_output,
    number,
    one_line,
    workers,
    write,
)

if TYPE_CHECKING:
    import pandas

_EPILOG = """\
examples:
  rqe sweep free-riding --tau 0:4:0.5 --eps 0.2 --outputs welfare,free_riding
  rqe sweep game.nfg --tau 0,1,inf --eps 0.1:1:0.1 --csv table.csv
  rqe sweep a.nfg b.nfg --tau 0:2:0.01 --eps 0.05:1:0.01 --out study --workers 4

START:STOP:STEP includes STOP. The folder of --out has a Parquet file per part of the grid; the same
command goes on where an earlier one was interrupted. rqe.read_sweep(FOLDER) reads it."""
_MOST_VALUES = 10**6


def add(commands: Any, load: Callable[[str], Any]) -> None:
    """Add the command to the program's; `load` makes a game of a file or a name."""
    parser = commands.add_parser(
        "sweep",
        help="solve games on a grid of tau and eps",
        description="Solve each GAME (a Gambit .nfg file or a catalog name) on a grid.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("games", nargs="+", metavar="GAME", help="file or catalog name")
    grid = "START:STOP:STEP or values separated by commas; fractions and inf are allowed"
    option("--tau", type=_grid, default="0", help=f"risk aversion, 1/payoff: {grid} (default 0)")
    option(
        "--eps", type=_grid, default="0", help=f"bounded rationality, payoff: {grid} (default 0)"
    )
    option("--penalty", default="kl", help="kl (default) or reverse_kl")
    option("--regularizer", default="entropy", help="entropy (default) or log_barrier")
    option(
        "--outputs",
        default="strategies,payoffs",
        help="of strategies, payoffs, risk_adjusted, regret, residual, welfare, free_riding",
    )
    option("--out", metavar="DIR", help="folder for results as they come; resumes (needs pyarrow)")
    option("--csv", metavar="PATH", help="write the table to PATH, or to standard output with -")
    option("--workers", type=int, default=1, help="processes (default 1: this one)")
    parser.set_defaults(command=lambda arguments: _sweep(arguments, load))


def _grid(text: str) -> list[float]:
    """Return the values of START:STOP:STEP or of a comma-separated text; for argparse."""
    try:
        if ":" not in text:
            return [number(part) for part in text.split(",")]
        start, stop, step = map(_exactly, text.split(":"))
        count = (stop - start) / step if step else Fraction(-1)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from None
    if not 0 <= count < _MOST_VALUES:
        raise argparse.ArgumentTypeError(f"{text!r} needs a step that leads from START to STOP")
    return [float(start + k * step) for k in range(int(count) + 1)]


def _exactly(text: str) -> Fraction:
    """Return the finite number of a text as a fraction, by which grids are exact."""
    value = number(text)
    return Fraction(text) if "/" in text else Fraction(repr(value))


def _sweep(arguments: argparse.Namespace, load: Callable[[str], Any]) -> int:
    """Compute the table, write it, and say how many points failed."""
    if arguments.csv != "-":
        check_output("--csv", arguments.csv, (".csv",))
    twice = [name for name in arguments.games if arguments.games.count(name) > 1]
    if twice:
        raise CommandError(f"GAME: each game once; got {twice[0]} twice")
    games = {name: load(name) for name in arguments.games}
    frame = _table(games, arguments)
    if arguments.csv:
        write(arguments.csv, frame.to_csv(index=False).encode())
    failed, points = frame.attrs["failed"], frame.attrs["points"]
    if arguments.csv != "-":
        print(frame.to_string(index=False, max_rows=20))
        print(f"{points} points, {failed} failed")
    return NOT_CONVERGED if failed else SOLVED


def _table(games: dict[str, Any], arguments: argparse.Namespace) -> pandas.DataFrame:
    """Return the table; trouble as one line."""
    import sys

    from rqe.parallel import LostWorkersError
    from rqe.sweeping import sweep

    one = len(games) == 1
    try:
        with workers(arguments.workers) as executor:
            return sweep(
                next(iter(games.values())) if one else games, arguments.tau, arguments.eps,
                penalty=arguments.penalty, regularizer=arguments.regularizer,
                outputs=arguments.outputs.split(","), path=arguments.out, executor=executor,
                progress=_shown() if sys.stderr.isatty() else None,
            )  # fmt: skip
    except (ValueError, TypeError) as error:
        raise CommandError(one_line(error)) from error
    except ImportError as error:
        raise CommandError(one_line(error), NO_OUTPUT) from error
    except OSError as error:
        raise CommandError(f"--out: {error}", NO_OUTPUT) from error
    except LostWorkersError as error:
        raise CommandError(one_line(error), NOT_CONVERGED) from error


def _shown() -> bool:
    """Return whether there is a progress bar to show."""
    import importlib.util

    return importlib.util.find_spec("tqdm") is not None
