"""The equations of one support profile, and their rigorous ranges over boxes.

On a support profile the unknowns are the probabilities of each player's played actions but the
first, d in all; the first one's probability is what is missing to 1. Player i's equations say that
his played actions are worth the same, his inequalities that no other action is worth more. All are
multi-affine in the unknowns: degree 1 in each player's, and free of his own.

A range is kept as midpoint and radius, arrays of one row per box. Radii include every rounding
error, by the usual bound ``(n + 2) 2^-52 sum |a| |b|`` for a product of n terms, and the distance
of the doubles from the exact payoffs, so that an exact value never lies outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe._clock import Clock
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

Support = tuple[tuple[int, ...], ...]

_ULP = 2.0**-52
_UP = 1.0 + 1e-13  # covers the rounding of the radii themselves
_TINY = 1e-300


class Range(NamedTuple):
    """Midpoints and radii of equal shape."""

    mid: Array
    rad: Array


def differences(game: NormalFormGame, clock: Clock | None = None) -> list[Array]:
    """Return, per player, what action a is worth less action b: shape (n_i, n_i, others' actions).

    In payoff ranges, axes a, b, then the others in player order; correctly rounded differences of
    the exact payoffs. Some are missing if the clock has stopped.
    """
    tables: list[Array] = []
    for i in range(game.n_players):
        u = np.moveaxis(game.exact[i], i, 0)
        width = (max(u.flat) - min(u.flat)) or 1
        rows = []
        for k, own in enumerate(u):
            rows.append(((own - u) / width).astype(float))
            if clock is not None and clock.tick(f"actions compared for player {i + 1}", k + 1):
                return tables
        tables.append(np.stack(rows))
    return tables


class System:
    """Equations and inequalities of a support profile.

    Parameters
    ----------
    tables : list of ndarray
        `differences` of the game.
    support : tuple of tuples of int
        Played actions of each player, in increasing order.
    """

    def __init__(self, tables: list[Array], support: Support) -> None:
        n_players = len(support)
        ends = np.cumsum([len(own) - 1 for own in support]).tolist()
        self.blocks = [slice(e - len(s) + 1, e) for e, s in zip(ends, support, strict=True)]
        self.size = ends[-1]
        self._tensors: list[Range] = []
        self._others = [[j for j in range(n_players) if j != i] for i in range(n_players)]
        for i, own in enumerate(support):
            outside = [a for a in range(len(tables[i])) if a not in own]
            table = tables[i][:, own[0]][[*own[1:], *outside]]
            u = table[np.ix_(range(len(table)), *(support[j] for j in self._others[i]))]
            tensor = Range(u, np.abs(u) * _ULP)
            for axis in range(1, u.ndim):
                tensor = _affine(tensor, axis)
            self._tensors.append(tensor)

    def ranges(self, mid: Array, rad: Array) -> tuple[Range, Range]:
        """Return the ranges of equations (B, d) and inequalities (B, rest) over boxes (B, d)."""
        box = self._extended(mid, rad)
        inside, outside = [], []
        for i, block in enumerate(self.blocks):
            mids, rads = _contract(self._tensors[i], [box[j] for j in self._others[i]])
            split = block.stop - block.start
            inside.append((mids[:, :split], rads[:, :split]))
            outside.append((mids[:, split:], rads[:, split:]))
        return _joined(inside), _joined(outside)

    def jacobian(self, mid: Array, rad: Array) -> Range:
        """Return the ranges of the derivatives of the equations over boxes, shape (B, d, d)."""
        box = self._extended(mid, rad)
        count = len(mid)
        out = Range(
            np.zeros((count, self.size, self.size)), np.zeros((count, self.size, self.size))
        )
        for i, block in enumerate(self.blocks):
            rows = block.stop - block.start
            if not rows:
                continue
            for axis, j in enumerate(self._others[i]):
                columns = self.blocks[j]
                width = columns.stop - columns.start
                if not width:
                    continue
                slope = Range(*(_slopes(part[:rows], axis + 1) for part in self._tensors[i]))
                kept = [box[k] for k in self._others[i] if k != j]
                mids, rads = _contract(slope, kept)
                out.mid[:, block, columns] = mids.reshape(-1, rows, width)
                out.rad[:, block, columns] = rads.reshape(-1, rows, width)
        return out

    def strategies(self, point: Array, support: Support, shape: tuple[int, ...]) -> list[Array]:
        """Return the profile at a point (d,): one array of n_i probabilities per player."""
        profile = []
        for block, own, n in zip(self.blocks, support, shape, strict=True):
            x = np.zeros(n)
            x[list(own[1:])] = point[block]
            x[own[0]] = 1.0 - point[block].sum()
            profile.append(x)
        return profile

    def _extended(self, mid: Array, rad: Array) -> list[Range]:
        """Return per player the vector (1, unknowns) over boxes, shape (B, k_j)."""
        one, zero = np.ones((len(mid), 1)), np.zeros((len(mid), 1))
        return [
            Range(np.hstack([one, mid[:, b]]), np.hstack([zero, rad[:, b]])) for b in self.blocks
        ]


def _affine(tensor: Range, axis: int) -> Range:
    """Return coefficients of 1 and of all actions but the first along an axis."""
    first = Range(*(np.take(part, [0], axis) for part in tensor))
    rest = range(1, tensor.mid.shape[axis])
    mid = np.take(tensor.mid, rest, axis) - first.mid
    rad = np.take(tensor.rad, rest, axis) + first.rad + np.abs(mid) * _ULP
    return Range(
        np.concatenate([first.mid, mid], axis), np.concatenate([first.rad, rad * _UP], axis)
    )


def _slopes(part: Array, axis: int) -> Array:
    """Return the coefficients of one player's unknowns, rows and unknowns in front."""
    moved = np.moveaxis(part, axis, 1)[:, 1:]
    return moved.reshape(-1, *moved.shape[2:])


def _contract(tensor: Range, vectors: list[Range]) -> Range:
    """Return the range of a tensor (rows, k, l, ...) times one vector per axis, shape (B, rows).

    vectors: ranges of shape (B, k), (B, l), ...; contracted from the last axis on.
    """
    mid, rad = tensor.mid[None], tensor.rad[None]
    for vector in reversed(vectors):
        n = mid.shape[-1]
        shape = (len(vector.mid), *mid.shape[1:-1])
        size = np.abs(mid).reshape(len(mid), -1, n)
        far = np.abs(vector.mid)[..., None]
        new_rad = size @ (vector.rad[..., None] + (n + 2) * _ULP * far)
        new_rad += rad.reshape(len(rad), -1, n) @ (far + vector.rad[..., None])
        mid = (mid.reshape(len(mid), -1, n) @ vector.mid[..., None]).reshape(shape)
        rad = (new_rad * _UP + _TINY).reshape(shape)
    return Range(mid, rad)


def _joined(parts: list[tuple[Array, Array]]) -> Range:
    """Return ranges side by side."""
    return Range(np.hstack([p[0] for p in parts]), np.hstack([p[1] for p in parts]))
