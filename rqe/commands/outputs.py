"""What ``rqe solve`` writes: JSON, one tidy table, a figure; checked before any time is spent."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rqe.commands import nash
from rqe.commands.common import NO_OUTPUT, CommandError, check_output, write

if TYPE_CHECKING:
    from rqe.branch import Branch
    from rqe.solution import Solution
    from rqe.solution_set import SolutionSet

    Answer = Solution | Branch | SolutionSet

_PLOT_SUFFIXES = (".png", ".pdf", ".svg")


def settled(result: Answer) -> bool:
    """Whether a result is what was asked for: within the tolerance, or a set proved complete."""
    from rqe.solution_set import SolutionSet

    return result.complete if isinstance(result, SolutionSet) else result.converged


def _check_trace(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go with --trace, or only go with it."""
    if arguments.parameter and not arguments.trace:
        raise CommandError("--parameter says what --trace changes: give --trace too")
    if arguments.trace and arguments.certify:
        raise CommandError("--certify proves one answer, not a branch: drop --trace")
    if arguments.trace and arguments.solver not in (None, "principal_branch"):
        raise CommandError(f"--trace follows the principal branch; got --solver {arguments.solver}")


def check(arguments: argparse.Namespace) -> None:
    """Refuse outputs that cannot work before any time is spent on solving."""
    _check_trace(arguments)
    nash.check(arguments)
    if arguments.json == "-" and arguments.csv == "-":
        raise CommandError("--json and --csv cannot both go to standard output; give one a path")
    allowed = {"json": (".json",), "csv": (".csv",), "plot": _PLOT_SUFFIXES}
    for option, suffixes in allowed.items():
        path = getattr(arguments, option)
        if path is None or (path == "-" and option != "plot"):
            continue
        check_output(f"--{option}", path, suffixes)
    if arguments.plot:
        from importlib.util import find_spec

        if find_spec("matplotlib") is None:
            raise CommandError("--plot needs matplotlib: pip install 'rqe[plot]'", NO_OUTPUT)


def write_all(
    arguments: argparse.Namespace,
    results: Sequence[tuple[str, Answer]],
    proofs: Sequence[dict[str, Any]],
) -> None:
    """Write JSON, CSV and figure, as asked."""
    from rqe import _plain

    if arguments.json:
        import json

        pairs = zip(results, proofs, strict=True)
        entries = [{"input": name, **result.to_dict(), **proof} for (name, result), proof in pairs]
        write(arguments.json, (json.dumps(entries, indent=1) + "\n").encode())
    if arguments.csv:
        write(arguments.csv, _plain.csv_text(_records(results)).encode())
    if arguments.plot:
        import io

        from rqe import plot

        drawn: list[Any] = [result for _, result in results]
        drawing, image = plot.figure(drawn), io.BytesIO()
        drawing.savefig(image, format=Path(arguments.plot).suffix[1:].lower(), dpi=150)
        write(arguments.plot, image.getvalue())


def _records(results: Sequence[tuple[str, Answer]]) -> Iterator[dict[str, Any]]:
    """All results in one tidy table; the first column is the game as it was given."""
    from rqe.solution import Solution

    for name, result in results:
        certificate: dict[str, Any] = {}
        if isinstance(result, Solution):  # a branch has its own, point by point
            certificate = {"residual": result.residual, "regret": result.regret}
        for row in result.rows():
            yield {"game": name, **row, **certificate, "status": result.status.value}
