"""Strategically risk-averse equilibria: Nash, logit QRE, RQE and security strategies, certified.

Examples
--------
>>> import rqe
>>> game = rqe.catalog.load("matching-pennies")
>>> rqe.solve(game, tau=1.0, eps=0.2).strategies[0].round(6).tolist()
[0.5, 0.5]
"""

from typing import TYPE_CHECKING

from rqe.best_response import BestResponse, best_response, is_equilibrium, regret
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
from rqe.sensitivity import NearBifurcationError, Sensitivity, sensitivity
from rqe.solution import Branch, ConvergenceError, Solution, Stats, Status
from rqe.solution_set import Component, SetStatus, SolutionSet
from rqe.solve import qre, security, solve
from rqe.solvers import IllPosedRiskError, Newton, PrincipalBranch
from rqe.trace import trace

if TYPE_CHECKING:  # for type checkers alone: see _LAZY
    from rqe import datasets, estimation, parallel, theorems
    from rqe.batch import BatchConvergenceError, BatchSolution, solve_batch
    from rqe.bifurcation import (
        Bifurcation,
        PayoffPath,
        Stability,
        bifurcations,
        stability,
        switch_branch,
    )
    from rqe.estimation import EstimationError, Fit, RQEEstimator, fit
    from rqe.interop import as_game
    from rqe.proof import Certificate, ProofStatus, certify, solve_all
    from rqe.sweeping import read_sweep, sweep

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


# Imported when first asked for: the names of each module, and modules themselves.
_LAZY = {
    "rqe.batch": ("BatchConvergenceError", "BatchSolution", "solve_batch"),
    "rqe.bifurcation": (
        "Bifurcation",
        "PayoffPath",
        "Stability",
        "bifurcations",
        "stability",
        "switch_branch",
    ),
    "rqe.estimation": ("EstimationError", "Fit", "RQEEstimator", "fit"),
    "rqe.interop": ("as_game",),
    "rqe.proof": ("Certificate", "ProofStatus", "certify", "solve_all"),
    "rqe.sweeping": ("read_sweep", "sweep"),
}
_HOME = {name: module for module, names in _LAZY.items() for name in names}
_MODULES = (
    "batch",
    "bifurcation",
    "datasets",
    "estimation",
    "interop",
    "parallel",
    "plot",
    "proof",
    "study",
    "sweeping",
    "theorems",
)


def __getattr__(name: str) -> object:
    """Import what few users need when it is first asked for."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"rqe.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'rqe' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    """Names for completion, those that are not imported yet among them."""
    return sorted({*globals(), *__all__, *_MODULES})
