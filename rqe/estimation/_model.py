"""What is estimated: the model, its parameters, which are free, and their coordinates.

Inside, the parameters are tau, lam = 1/eps and noise: lam = 0 (random play) is an ordinary point.
The search runs over coordinates in [0, 1]: a value is ``scale c / (1 - c)``, and noise is c itself.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rqe import concepts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

MODELS = ("rqe", "qre", "nash+noise")
ESTIMATORS = ("fixed_point", "empirical_payoff")
_KINDS = {"rqe": ("tau", "eps"), "qre": ("eps",), "nash+noise": ("noise",)}
_SCALES = {"tau": 4.0, "eps": 8.0}  # of tau and lam, per payoff range: the middle of the search
MOST = 1.0 - 1e-4  # highest coordinate that is searched; beyond it lies the limit inf


class Parameter(NamedTuple):
    """One parameter: its public name, its kind (tau, eps or noise) and the roles that have it."""

    name: str
    kind: str
    roles: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which it is reported: an eps also as the lam that belongs to it."""
        eps = self.kind == "eps"
        return (self.name, self.name.replace("eps", "lam", 1)) if eps else (self.name,)


class Point(NamedTuple):
    """Values of all parameters: tau and lam per role, shape (N,), and the noise."""

    tau: Array
    lam: Array
    noise: float


@dataclass(frozen=True)
class Model:
    """What is estimated and what is given.

    Attributes
    ----------
    kind : {"rqe", "qre", "nash+noise"}
    penalty, regularizer, estimator : str
    n_roles : int
    free : tuple of Parameter
        What is estimated.
    fixed : mapping from parameter name to value
        What is given, per role: ``tau_1``, ``eps_2``; ``noise``. eps in payoff units.
    unit : float
        Typical payoff range; the search is scaled by it.
    """

    kind: str
    penalty: str
    regularizer: str
    estimator: str
    n_roles: int
    free: tuple[Parameter, ...]
    fixed: Mapping[str, float]
    unit: float

    @property
    def title(self) -> str:
        """The model's name for people."""
        if self.kind == "nash+noise":
            return "Nash + noise"
        names = [self.regularizer] if self.kind == "qre" else [self.penalty, self.regularizer]
        names += ["per role"] if any("_" in parameter.name for parameter in self.free) else []
        return f"{self.kind.upper()} ({', '.join(names)})"

    def scales(self) -> Array:
        """Return what a coordinate of 1/2 stands for, per free parameter; nan for noise."""
        return np.array([_SCALES.get(p.kind, math.nan) / self.unit for p in self.free])

    def values(self, c: Array) -> Array:
        """Return tau, lam or noise of each free parameter at coordinates c."""
        noise = np.isnan(self.scales())
        with np.errstate(divide="ignore"):
            ratio = np.where(noise, c, c / np.maximum(1.0 - c, 0.0))
        return np.where(noise, c, np.nan_to_num(self.scales(), nan=1.0) * ratio)

    def coordinates(self, values: Array) -> Array:
        """Return the coordinates of values of tau, lam or noise."""
        scales = np.nan_to_num(self.scales(), nan=1.0)
        ratio = np.where(np.isinf(values), 1.0, values / (scales + np.where(
            np.isinf(values), 0.0, values)))  # fmt: skip
        return np.where(np.isnan(self.scales()), values, ratio)

    def slopes(self, c: Array) -> Array:
        """Return the derivative of the values in the coordinates."""
        noise = np.isnan(self.scales())
        steep = np.nan_to_num(self.scales(), nan=1.0) / np.maximum(1.0 - c, 1e-150) ** 2
        return np.where(noise, 1.0, steep)

    def bounds(self) -> Array:
        """Return the highest coordinate that is searched, per free parameter."""
        return np.array([1.0 if p.kind == "noise" else MOST for p in self.free])

    def point(self, values: Array) -> Point:
        """Return all parameters, given the free ones."""
        tau, lam, noise = np.zeros(self.n_roles), np.zeros(self.n_roles), 0.0
        for name, value in self.fixed.items():
            kind, _, role = name.partition("_")
            if kind == "tau":
                tau[int(role) - 1] = value
            elif kind == "eps":
                lam[int(role) - 1] = reciprocal(value)
            else:
                noise = value
        for parameter, value in zip(self.free, values.tolist(), strict=True):
            if parameter.kind == "noise":
                noise = value
            else:
                (tau if parameter.kind == "tau" else lam)[list(parameter.roles)] = value
        return Point(tau, lam, noise)


def reciprocal(value: float) -> float:
    """Return 1 / value, with 0 and inf for each other."""
    return math.inf if value == 0.0 else 1.0 / value


def of(
    games: Sequence[NormalFormGame], model: str, shared: Any, fixed: Any,
    penalty: str, regularizer: str, estimator: str,
) -> Model:  # fmt: skip
    """Return the model, with every choice checked."""
    concepts.one_of("model", model, MODELS)
    concepts.one_of("penalty", penalty, concepts.PENALTIES)
    concepts.one_of("regularizer", regularizer, concepts.REGULARIZERS)
    concepts.one_of("estimator", estimator, ESTIMATORS)
    kinds = _KINDS[model]
    n_roles = max(game.n_players for game in games)
    common = _shared(shared, kinds)
    if set(kinds) - common - {"noise"} and min(game.n_players for game in games) < n_roles:
        raise ValueError(
            f"shared must be True for games with different numbers of players; got {shared!r}"
        )
    given = _fixed(fixed, kinds, n_roles)
    free: list[Parameter] = []
    for kind in kinds:
        if kind == "noise":
            free += [] if "noise" in given else [Parameter("noise", "noise", ())]
            continue
        open_roles = [r for r in range(n_roles) if f"{kind}_{r + 1}" not in given]
        if kind in common:
            free += [Parameter(kind, kind, tuple(open_roles))] if open_roles else []
        else:
            free += [Parameter(f"{kind}_{r + 1}", kind, (r,)) for r in open_roles]
    if free:
        _smooth(given)
    ranges = np.concatenate([game.payoff_range for game in games])
    unit = float(np.median(ranges[ranges > 0.0])) if (ranges > 0.0).any() else 1.0
    return Model(
        model, penalty, regularizer, estimator, n_roles, tuple(free), given, unit
    )  # fmt: skip


def _smooth(given: Mapping[str, float]) -> None:
    """Raise if a fixed parameter leaves no smooth likelihood of the others."""
    for name, value in given.items():
        if value == (math.inf if name.startswith("tau") else 0.0) and name[:3] in ("tau", "eps"):
            raise ValueError(
                "fixed must have finite tau and eps > 0 where other parameters are estimated, as "
                f"equilibria are not smooth there; got {name} = {value:g}"
            )


def _shared(shared: Any, kinds: tuple[str, ...]) -> set[str]:
    """Return the kinds of parameter that all roles have in common."""
    if isinstance(shared, bool):
        return set(kinds) if shared else {"noise"}
    if isinstance(shared, str) or not hasattr(shared, "__iter__"):
        raise TypeError(
            f"shared must be a bool or a list of parameters such as ['tau']; got {shared!r}"
        )
    return {concepts.one_of("shared", name, kinds) for name in shared}


def _fixed(fixed: Any, kinds: tuple[str, ...], n_roles: int) -> dict[str, float]:
    """Return given values by name and role, ``tau_1``; a name without role means every role."""
    if fixed is None:
        return {}
    if not isinstance(fixed, Mapping):
        raise TypeError(f"fixed must map parameters to values, as {{'tau': 0.5}}; got {fixed!r}")
    by_role = [f"{kind}_{r + 1}" for kind in kinds if kind != "noise" for r in range(n_roles)]
    given: dict[str, float] = {}
    for name, value in fixed.items():
        concepts.one_of("fixed", name, (*kinds, *by_role))
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"fixed[{name!r}] must be a real number; got {value!r}")
        most = 1.0 if name == "noise" else math.inf
        if not 0.0 <= float(value) <= most:
            raise ValueError(f"fixed[{name!r}] must be in [0, {most:g}]; got {value!r}")
        names = [k for k in by_role if k.startswith(f"{name}_")] if name in kinds else [name]
        twice = given.keys() & (names or [name])
        if twice:
            raise ValueError(
                f"fixed must give every parameter once; got {fixed!r}, with {min(twice)} twice"
            )
        given.update(dict.fromkeys(names or [name], float(value)))
    return given
