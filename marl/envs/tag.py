"""Tag, through JaxMARL: two chasers share the reward for catching a runner (MPE simple_tag).

The runner is the third seat while runners are trained (``runner="learned"``); then it is part of
the environment: a saved policy, which is fixed, or a scripted one that flees. Chasers are trained
against one runner and tested also against one that they have never met.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, random

from marl.checkpoint import CheckpointError, load_arrays, restore, save_arrays
from marl.envs import jaxmarl
from marl.envs.base import Step, check_finite, plain_numbers

if TYPE_CHECKING:
    from marl.run import Run

CHASERS = 2
RUNNER = "marl.runner/1"
ACTIONS = ("stay", "left", "right", "down", "up")
_DIRECTIONS = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
_LANDMARKS = 0.9  # PettingZoo's obstacles lie within +-0.9, JaxMARL's within +-1
_REACH = 0.2  # how far ahead the scripted runner looks
_SIZE, _RUNNER_SIZE = 14, 12  # numbers that a chaser sees, and a runner


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tag:
    """Two chasers, one runner, two obstacles; discrete actions.

    A chaser that touches the runner earns 10 times `scale` for both. Chasers see their own
    velocity and position, and the places of the obstacles, of each other and of the runner, whose
    velocity they see too: 14 numbers. The runner sees the same but velocities of others.

    Parameters
    ----------
    runner : str, default "flee"
        "flee" is scripted: it goes where chasers are far, and stays inside. "learned" opens the
        runner's seat as a third agent, which pays for being caught and for leaving the arena.
        Anything else is a file of `save_runner`.
    horizon : int, default 100
        Steps in an episode.
    scale : float, default 0.1
        Of all rewards.
    sha256 : str, optional
        Of the runner's file; a file that has changed since is refused.

    Raises
    ------
    ValueError
        If a number is out of range, the runner's file has changed, or there is none; the message
        says how to make one.
    ImportError
        If JaxMARL is not installed.
    """

    runner: str = "flee"
    horizon: int = 100
    scale: float = 0.1
    sha256: str | None = None

    name: ClassVar[str] = "tag"
    n_actions: ClassVar[int] = len(ACTIONS)
    obs_size: ClassVar[int] = _SIZE
    events: ClassVar[tuple[str, ...]] = ("tags", "moves")

    def __post_init__(self) -> None:
        object.__setattr__(self, "runner", str(self.runner))
        plain_numbers(self)
        jaxmarl.checked("horizon", self.horizon, 1)
        check_finite("scale", self.scale)
        if self.runner in ("flee", "learned"):
            return
        if not Path(self.runner).is_file():
            raise ValueError(
                f"runner must be 'flee', 'learned' or a saved runner, got {self.runner!r}, which "
                "is no file; marl.envs.tag.save_runner keeps one, 'marl benchmark tag' trains it"
            )
        found = hashlib.sha256(Path(self.runner).read_bytes()).hexdigest()[:16]
        if self.sha256 not in (None, found):
            raise ValueError(
                f"sha256 must be that of {self.runner}, {found}; got {self.sha256}: the runner is "
                "not the one that these agents were trained with"
            )
        object.__setattr__(self, "sha256", found)

    @property
    def n_agents(self) -> int:
        """Two chasers, and the runner where it learns."""
        return CHASERS + (self.runner == "learned")

    @property
    def _game(self) -> Any:
        """JaxMARL's environment; its episodes last one step longer than it is told."""
        return _game(self.horizon - 1)

    def options(self) -> dict[str, Any]:
        """Keywords from which `marl.make_env` builds an equal environment."""
        return dataclasses.asdict(self)

    def reset(self, key: Array) -> tuple[Any, Array]:
        """Everybody at random places, at rest."""
        _, state = self._game.reset(key)
        where = state.p_pos
        where = where.at[CHASERS + 1 :].multiply(_LANDMARKS)
        state = state.replace(p_pos=where)
        return state, self._observe(self._game.get_obs(state))

    def step(self, key: Array, state: Any, actions: Array) -> Step:
        """Push everybody, and see who touches the runner."""
        game = self._game
        world_key, runner_key = random.split(key)
        moves = actions
        if self.n_agents == CHASERS:
            moves = jnp.append(actions, self._run(runner_key, state))
        obs, after, rewards, dones, _ = game.step_env(world_key, state, jaxmarl.named(game, moves))
        touch = jax.vmap(lambda i: game.is_collision(i, CHASERS, after))(jnp.arange(CHASERS))
        tags = touch.astype(jnp.float32)
        counts = {"tags": tags, "moves": (actions != 0).astype(jnp.float32)}
        shared = jnp.float32(self.scale) * jnp.asarray(rewards["adversary_0"], jnp.float32)
        private = jnp.zeros(self.n_agents, jnp.float32)
        if self.n_agents > CHASERS:  # the runner has no part in the chasers' reward
            counts["tags"] = jnp.append(tags, 0.0)
            own = jnp.float32(self.scale) * jnp.asarray(rewards["agent_0"], jnp.float32)
            private = jnp.append(jnp.full(CHASERS, shared), own)
            shared = jnp.zeros((), jnp.float32)
        done = jnp.asarray(dones["__all__"], bool)
        return Step(after, self._observe(obs), shared, private, done, counts)

    def legal(self, state: Any) -> Array:
        """[n_agents, 5] bool: every action is always legal."""
        return jnp.ones((self.n_agents, len(ACTIONS)), bool)

    def _observe(self, obs: dict[str, Array]) -> Array:
        """[n_agents, 14] float32."""
        return jaxmarl.stacked(self._game, obs, _SIZE)[: self.n_agents]

    def _run(self, key: Array, state: Any) -> Array:
        """The runner's action, [] int32, in a state."""
        if self.runner == "flee":
            return flee(key, state.p_pos)
        policy, actor = load_runner(self.runner)
        obs = self._game.get_obs(state)["agent_0"].astype(jnp.float32)
        obs = jnp.pad(obs, (0, _SIZE - _RUNNER_SIZE))
        action: Array = policy(actor, key, obs, jnp.ones(len(ACTIONS), bool)).astype(jnp.int32)
        return action


def flee(key: Array, places: Array) -> Array:
    """Scripted runner: the direction in which the nearest chaser is farthest, inside the arena.

    `places` [5, 2] are those of the chasers, the runner and the obstacles; ties are random.
    """
    runner = places[CHASERS]
    ahead = runner + _REACH * jnp.asarray(_DIRECTIONS)
    chasers = jnp.linalg.norm(ahead[:, None] - places[None, :CHASERS], axis=-1).min(axis=1)
    outside = jnp.maximum(jnp.abs(ahead) - 0.9, 0.0).sum(axis=1)
    obstacles = jnp.linalg.norm(ahead[:, None] - places[None, CHASERS + 1 :], axis=-1).min(axis=1)
    blocked = jnp.maximum(0.25 - obstacles, 0.0)
    noise = 0.01 * random.uniform(key, (len(ACTIONS),))
    return jnp.argmax(chasers - 10.0 * outside - 2.0 * blocked + noise).astype(jnp.int32)


def save_runner(run: Run, seed: int, path: str | Path) -> None:
    """Keep the runner that one seed of a run on ``Tag(runner="learned")`` trained.

    Parameters
    ----------
    run : marl.Run
        A complete run.
    seed : int
        Which of its seeds.
    path : str or Path
        The file; written whole or not at all.

    Raises
    ------
    ValueError
        If the run is of another environment, or has no such seed.
    """
    from marl.checkpoint import flatten

    if not isinstance(run.env, Tag) or run.env.runner != "learned":
        raise ValueError(f"run must be on tag with runner='learned', got {run.config.env}")
    if seed not in run.seeds:
        raise ValueError(f"seed must be one of {list(run.seeds)}, got {seed!r}")
    actor = jax.tree.map(lambda x: np.asarray(x)[run.seeds.index(seed), CHASERS], run.actors)
    about = {"hidden": list(run.algo.hidden), "activation": run.algo.activation}
    notes = {"network": json.dumps(about), "run": run.config.digest, "seed": str(seed)}
    save_arrays(path, flatten(actor), schema=RUNNER, metadata=notes)


@lru_cache(maxsize=16)
def load_runner(path: str) -> tuple[Any, Any]:
    """Policy and weights of a saved runner, see `marl.play.learned`.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or something else.
    """
    from marl.networks import Actor
    from marl.play import learned

    arrays, metadata = load_arrays(path, schema=RUNNER)
    try:
        network = json.loads(metadata["network"])
        algo = SimpleNamespace(hidden=tuple(network["hidden"]), activation=network["activation"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: lacks a part: {error}") from error
    env: Any = SimpleNamespace(n_actions=len(ACTIONS))
    actor = Actor(len(ACTIONS), algo.hidden, algo.activation)
    like = jax.eval_shape(actor.init, random.key(0), jnp.zeros(_SIZE))["params"]
    with jax.ensure_compile_time_eval():
        weights = restore(like, arrays, source=path)
    return learned(env, algo), jax.tree.map(np.asarray, weights)


@lru_cache(maxsize=16)
def _game(max_steps: int) -> Any:
    """JaxMARL's simple_tag."""
    return jaxmarl.build(
        "mpe.simple_tag:SimpleTagMPE",
        num_good_agents=1,
        num_adversaries=CHASERS,
        num_obs=2,
        max_steps=max_steps,
    )
