"""Scripted partners: they keep to the rules, and the worker works as well as one can alone."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import marl  # noqa: E402
from marl.crossplay import _scripts  # noqa: E402
from marl.partners import held_out, idle  # noqa: E402
from marl.play import episode, play  # noqa: E402


@pytest.fixture(scope="module")
def table():
    """Mean totals of every pair of the kitchen's partners over 200 episodes, by their names."""
    env = marl.make_env("kitchen")
    partners = held_out(env)
    policies = _scripts(partners, 0), _scripts(partners, 1)

    @jax.jit
    def mean(pair):
        keys = jax.random.split(jax.random.key(3), 200)
        totals = jax.vmap(lambda key: play(env, policies, pair, key, env.horizon))(keys)
        return jax.tree.map(lambda x: x.mean(axis=0), (totals.team, totals))

    names = [partner.name for partner in partners]
    return {
        (a, b): mean((np.int32(i), np.int32(j)))
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    }


def test_who_stays_does_nothing(table):
    team, totals = table["stay", "stay"]
    assert float(team) == 0.0
    assert all(float(count.sum()) == 0.0 for count in totals.events.values())
    assert float(table["stay", "random"][1].private[0]) == 0.0


def test_the_worker_alone_comes_near_the_best_one_worker_team(table):
    for pair in (("greedy worker", "stay"), ("stay", "greedy worker")):
        assert 0.9 * 184.2 < float(table[pair][0]) < 1.02 * 184.2


def test_two_workers_share_the_work_and_earn_more(table):
    team, totals = table["greedy worker", "greedy worker"]
    deliveries = np.asarray(totals.events["deliveries"])
    assert float(team) > float(table["greedy worker", "stay"][0])
    assert deliveries.min() > 0.4 * deliveries.sum()


def test_noise_costs(table):
    returns = [
        float(table[name, "stay"][0]) for name in ("greedy worker", "noisy worker", "random")
    ]
    assert returns == sorted(returns, reverse=True)


def test_seats_are_alike(table):
    for a in ("noisy worker", "greedy worker"):
        one, two = (float(table[pair][0]) for pair in ((a, "stay"), ("stay", a)))
        assert one == pytest.approx(two, rel=0.08)


def test_a_worker_that_sees_itself_first_works_in_either_seat():
    env = marl.make_env("kitchen", egocentric=True)
    stay, worker = (p for p in held_out(env) if p.name in ("stay", "greedy worker"))
    policies = stay.seated(0), worker.seated(1)
    run = jax.jit(lambda key: play(env, policies, (None, None), key, 50))
    assert float(run(jax.random.key(0)).events["deliveries"][1]) >= 5


def test_every_environment_has_partners_that_act_legally():
    env = marl.make_env("matrix", game=[[[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]])
    partners = held_out(env)
    assert [partner.name for partner in partners] == ["random", *(f"action {a}" for a in range(3))]
    assert idle(env) is None
    nobody = idle(marl.make_env("kitchen"))
    assert nobody is not None
    assert nobody.name == "stay"
    legal = env.legal(None)[0]
    obs, keys = jax.numpy.ones(1), jax.random.split(jax.random.key(0), 20)
    for partner in partners:
        policy = partner.seated(0)
        actions = [int(policy(None, key, obs, legal)) for key in keys]
        assert set(actions) <= {0, 1}


def test_an_episode_can_be_watched():
    env = marl.make_env("kitchen", horizon=7)
    worker = next(p for p in held_out(env) if p.name == "greedy worker")
    moments = jax.jit(
        lambda key: episode(env, (worker.seated(0), worker.seated(1)), (None, None), key)
    )(jax.random.key(1))
    assert moments.actions.shape == (7, 2)
    assert sorted(map(tuple, np.asarray(moments.state.pos[0]).tolist())) == [(0, 1), (1, 0)]
