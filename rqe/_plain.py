"""Plain data out of results: JSON-safe values, labels, versions, frames, files."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame


def jsonable(value: Any) -> Any:
    """Nested `value` as lists, dicts and scalars; infinities and NaN as strings."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def game_dict(game: NormalFormGame) -> dict[str, Any]:
    """Labels and sizes of `game`, without its payoffs."""
    return {
        "title": game.title,
        "players": game.players,
        "actions": game.actions,
        "shape": game.shape,
    }


def concept_dict(concept: Concept) -> dict[str, Any]:
    """Return what was sought, by name and by parameters."""
    return {
        "name": concept.name,
        "tau": concept.tau,
        "eps": concept.eps,
        "penalty": concept.penalty,
        "regularizer": concept.regularizer,
    }


def versions() -> dict[str, str]:
    """Versions that an answer may depend on."""
    import rqe

    return {
        "rqe": rqe.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mark `array` read-only, and return it."""
    array.flags.writeable = False
    return array


def pandas() -> Any:
    """Import pandas; a clear ImportError where it is missing."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "to_frame() needs pandas: install it with  pip install 'rqe[frames]'"
        ) from error
    return pandas


def data_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Tidy frame of `rows`; a clear ImportError where pandas is missing."""
    frame: pd.DataFrame = pandas().DataFrame(list(rows))
    return frame


def csv_text(rows: Iterable[dict[str, Any]]) -> str:
    """`rows` as CSV with a header; floats are written so that they read back exactly."""
    import csv
    import io

    text, records = io.StringIO(newline=""), list(rows)
    if records:
        writer = csv.DictWriter(text, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return text.getvalue()


def write_whole(target: str | Path, data: bytes) -> None:
    """Write a file whole or not at all: a neighbour first, which then takes its name."""
    import tempfile

    path = Path(target).resolve()  # a link keeps pointing where it did
    mask = os.umask(0)  # the mask can only be read by setting it
    os.umask(mask)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        neighbour = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            neighbour.chmod(mode)
            neighbour.replace(path)
        except BaseException:
            neighbour.unlink()
            raise
    except OSError as error:
        if error.errno is None:  # not the system's
            raise
        # the file that was asked for, not its neighbour
        raise OSError(error.errno, error.strerror, str(target)) from None
