"""Arguments that several entry points share: checked, or refused with their name and value."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from rqe.games._checks import real_array
from rqe.games.normal_form import NormalFormGame

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_START_TOL = 1e-6  # of the sum of probabilities: a start is where a search begins, and no claim
_PROFILE_TOL = 1e-9  # of the sum of probabilities that are judged


def checked_game(game: NormalFormGame) -> NormalFormGame:
    """Return ``game`` if it is one; the error says how to make one."""
    if not isinstance(game, NormalFormGame):
        raise TypeError(
            "game must be an rqe.NormalFormGame (build one with rqe.NormalFormGame(payoffs) or "
            f"rqe.read_nfg(path)); got {type(game).__name__}"
        )
    return game


def instance(name: str, value: object, *kinds: type) -> None:
    """Raise unless ``value`` is of one of these types of `rqe`."""
    if not isinstance(value, kinds):
        known = " or ".join(f"an rqe.{kind.__name__}" for kind in kinds)
        raise TypeError(f"{name} must be {known}; got {type(value).__name__}")


def tolerance(tol: float) -> float:
    """Return tol as a float in (0, 1)."""
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0.0 < tol < 1.0:
        raise ValueError(f"tol must be a number in (0, 1); got {tol!r}")
    return float(tol)


def _strategies(name: str, value: Sequence[ArrayLike], shape: tuple[int, ...]) -> list[Array]:
    """Return a list of one array of n_i doubles per player; what they add up to is not checked."""
    if isinstance(value, str | bytes | set | dict) or not np.iterable(value):
        raise TypeError(
            f"{name} must be a sequence of one strategy per player, such as solution.strategies; "
            f"got {value!r}"
        )
    rows = list(value)
    if len(rows) != len(shape):
        raise ValueError(
            f"{name} must hold one strategy per player, {len(shape)} in all; got {len(rows)}"
        )
    profile = []
    for i, (row, n) in enumerate(zip(rows, shape, strict=True)):
        try:
            x = real_array(row, f"{name}[{i}]").astype(float)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"{name}[{i}] must hold real numbers; got {row!r}") from None
        if x.shape != (n,):
            raise ValueError(f"{name}[{i}] must have shape ({n},); got shape {x.shape}")
        profile.append(x)
    return profile


def log_start(start: Sequence[ArrayLike], shape: tuple[int, ...]) -> list[Array]:
    """Return the logarithms of a start profile, checked: one array of shape (n_i,) per player."""
    logs = []
    for i, x in enumerate(_strategies("start", start, shape)):
        if not (np.all(x > 0.0) and abs(float(x.sum()) - 1.0) <= _START_TOL):
            raise ValueError(
                f"start[{i}] must hold positive probabilities that sum to 1; got {x.tolist()}"
            )
        logs.append(np.log(x / x.sum()))
    return logs


def log_profile(profile: Sequence[ArrayLike], shape: tuple[int, ...], floor: float) -> list[Array]:
    """Return the logarithms of a profile, checked, as `log_start` does; `floor` for log 0."""
    logs = []
    for i, x in enumerate(_strategies("profile", profile, shape)):
        if not (np.all(x >= 0.0) and abs(float(x.sum()) - 1.0) <= _PROFILE_TOL):
            raise ValueError(
                f"profile[{i}] must hold probabilities that sum to 1; got {x.tolist()}"
            )
        with np.errstate(divide="ignore"):
            logs.append(np.maximum(np.log(x / x.sum()), floor))
    return logs
