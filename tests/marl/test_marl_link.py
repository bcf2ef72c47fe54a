"""What is learned on a game is its equilibrium at the same (tau, eps)."""

import numpy as np
import pytest

import marl
import rqe
from marl import link

BIAS = 0.005  # of constant step sizes; the probabilities themselves are known to 1e-10


def agrees(one):
    return one.gap <= 3 * one.error + BIAS


def test_srpo_settles_at_the_rqe_of_example_4_2():
    """Two asymmetric QRE and one symmetric one at tau = 0; a single RQE at tau = 10."""
    game = rqe.catalog.load("free-riding")
    (one,) = link.compare([game], link.learner(tau=10, eps=0.2), seeds=8, updates=1500)
    assert (one.runs, one.equilibria) == (8, 1)
    assert one.error < 0.01
    assert agrees(one)
    assert rqe.free_riding(one.exact).degree < 1e-6


def test_ippo_settles_at_free_riding_qre():
    game = rqe.catalog.load("free-riding")
    found = link.compare([game], link.learner(tau=0, eps=0.2), seeds=8, updates=2500)
    assert sum(one.runs for one in found) == 8
    for one in found:
        assert one.equilibria == 3
        assert rqe.free_riding(one.exact).degree > 0.2
        assert one.gap < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("adversary", ["learned", "tilted"])
@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_human_data_games_side_by_side(penalty, adversary):
    games = [rqe.catalog.load(f"selten-chmura/{k}") for k in range(1, 13)]
    unit = [rqe.NormalFormGame(g.payoffs / np.ptp(g.payoffs)) for g in games]
    algo = link.learner(tau=2.0, eps=0.1, penalty=penalty, adversary=adversary)
    found = link.compare(unit, algo, seeds=16, updates=3000)
    assert len(found) == 12
    assert all(map(agrees, found))


@pytest.mark.slow
@pytest.mark.parametrize("kl_in", ["loss", "reward"])
@pytest.mark.parametrize("penalty", ["kl", "reverse_kl"])
def test_loss_and_reward_penalties_have_the_same_fixed_point(penalty, kl_in):
    game = rqe.catalog.load("free-riding")
    algo = link.learner(tau=2.0, eps=0.3, penalty=penalty, kl_in=kl_in)
    (one,) = link.compare([game], algo, seeds=16, updates=3000)
    assert agrees(one)


def test_games_are_learned_each_with_its_own_payoffs():
    """In the first game action 1 is dominant for both, in the second action 2."""
    up = rqe.NormalFormGame([[[2, 2], [0, 0]], [[2, 0], [2, 0]]], title="up")
    down = rqe.NormalFormGame([[[0, 0], [2, 2]], [[0, 2], [0, 2]]], title="down")
    algo = link.learner(tau=1.0, eps=0.5, n_envs=32, lr=1e-2)
    first, second = link.compare([up, down], algo, seeds=2, updates=400)
    assert (first.learned[:, :, 0] > 0.9).all()
    assert (second.learned[:, :, 1] > 0.9).all()
    text = link.markdown([first, second]).splitlines()
    assert text[2].startswith("| up | reverse_kl, learned | 1 | 0.5 | 2 | 0.9")
    assert len(text) == 4


def test_bad_input_is_named():
    small, large = rqe.catalog.load("stag-hunt"), rqe.catalog.load("free-riding/counterexample")
    algo = link.learner()
    with pytest.raises(ValueError, match=r"one shape, got \[\(2, 2\), \(4, 4\)\]"):
        link.compare([small, large], algo)
    with pytest.raises(ValueError, match="normalise_advantages must be False"):
        link.compare([small], marl.IPPO(normalise_advantages=True))
    with pytest.raises(ValueError, match="eps must be positive"):
        link.compare([small], link.learner(eps=0.0))
