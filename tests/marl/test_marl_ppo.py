"""The PPO core against plain loops, and the adversary's terms against closed forms."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
from marl.algorithms import adversary, ppo
from marl.algorithms.ppo import Batch, Role, Trajectory, Views
from marl.algorithms.seats import Separate, Shared
from marl.networks import ILLEGAL, Actor, Critic, init_weights, orthonormal

RNG = np.random.default_rng(2)


def test_gae_equals_a_plain_loop():
    T, n = 12, 3
    reward, value = RNG.normal(size=(T, n)), RNG.normal(size=(T, n))
    done = RNG.random((T, n)) < 0.25
    last, gamma, lam = RNG.normal(size=n), 0.97, 0.9
    want = np.zeros((T, n))
    for i in range(n):
        later = 0.0
        for t in reversed(range(T)):
            following = last[i] if t == T - 1 else value[t + 1, i]
            if done[t, i]:
                following, later = 0.0, 0.0
            later = reward[t, i] + gamma * following - value[t, i] + gamma * lam * later
            want[t, i] = later
    arrays = [jnp.asarray(x, jnp.float32) for x in (reward, done, value, last)]
    got = ppo.gae(*arrays, gamma=gamma, lam=lam)
    np.testing.assert_allclose(got, want, atol=1e-5)


def one_batch(size=20, n_actions=4, obs_size=3):
    """Random samples, with some illegal actions, for one network."""
    obs = RNG.normal(size=(size, obs_size)).astype(np.float32)
    legal = RNG.random((size, n_actions)) < 0.7
    legal[:, 1] = True
    action = np.array([RNG.choice(np.flatnonzero(row)) for row in legal])
    return Batch(
        obs=jnp.asarray(obs),
        legal=jnp.asarray(legal),
        action=jnp.asarray(action),
        log_prob=jnp.asarray(RNG.normal(-1.4, 0.3, size), jnp.float32),
        advantage=jnp.asarray(RNG.normal(size=size), jnp.float32),
        target=jnp.asarray(RNG.normal(size=size), jnp.float32),
        head=jnp.ones((size, 1)),
        reference=jnp.zeros((size, 0)),
    )


@pytest.mark.parametrize("normalise", [False, True])
def test_loss_equals_a_plain_loop(normalise):
    algo = marl.IPPO(eps=0.3, normalise_advantages=normalise)
    role = Role(Actor(4, (5,)), Critic(1, (5,)))
    weights = init_weights((role.actor, role.critic), jax.random.key(0), 1, 3)
    actor, critic = jax.tree.map(lambda x: 30 * x[0], weights)
    params = {"actor": actor, "critic": critic}
    batch = one_batch()
    advantage = np.asarray(batch.advantage, float)
    if normalise:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    total = 0.0
    for b in range(20):
        logits = np.asarray(ppo.apply(role.actor, actor, batch.obs[b]), float)
        logits[~np.asarray(batch.legal[b])] = -np.inf
        p = np.exp(logits - logits.max())
        p /= p.sum()
        ratio = p[int(batch.action[b])] / math.exp(batch.log_prob[b])
        gain = min(ratio * advantage[b], min(max(ratio, 0.8), 1.2) * advantage[b])
        entropy = -sum(x * math.log(x) for x in p if x > 0)
        error = float(ppo.apply(role.critic, critic, batch.obs[b])[0] - batch.target[b])
        total += (-gain - 0.3 * entropy + 0.5 * error**2) / 20

    def bonus(log_probs, batch):
        return 0.3 * jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)

    got, _ = ppo.loss(role, params, batch, bonus, algo)
    assert float(got) == pytest.approx(total, rel=1e-4)


def test_sampling_follows_the_policy_and_never_takes_what_is_illegal():
    p = np.array([0.0, 0.2, 0.5, 0.3, 0.0])
    log_probs = jnp.asarray(np.where(p > 0, np.log(np.maximum(p, 1e-30)), ILLEGAL), jnp.float32)
    n = 40_000
    uniform = jnp.concatenate(
        [jnp.array([0.0, 1 - 2.0**-24]), jax.random.uniform(jax.random.key(0), (n,))]
    )
    taken = ppo.sample(uniform, jnp.broadcast_to(log_probs, (n + 2, 5)))
    share = np.bincount(np.asarray(taken), minlength=5) / (n + 2)
    assert share[0] == share[4] == 0
    assert np.abs(share - p).max() < 4 * 0.5 / math.sqrt(n)


def test_first_weights_are_orthogonal_with_the_stated_gains():
    actor, critic = init_weights((Actor(5), Critic(2)), jax.random.key(1), 3, 8)
    for net, last in ((actor, 0.01), (critic, 1.0)):
        for depth, gain in enumerate((math.sqrt(2), math.sqrt(2), last)):
            kernels = np.asarray(net[f"Dense_{depth}"]["kernel"])
            for W in kernels:
                small = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
                np.testing.assert_allclose(small / gain**2, np.eye(len(small)), atol=1e-5)
            assert not np.allclose(kernels[0], kernels[1])
    plain = Actor(5).init(jax.random.key(0), jnp.zeros((1, 8)))["params"]
    assert jax.tree.map(jnp.shape, plain) == jax.tree.map(lambda x: x.shape[1:], actor)
    assert orthonormal(jnp.zeros((2, 3))).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("kind", [Separate, Shared])
def test_every_seat_is_seen_and_played_by_one_network(kind, n):
    seating = kind(n, 2, 3)
    E = seating.tables
    seats = seating.draw(jax.random.key(4))
    code = jnp.arange(E * n).reshape(E, n)
    agents, others = seating.agents(code, seats), seating.adversaries(code, seats)
    assert agents.shape == (seating.learners, seating.columns)
    assert others.shape == (seating.learners, 3, seating.partners)
    seen = sorted([*np.ravel(agents).tolist(), *np.ravel(others).tolist()])
    assert seen == list(range(E * n))
    # Playing the codes back puts each where it came from.
    assert seating.actions(agents, others, seats).tolist() == code.tolist()
    # Opposed: the agents' mean at each adversarial table.
    tables = np.asarray(others[..., 0]) // n
    opposed = np.asarray(seating.opposed(agents.astype(jnp.float32)))
    for learner, k in np.ndindex(*tables.shape):
        there = [x for x in np.ravel(agents[learner]) if x // n == tables[learner, k]]
        own = [x for x in there if x not in np.ravel(others)]
        assert opposed[learner, k] == pytest.approx(np.mean(own))


def test_joint_policies_are_products_and_joint_actions_split():
    parts = RNG.dirichlet(np.ones(3), size=(7, 2))
    joint = np.exp(np.asarray(adversary.join(jnp.log(jnp.asarray(parts)))))
    index = jnp.arange(9)
    seats = np.asarray(adversary.split_action(index, 2, 3))
    for a in range(9):
        want = parts[:, 0, seats[a, 0]] * parts[:, 1, seats[a, 1]]
        np.testing.assert_allclose(joint[:, a], want, rtol=1e-5)
    legal = jnp.array([[True, False, True], [True, True, False]])
    views = adversary.join_views(Views(jnp.ones((2, 4)), legal))
    assert views.obs.shape == (8,)
    allowed = [legal[0, i] & legal[1, j] for i, j in seats]
    assert views.legal.tolist() == [bool(x) for x in allowed]


def test_divergence_has_the_two_directions():
    p, q = np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.3, 0.4])
    logs = jnp.log(jnp.asarray(p)), jnp.log(jnp.asarray(q))
    kl = float(np.sum(p * np.log(p / q)))
    reverse = float(np.sum(q * np.log(q / p)))
    assert float(adversary.divergence(*logs, "kl")) == pytest.approx(kl, rel=1e-5)
    assert float(adversary.divergence(*logs, "reverse_kl")) == pytest.approx(reverse, rel=1e-5)


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_reward_penalty_has_the_losss_value_and_gradient(penalty):
    """Exact expectations over three actions: no sampling."""
    logits = jnp.array([0.4, -0.3, 0.1])
    reference = jnp.log(jnp.array([0.2, 0.5, 0.3]))
    log_probs = jax.nn.log_softmax(logits)
    unused = jnp.zeros(0)
    steps = Trajectory(
        obs=unused,
        legal=unused,
        action=jnp.arange(3)[:, None, None],
        log_probs=jnp.broadcast_to(log_probs, (3, 1, 1, 3)),
        reward=jnp.zeros((3, 1, 1)),
        done=unused,
        last_obs=unused,
    )
    there = jnp.broadcast_to(reference, (3, 1, 1, 3))
    cost = -adversary.penalised_reward(steps, there, jnp.float32(0.7), penalty)[:, 0, 0]

    def divergence(logits):
        return 0.7 * adversary.divergence(jax.nn.log_softmax(logits), reference, penalty)

    p = jnp.exp(log_probs)
    assert float(p @ cost) == pytest.approx(float(divergence(logits)), rel=1e-4)
    score = jax.jacobian(jax.nn.log_softmax)(logits)
    np.testing.assert_allclose((p * cost) @ score, jax.grad(divergence)(logits), atol=1e-5)


def joint_gradient(role, params, obs):
    """Of the critic's squared error alone, with zeros as its targets; leaves [L, ...]."""

    def error(params):
        return jnp.sum(ppo.heads_of(role, params, obs) ** 2)

    return jax.grad(error)(params)


def test_a_shared_trunk_carries_the_critic_and_learns_from_it():
    shared = ppo.make_role(marl.IPPO(hidden=(6, 5), activation="relu", shared_trunk=True), 4)
    apart = ppo.make_role(marl.IPPO(hidden=(6, 5), activation="relu"), 4)
    obs = jnp.asarray(RNG.normal(size=(2, 7, 3)), jnp.float32)
    params = ppo.init_role(shared, jax.random.key(0), 2, 3)
    assert params["critic"]["Dense_0"]["kernel"].shape == (2, 5, 1)
    assert len(params["critic"]) == 1
    for learner in range(2):
        net = jax.tree.map(lambda x, i=learner: np.asarray(x)[i], params)
        x = np.asarray(obs[learner])
        for layer in ("Dense_0", "Dense_1"):
            x = np.maximum(x @ net["actor"][layer]["kernel"] + net["actor"][layer]["bias"], 0)
        want = x @ net["critic"]["Dense_0"]["kernel"] + net["critic"]["Dense_0"]["bias"]
        np.testing.assert_allclose(ppo.heads_of(shared, params, obs)[learner], want, atol=1e-5)
    grads = joint_gradient(shared, params, obs)
    assert all(float(jnp.abs(grads["actor"][f"Dense_{k}"]["kernel"]).max()) > 0 for k in (0, 1))
    assert float(jnp.abs(grads["actor"]["Dense_2"]["kernel"]).max()) == 0  # the policy's own
    lone = ppo.init_role(apart, jax.random.key(0), 2, 3)
    untouched = joint_gradient(apart, lone, obs)["actor"]
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(untouched)) == 0


def test_each_learners_gradient_is_cut_on_its_own():
    clip = ppo.clip_each(2.0)
    grads = {"actor": jnp.array([[3.0, 0.0], [0.3, 0.0]]), "critic": jnp.array([[4.0], [0.4]])}
    cut, _ = clip.update(grads, clip.init(grads))
    np.testing.assert_allclose(cut["actor"], [[1.2, 0.0], [0.3, 0.0]], rtol=1e-6)  # 3 * 2 / 5
    np.testing.assert_allclose(cut["critic"], [[1.6], [0.4]], rtol=1e-6)


@pytest.mark.parametrize("limit", [None, 0.5])
def test_a_critic_may_have_a_step_size_of_its_own(limit):
    algo = marl.IPPO(lr=1e-3, critic_lr=1e-2, max_grad_norm=limit)
    weights = {"actor": jnp.zeros((1, 3)), "critic": jnp.zeros((1, 2))}
    grads = jax.tree.map(lambda x: x + 1e3, weights)
    for lr, own in ((None, 1e-3), (5e-3, 5e-3)):
        optimiser = ppo.optimiser(algo, 2, lr)
        steps, _ = optimiser.update(grads, optimiser.init(weights), weights)
        # Adam's first step is its step size, against the gradient's sign.
        np.testing.assert_allclose(steps["actor"], -own, rtol=1e-3)
        np.testing.assert_allclose(steps["critic"], -1e-2, rtol=1e-3)


def test_step_sizes_move_geometrically_and_in_proportion():
    algo = marl.SRPO(lr=1e-3, lr_start=8e-3, lr_warmup=6 * 2048, epochs=2, minibatches=2)
    weights = {"actor": jnp.zeros((1, 3)), "critic": jnp.zeros((1, 2))}
    for lr, end in ((None, 1e-3), (5e-4, 5e-4)):
        optimiser = ppo.optimiser(algo, 2, lr)
        state, sizes = optimiser.init(weights), []
        for _ in range(40):  # Adam's step is its step size where the gradient stays the same
            steps, state = optimiser.update({**weights, "actor": weights["actor"] + 1}, state)
            sizes.append(-float(steps["actor"][0, 0]) / end)
        # Four gradient steps an update of 2048 environment steps: the end comes after 24.
        np.testing.assert_allclose(
            sizes, [8.0 ** (1 - min(k / 24, 1)) for k in range(40)], rtol=1e-3
        )


def test_agents_and_adversaries_learn_with_a_trunk_clipping_and_two_step_sizes():
    size: dict[str, Any] = {"n_envs": 2, "n_steps": 4, "hidden": (4,), "epochs": 1}
    algo = marl.SRPO(**size, shared_trunk=True, max_grad_norm=0.5, critic_lr=1e-3)
    trainer = marl.Trainer(marl.make_env("kitchen", horizon=4), algo)
    state = jax.jit(trainer.init)(jax.random.key(0))
    after, metrics = jax.jit(lambda s: trainer.advance(s, 2))(state)
    assert after.params["critic"]["Dense_0"]["kernel"].shape == (2, 4, 1)
    assert after.params["adversary_critic"]["Dense_0"]["kernel"].shape == (2, 4, 1)
    for name, weights in state.params.items():
        moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), after.params[name], weights)
        assert min(jax.tree.leaves(moved)) > 0, name
    assert np.isfinite(metrics["value_loss"]).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: marl.IPPO(max_grad_norm=0), r"max_grad_norm must be in \(0.0, inf\), got 0"),
        (lambda: marl.IPPO(lr_start=1e-3), "lr_start and lr_warmup go together"),
        (lambda: marl.FCP(lr_start=1e-3, lr_warmup=9), "lr_start must be None in fcp"),
        (lambda: marl.IPPO(critic_lr=-1.0), r"critic_lr must be in \(0.0, inf\), got -1.0"),
        (
            lambda: marl.make_algo("ippo", shared_trunk="no"),
            "shared_trunk must be True or False, got 'no'",
        ),
        (lambda: marl.MAPPO(shared_trunk=True), "False where mappo has a central critic, got True"),
        (lambda: marl.IPPO(shared_trunk=True, hidden=()), "where ippo has no hidden layers"),
    ],
)
def test_bad_optimiser_settings_get_clear_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_later_settings_are_told_only_where_they_are_used():
    """A folder that was begun before there were such settings is still the same run."""
    plain = marl.algo_config(marl.SRPO())
    later = {"shared_trunk", "max_grad_norm", "critic_lr"}
    later |= {"eps_start", "eps_warmup", "lr_start", "lr_warmup"}
    assert not later & set(plain)
    assert marl.make_algo(**plain) == marl.SRPO()
    algo = marl.SRPO(max_grad_norm=10.0)
    assert marl.algo_config(algo)["max_grad_norm"] == 10.0
    assert marl.make_algo(**marl.algo_config(algo)) == algo
    assert "critic_lr" in marl.algo_config(marl.make_algo("maddpg"))


def test_an_epoch_takes_every_sample_once_in_parts_that_are_drawn():
    algo = marl.IPPO(n_envs=2, n_steps=6, minibatches=3, hidden=(5,))
    role, key = ppo.make_role(algo, 4), jax.random.key(3)
    params = ppo.init_role(role, jax.random.key(0), 2, 3)
    batch = jax.tree.map(lambda *x: jnp.stack(x), one_batch(12), one_batch(12))
    optimiser = ppo.optimiser(algo, 2)

    def pass_over(batch, algo, carry):
        none = {"regulariser": lambda log_probs, batch: jnp.zeros(()), "algo": algo}
        return ppo.epoch(role, optimiser, carry, key, batch=batch, **none)[0]

    first = (params, optimiser.init(params))
    got, _ = jax.jit(lambda carry: pass_over(batch, algo, carry))(first)
    order = np.asarray(jax.random.permutation(key, 12)).reshape(3, 4)
    assert sorted(order.ravel()) == list(range(12))
    whole = marl.IPPO(n_envs=2, n_steps=2)
    step = jax.jit(lambda part, carry: pass_over(part, whole, carry))
    carry = first
    for places in order:
        carry = step(jax.tree.map(lambda x, p=places: x[:, p], batch), carry)
    for mine, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(carry[0]), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
