"""Strategically risk-averse equilibria: Nash, logit QRE, RQE and security strategies, certified.

Examples
--------
>>> import rqe
>>> game = rqe.catalog.load("matching-pennies")
>>> rqe.solve(game, tau=1.0, eps=0.2).strategies[0].round(6).tolist()
[0.5, 0.5]
"""

from rqe.best_response import BestResponse, best_response, is_equilibrium, regret
from rqe.check import Check, check
from rqe.concepts import Concept
from rqe.enumeration import LemkeHowson, ZeroSum, eliminate_dominated, nash, undominated
from rqe.free_riding import FreeRiding, free_riding, free_riding_bound, risk_aversion_for
from rqe.games import (
    AggregativeGame,
    GameFileError,
    NormalFormGame,
    QuadraticGame,
    catalog,
    read_nfg,
)
from rqe.gaussian import tau_limits
from rqe.gaussian_solution import GaussianSolution
from rqe.proof import Certificate, ProofStatus, certify, solve_all
from rqe.solution import Branch, ConvergenceError, Solution, Stats, Status
from rqe.solution_set import Component, SetStatus, SolutionSet
from rqe.solve import qre, security, solve, trace
from rqe.solvers import IllPosedRiskError, Newton, PrincipalBranch

__version__ = "0.1.0"

__all__ = [
    "AggregativeGame",
    "BestResponse",
    "Branch",
    "Certificate",
    "Check",
    "Component",
    "Concept",
    "ConvergenceError",
    "FreeRiding",
    "GameFileError",
    "GaussianSolution",
    "IllPosedRiskError",
    "LemkeHowson",
    "Newton",
    "NormalFormGame",
    "PrincipalBranch",
    "ProofStatus",
    "QuadraticGame",
    "SetStatus",
    "Solution",
    "SolutionSet",
    "Stats",
    "Status",
    "ZeroSum",
    "best_response",
    "catalog",
    "certify",
    "check",
    "eliminate_dominated",
    "free_riding",
    "free_riding_bound",
    "is_equilibrium",
    "nash",
    "qre",
    "read_nfg",
    "regret",
    "risk_aversion_for",
    "security",
    "solve",
    "solve_all",
    "tau_limits",
    "theorems",
    "trace",
    "undominated",
]


def __getattr__(name: str) -> object:
    """Import `rqe.theorems` when it is first asked for."""
    if name == "theorems":
        from importlib import import_module

        return import_module("rqe.theorems")
    raise AttributeError(f"module 'rqe' has no attribute {name!r}")
