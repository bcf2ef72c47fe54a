"""`solve_all`: every equilibrium that can be found, each certified, and whether they are all."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import uniqueness
from rqe._clock import Clock, Progress, reporter
from rqe._input import checked_game
from rqe.concepts import Concept, seconds, whole
from rqe.proof import _complete
from rqe.proof._complete import Verdict
from rqe.proof._multistart import deflation, multistart
from rqe.proof._pool import Pool
from rqe.proof.certify import given_payoffs
from rqe.solution_set import SetStatus, SolutionSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from rqe.games import NormalFormGame
    from rqe.proof._branches import Branches
    from rqe.proof.certificate import Certificate
    from rqe.solution import Solution

    Array = NDArray[np.float64]

_SHARE = 0.4  # of the time limit, at most, goes to the search before the proof
_QUICK = 1.0  # seconds, at most, of a proof that is tried before any search
_DEFLATED = 20


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
    progress: Progress | bool | None = None,
    rng: np.random.Generator | int = 0,
) -> SolutionSet:
    """Return every equilibrium that can be found, each with a proof, and whether they are all.

    For games of two players with two actions and for small games, interval arithmetic examines
    all of the strategy space and either proves that nothing is missing or finds what is. Before
    that, or in its place: the principal branch is followed, and from its bifurcations those that
    cross it; Newton's method runs from many starts, and deflated from those that are known; the
    branches through what is found are followed, which turn and lead to others; Nash equilibria
    are enumerated and followed to the target. Everything that is found is certified
    (:func:`rqe.certify`).

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
        Starts of Newton's method: the middles of supports, then random profiles. With 0 there is
        no search: only the principal equilibrium, and the proof.
    max_dimensions : int
        Branch and prune is tried on games with at most so many free probabilities,
        ``sum (n_i - 1)`` over players with finite tau and eps.
    time_limit : float or None
        Seconds after which the search returns what it has; None for no limit. They count from
        when the principal equilibrium is found.
    progress : callable, True or None
        Called a few times a second as ``progress(text, seconds)``; True shows a bar (tqdm).
    rng : Generator or int
        Of the random starts.

    Returns
    -------
    SolutionSet
        Sorted by the branch in eps on which they lie, the principal one first, as ``branches``
        says, and there by their strategies; ``certificates`` beside them. ``complete`` is True
        only where that is proved.

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
    .. [2] Farrell, Birkisson & Funke, SIAM Journal on Scientific Computing 37 (2015): deflation.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> found = rqe.solve_all(game, tau=0.5, eps=0.2)
    >>> len(found), found.complete
    (3, True)
    >>> [round(float(solution.strategies[0][0]), 6) for solution in found]
    [0.583696, 0.842525, 0.280175]
    >>> found.branches[0], found.branches[1] == found.branches[2]
    ('principal branch', True)
    """
    concept = Concept.of(checked_game(game), tau, eps, penalty, regularizer)
    _check_options(starts, max_dimensions, time_limit)
    random, kind = _generator(rng), given_payoffs(game, payoffs)
    from rqe.enumeration import nash

    if not concept.eps.any() and not concept.tau.any():
        with reporter(progress, time_limit) as told:
            return nash(game, which="all", time_limit=time_limit, progress=told)
    if not concept.eps.all():
        raise ValueError(
            f"eps must be > 0 for every player; got {concept.eps.tolist()}. For all Nash "
            "equilibria give tau = eps = 0; for a risk-averse Nash equilibrium use rqe.solve"
        )
    pool = Pool(game, concept, kind)
    _principal(pool)
    with reporter(progress, time_limit) as told:
        clock = Clock(time_limit, told)
        return _Search(pool, clock, starts, max_dimensions, random, told=told).run()


def found_at(
    game: NormalFormGame, concept: Concept, known: Sequence[Sequence[Array]], limit: float | None
) -> SolutionSet:
    """Return the equilibria found by starts and proof alone; `known` are log-strategies."""
    pool = Pool(game, concept, given_payoffs(game, "doubles"))
    for logs in known:
        pool.add(pool.solution(logs, "branch"))
    _principal(pool)
    search = _Search(pool, Clock(limit), 30, 6, np.random.default_rng(0), follow=False)
    return search.run()


def _principal(pool: Pool) -> None:
    """Add the equilibrium on the principal branch, if it is reached."""
    from rqe.solve import solve

    concept = pool.concept
    found = solve(
        pool.game, concept.tau, concept.eps, penalty=concept.penalty,
        regularizer=concept.regularizer, throw=False,
    )  # fmt: skip
    if found.residual <= 1e-8:
        pool.add(found)


def _check_options(starts: int, max_dimensions: int, time_limit: float | None) -> None:
    """Raise if an option breaks its rule."""
    whole("starts", starts, 0)
    whole("max_dimensions", max_dimensions, 0)
    seconds("time_limit", time_limit)


def _generator(rng: Any) -> np.random.Generator:
    """Return a generator of random numbers, new from a seed."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            f"rng must be a numpy Generator or an integer of at least 0; got {rng!r}"
        ) from None


@dataclass
class _Search:
    """One search: first a quick proof, then all means of finding, then the proof in earnest."""

    pool: Pool
    clock: Clock
    starts: int
    max_dimensions: int
    rng: np.random.Generator
    follow: bool = True
    told: Progress | None = None
    cut: bool = False  # by the time limit, before all means were used up

    def run(self) -> SolutionSet:
        """Return what is found, and whether it is all."""
        done: list[str] = ["the principal branch"]
        branches = self._branches()
        verdict = self._verdict(_QUICK)
        if not verdict.complete and self.starts:
            done += self._find(branches)
        if not verdict.complete and not verdict.final:
            verdict = self._verdict(math.inf)
        several = len(self.pool.solutions) > 1 and not verdict.out_of_time
        if branches is not None and several:
            branches.clock = self.clock
            self._name(branches)
            self.cut |= self.clock.stopped
        late = verdict.out_of_time or self.cut
        return _set(self.pool, dataclasses.replace(verdict, out_of_time=late), done, branches)

    def _branches(self) -> Branches | None:
        """Return the means of following branches, where the game allows it."""
        if not self.follow:
            return None
        from rqe.proof._branches import branches_of

        return branches_of(self.pool, self.clock)

    def _find(self, branches: Branches | None) -> list[str]:
        """Add what all means find; return which were used."""
        if uniqueness.theorem(self.pool.game, self.pool.concept) is not None:
            return []
        clock = self._share()
        tried = multistart(self.pool, self.starts, clock, self.rng)
        done = [f"{tried} starts of Newton's method"]
        if branches is None:
            self.cut |= clock.stopped
            return done
        branches.clock = clock
        branches.principal()
        tries = min(_DEFLATED, self.starts)
        used = deflation(self.pool, branches.system, branches.mu, tries, clock, self.rng)
        branches.from_nash()
        self._name(branches)
        self.cut |= clock.stopped
        done += [
            f"{used} deflated starts", f"{branches.nash} Nash equilibria followed to the target",
            f"{branches.count} branches",
        ]  # fmt: skip
        return done

    def _share(self) -> Clock:
        """Return a clock for the search's share of the time that is left."""
        left = self.clock.left
        return Clock(None if left is None else _SHARE * left, self.told)

    def _name(self, branches: Branches) -> None:
        """Follow the branches through all solutions, which may add others."""
        if branches.clock.stopped:
            return
        if not branches.count:
            branches.principal()
        seen = 0
        while seen < len(self.pool.solutions) and not branches.clock.stopped:
            branches.through(self.pool.solutions[seen])
            seen += 1

    def _verdict(self, seconds: float) -> Verdict:
        """Return the verdict of the strongest method that fits the game, within some seconds."""
        left = self.clock.left
        game, pool = self.pool.game, self.pool
        players = uniqueness.dependent(game, pool.concept)
        verdict = _complete.by_theorem(pool)
        if verdict is not None:
            return verdict
        share = math.inf if left is None else left if seconds == math.inf else 0.1 * left
        deadline = time.monotonic() + min(seconds, share)
        if game.shape == (2, 2):
            return _complete.in_plane(pool, deadline)
        dimensions = sum(game.shape[i] - 1 for i in players)
        if dimensions <= self.max_dimensions:
            return _complete.by_boxes(pool, deadline, self.clock.tick)
        return Verdict(
            False,
            f"not proved complete: {dimensions} free probabilities are more than "
            f"max_dimensions = {self.max_dimensions}, so that no exhaustive search was made",
            final=True,
        )


def _set(pool: Pool, verdict: Verdict, done: list[str], branches: Branches | None) -> SolutionSet:
    """Return what is known, sorted, with the claims that it supports."""
    if verdict.complete:
        status = SetStatus.COMPLETE
    elif verdict.out_of_time:
        status = SetStatus.TIME_LIMIT
    else:
        degenerate = verdict.undecided or (pool.doubtful and not verdict.unique)
        status = SetStatus.DEGENERATE if degenerate else SetStatus.SEARCHED
    notes = [verdict.note, "searched: " + ", ".join(done)]
    found = sorted(_named(pool, branches), key=_rank)
    if verdict.complete:
        one_of = f"one of exactly {len(found)}: proved"
        proved = (
            {"proof": "the only equilibrium: proved"} if len(found) == 1 else {"remarks": (one_of,)}
        )
        found = [(b, dataclasses.replace(s, **proved), c) for b, s, c in found]
    elif pool.doubtful:
        doubtful = [((0, _UNKNOWN), solution, proof) for solution, proof in pool.doubtful]
        found += sorted(doubtful, key=_rank)
        notes.append(_doubts(len(pool.doubtful), verdict))
    return SolutionSet(
        pool.game, pool.concept, tuple(s for _, s, _ in found), verdict.complete, status,
        tuple(notes), certificates=tuple(c for *_, c in found),
        branches=tuple(name for (_, name), *_ in found),
    )  # fmt: skip


def _doubts(count: int, verdict: Verdict) -> str:
    """Return what is to be said of answers without a certificate."""
    text = f"the last {count} could not be certified, see `certificates`: "
    if verdict.unique:
        return text + "only residual and regret say how near the equilibrium is"
    return text + "a bifurcation is near, and there may be one equilibrium, several or none"


_UNKNOWN = "branch not followed"
_PRINCIPAL = "principal branch"
Named = tuple[tuple[int, str], "Solution", "Certificate"]


def _named(pool: Pool, branches: Branches | None) -> list[Named]:
    """Return the certified solutions with the numbers and the names of their branches."""
    named: list[Named] = []
    for solution, certificate in zip(pool.solutions, pool.certificates, strict=True):
        if solution.solver == "principal_branch":
            name = 0, _PRINCIPAL
        elif branches is not None and branches.count:
            name = branches.name(solution)
        else:
            name = 1, _UNKNOWN
        named.append((name, solution, certificate))
    return named


def _rank(found: Named) -> tuple[bool, int, list[float]]:
    """Return the place in the order: the principal equilibrium, its branch, the others."""
    (number, _), solution, _ = found
    strategies = np.concatenate(solution.strategies).round(9)
    return solution.solver != "principal_branch", number, (-strategies).tolist()
