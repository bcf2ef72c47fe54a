"""One stream of random numbers per purpose and update: nothing to save, and runs resume exactly."""

from __future__ import annotations

import hashlib

import torch


def derive(*key: int | str) -> int:
    """Return a seed of 63 bits that depends on every part of the key.

    Examples
    --------
    >>> from marl.debate.seeds import derive
    >>> derive(0, "train", 3) == derive(0, "train", 3) != derive(0, "train", 4)
    True
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*key: int | str) -> torch.Generator:
    """Return a generator on the CPU, seeded by the key."""
    return torch.Generator().manual_seed(derive(*key))
