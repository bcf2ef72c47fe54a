"""Strategically risk-averse policy optimisation (arXiv 2602.21515, sections 5 and 6).

Agent i has a policy theta_i; its adversary phi_i is a joint policy for all the other seats::

    agent i      maximises  L_clip_i(theta_i; played against phi_i) + eps * entropy(theta_i)
    adversary i  minimises  L_clip_i(phi_i; played against theta_i)
                            + (1/tau) * E_o KL(phi_i(.|o) || theta_-i(.|o))

The adversary earns minus agent i's own reward. theta_-i is the partners' current policy, and no
gradient goes through it. tau = 0 is IPPO, tau = inf an adversary without bounds.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

from marl.algorithms.config import PPO, check_schedule, one_of, positive_integer, within
from marl.envs.base import check_truth

PENALTIES = ("kl", "reverse_kl")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SRPO(PPO):
    """Every agent learns against an adversary that is tied to its partners' policies.

    An update plays, for every agent, `risk_weight` of its `n_envs` tables against the adversary
    and the others with the real partners (those tables are shared by all agents). All phases of
    an update start from the same policies. What is not listed is as in `IPPO`.

    Parameters
    ----------
    tau : float in [0, inf], default 10
        Strategic risk aversion, 1 / reward units. 0 is IPPO bit by bit, `inf` leaves the adversary
        free.
    penalty : {"reverse_kl", "kl"}, default "reverse_kl"
        KL(partner || adversary), as in the authors' code, or KL(adversary || partner), as in the
        paper's formula.
    kl_in : {"loss", "reward"}, default "loss"
        Whether the penalty is a term of the adversary's loss, or of its reward (whose policy
        gradient at the visited observation is the same).
    risk_weight : float in [0, 1], default 1
        Share of the tables that are played against the adversary; a whole number of `n_envs`.
    premium_head : bool, default False
        Give the critics a second head for the value with real partners, so that training reports
        the risk premium V_nominal - V_adversarial. Needs nominal tables: ``risk_weight < 1``,
        with a memory ``risk_weight + memory_share < 1``.
    partner_memory : int, default 0
        Number of snapshots of past partners and adversaries that are kept. If any, a quarter of
        the tables (`memory_share`) is played against one of them, drawn for each rollout.
    adversary : {"learned", "tilted"}, default "learned"
        A network of its own, or the closed form of `marl.algorithms.tilted`.
    adversary_lr : float, optional
        Adam's step size for the adversary; that of the agents unless given.
    adversary_eps : float, default 0
        Entropy bonus of the adversary, reward units per nat.
    memory_share : float in [0, 1], default 0.25
        Share of the tables that are played against the memory; a whole number of `n_envs`.
    memory_interval : int, default 10
        Updates between two snapshots.
    tau_start : float, optional
        Where tau begins, if it is to grow (or fall) geometrically to `tau`...
    tau_warmup : int, default 0
        ...over this many environment steps.

    Raises
    ------
    ValueError
        If a setting is out of its range, shares are not whole numbers of tables, or settings
        contradict each other.

    Examples
    --------
    >>> SRPO(tau=-1)
    Traceback (most recent call last):
        ...
    ValueError: tau must be in [0.0, inf], got -1
    """

    tau: float = 10.0
    penalty: str = "reverse_kl"
    kl_in: str = "loss"
    risk_weight: float = 1.0
    premium_head: bool = False
    partner_memory: int = 0
    adversary: str = "learned"
    adversary_lr: float | None = None
    adversary_eps: float = 0.0
    memory_share: float = 0.25
    memory_interval: int = 10
    tau_start: float | None = None
    tau_warmup: int = 0

    name: ClassVar[str] = "srpo"

    def __post_init__(self) -> None:
        super().__post_init__()
        within("tau", self.tau, 0.0, math.inf)
        one_of("penalty", self.penalty, PENALTIES)
        one_of("kl_in", self.kl_in, ("loss", "reward"))
        one_of("adversary", self.adversary, ("learned", "tilted"))
        within("risk_weight", self.risk_weight, 0.0, 1.0)
        within("memory_share", self.memory_share, 0.0, 1.0)
        within("adversary_eps", self.adversary_eps, 0.0, math.inf, finite=True)
        positive_integer("memory_interval", self.memory_interval)
        check_truth("premium_head", self.premium_head)
        if self.adversary_lr is not None:
            within("adversary_lr", self.adversary_lr, 0.0, math.inf, open_ends=True)
        self._check_shares()
        check_schedule(self, "tau")

    def _check_shares(self) -> None:
        """Shares are whole numbers of tables that leave room for each other."""
        number = isinstance(self.partner_memory, int) and not isinstance(self.partner_memory, bool)
        if not number or self.partner_memory < 0:
            raise ValueError(
                f"partner_memory must be an integer of at least 0, got {self.partner_memory!r}"
            )
        for field in ("risk_weight", "memory_share") if self.partner_memory else ("risk_weight",):
            tables = getattr(self, field) * self.n_envs
            if abs(tables - round(tables)) > 1e-9:
                raise ValueError(
                    f"{field} * n_envs must be a whole number of tables, got "
                    f"{getattr(self, field)!r} * {self.n_envs}"
                )
        if self.partner_memory and self.memory_share * self.n_envs >= self.n_envs:
            raise ValueError(f"memory_share must be less than 1, got {self.memory_share!r}")
        taken = self.n_adversarial + self.n_memory
        if self.premium_head and (self.risk_weight == 1 or taken == self.n_envs):
            raise ValueError(
                "premium_head needs tables with real partners, risk_weight < 1 and, with a memory, "
                f"risk_weight + memory_share < 1; got risk_weight={self.risk_weight!r}, "
                f"memory_share={self.memory_share!r}"
            )

    @property
    def n_memory(self) -> int:
        """Tables per learner that are played against a remembered partner."""
        active = self.partner_memory > 0 and self.tau > 0 and self.risk_weight > 0
        return round(self.memory_share * self.n_envs) if active else 0

    @property
    def n_adversarial(self) -> int:
        """Tables per learner that are played against its adversary."""
        if self.tau == 0:
            return 0
        return min(round(self.risk_weight * self.n_envs), self.n_envs - self.n_memory)
