"""Multi-agent deterministic policy gradients, for discrete actions by Gumbel-softmax.

Source: Lowe et al. 2017, "Multi-agent actor-critic for mixed cooperative-competitive environments",
algorithm 1; discrete actions as in its appendix and in Jang et al. 2017.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar

from marl.algorithms.config import Algorithm, Method, positive_integer, within

if TYPE_CHECKING:
    from marl.envs.base import Env


@dataclasses.dataclass(frozen=True, kw_only=True)
class MADDPG(Algorithm):
    """Off-policy actors with central critics; what is not listed is as in `Algorithm`.

    Critic i learns the action values Q_i of agent i's own return from the observations and actions
    of all seats; actor i climbs it through a straight-through Gumbel-softmax sample of its own
    action. Both have targets that follow slowly. Data come from a replay buffer, behaviour is a
    sample of the actor's softmax.

    Parameters
    ----------
    critic_lr : float, default 2e-3
        Adam's step size for the critics.
    buffer : int, default 32768
        Joint steps that are kept, the oldest overwritten first; at least those of one update.
    batch : int, default 256
        Joint steps in a gradient step.
    gradient_steps : int, default 32
        Gradient steps after each rollout of ``n_envs * n_steps`` joint steps.
    polyak : float in (0, 1], default 0.01
        Share of the way that the targets go towards the networks with each gradient step.
    temperature : float, default 1.0
        Of the Gumbel-softmax.
    logit_penalty : float, default 1e-3
        Weight of the mean squared logit in the actor's loss, which keeps it exploring.

    Raises
    ------
    ValueError
        If a setting is out of its range, or policies are to be shared.

    Examples
    --------
    >>> MADDPG(polyak=0.0)
    Traceback (most recent call last):
        ...
    ValueError: polyak must be in (0.0, 1.0], got 0.0
    """

    critic_lr: float = 2e-3
    buffer: int = 32_768
    batch: int = 256
    gradient_steps: int = 32
    polyak: float = 0.01
    temperature: float = 1.0
    logit_penalty: float = 1e-3

    name: ClassVar[str] = "maddpg"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("buffer", "batch", "gradient_steps"):
            positive_integer(field, getattr(self, field))
        for field in ("critic_lr", "temperature"):
            within(field, getattr(self, field), 0.0, math.inf, open_ends=True)
        within("logit_penalty", self.logit_penalty, 0.0, math.inf, finite=True)
        within("polyak", self.polyak, 0.0, 1.0)
        if self.polyak == 0:
            raise ValueError(f"polyak must be in (0.0, 1.0], got {self.polyak!r}")
        if self.buffer < self.n_envs * self.n_steps:
            raise ValueError(
                f"buffer must hold an update's {self.n_envs * self.n_steps} joint steps, "
                f"got {self.buffer}"
            )
        if self.share_policies:
            raise ValueError("share_policies must be False in maddpg, got True")

    def method(self, env: Env) -> Method:
        """Rollouts into a replay buffer, then gradient steps from it."""
        from marl.algorithms.replay import OffPolicy

        return OffPolicy(env, self)
