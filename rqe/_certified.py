"""What the results of finite and of quadratic games have in common: a certificate and its use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rqe import report
from rqe.status import Status

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import AggregativeGame, NormalFormGame, QuadraticGame

    Array = NDArray[np.float64]


class AnyCheck(Protocol):
    """What independent code says of an answer."""

    @property
    def payoffs(self) -> Array: ...
    @property
    def risk_adjusted(self) -> Array: ...
    @property
    def residual(self) -> float: ...
    @property
    def regret(self) -> float: ...


class Certified:
    """Base of the result records: reads concept and certificate."""

    game: NormalFormGame | AggregativeGame | QuadraticGame
    concept: Concept
    check: AnyCheck
    status: Status

    @property
    def tau(self) -> Array:
        """Risk aversion per player, shape (N,), unit 1/payoff."""
        return self.concept.tau

    @property
    def eps(self) -> Array:
        """Bounded rationality per player, shape (N,), unit payoff."""
        return self.concept.eps

    @property
    def payoffs(self) -> Array:
        """Expected payoff per player, shape (N,)."""
        return self.check.payoffs

    @property
    def risk_adjusted(self) -> Array:
        """Risk-adjusted payoff per player without the regularizer, shape (N,)."""
        return self.check.risk_adjusted

    @property
    def residual(self) -> float:
        """Largest violation of the equilibrium equations, relative to the size of their terms."""
        return self.check.residual

    @property
    def regret(self) -> float:
        """Upper bound on what any player could gain by deviating alone, in payoff units."""
        return self.check.regret

    @property
    def converged(self) -> bool:
        """Whether the certificate meets the tolerance that was asked for."""
        return self.status is Status.CONVERGED

    def __repr__(self) -> str:
        """One line: what was solved and how well."""
        return (
            f"<{type(self).__name__}: {self.concept.name} of {report.game_name(self.game)}, "
            f"{self.status.value}, residual {self.residual:.1e}, regret {self.regret:.1e}>"
        )
