"""The closed-form adversary: its formula, its critic, and exactness where there is one step."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
import rqe
from marl.algorithms import ppo
from marl.algorithms.adversary import Opposed
from marl.algorithms.tilted import TiltedAdversary, tilt
from marl.algorithms.update import Setup
from marl.exact.risk import worst_deviation
from marl.networks import ILLEGAL
from marl.train import Trainer

GAMES = {
    "free-riding": (0.2, 10.0),
    "selten-chmura/1": (1.0, 0.5),
    "stag-hunt": (0.5, 2.0),
}


def tilted(q, reference, tau, penalty):
    coef = jnp.float32(0.0 if tau == math.inf else 1 / tau)
    log_p = tilt(jnp.asarray(q, jnp.float32), jnp.asarray(reference, jnp.float32), coef, penalty)
    return np.exp(np.asarray(log_p, np.float64))


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
@pytest.mark.parametrize("tau", [0.01, 1.0, 100.0])
def test_tilt_is_the_exact_minimiser(penalty, tau):
    rng = np.random.default_rng(4)
    q, theta = 30 * rng.normal(size=(40, 6)), rng.dirichlet(np.full(6, 0.4), 40)
    expected, _ = worst_deviation(q, theta, tau, penalty)
    np.testing.assert_allclose(tilted(q, np.log(theta), tau, penalty), expected, atol=3e-6)


def test_a_worst_action_that_is_hardly_played_costs_no_accuracy():
    """The root lies far from where the search for it begins."""
    q, theta = np.array([0.0, 0.7, 0.45]), np.array([1e-6, 0.6, 0.4 - 1e-6])
    expected, _ = worst_deviation(q[None], theta[None], 1.0, "reverse_kl")
    np.testing.assert_allclose(tilted(q, np.log(theta), 1.0, "reverse_kl"), expected[0], atol=1e-6)


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_the_worst_action_may_have_a_probability_below_the_least_float(penalty):
    """Once it was no number: a policy that had all but forgotten an action ended the training."""
    p = tilted([0.0, 1000.0], [-120.0, 0.0], 1.0, penalty)
    np.testing.assert_allclose(p, [1.0, 0.0] if penalty == "kl" else [0.999, 0.001], atol=1e-6)


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_limits_and_illegal_actions(penalty):
    q = np.array([3.0, 1.0, -5.0, 2.0])
    reference = np.log([0.3, 0.2, 1.0, 0.5])
    reference[2] = ILLEGAL - 1.0  # as the log-softmax of a masked action is
    gentle = tilted(q, reference, 1e-6, penalty)
    np.testing.assert_allclose(gentle, [0.3, 0.2, 0.0, 0.5], atol=1e-5)
    np.testing.assert_allclose(tilted(q, reference, math.inf, penalty), [0, 1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
@pytest.mark.parametrize("name", GAMES)
def test_at_an_equilibrium_it_is_the_adversary_of_rqe(name, penalty):
    """Exact Q of one step: own payoff averaged over the own strategy, as rqe computes it."""
    eps, tau = GAMES[name]
    game = rqe.catalog.load(name)
    solution = rqe.solve(game, tau, eps, penalty=penalty)
    x, y = solution.strategies
    for q, partner, adversary in (
        (x @ game.payoffs[0], y, solution.adversaries[0]),
        (game.payoffs[1] @ y, x, solution.adversaries[1]),
    ):
        found = tilted(q, np.log(partner), tau, penalty)
        np.testing.assert_allclose(found, np.ravel(adversary), atol=1e-5)


def test_three_players_deviate_together():
    rng = np.random.default_rng(2)
    game = rqe.NormalFormGame(rng.random((3, 2, 2, 2)))
    solution = rqe.solve(game, 4.0, 0.3)
    x, y, z = solution.strategies
    q = np.einsum("a,abc->bc", x, game.payoffs[0]).ravel()
    found = tilted(q, np.log(np.outer(y, z).ravel()), 4.0, "kl")
    np.testing.assert_allclose(found, np.ravel(solution.adversaries[0]), atol=1e-5)


def one_step_setup(**settings):
    fields = {"hidden": (), "n_envs": 512, "n_steps": 1, "epochs": 1, "lr": 5e-3, "eps": 0.2}
    algo = marl.SRPO(adversary="tilted", **{**fields, **settings})
    return Setup(marl.make_env("matrix", game="free-riding"), algo)


def test_critic_learns_the_payoff_of_each_action_and_the_trained_adversary_is_exact():
    setup = one_step_setup(tau=2.0)
    trainer, env = Trainer(setup.env, setup.algo), setup.env
    state, metrics = jax.jit(lambda key: trainer.advance(trainer.init(key), 1500))(
        jax.random.key(0)
    )
    adversary = setup.adversary
    assert isinstance(adversary, TiltedAdversary)
    q = np.asarray(adversary.q_values(state.params["adversary_q"], jnp.ones((2, 1, 1)))[:, 0])
    views = ppo.Views(jnp.ones((2, 1, 1)), jnp.ones((2, 1, 2), bool))
    policy = np.exp(np.asarray(ppo.log_policy(setup.role.actor, state.params["actor"], views)))
    x, y = policy[:, 0].astype(np.float64)
    exact = np.stack([x @ env.game.payoffs[0], env.game.payoffs[1] @ y])
    np.testing.assert_allclose(q, exact, atol=0.06)
    solution = rqe.solve(env.game, 2.0, 0.2, penalty="reverse_kl")
    for seat, other in ((0, y), (1, x)):
        found = tilted(q[seat], np.log(other), 2.0, "reverse_kl")
        np.testing.assert_allclose(found, np.ravel(solution.adversaries[seat]), atol=0.05)
    assert float(metrics["kl"][-1].min()) > 0


def test_what_is_played_leaves_a_share_to_the_partners_policy():
    adversary = one_step_setup(tau=2.0).adversary
    params = adversary.init(jax.random.key(0))[0]
    views = ppo.Views(jnp.ones((2, 1, 1)), jnp.ones((2, 1, 2), bool))
    policy = jnp.log(jnp.tile(jnp.array([0.9, 0.1]), (2, 1, 1)))
    first = adversary.log_probs(params, views, policy, jnp.float32(0.5))
    np.testing.assert_allclose(first, policy, atol=0.05)  # at first all actions look alike
    layer = params["adversary_q"]["Dense_0"]
    worse = {**layer, "bias": layer["bias"] + jnp.array([0.0, 0.0, 50.0])}
    params = {"adversary_q": {"Dense_0": worse}}
    played = jnp.exp(adversary.log_probs(params, views, policy, jnp.float32(1e-3)))
    np.testing.assert_allclose(played[:, 0], [[0.999, 0.001]] * 2, atol=1e-5)
    np.testing.assert_allclose(played.sum(-1), 1.0, atol=1e-6)


def opposed_data(setup, reward, done, action, log_probs):
    """One learner, one table: arrays [T] and [T, A] as the trainer hands them over."""
    T = len(reward)
    shape = (T, 1, 1)
    steps = ppo.Trajectory(
        obs=jnp.ones((*shape, 1)),
        legal=jnp.ones((*shape, 2), bool),
        action=jnp.asarray(action, jnp.int32).reshape(shape),
        log_probs=jnp.asarray(log_probs, jnp.float32).reshape(*shape, 2),
        reward=-jnp.asarray(reward, jnp.float32).reshape(shape),
        done=jnp.asarray(done, jnp.float32).reshape(shape),
        last_obs=jnp.ones((1, 1, 1)),
    )
    reference = jnp.log(jnp.full((*shape, 2), 0.5))
    return Opposed(steps, reference, jnp.float32(0.5))


@pytest.mark.parametrize("kl_in", ["loss", "reward"])
def test_targets_equal_a_plain_loop(kl_in):
    setup = one_step_setup(kl_in=kl_in, gamma=0.9, gae_lambda=0.8)
    adversary = setup.adversary
    weights = adversary.init(jax.random.key(3))[0]["adversary_q"]
    weights = jax.tree.map(lambda leaf: leaf[:1], weights)
    rng = np.random.default_rng(0)
    reward, action = rng.normal(size=6), rng.integers(0, 2, 6)
    p = rng.dirichlet(np.ones(2), 6)
    done = np.array([0, 0, 1, 0, 0, 0])
    data = opposed_data(setup, reward, done, action, np.log(p))
    target, counts = adversary.targets(weights, data)
    q = np.asarray(adversary.q_values(weights, jnp.ones((1, 1, 1)))[0, 0], np.float64)
    paid = 0.5 * (0.5 * np.log(0.5 / p)).sum(axis=1) if kl_in == "reward" else np.zeros(6)
    value = p @ q + paid
    expected, following = np.empty(6), value[5] - paid[5]  # the last target is not known
    expected[5] = following
    for t in range(4, -1, -1):
        ahead = 0.2 * value[t + 1] + 0.8 * (expected[t + 1] + paid[t + 1])
        expected[t] = reward[t] + 0.9 * (1 - done[t]) * ahead
    np.testing.assert_allclose(np.ravel(target), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.ravel(counts), [1, 1, 1, 1, 1, 0])
    done[5] = 1
    target, counts = adversary.targets(weights, opposed_data(setup, reward, done, action, p))
    assert float(target[-1, 0, 0]) == pytest.approx(reward[5], rel=1e-5)
    assert float(counts[-1, 0, 0]) == 1


def test_minibatches_hold_every_sample_once():
    adversary = one_step_setup(minibatches=4).adversary
    batch = (jnp.zeros((2, 12, 3)), jnp.tile(jnp.arange(12), (2, 1)))
    obs, index = adversary.parts(jax.random.key(0), batch)
    assert obs.shape == (4, 2, 3, 3)
    np.testing.assert_array_equal(np.sort(np.moveaxis(index, 0, 1).reshape(2, 12)), batch[1])


def test_shared_policies_and_the_kitchen_run():
    env = marl.make_env("kitchen", egocentric=True)
    algo = marl.SRPO(adversary="tilted", share_policies=True, n_envs=2, n_steps=8, minibatches=2)
    trainer = Trainer(env, algo)
    state, metrics = jax.jit(lambda key: trainer.advance(trainer.init(key), 2))(jax.random.key(0))
    assert set(state.params) == {"actor", "critic", "adversary_q"}
    assert all(np.isfinite(np.asarray(m)).all() for m in metrics.values())
