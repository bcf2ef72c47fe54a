"""`fit` in scikit-learn's manners: an object with parameters, fit, predict and score."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Self

from rqe.concepts import one_of
from rqe.estimation.entry import fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rqe.estimation.result import Fit
    from rqe.solution import Solution

__all__ = ["RQEEstimator"]


class RQEEstimator:
    """Estimator of tau and eps with scikit-learn's interface, which need not be installed.

    Parameters
    ----------
    model, shared, fixed, penalty, regularizer, estimator, branch
        As for `fit`; stored as they are, and checked by the method `fit`.

    Attributes
    ----------
    fit_ : Fit
        The result, after the method `fit`.

    Examples
    --------
    >>> import rqe
    >>> data = rqe.datasets.load("ochs")
    >>> qre = rqe.RQEEstimator(model="qre").fit(data.games, data.frequencies, n=data.n)
    >>> round(float(qre.fit_.lam[0]), 6)
    1.84561
    >>> round(qre.score(data.games, data.frequencies, n=data.n), 6)
    -0.682674
    """

    def __init__(
        self,
        *,
        model: str = "rqe",
        shared: bool | Sequence[str] = True,
        fixed: Mapping[str, float] | None = None,
        penalty: str = "kl",
        regularizer: str = "entropy",
        estimator: str = "fixed_point",
        branch: str | Solution | Sequence[Solution] = "principal",
    ) -> None:
        self.model = model
        self.shared = shared
        self.fixed = fixed
        self.penalty = penalty
        self.regularizer = regularizer
        self.estimator = estimator
        self.branch = branch

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(name for name in signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` is there because scikit-learn passes it."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name and return self.

        Raises
        ------
        ValueError
            If there is no parameter of that name.
        """
        for name, value in parameters.items():
            setattr(self, one_of("parameter", name, self._names()), value)
        return self

    def fit(self, games: Any, counts: Any, n: Any = None) -> Self:
        """Estimate the parameters from counts, or from frequencies with n, and return self."""
        self.fit_: Fit = fit(games, counts, n=n, **self.get_params())
        return self

    def predict(self, games: Any) -> Any:
        """Return the strategies that the estimates predict: see `Fit.predict`."""
        return self._fitted().predict(games)

    def score(self, games: Any, counts: Any, n: Any = None) -> float:
        """Return the log-likelihood per choice under the estimates: see `Fit.score`."""
        return self._fitted().score(games, counts, n)

    def _fitted(self) -> Fit:
        """Return the fit, or say that there is none yet."""
        if not hasattr(self, "fit_"):
            raise AttributeError("this estimator is not fitted yet: call its method fit first")
        return self.fit_

    def __repr__(self) -> str:
        """Return the constructor with what differs from its defaults."""
        defaults = signature(type(self).__init__).parameters
        given = (
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default and value != defaults[name].default
        )
        return f"RQEEstimator({', '.join(given)})"
