"""Our environments for other people's learners: PettingZoo's parallel interface."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from marl.envs.base import Env

try:
    from gymnasium import spaces
    from pettingzoo import ParallelEnv
except ModuleNotFoundError as error:
    raise ImportError(
        f"marl.envs.pettingzoo needs the package {error.name!r}: pip install 'rqe[marl]'"
    ) from error


class PettingZooEnv(ParallelEnv):  # type: ignore[misc]
    """A `marl.envs.base.Env` as a PettingZoo ParallelEnv.

    Agents are called "agent_0", "agent_1", ...; their reward is the shared part plus their own.
    An episode that reaches its horizon is truncated, one that ends earlier terminates. The infos
    hold both parts of the reward, what the agent did (`Env.events`), and, as "action_mask", which
    of its next actions are legal.

    Parameters
    ----------
    env : Env
        What to wrap.
    seed : int, default 0
        Of all episodes, until `reset` is given another.

    Examples
    --------
    >>> import marl
    >>> game = PettingZooEnv(marl.make_env("kitchen"))
    >>> observations, infos = game.reset(seed=3)
    >>> observations["agent_0"].shape
    (8,)
    """

    def __init__(self, env: Env, *, seed: int = 0) -> None:
        self.env = env
        self.metadata = {
            "name": f"marl_{env.name}_v0",
            "render_modes": [],
            "is_parallelizable": True,
        }
        self.render_mode = None
        self.possible_agents = [f"agent_{i}" for i in range(env.n_agents)]
        self.agents: list[str] = []
        shape = (env.obs_size,)
        self._observation_space = {
            agent: spaces.Box(-np.inf, np.inf, shape, np.float32) for agent in self.possible_agents
        }
        self._action_space: dict[str, spaces.Space[Any]] = {
            agent: spaces.Discrete(env.n_actions) for agent in self.possible_agents
        }
        self._reset, self._step = jax.jit(env.reset), jax.jit(env.step)
        self._key: Array = jax.random.key(seed)
        self._state: Any = None
        self._t = 0

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Space of an agent's observations: unbounded reals."""
        return self._observation_space[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Space of an agent's actions: 0 to n_actions - 1."""
        return self._action_space[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, dict[str, Any]]]:
        """Observations and infos of a new episode; `options` are not used."""
        if seed is not None:
            self._key = jax.random.key(seed)
        self._state, obs = self._reset(self._next_key())
        self._t = 0
        self.agents = list(self.possible_agents)
        masks = self._masks()
        infos: dict[str, dict[str, Any]] = {
            agent: {"action_mask": mask} for agent, mask in zip(self.agents, masks, strict=True)
        }
        return self._by_agent(np.asarray(obs)), infos

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        """Observations, rewards, terminations, truncations and infos after a joint action.

        Raises
        ------
        ValueError
            If an action is missing, or none of the agent's actions.
        """
        if not self.agents:
            return {}, {}, {}, {}, {}
        chosen = [self._action(agent, actions) for agent in self.agents]
        out = self._step(self._next_key(), self._state, np.asarray(chosen, np.int32))
        self._state, self._t = out.state, self._t + 1
        private, shared, over = np.asarray(out.private), float(out.shared), bool(out.done)
        truncated = over and self._t >= self.env.horizon
        events = {name: np.asarray(count) for name, count in out.info.items()}
        masks = self._masks()
        infos = {
            agent: {
                "shared": shared,
                "private": float(private[i]),
                "action_mask": masks[i],
                **{name: float(count[i]) for name, count in events.items()},
            }
            for i, agent in enumerate(self.agents)
        }
        rewards = {agent: shared + float(private[i]) for i, agent in enumerate(self.agents)}
        terminations = dict.fromkeys(self.agents, over and not truncated)
        truncations = dict.fromkeys(self.agents, truncated)
        observations = self._by_agent(np.asarray(out.obs))
        if over:
            self.agents = []
        return observations, rewards, terminations, truncations, infos

    def _action(self, agent: str, actions: dict[str, int]) -> int:
        """An agent's action, checked."""
        if agent not in actions or not self.action_space(agent).contains(actions[agent]):
            raise ValueError(
                f"actions[{agent!r}] must be an integer in 0..{self.env.n_actions - 1}, "
                f"got {actions.get(agent)!r}"
            )
        return int(actions[agent])

    def _next_key(self) -> Array:
        """A key that was never used."""
        keys = jax.random.split(self._key)
        self._key = keys[0]
        following: Array = keys[1]
        return following

    def _masks(self) -> NDArray[np.int8]:
        """[n_agents, n_actions] 0 or 1: legal actions."""
        return np.asarray(self.env.legal(self._state)).astype(np.int8)

    def _by_agent(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Rows of an array under the agents' names."""
        return {agent: rows[i] for i, agent in enumerate(self.possible_agents)}
