"""Dynamic programming on the kitchen: known answers, the environment itself, and sampling agree."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import rel_entr

from marl import exact
from marl.envs.kitchen import Kitchen, KitchenState
from marl.exact import _kernels
from marl.exact.model import EVENTS
from marl.exact.risk import worst_deviation
from marl.networks import Actor

SHORT = Kitchen(horizon=6)


@pytest.fixture(scope="module")
def model():
    return exact.kitchen_model()


@pytest.fixture(scope="module")
def teams(model):
    """Three teams that work: noisy deliveries towards pot and onions, and one of noise alone."""
    rng = np.random.default_rng(7)
    first, second = (response.table()[0] for response in exact.team_optimum(model))
    noise = rng.dirichlet(np.full(5, 0.5), (3, 2, model.n_states))
    work = np.stack([first, second])
    return np.stack([0.8 * work + 0.2 * noise[0], 0.5 * work[::-1] + 0.5 * noise[1], noise[2]])


def test_landmarks_of_the_paper_kitchen():
    marks = exact.landmarks()
    assert marks.team == pytest.approx(304.2, abs=0.05)
    assert marks.one_worker == pytest.approx(184.2, abs=0.05)
    assert marks.lone_worker == pytest.approx(87.2, abs=0.05)


def test_tables_equal_the_environment_in_every_state_and_joint_action(model):
    env = Kitchen()
    states = jnp.asarray(model.states, jnp.int32)
    index = {tuple(row): s for s, row in enumerate(model.states.tolist())}

    @jax.jit
    @jax.vmap
    def both_orders(row, actions):
        bodies = row[:6].reshape(2, 3)
        state = KitchenState(bodies[:, :2], bodies[:, 2] == 1, row[6:] == 1, jnp.int32(0))
        moved = [env.move(state, actions, first) for first in jnp.arange(2)]
        obs = jnp.stack([env.observe(m.state)[0] for m in moved])
        info = jnp.stack([jnp.stack([m.info[e] for e in EVENTS], -1) for m in moved]).mean(0)
        rewards = [jnp.stack([m.shared for m in moved]), jnp.stack([m.private for m in moved])]
        return obs, info, rewards[0].mean(0), rewards[1].mean(0)

    for a, b in np.ndindex(5, 5):
        actions = jnp.broadcast_to(jnp.array([a, b]), (model.n_states, 2))
        obs, info, shared, private = both_orders(states, actions)
        after = np.array(
            [[index[tuple(o)] for o in pair] for pair in np.asarray(obs, int).tolist()]
        )
        np.testing.assert_array_equal(after, model.successors[:, a, b])
        np.testing.assert_array_equal(info, model.events[:, a, b])
        np.testing.assert_allclose(shared, model.shared[:, a, b], rtol=1e-6)
        np.testing.assert_allclose(private, model.private[:, a, b], rtol=1e-6, atol=1e-7)


def monte_carlo(team, episodes, key):
    """Own returns of sampled episodes of the environment itself, shape (episodes, 2)."""
    env = Kitchen()
    model = exact.kitchen_model(env)
    radix = (5, 5, 2, 5, 5, 2, 2, 2)
    index = np.zeros(np.prod(radix), np.int32)
    index[np.ravel_multi_index(tuple(model.states.T), radix)] = np.arange(model.n_states)
    logits = jnp.log(jnp.asarray(team))
    lookup = jnp.asarray(index)

    def step(carry, key):
        state, obs = carry
        code = jnp.ravel_multi_index(tuple(obs[0].astype(int)), radix, mode="clip")
        act, move = jax.random.split(key)
        here = logits[:, lookup[code]]
        out = env.step(move, state, jax.random.categorical(act, here, axis=-1))
        return (out.state, out.obs), out.shared + out.private

    def episode(key):
        first, rest = jax.random.split(key)
        return jax.lax.scan(step, env.reset(first), jax.random.split(rest, env.horizon))[1].sum(0)

    return np.asarray(jax.jit(jax.vmap(episode))(jax.random.split(key, episodes)))


@pytest.mark.parametrize("which", [0, 1])
def test_sampled_returns_agree_within_three_standard_errors(teams, which):
    sampled = monte_carlo(teams[which], 4000, jax.random.key(which))
    error = sampled.std(axis=0, ddof=1) / np.sqrt(len(sampled))
    gap = np.abs(sampled.mean(axis=0) - exact.evaluate(teams[which]).returns)
    assert (gap <= 3 * error).all()
    assert (error < 1.0).all()


def test_crossplay_is_every_pair_evaluated(model, teams):
    matrix = exact.crossplay(teams, teams[:2])
    assert matrix.returns.shape == (3, 2, 2)
    for r, c in np.ndindex(3, 2):
        alone = exact.evaluate([teams[r, 0], teams[c, 1]])
        np.testing.assert_allclose(matrix.returns[r, c], alone.returns, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(matrix.total[r, c], alone.total, rtol=1e-11, atol=1e-11)
        for name in EVENTS:
            np.testing.assert_allclose(
                matrix.events[name][r, c], alone.events[name], rtol=1e-11, atol=1e-11
            )


def test_more_teams_than_a_block_holds():
    model = exact.kitchen_model(SHORT)
    rng = np.random.default_rng(3)
    many = rng.dirichlet(np.ones(5), (67, 2, model.n_states))
    matrix = exact.crossplay(many[:1], many, model=model)
    for c in (0, 63, 64, 66):
        alone = exact.evaluate([many[0, 0], many[c, 1]], model=model)
        np.testing.assert_allclose(matrix.returns[0, c], alone.returns, rtol=1e-11)


def test_steps_play_one_episode_after_another(teams):
    whole = exact.evaluate(teams[0])
    rest = exact.evaluate(teams[0], model=exact.kitchen_model(Kitchen(horizon=28)))
    played = exact.evaluate(teams[0], steps=128)
    np.testing.assert_allclose(played.returns, 2 * whole.returns + rest.returns, rtol=1e-12)


def test_exchanging_the_seats_exchanges_the_returns(model, teams):
    swap = [3, 4, 5, 0, 1, 2, 6, 7]
    index = {tuple(row): s for s, row in enumerate(model.states.tolist())}
    mirror = [index[tuple(row[swap])] for row in model.states]
    straight = exact.evaluate(teams[0])
    crossed = exact.evaluate([teams[0, 1][mirror], teams[0, 0][mirror]])
    np.testing.assert_allclose(crossed.returns, straight.returns[::-1], rtol=1e-11)


def test_rewards_follow_from_the_events(teams):
    found = exact.evaluate(teams[0])
    e = found.events
    assert found.shared == pytest.approx(10 * e["deliveries"].sum() + e["pickups"].sum())
    np.testing.assert_allclose(found.private, -0.2 * e["moves"] - 2.0 * e["bumps"])
    np.testing.assert_allclose(found.returns, found.shared + found.private)
    assert found.free_riding == pytest.approx(abs(found.private[0] - found.private[1]))


@pytest.mark.parametrize("seat", [0, 1])
def test_a_best_response_earns_its_value_and_no_policy_earns_more(model, teams, seat):
    partner = teams[0, 1 - seat]
    best = exact.best_response(partner, seat=seat)
    pair = [best.table(), partner] if seat == 0 else [partner, best.table()]
    assert exact.evaluate(pair).returns[seat] == pytest.approx(best.value, abs=1e-9)
    for other in teams[:, seat]:
        pair = [other, partner] if seat == 0 else [partner, other]
        assert exact.evaluate(pair).returns[seat] <= best.value + 1e-9


@pytest.mark.parametrize("seat", [0, 1])
def test_a_worst_case_is_reached_and_no_partner_is_worse(teams, seat):
    policy = teams[0, seat]
    worst = exact.worst_case(policy, seat=seat)
    pair = [policy, worst.table()] if seat == 0 else [worst.table(), policy]
    assert exact.evaluate(pair).returns[seat] == pytest.approx(worst.value, abs=1e-9)
    for other in teams[:, 1 - seat]:
        pair = [policy, other] if seat == 0 else [other, policy]
        assert exact.evaluate(pair).returns[seat] >= worst.value - 1e-9


def test_team_optimum_earns_its_value():
    first, second = exact.team_optimum()
    found = exact.evaluate([first.table(), second.table()])
    assert found.total == pytest.approx(first.value, abs=1e-9)
    assert first.value == second.value


def test_nash_conv_vanishes_where_nobody_can_gain():
    only_costs = exact.kitchen_model(Kitchen(delivery=0.0, pickup=0.0))
    still = exact.stand_still(only_costs)
    assert exact.nash_conv([still, still], model=only_costs).value == 0.0
    working = exact.nash_conv([still, still])
    np.testing.assert_allclose(working.gains, exact.landmarks().lone_worker)


def test_risk_adjusted_value_falls_from_the_mean_to_the_worst_case(teams):
    values = [
        exact.risk_adjusted(teams[0], seat=0, tau=tau).value for tau in (0.0, 0.01, 1.0, 10.0)
    ]
    worst = exact.worst_case(teams[0, 0], seat=0).value
    assert values[0] == pytest.approx(exact.evaluate(teams[0]).returns[0], abs=1e-9)
    assert all(np.diff(values) < 0)
    assert values[-1] > worst
    # Every action of a noisy partner has positive probability: tau = inf is the worst case.
    assert exact.risk_adjusted(teams[0], seat=0, tau=np.inf).value == pytest.approx(worst)


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_unbounded_risk_aversion_is_the_limit_of_the_bounded(teams, penalty):
    """Also beside a partner that never takes some actions: free for "reverse_kl" at every tau."""
    team = [teams[0, 0], exact.stand_still()]
    near, limit = (
        exact.risk_adjusted(team, seat=0, tau=tau, penalty=penalty).value for tau in (1e6, np.inf)
    )
    assert limit == pytest.approx(near, abs=0.01)
    free = {
        "kl": exact.evaluate(team).returns[0],
        "reverse_kl": exact.worst_case(team[0], seat=0).value,
    }
    assert limit == pytest.approx(free[penalty])


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_no_deviation_beats_the_adversary(teams, penalty):
    """Weak duality along whole episodes: every other partner plus what it pays is worth more."""
    tau, team = 0.3, teams[0]
    model = exact.kitchen_model()
    found = exact.risk_adjusted(team, seat=0, tau=tau, penalty=penalty)
    assert found.value == pytest.approx(found.expected + found.divergence / tau)
    assert found.divergence > 0
    assert found.premium > 0
    assert found.expected < found.nominal
    for share in (0.0, 0.1, 0.5):
        q = team[1]
        p = (1 - share) * q + share * teams[1, 1]
        ratio = np.log(p / q)
        here = (p * ratio).sum(1) if penalty == "kl" else (-q * ratio).sum(1)
        ones = np.ones(model.horizon)
        visits = _kernels.visits(
            model.successors, model.respawn, model.start, ones, (team[:1], p[None])
        )
        paid = visits.sum((1, 2)) @ here
        earned = exact.evaluate([team[0], p]).returns[0]
        assert earned + paid / tau >= found.value - 1e-9


@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
@pytest.mark.parametrize("tau", [1e-6, 0.1, 3.0, 1e3])
def test_one_step_deviation_is_the_minimum(penalty, tau):
    rng = np.random.default_rng(5)
    payoffs, nominal = rng.normal(size=(4, 3)), rng.dirichlet(np.ones(3), 4)
    p, values = worst_deviation(payoffs, nominal, tau, penalty)

    def objective(x, g, q):
        divergence = rel_entr(x, q) if penalty == "kl" else rel_entr(q, x)
        return x @ g + divergence.sum() / tau

    def of_logits(z, g, q):
        return objective(np.exp(z - np.logaddexp.reduce(z)), g, q)

    for k in range(4):
        start = np.log(nominal[k])
        found = minimize(of_logits, start, args=(payoffs[k], nominal[k]), tol=1e-12)
        assert values[k] <= found.fun + 1e-9
        assert objective(p[k], payoffs[k], nominal[k]) == pytest.approx(values[k])


def test_a_worst_action_that_is_hardly_played_keeps_the_mass_at_one():
    payoffs = np.array([[0.0, 0.7, 0.45]])
    for rare in (1e-6, 1e-30, 1e-200):
        nominal = np.array([[rare, 0.6, 0.4]])
        p, _ = worst_deviation(payoffs, nominal, 1.0, "reverse_kl")
        mu = nominal[0, 1] / p[0, 1] - payoffs[0, 1]
        assert p.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(p, nominal / (payoffs + mu), rtol=1e-9)


def test_reverse_penalty_gives_actions_never_played_what_mass_is_left():
    payoffs, nominal = np.array([[0.0, 1.0, -50.0]]), np.array([[0.5, 0.5, 0.0]])
    p, value = worst_deviation(payoffs, nominal, 1.0, "reverse_kl")
    grid = np.linspace(1e-4, 0.2, 2000)
    first, second = (a.ravel() for a in np.meshgrid(grid, grid))
    mixed = second - 50 * (1 - first - second) - 0.5 * np.log(2 * first) - 0.5 * np.log(2 * second)
    assert value[0] == pytest.approx(mixed.min(), abs=1e-4)
    assert value[0] <= mixed.min()
    np.testing.assert_allclose(p[0], [0.5 / 50, 0.5 / 51, 1 - 0.5 / 50 - 0.5 / 51])


def read_only(array):
    """The array, locked like those of a model: kernels are compiled for such."""
    array.flags.writeable = False
    return array


def test_kernels_equal_their_python_text(model):
    rng = np.random.default_rng(1)
    successors = read_only(rng.integers(0, 8, (8, 2, 3, 2)).astype(np.int32))
    start, weights = read_only(rng.dirichlet(np.ones(8))), np.array([1.0, 2.0, 1.0])
    row, column = rng.dirichlet(np.ones(2), 8), rng.dirichlet(np.ones(3), 8)
    many = np.ascontiguousarray(np.stack([column, column[::-1]], -1))
    chain = (successors, model.respawn, start, weights)
    taken = _kernels.visits(*chain, (row[None], column[None]))
    seen = _kernels.visits_of_many(*chain, row, many)
    plainly = _kernels.visits.py_func(*chain, (row[None], column[None]))
    np.testing.assert_allclose(taken, plainly, rtol=1e-14)
    np.testing.assert_allclose(seen, _kernels.visits_of_many.py_func(*chain, row, many), rtol=1e-14)
    np.testing.assert_allclose(taken.sum((1, 2)), seen[:, 0], rtol=1e-14)
    values = rng.normal(size=8)
    out, plain = np.empty((8, 2, 3)), np.empty((8, 2, 3))
    _kernels.mean_next(successors, values, out)
    _kernels.mean_next.py_func(successors, values, plain)
    np.testing.assert_array_equal(out, plain)
    np.testing.assert_allclose(out, values[successors].mean(-1))


def team_of_actors(leading=()):
    """Parameters of actors with hidden layers of 16 and 8, leaves of shape (*leading, 2, ...)."""
    rng = np.random.default_rng(2)
    sizes = (8, 16, 8, 5)
    layers = {
        f"Dense_{k}": {
            "kernel": rng.normal(size=(*leading, 2, n, m)).astype(np.float32) / np.sqrt(n),
            "bias": rng.normal(size=(*leading, 2, m)).astype(np.float32),
        }
        for k, (n, m) in enumerate(itertools.pairwise(sizes))
    }
    return layers


def test_policy_table_is_the_actors_softmax(model):
    params = team_of_actors((3,))
    table = exact.policy_table(params)
    assert table.shape == (3, 2, model.n_states, 5)
    one = jax.tree.map(lambda leaf: leaf[2, 1], params)
    logits = Actor(5, (16, 8)).apply({"params": one}, model.states[100].astype(np.float32))
    np.testing.assert_allclose(table[2, 1, 100], jax.nn.softmax(np.asarray(logits)), atol=1e-6)
    np.testing.assert_allclose(table.sum(-1), 1.0, atol=1e-12)
    shared = exact.policy_table(jax.tree.map(lambda leaf: leaf[2, 1:], params))
    np.testing.assert_array_equal(shared[0], shared[1])
    np.testing.assert_allclose(shared[0], table[2, 1], atol=1e-6)
    greedy = exact.policy_table(params, greedy=True)
    np.testing.assert_array_equal(greedy.argmax(-1), table.argmax(-1))
    assert exact.evaluate(table[0]).returns.shape == (2,)


def test_an_egocentric_seat_sees_itself_first():
    model = exact.kitchen_model(Kitchen(egocentric=True))
    params = jax.tree.map(lambda leaf: jnp.stack([leaf[0], leaf[0]]), team_of_actors())
    first, second = exact.policy_table(params, model=model)
    index = {tuple(row): s for s, row in enumerate(model.states.tolist())}
    s = 4321
    assert index[tuple(model.states[s])] == s
    mirror = index[tuple(model.states[s][[3, 4, 5, 0, 1, 2, 6, 7]])]
    np.testing.assert_allclose(second[s], first[mirror], atol=1e-6)


def test_bad_input_is_named(model, teams):
    short = np.full((10, 5), 0.2)
    with pytest.raises(ValueError, match=r"team\[1\] must have shape \(8832, 5\).*got \(10, 5\)"):
        exact.evaluate([teams[0, 0], short])
    with pytest.raises(ValueError, match="team must hold the policies of two seats, got 1"):
        exact.evaluate([teams[0, 0]])
    with pytest.raises(ValueError, match="must sum to 1"):
        exact.evaluate(teams[0] * 0.9)
    with pytest.raises(ValueError, match="probabilities >= 0, got nan"):
        exact.crossplay(np.full_like(teams, np.nan))
    with pytest.raises(ValueError, match=r"columns must have shape \(teams, 2, 8832, 5\)"):
        exact.crossplay(teams, teams[0])
    with pytest.raises(ValueError, match="steps must be a non-negative integer, got -1"):
        exact.evaluate(teams[0], steps=-1)
    with pytest.raises(ValueError, match="seat must be 0 or 1, got 2"):
        exact.best_response(teams[0, 0], seat=2)
    with pytest.raises(ValueError, match="objective must be 'own' or 'team', got 'mine'"):
        exact.best_response(teams[0, 0], seat=0, objective="mine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"tau must be in \[0, inf\], got -1"):
        exact.risk_adjusted(teams[0], seat=0, tau=-1)
    with pytest.raises(ValueError, match="penalty must be one of"):
        exact.risk_adjusted(teams[0], seat=0, tau=1, penalty="KL")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="env must be a Kitchen"):
        exact.kitchen_model("kitchen")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"an axis of 2 seats .* got leading axes \(\)"):
        exact.policy_table(jax.tree.map(lambda leaf: leaf[0], team_of_actors()))
    with pytest.raises(ValueError, match="must be finite"):
        exact.policy_table(jax.tree.map(lambda leaf: leaf * np.nan, team_of_actors()))
