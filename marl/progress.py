"""Looking after long runs: progress for people, and a watchdog for runs that hang."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

__all__ = ["STALLED", "Progress", "Watchdog"]

STALLED = 75  # exit code: "temporary failure, try again", as sysexits.h has it


class Progress:
    """Environment steps of a long run, with rate, return and time left.

    A bar on a terminal; elsewhere, such as in a log file, one line for each call.

    Parameters
    ----------
    name : str
        What is running.
    total, done : int
        Steps in all, and steps that an earlier process has made.
    stream : file, optional
        Standard error by default.
    """

    def __init__(self, name: str, total: int, done: int, stream: TextIO | None = None) -> None:
        self._name, self._total, self._done = name, total, done
        self._stream = sys.stderr if stream is None else stream
        self._first, self._start = done, time.monotonic()
        self._bar: Any = None
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=name, total=total, initial=done, unit="step", unit_scale=True, leave=False
            )

    def __call__(self, done: int, note: str) -> None:
        """Report that `done` steps are made; `note` says more."""
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._done)
            self._done = done
            return
        self._done = done
        rate = (done - self._first) / max(time.monotonic() - self._start, 1e-9)
        left = (self._total - done) / rate if rate > 0 else float("inf")
        line = f"{self._name}: {100 * done / self._total:5.1f} %  {done:.3g} steps"
        print(f"{line}  {rate:,.0f} steps/s  {note}  {_clock(left)} left", file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


class Watchdog:
    """Ends the process when nothing has been reported for some minutes.

    A computation that hangs inside compiled code cannot be interrupted from Python: the only way
    out is the end of the process, and what the last checkpoint holds is what is kept.

    Parameters
    ----------
    minutes : float
        Longest time between two calls of `feed`.
    message : str
        What to say: where the saved state is, and how to go on.
    end : callable, optional
        Ends the process with an exit code; `os._exit` by default.
    """

    def __init__(
        self, minutes: float, message: str, end: Callable[[int], object] = os._exit
    ) -> None:
        if not minutes > 0:
            raise ValueError(f"patience must be a positive number of minutes, got {minutes}")
        self._seconds, self._message, self._end = 60.0 * minutes, message, end
        self._last = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._guard, name="marl-watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        """Begin to watch."""
        self.feed()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def feed(self) -> None:
        """Say that the run is alive."""
        self._last = time.monotonic()

    def _wait(self) -> float:
        """Seconds until the dog is to look again, as many as a thread can wait at most."""
        left = self._last + self._seconds - time.monotonic()
        return min(max(left, 0.01), threading.TIMEOUT_MAX)

    def _guard(self) -> None:
        """Wait, and end the process if nobody feeds the dog."""
        while not self._over.wait(self._wait()):
            if time.monotonic() >= self._last + self._seconds:
                print(
                    f"marl: no progress for {self._seconds / 60:g} minutes. {self._message}",
                    file=sys.stderr,
                    flush=True,
                )
                self._end(STALLED)
                return


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    if seconds == float("inf"):
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
