"""Any finite game of `rqe` as an environment: one step, one joint action, one payoff each.

What is learned on it can be compared with `rqe.solve` at the same (tau, eps).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

import rqe
from marl.envs.base import Step
from rqe.games._nfg import parse_nfg
from rqe.games.files import nfg_text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matrix:
    """A normal-form game played once per episode; payoffs are private rewards.

    Every agent sees the number 1. A seat with fewer actions than the largest one has its last
    actions masked; one that is taken all the same counts as the seat's last legal action.

    Parameters
    ----------
    game : rqe.NormalFormGame, str, path or nested sequences
        The game, a name in `rqe.catalog`, a Gambit .nfg file or its text, or payoffs.

    Raises
    ------
    ValueError
        If the catalog has no such game, or the file none.
    TypeError
        If `game` is none of these.

    Examples
    --------
    >>> import jax
    >>> env = Matrix(game="matching-pennies")
    >>> state, obs = env.reset(jax.random.key(0))
    >>> step = env.step(jax.random.key(0), state, jax.numpy.array([0, 0]))
    >>> step.private.tolist(), bool(step.done)
    ([1.0, -1.0], True)
    """

    game: rqe.NormalFormGame

    name: ClassVar[str] = "matrix"
    obs_size: ClassVar[int] = 1
    horizon: ClassVar[int] = 1
    events: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, game: Any) -> None:
        object.__setattr__(self, "game", _load(game))

    @property
    def n_agents(self) -> int:
        """Number of players."""
        return self.game.n_players

    @property
    def n_actions(self) -> int:
        """Largest number of actions that a player has."""
        return max(self.game.shape)

    def options(self) -> dict[str, Any]:
        """Keywords from which `marl.make_env` builds an equal environment: the text of a file."""
        return {"game": nfg_text(self.game)}

    def reset(self, key: Array) -> tuple[Array, Array]:
        """The only state there is, and a one for every agent."""
        return jnp.int32(0), jnp.ones((self.n_agents, 1), jnp.float32)

    def step(self, key: Array, state: Array, actions: Array) -> Step:
        """Payoffs at the joint action; the episode is over."""
        payoffs = jnp.asarray(self.game.payoffs, jnp.float32).reshape(self.n_agents, -1)
        chosen = jnp.minimum(actions, jnp.asarray(self.game.shape) - 1)
        strides = np.cumprod((1, *self.game.shape[:0:-1]))[::-1]
        cell = jnp.sum(chosen * jnp.asarray(strides.copy(), jnp.int32))
        obs = jnp.ones((self.n_agents, 1), jnp.float32)
        return Step(state, obs, jnp.float32(0), payoffs[:, cell], jnp.bool_(True), {})

    def legal(self, state: Array) -> Array:
        """[n_agents, n_actions] bool: each player's own actions."""
        return jnp.arange(self.n_actions)[None] < jnp.asarray(self.game.shape)[:, None]


def _load(game: Any) -> rqe.NormalFormGame:
    """Game from itself, a catalog name, a file or nested lists of payoffs."""
    if isinstance(game, rqe.NormalFormGame):
        return game
    if isinstance(game, Path) or (isinstance(game, str) and game.endswith(".nfg")):
        return rqe.read_nfg(game)
    if isinstance(game, str) and game.startswith("NFG "):
        return parse_nfg(game, "game")
    if isinstance(game, str):
        return rqe.catalog.load(game)
    if isinstance(game, list | tuple | np.ndarray):
        return rqe.NormalFormGame(game)
    raise TypeError(
        "game must be a rqe.NormalFormGame, a name in rqe.catalog, an .nfg file or payoffs, "
        f"got {type(game).__name__}"
    )
