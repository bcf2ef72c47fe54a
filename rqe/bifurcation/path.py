"""`PayoffPath`: games whose payoffs depend on one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe._input import checked_game
from rqe.games import NormalFormGame
from rqe.games._checks import real_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_STEP = 1e-3  # of a derivative by differences, in thirds of the window


class PayoffPath:
    """Games whose payoffs depend on one number t, for `rqe.trace` and `rqe.diagram`.

    Parameters
    ----------
    payoffs : callable
        ``payoffs(t)`` returns the payoffs at t, shape (N, n_1, ..., n_N), or a NormalFormGame. It
        must be smooth in t.
    derivative : callable, optional
        ``derivative(t)`` returns d payoffs / dt, same shape. Without it a difference of fourth
        order is used, for which ``payoffs`` is called a little outside the window too.
    name : str
        What t is called in tables and figures.
    game : NormalFormGame, optional
        Whose players and actions the games have; by default those that `payoffs` returns.

    Raises
    ------
    TypeError, ValueError
        When a payoff is asked for that is not finite, or of another shape than before.

    Examples
    --------
    >>> import numpy as np
    >>> import rqe
    >>> hunt = rqe.catalog.load("stag-hunt")
    >>> both = np.zeros_like(hunt.payoffs)
    >>> both[:, 0, 0] = 1.0
    >>> path = rqe.PayoffPath.line(hunt, both, name="bonus")
    >>> float(path.payoffs(2.0)[0, 0, 0] - hunt.payoffs[0, 0, 0])
    2.0
    """

    __slots__ = ("_derivative", "_labels", "_payoffs", "name")

    def __init__(
        self,
        payoffs: Callable[[float], Any],
        *,
        derivative: Callable[[float], ArrayLike] | None = None,
        name: str = "t",
        game: NormalFormGame | None = None,
    ) -> None:
        for argument, value in (("payoffs", payoffs), ("derivative", derivative or payoffs)):
            if not callable(value):
                raise TypeError(f"{argument} must be callable; got {type(value).__name__}")
        if not isinstance(name, str) or not name:
            raise TypeError(f"name must be a non-empty string; got {name!r}")
        self._payoffs, self._derivative, self.name = payoffs, derivative, name
        self._labels = None if game is None else checked_game(game)

    @classmethod
    def line(cls, game: NormalFormGame, direction: ArrayLike, *, name: str = "t") -> PayoffPath:
        """Return the path ``u + t direction``, whose derivative is exact.

        Parameters
        ----------
        game : NormalFormGame
            The game at t = 0.
        direction : array_like, shape (N, n_1, ..., n_N)
            What one unit of t adds to the payoffs.
        name : str
            What t is called.

        Raises
        ------
        TypeError, ValueError
            If `direction` is not made of real numbers, has another shape than the payoffs, or is
            not finite, or zero.
        """
        step = direction_of(checked_game(game), direction, "direction")
        return cls(
            lambda t: game.payoffs + t * step, derivative=lambda t: step, name=name, game=game
        )

    def game(self, t: float) -> NormalFormGame:
        """Return the game at t."""
        made = self._payoffs(float(t))
        if isinstance(made, NormalFormGame):
            self._label(made)
            return made
        labels = self._labels
        if labels is None:
            made = NormalFormGame(made)
        else:
            made = NormalFormGame(
                made, players=labels.players, actions=labels.actions, title=labels.title
            )
        self._label(made)
        return made

    def _label(self, made: NormalFormGame) -> None:
        """Remember the first game, and refuse one of another shape."""
        if self._labels is None:
            self._labels = made
        elif made.shape != self._labels.shape:
            raise ValueError(
                f"payoffs(t) must have one shape for every t, {self._labels.shape}; "
                f"got {made.shape}"
            )

    def payoffs(self, t: float) -> Array:
        """Return the payoffs at t, shape (N, n_1, ..., n_N), checked to be finite."""
        made = self._payoffs(float(t))
        table = made.payoffs if isinstance(made, NormalFormGame) else np.asarray(made, dtype=float)
        if not np.isfinite(table).all():
            raise ValueError(f"payoffs(t) must be finite; they are not at t = {t!r}")
        return table

    def rate(self, t: float, scale: float) -> Array:
        """Return d payoffs / dt; `scale` is the length over which they change."""
        if self._derivative is not None:
            slope = real_array(self._derivative(float(t)), "derivative(t)").astype(float)
            if self._labels is not None and slope.shape != self._labels.payoffs.shape:
                raise ValueError(
                    "derivative(t) must have the shape of the payoffs, "
                    f"{self._labels.payoffs.shape}; got {slope.shape}"
                )
            return slope
        h = _STEP * scale
        near = self.payoffs(t + h) - self.payoffs(t - h)
        far = self.payoffs(t + 2.0 * h) - self.payoffs(t - 2.0 * h)
        return (8.0 * near - far) / (12.0 * h)

    def __repr__(self) -> str:
        """One line."""
        return f"PayoffPath(name={self.name!r})"


def direction_of(game: NormalFormGame, value: ArrayLike, name: str) -> Array:
    """Return what is to be added to the payoffs, checked; errors call it `name`."""
    step = real_array(value, name).astype(float)
    if step.shape != game.payoffs.shape:
        raise ValueError(
            f"{name} must have the shape of the payoffs, {game.payoffs.shape}; got {step.shape}"
        )
    if not np.isfinite(step).all() or not step.any():
        got = "zeros alone" if np.isfinite(step).all() else "infinities or NaN"
        raise ValueError(f"{name} must be finite, and not zero everywhere; got {got}")
    return step
