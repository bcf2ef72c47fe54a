"""Any callable beside any partner, and trained policies without JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
from marl.evaluation import _teams
from marl.export import NumpyPolicy
from marl.networks import Actor, mask
from marl.partners import held_out

KITCHEN = marl.make_env("kitchen", horizon=8)


def stay(obs, legal):
    return np.full(len(obs), 4)


def up(obs, legal):
    return jnp.zeros(len(obs), jnp.int32)  # a JAX array will do


def test_returns_are_sums_over_seats_of_whole_episodes():
    found = marl.evaluate(up, {"stay": stay, "up": [up, up]}, KITCHEN, episodes=3)
    np.testing.assert_allclose(found.returns["stay"], [[-1.6, -1.6]], atol=1e-5)
    np.testing.assert_allclose(found.own["stay"], [[-1.6, -1.6]], atol=1e-5)
    assert found.own["up"].max() <= -1.6 + 1e-5  # running into each other costs more
    assert found.env == marl.env_config(KITCHEN)
    assert [row["partner"] for row in found.rows()] == ["stay", "up"]
    assert "stay" in str(found)


def test_own_policy_sits_in_one_seat_at_a_time_and_the_seed_decides():
    seats = []

    def spy(seat):
        def policy(obs, legal):
            seats.append(seat)
            return stay(obs, legal)

        return policy

    first = marl.evaluate([spy(0), spy(1)], None, KITCHEN, episodes=2, seed=3)
    assert seats.count(0) == seats.count(1) == KITCHEN.horizon * len(held_out(KITCHEN))
    again = marl.evaluate(stay, None, KITCHEN, episodes=2, seed=3)
    assert set(first.returns) == {"random", "stay", "greedy worker", "noisy worker"}
    for name, array in first.returns.items():
        np.testing.assert_array_equal(array, again.returns[name])


def test_teams_of_a_run_are_met_one_by_one(tiny_run):
    found = marl.evaluate(stay, {"tiny": tiny_run.path}, tiny_run.env, episodes=2)
    assert found.returns["tiny"].shape == (2, 2)
    elsewhere = r"partners\['tiny'\] must be trained in .*kitchen.*; got "
    with pytest.raises(ValueError, match=elsewhere):
        marl.evaluate(stay, {"tiny": tiny_run}, KITCHEN, episodes=2)


def test_partners_of_a_team_draw_numbers_of_their_own(tmp_path):
    """Once all seats of a trained team drew the same ones, and so acted in step."""
    env = marl.make_env("matrix", game=np.zeros((3, 3, 3, 3)).tolist())
    algo = marl.IPPO(n_envs=2, n_steps=2, hidden=())
    run = marl.train_run(env, algo, tmp_path / "run", steps=4, seeds=1)
    first, second, third = _teams(run, env, "run", 0)[0]
    obs, legal = np.ones((900, 1)), np.ones((900, 3), bool)
    said = [policy(obs, legal) for policy in (first, second, third)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.mean(said[one] == said[other]) - 1 / 3) < 0.08


def test_agrees_with_cross_play(tiny_run):
    from marl.teams import group

    teams = group("tiny", [tiny_run])
    cross = marl.cross_play(tiny_run.env, [teams], episodes=300, partners=())
    own = [marl.numpy_policy(tiny_run, seat=i, rng=i) for i in (0, 1)]
    found = marl.evaluate(own, {"tiny": tiny_run}, tiny_run.env, episodes=300)
    error = 4 * cross.spread.max() / np.sqrt(300)
    assert abs(found.returns["tiny"][0].mean() - cross.returns[0, 0]) < error


def test_numpy_policy_is_the_trained_one(tiny_run):
    obs = np.random.default_rng(0).normal(size=(7, 8)).astype(np.float32)
    legal = np.ones((7, 5), bool)
    legal[::2, 3] = False
    policy = marl.numpy_policy(tiny_run, seat=1, seed=1)
    params = jax.tree.map(lambda x: x[1, 1], tiny_run.actors)
    logits = Actor(5, (8, 8)).apply({"params": params}, jnp.asarray(obs))
    want = jax.nn.softmax(mask(jnp.asarray(logits), jnp.asarray(legal)))
    np.testing.assert_allclose(policy.probabilities(obs, legal), want, atol=1e-6)
    drawn = policy(np.repeat(obs[:1], 20_000, axis=0), np.repeat(legal[:1], 20_000, axis=0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 20_000, want[0], atol=0.015)
    best = marl.numpy_policy(tiny_run, seat=1, seed=1, greedy=True)(obs, legal)
    np.testing.assert_array_equal(best, np.argmax(want, axis=-1))


def test_onnx_gives_the_same_probabilities(tiny_run, tmp_path):
    reference = pytest.importorskip("onnx.reference", reason="pip install onnx")
    policy = marl.numpy_policy(tiny_run)
    marl.export_onnx(policy, tmp_path / "policy.onnx")
    obs = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    legal = np.array([[True, False, True, True, True]] * 3)
    (found,) = reference.ReferenceEvaluator(str(tmp_path / "policy.onnx")).run(
        None, {"obs": obs, "legal": legal}
    )
    np.testing.assert_allclose(found, policy.probabilities(obs, legal), atol=1e-6)


def test_a_torch_policy_plays():
    torch = pytest.importorskip("torch")

    def policy(obs, legal):
        scores = torch.from_numpy(np.array(obs)).sum(dim=1, keepdim=True) * torch.ones(5)
        return scores.argmax(dim=1)

    assert marl.evaluate(policy, {"stay": stay}, KITCHEN, episodes=2).returns["stay"].shape == (
        1,
        2,
    )


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda obs, legal: np.zeros(len(obs)), "must return 2 integers.*got float64"),
        (lambda obs, legal: np.full(len(obs), 5), "must take legal actions, got 5"),
        (lambda obs, legal: 3, "must return 2 integers"),
        ([stay], "must be callable, or 2 callables"),
    ],
)
def test_bad_policies_get_clear_errors(policy, words):
    with pytest.raises(ValueError, match=words):
        marl.evaluate(policy, {"stay": stay}, KITCHEN, episodes=2)


@pytest.mark.parametrize(
    ("episodes", "words"), [(0, "at least 1, got 0"), (2.5, r"a whole number, got 2\.5")]
)
def test_episodes_are_whole_numbers(episodes, words):
    with pytest.raises(ValueError, match=f"episodes must be {words}"):
        marl.evaluate(stay, {"stay": stay}, KITCHEN, episodes=episodes)


def test_bad_exports_get_clear_errors(tiny_run):
    with pytest.raises(ValueError, match=r"seed must be one of \[0, 1\], got 5"):
        marl.numpy_policy(tiny_run, seed=5)
    with pytest.raises(ValueError, match=r"seat must be in 0..1, got 2"):
        marl.numpy_policy(tiny_run, seat=2)
    relu = NumpyPolicy(((-np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2))), "relu")
    assert relu.logits([[1.0, -2.0]]).tolist() == [[0.0, 2.0]]
