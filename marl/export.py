"""Trained policies without JAX: plain numpy, or an ONNX file for other runtimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from marl.run import Run

__all__ = ["NumpyPolicy", "export_onnx", "numpy_policy"]

Array = NDArray[np.float64]

ILLEGAL = -1e9  # as in `marl.networks`, which needs JAX
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
}


@dataclass(frozen=True, eq=False)
class NumpyPolicy:
    """One agent's policy in numpy alone; what `marl.evaluate` takes.

    Called with observations and legal actions it returns actions, sampled as in training, or the
    most probable ones.

    Attributes
    ----------
    layers : tuple of (ndarray, ndarray)
        Weights [in, out] and biases [out], first layer first.
    activation : {"tanh", "relu"}
        Between the layers.
    greedy : bool
        Take the most probable action.
    rng : numpy.random.Generator
        Of the samples.

    Examples
    --------
    >>> policy = NumpyPolicy(((np.eye(2), np.zeros(2)),), rng=np.random.default_rng(0))
    >>> policy.probabilities([[0.0, np.log(3.0)]]).round(2).tolist()
    [[0.25, 0.75]]
    >>> policy([[0.0, 1.0]], legal=[[True, False]]).tolist()
    [0]
    """

    layers: tuple[tuple[Array, Array], ...]
    activation: str = "tanh"
    greedy: bool = False
    rng: np.random.Generator = field(default_factory=np.random.default_rng)

    def logits(self, obs: Any, legal: Any = None) -> Array:
        """Logits [..., n_actions] where the agent sees `obs` [..., obs_size]."""
        x = np.asarray(obs, np.float64)
        for depth, (weights, bias) in enumerate(self.layers):
            x = x @ weights + bias
            if depth < len(self.layers) - 1:
                x = _ACTIVATIONS[self.activation](x)
        return x if legal is None else np.where(np.asarray(legal, bool), x, ILLEGAL)

    def probabilities(self, obs: Any, legal: Any = None) -> Array:
        """Policy [..., n_actions] where the agent sees `obs` [..., obs_size]."""
        logits = self.logits(obs, legal)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        policy: Array = weights / weights.sum(axis=-1, keepdims=True)
        return policy

    def __call__(self, obs: Any, legal: Any = None) -> NDArray[np.intp]:
        """Actions [...] for observations [..., obs_size] and legal actions [..., n_actions]."""
        policy = self.probabilities(obs, legal)
        if self.greedy:
            return np.asarray(policy.argmax(axis=-1))
        below = np.cumsum(policy, axis=-1)
        level = self.rng.random(policy.shape[:-1])[..., None] * below[..., -1:]
        return np.asarray((level >= below[..., :-1]).sum(axis=-1))


def numpy_policy(
    run: Run,
    *,
    seat: int = 0,
    seed: int | None = None,
    greedy: bool = False,
    rng: int | Sequence[int] = 0,
) -> NumpyPolicy:
    """Policy of one agent of a complete run, in numpy.

    Parameters
    ----------
    run : marl.Run
        From `marl.load_run` or `marl.train_run`.
    seat : int
        The agent's seat.
    seed : int, optional
        Seed of its team, by default the run's first.
    greedy : bool
        Take the most probable action instead of a sample.
    rng : int or sequence of int
        Seed of the samples, see `numpy.random.default_rng`; agents who play together need
        different ones.

    Raises
    ------
    ValueError
        If the run has no such seat or seed.
    """
    seed = run.seeds[0] if seed is None else seed
    if seed not in run.seeds:
        raise ValueError(f"seed must be one of {list(run.seeds)}, got {seed!r}")
    if not 0 <= seat < run.env.n_agents:
        raise ValueError(f"seat must be in 0..{run.env.n_agents - 1}, got {seat!r}")
    net, t = run.actors, run.seeds.index(seed)
    layers = tuple(
        (
            np.asarray(net[f"Dense_{k}"]["kernel"][t, seat], np.float64),
            np.asarray(net[f"Dense_{k}"]["bias"][t, seat], np.float64),
        )
        for k in range(len(net))
    )
    return NumpyPolicy(layers, run.algo.activation, greedy, np.random.default_rng(rng))


def export_onnx(policy: NumpyPolicy, path: str | Path) -> None:
    """Write a policy as ONNX: (obs [N, obs_size], legal [N, n_actions]) -> probabilities.

    Parameters
    ----------
    policy : NumpyPolicy
        From `numpy_policy`.
    path : str or Path
        The file; written whole or not at all.

    Raises
    ------
    ImportError
        If the package ``onnx`` is not installed.
    """
    try:
        onnx: Any = import_module("onnx")
    except ImportError as error:
        raise ImportError("export_onnx needs the package 'onnx': pip install onnx") from error
    from rqe import _plain

    helper, kinds = onnx.helper, onnx.TensorProto
    steps, constants = _graph(policy)
    nodes = [helper.make_node(kind, into, [out], **more) for kind, into, out, more in steps]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    size, actions = policy.layers[0][0].shape[0], policy.layers[-1][1].shape[0]
    inputs = [
        helper.make_tensor_value_info("obs", kinds.FLOAT, ["N", size]),
        helper.make_tensor_value_info("legal", kinds.BOOL, ["N", actions]),
    ]
    output = helper.make_tensor_value_info("probabilities", kinds.FLOAT, ["N", actions])
    graph = helper.make_graph(nodes, "policy", inputs, [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    _plain.write_whole(path, model.SerializeToString())


def _graph(policy: NumpyPolicy) -> tuple[list[Any], dict[str, Any]]:
    """Nodes (kind, inputs, output, attributes) and constants by name."""
    nodes: list[Any] = []
    tensors: dict[str, Any] = {"illegal": np.array(ILLEGAL, np.float32)}
    last = "obs"
    for k, (weights, bias) in enumerate(policy.layers):
        tensors |= {f"weights_{k}": weights.astype(np.float32)}
        tensors |= {f"bias_{k}": bias.astype(np.float32)}
        nodes.append(("Gemm", [last, f"weights_{k}", f"bias_{k}"], f"layer_{k}", {}))
        last = f"layer_{k}"
        if k < len(policy.layers) - 1:
            kind = {"tanh": "Tanh", "relu": "Relu"}[policy.activation]
            nodes.append((kind, [last], f"active_{k}", {}))
            last = f"active_{k}"
    nodes.append(("Where", ["legal", last, "illegal"], "masked", {}))
    nodes.append(("Softmax", ["masked"], "probabilities", {"axis": -1}))
    return nodes, tensors
