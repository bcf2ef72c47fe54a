"""Hanabi, through JaxMARL: the players see every hand but their own (Bard et al. 2020).

In turn, a player plays a card, discards one, or spends an information token on a hint. The score
counts cards that were played in order, at most colours x ranks; losing the last life gives back
what was scored. Who is not on turn has one legal action, to wait, which is the last.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from marl.envs import jaxmarl
from marl.envs.base import Step, plain_numbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hanabi:
    """JaxMARL's Hanabi; every player's reward is the change of the score.

    Parameters
    ----------
    players : int in 2..5, default 2
        A hand has five cards for two or three players, else four.
    colors, ranks : int in 2..5, default 3 and 3
        Of the cards. The lowest rank has three copies of each colour, the highest one, those
        between two.
    information, lives : int, default 8 and 3
        Tokens at the start.
    horizon : int, default 100
        A longer game is cut; games of this size end long before.

    Raises
    ------
    ValueError
        If a number is out of its range, or the deck cannot fill the hands.
    ImportError
        If JaxMARL is not installed.
    """

    players: int = 2
    colors: int = 3
    ranks: int = 3
    information: int = 8
    lives: int = 3
    horizon: int = 100

    name: ClassVar[str] = "hanabi"
    events: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        plain_numbers(self)
        jaxmarl.checked("players", self.players, 2, 5)
        for field in ("colors", "ranks"):
            jaxmarl.checked(field, getattr(self, field), 2, 5)
        for field in ("information", "lives", "horizon"):
            jaxmarl.checked(field, getattr(self, field), 1)
        deck = self.colors * int(self.copies.sum())
        cards = self.players * (5 if self.players < 4 else 4)
        if deck <= cards:
            raise ValueError(
                f"colors and ranks must give more than the {cards} cards of all hands, got a deck "
                f"of {deck}"
            )

    @property
    def copies(self) -> np.ndarray:
        """[ranks]: cards of each rank in each colour."""
        return np.array([3, *(2,) * (self.ranks - 2), 1])

    @property
    def _game(self) -> Any:
        """JaxMARL's environment."""
        return _game(self)

    @property
    def n_agents(self) -> int:
        """Number of players."""
        return self.players

    @property
    def n_actions(self) -> int:
        """Discard or play each card, hint each colour or rank to each other player, wait."""
        return int(self._game.num_moves)

    @property
    def obs_size(self) -> int:
        """Length of JaxMARL's observation."""
        return int(self._game.obs_size)

    def options(self) -> dict[str, Any]:
        """Keywords from which `marl.make_env` builds an equal environment."""
        return dataclasses.asdict(self)

    def reset(self, key: Array) -> tuple[Any, Array]:
        """Freshly dealt hands, and what each player sees."""
        obs, state = self._game.reset(key)
        return state, jaxmarl.stacked(self._game, obs, self.obs_size)

    def step(self, key: Array, state: Any, actions: Array) -> Step:
        """What the player on turn does; the others' actions count for nothing."""
        game = self._game
        obs, after, rewards, dones, _ = game.step_env(key, state, jaxmarl.named(game, actions))
        shared = jnp.asarray(rewards["__all__"], jnp.float32).reshape(())
        done = jnp.asarray(dones["__all__"], bool).reshape(()) | (after.step >= self.horizon)
        private = jnp.zeros(self.players, jnp.float32)
        return Step(after, jaxmarl.stacked(game, obs, self.obs_size), shared, private, done, {})

    def legal(self, state: Any) -> Array:
        """[players, n_actions] bool: the moves of the player on turn, waiting for the others."""
        moves = self._game.get_legal_moves(state)
        return jnp.stack([moves[agent] for agent in self._game.agents]).astype(bool)


@lru_cache(maxsize=16)
def _game(env: Hanabi) -> Any:
    """JaxMARL's environment, which has tables of its own: made once."""
    return jaxmarl.build(
        "hanabi.hanabi:HanabiEnv",
        num_agents=env.players,
        num_colors=env.colors,
        num_ranks=env.ranks,
        max_info_tokens=env.information,
        max_life_tokens=env.lives,
        num_cards_of_rank=env.copies,
    )
