"""Games in strategic form: what is accepted, kept, refused, and never changed."""

import copy
import pickle
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rqe.games import NormalFormGame

STAG = [[[9, 0], [8, 7]], [[9, 8], [0, 7]]]
CUBE = np.arange(24.0).reshape(3, 2, 2, 2)


def test_list_of_arrays_and_one_array_give_the_same_game():
    parts = [np.array(part, dtype=float) for part in STAG]
    game = NormalFormGame(parts)
    assert game == NormalFormGame(np.array(STAG)) == NormalFormGame(STAG)
    assert game.n_players == 2
    assert game.shape == (2, 2)
    assert game.players == ("1", "2")
    assert game.actions == (("1", "2"), ("1", "2"))
    assert game.title == game.comment == ""
    assert game.payoffs.dtype == np.float64
    assert game.payoff_range.tolist() == [9.0, 9.0]


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 3, 5), (3, 2, 1, 4), (5, 2, 2, 2, 2, 2)])
def test_any_number_of_players_and_any_shape(shape):
    payoffs = np.random.default_rng(1).normal(size=shape)
    game = NormalFormGame(payoffs)
    np.testing.assert_array_equal(game.payoffs, payoffs)
    np.testing.assert_array_equal(game.payoff_range, [float(u.max() - u.min()) for u in payoffs])
    assert game.shape == shape[1:]


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a,
        np.asfortranarray,
        lambda a: a[..., ::-1],
        lambda a: a.astype(np.float32),
        lambda a: a.astype(np.int8),
        lambda a: a.astype(">f8"),
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: list(a),
    ],
)
def test_callers_numbers_are_copied_and_never_changed(make):
    base = CUBE.copy()
    given_ = make(base)
    before = np.array(given_, dtype=float)
    game = NormalFormGame(given_)
    assert not np.shares_memory(game.payoffs, base)
    base += 1000.0
    np.testing.assert_array_equal(game.payoffs, before)
    assert game.payoffs.flags.c_contiguous


def test_game_cannot_be_changed():
    game = NormalFormGame(STAG)
    for array in (game.payoffs, game.exact, game.payoff_range):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        game.payoffs.flags.writeable = True
    with pytest.raises(AttributeError):
        game.title = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        game.extra = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("payoffs", "error", "parts"),
    [
        (3, ValueError, ["payoffs", "(N, n_1, ..., n_N)", "()"]),
        ([], ValueError, ["payoffs", "shape (0,)"]),
        ([[1, 2], [3, 4]], ValueError, ["payoffs", "shape (2, 2)", "from_bimatrix"]),
        ([[1, 2, 3]], ValueError, ["payoffs", "at least 2 players", "got 1"]),
        (np.ones((3, 2, 2)), ValueError, ["payoffs", "shape (3, 2, 2)"]),
        (np.ones((2, 2, 2, 2)), ValueError, ["payoffs", "shape (2, 2, 2, 2)"]),
        (np.ones((2, 3, 0)), ValueError, ["payoffs", "player 2 has none"]),
        ([np.ones((2, 3)), np.ones((3, 2))], ValueError, ["payoffs", "(2, 3), (3, 2)"]),
        ([[[1, 2], [3]], [[1, 2], [3, 4]]], ValueError, ["payoffs", "rectangular"]),
        ([[[1, np.nan], [2, 3]]] * 2, ValueError, ["payoffs[0, 0, 1] = nan", "finite"]),
        ([STAG[0], [[1, 2], [-np.inf, 3]]], ValueError, ["payoffs[1, 1, 0] = -inf"]),
        ([[[1e308, -1e308]]] * 2, ValueError, ["payoffs", "range", "1e+308"]),
        ([[[10**400, 1]]] * 2, ValueError, ["payoffs", "doubles"]),
        ([[[Decimal("nan"), 1]]] * 2, ValueError, ["payoffs", "finite", "nan"]),
        ([[[Decimal("1e-9999999"), 1]]] * 2, ValueError, ["1e-1000", "1E-9999999"]),
        ([[[Decimal("1e9999999"), 1]]] * 2, ValueError, ["payoffs", "finite", "inf"]),
        ([[["1", "2"]]] * 2, TypeError, ["payoffs", "real numbers", "<U1"]),
        ([[[1, 2j]]] * 2, TypeError, ["payoffs", "real numbers", "complex"]),
        ([[[1, None]]] * 2, TypeError, ["payoffs[0, 0, 1]", "None"]),
        ([[[Fraction(1), "2"]]] * 2, TypeError, ["payoffs[0, 0, 1]", "'2'"]),
        ([[[Fraction(1), 2j]]] * 2, TypeError, ["payoffs[0, 0, 1]", "2j"]),
        (np.zeros((2, 2, 2), "M8[D]"), TypeError, ["payoffs", "datetime64"]),
        (None, TypeError, ["payoffs", "None"]),
        ({}, TypeError, ["payoffs", "{}"]),
        (np.ma.ones((2, 2, 2)), TypeError, ["payoffs", "mask"]),
    ],
)
def test_bad_payoffs_are_refused(payoffs, error, parts):
    with pytest.raises(error) as caught:
        NormalFormGame(payoffs)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "parts"),
    [
        ({"players": ["a"]}, ValueError, ["players", "2 labels", "got 1"]),
        ({"players": ["a", "a"]}, ValueError, ["players", "'a' twice"]),
        ({"players": ["a", ""]}, ValueError, ["players", "non-empty", "''"]),
        ({"players": "ab"}, TypeError, ["players", "sequence", "'ab'"]),
        ({"players": 2}, TypeError, ["players", "sequence", "2"]),
        ({"players": [1, 2]}, TypeError, ["players", "strings", "1"]),
        ({"actions": "CD"}, TypeError, ["actions", "'CD'"]),
        ({"actions": 3}, TypeError, ["actions", "3"]),
        ({"actions": [["a", "b"]]}, ValueError, ["actions", "2 lists", "got 1"]),
        ({"actions": [["a", "b"], ["c"]]}, ValueError, ["actions[1]", "2 labels", "got 1"]),
        ({"actions": [["a", "b"], ["c", "c"]]}, ValueError, ["actions[1]", "'c' twice"]),
        ({"actions": ["a", "b", "c"]}, ValueError, ["actions[0]", "2 labels", "got 3"]),
        ({"actions": [["a", "b"], "cd"]}, TypeError, ["actions[1]", "'cd'"]),
        ({"actions": []}, ValueError, ["actions", "2 lists", "got 0"]),
        ({"actions": ["a ", "b"]}, ValueError, ["actions[0]", "double spaces", "'a '"]),
        ({"actions": ["a\nc", "b"]}, ValueError, ["actions[0]", "control"]),
        ({"actions": ["a\\", "b"]}, ValueError, ["actions[0]", "backslash"]),
        ({"title": 3}, TypeError, ["title", "3"]),
        ({"comment": None}, TypeError, ["comment", "None"]),
    ],
)
def test_bad_names_are_refused(options, error, parts):
    with pytest.raises(error) as caught:
        NormalFormGame(STAG, **options)
    for part in parts:
        assert part in str(caught.value)


def test_one_list_of_actions_serves_all_players():
    game = NormalFormGame(STAG, actions=("stag", "hare"))
    assert game.actions == (("stag", "hare"), ("stag", "hare"))


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Fraction(2, 5), Decimal("0.1"), 2**60 + 1, 7, True, 0.25]
)
def test_exact_numbers_are_kept(value):
    game = NormalFormGame([[[value, 0]], [[1, value]]])
    assert game.exact[0, 0, 0] == game.exact[1, 0, 1] == Fraction(value)
    assert game.payoffs[0, 0, 0] == float(Fraction(value))
    assert {type(x) for x in game.exact.ravel().tolist()} == {Fraction}


def test_integers_beyond_doubles_are_kept_in_arrays_too():
    big = 2**53 + 1
    game = NormalFormGame(np.full((2, 1, 1), big))
    assert game.exact[0, 0, 0] == big
    assert game != NormalFormGame(np.full((2, 1, 1), float(big)))


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_a_double_stands_for_its_shortest_decimal(value):
    game = NormalFormGame([[[value]], [[0.0]]])
    assert game.exact[0, 0, 0] == Fraction(repr(value))
    assert float(game.exact[0, 0, 0]) == game.payoffs[0, 0, 0] == value


def test_equality_and_hash():
    game = NormalFormGame(STAG, title="Stag")
    assert game == NormalFormGame(STAG, title="Stag")
    assert hash(game) == hash(NormalFormGame(STAG, title="Stag"))
    others = [
        NormalFormGame(STAG),
        NormalFormGame(STAG, title="Stag", players=("a", "b")),
        NormalFormGame(STAG, title="Stag", actions=("a", "b")),
        NormalFormGame(STAG, title="Stag", comment="x"),
        NormalFormGame(2 * np.array(STAG), title="Stag"),
        NormalFormGame(np.ones((2, 2, 3)), title="Stag"),
    ]
    assert all(game != other for other in others)
    assert game != STAG
    assert NormalFormGame([[[-0.0]]] * 2) == NormalFormGame([[[0.0]]] * 2)
    assert hash(NormalFormGame([[[-0.0]]] * 2)) == hash(NormalFormGame([[[0.0]]] * 2))
    third = NormalFormGame([[[Fraction(1, 3)]]] * 2)
    assert third != NormalFormGame([[[1 / 3]]] * 2)
    assert third == NormalFormGame([[[Fraction(1, 3)]]] * 2)


def test_pickle_and_copy():
    game = NormalFormGame([[[Fraction(1, 3), 2]], [[0, 1]]], title="t", players=("a", "b"))
    again = pickle.loads(pickle.dumps(game))
    assert again == game
    assert again.exact[0, 0, 0] == Fraction(1, 3)
    assert not again.payoffs.flags.writeable
    assert copy.copy(game) is copy.deepcopy(game) is game


def test_from_bimatrix():
    A, B = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[0, 0, 1], [1, 0, 0]])
    game = NormalFormGame.from_bimatrix(A, B, players=("row", "column"), title="t")
    np.testing.assert_array_equal(game.payoffs, [A, B])
    assert game == NormalFormGame([A, B], players=("row", "column"), title="t")
    with pytest.raises(TypeError):
        NormalFormGame.from_bimatrix(A)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("A", "B", "error", "parts"),
    [
        ([[1, 2]], [[1], [2]], ValueError, ["A and B", "(1, 2)", "(2, 1)"]),
        ([1, 2], [[1, 2]], ValueError, ["A must be a matrix", "(2,)"]),
        ([[1, 2]], 5, ValueError, ["B must be a matrix", "()"]),
        ([[1, 2], [3]], [[1, 2]], ValueError, ["A must be rectangular"]),
        ([[1, 2]], [["x", "y"]], TypeError, ["B must hold real numbers"]),
        ([[1, np.nan]], [[1, 2]], ValueError, ["payoffs[0, 0, 1] = nan"]),
        (np.ones((0, 2)), np.ones((0, 2)), ValueError, ["player 1 has none"]),
    ],
)
def test_bad_bimatrices_are_refused(A, B, error, parts):
    with pytest.raises(error) as caught:
        NormalFormGame.from_bimatrix(A, B)
    for part in parts:
        assert part in str(caught.value)


def test_collaborative_game_of_the_paper():
    game = NormalFormGame.collaborative([[1, 1], [1, 0]], [Fraction(2, 5), 0], actions=["C", "D"])
    fifths = [[[3, 3], [5, 0]], [[3, 5], [3, 0]]]
    assert (game.exact * 5 == np.array(fifths)).all()
    np.testing.assert_array_equal(
        game.payoffs, NormalFormGame.collaborative([[1, 1], [1, 0]], [0.4, 0]).payoffs
    )


def test_collaborative_costs_of_three_players():
    rng = np.random.default_rng(0)
    reward = rng.normal(size=(2, 3, 4))
    costs = [rng.normal(size=(n,)) for n in reward.shape]
    game = NormalFormGame.collaborative(reward, costs)
    for index in np.ndindex(*reward.shape):
        for i in range(3):
            expected = reward[index] - costs[i][index[i]]
            assert game.payoffs[(i, *index)] == expected
    cube = rng.normal(size=(2, 2, 2))
    shared = NormalFormGame.collaborative(cube, [0.1, 0.2])
    assert shared == NormalFormGame.collaborative(cube, [[0.1, 0.2]] * 3)


@pytest.mark.parametrize(
    ("reward", "costs", "error", "parts"),
    [
        ([1, 2], [0, 0], ValueError, ["reward", "(2,)"]),
        (np.ones((2, 0)), [0, 0], ValueError, ["reward", "(2, 0)"]),
        ([[1, 2, 3], [4, 5, 6]], [0, 0], ValueError, ["costs", "2 costs", "(2, 3)"]),
        ([[1, 2], [3, 4]], 0.5, TypeError, ["costs", "0.5"]),
        ([[1, 2], [3, 4]], [], ValueError, ["costs", "0 costs"]),
        ([[1, 2], [3, 4]], [[0, 0]], ValueError, ["costs", "2 vectors", "[(2,)]"]),
        ([[1, 2], [3, 4]], [[0, 0], [0]], ValueError, ["costs", "(2, 2)", "[(2,), (1,)]"]),
        ([[1, 2], [3, 4]], [np.nan, 0], ValueError, ["costs[0]", "nan"]),
        ([[1, np.inf], [3, 4]], [0, 0], ValueError, ["reward", "inf"]),
        ([[1, 2], [3, 4]], ["a", "b"], TypeError, ["costs", "real numbers"]),
    ],
)
def test_bad_collaborative_games_are_refused(reward, costs, error, parts):
    with pytest.raises(error) as caught:
        NormalFormGame.collaborative(reward, costs)
    for part in parts:
        assert part in str(caught.value)


def test_permute_moves_payoffs_and_names_together():
    payoffs = np.random.default_rng(3).normal(size=(3, 2, 3, 4))
    game = NormalFormGame(payoffs, players=("a", "b", "c"))
    order, orders = (2, 0, 1), ((1, 0), (2, 0, 1), (3, 1, 0, 2))
    other = game.permute(order, orders)
    assert other.players == ("c", "a", "b")
    assert other.shape == (4, 2, 3)
    for new in np.ndindex(*other.shape):
        old = [0, 0, 0]
        for k, i in enumerate(order):
            old[i] = orders[i][new[k]]
            assert other.actions[k][new[k]] == game.actions[i][old[i]]
        for k, i in enumerate(order):
            assert other.payoffs[(k, *new)] == payoffs[(i, *old)]
    back = np.argsort(order)
    undo = [np.argsort(orders[i]).tolist() for i in order]
    assert other.permute(back, undo) == game
    assert game.permute() == game


def test_permute_keeps_exact_numbers():
    game = NormalFormGame([[[Fraction(1, 3), 2]], [[0, Fraction(1, 7)]]])
    other = game.permute((1, 0))
    assert other.exact[0].tolist() == [[0], [Fraction(1, 7)]]


@pytest.mark.parametrize("order", [(0, 0), (0,), (0, 2), (0.0, 1.0), "01"])
def test_bad_permutations_are_refused(order):
    game = NormalFormGame(STAG)
    with pytest.raises(ValueError, match=r"players must be a permutation of 0, \.\.\., 1"):
        game.permute(order)
    with pytest.raises(ValueError, match=r"actions\[1\] must be a permutation"):
        game.permute(actions=((0, 1), order))
    with pytest.raises(ValueError, match="actions must be 2 permutations, got 1"):
        game.permute(actions=((0, 1),))


def test_relabel_shares_the_payoffs():
    game = NormalFormGame(STAG, title="old", comment="kept")
    other = game.relabel(players=("a", "b"), title="new")
    assert np.shares_memory(game.payoffs, other.payoffs)
    assert (other.players, other.title, other.comment) == (("a", "b"), "new", "kept")
    assert other.actions == game.actions
    with pytest.raises(ValueError, match="actions"):
        game.relabel(actions=[])


def test_representations_are_short_and_escaped():
    game = NormalFormGame(STAG, title="<b>", actions=("s & t", "h"))
    assert repr(game) == "NormalFormGame(title='<b>', shape=(2, 2))"
    html = game._repr_html_()
    assert "&lt;b&gt;" in html
    assert "s &amp; t" in html
    assert "<td>8, 0</td>" in html
    large = NormalFormGame(np.zeros((2, 500, 400)))._repr_html_()
    assert len(large) < 20_000
    assert "…" in large
    three = NormalFormGame(CUBE)._repr_html_()
    assert '<th colspan="3">3: 2</th>' in three
    assert "<td>1, 9, 17</td>" in three
    many = NormalFormGame(np.arange(6 * 2**6).reshape(6, *[2] * 6) % 32)._repr_html_()
    assert "<td>0 to 31</td>" in many


@pytest.mark.parametrize("shape", [(2, 400, 400), (8, *(3,) * 8)])
def test_a_game_holds_one_copy_of_its_payoffs(shape):
    payoffs = np.random.default_rng(0).random(shape)
    tracemalloc.start()
    game = NormalFormGame(payoffs)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert game.payoffs.nbytes <= held < 1.05 * payoffs.nbytes + 10_000
    assert peak < 1.05 * payoffs.nbytes + 10_000
