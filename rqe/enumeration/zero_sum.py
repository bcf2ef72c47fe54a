"""Zero-sum games of two players by linear programming: the value and a pair of optimal strategies.

Constant-sum games, and games that become so when each player's payoffs are stretched, are meant
too: they have the same equilibria. An equilibrium is a pair of maximin strategies, and one linear
programme gives both: player 1's are its variables, player 2's its multipliers [1]_.

References
----------
.. [1] von Neumann (1928); Dantzig, Activity Analysis of Production and Allocation (1951).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import flag
from rqe.enumeration._answers import doubles, judged, scaled, two_players
from rqe.enumeration._dictionary import Dictionary, integers
from rqe.solution import Solution
from rqe.status import Stats, Status

if TYPE_CHECKING:
    from rqe.games import NormalFormGame

    Exact = tuple[tuple[Fraction, ...], ...]

_OPEN = "all equilibria have these payoffs; the strategies need not be the only optimal ones"


@dataclass(frozen=True, kw_only=True)
class ZeroSum:
    """How to solve a zero-sum game.

    Attributes
    ----------
    exact : bool
        Whether to solve in integers, from the exact payoffs. By default doubles are used, and
        integers only where the certificate of the doubles exceeds ``tol``.
    """

    exact: bool = False
    name = "zero_sum"

    def __post_init__(self) -> None:
        """Check the type."""
        flag("exact", self.exact)

    def run(self, game: NormalFormGame, tol: float) -> Solution:
        """Return optimal strategies of both players.

        Raises
        ------
        ValueError
            If the game has not two players, or their interests are not opposed.
        """
        two_players(game, self.name)
        if not is_zero_sum(game):
            raise ValueError(
                "method 'zero_sum' is for games of two players whose payoffs, stretched, add up to "
                "a constant; this game's do not: leave method out, or use 'lemke_howson'"
            )
        if not self.exact:
            from rqe.solvers.security import maximin

            solution = judged(
                game, maximin(scaled(game.payoffs[0])), self.name, tol, notes=(_OPEN,)
            )
            if solution.status is Status.CONVERGED:
                return solution
        profile, steps = exact_optimum(game)
        return judged(
            game, doubles(profile), self.name, tol, stats=Stats(steps=steps), notes=(_OPEN,)
        )


def is_zero_sum(game: NormalFormGame) -> bool:
    """Return whether two players' payoffs, each stretched to [0, 1], add up to 1 everywhere.

    In doubles, up to 1e-12; a player who is indifferent between all outcomes has no interests.
    """
    if game.n_players != 2 or not game.payoff_range.all():
        return False
    total = scaled(game.payoffs[0]) + scaled(game.payoffs[1])
    return bool(np.abs(total - 1.0).max() <= 1e-12)


def exact_optimum(game: NormalFormGame) -> tuple[Exact, int]:
    """Return optimal strategies in fractions, and the pivots of the simplex method they took.

    With player 1's payoffs moved above 0, ``max sum(y)`` subject to ``A y <= 1`` has the optimum
    1 / value; y and the multipliers x are optimal strategies once they sum to 1. Bland's rule for
    what enters and the lexicographic rule for what leaves: no cycles.
    """
    m, n = game.shape
    payoffs = integers(game.exact[0])
    low = min(map(min, payoffs))
    table = [[u - low + 1 for u in line] for line in payoffs]
    dictionary = _Programme(table, list(range(m)), list(range(m, m + n)))
    steps = 0
    while (column := dictionary.entering()) is not None:
        dictionary.pivot(dictionary.leaving(column), column)
        steps += 1
    y, x = dictionary.vertex(), dictionary.multipliers()
    return (_normalised(x, range(m)), _normalised(y, range(m, m + n))), steps


class _Programme(Dictionary):
    """A dictionary with ``max sum(z)`` as its last row, which no ratio test looks at."""

    __slots__ = ()

    def __init__(self, matrix: list[list[int]], slacks: list[int], structural: list[int]) -> None:
        super().__init__(matrix, slacks, structural)
        self.rows.append([-1] * len(structural) + [0])
        self.basic.append(len(slacks) + len(structural))  # the objective, which never leaves

    def entering(self) -> int | None:
        """Return the column of the first label that improves the objective, None at the optimum."""
        gains = zip(self.nonbasic, self.rows[-1], range(len(self.nonbasic)), strict=False)
        improving = [(label, c) for label, value, c in gains if value < 0]
        return min(improving)[1] if improving else None

    def leaving(self, c: int) -> int:
        """Return the row that leaves when column c enters; the objective stays."""
        objective = self.rows.pop()
        try:
            return super().leaving(c)
        finally:
            self.rows.append(objective)

    def multipliers(self) -> dict[int, int]:
        """Return the multipliers of the constraints by label, times ``scale``."""
        return dict(zip(self.nonbasic, self.rows[-1], strict=False))


def _normalised(values: dict[int, int], labels: range) -> tuple[Fraction, ...]:
    """Return the values of the labels, made to sum to 1."""
    numbers = [values.get(label, 0) for label in labels]
    total = sum(numbers)
    return tuple(Fraction(number, total) for number in numbers)
