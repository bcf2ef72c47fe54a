"""The likelihood of a model over its free parameters, with its gradient, and its maximum.

Everything here is in coordinates ``c`` in [0, 1] of the free parameters, see `_model`. Where the
principal branch folds the likelihood jumps, and it may have several maxima: a scan of the whole box
comes first, then quasi-Newton steps from its best points.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.estimation._data import Observations
from rqe.estimation._model import MOST, Model, Point
from rqe.estimation._predict import Logs, PredictionError, Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_WORST = 1e6  # what minimisers see, per choice, of a likelihood that is 0 or cannot be computed
_GRID = {1: 41, 2: 11}  # points per axis; more parameters are scanned by a Sobol sequence
_SOBOL = 256
_STARTS = 4
_NEAR_ZERO = 1e-7
_NEAR_ONE = 0.9  # coordinates above it are compared with the limit inf


class Slopes(NamedTuple):
    """Log-likelihood, its gradient in c, and the scores of each game in the values, (G, K)."""

    value: float
    gradient: Array
    scores: Array


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-likelihood of observations under a model; ``calls`` counts evaluations."""

    model: Model
    data: Observations
    predictor: Predictor
    calls: list[int] = field(default_factory=lambda: [0])

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return len(self.model.free)

    def value(self, c: Array) -> float:
        """Return the log-likelihood at coordinates c, -inf where there is none."""
        return self.at(self.model.point(self.model.values(c)))

    def at(self, point: Point) -> float:
        """Return the log-likelihood at parameters, -inf where there is none."""
        self.calls[0] += 1
        try:
            logs = self.predictor.logs(point)
        except PredictionError:
            return -math.inf
        return float(self.data.log_likelihoods(logs).sum())

    def scan(self, points: list[Array]) -> list[float]:
        """Return the log-likelihood at many coordinates."""
        self.calls[0] += len(points)
        found = self.predictor.scan([self.model.point(self.model.values(c)) for c in points])
        return [
            -math.inf if logs is None else float(self.data.log_likelihoods(logs).sum())
            for logs in found
        ]

    def slopes(self, c: Array) -> Slopes | None:
        """Return value and gradient, or None where the model has none."""
        point = self.model.point(self.model.values(c))
        self.calls[0] += 1
        try:
            logs = self.predictor.logs(point)
            slopes = self.predictor.slopes(point, logs)
        except PredictionError:
            return None
        value = float(self.data.log_likelihoods(logs).sum())
        if not math.isfinite(value):
            return None
        scores = np.array(
            [
                np.concatenate(rows) @ self.by_free(slope)
                for rows, slope in zip(self.data.counts, slopes, strict=True)
            ]
        ).reshape(len(self.data.games), self.size)
        return Slopes(value, scores.sum(axis=0) * self.model.slopes(c), scores)

    def by_free(self, slope: Array) -> Array:
        """Return derivatives in the free parameters from those in every role's tau and lam."""
        if self.model.kind == "nash+noise":
            return slope
        n_players = slope.shape[1] // 2
        columns = []
        for parameter in self.model.free:
            shift = 0 if parameter.kind == "tau" else n_players
            roles = [shift + role for role in parameter.roles if role < n_players]
            columns.append(slope[:, roles].sum(axis=1))
        return np.stack(columns, axis=1)

    def predictions(self, point: Point) -> Logs:
        """Return log-strategies per game and role."""
        return self.predictor.logs(point)

    def cost(self, c: Array) -> tuple[float, Array]:
        """Return minus the log-likelihood per choice, and its gradient: what is minimised."""
        found = self.slopes(np.clip(c, 0.0, self.model.bounds()))
        if found is None:
            return _WORST, np.zeros(self.size)
        return -found.value / self.data.n_choices, -found.gradient / self.data.n_choices


class Maximum(NamedTuple):
    """Coordinates of a maximum (1 stands for inf), and the log-likelihood there."""

    c: Array
    value: float


def maximise(problem: Likelihood, start: Array | None = None) -> Maximum:
    """Return the highest maximum that scan and refinement find; a start makes the scan coarser."""
    if problem.size == 0:
        c = np.empty(0)
        return Maximum(c, problem.value(c))
    points = _scan(problem, coarse=start is not None)
    if start is not None:
        points.insert(0, np.minimum(start, problem.model.bounds()))
    seen = [Maximum(c, value) for c, value in zip(points, problem.scan(points), strict=True)]
    found = [refine(problem, near, rough=True) for near in _starts(seen, start is not None)]
    if not found:
        return seen[0]
    return _with_limits(problem, refine(problem, max(found, key=lambda maximum: maximum.value)))


def _scan(problem: Likelihood, coarse: bool) -> list[Array]:
    """Return the points at which the likelihood is first looked at."""
    top = problem.model.bounds()
    if problem.size in _GRID:
        per_axis = max(5, _GRID[problem.size] // (4 if coarse else 1))
        axis = np.linspace(0.0, 1.0, per_axis)
        grid = [np.array(c) for c in itertools.product(axis, repeat=problem.size)]
    else:
        from scipy.stats import qmc

        power = int(math.log2(_SOBOL // (4 if coarse else 1)))
        grid = list(qmc.Sobol(problem.size, scramble=False).random_base2(power))
    return [np.minimum(c, top) for c in grid]


def _starts(seen: list[Maximum], few: bool) -> list[Maximum]:
    """Return the best points of the scan that are apart; with one parameter, its local maxima.

    One parameter is scanned so densely that every peak shows; with more, points beside a better one
    are worth a start as well, because another maximum may hide behind a fold of the branch.
    """
    size = len(seen[0].c)
    around = 1.3 / len(seen) ** (1.0 / size)
    rivals: list[Array] = []
    chosen: list[Maximum] = []
    for point in sorted(seen, key=lambda maximum: -maximum.value):
        if point.value == -math.inf or len(chosen) == (_STARTS // 2 if few else _STARTS):
            break
        apart = all(float(np.abs(point.c - c).max()) > around for c in rivals)
        if apart:
            chosen.append(point)
        if apart or size == 1:
            rivals.append(point.c)
    return chosen


def refine(
    problem: Likelihood, start: Maximum, *, held: int | None = None, rough: bool = False
) -> Maximum:
    """Return a local maximum near the start, with one coordinate held where asked for."""
    from scipy.optimize import minimize

    moving = [k for k in range(problem.size) if k != held]
    if not moving:
        return start
    c = start.c

    def cost(part: Array) -> tuple[float, Array]:
        """Return cost and gradient in the coordinates that move."""
        full = c.copy()
        full[moving] = part
        value, gradient = problem.cost(full)
        return value, gradient[moving]

    bounds = [(0.0, top) for top in problem.model.bounds()[moving].tolist()]
    options = {"ftol": 1e-9 if rough else 1e-15, "gtol": 1e-6 if rough else 1e-11, "maxiter": 300}
    found = minimize(cost, c[moving], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    full = c.copy()
    full[moving] = np.clip(found.x, 0.0, problem.model.bounds()[moving])
    value = problem.value(full)
    best = Maximum(full, value) if value >= start.value else start
    return best if rough else _polish(problem, best, moving)


def _polish(problem: Likelihood, best: Maximum, moving: list[int]) -> Maximum:
    """Return the maximum after a few Newton steps in the coordinates that are inside the box."""
    top = problem.model.bounds()
    for _ in range(6):
        inside = [k for k in moving if _NEAR_ZERO < best.c[k] < top[k] - _NEAR_ZERO]
        here = problem.slopes(best.c)
        if here is None or not inside:
            return best
        curvature = hessian(problem, best.c, inside)
        if curvature is None or float(np.linalg.eigvalsh(curvature)[-1]) >= 0.0:
            return best
        step = -np.linalg.solve(curvature, here.gradient[inside])
        c = best.c.copy()
        c[inside] = np.clip(c[inside] + step, 0.0, top[inside])
        there = problem.slopes(c)
        worse = there is None or not (
            there.value >= best.value - 1e-12 * abs(best.value)
            and np.abs(there.gradient[inside]).max() < np.abs(here.gradient[inside]).max()
        )
        if worse or there is None:
            return best
        best = Maximum(c, there.value)
        if float(np.abs(step).max()) < 1e-13:
            break
    return best


def hessian(problem: Likelihood, c: Array, inside: list[int]) -> Array | None:
    """Return second derivatives in some coordinates, by central differences of the gradient."""
    top = problem.model.bounds()
    rows = []
    for k in inside:
        h = min(1e-5, 0.5 * c[k], 0.5 * (top[k] - c[k]) or 1e-5)
        step = np.zeros(problem.size)
        step[k] = h
        up, down = problem.slopes(c + step), problem.slopes(c - step)
        if up is None or down is None:
            return None
        rows.append((up.gradient - down.gradient)[inside] / (2.0 * h))
    matrix: Array = np.array(rows)
    symmetric: Array = 0.5 * (matrix + matrix.T)
    return symmetric


def _with_limits(problem: Likelihood, best: Maximum) -> Maximum:
    """Return the maximum with coordinates moved to 0 or to inf where the likelihood is no lower.

    Near a limit the likelihood is flat, and the search stops where rounding lets it. A coordinate
    that the likelihood does not depend on at all is put in the middle: it is at no boundary.
    """
    for k, parameter in enumerate(problem.model.free):
        ends = [_moved(problem, best, [k], place) for place in (0.0, 1.0)]
        if all(no_lower(end, best) for end in ends):
            middle = _moved(problem, best, [k], 0.5)
            best = middle if no_lower(middle, best) else best
            continue
        limit = 0 if best.c[k] < _NEAR_ZERO or parameter.kind == "noise" else 1
        if best.c[k] != limit and no_lower(ends[limit], best):
            best = _settled(problem, ends[limit], k)
    return _jointly(problem, best)


def _settled(problem: Likelihood, best: Maximum, k: int) -> Maximum:
    """Return the maximum over the other coordinates with coordinate k at its limit.

    Next to the limit inf they are sought at the end of the search, as good as the limit itself.
    """
    end = best.c.copy()
    end[k] = min(end[k], problem.model.bounds()[k])
    found = refine(problem, Maximum(end, problem.value(end)), held=k)
    there = _moved(problem, found, [k], float(best.c[k]))
    return there if there.value >= best.value else best


def _moved(problem: Likelihood, best: Maximum, which: list[int], place: float) -> Maximum:
    """Return the likelihood with some coordinates at another place."""
    c = best.c.copy()
    c[which] = place
    return Maximum(c, problem.value(c))


def no_lower(there: Maximum, best: Maximum) -> bool:
    """Return whether a likelihood is as high as another, to rounding."""
    return there.value >= best.value - 1e-12 * abs(best.value)


def _jointly(problem: Likelihood, best: Maximum) -> Maximum:
    """Return the maximum with all high precisions moved to inf at once, if that is no lower."""
    high = [
        k
        for k, parameter in enumerate(problem.model.free)
        if parameter.kind == "eps" and _NEAR_ONE < best.c[k] < 1.0
    ]
    if len(high) < 2:
        return best
    there = _moved(problem, best, high, 1.0)
    return there if no_lower(there, best) else best


def at_end(c: float) -> bool:
    """Return whether a coordinate is at the end of what is searched, but not at the limit."""
    return MOST - 1e-9 <= c < 1.0
