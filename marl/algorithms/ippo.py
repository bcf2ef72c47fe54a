"""Independent PPO: every agent learns on its own, the others are part of its environment.

Source: Yu et al. 2022, "The surprising effectiveness of PPO in cooperative multi-agent games".
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marl.algorithms.config import PPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class IPPO(PPO):
    """Independent PPO, one policy per seat: the core as it is, see `marl.algorithms.config.PPO`.

    Examples
    --------
    >>> IPPO(n_envs=0)
    Traceback (most recent call last):
        ...
    ValueError: n_envs must be a positive integer, got 0
    """

    name: ClassVar[str] = "ippo"
