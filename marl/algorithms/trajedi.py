"""Trajectory diversity: partners whose trajectories can be told apart.

Source: Lupu et al. 2021, "Trajectory diversity for zero-shot coordination", equations 5 to 8.
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
class TrajeDi(PartnerTraining):
    """Best response to a population with a bonus for the diversity of its trajectories.

    Member i's reward at step t has the term ``alpha * log(delta_i(t) / mean_j delta_j(t))`` with
    ``log delta_j(t) = sum_s kernel ** |t - s| log pi_j(a_s | o_s)`` over the steps s of the
    episode. Its mean is the Jensen-Shannon divergence JSD of the members' trajectories (of single
    actions at ``kernel=0``), and as a reward it has that divergence's gradient at ``kernel=1``:
    the gradient of the logarithm itself has mean zero.

    Parameters
    ----------
    alpha : float, default 0.5
        Weight of the divergence, reward units per nat.
    kernel : float in [0, 1], default 0.5
        How far a step's actions count towards telling the members apart at other steps.
    """

    alpha: float = 0.5
    kernel: float = 0.5

    name: ClassVar[str] = "trajedi"

    def __post_init__(self) -> None:
        super().__post_init__()
        within("alpha", self.alpha, 0.0, math.inf, finite=True)
        within("kernel", self.kernel, 0.0, 1.0)

    def bonus(self, log_probs: Array, done: Array) -> Array:
        """Alpha times the log-ratio of a member's own delta and the mean of all."""
        import jax
        import jax.numpy as jnp

        deltas = windowed(log_probs, done, self.kernel)  # [P, T, P, tables]
        mean = jax.nn.logsumexp(deltas, axis=0) - math.log(self.population)
        own = jnp.einsum("itie->tie", deltas)
        return self.alpha * (own - mean)


def windowed(log_probs: Array, done: Array, kernel: float) -> Array:
    """Sums over the steps s of the same episode, weighted by kernel ** |t - s|.

    Shapes are [P, T, P, tables] and [T, P, tables], see `PartnerTraining.bonus`; an episode that
    a rollout cuts is seen as far as the rollout goes.
    """
    import jax
    import jax.numpy as jnp

    x = jnp.moveaxis(log_probs, 1, 0)  # [T, P, P, tables]
    ended = done[:, None]
    started = jnp.concatenate([jnp.ones_like(ended[:1]), ended[:-1]])

    def spread(carry: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        value, fresh = now
        carry = value + kernel * (1.0 - fresh) * carry
        return carry, carry

    nothing = jnp.zeros_like(x[0])
    _, before = jax.lax.scan(spread, nothing, (x, started))
    _, after = jax.lax.scan(spread, nothing, (x, ended), reverse=True)
    return jnp.moveaxis(before + after - x, 0, 1)
