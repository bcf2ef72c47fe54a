"""What the commands share: exit codes, errors of one line, options for runs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from marl.progress import STALLED

if TYPE_CHECKING:
    from marl.envs.base import Env
    from marl.presets import Preset

DONE, FAILED, BAD_INPUT, NO_OUTPUT, INTERNAL = 0, 1, 2, 3, 70

EXIT_CODES = f"""\
exit codes:
  0   done
  1   the figures are not what was to be shown (only 'marl reproduce')
  2   bad usage or bad input (option, environment, setting, run; damaged or foreign files)
  3   an output could not be written, or an optional package is missing
  {STALLED}  no progress for --patience minutes: the same command goes on from the last interval
  70  a defect of marl itself (set MARL_DEBUG=1 to see the traceback)
  130 interrupted: the same command goes on from the last interval"""


class CommandError(Exception):
    """Trouble with one clear line for the user and an exit code for scripts."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code


def complain(message: str) -> None:
    """Print one line on standard error."""
    print(f"marl: {message}", file=sys.stderr)


def number(text: str) -> float:
    """Return the float of `text`; for argparse."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def positive(text: str) -> int:
    """Return a positive whole number; for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


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


def natural(text: str) -> int:
    """Return a whole number that is not negative; for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number >= 0")
    return int(text)


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
