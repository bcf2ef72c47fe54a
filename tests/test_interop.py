"""Games from and to other libraries: the same payoffs to the same players, names, exact numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rqe
from rqe import interop

SHAPES = [(2, 3), (2, 3, 4), (3, 2, 2, 2)]
LABELLED = rqe.NormalFormGame(
    np.arange(36).reshape(3, 2, 3, 2) ** 2 % 17,
    players=("Ann", "Bob", "Zoë"),
    actions=(("up", "down"), ("left", "middle", "right"), ("in", "out")),
    title="Three",
)


def cells(game):
    """Every action profile."""
    return list(np.ndindex(*game.shape))


def random_game(shape, seed=0):
    """A game in which no two payoffs are equal, so that no permutation goes unnoticed."""
    rng = np.random.default_rng(seed)
    size = len(shape) * int(np.prod(shape))
    return rqe.NormalFormGame(rng.permutation(size).reshape(len(shape), *shape).astype(float))


@pytest.mark.parametrize("shape", SHAPES)
def test_quantecon_pays_every_player_the_same(shape):
    game = random_game(shape)
    theirs = interop.to_quantecon(game)
    for cell in cells(game):
        np.testing.assert_array_equal(theirs[cell], [u[cell] for u in game.payoffs])
    assert interop.from_quantecon(theirs) == game
    assert rqe.as_game(theirs) == game


def test_quantecon_from_a_profile_array_of_its_own():
    from quantecon.game_theory import NormalFormGame

    profiles = np.arange(24.0).reshape(2, 3, 4)[:, :, :2]
    game = interop.from_quantecon(NormalFormGame(profiles))
    np.testing.assert_array_equal(np.moveaxis(game.payoffs, 0, -1), profiles)


def test_quantecon_equilibria_are_equilibria_here():
    from quantecon.game_theory import lemke_howson

    game = random_game((4, 3), 5)
    assert rqe.is_equilibrium(game, lemke_howson(interop.to_quantecon(game)))


def test_quantecon_integers_beyond_doubles_stay_exact():
    from quantecon.game_theory import NormalFormGame, Player

    big = 2**53 + 1
    theirs = NormalFormGame([Player(np.array([[big, 0]])), Player(np.array([[1], [2]]))])
    assert interop.from_quantecon(theirs).exact[0, 0, 0] == big


def test_nashpy_both_ways():
    import nashpy

    game = random_game((2, 3))
    theirs = interop.to_nashpy(game)
    assert isinstance(theirs, nashpy.Game)
    row, column = np.array([0, 1]), np.array([0, 0, 1])
    assert tuple(theirs[row, column]) == tuple(game.payoffs[:, 1, 2])
    assert rqe.as_game(theirs) == game
    theirs.payoff_matrices[0][0, 0] = -1.0  # theirs to change, never ours
    assert game.payoffs[0, 0, 0] != -1.0


def test_nashpy_takes_two_players_only():
    with pytest.raises(ValueError, match="two players for nashpy; got 3"):
        interop.to_nashpy(LABELLED)


@pytest.mark.parametrize("game", [LABELLED, rqe.catalog.load("mckelvey-mclennan")])
def test_gambit_keeps_names_and_payoffs(game):
    theirs = interop.to_gambit(game)
    assert list(map(str, theirs.players)) == list(game.players)
    assert interop.from_gambit(theirs) == game.relabel(comment="")
    assert rqe.as_game(theirs).shape == game.shape


def test_gambit_keeps_rationals_both_ways():
    import pygambit

    third = Fraction(1, 3)
    game = rqe.NormalFormGame.from_bimatrix([[third, 0]], [[1, Fraction(-2, 7)]])
    theirs = interop.to_gambit(game)
    assert pygambit.Rational(1, 3) in np.asarray(theirs.to_arrays(dtype=pygambit.Rational)[0])
    assert (interop.from_gambit(theirs).exact == game.exact).all()


def test_gambit_keeps_backslashes_which_it_writes_twice():
    game = rqe.NormalFormGame([[[1, 2]], [[3, 4]]], actions=[[r"\alpha"], [r"x\y \beta", 'q"q']])
    game = game.relabel(title=r"50\% of \alpha")
    assert interop.from_gambit(interop.to_gambit(game)) == game


def test_gambit_16_by_the_names_of_its_functions(monkeypatch):
    """Before 16.3 a game is written by ``write`` and read by ``Game.parse_game``."""
    import pygambit

    class Game16:
        def __init__(self, text):
            self.text, self.players, self.title = text, (), LABELLED.title

        @staticmethod
        def parse_game(text):
            return Game16(text)

        def write(self, style):
            assert style == "nfg"
            return self.text

    monkeypatch.delattr(pygambit, "read_nfg")
    monkeypatch.setattr(pygambit, "Game", Game16)
    theirs = interop.to_gambit(LABELLED)
    assert isinstance(theirs, Game16)
    assert interop.from_gambit(theirs) == LABELLED


def test_gambit_trees_give_their_reduced_strategic_form():
    import pygambit

    text = (
        'EFG 2 R "Entry" { "In" "Old" } ""\n'
        'p "" 1 1 "" { "out" "in" } 0\n'
        't "" 1 "" { 0, 2 }\n'
        'p "" 2 1 "" { "fight" "share" } 0\n'
        't "" 2 "" { -1, -1 }\n'
        't "" 3 "" { 1, 1 }\n'
    )
    import io

    game = rqe.as_game(pygambit.read_efg(io.BytesIO(text.encode())))
    assert (game.shape, game.title, game.players) == ((2, 2), "Entry", ("In", "Old"))
    assert game.payoffs[:, 1].T.tolist() == [[-1, -1], [1, 1]]


class Kind:
    """What OpenSpiel's ``get_type()`` returns."""

    long_name = "A  game"


def stand_in(bases, **methods):
    """An object of a class that looks like one of pyspiel's."""
    constant = {name: lambda self, v=value: v for name, value in methods.items()}
    members = {**constant, "__module__": "pyspiel", "get_type": lambda self: Kind()}
    return type("Game", bases, members)()


class Named:
    """Names of OpenSpiel's games, one of them twice."""

    def row_action_name(self, a):
        return ("go", "stay")[a]

    def col_action_name(self, a):
        return ("x", "x", "")[a]

    def action_name(self, i, a):
        return f"{'abc'[i]}{a}"


def test_openspiel_matrix_game_by_its_interface():
    A = np.arange(6.0).reshape(2, 3)
    game = rqe.as_game(stand_in((Named,), row_utilities=A, col_utilities=-A))
    np.testing.assert_array_equal(game.payoffs, [A, -A])
    assert game.actions == (("go", "stay"), ("x_1", "x_2", "_1"))
    assert game.title == "A game"


def test_openspiel_tensor_game_by_its_interface():
    game = random_game((2, 3, 2))

    class Tensor(Named):
        def player_utilities(self, i):
            return game.payoffs[i]

    theirs = stand_in((Tensor,), num_players=3, shape=[2, 3, 2])
    assert rqe.as_game(theirs).actions[1] == ("b0", "b1", "b2")
    np.testing.assert_array_equal(rqe.as_game(theirs).payoffs, game.payoffs)


def test_openspiel_games_in_extensive_form_say_what_to_do():
    with pytest.raises(TypeError, match="extensive_to_tensor_game"):
        interop.from_openspiel(stand_in((), new_initial_state=None))


@pytest.mark.parametrize("shape", SHAPES)
def test_openspiel_itself(shape):
    pyspiel = pytest.importorskip("pyspiel")
    game = random_game(shape)
    theirs = interop.to_openspiel(game.relabel(title="Tea for two"))
    assert isinstance(theirs, pyspiel.MatrixGame if len(shape) == 2 else pyspiel.TensorGame)
    for cell in cells(game):
        state = theirs.new_initial_state()
        state.apply_actions(list(cell))
        assert state.returns() == [u[cell] for u in game.payoffs]
    back = rqe.as_game(theirs)
    assert (back.title, back.actions) == ("Tea for two", game.actions)
    np.testing.assert_array_equal(back.payoffs, game.payoffs)


def test_openspiel_games_of_its_own():
    pyspiel = pytest.importorskip("pyspiel")
    game = rqe.as_game(pyspiel.load_game("matrix_pd"))
    assert game.actions == (("Cooperate", "Defect"),) * 2
    assert len(rqe.nash(game, "all")) == 1
    blotto = pyspiel.load_game("blotto(coins=4,fields=3)")
    with pytest.raises(TypeError, match="extensive_to_tensor_game"):
        rqe.as_game(blotto)
    assert rqe.as_game(pyspiel.extensive_to_tensor_game(blotto)).shape == (15, 15)


@pytest.mark.parametrize("name", ["quantecon", "nashpy", "pygambit", "pyspiel"])
def test_a_missing_peer_is_named(name, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "quantecon.game_theory", None)
    to = {"pygambit": "to_gambit", "pyspiel": "to_openspiel"}.get(name, f"to_{name}")
    with pytest.raises(ImportError, match="pip install"):
        getattr(interop, to)(random_game((2, 2)))


@pytest.mark.parametrize("peer", ["quantecon", "nashpy", "gambit", "openspiel", "frame"])
def test_the_wrong_object_is_named(peer):
    with pytest.raises(TypeError, match=r"game must be an? .*; got builtins\.int"):
        getattr(interop, f"from_{peer}")(3)


@pytest.mark.parametrize("peer", ["quantecon", "nashpy", "gambit", "openspiel"])
def test_only_our_games_go_out(peer):
    if peer == "openspiel":
        pytest.importorskip("pyspiel")
    with pytest.raises(TypeError, match=r"game must be an rqe\.NormalFormGame .*; got list"):
        getattr(interop, f"to_{peer}")([[1, 2]])


def test_as_game_takes_games_files_and_arrays(tmp_path):
    assert rqe.as_game(LABELLED) is LABELLED
    LABELLED.write_nfg(tmp_path / "three.nfg")
    assert rqe.as_game(tmp_path / "three.nfg") == LABELLED
    assert rqe.as_game(str(tmp_path / "three.nfg")) == LABELLED
    assert rqe.as_game(LABELLED.payoffs).shape == LABELLED.shape
    with pytest.raises(TypeError, match=r"source must be a game of rqe, .*; got object"):
        rqe.as_game(object())
    with pytest.raises(FileNotFoundError):
        rqe.as_game("no such file.nfg")


@given(arrays(float, (3, 2, 2, 2), elements=st.floats(-1e6, 1e6)))
def test_every_way_round_gives_the_same_game(payoffs):
    game = rqe.NormalFormGame(payoffs)
    assert interop.from_quantecon(interop.to_quantecon(game)) == game
    assert interop.from_frame(game.to_frame()) == game
    assert (interop.from_gambit(interop.to_gambit(game)).payoffs == game.payoffs).all()


def test_frames_have_one_row_per_profile():
    frame = LABELLED.to_frame()
    assert list(frame.columns) == ["payoff Ann", "payoff Bob", "payoff Zoë"]
    assert frame.index.names == ["Ann", "Bob", "Zoë"]
    for cell in cells(LABELLED):
        names = tuple(LABELLED.actions[i][a] for i, a in enumerate(cell))
        assert frame.loc[names].tolist() == [u[cell] for u in LABELLED.payoffs]
    assert interop.from_frame(frame.sample(frac=1, random_state=1)).shape == LABELLED.shape
    assert rqe.as_game(frame) == LABELLED.relabel(title="")
    assert len(frame.reset_index().columns) == 6


@pytest.mark.parametrize("head", ["payoff ", ""])
def test_columns_that_name_the_players_may_come_in_any_order(head):
    frame = LABELLED.to_frame().rename(columns=lambda name: name.replace("payoff ", head))
    assert interop.from_frame(frame.iloc[:, [2, 0, 1]]) == LABELLED.relabel(title="")
    swapped = interop.from_frame(frame.swaplevel("Ann", "Zoë"))
    assert swapped.players == ("Zoë", "Bob", "Ann")
    assert (swapped.payoffs[::-1] == LABELLED.payoffs.transpose(0, 3, 2, 1)).all()
    others = interop.from_frame(frame.set_axis(["x", "y", "z"], axis=1).iloc[:, [2, 0, 1]])
    assert (others.payoffs == LABELLED.payoffs[[2, 0, 1]]).all()


def test_bimatrix_frames_hold_pairs():
    import pandas as pd

    pairs = [[(3, Fraction(1, 3)), (0, 5)], [(5, 0), (1, 1)]]
    frame = pd.DataFrame(pairs, index=["C", "D"], columns=["c", "d"]).rename_axis("Row")
    game = interop.from_frame(frame.rename_axis("Column", axis=1))
    assert (game.players, game.actions) == (("Row", "Column"), (("C", "D"), ("c", "d")))
    assert game.exact[1, 0, 0] == Fraction(1, 3)
    assert game.payoffs[0].tolist() == [[3, 0], [5, 1]]


def test_bad_frames():
    import pandas as pd

    frame = random_game((2, 2)).to_frame()
    with pytest.raises(ValueError, match=r"one column of payoffs per level of its index, 2; got 1"):
        interop.from_frame(frame.iloc[:, :1])
    with pytest.raises(ValueError, match=r"every profile of 2 x 2 actions once, 4 rows; got 3"):
        interop.from_frame(frame.iloc[:3])
    with pytest.raises(ValueError, match="3 of them different"):
        interop.from_frame(frame.iloc[[0, 1, 2, 2]])
    with pytest.raises(ValueError, match="cells are pairs of payoffs"):
        interop.from_frame(pd.DataFrame([[1, 2], [3, 4]]))
    with pytest.raises(TypeError, match="must be a real number"):
        interop.from_frame(pd.DataFrame([[(1, "a")]]))
