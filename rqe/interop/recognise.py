"""One function for games of any origin."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from rqe.games.files import read_nfg
from rqe.games.normal_form import NormalFormGame
from rqe.interop._common import roots
from rqe.interop.gambit import from_gambit
from rqe.interop.nashpy import from_nashpy
from rqe.interop.openspiel import from_openspiel
from rqe.interop.quantecon import from_quantecon
from rqe.interop.tables import from_frame

_PEERS: dict[str, Callable[[Any], NormalFormGame]] = {
    "quantecon": from_quantecon,
    "nashpy": from_nashpy,
    "pygambit": from_gambit,
    "pyspiel": from_openspiel,
    "pandas": from_frame,
}


def as_game(source: Any) -> NormalFormGame:
    """Return the game that `source` is, wherever it comes from.

    Parameters
    ----------
    source : object
        A `NormalFormGame`, which is returned as it is; a game of quantecon, nashpy, pygambit or
        OpenSpiel; a table of pandas as for `rqe.interop.from_frame`; the path of an .nfg file; or
        payoffs as for `NormalFormGame`.

    Returns
    -------
    NormalFormGame

    Raises
    ------
    TypeError, ValueError, OSError
        If `source` is nothing of the kind, or breaks a rule of what it looks like.

    Notes
    -----
    Peers are told by the package that defines the object's class, so nothing is imported.

    Examples
    --------
    >>> import nashpy
    >>> as_game(nashpy.Game([[3, 0], [5, 1]], [[3, 5], [0, 1]]))
    NormalFormGame(shape=(2, 2))
    >>> as_game([[[3, 0], [5, 1]], [[3, 5], [0, 1]]]).payoffs[1, 0, 1]
    np.float64(5.0)
    """
    if isinstance(source, NormalFormGame):
        return source
    if isinstance(source, str | os.PathLike):
        return read_nfg(source)
    for name in roots(source) & _PEERS.keys():
        return _PEERS[name](source)
    if not isinstance(source, list | tuple) and not hasattr(source, "__array__"):
        raise TypeError(
            "source must be a game of rqe, quantecon, nashpy, pygambit or OpenSpiel, a table of "
            f"pandas, a path, or an array of payoffs; got {type(source).__name__}"
        )
    return NormalFormGame(source)
