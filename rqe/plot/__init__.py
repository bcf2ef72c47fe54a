"""Figures with matplotlib (extra ``rqe[plot]``).

The functions draw on the axes they are given, or on new ones, and return them. Colours are those
of Okabe and Ito, which stay apart for colour-blind readers; what differs in colour also differs by
line style or by mark.
"""

from rqe.plot._panels import figure
from rqe.plot.branch import plot_branch
from rqe.plot.strategies import plot_strategies

__all__ = ["figure", "plot_branch", "plot_strategies"]
