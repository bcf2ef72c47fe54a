"""Figures with matplotlib (extra ``rqe[plot]``).

The functions draw on the axes they are given, or on new ones, and return them. Colours are those
of Okabe and Ito, which stay apart for colour-blind readers; what differs in colour also differs by
line style or by mark.
"""

from rqe.plot._panels import figure
from rqe.plot.branch import plot_branch
from rqe.plot.diagram import plot_diagram, plot_path
from rqe.plot.heatmap import plot_heatmap
from rqe.plot.observed import plot_observed
from rqe.plot.outcomes import plot_outcomes
from rqe.plot.simplex import plot_best_responses, plot_simplex
from rqe.plot.strategies import plot_strategies

__all__ = [
    "figure",
    "plot_best_responses",
    "plot_branch",
    "plot_diagram",
    "plot_heatmap",
    "plot_observed",
    "plot_outcomes",
    "plot_path",
    "plot_simplex",
    "plot_strategies",
]
