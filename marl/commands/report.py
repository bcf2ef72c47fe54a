"""The command ``marl report``."""

from __future__ import annotations

import argparse
from typing import Any

from marl.commands.common import DONE, exit_codes

_EPILOG = f"""\
examples:
  marl crossplay runs/ippo runs/srpo --out report/
  marl report report/            report/index.html and PNGs

{exit_codes()}"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "report",
        help="one self-contained page and figures from a cross-play",
        description="Write index.html (needs no other file) and PNGs into DIR.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="--out of 'marl crossplay'")
    parser.set_defaults(command=_report)


def _report(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from marl.report import write_report

    print(write_report(arguments.folder))
    return DONE
