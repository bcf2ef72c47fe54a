"""The adversary of SRPO in closed form: the partners' policy, tilted by a critic of their actions.

With Q_i(o, b) agent i's expected return when its partners play b at o, the adversary's problem at
one observation, min_p E_p Q_i + D(p, theta_-i) / tau, is solved by

    "kl"          D = KL(p || theta_-i):  p(b) = theta_-i(b) exp(-tau Q_i(o, b)) / Z,
    "reverse_kl"  D = KL(theta_-i || p):  p(b) = theta_-i(b) / (tau (Q_i(o, b) + mu)),

mu being the root at which p sums to one. So no adversary has to be trained by policy gradients: a
critic with one output per joint action of the partners learns Q_i by regression on the returns of
what was played, and the tilt follows it, and the partners, at once. With one step per episode and
the exact Q_i, p is the adversary of `rqe.solve`.

An action that p avoids is not played, and what the critic thinks of it is never put right; an
action thought too good for the agent would be avoided for ever. So a small share of the mass is
left to the partners' own policy: what is played is (1 - SHARE) p + SHARE theta_-i, and the agent
learns to maximise (1 - SHARE) times its risk-adjusted return plus SHARE times its nominal one.

Axes as in `marl.algorithms.adversary`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import Array, random

from marl.algorithms import ppo
from marl.algorithms.adversary import Opposed, divergence
from marl.algorithms.ppo import Params, Trajectory, Views
from marl.algorithms.srpo import SRPO
from marl.networks import ILLEGAL, Critic

if TYPE_CHECKING:
    from marl.algorithms.update import Setup

SHARE = 0.01
"""Probability that the partners play their own policy."""

_LEAST = 1e-9  # least 1/tau: at tau = inf the tilt ends at the worst action that is ever played
_FAINTEST = -85.0  # least log-probability of a legal action: below about -87 float32 knows but 0
_NEWTON = 12  # steps; 1 / mass is concave in the gap, so the root is approached from the left


def tilt(q: Array, reference: Array, kl_coef: Array, penalty: str) -> Array:
    """Log-probabilities [..., J] of the worst deviation from a policy.

    Parameters
    ----------
    q : [..., J] float32
        What the agent expects when its partners play each joint action, reward units.
    reference : [..., J] float32
        The partners' joint log-policy; `marl.networks.ILLEGAL` or less where they must not play.
    kl_coef : [] float32, at least 0
        1/tau, reward units per nat.
    penalty : {"kl", "reverse_kl"}
        KL(deviation || policy) or KL(policy || deviation).

    Examples
    --------
    >>> policy = jnp.log(jnp.array([0.5, 0.5]))
    >>> p = jnp.exp(tilt(jnp.array([0.0, 1.0]), policy, jnp.float32(0.5), "kl"))
    >>> [round(float(x), 4) for x in p]  # 1 / (1 + exp(-2)), and the rest
    [0.8808, 0.1192]
    """
    legal = reference > 0.5 * ILLEGAL
    scale = jnp.maximum(kl_coef, _LEAST)
    above = jnp.where(legal, q, jnp.inf)
    above = jnp.where(legal, q - above.min(axis=-1, keepdims=True), 0.0)
    if penalty == "kl":
        return nn.log_softmax(jnp.where(legal, reference - above / scale, ILLEGAL))
    # In units of 1/tau: p = theta / (above + gap), gap > 0 the only unknown.
    reference = jnp.maximum(reference, _FAINTEST)
    theta, above = jnp.where(legal, jnp.exp(reference), 0.0), above / scale
    gap = jnp.max(jnp.where(theta > 0, theta - above, -jnp.inf), axis=-1, keepdims=True)
    for _ in range(_NEWTON):
        share = theta / (above + gap)
        mass = share.sum(axis=-1, keepdims=True)
        slope = jnp.sum(share / (above + gap), axis=-1, keepdims=True)
        gap = gap + jnp.maximum(mass - 1.0, 0.0) * mass / slope  # Newton's step for 1 / mass = 1
    return nn.log_softmax(jnp.where(legal, reference - jnp.log(above + gap), ILLEGAL))


@dataclasses.dataclass(frozen=True)
class TiltedAdversary:
    """An `Adversary` that needs a critic only; its weights are called "adversary_q"."""

    algo: SRPO
    critic: nn.Module
    learners: int
    obs_size: int
    """Length of the joined observation of the partners."""
    n_agents: int

    needs_reference = True

    @classmethod
    def build(cls, setup: Setup) -> TiltedAdversary:
        """Adversary of an algorithm in an environment."""
        algo, seating, env = setup.algo, setup.seating, setup.env
        assert isinstance(algo, SRPO)
        joint = env.n_actions**seating.partners
        # One output more: what all actions have in common is learned from every sample.
        critic = Critic(joint + 1, algo.hidden, algo.activation)
        size = seating.partners * env.obs_size
        return cls(algo, critic, seating.learners, size, env.n_agents)

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """Adam at `adversary_lr`, or at the agents' `lr`."""
        lr = self.algo.adversary_lr
        adam = optax.adam(self.algo.lr if lr is None else lr)
        return ppo.scheduled(adam, self.algo, self.n_agents)

    def init(self, key: Array) -> tuple[Params, Any]:
        """Weights "adversary_q", leaves [L, ...], and Adam's state."""
        obs = jnp.zeros((1, self.obs_size), jnp.float32)
        first: Any = jax.vmap(lambda k: self.critic.init(k, obs)["params"])
        weights = first(random.split(key, self.learners))
        # At first all actions look alike, and the adversary plays the partners' policy.
        last = f"Dense_{len(self.algo.hidden)}"
        weights[last] = {**weights[last], "kernel": 0.01 * weights[last]["kernel"]}
        named = {"adversary_q": weights}
        return named, self.optimiser.init(named)

    def q_values(self, weights: Any, obs: Array) -> Array:
        """Q [L, B, J] of the partners' joint actions; obs [L, B, p * o]."""
        heads = ppo.values(self.critic, weights, obs)
        return heads[..., :1] + heads[..., 1:]

    def log_probs(self, params: Params, other: Views, reference: Array, kl_coef: Array) -> Array:
        """Tilted policy [L, k, J] of the partners where they see `other`, and `SHARE` of theirs."""
        q = self.q_values(params["adversary_q"], other.obs)
        worst = tilt(q, reference, kl_coef, self.algo.penalty)
        return jnp.logaddexp(jnp.log1p(-SHARE) + worst, jnp.log(SHARE) + reference)

    def side(self, params: Params, opt_state: Any, data: Opposed) -> ppo.Side:
        """Fit Q to the returns that followed what the adversary played."""
        named = {"adversary_q": params["adversary_q"]}
        target, weight = self.targets(params["adversary_q"], data)
        steps = data.steps
        batch = jax.tree.map(ppo.flatten, (steps.obs, steps.action, target, weight))
        entropy = -jnp.sum(jnp.exp(steps.log_probs) * steps.log_probs, axis=-1).mean(axis=(0, 2))

        def error(named: Params, part: tuple[Array, ...]) -> tuple[Array, Array]:
            obs, action, goal, counts = part
            found = ppo.chosen(self.q_values(named["adversary_q"], obs), action)
            each = (counts * (found - goal) ** 2).sum(axis=1) / jnp.maximum(counts.sum(axis=1), 1.0)
            return self.algo.value_coef * each.sum(), each

        def descend(carry: tuple[Params, Any], part: Any) -> tuple[tuple[Params, Any], Array]:
            named, opt_state = carry
            grads, each = jax.grad(error, has_aux=True)(named, part)
            updates, opt_state = self.optimiser.update(grads, opt_state, named)
            return (optax.apply_updates(named, updates), opt_state), each

        def epoch(carry: Any, key: Array) -> tuple[Any, dict[str, Array]]:
            if self.algo.minibatches == 1:  # no loop of its own: see `ppo.fit`
                carry, loss = descend(carry, batch)
            else:
                carry, losses = jax.lax.scan(descend, carry, self.parts(key, batch))
                loss = losses[-1]
            return carry, {"adversary_entropy": entropy, "adversary_value_loss": loss}

        return ppo.Side((named, opt_state), epoch)

    def targets(self, weights: Any, data: Opposed) -> tuple[Array, Array]:
        """Lambda-returns [T, L, k] of what was played, and which of them count (0 or 1).

        Q's target is r_t + gamma ((1 - lambda) V_{t+1} + lambda W_{t+1}), with W_t the target plus
        the penalty c_t paid at t (0 unless it is part of the reward) and V_t = E_p Q + c_t. What
        follows a rollout's last step is not looked at: unless an episode ended there, V stands in
        for its target, which does not count.
        """
        algo, steps = self.algo, data.steps
        T, L, k = steps.reward.shape
        q = self.q_values(weights, ppo.flatten(steps.obs)).reshape(L, T, k, -1)
        value = jnp.sum(jnp.exp(steps.log_probs) * jnp.moveaxis(q, 1, 0), axis=-1)
        paid = self.paid(steps, data)
        value = value + paid
        done = steps.done.astype(jnp.float32)
        reward = -steps.reward + paid
        reward = reward.at[-1].set(jnp.where(done[-1] > 0, reward[-1], value[-1]))
        nothing = jnp.zeros_like(value[-1])
        gain = ppo.gae(reward, done, value, nothing, gamma=algo.gamma, lam=algo.gae_lambda)
        return gain + value - paid, jnp.ones_like(done).at[-1].set(done[-1])

    def paid(self, steps: Trajectory, data: Opposed) -> Array:
        """Penalty [T, L, k] that is part of the adversary's reward, reward units."""
        if self.algo.kl_in == "loss":
            return jnp.zeros_like(steps.reward)
        return data.kl_coef * divergence(steps.log_probs, data.reference, self.algo.penalty)

    def parts(self, key: Array, batch: Any) -> Any:
        """Minibatches of [L, B, ...]: leaves [minibatches, L, B / minibatches, ...]."""
        order = ppo.shuffled(key, batch[1].shape[1], self.algo.minibatches)
        return jax.tree.map(lambda x: jnp.moveaxis(x[:, order], 1, 0), batch)
