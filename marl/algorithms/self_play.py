"""Self-play: one policy plays all seats against itself."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marl.algorithms.config import PPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfPlay(PPO):
    """PPO by one policy that sits in every seat; all else is as in `IPPO`.

    The policy learns from all seats' data. It needs observations that tell the seats apart, such
    as those of ``make_env("kitchen", egocentric=True)``: else all seats act alike.

    Raises
    ------
    ValueError
        If `share_policies` is given as False: that is `IPPO`.
    """

    share_policies: bool = True

    name: ClassVar[str] = "self_play"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.share_policies:
            raise ValueError("share_policies must be True in self-play, got False")
