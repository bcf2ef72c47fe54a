"""MkDocs hook: TeX to MathML while the pages are built.

Browsers draw MathML themselves, so that the pages need no script and no network, neither when
they are built nor when they are read.
"""

import html
import re
from typing import Any

from latex2mathml.converter import convert

_TEX = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def _to_mathml(match: re.Match[str]) -> str:
    """MathML of one formula; a block stays in its box, which scrolls when it is too wide."""
    tex = html.unescape(match["tex"])
    if match["tag"] == "span":
        return str(convert(tex))
    return f'<div class="formula">{convert(tex, display="block")}</div>'


def on_page_content(page_html: str, **_: Any) -> str:
    """The page with each formula marked by `arithmatex` replaced (a MkDocs event)."""
    return _TEX.sub(_to_mathml, page_html)
