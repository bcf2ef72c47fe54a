"""One claim, proved and searched: a verdict, in text and as part of a page."""

from __future__ import annotations

import html
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe.theorems._base import Progress, Proved, Search, Theorem

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 92


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a derivation and a search say about a claim.

    Attributes
    ----------
    theorem : Theorem
        The claim.
    proved : tuple of Proved, or None
        Identities that sympy proved; None where sympy is not installed.
    search : Search
        What the search found.
    seconds : float
        Time that both took.
    """

    theorem: Theorem
    proved: tuple[Proved, ...] | None
    search: Search
    seconds: float

    @property
    def refuted(self) -> bool:
        """Whether a certified counterexample was found."""
        return self.search.counterexample is not None

    @property
    def as_recorded(self) -> bool:
        """Whether the verdict is the one on record."""
        return self.refuted != self.theorem.true

    @property
    def words(self) -> str:
        """The verdict in a few words."""
        if self.refuted:
            return f"FALSE, {'as' if self.as_recorded else 'not as'} on record; refuted"
        if self.as_recorded:
            return "TRUE, as on record; no counterexample found"
        return "on record as FALSE, but no counterexample was found: try more examples"

    def summary(self) -> str:
        """Return statement, proof, search, margin and verdict, as text."""
        lines = [f"{self.theorem.name}: {self.theorem.title}"]
        for label, text in self._entries():
            lines += textwrap.wrap(
                f"{label:9} {text}", _WIDTH, initial_indent="  ", subsequent_indent=" " * 12
            )
        example = self.search.counterexample
        if example is not None:
            lines += ["", *(f"    {line}" for line in example.code.splitlines())]
        return "\n".join(lines)

    def _entries(self) -> Iterator[tuple[str, str]]:
        """Yield label and text of each line of the summary."""
        theorem, search = self.theorem, self.search
        yield "claim", theorem.statement
        yield "source", theorem.source
        if self.proved is None:
            yield "proof", "not run: sympy is missing (pip install 'rqe[theorems]')"
        else:
            what = "identity" if len(self.proved) == 1 else "identities"
            yield "proof", f"{len(self.proved)} {what} proved by sympy"
        note = f"; {search.note}" if search.note else ""
        yield (
            "tried",
            f"{search.tried} game{'s' * (search.tried != 1)}{note}",
        )
        yield "margin", f"at least {search.margin:.6g}, where it is {theorem.margin}"
        yield "verdict", self.words
        if search.counterexample is not None:
            yield "evidence", search.counterexample.evidence.note


def verify(
    theorem: Theorem, *, examples: int = 2000, seed: int = 0, progress: Progress | None = None
) -> Verdict:
    """Return the verdict on one claim: its derivation by sympy, if installed, and a search.

    Parameters
    ----------
    theorem : Theorem
        One of `all`.
    examples : int
        Games to judge it by; the bred search for a claim on record as false may take more.
    seed : int
        Of the search.
    progress : callable, optional
        Called now and then with the number of games judged since its last call.

    Raises
    ------
    ArithmeticError
        If an identity of the derivation does not hold.
    ValueError
        If examples is not positive.
    """
    begin = time.perf_counter()
    try:
        proved: tuple[Proved, ...] | None = theorem.derive()
    except ImportError:
        proved = None
    search = theorem.search(np.random.default_rng(seed), examples, progress)
    return Verdict(theorem, proved, search, time.perf_counter() - begin)


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .8rem
.3rem 0; vertical-align: top; border-bottom: 1px solid #ddd } pre { background: #f4f4f4;
padding: .8rem; overflow-x: auto } .false { color: #a63d00 } .true { color: #00664c }
th { white-space: nowrap }
"""


def report(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as one HTML page that needs nothing else."""
    rows = "\n".join(_row(verdict) for verdict in verdicts)
    details = "\n".join(_section(verdict) for verdict in verdicts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Theorems, verified</title><style>{_STYLE}</style></head><body>\n"
        "<h1>Theorems, verified</h1>\n<table><tr><th>claim</th><th>verdict</th><th>games</th>"
        f"<th>least margin</th><th>seconds</th></tr>\n{rows}\n</table>\n{details}\n</body></html>\n"
    )


def _row(verdict: Verdict) -> str:
    """One line of the page's table."""
    name, kind = html.escape(verdict.theorem.name), "false" if verdict.refuted else "true"
    return (
        f'<tr><td><a href="#{name}">{name}</a></td><td class="{kind}">'
        f"{html.escape(verdict.words)}</td><td>{verdict.search.tried}</td>"
        f"<td>{verdict.search.margin:.6g}</td><td>{verdict.seconds:.1f}</td></tr>"
    )


def _section(verdict: Verdict) -> str:
    """One claim in full."""
    theorem, example = verdict.theorem, verdict.search.counterexample
    entries = "".join(
        f"<tr><th>{label}</th><td>{html.escape(text)}</td></tr>"
        for label, text in [*verdict._entries(), ("formula", theorem.latex)]
    )
    proofs = "".join(f"<li>{html.escape(step.claim)}</li>" for step in verdict.proved or ())
    code = "" if example is None else f"<pre>{html.escape(example.code)}</pre>"
    return (
        f'<h2 id="{html.escape(theorem.name)}">{html.escape(theorem.title)}</h2>'
        f"<table>{entries}</table><ul>{proofs}</ul>{code}"
    )
