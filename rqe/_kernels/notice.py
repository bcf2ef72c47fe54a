"""What a user at a terminal is told while kernels compile: up to two minutes, once per machine."""

from __future__ import annotations

import sys

from numba.core import event

_TEXT = "rqe: compiling its numerical kernels: up to two minutes, once"


class Notice(event.Listener):  # type: ignore[misc]
    """Writes one line to standard error, if that is a terminal, before the first compilation."""

    def __init__(self) -> None:
        self.given = False

    def on_start(self, event: event.Event) -> None:
        """Write the line."""
        ours = event.data["dispatcher"].py_func.__module__.startswith("rqe.")
        if ours and not self.given and sys.stderr.isatty():
            self.given = True
            print(_TEXT, file=sys.stderr, flush=True)

    def on_end(self, event: event.Event) -> None:
        """Say nothing: the answer follows."""


def install() -> None:
    """Listen to numba from now on."""
    event.register("numba:compile", Notice())
