"""Quadratic games as values: what they accept, hold, compute, and refuse."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import rqe
from rqe import games
from tests.quadratic_cases import curved

GAME = rqe.AggregativeGame([[2.0, 0.5], [0.5, 1.0]], [1.0, -1.0], [0.5, 1.0, 2.0])
TWO = [{(0, 0): -2.0, (0, 1): -1.0}, {(1, 1): -2.0, (1, 0): -1.0, (0, 0): 0.5}]


def test_an_aggregative_game_is_what_its_docstring_says():
    rng = np.random.default_rng(0)
    actions = rng.normal(size=(4, 3, 2))
    for profile, reward, utilities in zip(
        actions, GAME.reward(actions), GAME.utilities(actions), strict=True
    ):
        gap = profile.sum(axis=0) - GAME.target
        assert reward == pytest.approx(-0.5 * gap @ GAME.H @ gap)
        costs = [0.5 * r * a @ a for r, a in zip(GAME.rho, profile, strict=True)]
        assert utilities == pytest.approx(reward - np.array(costs))
    flat = GAME.to_quadratic().utilities(actions.reshape(4, 6))
    assert flat == pytest.approx(GAME.utilities(actions), rel=1e-12)
    assert GAME.dims == (2, 2, 2)
    assert GAME.n_players == 3
    assert repr(GAME) == "AggregativeGame(players=3, dims=2)"


def test_the_shared_form_is_the_same_game():
    H_prime, h = np.array([[-2.0, 0.3], [0.3, -1.0]]), np.array([1.0, 0.5])
    game = rqe.AggregativeGame.from_shared(H_prime, h, [1.0, 2.0], title="Shared")
    total = np.array([0.3, -2.0])
    expected = 0.5 * total @ H_prime @ total + h @ total
    assert game.reward([total / 3, 2 * total / 3]) == pytest.approx(expected, rel=1e-14)
    assert game.target == pytest.approx(np.linalg.solve(-H_prime, h))
    assert game.title == "Shared"


def test_a_quadratic_game_is_what_its_docstring_says():
    game = curved()[0]
    a = np.random.default_rng(1).normal(size=(5, 4))
    for i in range(3):
        matrix = game.quadratic(i)
        expected = 0.5 * np.einsum("kj,jl,kl->k", a, matrix, a) + a @ game.linear[i]
        assert game.utilities(a)[:, i] == pytest.approx(expected + game.constant[i])
    assert game.block(0, 1, 2).shape == (2, 1)
    np.testing.assert_array_equal(game.block(2, 1, 0), game.block(2, 0, 1).T)
    assert repr(game) == "QuadraticGame(players=3, dims=(1, 2, 1))"


def test_blocks_and_matrices_make_the_same_game():
    blocks = rqe.QuadraticGame(TWO, [[1.0, 0.0], [0.0, 2.0]], constant=[0.0, 3.0])
    matrices = rqe.QuadraticGame(
        [[[-2.0, -1.0], [-1.0, 0.0]], [[0.5, -1.0], [-1.0, -2.0]]],
        [[1.0, 0.0], [0.0, 2.0]],
        constant=[0.0, 3.0],
    )
    assert blocks == matrices
    assert hash(blocks) == hash(matrices)
    assert blocks.others(0) is None
    assert blocks.others(1) is not None
    sizes = {(0, 0): -np.eye(2), (0, 1): [[1.0], [2.0]]}
    mixed = rqe.QuadraticGame([sizes, {(1, 1): -1.0}])
    assert mixed.dims == (2, 1)
    np.testing.assert_array_equal(mixed.block(0, 1, 0), [[1.0, 2.0]])


def test_pairs_of_players_may_be_integers_of_numpy():
    first, second = np.arange(2)
    blocks = [{(first, first): -1.0, (first, second): 0.5}, {(second, second): -1.0}]
    plain = rqe.QuadraticGame([{(0, 0): -1.0, (0, 1): 0.5}, {(1, 1): -1.0}])
    assert rqe.QuadraticGame(blocks) == plain


@pytest.mark.parametrize(
    "game", [GAME, curved()[0], rqe.QuadraticGame(TWO), games.cournot(3, 1, [1, 1])]
)
def test_games_are_values(game):
    for twin in (pickle.loads(pickle.dumps(game)), copy.deepcopy(game)):
        assert twin == game
        assert hash(twin) == hash(game)
        assert twin.players == game.players
    assert game != 1
    assert rqe.solve(pickle.loads(pickle.dumps(game))).means[0].shape == (game.dims[0],)


def test_nobody_can_change_a_game():
    H, target, rho = np.eye(2), np.ones(2), np.ones(3)
    game = rqe.AggregativeGame(H, target, rho)
    H[0, 0] = target[0] = rho[0] = 9.0
    assert (game.H[0, 0], game.target[0], game.rho[0]) == (1.0, 1.0, 1.0)
    general = rqe.QuadraticGame(TWO)
    arrays: list[Any] = [game.H, game.target, game.rho, *game.eigenbasis]
    arrays += [general.own_rows, general.linear, general.constant, general.others(1)]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    general.quadratic(0)[:] = 7.0
    assert general.block(0, 0, 0) == -2.0
    with pytest.raises(AttributeError):
        setattr(game, "H", np.eye(2))  # noqa: B010 (a type checker refuses the assignment)


AGGREGATIVE_ERRORS = [
    (([[1, 2], [2, 1]], [1, 1], [1, 1]), r"H must be positive definite; got eigenvalue -1"),
    (([[1, 1], [1, 1]], [1, 1], [1, 1]), r"H must be positive definite; got eigenvalue"),
    (([[1, 0.1], [0, 1]], [1, 1], [1, 1]), r"H must be symmetric; got H\[0, 1\] = 0\.1"),
    (([[0, 0], [0, 1]], [1, 1], [1, 1]), r"H\[0, 0\] = 0 on its diagonal"),
    ((-1.0, 1.0, [1, 1]), r"H must be positive definite; got H\[0, 0\] = -1"),
    (([[1, 0, 0], [0, 1, 0]], [1, 1], [1, 1]), r"H must be a square matrix; got shape \(2, 3\)"),
    (([1.0, 2.0], [1, 1], [1, 1]), r"H must be a matrix; got an array of shape \(2,\)"),
    ((np.eye(2), [1, 1, 1], [1, 1]), r"target must have 2 entries; got 3"),
    ((np.eye(2), [], [1, 1]), r"target must not be empty; got shape \(0,\)"),
    ((1.0, [np.nan], [1, 1]), r"target must be finite, got target\[0\] = nan"),
    ((np.inf, 1.0, [1, 1]), r"H must be finite, got H\[0, 0\] = inf"),
    ((1.0, 1.0, [1, 0]), r"rho must be > 0; got rho\[1\] = 0"),
    ((1.0, 1.0, [1, -2]), r"rho must be > 0; got rho\[1\] = -2"),
    ((1.0, 1.0, [1]), r"rho must give each of at least 2 players a cost; got 1"),
    ((1.0, 1.0, 1.0), r"rho must be a vector; got an array of shape \(\)"),
]


@pytest.mark.parametrize(("arguments", "message"), AGGREGATIVE_ERRORS)
def test_refused_aggregative_games(arguments, message):
    with pytest.raises(ValueError, match=message):
        rqe.AggregativeGame(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[[-1.0]]],), "quadratic must describe at least 2 players; got 1"),
        (([np.eye(2), np.eye(2)],), r"own block of player 0 must be negative definite"),
        (([-np.eye(2), np.diag([-1.0, 0.0])],), r"own block of player 1 .* = 0 on its diagonal"),
        (([-np.eye(3), -np.eye(3)],), "dims must be given: 3 coordinates"),
        (([-np.eye(2), -np.eye(3)],), "quadratic must hold matrices of one size; got 2 and 3"),
        (([-np.eye(2), [[-1, 1], [0, -1]]],), r"quadratic\[1\] must be symmetric"),
        (([-np.eye(2)] * 2, [1.0, 2.0]), r"linear must be a matrix"),
        (([-np.eye(2)] * 2, np.ones((2, 3))), r"linear must have shape \(2, 2\).*got \(2, 3\)"),
        (([-np.eye(2)] * 2, [[1.0, np.nan]] * 2), "linear must be finite"),
        (
            ([{(0, 1): 1.0}, {(1, 1): -1.0}],),
            r"quadratic\[0\] must be a mapping with the own",
        ),
        (
            ([{(0, 0): -1.0, (0, 2): 1.0}, {(1, 1): -1.0}],),
            r"pairs \(j, k\) of players 0",
        ),
        (([{(0, 0): -1.0, (0, 1): [1.0, 2.0]}, {(1, 1): -1.0}],), "must be a matrix"),
        (([{(0, 0): -1.0, (0, 1): np.eye(2)}, {(1, 1): -1.0}],), r"must have shape \(1, 1\)"),
        (
            ([{(0, 0): -1.0, (0, 1): 1.0, (1, 0): 2.0}, {(1, 1): -1.0}],),
            r"quadratic\[0\]\[1, 0\] must be the transpose",
        ),
    ],
)
def test_refused_quadratic_games(arguments, message):
    with pytest.raises(ValueError, match=message):
        rqe.QuadraticGame(*arguments)


def test_refused_dims_labels_and_types():
    pair = [-np.eye(4)] * 2
    assert rqe.QuadraticGame(pair, dims=(1, 3)).dims == (1, 3)
    refused: list[Any] = [(1, 2), (0, 4), (1.5, 2.5), (1, 1, 2)]
    for dims in refused:
        with pytest.raises(ValueError, match="dims must"):
            rqe.QuadraticGame(pair, dims=dims)
    with pytest.raises(ValueError, match="dims must be those of the own blocks"):
        rqe.QuadraticGame([{(0, 0): -np.eye(2)}, {(1, 1): -1.0}], dims=(1, 2))
    with pytest.raises(TypeError, match="costs must be a matrix or a number for each player"):
        games.team(1.0, 1.0, 5.0)
    with pytest.raises(TypeError, match="quadratic must be one symmetric matrix"):
        rqe.QuadraticGame(3)
    with pytest.raises(TypeError, match="H must hold real numbers"):
        rqe.AggregativeGame("x", 1.0, [1, 1])
    with pytest.raises(ValueError, match="players must be 2 labels"):
        rqe.AggregativeGame(1.0, 1.0, [1, 1], players=("a",))
    with pytest.raises(ValueError, match=r"actions must have shape \(\.\.\., 3, 2\)"):
        GAME.utilities(np.zeros(6))
    with pytest.raises(ValueError, match=r"actions must have shape \(\.\.\., 4\)"):
        rqe.QuadraticGame(pair).utilities(np.zeros(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: games.cournot(10, 0, [1, 1]), "slope must be > 0; got 0"),
        (lambda: games.cournot(10, 1, [1]), "costs must hold one number for each of at least 2"),
        (lambda: games.cournot(10, 1, [1, 1], curvature=-1), "curvature must be >= 0; got -1"),
        (
            lambda: games.cournot(10, 1, [1, 1], substitution=2),
            r"substitution must be in \[-1",
        ),
        (lambda: games.public_good(1, 0, [1, 1]), "saturation must be > 0; got 0"),
        (lambda: games.public_good(1, 1, [1, 0]), r"costs must be > 0; got costs\[1\] = 0"),
        (lambda: games.moving_object(stiffness=0.0), "stiffness must be > 0"),
        (lambda: games.beauty_contest([0, 1], 1.0), r"coordination must be in \[0, 1\); got 1"),
        (lambda: games.network_game([[0, 1]], 1, 0.1), "adjacency must be N x N"),
        (lambda: games.network_game([[0, 1], [1, 2]], 1, 0.1), r"adjacency\[1, 1\] = 2"),
        (lambda: games.network_game([[0, 1], [1, 0]], [1, 2, 3], 0.1), "benefits must have 2"),
        (lambda: games.team(1.0, 1.0, [1.0]), "costs must hold one matrix for each of at least 2"),
        (lambda: games.cournot(np.nan, 1, [1, 1]), "intercept must be finite, got nan$"),
        (lambda: games.team(1.0, 1.0, [1.0, -1.0]), r"costs\[1\] must be positive definite"),
        (lambda: games.team(np.eye(2), [1, 1], [np.eye(2), 1.0]), r"costs\[1\] must have shape"),
    ],
)
def test_refused_families(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_badly_scaled_but_definite_matrices_are_accepted():
    game = rqe.AggregativeGame(np.diag([1e-18, 1.0]), [1.0, 1.0], [1.0, 1.0])
    means = rqe.nash(game).means[0]
    assert means == pytest.approx([1e-18, 1 / 3], rel=1e-14)


def test_moving_object_in_the_plane():
    game = games.moving_object([1.0, 2.0], stiffness=3.0, costs=[1.0, 1.0, 2.0])
    np.testing.assert_array_equal(game.H, 3.0 * np.eye(2))
    assert game.n_players == 3


def test_a_game_from_own_rows_is_that_from_blocks():
    rng = np.random.default_rng(0)
    dims = (2, 1, 3)
    rows = rng.normal(size=(6, 6))
    for first, size in zip((0, 2, 3), dims, strict=True):
        own = slice(first, first + size)
        rows[own, own] = -np.eye(size) - rows[own, own] @ rows[own, own].T
    linear = rng.normal(size=(3, 6))
    game = rqe.QuadraticGame.from_own_rows(rows, linear, dims=iter(dims), constant=[1.0, 2.0, 3.0])
    same = rqe.QuadraticGame(
        [game.quadratic(i) for i in range(3)], linear, constant=[1, 2, 3], dims=dims
    )
    assert game == same
    np.testing.assert_array_equal(game.own_rows, same.own_rows)
    assert game.others(0) is None
    for bad, message in (
        (rows[:5], "rows must be a square matrix"),
        (-rows, "own block of player 0 must be negative definite"),
        (rows + np.triu(np.ones((6, 6))), "own block of player 0 must be symmetric"),
    ):
        with pytest.raises(ValueError, match=message):
            rqe.QuadraticGame.from_own_rows(bad, linear, dims=dims)
    with pytest.raises(ValueError, match="dims must be 2 integers"):
        rqe.QuadraticGame.from_own_rows(rows, dims=(2, 3))
