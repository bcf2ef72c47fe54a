"""Training speed beside PyTorch, on the kitchen, side by side in one command.

    pip install torch==2.13.0
    python -m benchmarks.marl_peers

Two PyTorch loops, written here from the description of IPPO for comparison only, with the same
networks, optimiser, batch and epochs: `in process` steps eight plain-Python kitchens one after the
other; `8 workers` steps each in a process of its own behind a pipe, as the paper's authors do.
Ours trains several seeds in one process, spread over its cores as `marl train` does it. CPU time
includes worker processes. The three take turns, and a cell is a median over the rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import aligned, heading, markdown, publish
from tests.reference import kitchen

N_ENVS, N_STEPS, EPOCHS, GAMMA, LAMBDA, CLIP, EPS = 8, 128, 4, 0.99, 0.95, 0.2, 0.1
HEAD = ("training loop", "steps/CPU s", "ours", "steps/s", "ours (wall)")


class PlainKitchen:
    """The kitchen in plain Python, resetting itself."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.reset()

    def reset(self) -> list[float]:
        """Observation at the start of an episode."""
        starts = [(1, 0), (0, 1)]
        self.random.shuffle(starts)
        self.state: dict[str, Any] = {
            "pos": starts,
            "carrying": [False, False],
            "onions": [True, True],
            "t": 0,
        }
        return kitchen.observe(self.state)

    def step(self, actions: Sequence[int]) -> tuple[list[float], list[float], bool]:
        """Observation, both rewards, and whether the episode ended."""
        order = (0, 1) if self.random.random() < 0.5 else (1, 0)
        returns = [self.random.random() < 0.2 for _ in range(2)]
        self.state, shared, private, done, _ = kitchen.step(self.state, actions, order, returns)
        obs = self.reset() if done else kitchen.observe(self.state)
        return obs, [shared + cost for cost in private], done


class InProcess:
    """Eight kitchens, one after the other."""

    def __init__(self) -> None:
        self.envs = [PlainKitchen(seed) for seed in range(N_ENVS)]

    def reset(self) -> list[list[float]]:
        """Observations of all."""
        return [env.reset() for env in self.envs]

    def step(self, actions: Any) -> list[tuple[list[float], list[float], bool]]:
        """A step of all."""
        return [env.step(both) for env, both in zip(self.envs, actions, strict=True)]

    def close(self) -> float:
        """Nothing to end, no CPU seconds elsewhere."""
        return 0.0


def worker(pipe: Connection, seed: int) -> None:
    """A kitchen behind a pipe: actions in, steps out; None ends it and asks for its CPU time."""
    env, start = PlainKitchen(seed), time.process_time()
    while (actions := pipe.recv()) is not None:
        pipe.send(env.reset() if actions == "reset" else env.step(actions))
    pipe.send(time.process_time() - start)


class Workers:
    """Eight kitchens in processes of their own."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        pairs = [context.Pipe() for _ in range(N_ENVS)]
        self.pipes = [ours for ours, _ in pairs]
        self.processes = [
            context.Process(target=worker, args=(theirs, seed), daemon=True)
            for seed, (_, theirs) in enumerate(pairs)
        ]
        for process in self.processes:
            process.start()

    def reset(self) -> list[list[float]]:
        """Observations of all."""
        for pipe in self.pipes:
            pipe.send("reset")
        return [pipe.recv() for pipe in self.pipes]

    def step(self, actions: Any) -> list[tuple[list[float], list[float], bool]]:
        """A step of all."""
        for pipe, both in zip(self.pipes, actions, strict=True):
            pipe.send(list(both))
        return [pipe.recv() for pipe in self.pipes]

    def close(self) -> float:
        """CPU seconds of the processes, which end."""
        for pipe in self.pipes:
            pipe.send(None)
        spent = sum(pipe.recv() for pipe in self.pipes)
        for process in self.processes:
            process.join()
        return float(spent)


class TorchAgent:
    """One IPPO agent in PyTorch: separate tanh 64-64 actor and critic, Adam."""

    def __init__(self) -> None:
        import torch

        def net(outputs: int) -> Any:
            return torch.nn.Sequential(
                torch.nn.Linear(8, 64),
                torch.nn.Tanh(),
                torch.nn.Linear(64, 64),
                torch.nn.Tanh(),
                torch.nn.Linear(64, outputs),
            )

        self.actor, self.critic = net(5), net(1)
        weights = [*self.actor.parameters(), *self.critic.parameters()]
        self.adam = torch.optim.Adam(weights, lr=6e-4)

    def act(self, obs: Any) -> tuple[Any, Any, Any]:
        """Actions, their log-probabilities, and values."""
        import torch

        with torch.no_grad():
            policy = torch.distributions.Categorical(logits=self.actor(obs))
            action = policy.sample()
            return action, policy.log_prob(action), self.critic(obs).squeeze(-1)

    def learn(self, data: dict[str, Any], last_obs: Any) -> None:
        """Advantages, then all epochs over the whole batch."""
        import torch

        with torch.no_grad():
            following = self.critic(last_obs).squeeze(-1)
        advantage, later = torch.zeros_like(data["value"]), torch.zeros(N_ENVS)
        for t in reversed(range(N_STEPS)):
            alive = 1.0 - data["done"][t]
            delta = data["reward"][t] + GAMMA * alive * following - data["value"][t]
            later = delta + GAMMA * LAMBDA * alive * later
            advantage[t], following = later, data["value"][t]
        target = (advantage + data["value"]).flatten()
        gain, obs = advantage.flatten(), data["obs"].flatten(0, 1)
        action, old = data["action"].flatten(), data["log_prob"].flatten()
        for _ in range(EPOCHS):
            policy = torch.distributions.Categorical(logits=self.actor(obs))
            ratio = (policy.log_prob(action) - old).exp()
            clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
            surrogate = torch.minimum(ratio * gain, clipped * gain).mean()
            error = (self.critic(obs).squeeze(-1) - target).pow(2).mean()
            loss = -surrogate - EPS * policy.entropy().mean() + 0.5 * error
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()


def torch_run(make: Callable[[], Any], updates: int) -> tuple[float, float]:
    """Environment steps per CPU second and per second of training both agents."""
    import torch

    torch.set_num_threads(1)
    envs, agents = make(), [TorchAgent(), TorchAgent()]
    obs = torch.tensor(envs.reset())
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(updates):
        steps: list[list[tuple[Any, ...]]] = [[], []]
        for _ in range(N_STEPS):
            acted = [agent.act(obs) for agent in agents]
            actions = torch.stack([found[0] for found in acted], dim=1).tolist()
            results = envs.step(actions)
            rewards = torch.tensor([row[1] for row in results])
            done = torch.tensor([float(row[2]) for row in results])
            for i, found in enumerate(acted):
                steps[i].append((obs, *found, rewards[:, i], done))
            obs = torch.tensor([row[0] for row in results])
        names = ("obs", "action", "log_prob", "value", "reward", "done")
        for agent, rows in zip(agents, steps, strict=True):
            columns = zip(*rows, strict=True)
            stacked = [torch.stack(list(column)) for column in columns]
            agent.learn(dict(zip(names, stacked, strict=True)), obs)
    total, wall = updates * N_ENVS * N_STEPS, time.perf_counter() - wall
    return total / (time.process_time() - cpu + envs.close()), total / wall


def ours(seeds: int, updates: int) -> Callable[[], tuple[float, float]]:
    """A call that trains IPPO for some updates, compiled already, and returns its rates."""
    import jax

    import marl
    from marl.compile import use_cores
    from marl.programs import programs

    use_cores()
    env: Any = marl.make_env("kitchen")
    compiled = programs(env, marl.IPPO(), updates, tuple(jax.devices()))
    state = compiled.init(jax.random.split(jax.random.key(0), seeds))
    jax.block_until_ready(compiled.advance(state, 1))  # type: ignore[no-untyped-call]
    steps = seeds * updates * marl.IPPO().interactions()

    def call() -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        jax.block_until_ready(compiled.advance(state, updates))  # type: ignore[no-untyped-call]
        return steps / (time.process_time() - cpu), steps / (time.perf_counter() - wall)

    return call


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="seeds of ours in one process")
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    loops: dict[str, Callable[[], tuple[float, float]]] = {
        f"marl, {given.seeds} seeds": ours(given.seeds, given.updates),
        "PyTorch, in process": lambda: torch_run(InProcess, given.updates),
        "PyTorch, 8 workers": lambda: torch_run(Workers, given.updates),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for _ in range(given.rounds):
        for name, call in loops.items():
            found[name].append(call())
    medians = {name: np.median(pairs, axis=0) for name, pairs in found.items()}
    best = next(iter(medians.values()))
    rows = []
    for name, (cpu, wall) in medians.items():
        ratios = (f"{best[0] / cpu:.1f}x", f"{best[1] / wall:.1f}x")
        rows.append((name, f"{cpu:,.0f}", ratios[0], f"{wall:,.0f}", ratios[1]))
    print(aligned(HEAD, rows))
    publish(
        given.markdown, "Training beside PyTorch", heading("jax", "torch"), [markdown(HEAD, rows)]
    )


if __name__ == "__main__":
    main()
