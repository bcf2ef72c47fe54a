"""Many independent tasks, in this process or on any executor: `map_tasks`.

Everything in this library that runs long (`rqe.sweep`, bootstraps, searches) goes through this one
function, so that a process pool and a cluster are used in the same way everywhere.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from rqe.concepts import whole

__all__ = ["LostWorkersError", "Progress", "cores", "map_tasks"]

T = TypeVar("T")
R = TypeVar("R")
Progress = bool | Callable[[int, int], None] | None

_CHUNKS = 256  # parts into which the tasks of an executor are divided, if there are so many
_SENDINGS = 4  # how often a task is sent whose shared data went down with its workers
_ALIGNED = 64  # bytes


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


class LostWorkersError(RuntimeError):
    """The executor's workers died, and it does not replace them.

    Attributes
    ----------
    done, total : int
        Tasks whose results had been handed over, and tasks in all.
    """

    def __init__(self, done: int, total: int, reason: str) -> None:
        self.done, self.total, self.reason = done, total, reason
        super().__init__(
            f"the executor lost its workers after {done} of {total} tasks ({reason}). The results "
            "handed over before are sound: what was written to a path is kept, and the same call "
            "with a new executor goes on from there. A worker that dies has usually run out of "
            "memory: use fewer workers, or smaller tasks"
        )

    def __reduce__(self) -> tuple[type[LostWorkersError], tuple[int, int, str]]:
        """Rebuild from the three arguments."""
        return type(self), (self.done, self.total, self.reason)


def map_tasks(
    function: Callable[..., R],
    tasks: Iterable[T],
    *,
    executor: Executor | None = None,
    shared: Any = None,
    progress: Progress = None,
    chunk: int | None = None,
) -> Generator[tuple[int, R]]:
    """Yield ``(index, function(task))`` for every task, in the order in which they are completed.

    Parameters
    ----------
    function : callable
        Called as ``function(task)``, or as ``function(task, shared)`` if there is shared data. For
        other processes it must be importable there: a function at the top level of a module.
    tasks : iterable
        One argument each; picklable where the executor has other processes.
    executor : concurrent.futures.Executor, optional
        None runs the tasks here, one after the other. A ``ProcessPoolExecutor`` (any start method),
        a ``ThreadPoolExecutor``, a Dask cluster's ``Client.get_executor()``, or any other.
    shared : object, optional
        Data that every task reads and none changes, such as large arrays. A process pool maps one
        copy into all its workers; on a Dask cluster it is scattered to each worker once; any other
        executor gets it with every chunk.
    progress : bool or callable, optional
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)``.
    chunk : int, optional
        Tasks sent at a time; by default so many that there are about 256 chunks.

    Yields
    ------
    index : int
        The place of the task in `tasks`.
    result : object
        What the function returned.

    Raises
    ------
    LostWorkersError
        If a process pool broke, or a task has killed several Dask workers. Dask itself repeats the
        tasks of a lost worker elsewhere; nothing is raised for that.
    TypeError, ValueError
        If an argument breaks its rule.
    Exception
        Whatever the function raises, with a note that names the task.

    Notes
    -----
    A result is handed over once. The order of completion differs from run to run: sort by index,
    or give every task its own seed, to have reproducible results. Leaving the loop early cancels
    the tasks that have not begun. A Dask cluster that has lost all its workers is waited for: it
    may get new ones.

    Examples
    --------
    >>> import math
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from rqe.parallel import map_tasks
    >>> with ThreadPoolExecutor(2) as pool:
    ...     roots = [root for _, root in sorted(map_tasks(math.sqrt, [1, 4, 9], executor=pool))]
    >>> roots
    [1.0, 2.0, 3.0]
    """
    if not callable(function):
        raise TypeError(f"function must be callable; got {function!r}")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(
            "executor must be None or a concurrent.futures.Executor, such as ProcessPoolExecutor() "
            f"or a Dask client's get_executor(); got {executor!r}"
        )
    if chunk is not None:
        whole("chunk", chunk)
    listed = list(tasks)
    report = reporter(progress, len(listed))
    if executor is None:
        return _in_process(function, listed, shared, report)
    size = chunk or -(-len(listed) // _CHUNKS) or 1
    return _on_executor(function, listed, executor, shared, report, size)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """Yield a reporter that moves a progress bar."""
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: install it with  pip install tqdm") from error
    with tqdm(total=total) as bar:

        def move(done: int, _: int) -> None:
            """Show how many are done."""
            bar.update(done - bar.n)

        yield move


def reporter(
    progress: Progress, total: int
) -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Return a context that gives what is to be called after each result, or None."""
    if progress is None or progress is False:
        return nullcontext(None)
    if progress is True:
        return _bar(total)
    if not callable(progress):
        raise TypeError(f"progress must be a bool or a function of (done, total); got {progress!r}")
    return nullcontext(progress)


def _in_process(
    function: Callable[..., R], tasks: list[T], shared: Any,
    reporter: AbstractContextManager[Callable[[int, int], None] | None],
) -> Generator[tuple[int, R]]:  # fmt: skip
    """Run the tasks here, lazily."""
    with reporter as report:
        for index, task in enumerate(tasks):
            results, error = _run(_Chunk(function, index, [task]), shared)
            if error is not None:
                raise error
            yield index, results[0]
            if report is not None:
                report(index + 1, len(tasks))


def _on_executor(
    function: Callable[..., R], tasks: list[T], executor: Executor, shared: Any,
    reporter: AbstractContextManager[Callable[[int, int], None] | None], size: int,
) -> Generator[tuple[int, R]]:  # fmt: skip
    """Send the tasks in chunks of `size` and yield what comes back."""
    chunks = [_Chunk(function, k, tasks[k : k + size]) for k in range(0, len(tasks), size)]
    done = 0
    with reporter as report:
        try:
            for start, results, error in _completed(chunks, executor, shared):
                for index, result in enumerate(results, start):
                    done += 1
                    yield index, result
                if report is not None:
                    report(done, len(tasks))
                if error is not None:
                    raise error
        except _LOST as loss:
            raise LostWorkersError(done, len(tasks), type(loss).__name__) from loss
        except Exception as error:
            if type(error).__name__ == "KilledWorker":  # Dask's, which need not be installed
                raise LostWorkersError(done, len(tasks), "KilledWorker") from error
            raise


_LOST = (BrokenExecutor, CancelledError)


@dataclass(frozen=True)
class _Chunk:
    """Consecutive tasks, the first of which has number `start`."""

    function: Callable[..., Any]
    start: int
    tasks: Sequence[Any]


def _completed(
    chunks: list[_Chunk], executor: Executor, shared: Any
) -> Iterator[tuple[int, list[Any], Exception | None]]:
    """Yield the first task's number, the results and the exception of each chunk that is done.

    A chunk that was cancelled, because its shared data went down with a cluster's workers, is sent
    again.
    """
    pending: dict[Future[Any], tuple[_Chunk, int]] = {}
    finished: SimpleQueue[Future[Any]] = SimpleQueue()
    with _carrier(executor, shared) as send:

        def submit(chunk: _Chunk, sendings: int) -> None:
            """Send a chunk, and have its future queued when it is done."""
            future = send(chunk)
            pending[future] = chunk, sendings
            future.add_done_callback(finished.put)

        try:
            for chunk in chunks:
                submit(chunk, 1)
            while pending:
                future = finished.get()
                chunk, sendings = pending.pop(future)
                try:
                    results, error = future.result()
                except CancelledError:
                    if sendings == _SENDINGS:
                        raise
                    submit(chunk, sendings + 1)
                    continue
                yield chunk.start, results, error
        finally:
            for future in pending:
                future.cancel()


_Send = Callable[[_Chunk], "Future[Any]"]


@contextmanager
def _carrier(executor: Executor, shared: Any) -> Iterator[_Send]:
    """Yield what submits a chunk, with the shared data in the form that suits the executor."""
    if type(executor).__module__.partition(".")[0] == "distributed":
        yield _dask(executor, shared)
    elif shared is not None and isinstance(executor, ProcessPoolExecutor):
        with _parcel(shared) as parcel:
            yield lambda chunk: executor.submit(_run, chunk, parcel)
    else:
        yield lambda chunk: executor.submit(_run, chunk, shared)


def _dask(executor: Any, shared: Any) -> _Send:
    """Return what submits a chunk to a Dask cluster, whose workers have the shared data already.

    The client's own futures are used: those of its executor wait for ever if a worker is lost
    between the end of a task and the journey of its result.
    """
    client, options, held = executor._client, {**executor._kwargs, "pure": False}, [None]

    def scattered() -> Any:
        """Return the data on the cluster, sent again if all the workers that had it are gone."""
        if shared is not None and (held[0] is None or held[0].status != "finished"):
            held[:] = client.scatter([shared], broadcast=True, hash=False)
        return held[0]

    def send(chunk: _Chunk) -> Future[Any]:
        submitted: Future[Any] = client.submit(_run, chunk, scattered(), **options)
        return submitted

    return send


def _run(chunk: _Chunk, shared: Any) -> tuple[list[Any], Exception | None]:
    """Return the results of a chunk up to the first task that fails, and its exception."""
    if isinstance(shared, _Parcel):
        shared = _opened(shared)
    results: list[Any] = []
    for index, task in enumerate(chunk.tasks, chunk.start):
        try:
            results.append(chunk.function(task) if shared is None else chunk.function(task, shared))
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__)[-1:]).strip()
            error.add_note(f"raised by task {index}: {where}")
            return results, error
    return results, None


@dataclass(frozen=True)
class _Parcel:
    """Shared data for other processes of this machine: a pickle, and its arrays in a file."""

    header: bytes
    path: str
    spans: tuple[tuple[int, int], ...]


@contextmanager
def _parcel(shared: Any) -> Iterator[_Parcel]:
    """Yield the data with its arrays' bytes in a temporary file, for the workers to map."""
    buffers: list[pickle.PickleBuffer] = []
    header = pickle.dumps(shared, protocol=5, buffer_callback=buffers.append)
    handle, path = tempfile.mkstemp(prefix="rqe-shared-")
    try:
        spans = []
        with os.fdopen(handle, "wb") as file:
            for buffer in buffers:
                file.write(b"\0" * (-file.tell() % _ALIGNED))
                view = buffer.raw()
                spans.append((file.tell(), view.nbytes))
                file.write(view)
        yield _Parcel(header, path, tuple(spans))
    finally:
        os.unlink(path)


_last_opened: tuple[str, Any] | None = None  # of this worker process


def _opened(parcel: _Parcel) -> Any:
    """Return the data of a parcel, unpacked once per process; its arrays are read-only."""
    global _last_opened
    if _last_opened is None or _last_opened[0] != parcel.path:
        _last_opened = None
        _last_opened = parcel.path, pickle.loads(parcel.header, buffers=_mapped(parcel))
    return _last_opened[1]


def _mapped(parcel: _Parcel) -> list[memoryview]:
    """Return the arrays' bytes, mapped and not copied; the header came with the task itself."""
    if not any(size for _, size in parcel.spans):
        return [memoryview(b"")] * len(parcel.spans)
    with open(parcel.path, "rb") as file:
        whole_file = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return [whole_file[start : start + size] for start, size in parcel.spans]
