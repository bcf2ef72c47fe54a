"""Scripted partners that no team has trained with: held-out company for cross-play.

A partner acts on what it sees, like a learned policy, and has the same signature:
``policy(params, key, obs, legal) -> action``, with no parameters to speak of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jax import Array

    from marl.envs.base import Env

__all__ = ["Partner", "held_out", "idle"]

Policy = Callable[[Any, "Array", "Array", "Array"], "Array"]

_NOISE = 0.3  # share of the noisy worker's actions that are random
_SIDESTEP = 0.5  # how often a blocked worker tries a way round
_FAR = 1000.0


@dataclass(frozen=True)
class Partner:
    """A scripted partner.

    Attributes
    ----------
    name : str
        What tables call it.
    about : str
        What it does, in one line.
    seated : callable
        ``seated(seat)`` is its policy in that seat.
    """

    name: str
    about: str
    seated: Callable[[int], Policy]


def held_out(env: Env) -> tuple[Partner, ...]:
    """Partners for `env`: a random one anywhere, and those that know the environment's rules.

    Examples
    --------
    >>> import marl
    >>> [partner.name for partner in held_out(marl.make_env("kitchen"))]
    ['random', 'stay', 'greedy worker', 'noisy worker']
    """
    uniform = Partner("random", "any legal action, all equally likely", lambda seat: _uniform)
    if env.name == "kitchen":
        return (uniform, *_kitchen_partners(env))
    if env.name == "overcooked":
        return (uniform, Partner("stay", "never moves", _constant(env, 4).seated))
    if env.name == "tag":
        about = "goes straight for the runner"
        chaser = Partner("greedy chaser", about, lambda seat: _chase)
        return (uniform, Partner("stay", "never pushes", _constant(env, 0).seated), chaser)
    if env.name == "hanabi":
        return (uniform,)
    constant = (_constant(env, action) for action in range(min(env.n_actions, 4)))
    return (uniform, *constant)


def idle(env: Env) -> Partner | None:
    """The partner that does nothing in `env`, or None where that cannot be done.

    It stands for the removed teammate.
    """
    return next((partner for partner in held_out(env) if partner.name == "stay"), None)


def _uniform(params: Any, key: Array, obs: Array, legal: Array) -> Array:
    """A legal action at random."""
    import jax
    import jax.numpy as jnp

    return jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)).astype(jnp.int32)


def _chase(params: Any, key: Array, obs: Array, legal: Array) -> Array:
    """Tag's action along the larger component of the way to the runner."""
    import jax.numpy as jnp

    right, up = obs[10], obs[11]  # where the runner is, seen from a chaser
    sideways = jnp.where(right > 0, 2, 1)
    return jnp.where(jnp.abs(right) > jnp.abs(up), sideways, jnp.where(up > 0, 4, 3)).astype(
        jnp.int32
    )


def _constant(env: Env, action: int) -> Partner:
    """The partner that always takes one action, or the first legal one where it may not."""
    import jax.numpy as jnp

    def policy(params: Any, key: Array, obs: Array, legal: Array) -> Array:
        return jnp.where(legal[action], action, jnp.argmax(legal)).astype(jnp.int32)

    return Partner(f"action {action}", f"always action {action}", lambda seat: policy)


def _kitchen_partners(env: Any) -> tuple[Partner, ...]:
    """The kitchen's: one stands still, one works alone, one works and errs."""
    from marl.envs.kitchen import STAY

    def greedy(seat: int) -> Policy:
        return _worker(own_first=seat == 0 or env.egocentric)

    stay = Partner("stay", "never moves", _constant(env, STAY).seated)
    worker = Partner("greedy worker", "nearest onion, then the pot, by the shortest way", greedy)
    about = f"the greedy worker, with {_NOISE:.0%} random actions"
    noisy = Partner("noisy worker", about, lambda seat: _with_noise(greedy(seat)))
    return stay, worker, noisy


def _with_noise(policy: Policy) -> Policy:
    """`policy` with a share of random actions."""
    import jax
    import jax.numpy as jnp

    def noisy(params: Any, key: Array, obs: Array, legal: Array) -> Array:
        errs, random, own = jax.random.split(key, 3)
        action = policy(params, own, obs, legal)
        other = _uniform(params, random, obs, legal)
        return jnp.where(jax.random.bernoulli(errs, _NOISE), other, action)

    return noisy


def _worker(*, own_first: bool) -> Policy:
    """Return the greedy worker: each move shortens the way to its goal, round the pot and others.

    With an onion its goal is the pot, otherwise the nearest onion that is there; with none there
    it waits. Blocked by the other agent it stays, or half the time tries another free cell.
    """
    import jax
    import jax.numpy as jnp

    from marl.envs.kitchen import MOVES, ONIONS, POT, SIZE, STAY

    to_pot, *to_onions = (jnp.asarray(_distances(goal)) for goal in (POT, *ONIONS))
    moves = jnp.asarray(MOVES)

    def policy(params: Any, key: Array, obs: Array, legal: Array) -> Array:
        bodies, there = obs[:6].reshape(2, 3), obs[6:8] > 0.5
        own, other = (bodies[0], bodies[1]) if own_first else (bodies[1], bodies[0])
        cells = jnp.clip(own[:2].astype(int) + moves, 0, SIZE - 1)  # [5, 2]
        rows, columns = cells[:, 0], cells[:, 1]
        onion_ways = jnp.stack([way[rows, columns] for way in to_onions])  # [2, 5]
        nearest = jnp.argmin(jnp.where(there, onion_ways[:, STAY], _FAR))
        carries = own[2] > 0.5
        way = jnp.where(carries, to_pot[rows, columns], onion_ways[nearest])
        way = way.at[STAY].add(jnp.where(~carries & ~there.any(), -_FAR, 0.5))
        free = ~jnp.all(cells == other[:2].astype(int), axis=1)
        tie, side, which = jax.random.split(key, 3)
        best = jnp.argmin(jnp.where(legal, way, _FAR) + 0.1 * jax.random.uniform(tie, way.shape))
        solid = (rows == POT[0]) & (columns == POT[1])
        round_it = jax.random.categorical(which, jnp.where(free & legal & ~solid, 0.0, -jnp.inf))
        aside = jnp.where(jax.random.bernoulli(side, _SIDESTEP), round_it, STAY)
        return jnp.where(free[best], best, aside).astype(jnp.int32)

    return policy


def _distances(goal: tuple[int, int]) -> NDArray[np.float32]:
    """Steps from every cell of the kitchen to `goal`, [5, 5]; the pot is a goal, never a way."""
    from marl.envs.kitchen import MOVES, POT, SIZE

    ways = np.full((SIZE, SIZE), _FAR, dtype=np.float32)
    ways[goal] = 0.0
    frontier = [goal]
    while frontier:
        row, column = frontier.pop(0)
        for down, right in MOVES:
            cell = (row + down, column + right)
            inside = 0 <= cell[0] < SIZE and 0 <= cell[1] < SIZE
            if inside and cell != POT and ways[cell] > ways[row, column] + 1:
                ways[cell] = ways[row, column] + 1
                frontier.append(cell)
    return ways
