"""How long a search may take, and who hears of its progress: a callable, or a bar by tqdm."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

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


@contextlib.contextmanager
def reporter(
    progress: Progress | bool | None, time_limit: float | None
) -> Iterator[Progress | None]:
    """Yield what is called with a text and the seconds gone; True makes a bar, None is silence.

    Raises
    ------
    ImportError
        If a bar is asked for and tqdm is not installed.
    TypeError
        If `progress` is neither a bool nor callable.
    """
    if progress is None or progress is False:
        yield None
        return
    if progress is not True:
        if not callable(progress):
            raise TypeError(f"progress must be callable, True or None; got {progress!r}")
        yield progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from error
    form = "{desc}{bar:20} {n:.0f}/{total:.0f} s" if time_limit else "{desc}{n:.0f} s"
    with tqdm(total=time_limit, bar_format=form, leave=False) as bar:

        def report(text: str, seconds: float) -> None:
            bar.set_description_str(f"{text} ", refresh=False)
            bar.n = min(seconds, time_limit or seconds)
            bar.refresh()

        yield report
