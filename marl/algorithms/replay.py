"""Learning from a replay buffer with central critics: what `MADDPG` does, as pure functions.

Axes: n seats (one network of each kind per seat), E tables, B samples, R places in the buffer,
A actions, o numbers in an observation.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, random

from marl.algorithms import ppo
from marl.algorithms.maddpg import MADDPG
from marl.algorithms.ppo import Params, Views
from marl.algorithms.seats import rolled, step_tables
from marl.algorithms.update import TrainState, seed_by_seed, team
from marl.envs.base import Env
from marl.networks import Actor, Critic, init_weights, mask

PARTS = ("actor", "critic")


class Transition(NamedTuple):
    """One joint step; leading axes [E], [B] or [R]."""

    obs: Array
    """[..., n, o] float32."""
    legal: Array
    """[..., n, A] bool."""
    action: Array
    """[..., n] int32."""
    reward: Array
    """[..., n] float32: each agent's own."""
    done: Array
    """[...] bool."""
    next_obs: Array
    """[..., n, o] float32: before any reset."""
    next_legal: Array
    """[..., n, A] bool."""


class Replay(NamedTuple):
    """A ring of joint steps."""

    data: Transition
    """Leading axis R."""
    taken: Array
    """[] int32: joint steps ever stored."""


def store(replay: Replay, steps: Transition) -> Replay:
    """The ring with `steps` [m, ...] in the place of the oldest."""
    size = replay.data.done.shape[0]
    places = (replay.taken + jnp.arange(steps.done.shape[0])) % size
    data = jax.tree.map(lambda ring, new: ring.at[places].set(new), replay.data, steps)
    return Replay(data, replay.taken + steps.done.shape[0])


def draw(replay: Replay, key: Array, size: int) -> Transition:
    """`size` joint steps, evenly from those that are there."""
    filled = jnp.minimum(replay.taken, replay.data.done.shape[0])
    places = random.randint(key, (size,), 0, filled)
    drawn: Transition = jax.tree.map(lambda ring: ring[places], replay.data)
    return drawn


def gumbel_softmax(logits: Array, key: Array, temperature: float) -> Array:
    """One-hot samples [..., A] of softmax(logits) whose gradient is that of the relaxed sample."""
    noisy = (logits + random.gumbel(key, logits.shape)) / temperature
    soft = jax.nn.softmax(noisy)
    hard = jax.nn.one_hot(jnp.argmax(noisy, axis=-1), logits.shape[-1], dtype=soft.dtype)
    return soft + jax.lax.stop_gradient(hard - soft)


@dataclasses.dataclass(frozen=True)
class OffPolicy:
    """`MADDPG` in an environment."""

    env: Env
    algo: MADDPG

    @cached_property
    def actor(self) -> Actor:
        """Policy of one seat."""
        return Actor(self.env.n_actions, self.algo.hidden, self.algo.activation)

    @cached_property
    def critic(self) -> Critic:
        """Action value of one seat: all observations and actions, own seat first -> [..., 1]."""
        return Critic(1, self.algo.hidden, self.algo.activation)

    @cached_property
    def optimisers(self) -> dict[str, optax.GradientTransformation]:
        """Adam for actors and critics."""
        return {"actor": optax.adam(self.algo.lr), "critic": optax.adam(self.algo.critic_lr)}

    def init(self, key: Array) -> TrainState:
        """State before the first update: targets equal the networks, the buffer is empty."""
        key, own_key, env_key = random.split(key, 3)
        env, algo = self.env, self.algo
        n, A = env.n_agents, env.n_actions
        sizes = (env.obs_size, n * (env.obs_size + A))
        weights = init_weights((self.actor, self.critic), own_key, n, sizes)
        params = dict(zip(PARTS, weights, strict=True))
        opt_state = {part: self.optimisers[part].init(params[part]) for part in PARTS}
        params |= {f"target_{part}": params[part] for part in PARTS}
        env_state, obs = jax.vmap(env.reset)(random.split(env_key, algo.n_envs))
        R = algo.buffer
        seen, may = jnp.zeros((R, n, env.obs_size)), jnp.ones((R, n, A), bool)
        numbers = (jnp.zeros((R, n), jnp.int32), jnp.zeros((R, n)), jnp.zeros(R, bool))
        replay = Replay(Transition(seen, may, *numbers, seen, may), jnp.int32(0))
        return TrainState(params, opt_state, env_state, obs, replay, key, jnp.int32(0))

    def team(self, params: Params) -> Any:
        """Actors of all seats, [n, ...]."""
        return team(params, self.env.n_agents)

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """Roll out into the buffer, then learn from it; metrics [n] of each agent."""
        return seed_by_seed(self._update)(state)  # type: ignore[no-any-return]

    def _update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        algo = self.algo
        key, roll_key, learn_key = random.split(state.key, 3)
        env_state, obs, steps, events = self.rollout(state, roll_key)
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), steps)
        replay = store(state.memory, flat)

        def learn(carry: Any, key: Array) -> tuple[Any, dict[str, Array]]:
            draw_key, step_key = random.split(key)
            return self.descend(carry, draw(replay, draw_key, algo.batch), step_key)

        carry = (state.params, state.opt_state)
        keys = random.split(learn_key, algo.gradient_steps)
        (params, opt_state), reports = jax.lax.scan(learn, carry, keys)
        count = state.update + 1
        metrics = {name: x.mean(axis=(0, 1)) for name, x in events.items()}
        metrics |= {name: x.mean(axis=0) for name, x in reports.items()}
        metrics |= {"reward": flat.reward.mean(axis=0)}
        metrics |= {"steps": count * algo.interactions(self.env.n_agents)}
        return TrainState(params, opt_state, env_state, obs, replay, key, count), metrics

    def logits(self, actors: Any, views: Views) -> Array:
        """Masked logits [B, n, A] of all seats where they see `views`, [B, n, ...]."""
        each: Any = jax.vmap(lambda p, x: ppo.apply(self.actor, p, x), (0, 1), 1)
        return mask(each(actors, views.obs), views.legal)

    def values(self, critics: Any, obs: Array, actions: Array) -> Array:
        """Q [B, n] of joint observations [B, n, o] and joint one-hot actions [B, n, A]."""
        seen = rolled(jnp.concatenate([obs, actions], axis=-1))
        each: Any = jax.vmap(lambda p, x: ppo.apply(self.critic, p, x), (0, 1), 1)
        q: Array = each(critics, seen)[..., 0]
        return q

    def rollout(
        self, state: TrainState, key: Array
    ) -> tuple[Any, Array, Transition, dict[str, Array]]:
        """What the tables show after `n_steps`, the joint steps [T, E, ...], and their events."""
        env, algo = self.env, self.algo

        def turn(carry: tuple[Any, Array], key: Array) -> Any:
            env_state, obs = carry
            own_key, world_key, fresh_key = random.split(key, 3)
            legal = jax.vmap(env.legal)(env_state)
            logits = self.logits(state.params["actor"], Views(obs, legal))
            action = random.categorical(own_key, logits).astype(jnp.int32)
            world, fresh = (random.split(k, algo.n_envs) for k in (world_key, fresh_key))
            after, step = step_tables(env, env_state, action, world, fresh)
            reward = step.shared[:, None] + step.private
            following = (step.done, step.obs, jax.vmap(env.legal)(step.state))
            return after, (Transition(obs, legal, action, reward, *following), step.info)

        keys = random.split(key, algo.n_steps)
        carry = (state.env_state, state.obs)
        (env_state, obs), (steps, events) = jax.lax.scan(turn, carry, keys)
        return env_state, obs, steps, events

    def descend(
        self, carry: tuple[Params, Any], batch: Transition, key: Array
    ) -> tuple[tuple[Params, Any], dict[str, Array]]:
        """One gradient step of all networks, and of the targets behind them."""
        params, opt_state = carry
        target_key, own_key = random.split(key)
        target = self.target(params, batch, target_key)
        taken = jax.nn.one_hot(batch.action, self.env.n_actions)

        def critic_loss(critics: Any) -> tuple[Array, Array]:
            error = jnp.square(self.values(critics, batch.obs, taken) - target).mean(axis=0)
            return error.sum(), error

        grads: dict[str, Any] = {}
        grads["critic"], value_loss = jax.grad(critic_loss, has_aux=True)(params["critic"])
        grads["actor"], entropy = jax.grad(self.actor_loss, has_aux=True)(
            params["actor"], params["critic"], batch, taken, own_key
        )
        later, states = dict(params), {}
        for part in PARTS:
            steps, states[part] = self.optimisers[part].update(grads[part], opt_state[part])
            later[part] = optax.apply_updates(params[part], steps)
            later[f"target_{part}"] = optax.incremental_update(
                later[part], params[f"target_{part}"], self.algo.polyak
            )
        return (later, states), {"value_loss": value_loss, "entropy": entropy}

    def target(self, params: Params, batch: Transition, key: Array) -> Array:
        """What the critics should say, [B, n]: the reward, and the targets' value of what follows.

        ``r_i + gamma (1 - done) Q'_i(o', a')`` with a' from the target actors.
        """
        logits = self.logits(params["target_actor"], Views(batch.next_obs, batch.next_legal))
        action = jax.nn.one_hot(random.categorical(key, logits), self.env.n_actions)
        following = self.values(params["target_critic"], batch.next_obs, action)
        return batch.reward + self.algo.gamma * ~batch.done[:, None] * following

    def actor_loss(
        self, actors: Any, critics: Any, batch: Transition, taken: Array, key: Array
    ) -> tuple[Array, Array]:
        """Minus each agent's own Q, its own action replaced by a relaxed sample; entropies [n]."""
        logits = self.logits(actors, Views(batch.obs, batch.legal))
        own = gumbel_softmax(logits, key, self.algo.temperature)
        n = self.env.n_agents
        mine = jnp.eye(n)[:, None, :, None]  # row i: agent i's own action is new
        mixed = mine * own[None] + (1.0 - mine) * taken[None]  # [n, B, n, A]
        q = jax.vmap(self.values, (None, None, 0))(critics, batch.obs, mixed)  # [n, B, n]
        log_probs = jax.nn.log_softmax(logits)
        entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1).mean(axis=0)
        size = jnp.square(jnp.where(batch.legal, logits, 0.0)).mean(axis=(0, 2))
        loss = -jnp.einsum("ibi->i", q) / q.shape[1] + self.algo.logit_penalty * size
        return loss.sum(), entropy
