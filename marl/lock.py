"""A folder for one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, refusal: type[ValueError]) -> Iterator[None]:
    """Keep other processes away from a folder, which is made if missing.

    The system frees it when this process ends, however it ends; the empty file ``.lock`` that stays
    behind means nothing.

    Parameters
    ----------
    folder : Path
        What this process writes to, for as long as the block lasts.
    refusal : type of ValueError
        Raised, with a message that names the folder, where another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal(
                f"{folder}: another process is working here; wait for it, or name another folder"
            ) from None
        yield
