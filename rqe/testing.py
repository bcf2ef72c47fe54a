"""Hypothesis strategies for games, so that you can property-test a conjecture of your own.

What is drawn shrinks towards readable games: few players, few actions, payoffs that are small
whole numbers. Needs the extra ``rqe[testing]``.

Examples
--------
Every player's expected payoff at an equilibrium lies between his least and greatest payoff:

>>> from hypothesis import given, settings
>>> import rqe
>>> from rqe import testing
>>> @settings(max_examples=20, deadline=None, database=None)
... @given(testing.games(players=2), testing.risk_parameters())
... def payoffs_stay_in_range(game, parameters):
...     payoffs = rqe.solve(game, *parameters).payoffs
...     assert (payoffs <= game.payoffs.max(axis=(1, 2)) + 1e-9).all()
>>> payoffs_stay_in_range()
"""

from __future__ import annotations

import itertools
import math
import operator
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError("rqe.testing needs hypothesis: pip install 'rqe[testing]'") from error

from rqe._input import checked_game
from rqe.concepts import flag
from rqe.games import AggregativeGame, NormalFormGame

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    T = TypeVar("T")

__all__ = ["Risk", "aggregative_games", "games", "profiles", "risk_parameters"]

_MOST_PAYOFFS = 20_000
_EPS = (1.0, 0.5, 0.2, 2.0, 0.1, 0.05)
_TAU = (0.0, 1.0, 0.5, 2.0, 5.0, 20.0)


class Risk(NamedTuple):
    """Parameters of an equilibrium; ``rqe.solve(game, *risk)`` takes them."""

    tau: float
    eps: float


def _payoffs(integer: bool) -> SearchStrategy[Any]:
    """Payoffs of one entry: whole numbers, or hundredths that shrink to whole numbers."""
    whole = st.integers(-5, 5)
    if integer:
        return whole
    return st.one_of(whole, st.integers(-500, 500).map(lambda k: k / 100.0))


def _size(name: str, value: Any, low: int) -> SearchStrategy[int]:
    """Return a strategy for a number given as an int or as (least, most), checked."""
    pair = (value, value) if isinstance(value, Integral) else value
    try:
        least, most = map(operator.index, pair)
    except (TypeError, ValueError):
        least, most = low, low - 1
    if not low <= least <= most:
        raise ValueError(
            f"{name} must be a whole number >= {low} or a range (least, most); got {value!r}"
        )
    return st.integers(least, most)


@st.composite
def games(
    draw: DrawFn,
    players: int | tuple[int, int] = (2, 3),
    actions: int | tuple[int, int] = (2, 3),
    *,
    symmetric: bool = False,
    zero_sum: bool = False,
    collaborative: bool = False,
    potential: bool = False,
    integer: bool = False,
) -> NormalFormGame:
    """Draw a finite game.

    Parameters
    ----------
    players, actions : int or (least, most)
        Number of players, and of actions of each player.
    symmetric : bool
        Whether the players can be exchanged: all have the same actions, and a player's payoff
        depends on his own action and on how many of the others play what.
    zero_sum : bool
        Whether payoffs add up to zero; of two players if also symmetric.
    collaborative : bool
        Whether the game is one shared reward less private costs that are not negative.
    potential : bool
        Whether there is an exact potential: a shared term, and for each player one that his own
        action does not change.
    integer : bool
        Whether payoffs are whole numbers.

    Returns
    -------
    NormalFormGame

    Raises
    ------
    ValueError
        If a size is out of range, kinds exclude one another, or a game would be very large.

    Examples
    --------
    >>> from hypothesis import find, settings
    >>> quick = settings(database=None, max_examples=500)
    >>> find(games(2, 2, collaborative=True, integer=True), lambda g: True, settings=quick)
    NormalFormGame(shape=(2, 2))
    """
    kinds = {"zero_sum": zero_sum, "collaborative": collaborative, "potential": potential}
    for name, given in {"symmetric": symmetric, "integer": integer, **kinds}.items():
        flag(name, given)
    if sum(kinds.values()) > 1:
        raise ValueError(
            "zero_sum, collaborative and potential exclude one another; got "
            f"{zero_sum!r}, {collaborative!r} and {potential!r}"
        )
    count = draw(_size("players", players, 2))
    if symmetric and zero_sum and count != 2:
        raise ValueError(f"players must be 2 for a symmetric zero-sum game; got {players!r}")
    size = _size("actions", actions, 1)
    shape = (draw(size),) * count if symmetric else tuple(draw(size) for _ in range(count))
    if count * math.prod(shape) > _MOST_PAYOFFS:
        raise ValueError(
            f"players and actions must make at most {_MOST_PAYOFFS} payoffs; got shape {shape}"
        )
    entry = _payoffs(integer)
    if collaborative:
        return _collaborative(draw, shape, entry, symmetric, integer)
    if zero_sum:
        return NormalFormGame(_zero_sum(draw, shape, entry, symmetric))
    if potential:
        return NormalFormGame(_potential(draw, shape, entry, symmetric))
    if symmetric:
        return NormalFormGame(_exchangeable(draw, shape, entry))
    return NormalFormGame(_filled(draw, (count, *shape), entry))


def _filled(draw: DrawFn, shape: tuple[int, ...], entry: SearchStrategy[Any]) -> Array:
    """An array of independent entries."""
    size = math.prod(shape)
    values = draw(st.lists(entry, min_size=size, max_size=size))
    return np.array(values, dtype=float).reshape(shape)


def _by_key(
    draw: DrawFn,
    shape: tuple[int, ...],
    entry: SearchStrategy[Any],
    key: Callable[[tuple[int, ...]], Any],
) -> Array:
    """An array over joint actions whose entries are equal where the keys are."""
    out, seen = np.empty(shape), {}
    for joint in itertools.product(*map(range, shape)):
        if key(joint) not in seen:
            seen[key(joint)] = draw(entry)
        out[joint] = seen[key(joint)]
    return out


def _exchangeable(draw: DrawFn, shape: tuple[int, ...], entry: SearchStrategy[Any]) -> Array:
    """Payoffs of a symmetric game, (N, n, ..., n)."""
    first = _by_key(draw, shape, entry, lambda joint: (joint[0], tuple(sorted(joint[1:]))))
    return np.stack([np.moveaxis(first, 0, i) for i in range(len(shape))])


def _shared(
    draw: DrawFn, shape: tuple[int, ...], entry: SearchStrategy[Any], symmetric: bool
) -> Array:
    """One array over joint actions, the same for every order of the players if symmetric."""
    if not symmetric:
        return _filled(draw, shape, entry)
    return _by_key(draw, shape, entry, lambda joint: tuple(sorted(joint)))


def _collaborative(
    draw: DrawFn,
    shape: tuple[int, ...],
    entry: SearchStrategy[Any],
    symmetric: bool,
    integer: bool,
) -> NormalFormGame:
    """Shared reward less costs in [0, 5]."""
    cost = st.integers(0, 5) if integer else st.integers(0, 50).map(lambda k: k / 10.0)
    reward = _shared(draw, shape, entry, symmetric)
    if symmetric:
        return NormalFormGame.collaborative(reward, _filled(draw, shape[:1], cost))
    return NormalFormGame.collaborative(reward, [_filled(draw, (n,), cost) for n in shape])


def _zero_sum(
    draw: DrawFn, shape: tuple[int, ...], entry: SearchStrategy[Any], symmetric: bool
) -> Array:
    """Payoffs that add up to zero, exactly, because all are hundredths."""
    if symmetric:
        half = _filled(draw, shape, entry)
        return np.stack([half - half.T, half.T - half])
    hundredths = entry.map(lambda value: round(100 * Fraction(value)))
    parts = _filled(draw, (len(shape) - 1, *shape), hundredths)
    out: Array = np.concatenate([parts, -parts.sum(0, keepdims=True)]) / 100.0
    return out


def _potential(
    draw: DrawFn, shape: tuple[int, ...], entry: SearchStrategy[Any], symmetric: bool
) -> Array:
    """The potential, plus for each player a term that does not depend on his own action."""
    shared = _shared(draw, shape, entry, symmetric)
    if symmetric:
        term = _by_key(draw, shape, entry, lambda joint: tuple(sorted(joint[1:])))
        return np.stack([shared + np.moveaxis(term, 0, i) for i in range(len(shape))])
    terms = []
    for i, n in enumerate(shape):
        rest = _filled(draw, shape[:i] + shape[i + 1 :], entry)
        terms.append(shared + np.repeat(np.expand_dims(rest, i), n, axis=i))
    return np.stack(terms)


@st.composite
def profiles(draw: DrawFn, game: NormalFormGame, *, interior: bool = True) -> tuple[Array, ...]:
    """Draw a profile of mixed strategies, one array of shape (n_i,) per player.

    Probabilities are multiples of a common unit, so that they shrink to 1/n and to simple ones.

    Parameters
    ----------
    game : NormalFormGame
        Its shape is used.
    interior : bool
        Whether every action has a positive probability, as `rqe.solve` wants for a start.

    Raises
    ------
    TypeError
        If the game is not a finite one.
    """
    flag("interior", interior)
    out = []
    for n in checked_game(game).shape:
        least = 1 if interior else 0
        weights = draw(st.lists(st.integers(least, 20), min_size=n, max_size=n).filter(any))
        out.append(np.array(weights, dtype=float) / sum(weights))
    return tuple(out)


def risk_parameters(*, least_eps: float = 0.05, most_tau: float = 20.0) -> SearchStrategy[Risk]:
    """Return a strategy for (tau, eps), common to all players, that shrinks to (0, 1).

    Parameters
    ----------
    least_eps : float
        eps lies in [least_eps, 2].
    most_tau : float
        tau lies in [0, most_tau].

    Raises
    ------
    ValueError
        If least_eps is not in (0, 2], or most_tau is negative.
    """
    if not 0.0 < least_eps <= 2.0:
        raise ValueError(f"least_eps must be in (0, 2]; got {least_eps!r}")
    if not most_tau >= 0.0:
        raise ValueError(f"most_tau must be >= 0; got {most_tau!r}")
    tau = [value for value in _TAU if value <= most_tau]
    eps = [value for value in _EPS if value >= least_eps] or [least_eps]
    taus = st.one_of(st.sampled_from(tau), st.floats(0.0, most_tau, allow_subnormal=False))
    epss = st.one_of(st.sampled_from(eps), st.floats(least_eps, 2.0))
    return st.builds(Risk, taus, epss)


@st.composite
def aggregative_games(
    draw: DrawFn,
    players: int | tuple[int, int] = (2, 4),
    dimensions: int | tuple[int, int] = (1, 2),
) -> AggregativeGame:
    """Draw a quadratic aggregative game; it shrinks to H = I, target 1, rho = 1.

    Parameters
    ----------
    players, dimensions : int or (least, most)
        Number of players, and of coordinates of an action.

    Notes
    -----
    Risk is finite only for tau below ``rqe.tau_limits(game, eps)``: draw a share of it.

    Raises
    ------
    ValueError
        If a size is out of range.
    """
    count, n = draw(_size("players", players, 2)), draw(_size("dimensions", dimensions, 1))
    root = _filled(draw, (n, n), st.integers(0, 20).map(lambda k: k / 10.0))
    positive = st.integers(10, 50).map(lambda k: k / 10.0)
    target = _filled(draw, (n,), st.integers(-5, 5).map(lambda k: float(k + (k >= 0))))
    return AggregativeGame(np.eye(n) + root @ root.T, target, _filled(draw, (count,), positive))
