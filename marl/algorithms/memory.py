"""A bounded store of past partners and adversaries, to play against again."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, random


class Memory(NamedTuple):
    """The last snapshots, oldest overwritten first."""

    actors: Any
    """Pytree of actors' weights, every leaf [capacity, L, ...]."""
    taken: Array
    """[] int32: snapshots taken so far."""


def empty(partners: Any, capacity: int) -> Memory:
    """Memory whose slots all hold today's partners, weights [L, 1, ...]."""
    actors = jax.tree.map(lambda x: jnp.repeat(x[:, 0][None], capacity, axis=0), partners)
    return Memory(actors, jnp.int32(0))


def draw(memory: Memory, key: Array) -> Any:
    """One snapshot for all learners, uniformly from those taken; today's partners before any."""
    capacity = jax.tree.leaves(memory.actors)[0].shape[0]
    filled = jnp.clip(memory.taken, 1, capacity)
    slot = random.randint(key, (), 0, filled)
    return jax.tree.map(lambda x: x[slot], memory.actors)


def remember(memory: Memory, partners: Any, adversaries: Any | None, due: Array) -> Memory:
    """Memory with one more snapshot if it is `due`: partners and adversaries take turns.

    Weights [L, 1, ...] of the partners and [L, ...] of their adversaries, or None.
    """
    capacity = jax.tree.leaves(memory.actors)[0].shape[0]
    slot = memory.taken % capacity
    actors = jax.tree.map(lambda x: x[:, 0], partners)
    if adversaries is not None:
        turn = memory.taken % 2 == 0
        actors = jax.tree.map(lambda a, b: jnp.where(turn, a, b), actors, adversaries)
    stored = jax.tree.map(lambda x, new: x.at[slot].set(new), memory.actors, actors)
    later = Memory(stored, memory.taken + 1)
    kept: Memory = jax.tree.map(lambda new, old: jnp.where(due, new, old), later, memory)
    return kept
