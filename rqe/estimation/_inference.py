"""How well the data determine the parameters: information, flat directions, profile intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.estimation._likelihood import Likelihood, Maximum, at_end, hessian, refine
from rqe.estimation._model import MOST, Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_FLAT = 1e-6  # least eigenvalue of the information's correlations that counts as identified
_DECREMENT = 1e-6  # rise of the log-likelihood that Newton's step promises at a converged maximum


class Curvature(NamedTuple):
    """Free parameters inside their range, and what the data say of them.

    information: observed, in (tau, lam, noise), over ``inside``; None where the likelihood jumps.
    """

    inside: tuple[int, ...]
    information: Array | None
    decrement: float


def curvature(problem: Likelihood, best: Maximum) -> Curvature:
    """Return the observed information at a maximum."""
    top = problem.model.bounds()
    inside = [k for k in range(problem.size) if 0.0 < best.c[k] < top[k] - 1e-9]
    here = problem.slopes(np.minimum(best.c, top)) if inside else None
    second = hessian(problem, np.minimum(best.c, top), inside) if inside else np.empty((0, 0))
    if inside and (here is None or second is None):
        return Curvature(tuple(inside), None, math.inf)
    if here is None or second is None:
        return Curvature((), np.empty((0, 0)), 0.0)
    gradient = here.gradient[inside]
    rates = 1.0 / problem.model.slopes(best.c)[inside]
    decrement = float(gradient @ np.linalg.pinv(-second, hermitian=True) @ gradient)
    return Curvature(tuple(inside), -(rates[:, None] * second * rates), abs(decrement))


def settled(problem: Likelihood, best: Maximum, found: Curvature) -> bool:
    """Return whether the maximum is a smooth one inside the range of the free parameters."""
    return found.information is not None and found.decrement <= _DECREMENT


def saddle(found: Curvature) -> bool:
    """Return whether the likelihood curves upwards somewhere, beyond what rounding explains."""
    if found.information is None or not found.information.size:
        return False
    diagonal = np.abs(np.diag(found.information))
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    least: float = np.linalg.eigvalsh(found.information / np.outer(scale, scale))[0]
    return bool(least < -1e-3)


def jumps(problem: Likelihood, best: Maximum) -> bool:
    """Return whether the likelihood falls off a cliff next to the maximum: the branch folds.

    A cliff is a fall that neither slope nor curvature at the maximum explain.
    """
    top = problem.model.bounds()
    here = np.minimum(best.c, top)
    smooth = problem.slopes(here)
    if smooth is None:
        return True
    for k in range(problem.size):
        for delta in (1e-6, -1e-6, 1e-5, -1e-5, 1e-4, -1e-4, 1e-3, -1e-3):
            c = here.copy()
            c[k] = min(max(c[k] + delta, 0.0), top[k])
            there = problem.slopes(c)
            if there is None:
                return True
            slope = max(abs(float(smooth.gradient[k])), abs(float(there.gradient[k])))
            fall = best.value - there.value
            if fall > 2.0 * slope * abs(delta) + 1e-6 * (1.0 + abs(best.value)):
                return True
    return False


def warnings(problem: Likelihood, best: Maximum, found: Curvature) -> list[str]:
    """Return what a careful reader must know of a fit."""
    free, told = problem.model.free, []
    spare = problem.data.n_frequencies - len(free)
    if spare <= 0 and free:
        told.append(
            f"{_count(len(free), 'free parameter')} and "
            f"{_count(problem.data.n_frequencies, 'independent frequency')}: the model is "
            "saturated, and a good fit is no evidence for it"
        )
    told += _ends(free, best.c)
    told += _flat(free, found)
    clusters = len(problem.data.games)
    if 1 < clusters <= len(free):
        told.append(
            f"{clusters} games are too few for cluster-robust errors of "
            f"{_count(len(free), 'parameter')}"
        )
    return told


def _ends(free: tuple[Parameter, ...], c: Array) -> list[str]:
    """Return warnings of estimates at the boundary."""
    told = []
    for parameter, place in zip(free, c.tolist(), strict=True):
        name = parameter.name
        lam = name.replace("eps", "lam")
        if parameter.kind == "eps" and place in (0.0, 1.0):
            limits = {0.0: ("inf", "0", "random play"), 1.0: ("0", "inf", "no noise")}
            eps, precision, meaning = limits[place]
            told.append(
                f"{name} is at its boundary: {lam} = {precision}, {name} = {eps} ({meaning}); "
                "it has no standard error"
            )
        elif place in (0.0, 1.0):
            value = "0" if place == 0.0 else ("1" if parameter.kind == "noise" else "inf")
            told.append(f"{name} is at its boundary: {name} = {value}; it has no standard error")
        elif parameter.kind != "noise" and at_end(place):
            what = lam if parameter.kind == "eps" else name
            told.append(f"the likelihood still rises in {what} at the end of the search")
    return told


def _flat(free: tuple[Parameter, ...], found: Curvature) -> list[str]:
    """Return a warning if the information is singular, with the direction that is not seen."""
    if found.information is None:
        return ["the likelihood jumps at the estimate, where the principal branch folds: there are "
                "no standard errors"]  # fmt: skip
    if not found.inside:
        return []
    diagonal = np.diag(found.information)
    names = [free[k].name for k in found.inside]
    if not (diagonal > 0.0).all():
        blind = [name for name, d in zip(names, diagonal, strict=True) if not d > 0.0]
        return [f"the likelihood does not depend on {', '.join(blind)} here: not identified"]
    scaled = found.information / np.sqrt(np.outer(diagonal, diagonal))
    eigenvalues, vectors = np.linalg.eigh(scaled)
    if eigenvalues[0] > _FLAT:
        return []
    taking = [name for name, w in zip(names, vectors[:, 0], strict=True) if abs(w) > 0.1]
    return [
        f"the information matrix is flat (least eigenvalue {eigenvalues[0]:.1e} of its "
        f"correlations): {' and '.join(taking)} are not identified apart from each other"
    ]


def _count(number: int, noun: str) -> str:
    """Return number and noun."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def inverse(information: Array | None, size: int) -> Array:
    """Return the covariance, NaN where the information is not positive definite."""
    if information is None:
        return np.full((size, size), math.nan)
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return np.full((size, size), math.nan)
    return np.asarray(np.linalg.inv(information), dtype=np.float64)


def profile_interval(
    problem: Likelihood, best: Maximum, k: int, drop: float, step: float
) -> tuple[float, float]:
    """Return the coordinates between which the profile likelihood is within `drop` of its maximum.

    1 stands for inf. The interval around the estimate: further ones, after a gap, are not searched.
    """
    return (
        _crossing(problem, best, k, drop, -step),
        _crossing(problem, best, k, drop, step),
    )


def _crossing(problem: Likelihood, best: Maximum, k: int, drop: float, step: float) -> float:
    """Return where the profile likelihood falls by `drop`, going from the estimate by steps."""
    from scipy.optimize import brentq

    end = 0.0 if step < 0.0 else float(problem.model.bounds()[k])
    start = np.minimum(best.c, problem.model.bounds())
    inner, nuisance = float(start[k]), start
    while inner != end:
        outer = end if abs(end - inner) <= abs(step) else inner + step
        value, moved = _profile(problem, nuisance, k, outer)
        if value < best.value - drop:
            warm = nuisance

            def excess(c: float, warm: Array = warm) -> float:
                """Return how far the profile lies above the threshold."""
                value = _profile(problem, warm, k, c)[0]
                return max(value, best.value - 1e6) - (best.value - drop)

            return float(brentq(excess, inner, outer, xtol=1e-10, rtol=1e-12))
        inner, nuisance, step = outer, moved, 1.5 * step
    return 1.0 if end == MOST else end


def _profile(problem: Likelihood, start: Array, k: int, place: float) -> tuple[float, Array]:
    """Return the highest likelihood with coordinate k held, and where it is reached."""
    c = start.copy()
    c[k] = place
    found = refine(problem, Maximum(c, problem.value(c)), held=k)
    return found.value, found.c
