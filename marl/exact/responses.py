"""The best and the worst that one seat, or both together, can bring about.

Backward induction over the steps of an episode. A seat that responds knows the state and the step,
not who moves first; that is all a policy can use, since the partner's does not depend on the past.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from marl.exact.evaluation import check_policy, evaluate
from marl.exact.model import STAY, KitchenModel, kitchen_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marl.envs.kitchen import Kitchen

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Response:
    """A value and the deterministic policy that brings it about.

    Attributes
    ----------
    value : float
        Expected return of an episode, as the function that made it says.
    actions : ndarray of int8, shape (horizon, S)
        What to do in each step and state.
    """

    value: float
    actions: NDArray[np.int8]

    def table(self) -> Array:
        """Return the action probabilities (zeros and ones), shape (horizon, S, 5)."""
        return np.eye(5)[self.actions]


@dataclass(frozen=True, eq=False, kw_only=True)
class NashConv:
    """How much the seats gain by best responses, one at a time, to a pair of policies.

    Attributes
    ----------
    value : float
        Sum of the gains: 0 at a Nash equilibrium only.
    gains, returns : ndarray, shape (2,)
        Gain of each seat over its own return.
    """

    value: float
    gains: Array
    returns: Array


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """What can be reached in an episode of the kitchen, each by the best policy for it.

    Attributes
    ----------
    team : float
        Largest sum of both returns.
    one_worker : float
        Largest sum of both returns when one agent always stays.
    lone_worker : float
        Largest own return of an agent whose partner always stays.
    """

    team: float
    one_worker: float
    lone_worker: float


def stand_still(model: KitchenModel | None = None) -> Array:
    """Policy that always stays, shape (S, 5): the removed teammate."""
    model = kitchen_model() if model is None else model
    table = np.zeros((model.n_states, model.n_actions))
    table[:, STAY] = 1.0
    return table


def best_response(
    partner: Any,
    *,
    seat: int,
    objective: Literal["own", "team"] = "own",
    model: KitchenModel | None = None,
) -> Response:
    """Return the most that `seat` can earn with this partner, and how.

    Parameters
    ----------
    partner : array_like, shape (S, 5) or (horizon, S, 5)
        Action probabilities of the OTHER seat.
    seat : {0, 1}
        Who responds.
    objective : {"own", "team"}
        Whether its own return counts or the sum of both.
    model : KitchenModel, optional
        By default that of the paper's kitchen.

    Returns
    -------
    Response
        The responder's policy and value.

    Raises
    ------
    ValueError
        If the table, the seat or the objective breaks its rule.

    Notes
    -----
    Exact up to rounding; 0.1 CPU seconds.

    Examples
    --------
    >>> round(best_response(stand_still(), seat=0).value, 1)
    87.2
    """
    model = kitchen_model() if model is None else model
    check_seat(seat)
    if objective not in ("own", "team"):
        raise ValueError(f"objective must be 'own' or 'team', got {objective!r}")
    rewards = model.rewards()
    reward = rewards[seat] if objective == "own" else rewards.sum(axis=0)
    return _extreme(model, reward, check_policy(partner, model, "partner"), seat, np.argmax)


def worst_case(policy: Any, *, seat: int, model: KitchenModel | None = None) -> Response:
    """Return the least that `policy` can be made to earn for `seat`, and by which partner.

    The partner sees the state and the step, minimises the own return of `seat`, and its own costs
    do not matter to it: tau = inf without the support of any nominal partner.

    Parameters
    ----------
    policy : array_like, shape (S, 5) or (horizon, S, 5)
        Action probabilities of `seat`.
    seat : {0, 1}
        Whose policy it is.
    model : KitchenModel, optional
        By default that of the paper's kitchen.

    Returns
    -------
    Response
        The own return of `seat`, and the actions of its PARTNER.

    Raises
    ------
    ValueError
        If the table or the seat breaks its rule.

    Examples
    --------
    >>> worst_case(stand_still(), seat=1).value  # whoever stands still pays nothing
    0.0
    """
    model = kitchen_model() if model is None else model
    check_seat(seat)
    reward = model.rewards()[seat]
    return _extreme(model, reward, check_policy(policy, model), 1 - seat, np.argmin)


def nash_conv(team: Any, *, model: KitchenModel | None = None) -> NashConv:
    """Return how far a pair of policies is from a Nash equilibrium of the episode.

    Parameters
    ----------
    team : array_like, shape (2, S, 5), or two array_likes
        Action probabilities of both seats.
    model : KitchenModel, optional
        By default that of the paper's kitchen.

    Returns
    -------
    NashConv

    Raises
    ------
    ValueError
        If a table has the wrong shape or is no distribution.

    Examples
    --------
    >>> round(nash_conv([stand_still(), stand_still()]).value, 1)  # either would rather work alone
    174.5
    """
    model = kitchen_model() if model is None else model
    returns = evaluate(team, model=model).returns
    best = [best_response(team[1 - seat], seat=seat, model=model).value for seat in (0, 1)]
    gains = np.array(best) - returns
    return NashConv(value=float(gains.sum()), gains=gains, returns=returns)


def team_optimum(model: KitchenModel | None = None) -> tuple[Response, Response]:
    """Return the policies of both seats that together earn most; each carries the sum as value.

    Examples
    --------
    >>> first, second = team_optimum()
    >>> round(first.value, 1)
    304.2
    """
    model = kitchen_model() if model is None else model
    reward = model.rewards().sum(axis=0)
    joint = np.empty((model.horizon, model.n_states), np.int64)

    def best(step: int, payoffs: Array) -> Array:
        flat = payoffs.reshape(model.n_states, -1)
        joint[step] = flat.argmax(axis=1)
        return np.asarray(flat.max(axis=1))

    value = model.first(backward(model, reward, best))
    first, second = np.divmod(joint, model.n_actions)
    both = [Response(value=value, actions=a.astype(np.int8)) for a in (first, second)]
    return both[0], both[1]


def landmarks(model: KitchenModel | None = None) -> Landmarks:
    """Return the marks that a team's return is measured against.

    Examples
    --------
    >>> marks = landmarks()
    >>> round(marks.team, 1), round(marks.one_worker, 1), round(marks.lone_worker, 1)
    (304.2, 184.2, 87.2)
    """
    return _landmarks((kitchen_model() if model is None else model).env)


@lru_cache(maxsize=4)
def _landmarks(env: Kitchen) -> Landmarks:
    """Landmarks of one environment; both seats are alike in them by symmetry."""
    model = kitchen_model(env)
    still = stand_still(model)
    return Landmarks(
        team=team_optimum(model)[0].value,
        one_worker=best_response(still, seat=0, objective="team", model=model).value,
        lone_worker=best_response(still, seat=0, model=model).value,
    )


def backward(model: KitchenModel, reward: Array, value: Callable[[int, Array], Array]) -> Array:
    """Values of the first step, shape (S,), by backward induction.

    `value(step, payoffs)` maps the (S, 5, 5) payoffs of joint actions in a step to values (S,).
    """
    values = np.zeros(model.n_states)
    for step in reversed(range(model.horizon)):
        values = value(step, reward + model.expect(values))
    return values


def against(payoffs: Array, policy: Array, seat: int) -> Array:
    """Payoffs (S, 5) of one seat's actions when `policy` (S, 5) sits at `seat`, the other one."""
    axes = "sab,sa->sb" if seat == 0 else "sab,sb->sa"
    return np.asarray(np.einsum(axes, payoffs, policy))


def check_seat(seat: int) -> None:
    """Raise ValueError unless the seat is 0 or 1."""
    if seat not in (0, 1):
        raise ValueError(f"seat must be 0 or 1, got {seat!r}")


def _extreme(
    model: KitchenModel, reward: Array, fixed: Array, seat: int, choose: Callable[..., Any]
) -> Response:
    """Response of `seat` to the fixed policy of the other, chosen by argmax or argmin."""
    actions = np.empty((model.horizon, model.n_states), np.int8)

    def value(step: int, payoffs: Array) -> Array:
        mine = against(payoffs, fixed[step % len(fixed)], 1 - seat)
        actions[step] = choose(mine, axis=1)
        return np.asarray(np.take_along_axis(mine, actions[step][:, None], axis=1)[:, 0])

    values = backward(model, reward, value)
    return Response(value=model.first(values), actions=actions)
