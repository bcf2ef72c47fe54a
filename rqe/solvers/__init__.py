"""How equilibria are found: one frozen dataclass of hyper-parameters per file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rqe.concepts import one_of
from rqe.solvers._gaussian import IllPosedRiskError
from rqe.solvers.newton import Newton
from rqe.solvers.principal_branch import PrincipalBranch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame
    from rqe.solvers._problem import Outcome

__all__ = ["SOLVERS", "IllPosedRiskError", "Newton", "PrincipalBranch", "Solver", "by_name"]


class Solver(Protocol):
    """Anything with a name and ``run``: hyper-parameters in, unchecked outcome out."""

    name: str

    def run(
        self,
        game: NormalFormGame,
        concept: Concept,
        start: list[NDArray[np.float64]] | None,
        tol: float,
    ) -> Outcome:
        """Return an outcome for the concept; start holds log-strategies."""
        ...


SOLVERS: dict[str, type[PrincipalBranch] | type[Newton]] = {
    "principal_branch": PrincipalBranch,
    "newton": Newton,
}
_DEFAULTS = {name: kind() for name, kind in SOLVERS.items()}


def by_name(solver: str | Solver | None, started: bool) -> Solver:
    """Return the solver; None means the principal branch, or Newton's method from a start."""
    if solver is None:
        solver = "newton" if started else "principal_branch"
    if isinstance(solver, str):
        return _DEFAULTS[one_of("solver", solver, tuple(SOLVERS))]
    if isinstance(solver, type) or not callable(getattr(solver, "run", None)):
        raise TypeError(
            f"solver must be one of {', '.join(SOLVERS)} or an object with a run method; "
            f"got {solver!r}"
        )
    return solver
