"""Fictitious adversaries in ball arithmetic: p, its derivatives, and the unknowns it brings along.

An adversary is told the joint situation by `set`; then `p` is its distribution. Derivatives of p
come as rows over the joint actions, one row per variable: `by_own` (own logits), `by_other` (logits
of another player), `by_extra` (its own unknowns, for which it brings as many equations: `values`
and `extra_rows`). An empty row means no dependence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import flint
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ball = Any
Balls = list[Any]

_PLAYED = 1e-7  # a worst case gives at least this probability to what it plays


class Joint(NamedTuple):
    """Own probabilities x without r, differences D, h = x D, g up to a constant, product q."""

    x: Balls
    D: Any
    h: Balls
    g: Balls
    q: Balls


class Adversary:
    """Risk neutrality: p = q. Others derive from it."""

    extra = 0
    implicit = False  # whether the extra unknown is a function of the logits

    def __init__(self, tau: float) -> None:
        self.tau = flint.arb(tau) if tau < float("inf") else None

    def begin(self, joint: Joint) -> Balls:
        """Return the start of the extra unknowns."""
        return []

    def set(self, joint: Joint, extra: Balls) -> None:
        """Take the situation in; p is then defined."""
        self.joint = joint
        self.p = joint.q

    def holds(self) -> bool:
        """Return whether inequalities that the equations do not show hold."""
        return True

    def values(self) -> Balls:
        """Return the extra equations."""
        return []

    def by_own(self) -> list[Balls]:
        """Return dp by the own logits."""
        return [[] for _ in self.joint.x]

    def by_extra(self) -> list[Balls]:
        """Return dp by the extra unknowns."""
        return []

    def by_other(self, hits: Sequence[Sequence[int]], x: Balls) -> list[Balls]:
        """Return dp by another player's logits: p(m) (1[m_j = b] - share of b)."""
        rows = []
        for members, share in zip(hits, self._shares(hits, x), strict=True):
            row = [-(p * share) for p in self.p]
            for m in members:
                row[m] = self.p[m] + row[m]
            rows.append(row)
        return rows

    def _shares(self, hits: Sequence[Sequence[int]], x: Balls) -> Balls:
        """Return what keeps the total: the probability of each action of the other player."""
        return x

    def extra_rows(
        self, columns: Sequence[int], blocks: Sequence[Balls], own: Sequence[int]
    ) -> list[Balls]:
        """Return the derivatives of the extra equations by the variables of `columns`."""
        return []

    def _slopes_of_g(self) -> list[Balls]:
        """Return dg by the own logits: x_c (D_c - h)."""
        joint = self.joint
        return [
            [x * (d - h) for d, h in zip(row, joint.h, strict=True)]
            for x, row in zip(joint.x, joint.D.tolist(), strict=True)
        ]


class Kl(Adversary):
    """KL(p || q): p proportional to q exp(-tau g)."""

    def set(self, joint: Joint, extra: Balls) -> None:
        """Take the situation in."""
        self.joint = joint
        weights = [q * (-(self.tau * g)).exp() for q, g in zip(joint.q, joint.g, strict=True)]
        total = sum(weights[1:], weights[0])
        self.p = [w / total for w in weights]

    def by_own(self) -> list[Balls]:
        """Return dp by the own logits: -tau p (dg - E_p dg)."""
        rows = []
        for slopes in self._slopes_of_g():
            mean = _dot(self.p, slopes)
            rows.append([self.tau * p * (mean - s) for p, s in zip(self.p, slopes, strict=True)])
        return rows

    def _shares(self, hits: Sequence[Sequence[int]], x: Balls) -> Balls:
        """Return the marginal probabilities under p."""
        return [sum((self.p[m] for m in members), flint.arb(0)) for members in hits]


class ReverseKl(Adversary):
    """KL(q || p): p = q / (kappa + tau (g - g_0)), log kappa an unknown, sum p = 1 its equation.

    g_0 is the lowest g at the start; kappa > 0 is the denominator there.
    """

    extra = 1
    implicit = True

    def begin(self, joint: Joint) -> Balls:
        """Return log kappa at which p sums to 1, by Newton's method from below."""
        mids = [float(g) for g in joint.g]
        self.lowest = int(np.argmin(mids))
        gaps = [(self.tau * (g - joint.g[self.lowest])).mid() for g in joint.g]
        q = [v.mid() for v in joint.q]
        kappa = max([v - gap for v, gap in zip(q, gaps, strict=True)], key=float)
        kappa = kappa if kappa > q[self.lowest] else q[self.lowest]
        for _ in range(200):
            p = [(v / (kappa + gap)) for v, gap in zip(q, gaps, strict=True)]
            total = sum(p[1:], p[0])
            slope = _dot(p, [1 / (kappa + gap) for gap in gaps])
            step = ((total - 1) * total / slope).mid()
            if not step > kappa * 1e-14:
                break
            kappa = (kappa + step).mid()
        return [kappa.log()]

    def set(self, joint: Joint, extra: Balls) -> None:
        """Take the situation in."""
        self.joint = joint
        self.kappa = extra[0].exp()
        low = joint.g[self.lowest]
        self.reach = [self.kappa + self.tau * (g - low) for g in joint.g]
        self.reach[self.lowest] = self.kappa
        self.p = [q / r for q, r in zip(joint.q, self.reach, strict=True)]

    def holds(self) -> bool:
        """Return whether all denominators are positive: then p is the minimiser."""
        return all(r > 0 for r in self.reach)

    def values(self) -> Balls:
        """Return sum p - 1."""
        return [sum(self.p[1:], self.p[0]) - 1]

    def by_own(self) -> list[Balls]:
        """Return dp by the own logits: -tau p (dg - dg_0) / reach, exactly 0 where g is g_0."""
        rows = []
        for slopes in self._slopes_of_g():
            low = slopes[self.lowest]
            row = [
                self.tau * p * (low - s) / r
                for p, s, r in zip(self.p, slopes, self.reach, strict=True)
            ]
            row[self.lowest] = flint.arb(0)
            rows.append(row)
        return rows

    def by_extra(self) -> list[Balls]:
        """Return dp by log kappa."""
        return [[-(p * self.kappa / r) for p, r in zip(self.p, self.reach, strict=True)]]

    def extra_rows(
        self, columns: Sequence[int], blocks: Sequence[Balls], own: Sequence[int]
    ) -> list[Balls]:
        """Return the derivatives of sum p."""
        return [[sum(row[1:], row[0]) if row else flint.arb(0) for row in blocks]]


class WorstCase(Adversary):
    """tau = inf: p lives on the joint actions S of lowest g, and makes g equal on them.

    Unknowns are the probabilities on S without its first action, m_0; equations g(m) = g(m_0).
    """

    def __init__(self, tau: float, witness: NDArray[np.float64]) -> None:
        super().__init__(tau)
        flat = np.asarray(witness, dtype=float).ravel()
        order = np.argsort(-flat, kind="stable")
        self.support = [int(m) for m in order if flat[m] > _PLAYED]
        self.start = [float(flat[m] / flat[self.support].sum()) for m in self.support[1:]]
        self.extra = len(self.start)

    def begin(self, joint: Joint) -> Balls:
        """Return the witness on S."""
        return [flint.arb(v) for v in self.start]

    def set(self, joint: Joint, extra: Balls) -> None:
        """Take the situation in."""
        self.joint = joint
        self.p = [flint.arb(0)] * len(joint.q)
        for m, probability in zip(self.support[1:], extra, strict=True):
            self.p[m] = probability
        self.p[self.support[0]] = 1 - sum(extra, flint.arb(0))

    def holds(self) -> bool:
        """Return whether p > 0 on S and g is strictly higher elsewhere."""
        chosen = set(self.support)
        low = self.joint.g[self.support[0]]
        return all(
            (self.p[m] > 0) if m in chosen else (g > low) for m, g in enumerate(self.joint.g)
        )

    def values(self) -> Balls:
        """Return g(m) - g(m_0)."""
        g = self.joint.g
        return [g[m] - g[self.support[0]] for m in self.support[1:]]

    def by_extra(self) -> list[Balls]:
        """Return dp by the probabilities on S."""
        rows = []
        for m in self.support[1:]:
            row = [flint.arb(0)] * len(self.p)
            row[m], row[self.support[0]] = flint.arb(1), flint.arb(-1)
            rows.append(row)
        return rows

    def by_other(self, hits: Sequence[Sequence[int]], x: Balls) -> list[Balls]:
        """Return nothing: the worst case does not depend on what the others play."""
        return [[] for _ in hits]

    def extra_rows(
        self, columns: Sequence[int], blocks: Sequence[Balls], own: Sequence[int]
    ) -> list[Balls]:
        """Return the derivatives of g(m) - g(m_0), which only the own logits have."""
        slopes = dict(zip(own, self._slopes_of_g(), strict=True))
        first, zero = self.support[0], flint.arb(0)
        return [
            [slopes[k][m] - slopes[k][first] if k in slopes else zero for k in columns]
            for m in self.support[1:]
        ]


class Absent(Adversary):
    """The adversary of a player who has nothing to choose: no one asks it anything."""


def _dot(first: Balls, second: Balls) -> Ball:
    """Return the inner product."""
    total = first[0] * second[0]
    for a, b in zip(first[1:], second[1:], strict=True):
        total = total + a * b
    return total


#: By penalty, for finite tau > 0, and the limits.
ADVERSARIES: dict[str, Callable[..., Adversary]] = {
    "kl": Kl,
    "reverse_kl": ReverseKl,
    "worst_case": WorstCase,
    "neutral": Adversary,
    "none": Absent,
}
