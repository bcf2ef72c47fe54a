"""How long a search may take, and who hears of its progress."""

from __future__ import annotations

import time
from collections.abc import Callable

Progress = Callable[[str, float], object]


class Clock:
    """Says when the time is up, and reports progress a few times a second.

    Parameters
    ----------
    time_limit : float or None
        Seconds from now; None for as long as it takes.
    progress : callable, optional
        Called as ``progress(text, seconds)`` with what was done and the seconds gone.
    """

    def __init__(self, time_limit: float | None, progress: Progress | None = None) -> None:
        self._start = time.monotonic()
        self._end = None if time_limit is None else self._start + time_limit
        self._progress = progress
        self._next = self._start + 0.25
        self.stopped = False

    def tick(self, what: str, count: int) -> bool:
        """Return whether to stop now; `count` things of the kind `what` have been done."""
        now = time.monotonic()
        if self._progress is not None and now >= self._next:
            self._next = now + 0.25
            self._progress(f"{count} {what}", now - self._start)
        if self._end is not None and now >= self._end:
            self.stopped = True
        return self.stopped

    @property
    def left(self) -> float | None:
        """Seconds left, None without a limit."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.0)
