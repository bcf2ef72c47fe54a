"""The kitchen as tables: every state, what each joint action leads to, and what it earns.

States are numbered 0, ..., S - 1 in the order of their observations
``(r0, c0, carries0, r1, c1, carries1, onion0, onion1)``, so four consecutive states differ in the
onions alone. A joint action leads to one of two states, equally likely, one for each order of
the moves; after it each missing onion returns by chance. This file is written from the rules of the
environment and shares no code with it: tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from marl.exact._kernels import mean_next

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marl.envs.kitchen import Kitchen

    Array = NDArray[np.float64]
    Ints = NDArray[np.int32]

SIZE, POT, ONIONS, STARTS = 5, (2, 2), ((3, 4), (4, 3)), ((1, 0), (0, 1))
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)])  # up, down, left, right, stay
STAY = 4
EVENTS = ("deliveries", "pickups", "moves", "bumps")


@dataclass(frozen=True, eq=False, kw_only=True)
class KitchenModel:
    """Exact tables of the two-player kitchen; `kitchen_model` builds them.

    Attributes
    ----------
    states : ndarray of int8, shape (S, 8)
        The observation of each state; S = 8832.
    successors : ndarray of int32, shape (S, 5, 5, 2)
        State after the moves, before onions return: axes state, actions of seats 0 and 1, and
        which seat moves first.
    events : ndarray of float64, shape (S, 5, 5, 2, 4)
        Expected number of deliveries, pick-ups, moves and bumps (last axis) of each seat.
    shared : ndarray of float64, shape (S, 5, 5)
        Expected reward that both seats get.
    private : ndarray of float64, shape (S, 5, 5, 2)
        Expected reward of each seat alone; costs are negative.
    respawn : ndarray of float64, shape (4, 4)
        Probability of the onions (columns) next, given those left after the moves (rows).
    start : ndarray of float64, shape (S,)
        Distribution of the first state.
    env : marl.envs.kitchen.Kitchen
        The environment that the tables describe.
    """

    states: NDArray[np.int8]
    successors: Ints
    events: Array
    shared: Array
    private: Array
    respawn: Array
    start: Array
    env: Kitchen

    @property
    def horizon(self) -> int:
        """Steps in an episode."""
        return self.env.horizon

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return len(self.states)

    @property
    def n_actions(self) -> int:
        """Number of actions of a seat."""
        return len(MOVES)

    def rewards(self) -> Array:
        """Expected own reward of each seat, shape (2, S, 5, 5): shared plus private."""
        return self.shared + np.moveaxis(self.private, -1, 0)

    def expect(self, values: Array) -> Array:
        """Expected value of the next state, shape (S, 5, 5), of values, shape (S,)."""
        after = (values.reshape(-1, 4) @ self.respawn.T).ravel()
        expected = np.empty(self.successors.shape[:3])
        mean_next(self.successors, after, expected)
        return expected

    def first(self, values: Array) -> float:
        """Expected value of the first state of an episode, of values, shape (S,)."""
        return float(self.start @ values)


def kitchen_model(env: Kitchen | None = None) -> KitchenModel:
    """Build the exact model of a kitchen; the last few are kept, so asking again costs nothing.

    Parameters
    ----------
    env : marl.envs.kitchen.Kitchen, optional
        The environment, by default the paper's.

    Returns
    -------
    KitchenModel

    Raises
    ------
    TypeError
        If `env` is no kitchen.

    Notes
    -----
    Takes a tenth of a second and 20 MB.

    Examples
    --------
    >>> model = kitchen_model()
    >>> model.n_states, model.horizon
    (8832, 50)
    """
    from marl.envs.kitchen import Kitchen

    env = Kitchen() if env is None else env
    if not isinstance(env, Kitchen):
        raise TypeError(f"env must be a Kitchen, the only one with exact values, got {env!r}")
    return _build(env)


@lru_cache(maxsize=4)
def _build(env: Kitchen) -> KitchenModel:
    """Attach rewards, returning onions and first states to the tables of moves."""
    states, index = _states()
    successors, events = _moves(states, index)
    one = np.array([[1 - env.respawn, env.respawn], [0.0, 1.0]])
    start = np.zeros(len(states))
    for a, b in (STARTS, STARTS[::-1]):
        start[index[_code(np.array([*a, 0, *b, 0, 1, 1]))]] += 0.5
    arrays = {
        "states": states,
        "successors": successors,
        "events": events,
        "shared": (events @ [env.delivery, env.pickup, 0.0, 0.0]).sum(axis=-1),
        "private": events @ [0.0, 0.0, -env.move_cost, -env.bump_cost],
        "respawn": np.kron(one, one),
        "start": start,
    }
    for array in arrays.values():
        array.flags.writeable = False
    return KitchenModel(env=env, **arrays)


def _moves(states: NDArray[np.int8], index: Ints) -> tuple[Ints, Array]:
    """Successors and events of every state and joint action: `KitchenModel` has the shapes."""
    successors = np.empty((len(states), 5, 5, 2), np.int32)
    events = np.zeros((len(states), 5, 5, 2, len(EVENTS)))
    for actions in np.ndindex(5, 5):
        for first in (0, 1):
            after, happened = _move(states, actions, first)
            successors[:, *actions, first] = index[_code(after)]
            events[:, *actions] += happened / 2
    return successors, events


def _code(states: NDArray[np.int8]) -> NDArray[np.int64]:
    """Mixed-radix code of observations, shape (..., 8); order and onions as in the module text."""
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(states, -1, 0)), _RADIX))


_RADIX = (SIZE, SIZE, 2, SIZE, SIZE, 2, 2, 2)


def _states() -> tuple[NDArray[np.int8], Ints]:
    """All states, shape (S, 8), and the index of each code (-1: no state)."""
    every = np.stack(np.unravel_index(np.arange(np.prod(_RADIX)), _RADIX), -1).astype(np.int8)
    here, there = every[:, 0:2], every[:, 3:5]
    apart = (here != there).any(-1) & (here != POT).any(-1) & (there != POT).any(-1)
    index = np.full(len(every), -1, np.int32)
    index[apart] = np.arange(apart.sum())
    return every[apart], index


def _move(
    states: NDArray[np.int8], actions: tuple[int, ...], first: int
) -> tuple[NDArray[np.int8], Array]:
    """States after both moves, shape (S, 8), and what happened, shape (S, 2, 4)."""
    after = states.copy()
    happened = np.zeros((len(states), 2, len(EVENTS)))
    for seat in (first, 1 - first):
        if actions[seat] != STAY:
            _move_one(after, happened[:, seat], seat, actions[seat])
    return after, happened


def _move_one(after: NDArray[np.int8], happened: Array, seat: int, action: int) -> None:
    """Apply one seat's move to every state; both arrays are modified in place."""
    mine = slice(3 * seat, 3 * seat + 2)
    other = slice(3 - 3 * seat, 5 - 3 * seat)
    carries = after[:, 3 * seat + 2]
    target = np.clip(after[:, mine] + MOVES[action], 0, SIZE - 1)
    into_pot = (target == POT).all(-1)
    bumped = (target == after[:, other]).all(-1)
    delivered = into_pot & (carries == 1)
    after[:, mine] = np.where((into_pot | bumped)[:, None], after[:, mine], target)
    carries[delivered] = 0
    happened[:, 0] = delivered
    for onion, cell in enumerate(ONIONS):
        taken = (after[:, mine] == cell).all(-1) & (after[:, 6 + onion] == 1) & (carries == 0)
        carries[taken] = 1
        after[taken, 6 + onion] = 0
        happened[:, 1] += taken
    happened[:, 2] = 1
    happened[:, 3] = bumped
