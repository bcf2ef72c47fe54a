"""Every example runs: README, documentation pages, docstrings and the scripts of examples/.

In Markdown, a ``python`` block is executed and a ``console`` block's ``$ rqe`` and ``$ marl``
lines are given to the command lines; the blocks of a page share one namespace and one working
folder. A ``text`` block that follows a ``python`` block, and the lines that follow a command, are
what it prints.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import os
import pkgutil
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

import marl
import marl.cli
import rqe
import rqe.cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
OPTIONAL = ("torch", "transformers")
PROGRAMS = {"rqe": rqe.cli.main, "marl": marl.cli.main}
MODULES = [
    name
    for package in (rqe, marl)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if "._kernels" not in name and not name.endswith("__main__")
]
if "jax" not in sys.modules:  # the examples' programs run once and briefly
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\b\d+(?:\.\d+)?(?:e[-+]\d+)?\b")
# Lines of a summary that hold rounding errors and counts of steps: they differ from one processor
# to the next, so only their words and the size of the errors are compared.
WORK = re.compile(r"^(residual|regret|solver|path) ")


def blocks(page):
    """List (language, text, line number) for each fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return [(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(text)]


def steady(text):
    """Lines of a text, without what differs between processors."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    for k, line in enumerate(lines):
        label = WORK.match(line)
        if label and label[1] in ("residual", "regret"):
            lines[k] = NUMBER.sub(lambda m: "small" if float(m[0]) <= 1e-10 else m[0], line)
        elif label:
            lines[k] = NUMBER.sub("(count)", line)
    return lines


def printed(function, *args):
    """What a call writes to standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        function(*args)
    return out.getvalue()


def command_line(command):
    """Run ``rqe ...`` or ``marl ...`` in this process; a failure is an error of the page."""
    program, *arguments = shlex.split(command)
    assert program in PROGRAMS, f"only commands of {list(PROGRAMS)} can be checked, got {command!r}"
    code = PROGRAMS[program](arguments)
    assert code == 0, f"{command!r} ended with exit code {code}"


def run_console(text, place):
    """Run each ``$`` line and compare what follows it, where something does."""
    for chunk in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = chunk.partition("\n")
        output = printed(command_line, command)
        if expected.strip():
            assert steady(output) == steady(expected), f"{place}: output of {command!r}"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty working folder that sees examples/, as a reader at the repository's root does."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_examples_run_and_print_what_the_page_shows(page, workplace):
    namespace = {"__name__": "__main__"}
    output = None
    for language, text, line in blocks(page):
        place = f"{page.relative_to(ROOT)}, line {line}"
        if language == "python":
            code = compile("\n" * line + text, str(page), "exec")
            output = printed(exec, code, namespace)
            continue
        if language == "console":
            run_console(text, place)
        elif language == "text" and output is not None:
            assert steady(output) == steady(text), f"{place}: output of the block above"
        output = None


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name, workplace):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name in OPTIONAL:
            pytest.skip(f"needs {error.name}")
        raise
    result = doctest.testmod(module, optionflags=flags)
    assert result.failed == 0


@pytest.mark.parametrize("package", [rqe, marl], ids=lambda package: package.__name__)
def test_package_docstring_examples(package, workplace):
    assert doctest.testmod(package, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_example_scripts_run(script, workplace, capsys):
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out


def links(page):
    """Pages of docs/ to which a page links."""
    targets = re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8"))
    return {(page.parent / target).resolve() for target in targets}


def test_every_page_is_reached_from_the_index():
    reached, ahead = set(), [ROOT / "docs" / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            ahead.extend(links(page))
    assert {page for page in PAGES if "docs" in page.parts} <= reached


@pytest.mark.parametrize("package", [rqe, marl], ids=lambda package: package.__name__)
def test_the_reference_has_every_public_name(package):
    entries = [
        entry
        for page in (ROOT / "docs" / "reference").glob("*.md")
        for entry in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    shown = {entry.rpartition(".")[2] for entry in entries}
    modules = {name for entry in entries for name in entry.split(".")}  # shown in parts
    for name in package.__all__:
        assert name in (modules if inspect.ismodule(getattr(package, name)) else shown), name
