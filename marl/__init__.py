"""Learning to collaborate: SRPO and its baselines on small games, jitted from end to end.

Names are imported when they are first asked for, so that `import marl` is light and works without
JAX; a name that needs it raises an ImportError that says what to install.

Examples
--------
>>> import marl
>>> env = marl.make_env("kitchen")
>>> env.n_agents, env.n_actions, env.horizon
(2, 5, 50)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marl import testing as testing
    from marl.algorithms import (
        FCP,
        IPPO,
        MADDPG,
        MAPPO,
        MEP,
        SRPO,
        Adversarial,
        HighEntropyIPPO,
        SelfPlay,
        TrajeDi,
        algo_config,
        make_algo,
    )
    from marl.checkpoint import CheckpointError
    from marl.crossplay import CrossPlay, cross_play
    from marl.envs.base import Env, Step, env_config, make_env
    from marl.evaluation import Evaluation, evaluate
    from marl.export import export_onnx, numpy_policy
    from marl.presets import preset
    from marl.run import Run, load_run, train_run
    from marl.train import Trainer, TrainState, make_train

_HOMES = {
    "Adversarial": "marl.algorithms",
    "CheckpointError": "marl.checkpoint",
    "CrossPlay": "marl.crossplay",
    "Env": "marl.envs.base",
    "Evaluation": "marl.evaluation",
    "FCP": "marl.algorithms",
    "HighEntropyIPPO": "marl.algorithms",
    "IPPO": "marl.algorithms",
    "MADDPG": "marl.algorithms",
    "MAPPO": "marl.algorithms",
    "MEP": "marl.algorithms",
    "Run": "marl.run",
    "SRPO": "marl.algorithms",
    "SelfPlay": "marl.algorithms",
    "TrajeDi": "marl.algorithms",
    "Step": "marl.envs.base",
    "TrainState": "marl.train",
    "Trainer": "marl.train",
    "algo_config": "marl.algorithms",
    "cross_play": "marl.crossplay",
    "env_config": "marl.envs.base",
    "evaluate": "marl.evaluation",
    "export_onnx": "marl.export",
    "load_run": "marl.run",
    "make_algo": "marl.algorithms",
    "make_env": "marl.envs.base",
    "make_train": "marl.train",
    "numpy_policy": "marl.export",
    "preset": "marl.presets",
    "testing": "",
    "train_run": "marl.run",
}

__all__ = [
    "FCP",
    "IPPO",
    "MADDPG",
    "MAPPO",
    "MEP",
    "SRPO",
    "Adversarial",
    "CheckpointError",
    "CrossPlay",
    "Env",
    "Evaluation",
    "HighEntropyIPPO",
    "Run",
    "SelfPlay",
    "Step",
    "TrainState",
    "Trainer",
    "TrajeDi",
    "algo_config",
    "cross_play",
    "env_config",
    "evaluate",
    "export_onnx",
    "load_run",
    "make_algo",
    "make_env",
    "make_train",
    "numpy_policy",
    "preset",
    "testing",
    "train_run",
]


def __getattr__(name: str) -> object:
    """Import a public name's module when the name is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'marl' has no attribute {name!r}")
    home = _HOMES[name]
    try:
        found = getattr(import_module(home), name) if home else import_module(f"marl.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("marl", "rqe")):
            raise
        raise ImportError(
            f"marl.{name} needs the package {error.name!r}: pip install 'rqe[marl]'"
        ) from error
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
