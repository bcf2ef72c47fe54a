"""What a theorem is here: a statement, a derivation, a check on one game, a search over many."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.random import Generator

Progress = Callable[[int], None]
"""Called with the number of games tried since the last call."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one game says about a claim.

    Attributes
    ----------
    holds : bool
        Whether the claim holds at everything that was found in this game.
    margin : float
        How far it is from failing, dimensionless; negative where it fails, inf where the game has
        nothing that the claim speaks about. The theorem's ``margin`` says what is measured.
    witness : object
        Where the margin was attained: a `Solution`, a Gaussian one, or None.
    note : str
        The numbers behind the margin, in words.
    """

    holds: bool
    margin: float
    witness: Any = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Counterexample:
    """A game in which a claim fails, made as simple as the search could make it.

    Attributes
    ----------
    game : object
        The game.
    tau, eps : object
        Parameters at which the claim fails.
    evidence : Evidence
        The failure, at an answer that the independent check has certified.
    code : str
        Lines of Python that show it, ready to paste.
    """

    game: Any
    tau: Any
    eps: Any
    evidence: Evidence
    code: str


@dataclass(frozen=True, eq=False)
class Search:
    """Outcome of a search for counterexamples.

    Attributes
    ----------
    tried : int
        Games at which the claim was judged.
    margin : float
        Smallest margin met.
    counterexample : Counterexample or None
        The first failure found, shrunken; None if there was none.
    note : str
        What was searched.
    """

    tried: int
    margin: float
    counterexample: Counterexample | None = None
    note: str = ""


class Proved(NamedTuple):
    """One identity that sympy has proved: both sides are sympy expressions."""

    claim: str
    left: Any
    right: Any


@dataclass(frozen=True, eq=False)
class Theorem:
    """A claim of the literature or of this library, with its evidence.

    Attributes
    ----------
    name : str
        Name for `by_name` and the command line.
    title : str
        A few words.
    source : str
        Where it is stated.
    true : bool
        The verdict on record; `search` and `derive` are what it rests on.
    statement, latex : str
        The claim in words, and as a formula.
    margin : str
        What the margin of its `Evidence` measures.
    """

    name: str
    title: str
    source: str
    true: bool
    statement: str
    latex: str
    margin: str
    _check: Callable[..., Evidence] = field(repr=False)
    _search: Callable[[Generator, int, Progress], Search] = field(repr=False)
    _derive: Callable[[], tuple[Proved, ...]] = field(repr=False)

    def check(self, game: Any, tau: Any, eps: Any, **options: Any) -> Evidence:
        """Return what one game says about the claim.

        Parameters
        ----------
        game : NormalFormGame, QuadraticGame or AggregativeGame
            A game of the kind that the claim speaks about.
        tau, eps : float or sequence of float
            Risk aversion and bounded rationality.
        **options
            ``starts`` for claims about finite games: profiles from which Newton's method looks for
            equilibria, beside the principal one and those near pure profiles.

        Returns
        -------
        Evidence

        Raises
        ------
        ValueError
            If the claim does not speak about such a game or such parameters.
        """
        return self._check(game, tau, eps, **options)

    def search(
        self, rng: Generator, examples: int = 1000, progress: Progress | None = None
    ) -> Search:
        """Look for a counterexample in about ``examples`` games, and shrink the first found.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the games; the same one gives the same search.
        examples : int
            Games to judge.
        progress : callable, optional
            Called now and then with the number of games judged since its last call.

        Returns
        -------
        Search

        Raises
        ------
        ValueError
            If examples is not positive.
        """
        if examples < 1:
            raise ValueError(f"examples must be at least 1; got {examples}")
        return self._search(rng, examples, progress or (lambda _: None))

    def derive(self) -> tuple[Proved, ...]:
        """Prove, by sympy, the identities that the claim rests on, or that refute it.

        Raises
        ------
        ImportError
            If sympy is not installed (extra ``rqe[theorems]``).
        ArithmeticError
            If an identity does not hold.
        """
        return self._derive()


class Least:
    """The smallest margin met so far and how many games were judged."""

    def __init__(self, progress: Progress) -> None:
        self.tried, self.margin, self._progress = 0, math.inf, progress

    def add(self, count: int, margin: float) -> None:
        """Count games whose smallest margin is `margin`."""
        self.tried += count
        self.margin = min(self.margin, margin)
        self._progress(count)


def literal(values: Any) -> str:
    """Write nested numbers as Python that reads back the same, whole numbers without a point."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, list | tuple):
        return f"[{', '.join(map(literal, values))}]"
    return repr(int(values)) if float(values).is_integer() else repr(float(values))
