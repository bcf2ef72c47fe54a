"""Settings under which the paper's experiments were run, per environment and algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from marl.algorithms import ALGORITHMS, Algorithm, make_algo
from marl.envs.base import check_name

__all__ = ["PRESETS", "Preset", "preset", "settings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """How an algorithm is run in an environment."""

    algo: Algorithm
    """The algorithm with all its settings."""
    steps: int
    """Environment steps in all, a whole number of updates of every algorithm of this table."""
    seeds: int
    """Independent runs."""


def settings(kind: type[Algorithm], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `fields` that an algorithm has and leaves open.

    A method that is defined by its entropy bonus, by its tau or by shared policies keeps them, one
    of two stages has no schedules, and a central critic has no trunk in common with an actor.

    Examples
    --------
    >>> settings(ALGORITHMS["adversarial"], {"eps": 0.3, "tau": 1.0, "n_envs": 16, "buffer": 9})
    {'n_envs': 16}
    """
    own = {field.name for field in dataclasses.fields(kind)}
    own -= _FIXED.get(kind.name, set())
    found = {name: value for name, value in fields.items() if name in own}
    if "buffer" in own:
        rollout = {"n_envs": kind.n_envs, "n_steps": kind.n_steps, **found}
        if rollout["n_envs"] * rollout["n_steps"] > kind.buffer:  # type: ignore[attr-defined]
            found["buffer"] = rollout["n_envs"] * rollout["n_steps"]
    return found


_SCHEDULES = {"eps_start", "eps_warmup", "lr_start", "lr_warmup"}

_FIXED = {
    "adversarial": {"eps", "tau"},
    "high_entropy": {"eps"},
    "self_play": {"share_policies"},
    "maddpg": {"share_policies"},
    "mappo": {"shared_trunk"},
    **{name: {"share_policies", *_SCHEDULES} for name in ("fcp", "mep", "trajedi")},
}


def _for_all(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """One setting for all algorithms, as far as they have it."""
    return {name: settings(kind, fields) for name, kind in ALGORITHMS.items()}


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # arXiv 2602.21515, appendix D, and the authors' published settings: the defaults of `PPO`.
    "kitchen": {"ippo": {}, "srpo": {"tau": 10.0, "penalty": "reverse_kl"}},
    # The same, appendix D. A central critic has layers of its own.
    "tag": _for_all(
        {
            "n_envs": 64,
            "lr": 1e-3,
            "hidden": (128, 128),
            "activation": "relu",
            "normalise_advantages": True,
            "shared_trunk": True,
            "max_grad_norm": 10.0,
            "eps": 0.01,
        }
    ),
    # The same. One policy plays all seats.
    "hanabi": _for_all(
        {
            "n_envs": 1000,
            "n_steps": 100,
            "epochs": 15,
            "lr": 7e-4,
            "critic_lr": 1e-3,
            "hidden": (128, 128),
            "activation": "relu",
            "eps": 1e-3,
            "tau": 0.01,
            "share_policies": True,
        }
    ),
    # Ours; the paper has none.
    "overcooked": _for_all(
        {"n_envs": 64, "n_steps": 256, "minibatches": 8, "lr": 5e-4, "hidden": (128, 128)}
    ),
    # One step per episode: nothing to discount, many short rollouts. Ours; the paper has none.
    "matrix": {
        name: {"n_envs": 128, "n_steps": 8, "lr": 1e-3, "hidden": (16,)} for name in ALGORITHMS
    },
}
"""Environment -> algorithm -> settings that differ from the algorithm's defaults."""

_RUNS = {
    "kitchen": (1_998_848, 30),
    "tag": (29_999_104, 30),
    "hanabi": (30_000_000, 10),
    "overcooked": (9_994_240, 10),
    "matrix": (1_024_000, 10),
}


def preset(env: str, algo: str) -> Preset:
    """Settings for an algorithm in an environment.

    Parameters
    ----------
    env : str
        Name of an environment that has presets: a key of `PRESETS`.
    algo : str
        Name of an algorithm; one without an entry of its own gets its defaults.

    Raises
    ------
    ValueError
        If there is none of that name; the nearest is named.

    Examples
    --------
    >>> found = preset("kitchen", "srpo")
    >>> found.steps, found.seeds, found.algo.tau
    (1998848, 30, 10.0)
    """
    check_name("environment with presets", env, PRESETS)
    check_name("algorithm", algo, ALGORITHMS)
    steps, seeds = _RUNS[env]
    return Preset(algo=make_algo(algo, **PRESETS[env].get(algo, {})), steps=steps, seeds=seeds)
