"""Arguments that several entry points share: checked, or refused with their name and value."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from rqe.games.normal_form import NormalFormGame

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


def checked_game(game: NormalFormGame) -> NormalFormGame:
    """Return ``game`` if it is one; the error says how to make one."""
    if not isinstance(game, NormalFormGame):
        raise TypeError(
            "game must be an rqe.NormalFormGame (build one with rqe.NormalFormGame(payoffs) or "
            f"rqe.read_nfg(path)); got {type(game).__name__}"
        )
    return game


def tolerance(tol: float) -> float:
    """Return tol as a float in (0, 1)."""
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0.0 < tol < 1.0:
        raise ValueError(f"tol must be a number in (0, 1); got {tol!r}")
    return float(tol)


def log_start(start: Sequence[ArrayLike], shape: tuple[int, ...]) -> list[Array]:
    """Return the logarithms of a start profile, checked: one array of shape (n_i,) per player."""
    if isinstance(start, str | bytes) or not hasattr(start, "__iter__"):
        raise TypeError(f"start must be a list of one strategy per player; got {start!r}")
    profile = list(start)
    if len(profile) != len(shape):
        raise ValueError(
            f"start must hold one strategy per player, {len(shape)} in all; got {len(profile)}"
        )
    logs = []
    for i, (given, n) in enumerate(zip(profile, shape, strict=True)):
        try:
            x = np.array(given, dtype=float)
        except (TypeError, ValueError):
            raise TypeError(f"start[{i}] must hold real numbers; got {given!r}") from None
        if x.shape != (n,):
            raise ValueError(f"start[{i}] must have shape ({n},); got shape {x.shape}")
        if not (np.all(x > 0.0) and abs(float(x.sum()) - 1.0) <= 1e-6):
            raise ValueError(
                f"start[{i}] must hold positive probabilities that sum to 1; got {x.tolist()}"
            )
        logs.append(np.log(x / x.sum()))
    return logs
