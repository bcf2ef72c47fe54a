"""The command ``rqe study``: models of how people play, compared on published data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rqe.commands.common import (
    NO_OUTPUT,
    NOT_CONVERGED,
    SOLVED,
    CommandError,
    one_line,
    workers,
    write,
)

_EPILOG = """\
examples:
  rqe study selten-chmura                 RQE, QRE and Nash with noise on the 12 games
  rqe study selten-chmura --out study     the same with study/study.txt, models.csv, games.csv
                                          and observed.svg
  rqe study selten-chmura --workers 2     refits in two processes"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "study",
        help="compare models of how people play on published data",
        description="Fit RQE, QRE and Nash with noise to DATA, and predict games left out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("data", metavar="DATA", help="selten-chmura, ochs")
    parser.add_argument("--out", metavar="DIR", help="folder for text, tables and figure")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1: this one)")
    parser.set_defaults(command=_study)


def _study(arguments: argparse.Namespace) -> int:
    """Compute, print and write."""
    from rqe import datasets, study
    from rqe.parallel import LostWorkersError

    try:
        known = datasets.load(arguments.data).n is not None  # else no folder is made for it
        with workers(arguments.workers) as executor:
            folder = _folder(arguments.out) if known else None
            found = study.run(arguments.data, executor=executor)
    except ValueError as error:
        raise CommandError(one_line(error)) from error
    except LostWorkersError as error:
        raise CommandError(one_line(error), NOT_CONVERGED) from error
    print(found.summary())
    if folder is not None:
        _write(found, folder)
    return SOLVED


def _folder(out: str | None) -> Path | None:
    """Return the folder of --out, made if its parent exists."""
    if out is None:
        return None
    try:
        Path(out).mkdir(exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out: cannot make {out}: {error.strerror}", NO_OUTPUT) from error
    return Path(out)


def _write(found: Any, folder: Path) -> None:
    """Write text, tables and figure."""
    import io

    from rqe import _plain

    outputs = {
        "study.txt": (found.summary() + "\n").encode(),
        "models.csv": _plain.csv_text(found.models()).encode(),
        "games.csv": _plain.csv_text(found.games()).encode(),
    }
    for name, data in outputs.items():
        write(str(folder / name), data)
    try:
        drawing = found.figure()
    except ImportError as error:
        raise CommandError(one_line(error), NO_OUTPUT) from error
    image = io.BytesIO()
    drawing.savefig(image, format="svg")
    write(str(folder / "observed.svg"), image.getvalue())
