"""Cross-play: every team's seat 0 with every team's other seats, zero-shot, and scripted partners.

Entry (r, c) of a matrix is played by seat 0 of team r with the other seats of team c; the diagonal
is the teams as they were trained. What follows from the matrices is in `marl.measures`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marl.checkpoint import CheckpointError, load_arrays, save_arrays

if TYPE_CHECKING:
    from marl.envs.base import Env
    from marl.partners import Partner

__all__ = ["Against", "CrossPlay", "Group", "cross_play"]

Array = NDArray[np.float64]

SCHEMA = "marl.crossplay/2"


@dataclass(frozen=True, eq=False)
class Group:
    """Teams of one method, trained independently.

    Attributes
    ----------
    name : str
        What tables and figures call the method.
    actors : pytree
        Parameters of the actors, [teams, n_agents, ...].
    policy : callable
        ``policy(params, key, obs, legal) -> action`` of one agent, see `marl.play.learned`.
    seeds : tuple of int
        Seed of each team.
    """

    name: str
    actors: Any
    policy: Callable[..., Any]
    seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.seeds)


@dataclass(frozen=True, eq=False)
class Against:
    """What each learned agent does beside a scripted partner; arrays are [teams, n_agents].

    Attributes
    ----------
    returns : ndarray
        Return of all seats together, with the learned agent in that seat and the partner in all
        others.
    private : ndarray
        Private reward of the learned agent.
    events : dict of str to ndarray
        Events that the learned agent caused.
    """

    returns: Array
    private: Array
    events: dict[str, Array]


@dataclass(frozen=True, eq=False)
class CrossPlay:
    """Means over the episodes that were played; T teams in all, group after group.

    Attributes
    ----------
    env : dict
        Name and options of the environment.
    groups : tuple of str
        Name of each team's group, T of them.
    seeds : tuple of int
        Seed of each team.
    episodes, steps : int
        Episodes of each entry, and steps in each of them.
    returns : ndarray
        [T, T]: return of all seats together; the shared reward counts once for each seat.
    spread : ndarray
        [T, T]: standard deviation of that return over the episodes.
    private : ndarray
        [T, T, n_agents]: private reward of each seat; costs are negative.
    events : dict of str to ndarray
        [T, T, n_agents]: events that each seat caused.
    against : dict of str to Against
        Per scripted partner.
    """

    env: dict[str, Any]
    groups: tuple[str, ...]
    seeds: tuple[int, ...]
    episodes: int
    steps: int
    returns: Array
    spread: Array
    private: Array
    events: dict[str, Array]
    against: dict[str, Against]

    @property
    def own(self) -> Array:
        """[T, T, n_agents]: own return of each seat, shared plus private."""
        shared = (self.returns - self.private.sum(axis=-1)) / self.private.shape[-1]
        return np.asarray(shared[..., None] + self.private)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups, each once, in order."""
        return tuple(dict.fromkeys(self.groups))

    def members(self, name: str) -> NDArray[np.intp]:
        """Positions of a group's teams in the matrices."""
        if name not in self.groups:
            raise ValueError(f"name: no group {name!r}; there are {', '.join(self.names)}")
        return np.flatnonzero([group == name for group in self.groups])

    def save(self, path: str | Path) -> None:
        """Write everything to one safetensors file, whole or not at all."""
        arrays = {"returns": self.returns, "spread": self.spread, "private": self.private}
        arrays |= {f"events/{name}": array for name, array in self.events.items()}
        for partner, beside in self.against.items():
            arrays[f"against/{partner}/returns"] = beside.returns
            arrays[f"against/{partner}/private"] = beside.private
            for name, array in beside.events.items():
                arrays[f"against/{partner}/events/{name}"] = array
        info = {
            "env": self.env,
            "groups": self.groups,
            "seeds": self.seeds,
            "episodes": self.episodes,
            "steps": self.steps,
            "partners": list(self.against),
        }
        save_arrays(path, arrays, schema=SCHEMA, metadata={"info": json.dumps(info)})

    @classmethod
    def load(cls, path: str | Path) -> CrossPlay:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            When the file is missing, damaged, or something else.
        """
        arrays, metadata = load_arrays(path, schema=SCHEMA)
        try:
            info = json.loads(metadata["info"])
            return cls(
                env=info["env"],
                groups=tuple(info["groups"]),
                seeds=tuple(info["seeds"]),
                episodes=info["episodes"],
                steps=info["steps"],
                returns=arrays["returns"],
                spread=arrays["spread"],
                private=arrays["private"],
                events=_below(arrays, "events/"),
                against={name: _against(arrays, f"against/{name}") for name in info["partners"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: lacks a part: {error}") from error


def _below(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    """Arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _against(arrays: dict[str, Array], prefix: str) -> Against:
    """One partner's arrays."""
    events = _below(arrays, f"{prefix}/events/")
    return Against(arrays[f"{prefix}/returns"], arrays[f"{prefix}/private"], events)


def cross_play(
    env: Env,
    groups: Sequence[Group],
    *,
    episodes: int = 100,
    steps: int | None = None,
    seed: int = 0,
    partners: Sequence[Partner] | None = None,
    progress: bool = False,
) -> CrossPlay:
    """Play every pair of teams, and every team beside scripted partners.

    Parameters
    ----------
    env : Env
        Where they play.
    groups : sequence of Group
        The teams; names must differ.
    episodes : int
        Episodes of each entry.
    steps : int, optional
        Length of each episode, the environment beginning anew whenever it ends before; by default
        the environment's own, however long it lasts.
    seed : int
        Of all randomness.
    partners : sequence of Partner, optional
        Scripted partners, by default `marl.partners.held_out`.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    CrossPlay
        Means over the episodes; every episode of every entry has its own random numbers.

    Notes
    -----
    T² x episodes x steps environment steps, one row of the matrix at a time.
    """
    from marl import envs
    from marl.partners import held_out

    once, steps = steps is None, env.horizon if steps is None else steps
    _check(env, groups, episodes, steps)
    chosen = held_out(env) if partners is None else tuple(partners)
    table = _Table(env, episodes, steps, seed, once)
    rows = [(group, r) for group in groups for r in range(len(group))]
    played = [table.row(groups, group, r, k) for k, (group, r) in enumerate(_bar(rows, progress))]
    matrix = {name: np.stack([row[name] for row in played]) for name in played[0]}
    return CrossPlay(
        env=envs.env_config(env),
        groups=tuple(group.name for group in groups for _ in group.seeds),
        seeds=tuple(seed for group in groups for seed in group.seeds),
        episodes=episodes,
        steps=steps,
        returns=matrix["returns"],
        spread=matrix["spread"],
        private=matrix["private"],
        events=_below(matrix, "events/"),
        against=table.against(groups, chosen),
    )


def _check(env: Env, groups: Sequence[Group], episodes: int, steps: int) -> None:
    """Refuse what cannot be played."""
    from marl.envs.base import check_whole

    if env.n_agents < 2:
        raise ValueError(f"env: cross-play needs two seats or more, got {env.n_agents}")
    names = [group.name for group in groups]
    if not groups or len(set(names)) < len(names):
        raise ValueError(f"groups: need one or more, with different names; got {names}")
    for name, value in (("episodes", episodes), ("steps", steps)):
        check_whole(name, value, 1)


def _bar(rows: list[Any], progress: bool) -> Iterable[Any]:
    """`rows`, with a progress bar if asked for."""
    if not progress:
        return rows
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(rows, desc="cross-play", unit="row", leave=False)
    return bar


@dataclass(frozen=True)
class _Table:
    """What all entries of one cross-play share."""

    env: Env
    episodes: int
    steps: int
    seed: int
    once: bool

    def row(self, groups: Sequence[Group], group: Group, r: int, k: int) -> dict[str, Array]:
        """Row `k` of every matrix: seat 0 of team `r` of `group` with all teams' other seats."""
        import jax

        own = jax.tree.map(lambda leaf: leaf[r, 0], group.actors)
        others = range(1, self.env.n_agents)
        parts = []
        for g, partners in enumerate(groups):
            theirs = [_seat(partners.actors, i) for i in others]
            policies = (group.policy, *(partners.policy for _ in others))
            params, axes = (own, *theirs), (None, *(0 for _ in others))
            parts.append(self._entries(policies, params, axes, len(partners), (0, k, g)))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def against(self, groups: Sequence[Group], partners: tuple[Partner, ...]) -> dict[str, Against]:
        """All teams beside each scripted partner."""
        beside = {}
        for k, partner in enumerate(partners):
            seats = [self._beside(groups, partners, k, i) for i in range(self.env.n_agents)]
            own = {name: np.stack([seat[name] for seat in seats], axis=1) for name in seats[0]}
            beside[partner.name] = Against(own["returns"], own["private"], _below(own, "events/"))
        return beside

    def _beside(
        self, groups: Sequence[Group], partners: tuple[Partner, ...], k: int, i: int
    ) -> dict[str, Array]:
        """Seat `i` of every team, partner `k` in all other seats: only what seat `i` does, [T]."""
        seats = range(self.env.n_agents)
        parts = []
        for g, group in enumerate(groups):
            own = _seat(group.actors, i)
            params = tuple(own if j == i else k for j in seats)
            policies = tuple(group.policy if j == i else _scripts(partners, j) for j in seats)
            axes = tuple(0 if j == i else None for j in seats)
            parts.append(self._entries(policies, params, axes, len(group), (1, k, i, g)))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {name: a[:, i] if a.ndim == 2 else a for name, a in joined.items()}

    def _entries(
        self,
        policies: tuple[Any, ...],
        params: tuple[Any, ...],
        axes: tuple[int | None, ...],
        n: int,
        path: tuple[int, ...],
    ) -> dict[str, Array]:
        """Play `n` entries; `axes` says which seats' parameters have a leading axis [n]."""
        import jax

        key = jax.random.key(self.seed)
        for number in path:
            key = jax.random.fold_in(key, number)
        env: Any = self.env  # hashable, which the protocol cannot say
        entries = _compiled(env, policies, axes, self.episodes, self.steps, self.once)
        totals = jax.device_get(entries(params, jax.random.split(key, n)))
        return {name: np.asarray(array, dtype=np.float64) for name, array in totals.items()}


def _seat(actors: Any, i: int) -> Any:
    """Parameters [T, ...] of seat `i` of all teams."""
    import jax

    return jax.tree.map(lambda leaf: leaf[:, i], actors)


@lru_cache(maxsize=64)
def _scripts(partners: tuple[Partner, ...], seat: int) -> Callable[..., Any]:
    """One policy for all scripted partners in that seat: its parameter says which, [] int.

    Compiled once, where a policy per partner would be compiled one by one.
    """
    import jax

    branches = [partner.seated(seat) for partner in partners]

    def policy(which: Any, key: Any, obs: Any, legal: Any) -> Any:
        calls = [lambda args, branch=branch: branch(None, *args) for branch in branches]
        return jax.lax.switch(which, calls, (key, obs, legal))

    return policy


@lru_cache(maxsize=64)
def _compiled(
    env: Any,
    policies: tuple[Any, ...],
    axes: tuple[int | None, ...],
    episodes: int,
    steps: int,
    once: bool,
) -> Any:
    """Jitted function (params, keys [n]) -> means over the episodes, [n, ...] each."""
    import jax

    from marl.compile import jit
    from marl.play import play

    def entry(params: tuple[Any, ...], key: Any) -> dict[str, Any]:
        one = partial(play, env, policies, params, n=steps, once=once)
        totals = jax.vmap(lambda k: one(key=k))(jax.random.split(key, episodes))
        team = totals.team
        means = {"returns": team.mean(), "spread": team.std(), "private": totals.private.mean(0)}
        return means | {f"events/{name}": array.mean(0) for name, array in totals.events.items()}

    return jit(jax.vmap(entry, in_axes=(axes, 0)))
