"""The command ``rqe figure``: figures of the papers with their numbers, pictures of the pages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rqe.commands.common import NO_OUTPUT, CommandError, write

_EPILOG = """\
examples:
  rqe figure 1 --out figures     figure 1 of arXiv 2602.21515: figures/figure_1.png, and beside it
                                 figure_1_utility.csv and figure_1_collaboration.csv
  rqe figure pictures --out docs/images    the pictures of the documentation, as .svg"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "figure",
        help="reproduce a figure of the papers, or the pictures of the documentation",
        description="Draw figure 1 of arXiv 2602.21515 with its data as CSV, or pictures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("which", choices=("1", "pictures"), metavar="WHICH", help="1 or pictures")
    parser.add_argument("--out", default=".", metavar="DIR", help="folder (default: this one)")
    parser.set_defaults(command=_figure)


def _figure(arguments: argparse.Namespace) -> int:
    """Compute, draw and write; the folder is made if its parent exists."""
    folder = Path(arguments.out)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out: cannot make {folder}: {error.strerror}", NO_OUTPUT) from error
    try:
        return _figure_1(folder) if arguments.which == "1" else _pictures(folder)
    except ImportError as error:
        raise CommandError(str(error), NO_OUTPUT) from error


def _pictures(folder: Path) -> int:
    """Write every picture of the documentation."""
    import io

    from matplotlib import rc_context

    from rqe import gallery

    for name in (*gallery.PICTURES, "gallery"):
        image = io.BytesIO()
        with rc_context({"svg.hashsalt": name}):  # the same bytes each time
            gallery.draw(name).savefig(image, format="svg", metadata={"Date": None})
        write(str(folder / f"{name}.svg"), image.getvalue())
        print(folder / f"{name}.svg")
    return 0


def _figure_1(folder: Path) -> int:
    """Write figure 1 and the numbers behind it."""
    import io

    from rqe import _plain, figures

    panels = figures.figure_1()
    drawing = figures.draw_figure_1(panels)
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
