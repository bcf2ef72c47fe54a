"""The option ``rqe solve --nash``: one Nash equilibrium, the pure ones, or all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rqe.commands.common import CommandError

if TYPE_CHECKING:
    from rqe._clock import Progress
    from rqe.games.normal_form import NormalFormGame
    from rqe.solution import Solution
    from rqe.solution_set import SolutionSet


def add_options(add: Any) -> None:
    """Add the options to those of ``rqe solve``; `add` is its ``add_argument``."""
    add(
        "--nash",
        choices=("one", "pure", "all"),
        help="Nash equilibria: one, those in pure strategies, or all (exit code 1 where it is not "
        "proved that none is missing)",
    )
    add(
        "--time-limit",
        type=_seconds,
        metavar="S",
        help="seconds for --nash pure or all on each game; what was found by then is printed "
        "(default 60)",
    )


def _seconds(text: str) -> float:
    """Return a number of seconds; for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds >= 0")
    return value


def check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go with --nash, or only go with it."""
    if arguments.nash is None:
        if arguments.time_limit is not None:
            raise CommandError("--time-limit is for --nash pure and --nash all")
        return
    if arguments.nash == "one" and arguments.time_limit is not None:
        raise CommandError("--time-limit is for --nash pure and --nash all; got --nash one")
    if any(value != 0.0 for value in (arguments.tau, arguments.eps)):
        raise CommandError("--nash means tau = eps = 0: leave out --tau and --eps")
    if (arguments.penalty, arguments.regularizer) != ("kl", "entropy"):
        raise CommandError("--nash means tau = eps = 0: leave out --penalty and --regularizer")
    for name in ("trace", "certify", "solver"):
        if getattr(arguments, name):
            raise CommandError(f"--{name} does not go with --nash")
    if arguments.plot and arguments.nash != "one":
        raise CommandError(f"--plot draws one solution or branch, not --nash {arguments.nash}")


def find(game: NormalFormGame, arguments: argparse.Namespace) -> Solution | SolutionSet:
    """Return what was asked for; a long search tells its progress on a terminal."""
    import rqe

    if arguments.nash == "one":
        return rqe.nash(game, tol=arguments.tol, throw=False)
    limit = 60.0 if arguments.time_limit is None else arguments.time_limit
    with _progress() as progress:
        found: SolutionSet = rqe.nash(
            game, arguments.nash, tol=arguments.tol, time_limit=limit, progress=progress
        )
    return found


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Give a function that rewrites one line on a terminal, and take the line away at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    widest = 0

    def show(text: str, seconds: float) -> None:
        nonlocal widest
        line = f"rqe: {text}, {seconds:.0f} s"
        widest = max(widest, len(line))
        print(f"\r{line:<{widest}}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if widest:
            print(f"\r{'':<{widest}}\r", end="", file=sys.stderr, flush=True)
