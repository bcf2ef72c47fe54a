"""One file per algorithm; all but MADDPG are on the PPO core of `marl.algorithms.ppo`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from marl.algorithms.adversarial import Adversarial
from marl.algorithms.config import PPO, Algorithm
from marl.algorithms.fcp import FCP
from marl.algorithms.high_entropy import HighEntropyIPPO
from marl.algorithms.ippo import IPPO
from marl.algorithms.maddpg import MADDPG
from marl.algorithms.mappo import MAPPO
from marl.algorithms.mep import MEP
from marl.algorithms.self_play import SelfPlay
from marl.algorithms.srpo import SRPO
from marl.algorithms.trajedi import TrajeDi
from marl.envs.base import check_name, check_options

__all__ = [
    "ALGORITHMS",
    "FCP",
    "IPPO",
    "MADDPG",
    "MAPPO",
    "MEP",
    "PPO",
    "SRPO",
    "Adversarial",
    "Algorithm",
    "HighEntropyIPPO",
    "SelfPlay",
    "TrajeDi",
    "algo_config",
    "make_algo",
]

ALGORITHMS: dict[str, type[Algorithm]] = {
    kind.name: kind
    for kind in (
        IPPO,
        SRPO,
        SelfPlay,
        Adversarial,
        HighEntropyIPPO,
        MAPPO,
        MADDPG,
        FCP,
        MEP,
        TrajeDi,
    )
}
"""Name of an algorithm -> its class."""


def make_algo(name: str, **fields: Any) -> Algorithm:
    """Algorithm of that name with the given settings.

    Raises
    ------
    ValueError
        If there is none (the nearest is named), or a setting is out of range.
    TypeError
        If it has no such setting.

    Examples
    --------
    >>> make_algo("srpo", tau=3.0).tau
    3.0
    """
    check_name("algorithm", name, ALGORITHMS)
    check_options(f"algorithm {name!r}", ALGORITHMS[name], fields)
    return ALGORITHMS[name](**{key: _parse(value) for key, value in fields.items()})


def algo_config(algo: Algorithm) -> dict[str, Any]:
    """JSON-ready description from which `make_algo` rebuilds `algo`; infinity becomes "inf".

    Examples
    --------
    >>> config = algo_config(Adversarial())
    >>> config["tau"]
    'inf'
    >>> make_algo(**config) == Adversarial()
    True
    """
    fields = {"name": algo.name, **dataclasses.asdict(algo)}
    fields["hidden"] = list(algo.hidden)
    if isinstance(algo, PPO):
        for name in _LATER:
            if fields[name] == getattr(PPO, name):
                del fields[name]
    return {key: "inf" if value == math.inf else value for key, value in fields.items()}


# Settings that came after the first runs: told where they differ from their defaults only, so
# that a folder of before is still recognised as the same run.
_LATER = (
    *("shared_trunk", "max_grad_norm", "critic_lr"),
    *("eps_start", "eps_warmup", "lr_start", "lr_warmup"),
)


def _parse(value: Any) -> Any:
    """What `algo_config` wrote, as the dataclass wants it."""
    if isinstance(value, str) and value == "inf":
        return math.inf
    return tuple(value) if isinstance(value, list) else value
