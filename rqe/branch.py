"""A path of equilibria: the result of `rqe.trace`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain, report
from rqe.status import Status

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from rqe.bifurcation.bifurcation import Bifurcation
    from rqe.bifurcation.path import PayoffPath
    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Branch:
    """A path of equilibria, as arrays; `rqe.trace` returns it.

    Attributes
    ----------
    game : NormalFormGame
        The game; the one at the target if payoffs change along the path.
    concept : Concept
        The target: what is sought at the end of the path, or at the window's second end. `at` tells
        what holds at each point.
    parameter : str
        What changes along the path: "eps", "tau" or the name of the path of payoffs.
    values : ndarray, shape (K, N)
        The parameter of each player at each of the K points, in the order of the path. It need
        not be monotone. For eps the centroid has value inf. Payoffs have one value for all.
    log_strategies : tuple of ndarray
        One array of shape (K, n_i) per player.
    residuals : ndarray, shape (K,)
        Certificate of each point, relative to the payoff range.
    turning_points : ndarray of int
        Indices of the points just after which the parameter changes direction; on a path with a
        window, of the turning points themselves.
    bifurcations : ndarray of int
        Indices of the points just after which another branch crosses; on a path with a window,
        of the bifurcations themselves.
    status : Status
        Whether the path reached the target.
    path : PayoffPath or None
        The payoffs as a function of the parameter, if it is they that change.
    bifurcation_points : tuple of Bifurcation
        Folds and bifurcations of a path with a window, refined and named. `rqe.bifurcations`
        returns them for any path.
    origin : str
        How the path was come upon.
    notes : tuple of str
        How it ended.
    window : (float, float) or None
        The parameter values between which it was followed.
    """

    game: NormalFormGame
    concept: Concept
    parameter: str
    values: Array
    log_strategies: tuple[Array, ...]
    residuals: Array
    turning_points: NDArray[np.intp]
    bifurcations: NDArray[np.intp]
    status: Status
    path: PayoffPath | None = None
    bifurcation_points: tuple[Bifurcation, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        own = (self.values, self.residuals, self.turning_points, self.bifurcations)
        for array in (*self.log_strategies, *own):
            array.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.residuals)

    @cached_property
    def strategies(self) -> tuple[Array, ...]:
        """Probabilities, one read-only array of shape (K, n_i) per player."""
        return tuple(_plain.read_only(np.exp(log_x)) for log_x in self.log_strategies)

    @property
    def converged(self) -> bool:
        """Whether the path reached its target."""
        return self.status is Status.CONVERGED

    @property
    def residual(self) -> float:
        """Largest residual on the path."""
        return float(self.residuals.max()) if len(self) else float("nan")

    def at(self, k: int) -> tuple[NormalFormGame, Concept]:
        """Return the game and the concept of which point k is an equilibrium."""
        from rqe.concepts import Concept

        value, target = self.values[k], self.concept
        if self.path is not None:
            return self.path.game(float(value[0])), target
        tau, eps = (target.tau, value) if self.parameter == "eps" else (value, target.eps)
        return self.game, Concept(tau, eps, target.penalty, target.regularizer)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per point, player and action."""
        turns, crossings = set(self.turning_points.tolist()), set(self.bifurcations.tolist())
        for k in range(len(self)):
            for i, player in enumerate(self.game.players):
                for a, action in enumerate(self.game.actions[i]):
                    yield {
                        "point": k,
                        "player": player,
                        "action": action,
                        self.parameter: float(self.values[k, i]),
                        "probability": float(self.strategies[i][k, a]),
                        "log_probability": float(self.log_strategies[i][k, a]),
                        "residual": float(self.residuals[k]),
                        "turning_point": k in turns,
                        "bifurcation": k in crossings,
                    }

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame, one row per point, player and action.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts; infinities as in `Solution.to_dict`."""
        data = {
            "schema": "rqe.branch/1",
            "game": _plain.game_dict(self.game),
            "concept": _plain.concept_dict(self.concept),
            "parameter": self.parameter,
            "values": self.values,
            "strategies": self.strategies,
            "log_strategies": self.log_strategies,
            "residuals": self.residuals,
            "turning_points": self.turning_points,
            "bifurcations": self.bifurcations,
            "bifurcation_points": [point.to_dict() for point in self.bifurcation_points],
            "origin": self.origin,
            "notes": self.notes,
            "window": self.window,
            "status": self.status.value,
            "message": self.status.message,
            "versions": _plain.versions(),
        }
        plain: dict[str, Any] = _plain.jsonable(data)
        return plain

    def summary(self, *, max_points: int = 12) -> str:
        """Return a table for people: at most about `max_points` points, folds and ends included."""
        return report.branch_text(self, max_points)

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the path; see `rqe.plot.plot_branch`, to which `options` go.

        A path in a payoff parameter is drawn by `rqe.plot.diagram.plot_path`.
        """
        if self.path is not None:
            from rqe.plot.diagram import plot_path

            return plot_path(self, ax, **options)
        from rqe.plot import plot_branch

        return plot_branch(self, ax, **options)

    def __repr__(self) -> str:
        """One line: what the path leads to and how long it is."""
        return (
            f"<Branch in {self.parameter} to {self.concept.name} of {report.game_name(self.game)}: "
            f"{len(self)} points, {len(self.turning_points)} turning points, "
            f"{len(self.bifurcations)} bifurcations, {self.status.value}>"
        )

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks."""
        return report.text_html(self.summary())
