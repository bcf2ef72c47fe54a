"""High-entropy IPPO: IPPO with a larger entropy bonus.

Source: Forkel & Foerster 2025 (entropy alone as a remedy for brittle conventions).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marl.algorithms.ippo import IPPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class HighEntropyIPPO(IPPO):
    """IPPO whose entropy bonus `eps` is 0.3 by default; all else is as in `IPPO`."""

    eps: float = 0.3

    name: ClassVar[str] = "high_entropy"
