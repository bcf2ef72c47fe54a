"""Environments: the protocol, the kitchen against its slow twin and its rules, matrix games."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
import rqe
from marl.envs.base import ENVIRONMENTS
from marl.envs.kitchen import ACTIONS, ONIONS, Kitchen, KitchenState
from marl.envs.matrix import Matrix
from tests.reference import kitchen as slow

UP, DOWN, LEFT, RIGHT, STAY = range(5)
HUGE = rqe.NormalFormGame(np.arange(3 * 2 * 3 * 4.0).reshape(3, 2, 3, 4))
EVERY = [
    marl.make_env("kitchen"),
    marl.make_env("kitchen", egocentric=True, horizon=7, respawn=1.0),
    marl.make_env("matrix", game="stag-hunt"),
    Matrix(game=HUGE),
]


@pytest.mark.parametrize("env", EVERY, ids=lambda env: f"{env.name}{env.horizon}x{env.n_agents}")
def test_every_environment_keeps_the_protocol(env):
    marl.testing.check_env(env, jax.random.key(3), episodes=2)


def test_every_registered_environment_is_checked_above():
    elsewhere = {"hanabi", "overcooked", "tag"}  # test_marl_jaxmarl.py, where that is installed
    assert {env.name for env in EVERY} == set(ENVIRONMENTS) - elsewhere


class Broken(Kitchen):
    """A kitchen whose observations have the wrong type."""

    name = "broken"

    def observe(self, state):
        return super().observe(state).astype(jnp.int32)


def test_the_conformance_check_finds_faults():
    with pytest.raises(AssertionError, match="obs must be float32"):
        marl.testing.check_env(Broken(), jax.random.key(0))


def as_dict(state):
    """State of the fast kitchen as the slow one writes it."""
    return {
        "pos": [tuple(cell) for cell in np.asarray(state.pos).tolist()],
        "carrying": np.asarray(state.carrying).tolist(),
        "onions": np.asarray(state.onions).tolist(),
        "t": int(state.t),
    }


def pick(state, i):
    """The i-th of many states, in numpy."""
    return KitchenState(*(np.asarray(x)[i] for x in state))


def test_kitchen_equals_its_slow_twin_step_by_step_on_random_play():
    env = Kitchen()
    n, steps = 40, 120
    rng = np.random.default_rng(11)
    move, look = jax.jit(jax.vmap(env.move)), jax.jit(jax.vmap(env.observe))
    states, _ = jax.vmap(env.reset)(jax.random.split(jax.random.key(1), n))
    twins = [as_dict(pick(states, i)) for i in range(n)]
    seen = dict.fromkeys(env.events, 0)
    for _ in range(steps):
        actions, first = rng.integers(0, 5, (n, 2)), rng.integers(0, 2, n)
        returns = rng.random((n, 2)) < 0.2
        moved = move(states, actions, first)
        onions = np.asarray(moved.state.onions) | returns
        states = moved.state._replace(onions=onions, t=moved.state.t + 1)
        obs = np.asarray(look(states))
        here = jax.tree.map(np.asarray, moved._replace(state=states))
        for i in range(n):
            order = (first[i], 1 - first[i])
            twins[i], shared, private, _, events = slow.step(
                twins[i], actions[i], order, returns[i]
            )
            assert as_dict(pick(here.state, i)) == twins[i]
            assert here.shared[i] == shared
            np.testing.assert_allclose(here.private[i], private, atol=1e-6)
            assert obs[i].tolist() == [slow.observe(twins[i])] * 2
            for name in env.events:
                assert here.info[name][i].tolist() == events[name]
                seen[name] += sum(events[name])
    assert min(seen.values()) > 10, f"random play saw too little: {seen}"


def place(a, b, carrying=(False, False), onions=(True, True)):
    """A state of the kitchen."""
    return KitchenState(
        jnp.array([a, b], jnp.int32), jnp.array(carrying), jnp.array(onions), jnp.int32(0)
    )


RULES = {
    # (before, actions, who is first) -> (cells, carrying, onions left, shared, private)
    "a move costs 0.2": (
        (place((0, 0), (4, 4)), (RIGHT, STAY), 0),
        ([(0, 1), (4, 4)], [0, 0], [1, 1], 0.0, [-0.2, 0.0]),
    ),
    "walls clip, and the move is paid": (
        (place((0, 0), (4, 4)), (UP, DOWN), 0),
        ([(0, 0), (4, 4)], [0, 0], [1, 1], 0.0, [-0.2, -0.2]),
    ),
    "the pot is solid": (
        (place((1, 2), (4, 4)), (DOWN, STAY), 0),
        ([(1, 2), (4, 4)], [0, 0], [1, 1], 0.0, [-0.2, 0.0]),
    ),
    "carrying into the pot delivers, 10 to both": (
        (place((1, 2), (4, 4), carrying=(True, True)), (DOWN, STAY), 0),
        ([(1, 2), (4, 4)], [0, 1], [1, 1], 10.0, [-0.2, 0.0]),
    ),
    "both may deliver in one step": (
        (place((1, 2), (2, 1), carrying=(True, True)), (DOWN, RIGHT), 1),
        ([(1, 2), (2, 1)], [0, 0], [1, 1], 20.0, [-0.2, -0.2]),
    ),
    "a bump costs the mover 2.2": (
        (place((0, 0), (0, 1)), (RIGHT, STAY), 0),
        ([(0, 0), (0, 1)], [0, 0], [1, 1], 0.0, [-2.2, 0.0]),
    ),
    "the first clears the way": (
        (place((0, 0), (0, 1)), (RIGHT, RIGHT), 1),
        ([(0, 1), (0, 2)], [0, 0], [1, 1], 0.0, [-0.2, -0.2]),
    ),
    "the second is still in the way of the first": (
        (place((0, 0), (0, 1)), (RIGHT, RIGHT), 0),
        ([(0, 0), (0, 2)], [0, 0], [1, 1], 0.0, [-2.2, -0.2]),
    ),
    "two who swap both bump": (
        (place((0, 0), (0, 1)), (RIGHT, LEFT), 0),
        ([(0, 0), (0, 1)], [0, 0], [1, 1], 0.0, [-2.2, -2.2]),
    ),
    "the first takes the cell that both want": (
        (place((0, 0), (0, 2)), (RIGHT, LEFT), 1),
        ([(0, 0), (0, 1)], [0, 0], [1, 1], 0.0, [-2.2, -0.2]),
    ),
    "stepping onto an onion picks it up, 1 to both": (
        (place((3, 3), (0, 0)), (RIGHT, STAY), 0),
        ([(3, 4), (0, 0)], [1, 0], [0, 1], 1.0, [-0.2, 0.0]),
    ),
    "nobody carries two": (
        (place((3, 3), (0, 0), carrying=(True, False)), (RIGHT, STAY), 0),
        ([(3, 4), (0, 0)], [1, 0], [1, 1], 0.0, [-0.2, 0.0]),
    ),
    "an onion that is not there is not picked up": (
        (place((3, 3), (0, 0), onions=(False, True)), (RIGHT, STAY), 0),
        ([(3, 4), (0, 0)], [0, 0], [0, 1], 0.0, [-0.2, 0.0]),
    ),
    "standing still on an onion does not pick it up": (
        (place((3, 4), (0, 0)), (STAY, STAY), 0),
        ([(3, 4), (0, 0)], [0, 0], [1, 1], 0.0, [0.0, 0.0]),
    ),
    "a move into the wall ends on the onion's cell": (
        (place((3, 4), (0, 0)), (RIGHT, STAY), 0),
        ([(3, 4), (0, 0)], [1, 0], [0, 1], 1.0, [-0.2, 0.0]),
    ),
    "so does a move that is blocked": (
        (place((3, 4), (3, 3)), (LEFT, STAY), 0),
        ([(3, 4), (3, 3)], [1, 0], [0, 1], 1.0, [-2.2, 0.0]),
    ),
}


MOVE = jax.jit(Kitchen().move)


@pytest.mark.parametrize("rule", RULES)
def test_kitchen_rule(rule):
    (state, actions, first), (cells, carrying, onions, shared, private) = RULES[rule]
    moved = MOVE(state, jnp.array(actions), first)
    assert [tuple(cell) for cell in moved.state.pos.tolist()] == cells
    assert moved.state.carrying.tolist() == [bool(x) for x in carrying]
    assert moved.state.onions.tolist() == [bool(x) for x in onions]
    assert float(moved.shared) == shared
    np.testing.assert_allclose(moved.private, private, atol=1e-6)


def test_starts_are_assigned_at_random_and_onions_return_one_step_in_five():
    env = Kitchen()
    states, _ = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 4000))
    swapped = (states.pos[:, 0] == jnp.array([0, 1])).all(axis=1).mean()
    assert abs(float(swapped) - 0.5) < 4 * 0.5 / np.sqrt(4000)
    missing = place((0, 0), (4, 4), onions=(False, False))
    keys = jax.random.split(jax.random.key(1), 8000)
    step = jax.vmap(env.step, in_axes=(0, None, None))(keys, missing, jnp.array([STAY, STAY]))
    share = np.asarray(step.state.onions).mean()
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 16000)
    # Either agent may come first: both want the same cell.
    wants = place((0, 0), (0, 2))
    step = jax.vmap(env.step, in_axes=(0, None, None))(keys, wants, jnp.array([RIGHT, LEFT]))
    first = (step.state.pos[:, 0] == jnp.array([0, 1])).all(axis=1).mean()
    assert abs(float(first) - 0.5) < 4 * 0.5 / np.sqrt(8000)


def test_an_onion_may_return_in_the_step_in_which_it_was_taken():
    env = Kitchen(respawn=1.0)
    step = env.step(jax.random.key(0), place((3, 3), (0, 0)), jnp.array([RIGHT, STAY]))
    assert step.state.carrying.tolist() == [True, False]
    assert step.state.onions.tolist() == [True, True]


def test_an_egocentric_agent_sees_itself_first():
    state = place((1, 3), (4, 0), carrying=(True, False), onions=(True, False))
    first, second = Kitchen(egocentric=True).observe(state).tolist()
    assert first == [1, 3, 1, 4, 0, 0, 1, 0]
    assert second == [4, 0, 0, 1, 3, 1, 1, 0]


def test_the_grid_is_what_the_rules_say():
    assert ACTIONS == ("up", "down", "left", "right", "stay")
    assert ONIONS == ((3, 4), (4, 3))


def test_matrix_pays_the_game_at_every_joint_action():
    env = Matrix(game=HUGE)
    for cell in np.ndindex(*HUGE.shape):
        step = env.step(jax.random.key(0), jnp.int32(0), jnp.array(cell))
        want = [HUGE.payoffs[i][cell] for i in range(3)]
        assert step.private.tolist() == want
        assert float(step.shared) == 0
        assert bool(step.done)
    assert env.legal(jnp.int32(0)).tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_matrix_takes_a_game_a_name_a_file_and_payoffs(tmp_path):
    game = rqe.catalog.load("stag-hunt")
    game.write_nfg(tmp_path / "stag.nfg")
    made = [
        Matrix(game=game),
        marl.make_env("matrix", game="stag-hunt"),
        marl.make_env("matrix", game=str(tmp_path / "stag.nfg")),
        marl.make_env("matrix", game=game.payoffs.tolist()),
    ]
    assert all(isinstance(env, Matrix) for env in made)
    assert {env.options()["game"].split("\n", 1)[1] for env in made[:3]} == {
        env.options()["game"].split("\n", 1)[1] for env in made[:1]
    }
    assert made[3].options() == Matrix(game=game.payoffs.tolist()).options()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: marl.make_env("kichen"), ValueError, "did you mean 'kitchen'"),
        (lambda: marl.make_env("kitchen", horizn=3), TypeError, "did you mean 'horizon'"),
        (lambda: marl.make_env("kitchen", horizon=0), ValueError, "horizon must be a positive"),
        (lambda: marl.make_env("kitchen", respawn=1.5), ValueError, "respawn must be a prob"),
        (lambda: marl.make_env("kitchen", delivery=np.nan), ValueError, "delivery must be finite"),
        (
            lambda: marl.make_env("kitchen", move_cost="dear"),
            ValueError,
            "move_cost must be .* 'dear'",
        ),
        (lambda: marl.make_env("kitchen", respawn=None), ValueError, "respawn must be finite"),
        (lambda: marl.make_env("kitchen", horizon=True), ValueError, "horizon must be a positive"),
        (lambda: marl.make_env("kitchen", egocentric="no"), ValueError, "egocentric must be True"),
        (lambda: marl.make_env("matrix"), TypeError, "'matrix' needs the option 'game'"),
        (lambda: marl.make_env("matrix", game="stag-hnt"), ValueError, "stag-hunt"),
        (lambda: marl.make_env("matrix", game=3), TypeError, "game must be"),
    ],
)
def test_bad_options_get_clear_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_options_may_be_numpys_numbers():
    env = marl.make_env("kitchen", horizon=np.int64(20), move_cost=np.float32(0.5))
    assert env == marl.make_env("kitchen", horizon=20, move_cost=0.5)
    assert json.loads(json.dumps(env.options())) == env.options()
