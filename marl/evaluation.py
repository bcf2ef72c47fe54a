"""Ad-hoc teamwork: any callable policy beside partners that it has never met.

A policy here is a function ``policy(obs, legal) -> actions`` of one seat: numpy arrays of
observations [episodes, obs_size] and legal actions [episodes, n_actions] come in, one action for
each episode goes out, as anything that numpy can read. It may be written with JAX, numpy or torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marl.export import numpy_policy
from marl.statistics import Estimate, bootstrap, team_mean

if TYPE_CHECKING:
    from marl.envs.base import Env
    from marl.partners import Partner

__all__ = ["Evaluation", "evaluate"]

Array = NDArray[np.float64]
Policy = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a policy earns beside each kind of partner.

    Attributes
    ----------
    env : dict
        Name and options of the environment.
    episodes : int
        Episodes for each seat and each team of partners.
    returns : dict of str to ndarray
        Per partner [teams, seats]: mean return of all seats together, the policy in that seat;
        the shared reward counts once for each seat, as in `marl.cross_play`.
    own : dict of str to ndarray
        Per partner [teams, seats]: mean return of the policy's own seat.
    """

    env: dict[str, Any]
    episodes: int
    returns: dict[str, Array]
    own: dict[str, Array]

    def estimates(self) -> dict[str, Estimate]:
        """Return of all seats beside each partner, mean over seats, with intervals over teams."""
        return {name: _over_teams(array) for name, array in self.returns.items()}

    def rows(self) -> list[dict[str, Any]]:
        """One flat record per partner, for CSV and JSON."""
        records = []
        for name, figure in self.estimates().items():
            record = {"partner": name, "teams": len(self.returns[name]), "return": figure.value}
            record |= {"return_low": figure.low, "return_high": figure.high}
            record["own"] = float(self.own[name].mean())
            records.append(record)
        return records

    def __str__(self) -> str:
        """A table for people."""
        from rqe.report import table

        rows = [
            (name, str(len(self.returns[name])), str(figure), f"{self.own[name].mean():.3g}")
            for name, figure in self.estimates().items()
        ]
        return "\n".join(table(("partner", "teams", "return", "own"), rows, range(1)))


def evaluate(
    policy: Policy | Sequence[Policy],
    partners: Mapping[str, Any] | None,
    env: Env,
    *,
    episodes: int = 100,
    seed: int = 0,
) -> Evaluation:
    """Play a policy in every seat beside each partner, zero-shot.

    Parameters
    ----------
    policy : callable or sequence of callable
        One for all seats, or one per seat, see this module's docstring. It is called once a step
        and must not remember earlier steps: episodes that are over are still shown to it.
    partners : mapping of str to partner, optional
        Name and who takes the other seats: a callable or one per seat; a `marl.partners.Partner`;
        a `marl.Run` or the folder of one, all of whose teams are met. By default the scripted
        ones of `marl.partners.held_out`.
    env : Env
        Where they play.
    episodes : int
        Episodes for each seat and each team of partners.
    seed : int
        Of the environment and of the partners; the policy's own randomness is its own.

    Returns
    -------
    Evaluation
        Returns per partner, with intervals over teams where there are five or more.

    Raises
    ------
    ValueError
        If a policy returns something else than one legal action per episode, a run is of another
        environment, or a sequence has not one policy per seat.

    Examples
    --------
    >>> import marl
    >>> env = marl.make_env("kitchen", horizon=10)
    >>> lazy = lambda obs, legal: np.full(len(obs), 4)
    >>> found = evaluate(lazy, {"lazy too": lazy}, env, episodes=3)
    >>> found.returns["lazy too"].tolist()
    [[0.0, 0.0]]
    """
    from marl import envs
    from marl.envs.base import check_protocol, check_whole
    from marl.partners import held_out

    check_protocol(env)
    check_whole("episodes", episodes, 1)

    own = _per_seat(policy, env, "policy")
    if partners is None:
        partners = {partner.name: partner for partner in held_out(env)}
    returns, alone = {}, {}
    for k, (name, partner) in enumerate(partners.items()):
        teams = _teams(partner, env, f"partners[{name!r}]", seed)
        found = np.array(
            [
                [_play(env, own, team, seat, episodes, (seed, k, t, seat)) for seat in _seats(env)]
                for t, team in enumerate(teams)
            ]
        )
        returns[name], alone[name] = found[..., 0], found[..., 1]
    return Evaluation(envs.env_config(env), episodes, returns, alone)


def _seats(env: Env) -> range:
    return range(env.n_agents)


def _over_teams(returns: Array) -> Estimate:
    """Mean over seats and teams, with its interval over teams."""
    values = returns.mean(axis=1)
    return bootstrap(lambda weights: team_mean(values, weights), len(values))


def _per_seat(policy: Any, env: Env, name: str) -> tuple[Policy, ...]:
    """One policy per seat."""
    if callable(policy):
        return (policy,) * env.n_agents
    if isinstance(policy, Sequence) and len(policy) == env.n_agents and all(map(callable, policy)):
        return tuple(policy)
    raise ValueError(
        f"{name} must be callable, or {env.n_agents} callables, one per seat; got {policy!r}"
    )


def _teams(partner: Any, env: Env, name: str, seed: int) -> list[tuple[Policy, ...]]:
    """Teams of a partner, each with a policy per seat."""
    from marl.envs.base import env_config
    from marl.partners import Partner
    from marl.run import Run, load_run

    if isinstance(partner, Partner):
        return [tuple(_scripted(partner, seat, seed) for seat in _seats(env))]
    if isinstance(partner, str | Path):
        partner = load_run(partner)
    if not isinstance(partner, Run):
        return [_per_seat(partner, env, name)]
    if partner.env != env:
        raise ValueError(
            f"{name} must be trained in the environment {env_config(env)}; got {partner.config.env}"
        )
    # Streams of their own: partners who drew the same numbers would act in step.
    return [
        tuple(numpy_policy(partner, seat=i, seed=s, rng=(seed, i)) for i in _seats(env))
        for s in partner.seeds
    ]


def _scripted(partner: Partner, seat: int, seed: int) -> Policy:
    """A scripted partner as a function of numpy arrays."""
    import jax

    key = jax.random.fold_in(jax.random.key(seed), seat)
    calls = 0
    act = jax.jit(jax.vmap(lambda key, obs, legal: partner.seated(seat)(None, key, obs, legal)))

    def policy(obs: Any, legal: Any) -> Any:
        nonlocal calls
        calls += 1
        return act(jax.random.split(jax.random.fold_in(key, calls), len(obs)), obs, legal)

    return policy


@lru_cache(maxsize=16)
def _world(env: Any) -> tuple[Any, Any, Any]:
    """Compiled reset, step and masks of many episodes."""
    import jax

    return tuple(jax.jit(jax.vmap(f)) for f in (env.reset, env.step, env.legal))  # type: ignore[return-value]


def _play(
    env: Any,
    own: tuple[Policy, ...],
    others: tuple[Policy, ...],
    seat: int,
    episodes: int,
    path: tuple[int, ...],
) -> tuple[float, float]:
    """Mean return of all seats and of `seat`, where `own` sits; whole episodes."""
    import jax

    reset, step, masks = _world(env)
    key = jax.random.key(0)
    for number in path:
        key = jax.random.fold_in(key, number)
    state, obs = reset(jax.random.split(key, episodes))
    alive, totals = np.ones(episodes), np.zeros((episodes, env.n_agents))
    for t in range(env.horizon):
        seen, legal = np.asarray(obs), np.asarray(masks(state))
        actions = np.stack(
            [
                _act(own[i] if i == seat else others[i], seen[:, i], legal[:, i], i)
                for i in range(env.n_agents)
            ],
            axis=1,
        )
        keys = jax.random.split(jax.random.fold_in(key, t + 1), episodes)
        out = step(keys, state, actions)
        rewards = np.asarray(out.shared)[:, None] + np.asarray(out.private)
        totals += alive[:, None] * rewards
        alive = alive * ~np.asarray(out.done)
        state, obs = out.state, out.obs
        if not alive.any():
            break
    return float(totals.sum(axis=1).mean()), float(totals[:, seat].mean())


def _act(policy: Policy, obs: Any, legal: Any, seat: int) -> NDArray[np.int32]:
    """One legal action per episode, from whatever the policy returns."""
    given = policy(obs, legal)
    given = given.detach() if hasattr(given, "detach") else given  # a tensor with a gradient
    actions = np.asarray(given)
    if actions.shape != (len(obs),) or not np.issubdtype(actions.dtype, np.integer):
        raise ValueError(
            f"policy of seat {seat} must return {len(obs)} integers, one action per episode; got "
            f"{actions.dtype} of shape {actions.shape}"
        )
    allowed = (actions >= 0) & (actions < legal.shape[1])
    allowed &= legal[np.arange(len(obs)), np.where(allowed, actions, 0)]
    if not allowed.all():
        wrong = int(actions[~allowed][0])
        raise ValueError(f"policy of seat {seat} must take legal actions, got {wrong}")
    return actions.astype(np.int32)
