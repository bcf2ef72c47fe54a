"""Structure that every equilibrium must have, on games drawn by hypothesis."""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import rqe
from rqe.check import check
from rqe.concepts import PENALTIES, REGULARIZERS, Concept
from tests.reference import equilibria

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
SHAPES = [(2, 2), (2, 3), (3, 3), (4, 2), (2, 2, 2), (3, 2, 2), (2, 2, 2, 2)]

# Integers make ties and dominated actions, small fractions generic games.
PAYOFFS = st.one_of(st.integers(0, 4), st.integers(0, 1000).map(lambda k: k / 100.0))
TAUS = st.sampled_from([0.0, 0.1, 1.0, 4.0])
EPSS = st.sampled_from([0.3, 1.0, 5.0])
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)


@st.composite
def games(draw, shapes=SHAPES, payoffs=PAYOFFS):
    """Draw a game with payoffs in [0, 10]."""
    shape = draw(st.sampled_from(shapes))
    size = len(shape) * math.prod(shape)
    values = draw(st.lists(payoffs, min_size=size, max_size=size))
    return rqe.NormalFormGame(np.array(values, dtype=float).reshape(len(shape), *shape))


@st.composite
def profiles(draw, shape):
    """Draw log-strategies of full support."""
    logits = [draw(st.lists(st.floats(-5.0, 5.0), min_size=n, max_size=n)) for n in shape]
    return tuple(equilibria.log_softmax(np.array(z)) for z in logits)


def assert_close(first, second, atol=1e-8):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.0, atol=atol)


@given(games(), TAUS, EPSS, st.sampled_from(PAIRS))
def test_every_answer_is_certified(game, tau, eps, pair):
    solution = rqe.solve(game, tau, eps, penalty=pair[0], regularizer=pair[1])
    assert solution.residual <= 1e-10
    assert solution.regret <= 1e-9
    for x in solution.strategies:
        assert x.sum() == pytest.approx(1.0, abs=1e-12)
        assert (x > 0.0).all()


@given(
    games(), TAUS, EPSS, st.sampled_from(PAIRS),
    st.sampled_from([1e-6, 0.5, 1e9]), st.sampled_from([0.0, -3.0, 1e6]),
)  # fmt: skip
def test_units_do_not_matter(game, tau, eps, pair, scale, level):
    """(u, tau, eps) and (s u + b, tau / s, s eps) have the same equilibria."""
    level = level * max(scale, 1.0)
    other = rqe.NormalFormGame(game.payoffs * scale + level)
    lost_digits = 1e-16 * abs(level) / (scale * min(eps, 1.0))
    options = {"penalty": pair[0], "regularizer": pair[1]}
    plain = rqe.solve(game, tau, eps, **options)
    changed = rqe.solve(other, tau / scale, eps * scale, **options)
    assert_close(plain.strategies, changed.strategies, 1e-8 + 1e3 * lost_digits)
    assert_close(
        plain.risk_adjusted * scale + level,
        changed.risk_adjusted,
        1e-7 * scale + 1e-13 * abs(level),
    )


@given(games(), TAUS, EPSS, st.sampled_from(PAIRS), st.randoms(use_true_random=False))
def test_names_do_not_matter(game, tau, eps, pair, random):
    """Relabelling actions and players permutes the answer."""
    n = game.n_players
    options = {"penalty": pair[0], "regularizer": pair[1]}
    plain = rqe.solve(game, tau, eps, **options)
    orders = [random.sample(range(k), k) for k in game.shape]
    actions = game.payoffs[(slice(None), *np.ix_(*orders))]
    renamed = rqe.solve(rqe.NormalFormGame(actions), tau, eps, **options)
    assert_close([x[o] for x, o in zip(plain.strategies, orders, strict=True)], renamed.strategies)
    seats = random.sample(range(n), n)
    players = game.payoffs[seats].transpose(0, *(1 + s for s in seats))
    moved = rqe.solve(rqe.NormalFormGame(players), tau, eps, **options)
    assert_close([plain.strategies[s] for s in seats], moved.strategies)


@given(
    st.integers(2, 3),
    st.integers(2, 3),
    st.lists(PAYOFFS, min_size=81, max_size=81),
    TAUS,
    st.sampled_from([0.0, 0.05, 1.0]),
    st.sampled_from(PAIRS),
)
def test_symmetric_games_are_played_symmetrically(n_players, n, values, tau, eps, pair):
    payoffs = np.empty((n_players, *(n,) * n_players))
    table = iter(values)
    worth = {}
    for joint in itertools.product(range(n), repeat=n_players):
        for i in range(n_players):
            key = (joint[i], tuple(sorted(joint[:i] + joint[i + 1 :])))
            if key not in worth:
                worth[key] = next(table)
            payoffs[(i, *joint)] = worth[key]
    game = rqe.NormalFormGame(payoffs)
    options = {"penalty": pair[0], "regularizer": pair[1]}
    solution = rqe.solve(game, tau, eps, throw=eps > 0.0, **options)
    assume(solution.converged)
    for x in solution.strategies[1:]:
        np.testing.assert_allclose(x, solution.strategies[0], atol=1e-7)


@given(st.data(), games(), st.sampled_from(PENALTIES))
def test_risk_adjusted_utility_falls_in_tau_from_mean_to_minimum(data, game, penalty):
    logs = data.draw(profiles(game.shape))
    taus = [0.0, 1e-9, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e8, math.inf]
    found = [check(game, Concept.of(game, t, 1.0, penalty), logs) for t in taus]
    levels = np.array([c.risk_adjusted for c in found])
    assert (np.diff(levels, axis=0) <= 1e-13).all()
    np.testing.assert_allclose(levels[0], found[0].payoffs, atol=1e-13)
    np.testing.assert_allclose(levels[1], levels[0], atol=1e-6)
    np.testing.assert_allclose(levels[-2], levels[-1], atol=1e-6)


@given(st.data(), games(), st.sampled_from([0.01, 1.0, 20.0]), st.sampled_from(PENALTIES))
def test_no_distribution_of_the_others_is_worse_than_the_adversarys(data, game, tau, penalty):
    """Weak duality: U(x) <= E_{x,p}[u] + D(p, q) / tau for every p, with equality at p_i."""
    logs = data.draw(profiles(game.shape))
    found = check(game, Concept.of(game, tau, 1.0, penalty), logs)
    x = [np.exp(a) for a in logs]
    for i, p in enumerate(found.adversaries):
        rest = [a for j, a in enumerate(x) if j != i]
        q = functools.reduce(np.multiply.outer, rest)
        g = np.tensordot(x[i], game.payoffs[i], axes=(0, i))

        def bound(r, g=g, q=q):
            top, bottom = (r, q) if penalty == "kl" else (q, r)
            return float((r * g).sum() + (top * np.log(top / bottom)).sum() / tau)

        z = data.draw(st.integers(0, 2**32 - 1))
        other = np.random.default_rng(z).dirichlet(np.ones(p.size)).reshape(p.shape) + 1e-12
        assert found.risk_adjusted[i] <= bound(other / other.sum()) + 1e-12
        if p.min() > 1e-250:
            assert found.risk_adjusted[i] == pytest.approx(bound(p), abs=1e-11)


@given(games(), TAUS, EPSS, st.sampled_from(PENALTIES))
def test_every_action_keeps_its_share(game, tau, eps, penalty):
    """With entropy x_i(a) >= exp(-range_i / eps_i) / n_i."""
    solution = rqe.solve(game, tau, eps, penalty=penalty)
    for log_x, width in zip(solution.log_strategies, game.payoff_range, strict=True):
        assert log_x.min() >= -width / eps - math.log(len(log_x)) - 1e-9


@given(st.data(), games(), TAUS, EPSS, st.sampled_from(PAIRS))
def test_dominated_actions_are_played_less(data, game, tau, eps, pair):
    """If a weakly dominates b then x_i(a) >= x_i(b)."""
    payoffs = game.payoffs.copy()
    i = data.draw(st.integers(0, game.n_players - 1))
    own = np.moveaxis(payoffs[i], i, 0)
    own[0] = np.maximum(own[0], own[1])
    solution = rqe.solve(
        rqe.NormalFormGame(payoffs), tau, eps, penalty=pair[0], regularizer=pair[1]
    )
    x = solution.strategies[i]
    assert x[0] >= x[1] - 1e-12


@given(games(), EPSS, st.sampled_from(PAIRS))
def test_small_tau_is_the_risk_neutral_answer(game, eps, pair):
    options = {"penalty": pair[0], "regularizer": pair[1]}
    neutral = rqe.solve(game, 0.0, eps, **options)
    assume(well_conditioned(game, 0.0, eps, pair, neutral))
    nearly = rqe.solve(game, 1e-9, eps, **options)
    assert_close(neutral.strategies, nearly.strategies, 1e-6)


def well_conditioned(game, tau, eps, pair, solution):
    """Return whether the answer moves little with eps: not next to a fold or bifurcation."""
    near = rqe.solve(game, tau, eps * 1.0001, penalty=pair[0], regularizer=pair[1])
    gaps = [np.abs(a - b).max() for a, b in zip(solution.strategies, near.strategies, strict=True)]
    return max(gaps) < 1e-3


@given(games(payoffs=st.integers(0, 1000).map(lambda k: k / 100.0)))
def test_the_end_of_the_branch_is_a_nash_equilibrium(game):
    solution = rqe.nash(game, throw=False)
    assert solution.residual <= 1e-10 or not solution.converged
    if solution.converged:
        logs = solution.log_strategies
        assert check(game, Concept.of(game), logs).regret <= 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_generic_games_have_a_nash_limit(seed):
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    game = rqe.NormalFormGame(rng.random((len(shape), *shape)))
    assert rqe.nash(game).regret < 1e-9
    assert rqe.solve(game, 2.0, 0.0).regret < 1e-9


@each_pair
@pytest.mark.parametrize("seed", range(3))
def test_the_answer_is_on_the_branch_from_the_centroid(penalty, regularizer, seed):
    """Where the branch does not fold, plain continuation in eps by scipy ends at the same point."""
    rng = np.random.default_rng(seed)
    shape = [(3, 3), (2, 2, 2), (2, 4)][seed]
    game = rqe.NormalFormGame(rng.random((len(shape), *shape)))
    tau, eps = rng.choice([0.0, 1.0, 3.0], size=len(shape)), rng.choice([0.2, 0.5], size=len(shape))
    solution = rqe.solve(game, tau, eps, penalty=penalty, regularizer=regularizer)
    other = equilibria.branch_end(game.payoffs, tau, eps, penalty, regularizer)
    assert_close(solution.log_strategies, other, 1e-9)


@given(games(shapes=[(2, 2), (3, 3)]), st.sampled_from([0.3, 2.0]), st.sampled_from(PAIRS))
def test_the_worst_case_does_not_depend_on_the_others(game, eps, pair):
    """With tau = inf a player's problem does not hold the others' probabilities."""
    options = {"penalty": pair[0], "regularizer": pair[1]}
    first = rqe.solve(game, [math.inf, 0.0], eps, **options)
    second = rqe.solve(game, [math.inf, 3.0], [eps, 1.0], **options)
    np.testing.assert_allclose(first.strategies[0], second.strategies[0], atol=1e-8)
    both = rqe.security(game, eps, **options)
    np.testing.assert_allclose(first.strategies[0], both.strategies[0], atol=1e-8)


@given(games(shapes=[(2, 2), (2, 3)]), st.sampled_from(PENALTIES))
def test_security_values_bound_every_risk_adjusted_utility(game, penalty):
    """No player of an equilibrium with eps = 0 is left below what he can guarantee."""
    value = rqe.security(game).risk_adjusted
    solution = rqe.solve(game, 1.0, 0.0, penalty=penalty, throw=False)
    assume(solution.converged)
    assert (solution.risk_adjusted >= value - 1e-9).all()


@pytest.mark.parametrize("seed", range(40))
def test_players_may_differ_in_every_parameter(seed):
    """Generic games, zeros and infinities mixed with numbers, players with a single action."""
    rng = np.random.default_rng(seed)
    shape = [(3, 3), (2, 4), (2, 2, 2), (3, 2, 3), (1, 3)][seed % 5]
    game = rqe.NormalFormGame(rng.random((len(shape), *shape)))
    tau = rng.choice([0.0, 0.5, 5.0, math.inf], size=len(shape))
    eps = rng.choice([0.0, 0.1, 1.0, math.inf], size=len(shape))
    penalty, regularizer = PAIRS[seed % 4]
    solution = rqe.solve(game, tau, eps, penalty=penalty, regularizer=regularizer)
    assert solution.residual <= 1e-10
    for x, e in zip(solution.strategies, eps, strict=True):
        if e == math.inf:
            np.testing.assert_allclose(x, 1.0 / len(x), rtol=1e-12)
