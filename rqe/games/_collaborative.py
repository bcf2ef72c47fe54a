"""Payoffs of a game of one shared reward and private costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rqe.games import _checks


def collaborative_payoffs(
    reward: Any, costs: Any
) -> tuple[NDArray[np.float64], NDArray[np.object_] | None]:
    """R - c_i for every player, shape (N, n_1, ..., n_N), with the exact values if inexact."""
    shared = _checks.real_array(reward, "reward")
    if shared.ndim < 2 or 0 in shared.shape:
        raise ValueError(
            "reward must have shape (n_1, ..., n_N) for N >= 2 players with at least one"
            f" action each, got shape {shared.shape}"
        )
    vectors = _cost_vectors(costs, shared.shape)
    named = [("reward", shared), *((f"costs[{i}]", c) for i, c in enumerate(vectors))]
    parts = [_checks.doubles(raw, name, copy=False) for name, raw in named]
    kept = [_checks.literals(raw, part) for (_, raw), part in zip(named, parts, strict=True)]
    rounded = all(raw.dtype.kind != "O" for _, raw in named)
    if rounded and all(literal is None for literal in kept):
        data = _less_costs(parts, np.float64)
        _checks.check_finite(data, "reward - costs")
        return data, None
    exact = _less_costs(
        [
            _checks.fractions(part) if literal is None else literal
            for part, literal in zip(parts, kept, strict=True)
        ],
        object,
    )
    data = _checks.doubles(exact, "reward - costs", copy=True)
    return data, _checks.literals(exact, data)


def _cost_vectors(costs: Any, shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """`costs` as one vector of length n_i per player; one vector is shared by all."""
    try:
        items = list(costs)
    except TypeError:
        raise TypeError(
            f"costs must be a vector, or one vector per player, got {costs!r}"
        ) from None
    if all(np.ndim(item) == 0 for item in items):
        shared = _checks.real_array(items, "costs")
        if set(shape) != {len(items)}:
            raise ValueError(
                "costs must be one vector per player, or one shared by players with the same"
                f" number of actions, got {len(items)} costs for a reward of shape {shape}"
            )
        return [shared] * len(shape)
    vectors = [_checks.real_array(item, f"costs[{i}]") for i, item in enumerate(items)]
    lengths = [vector.shape for vector in vectors]
    if lengths != [(n,) for n in shape]:
        raise ValueError(
            f"costs must be {len(shape)} vectors of lengths {shape}, got shapes {lengths}"
        )
    return vectors


def _less_costs(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """R less each player's costs: parts R (n_1, ..., n_N), c_i (n_i,) to (N, n_1, ..., n_N)."""
    reward, costs = parts[0], parts[1:]
    out = np.empty((len(costs), *reward.shape), dtype=dtype)
    for i, cost in enumerate(costs):
        column = cost.reshape(-1, *(1,) * (reward.ndim - 1 - i))
        np.subtract(reward, column, out=out[i])
    return out
