"""The command ``rqe figure``: figures of the papers, with the numbers behind them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rqe.commands.common import NO_OUTPUT, CommandError, write

_EPILOG = """\
example:
  rqe figure 1 --out figures     figure 1 of arXiv 2602.21515: figures/figure_1.png, and beside it
                                 figure_1_utility.csv and figure_1_collaboration.csv"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "figure",
        help="reproduce a figure of the papers",
        description="Reproduce figure NUMBER of arXiv 2602.21515, with its data as CSV.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("number", choices=("1",), metavar="NUMBER", help="1")
    parser.add_argument("--out", default=".", metavar="DIR", help="folder (default: this one)")
    parser.set_defaults(command=_figure)


def _figure(arguments: argparse.Namespace) -> int:
    """Compute, draw and write; the folder is made if its parent exists."""
    import io

    from rqe import _plain, figures

    folder = Path(arguments.out)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out: cannot make {folder}: {error.strerror}", NO_OUTPUT) from error
    panels = figures.figure_1()
    try:
        drawing = figures.draw_figure_1(panels)
    except ImportError as error:
        raise CommandError(str(error), NO_OUTPUT) from error
    image = io.BytesIO()
    drawing.savefig(image, format="png", dpi=150)
    outputs = {
        "figure_1.png": image.getvalue(),
        "figure_1_utility.csv": _plain.csv_text(panels.utility).encode(),
        "figure_1_collaboration.csv": _plain.csv_text(panels.collaboration).encode(),
    }
    for name, data in outputs.items():
        write(str(folder / name), data)
        print(folder / name)
    print(f"pitchfork at tau* = {panels.pitchfork.tau:.15g}, x(C) = {panels.pitchfork.x:.15g}")
    return 0
