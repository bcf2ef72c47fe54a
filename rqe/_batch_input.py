"""What `rqe.solve_batch` accepts: payoff arrays with batch dimensions, parameters that fit them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import whole
from rqe.games import _checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


def games_of(payoffs: ArrayLike, players: int | None) -> Array:
    """Return a copy of the payoffs as C-contiguous finite doubles."""
    if players is not None:
        whole("players", players)
        if players < 2:
            raise ValueError(f"players must be at least 2; got {players}")
    raw = _checks.real_array(payoffs, "payoffs")
    if raw.size == 0:
        return np.empty(raw.shape)
    return _checks.doubles(raw, "payoffs", copy=True)


def players_of(shape: tuple[int, ...], players: int | None) -> int:
    """Return N, given or read from the shape (..., N, n_1, ..., n_N)."""
    possible = [n for n in range(2, len(shape)) if shape[-n - 1] == n and 0 not in shape[-n:]]
    if players is not None:
        if players not in possible:
            raise ValueError(
                f"payoffs must have shape (..., {players}, n_1, ..., n_{players}) with players="
                f"{players}; got {shape}"
            )
        return players
    if not possible:
        raise ValueError(
            "payoffs must have shape (..., N, n_1, ..., n_N) for N >= 2 players with at least one "
            f"action each; got {shape}"
        )
    if len(possible) > 1:
        raise ValueError(
            f"players must be given where the shape of payoffs can be read in several ways: {shape}"
            f" may be games of {' or '.join(map(str, possible))} players"
        )
    return possible[0]


def parameter(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return tau or eps broadcast to (..., N): a contiguous array of numbers in [0, inf]."""
    raw = np.asarray(value)
    if raw.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a real number or an array of them; got {value!r}")
    try:
        spread = np.broadcast_to(raw, shape)
    except ValueError:
        raise ValueError(
            f"{name} must be a number or an array that broadcasts to {shape}, the batch and the "
            f"players; got shape {raw.shape}"
        ) from None
    array = np.array(spread, dtype=np.float64, order="C")
    if not (array >= 0.0).all():  # NaN is not
        bad = array[~(array >= 0.0)].flat[0]
        raise ValueError(f"{name} must be >= 0 (inf is allowed) for every player; got {bad}")
    return array


def threads_of(threads: int | None) -> int:
    """Return the number of threads, by default that of the cores this process may use."""
    if threads is not None:
        whole("threads", threads)
        return threads
    from rqe.parallel import cores  # brings in what only parallel work needs

    return cores()
