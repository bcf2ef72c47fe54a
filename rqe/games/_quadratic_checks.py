"""What quadratic games check: finite vectors, symmetric matrices, definite ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rqe.games import _checks

Array = NDArray[np.float64]

_ROUNDING = float(np.finfo(float).eps)
_ASYMMETRY = 1e-12  # of the largest entry: what rounding leaves of a product such as B @ B.T


def numbers(value: Any, name: str, ndim: int) -> Array:
    """`value` as a new array of finite doubles with `ndim` axes, none of them empty."""
    raw = _checks.real_array(value, name)
    if raw.ndim != ndim:
        kind = ("a number", "a vector", "a matrix")[ndim]
        raise ValueError(f"{name} must be {kind}; got an array of shape {raw.shape}")
    if raw.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {raw.shape}")
    data = _checks.doubles(raw, name, copy=True)
    data += 0.0  # no negative zeros: equal games have equal bytes
    return data


def vector(value: Any, name: str, length: int | None = None) -> Array:
    """`value` as a vector, of `length` if that is given; a number is a vector of one."""
    data = numbers(np.atleast_1d(_checks.real_array(value, name)), name, 1)
    if length is not None and len(data) != length:
        raise ValueError(f"{name} must have {length} entries; got {len(data)}")
    return data


def per_player(value: Any, name: str, count: int) -> Array:
    """`value` as a vector of one number per player; a single number serves all."""
    data = vector(value, name)
    return np.repeat(data, count) if len(data) == 1 else vector(data, name, count)


def positive(data: Array, name: str) -> Array:
    """`data` if all of it is above 0."""
    if not (data > 0.0).all():
        where = int(np.argmin(data > 0.0))
        raise ValueError(f"{name} must be > 0; got {name}[{where}] = {data[where]:g}")
    return data


def symmetric(value: Any, name: str) -> Array:
    """`value` as an exactly symmetric matrix; a number is a 1 x 1 matrix."""
    raw = _checks.real_array(value, name)
    data = numbers(raw.reshape(1, 1) if raw.ndim == 0 else raw, name, 2)
    if data.shape[0] != data.shape[1]:
        raise ValueError(f"{name} must be a square matrix; got shape {data.shape}")
    gap = np.abs(data - data.T)
    if gap.max() > _ASYMMETRY * np.abs(data).max():
        j, k = np.unravel_index(int(gap.argmax()), gap.shape)
        raise ValueError(
            f"{name} must be symmetric; got {name}[{j}, {k}] = {data[j, k]:g} "
            f"and {name}[{k}, {j}] = {data[k, j]:g}"
        )
    halves: Array = 0.5 * data + 0.5 * data.T
    return halves


def check_definite(data: Array, name: str, sign: int) -> None:
    """Raise unless the symmetric `data` is positive (sign 1) or negative (sign -1) definite."""
    word = "positive" if sign > 0 else "negative"
    diagonal = sign * data.diagonal()
    if not (diagonal > 0.0).all():
        k = int(np.argmin(diagonal))
        raise ValueError(
            f"{name} must be {word} definite; got {name}[{k}, {k}] = {data[k, k]:g} on its diagonal"
        )
    unit = 1.0 / np.sqrt(diagonal)  # definiteness does not depend on the units of the coordinates
    least = float(np.linalg.eigvalsh(sign * data * unit[:, None] * unit)[0])
    if least <= len(data) * _ROUNDING:
        extreme = float(np.linalg.eigvalsh(sign * data)[0]) * sign
        raise ValueError(f"{name} must be {word} definite; got eigenvalue {extreme:g}")
