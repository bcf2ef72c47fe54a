"""A run's metrics on disk: CSV to keep, TensorBoard to look at.

The CSV is a function of the run's configuration alone: no times in it, floats that read back
exactly. Rows are appended before each checkpoint; what a killed process wrote beyond its last
checkpoint is cut off when the run goes on.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marl.checkpoint import CheckpointError

__all__ = ["MetricsFile", "read_metrics"]

Row = dict[str, float]

_HEAD = ("update", "steps", "seed")


class MetricsFile:
    """``metrics.csv`` of one run, and its TensorBoard folder.

    Parameters
    ----------
    path : Path
        The CSV file.
    update : int
        Updates that the run has made: later rows are cut off.
    tensorboard : Path, optional
        Folder of event files, for means over the seeds; none by default.

    Raises
    ------
    CheckpointError
        When the file is there and is no table of metrics.
    """

    def __init__(self, path: Path, update: int, tensorboard: Path | None = None) -> None:
        self._path = path
        self._columns: list[str] = []
        self._board: Any = None
        self._steps = 0  # of the last row kept
        self._cut(update)
        if tensorboard is not None:
            self._board = _board(tensorboard, purge_from=self._steps + 1)

    def append(self, rows: Sequence[Row]) -> None:
        """Add the rows of one interval, one per seed, and bring them to the disk."""
        text = io.StringIO(newline="")
        new = not self._columns
        if new:
            self._columns = list(rows[0])
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        if self._board is not None:
            for name in [name for name in rows[0] if name not in _HEAD]:
                mean = float(np.mean([row[name] for row in rows]))
                self._board.add_scalar(name.replace(".", "/"), mean, int(rows[0]["steps"]))
            self._board.flush()

    def close(self) -> None:
        """Close the event file."""
        if self._board is not None:
            self._board.close()

    def _cut(self, update: int) -> None:
        """Keep the header and the whole rows up to `update`."""
        from rqe import _plain

        if not self._path.exists():
            return
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]  # a cut line has no end
            rows = [line for line in lines[1:] if int(line.split(",", 1)[0]) <= update]
            steps = int(rows[-1].split(",", 2)[1]) if rows else 0
        except (ValueError, IndexError) as error:
            raise CheckpointError(f"{self._path}: not a table of metrics ({error})") from error
        if rows:
            self._columns, self._steps = lines[0].split(","), steps
            _plain.write_whole(self._path, "\n".join([lines[0], *rows, ""]).encode())
        else:
            self._path.unlink()


def _board(folder: Path, *, purge_from: int) -> Any:
    """Writer of event files, or None with a warning where its package cannot be loaded."""
    try:
        from tensorboardX import SummaryWriter  # it imports torch, if that is installed
    except (ImportError, OSError) as error:
        warnings.warn(f"no TensorBoard files in {folder}: {error}", stacklevel=4)
        return None
    return SummaryWriter(str(folder), purge_step=purge_from)


def read_metrics(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a ``metrics.csv`` by name, each [rows]; empty where there is no file.

    Raises
    ------
    CheckpointError
        When the file is not a table of numbers with a column ``update``.
    """
    if not Path(path).exists():
        return {}
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (OSError, ValueError, TypeError, IndexError, csv.Error) as error:
        raise CheckpointError(f"{path}: not a table of metrics ({error})") from error
    if not set(_HEAD) <= set(columns):
        raise CheckpointError(f"{path}: not a table of metrics: it lacks {', '.join(_HEAD)}")
    return columns


def interval_rows(
    metrics: Mapping[str, NDArray[Any]], count: int, update: int, seeds: Sequence[int]
) -> list[Row]:
    """One row per seed: means over the `count` updates of an interval that ended at `update`.

    `metrics` are [seeds, updates] or [seeds, updates, learners]; a learner's column is ``name.i``.
    """
    steps = np.asarray(metrics["steps"])[:, count - 1]  # zeros follow in a shorter last interval
    rows: list[Row] = []
    for s, seed in enumerate(seeds):
        row: Row = {"update": update, "steps": int(steps[s]), "seed": seed}
        for name in sorted(set(metrics) - {"steps"}):
            mean = np.asarray(metrics[name])[s, :count].mean(axis=0, dtype=np.float64)
            row |= {f"{name}.{i}": float(x) for i, x in enumerate(np.atleast_1d(mean))}
        rows.append(row)
    return rows
