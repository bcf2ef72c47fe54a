"""The paper's main finding, small: IPPO free-rides on the kitchen, SRPO does not.

About two minutes of one core. The recorded experiment is `marl reproduce kitchen`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
from marl.algorithms import ppo
from marl.algorithms.update import Setup
from marl.train import team

KITCHEN = marl.make_env("kitchen")
TABLES, STEPS = 64, 128


def played(algo, actors, key):
    """Return of both agents and deliveries of each, per `STEPS` steps, for one team."""
    actor = Setup(KITCHEN, algo).role.actor

    def one(carry, key):
        state, obs = carry
        act_key, step_key, reset_key = jax.random.split(key, 3)
        logits = jax.vmap(lambda p, x: ppo.apply(actor, p, x), (0, 1), 1)(actors, obs)
        step = jax.vmap(KITCHEN.step)(
            jax.random.split(step_key, TABLES), state, jax.random.categorical(act_key, logits)
        )
        fresh = jax.vmap(KITCHEN.reset)(jax.random.split(reset_key, TABLES))
        carry = jax.tree.map(
            lambda new, old: jnp.where(step.done.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            fresh,
            (step.state, step.obs),
        )
        return carry, (2 * step.shared + step.private.sum(axis=1), step.info["deliveries"])

    first = jax.vmap(KITCHEN.reset)(jax.random.split(key, TABLES))
    _, (reward, deliveries) = jax.lax.scan(one, first, jax.random.split(key, STEPS))
    return reward.sum(axis=0).mean(), deliveries.sum(axis=0).mean(axis=0)


def trained_teams(algo, seeds, steps):
    """Returns [seeds] and deliveries [seeds, 2] of teams that learned from scratch."""

    def run(key):
        state, _ = marl.make_train(KITCHEN, algo, steps=steps)(key)
        return played(algo, team(state.params, 2), jax.random.fold_in(key, 1))

    returns, deliveries = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), seeds))
    return np.asarray(returns), np.asarray(deliveries)


@pytest.mark.parametrize(
    ("algo", "seeds", "steps", "free_riding", "least"),
    [(marl.IPPO(eps=0.1), 6, 3e5, 6, 330), (marl.SRPO(tau=10.0, eps=0.1), 5, 1e6, 0, 150)],
    ids=["ippo", "srpo"],
)
def test_who_free_rides_on_the_kitchen(algo, seeds, steps, free_riding, least):
    returns, deliveries = trained_teams(algo, seeds, steps)
    share = deliveries.min(axis=1) / deliveries.sum(axis=1)
    assert (share < 0.1).sum() == free_riding, f"least shares of deliveries: {share}"
    assert returns.mean() > least, f"returns: {returns}"
