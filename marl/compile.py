"""How JAX compiles and runs our programs on a processor.

Its defaults are meant for few large programs; ours are many small matrix products in a loop. Where
JAX finds another device, everything here leaves its settings alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from rqe.parallel import cores

__all__ = ["jit", "use_cores"]

_QUICK = {"xla_backend_optimization_level": 1}


def jit(function: Callable[..., Any]) -> Any:
    """`jax.jit`, compiled quicker on a processor, to programs that are as fast.

    What LLVM's higher levels would vectorise, XLA has vectorised before: the results are the same
    bits (a test compares them).
    """
    import jax

    quick = jax.default_backend() == "cpu"
    return jax.jit(function, compiler_options=_QUICK if quick else None)


def use_cores(count: int | None = None) -> None:
    """Make `count` devices of the processor, by default one per core, each with one thread.

    Threads that share one device wait for each other in products as small as ours
    (`python -m benchmarks.marl_speed` compares). Only before JAX is first used; ``NPROC`` and
    ``XLA_FLAGS`` in the environment come first.

    Parameters
    ----------
    count : int, optional
        Number of devices.

    Raises
    ------
    RuntimeError
        If JAX is in use already.
    """
    import jax

    if entry_points(group="jax_plugins"):  # a GPU or a TPU
        return
    os.environ.setdefault("NPROC", "1")
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        config: Any = jax.config
        config.update("jax_num_cpu_devices", cores() if count is None else count)
