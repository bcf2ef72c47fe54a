"""What the commands share: exit codes, errors of one line, options for runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from marl.progress import STALLED
from rqe.commands import common as shared
from rqe.commands.common import BAD_INPUT, INTERNAL, NO_OUTPUT, CommandError
from rqe.commands.program import natural, positive

if TYPE_CHECKING:
    from marl.envs.base import Env
    from marl.presets import Preset

__all__ = [
    "BAD_INPUT",
    "DONE",
    "FAILED",
    "GOES_ON",
    "INTERNAL",
    "NO_OUTPUT",
    "CommandError",
    "complain",
    "exit_codes",
    "natural",
    "positive",
]

DONE, FAILED = 0, 1
GOES_ON = "the same command goes on from the last interval"


def exit_codes(*, failed: str = "", patience: bool = False, goes_on: bool = False) -> str:
    """Return the part of a command's help that says what its exit codes mean.

    `failed` is the meaning of 1, where that occurs; `patience` says whether there is a watchdog,
    and `goes_on` whether the command goes on with what an interrupted one left.
    """
    meanings = {
        DONE: "done",
        FAILED: failed,
        BAD_INPUT: "bad usage or bad input (unknown option, bad value, damaged or foreign files)",
        NO_OUTPUT: "an output could not be written, or an optional package is missing",
        STALLED: f"no progress for --patience minutes: {GOES_ON}" if patience else "",
        INTERNAL: "a defect of marl itself (set MARL_DEBUG=1 to see the traceback)",
        130: f"interrupted: {GOES_ON}" if goes_on else "interrupted",
    }
    rows = [f"  {code:<3} {meaning}" for code, meaning in meanings.items() if meaning]
    return "\n".join(["exit codes:", *rows])


def complain(message: str) -> None:
    """Print one line on standard error."""
    shared.complain(message, "marl")


def number(text: str) -> float:
    """Return the float of `text`; for argparse."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def add_workers(option: Any) -> None:
    """Add --workers: processes that train side by side."""
    option(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="processes that train at the same time (1)",
    )


def add_patience(option: Any) -> None:
    """Add --patience: the watchdog's minutes."""
    option(
        "--patience",
        type=number,
        default=30.0,
        metavar="MINUTES",
        help="end with code 75 when an interval takes longer; 0 waits for ever (30)",
    )


def setting(text: str) -> tuple[str, Any]:
    """Return the name and value of ``name=value``; for argparse."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip().replace("-", "_"), _value(value.strip())


def make_env(text: str) -> Env:
    """Environment of ``name`` or ``name:key=value,key=value``."""
    from marl.envs import base

    name, _, options = text.partition(":")
    try:
        given = dict(setting(part) for part in options.split(",") if part)
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"--env {text}: {error}") from None
    return base.make_env(name, **given)


def make_preset(env: Env, name: str, settings: dict[str, Any]) -> Preset:
    """Preset of that algorithm in `env`, with some settings changed; its defaults elsewhere."""
    from marl.algorithms import ALGORITHMS, algo_config, make_algo
    from marl.envs.base import check_name
    from marl.presets import PRESETS, Preset, preset

    check_name("algorithm", name, ALGORITHMS)
    if env.name not in PRESETS:
        return Preset(algo=make_algo(name, **settings), steps=2_000_000, seeds=30)
    base = preset(env.name, name)
    algo = make_algo(**(algo_config(base.algo) | settings))
    return Preset(algo=algo, steps=base.steps, seeds=base.seeds)


def use_devices(count: int | None = None) -> None:
    """Make `count` devices of the processor, one per core by default; before JAX is first used."""
    import jax

    from marl.compile import use_cores

    try:
        use_cores(count)
    except RuntimeError:  # JAX is in use: its devices stay as they are
        if count is not None and len(jax.devices()) < count:
            raise CommandError(
                f"--devices: there are {len(jax.devices())} devices, got {count}"
            ) from None


def _value(text: str) -> Any:
    """Number, truth value, list of numbers (1x2x3), or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    parts = text.split("x")
    return tuple(int(part) for part in parts) if all(p.isdecimal() for p in parts) else text
