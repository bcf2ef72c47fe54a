"""The command ``rqe verify``: every claim of `rqe.theorems`, proved, searched, and judged."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from rqe.commands.common import BAD_INPUT, CommandError, check_output, write
from rqe.commands.program import natural, positive

_EXAMPLES = 5000
_EPILOG = """\
examples:
  rqe verify                                  every claim, in about a minute
  rqe verify --list                           their names and the verdicts on record
  rqe verify theorem-2-published              one that is false, with a counterexample to paste
  rqe verify theorem-2-sharp --examples 100000
  rqe verify --report theorems.html           the same as one page

exit codes:
  0   every verdict is the one on record
  1   a claim on record as true was refuted, or none was found against a false one
  2   bad usage (unknown option, value or claim)
  3   the report could not be written"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "verify",
        help="prove, check and try to refute the theorems",
        description="Prove each THEOREM by sympy and search for games that refute it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("theorems", nargs="*", metavar="THEOREM", help="names of claims (default: all)")
    option(
        "--examples", type=positive, default=_EXAMPLES, metavar="N",
        help=f"games to judge each claim by (default {_EXAMPLES})",
    )  # fmt: skip
    option("--seed", type=natural, default=0, metavar="S", help="of the search (default 0)")
    option("--report", metavar="PATH", help="write a page (.html), whole or not at all")
    option("--list", action="store_true", help="list the claims and stop")
    parser.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    """Judge the claims one after the other and print each verdict when it is known."""
    from rqe import theorems

    try:
        chosen = [theorems.by_name(name) for name in arguments.theorems] or theorems.all()
    except ValueError as error:
        raise CommandError(str(error), BAD_INPUT) from error
    if arguments.list:
        for theorem in chosen:
            print(f"{theorem.name:26} {'true ' if theorem.true else 'false'}  {theorem.title}")
        return 0
    check_output("--report", arguments.report, (".html", ".htm"))
    verdicts: list[theorems.Verdict] = []
    for theorem in chosen:
        with _bar(theorem.name, arguments.examples) as progress:
            verdict = theorems.verify(
                theorem, examples=arguments.examples, seed=arguments.seed, progress=progress
            )
        print(("\n" if verdicts else "") + verdict.summary(), flush=True)
        verdicts.append(verdict)
    if arguments.report:
        write(arguments.report, theorems.report(verdicts).encode())
    return 0 if all(verdict.as_recorded for verdict in verdicts) else 1


def _bar(name: str, examples: int) -> Any:
    """Return a progress bar as a context that gives its update function; without tqdm, nothing."""
    silent: Callable[[int], None] = _nothing
    if not sys.stderr.isatty():
        return nullcontext(silent)
    try:
        from tqdm import tqdm
    except ImportError:
        return nullcontext(silent)
    return _Updates(tqdm(total=examples, desc=name, unit=" games", leave=False))


def _nothing(_: int) -> None:
    """Show no progress."""


class _Updates:
    """A bar as a context whose value is its update function."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __enter__(self) -> Callable[[int], None]:
        """Return the update function."""
        self._bar.__enter__()
        update: Callable[[int], None] = self._bar.update
        return update

    def __exit__(self, *reason: Any) -> None:
        """Take the bar away."""
        self._bar.__exit__(*reason)
