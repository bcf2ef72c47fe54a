"""What makes a run: environment, algorithm, seeds, steps; and on what it ran."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marl.checkpoint import CheckpointError

if TYPE_CHECKING:
    from marl.algorithms.config import Algorithm
    from marl.envs.base import Env

__all__ = ["RunConfig"]

SCHEMA = "marl.run/1"
_IDENTITY = ("schema", "env", "algo", "seeds", "seed", "steps", "log_every")
_PACKAGES = ("rqe", "jax", "jaxlib", "flax", "optax", "numpy")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that determines a run's figures, and what they were computed with.

    Parameters
    ----------
    env, algo : dict
        What `marl.env_config` and `marl.algo_config` return.
    seeds, seed : int
        Number of seeds, and the first of them: seed, seed + 1, ...
    steps : int
        Environment steps of each seed, all tables and phases counted; whole updates.
    log_every : int
        Updates between two rows of metrics, and between two checkpoints.
    versions : dict
        Packages, Python and processors at hand when the run began.
    git : str or None
        Commit of the working folder, with "+" if files had changed; None outside a repository.
    """

    env: dict[str, Any]
    algo: dict[str, Any]
    seeds: int
    seed: int
    steps: int
    log_every: int
    versions: dict[str, str] = field(default_factory=dict)
    git: str | None = None

    @classmethod
    def of(
        cls, env: Env, algo: Algorithm, *, seeds: int, seed: int, steps: int, log_every: int
    ) -> RunConfig:
        """Describe a run that begins here and now."""
        from marl.algorithms import algo_config
        from marl.envs.base import env_config

        return cls(
            env=env_config(env),
            algo=algo_config(algo),
            seeds=seeds,
            seed=seed,
            steps=steps,
            log_every=log_every,
            versions=_versions(),
            git=_git(),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of what determines the figures: neither versions nor the commit."""
        identity = {name: value for name, value in self.to_dict().items() if name in _IDENTITY}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def objects(self) -> tuple[Env, Algorithm]:
        """Return the environment and the algorithm."""
        from marl.algorithms import make_algo
        from marl.envs.base import make_env

        return make_env(self.env["name"], **self.env["options"]), make_algo(**self.algo)

    def differences(self, other: RunConfig) -> list[str]:
        """Settings that differ, for people: ``["algo.tau: 10.0, not 1.0", ...]``."""
        mine, theirs = self.to_dict(), other.to_dict()
        return differing({k: mine[k] for k in _IDENTITY}, {k: theirs[k] for k in _IDENTITY})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content of ``config.json``."""
        names = [name for name in self.__dataclass_fields__]
        return {"schema": SCHEMA, **{name: getattr(self, name) for name in names}}

    def save(self, path: str | Path) -> None:
        """Write as JSON, whole or not at all."""
        from rqe import _plain

        _plain.write_whole(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> RunConfig:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            When the file is missing, is no JSON, or is not a run's configuration.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise CheckpointError(f"{path}: no such file, so this is no run") from error
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: not a run's configuration ({error})") from error
        found = content.get("schema") if isinstance(content, dict) else None
        if found != SCHEMA:
            raise CheckpointError(f"{path}: schema is {found!r}, wanted {SCHEMA!r}")
        try:
            config = cls(**{name: value for name, value in content.items() if name != "schema"})
            config.objects()
        except (TypeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{path}: not a run's configuration ({error})") from error
        return config


def _versions() -> dict[str, str]:
    """Versions that the figures may depend on, to the last bit."""
    from importlib.metadata import PackageNotFoundError, version

    import jax

    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    devices = jax.devices()
    return found | {"devices": f"{len(devices)} x {devices[0].device_kind}"}


def _git() -> str | None:
    """Commit of this package's folder, with "+" if tracked files differ from it."""
    folder = Path(__file__).resolve().parent

    def ask(*arguments: str) -> str:
        command = ("git", "-C", str(folder), *arguments)
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return run.stdout.strip()

    try:
        return ask("rev-parse", "HEAD") + ("+" if ask("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def differing(mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return what differs between nested settings: ``["algo.tau: 10.0, not 1.0", ...]``."""
    mine, theirs = _flat(mine), _flat(theirs)
    return [
        f"{name}: {mine.get(name)!r}, not {theirs.get(name)!r}"
        for name in sorted(mine | theirs)
        if mine.get(name) != theirs.get(name)
    ]


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
