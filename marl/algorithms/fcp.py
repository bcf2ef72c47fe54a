"""Fictitious co-play: a best response to self-play policies of all levels of skill.

Source: Strouse et al. 2021, "Collaborating with humans without human data".
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from marl.algorithms.partners import PartnerTraining


@dataclasses.dataclass(frozen=True, kw_only=True)
class FCP(PartnerTraining):
    """Best response to a pool of self-play policies; see `PartnerTraining` for the settings.

    The members know nothing of each other and differ by their seeds only. The pool holds each of
    them as it was at the start, half way, and at the end of its training; seat and partner are
    drawn anew for each episode.

    Examples
    --------
    >>> FCP(population=3)
    Traceback (most recent call last):
        ...
    ValueError: population must divide n_envs = 8, got 3
    """

    name: ClassVar[str] = "fcp"
