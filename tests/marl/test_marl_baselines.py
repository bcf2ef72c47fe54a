"""The baselines: each coordinates on a tiny game, and does what defines it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
import rqe
from marl.algorithms import replay
from marl.algorithms.population import Company, Population, SeatAware, told_seats
from marl.algorithms.ppo import apply
from marl.algorithms.seats import Separate, Shared
from marl.algorithms.trajedi import windowed
from marl.networks import Actor
from marl.run import run_config

AGREE = marl.make_env("matrix", game=rqe.NormalFormGame([np.eye(2), np.eye(2)]))
SMALL: dict[str, Any] = {"n_envs": 16, "n_steps": 8, "hidden": (16,), "lr": 5e-3}
METHODS: dict[str, Any] = {
    "mappo": marl.MAPPO(**SMALL, eps=0.02),
    "maddpg": marl.MADDPG(**SMALL, buffer=1024, batch=64, gradient_steps=8),
    "fcp": marl.FCP(**SMALL, eps=0.02),
    "mep": marl.MEP(**SMALL, eps=0.02, alpha=0.5),
    "trajedi": marl.TrajeDi(**SMALL, eps=0.02, alpha=0.5),
}
STEPS, SEEDS = 120 * 128, 4


@functools.cache
def trained(name):
    """States, metrics and policies [seeds, seats, actions] of a method on the matching game."""
    algo = METHODS[name].planned(STEPS)
    trainer = marl.Trainer(AGREE, algo)

    def run(key):
        state, metrics = trainer.advance(trainer.init(key), algo.total_updates(STEPS))
        return state, metrics, probabilities(trainer.team(state), algo)

    return jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), SEEDS))


def probabilities(team, algo):
    """[seats, actions] of a team in a matrix game."""
    actor = Actor(2, algo.hidden, algo.activation)
    return jax.nn.softmax(jax.vmap(lambda p: apply(actor, p, jnp.ones(1)))(team))


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("mep", "trajedi")]


@pytest.mark.parametrize("name", ["mappo", "maddpg", "fcp", *SLOW])
def test_every_baseline_learns_to_coordinate(name):
    _, metrics, policies = trained(name)
    meeting = np.einsum("sa,sa->s", policies[:, 0], policies[:, 1])
    # Partners of both conventions cannot both be met: MEP's and TrajeDi's learners may hesitate.
    least = 0.9 if name in ("mappo", "maddpg") else 0.45
    assert (meeting > least).all(), f"probabilities of meeting: {meeting}"
    assert np.isfinite(metrics["reward"]).all()
    assert metrics["steps"][0, -1] == STEPS


@pytest.mark.parametrize("name", ["fcp", *SLOW])
def test_members_of_a_population_coordinate_with_themselves(name):
    _, metrics, _ = trained(name)
    own = metrics["reward"][:, 50:60, 0].mean()
    assert own > 0.8, f"members earn {own} of 1"


def member_policies(name):
    """[seeds, members, seats, actions]: what the members play at the end of their training."""
    state, _, _ = trained(name)
    algo = METHODS[name]

    def one(actor):
        return probabilities(told_seats(jax.tree.map(lambda x: x[None], actor), 2), algo)

    return np.asarray(jax.vmap(jax.vmap(one))(state.params["member_actor"]))


@pytest.mark.slow
def test_mep_raises_the_entropy_of_the_mean_policy_above_that_of_independent_runs():
    entropy = {}
    for name in ("fcp", "mep"):
        mean = member_policies(name).mean(axis=1)
        entropy[name] = -(mean * np.log(mean)).sum(axis=-1).mean()
    assert entropy["mep"] > entropy["fcp"] + 0.05
    assert entropy["mep"] > 0.9 * np.log(2)


@pytest.mark.slow
def test_trajedis_diversity_rises():
    _, metrics, _ = trained("trajedi")
    bonus = np.asarray(metrics["bonus"])[..., 0].mean(axis=0)
    assert bonus[:3].mean() < 0.02
    assert bonus[50:60].mean() > 0.15
    assert bonus.max() <= 0.5 * np.log(4) + 1e-5


def test_meps_bonus_pays_for_actions_that_the_mean_policy_seldom_takes():
    policies = np.array([[0.9, 0.1], [0.5, 0.5]])  # of two members, in one state
    taken = np.log(policies)[:, None, None, :]  # [P, T, P, tables]: both actions, at two tables
    algo = marl.MEP(population=2, alpha=0.3)
    bonus = algo.bonus(jnp.asarray(taken), jnp.zeros((1, 1, 2)))
    np.testing.assert_allclose(bonus[0, 0], -0.3 * np.log([0.7, 0.3]), rtol=1e-5)


def test_trajedis_bonus_has_the_jensen_shannon_divergence_as_its_mean():
    policies = np.array([[0.9, 0.1], [0.2, 0.8]])
    mean = policies.mean(axis=0)
    entropy = [-(p * np.log(p)).sum() for p in (*policies, mean)]
    want = entropy[2] - (entropy[0] + entropy[1]) / 2
    # Each member takes both actions, at tables that count as its policy says.
    taken = np.broadcast_to(np.log(policies)[:, None, None, :], (2, 1, 2, 2))
    algo = marl.TrajeDi(population=2, alpha=1.0, kernel=0.0)
    bonus = np.asarray(algo.bonus(jnp.asarray(taken), jnp.zeros((1, 2, 2))))[0]
    assert (policies * bonus).sum() / 2 == pytest.approx(want, rel=1e-5)


def test_windows_of_log_probabilities_equal_plain_loops():
    rng = np.random.default_rng(0)
    P, T, tables, kernel = 2, 7, 3, 0.6
    x, done = rng.normal(size=(P, T, P, tables)), rng.random((T, P, tables)) < 0.3
    want = np.zeros_like(x)
    for t in range(T):
        for s in range(T):
            cut = done[min(s, t) : max(s, t)].any(axis=0)
            want[:, t] += np.where(cut, 0.0, kernel ** abs(t - s)) * x[:, s]
    got = windowed(jnp.asarray(x), jnp.asarray(done, float), kernel)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_the_pool_holds_every_member_at_the_start_half_way_and_at_the_end():
    state, metrics, _ = trained("fcp")
    pool = np.asarray(state.memory.pool["Dense_1"]["bias"])  # [seeds, 12, actions]
    early, middle, late = pool[:, :4], pool[:, 4:8], pool[:, 8:]
    assert (early == 0).all()
    assert np.abs(late).min() > np.abs(middle).min() > 0
    np.testing.assert_array_equal(late, state.params["member_actor"]["Dense_1"]["bias"])
    assert metrics["responding"][0, :, 0].tolist() == [0.0] * 60 + [1.0] * 60


def company_of(tables, snapshots):
    """Tables where nothing has been drawn yet."""
    nobody = jnp.zeros(tables, jnp.int32)
    return Company(None, jnp.zeros(snapshots), nobody, nobody, jnp.zeros(tables))


def test_seat_and_partner_are_drawn_anew_for_each_episode_and_only_then():
    algo = marl.FCP(n_envs=400, population_steps=400 * 128)
    stage, company = Population(AGREE, algo), company_of(400, 12)
    done = jnp.arange(400) < 300
    for k in range(3):
        before, company = company, stage.redrawn(company, jax.random.key(k), done)
        for name, size in (("seat", 2), ("partner", 12)):
            old, new = np.asarray(getattr(before, name)), np.asarray(getattr(company, name))
            assert (old[300:] == new[300:]).all()
            counts = np.bincount(new[:300], minlength=size)
            assert counts.shape == (size,)
            assert counts.min() > 0.3 * 300 / size


def test_seats_and_partners_stay_within_episodes_of_a_rollout():
    env = marl.make_env("kitchen", horizon=4)
    algo = marl.FCP(n_envs=4, n_steps=6, hidden=(4,), population_steps=24)
    stage = Population(env, algo)
    state = jax.jit(stage.init)(jax.random.key(1))
    _, steps, _ = jax.jit(stage.rollout)(state, jax.random.key(2))
    seat = np.asarray(steps.obs)[:, 0, :, 8:].argmax(axis=-1)  # [T, E]
    assert (seat[:4] == np.asarray(state.memory.seat)).all()
    assert (seat[4] == seat[5]).all()
    assert steps.done[3].all()
    assert not steps.done[4].any()


def test_priority_draws_partners_with_whom_little_is_earned():
    algo = marl.MEP(n_envs=1000, population=2, priority=2.0, population_steps=10**6)
    stage = Population(AGREE, algo)
    company = company_of(1000, 6)._replace(score=jnp.array([5.0, 1.0, 3.0, 2.0, 4.0, 6.0]))
    drawn = stage.redrawn(company, jax.random.key(1), jnp.ones(1000, bool)).partner
    share = np.bincount(drawn, minlength=6) / 1000
    rank = np.array([2, 6, 4, 5, 3, 1])
    np.testing.assert_allclose(share, rank**2 / (rank**2).sum(), atol=0.04)


def test_a_seat_told_by_one_hot_is_the_same_network_with_another_bias():
    env = SeatAware(marl.make_env("kitchen"))
    rng = np.random.default_rng(0)
    first = {"kernel": rng.normal(size=(1, 10, 6)), "bias": rng.normal(size=(1, 6))}
    last = {"kernel": rng.normal(size=(1, 6, 5)), "bias": rng.normal(size=(1, 5))}
    actor = jax.tree.map(jnp.asarray, {"Dense_0": first, "Dense_1": last})
    _, obs = env.reset(jax.random.key(1))
    assert obs.shape == (2, 10)
    net = Actor(5, (6,))
    want = apply(net, jax.tree.map(lambda x: x[0], actor), obs)
    got = jax.vmap(lambda p, x: apply(net, p, x))(told_seats(actor, 2), obs[:, :8])
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_mappos_critic_sees_the_joint_observation_and_its_actor_does_not():
    env = marl.make_env("kitchen", egocentric=True)
    params = marl.Trainer(env, marl.MAPPO()).init(jax.random.key(0)).params
    assert params["actor"]["Dense_0"]["kernel"].shape == (2, 8, 64)
    assert params["critic"]["Dense_0"]["kernel"].shape == (2, 16, 64)


@pytest.mark.parametrize(
    "seating", [Separate(3, 2, 0), Shared(3, 2, 0)], ids=lambda s: type(s).__name__
)
def test_joined_observations_begin_with_the_own_seat(seating):
    tables = jnp.arange(6.0).reshape(2, 3, 1)  # [E, n, o]
    own = seating.agents(tables, seating.draw(jax.random.key(0)))
    joined = np.asarray(seating.joined(own))
    assert joined.shape == (*own.shape[:2], 3)
    np.testing.assert_array_equal(joined[..., 0], own[..., 0])
    for row in joined.reshape(-1, 3).astype(int).tolist():
        table, seat = divmod(row[0], 3)
        assert row == [3 * table + (seat + k) % 3 for k in range(3)]


def test_maddpgs_targets_follow_slowly():
    algo = marl.MADDPG(**SMALL, gradient_steps=1, polyak=0.05)
    trainer = marl.Trainer(AGREE, algo)
    before = jax.jit(trainer.init)(jax.random.key(0))
    after = jax.jit(lambda s: trainer.advance(s, 1)[0])(before)
    for part in ("actor", "critic"):
        old, new = (state.params[part]["Dense_0"]["kernel"] for state in (before, after))
        target = after.params[f"target_{part}"]["Dense_0"]["kernel"]
        assert np.abs(new - old).max() > 1e-4
        np.testing.assert_allclose(target, old + 0.05 * (new - old), atol=1e-6)


def test_the_buffer_overwrites_the_oldest():
    def steps(numbers):
        n = len(numbers)
        seen, may = jnp.zeros((n, 1, 1)), jnp.ones((n, 1, 2), bool)
        reward = jnp.asarray(numbers, jnp.float32)[:, None]
        rest = (jnp.zeros((n, 1), int), reward, jnp.zeros(n, bool), seen, may)
        return replay.Transition(seen, may, *rest)

    ring = replay.Replay(steps([0, 0, 0, 0, 0]), jnp.int32(0))
    ring = replay.store(ring, steps([1, 2, 3]))
    assert set(np.asarray(replay.draw(ring, jax.random.key(0), 50).reward)[:, 0]) == {1, 2, 3}
    ring = replay.store(ring, steps([4, 5, 6]))
    assert set(np.asarray(replay.draw(ring, jax.random.key(0), 50).reward)[:, 0]) == {2, 3, 4, 5, 6}


def test_gumbel_softmax_is_one_hot_in_the_right_proportions_with_a_gradient():
    logits = jnp.log(jnp.array([0.2, 0.5, 0.3]))
    drawn = replay.gumbel_softmax(jnp.broadcast_to(logits, (4000, 3)), jax.random.key(0), 1.0)
    assert set(np.unique(drawn.round(5))) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(axis=0), [0.2, 0.5, 0.3], atol=0.03)
    slope = jax.grad(lambda x: replay.gumbel_softmax(x, jax.random.key(1), 1.0)[1])(logits)
    assert slope[1] > 0 > slope[0]


def test_maddpgs_critic_learns_the_value_of_joint_actions():
    state, _, _ = trained("maddpg")
    method = replay.OffPolicy(AGREE, METHODS["maddpg"])
    critics = jax.tree.map(lambda x: x[0], state.params["critic"])
    joint = jnp.eye(2)[jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])]
    q = method.values(critics, jnp.ones((4, 2, 1)), joint)
    played = int(np.asarray(state.memory.data.action[0]).mean().round())
    assert q[3 * played].min() == pytest.approx(1.0, abs=0.1)


def test_all_baselines_take_equally_many_environment_steps_and_plan_their_stages():
    for name in METHODS:
        algo = marl.make_algo(name)
        assert algo.round_steps(2e6) == 1_998_848
        planned = algo.planned(1_998_848)
        if hasattr(planned, "population_steps"):
            assert planned.population_steps == 1_998_848 // 2
    config = run_config(marl.make_env("kitchen"), marl.FCP(), steps=10 * 1024, seeds=1)
    assert config.algo["population_steps"] == 5 * 1024
    assert config.objects()[1] == marl.FCP(population_steps=5 * 1024)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: marl.FCP(population=3), "population must divide n_envs = 8, got 3"),
        (lambda: marl.FCP(share_policies=False), "share_policies must be True in fcp"),
        (lambda: marl.MEP(alpha=-1), "alpha must be a finite number of at least 0"),
        (lambda: marl.TrajeDi(kernel=1.5), r"kernel must be in \[0.0, 1.0\]"),
        (lambda: marl.MADDPG(buffer=10), "buffer must hold an update's 1024 joint steps"),
        (lambda: marl.MADDPG(share_policies=True), "share_policies must be False in maddpg"),
        (lambda: marl.Trainer(AGREE, marl.FCP()).init(jax.random.key(0)), "population_steps must"),
    ],
)
def test_bad_settings_get_clear_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
