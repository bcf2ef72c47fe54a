"""What is sought: risk aversion, bounded rationality, penalty and regularizer of every player.

The same fixed point is a Nash equilibrium, a logit quantal response equilibrium, a risk-averse
quantal response equilibrium or a profile of security strategies, depending on two numbers per
player: ``tau`` (risk aversion, unit 1/payoff) and ``eps`` (bounded rationality, unit payoff).
"""

from __future__ import annotations

import difflib
import math
import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rqe.games import NormalFormGame

PENALTIES = ("kl", "reverse_kl")
REGULARIZERS = ("entropy", "log_barrier")

# Iterable, some of them, but not in the order of the players.
_NO_LISTS = (str, bytes, bool, type(None), set, frozenset, dict)


@dataclass(frozen=True, eq=False, slots=True)
class Concept:
    """A solution concept: one ``tau`` and one ``eps`` per player, a penalty and a regularizer.

    Attributes
    ----------
    tau : ndarray, shape (N,)
        Risk aversion of each player, in [0, inf]; unit 1/payoff. 0 is risk neutral, inf the
        worst case over what the others may do.
    eps : ndarray, shape (N,)
        Bounded rationality of each player, in [0, inf]; unit payoff. 0 is a perfect best
        response, inf the uniform strategy. The logit precision is ``lam = 1 / eps``.
    penalty : {"kl", "reverse_kl"}
        Divergence that ties the fictitious adversary's ``p`` to the others' play ``q``:
        KL(p || q) or KL(q || p).
    regularizer : {"entropy", "log_barrier"}
        Cost ``nu`` of a concentrated strategy: ``sum x log x`` or ``-sum log x``.

    References
    ----------
    .. [1] Mazumdar, Panaganti & Shi, ICLR 2025, arXiv 2406.14156.
    .. [2] Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515.
    """

    tau: NDArray[np.float64]
    eps: NDArray[np.float64]
    penalty: str = "kl"
    regularizer: str = "entropy"

    @classmethod
    def of(
        cls,
        game: NormalFormGame,
        tau: ArrayLike = 0.0,
        eps: ArrayLike = 0.0,
        penalty: str = "kl",
        regularizer: str = "entropy",
    ) -> Concept:
        """Return the concept for ``game``: parameters checked and spread over its players.

        Parameters
        ----------
        game : NormalFormGame
            Only its number of players is used.
        tau, eps : float or sequence of N floats
            One value for every player, or one per player; each in [0, inf].
        penalty : {"kl", "reverse_kl"}
            Divergence of the fictitious adversary.
        regularizer : {"entropy", "log_barrier"}
            Cost of a concentrated strategy.

        Raises
        ------
        TypeError
            If tau or eps is not made of real numbers.
        ValueError
            If a value is negative or NaN, a sequence has not N entries, or a name is unknown.
        """
        return cls(
            per_player("tau", tau, game.n_players),
            per_player("eps", eps, game.n_players),
            one_of("penalty", penalty, PENALTIES),
            one_of("regularizer", regularizer, REGULARIZERS),
        )

    @property
    def name(self) -> str:
        """The concept's usual name, from the map of solution concepts; "mixed" across rows."""
        taus, epss = self.tau.tolist(), self.eps.tolist()
        names = {_row(t, e) for t, e in zip(taus, epss, strict=True)}
        if len(names) > 1:
            return "mixed"
        name = names.pop()
        if name == "QRE":
            return "logit QRE" if self.regularizer == "entropy" else "log-barrier QRE"
        return name


def _row(tau: float, eps: float) -> str:
    """Return the name of one player's row of the map of solution concepts."""
    if eps == math.inf:
        return "uniform"
    if tau == 0.0:
        return "QRE" if eps > 0.0 else "Nash"
    if tau == math.inf:
        return "smoothed security" if eps > 0.0 else "security"
    return "RQE" if eps > 0.0 else "risk-averse Nash"


def per_player(name: str, value: Any, n_players: int) -> NDArray[np.float64]:
    """Return ``value`` as a read-only array of one number in [0, inf] per player."""
    try:
        if type(value) is float or type(value) is int:
            numbers_given = [float(value)] * n_players
        else:
            numbers_given = _listed(name, value, n_players)
    except OverflowError:
        raise ValueError(f"{name} must be at most 1.8e308, or inf; got a larger number") from None
    for number in numbers_given:
        if not number >= 0.0:  # NaN is not
            raise ValueError(f"{name} must be >= 0 (inf is allowed) for every player; got {value}")
    array = np.array(numbers_given)
    array.flags.writeable = False
    return array


def _listed(name: str, value: Any, n_players: int) -> list[float]:
    """Return ``value`` as a list of one float per player; shape errors name the argument."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return [float(value)] * n_players
    if isinstance(value, _NO_LISTS) or not hasattr(value, "__iter__"):
        raise TypeError(
            f"{name} must be a real number or one per player; got {value!r} "
            f"of type {type(value).__name__}"
        )
    entries = list(value)
    if len(entries) != n_players:
        raise ValueError(
            f"{name} must be one number or a list of {n_players}, one per player; "
            f"got {len(entries)} values: {entries!r}"
        )
    for entry in entries:
        if not isinstance(entry, numbers.Real) or isinstance(entry, bool):
            raise TypeError(f"{name} must hold real numbers; got {entry!r} in {entries!r}")
    return [float(entry) for entry in entries]


def flag(name: str, value: Any) -> None:
    """Raise if ``value`` is not True or False: a text such as "no" would count as True."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")


def whole(name: str, value: Any, low: int = 1, high: int | None = None) -> None:
    """Raise if ``value`` is not an integer of at least ``low`` and at most ``high``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if int(value) < low or (high is not None and int(value) > high):
        rule = f"at least {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(f"{name} must be {rule}; got {value}")


def inside(name: str, value: Any, low: float, high: float) -> None:
    """Raise if ``value`` is not a real number above ``low`` and at most ``high``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number; got {value!r}")
    if not low < _double(value) <= high:
        raise ValueError(f"{name} must be in ({low:g}, {high:g}]; got {value}")


def _double(value: numbers.Real) -> float:
    """Return a number as a double; NaN if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.nan


def seconds(name: str, value: Any, *, zero: bool = False) -> None:
    """Raise unless ``value`` is None or a real number of seconds, above 0 or, with zero, from 0."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number of seconds, or None; got {value!r}")
    if not (_double(value) > 0.0 or (zero and value == 0)):
        raise ValueError(
            f"{name} must be {'>= 0' if zero else '> 0'} seconds, or None; got {value!r}"
        )


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``allowed``; else an error with the nearest match."""
    if isinstance(value, str) and value in allowed:
        return str(value)
    near = difflib.get_close_matches(str(value).lower(), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}{hint}")
