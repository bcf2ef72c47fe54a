r"""Lyapunov-Schmidt reduction to one equation in two unknowns, by bordering.

Near a point where J has a simple null vector, the solutions of F(theta, mu) = 0 are those of one
equation g(sigma, mu) = 0, where theta and g solve

.. math:: F(\theta, \mu) + g b = 0, \qquad c \cdot (\theta - \theta_0) = \sigma .

With b and c close to the left and right null vectors the bordered matrix is regular, so that g and
its gradient are smooth and exact to rounding. A fold is a zero of g and g_sigma; where branches
cross, both first derivatives vanish; higher derivatives tell what it is.

References
----------
.. [1] Golubitsky & Schaeffer, Singularities and Groups in Bifurcation Theory I (1985), ch. I-IV.
.. [2] Govaerts, Numerical Methods for Bifurcations of Dynamical Equilibria (2000), ch. 3, 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rqe.bifurcation._system import solved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.bifurcation._system import System

    Array = NDArray[np.float64]

STEPS = (2e-3, 2e-4, 2e-5)  # of differences, of fourth order: shorter where others are near
_TOL = 1e-14
_LOOSE = 1e-11  # of a point on an arm, close to the singular point, where g is flat


@dataclass(frozen=True)
class Value:
    """g with its gradient, and theta with its derivatives, at one (sigma, mu)."""

    g: float
    g_s: float
    g_m: float
    theta: Array
    theta_s: Array
    theta_m: Array


@dataclass(frozen=True)
class Jet:
    """Derivatives of g at the origin of a reduction."""

    g: float
    s: float
    m: float
    ss: float
    sm: float
    mm: float
    sss: float


class ReductionError(ArithmeticError):
    """The bordered equations could not be solved: the point is far from a simple singular one."""


class Reduction:
    """The reduced equation around a base point.

    Parameters
    ----------
    system : System
        The equations.
    theta, mu : array (n,), float
        The base point, close to a singular point of the curve.
    step : float
        Of differences in sigma and mu.

    Attributes
    ----------
    singular_values : array (n,)
        Of profile minus best response at the base point; the last ones are close to 0.
    phi : array (n,)
        Right null vector, of length 1 in Fisher's metric.
    """

    def __init__(self, system: System, theta: Array, mu: float, step: float = STEPS[0]) -> None:
        self.system, self.theta, self.mu, self.step = system, theta, mu, step
        base = system.point(theta, mu)
        left, self.singular_values, right = np.linalg.svd(base.response)
        length = base.length(right[-1])
        if not length > 0.0:
            raise ReductionError("the null vector moves no strategy")
        null = right[-1] / length
        first = int((np.abs(null) > 1e-3 * np.abs(null).max()).argmax())
        self.phi: Array = null if null[first] > 0.0 else -null  # the same on every machine
        self._b: Array = base.own @ left[:, -1]
        self._c = base.lower(self.phi)

    def at(self, sigma: float, mu: float) -> Value:
        """Return g and theta at (sigma, mu), by Newton's method.

        Raises
        ------
        ReductionError
            If it does not converge.
        """
        theta, g, n = self.theta + sigma * self.phi, 0.0, self.system.size
        right = np.zeros((n + 1, 2))
        right[-1, 0] = 1.0
        for _ in range(30):
            point = self.system.point(theta, mu)
            matrix = self._matrix(point.jacobian)
            residual = np.append(
                point.residual + g * self._b, self._c @ (theta - self.theta) - sigma
            )
            move = self._solve(matrix, -residual)
            theta, g = theta + move[:-1], g + float(move[-1])
            if np.abs(move).max() <= 1e-13 * (1.0 + np.abs(theta).max()):
                break
        else:
            raise ReductionError("Newton's method on the bordered equations did not converge")
        point = self.system.point(theta, mu)
        right[:-1, 1] = -point.rate
        slopes = self._solve(self._matrix(point.jacobian), right)
        return Value(
            g, float(slopes[-1, 0]), float(slopes[-1, 1]), theta, slopes[:-1, 0], slopes[:-1, 1]
        )

    def sigma(self, step: Array) -> float:
        """Return by how much a step in theta changes sigma."""
        return float(self._c @ step)

    def _matrix(self, jacobian: Array) -> Array:
        """Return ``[J, b; c, 0]``."""
        n = self.system.size
        matrix = np.zeros((n + 1, n + 1))
        matrix[:n, :n], matrix[:n, n], matrix[n, :n] = jacobian, self._b, self._c
        return matrix

    @staticmethod
    def _solve(matrix: Array, right: Array) -> Array:
        """Return the solution of a linear system, or raise ReductionError."""
        try:
            found = solved(matrix, right)
        except np.linalg.LinAlgError:
            raise ReductionError("the bordered matrix is singular") from None
        if not np.isfinite(found).all():
            raise ReductionError("the bordered equations have no finite solution")
        return found

    def hessian(self, sigma: float, mu: float) -> tuple[float, float, float]:
        """Return g_ss, g_sm, g_mm, by differences of the exact gradient."""
        along_s = [self.at(sigma + k * self.step, mu) for k in (-2, -1, 1, 2)]
        along_m = [self.at(sigma, mu + k * self.step) for k in (-2, -1, 1, 2)]
        return (
            self._slope([v.g_s for v in along_s]), self._slope([v.g_m for v in along_s]),
            self._slope([v.g_m for v in along_m]),
        )  # fmt: skip

    def jet(self, sigma: float, mu: float) -> Jet:
        """Return the derivatives that tell what a singular point is."""
        here = self.at(sigma, mu)
        ss, sm, mm = self.hessian(sigma, mu)
        slopes = [self.at(sigma + k * self.step, mu).g_s for k in (-2, -1, 0, 1, 2)]
        a, b, mid, d, e = slopes
        sss = (16.0 * (b + d) - (a + e) - 30.0 * mid) / (12.0 * self.step**2)
        return Jet(here.g, here.g_s, here.g_m, ss, sm, mm, sss)

    def crossing(self, sigma: float, mu: float) -> tuple[float, float, float]:
        """Return the critical point of g next to (sigma, mu), and the last step's length in mu."""
        for _ in range(25):
            value, (ss, sm, mm) = self.at(sigma, mu), self.hessian(sigma, mu)
            step = self._solve(np.array([[ss, sm], [sm, mm]]), -np.array([value.g_s, value.g_m]))
            step *= min(1.0, 0.1 / max(float(np.abs(step).max()), 1e-300))
            sigma, mu = sigma + float(step[0]), mu + float(step[1])
            if float(np.abs(step).max()) <= _TOL * (1.0 + abs(mu)) * 10.0:
                return sigma, mu, abs(float(step[1]))
        raise ReductionError("Newton's method found no critical point")

    def fold(self, sigma: float, mu: float) -> tuple[float, float, float]:
        """Return the zero of g and g_sigma next to (sigma, mu), and the last step's length."""
        for _ in range(25):
            value, (ss, sm, _) = self.at(sigma, mu), self.hessian(sigma, mu)
            matrix = np.array([[value.g_s, value.g_m], [ss, sm]])
            step = self._solve(matrix, -np.array([value.g, value.g_s]))
            step *= min(1.0, 0.1 / max(float(np.abs(step).max()), 1e-300))
            sigma, mu = sigma + float(step[0]), mu + float(step[1])
            if float(np.abs(step).max()) <= _TOL * (1.0 + abs(mu)) * 10.0:
                return sigma, mu, abs(float(step[1]))
        raise ReductionError("Newton's method found no fold")

    def solve_mu(self, sigma: float, mu: float) -> Value | None:
        """Return the zero of g at fixed sigma next to mu, with its mu in place of g; or None."""
        for _ in range(25):
            value = self.at(sigma, mu)
            if value.g_m == 0.0:
                return None
            step = -value.g / value.g_m
            if abs(step) > 0.1:
                return None
            mu += step
            if abs(step) <= _LOOSE:
                done = self.at(sigma, mu)
                return Value(mu, done.g_s, done.g_m, done.theta, done.theta_s, done.theta_m)
        return None

    def solve_sigma(self, sigma: float, mu: float) -> Value | None:
        """Return the zero of g at fixed mu next to sigma, with mu in place of g; or None."""
        for _ in range(25):
            value = self.at(sigma, mu)
            if value.g_s == 0.0:
                return None
            step = -value.g / value.g_s
            if abs(step) > 0.1:
                return None
            sigma += step
            if abs(step) <= _LOOSE:
                done = self.at(sigma, mu)
                return Value(mu, done.g_s, done.g_m, done.theta, done.theta_s, done.theta_m)
        return None

    def _slope(self, values: list[float]) -> float:
        """Return the derivative at 0 from values at -2, -1, 1, 2 steps."""
        return (8.0 * (values[2] - values[1]) - (values[3] - values[0])) / (12.0 * self.step)
