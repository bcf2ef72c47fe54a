"""Files of arrays: safetensors with a schema and a checksum, written whole or not at all.

Nothing here executes what it reads: a file is a list of named arrays and a few strings. A file that
is foreign, damaged or of another run is refused with a `CheckpointError` that says which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CheckpointError", "flatten", "load_arrays", "restore", "save_arrays"]

Arrays = dict[str, NDArray[Any]]

_KEY = "#key"  # suffix of a JAX random key, kept as its raw words: "rng#key:threefry2x32"


class CheckpointError(ValueError):
    """A file that cannot be trusted or does not belong here; the message says why."""


def save_arrays(
    path: str | Path,
    arrays: Mapping[str, NDArray[Any]],
    *,
    schema: str,
    metadata: Mapping[str, str],
) -> None:
    """Write named arrays to `path`, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file; a file of that name is replaced in one step.
    arrays : mapping of str to ndarray
        Booleans, integers and floats of any shape.
    schema : str
        What kind of file this is, for example ``"marl.checkpoint/1"``; `load_arrays` asks for it.
    metadata : mapping of str to str
        What else to keep; the names ``schema`` and ``sha256`` are taken.

    Examples
    --------
    >>> save_arrays("a.safetensors", {"x": np.arange(3)}, schema="demo/1", metadata={"by": "me"})
    >>> arrays, metadata = load_arrays("a.safetensors", schema="demo/1")
    >>> arrays["x"].tolist(), metadata
    ([0, 1, 2], {'by': 'me'})
    """
    from safetensors.numpy import save

    from rqe import _plain

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    whole = {name: array.reshape(arrays[name].shape) for name, array in whole.items()}
    notes = {**metadata, "schema": schema, "sha256": _digest(whole, metadata)}
    _plain.write_whole(path, save(whole, notes))


def load_arrays(path: str | Path, *, schema: str) -> tuple[Arrays, dict[str, str]]:
    """Return the arrays and the metadata of a file of `save_arrays`.

    Raises
    ------
    CheckpointError
        When the file is missing, is no safetensors file, was cut short, was changed after it was
        written, or is of another schema.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            arrays: Arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: not a whole safetensors file ({error})") from error
    found, checksum = metadata.pop("schema", None), metadata.pop("sha256", None)
    if found is None or checksum is None:
        raise CheckpointError(f"{path}: not written by marl: its metadata has no schema")
    if found != schema:
        raise CheckpointError(f"{path}: holds {found!r}, wanted {schema!r}")
    if checksum != _digest(arrays, metadata):
        raise CheckpointError(f"{path}: damaged: its content does not match its checksum")
    return arrays, metadata


def flatten(tree: Any) -> Arrays:
    """Return the leaves of a pytree as arrays named by their place: ``"actor/Dense_0/kernel"``.

    Random keys are kept as their raw words under a name that tells the generator.
    """
    import jax

    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    arrays: Arrays = {}
    for path, leaf in leaves:
        name = _name(path, leaf)
        if name in arrays:
            raise ValueError(f"tree has two leaves called {name!r}")
        arrays[name] = np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
    return arrays


def restore(like: Any, arrays: Mapping[str, NDArray[Any]], *, source: str = "the file") -> Any:
    """Return a tree of the structure of `like` with the leaves that `flatten` had named.

    Parameters
    ----------
    like : pytree
        Arrays or ``jax.ShapeDtypeStruct`` (from ``jax.eval_shape``): structure, shapes, types.
    arrays : mapping of str to ndarray
        Every leaf of `like`, and nothing else.
    source : str
        What to call the arrays in an error.

    Raises
    ------
    CheckpointError
        When a leaf is missing, is not wanted, or has another shape or type.
    """
    import jax

    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [_name(path, leaf) for path, leaf in leaves]
    _check_names(names, arrays, source)
    restored = [
        _leaf(name, leaf, arrays[name], source)
        for name, (_, leaf) in zip(names, leaves, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, restored)


def _check_names(names: list[str], arrays: Mapping[str, Any], source: str) -> None:
    """Refuse arrays that are not exactly those of `names`."""
    missing, extra = sorted(set(names) - set(arrays)), sorted(set(arrays) - set(names))
    if missing or extra:
        parts = [f"lacks {missing[0]!r}"] if missing else []
        parts += [f"has {extra[0]!r}, which is not wanted"] if extra else []
        raise CheckpointError(f"{source} is of another kind of run: it {' and '.join(parts)}")


def _leaf(name: str, like: Any, array: NDArray[Any], source: str) -> Any:
    """Return one leaf as a JAX array, checked against `like`."""
    import jax

    wanted = jax.eval_shape(jax.random.key_data, like) if _is_key(like) else like
    if tuple(array.shape) != tuple(wanted.shape) or array.dtype != wanted.dtype:
        raise CheckpointError(
            f"{source}: {name!r} is {array.dtype}{list(array.shape)}, "
            f"wanted {wanted.dtype}{list(wanted.shape)}"
        )
    if _is_key(like):
        return jax.random.wrap_key_data(jax.numpy.asarray(array), impl=_generator(like))
    return jax.numpy.asarray(array)


def _name(path: Any, leaf: Any) -> str:
    """Name of one leaf."""
    import jax

    name = jax.tree_util.keystr(path, simple=True, separator="/") or "value"
    return f"{name}{_KEY}:{_generator(leaf)}" if _is_key(leaf) else name


def _is_key(leaf: Any) -> bool:
    """Whether a leaf is a typed JAX random key."""
    import jax

    return hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _generator(leaf: Any) -> str:
    """Name of the generator of a random key."""
    import jax

    names: list[str] = []

    def look(key: Any) -> Any:
        names.append(str(jax.random.key_impl(key)))
        return key

    jax.eval_shape(look, leaf)  # a tracer has a generator where a ShapeDtypeStruct has none
    return names[0]


def _digest(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """SHA-256 over names, types, shapes, bytes and metadata, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    for key in sorted(metadata):
        digest.update(f"{key}\0{metadata[key]}\0".encode())
    return digest.hexdigest()
