"""A user at a terminal is told that kernels compile; a script's standard error stays clean."""

import io
from types import SimpleNamespace

import pytest

from rqe._kernels.notice import Notice


def compiling(module):
    """Return what numba announces before it compiles a function of a module."""
    function = SimpleNamespace(__module__=module)
    return SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=function)})


@pytest.mark.parametrize(
    ("module", "terminal", "lines"),
    [("rqe._kernels.branch", True, 1), ("rqe._kernels.branch", False, 0), ("others", True, 0)],
)
def test_it_is_said_once_and_only_to_a_terminal(monkeypatch, module, terminal, lines):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr", stream)
    notice = Notice()
    for _ in range(3):
        notice.on_start(compiling(module))
        notice.on_end(compiling(module))
    assert stream.getvalue().count("\n") == lines
    assert ("compiling" in stream.getvalue()) == bool(lines)
