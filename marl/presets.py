"""Settings under which the paper's experiments were run, per environment and algorithm."""

from __future__ import annotations

import dataclasses
from typing import Any

from marl.algorithms import ALGORITHMS, Algorithm, make_algo
from marl.envs.base import check_name

__all__ = ["PRESETS", "Preset", "preset"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """How an algorithm is run in an environment."""

    algo: Algorithm
    """The algorithm with all its settings."""
    steps: int
    """Environment steps in all, a whole number of updates of every algorithm of this table."""
    seeds: int
    """Independent runs."""


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # arXiv 2602.21515, appendix D, and the authors' published settings: the defaults of `PPO`.
    "kitchen": {"ippo": {}, "srpo": {"tau": 10.0, "penalty": "reverse_kl"}},
    # One step per episode: nothing to discount, many short rollouts. Ours; the paper has none.
    "matrix": {
        name: {"n_envs": 128, "n_steps": 8, "lr": 1e-3, "hidden": (16,)} for name in ALGORITHMS
    },
}
"""Environment -> algorithm -> settings that differ from the algorithm's defaults."""

_RUNS = {"kitchen": (1_998_848, 30), "matrix": (1_024_000, 10)}


def preset(env: str, algo: str) -> Preset:
    """Settings for an algorithm in an environment.

    Parameters
    ----------
    env : str
        Name of an environment that has presets: "kitchen", "matrix".
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
