"""`solve_all`: every equilibrium that can be found, each certified, and whether they are all."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import Concept
from rqe.proof import _complete
from rqe.proof._complete import Verdict
from rqe.proof._pool import Pool
from rqe.proof.certify import given_payoffs
from rqe.solution_set import SetStatus, SolutionSet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rqe.enumeration._clock import Clock, Progress
    from rqe.games import NormalFormGame
    from rqe.proof.certificate import Certificate
    from rqe.solution import Solution

    Array = NDArray[np.float64]

_MOST_SUPPORTS = 64
_SHARE = 0.3  # of the time limit, at most, goes to starts


def solve_all(
    game: NormalFormGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 1.0,
    *,
    penalty: str = "kl",
    regularizer: str = "entropy",
    payoffs: str = "given",
    starts: int = 100,
    max_dimensions: int = 6,
    time_limit: float | None = 60.0,
    progress: Progress | None = None,
    rng: np.random.Generator | int = 0,
) -> SolutionSet:
    """Return every equilibrium that can be found, each with a proof, and whether they are all.

    The principal branch is followed, Newton's method runs from many starts, and what they end at
    is certified (:func:`rqe.certify`). Then, for games of two players with two actions and for
    small games, interval arithmetic examines all of the strategy space and either proves that
    nothing is missing or finds what is.

    Parameters
    ----------
    game : NormalFormGame
        N players.
    tau : float or sequence of N floats, in [0, inf]
        Risk aversion, unit 1/payoff.
    eps : float or sequence of N floats, in (0, inf]
        Bounded rationality, unit payoff. With ``tau = eps = 0`` for all players the search is
        that of ``rqe.nash(game, which="all")``.
    penalty, regularizer : str
        As for :func:`rqe.solve`.
    payoffs : {"given", "doubles", "exact"}
        What the proofs are about, as for :func:`rqe.certify`.
    starts : int
        Starts of Newton's method: the middles of supports, then random profiles.
    max_dimensions : int
        Branch and prune is tried on games with at most so many free probabilities,
        ``sum (n_i - 1)`` over players with finite tau and eps.
    time_limit : float or None
        Seconds after which the search returns what it has; None for no limit.
    progress : callable, optional
        Called a few times a second as ``progress(text, seconds)``.
    rng : Generator or int
        Of the random starts.

    Returns
    -------
    SolutionSet
        The equilibrium of the principal branch first, the others by their strategies;
        ``certificates`` beside them. ``complete`` is True only where that is proved.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule; if some eps is 0 while some tau is not.

    Notes
    -----
    Complete, as a rule, within a second: 2x2 games with any parameters, and games of up to 4 free
    probabilities with eps above a hundredth of the payoff range. The work grows exponentially with
    dimensions and with tau; a game close to a bifurcation takes longest, and one at a bifurcation
    is never complete.

    References
    ----------
    .. [1] Neumaier, Interval Methods for Systems of Equations (1990), chapter 5.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> found = rqe.solve_all(game, tau=0.5, eps=0.2)
    >>> len(found), found.complete
    (3, True)
    >>> [round(float(solution.strategies[0][0]), 6) for solution in found]
    [0.583696, 0.842525, 0.280175]
    """
    concept = Concept.of(game, tau, eps, penalty, regularizer)
    _check_options(starts, max_dimensions, time_limit)
    from rqe.enumeration import _clock, nash

    if not concept.eps.any() and not concept.tau.any():
        return nash(game, which="all", time_limit=time_limit, progress=progress)
    if not concept.eps.all():
        raise ValueError(
            f"eps must be > 0 for every player; got {concept.eps.tolist()}. For all Nash "
            "equilibria give tau = eps = 0; for a risk-averse Nash equilibrium use rqe.solve"
        )
    clock = _clock.Clock(time_limit, progress)
    pool = Pool(game, concept, given_payoffs(game, payoffs))
    _follow(pool)
    tried = _start(pool, starts, time_limit, np.random.default_rng(rng))
    verdict = _judge(pool, max_dimensions, clock)
    return _set(pool, verdict, tried)


def _check_options(starts: int, max_dimensions: int, time_limit: float | None) -> None:
    """Raise if an option breaks its rule."""
    if starts < 0:
        raise ValueError(f"starts must be >= 0; got {starts!r}")
    if max_dimensions < 0:
        raise ValueError(f"max_dimensions must be >= 0; got {max_dimensions!r}")
    if time_limit is not None and not time_limit > 0.0:
        raise ValueError(f"time_limit must be > 0 seconds, or None; got {time_limit!r}")


def _follow(pool: Pool) -> None:
    """Add the equilibrium on the principal branch, if it is reached."""
    from rqe.solve import solve

    concept = pool.concept
    found = solve(
        pool.game, concept.tau, concept.eps, penalty=concept.penalty,
        regularizer=concept.regularizer, throw=False,
    )  # fmt: skip
    if found.residual <= 1e-8:
        pool.add(found)


def _start(pool: Pool, starts: int, limit: float | None, rng: np.random.Generator) -> int:
    """Add what Newton's method ends at from many starts, and return how many were used."""
    if len(_complete.searched(pool.game, pool.concept)) <= 1:
        return 0
    stop = math.inf if limit is None else time.monotonic() + _SHARE * limit
    tried = 0
    for start in itertools.islice(_starts(pool.game, rng), starts):
        if time.monotonic() > stop:
            return tried
        _newton(pool, start)
        tried += 1
    known = 0
    while starts and known < len(pool.solutions) and time.monotonic() <= stop:
        known = len(pool.solutions)
        for start in itertools.islice(_derived(pool), starts):
            _newton(pool, start)
            tried += 1
    return tried


def _newton(pool: Pool, start: list[Array]) -> None:
    """Add what Newton's method ends at."""
    from rqe.solve import solve

    concept = pool.concept
    found = solve(
        pool.game, concept.tau, concept.eps, penalty=concept.penalty,
        regularizer=concept.regularizer, start=start, throw=False,
    )  # fmt: skip
    if found.converged:
        pool.add(found)


def _derived(pool: Pool) -> Iterator[list[Array]]:
    """Yield starts made of what is known: players exchanged, then middles of pairs."""
    profiles = [solution.strategies for solution in pool.solutions]
    if len(set(pool.game.shape)) == 1:
        for shift, profile in itertools.product(range(1, pool.game.n_players), profiles):
            yield [np.maximum(x, 1e-300) for x in profile[shift:] + profile[:shift]]
    for first, second in itertools.combinations(profiles, 2):
        yield [np.maximum(0.5 * (x + y), 1e-300) for x, y in zip(first, second, strict=True)]


def _starts(game: NormalFormGame, rng: np.random.Generator) -> Iterator[list[Array]]:
    """Yield profiles: nearly uniform on every support, if these are few, then random ones."""
    supports = [list(itertools.product((0.0, 1.0), repeat=n))[1:] for n in game.shape
                if n <= 6]  # fmt: skip
    if len(supports) == game.n_players and math.prod(map(len, supports)) <= _MOST_SUPPORTS:
        for choice in itertools.product(*supports):
            yield [_inside(np.array(support)) for support in choice]
    while True:
        yield [_inside(rng.dirichlet(np.full(n, rng.choice([0.3, 1.0])))) for n in game.shape]


def _inside(x: Array) -> Array:
    """Return the strategy moved a little into the interior."""
    inner: Array = 0.999 * x / x.sum() + 0.001 / len(x)
    return inner


def _judge(pool: Pool, max_dimensions: int, clock: Clock) -> Verdict:
    """Return the verdict of the strongest method that fits the game."""
    left = clock.left
    deadline = math.inf if left is None else time.monotonic() + left
    game, players = pool.game, _complete.searched(pool.game, pool.concept)
    verdict = _complete.by_theorem(pool)
    if verdict is not None:
        return verdict
    if game.shape == (2, 2):
        return _complete.in_plane(pool, deadline)
    dimensions = sum(game.shape[i] - 1 for i in players)
    if dimensions <= max_dimensions:
        return _complete.by_boxes(pool, deadline, clock.tick)
    return Verdict(
        False,
        f"not proved complete: {dimensions} free probabilities are more than "
        f"max_dimensions = {max_dimensions}, so that no exhaustive search was made",
    )


def _set(pool: Pool, verdict: Verdict, tried: int) -> SolutionSet:
    """Return what is known, sorted, with the claims that it supports."""
    if verdict.complete:
        status = SetStatus.COMPLETE
    elif verdict.out_of_time:
        status = SetStatus.TIME_LIMIT
    else:
        degenerate = verdict.undecided or pool.doubtful
        status = SetStatus.DEGENERATE if degenerate else SetStatus.SEARCHED
    notes = [verdict.note, f"searched: the principal branch and {tried} starts of Newton's method"]
    found = sorted(zip(pool.solutions, pool.certificates, strict=True), key=_rank)
    if verdict.complete:
        said = "the only equilibrium" if len(found) == 1 else f"one of exactly {len(found)}"
        unique = True if len(found) == 1 else None
        found = [(dataclasses.replace(s, unique=unique, notes=(f"{said}: proved",)), c)
                 for s, c in found]  # fmt: skip
    elif pool.doubtful:
        found += sorted(pool.doubtful, key=_rank)
        notes.append(
            f"the last {len(pool.doubtful)} could not be certified, see `certificates`: a "
            "bifurcation is near, and there may be one equilibrium, several or none"
        )
    return SolutionSet(
        pool.game, pool.concept, tuple(s for s, _ in found), verdict.complete, status,
        tuple(notes), certificates=tuple(c for _, c in found),
    )  # fmt: skip


def _rank(found: tuple[Solution, Certificate]) -> tuple[bool, list[float]]:
    """Return the place in the order: the principal branch first, then by strategies."""
    strategies = np.concatenate(found[0].strategies).round(9)
    return found[0].solver != "principal_branch", (-strategies).tolist()
