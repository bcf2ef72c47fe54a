"""The principal branch, followed from the centroid: the solver behind ``rqe.solve``.

At ``eps = inf`` the centroid is the only equilibrium. As the eps of all players fall together
(``eps_i + s``, s from infinity to 0) it moves along a curve, generically without crossings: the
principal branch (McKelvey & Palfrey 1995; Turocy 2005 for its computation). It may fold back in
s; the follower is parametrised by arclength, so that folds are ordinary points, and it goes
straight on where another branch crosses.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rqe.concepts import inside, whole
from rqe.solvers import security
from rqe.solvers._problem import Outcome, Path, path, scaled, split
from rqe.status import Stats, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_STRONG = 30.0  # risk aversion, in units of the inverse payoff range, that calls for shorter steps
STATUS = (Status.CONVERGED, Status.MAX_STEPS, Status.STALLED, Status.STALLED)
_CONVERGED, _STALLED = 0, 2  # codes of the kernel, in the order of STATUS
_ARRIVED = 1e-9  # relative distance to the target that is left to the certificate's judgement


@dataclass(frozen=True, kw_only=True, slots=True)
class PrincipalBranch:
    """Follow the principal branch from the centroid to the target.

    Players with ``tau = inf`` do not react to the others: their security strategies are computed
    first and held fixed while the branch of the other players is followed.

    Parameters
    ----------
    max_steps : int
        Bound on continuation steps, rejected ones included.
    predictor_error : float
        Length, in Fisher's metric on strategies, that the predictor's error should have. Smaller
        is slower and safer against jumping to another branch where branches come close. Half of it
        is used where a player's tau is above 30 over his payoff range: his adversary switches
        abruptly.
    dense_limit : int
        Up to this many relevant actions in all (between two risk-neutral players: of the one who
        has fewer), linear systems are solved by LU; above, by matrix-free GMRES, which costs at
        most one pass over the payoffs per iteration but does not show the orientation of the
        branch. Near folds, or after a refused step, systems of up to 1600 such actions are
        factored anyway; a run that may have jumped is repeated with LU throughout.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a number, or not a positive one.

    References
    ----------
    .. [1] McKelvey & Palfrey, Games and Economic Behavior 10 (1995).
    .. [2] Turocy, Games and Economic Behavior 51 (2005).
    """

    max_steps: int = 20_000
    predictor_error: float = 0.05
    dense_limit: int = 64

    name = "principal_branch"

    def __post_init__(self) -> None:
        """Check the hyper-parameters."""
        whole("max_steps", self.max_steps)
        inside("predictor_error", self.predictor_error, 0.0, 0.5)
        whole("dense_limit", self.dense_limit)

    def run(
        self, game: NormalFormGame, concept: Concept, start: list[Array] | None, tol: float
    ) -> Outcome:
        """Return the first point of the branch at the target; nothing is judged here."""
        if start is not None:
            raise ValueError(
                "start must be None with solver='principal_branch', which starts at the centroid; "
                "use solver='newton' to solve from a start"
            )
        held, witnesses = security.strategies(game, concept)
        problem = path(game, concept, held)
        if problem.idle:
            return Outcome(
                split(problem.log_x.copy(), game.shape, held), Status.CONVERGED, Stats(), witnesses
            )
        found = self.follow(problem, problem.log_x, 0.0, problem.stop, tol)
        log_x = symmetrised(game, concept, found.log_x)
        return Outcome(
            split(log_x, game.shape, held), STATUS[found.code], counted(found.stats), witnesses
        )

    def follow(
        self, problem: Path, log_x: Array, begin: float, end: float, tol: float,
        *, over_tau: bool = False, record: bool = False,
    ) -> Followed:  # fmt: skip
        """Run the kernel ``rqe._kernels.branch.follow`` from ``begin`` to ``end``."""
        follow, unsure = _kernel()
        error = float(self.predictor_error)
        if not over_tau and max(problem.tau.tolist()) > _STRONG:
            error *= 0.5
        for dense_limit in (self.dense_limit, problem.log_x.size):
            found = follow(
                problem.u, problem.shape, problem.slope, problem.delay, problem.tau, over_tau,
                problem.frozen, problem.reverse, problem.barrier, log_x, begin, end,
                min(0.01 * tol, 1e-12), int(self.max_steps), record, int(dense_limit),
                error,
            )  # fmt: skip
            if found[0] != unsure:
                break
        answer = Followed(*found)
        return _arrived(answer, end) if answer.code == _STALLED else answer


@functools.cache
def _kernel() -> tuple[Any, int]:
    """Return the kernel and its status UNSURE, loaded when first needed."""
    from rqe._kernels.branch import UNSURE, follow

    return follow, UNSURE


def symmetrised(game: NormalFormGame, concept: Concept, log_x: Array) -> Array:
    """Return log_x with rounding's asymmetry removed, for two players in the same position.

    The branch from the centroid keeps the game's symmetry. Where another branch crosses it the
    equations do not fix the antisymmetric part, and only rounding would.
    """
    if not scaled(game).symmetric:
        return log_x
    half = log_x.size // 2
    first, last = log_x[:half], log_x[half:]
    alike = concept.tau[0] == concept.tau[1] and concept.eps[0] == concept.eps[1]
    if not alike or float(np.abs(first - last).max()) > 1e-4:
        return log_x
    return np.tile(0.5 * (first + last), 2)


class Followed(NamedTuple):
    """What the kernel returns: see ``rqe._kernels.branch.follow``."""

    code: int
    log_x: Array
    parameter: float
    stats: Any
    points: Array
    events: NDArray[np.int64]


def _arrived(found: Followed, end: float) -> Followed:
    """Return a run that stopped within rounding of its end as one that reached it.

    Where the equations are known to fewer digits than the kernel asks for, it halves its last step
    for ever; whether the point is good enough for the target, the certificate tells.
    """
    close = math.isfinite(end) and abs(end - found.parameter) <= _ARRIVED * abs(end)
    return found._replace(code=_CONVERGED) if close else found


def counted(counts: Any) -> Stats:
    """Return the kernel's counters by name."""
    steps, evaluations, turns, bifurcations = counts.tolist()[:4]
    return Stats(steps, evaluations, turns, bifurcations)


def eps_values(problem: Path, concept: Concept, parameters: Array, reached: bool) -> Array:
    """Return eps of every player along the branch, inf at the centroid: (K, N).

    If the target was reached the last row is the target itself, also where that is the limit 0.
    """
    with np.errstate(divide="ignore"):
        extra = problem.scale / parameters[:, None]
    values: Array = concept.eps[None, :] - problem.floor + extra
    fixed = problem.frozen | ~np.isfinite(concept.eps)
    values[:, fixed] = concept.eps[fixed]
    if reached:
        values[-1] = concept.eps
    return values


def tau_path(problem: Path) -> tuple[Path, float]:
    """Return the problem with lam at its target and tau_i growing as T * share_i, and T's end.

    Some tau must be positive.
    """
    end = float(problem.tau.max())
    lam = np.where(
        problem.slope > 0.0,
        problem.slope * problem.stop / (1.0 + problem.delay * problem.stop),
        0.0,
    )
    return problem._replace(slope=lam, tau=problem.tau / end), end
