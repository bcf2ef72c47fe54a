"""Settings of supervised training and of training by debate; neither needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from marl.debate import _fields


@dataclass(frozen=True, kw_only=True)
class SFT:
    """Settings of supervised training: to solve alone, to read two answers, to trust one of them.

    The answers in view are the model's own samples, right and wrong, and the target is always the
    right solution. While it learns to read, both are right: a model that has not learnt to copy
    what it sees is deaf to any partner. Then either may be wrong, wherever it stands: with
    ``own_wrong == partner_wrong`` only checking the sums tells which one, with ``own_wrong >
    partner_wrong`` the partner is to be trusted.

    Attributes
    ----------
    steps : int
        Most steps of the optimiser that teach the model to solve alone; 0 for a model that can.
    batch : int
        Examples a step.
    lr : float
        Peak learning rate of AdamW, with linear warm-up and a cosine to a tenth; a third of it in
        the last part.
    stop_at : float in (0, 1]
        Accuracy in round 1, on ``check_on`` problems, at which the solo part ends.
    check_every : int
        Steps between two measurements of that accuracy.
    check_on : int
        Problems that it is measured on.
    read_steps : int
        Steps after that which teach to read: four of five examples show two right answers.
    debate_steps : int
        Steps after that, half of whose examples show two answers that may be wrong; 0 for none.
        Without them a model may copy whatever stands first, or last.
    own_wrong : float in [0, 1]
        How often the answer tagged as one's own is wrong in these, where the model ever was wrong.
    partner_wrong : float in [0, 1]
        How often the answer tagged as the partner's is.
    """

    steps: int = 4000
    batch: int = 64
    lr: float = 2e-3
    stop_at: float = 0.25
    check_every: int = 50
    check_on: int = 400
    read_steps: int = 200
    debate_steps: int = 30
    own_wrong: float = 0.3
    partner_wrong: float = 0.3

    def __post_init__(self) -> None:
        """Check each field."""
        _fields.positive_whole(self, "batch", "check_every", "check_on")
        _fields.whole(self, "steps", "read_steps", "debate_steps")
        _fields.share(self, "own_wrong", "partner_wrong", "stop_at")
        _fields.positive(self, "lr", "stop_at")

    @classmethod
    def of_size(cls, size: str, **changed: Any) -> SFT:
        """Return the settings of a size of model (`OF_SIZE`, else the defaults), some changed."""
        return cls(**(OF_SIZE.get(size, {}) | changed))


# The smaller learn to read more slowly: a mini that solved .31 alone solved .22 after 180 steps.
# A medium goes from under .25 alone to .43 within fifty steps, and is to stop in between.
OF_SIZE: dict[str, dict[str, Any]] = {"mini": {"read_steps": 540}, "medium": {"check_every": 10}}
"""What differs from the defaults of `SFT`, by the size of the model."""


@dataclass(frozen=True, kw_only=True)
class Training:
    r"""Settings of training by debate; agents, adversaries and methods share all of them.

    Agent i and its adversary phi_i, which sits in the partner's seat, play [1]_

    .. math::
        \theta_i: \max E[R_i(\theta_i, \phi_i)], \qquad
        \phi_i: \max -E[R_i(\theta_i, \phi_i)]
        - \tfrac{1}{\tau} \mathrm{KL}(\phi_i \,\|\, \theta_{-i}),

    R_i = 1 if i's last answer is right, credited to round r with ``discount ** (rounds - r)``.
    ``algo="ippo"``, or tau = 0, has no adversary: the agents debate each other.

    Attributes
    ----------
    algo : {"srpo", "ippo"}
    tau : float in [0, inf]
        Risk aversion: 1/tau is the adversary's price of a nat away from the partner.
    kl_in : {"reward", "loss"}
        Whether that price is a reward per token, log(partner) - log(adversary) of the tokens that
        the adversary chose (the paper's), or the exact divergence of each token as a loss.
    debates : int
        Debates in all; an update of SRPO holds two batches of them, one per agent's adversary.
    questions : int
        Problems in a batch.
    group : int
        Debates of each problem in a batch.
    lr : float
        Learning rate of the agents (Adam).
    adversary_lr : float
        Learning rate of the adversaries. In the runs recorded in docs/marl/debate.md three times
        ``lr`` hardly misled, ten times did, and thirty times drove them far from the partner.
    warmup : int
        Updates over which the learning rate rises.
    clip : float
        Of the policy ratio (PPO).
    epochs : int
        Passes over a batch.
    advantage : {"group", "value"}
        Baseline: mean reward of the question's group, or a value head on the prompt's last state.
    discount : float in [0, 1]
        What the reward of an answer is worth in the round before it.
    credit : {"final", "round"}
        Whether a round is credited with the last answer, or also with its own.
    eps : float
        Entropy bonus per token of the agents (nats); adversaries have none.
    anchor : float
        Coefficient of KL(agent || starting model) per token.
    micro_batch : int
        Debates in one forward pass; changes memory, not results (up to rounding).

    References
    ----------
    .. [1] Qu, Zhang, Lanzetti & Mazumdar, arXiv 2602.21515, sections 5, 6.4 and appendix D.5.
    """

    algo: Literal["srpo", "ippo"] = "srpo"
    tau: float = 10.0
    kl_in: Literal["reward", "loss"] = "reward"
    debates: int = 12800
    questions: int = 16
    group: int = 4
    lr: float = 1e-4
    adversary_lr: float = 3e-4
    warmup: int = 10
    clip: float = 0.2
    epochs: int = 1
    advantage: Literal["group", "value"] = "group"
    discount: float = 0.9
    credit: Literal["final", "round"] = "final"
    eps: float = 0.0
    anchor: float = 0.0
    micro_batch: int = 32

    def __post_init__(self) -> None:
        """Check each field."""
        _fields.one_of(
            self,
            algo=("srpo", "ippo"),
            kl_in=("reward", "loss"),
            advantage=("group", "value"),
            credit=("final", "round"),
        )
        _fields.positive_whole(self, "debates", "questions", "group", "epochs", "micro_batch")
        _fields.whole(self, "warmup")
        _fields.not_negative(self, "tau", finite=False)
        _fields.not_negative(self, "eps", "anchor")
        _fields.positive(self, "lr", "adversary_lr", "clip")
        _fields.share(self, "discount")
        if self.advantage == "group" and self.group < 2:
            raise ValueError("group must be at least 2 for advantage 'group'; got 1")
        if self.updates < 1:
            raise ValueError(
                f"debates must be at least {self.per_update}, one update's; got {self.debates}"
            )

    @property
    def has_adversaries(self) -> bool:
        """Whether agents debate adversaries rather than each other."""
        return self.algo == "srpo" and self.tau > 0.0

    @property
    def per_update(self) -> int:
        """Debates that one update takes."""
        return self.questions * self.group * (2 if self.has_adversaries else 1)

    @property
    def updates(self) -> int:
        """Number of updates within the budget of debates."""
        return self.debates // self.per_update
