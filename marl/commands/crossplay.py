"""The command ``marl crossplay``."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from marl.commands import common
from marl.commands.common import DONE, CommandError, exit_codes

_EPILOG = f"""\
examples:
  marl crossplay runs/ippo runs/srpo --episodes 100 --out report/
  marl crossplay runs/ippo runs/srpo --episodes 64 --steps 128 --out report/
  marl crossplay ippo=runs/a,runs/b srpo=runs/c --out report/    two runs of one method

Writes the matrices, a table per method (methods.csv) and per team (teams.csv);
'marl report' makes a page and figures of them.

{exit_codes()}"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "crossplay",
        help="play every pair of teams, and every team beside scripted partners",
        description="Play all pairs of the teams of some runs, zero-shot, and say what comes out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("runs", nargs="+", metavar="[NAME=]RUN[,RUN...]", help="complete runs, by method")
    option("--out", required=True, metavar="DIR", help="folder for the results")
    option(
        "--episodes",
        type=common.positive,
        default=100,
        metavar="N",
        help="episodes of each pair (100)",
    )
    option(
        "--steps",
        type=common.positive,
        metavar="N",
        help="length of each, beginning anew whenever one ends before (by default its own)",
    )
    option("--seed", type=common.natural, default=0, help="of all randomness (0)")
    option("--no-exact", action="store_true", help="leave out exact values (kitchen)")
    parser.set_defaults(command=_crossplay)


def parse_runs(texts: list[str]) -> dict[str, list[str]]:
    """Return folders by method; a method without a name is called as its first folder.

    A text that names a folder is that folder, an equals sign in it or not.

    Examples
    --------
    >>> parse_runs(["runs/ippo", "srpo=runs/c,runs/d"])
    {'ippo': ['runs/ippo'], 'srpo': ['runs/c', 'runs/d']}
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if Path(text).is_dir():  # a folder may be called tau=10
            name, equals = "", ""
        folders = (rest if equals else text).split(",")
        name = name if equals else Path(folders[0]).resolve().name
        if not name or not all(folders):
            raise CommandError(f"{text!r} is not [NAME=]RUN[,RUN...]")
        if name in found:
            raise CommandError(f"two methods are called {name!r}; write NAME={folders[0]}")
        found[name] = folders
    return found


def _crossplay(arguments: argparse.Namespace) -> int:
    """Play, print tables, and write the results."""
    from marl.measures import summarize
    from marl.report import method_tables, partner_tables, protocol, text_table
    from marl.teams import play_all

    runs = parse_runs(arguments.runs)
    Path(arguments.out).mkdir(parents=True, exist_ok=True)  # to fail now, not after the play
    results = play_all(
        runs,
        episodes=arguments.episodes,
        steps=arguments.steps,
        seed=arguments.seed,
        exact=not arguments.no_exact,
        progress=sys.stderr.isatty(),
        notes={"command": shlex.join(["marl", *arguments.argv])},
    )
    results.save(arguments.out)
    methods = summarize(results.cross)
    tables = method_tables(methods, "sampled")
    if results.exact is not None:
        about = f"exact, {results.exact.cross.steps} steps"
        tables += method_tables(summarize(results.exact.cross), about)
    print(protocol(results))
    print("\n".join("\n" + text_table(table) for table in [*tables, *partner_tables(methods)]))
    print(f"\nresults: {arguments.out}")
    return DONE
