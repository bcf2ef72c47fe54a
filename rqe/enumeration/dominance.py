"""Actions that no equilibrium plays: iterated elimination of strictly dominated actions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe._input import checked_game
from rqe.concepts import flag
from rqe.games import NormalFormGame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: A mixture must beat an action by this part of the payoff range before it is tried exactly.
_MARGIN = 1e-7


def undominated(game: NormalFormGame, *, mixed: bool = True) -> tuple[tuple[int, ...], ...]:
    """Return the actions of each player that survive iterated strict dominance.

    An action is eliminated where another action, or a mixture of others, is better whatever the
    others still may do. No equilibrium plays it, and the game without it has the same equilibria.
    Every elimination is verified in rational numbers; a mixture that wins by less than 1e-7 of the
    payoff range is not looked for.

    Parameters
    ----------
    game : NormalFormGame
        N players.
    mixed : bool
        Whether mixtures count, found by a linear programme per action.

    Returns
    -------
    tuple of N tuples of int
        Indices of the surviving actions, in the game's order.

    Raises
    ------
    TypeError
        If `game` is not a game.

    Notes
    -----
    The order of elimination does not matter. Cost: a few passes over the payoffs for pure
    dominance; for mixtures a linear programme of n_i columns and prod_{j != i} n_j rows per action
    and round.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.from_bimatrix([[4, 0], [0, 4], [1, 1]], [[1, 0], [0, 1], [2, 0]])
    >>> rqe.undominated(game), rqe.undominated(game, mixed=False)
    (((0, 1), (0, 1)), ((0, 1, 2), (0, 1)))
    """
    checked_game(game)
    flag("mixed", mixed)
    kept = [list(range(n)) for n in game.shape]
    while _eliminate_pure(game, kept) or (mixed and _eliminate_mixed(game, kept)):
        pass
    return tuple(map(tuple, kept))


def eliminate_dominated(game: NormalFormGame, *, mixed: bool = True) -> NormalFormGame:
    """Return the game without the actions that iterated strict dominance eliminates.

    Names, title and exact payoffs are kept. See :func:`undominated`, which tells the indices and
    to which the parameters go.

    Examples
    --------
    >>> import rqe
    >>> rqe.eliminate_dominated(rqe.catalog.load("prisoners-dilemma")).shape
    (1, 1)
    """
    return restricted(game, undominated(game, mixed=mixed))


def restricted(game: NormalFormGame, kept: tuple[tuple[int, ...], ...]) -> NormalFormGame:
    """Return the game of the actions `kept` only; the game itself if they are all."""
    if tuple(map(len, kept)) == game.shape:
        return game
    cells = np.ix_(range(game.n_players), *kept)
    actions = [[names[a] for a in own] for names, own in zip(game.actions, kept, strict=True)]
    return NormalFormGame(
        game.exact[cells], players=game.players, actions=actions, title=game.title
    )


def _eliminate_pure(game: NormalFormGame, kept: list[list[int]]) -> bool:
    """Take actions that another action dominates out of `kept`; return whether any was."""
    before = sum(map(len, kept))
    for i in range(game.n_players):
        while len(kept[i]) > 1:
            u = _own_first(game.payoffs, kept, i)
            worse = next((a for a in range(len(u)) if (u > u[a]).all(axis=1).any()), None)
            if worse is None:
                break
            del kept[i][worse]
    return sum(map(len, kept)) < before


def _eliminate_mixed(game: NormalFormGame, kept: list[list[int]]) -> bool:
    """Take actions that a mixture dominates out of `kept`; return whether any was."""
    before = sum(map(len, kept))
    for i in range(game.n_players):
        u = _own_first(game.payoffs, kept, i)
        for a in reversed(range(len(u))):
            others = [b for b in range(len(u)) if b != a]
            if len(others) < 2:
                break
            mixture = _dominating(u[others] - u[a])
            if mixture is not None and _is_exact(game, kept, i, others, a, mixture):
                del kept[i][a]
                u = u[others]
    return sum(map(len, kept)) < before


def _own_first(payoffs: NDArray[Any], kept: list[list[int]], i: int) -> NDArray[Any]:
    """Return player i's payoffs over the actions kept, shape (n_i, joint actions of the others)."""
    u = np.moveaxis(payoffs[i][np.ix_(*kept)], i, 0)
    flat: NDArray[Any] = u.reshape(len(u), -1)
    return flat


def _dominating(gaps: Array) -> Array | None:
    """Return the mixture of rows of `gaps` whose least entry is largest, or None if not positive.

    gaps: (k, m), by how much each other action beats the one in question.
    """
    from scipy.optimize import linprog

    if (gaps.max(axis=0) <= 0.0).any():
        return None  # the action is a best response to some joint action of the others
    k, m = gaps.shape
    found = linprog(
        np.append(np.zeros(k), -1.0),
        A_ub=np.hstack([-gaps.T, np.ones((m, 1))]),
        b_ub=np.zeros(m),
        A_eq=np.append(np.ones(k), 0.0)[None, :],
        b_eq=[1.0],
        bounds=[(0.0, None)] * k + [(None, None)],
        method="highs",
    )
    if not found.success or not found.x[-1] > _MARGIN * float(np.ptp(gaps)):
        return None
    mixture: Array = np.maximum(found.x[:k], 0.0)
    return mixture


def _is_exact(
    game: NormalFormGame, kept: list[list[int]], i: int, others: list[int], a: int, mixture: Array
) -> bool:
    """Return whether the mixture of `others` is better than action a everywhere, in rationals."""
    weights = [Fraction(w).limit_denominator(10**9) for w in mixture.tolist()]
    total = sum(weights)
    u = _own_first(game.exact, kept, i)
    used = [(w, u[b]) for w, b in zip(weights, others, strict=True) if w]
    return all(sum(w * line[k] for w, line in used) > total * u[a][k] for k in range(u.shape[1]))
