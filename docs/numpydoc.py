"""Griffe extension: what numpydoc takes from reStructuredText, as the Markdown of the pages.

Docstrings stay readable by `help()` and by any tool that knows numpydoc.
"""

import re
from typing import Any

import griffe

_RULES = (
    (re.compile(r"^( *)\.\. math:: *(.+)$", re.MULTILINE), r"\1$$\n\1\2\n\1$$"),
    (re.compile(r"^( *)\.\. \[(\d+)\] ", re.MULTILINE), r"\1\2. "),
    (re.compile(r" ?\[(\d+)\]_"), r" [\1]"),
    (re.compile(r":math:`([^`]+)`"), r"$\1$"),
    (re.compile(r":(?:func|class|meth|mod|attr|data|exc):`~?([^`]+)`"), r"`\1`"),
)


class NumpydocMarkup(griffe.Extension):
    """Translate formulas, citations and roles in every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object, as soon as griffe has read it."""
        if obj.docstring is None:
            return
        text = obj.docstring.value
        for pattern, markdown in _RULES:
            text = pattern.sub(markdown, text)
        obj.docstring.value = text
