"""How a computation ended (`Status`) and what it took (`Stats`)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Self


class Coded(enum.Enum):
    """Members with a short code for scripts as value, and a message for people."""

    message: str

    def __new__(cls, code: str, message: str) -> Self:
        """Build the member with `code` as its value and `message` beside it."""
        member = object.__new__(cls)
        member._value_ = code
        member.message = message
        return member


class Status(Coded):
    """How a computation ended; the text of each member says what to try next.

    Attributes
    ----------
    value : str
        Short code for scripts, such as ``"max_steps"``.
    message : str
        One sentence for people: what happened and what to try.
    """

    CONVERGED = "converged", "The certificate meets the requested tolerance."
    MAX_STEPS = (
        "max_steps",
        "The solver used all its steps before it reached the target: raise max_steps on the "
        "solver, or ask for a larger eps (or smaller tau) and use its answer as start.",
    )
    STALLED = (
        "stalled",
        "The solver could not take another step along the branch, as happens at a degenerate "
        "point: change tau or eps by a small amount, break exact ties among the payoffs, or "
        "try another solver or start.",
    )
    INACCURATE = (
        "inaccurate",
        "The solver believes that it reached the target, but the independent check finds a "
        "residual above tol. If it is only a little above: raise tol, or subtract a constant from "
        "the payoffs. If it is far above: ask for a larger eps or a smaller tau, or try another "
        "solver.",
    )

    NO_EQUILIBRIUM = (
        "no_equilibrium",
        "The best responses of this quadratic game have no common point, as the linear system of "
        "the means is singular: change a coefficient, tau or eps by a small amount.",
    )


@dataclass(frozen=True)
class Stats:
    """Work that a solver did and what it met on the way.

    Attributes
    ----------
    steps : int
        Accepted steps (continuation steps, or iterations where there is no continuation).
    evaluations : int
        Evaluations of the equilibrium equations.
    turning_points : int
        Folds passed, where the continuation parameter changes direction.
    bifurcations : int
        Points passed at which other branches cross this one.
    """

    steps: int = 0
    evaluations: int = 0
    turning_points: int = 0
    bifurcations: int = 0
