"""Training as pure functions of a key: a run from start to end, or in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from marl.algorithms.config import Algorithm, Method
from marl.algorithms.update import TrainState, team
from marl.envs.base import Env, check_protocol

__all__ = ["TrainState", "Trainer", "make_train", "team"]

Metrics = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Trainer:
    """An algorithm in an environment, for runs that are cut into pieces.

    Parameters
    ----------
    env : Env
        Where the agents live, see `marl.make_env`.
    algo : Algorithm
        How they learn: `marl.IPPO()`, `marl.SRPO(tau=10)`, ...

    Raises
    ------
    TypeError
        If either is something else.

    Notes
    -----
    Both methods can be jitted and vmapped over keys and states. The pieces do not matter: however
    a run is cut, its states and metrics are the same bits, as long as the number of seeds that
    are vmapped together is.

    Examples
    --------
    >>> import jax, marl
    >>> trainer = Trainer(marl.make_env("kitchen"), marl.IPPO(n_steps=8))
    >>> state = trainer.init(jax.random.key(0))
    >>> state, metrics = trainer.advance(state, 2)
    >>> int(state.update), metrics["steps"].tolist()
    (2, [64, 128])
    """

    env: Env
    algo: Algorithm

    def __post_init__(self) -> None:
        """Refuse names and classes where objects are wanted."""
        _check(self.env, self.algo)

    @property
    def method(self) -> Method:
        """What the algorithm does in the environment."""
        return self.algo.method(self.env)

    def init(self, key: Array) -> TrainState:
        """State before the first update."""
        return self.method.init(key)

    def team(self, state: TrainState) -> Any:
        """Actors of all seats, every leaf [n_agents, ...], as `marl.play.learned` takes them."""
        return self.method.team(state.params)

    def advance(
        self, state: TrainState, n_updates: int, *, count: Array | int | None = None
    ) -> tuple[TrainState, Metrics]:
        """State after some updates, and every metric with a leading axis `n_updates`.

        Parameters
        ----------
        state : TrainState
            From `init` or an earlier call.
        n_updates : int
            Length of the metrics; static under jit.
        count : [] int32, optional
            How many updates to make, up to `n_updates`; the rest of the metrics is zero. As a
            traced argument it lets one compiled program serve pieces of every length.
        """
        method = self.method
        shapes = jax.eval_shape(lambda s: method.update(s)[1], state)
        blank = jax.tree.map(lambda s: jnp.zeros((n_updates, *s.shape), s.dtype), shapes)

        def body(i: Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            state, log = carry
            state, metrics = method.update(state)
            return state, jax.tree.map(lambda all_, now: all_.at[i].set(now), log, metrics)

        last = jnp.int32(n_updates if count is None else count)
        # Were the length known to the compiler, it would compile short loops differently.
        last = jax.lax.optimization_barrier(last)  # type: ignore[no-untyped-call]
        end: tuple[TrainState, Metrics] = jax.lax.fori_loop(
            jnp.int32(0), last, body, (state, blank)
        )
        return end


def make_train(
    env: Env, algo: Algorithm, *, steps: float = 2e6
) -> Callable[[Array], tuple[TrainState, Metrics]]:
    """A whole run as a pure function of a key: ``jax.jit(jax.vmap(train))(keys)`` runs many seeds.

    Parameters
    ----------
    env : Env
        Where the agents live.
    algo : Algorithm
        How they learn.
    steps : float, default 2e6
        Environment steps in all, all tables and phases counted; rounded down by
        `Algorithm.round_steps`, so that methods with the same tables take exactly the same number.

    Returns
    -------
    callable
        ``train(key) -> (state, metrics)``; metrics have a leading axis of updates.

    Raises
    ------
    TypeError, ValueError
        If `env` or `algo` is something else, or `steps` no number that holds an update.

    Examples
    --------
    >>> import jax, marl
    >>> train = make_train(marl.make_env("kitchen"), marl.IPPO(n_steps=8), steps=500)
    >>> state, metrics = jax.vmap(train)(jax.random.split(jax.random.key(0), 3))
    >>> metrics["steps"].shape, state.params["actor"]["Dense_0"]["kernel"].shape
    ((3, 6), (3, 2, 8, 64))
    """
    _check(env, algo)
    whole = algo.round_steps(steps, env.n_agents)
    trainer = Trainer(env, algo.planned(whole, env.n_agents))
    updates = algo.total_updates(whole, env.n_agents)

    def train(key: Array) -> tuple[TrainState, Metrics]:
        return trainer.advance(trainer.init(key), updates)

    return train


def _check(env: Any, algo: Any) -> None:
    """Raise TypeError unless these are an environment and an algorithm."""
    check_protocol(env)
    if not isinstance(algo, Algorithm):
        raise TypeError(f"algo must be an algorithm, such as marl.SRPO(tau=10); got {algo!r}")
