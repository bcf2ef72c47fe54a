"""`certify`: a proof, by interval arithmetic, that an equilibrium lies next to a solution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import inside, one_of, whole
from rqe.proof.certificate import Box, Certificate, ProofStatus
from rqe.solution import solved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.games import NormalFormGame
    from rqe.proof._balls import Balls, System
    from rqe.proof._krawczyk import Enclosure, Polished
    from rqe.solution import Solution

    Array = NDArray[np.float64]

_FIRST_PRECISION = 96
_ILL = 1e-7  # failures below this reciprocal condition number are put down to a bifurcation


def certify(
    solution: Solution,
    *,
    tol: float = 1e-8,
    digits: int = 0,
    payoffs: str = "given",
    max_precision: int = 1536,
) -> Certificate:
    """Return a proof that exactly one equilibrium lies next to a solution, or why there is none.

    The equilibrium equations are evaluated in ball arithmetic and Krawczyk's operator is applied
    to a box around the solution [1]_. Success is a theorem about the game and concept, whatever
    the solver did; a failure is a status, never a claim.

    Parameters
    ----------
    solution : Solution
        Any N, any penalty and regularizer, every eps > 0 (inf included), every tau.
    tol : float
        Largest distance, in probability, from the solution's own strategies to the equilibrium;
        in (0, 1).
    digits : int
        Digits after the point that the enclosure must have at least, beyond those of a proof.
    payoffs : {"given", "doubles", "exact"}
        Which payoffs the claim is about: the doubles that the solver used, each an exact
        number; or ``game.exact``, where 1/3 is 1/3. "given" means exact for games given as
        rationals or read from files, else doubles. tau and eps are the doubles of the concept.
    max_precision : int
        Limit of the working precision, in bits; it is doubled from 96 until the proof succeeds.

    Returns
    -------
    Certificate
        Radius per strategy, box of uniqueness, enclosure, precision; status and reason.

    Raises
    ------
    TypeError, ValueError
        If `solution` is not a `Solution`, or an option breaks its rule.

    Notes
    -----
    Cost: a few Jacobians and one product of matrices of the size of the number of actions, in
    balls. At a bifurcation the equilibrium is not isolated in this sense and no proof exists.
    For tau = inf the proof needs a strict worst case: a status tells where there is none.

    References
    ----------
    .. [1] Rump, Verification methods, Acta Numerica 19 (2010), theorem 13.2.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> certificate = rqe.certify(rqe.solve(game, tau=1.0, eps=0.2), digits=20)
    >>> certificate.proved, certificate.largest_radius < 1e-12
    (True, True)
    >>> certificate.enclosure[0][0][:20]
    '[0.60822983343186435'
    """
    _check_options(tol, digits, max_precision)
    kind = given_payoffs(solved(solution).game, payoffs)
    if float(solution.eps.min()) == 0.0:
        return _nothing(solution, ProofStatus.NEEDS_EPS, ProofStatus.NEEDS_EPS.message, 0, kind)
    import flint

    from rqe.proof import _krawczyk as krawczyk
    from rqe.proof._balls import System

    system = System(
        solution.game, solution.concept, solution.log_strategies, solution.adversaries,
        kind == "exact",
    )  # fmt: skip
    found, precision = None, 0
    for precision in _precisions(max_precision):
        with flint.ctx.workprec(precision):
            start = system.start()
            found = krawczyk.polish(system, start if found is None else found.y)
            away = krawczyk.gap(found.y, start)
            near = krawczyk.enclose(system, found, away)
            if near is None:
                near = krawczyk.enclose(system, found, [flint.arb(0)] * system.size)
            if near is not None and _sharp(system, near.zero, digits):
                return _certificate(solution, system, near, tol, digits, precision, kind)
    return _failure(solution, system, found, precision, kind)


def _precisions(limit: int) -> Iterator[int]:
    """Yield working precisions in bits, doubling up to the limit."""
    precision = min(_FIRST_PRECISION, limit)
    while precision < limit:
        yield precision
        precision *= 2
    yield limit


def given_payoffs(game: NormalFormGame, payoffs: str) -> str:
    """Return "doubles" or "exact", as asked for or, for "given", as the game was given."""
    one_of("payoffs", payoffs, ("given", "doubles", "exact"))
    if payoffs != "given":
        return payoffs
    return "exact" if game._literals is not None else "doubles"


def _check_options(tol: float, digits: int, max_precision: int) -> None:
    """Raise if an option breaks its rule."""
    inside("tol", tol, 0.0, 1.0)
    if tol == 1.0:
        raise ValueError("tol must be below 1, a distance in probability; got 1")
    whole("digits", digits, 0, 10_000)
    whole("max_precision", max_precision, 53, 100_000)


def _sharp(system: System, zero: Balls, digits: int) -> bool:
    """Return whether all probabilities are known to the digits asked for."""
    if not digits:
        return True
    import flint

    least = flint.arb(10) ** -digits
    return all(p.rad() < least for x in system.strategies(zero) for p in x)


def _certificate(
    solution: Solution, system: System, near: Enclosure, tol: float, digits: int,
    precision: int, kind: str,
) -> Certificate:  # fmt: skip
    """Return what the enclosure proves."""
    radius, log_radius = _distances(solution, system, near.zero)
    distance = max(float(r.max()) for r in radius)
    logs = tuple(_doubles(log_x) for log_x in system.log_strategies(near.zero))
    shown = max(digits, 15)
    enclosure = tuple(tuple(p.str(shown) for p in x) for x in system.strategies(near.zero))
    status = ProofStatus.PROVED if distance <= tol else ProofStatus.ELSEWHERE
    if status is ProofStatus.PROVED:
        reason = f"all probabilities are within {distance:.2g} of the equilibrium's"
    else:
        reason = f"the equilibrium proved is up to {distance:.2g} away; tol is {tol:g}"
    box = _box(system, near) if near.unique else None
    return Certificate(
        status, reason, radius, log_radius, precision, kind, enclosure, logs,
        box, box is not None,
    )  # fmt: skip


def _distances(
    solution: Solution, system: System, zero: Balls
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return bounds on the distances of probabilities, and of their logarithms."""
    import flint

    from rqe.proof._krawczyk import bound

    near, log_near = [], []
    for x, log_x, own, own_log in zip(
        system.strategies(zero), system.log_strategies(zero), solution.strategies,
        solution.log_strategies, strict=True,
    ):  # fmt: skip
        near.append(
            np.array([bound(p - flint.arb(v)) for p, v in zip(x, own.tolist(), strict=True)])
        )
        logs = zip(log_x, own_log.tolist(), strict=True)
        log_near.append(np.array([bound(p - flint.arb(v)) for p, v in logs]))
    return tuple(near), tuple(log_near)


def _doubles(balls: Balls) -> Array:
    """Return the midpoints as doubles."""
    return np.array([float(b) for b in balls])


def _box(system: System, near: Enclosure) -> Box | None:
    """Return the box of uniqueness in logits, rounded inwards; None if doubles cannot tell it."""
    centres, radii = [], []
    for i, n in enumerate(system.game.shape):
        centre, radius = np.zeros(n), np.zeros(n)
        for k, a in enumerate(system.free[i], system.own[i].start):
            centre[a] = float(near.centre[k])
            slack = 1e-15 * (1.0 + abs(centre[a]))  # the centre itself is rounded
            radius[a] = float(near.radius[k]) * (1.0 - 1e-14) - slack
            inside = abs(near.zero[k] - centre[a]) < radius[a]
            if not inside:
                return None
        centres.append(centre)
        radii.append(radius)
    return Box(tuple(system.reference), tuple(centres), tuple(radii))


def _failure(
    solution: Solution, system: System, found: Polished | None, precision: int, kind: str
) -> Certificate:
    """Return the reason why there is no proof."""
    if found is None or (not found.settled and found.condition > _ILL):
        status = ProofStatus.NOT_NEAR
    elif found.condition <= _ILL:
        status = ProofStatus.SINGULAR
    elif not system.strict(found.y):
        status = ProofStatus.DEGENERATE
    else:
        status = ProofStatus.NO_CONTRACTION
    condition = 0.0 if found is None else found.condition
    reason = (
        f"{status.message} (reciprocal condition number {condition:.1g}, "
        f"precision up to {precision} bits)"
    )
    return _nothing(solution, status, reason, precision, kind)


def _nothing(
    solution: Solution, status: ProofStatus, reason: str, precision: int, kind: str
) -> Certificate:
    """Return a certificate that proves nothing."""
    nowhere = tuple(np.full(n, math.inf) for n in solution.game.shape)
    return Certificate(status, reason, nowhere, nowhere, precision, kind)
