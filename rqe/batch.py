"""Many games at once: `solve_batch` and its `BatchSolution`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain
from rqe._batch_input import games_of, parameter, players_of, threads_of
from rqe._input import tolerance
from rqe.concepts import PENALTIES, REGULARIZERS, flag, one_of
from rqe.games import NormalFormGame
from rqe.solution import ConvergenceError, Solution
from rqe.solve import solve
from rqe.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["BatchConvergenceError", "BatchSolution", "solve_batch"]

_BLOCK = 2**17  # payoffs that are worked on at a time: they stay in the processor's cache
_CONVERGED = Status.CONVERGED.value


@dataclass(frozen=True, eq=False, repr=False)
class BatchSolution:
    """One equilibrium per game, as arrays; `solve_batch` returns it.

    Below, ``...`` stands for the batch dimensions. All arrays are read-only. Where a game was not
    solved, strategies and payoffs are NaN, while residual and regret are those of what was found.

    Attributes
    ----------
    games : ndarray, shape (..., N, n_1, ..., n_N)
        The payoffs that were given.
    tau, eps : ndarray, shape (..., N)
        Risk aversion (1/payoff) and bounded rationality (payoff) of every player.
    penalty, regularizer : str
        As for `rqe.solve`.
    log_strategies : tuple of N ndarrays, shape (..., n_i)
        Logarithms of the strategies.
    payoffs, risk_adjusted : ndarray, shape (..., N)
        Expected and risk-adjusted payoffs.
    residual : ndarray, shape (...)
        Largest violation of the equilibrium equations, relative to the payoff range.
    regret : ndarray, shape (...)
        Upper bound on what any player could gain by deviating alone, in payoff units.
    status : ndarray of str, shape (...)
        `rqe.Status` of each game, by value: "converged", or what went wrong.
    """

    games: Array
    tau: Array
    eps: Array
    penalty: str
    regularizer: str
    log_strategies: tuple[Array, ...]
    payoffs: Array
    risk_adjusted: Array
    residual: Array
    regret: Array
    status: NDArray[np.str_]

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for value in (*vars(self).values(), *self.log_strategies):
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @cached_property
    def strategies(self) -> tuple[Array, ...]:
        """Probabilities, one read-only array of shape (..., n_i) per player."""
        return tuple(_plain.read_only(np.exp(log_x)) for log_x in self.log_strategies)

    @cached_property
    def converged(self) -> NDArray[np.bool_]:
        """Which games were solved within the tolerance, shape (...)."""
        mask: NDArray[np.bool_] = np.asarray(self.status == _CONVERGED)
        mask.flags.writeable = False
        return mask

    @property
    def n_failed(self) -> int:
        """How many games were not solved."""
        return int(self.converged.size - np.count_nonzero(self.converged))

    def solution(self, *index: int) -> Solution:
        """Return one game's `Solution`, computed anew by `rqe.solve`, converged or not.

        Parameters
        ----------
        *index : int
            One per batch dimension.
        """
        if len(index) != self.residual.ndim:
            raise ValueError(
                f"index must hold {self.residual.ndim} integers, one per batch dimension; "
                f"got {index}"
            )
        return solve(
            NormalFormGame(self.games[index]), self.tau[index], self.eps[index],
            penalty=self.penalty, regularizer=self.regularizer, throw=False,
        )  # fmt: skip

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one record per game, player and action; ``game`` counts the games in C order."""
        flat = [x.reshape(-1, x.shape[-1]).tolist() for x in self.strategies]
        n = len(flat)
        tau, eps = self.tau.reshape(-1, n).tolist(), self.eps.reshape(-1, n).tolist()
        payoffs, status = self.payoffs.reshape(-1, n).tolist(), self.status.ravel().tolist()
        for k, how in enumerate(status):
            for i in range(n):
                for a, probability in enumerate(flat[i][k]):
                    yield {
                        "game": k,
                        "player": i + 1,
                        "action": a + 1,
                        "probability": probability,
                        "tau": tau[k][i],
                        "eps": eps[k][i],
                        "payoff": payoffs[k][i],
                        "status": how,
                    }

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame, one row per game, player and action (needs ``rqe[frames]``)."""
        return _plain.data_frame(self.rows())

    def __repr__(self) -> str:
        """One line: how many games, how many failed, the largest residual of the others."""
        good = self.residual[self.converged]
        worst = f", residual at most {good.max():.1e}" if good.size else ""
        return (
            f"<BatchSolution: {self.residual.size} games of shape "
            f"{self.games.shape[-len(self.log_strategies) :]}, {self.n_failed} failed{worst}>"
        )


class BatchConvergenceError(ConvergenceError):
    """Some games of a batch were not solved within the tolerance; the batch is attached.

    Attributes
    ----------
    solution : BatchSolution
        All games, the solved ones included. Ask for it without an exception by ``throw=False``.
    """

    solution: BatchSolution  # type: ignore[assignment]

    def __init__(self, solution: BatchSolution) -> None:
        self.solution = solution
        first = np.unravel_index(int(np.argmin(solution.converged)), solution.converged.shape)
        how = next(status for status in Status if status.value == solution.status[first])
        RuntimeError.__init__(
            self,
            f"{solution.n_failed} of {solution.converged.size} games were not solved within tol; "
            f"the first is game {tuple(map(int, first))} ({how.value}; residual "
            f"{solution.residual[first]:.2g} of the payoff range). {how.message} All answers are "
            "in the `solution` attribute of this exception; throw=False returns them instead.",
        )


def solve_batch(
    payoffs: ArrayLike,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    players: int | None = None,
    penalty: str = "kl",
    regularizer: str = "entropy",
    tol: float = 1e-10,
    throw: bool = False,
    threads: int | None = None,
) -> BatchSolution:
    """Return for each of many games the equilibrium that `rqe.solve` finds.

    Parameters
    ----------
    payoffs : array_like, shape (..., N, n_1, ..., n_N)
        Payoff arrays of N players, with any number of batch dimensions before them.
    tau, eps : array_like, broadcast to shape (..., N)
        Risk aversion (unit 1/payoff) and bounded rationality (unit payoff), in [0, inf]. By the
        rules of numpy: a scalar holds for all, N numbers are per player, and an array that varies
        from game to game ends with an axis of length N or 1.
    players : int, optional
        N; needed only where the shape can be read in two ways, such as (3, 2, 2, 2).
    penalty, regularizer : str
        As for `rqe.solve`.
    tol : float
        Largest residual, relative to the payoff range, that counts as converged.
    throw : bool
        Whether to raise if a game is not solved; by default it is marked in the result.
    threads : int, optional
        Threads that share the work; by default as many as there are cores. Their number does not
        change the results.

    Returns
    -------
    BatchSolution
        Arrays with the same batch dimensions; its ``converged`` is the mask of solved games.

    Raises
    ------
    BatchConvergenceError
        If ``throw`` is true and a game is not solved; it carries the whole batch.
    TypeError, ValueError
        If an argument breaks its rule.

    Notes
    -----
    Two players with up to 32 actions together, KL, entropy, finite tau and 0 < eps < inf go a
    light way, in about 1 µs for a 2x2 game and 30 µs for a 5x5 one. It follows the principal branch
    as long as that is monotone, and is sure of it by checks stricter than those of `rqe.solve`:
    no matrix on the way from one point's Jacobian to the next one's is singular. 2x2 games whose
    equilibrium is unique (second differences of the payoffs with ``b_1 b_2 <= 0`` or
    ``b_1 b_2 < 16 eps_1 eps_2``, whatever tau) need not be followed at all. Any other game, and any
    in doubt (a fold, a refused step), goes through `rqe.solve`. Residual and regret are recomputed
    by plain numpy code; a game whose residual exceeds ``tol`` goes through `rqe.solve` too.

    Examples
    --------
    >>> import numpy as np
    >>> import rqe
    >>> pennies = np.array([[[1.0, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> bonus = np.zeros((5, 2, 2, 2))
    >>> bonus[:, 0, 0, 0] = range(5)
    >>> batch = rqe.solve_batch(pennies + bonus, tau=0.5, eps=0.2)
    >>> batch.strategies[1][:, 0].round(4).tolist()
    [0.5, 0.475, 0.4704, 0.4757, 0.4863]
    >>> batch.n_failed
    0
    """
    games = games_of(payoffs, players)
    n_players = players_of(games.shape, players)
    batch = games.shape[: games.ndim - n_players - 1]
    one_of("penalty", penalty, PENALTIES)
    one_of("regularizer", regularizer, REGULARIZERS)
    flag("throw", throw)
    tau = parameter("tau", tau, (*batch, n_players))
    eps = parameter("eps", eps, (*batch, n_players))
    count = math.prod(batch)
    work = _Work(
        games.reshape(count, *games.shape[len(batch) :]), tau.reshape(count, n_players),
        eps.reshape(count, n_players), penalty, regularizer, tolerance(tol),
    )  # fmt: skip
    _spread(work, threads_of(threads))
    failed = work.status != _CONVERGED
    for values in (work.log_x, work.payoffs, work.risk_adjusted):
        values[failed] = np.nan
    log_x = np.split(work.log_x, np.cumsum(games.shape[-n_players:])[:-1], axis=-1)
    solution = BatchSolution(
        games, tau, eps, penalty, regularizer,
        tuple(part.reshape(*batch, part.shape[-1]) for part in map(np.ascontiguousarray, log_x)),
        work.payoffs.reshape(*batch, n_players), work.risk_adjusted.reshape(*batch, n_players),
        work.residual.reshape(batch), work.regret.reshape(batch), work.status.reshape(batch),
    )  # fmt: skip
    if throw and failed.any():
        raise BatchConvergenceError(solution)
    return solution


class _Work:
    """What the threads read, and the arrays that they fill, each its own games."""

    def __init__(
        self, games: Array, tau: Array, eps: Array, penalty: str, regularizer: str, tol: float
    ) -> None:
        self.games, self.tau, self.eps = games, tau, eps
        self.penalty, self.regularizer, self.tol = penalty, regularizer, tol
        count, n_players = games.shape[:2]
        self.log_x = np.empty((count, sum(games.shape[2:])))
        self.payoffs, self.risk_adjusted = np.empty((2, count, n_players))
        self.residual, self.regret = np.empty((2, count))
        self.status = np.full(count, _CONVERGED, dtype=f"<U{max(len(s.value) for s in Status)}")
        usual = n_players == 2 and (penalty, regularizer) == ("kl", "entropy")
        within = np.isfinite(tau) & np.isfinite(eps) & (eps > 0.0)
        self.light = np.logical_and.reduce(within, axis=1) & usual

    def solve(self, start: int, stop: int) -> None:
        """Solve and judge the games from start to stop."""
        light = np.flatnonzero(self.light[start:stop]) + start
        rest = np.ones(stop - start, dtype=bool)
        if light.size:
            rest[self._solve_light(light) - start] = False
        for k in np.flatnonzero(rest).tolist():
            self._solve_one(start + k)

    def _solve_light(self, which: NDArray[np.intp]) -> NDArray[np.intp]:
        """Solve these games the light way; return those whose answer stands."""
        from rqe._batch_check import judge
        from rqe._kernels.batch import FOUND, solve_two

        games, tau, eps = self.games[which], self.tau[which], self.eps[which]
        log_x, codes = np.empty((len(which), self.log_x.shape[1])), np.empty(len(which), np.int8)
        solve_two(games, tau, eps, log_x, codes)
        log_x[codes != FOUND] = np.nan
        verdicts = judge(games, tau, eps, log_x)
        good = verdicts.residual <= self.tol
        done = which[good]
        self.log_x[done] = log_x[good]
        self.residual[done], self.regret[done] = verdicts.residual[good], verdicts.regret[good]
        self.payoffs[done] = verdicts.payoffs[good]
        self.risk_adjusted[done] = verdicts.risk_adjusted[good]
        return done

    def _solve_one(self, k: int) -> None:
        """Solve one game as `rqe.solve` does."""
        found = solve(
            NormalFormGame(self.games[k]), self.tau[k], self.eps[k], penalty=self.penalty,
            regularizer=self.regularizer, tol=self.tol, throw=False,
        )  # fmt: skip
        self.log_x[k] = np.concatenate(found.log_strategies)
        self.residual[k], self.regret[k] = found.residual, found.regret
        self.payoffs[k], self.risk_adjusted[k] = found.payoffs, found.risk_adjusted
        self.status[k] = found.status.value


def _spread(work: _Work, threads: int) -> None:
    """Solve all games, block by block, the blocks shared among threads."""
    count = len(work.games)
    size = max(1, _BLOCK // max(1, work.games[0].size)) if count else 1
    if threads > 1 and count > 1:  # a block per thread at least, if that is worth a thread
        size = min(size, max(64, -(-count // threads)))
    starts = range(0, count, size)
    if threads == 1 or len(starts) <= 1:
        for start in starts:
            work.solve(start, min(start + size, count))
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(threads, len(starts))) as pool:
        for future in [pool.submit(work.solve, s, min(s + size, count)) for s in starts]:
            future.result()
