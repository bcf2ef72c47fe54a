"""Does the policy gradient teach at all? One agent, one round, its own right answers.

    python -m benchmarks.debate_batch --model models/small --data problems.jsonl

Every line spends its debates at another batch size or rate. A rate that is harmless for large
batches destroys a small model with small ones: the first thing to know before any debate.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from marl.debate.settings import Training

SETTINGS = {
    "16 questions x 4": Training(algo="ippo", debates=1920, warmup=5, lr=1e-4),
    "16 questions x 4, fast": Training(algo="ippo", debates=1920, warmup=5, lr=3e-4),
    "64 questions x 8, fast": Training(
        algo="ippo", debates=5120, questions=64, group=8, warmup=2, lr=3e-4
    ),
}


def main() -> None:
    """Print one line per setting, Markdown."""
    import torch

    from marl.debate.models import load_agent
    from marl.debate.problems import read_problems

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    problems = read_problems(args.data)[:1500]
    held_out = read_problems(args.data, split="test")[:400]
    print("| batch | lr | updates | trained on: before -> after | held out | CPU s |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, training in SETTINGS.items():
        agent, start = load_agent(args.model), time.process_time()
        trained = _train(agent, problems, training)
        parts = (problems[:400], 1), (held_out, 2)
        shown = [
            " -> ".join(f"{_accuracy(a, part, tries):.3f}" for a in (agent, trained))
            for part, tries in parts
        ]
        updates = training.debates // (training.questions * training.group)
        spent = time.process_time() - start
        print(
            f"| {name} | {training.lr:g} | {updates} | {shown[0]} | {shown[1]} | {spent:.0f} |",
            flush=True,
        )


def _train(agent: Any, problems: Sequence[Any], training: Training) -> Any:
    """Return a copy trained for its own right answers; the partner's are never seen."""
    from marl.debate.drill import drill
    from marl.debate.episode import FixedSpeaker

    silent = FixedSpeaker({p.question: "" for p in problems})
    return drill(agent, silent, problems, training, _protocol(), seed=0)


def _accuracy(agent: Any, problems: Sequence[Any], tries: int) -> float:
    """Return the share of right answers when asked alone."""
    from marl.debate.solo import solo_tries

    return float(solo_tries(agent, problems, _protocol(), seed=0, tries=tries).mean())


def _protocol() -> Any:
    """Return a debate of one round: nobody is heard."""
    from marl.debate.protocol import Protocol

    return Protocol(order="random", max_new_tokens=24, rounds=1)


if __name__ == "__main__":
    main()
