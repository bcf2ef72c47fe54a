"""One update of any algorithm: a rollout at all tables, then every network learns from its side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, random
from jax.custom_batching import custom_vmap

from marl.algorithms import adversary, ppo
from marl.algorithms.adversary import Adversary, LearnedAdversary, Opposed
from marl.algorithms.config import PPO
from marl.algorithms.memory import draw, empty, remember
from marl.algorithms.ppo import Batch, Params, Role, Trajectory, Views
from marl.algorithms.seats import Seating, Separate, Shared, step_tables
from marl.algorithms.srpo import SRPO
from marl.envs.base import Env


class TrainState(NamedTuple):
    """All that a run is at one moment: what continues from it is bit-exact."""

    params: Params
    """{"actor", "critic", "adversary_actor", ...}, every leaf [L, ...]."""
    opt_state: dict[str, Any]
    """{"agent", "adversary"}."""
    env_state: Any
    """States of all tables, every leaf [E, ...]."""
    obs: Array
    """[E, n, o] float32."""
    memory: Any
    """What else is kept: snapshots of past partners, a population, a replay buffer; or None."""
    key: Array
    update: Array
    """[] int32: updates so far."""


class Moment(NamedTuple):
    """What a scan over the steps of a rollout records, before it is told apart by role."""

    agent: Views
    other: Views
    agent_log_probs: Array
    other_log_probs: Array
    agent_action: Array
    other_action: Array
    reward: Array
    done: Array
    events: dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Setup:
    """An algorithm in an environment: seats, networks, adversary. Nothing in it changes."""

    env: Env
    algo: PPO

    @cached_property
    def opposed(self) -> int:
        """Tables per learner that are played against an adversary or a remembered partner."""
        return self.algo.n_adversarial + self.algo.n_memory

    @cached_property
    def seating(self) -> Seating:
        """Who sits where."""
        kind = Shared if self.algo.share_policies else Separate
        seating = kind(self.env.n_agents, self.algo.n_envs - self.opposed, self.opposed)
        if self.algo.n_memory and seating.partners > 1:
            raise ValueError(
                "partner_memory needs a single partner seat: two agents or share_policies=True, "
                f"got {self.env.n_agents} agents"
            )
        return seating

    @cached_property
    def role(self) -> Role:
        """The agents' networks."""
        algo = self.algo
        heads = 2 if isinstance(algo, SRPO) and algo.premium_head and self.opposed else 1
        return ppo.make_role(algo, self.env.n_actions, heads)

    def init(self, key: Array) -> TrainState:
        """State before the first update."""
        return init(self, key)

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """State after one update, and its metrics."""
        return update(self, state)

    def team(self, params: Params) -> Any:
        """Actors of all seats, every leaf [n_agents, ...]."""
        return team(params, self.env.n_agents)

    def shaped(self, state: TrainState, steps: Trajectory) -> tuple[Trajectory, dict[str, Array]]:
        """The agents' side of a rollout with the rewards that they learn from, and metrics [L]."""
        return steps, {}

    @property
    def critic_size(self) -> int:
        """Length of what the agents' critics see."""
        return self.env.obs_size * (self.env.n_agents if self.algo.central_critic else 1)

    @property
    def head(self) -> Array:
        """[C, heads] one-hot: with two heads, the second is for the nominal columns."""
        seating = self.seating
        if self.role.critic.heads == 1:
            return jnp.ones((seating.columns, 1), jnp.float32)
        nominal = jnp.arange(seating.columns) < seating.nominal_columns
        return jnp.stack([~nominal, nominal], axis=1).astype(jnp.float32)

    @cached_property
    def optimiser(self) -> optax.GradientTransformation:
        """The agents' Adam."""
        return ppo.optimiser(self.algo, self.env.n_agents)

    @cached_property
    def adversary(self) -> Adversary | None:
        """What plays the adversarial tables; None where there are none."""
        algo, seating = self.algo, self.seating
        if not isinstance(algo, SRPO) or not algo.n_adversarial:
            return None
        if algo.adversary == "tilted":
            from marl.algorithms.tilted import TiltedAdversary

            return TiltedAdversary.build(self)
        role = ppo.make_role(algo, self.env.n_actions**seating.partners)
        sizes = seating.learners, seating.partners * self.env.obs_size
        return LearnedAdversary(algo, role, *sizes, self.env.n_agents)

    def kl_coef(self, update: Array) -> Array:
        """1/tau at an update, [] float32."""
        algo = self.algo
        if not isinstance(algo, SRPO) or algo.tau == 0:
            return jnp.zeros((), jnp.float32)
        if algo.tau_start is None:
            return jnp.asarray(1.0 / algo.tau, jnp.float32)
        return 1.0 / self.scheduled(update, algo.tau_start, algo.tau, algo.tau_warmup)

    def eps(self, update: Array) -> float | Array:
        """Entropy bonus at an update."""
        end, start, warmup = self.algo.eps, self.algo.eps_start, self.algo.eps_warmup
        return end if start is None else self.scheduled(update, start, end, warmup)

    def scheduled(self, update: Array, start: float, end: float, warmup: int) -> Array:
        """Value that moves geometrically from `start` to `end` over `warmup` steps, [] float32."""
        steps = update * self.algo.interactions(self.env.n_agents)
        return start * jnp.exp(jnp.minimum(steps / warmup, 1.0) * math.log(end / start))


def init(setup: Setup, key: Array) -> TrainState:
    """State before the first update."""
    key, agent_key, adversary_key, env_key = random.split(key, 4)
    seating, env = setup.seating, setup.env
    sizes = (env.obs_size, setup.critic_size)
    params = ppo.init_role(setup.role, agent_key, seating.learners, *sizes)
    opt_state = {"agent": setup.optimiser.init(params)}
    memory = None
    if setup.adversary is not None:
        own, opt_state["adversary"] = setup.adversary.init(adversary_key)
        params = {**params, **own}
    if setup.algo.n_memory and isinstance(setup.algo, SRPO):
        memory = empty(seating.partner_params(params["actor"]), setup.algo.partner_memory)
    env_state, obs = jax.vmap(env.reset)(random.split(env_key, seating.tables))
    return TrainState(params, opt_state, env_state, obs, memory, key, jnp.int32(0))


def rollout(setup: Setup, state: TrainState, key: Array, seats: Array) -> tuple[Any, Array, Moment]:
    """States and observations of all tables after `n_steps`, and [T, ...] moments on the way."""
    algo, seating, env = setup.algo, setup.seating, setup.env
    kl_coef = setup.kl_coef(state.update)
    T, L, C, E = algo.n_steps, seating.learners, seating.columns, seating.tables
    own_key, other_key, env_key, memory_key = random.split(key, 4)
    remembered = None if state.memory is None else draw(state.memory, memory_key)

    def one(carry: tuple[Any, Array], noise: tuple[Array, ...]) -> tuple[tuple[Any, Array], Moment]:
        env_state, obs = carry
        own_noise, other_noise, keys = noise
        legal = jax.vmap(env.legal)(env_state)
        agent = Views(seating.agents(obs, seats), seating.agents(legal, seats))
        other = Views(seating.adversaries(obs, seats), seating.adversaries(legal, seats))
        log_probs = ppo.log_policy(setup.role.actor, state.params["actor"], agent)
        action = ppo.sample(own_noise, log_probs)
        against = oppose(setup, state.params, remembered, other, kl_coef)
        joint = ppo.sample(other_noise, against)
        partners = adversary.split_action(joint, seating.partners, env.n_actions)
        actions = seating.actions(action, partners if setup.opposed else None, seats)
        carry, step = step_tables(env, env_state, actions, keys[:, 0], keys[:, 1])
        rewards = step.shared[:, None] + step.private
        done = jnp.broadcast_to(step.done[:, None], rewards.shape)
        own = (rewards, done, step.info)
        reward, done, events = jax.tree.map(lambda x: seating.agents(x, seats), own)
        moment = Moment(agent, other, log_probs, against, action, joint, reward, done, events)
        return carry, moment

    noise = (
        random.uniform(own_key, (T, L, C)),
        random.uniform(other_key, (T, L, setup.opposed)),
        random.split(env_key, (T, E, 2)),
    )
    (env_state, obs), moments = jax.lax.scan(one, (state.env_state, state.obs), noise)
    return env_state, obs, moments


def oppose(setup: Setup, params: Params, remembered: Any, other: Views, kl_coef: Array) -> Array:
    """Joint log-policy [L, k + h, J] of adversaries, then of remembered partners."""
    k = setup.algo.n_adversarial
    joined = adversary.join_views(other)
    parts = []
    if setup.adversary is not None:
        facing = Views(*(x[:, :k] for x in joined))
        reference = joined.legal[:, :k]
        if setup.adversary.needs_reference:
            reference = reference_policy(setup, params, Views(*(x[:, :k] for x in other)))
        parts.append(setup.adversary.log_probs(params, facing, reference, kl_coef))
    if remembered is not None:
        facing = Views(*(x[:, k:] for x in joined))
        parts.append(ppo.log_policy(setup.role.actor, remembered, facing))
    if not parts:
        return jnp.zeros(joined.legal.shape, jnp.float32)
    return jnp.concatenate(parts, axis=1)


def reference_policy(setup: Setup, params: Params, views: Views) -> Array:
    """Joint log-policy [L, K, J] of the real partners where they see `views`, [L, K, p, ...]."""
    partners = setup.seating.partner_params(params["actor"])
    return adversary.partner_log_policy(setup.role.actor, partners, views)


def agent_trajectory(setup: Setup, moments: Moment, obs: Array, seats: Array) -> Trajectory:
    """The agents' side of a rollout that ended where the tables show `obs`."""
    return Trajectory(
        obs=moments.agent.obs,
        legal=moments.agent.legal,
        action=moments.agent_action,
        log_probs=moments.agent_log_probs,
        reward=moments.reward,
        done=moments.done,
        last_obs=setup.seating.agents(obs, seats),
    )


def adversary_trajectory(setup: Setup, moments: Moment, obs: Array, seats: Array) -> Trajectory:
    """The adversaries' side: minus the agents' own rewards, remembered partners left out."""
    k, seating = setup.algo.n_adversarial, setup.seating
    joined = adversary.join_views(moments.other)
    last = seating.adversaries(obs, seats)[:, :k]
    opposed = jax.vmap(seating.opposed)
    return Trajectory(
        obs=joined.obs[:, :, :k],
        legal=joined.legal[:, :, :k],
        action=moments.other_action[:, :, :k],
        log_probs=moments.other_log_probs[:, :, :k],
        reward=-opposed(moments.reward)[:, :, :k],
        done=opposed(moments.done.astype(jnp.float32))[:, :, :k],
        last_obs=last.reshape(*last.shape[:2], -1),
    )


def agents_side(setup: Setup, state: TrainState, steps: Trajectory) -> tuple[ppo.Side, Array]:
    """What the agents learn from a rollout, and their critics' values [L, B, heads] before."""
    algo = setup.algo
    own = {part: state.params[part] for part in ("actor", "critic")}
    nothing = jnp.zeros((*steps.action.shape, 0), jnp.float32)
    states = None
    if algo.central_critic:
        every = jnp.concatenate([steps.obs, steps.last_obs[None]])
        states = jax.vmap(setup.seating.joined)(every)
    batch, heads = ppo.make_batch(setup.role, own, steps, setup.head, nothing, algo, states=states)

    def entropy_bonus(log_probs: Array, batch: Batch) -> Array:
        return setup.eps(state.update) * jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)

    def epoch(carry: Any, key: Array) -> tuple[Any, dict[str, Array]]:
        return ppo.epoch(
            setup.role,
            setup.optimiser,
            carry,
            key,
            batch=batch,
            regulariser=entropy_bonus,
            algo=algo,
        )

    return ppo.Side((own, state.opt_state["agent"]), epoch), heads


def partners_policy(setup: Setup, state: TrainState, moments: Moment) -> Array:
    """Joint log-policy [T, L, k, J] of the real partners at the adversarial tables."""
    k = setup.algo.n_adversarial
    T, L = moments.other_action.shape[:2]
    views = Views(*(ppo.flatten(x[:, :, :k]) for x in moments.other))
    reference = reference_policy(setup, state.params, views).reshape(L, T, k, -1)
    return jnp.moveaxis(reference, 1, 0)


def learn(
    setup: Setup, state: TrainState, moments: Moment, obs: Array, seats: Array, key: Array
) -> tuple[Params, dict[str, Any], dict[str, Array]]:
    """Weights and optimiser states after all epochs, and metrics [L] of what was learned."""
    algo = setup.algo
    steps, metrics = setup.shaped(state, agent_trajectory(setup, moments, obs, seats))
    agents, heads = agents_side(setup, state, steps)
    sides = [agents]
    if setup.adversary is not None:
        assert isinstance(algo, SRPO)
        against = adversary_trajectory(setup, moments, obs, seats)
        reference = partners_policy(setup, state, moments)
        data = Opposed(against, reference, setup.kl_coef(state.update))
        sides += [setup.adversary.side(state.params, state.opt_state["adversary"], data)]
        kl = adversary.divergence(against.log_probs, reference, algo.penalty)
        metrics["kl"] = kl.mean(axis=(0, 2))
    if setup.role.critic.heads == 2:
        metrics["premium"] = jnp.mean(heads[..., 1] - heads[..., 0], axis=1)
    carries, reports = ppo.fit(tuple(sides), random.split(key, algo.epochs))
    params, opt_state = {}, {}
    for name, (own, its_state) in zip(("agent", "adversary"), carries, strict=False):
        params.update(own)
        opt_state[name] = its_state
    for report in reports:
        metrics.update(report)
    return params, opt_state, metrics


def team(params: dict[str, Any], n_agents: int) -> Any:
    """Actors of all seats, every leaf [n_agents, ...], of one seed's trained parameters.

    For algorithms on the core of `PPO`; `marl.Trainer.team` serves every algorithm.
    """
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (n_agents, *x.shape[1:])), params["actor"])


def seed_by_seed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Function that is mapped, not vectorised, under vmap on a CPU.

    There one seed's activations fit into the cache, and learning is a quarter faster. Elsewhere
    the function is returned as it is.
    """
    if jax.default_backend() != "cpu":
        return function
    mapped = custom_vmap(function)

    @mapped.def_vmap
    def rule(size: int, batched: Any, *args: Any) -> tuple[Any, Any]:
        def spread(x: Array, has_axis: bool) -> Array:
            return x if has_axis else jnp.broadcast_to(x, (size, *x.shape))

        out = jax.lax.map(lambda each: mapped(*each), jax.tree.map(spread, args, tuple(batched)))
        return out, jax.tree.map(lambda _: True, out)

    return mapped


def update(setup: Setup, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
    """Roll out, then let agents and adversaries learn at the same time from the same policies.

    Metrics have a leading axis L, other than "steps", the environment steps so far: reward and
    events per step of the agents at all their seats, entropy and KL in nats, squared value error.
    """
    key, seat_key, roll_key, learn_key = random.split(state.key, 4)
    seats = setup.seating.draw(seat_key)
    env_state, obs, moments = rollout(setup, state, roll_key, seats)
    own = partial(learn, setup)
    params, opt_state, metrics = seed_by_seed(own)(state, moments, obs, seats, learn_key)
    count = state.update + 1
    memory = state.memory
    if memory is not None and isinstance(setup.algo, SRPO):
        partners = setup.seating.partner_params(params["actor"])
        due = count % setup.algo.memory_interval == 0
        memory = remember(memory, partners, params.get("adversary_actor"), due)
    events = {name: x.mean(axis=(0, 2)) for name, x in moments.events.items()}
    metrics = {
        **metrics,
        **events,
        "reward": moments.reward.mean(axis=(0, 2)),
        "steps": count * setup.algo.interactions(setup.env.n_agents),
    }
    return TrainState(params, opt_state, env_state, obs, memory, key, count), metrics
