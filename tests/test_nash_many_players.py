"""More than two players: branch and prune against other methods, peers, and its own definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe._clock import Clock
from rqe.enumeration import _roots
from rqe.enumeration._system import System, differences


def random_game(shape, seed, high=None):
    rng = np.random.default_rng([seed, *shape])
    size = (len(shape), *shape)
    return rqe.NormalFormGame(rng.random(size) if high is None else rng.integers(0, high, size))


def gambit_profiles(game):
    gambit = pytest.importorskip("pygambit")
    peer = gambit.StrategicGame.from_arrays(*game.payoffs)
    found = gambit.nash.enumpoly_solve(peer).equilibria
    return [[np.array([float(p) for _, p in x]) for x in profile] for profile in found]


def apart(first, second):
    pairs = zip(first, second, strict=True)
    return max(float(np.abs(np.asarray(a) - b).max()) for a, b in pairs)


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 2, 2), (2, 2, 2, 2), (3, 3, 2)])
def test_generic_games_have_an_odd_number_proved(shape):
    for seed in range(4):
        found = rqe.nash(random_game(shape, seed), "all")
        assert found.complete
        assert len(found) % 2 == 1
        assert all(solution.regret < 1e-13 for solution in found)
        for a, b in itertools.combinations(found, 2):
            assert apart(a.strategies, b.strategies) > 1e-6


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2, 2, 2)])
def test_gambit_finds_no_others(shape):
    for seed in range(4):
        game = random_game(shape, seed)
        found = rqe.nash(game, "all")
        for profile in gambit_profiles(game):
            assert min(apart(profile, solution.strategies) for solution in found) < 1e-6


def test_an_equilibrium_that_gambit_misses():
    """A 3 x 3 x 3 game with three equilibria, of which enumpoly_solve returns two."""
    rng = np.random.default_rng([1, 3, 3, 3])
    game = rqe.NormalFormGame(rng.random((3, 3, 3, 3)))
    found = rqe.nash(game, "all")
    assert (len(found), found.complete) == (3, True)
    totally = found[2].strategies
    assert [int((x > 0).sum()) for x in totally] == [3, 2, 2]
    assert found[2].regret < 1e-14


def test_irrational_and_rational_equilibria():
    found = rqe.nash(rqe.catalog.load("nau-2004/sec4"), "all")
    assert found.complete
    assert found.exact == (None,)
    assert found[0].strategies[0][0] == pytest.approx(0.6192325794725537, abs=1e-15)
    nine = rqe.nash(rqe.catalog.load("mckelvey-mclennan"), "all")
    rational = [profile for profile in nine.exact if profile is not None]
    assert any(f"{len(rational)} of 9 equilibria verified" in note for note in nine.notes)
    assert any(0 < p < 1 for profile in rational for x in profile for p in x)
    for profile, solution in zip(nine.exact, nine, strict=True):
        assert profile is None or apart(np.array(profile, dtype=float), solution.strategies) == 0.0


def test_anti_coordination_by_its_closed_form():
    """N players, v = 2: the symmetric equilibrium plays the first action with 2 ** (-1/(N-1))."""
    for n in (3, 4):
        found = rqe.nash(rqe.catalog.load(f"anti-coordination/{n}"), "all")
        assert found.complete
        p = 2.0 ** (-1.0 / (n - 1))
        symmetric = [s for s in found if apart(s.strategies, [[p, 1 - p]] * n) < 1e-12]
        assert len(symmetric) == 1
        # k < n players choose the safe action for sure and the others play the game of n - k
        assert len(found) == 2**n - 1


def test_a_continuum_is_no_claim():
    found = rqe.nash(rqe.catalog.load("nau-2004/sec5"), "all")
    assert not found.complete
    assert found.status is rqe.SetStatus.DEGENERATE
    assert any("not isolated" in note for note in found.notes)
    assert all(solution.regret < 1e-9 for solution in found)
    assert sum("not isolated" in note for s in found for note in s.notes) >= 1


def test_a_tie_outside_the_support_is_decided_exactly():
    """Players 1 and 2 play matching pennies; player 1's third action ties at the equilibrium."""
    A = np.array([[1, -1], [-1, 1], [0, 0]])
    u = np.zeros((3, 3, 2, 1))
    u[0, :, :, 0], u[1, :, :, 0] = A, [[-1, 1], [1, -1], [5, 5]]
    found = rqe.nash(rqe.NormalFormGame(u), "all")
    mixed = [s for s in found if s.strategies[0].tolist() == [0.5, 0.5, 0.0]]
    assert len(mixed) == 1
    u[0, 2] = 1e-12
    assert not any(s.strategies[0][2] == 0.0 for s in rqe.nash(rqe.NormalFormGame(u), "all"))


def test_a_fourth_player_who_does_not_matter_is_no_obstacle_to_honesty():
    u = np.zeros((3, 2, 2, 2))
    u[0] = [[[1, 1], [0, 0]], [[0, 0], [1, 1]]]
    u[1] = u[0]
    found = rqe.nash(rqe.NormalFormGame(u), "all")
    assert not found.complete
    assert len(found) >= 4


@given(seed=st.integers(0, 10**6))
def test_no_equilibrium_is_missed(seed):
    """The principal branch ends at one that is listed."""
    game = random_game((2, 2, 2), seed, 7)
    found = rqe.nash(game, "all")
    one = rqe.nash(game, throw=False)
    if found.complete and one.converged:
        assert min(apart(one.strategies, s.strategies) for s in found) < 1e-6


@given(seed=st.integers(0, 10**6))
def test_ranges_hold_the_values(seed):
    """Payoff gains and their derivatives at points of a box lie in their ranges over the box."""
    rng = np.random.default_rng(seed)
    shape = (3, 2, 3)
    game = random_game(shape, seed)
    support = tuple(
        tuple(sorted(rng.choice(n, rng.integers(1, n + 1), replace=False).tolist())) for n in shape
    )
    system = System(differences(game), support)
    if not system.size:
        return
    mid, rad = rng.random((4, system.size)), 0.1 * rng.random((4, system.size))
    equations, inequalities = system.ranges(mid, rad)
    slope = system.jacobian(mid, rad)
    for k in range(4):
        point = mid[k] + rad[k] * rng.uniform(-1, 1, system.size)
        x = system.strategies(point, support, shape)
        row = other = 0
        for i, own in enumerate(support):
            letters = "abc"
            others = [j for j in range(3) if j != i]
            terms = ",".join(letters[j] for j in others)
            worth = np.einsum(
                f"abc,{terms}->{letters[i]}", game.payoffs[i], *[x[j] for j in others]
            )
            gain = (worth - worth[own[0]]) / game.payoff_range[i]
            for a in own[1:]:
                assert abs(gain[a] - equations.mid[k, row]) <= equations.rad[k, row] + 1e-14
                row += 1
            for a in set(range(shape[i])) - set(own):
                gap = abs(gain[a] - inequalities.mid[k, other])
                assert gap <= inequalities.rad[k, other] + 1e-14
                other += 1
        for c in range(system.size):
            step = np.zeros((1, system.size))
            step[0, c] = 1e-6
            up, down = (system.ranges(point + s * step, 0 * step)[0].mid[0] for s in (1, -1))
            numeric = (up - down) / 2e-6
            assert np.all(np.abs(numeric - slope.mid[k, :, c]) <= slope.rad[k, :, c] + 1e-8)


def test_a_region_holds_one_root_and_a_double_root_gets_none():
    game = rqe.catalog.load("mckelvey-mclennan")
    system = System(differences(game), ((0, 1),) * 3)
    found = _roots.search(system, Clock(None))
    assert found.ended
    assert not found.given_up
    assert len(found.roots) == 2
    for root in found.roots:
        assert root.error < 1e-13
        nearby = root.point + 0.9 * root.reach * np.array([1.0, -1.0, 1.0])
        again = _roots.newton(system, nearby)
        assert again is None or np.abs(again - root.point).max() < 1e-12
    # u_1 makes player 2 mix at the root of (q - 1/2) r = 0 and so on: a line of roots
    flat = System(differences(rqe.NormalFormGame(np.ones((3, 2, 2, 2)))), ((0, 1),) * 3)
    assert _roots.search(flat, Clock(None)).given_up
    assert _roots.certified_root(flat, np.full(3, 0.5)) is None


def test_an_equilibrium_close_to_the_boundary_is_kept():
    """Mixing probabilities of 1e-9, in a 2 x 2 x 1 game whose mixed equilibrium is known."""
    d = 1e-9
    A = [[0.0, 1.0], [d / (1 - d), 0.0]]
    B = [[0.0, d / (1 - d)], [1.0, 0.0]]
    u = np.zeros((3, 2, 2, 1))
    u[0, :, :, 0], u[1, :, :, 0] = A, np.array(B).T
    found = rqe.nash(rqe.NormalFormGame(u), "all")
    assert found.complete
    two = rqe.nash(rqe.NormalFormGame.from_bimatrix(A, np.array(B).T), "all")
    assert len(found) == len(two)
    assert math.isclose(
        min(x[x > 0].min() for s in found for x in s.strategies[:2]),
        min(x[x > 0].min() for s in two for x in s.strategies),
        rel_tol=1e-6,
    )


def test_large_games_stop_in_time_with_their_pure_equilibria():
    """Comparing all payoffs of 30 x 30 x 30 exactly takes longer than there is."""
    import time

    rng = np.random.default_rng(4)
    game = rqe.NormalFormGame(rng.integers(0, 50, (3, 30, 30, 30)))
    rqe.nash(random_game((2, 2, 2), 0), "all")  # compiles what it needs
    start = time.process_time()
    found = rqe.nash(game, "all", time_limit=0.3)
    assert time.process_time() - start < 5.0
    assert found.status.value == "time_limit"
    assert len(found) == len(rqe.nash(game, "pure"))
