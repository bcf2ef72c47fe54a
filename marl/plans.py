"""What a benchmark trains: its methods with their settings, steps, teams, ablations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from marl.algorithms import ALGORITHMS, Algorithm, algo_config, make_algo
from marl.config import RunConfig
from marl.envs.base import check_name, check_whole
from marl.presets import preset
from marl.presets import settings as those_of

__all__ = ["ABLATIONS", "BENCHMARKS", "SIZES", "Plan", "benchmark_plan"]

_TOGETHER = 5  # teams in a run, at most

# Found on Hanabi with two players, with IPPO alone (docs/marl/benchmark.md).
_HANABI: dict[str, Any] = {
    "n_envs": 64,
    "n_steps": 32,
    "epochs": 2,
    "minibatches": 4,
    "hidden": (64, 64),
    "lr": 1e-3,
    "critic_lr": 1e-3,
    "eps": 5e-3,
    "schedules": {
        "lr": {"lr_start": 2e-3, "lr": 3e-4, "critic_lr": 3e-4},
        "eps": {"eps_start": 2e-2, "eps": 1e-3},
    },
}

BENCHMARKS: dict[str, tuple[str, dict[str, Any]]] = {
    "kitchen": ("kitchen", {}),
    "tag": ("tag", {}),
    "hanabi2": ("hanabi", {"players": 2}),
    "hanabi4": ("hanabi", {"players": 4}),
}
"""Name of a benchmark -> environment and its options."""

SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "quick": {
        "kitchen": {"steps": 3e5, "seeds": 5},
        "tag": {"steps": 3e5, "seeds": 5, "n_envs": 16, "hidden": (64, 64)},
        "hanabi2": {"steps": 4e5, "seeds": 5, **_HANABI},
        "hanabi4": {"steps": 4e5, "seeds": 5, **_HANABI},
    },
    "default": {
        "kitchen": {"steps": 2e6, "seeds": 10},
        "tag": {"steps": 3e6, "seeds": 10, "n_envs": 16, "hidden": (64, 64)},
        "hanabi2": {"steps": 2.4e6, "seeds": 5, **_HANABI},
        "hanabi4": {"steps": 2.4e6, "seeds": 5, **_HANABI},
    },
    "paper": {
        "kitchen": {"steps": 2e6, "seeds": 30},
        "tag": {"steps": 3e7, "seeds": 30},
        "hanabi2": {"steps": 3e7, "seeds": 10},
        "hanabi4": {"steps": 3e7, "seeds": 10, "hidden": (256, 256)},
    },
}
"""Size -> benchmark -> environment steps and teams of each method, and settings of them all.

A schedule lasts the whole run, and replaces settings of the methods that have all of its names;
it gives way to a setting of the user's of any of them.
"""

ABLATIONS = ("tau", "eps")
_TAUS = (0.01, 0.1, 1.0, 10.0, 100.0)
_EPSILONS = (0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a benchmark trains; `benchmark_plan` makes it.

    Attributes
    ----------
    name : str
        Key of `BENCHMARKS`.
    methods : dict of str to Algorithm
        Who is compared; the first is the baseline.
    steps : float
        Environment steps of each team, all tables and phases counted.
    seeds : int
        Teams of each method.
    runners : int
        Runners that are trained first, for tag: chasers learn against the first and are tested
        against the second too.
    trainer : Algorithm
        How these runners and chasers of their own learn: IPPO, whatever `methods` are given
        for themselves, so that tuning a method leaves the runners as they are.
    sweeps : dict of str to tuple of (str, float, Algorithm)
        Per ablation: series, value of the parameter, who learns.
    """

    name: str
    methods: dict[str, Algorithm]
    steps: float
    seeds: int
    runners: int
    trainer: Algorithm
    sweeps: dict[str, tuple[tuple[str, float, Algorithm], ...]]

    def batches(self, name: str, runs: Path) -> dict[Path, tuple[int, int]]:
        """One method's runs below `runs`: path -> first seed and teams; those there stay."""
        found, first = {}, 0
        while first < self.seeds:
            run, teams = runs / f"{name}-{first}", min(_TOGETHER, self.seeds - first)
            if (run / "config.json").exists():  # perhaps of fewer, when fewer were asked for
                teams = max(1, min(teams, RunConfig.load(run / "config.json").seeds))
            found[run] = first, teams
            first += teams
        return found


def benchmark_plan(
    name: str,
    *,
    methods: Sequence[str] | None = None,
    seeds: int | None = None,
    steps: float | None = None,
    size: str = "default",
    ablations: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    variants: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> Plan:
    """Return what a benchmark of that name and size trains.

    Parameters
    ----------
    name : {"kitchen", "tag", "hanabi2", "hanabi4"}
        Where.
    methods : sequence of str, optional
        Names of algorithms, the baseline first; all of them by default, IPPO first.
    seeds, steps : int and float, optional
        Teams of each method, and environment steps of each team, if not those of the size.
    size : {"default", "quick", "paper"}
        See `SIZES`.
    ablations : sequence of {"tau", "eps"}
        SRPO over tau for both directions of the KL; IPPO and SRPO over the entropy bonus.
    settings : mapping of str to object, optional
        Settings of all methods that have them; ``"srpo.eps"`` is that of one method alone.
    variants : sequence of (str, mapping of str to object), optional
        Further methods: an algorithm's name and what differs from its settings above.

    Raises
    ------
    ValueError
        If a name is unknown (the nearest is named), or a setting out of its range.

    Examples
    --------
    >>> plan = benchmark_plan("kitchen", methods=["ippo", "srpo"], size="quick")
    >>> plan.seeds, plan.methods["srpo"].tau
    (5, 10.0)
    >>> plan = benchmark_plan("kitchen", methods=["ippo"], variants=[("srpo", {"tau": 1.0})])
    >>> list(plan.methods)
    ['ippo', 'srpo-tau-1.0']
    """
    check_name("benchmark", name, BENCHMARKS)
    check_name("size", size, SIZES)
    names = list(dict.fromkeys(methods or ALGORITHMS))
    for method in (*names, *(kind for kind, _ in variants)):
        check_name("method", method, ALGORITHMS)
    for ablation in ablations:
        check_name("ablation", ablation, dict.fromkeys(ABLATIONS))
    chosen = dict(SIZES[size][name])
    steps = chosen["steps"] if steps is None else steps
    seeds = chosen["seeds"] if seeds is None else seeds
    _check_size(seeds, steps)
    common, own = _by_method(settings or {}, names)
    learners = {*names, *(kind for kind, _ in variants), *(["ippo"] if name == "tag" else [])}
    _check_taken(common, learners)

    def algo(method: str, **more: Any) -> Algorithm:
        base = algo_config(preset(BENCHMARKS[name][0], method).algo)
        fields = _sized(ALGORITHMS[method], chosen, steps, {*common, *more})
        return make_algo(**(base | those_of(ALGORITHMS[method], fields | common) | more))

    return Plan(
        name=name,
        methods=_compared(names, own, variants, algo),
        steps=steps,
        seeds=seeds,
        runners=2 if name == "tag" else 0,
        trainer=algo("ippo", share_policies=False),
        sweeps={ablation: tuple(_sweep_cells(ablation, algo)) for ablation in ablations},
    )


def _check_size(seeds: Any, steps: Any) -> None:
    """Refuse numbers that no run can have."""
    check_whole("seeds", seeds, 1)
    if not (isinstance(steps, Real) and 0 < float(steps) < math.inf):
        raise ValueError(f"steps must be a positive, finite number; got {steps!r}")


def _check_taken(common: Mapping[str, Any], learners: Iterable[str]) -> None:
    """Refuse a setting of all methods that none of them would take, such as a misspelt one."""
    kinds = [ALGORITHMS[name] for name in learners]
    known: dict[str, Any] = {}
    for kind in kinds:
        known |= those_of(kind, {f.name: f.default for f in dataclasses.fields(kind)})
    for name in common:
        check_name("setting of the methods that are compared,", name, known)


def _sized(
    kind: type[Algorithm], chosen: Mapping[str, Any], steps: float, given: set[str]
) -> dict[str, Any]:
    """A size's settings of a method, with those schedules that leave alone what is `given`."""
    fields = {name: chosen[name] for name in chosen if name not in ("steps", "seeds", "schedules")}
    for name, schedule in chosen.get("schedules", {}).items():
        schedule = {**schedule, f"{name}_warmup": int(steps)}
        if not given & schedule.keys() and those_of(kind, schedule).keys() == schedule.keys():
            fields |= schedule
    return fields


def _by_method(
    settings: Mapping[str, Any], methods: Sequence[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Settings of all, and those that are for one method alone ("srpo.eps")."""
    common: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {method: {} for method in methods}
    for name, value in settings.items():
        method, dot, field = name.rpartition(".")
        if dot:
            check_name(f"method, of those that are compared, in {name!r}", method, own)
        (own[method] if dot else common)[field] = value
    return common, own


def _compared(
    names: Sequence[str],
    own: Mapping[str, Mapping[str, Any]],
    variants: Sequence[tuple[str, Mapping[str, Any]]],
    algo: Any,
) -> dict[str, Algorithm]:
    """Who is compared: methods, then their variants, which are called by what they change."""
    found = {method: algo(method, **own[method]) for method in names}
    for kind, changes in variants:
        parts = (
            (x if isinstance(x, tuple | list) else (x,), field) for field, x in changes.items()
        )
        label = "-".join((kind, *(f"{field}-{'x'.join(map(str, x))}" for x, field in parts)))
        found[label] = algo(kind, **{**own.get(kind, {}), **changes})
    return found


def _sweep_cells(ablation: str, algo: Any) -> Iterable[tuple[str, float, Algorithm]]:
    """Series, value, algorithm of one ablation."""
    if ablation == "tau":
        for penalty in ("reverse_kl", "kl"):
            for tau in _TAUS:
                yield penalty, tau, algo("srpo", tau=tau, penalty=penalty)
        return
    for method in ("ippo", "srpo"):
        for eps in _EPSILONS:
            yield method, eps, algo(method, eps=eps)
