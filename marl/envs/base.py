"""The protocol of an environment, and the table of those that can be made by name.

An environment is a frozen, hashable dataclass whose methods are pure functions of JAX arrays:
everything can be jitted and vmapped, and one key per call is all the randomness there is.
The reward of agent i is ``shared + private[i]``. An episode that is over stays over: whoever
plays resets, when `Step.done` says so.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
from importlib import import_module
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from jax import Array

ENVIRONMENTS = {
    "hanabi": "marl.envs.hanabi:Hanabi",
    "kitchen": "marl.envs.kitchen:Kitchen",
    "matrix": "marl.envs.matrix:Matrix",
    "overcooked": "marl.envs.overcooked:Overcooked",
    "tag": "marl.envs.tag:Tag",
}
"""Name of an environment -> "module:class"; add yours before `make_env` is called."""


class Step(NamedTuple):
    """What one step of all agents brings."""

    state: Any
    """Pytree: the state after the step."""
    obs: Array
    """[n_agents, obs_size] float32: what each agent sees in that state."""
    shared: Array
    """[] float32: the reward that every agent gets."""
    private: Array
    """[n_agents] float32: the reward of each agent alone; costs are negative."""
    done: Array
    """[] bool: the episode ended with this step."""
    info: dict[str, Array]
    """Per name in `Env.events`, [n_agents] float32: how often each agent caused the event."""


@runtime_checkable
class Env(Protocol):
    """A game of several agents in discrete time, see the module's docstring."""

    @property
    def name(self) -> str:
        """Name in `ENVIRONMENTS`."""

    @property
    def n_agents(self) -> int:
        """Number of seats."""

    @property
    def n_actions(self) -> int:
        """Number of actions, the same for every seat; `legal` may take some away."""

    @property
    def obs_size(self) -> int:
        """Length of one agent's observation."""

    @property
    def horizon(self) -> int:
        """Steps in an episode, at most."""

    @property
    def events(self) -> tuple[str, ...]:
        """Names that `Step.info` counts."""

    def options(self) -> dict[str, Any]:
        """JSON-ready keywords from which `make_env` builds an equal environment."""

    def reset(self, key: Array) -> tuple[Any, Array]:
        """First state of an episode and its observations, [n_agents, obs_size] float32."""

    def step(self, key: Array, state: Any, actions: Array) -> Step:
        """What follows when the agents take `actions`, [n_agents] int32, together."""

    def legal(self, state: Any) -> Array:
        """[n_agents, n_actions] bool: the actions that each agent may take."""


def make_env(name: str, **options: Any) -> Env:
    """Environment of that name.

    Parameters
    ----------
    name : str
        A key of `ENVIRONMENTS`: "kitchen", "matrix", "tag", "hanabi", "overcooked", or one that you
        registered. The last three need JaxMARL: ``pip install 'rqe[jaxmarl]'``.
    **options
        Keywords of the environment's class.

    Returns
    -------
    Env
        A frozen, hashable object.

    Raises
    ------
    ValueError
        If no environment has that name (the nearest one is named), or an option is out of range.
    TypeError
        If the environment has no such option.

    Examples
    --------
    >>> make_env("kitchen", horizon=20).horizon
    20
    >>> make_env("kichen")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: unknown environment 'kichen', did you mean 'kitchen'? Known: hanabi, kitchen, ...
    """
    check_name("environment", name, ENVIRONMENTS)
    module, _, attribute = ENVIRONMENTS[name].partition(":")
    factory = getattr(import_module(module), attribute)
    check_options(f"environment {name!r}", factory, options)
    return cast(Env, factory(**options))


def env_config(env: Env) -> dict[str, Any]:
    """JSON-ready description from which `make_env` rebuilds `env`.

    Examples
    --------
    >>> config = env_config(make_env("kitchen"))
    >>> make_env(config["name"], **config["options"]) == make_env("kitchen")
    True
    """
    return {"name": env.name, "options": env.options()}


def check_name(kind: str, name: str, known: dict[str, Any]) -> None:
    """Raise ValueError, naming the nearest known one, unless `name` is a key of `known`."""
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f", did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"unknown {kind} {name!r}{hint} Known: {', '.join(sorted(known))}")


def check_protocol(env: Any) -> None:
    """Raise TypeError unless `env` has what `Env` names."""
    if not isinstance(env, Env):
        raise TypeError(
            f"env must be an environment, such as marl.make_env('kitchen'); got {env!r}"
        )


def check_options(what: str, factory: Any, options: dict[str, Any]) -> None:
    """Raise TypeError unless each option is a keyword of `factory`, and none is lacking."""
    parameters = inspect.signature(factory).parameters
    known = {name: None for name in parameters}
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f", did you mean {near[0]!r}?" if near else "."
            raise TypeError(f"{what} has no option {name!r}{hint} It has: {', '.join(known)}")
    for name, parameter in parameters.items():
        named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if named and parameter.default is parameter.empty and name not in options:
            raise TypeError(f"{what} needs the option {name!r}")


def plain_numbers(settings: Any) -> None:
    """Make numpy's numbers in the fields of a frozen dataclass Python's own, as JSON wants them."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, np.generic):
            object.__setattr__(settings, field.name, value.item())


def check_finite(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise ValueError(f"{name} must be finite, a number; got {value!r}")


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise ValueError unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")


def check_truth(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is True or False."""
    if value not in (False, True):
        raise ValueError(f"{name} must be True or False, got {value!r}")
