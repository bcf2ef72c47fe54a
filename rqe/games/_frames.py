"""Games as tables of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rqe import _plain

if TYPE_CHECKING:
    import pandas as pd

    from rqe.games.normal_form import NormalFormGame


def game_frame(game: NormalFormGame) -> pd.DataFrame:
    """Return the table that `NormalFormGame.to_frame` describes."""
    columns = {
        f"payoff {player}": table.ravel()
        for player, table in zip(game.players, game.payoffs, strict=True)
    }
    pandas = _plain.pandas()
    index = pandas.MultiIndex.from_product(game.actions, names=game.players)
    frame: pd.DataFrame = pandas.DataFrame(columns, index=index)
    return frame
