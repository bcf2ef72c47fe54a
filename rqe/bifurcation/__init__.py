"""Bifurcations of equilibria: followed through, found to rounding, named, and switched at."""

from rqe.bifurcation._build import bifurcations
from rqe.bifurcation.bifurcation import Bifurcation, Direction
from rqe.bifurcation.path import PayoffPath
from rqe.bifurcation.stability import Stability, stability
from rqe.bifurcation.switch import switch_branch

__all__ = [
    "Bifurcation",
    "Direction",
    "PayoffPath",
    "Stability",
    "bifurcations",
    "stability",
    "switch_branch",
]
