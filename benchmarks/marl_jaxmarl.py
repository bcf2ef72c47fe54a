"""Steps per second of IPPO beside JaxMARL's own scripts, on Hanabi and Overcooked.

    python -m benchmarks.marl_jaxmarl --scripts JaxMARL/baselines/IPPO

The scripts are those of a checkout of https://github.com/FLAIROx/JaxMARL, which its wheel lacks;
they need distrax. Both sides play and learn with the same tables, steps, epochs, minibatches and
layers, one policy for all seats; the script's logging to Weights & Biases is left out. On Hanabi
the script's actor and critic share their first layer, ours share nothing and do more arithmetic.
On Tag the script cannot play two chasers. A step is one joint step of one environment. Both loops
take turns, `--repetitions` times, in one fresh process for each environment; a figure is the median
of steps over CPU time, or over wall time, of `--updates` updates, compiled before. Their program
makes its first weights each time, ours goes on from some.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import aligned, heading, markdown, publish

HEAD = ("environment", "loop", "steps/CPU s", "steps/s", "ours over theirs, CPU")
CASES = ("hanabi2", "hanabi4", "overcooked")
NUMBERS: dict[str, Any] = {"lr": 5e-4, "epochs": 4, "minibatches": 4}


def environment(case: str) -> tuple[str, dict[str, Any]]:
    """Name and options of our environment."""
    if case == "overcooked":
        return "overcooked", {"layout": "cramped_room", "shaping": 1.0, "move_cost": 0.0}
    return "hanabi", {"players": int(case[-1])}


def ours(case: str, envs: int, steps: int, updates: int) -> Any:
    """Program that makes `updates` updates of `marl.IPPO`, and its argument."""
    import jax

    import marl

    name, options = environment(case)
    layers: dict[str, Any] = {"hidden": (512, 512), "activation": "relu"}
    if case == "overcooked":
        layers = {"hidden": (64, 64), "activation": "tanh"}
    algo = marl.IPPO(n_envs=envs, n_steps=steps, share_policies=True, **NUMBERS, **layers)
    trainer = marl.Trainer(marl.make_env(name, **options), algo)
    state = jax.jit(trainer.init)(jax.random.key(0))
    return jax.jit(lambda s: trainer.advance(s, updates)), state


def theirs(case: str, envs: int, steps: int, updates: int, scripts: Path) -> Any:
    """The same of JaxMARL's script, which trains from the start; and its argument."""
    import jax

    name, options = environment(case)
    script = load(scripts / f"ippo_ff_{name}.py")
    kwargs: dict[str, Any] = {"max_steps": 400}
    if name == "hanabi":
        env: Any = _env(name, options)
        sizes = {"num_agents": env.players, "num_colors": env.colors, "num_ranks": env.ranks}
        kwargs = {**sizes, "num_cards_of_rank": env.copies}
    else:
        from marl.envs import jaxmarl

        kwargs["layout"] = jaxmarl.load("overcooked.layouts:overcooked_layouts")[options["layout"]]
    config = {
        "LR": NUMBERS["lr"], "NUM_ENVS": envs, "NUM_STEPS": steps,
        "TOTAL_TIMESTEPS": updates * envs * steps, "UPDATE_EPOCHS": NUMBERS["epochs"],
        "NUM_MINIBATCHES": NUMBERS["minibatches"], "GAMMA": 0.99, "GAE_LAMBDA": 0.95,
        "CLIP_EPS": 0.2, "ENT_COEF": 0.01, "VF_COEF": 0.5, "MAX_GRAD_NORM": 0.5,
        "ACTIVATION": "tanh", "ENV_NAME": name, "ENV_KWARGS": kwargs, "ANNEAL_LR": False,
        "REW_SHAPING_HORIZON": 2.5e6,
    }  # fmt: skip
    key = jax.random.PRNGKey(0)
    return jax.jit(script.make_train(config)), key


def _env(name: str, options: dict[str, Any]) -> Any:
    import marl

    return marl.make_env(name, **options)


def load(path: Path) -> Any:
    """A script as a module; what it would log with, and its pictures, are stand-ins."""
    for name in ("hydra", "wandb", "omegaconf", "jaxmarl.viz.overcooked_visualizer"):
        stand_in: Any = types.ModuleType(name)
        stand_in.main = lambda **options: lambda function: function
        stand_in.log = lambda *parts, **more: None
        stand_in.OmegaConf = stand_in.OvercookedVisualizer = object
        sys.modules[name] = stand_in
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"--scripts: cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(
    case: str, numbers: tuple[int, int, int], repetitions: int, scripts: Path
) -> dict[str, dict[str, float]]:
    """Figures of both loops, in this process and in turns."""
    import jax

    loops = {"jaxmarl": theirs(case, *numbers, scripts), "marl": ours(case, *numbers)}
    taken: dict[str, list[tuple[float, float]]] = {loop: [] for loop in loops}
    for _ in range(repetitions + 1):
        for loop, (program, argument) in loops.items():
            cpu, wall = time.process_time(), time.perf_counter()
            jax.block_until_ready(program(argument))  # type: ignore[no-untyped-call]
            taken[loop].append((time.process_time() - cpu, time.perf_counter() - wall))
    found = {}
    for loop, times in taken.items():
        cpus, walls = zip(*times[1:], strict=True)  # the first includes compilation
        count = math.prod(numbers)
        found[loop] = {
            "cpu": count / statistics.median(cpus),
            "wall": count / statistics.median(walls),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=Path, required=True, help="JaxMARL's baselines/IPPO")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--envs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--updates", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--row", metavar="CASE", help="in this process, as JSON")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    numbers = (given.envs, given.steps, given.updates)
    if given.row:
        print(json.dumps(measure(given.row, numbers, given.repetitions, given.scripts)))
        return
    rows: list[tuple[str, ...]] = []
    for case in given.cases:
        sizes = dict(zip(("envs", "steps", "updates"), numbers, strict=True))
        sizes["repetitions"] = given.repetitions
        command = [sys.executable, "-m", "benchmarks.marl_jaxmarl", "--row", case]
        command += [f"--scripts={given.scripts}", *(f"--{n}={v}" for n, v in sizes.items())]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(out.strip().splitlines()[-1])
        for loop in found:
            ratio = f"{found[loop]['cpu'] / found['jaxmarl']['cpu']:.2f}x"
            rates = (f"{found[loop]['cpu']:,.0f}", f"{found[loop]['wall']:,.0f}")
            rows.append((case, loop, *rates, ratio))
            print(" ".join(rows[-1]), flush=True)
    print(aligned(HEAD, rows))
    publish(given.markdown, "Beside JaxMARL", heading("jax", "jaxmarl"), [markdown(HEAD, rows)])


if __name__ == "__main__":
    main()
