"""Results: the one frozen record that every solver returns, and what it can tell about itself.

A `Solution` holds the inputs (game, concept), the answer (log-probabilities), the certificate
that independent code computed for it (`Check`), and how it was found. Everything else on it is
derived on demand, so that building one is cheap. Import the result types from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain, report, uniqueness
from rqe._certified import Certified
from rqe.branch import Branch
from rqe.concepts import flag
from rqe.status import Stats, Status

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rqe.check import Check
    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame
    from rqe.gaussian_solution import GaussianSolution

    Array = NDArray[np.float64]

__all__ = ["Branch", "ConvergenceError", "Solution", "Stats", "Status"]


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Certified):
    """An answer with its certificate: who plays what, for what payoff, and how surely.

    Solvers build it; users read it. It owns its arrays, all of them read-only. Two solutions are
    equal only if they are the same object: compare `strategies` instead.

    Attributes
    ----------
    game : NormalFormGame
        The game that was solved.
    concept : Concept
        What was sought: tau, eps, penalty and regularizer.
    log_strategies : tuple of ndarray
        One array of shape (n_i,) per player: natural logarithms of the probabilities. They keep
        probabilities that are too small for a float; -inf is an action never played.
    check : Check
        The certificate, recomputed from the log-strategies by code that no solver shares.
    status : Status
        How the computation ended.
    solver : str
        Name of the solver.
    stats : Stats
        Steps taken and folds met.
    remarks : tuple of str
        What a careful reader should know unless the equilibrium is proved to be the only one, for
        example that others may exist.
    proof : str or None
        Why it is the only one, where its solver has proved that.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.from_bimatrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])
    >>> solution = rqe.solve(game, tau=1.0, eps=0.2)
    >>> solution.converged
    True
    >>> bool(solution.strategies[0][1] > 0.99)
    True
    """

    game: NormalFormGame
    concept: Concept
    log_strategies: tuple[Array, ...]
    check: Check
    status: Status
    solver: str
    stats: Stats
    remarks: tuple[str, ...] = ()
    proof: str | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for log_x in self.log_strategies:
            log_x.flags.writeable = False

    @cached_property
    def strategies(self) -> tuple[Array, ...]:
        """Probabilities, one read-only array of shape (n_i,) per player."""
        return tuple(_plain.read_only(np.exp(log_x)) for log_x in self.log_strategies)

    @property
    def adversaries(self) -> tuple[Array, ...]:
        """Worst joint play that each player fears: shape (n_j for j != i) for player i."""
        return self.check.adversaries

    @cached_property
    def unique(self) -> bool | None:
        """True where this equilibrium is proved to be the only one, see `notes`; else None.

        By its solver, or by a theorem that `rqe.uniqueness.theorem` finds to cover the game.
        """
        return True if self.proof or self._theorem else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Why it is the only equilibrium, or else the remarks."""
        if self.proof:
            return (self.proof,)
        return (f"unique, by {self._theorem}",) if self._theorem else self.remarks

    @cached_property
    def _theorem(self) -> str | None:
        """A theorem that makes it unique; looked for when asked, as that may take longer."""
        return uniqueness.theorem(self.game, self.concept) if self.converged else None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per player and action: what `to_frame` and CSV files hold."""
        for i, player in enumerate(self.game.players):
            for a, action in enumerate(self.game.actions[i]):
                yield {
                    "player": player,
                    "action": action,
                    "probability": float(self.strategies[i][a]),
                    "log_probability": float(self.log_strategies[i][a]),
                    "tau": float(self.tau[i]),
                    "eps": float(self.eps[i]),
                    "payoff": float(self.payoffs[i]),
                    "risk_adjusted": float(self.risk_adjusted[i]),
                }

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame, one row per player and action.

        Returns
        -------
        pandas.DataFrame
            Columns player, action, probability, log_probability, and, repeated for each action of
            a player, tau, eps, payoff and risk_adjusted.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows())

    def to_dict(self, *, adversaries: bool = False) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts as it is.

        Parameters
        ----------
        adversaries : bool
            Whether to include the adversaries, whose size grows as the product of the others'
            action counts; nested lists over the others' actions in player order.

        Returns
        -------
        dict
            Strategies are lists in the order of ``["game"]["actions"]``. JSON has no infinities,
            so they are the strings ``"inf"`` and ``"-inf"`` (and ``"nan"``), which ``float`` reads.
        """
        flag("adversaries", adversaries)
        data = {
            "schema": "rqe.solution/1",
            "game": _plain.game_dict(self.game),
            "concept": _plain.concept_dict(self.concept),
            "strategies": self.strategies,
            "log_strategies": self.log_strategies,
            "payoffs": self.payoffs,
            "risk_adjusted": self.risk_adjusted,
            "certificate": {"residual": self.residual, "regret": self.regret},
            "status": self.status.value,
            "message": self.status.message,
            "solver": self.solver,
            "stats": vars(self.stats),
            "unique": self.unique,
            "notes": self.notes,
            "versions": _plain.versions(),
        }
        if adversaries:
            data["adversaries"] = self.adversaries
        plain: dict[str, Any] = _plain.jsonable(data)
        return plain

    def summary(self, *, max_actions: int = 12) -> str:
        """Return a table for people: concept, payoffs, probabilities, certificate, status, notes.

        Parameters
        ----------
        max_actions : int
            Players with more actions are shown by their most probable ones.
        """
        return report.solution_text(self, max_actions)

    def to_latex(self, *, max_actions: int = 12) -> str:
        """Return the strategies as a LaTeX table; see `rqe.report.latex`."""
        return report.latex(self, max_actions=max_actions)

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks."""
        return report.solution_html(self)


def solved(solution: Any) -> Solution:
    """Return `solution` if it is one; the error says where one comes from."""
    if not isinstance(solution, Solution):
        raise TypeError(
            f"solution must be an rqe.Solution, as rqe.solve returns; got {type(solution).__name__}"
        )
    return solution


class ConvergenceError(RuntimeError):
    """No answer within the tolerance; the partial one is attached.

    Parameters
    ----------
    solution : Solution, Branch or GaussianSolution
        What the solver had when it gave up, with its certificate.

    Attributes
    ----------
    solution : Solution, Branch or GaussianSolution
        The same object. Ask for it without an exception by ``throw=False``.
    """

    def __init__(self, solution: Solution | Branch | GaussianSolution) -> None:
        self.solution = solution
        if isinstance(solution, Branch):
            measure = f"{len(solution)} points"
        else:
            measure = f"regret {solution.regret:.2g}"
        super().__init__(report.failure_text(solution, measure))

    def __reduce__(
        self,
    ) -> tuple[type[ConvergenceError], tuple[Solution | Branch | GaussianSolution]]:
        """Rebuild from the partial answer, so that worker processes can raise it."""
        return type(self), (self.solution,)
