"""The two stages of `marl.algorithms.partners`, as pure functions.

Axes: P members, E tables, n seats, K = 3 P snapshots in the pool, A actions, o numbers in an
observation; the seat's one-hot vector is appended to it for these policies.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, random

from marl.algorithms import ppo
from marl.algorithms.partners import SNAPSHOTS, PartnerTraining
from marl.algorithms.ppo import Params, Trajectory, Views
from marl.algorithms.seats import Seating, Shared, step_tables
from marl.algorithms.update import Setup, TrainState, agents_side, seed_by_seed
from marl.algorithms.update import init as first_state
from marl.algorithms.update import update as play_itself
from marl.envs.base import Env, Step

_FORGET = 0.05  # of a partner's score with every episode


class Company(NamedTuple):
    """With whom the learner plays, beside the weights of all policies."""

    pool: Any
    """Actors of all snapshots, every leaf [K, ...]: starts of all members, middles, ends."""
    score: Array
    """[K] float32: running mean of the learner's return beside each snapshot."""
    partner: Array
    """[E] int32: snapshot that takes the other seats of each table, this episode."""
    seat: Array
    """[E] int32: the learner's seat, this episode."""
    earned: Array
    """[E] float32: the learner's return in the running episode."""


@dataclasses.dataclass(frozen=True)
class SeatAware:
    """An environment whose agents are told their seats."""

    env: Env

    @property
    def obs_size(self) -> int:
        """Numbers of an observation, and a one-hot vector of the seat."""
        return self.env.obs_size + self.env.n_agents

    def __getattr__(self, name: str) -> Any:
        """Sizes, masks and all else are the environment's."""
        return getattr(object.__getattribute__(self, "env"), name)

    def reset(self, key: Array) -> tuple[Any, Array]:
        """First state, and observations with seats."""
        state, obs = self.env.reset(key)
        return state, self._told(obs)

    def step(self, key: Array, state: Any, actions: Array) -> Step:
        """A step of the environment, its observations with seats."""
        step = self.env.step(key, state, actions)
        return step._replace(obs=self._told(step.obs))

    def _told(self, obs: Array) -> Array:
        return jnp.concatenate([obs, jnp.eye(self.env.n_agents, dtype=obs.dtype)], axis=1)


@dataclasses.dataclass(frozen=True)
class Crowd(Shared):
    """P policies, each in all seats of its own share of the tables."""

    members: int = 1

    @property
    def learners(self) -> int:  # type: ignore[override]
        """One learner per member."""
        return self.members

    @property
    def columns(self) -> int:
        """All seats of a member's tables."""
        return self.n_agents * self.nominal // self.members

    def draw(self, key: Array) -> Array:
        """Nothing is drawn."""
        return jnp.zeros((self.members, 0), jnp.int32)

    def agents(self, x: Array, seats: Array) -> Array:
        """[E, n, ...] -> [P, E / P * n, ...]."""
        return x.reshape(self.members, self.columns, *x.shape[2:])

    def adversaries(self, x: Array, seats: Array) -> Array:
        """No table has an adversary: [P, 0, 1, ...]."""
        return jnp.zeros((self.members, 0, 1, *x.shape[2:]), x.dtype)

    def actions(self, agents: Array, adversaries: Array | None, seats: Array) -> Array:
        """[P, E / P * n] -> [E, n]."""
        return agents.reshape(self.tables, self.n_agents)


@dataclasses.dataclass(frozen=True)
class Members(Setup):
    """The population at play with itself."""

    algo: PartnerTraining

    @cached_property
    def seating(self) -> Seating:
        """Each member in all seats of its tables."""
        return Crowd(self.env.n_agents, self.algo.n_envs, 0, members=self.algo.population)

    def shaped(self, state: TrainState, steps: Trajectory) -> tuple[Trajectory, dict[str, Array]]:
        """Rewards with the method's bonus, and its mean over each member's tables."""
        bonus = self.bonus(state.params["actor"], steps)
        extra = jnp.repeat(bonus, self.env.n_agents, axis=2)
        return steps._replace(reward=steps.reward + extra), {"bonus": bonus.mean(axis=(0, 2))}

    def bonus(self, actors: Any, steps: Trajectory) -> Array:
        """What each member earns at each of its tables beside its reward, [T, P, tables]."""
        views = Views(*(ppo.flatten(x).reshape(-1, x.shape[-1]) for x in (steps.obs, steps.legal)))
        T, P, C = steps.action.shape

        def judged(actor: Any) -> Array:
            """Log-probabilities by one member of what all members did, [T, P, tables]."""
            one = jax.tree.map(lambda x: x[None], actor)
            log_probs = ppo.log_policy(self.role.actor, one, Views(*(x[None] for x in views)))
            taken = ppo.chosen(log_probs[0], ppo.flatten(steps.action).reshape(-1))
            taken = jnp.moveaxis(taken.reshape(P, T, C), 1, 0)
            return taken.reshape(T, P, -1, self.env.n_agents).sum(axis=-1)

        done = steps.done[:, :, :: self.env.n_agents].astype(jnp.float32)
        return self.algo.bonus(jax.vmap(judged)(actors), done)


@dataclasses.dataclass(frozen=True)
class Response(Setup):
    """The learner among partners from the pool, one seat of every table."""

    @property
    def head(self) -> Array:
        """[E, 1]: one column per table."""
        return jnp.ones((self.algo.n_envs, 1), jnp.float32)


@dataclasses.dataclass(frozen=True)
class Population:
    """A method of `PartnerTraining` in an environment."""

    env: Env
    algo: PartnerTraining

    def __post_init__(self) -> None:
        if self.algo.population_steps is None:
            raise ValueError(
                "population_steps must be given to a Trainer: it does not know the run's length; "
                "marl.make_train and marl.run.train_run do"
            )

    @cached_property
    def members(self) -> Members:
        """The first stage."""
        return Members(SeatAware(self.env), self.algo)

    @cached_property
    def response(self) -> Response:
        """The second stage."""
        return Response(SeatAware(self.env), self.algo)

    @property
    def boundary(self) -> int:
        """Updates of the first stage."""
        return (self.algo.population_steps or 0) // self.algo.interactions(self.env.n_agents)

    def init(self, key: Array) -> TrainState:
        """State before the first update; the pool holds the members as they begin."""
        key, own_key, seat_key = random.split(key, 3)
        state = first_state(self.members, key)
        own = ppo.init_role(self.response.role, own_key, 1, self.response.env.obs_size)
        pool = jax.tree.map(lambda x: jnp.concatenate([x] * SNAPSHOTS), state.params["actor"])
        E, K = self.algo.n_envs, SNAPSHOTS * self.algo.population
        nothing = Company(
            pool, jnp.zeros(K), jnp.zeros(E, jnp.int32), jnp.zeros(E, jnp.int32), jnp.zeros(E)
        )
        return state._replace(
            params={**own, **{f"member_{part}": x for part, x in state.params.items()}},
            opt_state={
                "agent": self.response.optimiser.init(own),
                "members": state.opt_state["agent"],
            },
            memory=self.redrawn(nothing, seat_key, jnp.ones(E, bool)),
        )

    def team(self, params: Params) -> Any:
        """Actors of all seats, [n, ...]: the seat's one-hot vector becomes part of a bias."""
        return told_seats(params["actor"], self.env.n_agents)

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """One update of the stage that the run is in."""
        return seed_by_seed(self._update)(state)  # type: ignore[no-any-return]

    def _update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        first = state.update < self.boundary
        state, metrics = jax.lax.cond(first, self._populate, self._respond, state)
        steps = state.update * self.algo.interactions(self.env.n_agents)
        return state, {**metrics, "steps": steps}

    def _populate(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """First stage: the members learn, and are remembered half way and at the end."""
        parts = ("actor", "critic")
        inner = state._replace(
            params={part: state.params[f"member_{part}"] for part in parts},
            opt_state={"agent": state.opt_state["members"]},
            memory=None,
        )
        inner, found = play_itself(self.members, inner)
        P, pool = self.algo.population, state.memory.pool
        for snapshot, moment in ((1, self.boundary // 2), (2, self.boundary)):
            due = inner.update == moment

            def kept(old: Array, new: Array, k: int = snapshot, due: Array = due) -> Array:
                return old.at[k * P : (k + 1) * P].set(
                    jnp.where(due, new, old[k * P : (k + 1) * P])
                )

            pool = jax.tree.map(kept, pool, inner.params["actor"])
        state = inner._replace(
            params={**state.params, **{f"member_{part}": inner.params[part] for part in parts}},
            opt_state={**state.opt_state, "members": inner.opt_state["agent"]},
            memory=state.memory._replace(pool=pool),
        )
        names = ("reward", "entropy", "value_loss", "bonus", *self.env.events)
        metrics = {name: found[name].mean(keepdims=True) for name in names}
        return state, metrics | {"responding": jnp.zeros(1)}

    def _respond(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """Second stage: the learner's rollout at all tables, and what it learns from it."""
        key, roll_key, learn_key = random.split(state.key, 3)
        state, steps, events = self.rollout(state, roll_key)
        inner = state._replace(opt_state={"agent": state.opt_state["agent"]})
        side, _ = agents_side(self.response, inner, steps)
        ((own, opt_state),), (report,) = ppo.fit((side,), random.split(learn_key, self.algo.epochs))
        metrics = {name: x.mean(axis=(0, 2)) for name, x in events.items()}
        metrics |= {name: report[name] for name in ("entropy", "value_loss")}
        metrics |= {"reward": steps.reward.mean(axis=(0, 2)), "responding": jnp.ones(1)}
        metrics |= {"bonus": jnp.zeros(1)}
        state = state._replace(
            params={**state.params, **own},
            opt_state={**state.opt_state, "agent": opt_state},
            key=key,
            update=state.update + 1,
        )
        return state, metrics

    def rollout(
        self, state: TrainState, key: Array
    ) -> tuple[TrainState, Trajectory, dict[str, Array]]:
        """The learner's columns of `n_steps` steps at all tables, one seat each, and its events."""
        env, E = self.response.env, self.algo.n_envs
        tables = jnp.arange(E)

        def turn(carry: Any, key: Array) -> Any:
            env_state, obs, company = carry
            own_key, other_key, world_key, fresh_key, draw_key = random.split(key, 5)
            legal, seat = jax.vmap(env.legal)(env_state), company.seat
            views = Views(obs[tables, seat][None], legal[tables, seat][None])
            log_probs = ppo.log_policy(self.response.role.actor, state.params["actor"], views)
            own = ppo.sample(random.uniform(own_key, (1, E)), log_probs)
            actions = self.partners_act(company, obs, legal, other_key)
            actions = actions.at[tables, seat].set(own[0])
            world, fresh = random.split(world_key, E), random.split(fresh_key, E)
            after, step = step_tables(env, env_state, actions, world, fresh)
            reward = step.shared + step.private[tables, seat]
            told = company._replace(earned=company.earned + reward)
            later = self.redrawn(self.judged(told, step.done), draw_key, step.done)
            events = {name: x[tables, seat][None] for name, x in step.info.items()}
            moment = (*views, own, log_probs, reward[None], step.done[None])
            return (*after, later), (moment, events)

        keys = random.split(key, self.algo.n_steps)
        carry = (state.env_state, state.obs, state.memory)
        (env_state, obs, company), (moments, events) = jax.lax.scan(turn, carry, keys)
        last = obs[tables, company.seat][None]
        state = state._replace(env_state=env_state, obs=obs, memory=company)
        return state, Trajectory._make((*moments, last)), events

    def partners_act(self, company: Company, obs: Array, legal: Array, key: Array) -> Array:
        """What the drawn partners would do in every seat, [E, n]."""
        views = Views(*(x.reshape(-1, x.shape[-1]) for x in (obs, legal)))
        K = company.score.shape[0]
        everywhere = Views(*(jnp.broadcast_to(x, (K, *x.shape)) for x in views))
        log_probs = ppo.log_policy(self.response.role.actor, company.pool, everywhere)
        E, n = obs.shape[:2]
        log_probs = log_probs.reshape(K, E, n, -1)[company.partner, jnp.arange(E)]
        return ppo.sample(random.uniform(key, (E, n)), log_probs)

    def judged(self, company: Company, done: Array) -> Company:
        """Scores with the returns of the episodes that ended, `done` [E]."""
        K = company.score.shape[0]
        mine = jax.nn.one_hot(company.partner, K) * done[:, None]  # [E, K]
        count = mine.sum(axis=0)
        mean = (mine * company.earned[:, None]).sum(axis=0) / jnp.maximum(count, 1.0)
        rate = 1.0 - (1.0 - _FORGET) ** count
        score = company.score + rate * (mean - company.score)
        return company._replace(score=score, earned=jnp.where(done, 0.0, company.earned))

    def redrawn(self, company: Company, key: Array, done: Array) -> Company:
        """New seats and partners at the tables where an episode ended, `done` [E]."""
        seat_key, partner_key = random.split(key)
        E, n = done.shape[0], self.env.n_agents
        rank = 1.0 + jnp.argsort(jnp.argsort(-company.score))
        logits = self.algo.priority * jnp.log(rank)
        partner = random.categorical(partner_key, logits, shape=(E,)).astype(jnp.int32)
        seat = random.randint(seat_key, (E,), 0, n)
        return company._replace(
            partner=jnp.where(done, partner, company.partner),
            seat=jnp.where(done, seat, company.seat),
        )


def told_seats(actor: Any, n_agents: int) -> Any:
    """Actors [n, ...] for plain observations from one [1, ...] that sees its seat's one-hot."""
    kernel, bias = actor["Dense_0"]["kernel"], actor["Dense_0"]["bias"]
    size = kernel.shape[1] - n_agents
    everywhere = jax.tree.map(lambda x: jnp.broadcast_to(x, (n_agents, *x.shape[1:])), actor)
    first = {
        "kernel": jnp.broadcast_to(kernel[:, :size], (n_agents, size, kernel.shape[2])),
        "bias": bias + kernel[0, size:],
    }
    return {**everywhere, "Dense_0": first}
