"""`diagram`: every branch of equilibria found in a window of a parameter, and its stability."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import _plain, report
from rqe._clock import Clock, Progress, reporter
from rqe._input import checked_game
from rqe.bifurcation import _build, _follow
from rqe.bifurcation._atlas import Atlas, chords
from rqe.bifurcation._system import System
from rqe.bifurcation.bifurcation import Bifurcation, from_singular
from rqe.bifurcation.stability import Stability, of_points
from rqe.concepts import Concept, seconds
from rqe.solution_set import SetStatus, SolutionSet
from rqe.solve import solve
from rqe.trace import family_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from rqe.bifurcation._family import Family
    from rqe.branch import Branch
    from rqe.games import NormalFormGame
    from rqe.trace import Parameter, Window

    Array = NDArray[np.float64]

Count = tuple[float, int, bool]

_TOL = 1e-9
_SHARE = 0.5  # of the time left, at most, goes to looking for equilibria to start from


@dataclass(frozen=True, eq=False, repr=False)
class Diagram:
    """Branches of equilibria in a window of a parameter; `rqe.diagram` returns it.

    Attributes
    ----------
    game : NormalFormGame
        The game, at the window's second end if it is payoffs that change.
    concept : Concept
        What was sought; tau or eps at the window's second end if they change.
    parameter : str
        What changes: "eps", "tau" or the name of the path of payoffs.
    window : (float, float)
        Between which values.
    branches : tuple of Branch
        The principal one first. Each is a curve from end to end, which may turn.
    stability : tuple of Stability
        Beside the branches, one entry per point.
    bifurcations : tuple of Bifurcation
        Each once, in the order of the parameter.
    counts : tuple of (float, int, bool)
        Where equilibria to start from were looked for: the parameter, how many there were, and
        whether it is proved that these are all there.
    finished : bool
        Whether the search ended before its time limit, also where equilibria to start from were
        looked for.
    notes : tuple of str
        What was searched. That there are no other branches is never claimed.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0])
    >>> found = rqe.diagram(game, eps=0.2, parameter="tau", window=(0, 2))
    >>> found
    <Diagram: 2 branches of a 2 x 2 game, tau from 0 to 2, 1 bifurcation>
    >>> found.bifurcations[0].name
    'supercritical pitchfork'
    """

    game: NormalFormGame
    concept: Concept
    parameter: str
    window: tuple[float, float]
    branches: tuple[Branch, ...]
    stability: tuple[Stability, ...]
    bifurcations: tuple[Bifurcation, ...]
    counts: tuple[Count, ...]
    finished: bool
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of branches."""
        return len(self.branches)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain record per branch, point, player and action."""
        for b, (branch, stable) in enumerate(zip(self.branches, self.stability, strict=True)):
            for row in branch.rows():
                k = row["point"]
                yield {
                    "branch": b,
                    **row,
                    "best_response_stable": bool(stable.best_response[k]),
                    "best_response_map_stable": bool(stable.best_response_map[k]),
                    "regret_stable": bool(stable.regret[k]),
                    "spectral_radius": float(stable.spectral_radius[k]),
                }

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame, one row per branch, point, player and action.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``rqe[frames]``).
        """
        return _plain.data_frame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``json.dumps`` accepts."""
        data = {
            "schema": "rqe.diagram/1",
            "game": _plain.game_dict(self.game),
            "concept": _plain.concept_dict(self.concept),
            "parameter": self.parameter,
            "window": self.window,
            "branches": [branch.to_dict() for branch in self.branches],
            "stability": [stable.to_dict() for stable in self.stability],
            "bifurcations": [point.to_dict() for point in self.bifurcations],
            "counts": self.counts,
            "finished": self.finished,
            "notes": self.notes,
            "versions": _plain.versions(),
        }
        plain: dict[str, Any] = _plain.jsonable(data)
        return plain

    def summary(self) -> str:
        """Return a table for people: the branches, the bifurcations, what was searched."""
        return _text(self)

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the classic picture; see `rqe.plot.diagram.plot_diagram`, to which `options` go."""
        from rqe.plot.diagram import plot_diagram

        return plot_diagram(self, ax, **options)

    def __repr__(self) -> str:
        """One line: how many branches of what."""
        start, end = self.window
        return (
            f"<Diagram: {_number(len(self), 'branch', 'branches')} of {report.game_name(self.game)}"
            f", {self.parameter} from {start:g} to {end:g}, "
            f"{_number(len(self.bifurcations), 'bifurcation', 'bifurcations')}>"
        )


def diagram(
    game: NormalFormGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    *,
    parameter: Parameter = "eps",
    window: Window,
    penalty: str = "kl",
    regularizer: str = "entropy",
    samples: int = 4,
    time_limit: float | None = 60.0,
    progress: Progress | bool | None = None,
) -> Diagram:
    """Return every branch of equilibria found in a window of a parameter, with its stability.

    The principal branch is followed first, then the branches that cross it, those that cross them,
    and so on; then the branches through every equilibrium that `rqe.solve_all` finds at a few
    values of the parameter, which shows isolas too. Between those values a closed curve may be
    missed: completeness is not claimed.

    Parameters
    ----------
    game : NormalFormGame
        N players; at t = 0 if the parameter is a direction.
    tau, eps : float or sequence of N floats
        What stays as it is, or the proportions of what changes; finite tau, positive eps.
    parameter : {"eps", "tau"}, array_like, callable or PayoffPath
        What changes, as for `rqe.trace`.
    window : (float, float)
        Between which values of it.
    penalty, regularizer : str
        As for `rqe.solve`.
    samples : int
        At how many values of the parameter all equilibria are looked for, the window's ends
        included; 0 for none.
    time_limit : float or None
        Seconds after which the search returns what it has; None for no limit. They count from
        when the principal equilibrium is found.
    progress : callable, True or None
        Called a few times a second as ``progress(text, seconds)``; True shows a bar (tqdm).

    Returns
    -------
    Diagram
        Branches with their stability, bifurcations, and what was searched.

    Raises
    ------
    ConvergenceError
        If not even the principal equilibrium is found.
    TypeError, ValueError
        If an argument breaks its rule.

    Notes
    -----
    Cost: a few milliseconds of linear algebra per point on a small game, some fifty points per
    branch, and `rqe.solve_all` at each sample. At most 400 free probabilities.

    References
    ----------
    .. [1] Allgower & Georg, Introduction to Numerical Continuation Methods (2003).

    Examples
    --------
    >>> import rqe
    >>> hunt = rqe.NormalFormGame([[[9, 0], [8, 7]], [[9, 8], [0, 7]]])
    >>> found = rqe.diagram(hunt, parameter="eps", window=(0.2, 20))
    >>> [point.kind for point in found.bifurcations], [len(found), found.finished]
    (['fold'], [2, True])
    """
    concept = Concept.of(checked_game(game), tau, eps, penalty, regularizer)
    family = family_of(game, concept, parameter, window)
    if isinstance(samples, bool) or not isinstance(samples, Integral) or samples < 0:
        raise ValueError(f"samples must be an integer of at least 0; got {samples!r}")
    seconds("time_limit", time_limit)

    system, edges = System(family), (float(window[0]), float(window[1]))
    first = _first(family, edges)
    theta = _principal(system, first)
    with reporter(progress, time_limit) as told:
        clock = Clock(time_limit, told)
        follower = _follow.Follower(
            system, *sorted(map(family.coordinate, edges)), stop=lambda: clock.tick("points", 0)
        )
        atlas = Atlas(follower, clock.tick)
        atlas.add(theta, first, f"principal at {_place(family, first)}")
        counts, late = _seeded(atlas, edges, samples, clock)
        return _diagram(atlas, edges, counts, late or clock.stopped)


def _first(family: Family, window: Window) -> float:
    """Return where the principal equilibrium is taken: the largest eps, else the window's start."""
    ends = [family.coordinate(t) for t in window]
    return min(ends) if family.name == "eps" and family.path is None else ends[0]


def _seeded(
    atlas: Atlas, window: Window, samples: int, clock: Clock
) -> tuple[tuple[Count, ...], bool]:
    """Add the branches through what is found at evenly spaced places.

    Returns what was found there, and whether its time ended the search at one of them.
    """
    ends = [atlas.follower.system.family.coordinate(t) for t in window]
    places = np.linspace(ends[0], ends[1], samples).tolist() if samples > 1 else ends[:samples]
    counts: list[Count] = []
    late = False
    for mu in places:
        if clock.stopped:
            break
        found = _seed(atlas, mu, samples - len(counts), clock)
        counts.append((atlas.follower.system.family.value(mu), len(found), found.complete))
        late |= found.status is SetStatus.TIME_LIMIT
    return tuple(counts), late


def _place(family: Family, mu: float) -> str:
    """Return the parameter's name and value."""
    return f"{family.name} = {family.value(mu):.6g}"


def _principal(system: System, mu: float) -> Array:
    """Return the principal equilibrium's logits at mu."""
    game, concept = system.family.at(mu)
    found = solve(
        game, concept.tau, concept.eps, penalty=concept.penalty, regularizer=concept.regularizer
    )
    start = system.theta(found.log_strategies)
    exact = _follow.newton(system, start, mu)
    return start if exact is None else exact


def _seed(atlas: Atlas, mu: float, left: int, clock: Clock) -> SolutionSet:
    """Add the branches through all equilibria found at mu; return these."""
    from rqe.proof.enumeration import found_at

    family, system = atlas.follower.system.family, atlas.follower.system
    game, concept = family.at(mu)
    seconds = None if clock.left is None else max(_SHARE * clock.left / left, 0.01)
    known = [
        system.logs(theta)
        for curve, _ in atlas.found
        for chord in chords(curve.trail, mu)
        if (theta := _follow.newton(system, chord, mu, 12)) is not None
    ]
    found = found_at(game, concept, known, seconds)
    for solution in found:
        theta = _follow.newton(system, system.theta(solution.log_strategies), mu)
        if theta is not None and not clock.stopped:
            atlas.add(theta, mu, f"found at {_place(family, mu)}")
    return found


def _diagram(atlas: Atlas, window: Window, counts: tuple[Count, ...], late: bool) -> Diagram:
    """Return what the atlas holds, in the user's terms."""
    system = atlas.follower.system
    branches, stable = [], []
    for curve, origin in atlas.found:
        branches.append(_build.branch_of(system, curve, window, tol=_TOL, origin=origin))
        pairs = zip(curve.trail.theta, curve.trail.mu, strict=True)
        stable.append(of_points([system.point(theta, float(mu)) for theta, mu in pairs]))
    points = sorted(map(from_singular, atlas.singular), key=lambda point: point.value)
    proved = sum(complete for *_, complete in counts)
    notes = [
        "searched: the branch through the principal equilibrium, the branches that cross at "
        "bifurcations, and those through the equilibria found at "
        f"{len(counts)} values of {system.family.name}, {proved} of these sets proved complete",
        "other branches may exist between these values",
    ]
    if late:
        notes.append("the time ran out: branches may be missing, or end early")
    family = system.family
    game, concept = family.at(family.coordinate(window[1]))
    return Diagram(
        game, concept, family.name, window, tuple(branches), tuple(stable),
        tuple(points), counts, not late, tuple(notes),
    )  # fmt: skip


def _number(count: int, one: str, many: str) -> str:
    """Return a count with its noun."""
    return f"{count} {one if count == 1 else many}"


def _text(found: Diagram) -> str:
    """Return the text of `Diagram.summary`."""
    rows = []
    for b, (branch, stable) in enumerate(zip(found.branches, found.stability, strict=True)):
        t = branch.values.max(axis=1)
        rows.append((
            str(b), branch.origin, f"{t.min():.5g} to {t.max():.5g}", str(len(branch)),
            f"{100.0 * stable.best_response.mean():.0f} %", f"{100.0 * stable.regret.mean():.0f} %",
        ))  # fmt: skip
    head = ("branch", "found", found.parameter, "points", "BR stable", "regret stable")
    lines = [repr(found)[1:-1], "", *report.table(head, rows, (0, 1, 2))]
    if found.bifurcations:
        places = [
            (point.name, f"{point.value:.10g}", point.side or "",
             f"{point.error:.0e}" if math.isfinite(point.error) else "unknown")
            for point in found.bifurcations
        ]  # fmt: skip
        header = ("bifurcation", found.parameter, "side", "error")
        lines += ["", *report.table(header, places, (0, 2))]
    counted = ", ".join(
        f"{count}{'' if complete else ' or more'} at {t:.5g}" for t, count, complete in found.counts
    )
    facts = [("equilibria", counted)] if counted else []
    facts += [("note", note) for note in found.notes]
    return "\n".join([*lines, "", *(report.paragraph(name, text) for name, text in facts)])
