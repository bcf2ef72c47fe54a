"""Processes of one thread each that share the jobs of an experiment, and never outlive it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import Any


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """Give an executor of ``count`` processes; for one, jobs run in this process, at once.

    Two processes of one thread use two cores better than one process of two threads. Jobs that
    still run when the block is left by an exception (an interruption, say) are ended, not awaited:
    what they do goes on from its checkpoints. Workers also end when this process does, however it
    ends.
    """
    if count == 1:
        yield _Here()
        return
    others = set(active_children())
    context = get_context("spawn")
    pool = ProcessPoolExecutor(max_workers=count, mp_context=context, initializer=_start)
    try:
        yield pool
    except BaseException:
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Here(Executor):
    """Runs each job when it is submitted; an interruption ends it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _start() -> None:
    """Give a process one thread, end it with its parent, keep progress bars off the terminal."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()


def _end_with_parent() -> None:
    """Wait for the parent's end, by whatever signal, and end this process at once.

    Nobody is left to take its result; files are written whole or not at all.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
