"""Equilibria by Newton's method from many starts, and by deflation of those that are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rqe.bifurcation._system import solved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.bifurcation._system import System
    from rqe.games import NormalFormGame
    from rqe.proof._pool import Pool

    Array = NDArray[np.float64]

_MOST_SUPPORTS = 64
_DEFLATED_STEPS = 60


def multistart(pool: Pool, starts: int, clock: Clock, rng: np.random.Generator) -> int:
    """Add what Newton's method ends at from many starts, and return how many were used."""
    tried = 0
    for start in itertools.islice(_starts(pool.game, rng), starts):
        if clock.tick("starts of Newton's method", tried):
            return tried
        newton(pool, start)
        tried += 1
    known = 0
    while starts and known < len(pool.solutions) and not clock.stopped:
        known = len(pool.solutions)
        for start in itertools.islice(_derived(pool), starts):
            newton(pool, start)
            tried += 1
            if clock.tick("starts of Newton's method", tried):
                break
    return tried


def newton(pool: Pool, start: list[Array]) -> None:
    """Add what Newton's method ends at."""
    from rqe.solve import solve

    concept = pool.concept
    found = solve(
        pool.game, concept.tau, concept.eps, penalty=concept.penalty,
        regularizer=concept.regularizer, start=start, throw=False,
    )  # fmt: skip
    if found.converged:
        pool.add(found)


def _derived(pool: Pool) -> Iterator[list[Array]]:
    """Yield starts made of what is known: players exchanged, then middles of pairs."""
    profiles = [solution.strategies for solution in pool.solutions]
    if len(set(pool.game.shape)) == 1:
        for shift, profile in itertools.product(range(1, pool.game.n_players), profiles):
            yield [np.maximum(x, 1e-300) for x in profile[shift:] + profile[:shift]]
    for first, second in itertools.combinations(profiles, 2):
        yield [np.maximum(0.5 * (x + y), 1e-300) for x, y in zip(first, second, strict=True)]


def _starts(game: NormalFormGame, rng: np.random.Generator) -> Iterator[list[Array]]:
    """Yield profiles: nearly uniform on every support, if these are few, then random ones."""
    supports = [list(itertools.product((0.0, 1.0), repeat=n))[1:] for n in game.shape
                if n <= 6]  # fmt: skip
    if len(supports) == game.n_players and math.prod(map(len, supports)) <= _MOST_SUPPORTS:
        for choice in itertools.product(*supports):
            yield [_inside(np.array(support)) for support in choice]
    while True:
        yield [_inside(rng.dirichlet(np.full(n, rng.choice([0.3, 1.0])))) for n in game.shape]


def _inside(x: Array) -> Array:
    """Return the strategy moved a little into the interior."""
    inner: Array = 0.999 * x / x.sum() + 0.001 / len(x)
    return inner


def deflation(
    pool: Pool, system: System, mu: float, tries: int, clock: Clock, rng: np.random.Generator
) -> int:
    """Add what deflated Newton's method ends at [1]_, from the centroid and around it.

    The equations are multiplied by ``prod_k (1 + 1 / |theta - theta_k|^2)`` over the known
    solutions theta_k, which pushes the iteration away from them.

    References
    ----------
    .. [1] Farrell, Birkisson & Funke, SIAM Journal on Scientific Computing 37 (2015).
    """
    known = [system.theta(solution.log_strategies) for solution in pool.solutions]
    unit = max(1.0, *(float(np.linalg.norm(theta)) for theta in known)) if known else 1.0
    start, used = np.zeros(system.size), 0
    while used < tries and not clock.tick("deflated starts", used):
        used += 1
        theta = _deflated(system, mu, start, known)
        if theta is None:
            start = _away(system, unit, rng)
            continue
        known.append(theta)
        before = len(pool.solutions)
        pool.add(pool.solution(system.logs(theta), "deflation"))
        if len(pool.solutions) == before:
            start = _away(system, unit, rng)
    return used


def _away(system: System, unit: float, rng: np.random.Generator) -> Array:
    """Return random logits, of all lengths up to `unit`."""
    drawn: Array = rng.normal(size=system.size) / math.sqrt(system.size)
    return drawn * unit * float(rng.random()) ** 2


def _deflated(system: System, mu: float, theta: Array, known: list[Array]) -> Array | None:
    """Return a zero of the equations by deflated Newton's method, or None."""
    for _ in range(_DEFLATED_STEPS):
        point = system.point(theta, mu)
        try:
            move = -solved(point.jacobian, point.residual)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(move).all():
            return None
        size = float(np.abs(move).max(initial=0.0))
        if size <= 1e-11 * (1.0 + float(np.abs(theta).max(initial=0.0))):
            return theta
        pull = 0.0
        for other in known:
            gap = theta - other
            square = max(float(gap @ gap), 1e-300)
            pull -= 2.0 * float(gap @ move) / (square * (1.0 + square))
        scale = 1.0 - pull
        move = move / (scale if abs(scale) > 1e-3 else math.copysign(1e-3, scale))
        theta = theta + move * min(1.0, 4.0 / max(float(np.linalg.norm(move)), 1e-300))
    return None
