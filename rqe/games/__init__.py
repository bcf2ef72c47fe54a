"""Games: what is solved. Finite games, their files and named ones; games with quadratic payoffs."""

from rqe.games import catalog
from rqe.games.aggregative import AggregativeGame
from rqe.games.files import GameFileError, read_nfg, write_nfg
from rqe.games.normal_form import NormalFormGame
from rqe.games.quadratic import QuadraticGame
from rqe.games.quadratic_families import (
    beauty_contest,
    cournot,
    moving_object,
    network_game,
    public_good,
    team,
)

__all__ = [
    "AggregativeGame",
    "GameFileError",
    "NormalFormGame",
    "QuadraticGame",
    "beauty_contest",
    "catalog",
    "cournot",
    "moving_object",
    "network_game",
    "public_good",
    "read_nfg",
    "team",
    "write_nfg",
]
