"""Settings that all algorithms share, and their checks."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from marl.envs.base import check_truth, plain_numbers

if TYPE_CHECKING:
    from jax import Array

    from marl.algorithms.update import TrainState
    from marl.envs.base import Env

ACTIVATIONS = ("tanh", "relu")
MOST_STEPS = 2**31 - 1  # of one team: JAX counts in 32 bits


class Method(Protocol):
    """An algorithm in an environment: pure functions that `marl.Trainer` runs."""

    def init(self, key: Array) -> TrainState:
        """State before the first update."""

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """State after one update; metrics [L] of each learner, and [] "steps" so far."""

    def team(self, params: dict[str, Any]) -> Any:
        """Actors of all seats, every leaf [n_agents, ...], in the environment's own terms."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Algorithm(ABC):
    """What every algorithm has: tables, steps, networks; and how it counts them.

    Parameters
    ----------
    n_envs : int, default 8
        Environments (tables) that each agent sees in an update.
    n_steps : int, default 128
        Environment steps in a rollout.
    lr : float, default 6e-4
        Adam's step size.
    gamma : float in [0, 1], default 0.99
        Discount per step.
    hidden : tuple of int, default (64, 64)
        Sizes of the hidden layers, of actor and critic each; a number alone is one layer.
    activation : {"tanh", "relu"}, default "tanh"
        Between the layers.
    share_policies : bool, default False
        One policy for all seats instead of one per seat.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """

    n_envs: int = 8
    n_steps: int = 128
    lr: float = 6e-4
    gamma: float = 0.99
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    share_policies: bool = False

    name: ClassVar[str] = "algorithm"

    def __post_init__(self) -> None:
        plain_numbers(self)
        object.__setattr__(self, "hidden", _layers(self.hidden))
        for field in ("n_envs", "n_steps"):
            positive_integer(field, getattr(self, field))
        within("gamma", self.gamma, 0.0, 1.0)
        within("lr", self.lr, 0.0, math.inf, open_ends=True)
        for size in self.hidden:
            positive_integer("hidden", size)
        one_of("activation", self.activation, ACTIVATIONS)
        check_truth("share_policies", self.share_policies)

    @abstractmethod
    def method(self, env: Env) -> Method:
        """What this algorithm does in an environment."""

    def planned(self, steps: int, n_agents: int = 2) -> Self:
        """The algorithm for a run of so many environment steps; most are the same for any."""
        return self

    @property
    def n_adversarial(self) -> int:
        """Tables per learner that are played against its adversary."""
        return 0

    @property
    def n_memory(self) -> int:
        """Tables per learner that are played against a remembered partner."""
        return 0

    def interactions(self, n_agents: int = 2) -> int:
        """Environment steps of one update, all tables and phases counted."""
        opposed = self.n_adversarial + self.n_memory
        learners = 1 if self.share_policies else n_agents
        return self.n_steps * (self.n_envs - opposed + learners * opposed)

    def round_steps(self, steps: float, n_agents: int = 2) -> int:
        """Largest number of environment steps up to `steps` that this algorithm can take.

        A multiple of ``n_agents * n_envs * n_steps`` wherever that is a whole number of updates:
        then it is the same for every algorithm with the same tables.

        Examples
        --------
        >>> from marl import IPPO, SRPO
        >>> IPPO().round_steps(2e6), SRPO(tau=10).round_steps(2e6)
        (1998848, 1998848)
        """
        common = n_agents * self.n_envs * self.n_steps
        unit = self.interactions(n_agents)
        if not (isinstance(steps, Real) and unit <= steps <= MOST_STEPS):
            raise ValueError(
                f"steps must be at least {unit} (one update) and at most {MOST_STEPS}, "
                f"got {steps!r}"
            )
        unit = common if common % unit == 0 and steps >= common else unit
        return int(steps // unit) * unit

    def total_updates(self, steps: int, n_agents: int = 2) -> int:
        """Updates that take exactly `steps` environment steps.

        Raises
        ------
        ValueError
            If that is not a whole number; the message names the nearest below.

        Examples
        --------
        >>> from marl import SRPO
        >>> SRPO(tau=10).total_updates(1_998_848)
        976
        """
        unit = self.interactions(n_agents)
        if steps < unit or steps % unit:
            near = max(unit, int(steps // unit) * unit)
            raise ValueError(
                f"steps must be a positive multiple of {unit}, the environment steps of one "
                f"{self.name} update; got {steps!r}, the nearest below is {near}"
            )
        return int(steps // unit)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPO(Algorithm):
    """Proximal policy optimisation by every seat on its own; the base of most algorithms here.

    What is not listed is as in `Algorithm`.

    Parameters
    ----------
    epochs, minibatches : int, default 4 and 1
        Passes over an update's data, and parts of it per pass.
    clip : float, default 0.2
        Largest change of a probability ratio that is rewarded.
    value_coef : float, default 0.5
        Weight of the critic's mean squared error.
    gae_lambda : float in [0, 1], default 0.95
        Decay of the advantage estimate.
    normalise_advantages : bool, default False
        Whether each minibatch's advantages get mean 0 and variance 1.
    eps : float, default 0.1
        Entropy bonus, reward units per nat.
    eps_start : float, optional
        Where eps begins, if it is to fall (or grow) geometrically to `eps`...
    eps_warmup : int, default 0
        ...over this many environment steps.
    lr_start, lr_warmup : float and int, optional
        The same for `lr`; the step sizes of critics and adversaries move in proportion.
    shared_trunk : bool, default False
        Whether a critic is one layer on top of its actor's hidden layers, which then learn from
        both losses. Not for central critics: they see something else.
    max_grad_norm : float, optional
        Length to which the gradient of each learner (actor and critic together) is cut; by default
        it is left as it is.
    critic_lr : float, optional
        Adam's step size for the critics, the learned adversary's too; `lr` (for the adversary's,
        its own) unless given. A shared trunk is the actor's.

    Raises
    ------
    ValueError
        If a setting is out of its range, the data of an update cannot be cut into minibatches, or
        there is no trunk that could be shared.
    """

    epochs: int = 4
    minibatches: int = 1
    clip: float = 0.2
    value_coef: float = 0.5
    gae_lambda: float = 0.95
    normalise_advantages: bool = False
    eps: float = 0.1
    eps_start: float | None = None
    eps_warmup: int = 0
    lr_start: float | None = None
    lr_warmup: int = 0
    shared_trunk: bool = False
    max_grad_norm: float | None = None
    critic_lr: float | None = None

    name: ClassVar[str] = "ppo"
    central_critic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("epochs", "minibatches"):
            positive_integer(field, getattr(self, field))
        within("gae_lambda", self.gae_lambda, 0.0, 1.0)
        within("clip", self.clip, 0.0, math.inf, open_ends=True)
        for field in ("value_coef", "eps"):
            within(field, getattr(self, field), 0.0, math.inf, finite=True)
        if (self.n_envs * self.n_steps) % self.minibatches:
            raise ValueError(
                f"minibatches must divide n_envs * n_steps = {self.n_envs * self.n_steps}, "
                f"got {self.minibatches}"
            )
        for field in ("max_grad_norm", "critic_lr"):
            if getattr(self, field) is not None:
                within(field, getattr(self, field), 0.0, math.inf, open_ends=True)
        check_schedule(self, "eps")
        check_schedule(self, "lr")
        for field in ("normalise_advantages", "shared_trunk"):
            check_truth(field, getattr(self, field))
        if self.shared_trunk and (self.central_critic or not self.hidden):
            rule = "has a central critic" if self.central_critic else "has no hidden layers"
            raise ValueError(f"shared_trunk must be False where {self.name} {rule}, got True")

    def method(self, env: Env) -> Method:
        """Rollouts at all tables, then epochs of PPO."""
        from marl.algorithms.update import Setup

        return Setup(env, self)


def _layers(hidden: Any) -> tuple[Any, ...]:
    """Sizes of the hidden layers as a tuple of what was given."""
    several = isinstance(hidden, Iterable) and not isinstance(hidden, str)
    sizes = tuple(hidden) if several else (hidden,)
    return tuple(size.item() if isinstance(size, np.generic) else size for size in sizes)


def check_schedule(algo: Any, name: str) -> None:
    """Raise ValueError unless a schedule has a start, a length and two finite positive ends."""
    value, start, warmup = (getattr(algo, name + end) for end in ("", "_start", "_warmup"))
    if not isinstance(warmup, int) or isinstance(warmup, bool) or warmup < 0:
        raise ValueError(f"{name}_warmup must be an integer of at least 0, got {warmup!r}")
    if (start is None) != (warmup == 0):
        raise ValueError(
            f"{name}_start and {name}_warmup go together, got "
            f"{name}_start={start!r} and {name}_warmup={warmup!r}"
        )
    if start is not None:
        within(f"{name}_start", start, 0.0, math.inf, open_ends=True)
        within(f"{name} (with {name}_start)", value, 0.0, math.inf, open_ends=True)


def positive_integer(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")


def within(
    name: str,
    value: Any,
    low: float,
    high: float,
    *,
    open_ends: bool = False,
    finite: bool = False,
) -> None:
    """Raise ValueError unless `value` is a number in [low, high], or inside it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and finite:
        number = math.isfinite(value)
    if not number or not (low < value < high if open_ends else low <= value <= high):
        rule = f"in ({low}, {high})" if open_ends else f"in [{low}, {high}]"
        if finite:
            rule = f"a finite number of at least {low}"
        raise ValueError(f"{name} must be {rule}, got {value!r}")


def one_of(name: str, value: Any, known: tuple[Any, ...]) -> None:
    """Raise ValueError unless `value` is one of `known`."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
