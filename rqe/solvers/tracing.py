"""Whole branches: the points that the follower records, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe._residuals import residuals as at_once
from rqe.check import check
from rqe.concepts import Concept
from rqe.solvers import security
from rqe.solvers._problem import path, split
from rqe.solvers.principal_branch import STATUS, Followed, PrincipalBranch, eps_values, tau_path
from rqe.status import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traced:
    """Points of a branch: parameter (K, N), log-strategies (K, n_i) per player, events, status."""

    values: Array
    log_strategies: tuple[Array, ...]
    turning_points: NDArray[np.intp]
    bifurcations: NDArray[np.intp]
    status: Status
    witnesses: dict[int, Array] | None


def along_eps(
    game: NormalFormGame, concept: Concept, solver: PrincipalBranch, tol: float
) -> Traced:
    """Trace the principal branch from the centroid to the concept's eps."""
    held, witnesses = security.strategies(game, concept)
    problem = path(game, concept, held)
    if problem.idle:
        return _single(game, concept.eps, problem.log_x, witnesses)
    found = solver.follow(problem, problem.log_x, 0.0, problem.stop, tol, record=True)
    values = eps_values(problem, concept, found.points[:, -1], found.code == 0)
    return _traced(game, values, found, witnesses)


def along_tau(
    game: NormalFormGame, concept: Concept, solver: PrincipalBranch, tol: float
) -> Traced:
    """Trace from the principal equilibrium at tau = 0 to the concept's tau, eps held fixed."""
    if not (np.all(np.isfinite(concept.tau)) and np.all(concept.eps > 0.0)):
        raise ValueError(
            "parameter='tau' needs finite tau and eps > 0 for every player; "
            f"got tau = {concept.tau.tolist()}, eps = {concept.eps.tolist()}"
        )
    neutral = Concept(np.zeros_like(concept.tau), concept.eps, concept.penalty, concept.regularizer)
    first = solver.run(game, neutral, None, tol)
    log_x = np.concatenate(first.log_strategies)
    if first.status is not Status.CONVERGED:
        return _failed(_single(game, neutral.tau, log_x, None), first.status)
    problem = path(game, concept)
    if problem.idle or not problem.tau.any():
        return _single(game, concept.tau, log_x, None)
    problem, end = tau_path(problem)
    found = solver.follow(problem, log_x, 0.0, end, tol, over_tau=True, record=True)
    share = concept.tau / end
    values = found.points[:, -1:] * share
    values[found.points[:, -1] == end] = concept.tau
    return _traced(game, values, found, None)


def residuals(game: NormalFormGame, concept: Concept, parameter: str, traced: Traced) -> Array:
    """Return the certificate's residual of every point: (K,)."""
    spread = np.broadcast_to
    taus, epss = spread(concept.tau, traced.values.shape), traced.values
    if parameter == "tau":
        taus, epss = traced.values, spread(concept.eps, traced.values.shape)
    found = np.empty(len(traced.values))
    regular = _regular(concept, taus, epss, traced.log_strategies)
    if regular.any():
        logs = [log_x[regular] for log_x in traced.log_strategies]
        found[regular] = at_once(game, taus[regular], epss[regular], logs)
    for k in np.flatnonzero(~regular):
        at = Concept(taus[k], epss[k], concept.penalty, concept.regularizer)
        logs = [log_x[k] for log_x in traced.log_strategies]
        found[k] = check(game, at, logs, traced.witnesses).residual
    return found


def _regular(
    concept: Concept, taus: Array, epss: Array, log_strategies: tuple[Array, ...]
) -> NDArray[np.bool_]:
    """Return which points have the residuals that can be computed at once: (K,)."""
    if concept.penalty != "kl" or concept.regularizer != "entropy":
        return np.zeros(len(epss), np.bool_)
    fine = np.concatenate(
        [np.isfinite(taus), epss > 1e-290, np.isfinite(epss), *map(np.isfinite, log_strategies)],
        axis=1,
    )
    inside: NDArray[np.bool_] = np.logical_and.reduce(fine, axis=1)
    return inside


def _traced(
    game: NormalFormGame, values: Array, found: Followed, witnesses: dict[int, Array] | None
) -> Traced:
    """Return the kernel's points and events as arrays per player."""
    parts = split(found.points[:, :-1].T, game.shape)
    logs = tuple(np.ascontiguousarray(part.T) for part in parts)
    logs = tuple(part - _log_total(part)[:, None] for part in logs)
    turning = found.events[found.events[:, 1] > 0, 0] - 1
    crossing = found.events[found.events[:, 1] < 0, 0] - 1
    return Traced(values, logs, turning, crossing, STATUS[found.code], witnesses)


def _log_total(log_x: Array) -> Array:
    """Return log sum exp along the last axis."""
    top = log_x.max(axis=-1)
    total: Array = top + np.log(np.exp(log_x - top[:, None]).sum(axis=-1))
    return total


def _single(
    game: NormalFormGame, value: Array, log_x: Array, witnesses: dict[int, Array] | None
) -> Traced:
    """Return a branch of one point, where nothing moves."""
    logs = tuple(part[None, :].copy() for part in split(log_x, game.shape))
    none = np.empty(0, np.intp)
    return Traced(value[None, :].copy(), logs, none, none, Status.CONVERGED, witnesses)


def _failed(traced: Traced, status: Status) -> Traced:
    """Return the same points with another status."""
    return Traced(
        traced.values, traced.log_strategies, traced.turning_points, traced.bifurcations, status,
        traced.witnesses,
    )  # fmt: skip
