"""Searches for several equilibria, each told as a `SolutionSet` that claims no more than is proved.

Searches that gain from it take strictly dominated actions out first and put the strategies back
into the whole game, where the independent certificate judges them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rqe._clock import Clock
from rqe.concepts import Concept
from rqe.enumeration._answers import doubles, judged, two_players
from rqe.enumeration.components import components
from rqe.enumeration.dominance import restricted, undominated
from rqe.enumeration.isolated import Isolated, isolated_equilibria
from rqe.enumeration.pure import pure_equilibria
from rqe.enumeration.support_enumeration import equal_supports
from rqe.enumeration.vertices import extreme_equilibria
from rqe.solution_set import SetStatus, SolutionSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame
    from rqe.solution import Solution

    Array = NDArray[np.float64]
    Strategy = tuple[Fraction, ...]
    Exact = tuple[Strategy, ...]
    Kept = tuple[tuple[int, ...], ...]

_MANY = 16, 128  # actions of two players for which linear programmes against dominance pay
_LARGE = 100_000  # payoffs beyond which linear programmes are left out
_SAME = 1e-6
_DOUBTFUL = "an equilibrium within tol; not isolated, or a tie within rounding"


def pure(game: NormalFormGame, clock: Clock, tol: float) -> SolutionSet:
    """Return all equilibria in pure strategies."""
    concept = Concept.of(game)
    exact: list[Exact] = []
    solutions: list[Solution] = []
    for profile in pure_equilibria(game):
        if clock.tick("equilibria", len(solutions)):
            break
        exact.append(_pure_profile(game, profile))
        solutions.append(judged(game, doubles(exact[-1]), "pure", tol, concept=concept))
    done = not clock.stopped
    return SolutionSet(
        game,
        concept,
        tuple(solutions),
        done,
        SetStatus.COMPLETE if done else SetStatus.TIME_LIMIT,
        ("in pure strategies only; all payoffs were compared, exactly",),
        exact=tuple(exact),
    )


def by_vertices(game: NormalFormGame, clock: Clock, tol: float) -> SolutionSet:
    """Return the extreme equilibria of a two-player game and the components they span."""
    two_players(game, "vertex_enumeration")
    small, kept, notes = _reduced(game, mixed=_MANY[0] <= sum(game.shape) <= _MANY[1])
    found = extreme_equilibria(small, clock)
    sides = [
        [_padded(x, own, n) for x in side]
        for side, own, n in zip(found.strategies, kept, game.shape, strict=True)
    ]
    rounded = [doubles(side) for side in sides]
    concept = Concept.of(game)
    rows: list[tuple[Exact, list[Array], tuple[Hashable, Hashable]]] = [
        ((sides[0][a], sides[1][b]), [rounded[0][a], rounded[1][b]], (a, b)) for a, b in found.pairs
    ]
    if not found.done:
        known = {exact for exact, _, _ in rows}
        pures = (_whole(game, _pure_profile(small, a), kept) for a in pure_equilibria(small))
        rows += [(x, doubles(x), (x[0], x[1])) for x in pures if x not in known]
    rows.sort(key=lambda row: _order(row[1]))
    solutions = tuple(
        judged(game, x, "vertex_enumeration", tol, concept=concept) for _, x, _ in rows
    )
    done = found.done
    parts = components([pair for _, _, pair in rows]) if done else ()
    exact = tuple(row[0] for row in rows)
    method = "vertices of the best-response polytopes, " + (
        "in doubles with bounds for every rounding error; equilibria in exact fractions"
        if found.rounded
        else "in exact integers"
    )
    if any(not part.isolated for part in parts):
        size = "one component" if len(parts) == 1 else f"{len(parts)} components"
        notes += (f"degenerate: the extreme equilibria span {size} of equilibria",)
    status = SetStatus.COMPLETE if done else SetStatus.TIME_LIMIT
    return SolutionSet(game, concept, solutions, done, status, (method, *notes), parts, exact)


def by_supports(game: NormalFormGame, clock: Clock, tol: float) -> SolutionSet:
    """Return the equilibria of a two-player game whose supports are of equal size, in doubles."""
    two_players(game, "support_enumeration")
    profiles, tried, unclear = equal_supports(game, clock)
    concept = Concept.of(game)
    solutions = [judged(game, x, "support_enumeration", tol, concept=concept) for x in profiles]
    good = sorted((s for s in solutions if s.converged), key=lambda s: _order(s.strategies))
    notes: tuple[str, ...] = (f"{tried} pairs of supports of equal size, in double precision",)
    status = SetStatus.SEARCHED
    if unclear or len(good) < len(solutions):
        status = SetStatus.DEGENERATE
        notes += (
            f"{unclear} pairs too close to call: the game may be degenerate, and only "
            "method='vertex_enumeration' sees the equilibria of such a game",
        )
    status = SetStatus.TIME_LIMIT if clock.stopped else status
    return SolutionSet(game, concept, tuple(good), False, status, notes)


def by_boxes(game: NormalFormGame, clock: Clock, tol: float) -> SolutionSet:
    """Return the isolated equilibria of a game of any number of players."""
    small, kept, notes = _reduced(game, mixed=max(game.shape) > 2 and game.payoffs.size <= _LARGE)
    found = isolated_equilibria(small, clock)
    concept = Concept.of(game)
    pairs: list[tuple[Solution, Exact | None]] = []
    for profile, rational in zip(found.profiles, found.exact, strict=True):
        x = _scattered(game, profile, kept)
        solution = judged(game, x, "branch_and_prune", tol, concept=concept)
        pairs.append((solution, rational and _whole(game, rational, kept)))
    for profile in found.doubtful:
        x = _scattered(game, profile, kept)
        solution = judged(game, x, "branch_and_prune", tol, concept=concept)
        if solution.converged and not any(_near(solution, other) for other, _ in pairs):
            pairs.append((replace(solution, remarks=(_DOUBTFUL,)), None))
    pairs.sort(key=lambda pair: _order(pair[0].strategies))
    done, status = _claim(found)
    return SolutionSet(
        game,
        concept,
        tuple(solution for solution, _ in pairs),
        done,
        status,
        (*_account(found), *notes),
        exact=tuple(rational for _, rational in pairs),
    )


def _claim(found: Isolated) -> tuple[bool, SetStatus]:
    """Return whether nothing can be missing, and the status that says so."""
    if not found.ended:
        return False, SetStatus.TIME_LIMIT
    if found.singular or found.undecided:
        return False, SetStatus.DEGENERATE
    return True, SetStatus.COMPLETE


def _account(found: Isolated) -> tuple[str, ...]:
    """Return what a search by boxes did, in words."""
    rational = sum(profile is not None for profile in found.exact)
    notes: tuple[str, ...] = (
        f"pure profiles compared exactly; {found.supports} mixed supports searched by interval "
        f"arithmetic in {found.boxes} boxes, the others excluded by dominance",
        f"{rational} of {len(found.exact)} equilibria verified in rational numbers, the others "
        "enclosed by intervals",
    )
    if found.singular:
        notes += (
            f"on {len(found.singular)} supports the solutions are not isolated, or singular: one "
            "point of each is given where it is an equilibrium, and there may be others",
        )
    if found.undecided:
        notes += (
            f"on {len(found.undecided)} supports a payoff or a probability is too close to a tie",
        )
    return notes


def _reduced(game: NormalFormGame, *, mixed: bool) -> tuple[NormalFormGame, Kept, tuple[str, ...]]:
    """Return the game without dominated actions, what was kept, and a note where it is less."""
    kept = undominated(game, mixed=mixed)
    gone = sum(game.shape) - sum(map(len, kept))
    if not gone:
        return game, kept, ()
    actions = "1 action" if gone == 1 else f"{gone} actions"
    return restricted(game, kept), kept, (f"{actions} eliminated by strict dominance first",)


def _pure_profile(game: NormalFormGame, profile: tuple[int, ...]) -> Exact:
    """Return a pure profile in fractions."""
    zero, one = Fraction(0), Fraction(1)
    return tuple(
        tuple(one if b == a else zero for b in range(n))
        for a, n in zip(profile, game.shape, strict=True)
    )


def _whole(game: NormalFormGame, profile: Exact, kept: Kept) -> Exact:
    """Return a rational profile of the actions kept as one of the whole game."""
    return tuple(map(_padded, profile, kept, game.shape))


def _padded(strategy: Strategy, own: tuple[int, ...], count: int) -> Strategy:
    """Return a strategy of the actions kept as one of all actions."""
    if len(own) == count:
        return strategy
    full = [Fraction(0)] * count
    for a, p in zip(own, strategy, strict=True):
        full[a] = p
    return tuple(full)


def _scattered(game: NormalFormGame, profile: Sequence[Array], kept: Kept) -> list[Array]:
    """Return a profile of the actions kept as one of the whole game."""
    whole = [np.zeros(n) for n in game.shape]
    for full, x, own in zip(whole, profile, kept, strict=True):
        full[list(own)] = x
    return whole


def _order(profile: Sequence[Array]) -> tuple[int, list[float]]:
    """Sort key: small supports first, then first actions first."""
    numbers = [-p for x in profile for p in x.tolist()]
    return sum(p < 0.0 for p in numbers), numbers


def _near(first: Solution, second: Solution) -> bool:
    """Return whether two solutions agree up to 1e-6."""
    pairs = zip(first.strategies, second.strategies, strict=True)
    return all(float(np.abs(a - b).max()) <= _SAME for a, b in pairs)
