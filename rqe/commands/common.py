"""What the commands share: exit codes, errors of one line, numbers, workers, whole outputs."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor

SOLVED, NOT_CONVERGED, BAD_INPUT, NO_OUTPUT, INTERNAL = 0, 1, 2, 3, 70


class CommandError(Exception):
    """Trouble with one clear line for the user and an exit code for scripts."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code


def number(text: str) -> float:
    """Return the number of a text, which may be a fraction or inf; ValueError if it is none."""
    from fractions import Fraction

    try:
        return float(Fraction(text)) if "/" in text else float(text)
    except (ZeroDivisionError, OverflowError):
        raise ValueError(f"{text!r} is no number that a double can hold") from None


def check_output(option: str, path: str | None, suffixes: Sequence[str]) -> None:
    """Refuse a path for an output that cannot be written, before any time is spent on it."""
    if path is None:
        return
    if Path(path).suffix.lower() not in suffixes:  # protects `rqe solve a.nfg --json b.nfg`
        raise CommandError(f"{option}: PATH must end in {' or '.join(suffixes)}; got {path!r}")
    if not Path(path).absolute().parent.is_dir():
        raise CommandError(f"{option}: no such directory: {Path(path).parent}", NO_OUTPUT)


def write(target: str, data: bytes) -> None:
    """Write `data` to a file, whole or not at all, or to standard output for -, byte by byte."""
    from rqe import _plain

    if target == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):  # the bytes of the file, in any locale
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        else:
            print(data.decode(), end="")
        return
    try:
        _plain.write_whole(target, data)
    except OSError as error:
        raise CommandError(f"cannot write {target}: {error.strerror}", NO_OUTPUT) from error


def one_line(error: BaseException) -> str:
    """Return the message of `error` on one line."""
    return " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())


def complain(message: str, program: str = "rqe") -> None:
    """Print one line on standard error."""
    print(f"{program}: {message}", file=sys.stderr)


def workers(count: int) -> contextlib.AbstractContextManager[Executor | None]:
    """Return a pool of fresh processes that end with this one, or nothing for one worker."""
    if count < 1:
        raise CommandError(f"--workers must be at least 1; got {count}")
    if count == 1:
        return contextlib.nullcontext()
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Compiled code and JAX have threads: a forked process could hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_die_with_parent)


def _die_with_parent() -> None:
    """End this worker when the program is killed; alone it would wait for work for ever."""
    import multiprocessing
    import os
    import threading

    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
