"""Claims about all RQE of symmetric collaborative games: check on one game, search over many.

A claim is a function from a batch of equilibria to margins. Only equilibria that break the
symmetry between the players say anything about the claims of section 4.2, so the search spends
its time on those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.games._checks import real_array
from rqe.theorems import _families
from rqe.theorems._base import Counterexample, Evidence, Least, Progress, Search, literal
from rqe.theorems._batch import Array, Batch, solved

if TYPE_CHECKING:
    from numpy.random import Generator

    from rqe.games.normal_form import NormalFormGame
    from rqe.solution import Solution

ROUNDING = 1e-7
"""A margin above minus this is not a failure: equilibria are known to about 1e-9."""

_SIZE = 512
_MOST_STARTS = 24


@dataclass(frozen=True)
class Claim:
    """A claim about equilibria of symmetric collaborative games.

    Attributes
    ----------
    margins : callable
        From a batch of equilibria to their margins, shape (B,): negative where the claim fails,
        inf where it says nothing.
    describe : callable
        From a batch of one equilibrium to the numbers behind its margin, in words.
    paste : str
        Lines of Python, after those that make ``game`` and ``solution``, that show the failure;
        ``{tau}`` and ``{eps}`` are replaced.
    """

    margins: Callable[[Batch], Array]
    describe: Callable[[Batch], str]
    paste: str = "print(solution.summary())"


def check(
    claim: Claim,
    game: NormalFormGame,
    tau: float,
    eps: float,
    *,
    starts: Iterable[Sequence[Any]] = (),
) -> Evidence:
    """Return what the equilibria that are found in one game say: the one of least margin."""
    from rqe.free_riding import symmetric

    reward, cost = symmetric(game)
    tau, eps = parameter("tau", tau), parameter("eps", eps)
    worst = Evidence(True, math.inf, None, "no equilibrium that the claim speaks about was found")
    for solution in equilibria(game, tau, eps, starts):
        one = of_solution(reward, cost, solution)
        margin = float(claim.margins(one)[0])
        if worst.witness is None or margin < worst.margin:
            worst = Evidence(margin >= -ROUNDING, margin, solution, claim.describe(one))
    return worst


def parameter(name: str, value: Any) -> float:
    """Return one finite number, common to both players; eps must not be 0."""
    values = np.unique(real_array(value, name).astype(float))
    if len(values) != 1 or not math.isfinite(values[0]) or values[0] < 0.0:
        raise ValueError(f"{name} must be one finite number >= 0 for both players; got {value!r}")
    if name == "eps" and values[0] == 0.0:
        raise ValueError(f"eps must be positive for this claim; got {value!r}")
    return float(values[0])


def equilibria(
    game: NormalFormGame, tau: Any, eps: Any, starts: Iterable[Sequence[Any]] = (), **options: Any
) -> Iterator[Solution]:
    """Yield certified equilibria: from the given starts, the principal one, those near corners."""
    import rqe
    from rqe._input import checked_game

    first = rqe.solve(checked_game(game), tau, eps, throw=False, **options)
    if first.converged:
        yield first
    for start in (*starts, *_corners(game.shape)):
        found = rqe.solve(game, tau, eps, start=start, throw=False, **options)
        if found.converged:
            yield found


def _corners(shape: tuple[int, ...]) -> Iterator[list[Array]]:
    """Yield profiles near pure ones, at most `_MOST_STARTS`, those off the diagonal first."""
    pure = sorted(np.ndindex(*shape), key=lambda joint: len(set(joint)) == 1)
    for joint in pure[:_MOST_STARTS]:
        yield [
            np.where(np.arange(n) == a, 0.9, 0.1 / max(n - 1, 1)) / (0.9 + 0.1 * (n > 1))
            for a, n in zip(joint, shape, strict=True)
        ]


def of_solution(reward: Array, cost: Array, solution: Solution) -> Batch:
    """Return a solution of a symmetric collaborative game as a batch of one."""
    return Batch(
        reward[None],
        cost[None],
        solution.tau[:1],
        solution.eps[:1],
        np.maximum(np.stack(solution.log_strategies), -1e6)[None],
    )


def search(
    claim: Claim,
    rng: Generator,
    examples: int,
    progress: Progress,
    draw: Callable[[Generator, int], Batch] = _families.mixed,
) -> Search:
    """Judge the claim at equilibria of drawn games until it fails or `examples` are judged."""
    least, broken = Least(progress), 0
    while least.tried < examples:
        batch = draw(rng, min(_SIZE, examples - least.tried))
        batch = batch.pick(solved(batch))
        if not len(batch):
            continue
        broken += int((batch.distance > 1e-3).sum())
        margins = claim.margins(batch)
        least.add(len(batch), float(margins.min()))
        if margins.min() < -ROUNDING:
            found = confirmed(claim, batch.pick([int(margins.argmin())]))
            if found is not None:
                return Search(least.tried, least.margin, found, _note(broken))
    return Search(least.tried, least.margin, None, _note(broken))


def _note(broken: int) -> str:
    """Say how many of the games put the claim to the test."""
    return f"{broken} of them at equilibria in which the two players differ"


def confirmed(
    claim: Claim, one: Batch, keep: Callable[[Batch], bool] = lambda _: True
) -> Counterexample | None:
    """Return a candidate as a certified counterexample, shrunken, or None if it does not stand."""
    from rqe.theorems._shrink import shrink

    if _certified(claim, one) is None:
        return None
    small = shrink(claim.margins, one, keep)
    return _certified(claim, small) or _certified(claim, one)


def _certified(claim: Claim, one: Batch) -> Counterexample | None:
    """Solve the game of a batch of one from its profile, judge what comes out, and prove it."""
    import rqe

    game = rqe.NormalFormGame.collaborative(one.reward[0], one.cost[0])
    tau, eps = float(one.tau[0]), float(one.eps[0])
    start = readable(np.exp(one.log_x[0]))
    solution = rqe.solve(game, tau, eps, start=start, throw=False)
    if not solution.converged:
        return None
    found = of_solution(one.reward[0], one.cost[0], solution)
    margin = float(claim.margins(found)[0])
    if margin >= -ROUNDING:
        return None
    proof = rqe.certify(solution)
    if not proof.proved:
        return None
    words = claim.describe(found)
    note = (
        f"{words}; residual {solution.residual:.1e}, regret {solution.regret:.1e}; proved: one "
        f"equilibrium within {proof.largest_radius:.1e} of it"
    )
    evidence = Evidence(False, margin, solution, note)
    return Counterexample(game, tau, eps, evidence, _code(claim, one, start))


def readable(profile: Array) -> list[list[float]]:
    """Return strategies of few digits, none of them zero, as a start for Newton's method."""
    out = []
    for x in profile:
        rounded = np.maximum(np.round(x, 3), 1e-6)
        rounded[x.argmax()] += 1.0 - rounded.sum()
        out.append([round(float(a), 6) for a in rounded])
    return out


def _code(claim: Claim, one: Batch, start: list[list[float]]) -> str:
    """Python that shows the failure."""
    tau, eps = literal(float(one.tau[0])), literal(float(one.eps[0]))
    return "\n".join(
        (
            "import rqe",
            f"game = rqe.NormalFormGame.collaborative(\n    reward={literal(one.reward[0])},"
            f"\n    costs={literal(one.cost[0])},\n)",
            f"start = {literal(start)}",
            f"solution = rqe.solve(game, tau={tau}, eps={eps}, start=start)",
            claim.paste.format(tau=tau, eps=eps),
        )
    )
