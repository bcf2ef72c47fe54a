"""Solutions out of strategies, whoever found them: judged by the independent certificate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rqe.check import check
from rqe.concepts import Concept
from rqe.solution import Solution
from rqe.status import Stats, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]
    Exact = tuple[tuple[Fraction, ...], ...]


def judged(
    game: NormalFormGame,
    strategies: Sequence[Array],
    solver: str,
    tol: float,
    *,
    concept: Concept | None = None,
    stats: Stats | None = None,
    notes: tuple[str, ...] = (),
) -> Solution:
    """Return the profile as a solution: converged if its residual is at most `tol`."""
    concept = Concept.of(game) if concept is None else concept
    with np.errstate(divide="ignore"):
        logs = tuple([np.log(x) for x in strategies])
    certificate = check(game, concept, logs)
    status = Status.CONVERGED if certificate.residual <= tol else Status.INACCURATE
    stats = Stats() if stats is None else stats
    return Solution(game, concept, logs, certificate, status, solver, stats, notes)


def doubles(profile: Sequence[tuple[Fraction, ...]]) -> list[Array]:
    """Return rational strategies rounded to doubles."""
    return [np.array([p.numerator / p.denominator for p in strategy]) for strategy in profile]


def scaled(u: NDArray[np.float64]) -> Array:
    """Return payoffs moved and stretched to [0, 1], C-contiguous; zeros if they are all one."""
    low, high = float(u.min()), float(u.max())
    stretched: Array = np.ascontiguousarray((u - low) / ((high - low) or 1.0))
    return stretched


def two_players(game: NormalFormGame, method: str) -> None:
    """Raise if the game has not two players; the message says which methods to use instead."""
    if game.n_players != 2:
        raise ValueError(
            f"method {method!r} is for two players; this game has {game.n_players}: leave method "
            "out to get the one that fits"
        )
