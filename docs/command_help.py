"""MkDocs hook: the line ``<!-- help: rqe solve -->`` becomes what ``rqe solve --help`` prints.

The same for the program ``marl``.
"""

import contextlib
import io
import os
import re
import shlex
from typing import Any

import marl.cli
import rqe.cli

_PROGRAMS = {"rqe": rqe.cli.main, "marl": marl.cli.main}
_MARK = re.compile(r"^<!-- help: (?P<program>rqe|marl) ?(?P<command>.*?) -->$", re.MULTILINE)


def _help(match: re.Match[str]) -> str:
    """Return the command and its help as a block of the page."""
    arguments = [*shlex.split(match["command"]), "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        _PROGRAMS[match["program"]](arguments)
    return f"```text\n$ {match['program']} {' '.join(arguments)}\n{out.getvalue()}```"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with every such line replaced (a MkDocs event)."""
    os.environ["COLUMNS"] = "88"  # argparse folds its lines to this width
    return _MARK.sub(_help, markdown)
