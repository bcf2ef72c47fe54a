"""The grid-world kitchen: one pot, two onions, two agents who may block each other.

Rules (arXiv 2602.21515, section 6 and appendix D; figures in brackets are the defaults):

- A grid of 5x5 cells, rows and columns 0..4. The pot at (2, 2) is solid, the onions lie at (3, 4)
  and (4, 3), the agents start at (1, 0) and (0, 1), assigned at random.
- Actions: up, down, left, right, stay. Every other than stay costs its agent `move_cost` (0.2).
- Each step the agents act one after the other, in random order; moves are clipped at the walls.
- Bumping into the pot: stay; if carrying, deliver: `delivery` (10) to both.
- Bumping into the other agent: stay, and the mover pays `bump_cost` (2) on top of the move.
- Ending a move (not stay) on the cell of an available onion while not carrying: pick it up,
  `pickup` (1) to both. A move into a wall ends on the agent's own cell and counts.
- After the moves each missing onion returns with probability `respawn` (0.2), also in the step in
  which it was taken.
- An episode lasts `horizon` (50) steps.

Observation, 8 numbers: row, column and carrying (0 or 1) of agent 0, the same of agent 1, and
whether each onion is there. Both agents see the same, unless `egocentric`, where agent 1 sees
itself first: what a policy needs that is shared by both seats.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jax import Array, random

from marl.envs.base import Step, check_finite, check_truth, plain_numbers

SIZE = 5
POT = (2, 2)
ONIONS = ((3, 4), (4, 3))
STARTS = ((1, 0), (0, 1))
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
ACTIONS = ("up", "down", "left", "right", "stay")
STAY = ACTIONS.index("stay")
EVENTS = ("deliveries", "pickups", "moves", "bumps")


class KitchenState(NamedTuple):
    """Where everything is; integer arrays, so that states can be enumerated."""

    pos: Array
    """[2, 2] int32: row and column of each agent."""
    carrying: Array
    """[2] bool: whether each agent holds an onion."""
    onions: Array
    """[2] bool: whether each onion lies in its place."""
    t: Array
    """[] int32: steps since the episode began."""


class Moved(NamedTuple):
    """What the agents' moves bring, before missing onions return and time passes."""

    state: KitchenState
    shared: Array
    private: Array
    info: dict[str, Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kitchen:
    """The kitchen of this module's docstring.

    Parameters
    ----------
    horizon : int, default 50
        Steps in an episode, at least 1.
    move_cost, bump_cost : float, default 0.2 and 2.0
        What an agent pays for a move, and on top of it for running into the other; reward units.
    delivery, pickup : float, default 10.0 and 1.0
        What both agents get for a delivery and for a pick-up; reward units.
    respawn : float in [0, 1], default 0.2
        Probability that a missing onion returns within a step.
    egocentric : bool, default False
        Whether each agent sees itself first in its observation.

    Raises
    ------
    ValueError
        If the horizon is not positive, a number not finite, `respawn` no probability, or
        `egocentric` neither True nor False.

    Examples
    --------
    >>> import jax
    >>> env = Kitchen()
    >>> state, obs = env.reset(jax.random.key(0))
    >>> sorted(map(tuple, state.pos.tolist()))
    [(0, 1), (1, 0)]
    >>> step = env.step(jax.random.key(1), state, jax.numpy.array([4, 4]))
    >>> float(step.shared), (step.private + 0).tolist(), bool(step.done)
    (0.0, [0.0, 0.0], False)
    """

    horizon: int = 50
    move_cost: float = 0.2
    bump_cost: float = 2.0
    delivery: float = 10.0
    pickup: float = 1.0
    respawn: float = 0.2
    egocentric: bool = False

    def __post_init__(self) -> None:
        plain_numbers(self)
        whole = isinstance(self.horizon, int) and not isinstance(self.horizon, bool)
        if not whole or self.horizon < 1:
            raise ValueError(f"horizon must be a positive integer, got {self.horizon!r}")
        for name in ("move_cost", "bump_cost", "delivery", "pickup", "respawn"):
            check_finite(name, getattr(self, name))
        check_truth("egocentric", self.egocentric)
        if not 0 <= self.respawn <= 1:
            raise ValueError(f"respawn must be a probability, got {self.respawn!r}")

    name: ClassVar[str] = "kitchen"
    n_agents: ClassVar[int] = 2
    n_actions: ClassVar[int] = len(ACTIONS)
    obs_size: ClassVar[int] = 8
    events: ClassVar[tuple[str, ...]] = EVENTS

    def options(self) -> dict[str, Any]:
        """Keywords from which `marl.make_env` builds an equal kitchen."""
        return dataclasses.asdict(self)

    def reset(self, key: Array) -> tuple[KitchenState, Array]:
        """Start of an episode: both onions there, nobody carrying, starts assigned at random."""
        starts = jnp.asarray(STARTS, jnp.int32)
        pos = jnp.where(random.bernoulli(key), starts, starts[::-1])
        nothing = jnp.zeros(2, bool)
        state = KitchenState(pos, nothing, ~nothing, jnp.int32(0))
        return state, self.observe(state)

    def observe(self, state: KitchenState) -> Array:
        """[2, 8] float32: what each agent sees."""
        bodies = jnp.concatenate([state.pos, state.carrying[:, None]], axis=1).astype(jnp.float32)
        onions = state.onions.astype(jnp.float32)
        first = jnp.concatenate([bodies[0], bodies[1], onions])
        second = jnp.concatenate([bodies[1], bodies[0], onions]) if self.egocentric else first
        return jnp.stack([first, second])

    def legal(self, state: KitchenState) -> Array:
        """[2, 5] bool: every action is always legal."""
        return jnp.ones((2, len(ACTIONS)), bool)

    def step(self, key: Array, state: KitchenState, actions: Array) -> Step:
        """Move both agents in random order, then let missing onions return."""
        bits = random.uniform(key, (3,))
        moved = self.move(state, actions, (bits[0] < 0.5).astype(jnp.int32))
        after = moved.state
        onions = after.onions | (bits[1:] < self.respawn)
        after = after._replace(onions=onions, t=state.t + 1)
        done = after.t >= self.horizon
        return Step(after, self.observe(after), moved.shared, moved.private, done, moved.info)

    def move(self, state: KitchenState, actions: Array, first: Array | int) -> Moved:
        """Both agents' moves, agent `first` (0 or 1) before the other; nothing random.

        Onions that are taken are missing in the result, and time stands still: the caller lets
        onions return and counts the step.
        """
        first = jnp.asarray(first, jnp.int32)
        is_first = jnp.arange(2) == first
        target, wants = _intend(state.pos, actions)
        blocked = _stopped_by_pot(target)
        goes = wants & ~blocked
        hits = jnp.all(target == state.pos[::-1], axis=1)
        # Who moves second sees where the first has gone; the first sees the other's old place.
        first_goes = goes & ~hits
        new_place = jnp.where(first_goes[:, None], target, state.pos)
        hits_moved = jnp.all(target == new_place[::-1], axis=1)
        bumps = goes & jnp.where(is_first, hits, hits_moved)
        goes = goes & ~bumps
        pos = jnp.where(goes[:, None], target, state.pos)
        return self._collect(state, pos, wants, delivers=wants & blocked, bumps=bumps)

    def _collect(
        self, state: KitchenState, pos: Array, wants: Array, *, delivers: Array, bumps: Array
    ) -> Moved:
        """Deliveries, pick-ups and costs once everybody is in place.

        Two agents never end on one cell, so the order no longer matters.
        """
        delivers = delivers & state.carrying
        cells = jnp.asarray(ONIONS, jnp.int32)
        on_onion = jnp.all(pos[:, None] == cells[None], axis=2) & state.onions[None]
        takes = on_onion & (wants & ~state.carrying)[:, None]
        picks = takes.any(axis=1)
        info = {
            "deliveries": delivers.astype(jnp.float32),
            "pickups": picks.astype(jnp.float32),
            "moves": wants.astype(jnp.float32),
            "bumps": bumps.astype(jnp.float32),
        }
        shared = self.delivery * info["deliveries"].sum() + self.pickup * info["pickups"].sum()
        private = 0.0 - self.move_cost * info["moves"] - self.bump_cost * info["bumps"]
        carrying = (state.carrying & ~delivers) | picks
        onions = state.onions & ~takes.any(axis=0)
        return Moved(KitchenState(pos, carrying, onions, state.t), shared, private, info)


def _intend(pos: Array, actions: Array) -> tuple[Array, Array]:
    """Cells [2, 2] that the agents aim at, clipped at the walls, and who moves at all [2]."""
    up, down = actions == 0, actions == 1
    left, right = actions == 2, actions == 3
    rows = down.astype(jnp.int32) - up.astype(jnp.int32)
    columns = right.astype(jnp.int32) - left.astype(jnp.int32)
    target = jnp.clip(pos + jnp.stack([rows, columns], axis=1), 0, SIZE - 1)
    return target, actions != STAY


def _stopped_by_pot(target: Array) -> Array:
    """Who aims at the pot, [2] bool."""
    return (target[:, 0] == POT[0]) & (target[:, 1] == POT[1])
