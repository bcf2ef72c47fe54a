"""The result record of quadratic games: Gaussian strategies and their certificate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain, report
from rqe._certified import Certified
from rqe.concepts import whole
from rqe.status import Status

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import AggregativeGame, QuadraticGame
    from rqe.gaussian_check import GaussianCheck

    Array = NDArray[np.float64]

__all__ = ["GaussianSolution"]


@dataclass(frozen=True, eq=False, repr=False)
class GaussianSolution(Certified):
    """An equilibrium in Gaussian strategies, with its certificate.

    `rqe.solve` builds it; users read it. Its arrays are read-only.

    Attributes
    ----------
    game : AggregativeGame or QuadraticGame
        The game that was solved.
    concept : Concept
        What was sought: tau and eps.
    means : tuple of N arrays, shape (n_i,)
        Mean action of each player; ``np.stack(means)`` where all have one dimension.
    covariances : tuple of N arrays, shape (n_i, n_i)
        Covariance of each player's action; zero where eps = 0.
    margins : ndarray, shape (N,)
        How far each player's risk is from infinite, 1 - tau / tau_limits, in (0, 1].
    tau_limits : ndarray, shape (N,)
        Each tau below it is admissible at these eps; inf where every finite one is.
    check : GaussianCheck
        The certificate, recomputed by code that no solver shares.
    status : Status
        How the computation ended.
    solver : {"aggregative", "quadratic"}
        The closed form of aggregative games, or the linear system of general ones.
    notes : tuple of str
        Why the equilibrium is the only one, or that this is not proven.
    unique : bool or None
        True only where that is proven; None otherwise.

    Examples
    --------
    >>> import rqe
    >>> solution = rqe.solve(rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0]), tau=1.0, eps=1.0)
    >>> solution
    <GaussianSolution: RQE of a quadratic game of 2 players, converged, ...>
    >>> round(solution.shared_reward, 9), solution.margins
    (-0.52, array([0.5, 0.5]))
    """

    game: AggregativeGame | QuadraticGame
    concept: Concept
    means: tuple[Array, ...]
    covariances: tuple[Array, ...]
    margins: Array
    tau_limits: Array
    check: GaussianCheck
    status: Status
    solver: str
    notes: tuple[str, ...] = ()
    unique: bool | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (*self.means, *self.covariances, self.margins, self.tau_limits):
            array.flags.writeable = False

    @property
    def shared_reward(self) -> float | None:
        """Expected shared reward of an aggregative game; None for another."""
        return self.check.shared_reward

    @property
    def shortfall(self) -> Array | None:
        """Target less the sum of all means, shape (n,), of an aggregative game; None else."""
        return self.check.shortfall

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per player and coordinate: what `to_frame` holds."""
        for i, player in enumerate(self.game.players):
            for k, mean in enumerate(self.means[i]):
                yield {
                    "player": player,
                    "coordinate": k,
                    "mean": float(mean),
                    "variance": float(self.covariances[i][k, k]),
                    "tau": float(self.tau[i]),
                    "eps": float(self.eps[i]),
                    "payoff": float(self.payoffs[i]),
                    "risk_adjusted": float(self.risk_adjusted[i]),
                    "margin": float(self.margins[i]),
                }

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame, one row per player and coordinate of his action.

        Returns
        -------
        pandas.DataFrame
            Columns player, coordinate, mean, variance, and, repeated for each coordinate of a
            player, tau, eps, payoff, risk_adjusted and margin.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts as it is; infinities are strings."""
        data = {
            "schema": "rqe.gaussian_solution/1",
            "game": {
                "title": self.game.title,
                "players": self.game.players,
                "dims": self.game.dims,
            },
            "concept": _plain.concept_dict(self.concept),
            "means": self.means,
            "covariances": self.covariances,
            "payoffs": self.payoffs,
            "risk_adjusted": self.risk_adjusted,
            "shared_reward": self.shared_reward,
            "shortfall": self.shortfall,
            "margins": self.margins,
            "tau_limits": self.tau_limits,
            "certificate": {"residual": self.residual, "regret": self.regret},
            "status": self.status.value,
            "message": self.status.message,
            "solver": self.solver,
            "unique": self.unique,
            "notes": self.notes,
            "versions": _plain.versions(),
        }
        plain: dict[str, Any] = _plain.jsonable(data)
        return plain

    def summary(self, *, max_rows: int = 12) -> str:
        """Return a table for people: strategies, utilities, certificate, status and notes.

        Parameters
        ----------
        max_rows : int
            Of more coordinates of actions the first ones are shown, and the others counted.
        """
        return _text(self, max_rows)


_HEADER = ("player", "coordinate", "mean", "deviation", "tau", "eps", "payoff", "risk-adjusted")


def _text(solution: GaussianSolution, max_rows: int) -> str:
    """Return the text that `GaussianSolution.summary` shows."""
    whole("max_rows", max_rows)
    total = sum(solution.game.dims)
    rows = [
        (
            row["player"],
            str(row["coordinate"]),
            f"{row['mean']:.6g}",
            f"{np.sqrt(row['variance']):.6g}",
            *(f"{row[key]:.6g}" for key in ("tau", "eps", "payoff", "risk_adjusted")),
        )
        for row in itertools.islice(solution.rows(), max_rows)
    ]
    facts = [("margin", f"{solution.margins.min():.3g} at least: risk is infinite at 0")]
    if solution.shared_reward is not None and solution.shortfall is not None:
        gap = ", ".join(f"{value:.6g}" for value in solution.shortfall)
        facts.append(("shared", f"reward {solution.shared_reward:.6g}, shortfall {gap}"))
    facts += [
        ("residual", f"{solution.residual:.2g}, relative to the terms of the best responses"),
        ("regret", f"at most {solution.regret:.2g}, in payoff units"),
        ("status", f"{solution.status.value}. {solution.status.message}"),
        *(("note", note) for note in solution.notes),
    ]
    name = report.game_name(solution.game)
    return "\n".join(
        [
            name[0].upper() + name[1:],
            f"{solution.concept.name}, Gaussian strategies",
            "",
            *report.table(_HEADER, rows, range(1)),
            *([f"({total - len(rows)} coordinates not shown)"] if total > len(rows) else []),
            "",
            *(report.paragraph(label, text) for label, text in facts),
        ]
    )
