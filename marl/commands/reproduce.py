"""The command ``marl reproduce``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from marl.commands import common
from marl.commands.common import DONE, FAILED, exit_codes
from rqe.commands.common import workers

_EPILOG = f"""\
examples:
  marl reproduce kitchen --quick             six teams a method: minutes
  marl reproduce kitchen --out kitchen       30 teams a method and both ablations: CPU hours
  marl reproduce kitchen --only main         without the ablations
  marl reproduce kitchen --workers 2         two runs at a time

The same command goes on with what is there. Runs are in DIR/runs, the page is
DIR/report/index.html.

{exit_codes(failed="the figures are not what was to be shown", goes_on=True)}"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "reproduce",
        help="figure 2 of the paper with its ablations, from nothing",
        description="Train, cross, and judge the paper's claims on the kitchen.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("experiment", choices=("kitchen",), help="what to reproduce")
    option("--quick", action="store_true", help="fewer teams, steps and settings")
    option("--out", metavar="DIR", help="folder (reproduce/kitchen, or reproduce/kitchen-quick)")
    option(
        "--only",
        choices=("main", "tau", "entropy"),
        action="append",
        metavar="PART",
        help="main, tau or entropy; may be repeated (all)",
    )
    common.add_workers(option)
    option("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(command=_reproduce, goes_on=True)


def _reproduce(arguments: argparse.Namespace) -> int:
    """Reproduce, print tables and verdicts."""
    common.use_devices(None if arguments.workers == 1 else 1)
    from marl.measures import summarize
    from marl.report import method_tables, partner_tables, protocol, text_table
    from marl.reproduce import PARTS, claims, reproduce_kitchen

    name = f"{arguments.experiment}-quick" if arguments.quick else arguments.experiment
    out = Path(arguments.out or Path("reproduce") / name)
    with workers(arguments.workers) as executor:
        results = reproduce_kitchen(
            out,
            quick=arguments.quick,
            parts=arguments.only or PARTS,
            executor=executor,
            progress=not arguments.quiet,
            notes={"command": shlex.join(["marl", *arguments.argv])},
        )
    methods = summarize(results.cross)
    tables = [*method_tables(methods, "sampled"), *partner_tables(methods)]
    if results.exact is not None:
        about = f"exact, {results.exact.cross.steps} steps"
        tables += method_tables(summarize(results.exact.cross), about)
    print(protocol(results))
    print("\n".join("\n" + text_table(table) for table in tables))
    judged = claims(results, full=not arguments.quick)
    print("\nclaims (those with * are goals)")
    for claim in judged:
        mark = "*" if claim.goal else " "
        print(f"  {'holds' if claim.holds else 'FAILS'} {mark} {claim.text}: {claim.found}")
    print(f"\n{out / 'report' / 'index.html'}")
    return DONE if all(claim.holds for claim in judged if claim.goal) else FAILED
