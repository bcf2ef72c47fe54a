"""pygambit as a peer: the calls that are measured, and a child process that can be stopped.

Gambit's solvers run in C++ and cannot be interrupted from Python, so that whoever must not wait
for one asks it through :class:`GambitChild`.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def build(payoffs: Array) -> Any:
    """Return Gambit's game for payoffs of shape ``(N, n_1, ..., n_N)`` (slow; never timed)."""
    import pygambit

    return pygambit.StrategicGame.from_arrays(*payoffs)


def qre(game: Any, lam: float) -> Any:
    """Return Gambit's first QRE at ``lam`` on the principal branch, as its own object."""
    import pygambit

    return pygambit.qre.logit_solve_lambda(game, lam)[0]


def branch(game: Any) -> Any:
    """Return Gambit's whole principal branch, to its default stop (regret 1e-8 of the range)."""
    import pygambit

    return pygambit.qre.logit_solve_branch(game)


def strategies(profile: Any, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """Return a Gambit logit profile as one array per player."""
    flat = np.array([profile[k] for k in range(len(profile))])
    return tuple(np.split(flat, np.cumsum(shape)[:-1]))


def _serve(pipe: Connection) -> None:
    """Answer ``(payoffs, lams)`` with one profile per lam until the pipe closes."""
    while True:
        try:
            payoffs, lams = pipe.recv()
        except EOFError:
            return
        game = build(payoffs)
        pipe.send([strategies(qre(game, lam), payoffs.shape[1:]) for lam in lams])


class GambitChild:
    """Gambit in a process of its own, stopped when an answer takes over ``limit`` seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def qre(self, payoffs: Array, lams: list[float]) -> list[tuple[Array, ...]] | None:
        """Return the answers at every ``lam``, each solved from scratch; None past the limit."""
        self._pipe.send((payoffs, lams))
        try:
            if self._pipe.poll(self.limit):
                answer: list[tuple[Array, ...]] = self._pipe.recv()
                return answer
        except EOFError:
            pass
        self.close()
        self._start()
        return None

    def close(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
