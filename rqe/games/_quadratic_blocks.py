"""Coefficients of quadratic utilities, from full matrices or from blocks per pair of players."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rqe.games import _quadratic_checks as checks

Array = NDArray[np.float64]
Part = tuple[Array, Array | None]


def read(quadratic: Any, dims: Any) -> tuple[list[Part], tuple[int, ...]]:
    """Return each player's coefficients, and the dimensions of the actions.

    A player's part is his own rows H^i_i, shape (n_i, D), and the rest of H^i, shape (D, D) with
    his rows and columns zero, or None where that is all zero.
    """
    try:
        items = list(quadratic)
    except TypeError:
        raise TypeError(
            "quadratic must be one symmetric matrix, or one mapping of blocks, per player; "
            f"got {quadratic!r}"
        ) from None
    if len(items) < 2:
        raise ValueError(f"quadratic must describe at least 2 players; got {len(items)}")
    if any(isinstance(item, Mapping) for item in items):
        sizes = _block_dims(items, dims)
        spans = places(sizes)
        return [_from_blocks(blocks, i, sizes, spans) for i, blocks in enumerate(items)], sizes
    total = len(checks.symmetric(items[0], "quadratic[0]"))
    sizes = _dims(dims, len(items), total)
    spans = places(sizes)
    return [_from_matrix(item, i, total, spans[i]) for i, item in enumerate(items)], sizes


def own_rows(rows: Any, dims: Any) -> tuple[Array, tuple[int, ...]]:
    """Return the rows of all players' own actions, a new array, and the dimensions, ones if None.

    Own blocks are made symmetric to the last digit, as those of whole matrices are.
    """
    matrix = checks.numbers(rows, "rows", 2).copy()
    if matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"rows must be a square matrix of 2 rows or more; got {matrix.shape}")
    try:
        given = [1] * len(matrix) if dims is None else list(dims)
    except TypeError:
        raise TypeError(f"dims must hold one dimension per player; got {dims!r}") from None
    sizes = _dims(given, len(given), len(matrix))
    for i, own in enumerate(places(sizes) if max(sizes) > 1 else ()):
        matrix[own, own] = checks.symmetric(matrix[own, own], f"own block of player {i}")
    return matrix, sizes


def places(dims: tuple[int, ...]) -> tuple[slice, ...]:
    """Where each player's action lies among the stacked coordinates."""
    ends = np.cumsum(dims).tolist()
    return tuple(slice(end - size, end) for end, size in zip(ends, dims, strict=True))


def _from_matrix(item: Any, i: int, total: int, own: slice) -> Part:
    """Player i's part, from his whole matrix (D, D)."""
    matrix = checks.symmetric(item, f"quadratic[{i}]")
    if len(matrix) != total:
        raise ValueError(
            f"quadratic must hold matrices of one size; got {total} and {len(matrix)} rows"
        )
    row = matrix[own].copy()
    matrix[own] = 0.0
    matrix[:, own] = 0.0
    return row, matrix if matrix.any() else None


def _dims(dims: Any, count: int, total: int) -> tuple[int, ...]:
    """`dims` as `count` dimensions that add up to `total`; equal ones by default."""
    if dims is None:
        if total % count:
            raise ValueError(
                f"dims must be given: {total} coordinates are not the same number for each of "
                f"{count} players"
            )
        return (total // count,) * count
    given = checks.vector(dims, "dims", count)
    if not ((given >= 1.0) & (given == np.floor(given))).all() or given.sum() != total:
        raise ValueError(f"dims must be {count} integers >= 1 with sum {total}; got {dims!r}")
    return tuple(int(size) for size in given)


def _block_dims(items: Sequence[Any], dims: Any) -> tuple[int, ...]:
    """Dimensions of the actions, those of the own blocks."""
    own = []
    for i, blocks in enumerate(items):
        if not isinstance(blocks, Mapping) or (i, i) not in blocks:
            raise ValueError(f"quadratic[{i}] must be a mapping with the own block ({i}, {i})")
        own.append(len(checks.symmetric(blocks[i, i], f"quadratic[{i}][{i}, {i}]")))
    sizes = tuple(own)
    if dims is not None and _dims(dims, len(items), sum(sizes)) != sizes:
        raise ValueError(f"dims must be those of the own blocks, {sizes}; got {dims!r}")
    return sizes


def _from_blocks(
    blocks: Mapping[Any, Any], i: int, sizes: tuple[int, ...], spans: tuple[slice, ...]
) -> Part:
    """Player i's part, from his blocks {(j, k): (n_j, n_k)}."""
    total = spans[-1].stop
    row, rest = np.zeros((sizes[i], total)), None
    for key, value in blocks.items():
        j, k = _pair(key, len(sizes), f"quadratic[{i}]")
        block = _block(value, f"quadratic[{i}][{j}, {k}]", (sizes[j], sizes[k]), j == k)
        if (k, j) in blocks and j != k and not np.array_equal(block.T, _matrix(blocks[k, j])):
            raise ValueError(f"quadratic[{i}][{k}, {j}] must be the transpose of [{j}, {k}]")
        if j == i:
            row[:, spans[k]] = block
        elif k == i:
            row[:, spans[j]] = block.T
        elif block.any():
            rest = np.zeros((total, total)) if rest is None else rest
            rest[spans[j], spans[k]] = block
            rest[spans[k], spans[j]] = block.T
    return row, rest


def _pair(key: Any, count: int, name: str) -> tuple[int, int]:
    """`key` as a pair of player numbers."""
    valid = isinstance(key, tuple) and len(key) == 2
    if not valid or not all(isinstance(j, Integral) and 0 <= int(j) < count for j in key):
        raise ValueError(f"{name} must have pairs (j, k) of players 0, ..., {count - 1}; got {key}")
    return int(key[0]), int(key[1])


def _block(value: Any, name: str, shape: tuple[int, int], symmetric: bool) -> Array:
    """`value` as the block of one pair; a number is a 1 x 1 block."""
    data = checks.symmetric(value, name) if symmetric else checks.numbers(_matrix(value), name, 2)
    if data.shape != shape:
        raise ValueError(f"{name} must have shape {shape}; got {data.shape}")
    return data


def _matrix(value: Any) -> Any:
    """`value`, a number as a 1 x 1 matrix."""
    return [[value]] if np.ndim(value) == 0 else value
