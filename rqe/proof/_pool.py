"""Certified equilibria, each kept once, and the candidates that resist certification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rqe.check import check
from rqe.proof.certificate import Certificate
from rqe.proof.certify import certify
from rqe.solution import Solution
from rqe.status import Stats, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games import NormalFormGame

    Array = NDArray[np.float64]

_NEAR = 1e-9  # candidates whose logarithms agree so well are not tried twice
_ALIKE = 1e-3  # uncertified candidates nearer than this are shown once


@dataclass
class Pool:
    """What is known of the equilibria of one game and concept."""

    game: NormalFormGame
    concept: Concept
    payoffs: str
    solutions: list[Solution] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    doubtful: list[tuple[Solution, Certificate]] = field(default_factory=list)

    def add(self, candidate: Solution) -> None:
        """Certify a candidate and keep it, unless it is known."""
        if any(_holds(c, candidate.log_strategies) for c in self.certificates):
            return
        certificate = certify(candidate, payoffs=self.payoffs)
        if not certificate.proved and certificate.enclosure:
            candidate = self.solution(certificate.log_strategies, candidate.solver)
            certificate = certify(candidate, payoffs=self.payoffs)
        if not certificate.proved:
            if not any(_distance(candidate, other) < _ALIKE for other, _ in self.doubtful):
                self.doubtful.append((candidate, certificate))
        elif not any(_same(certificate, other) for other in self.certificates):
            self.solutions.append(candidate)
            self.certificates.append(certificate)

    def add_logs(self, logs: Sequence[Array]) -> None:
        """Certify the profile with these log-probabilities and keep it, unless it is known."""
        self.add(self.solution(logs, "interval search"))

    def solution(self, logs: Sequence[Array], solver: str) -> Solution:
        """Return the profile as a solution, judged by the independent check."""
        logs = tuple(np.array(log_x, dtype=float) for log_x in logs)
        verdict = check(self.game, self.concept, logs)
        status = Status.CONVERGED if verdict.residual <= 1e-8 else Status.INACCURATE
        return Solution(self.game, self.concept, logs, verdict, status, solver, Stats())

    def bounds(self, k: int) -> list[tuple[Array, Array]]:
        """Return, per player, proved bounds on the log-probabilities of certified solution k."""
        pairs = zip(self.solutions[k].log_strategies, self.certificates[k].log_radius, strict=True)
        room = [(log_x, radius + 1e-15 * (1.0 + np.abs(log_x))) for log_x, radius in pairs]
        return [(log_x - radius, log_x + radius) for log_x, radius in room]


def _holds(certificate: Certificate, logs: Sequence[Array]) -> bool:
    """Return whether the profile is the one proved, or in the box where that one is alone."""
    if _close(certificate.log_strategies, logs, _NEAR):
        return True
    box = certificate.box
    if box is None:
        return False
    return all(
        bool(np.all(np.abs(log_x - log_x[r] - centre) <= radius))
        for log_x, r, centre, radius in zip(
            logs, box.reference, box.centre, box.radius, strict=True
        )
    )


def _same(first: Certificate, second: Certificate) -> bool:
    """Return whether two enclosures, both far sharper than this, are of one equilibrium."""
    return _close(first.log_strategies, second.log_strategies, 1e-12)


def _close(first: Sequence[Array], second: Sequence[Array], tol: float) -> bool:
    """Return whether log-probabilities agree to a relative tolerance."""
    pairs = zip(first, second, strict=True)
    return all(bool(np.all(np.abs(a - b) <= tol * (1.0 + np.abs(a)))) for a, b in pairs)


def _distance(first: Solution, second: Solution) -> float:
    """Return the largest difference of probabilities."""
    pairs = zip(first.strategies, second.strategies, strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)
