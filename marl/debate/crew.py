"""Several processes that train one team together, as accelerate or torchrun started them.

Each process debates its share of an update's questions; gradients are summed before every step, so
that all hold the same weights. What is drawn for a debate does not depend on the process that holds
it: n processes make the run that one makes, up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Crew:
    """The processes of a run, seen from one of them.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    local_rank : int
        Number of this process on its machine: the device it takes.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """Return this process's device: ``cuda`` becomes ``cuda:<local rank>``."""
        return f"{name}:{self.local_rank}" if name == "cuda" and self.size > 1 else name

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.size == 1:
            return values
        from accelerate.utils import reduce

        total: Tensor = reduce(values, reduction="sum")
        return total

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace the gradients of some parameters by their sums over all processes."""
        if self.size == 1:
            return
        learned = [p for p in parameters if p.grad is not None]
        flat = self.sum(torch.cat([p.grad.flatten() for p in learned if p.grad is not None]))
        for p, piece in zip(learned, flat.split([p.numel() for p in learned]), strict=True):
            p.grad = piece.view_as(p).clone()

    def mean(self, metrics: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """Return the mean of each figure over all processes."""
        if self.size == 1:
            return dict(metrics)
        values = torch.tensor(list(metrics.values()), dtype=torch.float32, device=device)
        return dict(zip(metrics, (self.sum(values) / self.size).tolist(), strict=True))

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.size > 1:
            torch.distributed.barrier()


ALONE = Crew()
"""One process."""


def launched(device: str = "cpu") -> Crew:
    """Return the processes that ``accelerate launch`` or ``torchrun`` started; else one alone.

    Raises
    ------
    ImportError
        If there are several processes and accelerate is missing.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Crew()
    try:
        from accelerate import PartialState
    except ImportError:
        raise ImportError("several processes need accelerate: pip install 'rqe[llm]'") from None
    state = PartialState(cpu=device == "cpu")
    return Crew(state.process_index, state.num_processes, state.local_process_index)
