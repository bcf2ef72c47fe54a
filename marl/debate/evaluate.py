"""Cross-play of debating agents: who is right before and after, with whom, with what interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marl.debate.episode import Debate, FixedSpeaker, Speaker, hold
from marl.debate.grader import final_answer
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.statistics import Estimate

Array = NDArray[np.float64]
Answers = NDArray[np.bool_]
METRICS = (
    "first", "last", "partner_first", "partner_last", "joint", "agreement", "recovery",
    "corruption",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Who was right when in a batch of debates, one per problem.

    Attributes
    ----------
    correct : ndarray of bool, shape (rounds, 2, N)
    agree : ndarray of bool, shape (N,)
        Whether both last answers are the same number.
    """

    correct: Answers
    agree: Answers

    def metrics(self, seat: int = 0) -> dict[str, float]:
        """Return the specification's metrics, for the agent of one seat.

        ``first`` and ``last`` are its accuracies before and after the debate, ``joint`` both
        right, ``recovery`` the share of its wrong first answers that end right, ``corruption``
        the share of its right ones that end wrong; NaN where there is no such answer.
        """
        own, other = self.correct[:, seat], self.correct[:, 1 - seat]
        return {
            "first": float(own[0].mean()),
            "last": float(own[-1].mean()),
            "partner_first": float(other[0].mean()),
            "partner_last": float(other[-1].mean()),
            "joint": float((own[-1] & other[-1]).mean()),
            "agreement": float(self.agree.mean()),
            "recovery": _share(own[-1], ~own[0]),
            "corruption": _share(~own[-1], own[0]),
        }


def _share(event: Answers, among: Answers) -> float:
    """Return how often an event happens among some debates."""
    return float(event[among].mean()) if among.any() else float("nan")


def outcome(debate: Debate) -> Outcome:
    """Return who was right when."""
    last = [turn.texts for turn in (debate.turns[-1][0], debate.turns[-1][1])]
    numbers = [[final_answer(text) for text in texts] for texts in last]
    agree = [a is not None and a == b for a, b in zip(*numbers, strict=True)]
    return Outcome(debate.correct().numpy().astype(bool), np.array(agree, dtype=bool))


def play(
    problems: Sequence[Problem],
    speakers: tuple[Speaker, Speaker],
    protocol: Protocol,
    *,
    seed: int,
) -> tuple[Outcome, Debate]:
    """Hold one debate per problem; every pair that is compared meets the same draws."""
    debate = hold(problems, speakers, protocol, key=(seed, "evaluate"))
    return outcome(debate), debate


def cross_play(
    rows: Sequence[Speaker],
    columns: Sequence[Speaker],
    problems: Sequence[Problem],
    protocol: Protocol,
    *,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> list[list[Outcome]]:
    """Return the outcome of each pair: rows sit in seat 0, columns in seat 1.

    Parameters
    ----------
    rows, columns : sequence of Speaker
    problems : sequence of N Problem
    protocol : Protocol
    seed : int
    report : callable, optional
        Called with (row, column) after each pair.
    """
    outcomes = []
    for r, row in enumerate(rows):
        line = []
        for c, column in enumerate(columns):
            line.append(play(problems, (row, column), protocol, seed=seed)[0])
            if report is not None:
                report(r, c)
        outcomes.append(line)
    return outcomes


def wrong_partner(answers: dict[str, str], problems: Sequence[Problem]) -> FixedSpeaker:
    """Return a partner that repeats its wrong answer; raise if it has none for a problem."""
    for problem in problems:
        if problem.question not in answers:
            raise ValueError(f"no wrong answer on record for the question {problem.question!r}")
    return FixedSpeaker(answers)


def over_runs_and_questions(
    scores: Mapping[str, Array],
    statistic: Callable[[dict[str, float]], float],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Return a statistic of several methods' means, with its paired bootstrap interval.

    Parameters
    ----------
    scores : mapping of ndarray, shape (R, C, N)
        Per method, the score of each pair (row run, column run) on each of N questions, NaN for a
        pair that does not count. C = 1 for a fixed partner. Questions are drawn again together for
        all methods (paired), runs for each method on its own; where R = C rows and columns are
        the same runs and are drawn together.
    statistic : callable
        Takes the mean of each method.
    seed, resamples, level
        Of the bootstrap (percentile intervals).

    Notes
    -----
    With fewer than three runs a method the interval is over questions alone: it does not tell how
    other runs would come out.
    """
    rng = np.random.default_rng(seed)
    n = next(iter(scores.values())).shape[-1]
    value = statistic({name: float(np.nanmean(s)) for name, s in scores.items()})
    drawn = np.empty(resamples)
    for b in range(resamples):
        questions = np.bincount(rng.integers(n, size=n), minlength=n) / n
        drawn[b] = statistic({name: _resampled(s @ questions, rng) for name, s in scores.items()})
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high))


def _resampled(pairs: Array, rng: np.random.Generator) -> float:
    """Return the mean over pairs (R, C) of runs drawn with replacement; NaN pairs do not count.

    A pair of two runs counts as often as both were drawn; a run with itself, as often as it was.
    """
    rows, columns = pairs.shape
    if rows < 3:
        return float(np.nanmean(pairs))
    counts = np.bincount(rng.integers(rows, size=rows), minlength=rows)
    if rows == columns:
        weights = np.outer(counts, counts)
        np.fill_diagonal(weights, counts)
    else:
        weights = np.repeat(counts[:, None], columns, axis=1)
    known = np.isfinite(pairs) & (weights > 0)
    if not known.any():
        return float("nan")
    return float(np.average(pairs[known], weights=weights[known]))
