"""How much of a policy gradient is signal? The cosine of the gradients of two batches.

    python -m benchmarks.debate_signal --model models/small --data problems.jsonl

The agent debates partners that are always wrong, as in the drill of the last gate. Two independent
batches of debates that taught the same would have a cosine of 1; chance alone has 0. A line for
each way to credit rounds; "state" subtracts the mean over answers whose predecessor was as right.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

CREDITS = {
    "the last answer, discount 0.9": ("final", 0.9),
    "each answer and the later ones, discount 0.5": ("round", 0.5),
    "each answer alone": ("round", 0.0),
}
STATE = "each answer alone, state, rounds 2 and 3"


def main() -> None:
    """Print one line per credit, Markdown."""
    import torch

    from marl.debate.episode import ModelSpeaker, hold
    from marl.debate.evaluate import wrong_partner
    from marl.debate.models import load_agent
    from marl.debate.problems import read_problems
    from marl.debate.protocol import Protocol
    from marl.debate.seeds import generator
    from marl.debate.solo import mistakes

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--questions", type=int, default=32, help="of a batch (default 32)")
    parser.add_argument("--group", type=int, default=8, help="debates of each (default 8)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    agent, protocol = load_agent(args.model), Protocol(order="random", max_new_tokens=24)
    problems = read_problems(args.data)[:800]
    wrong = mistakes(agent, problems, protocol, seed=1, tries=3)
    beaten = [p for p in problems if p.question in wrong]
    found: dict[str, list[Any]] = {}
    for batch in range(2):
        drawn = torch.randint(len(beaten), (args.questions,), generator=generator(batch)).tolist()
        chosen = [beaten[k] for k in drawn for _ in range(args.group)]
        speakers = (ModelSpeaker(agent, len(chosen)), wrong_partner(wrong, beaten))
        debate = hold(chosen, speakers, protocol, key=(batch, "signal"))
        rounds = [turn[0].completions for turn in debate.turns]
        for name, gains in advantages(debate.correct()[:, 0], args.group).items():
            found.setdefault(name, []).append(_gradient(agent, rounds, gains))
    n = args.questions * args.group
    print(f"| credit | cosine of the gradients of two batches of {n} debates |")
    print("|---|---:|")
    for name, (one, two) in found.items():
        print(f"| {name} | {float(torch.nn.functional.cosine_similarity(one, two, dim=0)):.3f} |")


def advantages(correct: Any, group: int) -> dict[str, Any]:
    """Return the advantages (rounds, B) of each credit, from who was right when."""
    import torch

    from marl.debate.learn import centred, rewards

    gains = {
        name: centred(rewards(correct, discount=discount, credit=credit), group)
        for name, (credit, discount) in CREDITS.items()
    }
    own = correct.float()
    state = torch.zeros_like(own)
    for r in range(1, len(own)):
        for before in (True, False):
            rows = correct[r - 1] == before
            if rows.any():
                state[r, rows] = own[r, rows] - own[r, rows].mean()
    return {**gains, STATE: state}


def _gradient(agent: Any, rounds: Sequence[Any], gains: Any) -> Any:
    """Return the policy gradient of a batch as one vector."""
    import torch

    from marl.debate.generate import answer_logits, token_log_probs

    for p in agent.trainable.values():
        p.grad = torch.zeros_like(p)
    for completions, gain in zip(rounds, gains, strict=True):
        taught = gain.abs().gt(0.0).nonzero()[:, 0]
        for index in taught.split(64) if len(taught) else ():
            piece = completions.rows(index)
            log_probs = token_log_probs(answer_logits(agent.model, piece, 1.0), piece)
            (log_probs.sum(dim=1) * gain[index]).sum().backward()
    return torch.cat([p.grad.flatten() for p in agent.trainable.values()])


if __name__ == "__main__":
    main()
