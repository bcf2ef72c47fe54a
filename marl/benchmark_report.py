"""What a benchmark's report shows beside that of a cross-play: tables of words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marl.aggregate import aggregate, blocks, improvement, records, strangers
from marl.benchmark import runner_files, wall_seconds
from marl.measures import compare, summarize
from marl.plans import Plan
from marl.statistics import Estimate

if TYPE_CHECKING:
    from marl.crossplay import CrossPlay
    from marl.envs.base import Env

__all__ = ["further_tables"]

Table = dict[str, Any]
Folders = Mapping[str, Sequence[Path]]


def further_tables(
    plan: Plan, folder: Path, env: Env, cross: CrossPlay, folders: Folders
) -> list[Table]:
    """Aggregates, blocks, unseen runner, scores and costs; ``benchmark.csv`` on the way."""
    from rqe import _plain

    baseline = next(iter(plan.methods))
    (folder / "report").mkdir(parents=True, exist_ok=True)
    rows = [_plain.jsonable(row) for row in records(cross, baseline)]
    _plain.write_whole(folder / "report" / "benchmark.csv", _plain.csv_text(rows).encode())
    found = [_aggregates(cross, baseline), _blocks(cross)]
    if env.name == "hanabi":
        found.append(_scores(cross, env))
    if plan.runners > 1:
        found.append(_unseen(plan, folder, cross, folders))
    return [*found, _costs(plan, folders)]


def _aggregates(cross: CrossPlay, baseline: str) -> Table:
    """Interquartile means, probability of improvement, strangers."""
    rows = []
    for method in aggregate(cross):
        better = (
            "–" if method.name == baseline else _text(improvement(cross, method.name, baseline))
        )
        figures = (method.training, method.crossing, method.loss, method.worst)
        met = _text(strangers(cross, method.name))
        rows.append((method.name, *map(_text, figures), better, met))
    return {
        "title": "Aggregates",
        "text": (
            "Interquartile means over teams; CP is a team's mean return with the other teams of "
            "its method. 'worst quarter' is the mean CP of the lower quarter of the teams. "
            f"P(better): a team of the method has a higher CP than one of {baseline}; 0.5 says "
            "nothing. 'strangers' are all teams of all other methods. 95 % bootstrap intervals "
            "over teams, from five teams on."
        ),
        "caption": "interquartile means, and probability of improvement",
        "header": (
            "method", "TP", "CP", "TP - CP", "worst quarter", "P(better)", "with strangers",
        ),
        "rows": rows,
    }  # fmt: skip


def _blocks(cross: CrossPlay) -> Table:
    """Mean returns between methods."""
    names, table = blocks(cross)
    rows = [(name, *(_number(x) for x in line)) for name, line in zip(names, table, strict=True)]
    return {
        "title": "Between methods",
        "text": (
            "Mean return of all seats: seat 0 from a team of the row, the other seats from one of "
            "the column; on the diagonal pairs of different teams of one method."
        ),
        "caption": "row: seat 0, column: the other seats",
        "header": ("", *names),
        "rows": rows,
    }


def _scores(cross: CrossPlay, env: Env) -> Table:
    """Hanabi's score, which all players share: the return of one seat."""
    best = env.options()["colors"] * env.options()["ranks"]
    rows = [
        (
            m.name,
            str(m.teams),
            *(_text(x.scaled(1.0 / env.n_agents)) for x in (m.training, m.crossing, m.loss)),
        )
        for m in summarize(cross)
    ]
    return {
        "title": "Scores",
        "text": f"Hanabi's score of at most {best}, which the players share.",
        "caption": f"score of {best}, means over teams",
        "header": ("method", "teams", "self-play", "cross-play", "difference"),
        "rows": rows,
    }


def _unseen(plan: Plan, folder: Path, cross: CrossPlay, folders: Folders) -> Table:
    """The chasers against a runner that none of them has met."""
    from marl.crossplay import cross_play
    from marl.envs.base import make_env
    from marl.teams import group, load_groups
    from rqe import _plain

    options = {**cross.env["options"], "runner": str(runner_files(plan, folder)[1])}
    env = make_env("tag", **{**options, "sha256": None})
    runs = load_groups(folders)
    groups = [group(name, members) for name, members in runs.items()]
    other = cross_play(env, groups, episodes=cross.episodes, partners=())
    other.save(folder / "report" / "unseen_runner.safetensors")
    baseline = cross.names[0]
    figures = unseen_figures(other, baseline)
    _plain.write_whole(folder / "report" / "unseen_runner.csv", unseen_csv(figures).encode())
    rows = [(name, *map(_text, parts.values())) for name, parts in figures.items()]
    return {
        "title": "Unseen runner",
        "text": "The same teams against a runner that was trained apart, with other chasers.",
        "caption": "against an unseen runner",
        "header": ("method", "own team", "other seeds", f"ratio to {baseline}"),
        "rows": rows,
    }


def unseen_figures(other: CrossPlay, baseline: str) -> dict[str, dict[str, Estimate]]:
    """TP, CP, and the ratio of CP to the baseline's, by method; it has none to itself.

    A ratio takes its two methods for independent groups: the baseline's own would get an interval.
    """
    found = {}
    for method in summarize(other):
        figures = {"training": method.training, "crossing": method.crossing}
        figures["ratio"] = Estimate(math.nan, math.nan, math.nan)
        if method.name != baseline:
            figures["ratio"] = compare(other, method.name, baseline).crossing
        found[method.name] = figures
    return found


def unseen_csv(figures: Mapping[str, Mapping[str, Estimate]]) -> str:
    """The same as CSV, one line per method."""
    from rqe import _plain

    rows: list[dict[str, Any]] = []
    for name, parts in figures.items():
        rows.append({"method": name})
        for part, x in parts.items():
            rows[-1] |= {part: x.value, f"{part}_low": x.low, f"{part}_high": x.high}
    return _plain.csv_text(rows)


def _costs(plan: Plan, folders: Folders) -> Table:
    """What training took."""
    from marl.config import RunConfig

    rows = []
    for name, paths in folders.items():
        configs = [RunConfig.load(path / "config.json") for path in paths]
        teams = sum(config.seeds for config in configs)
        steps = configs[0].steps
        seconds = sum(wall_seconds(path) for path in paths)
        rate = f"{teams * steps / seconds:,.0f}" if seconds > 0 else "–"
        rows.append((name, str(teams), f"{steps:,}", f"{seconds:,.0f} s", rate))
    return {
        "title": "Cost",
        "text": (
            "Interactions are joint steps of one environment, all tables and phases counted; wall "
            "time is that of all teams of a method, compilation and logging included."
        ),
        "caption": "interactions and wall time",
        "header": ("method", "teams", "interactions of a team", "wall time", "steps a second"),
        "rows": rows,
    }


def _text(figure: Estimate) -> str:
    """A figure with its interval, or a dash."""
    return str(figure) if math.isfinite(figure.value) else "–"


def _number(value: float) -> str:
    """One figure, or a dash."""
    if not np.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
