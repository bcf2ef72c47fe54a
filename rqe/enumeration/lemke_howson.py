"""One equilibrium of two players by the Lemke-Howson algorithm.

A path of pivots leads from the artificial equilibrium, at which nobody plays anything, to an
equilibrium, along vertices that have all labels but one [1]_. Ties are broken lexicographically, so
no path cycles. Paths differ in length by orders of magnitude with the label that is dropped; unless
told which, short attempts on one label after another find a short one.

References
----------
.. [1] Lemke & Howson, Journal of the SIAM 12 (1964).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import Concept, flag
from rqe.enumeration._answers import doubles, judged, two_players
from rqe.enumeration._dictionary import polytopes
from rqe.solution import Solution
from rqe.status import Stats, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]
    Exact = tuple[tuple[Fraction, ...], ...]

_UNIT = 16  # pivots of the shortest attempt on a label


@dataclass(frozen=True, kw_only=True)
class LemkeHowson:
    """Hyper-parameters of the Lemke-Howson algorithm.

    Attributes
    ----------
    drop : int or None
        Label to drop: player 1's actions come first, then player 2's. None tries several and takes
        the first short path; different labels may lead to different equilibria.
    exact : bool
        Whether to pivot in integers, from the exact payoffs. Doubles are used otherwise, and
        integers only where the certificate of the doubles exceeds ``tol``.
    max_steps : int
        Pivots after which to give up.
    """

    drop: int | None = None
    exact: bool = False
    max_steps: int = 1_000_000
    name = "lemke_howson"

    def __post_init__(self) -> None:
        """Check the types and signs; whether the label exists is known when the game is."""
        if self.drop is not None and (not _integer(self.drop) or self.drop < 0):
            raise ValueError(f"drop must be None or an integer >= 0; got {self.drop!r}")
        if not _integer(self.max_steps) or self.max_steps < 1:
            raise ValueError(f"max_steps must be an integer >= 1; got {self.max_steps!r}")
        flag("exact", self.exact)

    def run(self, game: NormalFormGame, tol: float) -> Solution:
        """Return the equilibrium at the end of the path; its status says if there was an end."""
        two_players(game, self.name)
        if self.drop is not None and self.drop >= sum(game.shape):
            raise ValueError(
                f"drop must be a label below {sum(game.shape)}, the number of all actions; "
                f"got {self.drop}"
            )
        if not self.exact:
            solution = self._in_doubles(game, tol)
            if solution.status is not Status.INACCURATE:
                return solution
        return self._in_integers(game, tol)

    def _in_doubles(self, game: NormalFormGame, tol: float) -> Solution:
        """Return what the compiled pivots find."""
        from rqe._kernels import bimatrix

        m, n = game.shape
        A, B = game.payoffs
        x, y = np.full(m, 1.0 / m), np.full(n, 1.0 / n)
        if self.drop is None:
            drop, steps = bimatrix.shortest_path(A, B, _UNIT, self.max_steps, x, y)
        else:
            drop, steps = self.drop, bimatrix.lemke_howson(A, B, self.drop, self.max_steps, x, y)
        return self._solution(game, [x, y], tol, drop, steps, "in double precision")

    def _in_integers(self, game: NormalFormGame, tol: float) -> Solution:
        """Return what exact pivots find."""
        drop = self.drop or 0
        profile, steps = exact_path(game, drop, self.max_steps)
        if profile is None:
            uniform = [np.full(n, 1.0 / n) for n in game.shape]
            return self._solution(game, uniform, tol, drop, -steps, "exactly")
        return self._solution(game, doubles(profile), tol, drop, steps, "exactly")

    def _solution(
        self,
        game: NormalFormGame,
        profile: list[Array],
        tol: float,
        drop: int,
        steps: int,
        how: str,
    ) -> Solution:
        """Return the profile as a solution; `steps` is negative where the path did not end."""
        done = abs(steps)
        notes = (
            f"other equilibria may exist; this one ends the path of label {drop}, followed {how}",
        )
        if steps > 0:
            return judged(game, profile, self.name, tol, stats=Stats(steps=done), notes=notes)
        lost = judged(game, profile, self.name, tol, stats=Stats(steps=done))
        status = Status.MAX_STEPS if done >= self.max_steps else Status.INACCURATE
        return Solution(
            game, Concept.of(game), lost.log_strategies, lost.check, status, self.name, lost.stats
        )


def _integer(value: object) -> bool:
    """Return whether it is a whole number, Python's or numpy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def exact_path(game: NormalFormGame, drop: int, max_steps: int) -> tuple[Exact | None, int]:
    """Return the equilibrium, in fractions, that ends the path of a label, and its pivots.

    None where the path is longer than `max_steps`.
    """
    pair = polytopes(game)
    side, label = (0 if drop < game.shape[0] else 1), drop
    for steps in range(1, max_steps + 1):
        dictionary = pair[side].dictionary
        column = dictionary.nonbasic.index(label)
        row = dictionary.leaving(column)
        label = dictionary.basic[row]
        dictionary.pivot(row, column)
        if label == drop:
            return tuple(p.strategy(p.dictionary.vertex()) for p in pair), steps
        side = 1 - side
    return None, max_steps
