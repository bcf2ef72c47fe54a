"""The theorems of the papers and of this library: stated, derived, checked, and searched.

Each claim can be checked on a game of one's own, derived by sympy, and searched for
counterexamples. Claims that are false are here too, as published, with what refutes them. The
command line shows all of it: ``rqe verify``.

Examples
--------
>>> import rqe
>>> game = rqe.catalog.load("free-riding/counterexample")
>>> published = rqe.theorems.by_name("theorem-2-published")
>>> evidence = published.check(game, tau=1200, eps=0.02)
>>> evidence.holds
False
>>> print(evidence.note)
degree 0.683404 at tau = 1200; the published bound excludes it above tau = 434.164
"""

from __future__ import annotations

import difflib

from rqe.theorems import (
    example_4_1,
    example_4_2,
    identity,
    interior,
    proposition_b1,
    theorem_1,
    theorem_2,
    uniqueness,
    weak_interaction,
)
from rqe.theorems._base import Counterexample, Evidence, Proved, Search, Theorem
from rqe.theorems._verify import Verdict, report, verify

__all__ = [
    "Counterexample",
    "Evidence",
    "Proved",
    "Search",
    "Theorem",
    "Verdict",
    "all",
    "by_name",
    "names",
    "report",
    "verify",
]

_MODULES = (
    theorem_1,
    example_4_1,
    proposition_b1,
    theorem_2,
    identity,
    example_4_2,
    interior,
    weak_interaction,
    uniqueness,
)
_THEOREMS: dict[str, Theorem] = {
    theorem.name: theorem for module in _MODULES for theorem in module.THEOREMS
}


def all() -> tuple[Theorem, ...]:
    """Return every claim, in the order of the papers."""
    return tuple(_THEOREMS.values())


def names() -> tuple[str, ...]:
    """Return the names of all claims.

    Examples
    --------
    >>> names()[:3]
    ('theorem-1', 'theorem-1-matrix-costs', 'example-4.1')
    """
    return tuple(_THEOREMS)


def by_name(name: str) -> Theorem:
    """Return the claim of that name.

    Raises
    ------
    ValueError
        If there is none; the message lists them, or names the nearest.

    Examples
    --------
    >>> by_name("theorem-2-sharp").true
    True
    """
    if name in _THEOREMS:
        return _THEOREMS[name]
    key = name.lower().replace("_", "-").replace(" ", "-")
    near = [known for known in _THEOREMS if known.startswith(key)]
    near = near or difflib.get_close_matches(key, _THEOREMS, n=1)
    hint = f"there are {', '.join(_THEOREMS)}"
    if near:
        verb = "is" if len(near) == 1 else "are"
        hint = f"the nearest {verb} {', '.join(map(repr, near))}"
    raise ValueError(f"no theorem is called {name!r}; {hint}")
