"""Networks of the actors and the critics, and how illegal actions are masked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array, lax, random

ILLEGAL = -1e9
"""Logit of an action that may not be taken."""

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"tanh": jnp.tanh, "relu": nn.relu}
ACTIVATIONS = tuple(_ACTIVATIONS)


def mask(logits: Array, legal: Array) -> Array:
    """Logits [..., n_actions] with those of illegal actions set to `ILLEGAL`."""
    return jnp.where(legal, logits, ILLEGAL)


def orthogonal(gain: float) -> Callable[..., Array]:
    """Initialiser of matrices [n, m] with orthonormal rows or columns, times `gain`.

    Uniform over such matrices, by Gram and Schmidt's method on normal vectors (each projected
    twice, for rounding). Flax's own calls LAPACK's QR, and many such calls at once can starve
    XLA's thread pool on machines with few cores: the program then stops for ever.
    """

    def init(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        count, length = min(shape), max(shape)
        normal = random.normal(key, (count, length), dtype)

        def add(i: Array, basis: Array) -> Array:
            v = normal[i]
            for _ in range(2):
                v = v - jnp.sum(basis * jnp.sum(basis * v, axis=1, keepdims=True), axis=0)
            return basis.at[i].set(v / jnp.linalg.norm(v))

        rows: Array = lax.fori_loop(0, count, add, jnp.zeros_like(normal))
        return gain * (rows if shape[0] == count else rows.T)

    return init


def _hidden(x: Array, sizes: tuple[int, ...], activation: str) -> Array:
    """Dense layers of the given sizes, orthogonal weights of gain sqrt(2): [..., sizes[-1]]."""
    init = orthogonal(np.sqrt(2.0))
    for size in sizes:
        x = _ACTIVATIONS[activation](nn.Dense(size, kernel_init=init)(x))
    return x


class Actor(nn.Module):
    """Policy of one agent: observation [..., obs_size] -> logits [..., n_actions]."""

    n_actions: int
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    @nn.compact
    def __call__(self, obs: Array) -> Array:
        """Logits, before masking; nearly uniform at the start (last layer of gain 0.01)."""
        x = _hidden(obs, self.hidden, self.activation)
        return nn.Dense(self.n_actions, kernel_init=orthogonal(0.01))(x)


class Critic(nn.Module):
    """Value of one agent: observation [..., obs_size] -> values [..., heads]."""

    heads: int = 1
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    @nn.compact
    def __call__(self, obs: Array) -> Array:
        """Values, one per head."""
        x = _hidden(obs, self.hidden, self.activation)
        return nn.Dense(self.heads, kernel_init=orthogonal(1.0))(x)


def param_count(params: Any) -> int:
    """Number of weights in a pytree."""
    from jax import tree

    return sum(int(np.size(leaf)) for leaf in tree.leaves(params))
