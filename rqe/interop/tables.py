"""Tables of pandas: a game as rows of action profiles, or as a bimatrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.games.normal_form import NormalFormGame
from rqe.interop._common import labels, wrong

if TYPE_CHECKING:
    import pandas as pd


def from_frame(frame: pd.DataFrame) -> NormalFormGame:
    """Game of a table: one row per action profile, or a bimatrix of pairs.

    Parameters
    ----------
    frame : pandas.DataFrame
        Either what `NormalFormGame.to_frame` returns: an index of N levels, one per player, with
        all combinations of their actions, and N columns, the players' payoffs, in any order if they
        are named ``"payoff NAME"`` or ``"NAME"``, else in that of the levels. Or a bimatrix: rows
        and columns are the two players' actions, each cell a pair (payoff of the row player,
        payoff of the column player). Names of levels, or of the index and of the columns, are the
        players'.

    Returns
    -------
    NormalFormGame
        Actions in the order in which they first occur. Fractions and decimals stay exact.

    Raises
    ------
    TypeError, ValueError
        If the table is neither, or if a profile is missing or repeated.

    Examples
    --------
    >>> import pandas as pd
    >>> pairs = [[(3, 3), (0, 5)], [(5, 0), (1, 1)]]
    >>> table = pd.DataFrame(pairs, index=["quiet", "talk"], columns=["quiet", "talk"])
    >>> game = from_frame(table)
    >>> game.actions[0], game.payoffs[1][0, 1]
    (('quiet', 'talk'), np.float64(5.0))
    >>> from_frame(game.to_frame()) == game
    True
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "index"):
        raise wrong(frame, "a pandas.DataFrame")
    return _from_pairs(frame) if frame.index.nlevels == 1 else _from_profiles(frame)


def _from_profiles(frame: pd.DataFrame) -> NormalFormGame:
    """Game of one row per action profile."""
    index, count = frame.index, frame.index.nlevels
    if len(frame.columns) != count:
        raise ValueError(
            f"frame must have one column of payoffs per level of its index, {count}; got "
            f"{len(frame.columns)}"
        )
    orders: list[dict[Any, int]] = []
    for level in range(count):
        names = dict.fromkeys(index.get_level_values(level))
        orders.append({name: k for k, name in enumerate(names)})
    shape = tuple(map(len, orders))
    cells = [tuple(order[a] for order, a in zip(orders, row, strict=True)) for row in index]
    if len(set(cells)) != len(cells) or len(cells) != int(np.prod(shape)):
        raise ValueError(
            f"frame must have every profile of {' x '.join(map(str, shape))} actions once, "
            f"{int(np.prod(shape))} rows; got {len(cells)}, {len(set(cells))} of them different"
        )
    payoffs = np.empty((count, *shape), dtype=object)
    for i, column in enumerate(_columns(frame)):
        for cell, value in zip(cells, column.tolist(), strict=True):
            payoffs[(i, *cell)] = value
    return NormalFormGame(
        payoffs, players=_players(index.names, frame.columns), actions=list(map(labels, orders))
    )


def _columns(frame: pd.DataFrame) -> list[Any]:
    """Columns of payoffs in the order of the players: by their names if they have them."""
    for head in ("payoff ", ""):
        names = [f"{head}{player}" for player in frame.index.names]
        if frame.columns.is_unique and set(names) == set(frame.columns):
            return [frame[name] for name in names]
    return [frame.iloc[:, i] for i in range(len(frame.columns))]


def _from_pairs(frame: pd.DataFrame) -> NormalFormGame:
    """Game of two players from a table of pairs."""
    payoffs = np.empty((2, *frame.shape), dtype=object)
    for (a, b), cell in np.ndenumerate(frame.to_numpy(dtype=object)):
        if not isinstance(cell, tuple | list | np.ndarray) or len(cell) != 2:
            raise ValueError(
                "frame must be a bimatrix whose cells are pairs of payoffs, or have one level of "
                f"its index per player; got {cell!r} in row {a}, column {b}"
            )
        payoffs[:, a, b] = cell
    return NormalFormGame(
        payoffs,
        players=_players((frame.index.name, frame.columns.name), ("1", "2")),
        actions=[labels(frame.index), labels(frame.columns)],
    )


def _players(names: Any, others: Any) -> list[str]:
    """Names of players, from `others` where one is missing."""
    return labels(
        other if name is None else name for name, other in zip(names, others, strict=True)
    )
