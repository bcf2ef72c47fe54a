"""The PPO core: acting, advantages, the clipped loss, and epochs over a batch.

Schulman et al. 2017, without advantage normalisation unless asked for. All functions are pure.
Axes: T steps, L learners (networks of one role), C columns (seats that a learner's network plays,
see `marl.algorithms.seats`), B = T * C samples, A actions, o numbers in an observation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import Array, random

from marl.algorithms.config import PPO
from marl.networks import Actor, Critic, init_weights, mask

Params = dict[str, Any]
Regulariser = Callable[[Array, "Batch"], Array]


class Role(NamedTuple):
    """The networks of one role: how to apply them, not their weights."""

    actor: Actor
    critic: Critic
    shared: bool = False
    """Whether the critic sees the actor's last hidden layer instead of an observation."""


class Views(NamedTuple):
    """What one role's networks see before they act: leading axes [L, C] or [T, L, C]."""

    obs: Array
    """[..., o] float32."""
    legal: Array
    """[..., A] bool."""


class Trajectory(NamedTuple):
    """A role's side of a rollout."""

    obs: Array
    """[T, L, C, o] float32."""
    legal: Array
    """[T, L, C, A] bool."""
    action: Array
    """[T, L, C] int32."""
    log_probs: Array
    """[T, L, C, A] float32: the policy that acted."""
    reward: Array
    """[T, L, C] float32: the role's own reward."""
    done: Array
    """[T, L, C] bool."""
    last_obs: Array
    """[L, C, o] float32: where the next rollout begins."""


class Batch(NamedTuple):
    """Samples that a loss is averaged over; leading axes [L, B], or [B] within the loss."""

    obs: Array
    legal: Array
    action: Array
    log_prob: Array
    """Of the action, by the policy that took it."""
    advantage: Array
    target: Array
    """What the critic should have said."""
    head: Array
    """[..., heads] float32, one-hot: which of the critic's heads is meant."""
    reference: Array
    """[..., A] float32: log-probabilities of a policy to stay near, or of size 0."""
    state: Array | None = None
    """What the critic sees, where that is not `obs`."""


def make_role(algo: PPO, n_actions: int, heads: int = 1) -> Role:
    """Networks of one role of an algorithm; with a shared trunk the critic is its last layer."""
    shared = algo.shared_trunk
    critic = Critic(heads, () if shared else algo.hidden, algo.activation)
    return Role(Actor(n_actions, algo.hidden, algo.activation), critic, shared)


def init_role(
    role: Role, key: Array, learners: int, obs_size: int, critic_size: int | None = None
) -> Params:
    """Weights {"actor", "critic"}, every leaf with leading axis L; critics may see more."""
    seen = role.actor.hidden[-1] if role.shared else critic_size or obs_size
    sizes = (obs_size, seen)
    actor, critic = init_weights((role.actor, role.critic), key, learners, sizes)
    return {"actor": actor, "critic": critic}


def apply(module: nn.Module, params: Any, x: Array) -> Array:
    """Output of one network."""
    out: Array = module.apply({"params": params}, x)  # type: ignore[assignment]
    return out


def log_policy(actor: nn.Module, params: Any, views: Views) -> Array:
    """Log-probabilities [L, C, A] of each learner's policy."""
    logits = jax.vmap(lambda p, obs: apply(actor, p, obs))(params, views.obs)
    return jax.nn.log_softmax(mask(logits, views.legal))


def values(critic: nn.Module, params: Any, obs: Array) -> Array:
    """Values [L, B, heads] of observations [L, B, o]."""
    heads: Array = jax.vmap(lambda p, x: apply(critic, p, x))(params, obs)
    return heads


def both(role: Role, params: Params, obs: Array, seen: Array) -> tuple[Array, Array]:
    """Logits at `obs` and the critic's heads at `seen`, of one learner; shared, `seen` is `obs`."""
    if not role.shared:
        return apply(role.actor, params["actor"], obs), apply(role.critic, params["critic"], seen)
    found: Any = role.actor.apply({"params": params["actor"]}, obs, method="both")
    logits, features = found
    return logits, apply(role.critic, params["critic"], features)


def heads_of(role: Role, params: Params, seen: Array) -> Array:
    """The critics' values [L, B, heads] at [L, B, ...], of weights {"actor", "critic"}."""
    if not role.shared:
        return values(role.critic, params["critic"], seen)
    heads: Array = jax.vmap(lambda p, x: both(role, p, x, x)[1])(params, seen)
    return heads


def optimiser(algo: PPO, n_agents: int, lr: float | None = None) -> optax.GradientTransformation:
    """Adam for {"actor", "critic"}, leaves [L, ...], at step size `lr` or the algorithm's own."""
    steps = optax.adam(algo.lr if lr is None else lr)
    if algo.critic_lr is not None:
        parts = {"actor": steps, "critic": optax.adam(algo.critic_lr)}
        steps = optax.partition(parts, {part: part for part in parts})
    steps = scheduled(steps, algo, n_agents)
    if algo.max_grad_norm is None:
        return steps
    return optax.chain(clip_each(algo.max_grad_norm), steps)


def scheduled(
    steps: optax.GradientTransformation, algo: PPO, n_agents: int
) -> optax.GradientTransformation:
    """Steps multiplied by what the algorithm's step size is at the time, relative to its end."""
    if algo.lr_start is None:
        return steps
    excess = algo.lr_start / algo.lr
    each = algo.interactions(n_agents) / (algo.epochs * algo.minibatches)  # of one gradient step

    def factor(count: Any) -> Any:
        return jnp.float32(excess) ** (1.0 - jnp.minimum(count * each / algo.lr_warmup, 1.0))

    return optax.chain(steps, optax.scale_by_schedule(factor))


def clip_each(limit: float) -> optax.GradientTransformation:
    """Gradients [L, ...] cut to a length, each learner's on its own."""
    clip = optax.clip_by_global_norm(limit)

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.vmap(lambda own: clip.update(own, optax.EmptyState())[0])(grads), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def sample(uniform: Array, log_probs: Array) -> Array:
    """Actions [...] int32 by inversion of the distribution function; uniform [...] in [0, 1).

    An action of probability 0 is never taken, whatever the rounding.
    """
    cumulated = jnp.cumsum(jnp.exp(log_probs), axis=-1)
    level = uniform * (1 - 2.0**-22) * cumulated[..., -1]
    return jnp.sum(level[..., None] >= cumulated[..., :-1], axis=-1, dtype=jnp.int32)


def chosen(x: Array, index: Array) -> Array:
    """Entries of x [..., A] at index [...]; a product with one-hot vectors, as gathers are slow."""
    return jnp.sum(jax.nn.one_hot(index, x.shape[-1], dtype=x.dtype) * x, axis=-1)


def gae(
    reward: Array, done: Array, value: Array, last_value: Array, *, gamma: float, lam: float
) -> Array:
    """Generalised advantage estimates [T, ...] (Schulman et al. 2016, equation 16).

    ``A_t = delta_t + gamma lam (1 - done_t) A_{t+1}`` with
    ``delta_t = reward_t + gamma (1 - done_t) V_{t+1} - V_t``, where V_T is `last_value` [...].
    """
    alive = 1.0 - done
    following = jnp.concatenate([value[1:], last_value[None]])
    delta = reward + gamma * alive * following - value

    def backwards(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        delta_t, decay_t = now
        advantage = delta_t + decay_t * later
        return advantage, advantage

    decay = gamma * lam * alive
    _, advantages = jax.lax.scan(
        backwards, jnp.zeros_like(last_value), (delta, decay), reverse=True
    )
    return advantages


def flatten(x: Array) -> Array:
    """[T, L, C, ...] -> [L, T * C, ...]."""
    x = jnp.moveaxis(x, 0, 1)
    return x.reshape(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])


def make_batch(
    role: Role,
    params: Params,
    steps: Trajectory,
    head: Array,
    reference: Array,
    algo: PPO,
    *,
    states: Array | None = None,
) -> tuple[Batch, Array]:
    """Batch of a trajectory and the critic's values [L, B, heads]; `head` is [C, heads].

    `states` [T + 1, L, C, s] is what the critic sees, if that is not the agent's observation.
    """
    T, L, C = steps.reward.shape
    every = jnp.concatenate([steps.obs, steps.last_obs[None]]) if states is None else states
    all_heads = heads_of(role, params, flatten(every)).reshape(L, T + 1, C, head.shape[-1])
    value = jnp.moveaxis(jnp.sum(all_heads * head, axis=-1), 0, 1)
    done = steps.done.astype(jnp.float32)
    advantage = gae(
        steps.reward, done, value[:-1], value[-1], gamma=algo.gamma, lam=algo.gae_lambda
    )
    batch = Batch(
        obs=flatten(steps.obs),
        legal=flatten(steps.legal),
        action=flatten(steps.action),
        log_prob=flatten(chosen(steps.log_probs, steps.action)),
        advantage=flatten(advantage),
        target=flatten(advantage + value[:-1]),
        head=flatten(jnp.broadcast_to(head, (T, L, *head.shape))),
        reference=flatten(reference),
        state=None if states is None else flatten(states[:-1]),
    )
    return batch, all_heads[:, :-1].reshape(L, T * C, head.shape[-1])


def loss(
    role: Role, params: Params, batch: Batch, regulariser: Regulariser, algo: PPO
) -> tuple[Array, dict[str, Array]]:
    """Clipped surrogate + regulariser + value loss of one network, and what to report."""
    seen = batch.obs if batch.state is None else batch.state
    logits, heads = both(role, params, batch.obs, seen)
    log_probs = jax.nn.log_softmax(mask(logits, batch.legal))
    ratio = jnp.exp(chosen(log_probs, batch.action) - batch.log_prob)
    advantage = batch.advantage
    if algo.normalise_advantages:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    clipped = jnp.clip(ratio, 1 - algo.clip, 1 + algo.clip)
    gain = jnp.minimum(ratio * advantage, clipped * advantage).mean()
    error = jnp.sum(heads * batch.head, axis=-1) - batch.target
    value_loss = jnp.mean(error**2)
    entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1).mean()
    total = regulariser(log_probs, batch).mean() - gain + algo.value_coef * value_loss
    return total, {"entropy": entropy, "value_loss": value_loss}


def epoch(
    role: Role,
    optimiser: optax.GradientTransformation,
    carry: tuple[Params, Any],
    key: Array,
    *,
    batch: Batch,
    regulariser: Regulariser,
    algo: PPO,
) -> tuple[tuple[Params, Any], dict[str, Array]]:
    """One pass over the batch in `minibatches` parts; reports are those of the last part."""

    def total(params: Params, part: Batch) -> tuple[Array, dict[str, Array]]:
        each: Any = jax.vmap(lambda p, b: loss(role, p, b, regulariser, algo))
        losses, report = each(params, part)
        return losses.sum(), report

    gradient: Any = jax.grad(total, has_aux=True)

    def descend(
        carry: tuple[Params, Any], part: Batch
    ) -> tuple[tuple[Params, Any], dict[str, Array]]:
        params, opt_state = carry
        grads, report = gradient(params, part)
        updates, opt_state = optimiser.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), report

    if algo.minibatches == 1:
        return descend(carry, batch)

    def descend_on(carry: tuple[Params, Any], places: Array) -> Any:
        """The part [L, B / minibatches, ...] is copied when it is due, and only once."""
        return descend(carry, jax.tree.map(lambda x: x[:, places], batch))

    order = shuffled(key, batch.action.shape[1], algo.minibatches)
    carry, reports = jax.lax.scan(descend_on, carry, order)
    return carry, jax.tree.map(lambda x: x[-1], reports)


def shuffled(key: Array, samples: int, minibatches: int) -> Array:
    """All samples' places in random order, [minibatches, samples / minibatches].

    Raises ValueError where that is no whole number: a network may learn from fewer samples than
    ``n_envs * n_steps``, such as an adversary of some of the tables.
    """
    if samples % minibatches:
        raise ValueError(
            f"minibatches must divide the {samples} samples from which each network learns in an "
            f"update (agents, adversaries and population alike), got {minibatches}"
        )
    return random.permutation(key, samples).reshape(minibatches, -1)


class Side(NamedTuple):
    """A role that is ready to learn from a rollout: its weights and one pass over its data."""

    carry: Any
    """Weights and optimiser state."""
    epoch: Callable[[Any, Array], tuple[Any, dict[str, Array]]]
    """(carry, key) -> (carry, report)."""


def fit(sides: tuple[Side, ...], keys: Array) -> tuple[list[Any], list[dict[str, Array]]]:
    """All epochs of all sides, [epochs] keys: each one's carry after them, and its last report.

    The sides know nothing of each other. They share one loop, because loops that could run at
    the same time starve XLA's thread pool on machines with few cores: the program then stops
    for ever.
    """

    def one(carries: list[Any], key: Array) -> tuple[list[Any], list[dict[str, Array]]]:
        done = [side.epoch(carry, key) for side, carry in zip(sides, carries, strict=True)]
        return [carry for carry, _ in done], [report for _, report in done]

    carries, reports = jax.lax.scan(one, [side.carry for side in sides], keys)
    return carries, jax.tree.map(lambda x: x[-1], reports)
