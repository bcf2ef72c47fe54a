"""Train a team of two by debate: IPPO, where they debate each other, or SRPO, their adversaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from marl.debate.crew import ALONE, Crew
from marl.debate.episode import Debate, ModelSpeaker, hold
from marl.debate.learn import (
    Lesson,
    Pull,
    centred,
    improve,
    other_log_probs,
    price_to_go,
    prompt_state,
    rewards,
)
from marl.debate.models import Agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.debate.seeds import derive, generator
from marl.debate.settings import Training

SEATS = (0, 1)


@dataclass
class Learner:
    """A model that learns, with its optimiser and, for advantage "value", its value head.

    Attributes
    ----------
    agent : Agent
    optimiser : torch.optim.Adam
    head : nn.Linear or None
    """

    agent: Agent
    optimiser: torch.optim.Optimizer
    head: nn.Linear | None

    @classmethod
    def of(cls, agent: Agent, lr: float, advantage: str, seed: int) -> Learner:
        """Return a learner whose optimiser has taken no step."""
        head = None
        if advantage == "value":
            head = nn.Linear(agent.model.config.hidden_size, 1)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                head.reset_parameters()
            head.to(next(agent.model.parameters()).device)
        groups: list[dict[str, Any]] = [{"params": list(agent.trainable.values()), "lr": lr}]
        if head is not None:
            groups.append({"params": list(head.parameters()), "lr": 10.0 * lr})
        optimiser = torch.optim.Adam(groups)
        for group in optimiser.param_groups:
            group["peak_lr"] = group["lr"]
        return cls(agent, optimiser, head)

    def warm_up(self, fraction: float) -> None:
        """Set every learning rate to a fraction of its peak."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak_lr"] * fraction


@dataclass
class Trainer:
    """The state of one training run; `step` makes one update.

    Every random number derives from (seed, update): a run that is interrupted after any update
    and goes on from its checkpoint is the run that was not interrupted.

    Attributes
    ----------
    agents : tuple of two Agent
        They learn in place; give clones to keep the originals.
    problems : sequence of Problem
    training : Training
    protocol : Protocol
    seed : int
    update : int
        Number of updates made.
    crew : Crew
        Processes that share the debates of each update.
    """

    agents: tuple[Agent, Agent]
    problems: Sequence[Problem]
    training: Training
    protocol: Protocol = field(default_factory=Protocol)
    seed: int = 0
    update: int = 0
    crew: Crew = ALONE
    learners: tuple[Learner, Learner] = field(init=False)
    adversaries: tuple[Learner, Learner] | None = field(init=False, default=None)
    anchors: tuple[Agent, Agent] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Set up optimisers, adversaries (copies of the partners) and anchors."""
        t = self.training
        if not self.problems:
            raise ValueError("problems must hold at least one problem; got none")
        if self.protocol.temperature == 0.0:
            raise ValueError("temperature must be positive in training, which samples; got 0")
        if t.questions % self.crew.size:
            raise ValueError(
                f"questions must be a multiple of the {self.crew.size} processes; got {t.questions}"
            )
        if t.anchor > 0.0:
            self.anchors = (self.agents[0].clone().freeze(), self.agents[1].clone().freeze())
        if t.has_adversaries:
            self.adversaries = (
                self._learner(self.agents[1].clone(), t.adversary_lr, 2),
                self._learner(self.agents[0].clone(), t.adversary_lr, 3),
            )
        self.learners = (
            self._learner(self.agents[0], t.lr, 0),
            self._learner(self.agents[1], t.lr, 1),
        )

    def _learner(self, agent: Agent, lr: float, k: int) -> Learner:
        """Return learner k: the agents are 0 and 1, agent i's adversary is 2 + i."""
        seed = derive(self.seed, "head", k)
        return Learner.of(agent, lr, self.training.advantage, seed)

    @property
    def everyone(self) -> dict[str, Learner]:
        """All learners by the names that checkpoints use."""
        named = {f"agent-{i}": self.learners[i] for i in SEATS}
        if self.adversaries is not None:
            named |= {f"adversary-{i}": self.adversaries[i] for i in SEATS}
        return named

    def step(self) -> dict[str, float]:
        """Make one update; return its metrics."""
        fraction = min(1.0, (self.update + 1) / max(1, self.training.warmup))
        for learner in self.everyone.values():
            learner.warm_up(fraction)
        if self.adversaries is None:
            metrics = self._debate_each_other()
        else:
            metrics = dict[str, float]()
            for i in SEATS:
                metrics |= self._debate_adversary(i, self.adversaries[i])
        self.update += 1
        metrics = self.crew.mean(metrics, _device(self.learners[0]))
        metrics["debates"] = float(self.update * self.training.per_update)
        return metrics

    def _debate_each_other(self) -> dict[str, float]:
        """Make one update of IPPO: both learn from the same debates."""
        debate = self._hold((self.learners[0].agent, self.learners[1].agent), "each other")
        metrics: dict[str, float] = {}
        for i in SEATS:
            metrics |= self._improve_agent(i, debate)
        return metrics

    def _debate_adversary(self, i: int, adversary: Learner) -> dict[str, float]:
        """Make agent i's half of an update of SRPO: it and its adversary learn."""
        hero, partner = self.learners[i].agent, self.learners[1 - i].agent
        seats = (hero, adversary.agent) if i == 0 else (adversary.agent, hero)
        debate = self._hold(seats, f"adversary {i}")
        lesson, kl = self._adversary_lesson(i, debate, adversary, partner)
        metrics = self._improve_agent(i, debate)
        pulls = []
        if self.training.kl_in == "loss":
            pulls.append(Pull(partner.model, 1.0 / self.training.tau))
        found = improve(
            adversary.agent, adversary.optimiser, lesson, self.training,
            temperature=self.protocol.temperature, pulls=pulls, head=adversary.head,
            crew=self.crew,
        )  # fmt: skip
        return metrics | {f"adversary_{i}_loss": found["loss"], f"adversary_{i}_kl": kl}

    def _hold(self, seats: tuple[Agent, Agent], phase: str) -> Debate:
        """Return a batch of debates on problems drawn for this update."""
        t = self.training
        rng = generator(self.seed, self.update, phase, "problems")
        drawn = torch.randint(len(self.problems), (t.questions,), generator=rng)
        ours = drawn.chunk(self.crew.size)[self.crew.rank].tolist()
        problems = [self.problems[k] for k in ours for _ in range(t.group)]
        speakers = (ModelSpeaker(seats[0], len(problems)), ModelSpeaker(seats[1], len(problems)))
        key, skip = (self.seed, self.update, phase), self.crew.rank * len(problems)
        return hold(problems, speakers, self.protocol, key=key, skip=skip)

    def _improve_agent(self, i: int, debate: Debate) -> dict[str, float]:
        """Let agent i learn from what it said and earned; return metrics of both."""
        t, learner = self.training, self.learners[i]
        correct = debate.correct()[:, i]
        earned = rewards(correct, discount=t.discount, credit=t.credit).to(_device(learner))
        lesson = self._lesson(learner, debate, i, earned)
        pulls = []
        if self.anchors is not None:
            pulls.append(Pull(self.anchors[i].model, t.anchor))
        found = improve(
            learner.agent, learner.optimiser, lesson, t, temperature=self.protocol.temperature,
            eps=t.eps, pulls=pulls, head=learner.head, crew=self.crew,
        )  # fmt: skip
        both = debate.correct()[-1].all(dim=0)
        return {
            f"agent_{i}_first": float(correct[0].float().mean()),
            f"agent_{i}_last": float(correct[-1].float().mean()),
            f"agent_{i}_entropy": found["entropy"],
            f"agent_{i}_clipped": found["clipped"],
            f"agent_{i}_loss": found["loss"],
            f"joint_{i}": float(both.float().mean()),
        }

    def _lesson(self, learner: Learner, debate: Debate, seat: int, earned: Tensor) -> Lesson:
        """Return what a seat learns from, given the reward credited to each of its rounds."""
        rounds = [_tokens(turn[seat].completions) for turn in debate.turns]
        advantages = []
        for completions, reward in zip(rounds, earned, strict=True):
            if learner.head is None:
                gain = centred(reward, self.training.group)
            else:
                with torch.no_grad():
                    state = prompt_state(learner.agent, completions)
                    gain = reward - learner.head(state).squeeze(-1)
            advantages.append(gain[:, None].expand(-1, completions.answer_mask.shape[1]))
        return Lesson(rounds, advantages, list(earned))

    def _adversary_lesson(
        self, i: int, debate: Debate, adversary: Learner, partner: Agent
    ) -> tuple[Lesson, float]:
        """Return what agent i's adversary learns from, and its divergence in nats per token.

        It earns minus what agent i earns from the next round on, minus the price of its tokens:
        agent i answers the same round without having seen its answer, and its last one not at all.
        """
        t = self.training
        total = rewards(debate.correct()[:, i], discount=t.discount, credit=t.credit)
        earned = -t.discount * torch.cat([total[1:], torch.zeros_like(total[:1])])
        lesson = self._lesson(adversary, debate, 1 - i, earned.to(_device(adversary)))
        advantages, kl, tokens = [], 0.0, 0
        for completions, gain in zip(lesson.rounds, lesson.advantages, strict=True):
            mask = completions.answer_mask
            theirs = other_log_probs(
                partner.model, completions, self.protocol.temperature, t.micro_batch
            )
            kl += float((completions.log_probs - theirs).sum())
            tokens += int(mask.sum())
            if t.kl_in == "reward":
                gain = gain + price_to_go(completions.log_probs, theirs, mask, t.tau, self.crew)
            advantages.append(gain)
        return Lesson(lesson.rounds, advantages, lesson.returns), kl / max(1, tokens)


def _tokens(completions: Any) -> Any:
    """Return the tokens of a turn, which a speaker that learns always keeps."""
    if completions is None:
        raise RuntimeError("a learning speaker must answer in one batch")
    return completions


def _device(learner: Learner) -> torch.device:
    """Return where a learner's model lives."""
    device: torch.device = next(learner.agent.model.parameters()).device
    return device
