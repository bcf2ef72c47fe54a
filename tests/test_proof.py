"""Certificates: they hold what 50-digit arithmetic says, and they refuse what is not true."""

import dataclasses
import json
import math
import re
from fractions import Fraction

import flint
import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest

import rqe
from rqe.cli import main
from rqe.concepts import PENALTIES, REGULARIZERS
from rqe.proof import ProofStatus
from tests.reference import digits

PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]
INF = math.inf
each_pair = pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)


def random_game(seed, shape):
    return rqe.NormalFormGame(np.random.default_rng([seed, *shape]).random((len(shape), *shape)))


def moved(solution, distance):
    """The same solution with its first strategy moved."""
    x = solution.strategies[0].copy()
    x[0], x[1] = x[0] + distance, x[1] - distance
    logs = (np.log(x), *solution.log_strategies[1:])
    return dataclasses.replace(solution, log_strategies=logs)


def ball(text):
    """Midpoint and radius of a printed enclosure."""
    found = re.fullmatch(r"\[(\S+) \+/- (\S+)\]", text)
    assert found is not None, text
    return mp.mpf(found[1]), mp.mpf(found[2])


@each_pair
@pytest.mark.parametrize("tau", [0.0, 1.5])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3, 2)])
def test_certified_radii_hold_answers_to_50_digits(shape, tau, penalty, regularizer):
    taus = [tau, 0.5 * tau, 2.0 * tau][: len(shape)]
    solution = rqe.solve(
        random_game(0, shape), taus, 0.15, penalty=penalty, regularizer=regularizer
    )
    certificate = rqe.certify(solution, digits=40)
    assert certificate.proved
    assert certificate.unique_in_box
    assert certificate.payoffs == "doubles"
    truth = digits.refine(solution)
    for i, exact in enumerate(truth):
        for a, value in enumerate(exact):
            off = abs(value - mp.mpf(float(solution.strategies[i][a])))
            assert off <= certificate.radius[i][a] < 1e-9
            off = abs(mp.log(value) - mp.mpf(float(solution.log_strategies[i][a])))
            assert off <= certificate.log_radius[i][a]
            middle, radius = ball(certificate.enclosure[i][a])
            assert abs(value - middle) <= radius < mp.mpf(10) ** -38


@each_pair
@pytest.mark.parametrize("tau", [0.0, 1.0, INF])
def test_a_profile_moved_by_1e_minus_6_gets_no_certificate(tau, penalty, regularizer):
    solution = rqe.solve(random_game(1, (3, 3)), tau, 0.2, penalty=penalty, regularizer=regularizer)
    assert rqe.certify(solution).proved
    certificate = rqe.certify(moved(solution, 1e-6))
    assert not certificate.proved
    assert certificate.status in (ProofStatus.ELSEWHERE, ProofStatus.DEGENERATE)
    if certificate.status is ProofStatus.ELSEWHERE:
        assert certificate.radius[0][0] == pytest.approx(1e-6, rel=1e-6)
        assert np.allclose(certificate.log_strategies[0], solution.log_strategies[0], atol=1e-12)


def test_zero_eps_is_refused_with_advice():
    certificate = rqe.certify(rqe.nash(random_game(0, (2, 2))))
    assert certificate.status is ProofStatus.NEEDS_EPS
    assert not certificate.proved
    assert certificate.largest_radius == INF
    assert "eps > 0" in certificate.reason


def test_a_bifurcation_is_refused_and_named():
    # At eps = 1/2 three branches meet in the middle of this coordination game.
    game = rqe.NormalFormGame([np.eye(2)] * 2)
    at = rqe.solve(game, 0.0, 0.5, throw=False)
    certificate = rqe.certify(at)
    assert certificate.status is ProofStatus.SINGULAR
    assert "bifurcation" in certificate.reason
    near = rqe.solve(game, 0.0, 0.5 + 1e-6, throw=False)
    assert rqe.certify(near).proved


def test_a_profile_far_from_all_equilibria_is_refused():
    solution = rqe.solve(random_game(2, (3, 3)), 0.0, 0.05)
    certificate = rqe.certify(moved(solution, -0.3 * solution.strategies[0][0]))
    assert not certificate.proved


def test_precision_is_raised_until_the_digits_are_there_and_then_restored():
    solution = rqe.solve(random_game(0, (2, 2)), 1.0, 0.2)
    before = flint.ctx.prec
    low, high = rqe.certify(solution), rqe.certify(solution, digits=80)
    assert flint.ctx.prec == before
    assert low.precision < high.precision
    assert ball(high.enclosure[0][0])[1] < mp.mpf(10) ** -80
    assert not rqe.certify(solution, digits=200, max_precision=128).proved


def test_exact_payoffs_are_the_rationals_given():
    third = Fraction(1, 3)
    game = rqe.NormalFormGame([[[third, third], [0, 0]], [[0, 0], [0, 0]]])
    solution = rqe.solve(game, 0.0, 0.25)
    given, doubles = (rqe.certify(solution, digits=40, payoffs=k) for k in ("given", "doubles"))
    assert (given.payoffs, doubles.payoffs) == ("exact", "doubles")
    for certificate, payoff in ((given, mp.mpf(1) / 3), (doubles, mp.mpf(1 / 3))):
        middle, radius = ball(certificate.enclosure[0][0])
        assert abs(1 / (1 + mp.exp(-4 * payoff)) - middle) <= radius < mp.mpf(10) ** -38
    assert given.enclosure != doubles.enclosure


@each_pair
def test_security_strategies_are_certified(penalty, regularizer):
    tau = [INF, 1.0, INF]
    game = random_game(3, (2, 3, 2))
    solution = rqe.solve(game, tau, 0.1, penalty=penalty, regularizer=regularizer)
    certificate = rqe.certify(solution)
    assert certificate.proved
    assert certificate.largest_radius < 1e-9


def test_a_worst_case_that_is_not_strict_is_refused():
    # Indifferent between the others' actions at every strategy: any adversary is a worst one.
    game = rqe.NormalFormGame([[[1, 1], [0, 0]], [[1, 0], [0, 1]]])
    certificate = rqe.certify(rqe.solve(game, INF, 0.5))
    assert certificate.status in (ProofStatus.DEGENERATE, ProofStatus.SINGULAR)


def test_uniform_and_single_action_players_need_no_proof():
    game = random_game(0, (2, 1, 3))
    assert rqe.certify(rqe.solve(game, 1.0, [0.2, 0.1, INF])).proved
    assert rqe.certify(rqe.solve(game, 1.0, INF)).largest_radius < 1e-15


def test_tiny_probabilities_have_sharp_logarithms():
    solution = rqe.solve(random_game(4, (3, 3)), 0.0, 1e-4)
    assert min(float(log_x.min()) for log_x in solution.log_strategies) < -700.0
    certificate = rqe.certify(solution)
    assert certificate.proved
    assert max(float(r.max()) for r in certificate.log_radius) < 1e-6


def test_large_games_are_certified():
    solution = rqe.solve(random_game(0, (30, 30)), 1.0, 0.05)
    certificate = rqe.certify(solution)
    assert certificate.proved
    assert certificate.precision <= 192


def test_a_certificate_prints_and_converts():
    certificate = rqe.certify(rqe.solve(random_game(0, (2, 2)), 1.0, 0.2))
    data = json.loads(json.dumps(certificate.to_dict()))
    assert data["status"] == "proved"
    assert "one equilibrium within" in repr(certificate)
    refused = rqe.certify(rqe.nash(random_game(0, (2, 2))))
    assert "needs_eps" in repr(refused)
    assert json.loads(json.dumps(refused.to_dict()))["radius"][0][0] == "inf"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tol", 0.0),
        ("tol", 1.0),
        ("tol", "1e-8"),
        ("digits", -1),
        ("digits", 2.5),
        ("payoffs", "floats"),
        ("max_precision", 10),
        ("max_precision", None),
    ],
)
def test_options_are_checked(option, value):
    solution = rqe.solve(random_game(0, (2, 2)), 1.0, 0.2)
    with pytest.raises((TypeError, ValueError), match=option):
        rqe.certify(solution, **{option: value})


def test_command_line_certifies(capsys):
    assert main(["solve", "stag-hunt", "--eps", "0.2", "--certify"]) == 0
    assert "exactly one equilibrium within" in capsys.readouterr().out
    assert main(["solve", "stag-hunt", "--eps", "0.2", "--certify", "--json", "-"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["proof"]["status"] == "proved"


def test_command_line_says_why_not(capsys):
    assert main(["solve", "stag-hunt", "--certify"]) == 1
    assert "not certified" in capsys.readouterr().err
    assert main(["solve", "stag-hunt", "--eps", "0.2", "--certify", "--trace"]) == 2
    assert "--trace" in capsys.readouterr().err
