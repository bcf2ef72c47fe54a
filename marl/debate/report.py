"""Evaluate runs and write what was found: CSV, Markdown, one HTML page, transcripts."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from marl.debate.episode import Debate, Speaker
from marl.debate.evaluate import Array, Outcome, cross_play, play, wrong_partner
from marl.debate.figures import before_and_after, curves, heat_maps, img_tag, png
from marl.debate.gates import Gate
from marl.debate.models import load_agent
from marl.debate.problems import Problem
from marl.debate.protocol import Protocol
from marl.debate.runs import Run
from marl.debate.seats import Engine, Seats
from marl.debate.solo import mistakes
from marl.debate.tables import (
    Cell,
    Entrant,
    cross_play_cells,
    joint_scores,
    metric_rows,
    partner_scores,
    text_table,
    training_row,
    training_table,
)
from rqe._plain import csv_text, write_whole

ALWAYS_WRONG = "always wrong"
_KEPT = 20  # transcripts that are written out per run


def evaluate_runs(
    runs: Sequence[Run],
    problems: Sequence[Problem],
    *,
    partners: Sequence[str] = (),
    out: str | Path,
    seed: int = 0,
    device: str = "cpu",
    engine: Engine = "transformers",
    gates: Sequence[Gate] = (),
    report: Callable[[str], None] | None = None,
) -> str:
    """Cross runs of the same method, seat each agent beside strange partners; write a report.

    Parameters
    ----------
    runs : sequence of Run
        Grouped by method ("srpo" or "ippo") and by the models that they started from.
    problems : sequence of Problem
        Held out from training.
    partners : sequence of str
        Untuned models; the first one also writes the mistakes that the wrong partner repeats.
    out : path
        Folder of ``tables.csv``, ``metrics.csv``, ``training.csv``, ``transcripts.jsonl``,
        figures (PNG) and ``report.html``, which holds them too.
    seed : int
        Every pair meets the same draws.
    device : str
    engine : {"transformers", "vllm"}
        Which library generates answers; vLLM must be installed by hand.
    gates : sequence of Gate
        Verdicts that are printed above the tables.
    report : callable, optional
        Called with a line of text as the work goes on.

    Returns
    -------
    str
        The tables, as Markdown.

    Raises
    ------
    ValueError
        If there is no run, one is not finished, the runs have different protocols, or runs of one
        method that start from models of one name differ in their settings, or not even in their
        seeds.
    """
    protocol = _common_protocol(runs)
    _check_finished(runs)
    runs = _told_apart(runs)
    tell = report or (lambda line: None)
    seats = Seats(engine, device, models=2 * len(runs) + len(partners))
    scores, kept = _cross(runs, problems, protocol, seed, seats, tell)
    cells = [
        cell
        for table in ("self-play", "cross-play")
        for cell in cross_play_cells(
            {key[1:]: s for key, s in scores.items() if key[0] == table}, table=table, seed=seed
        )
    ]
    rows: list[dict[str, Any]] = []
    beside = _beside(runs, partners, problems, protocol, seed, seats, tell)
    for name, outcomes in beside:
        cells += _partner_cells(outcomes, name, seed)
        rows += metric_rows(list(outcomes), outcomes, name)
    trained = [training_row(run.name, run.config.training.algo, run.metrics()) for run in runs]
    figures = _figures(runs, scores, beside)
    _write(Path(out), cells, rows, kept, gates, figures)
    write_whole(Path(out) / "training.csv", csv_text(trained).encode())
    return "\n\n".join([*map(str, gates), training_table(trained), text_table(cells)])


def _common_protocol(runs: Sequence[Run]) -> Protocol:
    """Return the protocol that all runs were trained with."""
    if not runs:
        raise ValueError("runs must hold at least one run; got none")
    for run in runs[1:]:
        if run.config.protocol != runs[0].config.protocol:
            raise ValueError(
                f"all runs must have one protocol; {run.path} has {run.config.protocol}, "
                f"{runs[0].path} has {runs[0].config.protocol}"
            )
    return runs[0].config.protocol


def _check_finished(runs: Sequence[Run]) -> None:
    """Raise if a run is not at its end: methods are compared at equal debates."""
    for run in runs:
        if not run.finished:
            raise ValueError(
                f"runs must be finished; {run.path} has made {run.update} of "
                f"{run.config.training.updates} updates: go on with the command that began it"
            )


def _pair(run: Run) -> str:
    """Return the sizes of a run's two models, for people."""
    return " & ".join(Path(name).name for name in run.config.agents)


def _groups(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """Return the runs that are crossed with each other, by (method, pair of sizes)."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.config.training.algo, _pair(run)), []).append(run)
    return groups


def _told_apart(runs: Sequence[Run]) -> list[Run]:
    """Return runs whose names differ; raise if those of one group are not one method's.

    The same run twice would meet itself in cross-play, and two settings of a method would be
    averaged as if they were seeds.
    """
    for group in _groups(runs).values():
        for k, run in enumerate(group):
            settings = [(r.config.training, r.config.lora, r.config.dtype) for r in (group[0], run)]
            if settings[0] != settings[1]:
                raise ValueError(
                    f"runs of one method must have the same settings: {run.path} has "
                    f"{run.config.training}, {group[0].path} has {group[0].config.training}"
                )
            for other in group[:k]:
                if other.config == run.config:
                    raise ValueError(
                        f"runs of one method must be independent: {other.path} and {run.path} "
                        f"have the same settings and the same seed {run.config.seed}"
                    )
    if len({run.name for run in runs}) == len(runs):
        return list(runs)
    return [replace(run, label=str(run.path)) for run in runs]


def _cross(
    runs: Sequence[Run],
    problems: Sequence[Problem],
    protocol: Protocol,
    seed: int,
    seats: Seats,
    tell: Callable[[str], None],
) -> tuple[dict[tuple[str, str, str], Array], list[dict[str, Any]]]:
    """Return joint scores by (table, method, pair of sizes), and transcripts of self-play."""
    scores: dict[tuple[str, str, str], Array] = {}
    kept: list[dict[str, Any]] = []
    for (method, pair), group in _groups(runs).items():
        sides = [[seats.of(run, i) for run in group] for i in (0, 1)]
        tell(f"cross-play of {len(group)} runs of {method}, {pair}")
        found = cross_play(sides[0], sides[1], problems, protocol, seed=seed)
        for table, own_runs in (("self-play", True), ("cross-play", False)):
            scores[table, method, pair] = joint_scores(found, own_runs=own_runs)
        for run, first, second in zip(group, *sides, strict=True):
            few = problems[:_KEPT]
            debate = play(few, (first, second), protocol, seed=seed)[1]
            kept += _named(debate, run)
    return scores, kept


def _named(debate: Debate, run: Run) -> list[dict[str, Any]]:
    """Return transcripts with the run they belong to."""
    return [{"run": run.name, **record} for record in debate.transcripts()]


def _beside(
    runs: Sequence[Run],
    partners: Sequence[str],
    problems: Sequence[Problem],
    protocol: Protocol,
    seed: int,
    seats: Seats,
    tell: Callable[[str], None],
) -> list[tuple[str, dict[Entrant, Outcome]]]:
    """Return the outcome of every agent beside each untuned partner, and beside a wrong one."""
    if not partners:
        return []
    agents = {_entrant(run, i): seats.of(run, i) for run in runs for i in (0, 1)}
    wrong = mistakes(load_agent(partners[0], device=seats.device), problems, protocol, seed=seed)
    beaten = [problem for problem in problems if problem.question in wrong]
    strangers: list[tuple[str, Speaker, Sequence[Problem]]] = [
        (Path(name).name, seats.at(name), problems) for name in partners
    ]
    if beaten:
        strangers.append((ALWAYS_WRONG, wrong_partner(wrong, beaten), beaten))
    found = []
    for name, stranger, asked in strangers:
        tell(f"every agent beside {name}")
        found.append((name, {
            entrant: play(asked, (agent, stranger), protocol, seed=seed)[0]
            for entrant, agent in agents.items()
        }))  # fmt: skip
    return found


def _entrant(run: Run, seat: int) -> Entrant:
    """Return an agent of a run, for the tables."""
    size = Path(run.config.agents[seat]).name
    return Entrant(run.config.training.algo, run.name, size, seat)


def _partner_cells(outcomes: Mapping[Entrant, Outcome], name: str, seed: int) -> list[Cell]:
    """Return own accuracy beside one partner, by method and size."""
    scores = {
        (method, f"{size} with {name}"): score
        for (method, size), score in partner_scores(outcomes).items()
    }
    return list(cross_play_cells(scores, table="partner", metric="last", seed=seed))


def _figures(
    runs: Sequence[Run],
    scores: Mapping[tuple[str, str, str], Array],
    beside: Sequence[tuple[str, Mapping[Entrant, Outcome]]],
) -> dict[str, bytes]:
    """Return the figures as PNG, by name; the diagonal of a map is a run's own two agents."""
    means: dict[str, dict[str, Array]] = {}
    for (table, method, pair), score in scores.items():
        if table == "self-play":
            both = np.nan_to_num(score) + np.nan_to_num(scores["cross-play", method, pair])
            means.setdefault(pair, {})[f"{method}, {pair}"] = both.mean(axis=-1)
    found = {"training": png(curves(runs))}
    if beside:
        found["before-after"] = png(before_and_after(beside))
    for k, maps in enumerate(means.values()):
        found[f"cross-play-{k}"] = png(heat_maps(maps))
    return found


def _write(
    out: Path,
    cells: Sequence[Cell],
    rows: Sequence[dict[str, Any]],
    transcripts: Sequence[dict[str, Any]],
    gates: Sequence[Gate],
    figures: Mapping[str, bytes],
) -> None:
    """Write the files of the report."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "tables.csv", csv_text([cell.row() for cell in cells]).encode())
    write_whole(out / "metrics.csv", csv_text(rows).encode())
    lines = "".join(json.dumps(record) + "\n" for record in transcripts)
    write_whole(out / "transcripts.jsonl", lines.encode())
    write_whole(out / "report.html", page(cells, transcripts, gates, figures).encode())
    for name, image in figures.items():
        write_whole(out / f"{name}.png", image)


def page(
    cells: Sequence[Cell],
    transcripts: Sequence[dict[str, Any]],
    gates: Sequence[Gate],
    figures: Mapping[str, bytes],
) -> str:
    """Return one HTML page that needs nothing else."""
    rows = [
        [c.table, c.pair, c.metric, c.method, f"{c.estimate.value:.3f}",
         f"{c.estimate.low:.3f} to {c.estimate.high:.3f}", str(c.runs), str(c.questions)]
        for c in cells
    ]  # fmt: skip
    head = ["table", "pair", "metric", "method", "value", "95 %", "runs", "questions"]
    verdicts = "".join(f"<p class=gate>{html.escape(str(gate))}</p>" for gate in gates)
    verdicts = verdicts or "<p class=gate>The gates were not run: these figures prove nothing.</p>"
    talks = "".join(f"<pre>{html.escape(transcript(t))}</pre>" for t in transcripts[:_KEPT])
    images = "".join(
        f"<p>{img_tag(image, html.escape(name))}</p>" for name, image in figures.items()
    )
    return _PAGE.format(gates=verdicts, table=_html_table(head, rows), figures=images, talks=talks)


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table."""
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Debate</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: auto; padding: 1rem; }}
table {{ border-collapse: collapse; }} th, td {{ padding: .3rem .8rem; text-align: left; }}
thead {{ border-bottom: 2px solid #333; }} tr + tr {{ border-top: 1px solid #ddd; }}
.gate {{ border-left: 4px solid #0072b2; padding-left: 1rem; }}
img {{ max-width: 100%; }}
pre {{ background: #f6f6f6; padding: 1rem; white-space: pre-wrap; }}
</style>
<h1>Debate: cross-play and strange partners</h1>
{gates}
<h2>Figures</h2>
<p>Intervals are paired bootstraps over questions and, from three runs a method on, over runs; with
fewer they say nothing about other runs.</p>
{table}
<h2>Training, debate, cross-play</h2>
{figures}
<h2>Transcripts</h2>
{talks}
</html>
"""


def transcript(record: dict[str, Any]) -> str:
    """Return one debate as text for people."""
    lines = [f"Question: {record['question']}", f"Solution: {_flat(record['solution'])}"]
    for r, turn in enumerate(record["rounds"], start=1):
        lines.append(f"Round {r}")
        for seat, said in enumerate(turn):
            mark = "right" if said["correct"] else "wrong"
            lines.append(f"  agent {seat} ({mark}): {_flat(said['text'])}")
    return "\n".join(lines)


def _flat(text: str) -> str:
    """Return a text on one line."""
    return "; ".join(line.strip() for line in text.strip().splitlines() if line.strip())
