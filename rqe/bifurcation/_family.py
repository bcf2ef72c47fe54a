"""Games and concepts that depend on one parameter, as the equations of a branch need them.

The user's parameter is ``t``: a common eps or tau (the largest one where players differ), or
whatever a path of payoffs is written in. Equations use a coordinate ``mu`` in which a step of
length 1 means about as much anywhere: ``-log eps``, ``log(1 + range tau)``, or t in lengths of the
window.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from rqe.concepts import Concept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.bifurcation.path import PayoffPath
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

Window = tuple[float, float]

_LENGTH = 3.0  # of a window in a payoff parameter, in the units of mu
_LEAST = {"eps": (math.ulp(0.0), "> 0"), "tau": (0.0, ">= 0")}


class Setting(NamedTuple):
    """Numbers at one mu, and their derivatives in mu.

    payoffs: (N, n_1, ..., n_N); tau, lam = 1 / eps: (N,), lam = 0 for a uniform player; each with
    its derivative, which is None for payoffs that stay.
    """

    payoffs: Array
    tau: Array
    lam: Array
    d_payoffs: Array | None
    d_tau: Array
    d_lam: Array


class Family(Protocol):
    """One parameter's worth of games and concepts."""

    @property
    def name(self) -> str:
        """What the parameter is called."""
        ...

    @property
    def game(self) -> NormalFormGame:
        """The game, at the target where it depends on the parameter."""
        ...

    @property
    def concept(self) -> Concept:
        """The concept, at the target where it depends on the parameter."""
        ...

    @property
    def path(self) -> PayoffPath | None:
        """The path of payoffs, if that is what changes."""
        ...

    def setting(self, mu: float) -> Setting:
        """Return the numbers at mu."""
        ...

    def value(self, mu: float) -> float:
        """Return the user's t."""
        ...

    def coordinate(self, t: float) -> float:
        """Return mu."""
        ...

    def slope(self, mu: float) -> float:
        """Return dt / dmu."""
        ...

    def values(self, mu: float) -> Array:
        """Return the parameter of each player: (N,)."""
        ...

    def at(self, mu: float) -> tuple[NormalFormGame, Concept]:
        """Return the game and the concept at mu, as the certificate reads them."""
        ...


@dataclass(frozen=True)
class EpsFamily:
    """``eps_i = offset_i + share_i * t``: common, in proportion, or in parallel to the target.

    Along the principal branch of `rqe.trace` the shares are 1 and the offsets what eps_i exceeds
    the least one by, so that t is the eps of the least noisy player.
    """

    game: NormalFormGame
    concept: Concept
    share: Array
    offset: Array

    name = "eps"
    path = None

    def setting(self, mu: float) -> Setting:
        """Return the numbers at mu."""
        eps, t = self.values(mu), self.value(mu)
        lam = np.where(np.isfinite(eps), 1.0 / eps, 0.0)
        moved = np.where(np.isfinite(eps), self.share, 0.0) * lam * (lam * t)
        return Setting(self.game.payoffs, self.concept.tau, lam, None, np.zeros(len(eps)), moved)

    def value(self, mu: float) -> float:
        """Return t."""
        return math.exp(-mu)

    def coordinate(self, t: float) -> float:
        """Return -log t."""
        return -math.log(t)

    def slope(self, mu: float) -> float:
        """Return dt / dmu."""
        return -math.exp(-mu)

    def values(self, mu: float) -> Array:
        """Return every player's eps."""
        eps: Array = self.offset + self.share * math.exp(-mu)
        return eps

    def at(self, mu: float) -> tuple[NormalFormGame, Concept]:
        """Return the game and the concept with these eps."""
        return self.game, _with(self.concept, self.concept.tau, self.values(mu))


@dataclass(frozen=True)
class TauFamily:
    """``tau_i = share_i * t``."""

    game: NormalFormGame
    concept: Concept
    share: Array
    unit: float  # largest payoff range

    name = "tau"
    path = None

    def setting(self, mu: float) -> Setting:
        """Return the numbers at mu."""
        eps = self.concept.eps
        lam = np.where(np.isfinite(eps), 1.0 / eps, 0.0)
        none = np.zeros(len(eps))
        d_tau = self.share * self.slope(mu)
        return Setting(self.game.payoffs, self.values(mu), lam, None, d_tau, none)

    def value(self, mu: float) -> float:
        """Return t."""
        return math.expm1(mu) / self.unit

    def coordinate(self, t: float) -> float:
        """Return log(1 + range t)."""
        return math.log1p(self.unit * t)

    def slope(self, mu: float) -> float:
        """Return dt / dmu."""
        return math.exp(mu) / self.unit

    def values(self, mu: float) -> Array:
        """Return every player's tau; a rounding error below 0 is 0."""
        tau: Array = self.share * max(self.value(mu), 0.0)
        return tau

    def at(self, mu: float) -> tuple[NormalFormGame, Concept]:
        """Return the game and the concept with these tau."""
        return self.game, _with(self.concept, self.values(mu), self.concept.eps)


@dataclass(frozen=True)
class PayoffFamily:
    """Payoffs that change along a path, tau and eps fixed; mu is t in thirds of the window."""

    game: NormalFormGame
    concept: Concept
    path: PayoffPath
    start: float
    unit: float  # t per unit of mu

    @property
    def name(self) -> str:
        """What the parameter is called."""
        return self.path.name

    def setting(self, mu: float) -> Setting:
        """Return the numbers at mu."""
        eps, t = self.concept.eps, self.value(mu)
        lam = np.where(np.isfinite(eps), 1.0 / eps, 0.0)
        none = np.zeros(len(eps))
        payoffs = self.path.payoffs(t)
        return Setting(
            payoffs, self.concept.tau, lam, self.path.rate(t, self.unit) * self.unit, none, none
        )

    def value(self, mu: float) -> float:
        """Return t."""
        return self.start + self.unit * mu

    def coordinate(self, t: float) -> float:
        """Return mu."""
        return (t - self.start) / self.unit

    def slope(self, mu: float) -> float:
        """Return dt / dmu."""
        return self.unit

    def values(self, mu: float) -> Array:
        """Return t once per player."""
        return np.full(self.game.n_players, self.value(mu))

    def at(self, mu: float) -> tuple[NormalFormGame, Concept]:
        """Return the game at mu and the concept."""
        return self.path.game(self.value(mu)), self.concept


def _with(concept: Concept, tau: Array, eps: Array) -> Concept:
    """Return the concept with other tau and eps."""
    return Concept(tau, eps, concept.penalty, concept.regularizer)


def eps_family(game: NormalFormGame, concept: Concept) -> EpsFamily:
    """Return eps in proportion to the concept's; common where these are all 0 or all equal."""
    eps = concept.eps
    finite = eps[np.isfinite(eps)]
    most = float(finite.max()) if finite.size else 0.0
    share = np.where(np.isfinite(eps), eps / most, 0.0) if most > 0.0 else np.isfinite(eps) * 1.0
    return EpsFamily(game, concept, share, np.where(np.isfinite(eps), 0.0, math.inf))


def parallel_family(game: NormalFormGame, concept: Concept) -> EpsFamily:
    """Return eps in parallel to the concept's, as along the principal branch."""
    finite = np.isfinite(concept.eps)
    least = float(concept.eps[finite].min()) if finite.any() else 0.0
    return EpsFamily(game, concept, finite * 1.0, concept.eps - least)


def tau_family(game: NormalFormGame, concept: Concept) -> TauFamily:
    """Return tau in proportion to the concept's; common where these are all 0."""
    most = float(concept.tau.max())
    with np.errstate(invalid="ignore"):  # tau = inf, which `System` refuses
        share = concept.tau / most if most > 0.0 else np.ones_like(concept.tau)
    return TauFamily(game, concept, share, float(game.payoff_range.max()) or 1.0)


def payoff_family(path: PayoffPath, concept: Concept, window: tuple[float, float]) -> PayoffFamily:
    """Return the games of a path, scaled to a window."""
    start, end = window
    return PayoffFamily(path.game(end), concept, path, start, abs(end - start) / _LENGTH)


def checked_window(window: Window, parameter: str | None) -> Window:
    """Return the window as two different finite floats, which eps or tau, if named, can take."""
    try:
        start, end = window
    except (TypeError, ValueError):
        raise TypeError(f"window must be two numbers, (t0, t1); got {window!r}") from None
    for t in (start, end):
        if isinstance(t, bool) or not isinstance(t, numbers.Real) or not math.isfinite(t):
            raise ValueError(f"window must hold two finite numbers; got {window!r}")
    if start == end:
        raise ValueError(f"window must have two different ends; got {window!r}")
    low, rule = _LEAST.get(parameter or "", (-math.inf, ""))
    if min(start, end) < low:
        raise ValueError(f"window must hold {parameter} {rule}; got {window!r}")
    return float(start), float(end)
