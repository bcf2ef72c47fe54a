"""Sampled play of fixed policies, many environments at once.

A policy is a pure function ``policy(params, key, obs, legal) -> action`` of one agent's observation
[obs_size] and legal actions [n_actions]; what it has learned comes as `params`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from marl.networks import Actor, mask

if TYPE_CHECKING:
    from jax import Array

    from marl.envs.base import Env

__all__ = ["Totals", "learned", "play"]

Policy = Callable[[Any, "Array", "Array", "Array"], "Array"]


class Totals(NamedTuple):
    """Sums over the steps of one environment, or of a batch of them with leading axes."""

    shared: Array
    """[] float32: reward that every agent got."""
    private: Array
    """[n_agents] float32: reward of each agent alone; costs are negative."""
    events: dict[str, Array]
    """Per event of the environment, [n_agents] float32."""

    @property
    def team(self) -> Array:
        """Return of all seats together, as the paper sums it: shared parts count once a seat."""
        return self.private.shape[-1] * self.shared + self.private.sum(axis=-1)


def learned(env: Env, algo: Any, *, greedy: bool = False) -> Policy:
    """Return the policy of a trained actor: sampled as in training, or its most probable action.

    Parameters
    ----------
    env : Env
        Gives the number of actions.
    algo : object
        Algorithm that trained it; its ``hidden`` and ``activation`` give the network.
    greedy : bool
        Take the most probable action instead of a sample.
    """
    actor = Actor(env.n_actions, hidden=tuple(algo.hidden), activation=algo.activation)

    def policy(params: Any, key: Array, obs: Array, legal: Array) -> Array:
        logits = mask(cast("Array", actor.apply({"params": params}, obs)), legal)
        return jnp.argmax(logits, -1) if greedy else jax.random.categorical(key, logits)

    return policy


def play(
    env: Env,
    policies: Sequence[Policy],
    params: Sequence[Any],
    key: Array,
    n: int,
    *,
    once: bool = False,
) -> Totals:
    """Play `n` steps of one environment, episode after episode; to be vmapped over keys and params.

    `policies` and `params` have one entry per seat. With `once`, the first episode alone counts.
    """

    def turn(carry: Any, key: Array) -> tuple[Any, None]:
        state, obs, totals, counts = carry
        own, world, again = jax.random.split(key, 3)
        keys, legal = jax.random.split(own, env.n_agents), env.legal(state)
        actions = [policies[i](params[i], keys[i], obs[i], legal[i]) for i in range(env.n_agents)]
        step = env.step(world, state, jnp.stack(actions).astype(jnp.int32))
        brought = Totals(step.shared, step.private, step.info)
        if once:
            brought = jax.tree.map(lambda x: jnp.where(counts, x, 0.0), brought)
        totals = jax.tree.map(jnp.add, totals, brought)
        fresh = env.reset(again)
        pick = lambda new, old: jnp.where(step.done, new, old)  # noqa: E731
        state, obs = jax.tree.map(pick, fresh, (step.state, step.obs))
        return (state, obs, totals, counts & ~step.done), None

    start, steps = jax.random.split(key)
    state, obs = env.reset(start)
    zeros = jnp.zeros(env.n_agents, jnp.float32)
    nothing = Totals(jnp.float32(0.0), zeros, {name: zeros for name in env.events})
    carry, _ = jax.lax.scan(
        turn, (state, obs, nothing, jnp.array(True)), jax.random.split(steps, n)
    )
    totals: Totals = carry[2]
    return totals


class Moment(NamedTuple):
    """What a spectator sees of one step; stacked over the steps of an episode."""

    state: Any
    """State before the step."""
    actions: Array
    """[n_agents] int32."""
    shared: Array
    """[] float32."""
    private: Array
    """[n_agents] float32."""


def episode(env: Env, policies: Sequence[Policy], params: Sequence[Any], key: Array) -> Moment:
    """One whole episode, every leaf [horizon, ...]; steps after its end stand still."""

    def turn(carry: Any, key: Array) -> tuple[Any, Moment]:
        state, obs, over = carry
        own, world = jax.random.split(key)
        keys, legal = jax.random.split(own, env.n_agents), env.legal(state)
        actions = [policies[i](params[i], keys[i], obs[i], legal[i]) for i in range(env.n_agents)]
        step = env.step(world, state, jnp.stack(actions).astype(jnp.int32))
        alive = 1.0 - over
        moment = Moment(state, jnp.stack(actions), alive * step.shared, alive * step.private)
        keep = lambda new, old: jnp.where(over, old, new)  # noqa: E731
        after, seen = jax.tree.map(keep, (step.state, step.obs), (state, obs))
        return (after, seen, over | step.done), moment

    start, steps = jax.random.split(key)
    carry = (*env.reset(start), jnp.array(False))
    moments: Moment = jax.lax.scan(turn, carry, jax.random.split(steps, env.horizon))[1]
    return moments
