"""The result of an estimation: `Fit`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe.concepts import inside, one_of
from rqe.estimation import _inference, _report
from rqe.estimation._build import build
from rqe.estimation._data import Observations, listed_games, observations
from rqe.estimation._likelihood import Likelihood, Maximum
from rqe.estimation._model import Model, Point, reciprocal
from rqe.games import NormalFormGame

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd
    from numpy.typing import NDArray

    from rqe.estimation._predict import Logs
    from rqe.estimation.resampling import Bootstrap, LeaveOneOut
    from rqe.parallel import Progress
    from rqe.solution import Solution

    Array = NDArray[np.float64]

__all__ = ["Fit"]

ERRORS = ("observed", "cluster")


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """Maximum-likelihood estimates, how sure they are, and what they predict; `fit` returns it.

    Attributes
    ----------
    model : Model
        What was estimated: kind, penalty, regularizer, estimator, free and fixed parameters.
    data : Observations
        Games and counts.
    log_likelihood : float
        Of all choices, without the multinomial constant, as Gambit reports it.
    log_strategies : tuple of tuples of ndarray
        For each game and role, the logarithms of the predicted probabilities.
    warnings : tuple of str
        Boundary estimates, parameters that the data do not identify, models that fit anything.
    maximum : Maximum
        Coordinates of the maximum, for refits.
    curvature : Curvature
        Observed information of the parameters inside their range.
    anchors : tuple of Solution or None
        The solutions that name the chosen branch.
    """

    model: Model
    data: Observations
    log_likelihood: float
    log_strategies: tuple[tuple[Array, ...], ...]
    warnings: tuple[str, ...]
    maximum: Maximum
    curvature: _inference.Curvature
    anchors: tuple[Solution, ...] | None = field(default=None)

    @property
    def values(self) -> Array:
        """Free parameters as tau, lam = 1/eps and noise, in the order of ``model.free``."""
        return self.model.values(self.maximum.c)

    @property
    def point(self) -> Point:
        """All parameters, free and fixed."""
        return self.model.point(self.values)

    @property
    def estimates(self) -> dict[str, float]:
        """Estimate of each free parameter by name: tau (1/payoff), eps (payoff), noise."""
        pairs = zip(self.model.free, self.values.tolist(), strict=True)
        return {p.name: reciprocal(v) if p.kind == "eps" else v for p, v in pairs}

    @property
    def tau(self) -> Array:
        """Risk aversion per role, shape (N,), unit 1/payoff."""
        return self.point.tau

    @property
    def eps(self) -> Array:
        """Bounded rationality per role, shape (N,), unit payoff."""
        return np.array([reciprocal(lam) for lam in self.point.lam.tolist()])

    @property
    def lam(self) -> Array:
        """Precision 1/eps per role, shape (N,), unit 1/payoff."""
        return self.point.lam

    @property
    def noise(self) -> float:
        """Share of choices made at random in the model Nash + noise; 0 in the others."""
        return self.point.noise

    @property
    def boundary(self) -> dict[str, float]:
        """Parameters estimated at an end of their range, with that end: 0, inf, or 1 for noise."""
        ends = zip(self.model.free, self.maximum.c.tolist(), strict=True)
        return {p.name: self.estimates[p.name] for p, c in ends if c in (0.0, 1.0)}

    @property
    def n_parameters(self) -> int:
        """Number of free parameters."""
        return len(self.model.free)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log L; smaller is better."""
        return 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(choices) - 2 log L; smaller is better."""
        return self.n_parameters * math.log(self.data.n_choices) - 2.0 * self.log_likelihood

    @cached_property
    def random_log_likelihood(self) -> float:
        """Log-likelihood of uniformly random play: what a useful model must beat."""
        logs = [[np.full(n, -math.log(n)) for n in game.shape] for game in self.data.games]
        return float(self.data.log_likelihoods(logs).sum())

    @cached_property
    def saturated_log_likelihood(self) -> float:
        """Log-likelihood of the observed frequencies themselves: the most that is possible."""
        with np.errstate(divide="ignore"):
            logs = [[np.log(row) for row in rows] for rows in self.data.frequencies]
        return float(self.data.log_likelihoods(logs).sum())

    @property
    def share_explained(self) -> float:
        """Where the log-likelihood lies between random play (0) and the frequencies (1)."""
        span = self.saturated_log_likelihood - self.random_log_likelihood
        return (self.log_likelihood - self.random_log_likelihood) / span if span else math.nan

    @cached_property
    def strategies(self) -> tuple[tuple[Array, ...], ...]:
        """Predicted probabilities for each game and role."""
        return tuple(
            tuple(_plain.read_only(np.exp(log_x)) for log_x in logs) for logs in self.log_strategies
        )

    @cached_property
    def problem(self) -> Likelihood:
        """The likelihood as a function of the parameters."""
        return build(self.model, self.data, self.anchors)

    def covariance(self, errors: str = "observed") -> Array:
        """Return the covariance of the free parameters as tau, lam and noise, shape (K, K).

        Parameters
        ----------
        errors : {"observed", "cluster"}
            Inverse of the observed information, or the sandwich estimator that allows the choices
            in one game to depend on each other in any way (with the factor G / (G - 1)).

        Returns
        -------
        ndarray
            NaN in rows of parameters at a boundary, and where the information is singular.

        Raises
        ------
        ValueError
            If the name is unknown, or errors are clustered and there is only one game.
        """
        one_of("errors", errors, ERRORS)
        within = list(self.curvature.inside)
        part = _inference.inverse(self.curvature.information, len(within))
        if errors == "cluster":
            clusters = len(self.data.games)
            if clusters < 2:
                raise ValueError("errors='cluster' needs at least 2 games; got 1")
            slopes = self.problem.slopes(np.minimum(self.maximum.c, self.model.bounds()))
            scores = np.zeros((1, len(within))) if slopes is None else slopes.scores[:, within]
            part = clusters / (clusters - 1.0) * part @ (scores.T @ scores) @ part
        full = np.full((self.n_parameters, self.n_parameters), math.nan)
        full[np.ix_(within, within)] = part
        return full

    def standard_errors(self, errors: str = "observed") -> dict[str, float]:
        """Return standard errors by name; those of eps = 1/lam by the delta method.

        Parameters
        ----------
        errors : {"observed", "cluster"}
            As for `covariance`.

        Returns
        -------
        dict
            For each eps also the lam that belongs to it. NaN at a boundary.
        """
        variances = np.diag(self.covariance(errors)).tolist()
        found: dict[str, float] = {}
        for parameter, value, variance in zip(
            self.model.free, self.values.tolist(), variances, strict=True
        ):
            error = math.sqrt(variance) if variance >= 0.0 else math.nan
            if parameter.kind == "eps":
                found[parameter.name] = error / value**2 if value > 0.0 else math.nan
                found[parameter.names[-1]] = error
            else:
                found[parameter.name] = error
        return found

    def profile_interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Return the profile-likelihood interval of a parameter.

        All values at which the likelihood, maximised over the other parameters, is not rejected by
        the likelihood-ratio test with one degree of freedom. It may end at 0 or inf, and does not
        depend on whether eps or lam is asked for.

        Parameters
        ----------
        name : str
            A key of `standard_errors`, such as "tau", "eps_2" or "lam".
        level : float
            Confidence level, in (0, 1).

        Returns
        -------
        tuple of two floats

        Raises
        ------
        ValueError
            If the model has no free parameter of that name, or the level is not in (0, 1).

        Notes
        -----
        The interval around the estimate; where the likelihood has a second, separate region above
        the threshold, that one is not included. Costs some ten refits.
        """
        from scipy.stats import chi2

        names = [n for p in self.model.free for n in p.names]
        one_of("name", name, tuple(names))
        inside("level", level, 0.0, 1.0)
        if level == 1.0:
            raise ValueError("level must be below 1; got 1")
        k = next(i for i, p in enumerate(self.model.free) if name in p.names)
        error = math.sqrt(max(float(np.nan_to_num(self.covariance()[k, k])), 0.0))
        rate = float(self.model.slopes(np.minimum(self.maximum.c, self.model.bounds()))[k])
        step = min(max(error / rate, 1e-4), 0.1) if error > 0.0 else 0.02
        ends = _inference.profile_interval(
            self.problem, self.maximum, k, 0.5 * float(chi2.ppf(level, 1)), step
        )
        low, high = (float(self.model.values(self._at(k, end))[k]) for end in ends)
        if name.startswith("eps"):
            return reciprocal(high), reciprocal(low)
        return low, high

    def _at(self, k: int, place: float) -> Array:
        """Return the estimate's coordinates with one of them replaced."""
        c = self.maximum.c.copy()
        c[k] = place
        return c

    def bootstrap(
        self, n: int = 200, *, kind: str = "parametric", rng: int | None = 0,
        executor: Executor | None = None, progress: Progress = None,
    ) -> Bootstrap:  # fmt: skip
        """Return the estimates on `n` artificial data sets; see `rqe.estimation.bootstrap`."""
        from rqe.estimation.resampling import bootstrap

        return bootstrap(self, n, kind=kind, rng=rng, executor=executor, progress=progress)

    def leave_one_out(
        self, *, executor: Executor | None = None, progress: Progress = None
    ) -> LeaveOneOut:
        """Return predictions of each game from a fit to the others."""
        from rqe.estimation.resampling import leave_one_out

        return leave_one_out(self, executor=executor, progress=progress)

    def predict(self, games: Any) -> Any:
        """Return the equilibrium that the estimates predict for one game or several.

        Parameters
        ----------
        games : NormalFormGame or sequence of them
            Any games whose roles have the estimated parameters.

        Returns
        -------
        tuple of ndarray, or tuple of such tuples for several games
            One strategy of shape (n_i,) per role, on the principal branch.

        Raises
        ------
        TypeError, ValueError
            If it is no game, or has more roles than there are parameters.
        """
        listed = listed_games(games)
        profiles = tuple(tuple(map(np.exp, rows)) for rows in self._log_predictions(listed))
        return profiles[0] if isinstance(games, NormalFormGame) else profiles

    def _log_predictions(self, games: Sequence[NormalFormGame]) -> Logs:
        """Return log-strategies per game and role on the principal branch."""
        most = max(game.n_players for game in games)
        if most > self.model.n_roles:
            raise ValueError(f"games must have at most {self.model.n_roles} players; got {most}")
        return build(self.model, None, None, games).predictions(self.point)

    def score(self, games: Any, counts: Any, n: Any = None) -> float:
        """Return the log-likelihood per choice of other data under the estimates; 0 is perfect."""
        data = observations(games, counts, n)
        logs = self._log_predictions(data.games)
        return float(data.log_likelihoods(logs).sum()) / data.n_choices

    def rows(self, errors: str = "observed", level: float = 0.95) -> Iterator[dict[str, Any]]:
        """Yield one record per parameter: estimate, standard error, Wald interval, boundary."""
        from scipy.stats import norm

        inside("level", level, 0.0, 1.0)
        found, width = self.standard_errors(errors), float(norm.ppf(0.5 + 0.5 * level))
        for parameter, value in zip(self.model.free, self.values.tolist(), strict=True):
            for name in parameter.names:
                estimate = reciprocal(value) if name.startswith("eps") else value
                error = found[name]
                yield {
                    "parameter": name,
                    "estimate": estimate,
                    "std_err": error,
                    "low": max(estimate - width * error, 0.0) if error == error else math.nan,
                    "high": estimate + width * error if error == error else math.nan,
                    "boundary": parameter.name in self.boundary,
                }

    def to_frame(self, errors: str = "observed") -> pd.DataFrame:
        """Return the parameters as a frame, one row each.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows(errors))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts; infinities as in `Solution.to_dict`."""
        plain: dict[str, Any] = _plain.jsonable(
            {
                "schema": "rqe.fit/1",
                "model": self.model.kind,
                "penalty": self.model.penalty,
                "regularizer": self.model.regularizer,
                "estimator": self.model.estimator,
                "fixed": self.model.fixed,
                "estimates": self.estimates,
                "parameters": list(self.rows()),
                "log_likelihood": self.log_likelihood,
                "random_log_likelihood": self.random_log_likelihood,
                "saturated_log_likelihood": self.saturated_log_likelihood,
                "aic": self.aic,
                "bic": self.bic,
                "n_choices": self.data.n_choices,
                "games": [_plain.game_dict(game) for game in self.data.games],
                "observed": self.data.frequencies,
                "predicted": self.strategies,
                "warnings": self.warnings,
                "versions": _plain.versions(),
            }
        )
        return plain

    def summary(self, errors: str = "observed") -> str:
        """Return a table for people: model, likelihood, estimates, errors and warnings."""
        return _report.fit_text(self, errors)

    def to_latex(self, errors: str = "observed") -> str:
        """Return the estimates as a LaTeX ``tabular``, with the rules of the booktabs package."""
        return _report.fit_latex(self, errors)

    def __repr__(self) -> str:
        """One line."""
        values = "".join(f"{name} = {value:.6g}, " for name, value in self.estimates.items())
        return (
            f"<Fit: {self.model.title} to {_report.games(len(self.data.games))}, {values}"
            f"log-likelihood {self.log_likelihood:.6f}>"
        )

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks."""
        return _report.fit_html(self)
