"""Proofs that a pool of certified equilibria holds all: by theorem, in the plane, by boxes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rqe import uniqueness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.proof._pool import Pool

    Array = NDArray[np.float64]
    Report = Callable[[str, int], bool]


@dataclass(frozen=True)
class Verdict:
    """Whether the pool is proved complete, in words, and what stood in the way."""

    complete: bool
    note: str
    undecided: bool = False
    out_of_time: bool = False
    final: bool = False  # more time would change nothing
    unique: bool = False  # there is exactly one equilibrium, whether found or not


def by_theorem(pool: Pool) -> Verdict | None:
    """Return a verdict where a theorem leaves room for one equilibrium only."""
    theorem = uniqueness.theorem(pool.game, pool.concept)
    if theorem is None:
        return None
    note = f"proved: exactly one equilibrium, by {theorem}"
    return Verdict(len(pool.solutions) == 1, note, final=True, unique=True)


def in_plane(pool: Pool, deadline: float) -> Verdict:
    """Return the verdict for a 2x2 game; equilibria that were missing are added to the pool."""
    from rqe.proof import _planar as planar

    table = pool.game.exact if pool.payoffs == "exact" else pool.game.payoffs
    replies = []
    for i in range(2):
        own_first = np.moveaxis(table[i], i, 0).tolist()
        rows = [[Fraction(u) for u in row] for row in own_first]
        tau, eps = float(pool.concept.tau[i]), float(pool.concept.eps[i])
        replies.append(planar.Reply(rows, tau, eps, pool.concept))
    if replies[0].sign * replies[1].sign <= 0:
        complete = len(pool.solutions) == 1
        note = "proved: exactly one equilibrium, by monotone best responses"
        return Verdict(complete, note, unique=True)
    circle = planar.Circle(*replies)
    roots = planar.roots(circle, deadline)
    unmatched = 0
    for a, b in roots.found:
        if not _has_logit(pool, float(a), float(b)):
            y, z = planar.approach(circle, a, b)
            pool.add_logs([-np.logaddexp(0.0, [-logit, logit]) for logit in (z, y)])
            unmatched += not _has_logit(pool, float(a), float(b))
    undecided = bool(roots.undecided) or unmatched > 0
    complete = not undecided and len(pool.solutions) == len(roots.found)
    note = f"one-dimensional reduction of the 2x2 game, interval arithmetic ({roots.seen} pieces)"
    late = not complete and time.monotonic() > deadline
    return Verdict(complete, _told(complete, note), undecided, late)


def _has_logit(pool: Pool, a: float, b: float) -> bool:
    """Return whether a certified equilibrium has player 2's first logit in [a, b], provably."""
    for k in range(len(pool.solutions)):
        low, high = pool.bounds(k)[1]
        room = 1e-15 * (abs(a) + abs(b))
        if low[0] - high[1] >= a + room and high[0] - low[1] <= b - room:
            return True
    return False


def by_boxes(pool: Pool, deadline: float, report: Report) -> Verdict:
    """Return the verdict of branch and prune; equilibria that were missing are added."""
    from rqe.proof._search import Search, distinct

    known = _known(pool)
    if known is None:
        return Verdict(False, "the strategy of a player with tau = inf could not be certified")
    search = Search(pool.game, pool.concept, known)
    found = search.run(deadline, lambda f: report("boxes", f.boxes))
    roots = distinct(found.roots)
    matched: set[int] = set()
    unmatched = 0
    for root in roots:
        k = _match(pool, search.charts[root.reference].columns, root.low, root.high)
        if k is None:
            chart, middle = search.charts[root.reference], 0.5 * (root.image_low + root.image_high)
            logs = chart.logs(middle[None], middle[None], like=(search.low, search.high))
            cuts = np.cumsum(pool.game.shape)[:-1]
            pool.add_logs(np.split(0.5 * (logs[0][0] + logs[1][0]), cuts))
            k = _match(pool, chart.columns, root.low, root.high)
        if k is None:
            unmatched += 1
        else:
            matched.add(k)
    complete = found.complete and not unmatched and matched == set(range(len(pool.solutions)))
    note = f"branch and prune over all strategies, {found.boxes} boxes in interval arithmetic"
    if found.left:
        note += f", {found.left} left at the time limit"
    undecided = found.undecided > 0 or unmatched > 0
    return Verdict(complete, _told(complete, note), undecided, found.left > 0)


def _told(complete: bool, note: str) -> str:
    """Return the note with what it shows."""
    return f"proved complete: {note}" if complete else f"not proved complete: {note}"


def _known(pool: Pool) -> dict[int, tuple[Array, Array]] | None:
    """Return bounds on the strategies that need no search, by player; None if one lacks proof."""
    from rqe.proof._search import uniform

    free = set(uniqueness.dependent(pool.game, pool.concept))
    known = {}
    for i, n in enumerate(pool.game.shape):
        if i in free or n == 1:
            continue
        if float(pool.concept.eps[i]) == math.inf:
            known[i] = uniform(n)
        elif pool.solutions:
            known[i] = pool.bounds(0)[i]
        else:
            return None
    return known


def _match(
    pool: Pool, columns: tuple[NDArray[np.intp], NDArray[np.intp]], low: Array, high: Array
) -> int | None:
    """Return the certified equilibrium whose logits lie in [low, high], provably, or None."""
    action, anchor = columns
    for k in range(len(pool.solutions)):
        bounds = pool.bounds(k)
        least = np.concatenate([b[0] for b in bounds])
        most = np.concatenate([b[1] for b in bounds])
        below, above = least[action] - most[anchor], most[action] - least[anchor]
        if bool(np.all(below >= low) and np.all(above <= high)):
            return k
    return None
