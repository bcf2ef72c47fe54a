"""Strategically risk-averse equilibria: Nash, logit QRE, RQE and security strategies, certified.

Examples
--------
>>> import rqe
>>> game = rqe.catalog.load("matching-pennies")
>>> rqe.solve(game, tau=1.0, eps=0.2).strategies[0].round(6).tolist()
[0.5, 0.5]
"""

from typing import TYPE_CHECKING

from rqe.batch import BatchConvergenceError, BatchSolution, solve_batch
from rqe.best_response import BestResponse, best_response, is_equilibrium, regret
from rqe.bifurcation import (
    Bifurcation,
    PayoffPath,
    Stability,
    bifurcations,
    stability,
    switch_branch,
)
from rqe.check import Check, check
from rqe.concepts import Concept
from rqe.diagram import Diagram, diagram
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
from rqe.interop import as_game
from rqe.proof import Certificate, ProofStatus, certify, solve_all
from rqe.sensitivity import NearBifurcationError, Sensitivity, sensitivity
from rqe.solution import Branch, ConvergenceError, Solution, Stats, Status
from rqe.solution_set import Component, SetStatus, SolutionSet
from rqe.solve import qre, security, solve
from rqe.solvers import IllPosedRiskError, Newton, PrincipalBranch
from rqe.sweeping import read_sweep, sweep
from rqe.trace import trace

if TYPE_CHECKING:  # for type checkers alone: see _LAZY
    from rqe import datasets, estimation, parallel, theorems
    from rqe.estimation import EstimationError, Fit, RQEEstimator, fit

__version__ = "0.1.0"

__all__ = [
    "AggregativeGame",
    "BatchConvergenceError",
    "BatchSolution",
    "BestResponse",
    "Bifurcation",
    "Branch",
    "Certificate",
    "Check",
    "Component",
    "Concept",
    "ConvergenceError",
    "Diagram",
    "EstimationError",
    "Fit",
    "FreeRiding",
    "GameFileError",
    "GaussianSolution",
    "IllPosedRiskError",
    "LemkeHowson",
    "NearBifurcationError",
    "Newton",
    "NormalFormGame",
    "PayoffPath",
    "PrincipalBranch",
    "ProofStatus",
    "QuadraticGame",
    "RQEEstimator",
    "Sensitivity",
    "SetStatus",
    "Solution",
    "SolutionSet",
    "Stability",
    "Stats",
    "Status",
    "ZeroSum",
    "as_game",
    "best_response",
    "bifurcations",
    "catalog",
    "certify",
    "check",
    "datasets",
    "diagram",
    "eliminate_dominated",
    "estimation",
    "fit",
    "free_riding",
    "free_riding_bound",
    "is_equilibrium",
    "nash",
    "parallel",
    "qre",
    "read_nfg",
    "read_sweep",
    "regret",
    "risk_aversion_for",
    "security",
    "sensitivity",
    "solve",
    "solve_all",
    "solve_batch",
    "stability",
    "sweep",
    "switch_branch",
    "tau_limits",
    "theorems",
    "trace",
    "undominated",
]


# Imported when first asked for: module, and the name in it (None: the module itself).
_LAZY = {
    "EstimationError": ("rqe.estimation", "EstimationError"),
    "Fit": ("rqe.estimation", "Fit"),
    "RQEEstimator": ("rqe.estimation", "RQEEstimator"),
    "datasets": ("rqe.datasets", None),
    "estimation": ("rqe.estimation", None),
    "fit": ("rqe.estimation", "fit"),
    "parallel": ("rqe.parallel", None),
    "theorems": ("rqe.theorems", None),
}


def __getattr__(name: str) -> object:
    """Import what few users need when it is first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module 'rqe' has no attribute {name!r}")
    from importlib import import_module

    module, member = _LAZY[name]
    found = import_module(module)
    return found if member is None else getattr(found, member)
