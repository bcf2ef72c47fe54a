"""Nash equilibria, as economists expect: one, the pure ones, or all of them.

One method per file: `pure`, `dominance`, `lemke_howson`, `zero_sum`, `support_enumeration`,
`vertices` with `components` (two players), `isolated` (any number). `entry` chooses among them.
"""

from rqe.enumeration.dominance import eliminate_dominated, undominated
from rqe.enumeration.entry import nash
from rqe.enumeration.lemke_howson import LemkeHowson
from rqe.enumeration.zero_sum import ZeroSum

__all__ = ["LemkeHowson", "ZeroSum", "eliminate_dominated", "nash", "undominated"]
