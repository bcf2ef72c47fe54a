"""Newton's method from a given profile: the equilibrium near a start, on whatever branch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import inside, whole
from rqe.solvers import security
from rqe.solvers._problem import Outcome, path, split
from rqe.status import Stats, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Newton:
    """Damped Newton's method in logit coordinates, at the target's tau and eps.

    It converges quadratically to an equilibrium near the start, if there is one; which one is not
    promised. It needs ``eps > 0`` for every player with finite ``tau``.

    Parameters
    ----------
    max_steps : int
        Bound on the number of Newton steps.
    max_length : float
        Longest step, in Fisher's metric on strategies; longer ones are shortened.
    dense_limit : int
        Up to this many relevant actions in all, linear systems are solved by LU; above, by GMRES.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a number, or not a positive one.
    """

    max_steps: int = 500
    max_length: float = 0.5
    dense_limit: int = 64

    name = "newton"

    def __post_init__(self) -> None:
        """Check the hyper-parameters."""
        whole("max_steps", self.max_steps)
        inside("max_length", self.max_length, 0.0, math.inf)
        whole("dense_limit", self.dense_limit)

    def run(
        self, game: NormalFormGame, concept: Concept, start: list[Array] | None, tol: float
    ) -> Outcome:
        """Return where Newton's method ends; nothing is judged here."""
        from rqe._kernels.branch import locate

        held, witnesses = security.strategies(game, concept)
        problem = path(game, concept, held)
        log_x = problem.log_x
        if start is not None:
            parts = split(problem.log_x, game.shape)
            log_x = np.concatenate(
                [p if i in held else s for i, (p, s) in enumerate(zip(parts, start, strict=True))]
            )
        if not math.isfinite(problem.stop) and not problem.idle:
            raise ValueError(
                "solver='newton' needs eps > 0 for every player with finite tau; "
                f"got eps = {concept.eps.tolist()}"
            )
        if problem.idle:
            return Outcome(
                split(problem.log_x.copy(), game.shape, held), Status.CONVERGED, Stats(), witnesses
            )
        done, log_x, steps = locate(
            problem.u, problem.shape, problem.slope, problem.delay, problem.tau, problem.frozen,
            problem.reverse, problem.barrier, log_x, problem.stop, int(self.max_steps),
            float(self.max_length), int(self.dense_limit),
        )  # fmt: skip
        status = Status.CONVERGED if done else Status.MAX_STEPS
        return Outcome(split(log_x, game.shape, held), status, Stats(steps, steps), witnesses)
