"""Exact expected returns and event counts of pairs of policies, alone or as a cross-play matrix.

The distribution over states is carried forward through an episode and summed over its steps; what
a pair earns is linear in that sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from marl.exact import _kernels
from marl.exact.model import EVENTS, KitchenModel, kitchen_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_BLOCK = 64  # columns at once: their distributions (13 MB) stay in the cache


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Exact expectations of one pair of policies, or of a matrix of pairs (leading axes).

    Attributes
    ----------
    returns : ndarray, shape (..., 2)
        Own return of each seat: shared plus private.
    shared : ndarray, shape (...)
        Reward that both seats get.
    private : ndarray, shape (..., 2)
        Reward of each seat alone; costs are negative.
    events : dict of ndarray, shape (..., 2)
        Expected number of "deliveries", "pickups", "moves" and "bumps" of each seat.
    """

    returns: Array
    shared: Array
    private: Array
    events: dict[str, Array]

    @property
    def total(self) -> Array:
        """Sum of both seats' returns, shape (...)."""
        return np.asarray(self.returns.sum(axis=-1))

    @property
    def free_riding(self) -> Array:
        """Degree of free-riding, the difference of the private costs, shape (...)."""
        return np.asarray(np.abs(self.private[..., 0] - self.private[..., 1]))


def evaluate(
    team: Any, *, model: KitchenModel | None = None, steps: int | None = None
) -> Evaluation:
    """Return what a pair of policies earns in expectation, exactly.

    Parameters
    ----------
    team : array_like, shape (2, S, 5), or two array_likes
        Action probabilities of seat 0 and seat 1 in every state, see `policy_table`. A policy may
        have shape (horizon, S, 5): another table in every step.
    model : KitchenModel, optional
        By default that of the paper's kitchen.
    steps : int, optional
        Steps played, beginning a new episode whenever one ends; by default one episode.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If a table has the wrong shape or is no distribution, or steps is negative.

    Notes
    -----
    Exact up to rounding (about 1e-12); 0.04 CPU seconds.

    Examples
    --------
    >>> from marl.exact import kitchen_model, stand_still
    >>> evaluate([stand_still(), stand_still()]).total.item()
    0.0
    """
    model = kitchen_model() if model is None else model
    policies = check_team(team, model)
    taken = _kernels.visits(
        model.successors, model.respawn, model.start, _weights(model, steps), policies
    )
    return _evaluation(model, np.einsum("sab,sabik->ik", taken, model.events))


def crossplay(
    rows: Any,
    columns: Any = None,
    *,
    model: KitchenModel | None = None,
    steps: int | None = None,
) -> Evaluation:
    """Return the exact cross-play matrix: entry (r, c) seats team r's agent 0 and team c's agent 1.

    Parameters
    ----------
    rows, columns : array_like, shapes (R, 2, S, 5) and (C, 2, S, 5)
        Teams of stationary policies; columns are the rows by default.
    model : KitchenModel, optional
        By default that of the paper's kitchen.
    steps : int, optional
        Steps played, beginning a new episode whenever one ends; by default one episode.

    Returns
    -------
    Evaluation
        Its arrays have leading axes (R, C).

    Raises
    ------
    ValueError
        If the teams have the wrong shape or are no distributions, or steps is negative.

    Notes
    -----
    About 5 ms of CPU an entry: 60x60 teams take 20 seconds (`python -m benchmarks.marl_exact`).
    """
    model = kitchen_model() if model is None else model
    first = check_teams(rows, model, "rows")
    second = first if columns is None else check_teams(columns, model, "columns")
    weights = _weights(model, steps)
    events = np.empty((len(first), len(second), 2, len(EVENTS)))
    for begin in range(0, len(second), _BLOCK):
        block = second[begin : begin + _BLOCK, 1]
        packed = np.ascontiguousarray(np.moveaxis(block, 0, -1))
        for r, row in enumerate(first[:, 0]):
            visited = _kernels.visits_of_many(
                model.successors, model.respawn, model.start, weights, row, packed
            )
            expected = np.einsum("sa,sabik->sbik", row, model.events)
            taken = np.einsum("sc,csb->csb", visited, block).reshape(len(block), -1)
            found = taken @ expected.reshape(taken.shape[1], -1)
            events[r, begin : begin + _BLOCK] = found.reshape(-1, 2, len(EVENTS))
    return _evaluation(model, events)


def _evaluation(model: KitchenModel, events: Array) -> Evaluation:
    """Rewards from expected events, shape (..., 2, 4)."""
    env = model.env
    shared = (events @ [env.delivery, env.pickup, 0.0, 0.0]).sum(axis=-1)
    private = events @ [0.0, 0.0, -env.move_cost, -env.bump_cost]
    counts = {name: events[..., k] for k, name in enumerate(EVENTS)}
    returns = shared[..., None] + private
    return Evaluation(returns=returns, shared=shared, private=private, events=counts)


def _weights(model: KitchenModel, steps: int | None) -> Array:
    """How often each step of an episode is played, shape (horizon,)."""
    steps = model.horizon if steps is None else steps
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps must be a non-negative integer, got {steps!r}")
    episodes, rest = divmod(steps, model.horizon)
    return episodes + (np.arange(model.horizon) < rest).astype(float)


def check_policy(policy: Any, model: KitchenModel, name: str = "policy") -> Array:
    """Policy as float64, shape (1 or horizon, S, 5), or ValueError naming the argument."""
    table = np.asarray(policy, dtype=np.float64)
    one = (model.n_states, model.n_actions)
    if table.shape not in (one, (model.horizon, *one)):
        raise ValueError(
            f"{name} must have shape {one} or {(model.horizon, *one)}, got {table.shape}"
        )
    check_distributions(table, name)
    return np.ascontiguousarray(table.reshape(-1, *one))


def check_distributions(table: Array, name: str) -> None:
    """Raise ValueError unless the last axis holds probabilities that sum to one."""
    if not (table >= 0).all():  # false for NaN too
        raise ValueError(f"{name} must hold probabilities >= 0, got {table[~(table >= 0)][0]}")
    gap = np.abs(table.sum(axis=-1) - 1).max(initial=0.0)
    if gap > 1e-9:
        raise ValueError(f"the probabilities of {name} must sum to 1 within 1e-9, off by {gap:.1e}")


def check_team(team: Any, model: KitchenModel) -> tuple[Array, Array]:
    """Policies of both seats, each of shape (1 or horizon, S, 5)."""
    if len(team) != 2:
        raise ValueError(f"team must hold the policies of two seats, got {len(team)}")
    return check_policy(team[0], model, "team[0]"), check_policy(team[1], model, "team[1]")


def check_teams(teams: Any, model: KitchenModel, name: str) -> Array:
    """Teams as float64, shape (K, 2, S, 5)."""
    tables = np.ascontiguousarray(teams, dtype=np.float64)
    shape = (2, model.n_states, model.n_actions)
    if tables.ndim != 4 or tables.shape[1:] != shape:
        raise ValueError(
            f"{name} must have shape (teams, {', '.join(map(str, shape))}), got {tables.shape}"
        )
    check_distributions(tables, name)
    return tables
