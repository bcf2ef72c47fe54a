"""The judge of every answer: residual and regret of a profile, in plain numpy.

Nothing here is shared with the solvers or their kernels. Conventions, for player i: ``q`` is the
product of the others' strategies and ``p`` the fictitious adversary's distribution, both over the
others' joint actions in player order; ``g`` is player i's payoff averaged over his own strategy
(one entry per joint action of the others), ``v`` his payoff averaged over ``p`` (one entry per
own action), and ``nu`` the regularizer, ``sum x log x`` or ``-sum log x``.

Probabilities come as logarithms. Payoffs are taken relative to one of them where their level is
far above their range, and every difference is formed before it is exponentiated, so that rounding
stays near 1e-16 of the payoff range, for any level and for any tau and eps in [0, inf].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rqe import _adversary as adversary
from rqe._rows import Layout, layout_of, per_player, stacked

if TYPE_CHECKING:
    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame

Array = NDArray[np.float64]

__all__ = ["Check", "check"]

_LOG_FLOOR = -1e100  # stands for log 0: 0 * log 0 is then 0, and differences stay finite
_FAR_LEVEL = 8.0  # payoffs further from 0 than so many ranges are shifted before any product
_RESOLUTION = 1e-4  # see the notes of `check`: eps log x is not known better than 1e-16 eps
_CENTROID_TOL = 1e-12
_NEAR = 1e-6  # violation / eps up to which a quadratic bound serves for the regret
_FEW = 200  # numbers up to which Python reduces a list faster than numpy an array
_MOST_DEFECT = 1e-6  # a profile whose probabilities sum to 1 less exactly than this is none


@dataclass(frozen=True, eq=False, init=False)
class Check:
    """What independent arithmetic says of a profile.

    Attributes
    ----------
    residual : float
        Largest violation of the first-order conditions, relative to the payoff range.
    regret : float
        Payoff units: no player can raise his objective alone by more than this.
    payoffs : ndarray, shape (N,)
        Expected payoffs.
    risk_adjusted : ndarray, shape (N,)
        Risk-adjusted utilities, without the regularizer.
    adversaries : tuple of N ndarrays
        Joint distribution of the others in the eyes of each player's fictitious adversary, one
        axis per other player. May be given as a function, called when first asked for.
    """

    residual: float
    regret: float
    payoffs: Array
    risk_adjusted: Array

    def __init__(
        self,
        residual: float,
        regret: float,
        payoffs: Array,
        risk_adjusted: Array,
        adversaries: tuple[Array, ...] | Callable[[], tuple[Array, ...]],
    ) -> None:
        record = vars(self)
        record["residual"], record["regret"] = residual, regret
        record["payoffs"], record["risk_adjusted"] = payoffs, risk_adjusted
        record["_adversaries"] = adversaries

    @functools.cached_property
    def adversaries(self) -> tuple[Array, ...]:
        """Distribution of each player's fictitious adversary, one axis per other player."""
        given = vars(self)["_adversaries"]
        made: tuple[Array, ...] = given() if callable(given) else given
        return made


class _Worth(NamedTuple):
    """Values v of all actions in a row, and per player what the adversary leaves."""

    values: Array
    payoffs: Array
    risk_adjusted: Array
    slack: Sequence[float]  # E_p[g] - min g for the worst case, else 0
    tilted: tuple[Array | None, ...]


def check(
    game: NormalFormGame,
    concept: Concept,
    log_strategies: Sequence[Array],
    witnesses: Mapping[int, Array] | None = None,
) -> Check:
    r"""Return the certificate of a profile: first-order residual, regret bound and payoffs.

    With p the minimiser of the adversary's programme at x, the condition of an equilibrium is that
    ``c = eps grad nu(x) - v`` is the same for all actions (with eps = 0: that x plays only actions
    of highest v). The regret bound is weak duality, for player i and any p,

        max_y U(y) - U(x)  <=  max_y [<y, v> - eps nu(y)] + D(p, q) / tau  -  U(x),

    where U includes the regularizer. It is tight at an equilibrium.

    Parameters
    ----------
    game : NormalFormGame
        N players.
    concept : Concept
        tau, eps, penalty and regularizer.
    log_strategies : sequence of N arrays, shape (n_i,)
        Logarithms of normalised strategies; -inf is allowed.
    witnesses : mapping from player to array, optional
        Joint distributions of the others for players with tau = inf, who need not have a unique
        adversary. Any distribution gives a valid bound. Without one, a linear programme finds one.

    Returns
    -------
    Check
        ``residual`` is the largest over players of ``max |c - <x, c>|`` divided by the player's
        payoff range (1 if he is indifferent). With eps = 0 only actions better than the average
        count; with tau = inf the adversary's slack ``E_p[g] - min g`` is added; with eps = inf it
        is the distance from the centroid. A profile that is not normalised has at least its
        defect as residual; if it is off by more than 1e-6 or has a NaN, residual and regret are
        inf and the payoffs NaN.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another kind, `log_strategies` has not one array of n_i numbers per
        player, or a witness not one number per joint action of the others.

    Notes
    -----
    Cost: two contractions of each player's payoffs, one in all if no player is risk averse.
    Memory: a few arrays of the size of one player's payoffs over the others' actions; the payoffs
    of one player more where their level is far above their range.
    For eps above 1e4 payoff ranges the violation is measured against ``eps / 1e4``, because log x
    itself is rounded: ``eps log x`` is not known better than 1e-16 eps.

    References
    ----------
    .. [1] Mazumdar, Panaganti & Shi, ICLR 2025, arXiv 2406.14156: the objective and its duality.

    Examples
    --------
    >>> import numpy as np
    >>> import rqe
    >>> game = rqe.NormalFormGame.from_bimatrix([[1, -1], [-1, 1]], [[-1, 1], [1, -1]])
    >>> concept = rqe.Concept.of(game, tau=1.0, eps=0.2)
    >>> rqe.check(game, concept, [np.log([0.5, 0.5])] * 2).residual
    0.0
    >>> rqe.check(game, concept, [np.log([0.5, 0.5]), np.log([0.6, 0.4])]).regret > 0.0
    True
    """
    lengths = _lengths(game, concept, log_strategies)
    if lengths != game.shape:
        raise ValueError(
            f"log_strategies must hold one array per player of lengths {game.shape}; "
            f"got lengths {lengths}"
        )
    layout = layout_of(game.shape)
    log_x = stacked(log_strategies, layout, _LOG_FLOOR)
    x = np.exp(log_x)
    strategies = tuple([x[s] for s in layout.slices])
    defects = [abs(total - 1.0) for total in per_player(x, layout).tolist()]
    if not all(defect <= _MOST_DEFECT for defect in defects):  # NaN fails too
        return _no_profile(strategies)
    widths = _widths(game)
    if _is_plain(game, concept, widths):
        worth = _risk_neutral(game, x, strategies, layout)
    else:
        worth = _risk_averse(game, concept, widths, x, log_x, layout, witnesses or {})
    residual, regret = _judge(concept, widths, x, log_x, worth, layout)
    for array in (x, worth.payoffs, worth.risk_adjusted):
        array.flags.writeable = False
    joint = functools.partial(adversary.joints, strategies, worth.tilted)
    return Check(max(residual, *defects), regret, worth.payoffs, worth.risk_adjusted, joint)


def _lengths(game: NormalFormGame, concept: Concept, logs: Sequence[Array]) -> tuple[int, ...]:
    """Return how many numbers each player has; raise if an argument is of another kind."""
    for name, value, known in (("game", game, "payoffs"), ("concept", concept, "penalty")):
        if not hasattr(value, known):
            raise TypeError(f"{name} must be an rqe {name}; got {type(value).__name__}")
    try:
        return tuple(map(len, logs))
    except TypeError:
        raise TypeError(f"log_strategies must be one array per player; got {logs!r}") from None


def _no_profile(strategies: tuple[Array, ...]) -> Check:
    """Return what is said of numbers that are no strategies: nothing good."""
    unknown = np.full(len(strategies), np.nan)
    unknown.flags.writeable = False
    joint = functools.partial(adversary.joints, strategies, (None,) * len(strategies))
    return Check(math.inf, math.inf, unknown, unknown, joint)


def _widths(game: NormalFormGame) -> list[float]:
    """Return every player's payoff range, 1 for players to whom all is the same."""
    flat = game.payoffs.reshape(game.n_players, -1)
    if flat.shape[1] > _FEW:
        return [width or 1.0 for width in game.payoff_range.tolist()]
    return [(max(row) - min(row)) or 1.0 for row in flat.tolist()]


def _is_plain(game: NormalFormGame, concept: Concept, widths: list[float]) -> bool:
    """Return whether all players are risk neutral and no payoff level needs to be removed."""
    if any(concept.tau.tolist()):
        return False
    first = game.payoffs.reshape(len(widths), -1)[:, 0].tolist()
    return all(abs(u) <= _FAR_LEVEL * w for u, w in zip(first, widths, strict=True))


def _risk_neutral(
    game: NormalFormGame, x: Array, strategies: tuple[Array, ...], layout: Layout
) -> _Worth:
    """Return the worth of all actions where every adversary plays the others' strategies."""
    values = np.empty(len(x))
    for own, v in zip(layout.slices, adversary.gradients(game.payoffs, strategies), strict=True):
        values[own] = v
    payoffs = per_player(x * values, layout)
    none = (None,) * len(strategies)
    return _Worth(values, payoffs, payoffs, [0.0] * len(strategies), none)


def _risk_averse(
    game: NormalFormGame,
    concept: Concept,
    widths: list[float],
    x: Array,
    log_x: Array,
    layout: Layout,
    witnesses: Mapping[int, Array],
) -> _Worth:
    """Return the worth of all actions, one player at a time."""
    values = np.empty(len(x))
    payoffs: list[float] = []
    adjusted: list[float] = []
    slack: list[float] = []
    tilted: list[Array | None] = []
    taus, epss = concept.tau.tolist(), concept.eps.tolist()
    joint_logs = adversary.others([log_x[s] for s in layout.slices])
    for i, (before, log_q, after) in enumerate(joint_logs):
        own = layout.slices[i]
        utility, level = _without_level(game.payoffs[i].reshape(before, -1, after), widths[i])
        seat = adversary.Seat(utility, widths[i], x[own], log_x[own], log_q, taus[i], epss[i])
        reply = adversary.reply(seat, concept.penalty, concept.regularizer, witnesses.get(i))
        values[own] = adversary.value(utility, reply.p)
        payoffs.append(reply.mean + level)
        adjusted.append(reply.utility + level)
        slack.append(reply.slack)
        tilted.append(reply.p if taus[i] else None)
    return _Worth(values, np.array(payoffs), np.array(adjusted), slack, tuple(tilted))


def _without_level(utility: Array, width: float) -> tuple[Array, float]:
    """Return the payoffs minus one of them, and that one, where the level dwarfs the range."""
    level = float(utility[0, 0, 0])
    if abs(level) <= _FAR_LEVEL * width:
        return utility, 0.0
    return utility - level, level


def _judge(
    concept: Concept, widths: list[float], x: Array, log_x: Array, worth: _Worth, layout: Layout
) -> tuple[float, float]:
    """Return the residual and the regret bound, each the largest over the players."""
    epss = concept.eps.tolist()
    c, mean = _slopes(concept, x, log_x, worth.values, layout)
    found = _judge_near(concept, epss, widths, c, worth, layout)
    if found is not None:
        return found
    below = np.minimum.reduceat(c, layout.starts).tolist()
    above = np.maximum.reduceat(c, layout.starts).tolist()
    violations = [max(up, -down) for up, down in zip(above, below, strict=True)]
    if _smooth(concept, epss) and all(v <= eps for v, eps in zip(violations, epss, strict=True)):
        gains = _near_gains(x, c, concept.eps, layout)
    else:
        gains = []
        for i, (own, eps) in enumerate(zip(layout.slices, epss, strict=True)):
            if eps == 0.0:
                violations[i] = max(-below[i], 0.0)
                gains.append(violations[i])
            elif eps == math.inf:
                violations[i] = float(np.abs(x[own] - 1.0 / len(x[own])).max())
                gains.append(0.0 if violations[i] <= _CENTROID_TOL else math.inf)
            else:
                gain = _entropy_gain if concept.regularizer == "entropy" else _barrier_gain
                gains.append(gain(x[own], log_x[own], worth.values[own] + mean[i], eps))
    residual = regret = 0.0
    for violation, most, slack, width, eps in zip(
        violations, gains, worth.slack, widths, epss, strict=True
    ):
        if eps == math.inf:
            residual, regret = max(residual, violation), max(regret, most)
        else:
            relative = (violation + slack) / max(width, _RESOLUTION * eps)
            residual, regret = max(residual, relative), max(regret, most + slack)
    return residual, regret


def _slopes(
    concept: Concept, x: Array, log_x: Array, values: Array, layout: Layout
) -> tuple[Array, Array]:
    """Return ``c - <x, c>`` for all actions in a row, and ``<x, c>`` per player.

    Players with eps = inf, whose c is of no use, are treated as if eps were 0.
    """
    eps = concept.eps
    if math.inf in eps.tolist():
        eps = np.where(eps < math.inf, eps, 0.0)
    owner = layout.owner
    if concept.regularizer == "entropy":
        c = eps[owner] * log_x - values
        mean = per_player(x * c, layout)
    else:
        c = -eps[owner] * adversary.barrier_slope(log_x) - values
        mean = -per_player(x * values, layout) - eps * np.bincount(owner)
    c -= mean[owner]
    return c, mean


def _smooth(concept: Concept, epss: list[float]) -> bool:
    """Return whether every player has a positive and finite multiple of the entropy."""
    return concept.regularizer == "entropy" and all(0.0 < eps < math.inf for eps in epss)


def _judge_near(
    concept: Concept, epss: list[float], widths: list[float], c: Array, worth: _Worth,
    layout: Layout,
) -> tuple[float, float] | None:  # fmt: skip
    """Return residual and regret very near an equilibrium, None elsewhere.

    With ``d = c / eps`` the regret bound is ``eps log E_x exp(-d)``, at most ``0.51 eps max d^2``.
    """
    if not _smooth(concept, epss) or any(worth.slack) or min(epss) < 1e-290:
        return None
    size = np.abs(c)
    farthest = adversary.largest(size / concept.eps[layout.owner])
    if not farthest <= _NEAR:
        return None
    units = [max(w, _RESOLUTION * eps) for w, eps in zip(widths, epss, strict=True)]
    if min(units) == max(units):
        residual = adversary.largest(size) / units[0]
    else:
        residual = adversary.largest(size / np.array(units)[layout.owner])
    return residual, 0.51 * max(epss) * farthest * farthest


def _near_gains(x: Array, c: Array, eps: Array, layout: Layout) -> list[float]:
    """Return eps KL(x || softmax(v / eps)) of all players, from centred c with |c| <= eps."""
    d = c / eps[layout.owner]
    spread = per_player(x * (np.expm1(-d) + d), layout)
    gains: list[float] = (eps * np.log1p(spread)).tolist()
    return gains


def _entropy_gain(x: Array, log_x: Array, advantage: Array, eps: float) -> float:
    """Return max_y [<y, v> - eps sum y log y] minus its value at x; advantage = v + <x, c>."""
    top = float(advantage.max())
    with np.errstate(over="ignore"):
        return max(top + eps * math.log(np.exp((advantage - top) / eps).sum()), 0.0)


def _barrier_gain(x: Array, log_x: Array, advantage: Array, eps: float) -> float:
    """Return max_y [<y, v> + eps sum log y] minus its value at x; advantage = v + <x, c>.

    The maximiser is ``y = eps / (t + top - advantage)``. Any t > 0 bounds the maximum by duality;
    Newton's iteration finds the one at which y sums to 1.
    """
    top = float(advantage.max())
    gap = top - advantage
    t = max(-top, eps)
    for _ in range(100):
        y = eps / (t + gap)
        surplus = float(y.sum()) - 1.0
        if abs(surplus) <= 1e-15 * len(y):
            break
        t = max(t + surplus * eps / float(y @ y), eps)
    reach = t + gap
    excess = x * reach - eps
    terms = excess - eps * (log_x + np.log(reach) - math.log(eps))
    small = np.abs(excess) < 0.5 * eps
    ratio = excess[small] / eps
    terms[small] = eps * (ratio - np.log1p(ratio))
    return max(float(terms.sum()), 0.0)
