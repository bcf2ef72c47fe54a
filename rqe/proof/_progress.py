"""Progress of long searches: a callable of the user's, or a bar by tqdm."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rqe.enumeration._clock import Progress


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
