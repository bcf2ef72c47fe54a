"""Speed of the debate loop: generation beside a loop without cache, seconds per update.

    python -m benchmarks.debate_speed [--size small] [--model FOLDER] [--debates 64] [--repeats 3]

CPU seconds of one thread, medians; an untrained model, so that every answer has full length, or a
trained one, whose answers end and repeat each other as they do in a run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Print one line per measurement."""
    import torch

    from marl.debate.models import build_model, load_agent
    from marl.debate.problems import generate_problems
    from marl.debate.vocabulary import build_tokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", default="small", help="tiny, mini, small, medium or large")
    parser.add_argument("--model", help="a trained one: the updates alone are measured")
    parser.add_argument("--debates", type=int, default=64, help="in one batch")
    parser.add_argument("--tokens", type=int, default=24, help="of an answer")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    problems = generate_problems(2000, seed=0)["train"]
    if args.model:
        _print_updates(load_agent(args.model), problems, args)
        return
    tokenizer = build_tokenizer(problems)
    tokenizer.eos_token_id = None  # no answer ends early: both loops make the same tokens
    agent = build_model(args.size, tokenizer, seed=0)
    prompts = [f"Question: {p.question}\nAnswer:" for p in problems[: args.debates]]
    cached, plain = _generation(agent, tokenizer, prompts, args)
    made = args.debates * args.tokens
    print(f"generation, {args.debates} prompts, {args.tokens} tokens each, model {args.size}")
    print(f"  with cache     {cached:7.2f} s  {made / cached:8.0f} tokens/s")
    print(f"  without cache  {plain:7.2f} s  {made / plain:8.0f} tokens/s")
    print(f"  ratio          {plain / cached:7.1f}")
    _print_updates(agent, problems, args)


def _print_updates(agent: Any, problems: Any, args: Any) -> None:
    """Print the time of an update by each method."""
    for algo in ("ippo", "srpo"):
        seconds = _update(agent, problems, algo, args)
        print(f"one update of {algo}, {args.debates} debates a phase: {seconds:.2f} s")


def _generation(agent: Any, tokenizer: Any, prompts: list[str], args: Any) -> tuple[float, float]:
    """Return CPU seconds of generation with and without a cache, taking turns."""
    from marl.debate.generate import generate
    from marl.debate.seeds import generator

    def ours() -> None:
        generate(
            agent.model, tokenizer, prompts, max_new_tokens=args.tokens, temperature=1.0,
            rng=generator(0),
        )  # fmt: skip

    def theirs() -> None:
        _without_cache(agent.model, tokenizer, prompts, args.tokens)

    times = [(_cpu(ours), _cpu(theirs)) for _ in range(args.repeats)]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def _without_cache(model: Any, tokenizer: Any, prompts: list[str], tokens: int) -> None:
    """Sample token by token, running the whole prefix through the model each time."""
    import torch

    encoded = tokenizer(prompts, padding=True, padding_side="left", return_tensors="pt")
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    with torch.no_grad():
        for _ in range(tokens):
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            logits = model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
            ).logits[:, -1]
            token = torch.multinomial(logits.softmax(-1), 1)
            ids = torch.cat([ids, token], dim=1)
            mask = torch.cat([mask, torch.ones_like(token)], dim=1)


def _update(agent: Any, problems: Any, algo: Any, args: Any) -> float:
    """Return CPU seconds of one update, the median after a first one."""
    from marl.debate.protocol import Protocol
    from marl.debate.settings import Training
    from marl.debate.trainer import Trainer

    # A trace of entropy bonus: debates of an untrained model earn nothing and would be left out.
    eps = 0.0 if args.model else 1e-9
    training = Training(algo=algo, questions=max(1, args.debates // 4), group=4, eps=eps)
    protocol = Protocol(max_new_tokens=args.tokens)
    trainer = Trainer((agent.clone(), agent.clone()), problems, training, protocol)
    trainer.step()
    return statistics.median(_cpu(trainer.step) for _ in range(args.repeats))


def _cpu(function: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
