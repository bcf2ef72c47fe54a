"""The paper's two tables, with intervals: cross-play of independent runs, and a strange partner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marl.debate.evaluate import METRICS, Array, Outcome, over_runs_and_questions
from marl.statistics import Estimate


@dataclass(frozen=True)
class Entrant:
    """An agent of a run, for the tables.

    Attributes
    ----------
    method : str
        Such as "srpo".
    run : str
        Runs of one method are independent; two agents of one run have been trained together.
    size : str
        Which model it started from.
    seat : int
        Where it sat in training.
    """

    method: str
    run: str
    size: str
    seat: int


@dataclass(frozen=True)
class Cell:
    """One figure of a table.

    Attributes
    ----------
    table : {"cross-play", "self-play", "partner"}
    pair : str
        Sizes, or size and partner.
    metric : str
    method : str
        A method, or "srpo - ippo" for a paired difference.
    runs, questions : int
    estimate : Estimate
    """

    table: str
    pair: str
    metric: str
    method: str
    runs: int
    questions: int
    estimate: Estimate

    def row(self) -> dict[str, Any]:
        """Return a plain record."""
        return {
            "table": self.table, "pair": self.pair, "metric": self.metric, "method": self.method,
            "value": self.estimate.value, "low": self.estimate.low, "high": self.estimate.high,
            "runs": self.runs, "questions": self.questions,
        }  # fmt: skip


def joint_scores(outcomes: Sequence[Sequence[Outcome]], *, own_runs: bool) -> Array:
    """Return who was jointly right, (R, R, N), with NaN for the pairs that do not count.

    Parameters
    ----------
    outcomes : R x R Outcome
        Row run in seat 0, column run in seat 1.
    own_runs : bool
        Whether to keep the pairs of one run (training performance) rather than the others.
    """
    scores = np.array(
        [[o.correct[-1].all(axis=0).astype(float) for o in line] for line in outcomes]
    )
    same = np.eye(len(outcomes), dtype=bool)
    scores[~same if own_runs else same] = np.nan
    return scores


def cross_play_cells(
    scores: Mapping[tuple[str, str], Array], *, table: str, metric: str = "joint", seed: int = 0
) -> Iterator[Cell]:
    """Yield the figures of a table from scores by (method, pair), and SRPO minus IPPO."""
    pairs = sorted({pair for _, pair in scores})
    for pair in pairs:
        methods = {m: s for (m, p), s in scores.items() if p == pair}
        for method, score in methods.items():
            if np.isfinite(score).any():
                found = over_runs_and_questions({method: score}, _the_only, seed=seed)
                yield Cell(table, pair, metric, method, len(score), score.shape[-1], found)
        if {"srpo", "ippo"} <= set(methods) and all(
            np.isfinite(methods[m]).any() for m in ("srpo", "ippo")
        ):
            both = {m: methods[m] for m in ("srpo", "ippo")}
            found = over_runs_and_questions(
                both, lambda means: means["srpo"] - means["ippo"], seed=seed
            )
            fewest = min(len(s) for s in both.values())
            n = both["srpo"].shape[-1]
            yield Cell(table, pair, metric, "srpo - ippo", fewest, n, found)


def _the_only(means: dict[str, float]) -> float:
    """Return the one value of a mapping."""
    (value,) = means.values()
    return value


def partner_scores(outcomes: Mapping[Entrant, Outcome]) -> dict[tuple[str, str], Array]:
    """Return own accuracy after a debate with one fixed partner, (R, 1, N) by (method, size).

    Two agents of one size in a run were trained together and are one draw: their mean counts.
    """
    grouped: dict[tuple[str, str], dict[str, list[Array]]] = {}
    for entrant, found in outcomes.items():
        own = found.correct[-1, 0].astype(float)
        runs = grouped.setdefault((entrant.method, entrant.size), {})
        runs.setdefault(entrant.run, []).append(own)
    return {
        key: np.array([np.mean(agents, axis=0) for agents in runs.values()])[:, None, :]
        for key, runs in grouped.items()
    }


def metric_rows(
    entrants: Sequence[Entrant], outcomes: Mapping[Entrant, Outcome], partner: str
) -> Iterator[dict[str, Any]]:
    """Yield every metric of each agent beside a partner, one plain record each."""
    for entrant in entrants:
        metrics = outcomes[entrant].metrics()
        for name in METRICS:
            yield {
                "method": entrant.method, "run": f"{entrant.run}/{entrant.seat}",
                "size": entrant.size,
                "partner": partner, "metric": name, "value": metrics[name],
            }  # fmt: skip


def rolling(values: Array, width: int) -> Array:
    """Return the mean of each value and the ``width - 1`` before it, fewer at the start.

    Examples
    --------
    >>> import numpy as np
    >>> from marl.debate.tables import rolling
    >>> rolling(np.array([1.0, 3.0, 5.0]), 2).tolist()
    [1.0, 2.0, 4.0]
    """
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    means: Array = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def training_row(run: str, method: str, metrics: Mapping[str, Array]) -> dict[str, Any]:
    """Return how the agents' accuracy after debate went in training, the mean of both.

    ``start`` and ``end`` are means of five updates, ``lowest`` is the least of any five in a row:
    with SRPO, what the adversaries take away; with IPPO, what chance does. ``gain`` is right after
    minus right before the same debates, in the second half of the updates, and ``gain_error`` its
    standard error over updates: with SRPO the adversary sits opposite, with IPPO the partner.
    ``adversary_kl`` is the divergence of the adversaries from the partners at the end, in nats per
    token.
    """
    both = (metrics["agent_0_last"] + metrics["agent_1_last"]) / 2.0
    first = (metrics["agent_0_first"] + metrics["agent_1_first"]) / 2.0
    gains = (both - first)[len(both) // 2 :]
    means = rolling(both, 5)
    kl = [metrics[k] for k in ("adversary_0_kl", "adversary_1_kl") if k in metrics]
    return {
        "method": method, "run": run, "updates": len(both), "start": float(both[:5].mean()),
        "lowest": float(means[min(4, len(means) - 1) :].min()), "end": float(means[-1]),
        "gain": float(gains.mean()),
        "gain_error": float(gains.std(ddof=1) / len(gains) ** 0.5) if len(gains) > 1 else np.nan,
        "adversary_kl": float(np.mean([k[-5:].mean() for k in kl])) if kl else float("nan"),
    }  # fmt: skip


def training_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return `training_row`s as a table for people, Markdown."""
    lines = [
        "| run | updates | right at the start | lowest | fall | end | debate's gain "
        "| adversary's KL |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['run']} | {row['updates']} | {row['start']:.3f} | {row['lowest']:.3f} | "
            f"{row['start'] - row['lowest']:.3f} | {row['end']:.3f} | "
            f"{row['gain']:+.3f} ± {row['gain_error']:.3f} | {row['adversary_kl']:.3f} |"
        )
    return "\n".join([*lines, *misled(rows)])


def misled(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line that says whether adversaries mislead: the methods' gains by debate compared.

    Each method's gain is the mean of its runs'; the error is the standard error over runs, or from
    the runs' own errors where a method has fewer than three.
    """
    gains = {m: [r for r in rows if r["method"] == m] for m in ("srpo", "ippo")}
    if not all(gains.values()):
        return []
    value = {m: np.mean([r["gain"] for r in found]) for m, found in gains.items()}
    square = 0.0
    for found in gains.values():
        n = len(found)
        spread = np.var([r["gain"] for r in found], ddof=1) if n > 2 else None
        own = np.mean([r["gain_error"] ** 2 for r in found])
        square += float(own if spread is None else spread) / n
    return [
        "",
        f"Debate's gain in training, srpo - ippo: {value['srpo'] - value['ippo']:+.3f} ± "
        f"{square**0.5:.3f} (below zero: adversaries mislead).",
    ]


def text_table(cells: Iterable[Cell]) -> str:
    """Return the figures as a table for people, Markdown."""
    lines = [
        "| table | pair | metric | method | value [95 %] | runs | questions |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for cell in cells:
        e = cell.estimate
        lines.append(
            f"| {cell.table} | {cell.pair} | {cell.metric} | {cell.method} | "
            f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}] | {cell.runs} | {cell.questions} |"
        )
    return "\n".join(lines)
