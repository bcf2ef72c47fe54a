"""What a finite game can be written as: tables for people, papers and notebooks, and files."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, cast

from rqe.concepts import flag, whole

if TYPE_CHECKING:
    import pandas as pd

    from rqe.games.normal_form import NormalFormGame


class Written:
    """Methods of `NormalFormGame` that write it down; the work is done elsewhere."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the payoffs as a table, one row per action profile.

        Returns
        -------
        pandas.DataFrame
            Its index has one level per player, of the player's name, and holds the actions; its
            column ``"payoff NAME"`` is what player NAME gets. `rqe.interop.from_frame` reads it
            back.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).

        Examples
        --------
        >>> import rqe
        >>> frame = rqe.catalog.load("stag-hunt").to_frame()
        >>> frame.loc[("stag", "hare"), "payoff 2"]
        np.float64(3.0)
        """
        from rqe.games._frames import game_frame

        return game_frame(cast("NormalFormGame", self))

    def to_latex(self, *, decimals: int | None = None, best_responses: bool = False) -> str:
        r"""Return the payoff table in LaTeX, for which the document loads ``multirow``.

        Two players give the bimatrix; more give one such panel per choice of players 3, ..., N.

        Parameters
        ----------
        decimals : int, optional
            Digits after the point. By default payoffs are exact: 1/3 is a fraction, 0.1 a decimal.
        best_responses : bool
            Whether to underline every payoff that is the player's best against the others' actions,
            so that the pure Nash equilibria are the cells with all payoffs underlined.

        Raises
        ------
        TypeError, ValueError
            If `decimals` is no integer, or negative; if `best_responses` is not a bool.

        Examples
        --------
        >>> import rqe
        >>> game = rqe.catalog.load("stag-hunt")
        >>> print(game.to_latex(best_responses=True).splitlines()[4])
         & hare & $3,\, 0$ & $\underline{3},\, \underline{3}$ \\ \cline{3-4}
        """
        from rqe.games._latex import game_latex

        if decimals is not None:
            whole("decimals", decimals, 0)
        flag("best_responses", best_responses)
        return game_latex(cast("NormalFormGame", self), decimals, best_responses)

    def write_nfg(self, path: str | PathLike[str], *, outcomes: bool = False) -> None:
        """Write the game to a file that Gambit reads; see `rqe.games.files.write_nfg`."""
        from rqe.games.files import write_nfg

        write_nfg(cast("NormalFormGame", self), path, outcomes=outcomes)

    def _repr_html_(self) -> str:
        from rqe.games._html import game_html

        return game_html(cast("NormalFormGame", self))
