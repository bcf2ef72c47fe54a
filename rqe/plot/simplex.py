"""Strategies as points: the square of a 2x2 game, the triangle of a player of three actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rqe._input import instance
from rqe.branch import Branch
from rqe.concepts import Concept, flag
from rqe.games._checks import check_index
from rqe.plot._replies import reply_curve, reply_field
from rqe.plot._style import (
    COLOURS,
    GREY,
    MARKS,
    concept_words,
    game_words,
    matplotlib,
    named,
    new_axes,
    short,
)
from rqe.solution import Solution
from rqe.solution_set import SolutionSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from rqe.games.normal_form import NormalFormGame

    Array = NDArray[np.float64]
    Result = Solution | SolutionSet | Branch

_HEIGHT = 0.5 * np.sqrt(3.0)
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _HEIGHT]])
_SIZE = 4.9  # inches
_STYLES = ("-", "--")  # of the best responses of players 1 and 2


def plot_simplex(
    results: Result | Sequence[Result],
    ax: Axes | None = None,
    *,
    player: int = 0,
    best_responses: bool = True,
) -> Axes:
    """Draw equilibria and branches as points and curves in the players' strategies.

    A 2x2 game is drawn in the unit square, player 1's probability of his first action to the right
    and player 2's upwards; otherwise the triangle of one player's three actions is drawn.

    Parameters
    ----------
    results : Solution, SolutionSet, Branch, or a sequence of them
        Of one game. Equilibria of different concepts differ by colour and mark; branches are lines
        with an arrow in the order of their points.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    player : int
        Whose triangle, where the game is not 2x2; the player has three actions.
    best_responses : bool
        Whether to draw best responses, by `plot_best_responses`, at tau and eps of the first
        result. In games of more than two players there is no such picture.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If there is nothing to draw, or something else, the results are of different games, or the
        game is neither 2x2 nor gives the player three actions.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("stag-hunt")
    >>> ax = rqe.plot.plot_simplex([rqe.solve(game, 1.0, 0.5), rqe.nash(game, "all")])
    """
    flag("best_responses", best_responses)
    shown = _listed(results)
    game, concept = shown[0].game, shown[0].concept
    _check(game, player)
    ax = _axes() if ax is None else ax
    if best_responses and game.n_players == 2:
        _draw_replies(ax, game, concept, player)
    else:
        _frame(ax, game, player)
    for branch in (result for result in shown if isinstance(result, Branch)):
        _draw_path(ax, branch, player)
    groups: dict[str, list[Solution]] = {}
    for solution in _solutions(shown):
        groups.setdefault(concept_words(solution.concept), []).append(solution)
    for k, (words, solutions) in enumerate(groups.items()):
        places = np.array([_place(game, solution.strategies, player) for solution in solutions])
        ax.plot(
            *places.T, MARKS[k % len(MARKS)], color=("#000000", *COLOURS[2:])[k % 6], mec="white",
            mew=1.0, ms=8 + 2 * k, ls="none", label=words, zorder=7 - 0.1 * k, clip_on=False,
        )  # fmt: skip
    _legend(ax)
    return ax


def plot_best_responses(
    game: NormalFormGame,
    tau: ArrayLike = 0.0,
    eps: ArrayLike = 0.0,
    ax: Axes | None = None,
    *,
    player: int = 0,
    penalty: str = "kl",
    regularizer: str = "entropy",
) -> Axes:
    """Draw (risk-averse, noisy) best responses; equilibria are where they meet.

    In the unit square of a 2x2 game, a curve per player: his best response to each strategy of the
    other. In the triangle of a player of three actions, regions: which action is the most probable
    in the other's best response. Their borders are straight for tau = 0 and bend with tau.

    Parameters
    ----------
    game : NormalFormGame
        Two players: 2x2, or three actions for `player`.
    tau, eps : float or sequence of 2 floats
        Risk aversion and bounded rationality, as for `rqe.solve`.
    ax : matplotlib.axes.Axes, optional
        Where; by default new axes.
    player : int
        Whose triangle, where the game is not 2x2.
    penalty, regularizer : str
        As for `rqe.solve`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the game does not fit, or an argument breaks its rule.

    Notes
    -----
    Some 1700 best responses for a triangle with tau > 0, about half a second; otherwise less.
    """
    concept = Concept.of(game, tau, eps, penalty, regularizer)
    _check(game, player)
    if game.n_players != 2:
        raise ValueError(f"game must have two players; got {game.n_players}")
    ax = _axes() if ax is None else ax
    _draw_replies(ax, game, concept, player)
    _legend(ax)
    return ax


def _listed(results: Result | Sequence[Result]) -> list[Result]:
    """Return the results as a list, checked to be of one game."""
    kinds = (Solution, SolutionSet, Branch)
    if isinstance(results, kinds):
        return [results]
    if not np.iterable(results):
        instance("results", results, *kinds)
    shown = list(results)
    if not shown:
        raise ValueError("results must hold at least one solution, set or branch; got none")
    for k, result in enumerate(shown):
        instance(f"results[{k}]", result, *kinds)
    if any(result.game != shown[0].game for result in shown):
        raise ValueError("results must be of one game; got several")
    return shown


def _solutions(results: Iterable[Result]) -> Iterable[Solution]:
    """Yield all solutions, those of sets one by one."""
    for result in results:
        if isinstance(result, Solution):
            yield result
        elif not isinstance(result, Branch):
            yield from result


def _is_square(game: NormalFormGame) -> bool:
    """Whether the game is drawn in the unit square."""
    return game.shape == (2, 2)


def _check(game: NormalFormGame, player: int) -> None:
    """Raise unless there is a picture of the game."""
    check_index("player", player, game.n_players)
    if not _is_square(game) and game.shape[player] != 3:
        raise ValueError(
            f"game must be 2x2, or player {player} have three actions; got shape {game.shape}"
        )


def _place(game: NormalFormGame, strategies: Sequence[Array], player: int) -> Array:
    """Return where a profile is drawn, shape (..., 2); strategies of shape (..., n_i)."""
    if _is_square(game):
        return np.stack([strategies[0][..., 0], strategies[1][..., 0]], axis=-1)
    place: Array = strategies[player] @ _CORNERS
    return place


def _axes() -> Axes:
    """Return new axes, square."""
    return new_axes(_SIZE, 1.32 * _SIZE)


def _frame(ax: Axes, game: NormalFormGame, player: int, words: str = "") -> None:
    """Square or triangle with its labels and the game's title."""
    whose = "" if _is_square(game) else f", strategies of {named(game.players[player])}"
    ax.set_title(f"{game_words(game)}{whose}{words}", loc="left", size="medium")
    if _is_square(game):
        ax.set_box_aspect(1)
        labels = [
            f"probability of {short(game.actions[i][0])} ({named(game.players[i])})" for i in (0, 1)
        ]
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel=labels[0], ylabel=labels[1])
        return
    ax.set_axis_off()
    ax.plot(*np.vstack([_CORNERS, _CORNERS[:1]]).T, color="black", lw=1.0, zorder=3)
    sides = ("right", "left", "center")
    for corner, name, side in zip(_CORNERS, game.actions[player], sides, strict=True):
        low = corner[1] == 0.0
        shift = ({"right": 12, "left": -12}.get(side, 0), -6 if low else 6)
        ax.annotate(
            short(name), corner, shift, textcoords="offset points", ha=side,
            va="top" if low else "bottom",
        )  # fmt: skip
    ax.set(xlim=(-0.06, 1.06), ylim=(-0.08, _HEIGHT + 0.08))
    ax.set_box_aspect((_HEIGHT + 0.16) / 1.12)


def _draw_replies(ax: Axes, game: NormalFormGame, concept: Concept, player: int) -> None:
    """Curves in the square, regions in the triangle."""
    _frame(ax, game, player, f"\nbest responses: {concept_words(concept)}")
    if not _is_square(game):
        _draw_regions(ax, game, concept, player)
        return
    for i in (0, 1):
        q, y = reply_curve(game, concept, i)
        ax.plot(
            *((y, q) if i == 0 else (q, y)), color=COLOURS[i], ls=_STYLES[i], lw=2.2, zorder=4,
            label=f"best response of {named(game.players[i])}", clip_on=False,
        )  # fmt: skip


def _draw_regions(ax: Axes, game: NormalFormGame, concept: Concept, player: int) -> None:
    """Pale regions of the other's most probable reply, their borders, and a key."""
    field = reply_field(game, concept, player)
    x, y = (field.points @ _CORNERS).T
    mesh = matplotlib("matplotlib.tri").Triangulation(x, y, field.triangles)
    replies = game.actions[1 - player]
    for b in np.flatnonzero((field.lead > 0.0).any(axis=0)).tolist():
        colour = COLOURS[b % len(COLOURS)]
        top = max(float(field.lead[:, b].max()), 1e-300) * 2.0
        ax.tricontourf(mesh, field.lead[:, b], levels=[0.0, top], colors=[colour], alpha=0.22)
        ax.tricontour(mesh, field.lead[:, b], levels=[0.0], colors=[GREY], linewidths=0.9)
        ax.fill([], [], color=colour, alpha=0.22, lw=0, label=f"reply: {short(replies[b])}")


def _draw_path(ax: Axes, branch: Branch, player: int) -> None:
    """A branch as a line, hollow where it begins, with an arrow half-way along."""
    places = _place(branch.game, branch.strategies, player)
    label = f"branch in {'ε' if branch.parameter == 'eps' else 'τ'}"
    known = ax.get_legend_handles_labels()[1]
    ax.plot(*places.T, color=GREY, lw=1.5, zorder=5, label=None if label in known else label)
    ax.plot(*places[0], "o", mfc="white", mec=GREY, ms=6, zorder=5, clip_on=False)
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(places, axis=0).T))])
    if lengths[-1] < 0.05:
        return
    share = np.array([0.5, 0.52]) * lengths[-1]
    x, y = (np.interp(share, lengths, places[:, axis]).tolist() for axis in (0, 1))
    ax.annotate(
        "", (x[1], y[1]), (x[0], y[0]), zorder=5,
        arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.5, "mutation_scale": 14},
    )  # fmt: skip


def _legend(ax: Axes) -> None:
    """Legend beside the axes."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize="small")
