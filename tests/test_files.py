"""Gambit's .nfg files: read as Gambit reads them, written so that they come back identical."""

import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rqe.games import GameFileError, NormalFormGame, catalog, read_nfg

ROOT = Path(__file__).resolve().parent.parent
HEAD = 'NFG 1 R "t" { "a" "b" } { 2 2 }\n'


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a text as a file."""

    def from_text(text):
        path = tmp_path / "game.nfg"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_nfg(path)

    return from_text


def round_trip(game, folder, **options):
    """Return `game` after a trip through a file."""
    path = Path(folder, "trip.nfg")
    game.write_nfg(path, **options)
    return read_nfg(path)


def test_gambits_own_sample_of_the_payoff_version(read):
    game = read(
        'NFG 1 R "Selten (IJGT, 75), Figure 2, normal form"\n'
        '{ "Player 1" "Player 2" } { 3 2 }\n\n1 1 0 2 0 2 1 1 0 3 2 0\n'
    )
    assert game.title == "Selten (IJGT, 75), Figure 2, normal form"
    assert game.players == ("Player 1", "Player 2")
    assert game.actions == (("1", "2", "3"), ("1", "2"))
    assert game.payoffs[0].tolist() == [[1, 1], [0, 0], [0, 2]]
    assert game.payoffs[1].tolist() == [[1, 1], [2, 3], [2, 0]]


def test_gambits_own_sample_of_the_outcome_version(read):
    game = read(
        'NFG 1 R "Selten" { "Player 1" "Player 2" }\n\n{\n{ "1" "2" "3" }\n{ "1" "2" }\n}\n\n'
        '{\n{ "" 1, 1 }\n{ "" 0, 2 }\n{ "" 0, 2 }\n{ "" 1, 1 }\n{ "" 0, 3 }\n{ "" 2, 0 }\n}\n'
        "1 2 3 4 5 6\n"
    )
    assert game.payoffs[0].tolist() == [[1, 1], [0, 0], [0, 2]]
    assert game.payoffs[1].tolist() == [[1, 1], [2, 3], [2, 0]]


def test_first_players_action_varies_fastest(read):
    numbers = " ".join(map(str, range(36)))
    game = read('NFG 1 R "" { "a" "b" "c" } { 3 2 2 } ' + numbers)
    assert game.payoffs[:, 1, 0, 0].tolist() == [3, 4, 5]
    assert game.payoffs[:, 0, 1, 0].tolist() == [9, 10, 11]
    assert game.payoffs[:, 0, 0, 1].tolist() == [18, 19, 20]


@pytest.mark.parametrize("letter", ["R", "D"])
def test_numbers_of_every_form_are_exact(read, letter):
    game = read(
        f'NFG 1 {letter} "" {{ "a" "b" }} {{ 2 2 }}\n'
        "1/3 -3/2 +1 .5\n-.25 1.5e-3 2E+2 9007199254740993"
    )
    expected = ["1/3", "-3/2", "1", "1/2", "-1/4", "3/2000", "200", "9007199254740993"]
    assert game.exact.ravel("F").tolist() == list(map(Fraction, expected))
    assert game.payoffs.ravel("F").tolist() == [float(Fraction(x)) for x in expected]


def test_comment_quotes_and_odd_white_space(read):
    game = read(
        '\ufeffNFG 1 D"A \\"quoted\\" title"{"Row player" "Col\\"umn"}'
        '{{"go\tleft" " go  right "}{"x\\y" "z"}}\r\n"a { comment } 1 2"\f1 2 3 4\n5 6\v7 8\r\n'
    )
    assert game.title == 'A "quoted" title'
    assert game.players == ("Row player", 'Col"umn')
    assert game.actions == (("go left", "go right"), ("x\\y", "z"))
    assert game.comment == "a { comment } 1 2"
    twice = read(r'NFG 1 R "" { "\\alpha" "b" } { { "x\\y" "z" } { "" } } 1 2 3 4')  # by Gambit 17
    assert twice.players == (r"\alpha", "b")
    assert twice.actions[0] == (r"x\y", "z")
    assert game.payoffs[1].tolist() == [[2, 6], [4, 8]]


def test_empty_and_repeated_names_are_numbered_as_in_gambit(read):
    game = read('NFG 1 R "" { "" "p" } { { "x" "x" "x_1" } { "" "" } } ' + "0 " * 12)
    assert game.players == ("_1", "p")
    assert game.actions == (("x_2", "x_3", "x_1"), ("_1", "_2"))


def test_outcomes_zero_commas_and_reuse(read):
    game = read(HEAD + '{ { "win, or {so}" 1/3, 2 } { "" 3 -4, } }\n0 2\n1 2')
    assert game.exact[0].tolist() == [[0, Fraction(1, 3)], [3, 3]]
    assert game.payoffs[1].tolist() == [[0, 2], [-4, -4]]
    assert not read(HEAD + "{ } 0 0 0 0").payoffs.any()


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("", 1, ["NFG", "end of the file"]),
        ("\n\n", 1, ["NFG"]),
        ('EFG 2 R "t"', 1, ["NFG", "EFG"]),
        ('\nNFG 2 R "t"', 2, ["version 1", "2"]),
        ('NFG 1\nX "t"', 2, ["R or D", "X"]),
        ("NFG 1 R\n{", 2, ["title", "{"]),
        ("NFG 1 R", 1, ["title", "end of the file"]),
        ('NFG 1 R "t\n\n', 1, ["quote"]),
        ('NFG 1 R "t" "a" "b"', 1, ["players", '"a"']),
        ('NFG 1 R "t"\n{ "a"\n"b"\n', 3, ["players", "end of the file"]),
        ('NFG 1 R "t"\n{ "a" b }', 2, ["players", "b"]),
        ('NFG 1 R "t"\n{ "a" } { 2 }\n1 2', 2, ["at least 2 players", "got 1"]),
        ('NFG 1 R "t"\n{ "a" "b\\\\" } { 1 1 } 1 1', 2, ["quote"]),
        ('NFG 1 R "t"\n{ "a" "b\x01" } { 1 1 } 1 1', 2, ["players", "control"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 }\n1 2 3 4', 2, ["2 players", "got 1"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 2 2 }\n1 2', 2, ["2 players", "got 3"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 0 }\n1 2', 2, ["player 2 has none"]),
        ('NFG 1 R "t" { "a" "b" }\n{ { "x" } { } }\n1 2', 2, ["player 2 has none"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 -2 }\n1 2', 2, ["number of strategies", "-2"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 2.0 }\n1 2', 2, ["number of strategies", "2.0"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 "x" }\n1 2', 2, ["strategies", '"x"']),
        ('NFG 1 R "t" { "a" "b" }\n{ { "x" } { "y"\n1 2', 3, ["player 2", "1"]),
        ('NFG 1 R "t" { "a" "b" }\n{ { "x" } { "y" }\n', 2, ["strategies", "end of the file"]),
        ('NFG 1 R "t" { "a" "b" }\n{ 9999999999 9999999999 }\n1 2', 3, ["got 2"]),
        (HEAD, 1, ["payoffs", "end of the file"]),
        (HEAD + '"comment" "again"', 2, ["payoffs", '"again"']),
        (HEAD + "1 2 3 4\n5 6 7\n\n", 3, ["expected 8 payoffs", "got 7"]),
        (HEAD + "1 2 3 4\n5 6 7 8\n9\n", 4, ["expected 8 payoffs", "got 9"]),
        (HEAD + "1 2 3 4\n5 6 seven 8", 3, ["number", "seven"]),
        (HEAD + "1 2 3 4\n5, 6, 7, 8", 3, ["number", "5,"]),
        (HEAD + "1 2 3 4\n5 6 7 8 // end", 3, ["number", "//"]),
        (HEAD + '1 2 3 4\n5 6 7 8 "end"', 3, ["number", '"end"']),
        (HEAD + "1 2 3 4\n5 6 nan 8", 3, ["number", "nan"]),
        (HEAD + "1 2 3 4\n5 6 -inf 8", 3, ["number", "-inf"]),
        (HEAD + "1 2 3 4\n5 6 1_0 8", 3, ["number", "1_0"]),
        (HEAD + "1 2 3 4\n5 6 . 8", 3, ["number", "."]),
        (HEAD + "1 2 3 4\n5 6 1e 8", 3, ["number", "1e"]),
        (HEAD + "1 2 3 4\n5 6 1.5/2 8", 3, ["number", "1.5/2"]),
        (HEAD + "1 2 3 4\n5 6 1/-2 8", 3, ["number", "1/-2"]),
        (HEAD + "1 2 3 4\n5 6 1/2/3 8", 3, ["number", "1/2/3"]),
        (HEAD + "1 2 3 4\n5 6 \u0663 8", 3, ["number", "\u0663"]),
        (HEAD + "1 2 3 4\n5 6\u00a07 8 8", 3, ["number", "6\u00a07"]),
        (HEAD + "1 2 3 4\n5 6 7/0 8", 3, ["zero", "7/0"]),
        (HEAD + "1 2 3 4\n5 6 1e400 8", 3, ["double", "1e400"]),
        (HEAD + "1 2 3 4\n5 6 1e-999999999 8", 3, ["3 digits of exponent", "1e-999999999"]),
        (HEAD + "1 2 3 4\n5 6 0." + "1" * 5000 + " 8", 3, ["1000 characters"]),
        (HEAD + "1 2 3 4\n5 6 " + "1" * 500 + " 8", 3, ["double"]),
        (HEAD + "1 2 3 4\n5 6 " + "1" * 500 + "/3 8", 3, ["double"]),
        (HEAD + "1e308 2 3 4\n5 6 -1e308 8", 2, ["range"]),
        (HEAD + '{ { "" 1 2 }\n{ "" 1 } }\n1 1 1 1', 3, ["2 payoffs", "}"]),
        (HEAD + '{ { "" 1 2 }\n{ "" 1 2 3 } }\n1 1 1 1', 3, ["2 payoffs", "3"]),
        (HEAD + '{ { "" 1 2 }\n{ "" 1,, 2 } }\n1 1 1 1', 3, ["payoffs", ","]),
        (HEAD + '{ { "" 1 2 }\n{ "" 1 x } }\n1 1 1 1', 3, ["number", "x"]),
        (HEAD + '{ { "" 1 2 }\n{ "" 1/0 2 } }\n1 1 1 1', 3, ["zero"]),
        (HEAD + '{ { "" 1 2 }\n{ 1 2 } }\n1 1 1 1', 3, ["name", "1"]),
        (HEAD + '{ { "" 1 2 }\n"x" }\n1 1 1 1', 3, ["outcomes", '"x"']),
        (HEAD + '{ { "" 1 2 }\n', 2, ["outcomes", "end of the file"]),
        (HEAD + '{ { "" 1 2 } }\n1 1\n1\n', 4, ["expected 4 outcome numbers", "got 3"]),
        (HEAD + '{ { "" 1 2 } }\n1 1\n1 1 1\n', 4, ["expected 4 outcome numbers", "got 5"]),
        (HEAD + '{ { "" 1 2 } }\n1 1\n1 2\n', 4, ["from 0 to 1", "2"]),
        (HEAD + '{ { "" 1 2 } }\n1 1\n1 -1\n', 4, ["outcome's number", "-1"]),
        (HEAD + '{ { "" 1 2 } }\n1 1\n1 1.0\n', 4, ["outcome's number", "1.0"]),
        (b'NFG 1 R "t"\n{ "\xe9" "b" }', 2, ["UTF-8", "0xe9"]),
    ],
)  # fmt: skip
def test_malformed_files_are_refused_with_their_line(read, tmp_path, text, line, parts):
    with pytest.raises(GameFileError) as caught:
        read(text)
    error = caught.value
    assert error.line == line, str(error)
    assert error.path == str(tmp_path / "game.nfg")
    assert str(error) == f"{error.path}, line {error.line}: {error.rule}"
    for part in parts:
        assert part in error.rule
    assert isinstance(error, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(text=st.text('NFG1RD"{} \n/.,-e5\\tab', max_size=120))
def test_any_text_is_a_game_or_an_error_with_a_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.nfg"
    for content in (text, HEAD + text):
        path.write_text(content, encoding="utf-8", newline="")
        line = 1
        try:
            game = read_nfg(path)
        except GameFileError as error:
            line = error.line
        else:
            assert game.exact.shape == game.payoffs.shape
        assert 1 <= line <= content.count("\n") + 1


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_nfg(tmp_path / "none.nfg")


LABEL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1)
LABEL = LABEL.filter(lambda x: '\\"' not in x and "\\\\" not in x and not x.endswith("\\"))
WORDS = (
    st.lists(LABEL, min_size=1, max_size=3)
    .map(" ".join)
    .filter(lambda x: '\\"' not in x and " " + x + " " == " " + " ".join(x.split()) + " ")
)
TEXT = st.text(st.characters(codec="utf-8")).filter(lambda x: not x.endswith("\\"))
NUMBER = st.one_of(
    st.fractions(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
)


@st.composite
def any_game(draw):
    """Return a small game of random names and numbers."""
    shape = draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    cells = len(shape) * int(np.prod(shape))
    kind = draw(st.sampled_from([NUMBER, st.floats(-1e9, 1e9), st.integers(-9, 9)]))
    numbers = np.empty(cells, dtype=object)
    numbers[:] = draw(st.lists(kind, min_size=cells, max_size=cells))
    numbers = numbers.reshape(len(shape), *shape)
    floats = all(isinstance(x, float) for x in numbers.flat)
    return NormalFormGame(
        numbers.astype(float) if floats else numbers,
        players=draw(st.lists(WORDS, min_size=len(shape), max_size=len(shape), unique=True)),
        actions=[draw(st.lists(WORDS, min_size=n, max_size=n, unique=True)) for n in shape],
        title=draw(TEXT),
        comment=draw(TEXT),
    )


@given(game=any_game(), outcomes=st.booleans())
def test_written_files_read_back_identically(tmp_path_factory, game, outcomes):
    again = round_trip(game, tmp_path_factory.getbasetemp(), outcomes=outcomes)
    assert again == game
    assert again.payoffs.tobytes() == game.payoffs.tobytes()
    assert again.exact.tolist() == game.exact.tolist()


@pytest.mark.parametrize("outcomes", [False, True])
@pytest.mark.parametrize(
    "value", [0.1, 1 / 3, 1e-300, 5e-324, 1e22, 2.0**53, -0.0, 123456789.123456789, 1e300]
)
def test_doubles_survive_to_the_last_bit(tmp_path, value, outcomes):
    game = NormalFormGame([[[value, 1.0]], [[0.5, -value]]])
    again = round_trip(game, tmp_path, outcomes=outcomes)
    assert again == game
    assert again.payoffs.tobytes() == game.payoffs.tobytes()


def test_written_numbers_are_the_readable_ones(tmp_path):
    path = tmp_path / "game.nfg"
    NormalFormGame([[[0.4, 3.0]], [[-1.5e-7, 2]]]).write_nfg(path)
    assert path.read_text().splitlines()[-2:] == ["0.4 -1.5e-07", "3 2"]
    NormalFormGame([[[Fraction(1, 3), 3]], [[0, 2]]]).write_nfg(path)
    assert path.read_text().splitlines()[-2:] == ["1/3 0", "3 2"]


@pytest.mark.parametrize("title", ["ends with \\", "half a pair \ud800"])
def test_texts_that_no_file_can_hold_are_refused(tmp_path, title):
    path = tmp_path / "game.nfg"
    path.write_text("precious")
    with pytest.raises(ValueError, match="cannot hold a text"):
        NormalFormGame(np.zeros((2, 1, 1)), title=title).write_nfg(path)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["game.nfg"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "game.nfg"
    path.write_text("precious")

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        NormalFormGame(np.zeros((2, 2, 2))).write_nfg(path)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["game.nfg"]


def test_writing_replaces_through_links_and_refuses_missing_folders(tmp_path):
    game = NormalFormGame(np.zeros((2, 2, 2)))
    target, link = tmp_path / "target.nfg", tmp_path / "link.nfg"
    target.write_text("old")
    link.symlink_to(target)
    game.write_nfg(link)
    assert link.is_symlink()
    assert read_nfg(target) == game
    with pytest.raises(FileNotFoundError):
        game.write_nfg(tmp_path / "none" / "game.nfg")


def test_large_files_hold_every_number(tmp_path):
    payoffs = np.random.default_rng(0).random((8, *(3,) * 8))
    game = NormalFormGame(payoffs)
    for outcomes in (False, True):
        np.testing.assert_array_equal(
            round_trip(game, tmp_path, outcomes=outcomes).payoffs, payoffs
        )


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("stag-hunt", "stag-hunt"),
        ("example-4.2", "example-4.2"),
        ("selten-chmura-1", "selten-chmura/1"),
        ("mckelvey-mclennan", "mckelvey-mclennan"),
        ("von-stengel-6x6", "von-stengel-6x6"),
    ],
)
def test_example_files_hold_the_catalogs_games(file, name):
    assert read_nfg(ROOT / "examples" / "games" / f"{file}.nfg") == catalog.load(name)


def gambit(path):
    """Return (labels of players, of strategies, title, comment, exact payoffs) as Gambit reads."""
    pygambit = pytest.importorskip("pygambit")
    game = pygambit.read_nfg(str(path))
    players = list(game.players)
    actions = [list(game.get_strategies(player)) for player in players]
    exact = np.empty((len(players), *map(len, actions)), dtype=object)
    for profile in game.contingencies:
        cell = tuple(a.index(profile[p]) for p, a in zip(players, actions, strict=True))
        payoffs = dict(game.get_payoffs(profile))
        for i, player in enumerate(players):
            value = payoffs[player]
            exact[(i, *cell)] = Fraction(int(value.numerator), int(value.denominator))
    return players, actions, game.title, game.description, exact


def assert_gambit_agrees(path):
    """Raise unless Gambit reads the same game from the file, to the last digit."""
    ours = read_nfg(path)
    players, actions, title, comment, exact = gambit(path)
    assert (title, comment) == (ours.title, ours.comment)
    assert tuple(players) == ours.players
    assert tuple(map(tuple, actions)) == ours.actions
    assert exact.tolist() == ours.exact.tolist()


@pytest.mark.parametrize("outcomes", [False, True])
@pytest.mark.parametrize("name", catalog.names())
def test_gambit_reads_what_we_write(tmp_path, name, outcomes):
    path = tmp_path / "game.nfg"
    catalog.load(name).write_nfg(path, outcomes=outcomes)
    assert_gambit_agrees(path)


@given(game=any_game(), outcomes=st.booleans())
def test_gambit_reads_any_game_that_we_write(tmp_path_factory, game, outcomes):
    path = tmp_path_factory.getbasetemp() / "peer.nfg"
    texts = {"title": 'a "title"', "comment": 'it\'s "good"'}
    game.relabel(**texts).write_nfg(path, outcomes=outcomes)
    assert_gambit_agrees(path)


def test_we_read_gambits_own_games():
    pygambit = pytest.importorskip("pygambit")
    found = sorted(Path(pygambit.__file__).parent.glob("catalog_data/**/*.nfg"))
    assert found
    for path in found:
        assert_gambit_agrees(path)
