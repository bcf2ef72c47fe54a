"""Exact linear programming dictionaries in integers, pivoted without fractions.

A dictionary of the polytope ``{z >= 0, M z <= 1}``, M of positive integers with one row per
constraint, expresses the basic variables by the others,

    scale * basic[r] + sum_c rows[r][c] * nonbasic[c] = rows[r][-1],

with integers only: ``scale`` is the determinant of the basis, and the division in a pivot leaves
no remainder (Edmonds, Bareiss). Variables are known by their labels: in a bimatrix game of shape
(m, n), label i < m is player 1's action i and label m + j is player 2's action j, whether the
variable is the action's probability or the slack of its best-response constraint.

Ties in the ratio test are broken by the lexicographic rule, which amounts to adding the powers of
an infinitely small number to the right-hand sides, in the order of the constraints. Under it no
path cycles, and the bases met are those of a simple polytope.

References
----------
.. [1] Avis, Rosenberg, Savani & von Stengel, Economic Theory 42 (2010): enumeration of Nash
   equilibria for two-player games.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame


_ZERO = Fraction(0)


class Dictionary:
    """A basis of ``{z >= 0, M z <= 1}``, changed in place by `pivot`.

    Parameters
    ----------
    matrix : list of lists of int
        M, one list per constraint; every column has a positive entry.
    slacks, structural : list of int
        Labels of the constraints' slacks and of the variables z.
    """

    __slots__ = ("basic", "mask", "nonbasic", "order", "rows", "scale")

    def __init__(self, matrix: list[list[int]], slacks: list[int], structural: list[int]) -> None:
        self.rows = [[*row, 1] for row in matrix]
        self.basic = list(slacks)
        self.nonbasic = list(structural)
        self.order = tuple(slacks)
        self.scale = 1
        self.mask = sum(1 << label for label in structural)  # of the labels that are not basic

    def pivot(self, r: int, c: int) -> None:
        """Exchange basic variable r and nonbasic variable c; the same call undoes it."""
        rows, top, d = self.rows, self.rows[r], self.scale
        p = top[c]
        for i, row in enumerate(rows):
            if i == r:
                continue
            f = row[c]
            if f:
                row = [(v * p - f * w) // d for v, w in zip(row, top, strict=True)]
                row[c] = -f
                rows[i] = row
            elif p != d:
                rows[i] = [v * p // d for v in row]
        top[c] = d
        self.scale = p
        self.mask ^= (1 << self.basic[r]) | (1 << self.nonbasic[c])
        self.basic[r], self.nonbasic[c] = self.nonbasic[c], self.basic[r]

    def leaving(self, c: int) -> int:
        """Return the row whose variable leaves when nonbasic variable c enters; -1 if none does."""
        best, rhs, coefficient, tied = -1, 0, 1, False
        for i, row in enumerate(self.rows):
            a = row[c]
            if a > 0:
                gap = row[-1] * coefficient - rhs * a
                if best < 0 or gap < 0:
                    best, rhs, coefficient, tied = i, row[-1], a, False
                elif gap == 0:
                    tied = True
        return self._lexicographic(c, rhs, coefficient) if tied else best

    def _lexicographic(self, c: int, rhs: int, coefficient: int) -> int:
        """Return the row that leaves among those of ratio rhs / coefficient in column c."""
        rows = self.rows
        ties = [
            i for i, row in enumerate(rows) if row[c] > 0 and row[-1] * coefficient == rhs * row[c]
        ]
        for label in self.order:
            if label in self.basic:
                r = self.basic.index(label)
                column = [self.scale if i == r else 0 for i in ties]
            else:
                k = self.nonbasic.index(label)
                column = [rows[i][k] for i in ties]
            ratios = [Fraction(v, rows[i][c]) for v, i in zip(column, ties, strict=True)]
            least = min(ratios)
            ties = [i for i, ratio in zip(ties, ratios, strict=True) if ratio == least]
            if len(ties) == 1:
                break
        return ties[0]

    def tight(self) -> int:
        """Return, as a bit mask, the labels of all variables that are zero at this vertex."""
        mask = self.mask
        for row, label in zip(self.rows, self.basic, strict=True):
            if not row[-1]:
                mask |= 1 << label
        return mask

    def vertex(self) -> dict[int, int]:
        """Return the positive variables by label, times ``scale``."""
        pairs = zip(self.rows, self.basic, strict=True)
        return {label: row[-1] for row, label in pairs if row[-1]}


class Polytope:
    """Best responses to one player's strategies, as a dictionary at the origin.

    Parameters
    ----------
    payoffs : list of lists of int
        The other player's payoffs, one list per own action.
    structural, slacks : list of int
        Labels of the own actions and of the other player's.

    Notes
    -----
    Adding a constant to the other player's payoffs against one own action changes no best
    response, and scaling a variable only renames its unit. Both keep the integers small: the
    payoffs against action i become 1 + (u - min u) / gcd, and probabilities are read in units of
    ``1 / gcd``.
    """

    def __init__(self, payoffs: list[list[int]], structural: list[int], slacks: list[int]) -> None:
        lows = [min(line) for line in payoffs]
        gaps = [[u - low for u in line] for line, low in zip(payoffs, lows, strict=True)]
        units = [math.gcd(*line) or 1 for line in gaps]
        small = [[1 + u // g for u in line] for line, g in zip(gaps, units, strict=True)]
        self.dictionary = Dictionary(list(map(list, zip(*small, strict=True))), slacks, structural)
        self.structural = structural
        common = math.lcm(*units)
        self._weights = [common // g for g in units]

    def strategy(self, vertex: dict[int, int]) -> tuple[Fraction, ...]:
        """Return the strategy at a vertex: its structural variables, made to sum to 1."""
        return self.normalised([vertex.get(label, 0) for label in self.structural])

    def normalised(self, values: list[int]) -> tuple[Fraction, ...]:
        """Return the strategy whose structural variables are proportional to `values`."""
        numbers = [value * weight for value, weight in zip(values, self._weights, strict=True)]
        total = sum(numbers)
        return tuple([Fraction(number, total) if number else _ZERO for number in numbers])


def integers(table: NDArray[np.object_]) -> list[list[int]]:
    """Return a matrix of fractions times their least common denominator."""
    lines: list[list[Fraction]] = table.tolist()
    common = math.lcm(*{u.denominator for line in lines for u in line})
    return [[u.numerator * (common // u.denominator) for u in line] for line in lines]


def polytopes(game: NormalFormGame) -> tuple[Polytope, Polytope]:
    """Return the best-response polytopes of player 1's and of player 2's strategies."""
    m, n = game.shape
    rows, columns = list(range(m)), list(range(m, m + n))
    first = Polytope(integers(game.exact[1]), rows, columns)
    second = Polytope(integers(game.exact[0].T), columns, rows)
    return first, second
