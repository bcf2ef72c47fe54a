"""Search for settings that collaborate best in the kitchen: ``python -m benchmarks.marl_search``.

Every setting trains a few teams for the same number of environment steps (all phases counted) and
is judged by exact values, not by samples: the sum of both returns of an episode as a share of the
team optimum, exact cross-play over all pairs of its teams, and how many teams free-ride (as
`marl.measures` counts them: an agent makes less than a tenth of the deliveries, if there are any).
Results go to a CSV file line by line; what is there already is not run again. ``--only NAME --key 1
--out FILE`` repeats one setting with fresh seeds.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import marl
from marl import exact
from marl.compile import use_cores
from marl.measures import free_riding

PARTS: dict[str, Any] = {"minibatches": 4}


def calmer(eps: float) -> dict[str, Any]:
    """Schedule of the entropy bonus: from 0.1 to `eps` over 1.5e6 steps."""
    return {"eps": eps, "eps_start": 0.1, "eps_warmup": 1_500_000}


def bolder(tau: float) -> dict[str, Any]:
    """Schedule of tau that ends risk-averse training: from 10 to `tau` over 1.5e6 steps."""
    return {"tau": tau, "tau_start": 10.0, "tau_warmup": 1_500_000}


#: Step size that falls to a sixth over the whole run.
SLOWER: dict[str, Any] = {"lr": 2e-4, "lr_start": 1.2e-3, "lr_warmup": 2_000_000}

#: Screened settings by name; every one differs from the defaults by what is listed.
SETTINGS: dict[str, marl.IPPO | marl.SRPO] = {
    "ippo": marl.IPPO(),
    "ippo, 4 parts": marl.IPPO(**PARTS),
    "srpo": marl.SRPO(),
    "normalised": marl.SRPO(normalise_advantages=True, eps=0.02),
    "normalised, 4 parts": marl.SRPO(normalise_advantages=True, eps=0.02, **PARTS),
    "normalised, 4 parts, eps 0.05": marl.SRPO(normalise_advantages=True, eps=0.05, **PARTS),
    "lr 1.5e-3": marl.SRPO(lr=1.5e-3),
    "adversary lr x 3": marl.SRPO(adversary_lr=1.8e-3),
    "risk weight 0.5": marl.SRPO(risk_weight=0.5),
    "tilted": marl.SRPO(adversary="tilted"),
    "kl, tilted, tau 1": marl.SRPO(penalty="kl", tau=1.0, adversary="tilted"),
    "10 epochs": marl.SRPO(epochs=10),
    "4 parts": marl.SRPO(**PARTS),
    "4 parts, eps to 0.01": marl.SRPO(**PARTS, **calmer(0.01)),
    "4 parts, tau to 1, eps to 0.01": marl.SRPO(**PARTS, **calmer(0.01), **bolder(1.0)),
    "4 parts, tau to 0.3": marl.SRPO(**PARTS, **bolder(0.3)),
    "4 parts, tau to 0.1": marl.SRPO(**PARTS, **bolder(0.1)),
    "4 parts, tau to 0.1, eps to 0.03": marl.SRPO(**PARTS, **bolder(0.1), **calmer(0.03)),
    "4 parts, lr 1.2e-3, tau to 0.1": marl.SRPO(lr=1.2e-3, **PARTS, **bolder(0.1)),
    "4 parts, lr 1.2e-3 to 2e-4, tau to 0.1": marl.SRPO(**PARTS, **SLOWER, **bolder(0.1)),
    "4 parts, lr 1.2e-3 to 2e-4, tau to 0.3": marl.SRPO(**PARTS, **SLOWER, **bolder(0.3)),
    "4 parts, 8 epochs, tau to 0.1": marl.SRPO(epochs=8, **PARTS, **bolder(0.1)),
    "4 parts, kl": marl.SRPO(penalty="kl", **PARTS),
    "4 parts, kl, tau 1": marl.SRPO(penalty="kl", tau=1.0, **PARTS),
    "4 parts, kl, tau 1, eps to 0.01": marl.SRPO(penalty="kl", tau=1.0, **PARTS, **calmer(0.01)),
    "4 parts, kl, tau to 0.1": marl.SRPO(penalty="kl", **PARTS, **bolder(0.1)),
}

COLUMNS = (
    "setting",
    "seeds",
    "steps",
    "cpu_seconds",
    "total",
    "total_sd",
    "share_of_optimum",
    "quarter_way",
    "half_way",
    "crossplay",
    "free_riding",
    "nash_conv",
)


@dataclasses.dataclass(frozen=True)
class Job:
    """Teams to train: how many, from which key, for how long."""

    seeds: int
    steps: float
    key: int


def trained(algo: Any, job: Job) -> tuple[list[Any], float]:
    """Actors of all teams after each quarter of the run, and CPU seconds without compiling."""
    trainer = marl.Trainer(marl.make_env("kitchen"), algo)
    updates = algo.total_updates(algo.round_steps(job.steps))
    piece = updates // 4
    init: Any = jax.jit(jax.vmap(trainer.init))
    advance: Any = jax.jit(jax.vmap(lambda state: trainer.advance(state, piece)[0]))
    state = init(jax.random.split(jax.random.key(job.key), job.seeds))
    run = advance.lower(state).compile()
    begin, actors = time.process_time(), []
    for _ in range(4):
        state = run(state)
        actors.append(jax.tree.map(np.asarray, state.params["actor"]))  # waits for it
    return actors, time.process_time() - begin


def mean_total(actors: Any) -> float:
    """Mean over teams of the sum of both exact returns."""
    totals = [exact.evaluate(team).total for team in exact.policy_table(actors)]
    return round(float(np.mean(totals)), 1)


def judged(name: str, algo: Any, job: Job) -> dict[str, Any]:
    """One row of the table."""
    (quarter, half, _, full), seconds = trained(algo, job)
    cross = exact.crossplay(exact.policy_table(full))
    diagonal = np.arange(job.seeds)
    totals = cross.total[diagonal, diagonal]
    deliveries = cross.events["deliveries"][diagonal, diagonal]
    others = cross.total[~np.eye(job.seeds, dtype=bool)]
    gaps = [exact.nash_conv(team).value for team in exact.policy_table(full)]
    return {
        "setting": name,
        "seeds": job.seeds,
        "steps": algo.round_steps(job.steps),
        "cpu_seconds": round(seconds, 1),
        "total": round(float(totals.mean()), 1),
        "total_sd": round(float(totals.std(ddof=1)) if job.seeds > 1 else float("nan"), 1),
        "share_of_optimum": round(float(totals.mean() / exact.landmarks().team), 3),
        "quarter_way": mean_total(quarter),
        "half_way": mean_total(half),
        "crossplay": round(float(others.mean()) if job.seeds > 1 else float("nan"), 1),
        "free_riding": int(free_riding(deliveries).sum()),
        "nash_conv": round(float(np.mean(gaps)), 1),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "| " + " | ".join("---" for _ in COLUMNS) + " |"]
    lines += ["| " + " | ".join(str(row[name]) for name in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Screen, or confirm one setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/marl_search.csv"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=float, default=2e6)
    parser.add_argument("--key", type=int, default=0, help="another one to confirm")
    parser.add_argument("--only", action="append", choices=list(SETTINGS), help="this one; repeat")
    args = parser.parse_args()
    use_cores(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not args.out.exists():
        args.out.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with args.out.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    job = Job(args.seeds, args.steps, args.key)
    for name in args.only or SETTINGS:
        if any(row["setting"] == name for row in rows):
            continue
        rows.append(judged(name, SETTINGS[name], job))
        with args.out.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow(rows[-1])
        print(markdown(rows[-1:]).splitlines()[-1], flush=True)
    print(markdown(rows))


if __name__ == "__main__":
    main()
