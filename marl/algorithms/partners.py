"""Training against a population of partners: what FCP, MEP and TrajeDi have in common.

Two stages share a run's environment steps. First a population plays itself: each member is one
policy that sits in all seats of its own tables. It is kept as it was at the start, half way and at
the end. Then one learner is trained as a best response: at every table, each episode, its seat and
a snapshot for the other seats are drawn anew. The methods differ in what the members earn beside
their reward (`PartnerTraining.bonus`), and in how partners are drawn.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Self

from marl.algorithms.config import PPO, Method, positive_integer, within

if TYPE_CHECKING:
    from jax import Array

    from marl.envs.base import Env

SNAPSHOTS = 3  # of each member: at the start, half way, at the end


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartnerTraining(PPO):
    """Base of the methods that train a best response to a population.

    Every policy is told its seat, so that one policy can play all of them. What is not listed is
    as in `PPO`; an update takes ``n_envs * n_steps`` environment steps in both stages.

    Parameters
    ----------
    population : int, default 4
        Members; they share the `n_envs` tables evenly.
    population_steps : int, optional
        Environment steps of the first stage; half of the run unless given. A `Trainer` of its own
        needs it, `marl.make_train` and `marl.run.train_run` know the run's length.
    priority : float, default 0
        How much likelier partners are drawn with whom the learner earns little: with probability
        proportional to rank ** priority, where the best partner has rank 1. 0 draws evenly.

    Raises
    ------
    ValueError
        If a setting is out of its range, `population` does not divide `n_envs`, or a schedule of
        `eps` or `lr` is given.
    """

    population: int = 4
    population_steps: int | None = None
    priority: float = 0.0
    share_policies: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("population", self.population)
        if self.population_steps is not None:
            positive_integer("population_steps", self.population_steps)
        within("priority", self.priority, 0.0, math.inf, finite=True)
        if self.n_envs % self.population:
            raise ValueError(
                f"population must divide n_envs = {self.n_envs}, got {self.population}"
            )
        if not self.share_policies:
            raise ValueError(f"share_policies must be True in {self.name}, got False")
        for field in ("eps_start", "lr_start"):
            if getattr(self, field) is not None:
                raise ValueError(
                    f"{field} must be None in {self.name}, whose population and learner are at "
                    f"different steps of a schedule; got {getattr(self, field)!r}"
                )

    def planned(self, steps: int, n_agents: int = 2) -> Self:
        """The same with `population_steps` of half a run, in whole updates, unless they are given.

        Raises ValueError where what is given leaves no update to the population or to the learner.
        """
        unit = self.interactions(n_agents)
        if self.population_steps is not None:
            if not unit <= self.population_steps <= max(steps - unit, unit):
                raise ValueError(
                    f"population_steps must leave an update of {unit} steps to each stage of a run "
                    f"of {steps}, got {self.population_steps}"
                )
            return self
        return dataclasses.replace(self, population_steps=max(steps // unit // 2, 1) * unit)

    def bonus(self, log_probs: Array, done: Array) -> Array:
        """What members earn beside their reward, [T, P, tables].

        Parameters
        ----------
        log_probs : [P, T, P, tables] float32
            Log-probability under every member's policy (first axis) of what all seats did at the
            tables of each member (third axis).
        done : [T, P, tables] float32
            1 where an episode ended with that step.
        """
        import jax.numpy as jnp

        return jnp.zeros_like(done)

    def method(self, env: Env) -> Method:
        """Population first, best response then."""
        from marl.algorithms.population import Population

        return Population(env, self)
