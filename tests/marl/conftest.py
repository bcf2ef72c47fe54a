"""What the tests of `marl` share: a quick compiler, and one tiny run of the kitchen on disk."""

import os
import sys

import pytest

if "jax" not in sys.modules:  # later it would not be read; what is compiled here is tiny
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")


@pytest.fixture(scope="session")
def train_tiny():
    """Return a function (folder) -> run: two teams, eight updates in intervals of three."""
    pytest.importorskip("jax")
    import marl
    from marl.run import train_run

    def train(folder, **changes):
        options = {"steps": 128, "seeds": 2, "log_every": 3, **changes}
        algo = marl.IPPO(n_envs=2, n_steps=8, hidden=(8, 8))
        return train_run(marl.make_env("kitchen"), algo, folder, **options)

    return train


@pytest.fixture(scope="session")
def tiny_run(train_tiny, tmp_path_factory):
    """One such run; not to be changed."""
    return train_tiny(tmp_path_factory.mktemp("runs") / "tiny")
