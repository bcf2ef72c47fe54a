"""Games from and to other libraries, none of which is needed to import this one.

Each peer has a pair of functions, ``from_...`` and ``to_...``; `rqe.as_game` recognises what it is
given. What differs between the libraries is taken care of here: the order of the axes (QuantEcon's
arrays begin with the own action), names, and exact rationals, which are kept where the peer has
them.
"""

from rqe.interop.gambit import from_gambit, to_gambit
from rqe.interop.nashpy import from_nashpy, to_nashpy
from rqe.interop.openspiel import from_openspiel, to_openspiel
from rqe.interop.quantecon import from_quantecon, to_quantecon
from rqe.interop.recognise import as_game
from rqe.interop.tables import from_frame

__all__ = [
    "as_game",
    "from_frame",
    "from_gambit",
    "from_nashpy",
    "from_openspiel",
    "from_quantecon",
    "to_gambit",
    "to_nashpy",
    "to_openspiel",
    "to_quantecon",
]
