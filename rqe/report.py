"""Results as tables for people: text, HTML and LaTeX.

Numbers follow two rules. A probability that is positive never shows as zero: below 1e-4 it is
written as 1.2e-23, from its logarithm, so that even 1e-400 keeps its size. And a table that had
to leave something out says what.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rqe.concepts import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.branch import Branch
    from rqe.games import AggregativeGame, NormalFormGame, QuadraticGame
    from rqe.gaussian_solution import GaussianSolution
    from rqe.solution import Solution

    Array = NDArray[np.float64]

_WIDTH = 92
_ALL_COLUMNS = 8  # a branch's table shows every action up to this many
_MAX_CELLS = 144  # payoff tables are printed up to this many action profiles
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{character: "{" + character + "}" for character in "[*"},  # options after a line's end
        **{character: "\\" + character for character in "&%$#_{}"},
    }
)


def escape_latex(text: str) -> str:
    r"""`text` as LaTeX that prints it, also at the beginning of a table's row.

    Examples
    --------
    >>> print(escape_latex("50% of R&D_1"))
    50\% of R\&D\_1
    """
    return text.translate(_LATEX)


def probability(log_p: float) -> str:
    """Write the probability whose natural logarithm is `log_p`; never a zero for a positive one.

    Examples
    --------
    >>> probability(math.log(0.25)), probability(-1000.0), probability(-math.inf)
    ('0.250000', '5.1e-435', '0')
    """
    if log_p == -math.inf:
        return "0"
    if not log_p < math.log(1e-4):
        return f"{math.exp(log_p):.6f}"
    exponent = math.floor(log_p / math.log(10.0))
    mantissa = round(10.0 ** (log_p / math.log(10.0) - exponent), 1)
    if mantissa >= 10.0:
        mantissa, exponent = 1.0, exponent + 1
    return f"{mantissa:.1f}e{exponent:+03d}"


def game_name(game: NormalFormGame | QuadraticGame | AggregativeGame) -> str:
    """Title and size of `game` in a few words.

    Examples
    --------
    >>> import rqe
    >>> game_name(rqe.NormalFormGame.from_bimatrix([[1, 0]], [[0, 1]], title="Tiny"))
    'Tiny (1 x 2)'
    """
    if hasattr(game, "dims"):
        size = f"{game.n_players} players"
        return f"{game.title} ({size})" if game.title else f"a quadratic game of {size}"
    size = " x ".join(str(n) for n in game.shape)
    return f"{game.title} ({size})" if game.title else f"a {size} game"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], text: Container[int]) -> list[str]:
    """Lines of an aligned table; columns whose index is in `text` are words, others numbers."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[j]) for row in cells) for j in range(len(header))]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if j in text else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    rule = "  ".join("-" * width for width in widths)
    return [lines[0], rule, *lines[1:]]


def shown_actions(log_x: Array, limit: int) -> list[int]:
    """Return the actions to show, in the game's order: all, or the `limit` most probable."""
    if len(log_x) <= limit:
        return list(range(len(log_x)))
    best = np.argsort(-log_x, kind="stable")[:limit]
    return sorted(best.tolist())


def _player_rows(solution: Solution) -> list[tuple[str, ...]]:
    """One row per player: name, tau, eps, payoff, risk-adjusted payoff."""
    return [
        (
            player,
            f"{solution.tau[i]:g}",
            f"{solution.eps[i]:g}",
            f"{solution.payoffs[i]:.6g}",
            f"{solution.risk_adjusted[i]:.6g}",
        )
        for i, player in enumerate(solution.game.players)
    ]


def _action_rows(solution: Solution, limit: int) -> list[tuple[str, str, str]]:
    """Rows (player, action, probability), and one row for what each player's list leaves out."""
    whole("max_actions", limit)
    rows = []
    for i, player in enumerate(solution.game.players):
        log_x = solution.log_strategies[i]
        shown = shown_actions(log_x, limit)
        rows += [(player, solution.game.actions[i][a], probability(log_x[a])) for a in shown]
        hidden = np.delete(log_x, shown)
        if hidden.size:
            total = float(np.logaddexp.reduce(hidden))
            label = "(1 other)" if hidden.size == 1 else f"({hidden.size} others, together)"
            rows.append((player, label, probability(total)))
    return rows


_PLAYER_HEADER = ("player", "tau", "eps", "payoff", "risk-adjusted")
_ACTION_HEADER = ("player", "action", "probability")


def _count(number: int, noun: str) -> str:
    """`number` and `noun`, in the plural where it is due."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _events(turning_points: int, bifurcations: int) -> str:
    """Return both counts in words."""
    return f"{_count(turning_points, 'turning point')}, {_count(bifurcations, 'bifurcation')}"


def _facts(solution: Solution) -> list[tuple[str, str]]:
    """Certificate, status, work and notes, as (label, text)."""
    stats = solution.stats
    return [
        ("residual", f"{solution.residual:.2g} of the payoff range"),
        ("regret", f"at most {solution.regret:.2g}, in payoff units"),
        ("status", f"{solution.status.value}. {solution.status.message}"),
        (
            "solver",
            f"{solution.solver}: {_count(stats.steps, 'step')}, "
            f"{_count(stats.evaluations, 'evaluation')}, "
            f"{_events(stats.turning_points, stats.bifurcations)}",
        ),
        *(("note", note) for note in solution.notes),
    ]


def paragraph(label: str, text: str) -> str:
    """`text` behind `label`, wrapped with a hanging indent."""
    first = f"{label:<9} "
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _title_lines(result: Solution | Branch, lead: str) -> list[str]:
    """Return the game's name, then `lead` with the concept and its two choices."""
    concept = result.concept
    name = game_name(result.game)
    sought = (
        "mixed (players in different rows of the map)" if concept.name == "mixed" else concept.name
    )
    return [
        name[0].upper() + name[1:],
        f"{lead}{sought}, penalty {concept.penalty}, regularizer {concept.regularizer}",
    ]


def solution_text(solution: Solution, max_actions: int = 12) -> str:
    """Return the text that `Solution.summary` shows."""
    lines = [
        *_title_lines(solution, ""),
        "",
        *table(_PLAYER_HEADER, _player_rows(solution), range(1)),
        "",
        *table(_ACTION_HEADER, _action_rows(solution, max_actions), range(2)),
        "",
        *(paragraph(label, text) for label, text in _facts(solution)),
    ]
    return "\n".join(lines)


def failure_text(result: Solution | Branch | GaussianSolution, measure: str) -> str:
    """One paragraph for an exception: what failed, how far off, what to try, where the rest is."""
    unit = "" if hasattr(result.game, "dims") else " of the payoff range"
    return (
        f"no {result.concept.name} of {game_name(result.game)} within tol "
        f"({result.status.value}; residual {result.residual:.2g}{unit}, {measure}). "
        f"{result.status.message} The partial answer is the `solution` attribute of this "
        "exception; throw=False returns it instead."
    )


def _branch_points(branch: Branch, limit: int) -> list[int]:
    """Return the points to show: ends, folds, bifurcations, and others evenly spread."""
    whole("max_points", limit)
    last = len(branch) - 1
    special = [*branch.turning_points.tolist(), *branch.bifurcations.tolist()]
    spread = np.linspace(0, last, max(2, limit - len(special))).round().astype(int).tolist()
    return sorted({*spread, *special}) if last >= 0 else []


def _branch_columns(branch: Branch) -> list[tuple[int, int]]:
    """(player, action) pairs to show: all if few, else each player's final favourite."""
    pairs = [(i, a) for i, n in enumerate(branch.game.shape) for a in range(n)]
    if len(pairs) <= _ALL_COLUMNS:
        return pairs
    finals = [(i, int(log_x[-1].argmax())) for i, log_x in enumerate(branch.log_strategies)]
    return finals[:_ALL_COLUMNS]


def branch_text(branch: Branch, max_points: int = 12) -> str:
    """Return the text that `Branch.summary` shows."""
    game, events = branch.game, {k: "bifurcation" for k in branch.bifurcations.tolist()}
    events.update({k: "turning point" for k in branch.turning_points.tolist()})
    points = _branch_points(branch, max_points)
    columns = _branch_columns(branch) if points else []
    common = bool((branch.values == branch.values[:, :1]).all())
    owners = range(1 if common else game.n_players)
    header = [
        "point",
        *(branch.parameter if common else f"{branch.parameter} {game.players[i]}" for i in owners),
        *(f"{game.players[i]}:{game.actions[i][a]}" for i, a in columns),
        "event",
    ]
    rows = [
        [
            str(k),
            *(f"{branch.values[k, i]:.5g}" for i in owners),
            *(probability(branch.log_strategies[i][k, a]) for i, a in columns),
            events.get(k, ""),
        ]
        for k in points
    ]
    counts = (
        f"{_count(len(branch), 'point')} ({len(points)} shown), "
        f"{_events(len(branch.turning_points), len(branch.bifurcations))}"
    )
    hidden = sum(game.shape) - len(columns)
    lines = [
        *_title_lines(branch, f"Branch in {branch.parameter} to "),
        "",
        *table(header, rows, (len(header) - 1,)),
        "",
        paragraph("path", counts + (f"; {_count(hidden, 'action')} not shown" if hidden else "")),
        paragraph("residual", f"at most {branch.residual:.2g} of the payoff range"),
        paragraph("status", f"{branch.status.value}. {branch.status.message}"),
    ]
    return "\n".join(lines)


def game_text(game: NormalFormGame) -> str:
    """Return players, actions and, for two players and few actions, the payoff table."""
    lines = [
        f"{player}: {', '.join(names)}" if len(names) <= 20 else f"{player}: {len(names)} actions"
        for player, names in zip(game.players, game.actions, strict=True)
    ]
    if game.n_players == 2 and math.prod(game.shape) <= _MAX_CELLS:
        rows = [
            [label, *(f"{a:g}, {b:g}" for a, b in zip(*game.payoffs[:, k], strict=True))]
            for k, label in enumerate(game.actions[0])
        ]
        lines += ["", *table(["", *game.actions[1]], rows, range(1))]
    return "\n".join(lines)


def _html_table(header: Sequence[str], rows: Iterable[Sequence[str]], text: Container[int]) -> str:
    """HTML table, aligned as in `table`."""

    def line(cells: Sequence[str], tag: str) -> str:
        sides = ("left" if j in text else "right" for j in range(len(cells)))
        parts = (
            f'<{tag} style="text-align:{side}">{html.escape(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


def solution_html(solution: Solution, max_actions: int = 12) -> str:
    """Return the summary as an HTML fragment, everything escaped."""
    name, concept = (html.escape(line) for line in _title_lines(solution, ""))
    facts = "".join(
        f"<li><b>{html.escape(label)}</b> {html.escape(text)}</li>"
        for label, text in _facts(solution)
    )
    return (
        f"<div><p><b>{name}</b><br>{concept}</p>"
        f"{_html_table(_PLAYER_HEADER, _player_rows(solution), range(1))}"
        f"{_html_table(_ACTION_HEADER, _action_rows(solution, max_actions), range(2))}"
        f"<ul>{facts}</ul></div>"
    )


def latex(solution: Solution, *, max_actions: int = 12) -> str:
    r"""Return a LaTeX ``tabular`` of the strategies, with the rules of the booktabs package.

    Parameters
    ----------
    solution : Solution
        What to print.
    max_actions : int
        Players with more actions are shown by their most probable ones.

    Returns
    -------
    str
        The environment alone; labels are escaped, small probabilities are powers of ten.

    Examples
    --------
    >>> import rqe
    >>> solution = rqe.qre(rqe.NormalFormGame.from_bimatrix([[1, 0]], [[0, 0]]), lam=1.0)
    >>> print(latex(solution).splitlines()[0])
    \begin{tabular}{llr}
    """
    lines = [r"\begin{tabular}{llr}", r"\toprule", r"player & action & probability \\", r"\midrule"]
    for player, action, value in _action_rows(solution, max_actions):
        if "e" in value:
            mantissa, exponent = value.split("e")
            value = rf"${mantissa} \times 10^{{{int(exponent)}}}$"
        lines.append(rf"{escape_latex(player)} & {escape_latex(action)} & {value} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def text_html(text: str) -> str:
    """Return a summary in text as HTML that keeps its layout, for notebooks."""
    return f'<pre style="line-height:1.3">{html.escape(text)}</pre>'
