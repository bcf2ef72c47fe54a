"""Training as a whole: same bits for the same key, what each option does, bad settings."""

import dataclasses
import functools
import json
import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marl
import rqe
from marl.algorithms.update import Setup
from marl.train import team

KITCHEN = marl.make_env("kitchen", horizon=6)
SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 8, "hidden": (8,), "epochs": 2}
NAME = operator.attrgetter("name")


def bits(tree):
    """All numbers of a pytree, as bytes."""
    leaves = jax.tree.leaves(jax.tree.map(_plain, tree))
    return b"".join(np.asarray(leaf).tobytes() for leaf in leaves)


def _plain(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


@functools.cache
def programs(algo):
    """Compiled `init` and `advance` over seeds; the latter for up to four updates."""
    trainer = marl.Trainer(KITCHEN, algo)
    go = jax.vmap(lambda s, n: trainer.advance(s, 4, count=n), in_axes=(0, None))
    return jax.jit(jax.vmap(trainer.init)), jax.jit(go)


def pieces(algo, cuts, seeds=2):
    """State and metrics after a run that is cut into pieces, by one compiled program."""
    init, go = programs(algo)
    state, logs = init(jax.random.split(jax.random.key(3), seeds)), []
    for n in cuts:
        state, metrics = go(state, n)
        logs.append(jax.tree.map(lambda x, n=n: x[:, :n], metrics))
    return state, jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), *logs)


@pytest.mark.parametrize("algo", [marl.IPPO(**SMALL), marl.SRPO(**SMALL, tau=1.0)], ids=NAME)
def test_cutting_a_run_changes_no_bit_and_the_key_decides_all(algo):
    whole = pieces(algo, [4])
    assert bits(pieces(algo, [1, 3])) == bits(whole)
    assert bits(pieces(algo, [4])) == bits(whole)
    first, second = (jax.tree.map(lambda x, i=i: x[i], whole[0].params) for i in range(2))
    assert bits(first) != bits(second)
    assert whole[1]["steps"][0].tolist() == [algo.interactions() * (k + 1) for k in range(4)]


@pytest.mark.parametrize(
    "options",
    [{"tau": 0.0}, {"risk_weight": 0.0}, {"tau": 0.0, "partner_memory": 3, "adversary_lr": 0.1}],
    ids=repr,
)
def test_srpo_without_risk_aversion_is_ippo_bit_by_bit(options):
    want = pieces(marl.IPPO(**SMALL), [2])
    got = pieces(marl.SRPO(**SMALL, **options), [2])
    assert set(got[0].params) == {"actor", "critic"}
    assert bits(got) == bits(want)


def test_small_tau_tends_to_ippo_adversaries():
    """The KL term keeps the adversary at the partner where tau is tiny, and not where it is big."""
    last = {}
    for tau in (0.01, 100.0):
        algo = marl.SRPO(**{**SMALL, "epochs": 8}, tau=tau, adversary_lr=3e-3)
        train = marl.make_train(KITCHEN, algo, steps=60 * algo.interactions())
        _, metrics = jax.jit(train)(jax.random.key(0))
        last[tau] = float(metrics["kl"][-20:].mean())
    assert last[0.01] < 0.02 < 0.1 < last[100.0]


def test_a_2x2_game_is_learned():
    """IPPO with entropy on the prisoner's dilemma ends at its logit equilibrium."""
    game = rqe.catalog.load("prisoners-dilemma")
    env, algo = (
        marl.make_env("matrix", game=game),
        marl.IPPO(n_envs=64, n_steps=8, hidden=(16,), lr=3e-3, eps=1.0),
    )
    train = jax.jit(jax.vmap(marl.make_train(env, algo, steps=100 * 512)))
    state, _ = train(jax.random.split(jax.random.key(0), 4))
    probs = policies(env, algo, state)
    want = rqe.qre(game, lam=1.0).strategies
    assert np.abs(probs.mean(axis=0) - np.stack(want)).max() < 0.03


def policies(env, algo, state):
    """[seeds, n_agents, n_actions]: what each agent plays in a matrix game."""
    actor = Setup(env, algo).role.actor
    logits = jax.vmap(jax.vmap(lambda p: actor.apply({"params": p}, jnp.ones(1))))(
        state.params["actor"]
    )
    return np.asarray(jax.nn.softmax(jnp.asarray(logits)))


@pytest.mark.parametrize(
    ("penalty", "kl_in"),
    [
        ("reverse_kl", "loss"),
        ("kl", "reward"),
        pytest.param("kl", "loss", marks=pytest.mark.slow),
        pytest.param("reverse_kl", "reward", marks=pytest.mark.slow),
    ],
)
def test_adversary_finds_the_closed_form_on_a_one_step_game(penalty, kl_in):
    """Against agents that hardly learn, it ends at the KL-constrained worst case and its KL."""
    game = rqe.NormalFormGame([[[2.0, 0.0], [1.0, 0.5]], [[0.0, 1.0], [0.3, 0.2]]])
    env = marl.make_env("matrix", game=game)
    algo = marl.SRPO(
        tau=1.5,
        penalty=penalty,
        kl_in=kl_in,
        lr=1e-9,
        adversary_lr=2e-3,
        n_envs=64,
        n_steps=8,
        hidden=(16,),
    )
    train = jax.jit(jax.vmap(marl.make_train(env, algo, steps=150 * 1024)))
    state, metrics = train(jax.random.split(jax.random.key(1), 4))
    theta = policies(env, algo, state)[0]
    # What each agent expects by its partner's action.
    own = [theta[0] @ game.payoffs[0], game.payoffs[1] @ theta[1]]
    partner = [theta[1], theta[0]]
    for i in range(2):
        p = worst(own[i], partner[i], 1.5, penalty)
        first, second = (p, partner[i]) if penalty == "kl" else (partner[i], p)
        kl = float(np.sum(first * np.log(first / second)))
        found = float(metrics["kl"][:, -30:, i].mean())
        assert found == pytest.approx(kl, rel=0.15)


def worst(loss, theta, tau, penalty):
    """Minimiser of p . loss + KL / tau over mixtures of two actions, on a fine grid."""
    grid = np.linspace(1e-4, 1 - 1e-4, 100_001)
    p = np.stack([grid, 1 - grid], axis=1)
    if penalty == "kl":
        kl = np.sum(p * np.log(p / theta), axis=1)
    else:
        kl = np.sum(theta * np.log(theta / p), axis=1)
    return p[np.argmin(p @ loss + kl / tau)]


OPTIONS = {
    "half of the tables, two heads, memory": marl.SRPO(
        **SMALL, risk_weight=0.5, premium_head=True, partner_memory=2, memory_interval=1
    ),
    "shared policies, minibatches, a schedule": marl.SRPO(
        **SMALL,
        share_policies=True,
        minibatches=2,
        tau=5.0,
        tau_start=0.5,
        tau_warmup=200,
        normalise_advantages=True,
        activation="relu",
    ),
    "self-play": marl.SelfPlay(**SMALL),
    "adversarial": marl.Adversarial(**SMALL),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_trains(name):
    algo = OPTIONS[name]
    trainer = marl.Trainer(KITCHEN, algo)

    def run(key):
        state = trainer.init(key)
        return state, trainer.advance(state, 3)

    before, (after, metrics) = jax.jit(run)(jax.random.key(0))
    assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves(metrics))
    for part, weights in before.params.items():
        assert bits(weights) != bits(after.params[part]), f"{part} did not learn"
    learners = 1 if algo.share_policies else 2
    assert metrics["reward"].shape == (3, learners)
    assert ("premium" in metrics) == getattr(algo, "premium_head", False)
    assert team(after.params, 2)["Dense_0"]["kernel"].shape == (2, 8, 8)
    if algo.n_memory:
        assert after.memory is not None
        assert int(after.memory.taken) == 3
        slots = jax.tree.leaves(after.memory.actors)[1]
        assert bits(slots[0]) != bits(slots[1])


def test_three_players_each_have_a_joint_adversary_or_share_one():
    game = rqe.NormalFormGame(np.random.default_rng(0).normal(size=(3, 2, 3, 2)))
    env = marl.make_env("matrix", game=game)
    for share, heads in ((False, 9), (True, 3)):
        trainer = marl.Trainer(env, marl.SRPO(**SMALL, share_policies=share))
        run = jax.jit(lambda key, t=trainer: t.advance(t.init(key), 2))
        state, metrics = run(jax.random.key(0))
        bias = state.params["adversary_actor"]["Dense_1"]["bias"]
        assert bias.shape == (1 if share else 3, heads)
        assert bool(jnp.isfinite(metrics["kl"]).all())
    with pytest.raises(ValueError, match="single partner seat"):
        marl.Trainer(env, marl.SRPO(**SMALL, partner_memory=2)).init(jax.random.key(0))


def test_every_method_takes_the_same_number_of_environment_steps():
    methods = [
        marl.IPPO(),
        marl.SRPO(),
        marl.Adversarial(),
        marl.SelfPlay(),
        marl.SRPO(tau=0.0),
        marl.SRPO(share_policies=True),
        marl.HighEntropyIPPO(),
    ]
    totals = set()
    for algo in methods:
        steps = algo.round_steps(2e6)
        totals.add(algo.total_updates(steps) * algo.interactions())
    assert totals == {1_998_848}
    half = marl.SRPO(risk_weight=0.5)
    assert half.interactions() == 128 * (4 + 2 * 4)
    assert marl.SRPO().interactions(n_agents=3) == 3 * 1024
    for algo in (marl.IPPO(**SMALL), marl.SRPO(**SMALL)):
        train = jax.eval_shape(marl.make_train(KITCHEN, algo, steps=128), jax.random.key(0))
        assert train[1]["steps"].shape == (128 // algo.interactions(),)


def test_the_schedule_of_tau_is_geometric():
    setup = Setup(KITCHEN, marl.SRPO(**SMALL, tau=8.0, tau_start=0.5, tau_warmup=1024))
    per_update = setup.algo.interactions()
    middle = jnp.int32(512 // per_update)
    taus = [1 / float(setup.kl_coef(k)) for k in (jnp.int32(0), middle, jnp.int32(10_000))]
    assert taus == pytest.approx([0.5, 2.0, 8.0], rel=1e-5)


def test_the_schedule_of_eps_is_geometric_and_ends_where_a_constant_begins():
    algo = marl.IPPO(**SMALL, eps=0.01, eps_start=0.16, eps_warmup=1024)
    setup = Setup(KITCHEN, algo)
    middle = jnp.int32(512 // algo.interactions())
    found = [float(setup.eps(k)) for k in (jnp.int32(0), middle, jnp.int32(10_000))]
    assert found == pytest.approx([0.16, 0.04, 0.01], rel=1e-5)

    def after(algo: marl.IPPO, update: int) -> np.ndarray:
        own = Setup(KITCHEN, algo)
        state = own.init(jax.random.key(0))._replace(update=jnp.int32(update))
        return np.concatenate([x.ravel() for x in jax.tree.leaves(own.update(state)[0].params)])

    constant = marl.IPPO(**SMALL, eps=0.01)
    assert after(algo, 10_000) == pytest.approx(after(constant, 10_000), abs=1e-6)
    assert np.abs(after(algo, 0) - after(constant, 0)).max() > 1e-5


def test_algorithms_by_name_and_back():
    for name, kind in marl.algorithms.ALGORITHMS.items():
        algo = marl.make_algo(name)
        assert type(algo) is kind
        assert marl.make_algo(**marl.algo_config(algo)) == algo
    assert marl.preset("kitchen", "srpo").algo == marl.SRPO(tau=10.0, eps=0.1)
    assert marl.preset("kitchen", "ippo").algo == marl.IPPO(eps=0.1)


TEXT: Any = "2e6"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: marl.SRPO(tau=-1), ValueError, r"tau must be in \[0.0, inf\], got -1"),
        (lambda: marl.SRPO(tau=math.nan), ValueError, "tau must be"),
        (lambda: marl.SRPO(penalty="js"), ValueError, "penalty must be one of 'kl', 'reverse_kl'"),
        (lambda: marl.SRPO(risk_weight=0.3), ValueError, "whole number of tables"),
        (lambda: marl.SRPO(premium_head=True), ValueError, "risk_weight < 1"),
        (lambda: marl.SRPO(tau_warmup=5), ValueError, "tau_start and tau_warmup go together"),
        (lambda: marl.IPPO(eps_start=0.1), ValueError, "eps_start and eps_warmup go together"),
        (lambda: marl.IPPO(eps=0, eps_start=0.1, eps_warmup=9), ValueError, "with eps_start"),
        (lambda: marl.IPPO(eps_start=0.1, eps_warmup=-9), ValueError, "eps_warmup must be an int"),
        (lambda: marl.SRPO(partner_memory=2, memory_share=1.0), ValueError, "memory_share"),
        (lambda: marl.SRPO(partner_memory=True), ValueError, "partner_memory must be an integer"),
        (lambda: marl.IPPO(minibatches=3), ValueError, "minibatches must divide"),
        (lambda: marl.IPPO(n_envs=True), ValueError, "n_envs must be a positive integer"),
        (lambda: marl.IPPO(eps=-0.1), ValueError, "eps must be a finite number of at least 0"),
        (lambda: marl.IPPO(activation="gelu"), ValueError, "activation must be one of"),
        (lambda: marl.Adversarial(tau=3.0), ValueError, "else use SRPO"),
        (lambda: marl.SelfPlay(share_policies=False), ValueError, "share_policies must be True"),
        (lambda: marl.make_algo("spro"), ValueError, "did you mean 'srpo'"),
        (lambda: marl.make_algo("srpo", taus=1), TypeError, "did you mean 'tau'"),
        (lambda: marl.preset("kitchn", "srpo"), ValueError, "did you mean 'kitchen'"),
        (lambda: marl.SRPO().total_updates(2_000_000), ValueError, "nearest below is 1998848"),
        (lambda: marl.IPPO().round_steps(100), ValueError, "at least 1024"),
        (lambda: marl.IPPO().round_steps(math.inf), ValueError, "at most 2147483647, got inf"),
        (lambda: marl.IPPO().round_steps(1e30), ValueError, r"at most 2147483647, got 1e\+30"),
        (lambda: marl.IPPO().round_steps(TEXT), ValueError, "steps must be .* got '2e6'"),
        (
            lambda: marl.make_algo("ippo", hidden="64"),
            ValueError,
            "hidden must be a positive integer, got '64'",
        ),
        (lambda: marl.make_algo("ippo", hidden=None), ValueError, "hidden must be .* got None"),
        (
            lambda: marl.make_algo("ippo", normalise_advantages="no"),
            ValueError,
            "True or False, got 'no'",
        ),
        (
            lambda: marl.make_algo("ippo", share_policies="no"),
            ValueError,
            "share_policies must be True or",
        ),
        (
            lambda: marl.SRPO(premium_head=True, risk_weight=0.75, partner_memory=4),
            ValueError,
            r"risk_weight \+ memory_share < 1; got risk_weight=0.75",
        ),
    ],
)
def test_bad_settings_get_clear_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_names_are_no_environments_and_no_algorithms():
    kitchen: Any = marl.make_env("kitchen")
    name: Any = "kitchen"
    for call in (
        lambda: marl.make_train(name, marl.IPPO()),
        lambda: marl.Trainer(name, marl.IPPO()),
        lambda: marl.evaluate(lambda obs, legal: obs, None, name),
    ):
        with pytest.raises(TypeError, match=r"env must be an environment.*; got 'kitchen'"):
            call()
    wrong: Any
    for wrong in ("ippo", marl.IPPO):
        with pytest.raises(TypeError, match=r"algo must be an algorithm, such as .*; got"):
            marl.make_train(kitchen, wrong)


def test_settings_may_be_numpys_numbers_and_one_layer_a_number():
    numbers: dict[str, Any] = {"tau": np.int64(10), "eps": np.float64(0.1), "n_envs": np.int32(4)}
    algo: Any = marl.make_algo("srpo", **numbers, hidden=np.int64(16))
    assert algo == marl.SRPO(tau=10, eps=0.1, n_envs=4, hidden=(16,))
    assert marl.make_algo("ippo", hidden=np.array([8, 9])) == marl.IPPO(hidden=(8, 9))
    assert json.loads(json.dumps(marl.algo_config(algo)))["hidden"] == [16]


@pytest.mark.parametrize(
    "algo",
    [
        marl.SRPO(n_envs=8, n_steps=1, risk_weight=0.5, minibatches=8),
        marl.SRPO(n_envs=8, n_steps=1, risk_weight=0.5, minibatches=8, adversary="tilted"),
        marl.SRPO(n_envs=4, n_steps=3, risk_weight=0.25, minibatches=4, share_policies=True),
        marl.FCP(n_envs=8, n_steps=1, minibatches=8, population_steps=8),
    ],
)
def test_minibatches_must_divide_what_each_network_learns_from(algo):
    trainer = marl.Trainer(marl.make_env("kitchen"), algo)
    with pytest.raises(ValueError, match=r"minibatches must divide the \d+ samples"):
        jax.eval_shape(lambda key: trainer.advance(trainer.init(key), 1), jax.random.key(0))


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        marl.IPPO().lr = 1.0  # type: ignore[misc]
