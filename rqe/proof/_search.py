r"""Branch and prune: every equilibrium of a small game, with nothing left unexamined.

Boxes of log-probabilities start at all that an equilibrium can be. Each is shrunk to what best
responses to it allow, then by Krawczyk's operator in logits; a box that becomes empty holds no
equilibrium, one whose image lies inside a slightly larger box holds at most the one equilibrium
there, any other is split. When no box is left, the equilibria found are all there are.

References
----------
.. [1] Neumaier, Interval Methods for Systems of Equations (1990), chapter 5.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rqe.proof import _intervals as intervals
from rqe.proof._newton import Chart
from rqe.proof._seats import Seat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_BATCH = 1024
_NARROW = 1e-9  # boxes whose probabilities are all known so well are given up
_SLACK = 1e-12


@dataclass
class Root:
    """One equilibrium: the only one with logits in `low` .. `high` relative to `reference`."""

    reference: tuple[int, ...]
    low: Array
    high: Array
    image_low: Array
    image_high: Array


@dataclass
class Findings:
    """Roots, each proved; how many boxes were seen; how many could not be decided or were left."""

    roots: list[Root] = field(default_factory=list)
    boxes: int = 0
    undecided: int = 0
    left: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing was left."""
        return not (self.undecided or self.left)


class Search:
    """The boxes of one game and concept.

    Parameters
    ----------
    game, concept
        Payoffs as doubles; the room for rounding covers `game.exact` too.
    known : mapping
        Bounds on the log-probabilities of players whose strategy needs no search, by player.
    """

    def __init__(
        self, game: NormalFormGame, concept: Concept, known: Mapping[int, tuple[Array, Array]]
    ) -> None:
        starts = np.concatenate([[0], np.cumsum(game.shape)]).tolist()
        self.total = starts[-1]
        players = [i for i in range(game.n_players) if i not in known and game.shape[i] > 1]
        self.seats = [Seat(game, concept, i, starts) for i in players]
        self.low, self.high = np.zeros((1, self.total)), np.zeros((1, self.total))
        for i, (low, high) in known.items():
            self.low[0, starts[i] : starts[i + 1]] = low
            self.high[0, starts[i] : starts[i + 1]] = high
        for seat in self.seats:
            self.low[0, seat.own] = seat.least()
        self.pulls = [self._pulls(seat) for seat in self.seats]
        self.charts: dict[tuple[int, ...], Chart] = {}

    def _pulls(self, seat: Seat) -> list[tuple[int, NDArray[np.bool_], float]]:
        """Return per searched action of others the joints with it, and the logits it can move."""
        searched = {k for s in self.seats for k in range(s.own.start, s.own.stop)}
        pulls = []
        for members in seat.columns:
            for k in np.unique(members).tolist():
                if k in searched:
                    hit = members == k
                    change = float(np.ptp(seat.U[:, hit], axis=0).max())
                    pulls.append((k, hit, change / seat.eps))
        return pulls

    def run(self, deadline: float, report: Callable[[Findings], object] | None = None) -> Findings:
        """Return what is found until all boxes are done or the deadline has passed."""
        with np.errstate(all="ignore"):  # an inf or a NaN is no bound, and never empties a box
            return self._run(deadline, report)

    def _run(self, deadline: float, report: Callable[[Findings], object] | None) -> Findings:
        """Return what is found; see `run`."""
        found = Findings()
        stack = [(self.low, self.high)]
        while stack and time.monotonic() < deadline:
            low, high = stack.pop()
            while stack and len(low) + len(stack[-1][0]) <= _BATCH:
                more = stack.pop()
                low, high = np.vstack([low, more[0]]), np.vstack([high, more[1]])
            found.boxes += len(low)
            low, high = self._examine(low, high, found)
            low, high = self._split(low, high, found)
            for k in range(0, len(low), _BATCH):
                stack.append((low[k : k + _BATCH], high[k : k + _BATCH]))
            if report is not None:
                report(found)
        found.left = sum(len(boxes) for boxes, _ in stack)
        return found

    def _examine(self, low: Array, high: Array, found: Findings) -> tuple[Array, Array]:
        """Return the boxes that remain after contractions; roots are recorded."""
        for _ in range(8):
            before = (high - low).sum(axis=1)
            low, high, kept = self._respond(low, high)
            before = before[kept]
            low, high, kept = self._newton(low, high, found)
            before = before[kept]
            if not len(low) or float(((high - low).sum(axis=1) / before).mean()) > 0.7:
                break
        return low, high

    def _respond(self, low: Array, high: Array) -> tuple[Array, Array, NDArray[np.intp]]:
        """Return boxes shrunk to the responses to them, and the indices of those not empty."""
        low, high = low.copy(), high.copy()
        kept = np.arange(len(low))
        for seat in self.seats:
            bottom, top = seat.response(low, high)
            low[:, seat.own] = np.fmax(low[:, seat.own], bottom)  # a NaN never empties a box
            high[:, seat.own] = np.fmin(high[:, seat.own], top)
            alive = self._trim(low, high, seat.own)
            low, high, kept = low[alive], high[alive], kept[alive]
        return low, high, kept

    def _trim(self, low: Array, high: Array, own: slice) -> NDArray[np.bool_]:
        """Cut the own columns to the simplex, in place, and return which boxes are not empty."""
        x_low, x_high = intervals.exp(low[:, own], high[:, own])
        new_low, new_high = intervals.trim(x_low, x_high)
        alive = np.all((low[:, own] <= high[:, own]) & (new_low <= new_high + _SLACK), axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            low[:, own] = np.where(
                new_low > x_low, np.maximum(low[:, own], np.log(new_low) - _SLACK), low[:, own]
            )
            high[:, own] = np.where(
                new_high < x_high, np.minimum(high[:, own], np.log(new_high) + _SLACK),
                high[:, own],
            )  # fmt: skip
        alive &= np.all(low[:, own] <= high[:, own], axis=1)
        return np.asarray(alive)

    def _newton(
        self, low: Array, high: Array, found: Findings
    ) -> tuple[Array, Array, NDArray[np.intp]]:
        """Return boxes shrunk by Krawczyk's operator, and the indices of those not done with."""
        kept = []
        reference = np.stack([low[:, s.own].argmax(axis=1) for s in self.seats], axis=1)
        for choice in np.unique(reference, axis=0):
            rows = np.flatnonzero((reference == choice).all(axis=1))
            key = tuple(int(r) for r in choice)
            if key not in self.charts:
                self.charts[key] = Chart(self.seats, key, self.total)
            chart = self.charts[key]
            step = chart.step(low[rows], high[rows])
            for k in np.flatnonzero(step.inside):
                found.roots.append(
                    Root(key, step.tested_low[k], step.tested_high[k], step.low[k], step.high[k])
                )
            z_low, z_high = chart.logits(low[rows], high[rows])
            z_low, z_high = np.maximum(z_low, step.low), np.minimum(z_high, step.high)
            alive = ~step.inside & (z_low <= z_high).all(axis=1)
            rows, z_low, z_high = rows[alive], z_low[alive], z_high[alive]
            if not len(rows):
                continue
            new = chart.logs(z_low, z_high, like=(low[rows], high[rows]))
            low[rows], high[rows] = np.fmax(low[rows], new[0]), np.fmin(high[rows], new[1])
            kept.append(rows[(low[rows] <= high[rows]).all(axis=1)])
        rows = np.sort(np.concatenate(kept)) if kept else np.empty(0, np.intp)
        return low[rows], high[rows], rows

    def _split(self, low: Array, high: Array, found: Findings) -> tuple[Array, Array]:
        """Return halves of the boxes, cut where it tells most; the too narrow ones are counted."""
        narrow = ((high - low) < _NARROW).all(axis=1)
        found.undecided += int(narrow.sum())
        low, high = low[~narrow], high[~narrow]
        if not len(low):
            return low, high
        score, tilted = self._score(low, high)
        rows, chosen = np.arange(len(low)), score.argmax(axis=1)
        least, most = low[rows, chosen], high[rows, chosen]
        middle = np.where(
            tilted[rows, chosen],
            0.5 * (least + most),
            most + np.log(0.5 * (1.0 + np.exp(least - most))),
        )
        first_high, second_low = high.copy(), low.copy()
        first_high[rows, chosen] = middle
        second_low[rows, chosen] = middle
        return np.vstack([low, second_low]), np.vstack([first_high, high])

    def _score(self, low: Array, high: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return how far each action's range moves others' logits, and where p dwarfs q."""
        x_low, x_high = intervals.exp(low, high)
        part = -np.expm1(low - high)
        score, tilted = np.zeros_like(low), np.zeros(low.shape, dtype=bool)
        for seat, pull in zip(self.seats, self.pulls, strict=True):
            p = seat.adversary(low, high).high if seat.tau > 0.0 else None
            for k, hit, influence in pull:
                top = x_high[:, k] if p is None else np.minimum(p[:, hit].sum(axis=1), 1.0)
                score[:, k] = np.maximum(score[:, k], influence * top * part[:, k])
                tilted[:, k] |= top > 8.0 * x_high[:, k]
            if seat.tau > 0.0:
                own = seat.tau * np.ptp(seat.U, axis=1) * (x_high - x_low)[:, seat.own]
                strongest = max((influence for _, _, influence in pull), default=0.0)
                moved = strongest * np.minimum(own, 1.0)
                score[:, seat.own] = np.maximum(score[:, seat.own], moved)
        return score, tilted


def distinct(roots: list[Root]) -> list[Root]:
    """Return the roots without repetitions among boxes of one chart, the sharpest ones."""
    out: list[Root] = []
    for root in sorted(roots, key=lambda r: float((r.image_high - r.image_low).max())):
        same = (
            root.reference == other.reference
            and bool(np.all(other.image_low >= root.low) and np.all(other.image_high <= root.high))
            for other in out
        )
        if not any(same):
            out.append(root)
    return out


def dimensions(game: NormalFormGame, known: Mapping[int, object]) -> int:
    """Return the number of free dimensions of a search."""
    return sum(n - 1 for i, n in enumerate(game.shape) if i not in known)


def uniform(n: int) -> tuple[Array, Array]:
    """Return bounds on the logarithms of the uniform strategy."""
    value = np.full(n, -math.log(n))
    return value - _SLACK, np.minimum(value + _SLACK, 0.0)
