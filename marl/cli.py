"""Command line of `marl`: the commands of `marl.commands`.

Everything but the parsers is imported when a command needs it, so that help is quick. Errors are
one line on standard error, never a traceback; `marl.commands.common.exit_codes` says what scripts
can test.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from marl.commands import benchmark, crossplay, debate, report, reproduce, train, watch
from marl.commands.common import BAD_INPUT, GOES_ON, INTERNAL, NO_OUTPUT, CommandError, complain
from rqe.commands.common import one_line
from rqe.commands.program import Parser, Version, close_stdout

__all__ = ["main"]

_EPILOG = """\
examples:
  marl train --algo srpo --tau 10 --eps 0.1 --seeds 30 --steps 2e6 --out runs/srpo
  marl crossplay runs/ippo runs/srpo --episodes 100 --out report/
  marl report report/
  marl watch runs/srpo --seed 3
  marl reproduce kitchen --quick
  marl benchmark kitchen --methods ippo,srpo,fcp --quick

'marl COMMAND --help' has more of them, and the exit codes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        One of the codes that the command's ``--help`` lists.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser().parse_args(given)
    except SystemExit as stop:  # argparse printed the help, or one line of usage error
        return int(stop.code or 0)
    arguments.argv = given
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line_warning
            code = command(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        complain("interrupted" + (f"; {GOES_ON}" if arguments.goes_on else ""))
        return 130
    except BrokenPipeError:  # the reader of a pipe has seen enough
        close_stdout()
        return NO_OUTPUT
    except Exception as error:
        return _code_of(error, extra="llm" if given[0] == "debate" else "marl")


def _code_of(error: Exception, *, extra: str) -> int:
    """Say in one line what went wrong, and return the exit code; `extra` brings what is missing."""
    words = one_line(error)
    if isinstance(error, CommandError):
        complain(words)
        return error.code
    if os.environ.get("MARL_DEBUG"):
        raise error
    if isinstance(error, ImportError):
        complain(words if "pip install" in words else f"{words}: pip install 'rqe[{extra}]'")
        return NO_OUTPUT
    if isinstance(error, OSError):
        complain(f"{error.filename}: {error.strerror}" if error.filename else words)
        return NO_OUTPUT
    if isinstance(error, ValueError | TypeError) and _from_input(error):
        complain(words)
        return BAD_INPUT
    complain(f"internal error, please report it: {type(error).__name__}: {words}")
    return INTERNAL


def _from_input(error: Exception) -> bool:
    """Whether our own code raised `error`, to refuse an input, and not a library by a defect."""
    trace, last = error.__traceback__, None
    while trace is not None:
        last, trace = trace, trace.tb_next
    name = last.tb_frame.f_globals.get("__name__", "") if last is not None else ""
    return str(name).split(".")[0] in ("marl", "rqe")


def _one_line_warning(message: Warning | str, *unused: Any, **unused_too: Any) -> None:
    """Show a warning without the line of code that it came from."""
    complain(f"warning: {message}")


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the program with its commands."""
    parser = Parser(
        prog="marl",
        description="Train teams that do not free-ride, and let them meet strangers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    parser.set_defaults(goes_on=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (train, crossplay, report, watch, reproduce, benchmark, debate):
        module.add(commands)
    return parser
