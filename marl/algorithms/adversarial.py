"""Pure adversarial training: SRPO with tau = inf and no entropy bonus.

The adversary is free to do its worst; a robust but timid policy is what it teaches.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

from marl.algorithms.srpo import SRPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversarial(SRPO):
    """SRPO whose adversary is not tied to the partners: ``tau=inf, eps=0``.

    Raises
    ------
    ValueError
        If a finite `tau` or an entropy bonus is given: that is `SRPO`.
    """

    tau: float = math.inf
    eps: float = 0.0

    name: ClassVar[str] = "adversarial"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau != math.inf or self.eps != 0:
            raise ValueError(
                "tau must be inf and eps 0 in pure adversarial training (else use SRPO), got "
                f"tau={self.tau!r}, eps={self.eps!r}"
            )
