r"""Whether equilibria attract learners: best response dynamics and regret dynamics.

Best response dynamics: ``dx/dt = BR(x) - x``, with BR_i the maximiser of player i's risk-averse,
regularised objective against the others' current play; and the map ``x -> BR(x)``, all at once.

Regret dynamics: with :math:`\rho_i(a) = v_i(a) - \epsilon_i \partial_a \nu(x_i)` the gradient of
the regularised objective, every log-probability moves at the rate of the regret for not having
played the action a little more,

.. math:: \frac{d}{dt} \log x_i(a) = \rho_i(a) - \langle x_i, \rho_i \rangle .

With the entropic regularizer and tau = 0 this is the replicator equation with the entropy term of
Boltzmann Q-learning [1]_ [2]_. Its rest points are the equilibria; its speed has the unit of
payoffs.

References
----------
.. [1] Tuyls, Verbeeck & Lenaerts, A selection-mutation model for Q-learning, AAMAS 2003.
.. [2] Coucheney, Gaujal & Mertikopoulos, Penalty-regulated dynamics and robust learning procedures
   in games, Mathematics of Operations Research 40 (2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe.bifurcation._family import parallel_family
from rqe.bifurcation._system import System
from rqe.branch import Branch
from rqe.solution import Solution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rqe.bifurcation._system import Point
    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_MARGIN = 1e-9  # a rate this close to 0 decides nothing


@dataclass(frozen=True, eq=False)
class Stability:
    """How learners behave next to equilibria; one entry per point of a branch.

    Attributes
    ----------
    best_response_rate : ndarray, shape (K,)
        Largest real part of the eigenvalues of best response dynamics; negative: they return.
    spectral_radius : ndarray, shape (K,)
        Of the derivative of the best response map; below 1: iterated best responses return.
    regret_rate : ndarray, shape (K,)
        Largest real part of the eigenvalues of regret dynamics, payoff units.
    """

    best_response_rate: Array
    spectral_radius: Array
    regret_rate: Array

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.best_response_rate, self.spectral_radius, self.regret_rate):
            array.flags.writeable = False

    @property
    def best_response(self) -> NDArray[np.bool_]:
        """Whether best response dynamics return to the equilibrium: (K,)."""
        return self.best_response_rate < -_MARGIN

    @property
    def best_response_map(self) -> NDArray[np.bool_]:
        """Whether iterated best responses do: (K,)."""
        return self.spectral_radius < 1.0 - _MARGIN

    @property
    def regret(self) -> NDArray[np.bool_]:
        """Whether regret dynamics do: (K,)."""
        return self.regret_rate < -_MARGIN

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts."""
        plain: dict[str, Any] = _plain.jsonable(vars(self))
        return plain


def stability(result: Solution | Branch) -> Stability:
    """Return whether equilibria attract best response dynamics, its map, and regret dynamics.

    Parameters
    ----------
    result : Solution or Branch
        With eps > 0 and tau finite for every player. Points of a branch at eps = inf, where every
        response is a constant, count as stable.

    Returns
    -------
    Stability
        Arrays with one entry for a solution, one per point for a branch.

    Raises
    ------
    TypeError, ValueError
        If it is neither, some tau is inf, some eps is 0 or there are more than 400 free
        probabilities.

    Notes
    -----
    Linear stability: eigenvalues of the derivative at the equilibrium. One whose rate is 0 to
    rounding counts as not stable.

    Examples
    --------
    >>> import rqe
    >>> found = rqe.stability(rqe.solve(rqe.catalog.load("matching-pennies"), eps=0.2))
    >>> found.best_response.tolist(), found.best_response_map.tolist()
    ([True], [False])
    """
    if isinstance(result, Solution):
        places = [(result.game, result.concept)]
        profiles = [result.log_strategies]
    elif isinstance(result, Branch):
        places = [result.at(k) for k in range(len(result))]
        profiles = list(zip(*result.log_strategies, strict=True))
    else:
        raise TypeError(f"result must be a Solution or a Branch; got {type(result).__name__}")
    for _, concept in places:
        if not float(concept.eps.min()) > 0.0:
            raise ValueError(
                "eps must be > 0 for every player, at every point; "
                f"got {concept.eps.tolist()}, where best responses jump"
            )
    pairs = zip(places, profiles, strict=True)
    return of_points([_point(game, concept, logs) for (game, concept), logs in pairs])


def _point(game: NormalFormGame, concept: Concept, logs: Sequence[Array]) -> Point:
    """Return one equilibrium as a point of the equations."""
    system = System(parallel_family(game, concept))
    least = float(concept.eps.min())
    mu = 0.0 if least == np.inf else system.family.coordinate(least)
    return system.point(system.theta(logs), mu)


def of_points(points: list[Point]) -> Stability:
    """Return the stability of points of the equations."""
    rates = [_rates(point) for point in points]
    best, radius, regret = np.array(rates).reshape(-1, 3).T.copy()
    return Stability(best, radius, regret)


def _rates(point: Point) -> tuple[float, float, float]:
    """Return the rates of one point; without unknowns every response is a constant."""
    if not point.system.size:
        return -1.0, 0.0, -np.inf
    values = np.linalg.eigvals(point.response)
    noise = np.concatenate([
        np.full(part.stop - part.start, 1.0 / lam if lam > 0.0 else 0.0)
        for part, lam in zip(point.system.parts, point.setting.lam.tolist(), strict=True)
    ])  # fmt: skip
    speeds = np.linalg.eigvals(noise[:, None] * point.jacobian)
    return -float(values.real.min()), float(np.abs(1.0 - values).max()), -float(speeds.real.min())
