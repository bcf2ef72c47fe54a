"""What the commands share: exit codes, errors of one line, outputs written whole."""

from __future__ import annotations

import sys

SOLVED, NOT_CONVERGED, BAD_INPUT, NO_OUTPUT, INTERNAL = 0, 1, 2, 3, 70


class CommandError(Exception):
    """Trouble with one clear line for the user and an exit code for scripts."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code


def write(target: str, data: bytes) -> None:
    """Write `data` to a file, whole or not at all, or to standard output for -."""
    from rqe import _plain

    if target == "-":
        sys.stdout.write(data.decode())
        return
    try:
        _plain.write_whole(target, data)
    except OSError as error:
        raise CommandError(f"cannot write {target}: {error.strerror}", NO_OUTPUT) from error


def one_line(error: BaseException) -> str:
    """Return the message of `error` on one line."""
    return " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())


def complain(message: str) -> None:
    """Print one line on standard error."""
    print(f"rqe: {message}", file=sys.stderr)
