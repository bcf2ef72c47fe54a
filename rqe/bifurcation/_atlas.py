"""All curves of equilibria that are found in a window, each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rqe.bifurcation import _build, _follow
from rqe.bifurcation.switch import curves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.bifurcation._build import Located
    from rqe.bifurcation._follow import Follower, Trail
    from rqe.bifurcation._singular import Singular

    Array = NDArray[np.float64]
    Tick = Callable[[str, int], bool]

_SAME = 1e-6  # Fisher's distance of one equilibrium found twice
_CLOSE = 0.5  # chords further from a point than this are not looked at
_SAME_POINT = 1e-5


@dataclass
class Atlas:
    """Curves found so far, with how each was come upon, and the singular points on them."""

    follower: Follower
    tick: Tick
    found: list[tuple[Located, str]] = field(default_factory=list)
    singular: list[Singular] = field(default_factory=list)
    _waiting: list[Singular] = field(default_factory=list)

    def add(self, theta: Array, mu: float, origin: str) -> bool:
        """Follow the curve through an equilibrium both ways, unless it is known; and switch.

        Every bifurcation on it leads on to the curves that cross there, and so on. Returns whether
        the equilibrium was new.
        """
        if self.known(theta, mu):
            return False
        guess = np.append(np.zeros(len(theta)), 1.0)
        trail = _follow.both_ways(self.follower, theta, mu, guess)
        self._keep(_build.located(self.follower.system, trail), origin)
        while self._waiting and not self.tick("branches", len(self.found)):
            self._switch(self._waiting.pop(0))
        return True

    def _keep(self, curve: Located, origin: str) -> None:
        """Add a curve and put its new singular points in the queue."""
        self.found.append((curve, origin))
        for _, point in curve.singular:
            if not any(self._same(point, other) for other in self.singular):
                self.singular.append(point)
                self._waiting.append(point)

    def _same(self, first: Singular, second: Singular) -> bool:
        """Return whether two singular points are one."""
        if abs(first.mu - second.mu) > _SAME_POINT:
            return False
        here = self.follower.system.point(first.theta, first.mu)
        return here.length(first.theta - second.theta) <= _SAME_POINT

    def _switch(self, point: Singular) -> None:
        """Follow the other curves through a singular point."""
        family = self.follower.system.family
        origin = f"through the {label(point)} at {family.name} = {family.value(point.mu):.6g}"
        for curve in curves(self.follower, point, self.known):
            self._keep(curve, origin)

    def known(self, theta: Array, mu: float) -> bool:
        """Return whether an equilibrium lies on a curve that has been followed."""
        return any(self.passes(curve.trail, theta, mu) for curve, _ in self.found)

    def passes(self, trail: Trail, theta: Array, mu: float) -> bool:
        """Return whether the curve passes through (theta, mu)."""
        system = self.follower.system
        here = system.point(theta, mu)
        for chord in chords(trail, mu):
            if here.length(chord - theta) > _CLOSE:
                continue
            on_curve = _follow.newton(system, chord, mu, 12)
            if on_curve is not None and here.length(on_curve - theta) <= _SAME:
                return True
        return False


def chords(trail: Trail, mu: float) -> list[Array]:
    """Return where the straight lines between a trail's points pass mu."""
    if len(trail.mu) == 1:
        return [trail.theta[0]] if trail.mu[0] == mu else []
    before, after = trail.mu[:-1] - mu, trail.mu[1:] - mu
    found = []
    for k in np.flatnonzero((before * after <= 0.0) & (before != after)).tolist():
        share = float(before[k] / (before[k] - after[k]))
        found.append((1.0 - share) * trail.theta[k] + share * trail.theta[k + 1])
    return found


def label(point: Singular) -> str:
    """Return what a singular point is called in an origin."""
    return "bifurcation" if point.kind == "unclassified" else point.kind
