"""Figure 2 of arXiv 2602.21515 with its ablations, from nothing: the kitchen.

IPPO and SRPO with equal interactions; the threshold in tau for both directions of the KL; IPPO with
more and less entropy. Every run is kept, so that an interrupted reproduction goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marl.measures import Method, compare, rows, summarize
from marl.results import Results

if TYPE_CHECKING:
    from marl.algorithms.config import Algorithm
    from marl.crossplay import CrossPlay

__all__ = ["PARTS", "Claim", "Plan", "claims", "plan", "reproduce_kitchen"]

PARTS = ("main", "tau", "entropy")

_EPISODES, _STEPS = 64, 128  # how the figures of this experiment are quoted
_TOGETHER = 10  # teams in one run: more do not train faster on a processor


@dataclass(frozen=True)
class Cell:
    """One setting: teams of one method, and where the sweeps show them."""

    name: str
    algo: Algorithm
    teams: int


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Attributes
    ----------
    steps : float
        Environment steps of every team.
    main : tuple of Cell
        The comparison: IPPO, SRPO.
    tau, entropy : tuple of (str, float, Cell)
        The ablations: series, value of the parameter, and the teams.
    full : bool
        Whether the issue's marks on returns apply: they are meant for 2e6 steps.
    """

    steps: float
    main: tuple[Cell, ...]
    tau: tuple[tuple[str, float, Cell], ...]
    entropy: tuple[tuple[str, float, Cell], ...]
    full: bool

    def runs(self, part: str) -> dict[str, Cell]:
        """Runs of one part, at most ten teams each: folder's name -> first seed and teams."""
        cells = self.main if part == "main" else [cell for _, _, cell in getattr(self, part)]
        found: dict[str, Cell] = {}
        batches = max(-(-cell.teams // _TOGETHER) for cell in cells)
        for k in range(batches):  # all methods advance together
            for cell in cells:
                left = cell.teams - k * _TOGETHER
                if left > 0:
                    folder = f"{cell.name}-{k * _TOGETHER}"
                    found[folder] = replace(cell, teams=min(left, _TOGETHER))
        return found


@dataclass(frozen=True)
class Claim:
    """A statement, what was found, and whether it holds.

    Attributes
    ----------
    text, found : str
        For people.
    holds : bool
        On the estimates; intervals are in the tables.
    goal : bool
        Whether it is one that the reproduction is judged by; others are reported as they are.
    """

    text: str
    found: str
    holds: bool
    goal: bool


def plan(*, quick: bool = False) -> Plan:
    """Return the whole experiment, or one of minutes that shows the same with fewer teams.

    Examples
    --------
    >>> whole = plan()
    >>> [cell.teams for cell in whole.main], len(whole.tau), len(whole.entropy)
    ([30, 30], 12, 4)
    """
    from marl.algorithms import IPPO, SRPO

    many, some = (6, 6) if quick else (30, 10)
    ippo = Cell("ippo", IPPO(), many)
    srpo = Cell("srpo", SRPO(tau=10.0, eps=0.1, penalty="reverse_kl"), many)
    penalties = ("reverse_kl",) if quick else ("reverse_kl", "kl")
    taus = (1.0,) if quick else (0.01, 0.1, 1.0, 10.0, 100.0)
    tau: list[tuple[str, float, Cell]] = []
    for penalty in penalties:
        tau.append((penalty, 0.0, ippo))
        for value in taus:
            algo = SRPO(tau=value, eps=0.1, penalty=penalty)
            cell = Cell(f"srpo-{penalty}-tau-{value:g}", algo, some)
            tau.append((penalty, value, srpo if algo == srpo.algo else cell))
        if quick:
            tau.append((penalty, 10.0, srpo))
    values = (0.01, 0.1) if quick else (0.01, 0.03, 0.1, 0.3)
    entropy = tuple(
        ("ippo", e, ippo if e == 0.1 else Cell(f"ippo-eps-{e:g}", IPPO(eps=e), some))
        for e in values
    )
    return Plan(1e6 if quick else 2e6, (ippo, srpo), tuple(tau), entropy, not quick)


def reproduce_kitchen(
    out: str | Path,
    *,
    quick: bool = False,
    parts: Sequence[str] = PARTS,
    executor: Executor | None = None,
    progress: bool = False,
    notes: Mapping[str, str] | None = None,
) -> Results:
    """Train what is missing, play, and write the report.

    Parameters
    ----------
    out : str or Path
        Folder of everything: ``runs/`` and ``report/``.
    quick : bool
        Fewer teams, steps and settings.
    parts : sequence of {"main", "tau", "entropy"}
        What to do; ablations take in the main comparison.
    executor : concurrent.futures.Executor, optional
        Runs are independent tasks; by default one after the other.
    progress : bool
        Report on standard error.
    notes : mapping of str to str, optional
        What the report should tell beside versions, machine and date.

    Returns
    -------
    Results
        What the report shows. `claims` judges it.
    """
    from marl.report import write_report
    from marl.teams import play_all

    for part in parts:
        if part not in PARTS:
            raise ValueError(f"parts: must be among {', '.join(PARTS)}; got {part!r}")
    whole, folder = plan(quick=quick), Path(out)
    _train(whole, "main", folder, executor, progress)
    options: dict[str, Any] = {"episodes": _EPISODES, "steps": _STEPS, "progress": progress}
    results = play_all(_folders(whole, "main", folder), notes=notes, **options)
    results.save(folder / "report")
    write_report(folder / "report")
    for part in ("tau", "entropy"):
        if part not in parts:
            continue
        _train(whole, part, folder, executor, progress)
        results.sweeps.append(_sweep(whole, part, folder, results.cross))
        results.save(folder / "report")
        write_report(folder / "report")
    return results


def claims(results: Results, *, full: bool = True) -> list[Claim]:
    """Judge what the issue asks and what the paper says by the figures.

    Parameters
    ----------
    results : Results
        Of `reproduce_kitchen`; groups ``ippo`` and ``srpo``.
    full : bool
        Judge returns too, not only roles: they need 2e6 steps.
    """
    methods = {method.name: method for method in summarize(results.cross)}
    if set(methods) != {"ippo", "srpo"}:
        raise ValueError(f"results: need the groups ippo and srpo, got {', '.join(methods)}")
    ippo, srpo = methods["ippo"], methods["srpo"]
    ratio = compare(results.cross, "srpo", "ippo")
    found = [*_role_claims(ippo, srpo)]
    if full:
        found += [
            _claim("SRPO's TP at least 1.12 times IPPO's", ratio.training, 1.12),
            _claim("SRPO's CP at least 1.8 times IPPO's", ratio.crossing, 1.8),
        ]
    found += _partner_claims(ippo, srpo)
    for sweep in results.sweeps:
        found += _tau_claims(sweep) if sweep["parameter"] == "tau" else _entropy_claims(sweep)
    return found


def _role_claims(ippo: Method, srpo: Method) -> list[Claim]:
    """Who free-rides, and who crosses."""
    assert ippo.riders is not None
    assert srpo.riders is not None
    many, few = ippo.riders.count / ippo.teams, srpo.riders.count / srpo.teams
    return [
        Claim("IPPO free-rides in at least 9 of 10 teams", str(ippo.riders), many >= 0.9, True),
        Claim("SRPO free-rides in at most 1 of 10 teams", str(srpo.riders), few <= 0.1, True),
        Claim(
            "IPPO's gap is at least 30 %",
            f"{ippo.gap.scaled(100)} %",
            ippo.gap.value >= 0.3,
            True,
        ),
        Claim(
            "SRPO's gap is within 5 %",
            f"{srpo.gap.scaled(100)} %",
            abs(srpo.gap.value) <= 0.05,
            True,
        ),
    ]


def _claim(text: str, figure: Any, least: float) -> Claim:
    """A figure that should be at least so large."""
    return Claim(text, str(figure), bool(figure.value >= least), True)


def _partner_claims(ippo: Method, srpo: Method) -> list[Claim]:
    """What is left when the teammate is removed: reported as it is."""
    ippo_work, srpo_work = (method.beside["stay"].work for method in (ippo, srpo))
    assert ippo_work is not None
    assert srpo_work is not None
    (ippo_less, ippo_more), (srpo_less, srpo_more) = ippo_work, srpo_work
    return [
        Claim(
            "alone, SRPO's worse seat delivers more than IPPO's",
            f"{srpo_less} against {ippo_less}",
            srpo_less.value > ippo_less.value,
            False,
        ),
        Claim(
            "alone, SRPO's better seat delivers more than IPPO's",
            f"{srpo_more} against {ippo_more}",
            srpo_more.value > ippo_more.value,
            False,
        ),
    ]


def _tau_claims(sweep: Mapping[str, Any]) -> list[Claim]:
    """Whether there is a threshold in tau, for each direction of the KL."""
    found = []
    for series in dict.fromkeys(row["series"] for row in sweep["rows"]):
        line = [row for row in sweep["rows"] if row["series"] == series]
        shares = {row["tau"]: row["free_riding_teams"] / row["teams"] for row in line}
        free = [tau for tau in sorted(shares) if shares[tau] <= 0.1]
        holds = bool(free) and all(shares[tau] <= 0.1 for tau in shares if tau >= free[0])
        words = ", ".join(
            f"{row['tau']:g}: {row['free_riding_teams']} of {row['teams']}"
            + (f" ({row['idle_teams']} idle)" if row["idle_teams"] else "")
            for row in sorted(line, key=lambda row: row["tau"])
        )
        text = f"{series}: free-riding in at most 1 of 10 teams from some tau on"
        found.append(Claim(text, words, holds, series == "reverse_kl"))
    return found


def _entropy_claims(sweep: Mapping[str, Any]) -> list[Claim]:
    """Whether entropy alone makes teams share the work."""
    words, cured = [], False
    for row in sorted(sweep["rows"], key=lambda row: row["eps"]):
        sharing = row["teams"] - row["free_riding_teams"] - row["idle_teams"]
        words.append(f"{row['eps']:g}: {sharing} of {row['teams']}")
        cured = cured or sharing > 0.1 * row["teams"]
    text = "entropy alone is no cure: at most 1 of 10 IPPO teams shares the work"
    return [Claim(text, "teams that share it at eps " + ", ".join(words), not cured, True)]


def _train(whole: Plan, part: str, folder: Path, executor: Executor | None, progress: bool) -> None:
    """Make the runs of one part that are missing."""
    from marl.envs.base import make_env
    from marl.run import run_config, train_runs

    env = make_env("kitchen")
    configs = {}
    for name, cell in whole.runs(part).items():
        first = int(name.rpartition("-")[2])
        configs[str(folder / "runs" / name)] = run_config(
            env, cell.algo, steps=whole.steps, seeds=cell.teams, seed=first
        )
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for _ in train_runs(configs, executor=executor, progress=progress):
        pass


def _folders(whole: Plan, part: str, folder: Path) -> dict[str, list[Path]]:
    """Folders of the runs by cell."""
    found: dict[str, list[Path]] = {}
    for name in whole.runs(part):
        cell = name.rpartition("-")[0]
        found.setdefault(cell, []).append(folder / "runs" / name)
    return found


def _sweep(whole: Plan, part: str, folder: Path, main: CrossPlay) -> dict[str, Any]:
    """One ablation's table: every cell crossed with itself; cells of the main part are taken."""
    from marl.crossplay import cross_play
    from marl.teams import group, load_groups

    parameter, label, title = {
        "tau": ("tau", "strategic risk aversion τ (1/reward)", "Threshold in tau"),
        "entropy": ("eps", "entropy bonus ε (reward per nat)", "Entropy of IPPO"),
    }[part]
    known = {record["method"]: record for record in rows(summarize(main))}
    folders = _folders(whole, part, folder)
    table = []
    for series, value, cell in getattr(whole, part):
        if cell.name not in known:
            runs = load_groups({cell.name: folders[cell.name]})[cell.name]
            teams = group(cell.name, runs)
            cross = cross_play(runs[0].env, [teams], episodes=_EPISODES, steps=_STEPS, partners=())
            known[cell.name] = rows(summarize(cross))[0]
        table.append({"series": series, parameter: value, **known[cell.name]})
    clean = [{k: v.item() if isinstance(v, np.generic) else v for k, v in r.items()} for r in table]
    return {"parameter": parameter, "label": label, "title": title, "rows": clean}
