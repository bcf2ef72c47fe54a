"""Figures of the papers, computed: figure 1 of arXiv 2602.21515."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe.theorems import example_4_1, example_4_2
from rqe.theorems.example_4_2 import EPS, Pitchfork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Figure1", "draw_figure_1", "figure_1"]

_LAST_TAU = 3.0
_POINTS = 121
_BLUE, _RED = "#0072B2", "#D55E00"


@dataclass(frozen=True, eq=False)
class Figure1:
    """The numbers behind figure 1.

    Attributes
    ----------
    utility : list of dict
        Panel (i), example 4.1 at eps = 1: tau, mean, shared_reward, expected_utility.
    collaboration : list of dict
        Panel (ii), example 4.2 at eps = 0.2: branch, stable, tau, probability of C of one player
        and of the other, residual.
    pitchfork : Pitchfork
        Where the free-riding branches meet the symmetric one.
    """

    utility: list[dict[str, Any]]
    collaboration: list[dict[str, Any]]
    pitchfork: Pitchfork


def figure_1() -> Figure1:
    """Return the numbers of both panels of figure 1.

    Panel (i): expected utility of each of two robots against tau, up to the end of the domain.
    Panel (ii): the probability of collaboration against tau; the symmetric equilibrium is unstable
    under the logit best-response dynamics below tau*, where two free-riding ones branch off.
    """
    star = example_4_2.pitchfork()
    branches = [*_symmetric(star), *_free_riding(star)]
    return Figure1(_utility(), branches, star)


def _utility() -> list[dict[str, Any]]:
    """Panel (i): the domain ends at tau = 2."""
    import rqe

    rows = []
    for tau in np.linspace(0.0, 1.98, 100):
        solution = rqe.solve(example_4_1.game(), tau, 1.0)
        rows.append(
            {
                "tau": float(tau),
                "mean": float(solution.means[0][0]),
                "shared_reward": solution.shared_reward,
                "expected_utility": float(solution.payoffs[0]),
            }
        )
    return rows


def _symmetric(star: Pitchfork) -> list[dict[str, Any]]:
    """The symmetric branch, with a point at the pitchfork."""
    import rqe

    rows = []
    for tau in sorted([*np.linspace(0.0, _LAST_TAU, _POINTS), star.tau]):
        solution = rqe.solve(example_4_2.game(), tau, EPS)
        rows.append(_row("symmetric", tau >= star.tau, solution))
    return rows


def _free_riding(star: Pitchfork) -> list[dict[str, Any]]:
    """The worker's and the rider's branch, followed from tau = 0, denser towards the pitchfork."""
    import rqe

    rows, start = [], [[0.2, 0.8], [0.88, 0.12]]
    for share in np.linspace(1.0, 0.02, 60):
        solution = rqe.solve(example_4_2.game(), star.tau * (1.0 - share**2), EPS, start=start)
        start = [x.tolist() for x in solution.strategies]
        rows.append(_row("free-riding", True, solution))
    meeting = dict.fromkeys(("probability", "probability_other"), star.x)
    return [*rows, {**rows[-1], "tau": star.tau, **meeting}]


def _row(branch: str, stable: bool, solution: Any) -> dict[str, Any]:
    """One point of panel (ii)."""
    first, second = (float(x[0]) for x in solution.strategies)
    return {
        "branch": branch,
        "stable": bool(stable),
        "tau": float(solution.tau[0]),
        "probability": first,
        "probability_other": second,
        "residual": solution.residual,
    }


def draw_figure_1(panels: Figure1) -> Figure:
    """Draw both panels side by side, on a figure that belongs to no window.

    Raises
    ------
    ImportError
        If matplotlib is not installed (extra ``rqe[plot]``).
    """
    from rqe.plot._style import matplotlib, tidy

    make = matplotlib("matplotlib.figure").Figure
    drawing: Figure = make((10.0, 3.9), layout="constrained")
    left, right = drawing.subplots(1, 2)
    _draw_utility(left, panels)
    _draw_collaboration(right, panels)
    for ax in (left, right):
        ax.set_xlabel("risk aversion τ (1/payoff)")
        tidy(ax, "both")
    return drawing


def _draw_utility(ax: Any, panels: Figure1) -> None:
    """Panel (i), with its maximum."""
    tau, value = _columns(panels.utility, "tau", "expected_utility")
    best = int(value.argmax())
    ax.plot(tau, value, color=_BLUE, lw=2.2)
    ax.plot(tau[best], value[best], "o", mfc="white", mec=_BLUE, ms=7)
    ax.annotate(
        f"maximum at τ = {tau[best]:.2g}", (tau[best], value[best]), (0, 9),
        textcoords="offset points", ha="center",
    )  # fmt: skip
    ax.margins(y=0.15)
    ax.set_ylabel("expected utility of each robot (payoff)")
    ax.set_title("(i) Two robots, ε = 1", loc="left", size="medium")


def _draw_collaboration(ax: Any, panels: Figure1) -> None:
    """Panel (ii): stable branches solid, the unstable one dashed."""
    star = panels.pitchfork
    symmetric = [row for row in panels.collaboration if row["branch"] == "symmetric"]
    riding = [row for row in panels.collaboration if row["branch"] == "free-riding"]
    for rows, dashes, label in (
        ([r for r in symmetric if r["tau"] >= star.tau], "-", "symmetric, stable"),
        ([r for r in symmetric if r["tau"] <= star.tau], "--", "symmetric, unstable"),
    ):
        tau, x = _columns(rows, "tau", "probability")
        ax.plot(tau, x, dashes, color=_BLUE, lw=2.2, label=label)
    for name, label in (("probability", "free-riding, stable"), ("probability_other", "_other")):
        tau, x = _columns(riding, "tau", name)
        ax.plot(tau, x, color=_RED, lw=2.2, label=label)
    ax.plot(star.tau, star.x, "o", mfc="white", mec="#555555", ms=7, zorder=4)
    ax.annotate(f"τ* = {star.tau:.4f}", (star.tau, star.x), (10, -18), textcoords="offset points")
    ax.set_ylim(0.0, 1.0)
    ax.set_ylabel("probability of collaboration")
    ax.set_title("(ii) Example 4.2, ε = 0.2", loc="left", size="medium")
    ax.legend(frameon=False, fontsize="small", loc="lower right")


def _columns(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    """Return columns of rows as arrays."""
    return [np.array([row[name] for row in rows]) for name in names]
