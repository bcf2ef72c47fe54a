"""What cross-play says about each method: returns, roles, and company it has never met.

All intervals are over teams (`marl.statistics`); a gap between training and cross-play is always
shown beside the roles, since teams that happen to share their roles cross well and free-ride.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marl.statistics import Estimate, Share, bootstrap, pair_mean, share, team_mean

if TYPE_CHECKING:
    from marl.crossplay import CrossPlay

__all__ = ["Beside", "Comparison", "Method", "compare", "summarize", "work_event"]

Array = NDArray[np.float64]

WORKS = ("deliveries", "tags")  # events that count as work, where the environment has them
RIDER = 0.1  # a team free-rides if its less productive agent does less than this share of the work


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A method's agents beside one scripted partner.

    Attributes
    ----------
    returns : Estimate
        Return of all seats together, mean over both seatings.
    work : tuple of Estimate or None
        Work of the learned agent: the seat that does less of it, the seat that does more.
    """

    returns: Estimate
    work: tuple[Estimate, Estimate] | None


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method's figures; returns are sums over the seats.

    Attributes
    ----------
    name : str
        The group's name.
    teams : int
        Number of independently trained teams.
    training : Estimate
        TP: mean return of the teams as trained.
    crossing : Estimate
        CP: mean return over all pairs of different teams; NaN with one team.
    loss : Estimate
        TP - CP.
    gap : Estimate
        (TP - CP) / TP.
    training_sd, crossing_sd : float
        Standard deviation over teams, and over pairs.
    cost_gap : Estimate
        Free-riding degree: difference of the private costs within a team.
    work : tuple of Estimate or None
        Work per team of the agent that does less, and of the one that does more.
    riders, idle : Share or None
        Free-riding teams (the less productive agent does less than a tenth of the work), and teams
        that do no work at all, which are not counted as free-riding.
    beside : dict of str to Beside
        Per scripted partner; "stay" is the removed teammate.
    """

    name: str
    teams: int
    training: Estimate
    crossing: Estimate
    loss: Estimate
    gap: Estimate
    training_sd: float
    crossing_sd: float
    cost_gap: Estimate
    work: tuple[Estimate, Estimate] | None
    riders: Share | None
    idle: Share | None
    beside: dict[str, Beside]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One method against another: ratios of returns, and play between them.

    Attributes
    ----------
    first, second : str
        The methods; ratios are first over second.
    training, crossing : Estimate
        Ratio of TP, and of CP.
    mixed : Estimate
        Return of a team of one agent of each, mean over both seatings.
    """

    first: str
    second: str
    training: Estimate
    crossing: Estimate
    mixed: Estimate


def summarize(cross: CrossPlay) -> tuple[Method, ...]:
    """Return the figures of every method in a cross-play.

    Parameters
    ----------
    cross : CrossPlay
        From `marl.cross_play`.

    Returns
    -------
    tuple of Method
        In the order of the groups.
    """
    return tuple(_method(cross, name) for name in cross.names)


def compare(cross: CrossPlay, first: str, second: str) -> Comparison:
    """Return ratios of `first` over `second` with intervals, and how they play together."""
    a, b = cross.members(first), cross.members(second)
    one, two = (cross.returns[np.ix_(x, x)] for x in (a, b))
    between = (cross.returns[np.ix_(a, b)] + cross.returns[np.ix_(b, a)].T) / 2

    def training(w: Array, v: Array) -> Array:
        return _quotient(team_mean(one.diagonal(), w), team_mean(two.diagonal(), v))

    def crossing(w: Array, v: Array) -> Array:
        return _quotient(pair_mean(one, w), pair_mean(two, v))

    sizes = len(a), len(b)
    return Comparison(
        first=first,
        second=second,
        training=bootstrap(training, *sizes),
        crossing=bootstrap(crossing, *sizes),
        mixed=bootstrap(lambda w, v: pair_mean(between, w, v), *sizes),
    )


def rows(methods: Sequence[Method]) -> list[dict[str, Any]]:
    """One flat record per method, for CSV and JSON."""
    return [_record(method) for method in methods]


def _method(cross: CrossPlay, name: str) -> Method:
    """One method's figures."""
    members = cross.members(name)
    n, returns = len(members), cross.returns[np.ix_(members, members)]
    diagonal = returns.diagonal()
    costs = -cross.private[members, members]  # [n, n_agents]
    pairs = returns[~np.eye(n, dtype=bool)]
    event = work_event(cross.events)
    work = None if event is None else cross.events[event][members, members]
    return Method(
        name=name,
        teams=n,
        training=_mean(diagonal),
        crossing=bootstrap(lambda w: pair_mean(returns, w), n),
        loss=bootstrap(lambda w: team_mean(diagonal, w) - pair_mean(returns, w), n),
        gap=bootstrap(lambda w: _gap(returns, w), n),
        training_sd=_sd(diagonal),
        crossing_sd=_sd(pairs),
        cost_gap=_mean(costs.max(axis=1) - costs.min(axis=1)),
        work=None if work is None else (_mean(work.min(axis=1)), _mean(work.max(axis=1))),
        riders=None if work is None else share(free_riding(work)),
        idle=None if work is None else share(work.sum(axis=1) == 0),
        beside={partner: _beside(cross, partner, members) for partner in cross.against},
    )


def work_event(events: Iterable[str]) -> str | None:
    """Name of the event that counts as work, None where there is none.

    Examples
    --------
    >>> work_event(("tags", "moves")), work_event(())
    ('tags', None)
    """
    known = set(events)
    return next((name for name in WORKS if name in known), None)


def free_riding(work: Array) -> NDArray[np.bool_]:
    """Which teams free-ride: `work` [teams, n_agents] -> [teams].

    Examples
    --------
    >>> free_riding(np.array([[0.0, 20.0], [9.0, 11.0], [0.0, 0.0]])).tolist()
    [True, False, False]
    """
    total = work.sum(axis=1)
    return np.asarray((total > 0) & (work.min(axis=1) < RIDER * total))


def _beside(cross: CrossPlay, partner: str, members: NDArray[np.intp]) -> Beside:
    """Figures beside one scripted partner."""
    against = cross.against[partner]
    event = work_event(against.events)
    work = None if event is None else against.events[event][members]
    return Beside(
        returns=_mean(against.returns[members].mean(axis=1)),
        work=None if work is None else (_mean(work.min(axis=1)), _mean(work.max(axis=1))),
    )


def _mean(values: Array) -> Estimate:
    """Mean over teams."""
    return bootstrap(lambda w: team_mean(values, w), len(values))


def _gap(returns: Array, weights: Array) -> Array:
    """(TP - CP) / TP."""
    training = team_mean(returns.diagonal(), weights)
    return _quotient(training - pair_mean(returns, weights), training)


def _quotient(above: Array, below: Array) -> Array:
    """Ratio; NaN where what is below is not positive and a ratio says nothing."""
    above, below = np.asarray(above), np.asarray(below)
    ratio: Array = np.full(below.shape, np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def _sd(values: Array) -> float:
    """Standard deviation, NaN with fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _record(method: Method) -> dict[str, Any]:
    """Flat record of one method."""
    record: dict[str, Any] = {"method": method.name, "teams": method.teams}

    def put(name: str, figure: Estimate) -> None:
        record[name] = figure.value
        record[f"{name}_low"], record[f"{name}_high"] = figure.low, figure.high

    for name in ("training", "crossing", "loss", "gap", "cost_gap"):
        put(name, getattr(method, name))
    record |= {"training_sd": method.training_sd, "crossing_sd": method.crossing_sd}
    if method.work is not None and method.riders is not None and method.idle is not None:
        put("work_less", method.work[0])
        put("work_more", method.work[1])
        record |= {"free_riding_teams": method.riders.count, "idle_teams": method.idle.count}
    for partner, beside in method.beside.items():
        label = partner.replace(" ", "_")
        put(f"with_{label}", beside.returns)
        if beside.work is not None:
            put(f"with_{label}_work_less", beside.work[0])
            put(f"with_{label}_work_more", beside.work[1])
    return record
