"""What a proof says: `Certificate`, and `ProofStatus` for how the attempt ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rqe.status import Coded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Box", "Certificate", "ProofStatus"]


class ProofStatus(Coded):
    """How an attempt to prove an equilibrium ended; the text says what to try next.

    Attributes
    ----------
    value : str
        Short code for scripts, such as ``"singular"``.
    message : str
        One sentence for people.
    """

    PROVED = "proved", "Exactly one equilibrium lies in the box, within `radius` of the strategies."
    ELSEWHERE = (
        "elsewhere",
        "The nearest equilibrium is proved to exist, but further away than tol: solve again from "
        "the certificate's own strategies, or raise tol.",
    )
    SINGULAR = (
        "singular",
        "The Jacobian is singular, or too nearly so: a bifurcation is near. Change tau, eps or a "
        "payoff by a small amount, or raise max_precision.",
    )
    NO_CONTRACTION = (
        "no_contraction",
        "Krawczyk's operator did not map a box into itself: raise max_precision.",
    )
    NOT_NEAR = (
        "not_near",
        "Newton's iteration from these strategies did not settle: no equilibrium seems to be near.",
    )
    NEEDS_EPS = (
        "needs_eps",
        "A certificate needs eps > 0 for every player: at eps = 0 the equations in logits have no "
        "solution. Verify Nash equilibria exactly, by their supports, or ask for a small eps.",
    )
    DEGENERATE = (
        "degenerate",
        "A player with tau = inf has a worst case that is not strict, so that the equations do not "
        "determine his adversary: use a large finite tau.",
    )


@dataclass(frozen=True, eq=False)
class Box:
    """Logits ``log x_a - log x_r`` relative to each player's reference action r.

    Attributes
    ----------
    reference : tuple of int
        The reference action of each player.
    centre, radius : tuple of N arrays, shape (n_i,)
        The box holds the profiles whose logits are within `radius` of `centre`; both are 0 at r.
    """

    reference: tuple[int, ...]
    centre: tuple[Array, ...]
    radius: tuple[Array, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """The outcome of `rqe.certify`: a proof, or the reason why there is none.

    Attributes
    ----------
    status : ProofStatus
        PROVED, or what went wrong.
    reason : str
        The same in numbers.
    radius : tuple of N arrays, shape (n_i,)
        Rigorous bounds on the distance of every probability of the solution from that of the
        equilibrium proved; inf where nothing is proved.
    log_radius : tuple of N arrays, shape (n_i,)
        The same for the logarithms of the probabilities.
    enclosure : tuple of N tuples of str
        The equilibrium proved, every probability as ``[midpoint +/- radius]``; empty without one.
    log_strategies : tuple of N arrays, shape (n_i,)
        The equilibrium proved, rounded to doubles; empty without one.
    box : Box or None
        Where this equilibrium is the only one; None also where the box is finer than doubles.
    unique_in_box : bool
        True with a box: it holds exactly one equilibrium.
    precision : int
        Working precision in bits, raised until the proof succeeded.
    payoffs : {"doubles", "exact"}
        Which payoffs the proof is about.
    """

    status: ProofStatus
    reason: str
    radius: tuple[Array, ...]
    log_radius: tuple[Array, ...]
    precision: int
    payoffs: str
    enclosure: tuple[tuple[str, ...], ...] = ()
    log_strategies: tuple[Array, ...] = ()
    box: Box | None = None
    unique_in_box: bool = False

    @property
    def proved(self) -> bool:
        """Whether the solution is proved to lie next to an equilibrium."""
        return self.status is ProofStatus.PROVED

    @property
    def largest_radius(self) -> float:
        """The largest of the radii, inf without a proof."""
        return max(float(r.max()) for r in self.radius)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts as it is."""
        from rqe import _plain

        plain: dict[str, Any] = _plain.jsonable({
            "status": self.status.value,
            "reason": self.reason,
            "radius": self.radius,
            "log_radius": self.log_radius,
            "enclosure": self.enclosure,
            "unique_in_box": self.unique_in_box,
            "precision": self.precision,
            "payoffs": self.payoffs,
        })  # fmt: skip
        return plain

    def __repr__(self) -> str:
        """One line: what is proved, how sharply and how."""
        if not self.proved:
            return f"<Certificate: {self.status.value}: {self.reason}>"
        return (
            f"<Certificate: one equilibrium within {self.largest_radius:.1e} of the strategies, "
            f"{self.precision} bits, payoffs as {self.payoffs}>"
        )
