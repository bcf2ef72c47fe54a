"""Loops over states and joint actions that numpy would do slowly.

S states; two seats, A actions each. ``successors`` is (S, A, A, 2) int32, ``respawn`` (4, 4): see
`marl.exact.model.KitchenModel`. A policy is (1 or T, S, A): stationary, or one table per step.
"""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Ints = NDArray[np.int32]


@njit(cache=True, nogil=True)
def mean_next(successors: Ints, after: Array, out: Array) -> None:
    """Fill out (S, A, A) with the mean over both orders of moves of after (S,)."""
    S, A, B, _ = successors.shape
    for s in range(S):
        for a in range(A):
            for b in range(B):
                out[s, a, b] = 0.5 * (after[successors[s, a, b, 0]] + after[successors[s, a, b, 1]])


@njit(cache=True, nogil=True)
def visits(
    successors: Ints, respawn: Array, start: Array, weights: Array, policies: tuple[Array, Array]
) -> Array:
    """Return (S, A, A): the weighted expected number of times that each joint action is taken.

    weights: (T,), one per step of the episode.
    """
    S, A, B, _ = successors.shape
    total = np.zeros((S, A, B))
    now, moved = start.copy(), np.empty(S)
    first, second = policies
    for t in range(weights.size):
        p, q = first[t % first.shape[0]], second[t % second.shape[0]]
        moved[:] = 0.0
        for s in range(S):
            if now[s] == 0.0:
                continue
            for a in range(A):
                for b in range(B):
                    mass = now[s] * p[s, a] * q[s, b]
                    total[s, a, b] += weights[t] * mass
                    moved[successors[s, a, b, 0]] += 0.5 * mass
                    moved[successors[s, a, b, 1]] += 0.5 * mass
        now[:] = 0.0
        for s in range(S):
            body = s - s % 4
            for k in range(4):
                now[body + k] += moved[s] * respawn[s % 4, k]
    return total


@njit(cache=True, nogil=True)
def visits_of_many(
    successors: Ints, respawn: Array, start: Array, weights: Array, row: Array, columns: Array
) -> Array:
    """Return (S, C): weighted expected visits when `row` meets each of the C `columns`.

    row: (S, A), seat 0's policy; columns: (S, A, C), policies of seat 1, the pair index last so
    that the innermost loops run over neighbours in memory.
    """
    S, C = successors.shape[0], columns.shape[2]
    total, now, moved = np.zeros((S, C)), np.zeros((S, C)), np.zeros((S, C))
    mass = np.empty(columns.shape[1:])
    for s in range(S):
        now[s] = start[s]
    for t in range(weights.size):
        moved[:] = 0.0
        for s in range(S):
            if now[s].any():
                total[s] += weights[t] * now[s]
                for b in range(len(mass)):
                    for c in range(C):
                        mass[b, c] = now[s, c] * columns[s, b, c]
                _move_on(successors[s], row[s], mass, moved)
        _return_onions(moved, respawn, now)
    return total


@njit(cache=True, nogil=True)
def _move_on(successors: Ints, row: Array, mass: Array, moved: Array) -> None:
    """Add to moved (S, C) what leaves one state; successors (A, A, 2), row (A,), mass (A, C)."""
    B, C = mass.shape
    for a in range(len(row)):
        for b in range(B):
            one, two = successors[a, b]
            p = row[a] if one == two else 0.5 * row[a]
            for c in range(C):
                moved[one, c] += p * mass[b, c]
            if one != two:
                for c in range(C):
                    moved[two, c] += p * mass[b, c]


@njit(cache=True, nogil=True)
def _return_onions(moved: Array, respawn: Array, now: Array) -> None:
    """Fill now (S, C) with the states after missing onions have returned to moved (S, C)."""
    S, C = moved.shape
    now[:] = 0.0
    for s in range(S):
        body = s - s % 4
        for k in range(4):
            chance = respawn[s % 4, k]
            if chance > 0.0:
                for c in range(C):
                    now[body + k, c] += chance * moved[s, c]
