"""Estimation of tau and eps from how people play: `fit`, and tests between models."""

from rqe.estimation.comparing import (
    Comparison,
    LikelihoodRatio,
    Vuong,
    compare,
    likelihood_ratio,
    vuong,
)
from rqe.estimation.entry import fit
from rqe.estimation.errors import EstimationError
from rqe.estimation.estimator import RQEEstimator
from rqe.estimation.resampling import Bootstrap, LeaveOneOut, bootstrap, leave_one_out
from rqe.estimation.result import Fit

__all__ = [
    "Bootstrap",
    "Comparison",
    "EstimationError",
    "Fit",
    "LeaveOneOut",
    "LikelihoodRatio",
    "RQEEstimator",
    "Vuong",
    "bootstrap",
    "compare",
    "fit",
    "leave_one_out",
    "likelihood_ratio",
    "vuong",
]
