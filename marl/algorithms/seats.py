"""Who sits where: which network sees which seat of which table, and gives its actions.

A *table* is one copy of the environment. Of an update's tables the first `nominal` are played by
the agents among themselves; the others are played by one agent and its adversary, which takes all
the other seats (or, where policies are shared, by one adversary in a seat drawn at random).
A *learner* is one pair of agent and adversary: agent i, or the only one where policies are shared.
A *column* is one seat of one table, as the learner who sits there sees it.

Axes: E tables, n seats, L learners, C columns of a learner's agent, k tables of its adversary,
p seats that an adversary takes.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, random

from marl.envs.base import Env, Step


class Seating(Protocol):
    """Maps between tables [E, n, ...] and what the networks of each learner see."""

    @property
    def learners(self) -> int:
        """L, the number of agents' networks."""

    @property
    def tables(self) -> int:
        """E, the number of environments."""

    @property
    def columns(self) -> int:
        """C, the number of seats that each agent's network plays."""

    @property
    def nominal_columns(self) -> int:
        """How many of the C columns, the first ones, belong to nominal tables."""

    @property
    def adversarial(self) -> int:
        """k, the number of tables of each adversary."""

    @property
    def partners(self) -> int:
        """p, the number of seats that an adversary takes."""

    def draw(self, key: Array) -> Array:
        """[L, k] int32: the seat at which each adversarial table's adversary (or agent) sits."""

    def agents(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [L, C, ...]."""

    def adversaries(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [L, k, p, ...]."""

    def actions(self, agents: Array, adversaries: Array | None, seats: Array) -> Array:
        """[L, C] and [L, k, p] -> [E, n]."""

    def opposed(self, own: Array) -> Array:
        """What the agents [L, C] earn at their adversaries' tables: [L, k]."""

    def joined(self, own: Array) -> Array:
        """What all seats of a nominal table see, own seat first: [L, C, o] -> [L, C, n * o]."""

    def partner_params(self, params: Any) -> Any:
        """Agents' parameters [L, ...] by the seats that adversaries take: [L, p, ...]."""


@dataclasses.dataclass(frozen=True)
class Separate:
    """One network per seat: agent i sits in seat i, its adversary in all the others."""

    n_agents: int
    nominal: int
    adversarial: int

    @property
    def learners(self) -> int:
        """One learner per seat."""
        return self.n_agents

    @property
    def tables(self) -> int:
        """Nominal tables are shared by all, adversarial ones belong to one learner."""
        return self.nominal + self.n_agents * self.adversarial

    @property
    def columns(self) -> int:
        """Every agent plays one seat at each nominal table and at each table of its own."""
        return self.nominal + self.adversarial

    @property
    def nominal_columns(self) -> int:
        """One seat of each nominal table."""
        return self.nominal

    @property
    def partners(self) -> int:
        """All the seats but one."""
        return self.n_agents - 1

    def others(self) -> np.ndarray:
        """[n, n - 1] int: for each seat, the other seats in order."""
        n = self.n_agents
        return np.array([[j for j in range(n) if j != i] for i in range(n)], np.int32)

    def draw(self, key: Array) -> Array:
        """Nothing is drawn: agent i sits in seat i."""
        own = jnp.arange(self.n_agents, dtype=jnp.int32)[:, None]
        return jnp.broadcast_to(own, (self.n_agents, self.adversarial))

    def _blocks(self, x: Array) -> Array:
        """Adversarial tables by learner: [E, n, ...] -> [n, k, n, ...]."""
        return x[self.nominal :].reshape(self.n_agents, self.adversarial, *x.shape[1:])

    def agents(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [n, nominal + k, ...]: seat i of the nominal and of i's own tables."""
        blocks = self._blocks(x)
        own = jnp.stack([blocks[i, :, i] for i in range(self.n_agents)])
        return jnp.concatenate([jnp.swapaxes(x[: self.nominal], 0, 1), own], axis=1)

    def adversaries(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [n, k, n - 1, ...]: the other seats of i's own tables."""
        blocks = self._blocks(x)
        return jnp.stack([blocks[i][:, other] for i, other in enumerate(self.others())])

    def actions(self, agents: Array, adversaries: Array | None, seats: Array) -> Array:
        """[n, nominal + k] and [n, k, n - 1] -> [E, n]."""
        nominal = agents[:, : self.nominal].T
        if adversaries is None:
            return nominal
        tables = []
        for i in range(self.n_agents):
            own = agents[i, self.nominal :, None]
            tables += [jnp.concatenate([adversaries[i, :, :i], own, adversaries[i, :, i:]], axis=1)]
        return jnp.concatenate([nominal, *tables], axis=0)

    def opposed(self, own: Array) -> Array:
        """Agent i's own reward at its adversary's tables: [n, C] -> [n, k]."""
        return own[:, self.nominal :]

    def joined(self, own: Array) -> Array:
        """[n, nominal, o] -> [n, nominal, n * o]: seat i, then seats i + 1, i + 2, ..."""
        return rolled(own.swapaxes(0, 1)).swapaxes(0, 1)

    def partner_params(self, params: Any) -> Any:
        """Parameters of the other seats' agents: [n, ...] -> [n, n - 1, ...]."""
        return jax.tree.map(lambda leaf: leaf[self.others()], params)


@dataclasses.dataclass(frozen=True)
class Shared:
    """One network for all seats and one adversary, seated at random for each rollout."""

    n_agents: int
    nominal: int
    adversarial: int

    learners = 1
    partners = 1

    @property
    def tables(self) -> int:
        """All tables belong to the only learner."""
        return self.nominal + self.adversarial

    @property
    def nominal_columns(self) -> int:
        """All seats of the nominal tables."""
        return self.n_agents * self.nominal

    @property
    def columns(self) -> int:
        """All seats of the nominal tables, all but one of the adversarial ones."""
        return self.nominal_columns + (self.n_agents - 1) * self.adversarial

    def draw(self, key: Array) -> Array:
        """[1, k] int32: the adversary's seat at each of its tables."""
        return random.randint(key, (1, self.adversarial), 0, self.n_agents)

    def _heroes(self, seats: Array) -> Array:
        """[k, n - 1] int32: the seats that the shared policy keeps."""
        return (seats[0][:, None] + 1 + jnp.arange(self.n_agents - 1)) % self.n_agents

    def agents(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [1, C, ...]: seats of the nominal tables, then the heroes'."""
        nominal = x[: self.nominal].reshape(self.nominal_columns, *x.shape[2:])
        tables = jnp.arange(self.adversarial)[:, None]
        heroes = x[self.nominal :][tables, self._heroes(seats)]
        heroes = heroes.reshape((self.n_agents - 1) * self.adversarial, *x.shape[2:])
        return jnp.concatenate([nominal, heroes], axis=0)[None]

    def adversaries(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [1, k, 1, ...]: the seats that the adversary took."""
        return x[self.nominal :][jnp.arange(self.adversarial), seats[0]][None, :, None]

    def actions(self, agents: Array, adversaries: Array | None, seats: Array) -> Array:
        """[1, C] and [1, k, 1] -> [E, n]."""
        n, k = self.n_agents, self.adversarial
        nominal = agents[0, : self.nominal_columns].reshape(self.nominal, n)
        if adversaries is None:
            return nominal
        heroes = agents[0, self.nominal_columns :].reshape(k, n - 1)
        tables = jnp.arange(k)
        mixed = jnp.zeros((k, n), agents.dtype).at[tables[:, None], self._heroes(seats)].set(heroes)
        mixed = mixed.at[tables, seats[0]].set(adversaries[0, :, 0])
        return jnp.concatenate([nominal, mixed], axis=0)

    def opposed(self, own: Array) -> Array:
        """Mean of the heroes' own rewards at each adversarial table: [1, C] -> [1, k]."""
        heroes = own[0, self.nominal_columns :].reshape(self.adversarial, self.n_agents - 1)
        return heroes.mean(axis=1)[None]

    def joined(self, own: Array) -> Array:
        """[1, nominal * n, o] -> [1, nominal * n, n * o]: seat i, then seats i + 1, i + 2, ..."""
        tables = own.reshape(self.nominal, self.n_agents, own.shape[-1])
        return rolled(tables).reshape(1, self.columns, -1)

    def partner_params(self, params: Any) -> Any:
        """Every seat has the one policy: [1, ...] -> [1, 1, ...]."""
        return jax.tree.map(lambda leaf: leaf[:, None], params)


def rolled(tables: Array) -> Array:
    """Every seat's numbers, then those of the seats after it: [E, n, o] -> [E, n, n * o]."""
    n = tables.shape[1]
    return jnp.concatenate([jnp.roll(tables, -k, axis=1) for k in range(n)], axis=-1)


def step_tables(
    env: Env, env_state: Any, actions: Array, step_keys: Array, reset_keys: Array
) -> tuple[tuple[Any, Array], Step]:
    """Play one step at all tables; where an episode ends the next one begins.

    `actions` is [E, n] and both keys are [E]. Returns the states and observations that follow, of
    the next episode where there is one, and the step itself.
    """
    step = jax.vmap(env.step)(step_keys, env_state, actions)
    fresh = jax.vmap(env.reset)(reset_keys)
    after = jax.tree.map(
        lambda new, old: jnp.where(step.done.reshape(-1, *[1] * (new.ndim - 1)), new, old),
        fresh,
        (step.state, step.obs),
    )
    return after, step
