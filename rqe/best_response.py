"""Users' own profiles: best responses, exact regret, and whether a profile is an equilibrium."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from rqe import _adversary as adversary
from rqe._input import checked_game, log_profile
from rqe.concepts import Concept
from rqe.games import NormalFormGame

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["BestResponse", "best_response", "is_equilibrium", "regret"]

_FLOOR = -1e100  # stands for log 0
_ROUNDING = 1e-9  # of the payoff range; a best response known less well than that is told
_SEEN = -60.0  # log-probability that stands for 0 where an adversary may play what nobody does


@dataclass(frozen=True, eq=False)
class BestResponse:
    """A player's best strategy against a profile, and how good it is.

    Attributes
    ----------
    player : int
        Whose response it is.
    log_strategy : ndarray, shape (n_i,)
        Natural logarithms of its probabilities; -inf is an action never played.
    value : float
        The player's objective there, payoff units: risk-adjusted utility less ``eps nu``.
    gain : float
        What the player gains by it over his strategy in the profile, at least 0.
    gap : float
        No strategy is better by more than this: a bound by weak duality, 0 up to rounding.
    """

    player: int
    log_strategy: Array
    value: float
    gain: float
    gap: float

    @property
    def strategy(self) -> Array:
        """Probabilities, shape (n_i,)."""
        x: Array = np.exp(self.log_strategy)
        return x


def best_response(
    game: NormalFormGame,
    profile: Sequence[ArrayLike],
    player: int,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    penalty: str = "kl",
    regularizer: str = "entropy",
) -> BestResponse:
    r"""Return a player's best response to the others' strategies in a profile.

    It maximises the concave objective

    .. math:: \min_p \; E_{y, p}[u_i] + D(p, x_{-i}) / \tau_i - \epsilon_i \nu(y)

    over the player's strategies y. The maximiser is unique if eps > 0; at eps = tau = 0 all
    actions of highest payoff share equally.

    Parameters
    ----------
    game : NormalFormGame
        N players.
    profile : sequence of N array_like, shape (n_i,)
        Probabilities; zeros are allowed. The player's own entry serves ``gain``, and is the answer
        only where nothing better is found (``gap`` is then above rounding).
    player : int
        Index of the player, 0 to N - 1.
    tau, eps : float or sequence of N floats, in [0, inf]
        As for :func:`rqe.solve`; only the player's own values matter.
    penalty, regularizer : str
        As for :func:`rqe.solve`.

    Returns
    -------
    BestResponse
        Strategy, value, gain over the profile, and a bound on what is missing to the maximum.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    Notes
    -----
    tau = 0 is a formula; tau = inf a programme that ignores the others' probabilities; else the
    response is followed from the uniform strategy at eps = inf down to eps, which is a curve
    without folds because every response on it is unique.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("matching-pennies")
    >>> response = rqe.best_response(game, [[0.5, 0.5], [0.9, 0.1]], 0)
    >>> response.strategy.tolist(), round(response.gain, 12)
    ([1.0, 0.0], 0.8)
    """
    concept = Concept.of(checked_game(game), tau, eps, penalty, regularizer)
    logs = log_profile(profile, game.shape, _FLOOR)
    return _respond(game, concept, logs, _index(player, game.n_players))


def regret(
    game: NormalFormGame,
    profile: Sequence[ArrayLike],
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    penalty: str = "kl",
    regularizer: str = "entropy",
) -> float:
    """Return the regret of a profile: the most that any player gains by his best response.

    It is exact, by solving every player's concave programme, where :func:`rqe.check` gives an upper
    bound; payoff units. The gains one by one are ``rqe.best_response(...).gain``. Where a programme
    cannot be solved (reverse KL, zeros in the profile and a large tau) it is an upper bound, too:
    the gain found and the ``gap`` that is left.

    Parameters
    ----------
    game, profile, tau, eps, penalty, regularizer
        As for :func:`best_response`.

    Returns
    -------
    float
        At least 0, and 0 only at an equilibrium; inf for a profile with zeros under the log
        barrier, and for one that is not uniform where eps = inf.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("matching-pennies")
    >>> round(rqe.regret(game, [[0.5, 0.5], [0.9, 0.1]]), 12)
    0.8
    """
    concept = Concept.of(checked_game(game), tau, eps, penalty, regularizer)
    logs = log_profile(profile, game.shape, _FLOOR)
    widths = game.payoff_range.tolist()
    return max(_most_gained(_respond(game, concept, logs, i), w) for i, w in enumerate(widths))


def _most_gained(response: BestResponse, width: float) -> float:
    """Return the gain, and what it may miss of the largest one if that is more than rounding."""
    return response.gain + (response.gap if response.gap > _ROUNDING * width else 0.0)


def is_equilibrium(
    game: NormalFormGame,
    profile: Sequence[ArrayLike],
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    tol: float = 1e-9,
    *,
    penalty: str = "kl",
    regularizer: str = "entropy",
) -> bool:
    """Return whether no player gains more than ``tol`` by changing his strategy alone.

    Parameters
    ----------
    game, profile, tau, eps, penalty, regularizer
        As for :func:`best_response`.
    tol : float
        Largest regret allowed, in payoff units.

    Returns
    -------
    bool
        For a proof that a true equilibrium is near, rather than a small regret, see
        :func:`rqe.certify`.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("matching-pennies")
    >>> rqe.is_equilibrium(game, [[0.5, 0.5], [0.5, 0.5]], tau=1.0, eps=0.2)
    True
    """
    if isinstance(tol, bool) or not isinstance(tol, Real) or not tol >= 0.0:
        raise ValueError(f"tol must be a number >= 0, in payoff units; got {tol!r}")
    found = regret(game, profile, tau, eps, penalty=penalty, regularizer=regularizer)
    return found <= tol


def _respond(game: NormalFormGame, concept: Concept, logs: list[Array], i: int) -> BestResponse:
    """Return player i's best response to checked log-strategies."""
    here = _seat(game, concept, logs, i)
    if math.isinf(here.eps):
        uniform = np.full(len(here.x), -math.log(len(here.x)))
        away = float(np.abs(here.x - 1.0 / len(here.x)).max())
        there = here._replace(x=np.exp(uniform), log_x=uniform, eps=0.0)
        value, _ = _worth(there, concept, game, i)
        return BestResponse(i, uniform, value, 0.0 if away <= 1e-12 else math.inf, 0.0)
    log_y = _strategy(game, concept, logs, i, here)
    there = here._replace(x=np.exp(log_y), log_x=log_y)
    value, gap = _worth(there, concept, game, i)
    if gap > 1e-12 * here.width and concept.penalty == "reverse_kl":
        seen = _seat(game, concept, [np.maximum(log_x, _SEEN) for log_x in logs], i)
        gap = min(gap, _bound(there, seen.log_q, concept) + float(game.payoffs[i].flat[0]) - value)
    now, bound = _worth(here, concept, game, i)
    if now > value + 1e-12 * here.width:  # the solver gave up on the way
        log_y, value, gap = here.log_x, now, bound
    log_y = np.where(log_y <= _FLOOR, -math.inf, log_y)
    log_y.flags.writeable = False
    return BestResponse(i, log_y, value, max(value - now, 0.0), gap)


def _strategy(
    game: NormalFormGame, concept: Concept, logs: list[Array], i: int, here: adversary.Seat
) -> Array:
    """Return the log-probabilities of a maximiser."""
    from rqe.solvers import security

    if here.width == 0.0:
        return np.full(len(here.x), -math.log(len(here.x)))
    if here.tau == math.inf:
        me = np.arange(game.n_players) == i
        own = Concept(
            np.where(me, concept.tau, 0.0), np.where(me, concept.eps, 1.0),
            concept.penalty, concept.regularizer,
        )  # fmt: skip
        return np.maximum(security.strategies(game, own)[0][i], _FLOOR)
    if here.tau == 0.0:
        return _formula(adversary.value(here.payoffs, np.exp(here.log_q)), here, concept)
    return _followed(here, concept)


def _followed(here: adversary.Seat, concept: Concept) -> Array:
    """Return the log-probabilities of a maximiser, followed from eps = inf.

    The others are one player whose actions are their joint actions. Under KL an adversary cannot
    play what they never play: it is left out, as log 0 has no number that outweighs every tau. To
    eps = 0 the entropy leads as well as any regularizer.
    """
    from rqe.solvers import PrincipalBranch
    from rqe.solvers._problem import path, split

    table = here.payoffs.transpose(1, 0, 2).reshape(len(here.x), -1)
    if concept.penalty == "kl":
        played = here.log_q > 0.5 * _FLOOR
        table, log_q = table[:, played], here.log_q[played]
    else:
        log_q = np.maximum(here.log_q, _SEEN)
    duel = NormalFormGame(np.stack([table, np.zeros_like(table)]))
    regularizer = concept.regularizer if here.eps > 0.0 else "entropy"
    own = Concept(
        np.array([here.tau, 0.0]), np.array([here.eps, 1.0]), concept.penalty, regularizer
    )
    problem = path(duel, own, {1: log_q})
    if problem.idle:
        return np.full(len(here.x), -math.log(len(here.x)))
    found = PrincipalBranch().follow(problem, problem.log_x, 0.0, problem.stop, 1e-12)
    log_y = np.maximum(split(found.log_x, duel.shape)[0], _FLOOR)
    top = log_y.max()
    normal: Array = log_y - (top + math.log(np.exp(log_y - top).sum()))
    return normal


def _formula(v: Array, here: adversary.Seat, concept: Concept) -> Array:
    """Return the log-probabilities of the maximiser of <y, v> - eps nu(y)."""
    gap = float(v.max()) - v
    if here.eps == 0.0:
        best = gap <= 1e-14 * here.width
        return np.where(best, -math.log(int(best.sum())), _FLOOR)
    if concept.regularizer == "log_barrier":
        log_y: Array = math.log(here.eps) - np.log(_multiplier(gap, here.eps) + gap)
        return log_y
    log_y = -gap / here.eps
    return np.asarray(log_y - math.log(float(np.exp(log_y).sum())))


def _seat(game: NormalFormGame, concept: Concept, logs: list[Array], i: int) -> adversary.Seat:
    """Return player i's data for the plain adversary, payoffs relative to one of them."""
    before, log_q, after = next(
        row for j, row in enumerate(adversary.others(logs)) if j == i
    )  # fmt: skip
    table = game.payoffs[i].reshape(before, -1, after)
    tau, eps = float(concept.tau[i]), float(concept.eps[i])
    width = float(game.payoff_range[i])
    return adversary.Seat(table - table[0, 0, 0], width, np.exp(logs[i]), logs[i], log_q, tau, eps)


def _worth(
    seat: adversary.Seat, concept: Concept, game: NormalFormGame, i: int
) -> tuple[float, float]:
    """Return the objective at the seat's strategy, and by how much any other can exceed it."""
    reply = adversary.reply(seat, concept.penalty, concept.regularizer, None)
    v = adversary.value(seat.payoffs, reply.p)
    x, log_x, eps = seat.x, seat.log_x, seat.eps
    mean, level = float(x @ v), float(game.payoffs[i].flat[0])
    if eps == 0.0:
        cost = 0.0
    elif concept.regularizer == "entropy":
        cost = eps * float(x @ np.maximum(log_x, -1e6))
    else:
        cost = -eps * float(log_x.sum()) if float(x.min()) > 0.0 else math.inf
    if cost == math.inf:
        return -math.inf, math.inf
    most = _most(v, eps, concept.regularizer)
    return reply.utility - cost + level, max(most - (mean - cost), 0.0) + reply.slack


def _bound(seat: adversary.Seat, log_q: Array, concept: Concept) -> float:
    """Return a bound on the objective from the adversary that sees q where nobody plays, too.

    Weak duality holds for any p; with reverse KL p may be positive where the true q is 0.
    """
    p = adversary.reply(seat._replace(log_q=log_q), concept.penalty, concept.regularizer, None).p
    q = np.exp(seat.log_q)
    played = q > 0.0
    divergence = float(q[played] @ np.log(q[played] / p[played]))
    most = _most(adversary.value(seat.payoffs, p), seat.eps, concept.regularizer)
    return most + divergence / seat.tau


def _most(v: Array, eps: float, regularizer: str) -> float:
    """Return max <y, v> - eps nu(y) over strategies y."""
    top = float(v.max())
    if eps == 0.0:
        return top
    if regularizer == "entropy":
        return top + eps * math.log(float(np.exp((v - top) / eps).sum()))
    return _barrier_maximum(v, eps)


def _barrier_maximum(v: Array, eps: float) -> float:
    """Return max <y, v> + eps sum log y, from its dual, which is valid for every multiplier."""
    gap = float(v.max()) - v
    t = _multiplier(gap, eps)
    return float(t + v.max() - eps * len(v) + eps * np.log(eps / (t + gap)).sum())


def _multiplier(gap: Array, eps: float) -> float:
    """Return t with sum eps / (t + gap) = 1, by bisection."""
    low, high = eps, eps * len(gap)
    for _ in range(200):
        t = 0.5 * (low + high)
        if t in (low, high):
            break
        low, high = (t, high) if float((eps / (t + gap)).sum()) > 1.0 else (low, t)
    return high


def _index(player: int, count: int) -> int:
    """Return the player's index, checked."""
    try:
        i = operator.index(player)
    except TypeError:
        raise TypeError(f"player must be an int; got {player!r}") from None
    if not 0 <= i < count:
        raise ValueError(f"player must be in 0, ..., {count - 1}; got {player}")
    return i
