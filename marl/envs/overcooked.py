"""Overcooked, through JaxMARL: soups for both, steps paid by whoever takes them.

Carroll et al. 2019's layouts in JaxMARL's version. Three onions make a soup, which is served on a
plate for `delivery` (20) to both. To JaxMARL's shared reward a private cost of moving is added, so
that free-riding can be measured.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from marl.envs import jaxmarl
from marl.envs.base import Step, check_finite, check_name, plain_numbers

LAYOUTS = ("cramped_room", "asymm_advantages", "coord_ring", "forced_coord", "counter_circuit")
ACTIONS = ("up", "down", "right", "left", "stay", "interact")
_MOVES, _INTERACT = 4, ACTIONS.index("interact")
_SOUP = 9  # JaxMARL's number of a plate with soup in an agent's hands


@dataclasses.dataclass(frozen=True, kw_only=True)
class Overcooked:
    """JaxMARL's Overcooked with a private cost of moving.

    Parameters
    ----------
    layout : str, default "cramped_room"
        One of `LAYOUTS`.
    horizon : int, default 400
        Steps in an episode.
    move_cost : float, default 0.05
        What an agent pays for a move; reward units.
    shaping : float, default 0.0
        Weight of JaxMARL's shaped reward (onions into pots, plates, soups picked up), which is
        given to both.

    Raises
    ------
    ValueError
        If there is no such layout, or a number is out of its range.
    ImportError
        If JaxMARL is not installed.
    """

    layout: str = "cramped_room"
    horizon: int = 400
    move_cost: float = 0.05
    shaping: float = 0.0

    name: ClassVar[str] = "overcooked"
    n_agents: ClassVar[int] = 2
    n_actions: ClassVar[int] = len(ACTIONS)
    events: ClassVar[tuple[str, ...]] = ("deliveries", "moves", "interactions")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_name("layout", self.layout, dict.fromkeys(LAYOUTS))
        jaxmarl.checked("horizon", self.horizon, 1)
        for field in ("move_cost", "shaping"):
            check_finite(field, getattr(self, field))

    @property
    def _game(self) -> Any:
        """JaxMARL's environment."""
        return _game(self.layout, self.horizon)

    @property
    def obs_size(self) -> int:
        """Cells times 26 layers."""
        return int(np.prod(self._game.obs_shape))

    def options(self) -> dict[str, Any]:
        """Keywords from which `marl.make_env` builds an equal environment."""
        return dataclasses.asdict(self)

    def reset(self, key: Array) -> tuple[Any, Array]:
        """The layout's start; the agents look in random directions."""
        obs, state = self._game.reset(key)
        return state, jaxmarl.stacked(self._game, obs, self.obs_size)

    def step(self, key: Array, state: Any, actions: Array) -> Step:
        """Move both, cook, deliver."""
        game = self._game
        obs, after, rewards, dones, info = game.step_env(key, state, jaxmarl.named(game, actions))
        soups = (state.agent_inv == _SOUP) & (after.agent_inv != _SOUP)
        served = soups & (rewards["agent_0"] > 0)
        counts = {
            "deliveries": served.astype(jnp.float32),
            "moves": (actions < _MOVES).astype(jnp.float32),
            "interactions": (actions == _INTERACT).astype(jnp.float32),
        }
        shaped = info["shaped_reward"]["agent_0"] + info["shaped_reward"]["agent_1"]
        shared = jnp.float32(rewards["agent_0"] + self.shaping * shaped)
        private = 0.0 - jnp.float32(self.move_cost) * counts["moves"]
        seen = jaxmarl.stacked(game, obs, self.obs_size)
        return Step(after, seen, shared, private, dones["__all__"], counts)

    def legal(self, state: Any) -> Array:
        """[2, 6] bool: every action is always legal."""
        return jnp.ones((2, len(ACTIONS)), bool)


@lru_cache(maxsize=16)
def _game(layout: str, horizon: int) -> Any:
    """JaxMARL's environment on that layout."""
    layouts = jaxmarl.load("overcooked.layouts:overcooked_layouts")
    return jaxmarl.build(
        "overcooked.overcooked:Overcooked", layout=layouts[layout], max_steps=horizon
    )
