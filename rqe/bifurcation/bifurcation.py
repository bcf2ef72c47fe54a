"""`Bifurcation`: a point at which a branch of equilibria turns or others cross it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain, report
from rqe.check import check

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.bifurcation._singular import Singular
    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]


_ROUNDING = 1e-15  # a value is not known better


@dataclass(frozen=True, eq=False)
class Direction:
    """The tangent of one branch at a bifurcation.

    Attributes
    ----------
    strategies : tuple of ndarray
        Change of every player's probabilities per unit of length, each summing to 0.
    parameter : float
        Change of the parameter per unit of length; 0 where the branch turns.
    """

    strategies: tuple[Array, ...]
    parameter: float


@dataclass(frozen=True, eq=False, repr=False)
class Bifurcation:
    """A singular point of a branch: where it turns, or where other branches cross it.

    Attributes
    ----------
    kind : {"fold", "pitchfork", "transcritical", "unclassified"}
        What it is, read off the derivatives of the equations reduced to the null vector [1]_; if
        more than one eigenvalue vanishes, or a derivative that decides does, "unclassified".
    criticality : {"supercritical", "subcritical"} or None
        Of a pitchfork: whether its arms lie where the branch that goes straight on is unstable
        under best response dynamics in the critical direction, or where it is stable.
    side : {"below", "above"} or None
        Where, seen from `value`, the curve lies that turns here: a fold's branch, a pitchfork's
        arms.
    game : NormalFormGame
        The game at the point.
    concept : Concept
        The concept at the point.
    parameter : str
        What changes along the branch.
    value : float
        Its value here: the largest where players' differ by share, the least eps where they
        differ by a constant.
    values : ndarray, shape (N,)
        The parameter of each player.
    log_strategies : tuple of N ndarrays, shape (n_i,)
        Natural logarithms of the equilibrium's probabilities.
    null_vectors : tuple of tuples of N ndarrays
        Directions in which the equations are flat, as changes of probabilities; one, but for
        degenerate points.
    directions : tuple of Direction
        Tangents of the branches through the point. Empty where they are not known.
    found_on : int
        Which of the directions is that of the branch on which the point was found, or -1.
    error : float
        Estimated error of `value`.
    residual : float
        The certificate's residual of the equilibrium, relative to the payoff range.
    note : str
        What stands in the way of a name.

    References
    ----------
    .. [1] Golubitsky & Schaeffer, Singularities and Groups in Bifurcation Theory I (1985).

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> (point,) = rqe.bifurcations(rqe.trace(game, tau=2.0, eps=0.2, parameter="tau"))
    >>> point
    <Bifurcation: supercritical pitchfork at tau = 0.8287886937, arms below>
    """

    kind: str
    criticality: str | None
    side: str | None
    game: NormalFormGame
    concept: Concept
    parameter: str
    value: float
    values: Array
    log_strategies: tuple[Array, ...]
    null_vectors: tuple[tuple[Array, ...], ...]
    directions: tuple[Direction, ...]
    found_on: int
    error: float
    residual: float
    note: str = ""
    _singular: Singular | None = field(default=None, compare=False)

    @cached_property
    def strategies(self) -> tuple[Array, ...]:
        """Probabilities, one read-only array per player."""
        return tuple(_plain.read_only(np.exp(log_x)) for log_x in self.log_strategies)

    @property
    def name(self) -> str:
        """The kind in words: "supercritical pitchfork", "bifurcation (unclassified)"."""
        if self.kind == "unclassified":
            return "bifurcation (unclassified)"
        return f"{self.criticality} {self.kind}" if self.criticality else self.kind

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts."""
        data = {
            "schema": "rqe.bifurcation/1",
            "kind": self.kind,
            "criticality": self.criticality,
            "side": self.side,
            "game": _plain.game_dict(self.game),
            "concept": _plain.concept_dict(self.concept),
            "parameter": self.parameter,
            "value": self.value,
            "values": self.values,
            "strategies": self.strategies,
            "log_strategies": self.log_strategies,
            "null_vectors": self.null_vectors,
            "directions": [vars(direction) for direction in self.directions],
            "found_on": self.found_on,
            "error": self.error,
            "residual": self.residual,
            "note": self.note,
            "versions": _plain.versions(),
        }
        plain: dict[str, Any] = _plain.jsonable(data)
        return plain

    def summary(self) -> str:
        """Return a few lines for people."""
        rows = [
            (player, action, f"{self.strategies[i][a]:.6g}",
             *(f"{null[i][a]:+.4f}" for null in self.null_vectors))
            for i, player in enumerate(self.game.players)
            for a, action in enumerate(self.game.actions[i])
        ]  # fmt: skip
        heads = ["null vector" for _ in self.null_vectors]
        table = report.table(("player", "action", "probability", *heads), rows, (0, 1))
        facts = [
            ("error", f"{self.error:.1g}, estimated"),
            ("residual", f"{self.residual:.1g} of the payoff range"),
        ]
        if self.note:
            facts.append(("note", self.note))
        lines = [repr(self)[14:-1], "", *table, ""]
        return "\n".join(lines + [report.paragraph(label, text) for label, text in facts])

    def __repr__(self) -> str:
        """One line: what and where."""
        what = {"fold": "branch", "pitchfork": "arms"}.get(self.kind)
        where = f", {what} {self.side}" if what and self.side else ""
        return f"<Bifurcation: {self.name} at {self.parameter} = {self.value:.10g}{where}>"


def from_singular(point: Singular) -> Bifurcation:
    """Return a singular point of the equations in the user's terms, with its certificate."""
    system, family = point.system, point.system.family
    game, concept = family.at(point.mu)
    logs = system.logs(point.theta)
    slope = family.slope(point.mu)
    here = system.point(point.theta, point.mu)

    def moved(step: Array) -> tuple[Array, ...]:
        return tuple(
            _plain.read_only(x * (move @ step[part]))
            for x, move, part in zip(here.x, here.moves, system.parts, strict=True)
        )

    side = point.side * (1 if slope > 0.0 else -1)
    return Bifurcation(
        point.kind, point.criticality, {1: "above", -1: "below"}.get(side), game, concept,
        family.name, family.value(point.mu), _plain.read_only(family.values(point.mu)),
        tuple(_plain.read_only(log_x) for log_x in logs), tuple(moved(v) for v in point.null),
        tuple(Direction(moved(arm[:-1]), float(arm[-1]) * slope) for arm in point.arms),
        point.on, point.error * abs(slope) + _ROUNDING * abs(family.value(point.mu)),
        check(game, concept, logs).residual, point.note, point,
    )  # fmt: skip
