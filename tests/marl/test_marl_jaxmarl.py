"""Environments through JaxMARL: the protocol, the physics of PettingZoo's tag, legal moves."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("jaxmarl", reason="pip install 'rqe[jaxmarl]'")

import marl
from marl.checkpoint import CheckpointError
from marl.envs.tag import flee, load_runner, save_runner
from marl.testing import check_env

SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 8, "hidden": (8,), "epochs": 1}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tag", {"horizon": 6}),
        ("tag", {"horizon": 4, "runner": "learned"}),
        ("hanabi", {"players": 2}),
        ("hanabi", {"players": 4}),
        ("overcooked", {"layout": "cramped_room", "horizon": 2, "shaping": 0.5}),
    ],
    ids=lambda x: x if isinstance(x, str) else "-".join(map(str, x.values())),
)
def test_adapters_keep_the_protocol(name, options):
    check_env(marl.make_env(name, **options), jax.random.key(0), episodes=1)


def test_an_adapter_that_is_first_met_within_a_program_works_afterwards_too():
    env = marl.make_env("tag", horizon=7)
    jax.jit(env.reset)(jax.random.key(0))
    assert env.reset(jax.random.key(0))[1].shape == (2, 14)


def test_tag_agrees_with_pettingzoos_step_by_step():
    simple_tag = pytest.importorskip("mpe2.simple_tag_v3")
    env = marl.make_env("tag", runner="learned", horizon=30)
    theirs = simple_tag.parallel_env(num_adversaries=2, max_cycles=30)
    theirs.reset(seed=0)
    world = theirs.aec_env.unwrapped.world
    step, rng = jax.jit(env.step), np.random.default_rng(0)
    state, _ = env.reset(jax.random.key(0))
    # The same places; the first chaser and the runner are about to run into each other.
    places = np.array([[-0.14, 0.0], [0.3, 0.5], [0.14, 0.0], [-0.3, -0.3], [0.4, -0.2]])
    speeds = np.array([[1.0, 0.0], [0.0, -1.0], [-1.3, 0.0], [0.0, 0.0], [0.0, 0.0]])
    state = state.replace(
        p_pos=jnp.asarray(places, jnp.float32), p_vel=jnp.asarray(speeds, jnp.float32)
    )
    for entity, place, speed in zip(world.entities, places, speeds, strict=True):
        entity.state.p_pos, entity.state.p_vel = place.copy(), speed.copy()
    names = ["adversary_0", "adversary_1", "agent_0"]
    touched = 0.0
    for t in range(30):
        actions = rng.integers(0, 5, 3) if t else np.array([2, 0, 1])
        out = step(jax.random.key(t), state, jnp.asarray(actions, jnp.int32))
        observed, rewards, _, _, _ = theirs.step(dict(zip(names, actions, strict=True)))
        for i, name in enumerate(names):
            want = observed[name]
            np.testing.assert_allclose(out.obs[i, : len(want)], want, atol=2e-4)
            own = float(out.shared + out.private[i])
            assert own == pytest.approx(0.1 * rewards[name], abs=2e-4)
        touched += float(out.info["tags"].sum())
        state = out.state
        # Rounding is not to grow from step to step.
        exact = jnp.asarray([e.state.p_pos for e in world.entities], jnp.float32)
        speed = jnp.asarray([e.state.p_vel for e in world.entities], jnp.float32)
        state = state.replace(p_pos=exact, p_vel=speed)
        assert bool(out.done) == (t == 29)
    assert touched > 0


def test_chasers_share_what_either_of_them_catches():
    env = marl.make_env("tag", horizon=5)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    far = jnp.array([[0.5, 0.5], [-0.5, -0.5], [0.5, 0.45], [-0.8, 0.8], [0.8, -0.8]])
    out = jax.jit(env.step)(jax.random.key(0), state.replace(p_pos=far), jnp.array([0, 0]))
    assert out.info["tags"].tolist() == [1.0, 0.0]
    assert float(out.shared) == pytest.approx(1.0)
    assert out.private.tolist() == [0.0, 0.0]
    places = jax.jit(jax.vmap(lambda key: env.reset(key)[0].p_pos))
    starts = places(jax.random.split(jax.random.key(1), 200))
    assert 0.8 < float(jnp.abs(starts[:, 3:]).max()) <= 0.9
    assert float(jnp.abs(starts[:, :3]).max()) > 0.95


def test_the_scripted_runner_runs_away_and_stays_inside():
    places = jnp.array([[-0.3, 0.0], [-0.4, 0.0], [0.0, 0.0], [0.9, 0.9], [-0.9, -0.9]])
    assert int(flee(jax.random.key(0), places)) == 2  # right
    corner = places.at[2].set(jnp.array([0.9, 0.0])).at[:2].set(jnp.array([[0.6, 0.3], [0.5, 0.4]]))
    assert int(flee(jax.random.key(0), corner)) == 3  # down: right is outside


@pytest.fixture(scope="module")
def runners():
    """What `save_runner` needs of a run of chasers and runner: two untrained teams."""
    env = marl.make_env("tag", runner="learned", horizon=10)
    trainer = marl.Trainer(env, marl.IPPO(**SMALL))
    first = jax.jit(jax.vmap(lambda key: trainer.team(trainer.init(key))))
    return SimpleNamespace(
        env=env,
        algo=trainer.algo,
        seeds=(0, 1),
        actors=first(jax.random.split(jax.random.key(0), 2)),
        config=SimpleNamespace(digest="0" * 64, env=marl.env_config(env)),
    )


def test_a_trained_runner_is_kept_and_fixed(runners, tmp_path):
    file = tmp_path / "runner.safetensors"
    save_runner(runners, 1, file)
    env = marl.make_env("tag", runner=str(file), horizon=10)
    assert env.n_agents == 2
    assert marl.make_env(**{"name": "tag", **env.options()}) == env
    state, obs = jax.jit(env.reset)(jax.random.key(0))
    out = jax.jit(env.step)(jax.random.key(1), state, jnp.array([1, 2], jnp.int32))
    assert out.obs.shape == obs.shape == (2, 14)
    _, weights = load_runner(str(file))
    np.testing.assert_array_equal(
        weights["Dense_0"]["kernel"], runners.actors["Dense_0"]["kernel"][1, 2]
    )
    save_runner(runners, 0, file)
    with pytest.raises(ValueError, match="is not the one that these agents were trained with"):
        marl.make_env("tag", **env.options())
    with pytest.raises(ValueError, match=r"seed must be one of \[0, 1\], got 7"):
        save_runner(runners, 7, file)


def test_a_missing_or_damaged_runner_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"which is no file; marl.envs.tag.save_runner keeps one"):
        marl.make_env("tag", runner=str(tmp_path / "none"))
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"nothing")
    env = marl.make_env("tag", runner=str(file))
    state, _ = env.reset(jax.random.key(0))
    with pytest.raises(CheckpointError, match=r"broken.safetensors: not a whole"):
        env.step(jax.random.key(0), state, jnp.array([0, 0]))


HANABI = {players: marl.make_env("hanabi", players=players) for players in (2, 4)}


def moves(env):
    """Jitted: state, key -> state after a random legal move, the masks, the step."""

    @jax.jit
    def move(state, key):
        legal = env.legal(state)
        actions = jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf))
        return legal, actions, env.step(key, state, actions.astype(jnp.int32))

    return jax.jit(env.reset), move


PLAY = {players: moves(env) for players, env in HANABI.items()}


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), players=st.sampled_from([2, 4]))
def test_hanabis_masks_leave_one_player_the_moves_and_the_others_to_wait(seed, players):
    env, (reset, move) = HANABI[players], PLAY[players]
    key = jax.random.key(seed)
    state, _ = reset(key)
    score, wait = 0.0, env.n_actions - 1
    for t in range(env.horizon):
        legal, actions, out = move(state, jax.random.fold_in(key, t))
        legal = np.array(legal)
        waiting = np.asarray(legal[:, wait])
        assert waiting.sum() == players - 1
        assert (legal[waiting].sum(axis=1) == 1).all()
        assert legal[~waiting].any()
        held: Any = np.asarray(state.player_hands).any(axis=(2, 3))  # [players, cards]
        hand = held.shape[1]
        on_turn = int(np.flatnonzero(~waiting)[0])
        playable = legal[on_turn, hand : 2 * hand]
        assert (playable == held[on_turn]).all()
        hints = legal[on_turn, 2 * hand : wait]
        if int(np.asarray(state.info_tokens).sum()) == 0:
            assert not hints.any()
        assert legal[np.arange(players), np.asarray(actions)].all()
        score += float(out.shared)
        state = out.state
        if bool(out.done):
            break
    assert bool(out.done)
    assert 0.0 <= score <= 9.0


def test_hanabi_is_learned_with_shared_policies_and_an_adversary_at_a_drawn_seat():
    env = HANABI[4]
    algo = marl.SRPO(**SMALL, share_policies=True, tau=1.0)
    trainer = marl.Trainer(env, algo)
    state, metrics = jax.jit(lambda key: trainer.advance(trainer.init(key), 1))(jax.random.key(0))
    assert state.params["adversary_actor"]["Dense_1"]["bias"].shape == (1, env.n_actions)
    assert np.isfinite(metrics["kl"]).all()
    assert trainer.team(state)["Dense_1"]["bias"].shape == (4, env.n_actions)


def test_overcooked_charges_moves_to_those_who_move():
    env = marl.make_env("overcooked", horizon=4, move_cost=0.25)
    state, _ = env.reset(jax.random.key(0))
    out = env.step(jax.random.key(0), state, jnp.array([0, 4]))
    assert out.private.tolist() == [-0.25, 0.0]
    assert out.info["moves"].tolist() == [1.0, 0.0]
    assert float(out.shared) == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: marl.make_env("hanabi", players=6), "players must be an integer in 2..5, got 6"),
        (lambda: marl.make_env("hanabi", players=5, colors=2), "more than the 20 cards"),
        (lambda: marl.make_env("overcooked", layout="coord_rng"), "did you mean 'coord_ring'"),
        (lambda: marl.make_env("overcooked", move_cost=float("nan")), "move_cost must be finite"),
        (lambda: marl.make_env("tag", horizon=0), "horizon must be an integer at least 1, got 0"),
    ],
)
def test_bad_options_get_clear_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
