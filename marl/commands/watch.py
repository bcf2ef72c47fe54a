"""The command ``marl watch``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from marl.commands import common
from marl.commands.common import DONE, CommandError, exit_codes

_EPILOG = f"""\
examples:
  marl watch runs/srpo --seed 3                   an episode in the terminal
  marl watch runs/srpo --seed 3 --gif out.gif     the same as a GIF
  marl watch runs/ippo --seed 3 --partner "greedy worker"
  marl watch runs/ippo --seed 3 --partner runs/srpo:5

A and B are the agents of seats 0 and 1, o an onion, ## the pot; Ao carries an onion.

{exit_codes()}"""


def add(commands: Any) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "watch",
        help="an episode in the terminal, or as a GIF",
        description="Watch a trained team of the kitchen for an episode.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("run", metavar="RUN", help="a complete run")
    option("--seed", type=common.natural, help="which team (by default the first)")
    option("--partner", metavar="WHO", help="in seat 1: a scripted partner, or RUN:SEED")
    option("--episode", type=common.natural, default=0, help="seed of the episode (0)")
    option("--greedy", action="store_true", help="most probable actions instead of samples")
    option("--gif", metavar="PATH", help="write a GIF instead")
    option("--delay", type=common.number, default=0.25, metavar="SECONDS", help="per step (0.25)")
    parser.set_defaults(command=_watch)


def _watch(arguments: argparse.Namespace) -> int:
    """Play one episode and show it."""
    if arguments.gif and Path(arguments.gif).suffix.lower() != ".gif":
        raise CommandError(f"--gif: PATH must end in .gif; got {arguments.gif!r}")
    if not 0 <= arguments.delay <= 60:
        raise CommandError(f"--delay must be from 0 to 60 seconds, got {arguments.delay}")
    pictures = _pictures(arguments)
    if arguments.gif:
        _write_gif(arguments.gif, pictures, arguments.delay)
        print(arguments.gif)
    else:
        _show(pictures, arguments.delay)
    return DONE


def _pictures(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Frames of the episode."""
    import jax

    from marl.play import episode, learned
    from marl.render import frames
    from marl.run import load_run

    run = load_run(arguments.run)
    if run.env.name != "kitchen":
        raise CommandError(f"only the kitchen can be drawn; {run.path} is {run.env.name!r}")
    actor = learned(run.env, run.algo, greedy=arguments.greedy)
    first, second = ((actor, _agent(run, arguments.seed, i)) for i in (0, 1))
    if arguments.partner is not None:
        second = _partner(run, arguments)
    policies, params = (first[0], second[0]), (first[1], second[1])
    play = jax.jit(lambda params, key: episode(run.env, policies, params, key))
    return frames(jax.device_get(play(params, jax.random.key(arguments.episode))))


def _partner(run: Any, arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Policy and parameters of the agent in seat 1."""
    from marl.partners import held_out
    from marl.play import learned
    from marl.run import load_run

    scripted = {partner.name: partner for partner in held_out(run.env)}
    if arguments.partner in scripted:
        return scripted[arguments.partner].seated(1), None
    path, colon, seed = arguments.partner.rpartition(":")
    if not colon or not seed.isdecimal():
        known = ", ".join(scripted)
        raise CommandError(
            f"--partner: want one of {known}, or RUN:SEED; got {arguments.partner!r}"
        )
    other = load_run(path)
    if other.env != run.env:
        raise CommandError(f"--partner: {path} was trained in another environment than {run.path}")
    return learned(other.env, other.algo, greedy=arguments.greedy), _agent(other, int(seed), 1)


def _agent(run: Any, seed: int | None, seat: int) -> Any:
    """Parameters of one agent of a run."""
    import jax

    seed = run.seeds[0] if seed is None else seed
    if seed not in run.seeds:
        raise CommandError(f"{run.path} has seeds {run.seeds[0]} to {run.seeds[-1]}, got {seed}")
    return jax.tree.map(lambda x: x[run.seeds.index(seed), seat], run.actors)


def _show(pictures: list[dict[str, Any]], delay: float) -> None:
    """Frames in place on a terminal, one below the other elsewhere."""
    from marl.render import frame_text

    alive = sys.stdout.isatty()
    for k, picture in enumerate(pictures):
        text = frame_text(picture)
        up = f"\x1b[{text.count(chr(10)) + 1}F" if alive and k else ""
        print(up + text.replace("\n", "\x1b[K\n") if alive else text, flush=True)
        if alive:
            time.sleep(delay)


def _write_gif(path: str, pictures: list[dict[str, Any]], delay: float) -> None:
    """Write the frames, whole or not at all."""
    import io

    import imageio.v3 as imageio

    from marl.render import frame_image
    from rqe import _plain

    stream = io.BytesIO()
    images = [frame_image(picture) for picture in pictures]
    imageio.imwrite(stream, images, extension=".gif", duration=1000 * delay, loop=0)
    _plain.write_whole(path, stream.getvalue())
