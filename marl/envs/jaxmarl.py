"""What the adapters of JaxMARL's environments share.

JaxMARL (Rutherford et al. 2024) names agents and keeps one dict per agent; here they are an axis.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array


def load(place: str) -> Any:
    """What JaxMARL calls "module:name" below its package of environments.

    Raises
    ------
    ImportError
        If JaxMARL is not installed; the message says how to get it.
    """
    module, _, name = place.partition(":")
    try:
        # Its modules have tables too, which must be numbers also if a program is being traced.
        with jax.ensure_compile_time_eval(), contextlib.redirect_stdout(sys.stderr):
            return getattr(import_module(f"jaxmarl.environments.{module}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"this environment needs the package {error.name!r}: pip install 'rqe[jaxmarl]'"
        ) from error


def build(place: str, **options: Any) -> Any:
    """JaxMARL's environment "module:Class" with these options."""
    kind = load(place)
    with jax.ensure_compile_time_eval(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Overcooked recommends its successor
        return kind(**options)


def stacked(game: Any, by_agent: dict[str, Array], size: int) -> Array:
    """[n, size] float32: one row per agent in the game's order, zeros after shorter ones."""
    rows = [jnp.ravel(by_agent[agent]).astype(jnp.float32) for agent in game.agents]
    return jnp.stack([jnp.pad(row, (0, size - row.shape[0])) for row in rows])


def named(game: Any, actions: Array) -> dict[str, Array]:
    """Actions [n] by agents' names."""
    return {agent: actions[i] for i, agent in enumerate(game.agents)}


def checked(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise ValueError unless `value` is an integer from `least` to `most`."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        rule = f"at least {least}" if most is None else f"in {least}..{most}"
        raise ValueError(f"{name} must be an integer {rule}, got {value!r}")
