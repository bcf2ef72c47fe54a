"""Several equilibria of one game, and whether they are all: `SolutionSet`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, overload

from rqe import _plain, report
from rqe.status import Coded

if TYPE_CHECKING:
    import pandas as pd

    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame
    from rqe.proof.certificate import Certificate
    from rqe.solution import Solution

    Exact = tuple[tuple[Fraction, ...], ...]


class SetStatus(Coded):
    """How a search for all equilibria ended; the text of each member says what to try next.

    Attributes
    ----------
    value : str
        Short code for scripts, such as ``"time_limit"``.
    message : str
        One sentence for people: what happened and what to try.
    """

    COMPLETE = "complete", "Every equilibrium that was asked for is in the set; this is proved."
    SEARCHED = (
        "searched",
        "The search ended, but nothing proves that it missed no equilibrium: see the notes for "
        "what was searched.",
    )
    DEGENERATE = (
        "degenerate",
        "Somewhere the equilibria are not isolated, or not to be told apart in double precision: "
        "the notes say where. Change a payoff a little, or ask for one equilibrium.",
    )
    TIME_LIMIT = (
        "time_limit",
        "The time ran out, and these are the equilibria found until then: raise time_limit, or ask "
        "for one equilibrium, or for the pure ones.",
    )


@dataclass(frozen=True)
class Component:
    """A connected set of Nash equilibria of a two-player game, by its extreme equilibria.

    Attributes
    ----------
    solutions : tuple of int
        Positions, in the set's `solutions`, of the extreme equilibria that span it.
    subsets : tuple of pairs of tuples of int
        Maximal Nash subsets, whose union it is: every mixture of player 1's strategies in the
        solutions of the first tuple is in equilibrium with every mixture of player 2's strategies
        in those of the second. Each strategy is named by one solution that has it.
    """

    solutions: tuple[int, ...]
    subsets: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    @property
    def isolated(self) -> bool:
        """Whether it is a single equilibrium."""
        return len(self.solutions) == 1


@dataclass(frozen=True, eq=False, repr=False)
class SolutionSet:
    """Equilibria of one game, each with its certificate, and an honest word on completeness.

    It is a sequence of its solutions: ``len(found)``, ``found[0]``, ``for solution in found``.

    Attributes
    ----------
    game : NormalFormGame
        The game that was solved.
    concept : Concept
        What was sought.
    solutions : tuple of Solution
        What was found, in an order that the search describes; it may be empty.
    complete : bool
        True only where it is proved that no equilibrium of the kind sought is missing.
    status : SetStatus
        How the search ended.
    notes : tuple of str
        What was searched, and by what the claim is proved.
    components : tuple of Component
        How the extreme equilibria of a two-player game hang together; empty where not computed.
    exact : tuple of profiles of Fraction, or None for a solution without
        The same equilibria in rational numbers, where the search found and verified them exactly;
        empty where it did not work with rational numbers.
    certificates : tuple of Certificate
        Proofs by interval arithmetic, one per solution, where the search made them.
    branches : tuple of str
        The branch in eps on which each solution lies, where branches were followed.

    Examples
    --------
    >>> import rqe
    >>> found = rqe.nash(rqe.catalog.load("stag-hunt"), which="all")
    >>> len(found), found.complete
    (3, True)
    """

    game: NormalFormGame
    concept: Concept
    solutions: tuple[Solution, ...]
    complete: bool
    status: SetStatus
    notes: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    exact: tuple[Exact | None, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    branches: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of solutions."""
        return len(self.solutions)

    def __iter__(self) -> Iterator[Solution]:
        """Iterate over the solutions."""
        return iter(self.solutions)

    @overload
    def __getitem__(self, index: int) -> Solution: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Solution, ...]: ...

    def __getitem__(self, index: int | slice) -> Solution | tuple[Solution, ...]:
        """Return the solution at `index`, or a tuple of them."""
        return self.solutions[index]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per solution, player and action: what `to_frame` holds."""
        for k, solution in enumerate(self.solutions):
            for row in solution.rows():
                yield {"solution": k, **row}

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame, one row per solution, player and action.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts; rationals as strings such as "1/3"."""
        exact = [_texts(profile) for profile in self.exact]
        data = {
            "schema": "rqe.solution_set/1",
            "game": _plain.game_dict(self.game),
            "concept": _plain.concept_dict(self.concept),
            "complete": self.complete,
            "status": self.status.value,
            "message": self.status.message,
            "notes": self.notes,
            "solutions": [solution.to_dict() for solution in self.solutions],
            "components": [vars(component) for component in self.components],
            "exact": exact,
            "branches": self.branches,
            "certificates": [certificate.to_dict() for certificate in self.certificates],
            "versions": _plain.versions(),
        }
        plain: dict[str, Any] = _plain.jsonable(data)
        return plain

    def summary(self, *, max_solutions: int = 20) -> str:
        """Return a table for people: one row per solution and player, then what is proved.

        Parameters
        ----------
        max_solutions : int
            Further solutions are only counted.
        """
        return _text(self, max_solutions)

    def __repr__(self) -> str:
        """One line: how many, of what, and whether all."""
        return (
            f"<SolutionSet: {len(self)} of {self.concept.name} of {report.game_name(self.game)}, "
            f"{self.status.value}>"
        )

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks."""
        return report.text_html(self.summary())


def _texts(profile: Exact | None) -> list[list[str]] | None:
    """Return a rational profile as texts."""
    return None if profile is None else [[str(p) for p in strategy] for strategy in profile]


def _text(found: SolutionSet, limit: int) -> str:
    """Return the text of `SolutionSet.summary`."""
    rows = [
        (str(k), player, f"{solution.payoffs[i]:.6g}", _plays(found.exact, solution, k, i))
        for k, solution in enumerate(found.solutions[:limit])
        for i, player in enumerate(found.game.players)
    ]
    hidden = len(found) - min(limit, len(found))
    name = report.game_name(found.game)
    worst = max((solution.regret for solution in found.solutions), default=0.0)
    facts = [
        ("found", f"{len(found)} of {found.concept.name}" + f", {hidden} not shown" * bool(hidden)),
        ("regret", f"at most {worst:.2g}, in payoff units"),
        ("complete", f"{'yes' if found.complete else 'not proved'}. {found.status.message}"),
        *_branch_facts(found.branches),
        *(("note", note) for note in found.notes),
    ]
    table = report.table(("number", "player", "payoff", "plays"), rows, (0, 1, 3)) if rows else []
    lines = [name[0].upper() + name[1:], "", *table, *[""] * bool(rows)]
    return "\n".join(lines + [report.paragraph(label, text) for label, text in facts])


def _branch_facts(branches: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return which solutions lie on each branch, in the order of the solutions."""
    facts = []
    for name in dict.fromkeys(branches):
        numbers = [str(k) for k, other in enumerate(branches) if other == name]
        where = {"branch not followed": "a branch that was not followed"}.get(name, f"the {name}")
        facts.append(("branch", f"{', '.join(numbers)} on {where}".replace("the branch", "branch")))
    return facts


def _plays(exact: tuple[Exact | None, ...], solution: Solution, k: int, i: int) -> str:
    """Return player i's actions of positive probability, the six most probable at most."""
    log_x, names = solution.log_strategies[i], solution.game.actions[i]
    profile = exact[k] if exact else None
    played = [a for a in report.shown_actions(log_x, 6) if log_x[a] > -math.inf]
    texts = []
    for a in played:
        short = profile is not None and len(str(profile[i][a])) <= 12
        p = str(profile[i][a]) if profile and short else report.probability(log_x[a])
        texts.append(f"{names[a]} {p}")
    more = int((log_x > -math.inf).sum()) - len(played)
    return ", ".join(texts) + (f", {more} more" if more else "")
