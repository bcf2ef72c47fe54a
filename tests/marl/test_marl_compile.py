"""One device a core with one thread, unless the user or a GPU says otherwise; quick compilation."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("jax")

import jax

from marl import compile as compiling
from rqe.parallel import cores


def fresh(code, **variables):
    """Return what a new process prints, in which JAX has not been used."""
    unset = {k: v for k, v in os.environ.items() if k not in ("NPROC", "XLA_FLAGS")}
    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=unset | {"JAX_PLATFORMS": "cpu"} | variables,
    )
    return told.stdout.split()


USE = "import os, jax; from marl.compile import use_cores; use_cores({}); "
TELL = "print(jax.device_count(), os.environ['NPROC'])"


@pytest.mark.parametrize(
    ("count", "variables", "told"),
    [
        ("", {}, [str(cores()), "1"]),
        ("3", {}, ["3", "1"]),
        ("3", {"NPROC": "5"}, ["3", "5"]),
        ("3", {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}, ["4", "1"]),
    ],
)
def test_a_device_a_core_with_one_thread_unless_the_user_chose(count, variables, told):
    assert fresh(USE.format(count) + TELL, **variables) == told


def test_other_devices_are_left_alone(monkeypatch):
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.setattr(compiling, "entry_points", lambda group: [group])
    compiling.use_cores(2)
    assert "NPROC" not in os.environ


def test_once_jax_is_in_use_it_is_too_late(monkeypatch):
    monkeypatch.setenv("NPROC", "1")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(compiling, "entry_points", lambda group: [])
    n = jax.device_count()
    with pytest.raises(RuntimeError):
        compiling.use_cores(n + 1)


def test_a_command_trains_on_all_cores(tmp_path):
    words = ["train", "--algo", "ippo", "--set", "hidden=8x8", "--set", "n_steps=8"]
    words += ["--steps", "128", "--seeds", str(2 * cores()), "--out", str(tmp_path), "--quiet"]
    code = f"import jax; from marl.cli import main; main({words!r}); print(jax.device_count())"
    assert fresh(code)[-1] == str(cores())


TRAIN = """
import hashlib, jax, numpy as np, marl
from marl.compile import jit
env, algo = marl.make_env("kitchen"), marl.SRPO(n_envs=2, n_steps=8, hidden=(8, 8))
train = jax.vmap(marl.make_train(env, algo, steps=128))
state, _ = {}(train)(jax.random.split(jax.random.key(0), 3))
leaves = [np.asarray(x).tobytes() for x in jax.tree.leaves(state.params)]
print(hashlib.sha256(b"".join(leaves)).hexdigest())
"""


def test_quick_compilation_gives_the_same_bits():
    quick, usual = (fresh(TRAIN.format(how)) for how in ("jit", "jax.jit"))
    assert quick == usual
