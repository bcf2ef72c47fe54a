"""A real Dask cluster of two worker processes, on this machine: the same numbers, nothing lost."""

import contextlib
import gc
import logging
import os
import signal
import time
from typing import Any

import numpy as np
import pytest

import rqe
from benchmarks.common import random_payoffs
from rqe.parallel import LostWorkersError, map_tasks
from rqe.sweeping import read_sweep, sweep

distributed = pytest.importorskip("distributed")

# Dask leaves sockets of broken connections to the garbage collector, which complains.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

SHARED = {"numbers": np.arange(100_000.0)}
GAMES = {str(seed): rqe.NormalFormGame(random_payoffs((2, 2), seed)) for seed in range(4)}


@contextlib.contextmanager
def cluster_of_two():
    """A client of two workers of one thread each, losses are not news here."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
    gc.collect()  # here, where its complaints are expected, and not in some later test


@pytest.fixture(scope="module")
def healthy():
    with cluster_of_two() as client:
        yield client


@pytest.fixture
def doomed():
    """A cluster of the test's own: Dask does not always replace a second lost worker."""
    with cluster_of_two() as client:
        yield client


def look_up(task, shared):
    time.sleep(0.02)
    return shared["numbers"][task] ** 2, os.getpid()


def fail(task):
    raise ValueError(f"task {task} is bad")


def die(task):
    os.kill(os.getpid(), signal.SIGKILL)


def slow_largest(solution):
    """An output that takes its time, so that a worker can be killed in the middle."""
    time.sleep(0.05)
    return max(float(x.max()) for x in solution.strategies)


def kill(client, count):
    """Kill the processes of some workers, as the operating system would for want of memory."""
    for pid in list(client.run(os.getpid).values())[:count]:
        os.kill(pid, signal.SIGKILL)


def test_tasks_run_on_both_workers(healthy):
    results = dict(
        map_tasks(look_up, range(40), executor=healthy.get_executor(), shared=SHARED, chunk=1)
    )
    assert [results[k][0] for k in range(40)] == [float(k * k) for k in range(40)]
    assert len({pid for _, pid in results.values()}) == 2


def test_an_exception_crosses_the_network(healthy):
    with pytest.raises(ValueError, match=r"task \d is bad") as caught:
        list(map_tasks(fail, range(3), executor=healthy.get_executor()))
    assert "raised by task" in caught.value.__notes__[0]


@pytest.mark.slow
@pytest.mark.parametrize("victims", [1, 2])
def test_killed_workers_lose_no_task(doomed, victims):
    """With both workers gone the shared data is gone as well, and is sent again."""
    results = {}
    executor = doomed.get_executor()
    for index, (value, _) in map_tasks(
        look_up, range(60), executor=executor, shared=SHARED, chunk=2
    ):
        assert index not in results
        results[index] = value
        if len(results) == 20:
            kill(doomed, victims)
    assert results == {k: float(k * k) for k in range(60)}


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_given_up(doomed):
    with pytest.raises(LostWorkersError, match=r"after 0 of 1 tasks \(KilledWorker\)"):
        list(map_tasks(die, range(1), executor=doomed.get_executor()))


def test_sweep_with_a_worker_killed_equals_the_one_in_process(doomed, tmp_path):
    request: dict[str, Any] = {
        "tau": [0.0, 1.0, 2.0],
        "eps": [0.1, 0.5],
        "outputs": ["strategies", slow_largest],
    }
    killed: list[int] = []

    def kill_one(done, points):
        if done >= 8 and not killed:
            kill(doomed, 1)
            killed.append(done)

    far = sweep(GAMES, **request, path=tmp_path, executor=doomed.get_executor(), progress=kill_one)
    assert killed
    assert far.attrs == {"points": 24, "failed": 0}
    here = sweep(GAMES, **request)
    assert far.equals(here)
    assert read_sweep(tmp_path).equals(here)
