"""Exact values on the kitchen by dynamic programming: returns, optima, responses, worst cases.

Examples
--------
>>> from marl import exact
>>> marks = exact.landmarks()
>>> round(marks.team, 1), round(marks.lone_worker, 1)
(304.2, 87.2)
"""

from marl.exact.evaluation import Evaluation, crossplay, evaluate
from marl.exact.model import KitchenModel, kitchen_model
from marl.exact.policies import policy_table
from marl.exact.responses import (
    Landmarks,
    NashConv,
    Response,
    best_response,
    landmarks,
    nash_conv,
    stand_still,
    team_optimum,
    worst_case,
)
from marl.exact.risk import RiskAdjusted, risk_adjusted

__all__ = [
    "Evaluation",
    "KitchenModel",
    "Landmarks",
    "NashConv",
    "Response",
    "RiskAdjusted",
    "best_response",
    "crossplay",
    "evaluate",
    "kitchen_model",
    "landmarks",
    "nash_conv",
    "policy_table",
    "risk_adjusted",
    "stand_still",
    "team_optimum",
    "worst_case",
]
