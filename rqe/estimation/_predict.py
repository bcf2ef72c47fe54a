"""What a model predicts for games, and how the prediction moves with the parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rqe._sensitivity import linearise
from rqe.concepts import Concept
from rqe.estimation._model import Model, Point, reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame
    from rqe.solution import Solution

    Array = NDArray[np.float64]

Logs = list[list["Array"]]
_TOL = 1e-9  # residual, relative to the payoff range, up to which an equilibrium is believed
_REMEMBERED = 40  # points of a chosen branch from which the next one may be reached
_LIGHT = 32  # actions in all up to which solve_batch is quickest
_NEVER = math.log(1e-12)
_OFF = 1e-5  # Newton's step, in log-probabilities, above which a response is not believed
_FLOOR = -60.0  # log-probability of what nobody plays, in the eyes of a reverse-KL adversary


class PredictionError(ArithmeticError):
    """The model has no trustworthy prediction at these parameters."""


class Predictor(ABC):
    """What the likelihood asks of a model."""

    @abstractmethod
    def logs(self, point: Point) -> Logs:
        """Return log-strategies per game and role."""

    @abstractmethod
    def slopes(self, point: Point, logs: Logs) -> list[Array]:
        """Return per game dlog x / d(tau, lam), shape (n, 2 N), or d noise, shape (n, 1)."""

    def scan(self, points: Sequence[Point]) -> list[Logs | None]:
        """Return log-strategies at many points, None where there is no trustworthy prediction."""
        found: list[Logs | None] = []
        for point in points:
            try:
                found.append(self.logs(point))
            except PredictionError:
                found.append(None)
        return found


@dataclass(frozen=True)
class Equilibria(Predictor):
    """The model's equilibria: on the principal branch, or on the branch through given solutions."""

    games: Sequence[NormalFormGame]
    model: Model
    anchors: tuple[Solution, ...] | None = None
    visited: dict[int, list[Solution]] = field(default_factory=dict)

    def logs(self, point: Point) -> Logs:
        """Return log-strategies per game and role."""
        if self._batched(point):
            (found,) = self._batch([point])
            if found is None:
                raise PredictionError("an equilibrium was not found")
            return found
        return [_exact(self.solution(g, point)) for g in range(len(self.games))]

    def scan(self, points: Sequence[Point]) -> list[Logs | None]:
        """Return log-strategies at many points, None where there is no trustworthy prediction."""
        inner = [k for k, point in enumerate(points) if self._batched(point)]
        found: list[Logs | None] = [None] * len(points)
        for k, logs in zip(inner, self._batch([points[k] for k in inner]), strict=True):
            found[k] = logs
        rest = sorted(set(range(len(points))) - set(inner))
        for k, logs in zip(rest, super().scan([points[k] for k in rest]), strict=True):
            found[k] = logs
        return found

    def _batched(self, point: Point) -> bool:
        """Return whether `solve_batch` has a light way for all games at this point."""
        model = self.model
        return (
            self.anchors is None
            and (model.penalty, model.regularizer) == ("kl", "entropy")
            and all(game.n_players == 2 and sum(game.shape) <= _LIGHT for game in self.games)
            and bool(np.isfinite(point.tau).all() and np.isfinite(point.lam).all())
        )

    def _batch(self, points: Sequence[Point]) -> list[Logs | None]:
        """Return log-strategies at many points: all games of one shape at once."""
        from rqe.batch import solve_batch

        found: list[Logs | None] = [[[]] * len(self.games) for _ in points]
        for members in _by_shape(self.games).values() if points else ():
            payoffs = np.stack([self.games[g].payoffs for g in members])
            with np.errstate(divide="ignore"):
                eps = np.stack([1.0 / point.lam[:2] for point in points])[:, None]
            batch = solve_batch(
                np.broadcast_to(payoffs, (len(points), *payoffs.shape)),
                np.stack([point.tau[:2] for point in points])[:, None], eps,
                players=2, tol=_TOL, threads=1,
            )  # fmt: skip
            for k, logs in enumerate(found):
                if logs is None or not batch.converged[k].all():
                    found[k] = None
                    continue
                for m, g in enumerate(members):
                    logs[g] = [log_x[k, m] for log_x in batch.log_strategies]
        return found

    def solution(self, g: int, point: Point) -> Solution:
        """Return the equilibrium of game g, certified."""
        from rqe.solve import solve

        game, model = self.games[g], self.model
        tau, eps = parameters(point, game.n_players)
        if self.anchors is not None:
            from rqe.estimation._branch import follow, nearest

            known = self.visited.setdefault(g, [self.anchors[g]])
            there = follow(nearest(known, tau, eps), tau, eps)
            known[1:] = [*known[1:][-_REMEMBERED:], there]
            return there
        found = solve(
            game, tau, eps, penalty=model.penalty, regularizer=model.regularizer,
            tol=_TOL, throw=False,
        )  # fmt: skip
        if not found.converged:
            raise PredictionError(found.status.message)
        return found

    def slopes(self, point: Point, logs: Logs) -> list[Array]:
        """Return per game dlog x / d(tau, lam), shape (n, 2 N)."""
        return _slopes(self.games, self.model, point, logs, None)


def _exact(solution: Solution) -> list[Array]:
    """Return log-strategies, -inf for what is not played in the limit eps = 0.

    The limit is computed to 1e-12 or so: what little is left there is rounding.
    """
    return [
        np.where((log_x > _NEVER) | (eps > 0.0), log_x, -math.inf)
        for log_x, eps in zip(solution.log_strategies, solution.eps.tolist(), strict=True)
    ]


def _by_shape(games: Sequence[NormalFormGame]) -> dict[tuple[int, ...], list[int]]:
    """Return the indices of the games of each shape."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for g, game in enumerate(games):
        by_shape.setdefault(game.shape, []).append(g)
    return by_shape


@dataclass(frozen=True)
class EmpiricalPayoff(Predictor):
    """Each role's regularised best response to the frequencies with which the others played."""

    games: Sequence[NormalFormGame]
    model: Model
    frequencies: Sequence[Sequence[Array]]

    def logs(self, point: Point) -> Logs:
        """Return log-strategies per game and role."""
        from rqe.best_response import best_response

        answers: Logs = []
        for game, seen in zip(self.games, self.frequencies, strict=True):
            tau, eps = parameters(point, game.n_players)
            rows = []
            for i in range(game.n_players):
                found = best_response(
                    game, seen, i, tau, eps,
                    penalty=self.model.penalty, regularizer=self.model.regularizer,
                )  # fmt: skip
                if not found.gap <= 1e-8 * max(float(game.payoff_range[i]), eps[i], 1e-300):
                    raise PredictionError(f"a best response is off by {found.gap:.1e}")
                rows.append(found.log_strategy)
            answers.append(rows)
        return answers

    def slopes(self, point: Point, logs: Logs) -> list[Array]:
        """Return per game dlog x / d(tau, lam), shape (n, 2 N)."""
        with np.errstate(divide="ignore"):
            seen = [[np.log(row) for row in rows] for rows in self.frequencies]
        if self.model.penalty == "reverse_kl":
            seen = [[np.maximum(row, _FLOOR) for row in rows] for rows in seen]
        return _slopes(self.games, self.model, point, logs, seen)


class NashNoise(Predictor):
    """A Nash equilibrium, the limit of the principal branch, with uniform noise."""

    def __init__(self, games: Sequence[NormalFormGame]) -> None:
        from rqe.solve import solve

        self.nash = [[np.exp(log_x) for log_x in _exact(solve(game))] for game in games]

    def logs(self, point: Point) -> Logs:
        """Return log-strategies per game and role."""
        with np.errstate(divide="ignore"):
            return [[np.log(self._mixed(x, point.noise)) for x in profile] for profile in self.nash]

    @staticmethod
    def _mixed(x: Array, noise: float) -> Array:
        """Return strategy x with noise."""
        return (1.0 - noise) * x + noise / len(x)

    def slopes(self, point: Point, logs: Logs) -> list[Array]:
        """Return per game dlog x / dnoise, shape (n, 1)."""
        rows = []
        for profile in self.nash:
            parts = [
                (1.0 / len(x) - x) / np.maximum(self._mixed(x, point.noise), 1e-300)
                for x in profile
            ]
            rows.append(np.concatenate(parts)[:, None])
        return rows


def parameters(point: Point, n_players: int) -> tuple[list[float], list[float]]:
    """Return tau and eps of the first players."""
    eps = [reciprocal(value) for value in point.lam.tolist()[:n_players]]
    return point.tau.tolist()[:n_players], eps


def concept(model: Model, point: Point, game: NormalFormGame) -> Concept:
    """Return what is sought in a game."""
    tau, eps = parameters(point, game.n_players)
    return Concept.of(game, tau, eps, model.penalty, model.regularizer)


def _slopes(
    games: Sequence[NormalFormGame], model: Model, point: Point, logs: Logs, seen: Logs | None
) -> list[Array]:
    """Return dlog x / d(tau, lam) of every game, those of one shape at a time."""
    answers: list[Array] = [np.empty(0)] * len(games)
    for shape, members in _by_shape(games).items():
        n_players = len(shape)
        size = len(members)
        system = linearise(
            np.stack([games[g].payoffs for g in members]),
            [np.stack([logs[g][i] for g in members]) for i in range(n_players)],
            np.tile(point.tau[:n_players], (size, 1)), np.tile(point.lam[:n_players], (size, 1)),
            reverse=model.penalty == "reverse_kl", barrier=model.regularizer == "log_barrier",
            log_others=None if seen is None else [
                np.stack([seen[g][i] for g in members]) for i in range(n_players)],
        )  # fmt: skip
        right = np.concatenate([system.by_tau, system.by_lam, -system.force[..., None]], axis=2)
        try:
            solved = np.linalg.solve(system.matrix, right)
        except np.linalg.LinAlgError:
            raise PredictionError("an equilibrium is at a fold or bifurcation") from None
        if not float(np.abs(_relevant(system.x, solved[..., -1])).max()) <= _OFF:
            raise PredictionError("an equilibrium is too close to a fold or bifurcation")
        for g, slopes in zip(members, solved[..., :-1], strict=True):
            answers[g] = slopes
    return answers


def _relevant(x: Sequence[Array], step: Array) -> Array:
    """Return the step in log x where x is not negligible."""
    return np.where(np.concatenate(x, axis=1) > math.exp(-100.0), step, 0.0)
