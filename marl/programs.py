"""The compiled programs of a run: all seeds at once, spread over devices."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from marl.algorithms.config import Algorithm
    from marl.envs.base import Env

__all__ = ["Programs", "programs"]

_LOOK = 16  # episodes in which a team is looked at after each interval


class Programs(NamedTuple):
    """Jitted functions of all seeds at once."""

    init: Any
    """keys [seeds] -> states"""
    advance: Any
    """states, updates to make -> states, metrics [seeds, log_every, ...]"""
    look: Any
    """states, update -> what teams do among themselves, [seeds, 1, n_agents or 1]"""
    actors: Any
    """states -> actors [seeds, n_agents, ...]"""


@lru_cache(maxsize=16)
def programs(env: Any, algo: Algorithm, length: int, devices: tuple[Any, ...]) -> Programs:
    """Compile each program once, whatever the run's seeds; each device works on its own seeds."""
    import jax

    from marl.compile import jit
    from marl.train import Trainer

    trainer = Trainer(env, algo)
    partition: Any = jax.sharding.PartitionSpec
    mesh = jax.sharding.Mesh(np.array(devices), ("seeds",))

    def spread(function: Any) -> Any:
        return jit(
            jax.shard_map(
                jax.vmap(function, in_axes=(0, None)),
                mesh=mesh,
                in_specs=(partition("seeds"), partition()),
                out_specs=partition("seeds"),
                check_vma=False,  # loops begin with constants, which belong to no device
            )
        )

    return Programs(
        init=jit(jax.vmap(trainer.init)),
        advance=spread(lambda state, count: trainer.advance(state, length, count=count)),
        look=spread(lambda state, update: _look(env, algo, state, update)),
        actors=jax.vmap(trainer.team),
    )


def _look(env: Env, algo: Algorithm, state: Any, update: Any) -> dict[str, Any]:
    """What one team does among itself, without adversaries: means over episodes, [1, ...].

    The noise depends on the seed and the update alone.
    """
    import jax

    from marl.play import learned, play
    from marl.train import Trainer

    actors = Trainer(env, algo).team(state)
    params = [jax.tree.map(lambda x, i=i: x[i], actors) for i in range(env.n_agents)]
    policies = (learned(env, algo),) * env.n_agents
    keys = jax.random.split(jax.random.fold_in(state.key, update), _LOOK)
    totals = jax.vmap(lambda key: play(env, policies, params, key, env.horizon, once=True))(keys)
    found = {"return": totals.team[:, None], "private": totals.private, **totals.events}
    return {f"play.{name}": x.mean(0, keepdims=True) for name, x in found.items()}
