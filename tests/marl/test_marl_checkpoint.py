"""Checkpoints: what is written is read back to the bit, and nothing else is read at all."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

jax = pytest.importorskip("jax")

from marl.checkpoint import (  # noqa: E402
    CheckpointError,
    flatten,
    load_arrays,
    restore,
    save_arrays,
)

SCHEMA = "test/1"
KINDS = st.sampled_from([np.bool_, np.uint32, np.int64, np.float32, np.float64])
ARRAYS = KINDS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0)))


@pytest.fixture
def tree():
    """What a training state is made of: nested, with random keys, truth values and scalars."""
    import jax.numpy as jnp

    return {
        "actor": {"Dense_0": {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.zeros(0)}},
        "key": jax.random.split(jax.random.key(7), 3),
        "done": jnp.array(True),
        "nested": (jnp.int32(4), [jnp.uint32(5)]),
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_arrays(path, {"x": np.arange(100.0)}, schema=SCHEMA, metadata={"by": "us"})
    return path


@given(st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1), ARRAYS, max_size=4))
def test_arrays_read_back_to_the_bit(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "a.safetensors"
    arrays = {name: array for name, array in arrays.items() if name != "__metadata__"}
    save_arrays(path, arrays, schema=SCHEMA, metadata={})
    found, metadata = load_arrays(path, schema=SCHEMA)
    assert metadata == {}
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_a_tree_is_restored_with_its_random_keys(tree, tmp_path):
    path = tmp_path / "state.safetensors"
    save_arrays(path, flatten(tree), schema=SCHEMA, metadata={})
    arrays, _ = load_arrays(path, schema=SCHEMA)
    assert "actor/Dense_0/kernel" in arrays
    again = restore(jax.eval_shape(lambda: tree), arrays)
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    draw = jax.vmap(jax.random.normal)
    np.testing.assert_array_equal(draw(again["key"]), draw(tree["key"]))
    for new, old in zip(jax.tree.leaves(again), jax.tree.leaves(tree), strict=True):
        assert new.dtype == old.dtype
        assert (new == old).all()


def test_a_failed_write_leaves_the_old_file(file, monkeypatch):
    before = file.read_bytes()

    def broken(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", broken)
    with pytest.raises(OSError, match="no space"):
        save_arrays(file, {"x": np.zeros(3)}, schema=SCHEMA, metadata={})
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("keep", [0, 5, 60, 0.5, -1])
def test_a_file_cut_short_is_refused(file, keep):
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"a\.safetensors: not a whole safetensors file"):
        load_arrays(file, schema=SCHEMA)


def test_a_single_changed_bit_is_noticed(file):
    data = bytearray(file.read_bytes())
    data[-9] ^= 4
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        load_arrays(file, schema=SCHEMA)


def test_metadata_cannot_be_changed_unnoticed(file):
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"by":"us"', b'"by":"me"'))
    with pytest.raises(CheckpointError, match="damaged"):
        load_arrays(file, schema=SCHEMA)


def test_a_pickle_is_refused_and_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    path = tmp_path / "bomb.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_arrays(path, schema=SCHEMA)
    assert not (tmp_path / "ran").exists()


def test_foreign_files_are_refused(file, tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(CheckpointError, match="holds 'test/1', wanted 'other/2'"):
        load_arrays(file, schema="other/2")
    with pytest.raises(CheckpointError, match="no such file"):
        load_arrays(tmp_path / "none.safetensors", schema=SCHEMA)
    theirs = tmp_path / "theirs.safetensors"
    save_file({"weights": np.zeros(3)}, theirs)
    with pytest.raises(CheckpointError, match="not written by marl"):
        load_arrays(theirs, schema=SCHEMA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("done"), "lacks 'done'"),
        (lambda a: a.update(more=np.zeros(1)), "has 'more', which is not wanted"),
        (lambda a: a.update(done=np.zeros(2, bool)), r"'done' is bool\[2\], wanted bool\[\]"),
        (lambda a: a.update(done=np.float32(0)), r"'done' is float32\[\], wanted bool\[\]"),
    ],
)
def test_arrays_of_another_run_are_refused(tree, change, message):
    arrays = flatten(tree)
    change(arrays)
    with pytest.raises(CheckpointError, match=message):
        restore(tree, arrays, source="old.safetensors")


def test_another_random_generator_is_refused(tree):
    arrays = flatten({**tree, "key": jax.random.key(0, impl="rbg")})
    with pytest.raises(CheckpointError, match="threefry"):
        restore(tree, arrays)
