"""Two players: vertices and components, Lemke-Howson, zero sum, supports; peers and kernels."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe._kernels import bimatrix
from rqe.enumeration.lemke_howson import exact_path
from rqe.enumeration.zero_sum import exact_optimum

DEGENERATE = (
    "winkels-1979",
    "nashpy/degenerate-3x5",
    "nashpy/degenerate-2x2",
    "quantecon/cycling-3x3",
    "quantecon/degenerate-3x2",
    "von-stengel-2007/3x2-degenerate",
    "stripped-down-poker",
)


def random_game(shape, seed, high=None):
    rng = np.random.default_rng([seed, *shape])
    u = rng.random((2, *shape)) if high is None else rng.integers(0, high, (2, *shape))
    return rqe.NormalFormGame(u)


def quantecon_game(game):
    gt = pytest.importorskip("quantecon.game_theory")
    u = game.payoffs
    return gt.NormalFormGame([gt.Player(u[0].copy()), gt.Player(u[1].T.copy())])


def regret(game, profile):
    (A, B), (x, y) = game.payoffs, profile
    return max((A @ y).max() - x @ A @ y, (x @ B).max() - x @ B @ y)


def same(first, second):
    """Whether two lists hold the same profiles, in any order."""
    first, second = ([np.concatenate(p) for p in ps] for ps in (first, second))
    near = [[np.abs(p - q).max() < 1e-7 for q in second] for p in first]
    return len(first) == len(second) and all(sum(row) == 1 for row in near)


@given(seed=st.integers(0, 10**6), m=st.integers(1, 4), n=st.integers(1, 4))
def test_three_searches_agree_on_generic_games(seed, m, n):
    game = random_game((m, n), seed)
    vertices, supports, boxes = (
        rqe.nash(game, "all", method=method)
        for method in ("vertex_enumeration", "support_enumeration", "branch_and_prune")
    )
    assert vertices.complete
    assert boxes.complete
    assert len(vertices) % 2 == 1  # a nondegenerate game has an odd number
    assert same([s.strategies for s in vertices], [s.strategies for s in supports])
    assert same([s.strategies for s in vertices], [s.strategies for s in boxes])
    assert all(part.isolated for part in vertices.components)
    for solution, exact in zip(vertices, vertices.exact, strict=True):
        assert solution.regret < 1e-12
        assert exact is not None
        assert all(sum(x) == 1 for x in exact)


@given(seed=st.integers(0, 10**6), m=st.integers(2, 4), n=st.integers(2, 4))
def test_extreme_equilibria_of_degenerate_games(seed, m, n):
    """Exact best responses, and every mixture that a component promises is an equilibrium."""
    game = random_game((m, n), seed, 3)
    found = rqe.nash(game, "all")
    A, B = game.exact
    for profile in found.exact:
        assert profile is not None
        x, y = (np.array(own, dtype=object) for own in profile)
        assert max(A @ y) == x @ A @ y
        assert max(x @ B) == x @ B @ y
    assert sorted(k for part in found.components for k in part.solutions) == list(range(len(found)))
    rng = np.random.default_rng(seed)
    for part in found.components:
        for left, right in part.subsets:
            x = rng.dirichlet(np.ones(len(left))) @ [found[k].strategies[0] for k in left]
            y = rng.dirichlet(np.ones(len(right))) @ [found[k].strategies[1] for k in right]
            assert regret(game, (x, y)) < 1e-12


@given(seed=st.integers(0, 10**6))
def test_extreme_equilibria_are_gambits(seed):
    gambit = pytest.importorskip("pygambit")
    game = random_game((3, 3), seed, 3)
    peer = gambit.StrategicGame.from_arrays(*game.payoffs)
    theirs = gambit.nash.enummixed_solve(peer, rational=True).equilibria
    profiles = {tuple(tuple(Fraction(str(p)) for _, p in x) for x in e) for e in theirs}
    assert profiles == set(rqe.nash(game, "all").exact)


def test_von_stengels_game_has_the_vertices_of_a_dual_cyclic_polytope():
    from rqe._clock import Clock
    from rqe.enumeration._dictionary import polytopes
    from rqe.enumeration._walk import vertices

    for polytope in polytopes(rqe.catalog.load("von-stengel-6x6")):
        assert len(vertices(polytope, Clock(None)).tights) == 112 - 1  # the origin is left out


@pytest.mark.parametrize("name", ["von-stengel-6x6", "von-stengel-2007/3x2", "coordination/4x4"])
def test_support_enumeration_on_nondegenerate_games(name):
    game = rqe.catalog.load(name)
    supports = rqe.nash(game, "all", method="support_enumeration")
    vertices = rqe.nash(game, "all")
    assert same([s.strategies for s in supports], [s.strategies for s in vertices])


def test_support_enumeration_finds_what_quantecon_finds():
    gt = pytest.importorskip("quantecon.game_theory")
    for seed in range(5):
        game = random_game((5, 6), seed)
        found = rqe.nash(game, "all", method="support_enumeration")
        assert same([s.strategies for s in found], gt.support_enumeration(quantecon_game(game)))


def test_more_equilibria_of_one_support_than_the_kernel_has_room_for():
    """Player 1 is indifferent; his first action meets 70 strict replies of player 2."""
    rqe.nash(random_game((2, 2), 0), "all", method="support_enumeration")  # compiles the kernel
    game = rqe.NormalFormGame.from_bimatrix(np.zeros((2, 60)), np.zeros((2, 60)))
    found = rqe.nash(game, "all", method="support_enumeration", time_limit=0.5)
    assert len(found) >= 120
    assert found.status is not rqe.SetStatus.SEARCHED


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 3), (10, 10), (40, 25), (100, 100)])
def test_lemke_howson_on_random_games(shape):
    for seed in range(3):
        game = random_game(shape, seed)
        solution = rqe.nash(game, method="lemke_howson")
        assert solution.converged
        assert solution.regret < 1e-11
        assert regret(game, solution.strategies) < 1e-11
        assert "other equilibria may exist" in solution.notes[0]


@pytest.mark.parametrize("name", DEGENERATE)
def test_lemke_howson_never_cycles(name):
    game = rqe.catalog.load(name)
    for drop in range(sum(game.shape)):
        for exact in (False, True):
            method = rqe.LemkeHowson(drop=drop, exact=exact, max_steps=1000)
            assert rqe.nash(game, method=method).regret < 1e-12


@given(seed=st.integers(0, 10**6), m=st.integers(2, 6), n=st.integers(2, 6))
def test_doubles_and_integers_follow_the_same_path(seed, m, n):
    game = random_game((m, n), seed)
    for drop in range(m + n):
        x, y = np.empty(m), np.empty(n)
        steps = bimatrix.lemke_howson(*game.payoffs, drop, 10_000, x, y)
        profile, exact_steps = exact_path(game, drop, 10_000)
        assert steps == exact_steps
        assert profile is not None
        exact = [float(p) for own in profile for p in own]
        assert np.abs(np.concatenate([x, y]) - exact).max() < 1e-9


def test_paths_are_quantecons():
    gt = pytest.importorskip("quantecon.game_theory")
    game = random_game((6, 7), 4)
    for drop in range(13):
        theirs, result = gt.lemke_howson(quantecon_game(game), init_pivot=drop, full_output=True)
        ours = rqe.nash(game, method=rqe.LemkeHowson(drop=drop))
        assert ours.stats.steps == result.num_iter
        assert same([ours.strategies], [theirs])


def test_nashpys_ten_by_ten_that_hangs_there():
    rng = np.random.default_rng(0)
    for _ in range(20):
        game = rqe.NormalFormGame(rng.integers(0, 3, (2, 10, 10)))
        for drop in range(0, 20, 5):
            solution = rqe.nash(game, method=rqe.LemkeHowson(drop=drop, max_steps=100_000))
            assert solution.regret < 1e-11


def test_too_few_steps_raise_instead_of_returning_a_profile():
    game = rqe.catalog.load("savani-von-stengel-6x6")
    for method in (
        rqe.LemkeHowson(drop=0, max_steps=2),
        rqe.LemkeHowson(max_steps=2),
        rqe.LemkeHowson(exact=True, max_steps=2),
    ):
        with pytest.raises(rqe.ConvergenceError, match="max_steps") as error:
            rqe.nash(game, method=method)
        assert not error.value.solution.converged
        assert rqe.nash(game, method=method, throw=False).status is rqe.Status.MAX_STEPS
    assert rqe.nash(game, method="lemke_howson").converged
    with pytest.raises(ValueError, match="max_steps must be an integer >= 1"):
        rqe.LemkeHowson(max_steps=0)
    with pytest.raises(ValueError, match="drop must be"):
        rqe.LemkeHowson(drop=-1)


@pytest.mark.parametrize("level", [0.0, 1e9, -1e9])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_level_and_scale_change_nothing(level, scale):
    u = np.random.default_rng(1).integers(0, 100, (2, 4, 4)).astype(float)
    plain = rqe.nash(rqe.NormalFormGame(u), "all")
    moved = rqe.NormalFormGame(scale * (u + level))
    assert same([s.strategies for s in plain], [s.strategies for s in rqe.nash(moved, "all")])
    assert rqe.nash(moved, method="lemke_howson").converged


@pytest.mark.parametrize("n", [1, 2, 5, 20, 60])
def test_zero_sum_games(n):
    A = np.random.default_rng(n).random((n, n + 1))
    game = rqe.NormalFormGame.from_bimatrix(A, 3.0 - 2.0 * A)  # constant-sum once stretched
    solution = rqe.nash(game, method="zero_sum")
    assert solution.regret < 1e-9
    assert solution.payoffs[0] == pytest.approx(rqe.security(game).risk_adjusted[0], abs=1e-9)
    if n <= 20:
        profile, _ = exact_optimum(game)
        assert regret(game, [np.array(x, dtype=float) for x in profile]) < 1e-14


def test_value_of_oneills_game_in_fractions():
    game = rqe.catalog.load("oneill")
    (x, y), _ = exact_optimum(game)
    assert x == y == (Fraction(2, 5), Fraction(1, 5), Fraction(1, 5), Fraction(1, 5))
    solution = rqe.nash(game, method=rqe.ZeroSum(exact=True))
    assert solution.payoffs[0] == pytest.approx(-0.2, abs=1e-15)


def test_kernels_equal_their_python():
    game = random_game((4, 5), 2)
    compiled, plain = np.empty(9), np.empty(9)
    for drop in range(9):
        steps = [
            kernel(*game.payoffs, drop, 1000, out[:4], out[4:])
            for kernel, out in (
                (bimatrix.lemke_howson, compiled),
                (bimatrix.lemke_howson.py_func, plain),
            )
        ]
        assert steps[0] == steps[1]
        assert compiled == pytest.approx(plain, abs=1e-15)
    labels = [
        kernel(*game.payoffs, 2, 1000, plain[:4], plain[4:])
        for kernel in (bimatrix.shortest_path, bimatrix.shortest_path.py_func)
    ]
    assert labels[0] == labels[1]
    compiled, plain = (
        search(game.payoffs, 1, 1, 10**6, 8)
        for search in (bimatrix.equal_supports, bimatrix.equal_supports.py_func)
    )
    assert compiled[1:] == plain[1:]
    assert compiled[0] == pytest.approx(plain[0], abs=1e-15)
    assert compiled[0].shape[1] == 9


def test_the_search_of_supports_goes_on_where_room_or_budget_ended():
    """The game of identity matrices has an equilibrium for every set of actions."""
    game = rqe.NormalFormGame.from_bimatrix(np.eye(7), np.eye(7))
    whole = bimatrix.equal_supports(game.payoffs, 1, 1, 10**6, 200)
    found: list[np.ndarray] = []
    k = start = room = 1
    calls = tried = unclear = 0
    while k:
        part, k, stop, pairs, open_ = bimatrix.equal_supports(game.payoffs, k, start, 5, room)
        room += stop == start
        found, tried, unclear = [*found, *part], tried + pairs, unclear + open_
        start, calls = stop, calls + 1
        assert calls < 1000
    assert len(found) == 127
    assert np.array_equal(np.array(found), whole[0])
    assert (tried, unclear) == whole[3:]
    assert len(rqe.nash(game, "all", method="support_enumeration")) == 127


def test_masks_and_luby_by_definition():
    A = np.random.default_rng(3).integers(0, 4, (4, 5)).astype(float)
    masks = bimatrix._beaten(A)
    for a in range(4):
        for b in range(4):
            assert masks[a, b] == sum(1 << j for j in range(5) if A[b, j] > A[a, j])
    luby = [bimatrix._luby(t) for t in range(1, 16)]
    assert luby == [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]
