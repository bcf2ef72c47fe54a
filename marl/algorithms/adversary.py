"""The adversary of SRPO: a joint policy for an agent's partners, tied to theirs by a KL term.

What replaces the learned adversary (`marl.algorithms.tilted`) has the methods of `Adversary`.
Axes as in `marl.algorithms.ppo`; k tables per adversary, p seats that it takes, and
J = A ** p joint actions, the first seat's index running slowest.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from jax import Array

from marl.algorithms import ppo
from marl.algorithms.ppo import Batch, Params, Role, Trajectory, Views
from marl.algorithms.srpo import SRPO


class Adversary(Protocol):
    """What plays against the agents; its weights are entries of the dict of all parameters."""

    @property
    def needs_reference(self) -> bool:
        """Whether `log_probs` wants the partners' policy at every step."""

    def init(self, key: Array) -> tuple[Params, Any]:
        """First weights, under names of its own, and its optimiser's state."""

    def log_probs(self, params: Params, other: Views, reference: Array, kl_coef: Array) -> Array:
        """Policy [L, k, J] where the agents' partners, joined, see `other`.

        `reference` is the partners' joint log-policy there if `needs_reference`, else anything;
        `kl_coef` is 1/tau.
        """

    def side(self, params: Params, opt_state: Any, data: Opposed) -> ppo.Side:
        """What it learns from a rollout; its carry is (own weights by name, optimiser state)."""


@dataclasses.dataclass(frozen=True)
class Opposed:
    """The adversaries' side of one rollout, and what they are held against."""

    steps: Trajectory
    """[T, L, k, ...]: J actions, minus the agents' rewards."""
    reference: Array
    """[T, L, k, J]: the partners' joint log-policy, as it was before the update."""
    kl_coef: Array
    """[]: 1/tau."""


def join(parts: Array) -> Array:
    """Joint log-probabilities of independent ones: [..., p, A] -> [..., A ** p]."""
    joint = parts[..., 0, :]
    for seat in range(1, parts.shape[-2]):
        joint = joint[..., :, None] + parts[..., seat, None, :]
        joint = joint.reshape(*joint.shape[:-2], joint.shape[-2] * joint.shape[-1])
    return joint


def join_views(views: Views) -> Views:
    """One view of all p seats: obs [..., p, o] -> [..., p * o], legal [..., p, A] -> [..., J]."""
    *lead, partners, size = views.obs.shape
    obs = views.obs.reshape(*lead, partners * size)
    illegal = join(jnp.where(views.legal, 0.0, 1.0))
    return Views(obs, illegal == 0)


def split_action(joint: Array, partners: int, n_actions: int) -> Array:
    """Each seat's action [..., p] of a joint one [...]."""
    powers = n_actions ** jnp.arange(partners - 1, -1, -1)
    return (joint[..., None] // powers) % n_actions


def divergence(log_probs: Array, reference: Array, penalty: str) -> Array:
    """KL divergence [...] in nats between the adversary's and the partners' policies [..., J].

    "kl" is KL(adversary || partner), "reverse_kl" is KL(partner || adversary).
    """
    first, second = (log_probs, reference) if penalty == "kl" else (reference, log_probs)
    return jnp.sum(jnp.exp(first) * (first - second), axis=-1)


def penalised_reward(steps: Trajectory, reference: Array, kl_coef: Array, penalty: str) -> Array:
    """Rewards [T, L, k] that include minus kl_coef times the divergence.

    The sampled penalty has the divergence as its mean, and the score function times it has the
    divergence's gradient as its mean: for "kl" it is log phi(a) - log theta(a), for "reverse_kl"
    it is KL(theta || phi) - theta(a) / phi(a) + 1.
    """
    log_ratio = ppo.chosen(steps.log_probs, steps.action) - ppo.chosen(reference, steps.action)
    if penalty == "kl":
        return steps.reward - kl_coef * log_ratio
    cost = divergence(steps.log_probs, reference, penalty) - jnp.exp(-log_ratio) + 1.0
    return steps.reward - kl_coef * cost


@dataclasses.dataclass(frozen=True)
class LearnedAdversary:
    """A network of its own for every learner, trained by PPO on minus the agent's reward."""

    algo: SRPO
    role: Role
    learners: int
    obs_size: int
    """Length of the joined observation."""
    n_agents: int

    needs_reference = False

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """Adam at `adversary_lr`, or at the agents' `lr`."""
        return ppo.optimiser(self.algo, self.n_agents, self.algo.adversary_lr)

    def init(self, key: Array) -> tuple[Params, Any]:
        """Weights "adversary_actor" and "adversary_critic", and Adam's state."""
        own = ppo.init_role(self.role, key, self.learners, self.obs_size)
        params = {f"adversary_{part}": weights for part, weights in own.items()}
        return params, self.optimiser.init(own)

    def log_probs(self, params: Params, other: Views, reference: Array, kl_coef: Array) -> Array:
        """The network's policy."""
        return ppo.log_policy(self.role.actor, params["adversary_actor"], other)

    def side(self, params: Params, opt_state: Any, data: Opposed) -> ppo.Side:
        """PPO with the KL term in the loss or in the reward."""
        algo, steps = self.algo, data.steps
        own = {part: params[f"adversary_{part}"] for part in ("actor", "critic")}
        if algo.kl_in == "reward":
            reward = penalised_reward(steps, data.reference, data.kl_coef, algo.penalty)
            steps = steps._replace(reward=reward)
        head = jnp.ones((steps.reward.shape[2], 1), jnp.float32)
        batch, _ = ppo.make_batch(self.role, own, steps, head, data.reference, algo)

        def epoch(carry: Any, key: Array) -> tuple[Any, dict[str, Array]]:
            named, opt_state = carry
            own = {part: named[f"adversary_{part}"] for part in ("actor", "critic")}
            (own, opt_state), report = ppo.epoch(
                self.role,
                self.optimiser,
                (own, opt_state),
                key,
                batch=batch,
                regulariser=self.regulariser(data.kl_coef),
                algo=algo,
            )
            named = {f"adversary_{part}": weights for part, weights in own.items()}
            report = {f"adversary_{name}": value for name, value in report.items()}
            return (named, opt_state), report

        named = {f"adversary_{part}": weights for part, weights in own.items()}
        return ppo.Side((named, opt_state), epoch)

    def regulariser(self, kl_coef: Array) -> ppo.Regulariser:
        """What is added to the adversary's loss at each sample."""
        algo = self.algo

        def terms(log_probs: Array, batch: Batch) -> Array:
            total = algo.adversary_eps * jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
            if algo.kl_in == "loss":
                total += kl_coef * divergence(log_probs, batch.reference, algo.penalty)
            return total

        return terms


def partner_log_policy(actor: Any, params: Any, views: Views) -> Array:
    """Joint log-policy [..., L, k, J] of the partners, from parameters [L, p, ...].

    `views` are the partners' own: obs [..., L, k, p, o].
    """
    seats = Views(*(jnp.moveaxis(x, -2, -3) for x in views))  # [..., L, p, k, ...]

    def each(p: Any, obs: Array, legal: Array) -> Array:
        return ppo.log_policy(actor, p, Views(obs, legal))

    log_probs = jax.vmap(each)(params, seats.obs, seats.legal)  # [L, p, k, A]
    return jax.lax.stop_gradient(join(jnp.moveaxis(log_probs, -3, -2)))
