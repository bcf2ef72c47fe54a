r"""The equilibrium equations in ball arithmetic: every number is a rigorous enclosure.

Unknowns of player i are his logits relative to his most probable action r: ``z_a = log x_a -
log x_r`` for a != r. With D the payoff differences to action r, p the fictitious adversary and c
the slope of the regularizer, the equations are, for every a != r,

    c(z)_a - sum_m D[a, m] p(m) / eps = 0,
    c_a = z_a  (entropy),      c_a = 1/x_r - 1/x_a  (log barrier).

What p needs beyond the logits depends on the penalty, see the three kinds of `Adversary`. Nothing
here is shared with the solvers or with `rqe.check`. Joint actions of the others are flat, in player
order. Balls are python-flint's `arb`; the working precision is flint's context.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import flint
import numpy as np

from rqe.proof._adversaries import ADVERSARIES, Adversary, Joint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

Ball = Any  # flint.arb, whose package ships no precise types for arithmetic
Balls = list[Any]


class System:
    """The square system F(y) = 0 of one game and concept around one profile.

    Parameters
    ----------
    game, concept
        Every player needs eps > 0.
    log_strategies : sequence of N arrays, shape (n_i,)
        The profile that fixes reference actions, and where `start` begins.
    witnesses : sequence of N arrays or None
        Adversaries over the others' joint actions, needed for players with tau = inf.
    exact : bool
        Whether payoffs are `game.exact` or the doubles.
    """

    def __init__(
        self,
        game: NormalFormGame,
        concept: Concept,
        log_strategies: Sequence[Array],
        witnesses: Sequence[Array],
        exact: bool,
    ) -> None:
        self.game, self.concept, self.exact = game, concept, exact
        self.logs = [np.asarray(log_x, dtype=float) for log_x in log_strategies]
        self.reference = [int(np.argmax(log_x)) for log_x in self.logs]
        self.free = [
            [a for a in range(n) if a != r] if eps < math.inf else []
            for n, r, eps in zip(game.shape, self.reference, concept.eps.tolist(), strict=True)
        ]
        ends = list(itertools.accumulate(map(len, self.free), initial=0))
        self.own = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.seats = [self._seat(i, witnesses[i]) for i in range(game.n_players)]
        self.extra: list[slice] = []
        for seat in self.seats:
            ends.append(ends[-1] + seat.extra)
            self.extra.append(slice(ends[-2], ends[-1]))
        self.logits, self.size = self.own[-1].stop, ends[-1]
        self.implicit = [
            where.start for where, seat in zip(self.extra, self.seats, strict=True) if seat.implicit
        ]
        self._payoffs: dict[int, tuple[int, Any, Balls]] = {}

    def _seat(self, i: int, witness: Array) -> Adversary:
        """Return player i's adversary; none is needed where nothing is free."""
        tau = float(self.concept.tau[i])
        if not self.free[i]:
            return ADVERSARIES["none"](tau)
        if tau == 0.0:
            return ADVERSARIES["neutral"](tau)
        if tau == math.inf:
            return ADVERSARIES["worst_case"](tau, witness)
        return ADVERSARIES[self.concept.penalty](tau)

    def differences(self, i: int) -> tuple[Any, Balls]:
        """Return D, (n_i - 1, M), and player i's payoffs at r less the first of them, (M,)."""
        precision = flint.ctx.prec
        kept = self._payoffs.get(i)
        if kept is None or kept[0] != precision:
            table = self.game.exact if self.exact else self.game.payoffs
            own_first = np.moveaxis(table[i], i, 0).reshape(self.game.shape[i], -1)
            rows = [[_ball(u) for u in row] for row in own_first.tolist()]
            base = rows[self.reference[i]]
            D = flint.arb_mat([[u - b for u, b in zip(rows[a], base, strict=True)]
                               for a in self.free[i]])  # fmt: skip
            kept = self._payoffs[i] = (precision, D, [b - base[0] for b in base])
        return kept[1], kept[2]

    def strategies(self, y: Balls) -> list[Balls]:
        """Return the strategies at the unknowns y, each summing to 1 by construction."""
        profile = []
        for i, n in enumerate(self.game.shape):
            if float(self.concept.eps[i]) == math.inf:
                profile.append([flint.arb(1) / n] * n)
                continue
            odds = [flint.arb(1)] * n
            for a, z in zip(self.free[i], y[self.own[i]], strict=True):
                odds[a] = z.exp()
            total = _sum(odds)
            profile.append([o / total for o in odds])
        return profile

    def log_strategies(self, y: Balls) -> list[Balls]:
        """Return logarithms of the strategies at y, accurate however small they are."""
        logs = []
        for i, x in enumerate(self.strategies(y)):
            top = x[self.reference[i]].log()
            log_x = [top] * len(x)
            for a, z in zip(self.free[i], y[self.own[i]], strict=True):
                log_x[a] = top + z
            logs.append(log_x)
        return logs

    def start(self) -> Balls:
        """Return the unknowns at the given profile, exact numbers."""
        y = [_ball(log_x[a]) - _ball(log_x[r])
             for log_x, r, free in zip(self.logs, self.reference, self.free, strict=True)
             for a in free]  # fmt: skip
        profile = self.strategies(y)
        for i, seat in enumerate(self.seats):
            if seat.extra:
                y += seat.begin(self._joint(i, profile))
        return [v.mid() for v in y]

    def _joint(self, i: int, profile: list[Balls]) -> Joint:
        """Return what player i's adversary sees: payoffs g less a constant, and q."""
        D, base = self.differences(i)
        x = [profile[i][a] for a in self.free[i]]
        h = (flint.arb_mat([x]) * D).entries()
        q = [flint.arb(1)]
        for j, x_j in enumerate(profile):
            if j != i:
                q = [u * v for u in q for v in x_j]
        return Joint(x, D, h, [b + d for b, d in zip(base, h, strict=True)], q)

    def evaluate(self, y: Balls, jacobian: bool = True) -> tuple[Balls, Any]:
        """Return F(y), and its Jacobian as an arb_mat (None if not asked for)."""
        profile = self.strategies(y)
        values: Balls = [flint.arb(0)] * self.size
        J: Any = [[flint.arb(0)] * self.size for _ in range(self.size)] if jacobian else None
        for i, seat in enumerate(self.seats):
            if not self.free[i]:
                continue
            joint = self._joint(i, profile)
            seat.set(joint, y[self.extra[i]])
            eps = flint.arb(float(self.concept.eps[i]))
            worth = (joint.D * flint.arb_mat([[p] for p in seat.p])).entries()
            slopes = self._regularizer(y[self.own[i]], J, self.own[i].start)
            values[self.own[i]] = [c - v / eps for c, v in zip(slopes, worth, strict=True)]
            values[self.extra[i]] = seat.values()
            if J is not None:
                self._add_adversary(i, profile, joint, seat, eps, J)
        return values, None if J is None else flint.arb_mat(J)

    def _regularizer(self, z: Balls, J: Any, begin: int) -> Balls:
        """Return c(z) and write its derivatives into the own block of J."""
        here = range(begin, begin + len(z))
        if self.concept.regularizer == "entropy":
            if J is not None:
                for k in here:
                    J[k][k] = flint.arb(1)
            return z
        odds = [v.exp() for v in z]
        total = 1 + _sum(odds)
        drops = [-((-v).expm1()) for v in z]  # 1 - exp(-z)
        if J is not None:
            for k, drop in zip(here, drops, strict=True):
                for other, o in zip(here, odds, strict=True):
                    J[k][other] = o * drop
                J[k][k] += total * (1 - drop)
        return [total * drop for drop in drops]

    def _add_adversary(
        self, i: int, profile: list[Balls], joint: Joint, seat: Adversary, eps: Ball, J: Any,
    ) -> None:  # fmt: skip
        """Subtract D dp / eps from the rows of player i, and write the rows of his extras."""
        columns: list[int] = []
        blocks: list[Balls] = []
        own = list(range(self.own[i].start, self.own[i].stop))
        extra = list(range(self.extra[i].start, self.extra[i].stop))
        for where, made in ((own, seat.by_own()), (extra, seat.by_extra())):
            columns += where
            blocks += made
        for j, where, hits in self._others(i):
            columns += where
            blocks += seat.by_other(hits, [profile[j][b] for b in self.free[j]])
        pairs = [(k, block) for k, block in zip(columns, blocks, strict=True) if block]
        if not pairs:
            return
        moves = joint.D * flint.arb_mat([block for _, block in pairs]).transpose()
        for row, line in zip(own, moves.tolist(), strict=True):
            for (column, _), move in zip(pairs, line, strict=True):
                J[row][column] -= move / eps
        for row, slopes in zip(extra, seat.extra_rows(columns, blocks, own), strict=True):
            for column, slope in zip(columns, slopes, strict=True):
                J[row][column] = slope

    def _others(self, i: int) -> list[tuple[int, list[int], list[list[int]]]]:
        """Return per other player his columns, and per free action the joint actions with it."""
        rest = [j for j in range(self.game.n_players) if j != i]
        sizes = [self.game.shape[j] for j in rest]
        flat = np.arange(math.prod(sizes)).reshape(sizes)
        out = []
        for k, j in enumerate(rest):
            hits = [np.take(flat, b, axis=k).ravel().tolist() for b in self.free[j]]
            out.append((j, list(range(self.own[j].start, self.own[j].stop)), hits))
        return out

    def strict(self, y: Balls) -> bool:
        """Return whether what the equations take for granted holds all over the balls y."""
        profile = self.strategies(y)
        for i, seat in enumerate(self.seats):
            if self.free[i]:
                seat.set(self._joint(i, profile), y[self.extra[i]])
                if not seat.holds():
                    return False
        return True

    def covers(self, y: Balls) -> bool:
        """Return whether implicit unknowns stay within y for all logits in y."""
        profile = self.strategies(y)
        for i, seat in enumerate(self.seats):
            if seat.implicit:
                joint, unknown = self._joint(i, profile), y[self.extra[i].start]
                seat.set(joint, [unknown.lower()])
                below = seat.holds() and seat.values()[0] > 0
                seat.set(joint, [unknown.upper()])
                if not (below and seat.values()[0] < 0):
                    return False
        return True


def _ball(number: float | Fraction) -> Ball:
    """Return the number as a ball: a double exactly, a fraction to the working precision."""
    if isinstance(number, Fraction):
        return flint.arb(flint.fmpq(number.numerator, number.denominator))
    return flint.arb(number)


def _sum(balls: Balls) -> Ball:
    """Return the sum; python's own starts from an int and is slower."""
    total = balls[0]
    for ball in balls[1:]:
        total = total + ball
    return total
