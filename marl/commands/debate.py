"""``marl debate``: data, supervised training, training by debate, evaluation, transcripts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from marl.commands.common import DONE, NO_OUTPUT, CommandError, exit_codes, natural, positive
from marl.commands.fields import add_fields, given
from marl.debate.protocol import Protocol
from marl.debate.settings import OF_SIZE, SFT, Training

_EXAMPLES = """\
examples:
  marl debate data --out problems.jsonl --n 20000 --seed 0
  marl debate sft --size small --data problems.jsonl --out models/small
  marl debate train --algo srpo --agents models/small models/small --data problems.jsonl \\
      --tau 10 --out runs/debate-srpo
  marl debate evaluate runs/debate-ippo runs/debate-srpo --data problems.jsonl --out report/
  marl debate show runs/debate-srpo --data problems.jsonl --problem 7
  marl debate reproduce --quick --out debate/

'marl debate STEP --help' says what its settings and its exit codes mean."""


def add(commands: Any) -> None:
    """Add ``debate`` to the commands of ``marl``."""
    parser = commands.add_parser(
        "debate", help="language models that debate a problem", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    _register_data(steps)
    _register_sft(steps)
    _register_train(steps)
    _register_evaluate(steps)
    _register_show(steps)
    _register_gates(steps)
    _register_reproduce(steps)


def _step(
    steps: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    *,
    goes_on: bool = False,
) -> Any:
    """Return the parser of one step, with what all of them take."""
    parser = steps.add_parser(
        name, help=text, description=text, epilog=exit_codes(goes_on=goes_on),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_on_threads(run), goes_on=goes_on)
    parser.add_argument("--seed", type=natural, default=0, help="of everything random (default 0)")
    parser.add_argument("--threads", type=natural, default=0, help="of torch (default: its own)")
    return parser


def _register_data(steps: Any) -> None:
    parser = _step(steps, "data", _data, "write generated word problems in GSM8K's format")
    parser.add_argument("--out", required=True, type=Path, help="a .jsonl file")
    parser.add_argument("--n", type=int, default=20000, help="number of problems (default 20000)")
    parser.add_argument(
        "--steps",
        type=int,
        nargs="+",
        default=[1, 2],
        help="of a solution (default 1 2)",
    )
    parser.add_argument("--largest", type=int, default=30, help="largest number (default 30)")


def _data(args: argparse.Namespace) -> int:
    from marl.debate.problems import generate_problems, write_problems

    parts = generate_problems(args.n, seed=args.seed, difficulties=args.steps, largest=args.largest)
    write_problems(args.out, parts)
    sizes = ", ".join(f"{len(problems)} {part}" for part, problems in parts.items())
    print(f"{args.out}: {sizes}; no story of the test part occurs in training")
    return DONE


def _register_sft(steps: Any) -> None:
    parser = _step(steps, "sft", _sft, "train a small causal transformer on worked solutions")
    others = "; ".join(
        f"{size}: {' '.join(f'--{k} {v}'.replace('_', '-') for k, v in changed.items())}"
        for size, changed in OF_SIZE.items()
    )
    parser.add_argument(
        "--size", default="small",
        help=f"tiny, mini, small (default), medium or large; defaults of their own have {others}",
    )  # fmt: skip
    parser.add_argument("--data", required=True, help="a .jsonl file or a data set's name")
    parser.add_argument("--start", help="go on from this model, instead of from nothing")
    parser.add_argument("--out", required=True, type=Path, help="folder of the model")
    add_fields(parser, SFT)


def _sft(args: argparse.Namespace) -> int:
    _torch()
    from marl.debate.models import load_agent, untrained
    from marl.debate.problems import read_problems
    from marl.debate.sft import train_supervised

    problems = read_problems(args.data)
    held_out = read_problems(args.data, split="test")
    settings = SFT.of_size(args.size, **given(args, SFT))
    args.out.mkdir(parents=True, exist_ok=True)  # to fail now, not after the training
    if args.start is None:
        agent = untrained(args.size, [*problems, *held_out], seed=args.seed)
    else:
        agent = load_agent(args.start)
    accuracy = train_supervised(
        agent, problems, settings, seed=args.seed, held_out=held_out, report=_tell_sft
    )
    agent.save(args.out)
    print(f"{args.out}: solves {100 * accuracy:.1f} % of held-out problems alone")
    return DONE


def _tell_sft(step: int, loss: float, accuracy: float) -> None:
    """Print one line of supervised training."""
    print(f"step {step:5d}  loss {loss:.4f}  accuracy {accuracy:.3f}", flush=True)


def _register_train(steps: Any) -> None:
    text = "train two agents by debate; an interrupted run goes on"
    parser = _step(steps, "train", _train, text, goes_on=True)
    parser.add_argument("--agents", nargs=2, required=True, metavar="MODEL", help="folder or name")
    parser.add_argument("--data", required=True, help="a .jsonl file or a data set's name")
    parser.add_argument("--out", required=True, type=Path, help="folder of the run")
    parser.add_argument(
        "--lora", type=natural, default=0, help="rank of LoRA adapters (default: none)"
    )
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu", help="such as cuda (default cpu)")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--every", type=positive, default=20, help="updates between checkpoints")
    add_fields(parser, Training)
    add_fields(parser, Protocol)


def _train(args: argparse.Namespace) -> int:
    _torch()
    from marl.debate.problems import read_problems
    from marl.debate.runs import RunConfig, train

    config = RunConfig(
        (args.agents[0], args.agents[1]), args.data, Training(**given(args, Training)),
        Protocol(**given(args, Protocol)), args.seed, args.lora, args.dtype,
    )  # fmt: skip
    problems = read_problems(args.data)
    with _Board(args.out, config.training.updates) as board:
        run = train(
            config, problems, args.out, every=args.every, device=args.device,
            checkpointing=args.gradient_checkpointing, report=board,
        )  # fmt: skip
    print(f"{run.path}: {run.update} updates, {run.update * config.training.per_update} debates")
    return DONE


class _Board:
    """Progress bar and TensorBoard of a training run.

    Files are written from the first update on: before it, the folder may turn out to be another
    run's, and of several processes one alone reports.
    """

    def __init__(self, out: Path, updates: int) -> None:
        self._out, self._updates, self._done = out, updates, 0
        self._writer: Any = None

    def __enter__(self) -> _Board:
        from tqdm import tqdm

        self._bar = tqdm(total=self._updates, unit="update", disable=not sys.stderr.isatty())
        return self

    def __call__(self, trainer: Any, metrics: dict[str, float]) -> None:
        if self._writer is None:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self._out / "tb"), purge_step=trainer.update)
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, trainer.update)
        self._bar.update(trainer.update - self._done)
        self._done = trainer.update
        self._bar.set_postfix(
            first=f"{metrics['agent_0_first']:.2f}", last=f"{metrics['agent_0_last']:.2f}"
        )

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._bar.close()


def _register_evaluate(steps: Any) -> None:
    parser = _step(steps, "evaluate", _evaluate, "cross-play of runs, and with untuned partners")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs")
    parser.add_argument("--partners", nargs="*", default=[], metavar="MODEL", help="untuned models")
    parser.add_argument("--data", required=True, help="a .jsonl file or a data set's name")
    parser.add_argument("--split", default="test")
    parser.add_argument("--questions", type=positive, default=1000, help="number of questions")
    parser.add_argument(
        "--gates", nargs="+", default=[], type=Path, metavar="FILE",
        help="verdicts that `marl debate gates` wrote, a file for each model",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--engine", default="transformers", choices=["transformers", "vllm"],
        help="what generates answers (vllm must be installed by hand)",
    )  # fmt: skip
    parser.add_argument("--out", required=True, type=Path, help="folder of the report")


def _evaluate(args: argparse.Namespace) -> int:
    _torch()
    from marl.debate.gates import read_gates
    from marl.debate.problems import read_problems
    from marl.debate.report import evaluate_runs
    from marl.debate.runs import open_run

    runs = [open_run(path) for path in args.runs]
    gates = [gate for path in args.gates for gate in read_gates(path)]
    problems = read_problems(args.data, split=args.split)[: args.questions]
    args.out.mkdir(parents=True, exist_ok=True)  # to fail now, not after the debates
    text = evaluate_runs(
        runs,
        problems,
        partners=args.partners,
        out=args.out,
        seed=args.seed,
        device=args.device,
        engine=args.engine,
        gates=gates,
    )
    print(text)
    return DONE


def _register_show(steps: Any) -> None:
    parser = _step(steps, "show", _show, "print one debate of a run as a transcript")
    parser.add_argument("run_folder", metavar="RUN", type=Path)
    parser.add_argument("--data", required=True, help="a .jsonl file or a data set's name")
    parser.add_argument("--split", default="test")
    parser.add_argument("--problem", type=int, default=0, help="its number, from 0")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _show(args: argparse.Namespace) -> int:
    _torch()
    from marl.debate.episode import ModelSpeaker
    from marl.debate.evaluate import play
    from marl.debate.problems import read_problems
    from marl.debate.report import transcript
    from marl.debate.runs import open_run

    run = open_run(args.run_folder)
    problems = read_problems(args.data, split=args.split)
    if not 0 <= args.problem < len(problems):
        raise ValueError(
            f"--problem must be a number from 0 to {len(problems) - 1}; got {args.problem}"
        )
    speakers = (ModelSpeaker(run.agent(0)), ModelSpeaker(run.agent(1)))
    chosen = [problems[args.problem]]
    _, debate = play(chosen, speakers, run.config.protocol, seed=args.seed)
    record = next(iter(debate.transcripts()))
    print(json.dumps(record, indent=2) if args.json else transcript(record))
    return DONE


def _register_gates(steps: Any) -> None:
    parser = _step(steps, "gates", _gates, "judge a design: can an effect show from this model?")
    parser.add_argument("--model", required=True, help="folder or name of the model to start from")
    parser.add_argument("--data", required=True, help="a .jsonl file or a data set's name")
    parser.add_argument("--out", type=Path, help="a .json file for the verdicts")
    parser.add_argument("--held-out", type=positive, default=500, help="questions (default 500)")
    parser.add_argument("--device", default="cpu")
    add_fields(parser, Training)
    add_fields(parser, Protocol)


def _gates(args: argparse.Namespace) -> int:
    _torch()
    from marl.debate.drill import judge
    from marl.debate.gates import write_gates
    from marl.debate.models import load_agent
    from marl.debate.problems import read_problems
    from marl.debate.solo import solo_tries

    agent = load_agent(args.model, device=args.device)
    to_learn = read_problems(args.data)[: 4 * args.held_out]
    held_out = read_problems(args.data, split="test")[: args.held_out]
    training, protocol = Training(**given(args, Training)), Protocol(**given(args, Protocol))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)  # to fail now, not after the training
    judged = judge(
        agent, to_learn, held_out, training, protocol, seed=args.seed, report=_tell_drill
    )
    found = [replace(gate, model=Path(args.model).name) for gate in judged]
    print(*found, sep="\n")
    alone = solo_tries(agent, held_out, protocol, seed=args.seed, tries=1).mean()
    name, count = Path(args.model).name, len(held_out)
    print(f"{name}: solves {100 * alone:.1f} % of {count} held-out problems alone")
    if args.out:
        write_gates(args.out, found)
    return DONE


def _tell_drill(update: int, accuracy: float) -> None:
    """Print one line of training beside wrong partners."""
    if update % 10 == 0:
        print(f"update {update:4d}  beside a wrong partner {accuracy:.3f}", flush=True)


def _register_reproduce(steps: Any) -> None:
    parser = _step(steps, "reproduce", _reproduce, "from nothing to both tables", goes_on=True)
    parser.add_argument("--quick", action="store_true", help="one size, two seeds a method")
    parser.add_argument("--sizes", nargs="+", help="of the models (default: the plan's)")
    parser.add_argument(
        "--pairs", choices=["all", "mixed"], help="teams of two sizes (default: of one size too)"
    )
    parser.add_argument(
        "--seeds", type=positive, help="runs a method and team (default: the plan's)"
    )
    parser.add_argument("--debates", type=positive, help="of a run (default: the plan's)")
    parser.add_argument(
        "--questions", type=positive, help="of the evaluation (default: the plan's)"
    )
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--workers", type=positive, default=2, help="processes (default 2)")


def _reproduce(args: argparse.Namespace) -> int:
    _torch()
    from marl.debate.reproduce import FULL, QUICK, reproduce

    plan = QUICK if args.quick else FULL
    changes: dict[str, Any] = {
        "sizes": tuple(args.sizes or ()), "pairs": args.pairs, "seeds": args.seeds,
        "questions": args.questions,
    }  # fmt: skip
    if args.debates is not None:
        changes["training"] = replace(plan.training, debates=args.debates)
    plan = replace(plan, **{name: value for name, value in changes.items() if value})
    print(reproduce(args.out, plan=plan, workers=args.workers, seed=args.seed, tell=_say))
    return DONE


def _say(line: str) -> None:
    """Print a line at once, also into a file."""
    print(line, flush=True)


def _on_threads(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return a command that first tells torch how many threads to use."""

    def command(arguments: argparse.Namespace) -> int:
        if arguments.threads:
            _torch().set_num_threads(arguments.threads)
        return run(arguments)

    return command


def _torch() -> Any:
    """Import torch, or say what to install; and keep transformers' progress bars quiet."""
    try:
        import torch
        from transformers.utils import logging
    except ImportError as error:
        raise CommandError(
            f"this command needs {error.name}: pip install 'rqe[llm]'", NO_OUTPUT
        ) from error
    logging.disable_progress_bar()
    return torch
