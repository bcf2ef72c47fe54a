"""What every test shares: kernel cache, headless figures, hypothesis profiles."""

import hashlib
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent


def _kernel_cache() -> Path:
    """Folder of compiled kernels, named after their sources.

    Numba's on-disk cache does not see an edit in another file, so one byte changed anywhere in
    the package's kernels means a new, empty folder. Workers of pytest-xdist and later runs over
    the same sources share it, so that a kernel is compiled once.
    """
    digest = hashlib.sha256(sys.version.encode())
    for source in sorted((ROOT / "rqe" / "_kernels").glob("**/*.py")):
        digest.update(source.read_bytes())
    return ROOT / "build" / "numba-cache" / digest.hexdigest()[:16]


# Before numba and matplotlib are imported, and inherited by xdist's workers and by subprocesses.
os.environ.setdefault("NUMBA_CACHE_DIR", str(_kernel_cache()))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MPLCONFIGDIR", str(ROOT / "build" / "matplotlib"))

# The first call of a kernel compiles it: a deadline per example would judge the compiler.
_QUIET = (HealthCheck.too_slow, HealthCheck.differing_executors)
settings.register_profile(
    "ci", max_examples=30, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
settings.register_profile("dev", max_examples=30, deadline=None, suppress_health_check=_QUIET)
settings.register_profile("slow", max_examples=1000, deadline=None, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
