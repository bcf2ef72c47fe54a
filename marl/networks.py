"""Networks of the actors and the critics, and how illegal actions are masked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax
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


def _hidden(x: Array, sizes: tuple[int, ...], activation: str) -> Array:
    """Dense layers of the given sizes: [..., sizes[-1]]."""
    for size in sizes:
        x = _ACTIVATIONS[activation](nn.Dense(size)(x))
    return x


class Actor(nn.Module):
    """Policy of one agent: observation [..., obs_size] -> logits [..., n_actions]."""

    n_actions: int
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    last_gain: ClassVar[float] = 0.01  # nearly uniform at the start

    @nn.compact
    def both(self, obs: Array) -> tuple[Array, Array]:
        """Logits, before masking, and what the last hidden layer gives: [..., hidden[-1]]."""
        x = _hidden(obs, self.hidden, self.activation)  # first: layers are numbered as made
        return nn.Dense(self.n_actions)(x), x

    def __call__(self, obs: Array) -> Array:
        """Logits, before masking."""
        return self.both(obs)[0]


class Critic(nn.Module):
    """Value of one agent: observation [..., obs_size] -> values [..., heads]."""

    heads: int = 1
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    last_gain: ClassVar[float] = 1.0

    @nn.compact
    def __call__(self, obs: Array) -> Array:
        """Values, one per head."""
        x = _hidden(obs, self.hidden, self.activation)
        return nn.Dense(self.heads)(x)


def init_weights(
    modules: tuple[Actor | Critic, ...], key: Array, count: int, obs_size: int | tuple[int, ...]
) -> tuple[Any, ...]:
    """First weights of `count` networks of each kind, every leaf with that leading axis.

    `obs_size` is the length of what they see, of all or of each kind.

    Biases are 0; kernels are orthogonal (uniformly drawn), of gain sqrt(2) in the hidden layers
    and `last_gain` in the last. Same result as flax's initialisers in distribution, but from one
    draw of normal numbers, which compiles in a tenth of the time, and without LAPACK: many QR
    decompositions at once can starve XLA's thread pool on machines with few cores, and the
    program then stops for ever.
    """
    sizes = (obs_size,) * len(modules) if isinstance(obs_size, int) else obs_size
    views = [jnp.zeros((1, size), jnp.float32) for size in sizes]
    pairs = zip(modules, views, strict=True)
    shapes = [jax.eval_shape(module.init, key, view)["params"] for module, view in pairs]
    kernels = [layer["kernel"].shape for net in shapes for layer in _in_order(net)]
    rows, columns = max(min(s) for s in kernels), max(max(s) for s in kernels)
    inside = np.zeros((len(kernels), rows, columns), np.float32)
    for place, shape in zip(inside, kernels, strict=True):
        place[: min(shape), : max(shape)] = 1.0
    basis = iter(
        jnp.moveaxis(orthonormal(random.normal(key, (count, *inside.shape)) * inside), 1, 0)
    )
    weights = []
    for module, net in zip(modules, shapes, strict=True):
        layers = {}
        for depth, layer in enumerate(_in_order(net)):
            shape = layer["kernel"].shape
            gain = module.last_gain if depth == len(module.hidden) else np.sqrt(2.0)
            kernel = gain * next(basis)[:, : min(shape), : max(shape)]
            kernel = kernel if shape[0] <= shape[1] else jnp.swapaxes(kernel, 1, 2)
            bias = jnp.zeros((count, shape[1]), jnp.float32)
            layers[f"Dense_{depth}"] = {"kernel": kernel, "bias": bias}
        weights.append(layers)
    return tuple(weights)


def orthonormal(normal: Array) -> Array:
    """Rows [..., n, m] made orthonormal by Gram and Schmidt; rows of zeros stay.

    Each row is projected twice, for rounding. From normal numbers, the result is uniform.
    """

    def add(i: Array, basis: Array) -> Array:
        v = normal[..., i, :]
        for _ in range(2):
            along = jnp.sum(basis * v[..., None, :], axis=-1, keepdims=True)
            v = v - jnp.sum(basis * along, axis=-2)
        norm = jnp.sqrt(jnp.sum(v * v, axis=-1, keepdims=True))
        return basis.at[..., i, :].set(v / jnp.maximum(norm, 1e-12))

    rows: Array = lax.fori_loop(0, normal.shape[-2], add, jnp.zeros_like(normal))
    return rows


def _in_order(net: Any) -> list[Any]:
    """Layers of a network from the first to the last."""
    return [net[f"Dense_{depth}"] for depth in range(len(net))]
