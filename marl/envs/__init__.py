"""Environments behind one small functional protocol, see `marl.envs.base`."""

from marl.envs.base import ENVIRONMENTS, Env, Step, env_config, make_env

__all__ = ["ENVIRONMENTS", "Env", "Step", "env_config", "make_env"]
