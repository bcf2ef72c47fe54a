"""Settings that keep a debate short, for the tests that train one."""

from typing import Any

import torch

from marl.debate.protocol import Protocol

SHORT = Protocol(rounds=3, max_new_tokens=6)
SMALL: dict[str, Any] = {"questions": 2, "group": 2, "warmup": 0, "lr": 1e-3, "adversary_lr": 1e-3}


def parameters(agent):
    """All weights of an agent, in one row."""
    return torch.cat([p.detach().flatten() for p in agent.model.parameters()])
