"""What `import rqe` gives, and when."""

import subprocess
import sys

import pytest

import rqe

LATE = ("batch", "bifurcation", "estimation", "interop", "proof", "sweeping", "theorems")


def run(code):
    """Return what a fresh process prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_every_name_is_there_and_offered_for_completion():
    offered = dir(rqe)
    for name in (*rqe.__all__, *LATE):
        assert getattr(rqe, name) is not None
        assert name in offered
    with pytest.raises(AttributeError, match="module 'rqe' has no attribute 'slove'"):
        rqe.slove  # noqa: B018  # type: ignore[attr-defined]


def test_modules_are_attributes_of_a_fresh_import():
    names = "rqe.interop.from_gambit, rqe.proof.Box, rqe.sweeping.sweep, rqe.batch.solve_batch"
    more = "rqe.bifurcation.Direction, rqe.plot.plot_simplex, rqe.study.run"
    assert run(f"import rqe; print(len([{names}, {more}]))") == ["7"]


def test_what_few_need_comes_when_it_is_asked_for():
    watched = ("rqe.batch", "rqe.proof", "rqe.sweeping", "rqe.interop", "rqe.parallel", "numba")
    listed = f"[m for m in {watched} if m in sys.modules]"
    assert run(f"import sys, rqe; print(*{listed})") == []
    assert "rqe.proof" in run(f"import sys, rqe; rqe.certify; print(*{listed})")
