"""The command ``marl train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from marl.commands import common
from marl.commands.common import DONE, CommandError, exit_codes

_EPILOG = f"""\
examples:
  marl train --env kitchen --algo srpo --tau 10 --eps 0.1 --out runs/srpo
  marl train --env kitchen --algo ippo --seeds 10 --steps 3e5 --out runs/ippo
  marl train --algo srpo --tau 1 --penalty kl --set minibatches=4 --out runs/kl
  marl train --env matrix:game=stag-hunt --algo ippo --steps 1e5 --out runs/hunt
  marl train --resume runs/srpo          go on with a run; so does the command that began it

Settings that are not given are presets: those of the paper for the kitchen. All methods count
the same environment steps: the two phases of SRPO both count. A run that is killed at any
moment goes on from its last interval, and its figures are those of an uninterrupted run, bit
by bit.

{exit_codes(patience=True, goes_on=True)}"""

_FIXED = ("env", "algo", "tau", "eps", "penalty", "steps", "seeds", "seed", "out", "log_every")
"""Options that a run is determined by, beside --set."""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "train",
        help="train many seeds of one method",
        description="Train independent teams of one method and keep them in a folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    _add_method(option)
    option("--steps", type=common.number, help="environment steps per team (kitchen: 2e6)")
    option("--seeds", type=common.positive, help="number of teams (kitchen: 30)")
    option("--seed", type=common.natural, help="the first seed (0)")
    option("--out", metavar="DIR", help="the run's folder")
    option("--resume", metavar="DIR", help="go on with the run in this folder")
    option(
        "--log-every",
        type=common.positive,
        metavar="N",
        help="updates between rows of metrics, and between checkpoints (a fiftieth of the run)",
    )
    option(
        "--devices",
        type=common.positive,
        metavar="N",
        help="spread the seeds over N devices; on a processor without others, N cores (all)",
    )
    common.add_patience(option)
    option("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(command=_train, goes_on=True)


def _add_method(option: Any) -> None:
    """Add the options that say what learns, and where."""
    option(
        "--env",
        metavar="NAME[:KEY=VALUE,...]",
        help="environment, with its options (default kitchen)",
    )
    option(
        "--algo",
        metavar="NAME",
        help="ippo, srpo, self_play, adversarial, high_entropy, mappo, maddpg, fcp, mep, trajedi",
    )
    option(
        "--tau", type=common.number, help="strategic risk aversion of srpo, 1/reward; inf allowed"
    )
    option("--eps", type=common.number, help="entropy bonus, reward per nat")
    option("--penalty", help="reverse_kl (authors' code) or kl (paper's formula); srpo")
    option(
        "--set",
        type=common.setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting of the algorithm; may be repeated",
    )


def _train(arguments: argparse.Namespace) -> int:
    """Train, and say where the run is."""
    from marl.run import train_run

    common.use_devices(arguments.devices)
    env, algo, numbers = _resumed(arguments) if arguments.resume else _begun(arguments)
    folder = Path(arguments.resume or arguments.out)
    run = train_run(
        env,
        algo,
        folder,
        **numbers,
        devices=_devices(arguments.devices),
        progress=not arguments.quiet,
        patience=arguments.patience or None,
    )
    seeds, steps = run.config.seeds, run.config.steps
    print(f"{folder}: {algo.name} on {env.name}, {seeds} teams of {steps} steps each")
    return DONE


def _begun(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """Environment, algorithm and numbers that the options say."""
    if not arguments.algo or not arguments.out:
        raise CommandError("give --algo and --out, or --resume")
    settings = dict(arguments.set)
    for name in ("tau", "eps", "penalty"):
        if getattr(arguments, name) is not None:
            settings[name] = getattr(arguments, name)
    env = common.make_env(arguments.env or "kitchen")
    preset = common.make_preset(env, arguments.algo, settings)
    numbers = {
        "steps": preset.steps if arguments.steps is None else arguments.steps,
        "seeds": arguments.seeds or preset.seeds,
        "seed": arguments.seed or 0,
        "log_every": arguments.log_every,
    }
    return env, preset.algo, numbers


def _resumed(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """Environment, algorithm and numbers of the run in a folder."""
    from marl.config import RunConfig

    names = [name for name in _FIXED if getattr(arguments, name) is not None]
    given = [f"--{name.replace('_', '-')}" for name in (*names, *(["set"] * bool(arguments.set)))]
    if given:
        raise CommandError(f"--resume takes everything from the folder: drop {', '.join(given)}")
    config = RunConfig.load(Path(arguments.resume) / "config.json")
    env, algo = config.objects()
    numbers = {name: getattr(config, name) for name in ("steps", "seeds", "seed", "log_every")}
    return env, algo, numbers


def _devices(count: int | None) -> Any:
    """The first `count` devices."""
    import jax

    return None if count is None else jax.devices()[:count]
