"""The catalog: every game loads, says where it is from, and has the answers that are published."""

import json
import subprocess
import sys
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rqe.games import NormalFormGame, catalog

ROOT = Path(__file__).resolve().parent.parent
NAMES = catalog.names()
CLASSICS = (
    "prisoners-dilemma", "stag-hunt", "battle-of-the-sexes", "matching-pennies",
    "rock-paper-scissors", "public-goods", "volunteers-dilemma", "minimum-effort",
    "travellers-dilemma", "11-20", "centipede", "oneill", "shapley", "mckelvey-mclennan",
    "von-stengel-6x6", "example-4.2", "chicken", "team-matching-pennies", "goeree-holt-palfrey/4",
    *(f"selten-chmura/{k}" for k in range(1, 13)),
)  # fmt: skip


def data(name):
    """Return the content of a JSON file of the package."""
    return json.loads(files("rqe.games").joinpath("data", name).read_text(encoding="utf-8"))


def values(game, i, joint):
    """Return the expected payoffs (n_i,) of i's actions against weights `joint` on the others'."""
    own_first = np.moveaxis(game.payoffs[i], i, 0)
    return own_first.reshape(game.shape[i], -1) @ joint.ravel()


def others(x, i):
    """Return the product distribution of all strategies but the i-th."""
    joint = np.ones(())
    for j, strategy in enumerate(x):
        if j != i:
            joint = np.multiply.outer(joint, strategy)
    return joint


def test_names_are_unique_and_hold_the_classics():
    assert len(set(NAMES)) == len(NAMES)
    assert set(CLASSICS) <= set(NAMES)
    used = [entry.get("known") for entry in data("games.json")["games"].values()]
    assert {game["name"] for game in data("known_answers.json")["games"]} <= set(used)


@pytest.mark.parametrize("name", NAMES)
def test_every_game_loads_and_says_where_it_is_from(name):
    game = catalog.load(name)
    assert isinstance(game, NormalFormGame)
    assert game.title
    assert game.comment
    text = catalog.describe(name)
    assert text.splitlines()[1] == f"Source: {game.comment}"
    assert len(text.splitlines()) >= 3
    assert catalog.load(name) == game


@pytest.mark.parametrize("name", NAMES)
def test_known_nash_equilibria_are_equilibria(name):
    game = catalog.load(name)
    known = catalog.known(name)
    assert bool(known.nash) == bool(known.complete)
    for profile in known.nash:
        x = [np.array(strategy) for strategy in profile]
        for i in range(game.n_players):
            np.testing.assert_allclose(x[i].sum(), 1.0, rtol=1e-14)
            v = values(game, i, others(x, i))
            assert v.max() - v @ x[i] <= 1e-13 * max(1.0, game.payoff_range[i])


@pytest.mark.parametrize("name", [name for name in NAMES if catalog.known(name).points])
def test_known_points_are_fixed_points(name):
    game = catalog.load(name)
    for point in catalog.known(name).points:
        assert (point.penalty, point.regularizer) == ("kl", "entropy")
        x = [np.array(strategy) for strategy in point.strategies]
        loose = "7 digits" in point.source
        for i in range(game.n_players):
            joint = others(x, i)
            if point.tau[i] > 0:
                g = np.tensordot(x[i], np.moveaxis(game.payoffs[i], i, 0), 1)
                joint = joint * np.exp(-point.tau[i] * (g - g.min()))
            v = values(game, i, joint / joint.sum()) / point.eps[i]
            response = np.exp(v - v.max())
            np.testing.assert_allclose(
                x[i], response / response.sum(), rtol=2e-3 if loose else 1e-12, atol=1e-15
            )


def test_human_data_are_the_published_ones():
    answers = {game["name"]: game for game in data("known_answers.json")["games"]}
    humans = {game["name"]: game for game in data("selten_chmura_2008.json")["games"]}
    for k in range(1, 13):
        game = catalog.load(f"selten-chmura/{k}")
        known = catalog.known(f"selten-chmura/{k}")
        assert game.payoffs.tolist() == answers[f"Selten-Chmura 2008 game {k}"]["payoffs"]
        assert game.payoffs.tolist() == humans[f"SC{k:02d}"]["payoffs"]
        assert known.observed is not None
        assert [x[0] for x in known.observed] == humans[f"SC{k:02d}"]["observed"]
        assert [sum(x) for x in known.observed] == [1.0, 1.0]
    # As in the journal; the code of arXiv 2406.14156 has 10.
    assert catalog.load("selten-chmura/1").payoffs[1, 0, 0] == 8.0
    fit = catalog.known("goeree-holt-palfrey/4").fits[0]
    assert (fit.penalty, fit.regularizer) == ("kl", "log_barrier")
    assert fit.tau == tuple(humans["GHP4"]["kl_log_barrier"]["tau"])


def test_example_42_is_the_free_riding_game():
    game, family = catalog.load("example-4.2"), catalog.load("free-riding", players=2, cost=0.4)
    assert game.exact.tolist() == family.exact.tolist()
    assert game.actions == family.actions == (("C", "D"), ("C", "D"))
    assert game.exact[0].tolist() == [[Fraction(3, 5), Fraction(3, 5)], [1, 0]]
    assert sum(point.tau == (0.5, 0.5) for point in catalog.known("example-4.2").points) == 3


def test_counterexample_is_exact_and_symmetric():
    game = catalog.load("free-riding/counterexample")
    assert game.exact[0, 1, 0] == Fraction(1, 10)
    assert game.permute((1, 0)).payoffs.tolist() == game.payoffs.tolist()


@pytest.mark.parametrize("players", [2, 3, 5])
def test_volunteers_dilemma(players):
    game = catalog.load("volunteers-dilemma", players=players, benefit=2, cost="1/3")
    for cell in np.ndindex(*game.shape):
        for i in range(players):
            expected = (2 if 0 in cell else 0) - (Fraction(1, 3) if cell[i] == 0 else 0)
            assert game.exact[(i, *cell)] == expected
            assert game.payoffs[(i, *cell)] == float(expected)


def test_public_goods_and_minimum_effort():
    goods = catalog.load("public-goods", players=3, tokens=2, mpcr=0.4)
    effort = catalog.load("minimum-effort", players=3, efforts=3)
    tenth = Fraction(1, 10)
    for cell in np.ndindex(3, 3, 3):
        for i in range(3):
            assert goods.exact[(i, *cell)] == 2 - cell[i] + 4 * tenth * sum(cell)
            expected = 6 * tenth + 2 * tenth * (min(cell) + 1) - tenth * (cell[i] + 1)
            assert effort.exact[(i, *cell)] == expected


def test_two_player_families():
    claims = catalog.load("travellers-dilemma", low=2, high=4, bonus=2)
    assert claims.payoffs[0].tolist() == [[2, 4, 4], [0, 3, 5], [0, 1, 4]]
    assert claims.payoffs[1].tolist() == claims.payoffs[0].T.tolist()
    asked = catalog.load("11-20", low=18)
    assert asked.payoffs[0].tolist() == [[18, 38, 18], [19, 19, 39], [20, 20, 20]]
    assert asked.actions[1] == ("18", "19", "20")


def test_centipede_of_mckelvey_and_palfrey():
    game = catalog.load("centipede")
    assert game.payoffs[0].tolist() == [[0.4, 0.4, 0.4], [0.2, 1.6, 1.6], [0.2, 0.8, 6.4]]
    assert game.payoffs[1].tolist() == [[0.1, 0.1, 0.1], [0.8, 0.4, 0.4], [0.8, 3.2, 1.6]]
    assert game.actions == (("take at 1", "take at 3", "pass"), ("take at 2", "take at 4", "pass"))
    six = catalog.load("centipede", moves=6)
    assert six.shape == (4, 4)
    assert six.payoffs[:, -1, -1].tolist() == [25.6, 6.4]
    three = catalog.load("centipede", moves=3)
    assert three.shape == (3, 2)
    assert three.payoffs[:, -1, -1].tolist() == [0.8, 3.2]


def test_team_matching_pennies():
    game = catalog.load("team-matching-pennies", players=4)
    for cell in np.ndindex(*game.shape):
        win = float(len(set(cell)) == 1)
        assert game.payoffs[(slice(None), *cell)].tolist() == [win, win, win, -win]


def test_large_families_are_built():
    game = catalog.load("public-goods", players=12)
    assert game.shape == (2,) * 12
    assert "players=12" in game.title


@pytest.mark.parametrize(
    ("name", "parameters", "error", "parts"),
    [
        ("prisoner-dilema", {}, catalog.UnknownGameError, ["'prisoner-dilema'", "'prisoners-dile"]),
        ("selten-chmura/13", {}, catalog.UnknownGameError, ["'selten-chmura/1"]),
        ("qqqqqq", {}, catalog.UnknownGameError, ["'qqqqqq'", "names()"]),
        (None, {}, TypeError, ["name", "None"]),
        ("chicken", {"players": 3}, TypeError, ["'chicken'", "'players'", "none"]),
        ("public-goods", {"player": 3}, TypeError, ["'player'", "players, tokens, mpcr"]),
        ("public-goods", {"players": 1}, ValueError, ["players", "at least 2", "1"]),
        ("public-goods", {"players": 2.0}, TypeError, ["players", "integer", "2.0"]),
        ("public-goods", {"players": True}, TypeError, ["players", "integer", "True"]),
        ("public-goods", {"players": 40}, ValueError, ["40 players", "1e+08 payoffs"]),
        ("public-goods", {"players": 10**9}, ValueError, ["1000000000 players"]),
        ("public-goods", {"mpcr": "much"}, ValueError, ["mpcr", "'much'"]),
        ("public-goods", {"mpcr": float("nan")}, ValueError, ["mpcr", "nan"]),
        ("public-goods", {"mpcr": "1/0"}, ValueError, ["mpcr", "'1/0'"]),
        ("public-goods", {"mpcr": None}, ValueError, ["mpcr", "None"]),
        ("public-goods", {"mpcr": "1e400"}, ValueError, ["mpcr", "finite", "1e400"]),
        ("public-goods", {"mpcr": 10**400}, ValueError, ["payoffs", "doubles"]),
        ("volunteers-dilemma", {"cost": 2}, ValueError, ["cost", "2"]),
        ("team-matching-pennies", {"players": 2}, ValueError, ["players", "at least 3"]),
        ("travellers-dilemma", {"high": 1}, ValueError, ["high", "at least 2"]),
        ("travellers-dilemma", {"high": 10**6}, ValueError, ["999999 actions", "payoffs"]),
        ("prisoners-dilemma", {"sucker": 2}, ValueError, ["punishment > sucker", "2"]),
        ("centipede", {"moves": 1}, ValueError, ["moves", "at least 2"]),
        ("centipede", {"moves": 10**6}, ValueError, ["moves", "999"]),
    ],
)
def test_unknown_names_and_bad_parameters_are_refused(name, parameters, error, parts):
    with pytest.raises(error) as caught:
        catalog.load(name, **parameters)
    for part in parts:
        assert part in str(caught.value)


def test_unknown_name_is_a_key_error_and_a_value_error():
    assert issubclass(catalog.UnknownGameError, KeyError)
    assert issubclass(catalog.UnknownGameError, ValueError)
    for function in (catalog.describe, catalog.known):
        with pytest.raises(catalog.UnknownGameError, match="'chicken'"):
            function("chiken")


def test_games_import_nothing_heavy():
    code = (
        "import sys, rqe.games.catalog;"
        "print([m for m in ('numba', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"
