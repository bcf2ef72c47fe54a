"""Multi-agent PPO: IPPO whose critics see what all seats see.

Source: Yu et al. 2022, "The surprising effectiveness of PPO in cooperative multi-agent games".
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marl.algorithms.config import PPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class MAPPO(PPO):
    """PPO with a central critic per agent; what is not listed is as in `PPO`.

    The critic of seat i sees the observations of seats i, i + 1, ... joined, and learns the return
    of agent i, private costs included. Actors are those of `IPPO`, so play needs nothing central.
    """

    name: ClassVar[str] = "mappo"
    central_critic: ClassVar[bool] = True
