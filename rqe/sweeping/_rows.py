"""Solving one part of a sweep, on whatever machine, into columns of a table."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.free_riding import free_riding
from rqe.solve import solve
from rqe.solvers import PrincipalBranch
from rqe.solvers._problem import Outcome, path, split
from rqe.solvers.principal_branch import STATUS, counted, symmetrised
from rqe.status import Status
from rqe.sweeping._request import COLUMNS, HEAD, Entry, Request

if TYPE_CHECKING:
    from rqe.concepts import Concept
    from rqe.games import NormalFormGame
    from rqe.solution import Solution
    from rqe.solvers._problem import Array

_POINT = ("regret", "residual", "welfare", "free_riding")


class AlongEps:
    """The principal branch of one game and tau, read off at one eps after another, falling.

    All equilibria that `rqe.solve` returns for a common eps lie on one curve, and between the first
    points met at two values of eps it is followed once. A stretch counts only if it is monotone and
    crosses no other branch; else the follower starts at the centroid, as it does in `rqe.solve`.
    """

    name = PrincipalBranch.name

    def __init__(self) -> None:
        self._cold = PrincipalBranch()
        self._last: tuple[float, Array] | None = None

    def run(
        self, game: NormalFormGame, concept: Concept, start: list[Array] | None, tol: float
    ) -> Outcome:
        """Return the equilibrium at the concept's eps, from the last one if that is sound."""
        last, self._last = self._last, None
        taus, epss = concept.tau.tolist(), concept.eps.tolist()
        if len(set(epss)) > 1 or not max(taus + epss) < np.inf or epss[0] == 0.0:
            return self._cold.run(game, concept, start, tol)
        problem = path(game, concept)
        outcome = None
        if last is not None and last[0] < problem.stop and not problem.idle:
            found = self._cold.follow(problem, last[1], last[0], problem.stop, tol)
            stats = counted(found.stats)
            if STATUS[found.code] is Status.CONVERGED and not (
                stats.turning_points or stats.bifurcations
            ):
                log_x = symmetrised(game, concept, found.log_x)
                outcome = Outcome(split(log_x, game.shape), Status.CONVERGED, stats, {})
        if outcome is None:
            outcome = self._cold.run(game, concept, start, tol)
        if outcome.status is Status.CONVERGED:
            self._last = problem.stop, np.concatenate(outcome.log_strategies)
        return outcome


def solve_part(part: range, request: Request) -> dict[str, list[Any]]:
    """Return the table of some rows of the grid, as columns."""
    columns: dict[str, list[Any]] = {}
    count = 0
    for row in part:
        for record in _records(row, request):
            for name, value in record.items():
                if name not in columns:  # a user's function may leave out what it cannot compute
                    columns[name] = [None] * count
                columns[name].append(value)
            count += 1
            for column in columns.values():
                if len(column) < count:
                    column.append(None)
    return columns


def _records(row: int, request: Request) -> Iterator[dict[str, Any]]:
    """Yield the records of one game and tau, at all eps in the order in which they were given."""
    which, column = divmod(row, len(request.taus))
    labels, game = request.games[which]
    tau, epss = request.taus[column], request.epss
    solutions = _solve_row(game, tau, request)
    for k in range(len(epss)):
        yield from _of_solution(row * len(epss) + k, labels, solutions[k], request)


def _solve_row(game: NormalFormGame, tau: Entry, request: Request) -> list[Solution]:
    """Return the solutions at all eps, found from the largest eps to the smallest."""
    options: dict[str, Any] = {
        "penalty": request.penalty, "regularizer": request.regularizer, "tol": request.tol,
        "throw": False,
    }  # fmt: skip
    found: dict[int, Solution] = {}
    follower = AlongEps()
    for k in sorted(range(len(request.epss)), key=lambda k: -_least(request.epss[k])):
        eps = request.epss[k]
        found[k] = solve(game, tau, eps, solver=follower, **options)
        if not found[k].converged:
            found[k] = solve(game, tau, eps, **options)
    return [found[k] for k in range(len(request.epss))]


def _least(entry: Entry) -> float:
    """Return the number, or the least of several."""
    return min(entry) if isinstance(entry, tuple) else entry


def _of_solution(
    point: int, labels: dict[str, Any], solution: Solution, request: Request
) -> Iterator[dict[str, Any]]:
    """Yield one record per point, per player, or per player and action, as the outputs require."""
    names = [output for output in request.outputs if isinstance(output, str)]
    whole = _of_point(solution, names, labels, request)
    head = {"point": point, **labels}
    if not request.by_player:
        tau, eps = float(solution.tau[0]), float(solution.eps[0])
        yield {**head, "tau": tau, "eps": eps, "status": solution.status.value, **whole}
        return
    known = solution.converged
    for i, player in enumerate(solution.game.players):
        record = {
            **head, "tau": float(solution.tau[i]), "eps": float(solution.eps[i]),
            "status": solution.status.value, "player": player,
        }  # fmt: skip
        own = {
            COLUMNS.get(name, name): float(getattr(solution, name)[i]) if known else np.nan
            for name in ("payoffs", "risk_adjusted")
            if name in names
        }
        if "strategies" not in names:
            yield {**record, **own, **whole}
            continue
        for a, action in enumerate(solution.game.actions[i]):
            probability = float(solution.strategies[i][a]) if known else np.nan
            yield {**record, "action": action, "probability": probability, **own, **whole}


def _of_point(
    solution: Solution, names: list[str], labels: dict[str, Any], request: Request
) -> dict[str, Any]:
    """Return what belongs to the point as a whole; NaN where the equilibrium was not found."""
    values: dict[str, Any] = {}
    for name in (name for name in _POINT if name in names):
        if name in ("regret", "residual"):
            values[name] = getattr(solution, name)
        elif not solution.converged:
            values[name] = np.nan
        elif name == "welfare":
            values[name] = float(solution.payoffs.sum())
        else:
            values[name] = free_riding(solution).degree
    if solution.converged:
        taken = {*HEAD, *labels, *(COLUMNS.get(name, name) for name in names)}
        for output in filter(callable, request.outputs):
            given = output(solution)
            own = given if isinstance(given, dict) else {_name(output): given}
            for name in taken.intersection(own):
                raise ValueError(
                    f"outputs must have names of their own; there is a column {name!r} already. "
                    "A function may return a dict from names to numbers"
                )
            taken.update(own)
            values.update(own)
    return values


def _name(output: Any) -> str:
    """Return the name of a function, also of one with arguments filled in, or of its class."""
    if isinstance(output, functools.partial):
        return _name(output.func)
    name: str = getattr(output, "__name__", type(output).__name__)
    return name
