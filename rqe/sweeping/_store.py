"""The folder of a sweep: a manifest that says what it is, and one Parquet file per part."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rqe import _plain

if TYPE_CHECKING:
    import pandas as pd

_SCHEMA = "rqe.sweep/1"
_PART = re.compile(r"part-(\d{5})\.parquet")


class Store:
    """A folder; it is made if its parent exists.

    Raises
    ------
    ValueError
        If the folder holds another sweep, or files but no sweep.
    """

    def __init__(self, path: Any, request: dict[str, Any], n_parts: int) -> None:
        self.folder, self.n_parts = Path(path), n_parts
        wanted = {"schema": _SCHEMA, "parts": n_parts, "request": _plain.jsonable(request)}
        if self.folder.exists() and any(self.folder.iterdir()):
            _agree(self.folder, read_manifest(self.folder), wanted)
            return
        self.folder.mkdir(exist_ok=True)
        text = json.dumps(wanted, indent=1)
        _plain.write_whole(self.folder / "manifest.json", text.encode())

    def parts(self) -> dict[int, Path]:
        """Return the parts that are there, by number."""
        return part_files(self.folder, self.n_parts)

    def write(self, number: int, frame: pd.DataFrame) -> None:
        """Write a part, whole or not at all."""
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        _plain.write_whole(self.folder / f"part-{number:05d}.parquet", buffer.getvalue())


def part_files(folder: Path, n_parts: int) -> dict[int, Path]:
    """Return the paths of the parts by number, in order; temporary files are none.

    A part that the sweep does not have is an error: its rows would be another sweep's.
    """
    found = ((_PART.fullmatch(path.name), path) for path in folder.iterdir())
    parts = dict(sorted((int(match[1]), path) for match, path in found if match))
    for number, path in parts.items():
        if number >= n_parts:
            raise ValueError(f"path: {path} is no part of this sweep, whose last is {n_parts - 1}")
    return parts


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder."""
    file = folder / "manifest.json"
    if not file.is_file():
        raise ValueError(
            f"path must be a new or empty folder, or that of a sweep; {folder} has no manifest.json"
        )
    try:
        manifest = json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"path: {file} is not the manifest of a sweep: {error}") from error
    if not isinstance(manifest, dict) or not (
        manifest.get("schema") == _SCHEMA
        and isinstance(manifest.get("request"), dict)
        and isinstance(manifest.get("parts"), int)
    ):
        raise ValueError(f"path: {file} is not the manifest of a sweep ({_SCHEMA})")
    return manifest


def _agree(folder: Path, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise if the folder belongs to another request; say in what they differ."""
    if there == wanted:
        return
    old, new = there.get("request", {}), wanted["request"]
    names = [name for name in new if old.get(name) != new[name]] or ["parts"]
    shown = ", ".join(
        f"{name} (there {_short(old.get(name))}, now {_short(new.get(name))})" for name in names
    )
    raise ValueError(
        f"path: {folder} holds another sweep, which differs in {shown}; "
        "choose another path, or remove the folder"
    )


def _short(value: Any) -> str:
    """Return a value in at most 60 characters."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
