"""`map_tasks` on every kind of executor: same results, shared data sent once, losses survived."""

import multiprocessing
import os
import pickle
import signal
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import rqe
from rqe.parallel import LostWorkersError, map_tasks

ARRAYS = {"a": np.arange(50_000.0), "b": [np.ones((3, 4)), np.empty(0)], "name": "x"}


def square(task):
    return task * task


def read(task, shared):
    """A number that needs all of the shared data, and what the worker may do with it."""
    return shared["a"][task] + shared["b"][0].sum() + shared["b"][1].size, os.getpid()


def fail_at_five(task):
    if task == 5:
        raise ValueError("five")
    return task


def die(task):
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def writeable(task, shared):
    return shared["a"].flags.writeable, shared is ARRAYS


def in_order(*args, **options):
    return [result for _, result in sorted(map_tasks(*args, **options))]


class Immediate(Executor):
    """An executor of an unknown kind, which runs everything when it is submitted."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(params=["none", "threads", "pool", "unknown"])
def executor(request, pool):
    if request.param == "threads":
        with ThreadPoolExecutor(2) as threads:
            yield threads
    else:
        yield {"none": None, "pool": pool, "unknown": Immediate()}[request.param]


@pytest.mark.parametrize("chunk", [None, 1, 7, 1000])
def test_every_task_is_done_once(executor, chunk):
    assert in_order(square, range(100), executor=executor, chunk=chunk) == [
        k * k for k in range(100)
    ]


def test_no_tasks(executor):
    assert list(map_tasks(square, [], executor=executor)) == []


def test_shared_data_arrives_whole(executor):
    results = in_order(read, range(20), executor=executor, shared=ARRAYS)
    assert [value for value, _ in results] == [k + 12.0 for k in range(20)]


def test_pool_maps_one_read_only_copy(pool):
    assert in_order(writeable, range(2), executor=pool, shared=ARRAYS) == [(False, False)] * 2
    assert in_order(writeable, range(2), shared=ARRAYS) == [(True, True)] * 2


def test_pool_shares_a_game(pool):
    game = rqe.catalog.load("stag-hunt")
    assert in_order(payoff_of, [0, 1], executor=pool, shared=game) == [
        game.payoffs[i].sum() for i in range(2)
    ]


def payoff_of(task, game):
    return game.payoffs[task].sum()


def test_shared_file_is_removed(pool, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    results = map_tasks(read, range(4), executor=pool, shared=ARRAYS)
    next(results)
    assert len(list(tmp_path.iterdir())) == 1
    results.close()
    assert not list(tmp_path.iterdir())


def test_exception_names_the_task_and_comes_after_results_before_it(executor):
    results = map_tasks(fail_at_five, range(8), executor=executor, chunk=8)
    assert [next(results)[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five") as caught:
        next(results)
    assert any("task 5" in note and "raise ValueError" in note for note in caught.value.__notes__)


def test_progress_is_reported_to_the_end(executor):
    seen = []
    in_order(square, range(10), executor=executor, progress=lambda *at: seen.append(at))
    assert seen[-1] == (10, 10)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_progress_bar(capsys):
    in_order(square, range(3), progress=True)
    assert "3/3" in capsys.readouterr().err


def test_broken_pool_says_what_is_lost():
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.raises(LostWorkersError, match="after 3 of 6 tasks") as caught,
    ):
        in_order(die, range(6), executor=executor, chunk=1)
    assert (caught.value.done, caught.value.total) == (3, 6)


def test_lost_workers_error_survives_pickling():
    error = pickle.loads(pickle.dumps(LostWorkersError(3, 6, "BrokenProcessPool")))
    assert (error.done, error.total, error.reason) == (3, 6, "BrokenProcessPool")


def test_leaving_early_cancels_the_rest():
    with ThreadPoolExecutor(1) as executor:
        started = time.perf_counter()
        for _ in map_tasks(time.sleep, [0.05] * 200, executor=executor, chunk=1):
            break
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"executor": 3}, TypeError, "executor must be None or a concurrent.futures.Executor"),
        ({"chunk": 0}, ValueError, "chunk must be at least 1; got 0"),
        ({"chunk": 1.5}, TypeError, "chunk must be an integer; got 1.5"),
        ({"progress": "yes"}, TypeError, "progress must be a bool or a function"),
    ],
)
def test_bad_arguments_before_anything_runs(options, error, text):
    with pytest.raises(error, match=text):
        map_tasks(square, [1], **options)


def test_function_must_be_callable():
    with pytest.raises(TypeError, match="function must be callable"):
        map_tasks("square", [1])  # type: ignore[arg-type]
