"""For those who write environments: a check that yours keeps the protocol."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, random

from marl.envs.base import ENVIRONMENTS, Env, make_env

__all__ = ["check_env"]


def check_env(env: Env, key: Array, *, episodes: int = 3) -> None:
    """Raise AssertionError, naming the rule, unless `env` keeps the protocol of `marl.envs.base`.

    Plays some episodes with random legal actions: shapes, types, finite numbers, the same
    result for the same key with and without jit and vmap, episodes that end by the horizon,
    no change of type from step to step, options from which an equal environment can be built.

    Parameters
    ----------
    env : Env
        What to check.
    key : Array
        Key of the random play.
    episodes : int, default 3
        How many episodes.

    Examples
    --------
    >>> import jax, marl
    >>> check_env(marl.make_env("kitchen", horizon=5), jax.random.key(0))
    """
    assert isinstance(env, Env), f"{type(env).__name__} lacks an attribute of marl.envs.base.Env"
    _check_facts(env)
    step = jax.jit(env.step)
    for episode in range(episodes):
        reset_key, key = random.split(random.fold_in(key, episode))
        state, obs = env.reset(reset_key)
        _check_obs(env, obs)
        done = False
        for t in range(env.horizon):
            if done:
                break
            step_key, action_key, key = random.split(key, 3)
            actions = _legal_actions(env, state, action_key)
            out = step(step_key, state, actions)
            _check_step(env, state, out)
            if t == 0:
                _check_pure(env, step_key, state, actions, out)
            state, done = out.state, bool(out.done)
        assert done, f"the episode had not ended after horizon = {env.horizon} steps"


def _check_facts(env: Env) -> None:
    """Sizes, hash and options."""
    for name in ("n_agents", "n_actions", "obs_size", "horizon"):
        value = getattr(env, name)
        assert isinstance(value, int), f"{name} must be an int, got {value!r}"
        assert value >= 1, f"{name} must be at least 1, got {value}"
    assert env.n_agents >= 2, f"n_agents must be at least 2, got {env.n_agents}"
    assert hash(env) == hash(env), "an environment must be hashable"
    if env.name in ENVIRONMENTS:
        again = make_env(env.name, **env.options())
        assert again == env, "make_env(env.name, **env.options()) must equal env"


def _check_obs(env: Env, obs: Array) -> None:
    """Shape, type and finiteness of observations."""
    want = (env.n_agents, env.obs_size)
    assert obs.shape == want, f"obs must have shape {want}, got {obs.shape}"
    assert obs.dtype == jnp.float32, f"obs must be float32, got {obs.dtype}"
    assert bool(jnp.isfinite(obs).all()), "obs must be finite"


def _legal_actions(env: Env, state: Any, key: Array) -> Array:
    """One legal action per agent, uniformly drawn."""
    legal = env.legal(state)
    want = (env.n_agents, env.n_actions)
    assert legal.shape == want, f"legal must have shape {want}, got {legal.shape}"
    assert legal.dtype == bool, f"legal must be bool, got {legal.dtype}"
    assert bool(legal.any(axis=1).all()), "every agent needs a legal action"
    return random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)).astype(jnp.int32)


def _check_step(env: Env, before: Any, out: Any) -> None:
    """Shapes and types of all that a step brings."""
    _check_obs(env, out.obs)
    per_agent = (env.n_agents,)
    for name, shape in (("shared", ()), ("private", per_agent)):
        x = getattr(out, name)
        assert x.shape == shape, f"{name} must have shape {shape}, got {x.shape}"
        assert x.dtype == jnp.float32, f"{name} must be float32, got {x.dtype}"
        assert bool(jnp.isfinite(x).all()), f"{name} must be finite"
    assert out.done.shape == (), f"done must have shape (), got {out.done.shape}"
    assert out.done.dtype == bool, f"done must be bool, got {out.done.dtype}"
    assert set(out.info) == set(env.events), f"info must have the keys {env.events}"
    for name, count in out.info.items():
        assert count.shape == per_agent, f"info[{name!r}] must have shape {per_agent}"
        assert count.dtype == jnp.float32, f"info[{name!r}] must be float32, got {count.dtype}"
    kinds = [jax.tree.map(lambda x: (x.shape, x.dtype), s) for s in (before, out.state)]
    assert kinds[0] == kinds[1], f"a step must not change the state's types: {kinds}"


def _check_pure(env: Env, key: Array, state: Any, actions: Array, out: Any) -> None:
    """The same result without jit, and for each of two copies under jit and vmap."""
    twice = jax.tree.map(lambda x: jnp.stack([x, x]), (state, actions))
    batch = jax.jit(jax.vmap(env.step, in_axes=(None, 0, 0)))(key, *twice)
    for other in (env.step(key, state, actions), jax.tree.map(lambda x: x[1], batch)):
        same = jax.tree.map(lambda a, b: bool(np.allclose(a, b, atol=1e-6)), out, other)
        assert jax.tree.all(same), f"a step's result must depend on its arguments only: {same}"
