"""The compiled walk over a polytope's bases: exact, or it says that a number did not fit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe._clock import Clock
from rqe._kernels import polytope as kernel
from rqe.enumeration import _rounded, _walk
from rqe.enumeration._dictionary import polytopes

NAMES = ("von-stengel-6x6", "quantecon/degenerate-3x2", "coordination/4x4", "oneill")


def random_game(shape, seed, most=9):
    rng = np.random.default_rng([seed, *shape])
    return rqe.NormalFormGame(rng.integers(0, most + 1, (2, *shape)))


GAMES = [rqe.catalog.load(name) for name in NAMES] + [
    random_game(shape, seed, most)
    for shape in ((1, 4), (3, 3), (5, 4), (6, 7))
    for seed, most in ((0, 1), (1, 2), (2, 100))
]


@pytest.mark.parametrize("game", GAMES, ids=lambda game: f"{game.title[:12]}{game.shape}")
def test_walks_in_64_bits_and_in_any_size_meet_the_same_bases(game, monkeypatch):
    monkeypatch.setattr(_walk, "_BUDGET", 7)  # pauses, and goes on
    monkeypatch.setattr(_walk, "_ROOM", 4)  # runs out of room
    for polytope in polytopes(game):
        start = _walk._array(polytope)
        assert start is not None
        before = [list(row) for row in polytope.dictionary.rows]
        compiled = _walk._compiled(polytope, start, Clock(None))
        slow = _walk._walked(polytope, Clock(None))
        assert compiled is not None
        assert set(zip(*compiled, strict=True)) == set(zip(*slow, strict=True))
        assert len(set(compiled[1])) == len(compiled[1]) == len(slow[1])
        assert polytope.dictionary.rows == before  # at the origin again


@pytest.mark.parametrize("game", GAMES, ids=lambda game: f"{game.title[:12]}{game.shape}")
def test_strategies_in_64_bits_are_those_of_any_size(game):
    for polytope in polytopes(game):
        bases = _walk.vertices(polytope, Clock(None)).bases[:40]
        fast = _walk.strategies(polytope, bases)
        assert fast == [_walk._at(polytope, basis) for basis in bases]
        assert all(sum(x) == 1 and min(x) >= 0 for x in fast)


def test_numbers_that_do_not_fit_are_noticed_and_done_otherwise():
    """Determinants of seventeen digits to the sixth power: only integers of any size hold them."""
    game = rqe.NormalFormGame(np.random.default_rng(0).random((2, 5, 5)))
    for polytope in polytopes(game):
        start = _walk._array(polytope)
        assert start is not None
        assert _walk._compiled(polytope, start, Clock(None)) is None
    found = rqe.nash(game, "all")
    assert found.complete
    assert len(found) % 2 == 1


def test_numbers_beyond_64_bits_from_the_start():
    rng = np.random.default_rng(0)
    game = rqe.NormalFormGame(rng.integers(-(2**62), 2**62, (2, 4, 4)))
    assert any(_walk._array(polytope) is None for polytope in polytopes(game))
    assert rqe.nash(game, "all").complete


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(2, 4))
def test_a_pivot_is_exact_or_refused(seed, bits, size):
    """Against integers of any size, from dictionaries of growing numbers up to the limit."""
    rng = np.random.default_rng(seed)
    T = rng.integers(-(2**bits), 2**bits, (size, size + 1), endpoint=True)
    exact, d, scale = [[int(v) for v in row] for row in T], np.int64(1), 1
    for k in range(size):
        if exact[k][k] == 0:
            return
        p = exact[k][k]
        fits = kernel._pivot(T, k, k, d)
        for i in range(size):
            if i != k:
                f = exact[i][k]
                exact[i] = [
                    (v * p - f * w) // scale for v, w in zip(exact[i], exact[k], strict=True)
                ]
                exact[i][k] = -f
        exact[k][k], scale = scale, p
        if max(abs(v) for row in exact for v in row) < 2**40:
            assert fits  # refusals are for numbers that are large indeed
        if not fits:
            return
        assert T.tolist() == exact
        d = np.int64(p)


@given(*[st.integers(-(2**61), 2**61)] * 4)
def test_comparisons_are_exact_or_refused(a, b, c, e):
    for x, y in ((c, e), (a, b), (-a, -b), (a - 1, b)):
        sign = kernel._compare(*map(np.int64, (a, b, x, y)))
        difference = a * b - x * y
        assert sign in ((difference > 0) - (difference < 0), kernel._UNDECIDED)
        if max(abs(a * b), abs(x * y)) < 2**100:
            assert sign != kernel._UNDECIDED


def test_the_kernels_are_their_python():
    T = np.array([[3, 5, 1], [2, 7, 1]])
    other = T.copy()
    with np.errstate(over="ignore"):  # products wrap around on purpose
        assert kernel._pivot.py_func(other, 0, 1, np.int64(1))
        assert kernel._inverse.py_func(np.int64(7)) == kernel._inverse(np.int64(7))
        sign = kernel._compare.py_func(*map(np.int64, (2**61, 3, 2**60, 6)))
    assert kernel._pivot(T, 0, 1, np.int64(1))
    np.testing.assert_array_equal(T, other)
    assert sign == kernel._compare(*map(np.int64, (2**61, 3, 2**60, 6))) == 0


def test_the_clock_stops_the_walk():
    game = random_game((20, 20), 0)
    found = rqe.nash(game, "all", time_limit=0.2)
    assert not found.complete
    assert found.status.value == "time_limit"
    assert len(found) >= len(rqe.nash(game, "pure"))


def proved(polytope):
    """Bases found in doubles and proved, None where the proof fails."""
    return _rounded.proved_bases(polytope, Clock(None))


@pytest.mark.parametrize("shape", [(2, 2), (1, 3), (4, 4), (6, 5)])
def test_bases_proved_from_doubles_are_those_of_integers(shape):
    game = rqe.NormalFormGame(np.random.default_rng(shape).random((2, *shape)))
    for polytope in polytopes(game):
        bases = proved(polytope)
        assert bases is not None
        assert sorted(bases) == sorted(_walk._walked(polytope, Clock(None))[1])


@pytest.mark.parametrize("name", ["quantecon/degenerate-3x2", "oneill"])
def test_degenerate_polytopes_are_not_for_doubles(name):
    assert any(proved(polytope) is None for polytope in polytopes(rqe.catalog.load(name)))


@given(st.integers(0, 2**32), st.integers(6, 30))
def test_near_degenerate_polytopes_are_proved_rightly_or_not_at_all(seed, places):
    """Small integers, moved by fractions far below what doubles can tell apart."""
    rng = np.random.default_rng(seed)
    base, moved = rng.integers(0, 3, (2, 3, 4)), rng.integers(0, 3, (2, 3, 4))
    exact = [
        [[Fraction(int(u)) + Fraction(int(v), 10**places) for u, v in zip(a, b, strict=True)]
         for a, b in zip(*pair, strict=True)]
        for pair in zip(base, moved, strict=True)
    ]  # fmt: skip
    for polytope in polytopes(rqe.NormalFormGame(exact)):
        bases = proved(polytope)
        if bases is not None:
            assert sorted(bases) == sorted(_walk._walked(polytope, Clock(None))[1])


def test_the_proof_refuses_wrong_and_missing_bases():
    game = rqe.NormalFormGame(np.random.default_rng(5).random((2, 4, 4)))
    polytope = polytopes(game)[0]
    matrix, bases = _rounded._scaled(polytope), np.array(proved(polytope))
    assert matrix is not None
    labels = np.array(polytope.dictionary.basic), np.array(polytope.dictionary.nonbasic)
    assert _rounded._feasible(matrix, bases, *labels)
    assert _rounded._closed(bases, 4, 8)
    for k in range(len(bases)):
        assert not _rounded._closed(np.delete(bases, k), 4, 8)
    known = set(bases.tolist())
    for mask in range(256):
        if mask.bit_count() != 4:
            continue
        assert _rounded._feasible(matrix, np.array([mask]), *labels) == (mask in known)


def test_equilibria_of_long_decimals_are_exact_and_complete():
    game = rqe.NormalFormGame(np.random.default_rng(8).random((2, 6, 6)))
    found = rqe.nash(game, "all")
    assert found.complete
    assert "doubles with bounds" in found.notes[0]
    A, B = game.exact
    for profile in found.exact:
        assert profile is not None
        x, y = profile
        rows, columns = A @ np.array(y), np.array(x) @ B
        assert all(rows[a] == max(rows) for a, p in enumerate(x) if p)
        assert all(columns[b] == max(columns) for b, p in enumerate(y) if p)


def test_the_search_in_doubles_is_its_python():
    game = rqe.NormalFormGame(np.random.default_rng(3).random((2, 3, 3)))
    polytope = polytopes(game)[1]
    matrix = _rounded._scaled(polytope)
    assert matrix is not None
    start = np.hstack([matrix, np.ones((3, 1))])
    labels = np.array(polytope.dictionary.basic), np.array(polytope.dictionary.nonbasic)
    found = []
    for function in (kernel.explore, kernel.explore.py_func):
        state, table, bases = np.zeros(4, np.int64), np.full(64, -1), np.zeros(32, np.int64)
        assert function(start, *labels, state, table, bases, 100) == kernel.DONE
        found.append(bases[: state[kernel.COUNT]].tolist())
    assert found[0] == found[1]
