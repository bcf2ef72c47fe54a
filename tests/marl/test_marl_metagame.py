"""Cross-play matrices as games of rqe."""

import types

import numpy as np
import pytest

import rqe
from marl import metagame

SYMMETRIC = [[[5.0, 5.0], [0.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]]


def test_payoffs_are_the_seats_own_returns():
    returns = np.arange(18.0).reshape(3, 3, 2)
    meta = metagame.meta_game(returns, ["ippo", "srpo", "srpo"])
    assert meta.game.payoffs[1][0, 2] == returns[0, 2, 1]
    assert meta.game.actions[0] == ("ippo 0", "srpo 0", "srpo 1")
    assert meta.game.players == ("seat 0", "seat 1")


def test_equilibria_are_those_of_rqe():
    meta = metagame.meta_game(SYMMETRIC, ["srpo", "ippo"])
    assert meta.pure_equilibria() == ((0, 0), (1, 1))
    rows = {row.concept: row for row in meta.table(tau=0.5, eps=0.4)}
    exact = rqe.solve(meta.game, tau=0.5, eps=0.4)
    assert rows["rqe"].weights["srpo"] == pytest.approx([s[0] for s in exact.strategies])
    noisy = rqe.qre(meta.game, 1 / 0.4)
    assert rows["qre"].weights["ippo"] == pytest.approx([s[1] for s in noisy.strategies])
    assert (rows["qre"].tau, rows["nash"].eps) == (0.0, 0.0)
    assert rows["nash"].total == pytest.approx(sum(rows["nash"].returns))
    assert all(row.regret <= 1e-8 for row in rows.values())


def test_a_method_that_is_better_with_everybody_gets_all_the_weight():
    rng = np.random.default_rng(3)
    returns = 100 + rng.normal(size=(12, 12, 2))
    returns[6:, :, 0] += 50  # rows choose seat 0
    returns[:, 6:, 1] += 50
    meta = metagame.meta_game(returns, ["ippo"] * 6 + ["srpo"] * 6)
    nash, qre, risky = meta.table()
    assert nash.weights["srpo"] == pytest.approx((1.0, 1.0))
    assert min(qre.weights["srpo"] + risky.weights["srpo"]) > 0.99
    assert nash.likeliest[0].startswith("srpo")
    text = metagame.markdown([nash, qre, risky]).splitlines()
    assert text[0] == "| concept | tau | eps | ippo | srpo | sum of returns | residual | regret |"
    assert text[2].startswith("| nash | 0 | 0 | 0.00 / 0.00 | 1.00 / 1.00 |")


def test_a_sampled_matrix_is_split_into_own_returns():
    private = np.array([[[-1.0, -3.0], [-2.0, 0.0]], [[0.0, -2.0], [-1.0, -1.0]]])
    shared = np.array([[10.0, 4.0], [6.0, 8.0]])
    cross = types.SimpleNamespace(
        returns=2 * shared + private.sum(-1), private=private, groups=("a", "b"), seeds=(7, 8)
    )
    meta = metagame.from_crossplay(cross)  # type: ignore[arg-type]
    np.testing.assert_allclose(meta.game.payoffs[0], shared + private[..., 0])
    np.testing.assert_allclose(meta.game.payoffs[1], shared + private[..., 1])
    assert meta.game.actions[1] == ("a 7", "b 8")
    cross.private = np.zeros((2, 2, 3))
    with pytest.raises(ValueError, match="must be of two seats, got 3"):
        metagame.from_crossplay(cross)  # type: ignore[arg-type]


def test_teams_that_are_all_alike_make_a_game_too():
    meta = metagame.meta_game(np.full((1, 1, 2), 7.0), ["only"])
    assert [row.total for row in meta.table()] == [14.0] * 3


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"shape \(3, 3, 2\) for 3 groups, got \(2, 2, 2\)"):
        metagame.meta_game(SYMMETRIC, ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"concept must be one of .* got 'minimax'"):
        metagame.meta_game(SYMMETRIC, ["a", "b"]).solve("minimax")
