"""Search for a design in which an effect of SRPO could show: the gates for each design tried.

    python -m benchmarks.debate_search --solo models/solo --data problems.jsonl --out search/
    python -m benchmarks.debate_search --show docs/marl/debate/search

Each design teaches the model of ``--solo``, which solves problems alone, to debate, and is judged
by the gates. ``--out`` keeps models and a line of JSON per design; what is there is not done
again. The table of all lines, as Markdown, is printed at the end; ``--show`` prints it alone.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from marl.debate.protocol import Protocol
from marl.debate.settings import SFT, Training

_LAST = Training(algo="ippo", debates=2560, warmup=5)


_TRUSTFUL = SFT(steps=0, read_steps=0, debate_steps=200, own_wrong=0.5, partner_wrong=0.2)


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a design changes: supervised debates, the training of the last gate, the prompt.

    Attributes
    ----------
    why : str
        The guess behind it.
    sft : SFT
    drill : Training
    protocol : Protocol
    """

    why: str
    sft: SFT = field(default_factory=lambda: replace(_TRUSTFUL, debate_steps=100))
    drill: Training = _LAST
    protocol: Protocol = field(default_factory=lambda: Protocol(order="random", max_new_tokens=24))


_LONG = replace(_TRUSTFUL, lr=2e-3 / 0.35)
_ROUND = Training(algo="ippo", credit="round", discount=0.5, debates=3840, warmup=5, lr=2e-4)
_WIDE = replace(_ROUND, lr=3e-4, questions=32, group=8, debates=15360)
_TRUST = Design(why="the partner is right more often: 80 % against 50 %, told by the tag alone")
DESIGNS = {
    "trust-long": replace(_TRUST, why=f"{_TRUST.why}; 200 steps at the full rate", sft=_LONG),
    "trust-long-fast": replace(
        _TRUST,
        why="trust-long; against wrong partners three times the learning rate",
        sft=_LONG,
        drill=replace(_LAST, lr=3e-4),
    ),
    "trust-long-wide": replace(
        _TRUST,
        why="trust-long; round credit, and batches of 256 debates at the high rate",
        sft=_LONG,
        drill=replace(_ROUND, lr=3e-4, questions=32, group=8, debates=7680),
    ),
    "trust-round": replace(
        _TRUST,
        why=f"{_TRUST.why}; each round credited with its own answer too",
        drill=replace(_ROUND, lr=1e-4, debates=2560),
    ),
    "trust-round-fast": replace(
        _TRUST,
        why="trust-round; against wrong partners three times the learning rate",
        drill=replace(_ROUND, lr=3e-4, debates=1920),
    ),
    "trust-round-more": replace(
        _TRUST,
        why="trust-round; twice the rate, half as many debates again",
        drill=_ROUND,
    ),
    "equal-round": replace(
        _TRUST,
        why="own and partner's answer right equally often: only checking the sums can tell",
        sft=SFT(steps=0, read_steps=0, debate_steps=100, own_wrong=0.5, partner_wrong=0.5),
        drill=_ROUND,
    ),
    "trust-95-round": replace(
        _TRUST,
        why="the partner nearly always right, the strongest trust",
        sft=SFT(steps=0, read_steps=0, debate_steps=100, own_wrong=0.6, partner_wrong=0.05),
        drill=_ROUND,
    ),
    "read": Design(
        why="200 steps with two right answers in view: it reads them, and believes what it reads",
        sft=SFT(steps=0, read_steps=200, debate_steps=0),
        drill=replace(_ROUND, discount=0.0, group=8),
    ),
    "read-wide": Design(
        why="read; sixty updates of 256 debates at 3e-4",
        sft=SFT(steps=0, read_steps=200, debate_steps=0),
        drill=_WIDE,
    ),
    "early": Design(
        why="a model that solves less: solo training stops at .25, 150 steps of reading",
        sft=SFT(steps=0, read_steps=150, debate_steps=0),
        drill=_WIDE,
    ),
    "early-equal": Design(
        why="early, then 30 steps in half of which each answer is wrong three times in ten",
        sft=SFT(steps=0, read_steps=150),
        drill=_WIDE,
    ),
    "early-200-equal": Design(
        why="the same after 200 steps of reading",
        sft=SFT(steps=0),
        drill=_WIDE,
    ),
}


def main() -> None:
    """Judge the designs that are not judged yet; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--show", type=Path, help="print the table of a folder, do nothing else")
    parser.add_argument("--solo", type=Path, help="a model that solves alone")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--questions", type=int, default=400, help="held out (default 400)")
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS), choices=list(DESIGNS))
    args = parser.parse_args()
    if args.show:
        print(table(_rows(args.show)))
        return
    if not (args.solo and args.data and args.out):
        parser.error("--solo, --data and --out are needed, or --show")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.designs:
        place = args.out / f"{name}.json"
        if not place.exists():
            found = _judge(name, DESIGNS[name], args)
            place.write_text(json.dumps(found, indent=2), encoding="utf-8")
            print(json.dumps(found), flush=True)
    print(table(_rows(args.out)))


def _rows(folder: Path) -> list[dict[str, Any]]:
    """Return what a folder keeps, one record a design."""
    return [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]


def _judge(name: str, design: Design, args: Any) -> dict[str, Any]:
    """Teach the solo model to debate, judge it; return what was found."""
    import torch

    from marl.debate.drill import judge
    from marl.debate.models import load_agent
    from marl.debate.problems import read_problems
    from marl.debate.sft import train_supervised

    torch.set_num_threads(1)
    start = time.process_time()
    problems = read_problems(args.data)
    held_out = read_problems(args.data, split="test")
    taught = design.sft
    shares = f"{taught.own_wrong}-{taught.partner_wrong}"
    folder = args.out / f"model-{taught.read_steps}-{taught.debate_steps}-{shares}"
    if not (folder / "accuracy.json").exists():
        agent = load_agent(args.solo)
        accuracy = train_supervised(agent, problems, design.sft, seed=0, held_out=held_out)
        agent.save(folder)
        (folder / "accuracy.json").write_text(json.dumps(accuracy), encoding="utf-8")
    agent = load_agent(folder)
    curve: list[float] = []
    gates = judge(
        agent, problems[: 4 * args.questions], held_out[: args.questions], design.drill,
        design.protocol, seed=0, report=lambda _, accuracy: curve.append(accuracy),
    )  # fmt: skip
    return {
        "design": name, "why": design.why,
        "alone": json.loads((folder / "accuracy.json").read_text(encoding="utf-8")),
        "gates": [{"name": g.name, "value": g.value, "passed": g.passed, "n": g.n,
                   "detail": g.detail} for g in gates],
        "curve": curve, "seconds": round(time.process_time() - start),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Return what was found as Markdown, a line a design."""
    lines = [
        "| design | guess | alone | reading (> .20) | order swap (< .10) | ceiling (> .10) "
        "| details | CPU s |",
        "|---|---|---:|---:|---:|---:|---|---:|",
    ]
    for row in rows:
        gates = row["gates"]
        marks = [f"{g['value']:.3f} {'passed' if g['passed'] else 'FAILED'}" for g in gates]
        marks += ["not run"] * (3 - len(marks))
        lines.append(
            f"| {row['design']} | {row['why']} | {row['alone']:.3f} | {' | '.join(marks)} | "
            f"{'; '.join(g['detail'] for g in gates)} | {row['seconds'] or '-'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
