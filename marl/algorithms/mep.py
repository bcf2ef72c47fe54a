"""Maximum-entropy population: partners that differ, by an entropy bonus on their mean policy.

Source: Zhao et al. 2023, "Maximum entropy population-based training for zero-shot human-AI
coordination", equations 4 to 6.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar

from marl.algorithms.config import within
from marl.algorithms.partners import PartnerTraining

if TYPE_CHECKING:
    from jax import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class MEP(PartnerTraining):
    """Best response to a population that is paid for the entropy of its mean policy.

    A member's reward has the term ``-alpha * log(mean_j pi_j(a | o))``, whose mean over a member's
    own actions is its cross-entropy with the mean policy: common actions are taxed, those that no
    other member takes are not. Partners with whom the learner earns little are drawn more often.

    Parameters
    ----------
    alpha : float, default 0.1
        Weight of the population entropy, reward units per nat.
    """

    alpha: float = 0.1
    priority: float = 1.0

    name: ClassVar[str] = "mep"

    def __post_init__(self) -> None:
        super().__post_init__()
        within("alpha", self.alpha, 0.0, math.inf, finite=True)

    def bonus(self, log_probs: Array, done: Array) -> Array:
        """Minus alpha times the log-probability of the actions under the mean policy."""
        import jax

        mean = jax.nn.logsumexp(log_probs, axis=0) - math.log(self.population)
        return -self.alpha * mean
