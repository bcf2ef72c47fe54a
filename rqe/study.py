"""A study of published choices: how well RQE, QRE and Nash with noise explain and predict them.

`run` does what the command ``rqe study`` prints: pooled fits, prediction of games left out, fits
game by game beside the parameters published with arXiv 2406.14156, tests, and what all of it is
evidence for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import datasets
from rqe.estimation import Fit, LeaveOneOut, fit, likelihood_ratio, vuong
from rqe.estimation._report import number
from rqe.report import paragraph, table

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from matplotlib.figure import Figure

    from rqe.datasets import Dataset

__all__ = ["Study", "run"]

# name: options of `fit`; the first three are compared game by game
MODELS: dict[str, dict[str, Any]] = {
    "Nash + noise": {"model": "nash+noise"},
    "QRE": {"model": "qre"},
    "RQE": {},
    "QRE, per role": {"model": "qre", "shared": False},
    "RQE, per role": {"shared": False},
    "RQE, log barrier": {"regularizer": "log_barrier"},
    "RQE, reverse KL": {"penalty": "reverse_kl"},
}
_MAIN = ("Nash + noise", "QRE", "RQE")


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Fits and predictions for one data set.

    Attributes
    ----------
    data : Dataset
    pooled : dict from model to Fit
        Fits to all games at once.
    left_out : dict from model to LeaveOneOut
        Each game predicted from the others; empty for a single game.
    single : dict from model to tuple of Fit
        Fits of QRE and RQE game by game.
    """

    data: Dataset
    pooled: dict[str, Fit]
    left_out: dict[str, LeaveOneOut]
    single: dict[str, tuple[Fit, ...]]

    def models(self) -> Iterator[dict[str, Any]]:
        """Yield one record per model fitted to all games."""
        for name, found in self.pooled.items():
            errors = "cluster" if len(self.data.games) > 1 else "observed"
            out = self.left_out.get(name)
            yield {
                "model": name,
                "parameters": found.n_parameters,
                "estimates": _estimates(found, errors),
                "log_likelihood": found.log_likelihood,
                "aic": found.aic,
                "explained": found.share_explained,
                "left_out": None if out is None else out.log_likelihood,
                "explained_left_out": None if out is None else _share(found, out.log_likelihood),
            }

    def games(self) -> Iterator[dict[str, Any]]:
        """Yield one record per game and role: observed, predicted, estimates, published."""
        for g, label in enumerate(self.data.game_names):
            for i in range(self.data.games[g].n_players):
                observed = float(self.data.frequencies[g][i][0])
                record: dict[str, Any] = {"game": label, "role": i + 1, "observed": observed}
                for name in _MAIN:
                    if name in self.left_out:
                        record[f"{name}, left out"] = float(self.left_out[name].strategies[g][i][0])
                    else:
                        record[name] = float(self.pooled[name].strategies[g][i][0])
                for name, fits in self.single.items():
                    for parameter, value in fits[g].estimates.items():
                        record[f"{name}, this game: {parameter}"] = value
                yield record | self._published(g, i)

    def _published(self, g: int, i: int) -> dict[str, Any]:
        """Return the published parameters of one role, and what they predict for it."""
        found: dict[str, Any] = {}
        for (penalty, regularizer), (parameters, strategies) in self.published[g].items():
            head = f"published ({penalty}, {regularizer})"
            found |= {
                f"{head}: tau": parameters.tau[i],
                f"{head}: eps": parameters.eps[i],
                f"{head}: predicted": float(strategies[i][0]),
            }
        return found

    @cached_property
    def published(self) -> list[dict[tuple[str, str], tuple[Any, tuple[Any, ...]]]]:
        """For each game and pair, the published parameters and the exact RQE there."""
        from rqe.games import catalog
        from rqe.solve import solve

        rows = []
        for label, game in zip(self.data.game_names, self.data.games, strict=True):
            row = {}
            for given in catalog.known(label).fits:
                found = solve(
                    game, given.tau, given.eps,
                    penalty=given.penalty, regularizer=given.regularizer,
                )  # fmt: skip
                row[given.penalty, given.regularizer] = (given, found.strategies)
            rows.append(row)
        return rows

    def summary(self) -> str:
        """Return the study as text."""
        data = self.data
        lines = [data.title, f"{data.source}.", "", *_pooled_table(self)]
        if len(data.games) > 1:
            lines += ["", *_left_out_table(self)]
        lines += ["", *_single_table(self), "", *evidence(self)]
        return "\n".join(lines)

    def figure(self) -> Figure:
        """Return a figure: observed frequencies against what the three main models predict.

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``rqe[plot]``).
        """
        from rqe.plot import plot_observed

        axes = plot_observed([self.pooled[name] for name in _MAIN], layout="rows")
        drawing: Any = axes.get_figure()
        drawing.set_layout_engine("constrained")
        figure: Figure = drawing
        return figure


def run(name: str, *, executor: Executor | None = None) -> Study:
    """Return the study of a data set.

    Parameters
    ----------
    name : str
        One of ``rqe.datasets.names()`` whose numbers of choices are known.
    executor : concurrent.futures.Executor, optional
        Where the fits without one game are computed.

    Raises
    ------
    ValueError
        If there is no data set of this name, or its numbers of choices are not known.
    """
    data = datasets.load(name)
    if data.n is None:
        raise ValueError(f"{name!r} cannot be fitted: {data.about}")
    pooled = {
        label: fit(data.games, data.frequencies, n=data.n, **options)
        for label, options in MODELS.items()
    }
    left_out = {}
    if len(data.games) > 1:
        left_out = {
            label: found.leave_one_out(executor=executor) for label, found in pooled.items()
        }
    single = {
        label: tuple(
            fit(game, rows, n=n, **MODELS[label])
            for game, rows, n in zip(data.games, data.frequencies, data.n, strict=True)
        )
        for label in ("QRE", "RQE")
    }
    return Study(data, pooled, left_out, single)


def _share(found: Fit, log_likelihood: float) -> float:
    """Return where a log-likelihood lies between random play (0) and the frequencies (1)."""
    span = found.saturated_log_likelihood - found.random_log_likelihood
    return (log_likelihood - found.random_log_likelihood) / span


def _estimates(found: Fit, errors: str) -> str:
    """Return estimates with standard errors in brackets."""
    spread = found.standard_errors(errors)
    parts = []
    for name, value in found.estimates.items():
        error = number(spread[name], 2)
        parts.append(f"{name} {number(value, 3)}" + (f" ({error})" if error else ""))
    return ", ".join(parts)


def _pooled_table(study: Study) -> list[str]:
    """Return the table of models fitted to all games."""
    several = len(study.data.games) > 1
    header = ["model", "k", "log-likelihood", "AIC", "explained"]
    header += ["left out", "explained (out)"] if several else []
    rows = []
    for row in study.models():
        cells = [
            row["model"], str(row["parameters"]), f"{row['log_likelihood']:.2f}",
            f"{row['aic']:.1f}", f"{row['explained']:.4f}",
        ]  # fmt: skip
        if several:
            cells += [f"{row['left_out']:.2f}", f"{row['explained_left_out']:.4f}"]
        rows.append([*cells, row["estimates"]])
    kind = "clustered by game" if several else "from the observed information"
    return [
        f"All games at once; standard errors {kind} in brackets:",
        *table([*header, "estimates"], rows, (0, len(header))),
        paragraph("explained", "0 is random play, 1 the observed frequencies themselves"),
    ]


def _left_out_table(study: Study) -> list[str]:
    """Return observed frequencies beside predictions for games that the fit has not seen."""
    header = ["game", "observed", *(f"{name}" for name in _MAIN), "closest"]
    rows = []
    for g, label in enumerate(study.data.game_names):
        observed = study.data.frequencies[g]
        best = max(_MAIN, key=lambda name, g=g: study.left_out[name].log_likelihoods[g])  # type: ignore[misc]
        rows.append(
            [label, _pair(observed)]
            + [_pair(study.left_out[name].strategies[g]) for name in _MAIN]
            + [best]
        )
    return [
        "Each game predicted from the other games: probability of each role's first action",
        *table(header, rows, (0, len(header) - 1)),
    ]


def _pair(strategies: Sequence[Any]) -> str:
    """Return the probabilities of every role's first action."""
    return " ".join(f"{float(x[0]):.3f}" for x in strategies)


def _single_table(study: Study) -> list[str]:
    """Return estimates game by game beside the published ones."""
    rows = []
    published = any(study.published)
    for g, label in enumerate(study.data.game_names):
        qre, rqe = (study.single[name][g] for name in ("QRE", "RQE"))
        row = [
            label, number(float(qre.lam[0]), 3), number(float(rqe.tau[0]), 3),
            number(float(rqe.eps[0]), 3), f"{_error(study, g, qre):.3f}",
            f"{_error(study, g, rqe):.3f}",
        ]  # fmt: skip
        if published:
            given, found = study.published[g]["kl", "log_barrier"]
            row += [_list(given.tau), _list(given.eps)]
            row += [f"{_distance(found, study.data.frequencies[g]):.3f}"]
        rows.append(row)
    header = ["game", "QRE lam", "RQE tau", "RQE eps", "QRE error", "RQE error"]
    lines = ["Game by game; error: largest distance from an observed frequency"]
    if published:
        header += ["published tau", "published eps", "error"]
        lines.append("published: (KL, log barrier), arXiv 2406.14156, one tau and eps per role")
    return [*lines, *table(header, rows, (0,))]


def _list(values: Sequence[float]) -> str:
    """Return numbers separated by a space."""
    return " ".join(f"{value:g}" for value in values)


def _error(study: Study, g: int, found: Fit) -> float:
    """Return how far a fit to game g alone is from its frequencies."""
    return _distance(found.strategies[0], study.data.frequencies[g])


def _distance(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Return the largest difference of two profiles."""
    return max(float(np.abs(x - y).max()) for x, y in zip(first, second, strict=True))


def evidence(study: Study) -> list[str]:
    """Return what the numbers are evidence for and what not, in paragraphs."""
    qre, rqe = study.pooled["QRE"], study.pooled["RQE"]
    told = ["What is evidence, and what is not"]
    frequencies = rqe.data.n_frequencies
    games = len(study.data.games)
    flagged = sum(bool(found.boundary) for found in study.single["RQE"])
    told.append(
        f"- Game by game, RQE has 2 parameters for {frequencies // games} frequencies"
        + (", and the published fits have 4: they" if any(study.published) else ": it")
        + " can reach almost any frequencies, so that a small error is no evidence. "
        + f"{flagged} of the {games} RQE fits to single games end at the boundary of their range."
    )
    if games == 1:
        told.append(
            "- One game cannot tell the models apart by prediction: that takes several games, each "
            "left out in turn."
        )
        return [line for text in told for line in _wrapped(text)]
    ratio = likelihood_ratio(qre, rqe)
    by_game, noise = (
        vuong(rqe, study.pooled[name], by_game=True) for name in ("QRE", "Nash + noise")
    )
    told += [
        f"- Pooled, {rqe.n_parameters} parameters meet {frequencies} frequencies. The likelihood "
        f"ratio of RQE to QRE (tau = 0) is {ratio.statistic:.1f} with {ratio.df} degree of "
        f"freedom, {_chance(ratio.p_value)}; but it takes {rqe.data.n_choices:g} choices as "
        "independent, and they were made by the same people over and over.",
        "- Taking games as the independent units (Vuong's test, Student's t with "
        f"{games - 1} degrees of freedom): RQE against QRE t = {by_game.statistic:.2f}, "
        f"p = {by_game.p_value:.3f}; RQE against Nash with noise t = {noise.statistic:.2f}, "
        f"p = {noise.p_value:.3f}.",
        _prediction(study),
    ]
    return [line for text in told for line in _wrapped(text)]


def _chance(p_value: float) -> str:
    """Return a p-value in words."""
    return f"p = {p_value:.2g}" if p_value > 1e-99 else "p < 1e-99"


def _prediction(study: Study) -> str:
    """Return what prediction of games left out says."""
    rqe, games = study.left_out["RQE"], len(study.data.games)
    better = {
        name: int((rqe.log_likelihoods > study.left_out[name].log_likelihoods).sum())
        for name in ("QRE", "Nash + noise")
    }
    best = max(study.left_out, key=lambda name: study.left_out[name].log_likelihood)
    return (
        f"- Out of sample, RQE predicts {better['QRE']} of {games} games better than QRE and "
        f"{better['Nash + noise']} better than Nash with noise; the best of all the models above "
        f"is {best}. These are games of one kind, by one laboratory: what is predicted is another "
        "such game, not people in general."
    )


def _wrapped(text: str) -> list[str]:
    """Return a paragraph in lines."""
    import textwrap

    return textwrap.wrap(text, 92, subsequent_indent="  " if text.startswith("-") else "")
