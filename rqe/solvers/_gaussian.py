"""What both Gaussian solvers share: their outcome, and where risk becomes infinite."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rqe.status import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import AggregativeGame, QuadraticGame

    Array = NDArray[np.float64]


class Outcome(NamedTuple):
    """Means (D,) stacked, covariances one (n_i, n_i) per player, and what is known of them."""

    means: Array
    covariances: tuple[Array, ...]
    margins: Array
    limits: Array
    status: Status
    unique: bool
    note: str


class IllPosedRiskError(ValueError):
    """A player's risk is infinite: his tau is not below the largest admissible one.

    Attributes
    ----------
    player : int
        The player, counted from 0: of several, the one furthest beyond his limit.
    tau : float
        What was asked for.
    limit : float
        Every tau below it is admissible at these eps; inf if every finite one is.
    """

    def __init__(self, player: int, tau: float, limit: float, name: str) -> None:
        self.player, self.tau, self.limit, self._name = player, tau, limit, name
        if limit == np.inf:
            rule = "finite, as the others' play is uncertain (their eps > 0)"
        else:
            rule = f"below {limit!r}, where the risk of player {name!r} at these eps is infinite"
        super().__init__(f"tau[{player}] must be {rule}; got {tau!r}")

    def __reduce__(self) -> tuple[type[IllPosedRiskError], tuple[int, float, float, str]]:
        """Rebuild from its parts, so that worker processes can raise it."""
        return type(self), (self.player, self.tau, self.limit, self._name)


def admissible(
    game: AggregativeGame | QuadraticGame, tau: Array, eps: Array, limits: Array
) -> Array:
    """Return tau with 0 for players whose others are certain; raise where risk is infinite."""
    uncertain = eps > 0.0
    others = np.count_nonzero(uncertain) - uncertain  # how many others are uncertain, per player
    tau = np.where(others > 0, tau, 0.0)
    bad = np.flatnonzero(~(tau < limits))
    if len(bad):
        with np.errstate(invalid="ignore", over="ignore"):
            worst = int(bad[np.argmax(np.nan_to_num(tau[bad] / limits[bad], nan=np.inf))])
        raise IllPosedRiskError(worst, float(tau[worst]), float(limits[worst]), game.players[worst])
    return tau


def margin(tau: Array, limit: Array) -> Array:
    """1 - tau / limit, positive for every tau < limit, however close; 1 where the limit is inf."""
    finite = np.isfinite(limit)
    bound = np.where(finite, limit, 1.0)
    return np.where(finite, (bound - tau) / bound, 1.0)
