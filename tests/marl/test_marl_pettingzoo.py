"""The PettingZoo wrapper: PettingZoo's own test, and the same numbers as the environment."""

import sys
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

import marl
from marl.envs.pettingzoo import PettingZooEnv


@pytest.mark.parametrize(
    "env",
    [marl.make_env("kitchen"), marl.make_env("matrix", game="stag-hunt")],
    ids=lambda env: env.name,
)
def test_passes_pettingzoos_own_test(env):
    parallel_api_test(PettingZooEnv(env), num_cycles=120)


def test_gives_the_environments_numbers():
    env = marl.make_env("kitchen", horizon=6)
    game = PettingZooEnv(env)
    observations, infos = game.reset(seed=5)
    key, reset_key = jax.random.split(jax.random.key(5))
    state, obs = env.reset(reset_key)
    np.testing.assert_array_equal(observations["agent_1"], obs[1])
    assert infos["agent_0"]["action_mask"].tolist() == [1] * 5
    rng = np.random.default_rng(0)
    for t in range(6):
        actions = rng.integers(0, 5, 2)
        key, step_key = jax.random.split(key)
        want = env.step(step_key, state, jnp.asarray(actions))
        state = want.state
        both = dict(zip(game.possible_agents, actions, strict=True))
        observations, rewards, terminations, truncations, infos = game.step(both)
        assert rewards["agent_0"] == pytest.approx(float(want.shared + want.private[0]))
        assert infos["agent_1"]["private"] == pytest.approx(float(want.private[1]))
        np.testing.assert_array_equal(observations["agent_0"], want.obs[0])
        assert set(terminations.values()) == {False}
        assert set(truncations.values()) == {t == 5}
    assert game.agents == []


def test_same_seed_same_episode():
    game = PettingZooEnv(marl.make_env("kitchen"))
    first = game.reset(seed=9)[0]["agent_0"].tolist()
    assert [game.reset(seed=9)[0]["agent_0"].tolist() for _ in range(3)] == [first] * 3


@pytest.mark.parametrize("actions", [{}, {"agent_0": 0, "agent_1": 5}, {"agent_0": 0}])
def test_bad_actions_get_clear_errors(actions):
    game = PettingZooEnv(marl.make_env("kitchen"))
    game.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions\['agent_[01]'\] must be an integer in 0..4"):
        game.step(actions)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "marl.envs.pettingzoo", raising=False)
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(ImportError, match=r"'pettingzoo': pip install 'rqe\[marl"):
        import_module("marl.envs.pettingzoo")
