"""Equilibria by way of the branches they lie on, and the names of these branches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rqe.bifurcation import _atlas, _follow
from rqe.bifurcation._family import EpsFamily, parallel_family, tau_family
from rqe.bifurcation._system import System
from rqe.concepts import Concept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.proof._pool import Pool
    from rqe.solution import Solution

    Array = NDArray[np.float64]

MOST_UNKNOWNS = 60  # free probabilities of games whose branches are followed
_HIGH = 20.0  # eps, in payoff ranges, from which branches are followed down
_PAST = 0.5  # share of the target's eps to which they are followed, for folds beyond it
_SMALL = 0.02  # eps, in payoff ranges, at which Nash equilibria are taken up
_FAR = 0.3
_MOST_NASH = 40
PRINCIPAL = "principal branch"


@dataclass
class Branches:
    """Branches in eps (in parallel to the target) of one pool, and what they hold at the target."""

    pool: Pool
    clock: Clock
    system: System
    atlas: _atlas.Atlas
    mu: float
    nash: int = 0
    names: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of branches that were followed."""
        return len(self.atlas.found)

    def principal(self) -> None:
        """Follow the branch of the centroid, those that cross it, and so on."""
        low = self.atlas.follower.low
        theta = _follow.newton(self.system, np.zeros(self.system.size), low)
        if theta is not None:
            self.atlas.add(theta, low, PRINCIPAL)
        self._collect(0)

    def _collect(self, first: int) -> None:
        """Add to the pool what branches from number `first` on hold at the target."""
        for curve, _ in self.atlas.found[first:]:
            for chord in _atlas.chords(curve.trail, self.mu):
                theta = _follow.newton(self.system, chord, self.mu, 15)
                if theta is not None and not self.clock.tick("branches", self.count):
                    self.pool.add(self.pool.solution(self.system.logs(theta), "branch"))

    def through(self, solution: Solution) -> None:
        """Follow the branch through a solution, unless it is known, and add what it holds."""
        theta = _follow.newton(self.system, self.system.theta(solution.log_strategies), self.mu)
        known = self.count
        if theta is not None and self.atlas.add(theta, self.mu, ""):
            self._collect(known)

    def from_nash(self) -> None:
        """Follow the branches that lead to the Nash equilibria, as far as these are enumerated.

        Each is taken up at a small eps and tau = 0 by Newton's method, then brought to the
        target's tau, then followed in eps.
        """
        from rqe.enumeration import nash

        left = self.clock.left
        limit = None if left is None else max(0.2 * left, 0.01)
        found = nash(self.pool.game, which="all", time_limit=limit)
        mu = max(self.mu, self.system.family.coordinate(_small(self.pool)))
        _, concept = self.system.family.at(mu)
        for solution in found[:_MOST_NASH]:
            if self.clock.tick("Nash equilibria", self.nash):
                return
            self.nash += 1
            theta = self._near(solution, concept)
            known = self.count
            if theta is not None and self.atlas.add(theta, mu, "to a Nash equilibrium"):
                self._collect(known)

    def _near(self, solution: Solution, concept: Concept) -> Array | None:
        """Return the equilibrium of `concept` that a Nash equilibrium leads to, or None."""
        family = tau_family(self.pool.game, concept)
        system = System(family)
        inner = [np.log(0.99 * x + 0.01 / len(x)) for x in solution.strategies]
        theta = _follow.newton(system, system.theta(inner), 0.0)
        if theta is None:
            return None
        pairs = zip(system.logs(theta), solution.strategies, strict=True)
        if max(float(np.abs(np.exp(log_x) - x).sum()) for log_x, x in pairs) > 2.0 * _FAR:
            return None
        if not concept.tau.any():
            return theta
        end = family.coordinate(float(concept.tau.max()))
        follower = _follow.Follower(system, 0.0, end, stop=lambda: self.clock.tick("tau", 0))
        trail = follower.run(theta, 0.0, np.append(np.zeros(system.size), 1.0))
        return trail.theta[-1] if float(trail.mu[-1]) == end else None

    def name(self, solution: Solution) -> tuple[int, str]:
        """Return the number and the name of the branch that a solution lies on."""
        theta = _follow.newton(self.system, self.system.theta(solution.log_strategies), self.mu)
        if theta is not None:
            for k, (curve, origin) in enumerate(self.atlas.found):
                if self.atlas.passes(curve.trail, theta, self.mu):
                    return k, origin if origin == PRINCIPAL else self._words(k, origin)
        return self.count, "branch not followed"

    def _words(self, k: int, origin: str) -> str:
        """Return what branch k is called: how it was come upon, or where it turns."""
        if origin.startswith("through"):
            return f"branch {k}, {origin}"
        curve, family = self.atlas.found[k][0], self.system.family
        first = float(curve.trail.mu.min())
        where = f"{family.value(first):.4g}"
        return f"branch {k}, of eps up to {where}"


def branches_of(pool: Pool, clock: Clock) -> Branches | None:
    """Return the branches of a pool, none followed yet; None where this cannot be done."""
    concept, game = pool.concept, pool.game
    free = [n - 1 for n, eps in zip(game.shape, concept.eps, strict=True) if math.isfinite(eps)]
    if not np.isfinite(concept.tau).all() or not 0 < sum(free) <= MOST_UNKNOWNS:
        return None
    family: EpsFamily = parallel_family(game, concept)
    system, unit = System(family), float(game.payoff_range.max()) or 1.0
    least = float(concept.eps[np.isfinite(concept.eps)].min())
    mu = family.coordinate(least)
    low = family.coordinate(max(_HIGH * unit, 4.0 * least))
    high = family.coordinate(min(_PAST * least, _small(pool)))
    follower = _follow.Follower(
        system, low, high,
        stop=lambda: clock.tick("branches", len(branches.atlas.found)),
    )  # fmt: skip
    branches = Branches(pool, clock, system, _atlas.Atlas(follower, clock.tick), mu)
    return branches


def _small(pool: Pool) -> float:
    """Return the eps at which Nash equilibria are taken up."""
    return _SMALL * (float(pool.game.payoff_range.max()) or 1.0)
