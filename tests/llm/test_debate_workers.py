"""The processes of `marl debate reproduce`: they end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marl.debate.workers import processes

_PARENT = """
import os, signal, sys, time
from marl.debate.workers import processes

if __name__ == "__main__":
    # A job in the background of a shell is started with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with processes(2) as pool:
        jobs = [pool.submit(os.getpid) for _ in range(2)]
        busy = [pool.submit(time.sleep, 300) for _ in range(2)]
        print(*{job.result() for job in jobs}, flush=True)
        time.sleep(300)
"""


def _ends(pid, seconds=20.0):
    """Whether a process is gone, or only waits to be reaped, before some seconds have passed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are watched in /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, how):
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    try:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert workers
        parent.send_signal(how)
        parent.wait(timeout=60)
        assert all(_ends(pid) for pid in workers)
    finally:
        parent.kill()
        parent.stdout.close()


def test_one_worker_is_this_process():
    with processes(1) as pool:
        assert pool.submit(os.getpid).result() == os.getpid()
        failed = pool.submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        failed.result()
