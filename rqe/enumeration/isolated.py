"""All isolated equilibria of small games of any number of players, proved complete where possible.

Every support profile that survives conditional dominance gives a square system of polynomial
equations; branch and prune with interval arithmetic finds all its roots and proves that there are
no others. A root is an equilibrium if its probabilities are positive and no other action is worth
more. Where an interval cannot tell, rational numbers can, if the root is rational.

References
----------
.. [1] Herings & Peeters, Economic Theory 42 (2010): the systems of equations of support profiles.
.. [2] Porter, Nudelman & Shoham, Games and Economic Behavior 63 (2008): conditional dominance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rqe.enumeration._roots import Root, nearest_root, search
from rqe.enumeration._system import Support, System, differences
from rqe.enumeration.pure import pure_equilibria

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]
    Exact = tuple[tuple[Fraction, ...], ...]

_DENOMINATOR = 10**6  # of the rational numbers that a root is compared with
_CLOSE = 1e-9


@dataclass
class Isolated:
    """What a search of all supports found.

    Attributes
    ----------
    profiles, exact
        Equilibria in doubles, and in fractions or None where they are not rational.
    singular
        Supports on which the solutions are not isolated, or the equations too flat to tell.
    undecided
        Supports with a root of which it is not proved that it is, or is not, an equilibrium.
    doubtful
        One point of every singular support, and every undecided root.
    supports, boxes
        How many were searched.
    ended
        Whether all supports were.
    """

    profiles: list[list[Array]] = field(default_factory=list)
    exact: list[Exact | None] = field(default_factory=list)
    singular: list[Support] = field(default_factory=list)
    undecided: list[Support] = field(default_factory=list)
    doubtful: list[list[Array]] = field(default_factory=list)
    supports: int = 0
    boxes: int = 0
    ended: bool = True


def isolated_equilibria(game: NormalFormGame, clock: Clock) -> Isolated:
    """Return the equilibria of a game, support by support, the small supports first."""
    found = Isolated()
    for profile in pure_equilibria(game):
        strategies = [np.eye(n)[a] for a, n in zip(profile, game.shape, strict=True)]
        found.profiles.append(strategies)
        found.exact.append(tuple(tuple(map(Fraction, x.astype(int).tolist())) for x in strategies))
    tables = differences(game, clock)
    for support in _supports(game.shape):
        if clock.stopped:
            found.ended = False
            break
        if _undominated(tables, support):
            _search_support(game, System(tables, support), support, clock, found)
        elif clock.tick("supports", found.supports):
            found.ended = False
            break
    return found


def _supports(shape: tuple[int, ...]) -> Iterator[Support]:
    """Yield the support profiles in which somebody mixes, by their number of actions."""
    most = sum(shape)
    for total in range(len(shape) + 1, most + 1):
        sizes = itertools.product(*(range(1, n + 1) for n in shape))
        for counts in sorted((c for c in sizes if sum(c) == total), key=max):
            own = (itertools.combinations(range(n), k) for n, k in zip(shape, counts, strict=True))
            yield from itertools.product(*own)


def _undominated(tables: list[Array], support: Support) -> bool:
    """Return whether no played action is worth less than another one whatever the others play.

    The others' actions are those of the support. Exact: the signs of the differences are.
    """
    for i, own in enumerate(support):
        cells = np.ix_(*(s for j, s in enumerate(support) if j != i))
        for a in own:
            lead = tables[i][a][(slice(None), *cells)].reshape(len(tables[i]), -1)
            if (lead < 0.0).all(axis=1).any():
                return False
    return True


def _search_support(
    game: NormalFormGame, system: System, support: Support, clock: Clock, found: Isolated
) -> None:
    """Add the equilibria on one support profile to `found`."""
    result = search(system, clock)
    found.supports += 1
    found.boxes += result.boxes
    if result.given_up:
        point = nearest_root(system, result.given_up[0])
        found.singular.append(support)
        found.doubtful.append(_profile(system, point, support, game.shape))
    elif not result.ended:
        found.ended = False
    for root in result.roots:
        profile = _rational(game, system, root, support)
        verdict = (
            _by_intervals(system, root)
            if profile is None
            else _by_fractions(game, profile, support)
        )
        if verdict is None:
            found.undecided.append(support)
            found.doubtful.append(_profile(system, root.point, support, game.shape))
        elif verdict:
            found.profiles.append(
                _profile(system, root.point, support, game.shape)
                if profile is None
                else [np.array(list(map(float, x))) for x in profile]
            )
            found.exact.append(profile)


def _profile(system: System, point: Array, support: Support, shape: tuple[int, ...]) -> list[Array]:
    """Return the profile at a point (d,), whatever is below 0 by rounding set to 0."""
    profile = [np.maximum(x, 0.0) for x in system.strategies(point, support, shape)]
    return [x / x.sum() for x in profile]


def _by_intervals(system: System, root: Root) -> bool | None:
    """Return whether a root is an equilibrium that plays all of its support; None if unclear."""
    error = np.full((1, system.size), root.error)
    _, gains = system.ranges(root.point[None], error)
    if (gains.mid > gains.rad).any():
        return False
    sure = bool((gains.mid < -gains.rad).all())
    for block in system.blocks:
        own = root.point[block]
        least = min([*own.tolist(), 1.0 - float(own.sum())], default=1.0)
        slack = 2.0 * (len(own) + 1) * (root.error + 1e-15)
        if len(own) and least < -slack:
            return False
        sure = sure and (not len(own) or least > slack)
    return True if sure else None


def _rational(game: NormalFormGame, system: System, root: Root, support: Support) -> Exact | None:
    """Return the root in fractions if it has small denominators; verified by the equations."""
    guess = [Fraction(p).limit_denominator(_DENOMINATOR) for p in root.point.tolist()]
    far = max(abs(float(p) - q) for p, q in zip(guess, root.point.tolist(), strict=True))
    if far > min(_CLOSE, 0.5 * root.reach):
        return None
    profile = []
    for block, own, n in zip(system.blocks, support, game.shape, strict=True):
        x = [Fraction(0)] * n
        for a, p in zip(own[1:], guess[block], strict=True):
            x[a] = p
        x[own[0]] = 1 - sum(guess[block], Fraction(0))
        profile.append(tuple(x))
    for i, own in enumerate(support):
        worth = _worth(game, profile, i)
        if any(worth[a] != worth[own[0]] for a in own):
            return None
    return tuple(profile)


def _by_fractions(game: NormalFormGame, profile: Exact, support: Support) -> bool:
    """Return whether a rational profile is an equilibrium that plays all of its support."""
    for i, own in enumerate(support):
        worth = _worth(game, list(profile), i)
        if max(worth) > worth[own[0]] or min(profile[i][a] for a in own) <= 0:
            return False
    return True


def _worth(game: NormalFormGame, profile: list[tuple[Fraction, ...]], i: int) -> list[Fraction]:
    """Return the expected payoffs of player i's actions, in fractions."""
    u = np.moveaxis(game.exact[i], i, 0)
    for j in reversed([j for j in range(len(profile)) if j != i]):
        u = u @ np.array(profile[j], dtype=object)
    values: list[Fraction] = u.tolist()
    return values
