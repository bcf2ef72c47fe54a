"""Command line: ``rqe solve``, ``rqe games`` and the commands of `rqe.commands`.

Everything but the parser is imported when a command needs it, so that help and version are quick.
Errors are one line on standard error, never a traceback; `EXIT_CODES` says what scripts can test.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rqe.commands import certify, figure, fit, nash, outputs, study, sweep, verify
from rqe.commands.common import (
    BAD_INPUT,
    INTERNAL,
    NO_OUTPUT,
    NOT_CONVERGED,
    SOLVED,
    CommandError,
    complain,
    number,
    one_line,
)
from rqe.commands.program import Parser, Version, close_stdout

if TYPE_CHECKING:
    from rqe.commands.outputs import Answer
    from rqe.games.normal_form import NormalFormGame

__all__ = [
    "BAD_INPUT",
    "INTERNAL",
    "NOT_CONVERGED",
    "NO_OUTPUT",
    "SOLVED",
    "CommandError",
    "main",
]

EXIT_CODES = """\
exit codes:
  0   every game was solved within --tol
  1   a solver did not converge, --certify failed, or --nash may have missed some; what there is
      is printed all the same
  2   bad usage or bad input (unknown option, value, game or file)
  3   an output could not be written, or an optional package is missing
  70  a defect of rqe itself (set RQE_DEBUG=1 to see the traceback)
  130 interrupted
with several games, the code is that of the first kind of trouble in the order 3, 2, 1, 0"""

_SOLVE_EPILOG = f"""\
examples:
  rqe solve game.nfg --tau 1 --eps 0.2            an RQE of a Gambit file
  rqe solve prisoners-dilemma                     its Nash equilibrium (tau = eps = 0)
  rqe solve von-stengel-6x6 --nash all            all Nash equilibria, proved complete
  rqe solve volunteers-dilemma:players=6 --eps 1  a family, with its parameters
  rqe solve game.nfg --tau 0,inf --eps 0.2,1/3    one value per player
  rqe solve a.nfg b.nfg --eps 0.5 --csv table.csv several games, one table
  rqe solve game.nfg --eps 0.1 --json -           JSON on standard output, nothing else there
  rqe solve game.nfg --eps 0.1 --certify          an equilibrium proved by interval arithmetic
  rqe solve game.nfg --trace --plot branch.png    the whole principal branch, as a figure

JSON is always a list with one entry per solved game; infinities are the strings "inf", "-inf".

{EXIT_CODES}"""

_GAMES_EPILOG = """\
examples:
  rqe games                      every name in the catalog
  rqe games prisoners-dilemma    what it is, where it comes from, its payoffs"""

_TRACE_ERROR = 1e-4  # dense enough for a smooth figure; see PrincipalBranch.predictor_error


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        One of the codes that ``rqe solve --help`` lists.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal cannot show
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse printed the help, the version or one line of usage error
        return int(stop.code or 0)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        code = command(arguments)
        print(end="", flush=True)
        return code
    except CommandError as error:
        complain(str(error))
        return error.code
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:  # the reader of a pipe has seen enough
        close_stdout()
        return NO_OUTPUT
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:  # files are complained of before
            close_stdout()
            complain(f"cannot write to standard output: {error.strerror}")
            return NO_OUTPUT
        if os.environ.get("RQE_DEBUG"):
            raise
        complain(f"internal error, please report it: {type(error).__name__}: {one_line(error)}")
        return INTERNAL


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the program with its commands."""
    parser = Parser(
        prog="rqe",
        description="Strategically risk-averse, boundedly rational equilibria of finite games.",
        epilog="Try 'rqe solve --help', which has examples and the exit codes.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_solve(commands)
    games = commands.add_parser(
        "games",
        help="list the catalog, or describe games of it",
        description="List the games that come with rqe, or describe some of them.",
        epilog=_GAMES_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    games.add_argument("names", nargs="*", metavar="NAME", help="games to describe")
    games.set_defaults(command=_games)
    verify.add(commands)
    figure.add(commands)
    study.add(commands)
    fit.add(commands, _load)
    sweep.add(commands, _load)
    return parser


def _add_solve(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command `solve` with its options."""
    solve = commands.add_parser(
        "solve",
        help="solve games from files or the catalog",
        description="Solve each GAME: a Gambit .nfg file, or a name that 'rqe games' lists.",
        epilog=_SOLVE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = solve.add_argument
    add("games", nargs="+", metavar="GAME", help="file or catalog name")
    numbers = "one number or one per player, comma-separated; fractions and inf are allowed"
    add("--tau", type=_numbers, default="0", help=f"risk aversion, 1/payoff: {numbers} (default 0)")
    add(
        "--eps",
        type=_numbers,
        default="0",
        help=f"bounded rationality, payoff: {numbers} (default 0)",
    )
    add("--penalty", default="kl", help="kl (default) or reverse_kl")
    add("--regularizer", default="entropy", help="entropy (default) or log_barrier")
    add("--solver", help="principal_branch (default) or newton")
    add("--tol", type=_number, default="1e-10", help="largest residual, relative (default 1e-10)")
    nash.add_options(add)
    add("--certify", action="store_true", help="prove each answer by interval arithmetic")
    add("--trace", action="store_true", help="the whole principal branch, not only its end")
    add("--parameter", choices=("eps", "tau"), help="what --trace changes (default eps)")
    for name, what in (("json", "JSON"), ("csv", "a tidy table")):
        text = f"write {what} to PATH (.{name}), or to standard output without PATH or with -"
        add(f"--{name}", nargs="?", const="-", metavar="PATH", help=text)
    add("--plot", metavar="PATH", help="write a figure (.png, .pdf or .svg); needs rqe[plot]")
    solve.set_defaults(command=_solve)


def _number(text: str) -> float:
    """Return the float of `text`, which may be a fraction; for argparse."""
    try:
        return number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _numbers(text: str) -> float | list[float]:
    """Return one number, or the list of a comma-separated text; for argparse."""
    values = [_number(part.strip()) for part in text.split(",")]
    return values[0] if len(values) == 1 else values


def _solve(arguments: argparse.Namespace) -> int:
    """Solve every game, write every output, and return the worst exit code."""
    outputs.check(arguments)
    results: list[tuple[str, Answer]] = []
    proofs: list[dict[str, Any]] = []
    worst = SOLVED
    data_on_stdout = "-" in (arguments.json, arguments.csv)
    for name in arguments.games:
        try:
            result = _result(name, arguments)
        except CommandError as error:
            complain(str(error))
            worst = max(worst, error.code)
            continue
        if not outputs.settled(result):
            complain(f"{name}: {result.status.message}")
            worst = max(worst, NOT_CONVERGED)
        if not data_on_stdout:
            print(("\n" if results else "") + result.summary())
        proof: dict[str, Any] = {}
        code = SOLVED
        if arguments.certify:
            proof, code = certify.prove(name, result, quiet=data_on_stdout)
        worst = max(worst, code)
        results.append((name, result))
        proofs.append(proof)
    if results:
        outputs.write_all(arguments, results, proofs)
    return worst


def _result(name: str, arguments: argparse.Namespace) -> Answer:
    """Solve one game, or trace its branch; every complaint names the game."""
    import rqe

    options = {
        "penalty": arguments.penalty,
        "regularizer": arguments.regularizer,
        "tol": arguments.tol,
        "throw": False,
    }
    try:
        game = _load(name)
        if arguments.nash:
            return nash.find(game, arguments)
        if arguments.trace:
            return rqe.trace(
                game,
                arguments.tau,
                arguments.eps,
                parameter=arguments.parameter or "eps",
                solver=rqe.PrincipalBranch(predictor_error=_TRACE_ERROR),
                **options,
            )
        return rqe.solve(game, arguments.tau, arguments.eps, solver=arguments.solver, **options)
    except (ValueError, TypeError) as error:
        raise CommandError(f"{name}: {one_line(error)}") from error
    except MemoryError as error:
        raise CommandError(f"{name}: not enough memory for this game") from error


def _load(name: str) -> NormalFormGame:
    """Read the file `name`, or load that game of the catalog; every complaint names it."""
    import rqe

    known = rqe.catalog.names()
    base, _, parameters = name.partition(":")
    try:
        if Path(name).is_file():
            return rqe.read_nfg(name)
        if base in known:
            return rqe.catalog.load(base, **_parameters(parameters))
        kind = "a directory, not a file" if Path(name).is_dir() else "no such file"
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        message = one_line(error)
        raise CommandError(message if name in message else f"{name}: {message}") from error
    except MemoryError as error:
        raise CommandError(f"{name}: not enough memory for this game") from error
    raise CommandError(
        f"{name}: {kind}, and no game of the catalog has this name{_near(name, known)}"
    )


def _parameters(text: str) -> dict[str, int | str]:
    """Parameters of a family of games, from key=value,key=value; the family checks them."""
    given: dict[str, int | str] = {}
    for part in filter(None, text.split(",")):
        key, _, value = map(str.strip, part.partition("="))
        if key in given:
            raise ValueError(f"{key} is given twice")
        given[key] = int(value) if value.isdecimal() else value
    return given


def _near(name: str, known: Sequence[str]) -> str:
    """Hint at the known name that is most like `name`."""
    best = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; the nearest is {best[0]!r}" if best else " ('rqe games' lists them)"


def _games(arguments: argparse.Namespace) -> int:
    """List the catalog, or describe some games of it."""
    import textwrap

    import rqe
    from rqe import report

    known = rqe.catalog.names()
    for name in arguments.names:
        if name not in known:
            raise CommandError(f"no game of the catalog is called {name!r}{_near(name, known)}")
    for k, name in enumerate(arguments.names):
        lines = rqe.catalog.describe(name).splitlines()
        print(("\n" if k else "") + "\n".join(textwrap.fill(line, 92) for line in lines))
        print("\n" + report.game_text(rqe.catalog.load(name)))
    if not arguments.names:
        rows = [(name, report.game_name(rqe.catalog.load(name))) for name in known]
        print("\n".join(report.table(("name", "game"), rows, range(2))))
    return SOLVED
