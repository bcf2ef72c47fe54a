"""What `rqe.fit` raises where there is no estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rqe.estimation.result import Fit

__all__ = ["EstimationError"]


class EstimationError(RuntimeError):
    """No maximum of the likelihood was found; what there is is attached.

    Attributes
    ----------
    fit : Fit or None
        The best point that the search met, None if the likelihood is 0 everywhere.
    """

    def __init__(self, message: str, fit: Fit | None) -> None:
        self.message, self.fit = message, fit
        super().__init__(message)

    def __reduce__(self) -> tuple[type[EstimationError], tuple[str, Fit | None]]:
        """Rebuild from message and partial answer, so that worker processes can raise it."""
        return type(self), (self.message, self.fit)
