"""One self-contained page, and PNGs, from the results of a cross-play."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marl import figures
from marl.measures import RIDER, Method, compare, summarize, work_event
from marl.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marl.statistics import Estimate

__all__ = ["Table", "method_tables", "text_table", "write_report"]

_DPI = 130


@dataclass(frozen=True)
class Table:
    """A table of words: the first column names the row."""

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Image:
    """A figure of the page: base64 of its PNG, and what it shows."""

    data: str
    alt: str


@dataclass
class Section:
    """A part of the page."""

    title: str
    text: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)


def write_report(folder: str | Path) -> Path:
    """Write ``index.html`` and PNGs from what the folder holds; return the page's path.

    Parameters
    ----------
    folder : str or Path
        Where `marl.results.Results` were saved, that is ``--out`` of ``marl crossplay``.

    Raises
    ------
    CheckpointError
        When the folder holds no results, or damaged ones.

    Notes
    -----
    The page needs no other file and no network: figures are inlined, there is no script.
    """
    import jinja2

    from rqe import _plain

    out = Path(folder)
    results = Results.load(out)
    page = _Page(out, results)
    source = resources.files("marl").joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    names = ", ".join(results.cross.names)
    text = environment.from_string(source).render(
        title=f"Cross-play on {results.cross.env['name']}: {names}",
        protocol=protocol(results),
        sections=page.sections(),
        notes=results.notes,
    )
    path = out / "index.html"
    _plain.write_whole(path, text.encode())
    return path


def protocol(results: Results) -> str:
    """Say what the figures are, in words."""
    cross = results.cross
    others = "seat 1" if cross.private.shape[-1] == 2 else "all other seats"
    return (
        f"Every pair of teams, seat 0 from one and {others} from the other, plays {cross.episodes} "
        f"episodes of {cross.steps} steps. Returns are sums over the seats. "
        "TP: teams as trained. CP: all pairs of different teams of one method, zero-shot. "
        "Intervals are 95 % bootstrap intervals over teams (seeds), not over episodes or pairs; "
        "those of counts are Clopper-Pearson's."
    )


def method_tables(methods: Sequence[Method], caption: str) -> list[Table]:
    """Tables of returns, roles, and partners; those without content are left out."""
    tables = [
        Table(
            f"{caption}: returns",
            ("method", "teams", "TP", "sd", "CP", "sd", "TP - CP", "gap"),
            [
                (
                    m.name, str(m.teams), _text(m.training), _number(m.training_sd),
                    _text(m.crossing), _number(m.crossing_sd), _text(m.loss), _percent(m.gap),
                )
                for m in methods
            ],
        )
    ]  # fmt: skip
    roles: list[tuple[str, ...]] = [
        (
            m.name, str(m.riders), str(m.idle.count), _text(m.work[0]), _text(m.work[1]),
            _text(m.cost_gap),
        )
        for m in methods
        if m.work is not None and m.riders is not None and m.idle is not None
    ]  # fmt: skip
    if roles:
        header = ("method", "free-riding teams", "idle teams", "less", "more", "cost gap")
        about = f"{caption}: roles; work of the agent that does less, and more, of them"
        tables.append(Table(about, header, roles))
    else:
        costs = [(m.name, _text(m.cost_gap)) for m in methods]
        tables.append(Table(f"{caption}: roles", ("method", "cost gap"), costs))
    return tables


def partner_tables(methods: Sequence[Method]) -> list[Table]:
    """Return and work beside each scripted partner, methods in columns."""
    names = [m.name for m in methods]
    partners = list(methods[0].beside)
    returns = [(p, *(_text(m.beside[p].returns) for m in methods)) for p in partners]
    tables = [Table("return of all seats, by partner", ("partner", *names), returns)]
    work: list[tuple[str, ...]] = []
    for partner in partners:
        for k, which in enumerate(("worse seat", "better seat")):
            cells = [m.beside[partner].work for m in methods]
            if all(cell is not None for cell in cells):
                texts = [_text(cell[k]) for cell in cells if cell is not None]
                work.append((f"{partner}, {which}", *texts))
    if work:
        caption = "work of the learned agent, by partner and by the team's seat"
        tables.append(Table(caption, ("partner", *names), work))
    return tables


def text_table(table: Table) -> str:
    """Return the table for a terminal."""
    from rqe.report import table as aligned

    return "\n".join([table.caption, *aligned(table.header, table.rows, range(1))])


@dataclass
class _Page:
    """The parts of one page; figures go to the folder on the way."""

    out: Path
    results: Results

    def sections(self) -> list[Section]:
        """All parts that have content."""
        results, methods = self.results, summarize(self.results.cross)
        found = [self._returns(methods), self._matrix(), self._roles(), self._exact()]
        found.append(self._meta_game())
        if methods[0].beside:
            found.append(self._partners(methods))
        found += [self._further(table) for table in results.tables]
        found.append(self._curves())
        found += [self._sweep(k) for k in range(len(results.sweeps))]
        return [section for section in found if section is not None]

    def _returns(self, methods: Sequence[Method]) -> Section:
        tables = method_tables(methods, "sampled")
        names = [m.name for m in methods]
        if len(names) > 1:
            tables.append(self._comparison(names))
        return Section("Returns and roles", tables=tables)

    def _comparison(self, names: Sequence[str]) -> Table:
        """Every method against the first."""
        found = [compare(self.results.cross, name, names[0]) for name in names[1:]]
        rows = [(c.first, _text(c.training), _text(c.crossing), _text(c.mixed)) for c in found]
        header = ("method", "ratio of TP", "ratio of CP", "mixed teams")
        return Table(f"against {names[0]}", header, rows)

    def _further(self, table: Mapping[str, Any]) -> Section:
        """A section of one table that the results brought along."""
        rows = [tuple(row) for row in table["rows"]]
        drawn = Table(table["caption"], tuple(table["header"]), rows)
        return Section(table["title"], [table["text"]], [drawn])

    def _matrix(self) -> Section:
        others = "seat 1" if self.results.cross.private.shape[-1] == 2 else "the other seats"
        text = (
            f"Rows: the team of seat 0. Columns: the team of {others}. "
            "Teams in order of their seeds."
        )
        alt = "Returns of all pairs of teams"
        image = self._image("crossplay", figures.heat_map(self.results.cross), alt)
        return Section("Cross-play", [text], images=[image])

    def _roles(self) -> Section | None:
        cross = self.results.cross
        if work_event(cross.events) is None or cross.private.shape[-1] != 2:
            return None
        alt = (
            f"Work of both seats, one mark a team; below {RIDER:.0%} of the work a team free-rides"
        )
        return Section("Who works", images=[self._image("roles", figures.roles(cross), alt)])

    def _exact(self) -> Section | None:
        exact = self.results.exact
        if exact is None:
            return None
        methods = summarize(exact.cross)
        tables = method_tables(methods, f"exact, one episode of {exact.cross.steps} steps")
        best = exact.team_optimum
        rows = [
            (
                m.name,
                _number(m.training.value),
                f"{100 * m.training.value / best:.0f} %" if best > 0 else "–",
                _number(float(exact.nash_conv[exact.cross.members(m.name)].mean())),
            )
            for m in methods
        ]
        header = ("method", "TP", "of the optimum", "NashConv")
        tables.append(Table("against the best possible", header, rows))
        text = (
            f"By dynamic programming, without sampling error: the best team earns {best:.1f}, "
            f"the best team with one agent that always stays {exact.one_worker:.1f}; alone, an "
            f"agent that keeps only its own return earns at most {exact.lone_worker:.1f}."
        )
        return Section("Exact values", [text], tables)

    def _meta_game(self) -> Section | None:
        from marl import metagame
        from rqe import ConvergenceError

        cross = self.results.cross if self.results.exact is None else self.results.exact.cross
        if cross.private.shape[-1] != 2 or len(cross.seeds) < 2:
            return None
        meta = metagame.from_crossplay(cross)
        text = (
            "The cross-play matrix as a game of rqe: seats choose whose agent to send. Weights of "
            f"the methods in seat 0 / seat 1. Stable pairs of teams: {len(meta.pure_equilibria())}."
        )
        try:
            header, *rows = metagame.cells(meta.table())
        except ConvergenceError as error:
            return Section("Meta-game", [text, f"No equilibrium was found: {error}"])
        return Section("Meta-game", [text], [Table("equilibria of the meta-game", header, rows)])

    def _partners(self, methods: Sequence[Method]) -> Section:
        text = (
            "Zero-shot beside scripted partners. 'stay' never moves: it is the removed teammate, "
            "and what is left is what the agent does alone."
        )
        alt = "Return of all seats by partner, with 95 % intervals over teams"
        image = self._image("partners", figures.partners(methods), alt)
        return Section("Held-out partners", [text], partner_tables(methods), [image])

    def _curves(self) -> Section | None:
        if not self.results.curves:
            return None
        text = (
            "Teams at play with themselves, without adversaries, 16 episodes after each interval."
        )
        alt = "Learning curves: mean over teams with 95 % bands"
        image = self._image("curves", figures.curves(self.results.curves), alt)
        return Section("Learning", [text], images=[image])

    def _sweep(self, k: int) -> Section:
        sweep = self.results.sweeps[k]
        drawn = figures.sweep(sweep["rows"], sweep["parameter"], sweep["label"])
        alt = f"{sweep['title']}; bands are 95 % intervals over teams"
        rows = [
            (
                f"{row['series']}, {row[sweep['parameter']]:g}", str(row["teams"]),
                _interval(row, "training"), _interval(row, "crossing"),
                _interval(row, "gap", 100.0),
                f"{row['free_riding_teams']} of {row['teams']}", str(row["idle_teams"]),
                _interval(row, "work_less"), _interval(row, "work_more"),
            )
            for row in sweep["rows"]
        ]  # fmt: skip
        header = ("", "teams", "TP", "CP", "gap, %", "free-riding", "idle", "less", "more")
        name = f"sweep_{sweep['parameter']}"
        table = Table(sweep["title"], header, rows)
        return Section(sweep["title"], tables=[table], images=[self._image(name, drawn, alt)])

    def _image(self, name: str, figure: Figure, alt: str) -> Image:
        """Write a figure beside the page, and return it for the page."""
        from rqe import _plain

        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DPI)
        _plain.write_whole(self.out / f"{name}.png", stream.getvalue())
        return Image(base64.b64encode(stream.getvalue()).decode(), alt)


def _interval(row: Mapping[str, Any], name: str, factor: float = 1.0) -> str:
    """A figure of a record with its interval."""
    from marl.statistics import Estimate

    parts = (row[name], row[f"{name}_low"], row[f"{name}_high"])
    return _text(Estimate(*(float(part) for part in parts)).scaled(factor))


def _text(figure: Estimate) -> str:
    """A figure with its interval, or a dash."""
    return str(figure) if math.isfinite(figure.value) else "–"


def _percent(figure: Estimate) -> str:
    """The same in percent."""
    return f"{figure.scaled(100.0)} %" if math.isfinite(figure.value) else "–"


def _number(value: float) -> str:
    """One figure, or a dash."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
