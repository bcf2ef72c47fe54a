"""The claims: proofs run, checks know known games, searches reach the verdicts on record."""

import contextlib
import io
import math
from dataclasses import replace

import numpy as np
import pytest

import rqe
from rqe import theorems
from rqe.theorems import (
    _agreement,
    _climb,
    _families,
    _shrink,
    example_4_1,
    example_4_2,
    identity,
    proposition_b1,
    theorem_1,
    theorem_2,
)
from rqe.theorems._batch import Batch, defect, newton, solved

COUNTEREXAMPLE = rqe.catalog.load("free-riding/counterexample")
QUICK = [t for t in theorems.all() if t.name != "theorem-2-published"]


def names(claims):
    return [claim.name for claim in claims]


@pytest.mark.parametrize("theorem", theorems.all(), ids=names(theorems.all()))
def test_derivations_run_and_say_what_they_prove(theorem):
    pytest.importorskip("sympy")
    proved = theorem.derive()
    assert proved
    for step in proved:
        assert step.claim
    for text in (theorem.title, theorem.statement, theorem.latex, theorem.margin, theorem.source):
        assert text


def test_a_false_identity_is_not_proved():
    sympy = pytest.importorskip("sympy")
    from rqe.theorems._proof import prove

    x = sympy.Symbol("x")
    with pytest.raises(ArithmeticError, match="the sides differ by"):
        prove("x = x + 1", x, x + 1)


@pytest.mark.parametrize("theorem", QUICK, ids=names(QUICK))
def test_searches_reach_the_verdicts_on_record(theorem):
    found = theorem.search(np.random.default_rng(7), 800)
    assert (found.counterexample is None) == theorem.true
    assert found.tried >= 1
    assert (found.margin > -1e-7) == theorem.true


def printed(code):
    """What code to paste prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    return out.getvalue()


def test_published_theorem_2_is_refuted_by_search():
    """Bred, certified, shrunken, and not the game on record."""
    found = theorems.by_name("theorem-2-published").search(np.random.default_rng(0), 1000)
    example = found.counterexample
    assert example is not None, f"none in {found.tried} games"
    assert example.evidence.margin <= -0.1
    assert not example.evidence.holds
    solution = example.evidence.witness
    assert solution.residual <= 1e-10
    assert solution.regret <= 1e-9
    parts = rqe.free_riding(solution)
    limit = rqe.risk_aversion_for(example.game, parts.degree, example.eps, kind="published")
    assert example.tau > 1.05 * limit
    reward = example.game.payoffs[0] + parts.costs[0][:, None]
    assert np.ptp(reward) == pytest.approx(1.0)  # no trick of units: R spans [0, 1], c lies in it
    assert all(c.min() >= 0.0 and c.max() <= 1.0 for c in parts.costs)
    assert not np.array_equal(example.game.payoffs, COUNTEREXAMPLE.payoffs)
    assert f"degree {parts.degree:.6f}"[:12] in printed(example.code)


@pytest.mark.parametrize(
    ("kind", "holds", "limit"),
    [("published", False, 434.1645), ("corrected", True, 21708.22), ("sharp", True, 2014.13)],
)
def test_forms_of_theorem_2_at_the_game_on_record(kind, holds, limit):
    evidence = theorems.by_name(f"theorem-2-{kind}").check(COUNTEREXAMPLE, 1200, 0.02)
    assert evidence.holds is holds
    assert evidence.margin == pytest.approx(1.0 - 1200 / limit, rel=1e-4)
    assert "degree 0.683404" in evidence.note


def test_identity_at_the_game_on_record():
    evidence = theorems.by_name("identity").check(COUNTEREXAMPLE, 1200, 0.02)
    assert evidence.holds
    crowded = theorems.by_name("uniqueness-kl-entropy").check(COUNTEREXAMPLE, 1200, 0.02)
    assert crowded.margin == pytest.approx(1.0 - 576.0)


def test_corollary_rules_out_free_riding():
    game = rqe.NormalFormGame.collaborative([[1, 0], [0, 1]], [0.2, 0.0])
    evidence = theorems.by_name("corollary-definite").check(game, 1.0, 0.05)
    assert evidence.holds
    assert evidence.margin == math.inf  # no equilibrium at which the players differ


def test_corollary_of_semidefinite_rewards_can_fail():
    log_x = np.log([[[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]])  # as if it were an equilibrium
    for reward, margin in ((np.eye(3), -1.0), (1.0 - np.eye(3), 1.0), (np.ones((3, 3)), 0.0)):
        one = Batch(reward[None], np.zeros((1, 3)), np.ones(1), np.ones(1), log_x)
        scaled = margin if np.ptp(reward) else 0.0
        assert identity._definite(one)[0] == pytest.approx(scaled, abs=1e-12)


def test_example_4_2_counts():
    for tau, count in ((0.0, 3), (0.5, 3), (0.828, 3), (0.8288, 1), (10.0, 1)):
        assert len(example_4_2.profiles(tau)) == count
    star = example_4_2.pitchfork()
    assert star.tau == pytest.approx(0.8287886937257862, abs=1e-13)
    assert star.x == pytest.approx(0.6002057027981795, abs=1e-13)
    with pytest.raises(ValueError, match="must allow free-riding"):
        example_4_2.pitchfork(0.4, 5.0)


def test_errata_of_quadratic_games():
    game = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0, 1.0])
    assert proposition_b1.means(game, 0.5, 1.0)[0, 0] == pytest.approx(2 / 7, abs=1e-14)
    with pytest.raises(ValueError, match="kind must be one of corrected, published; got 'new'"):
        proposition_b1.means(game, 0.5, 1.0, "new")
    wrong = proposition_b1.means(game, 0.5, 1.0, "published")
    assert wrong[0, 0] == pytest.approx(5 / 16, abs=1e-14)
    two = rqe.AggregativeGame(2.0, 1.0, [1.0, 3.0])
    for kind in ("published", "corrected"):  # they agree for two players
        assert proposition_b1.check(two, 0.2, 1.0, kind=kind).holds
    assert example_4_1.check(example_4_1.game(), 1.0, 1.0).holds
    assert not example_4_1.check(example_4_1.game(), 1.0, 1.0, kind="published").holds


def test_theorem_1_with_equal_matrix_costs_holds_and_with_different_ones_fails():
    H, target = [[0.12, 0.05], [0.05, 0.47]], [-2.3, -0.2]
    costs = [[[0.51, -0.29], [-0.29, 2.6]], [[2.28, 0.42], [0.42, 0.46]]]
    game = theorem_1.matrix_costs(H, target, costs)
    assert not theorem_1.check_matrix_costs(game, [3.5, 1.2], [1.5, 0.4]).holds
    same = theorem_1.matrix_costs(H, target, [np.eye(2), np.eye(2)])
    assert theorem_1.check_matrix_costs(same, [0.5, 0.2], [1.5, 0.4]).holds
    scalar = rqe.AggregativeGame(H, target, [1.0, 1.0])
    first = theorem_1.check(scalar, [0.5, 0.2], [1.5, 0.4])
    second = theorem_1.check_matrix_costs(same, [0.5, 0.2], [1.5, 0.4])
    assert first.margin == pytest.approx(second.margin, rel=1e-9)


def test_matrix_costs_are_judged_by_the_shortfall_alone():
    costs, eps = [np.eye(2), 2.0 * np.eye(2)], 0.5
    met = theorem_1.matrix_costs(np.eye(2), [0.0, 0.0], costs)
    assert theorem_1.check_matrix_costs(met, 0.1, eps).margin == math.inf
    near, far = (
        theorem_1.check_matrix_costs(theorem_1.matrix_costs(np.eye(2), target, costs), 0.1, eps)
        for target in ([1e-9, 0.0], [1.0, 0.0])
    )
    assert near.holds
    assert near.margin == pytest.approx(far.margin)


def test_tau_that_changes_nothing_is_left_out():
    game = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0])
    assert theorem_1.check(game, [0.1, 0.1], [0.0, 0.0]).margin == math.inf
    one_sided = theorem_1.check(game, [0.1, 0.1], [0.5, 0.0])  # only player 2 faces noise
    assert one_sided.holds
    assert one_sided.note.startswith("tau[1]")
    for target, tau in ((0.0, 1.0), (1.0, np.nextafter(2.0, 0.0))):  # nothing is left to gain
        found = theorem_1.check(rqe.AggregativeGame(1.0, target, [1.0, 1.0]), tau, 1.0)
        assert (found.holds, found.margin) == (True, math.inf)


def test_theorem_1_is_judged_beyond_the_rounding_of_the_noise():
    game = rqe.AggregativeGame(1.0, 1.0, np.ones(10_000))  # J = -2500, what can be gained 5e-9
    found = theorem_1.check(game, 1e-5, 1.0, players=[0])
    assert found.holds
    assert 0.0 < found.margin == pytest.approx(_gain_of_one(10_000), rel=1e-6)


def _gain_of_one(count):
    """1 - (d'/d)^2 where player 0's tau rises from 1e-5 by a tenth of what is left."""
    V = (count - 1) / 2
    tau = 1e-5 + 0.1 * (1 / V - 1e-5)
    others = (count - 1) / (1 - 1e-5 * V)
    sums = [1.0 + others + 1.0 / (1 - t * V) for t in (1e-5, tau)]
    return 1.0 - (sums[0] / sums[1]) ** 2


@pytest.mark.parametrize("n", [2, 3, 4])
def test_planted_games_have_their_equilibrium(n):
    games = _families.planted(np.random.default_rng(n), 60, n)
    games = games.pick(solved(games))
    assert len(games) > 20
    assert (games.distance > 1e-6).all()
    for k in range(10):
        game = rqe.NormalFormGame.collaborative(games.reward[k], games.cost[k])
        concept = rqe.Concept.of(game, games.tau[k], games.eps[k])
        scale = game.payoff_range.max() / games.eps[k]
        assert rqe.check(game, concept, tuple(games.log_x[k])).residual * scale <= 1e-7


def test_batched_newton_agrees_with_solve():
    rng = np.random.default_rng(3)
    games = newton(_families.volunteers(rng, 40, 3))
    good = solved(games)
    assert good.sum() > 10
    for k in np.flatnonzero(good)[:8]:
        game = rqe.NormalFormGame.collaborative(games.reward[k], games.cost[k])
        start = np.maximum(np.exp(games.log_x[k]), 1e-12)
        start /= start.sum(-1, keepdims=True)
        found = rqe.solve(game, games.tau[k], games.eps[k], start=start)
        np.testing.assert_allclose(found.strategies, np.exp(games.log_x[k]), atol=1e-7)


def test_newton_survives_lost_games():
    bad = Batch(
        np.full((1, 2, 2), np.nan), np.zeros((1, 2)), np.ones(1), np.ones(1),
        np.log(np.full((1, 2, 2), 0.5)),
    )  # fmt: skip
    assert not solved(newton(bad))[0]


def test_shrinking_keeps_the_failure_and_rounds():
    game = COUNTEREXAMPLE
    start = np.array([[0.119, 0.878, 0.001, 0.002], [0.878, 0.119, 0.002, 0.001]])
    reward = game.payoffs[0] + np.array([0, 0.9, 1, 1])[:, None] + 1e-5
    reward = 0.5 * (reward + reward.T)
    one = Batch(
        reward[None], np.array([[0, 0.90002, 1, 1]]), np.array([1203.7]), np.array([0.0201]),
        np.log(start)[None],
    )  # fmt: skip
    small = _shrink.shrink(lambda b: theorem_2.margins(b, "published"), newton(one))
    assert theorem_2.margins(small, "published")[0] <= -0.1
    assert np.abs(defect(small)).max() <= 1e-9
    assert _shrink._size(small) < _shrink._size(one)


def test_margins_say_nothing_of_symmetric_equilibria():
    log_x = np.log(np.full((1, 2, 2), 0.5))
    one = Batch(np.ones((1, 2, 2)), np.ones((1, 2)), np.ones(1), np.ones(1), log_x)
    assert theorem_2.margins(one, "sharp")[0] == math.inf
    assert identity._interaction(one)[0] == math.inf


@pytest.mark.parametrize("theorem", [t for t in QUICK if t.name.startswith("theorem-2")])
def test_additive_rewards_at_tau_0_divide_nothing_by_nothing(theorem):
    game = rqe.NormalFormGame.collaborative([[0, 0], [0, 0]], [0.0, 1.0])
    evidence = theorem.check(game, 0.0, 1.0)
    assert evidence.holds
    assert evidence.margin == math.inf


def test_a_symmetric_equilibrium_is_not_said_to_have_a_mirror():
    game = rqe.NormalFormGame.collaborative([[1, 0], [0, 1]], [0.0, 0.0])
    evidence = theorems.by_name("uniqueness-kl-entropy").check(game, 1.0, 1.0)
    assert evidence.margin == math.inf
    assert evidence.note.endswith("differ by 0, which says nothing")


def test_two_symmetric_equilibria_refute_uniqueness():
    reward = [
        [0.62, 0.75, 0.83, 0.71, 0.45],
        [0.75, 0.53, 0.86, 0.21, 0.85],
        [0.83, 0.86, 0.11, 0.80, 0.91],
        [0.71, 0.21, 0.80, 0.98, 0.89],
        [0.45, 0.85, 0.91, 0.89, 0.48],
    ]
    game = rqe.NormalFormGame.collaborative(reward, [0.63, 0.20, 0.15, 0.57, 0.97])
    evidence = theorems.by_name("uniqueness-kl-entropy").check(game, 19.3, 0.0773)
    assert not evidence.holds
    assert evidence.margin == pytest.approx(1.0 - (19.3 * 0.0773) ** 2)
    assert "two symmetric RQE" in evidence.note


def test_bred_games_are_counted_where_they_have_an_equilibrium(monkeypatch):
    found = []

    def noted(games):
        found.append(solved(games))
        return found[-1]

    monkeypatch.setattr(_climb, "solved", noted)
    search = _climb.search(theorem_2._claim("sharp"), np.random.default_rng(0), 300, lambda _: None)
    assert search.tried == sum(int(some.sum()) for some in found) < sum(map(len, found))


def test_breeding_tells_of_a_failure_that_is_not_clear():
    claim = theorem_2._claim("sharp")
    shifted = replace(claim, margins=lambda batch: claim.margins(batch) - 0.75)
    search = _climb.search(shifted, np.random.default_rng(0), 2000, lambda _: None)
    assert _climb._CLEAR < search.margin < 0.0
    assert search.counterexample is not None
    assert search.counterexample.evidence.margin < 0.0


def test_answers_are_as_far_apart_as_the_two_farthest():
    """Not as the farthest from the first: 0 between -d and d is d from both, they are 2 d apart."""
    game = rqe.catalog.load("stag-hunt")
    middle = rqe.qre(game, 1.0)
    found = [
        replace(middle, log_strategies=tuple(np.log([p, 1.0 - p]) for _ in range(2)))
        for p in (0.5, 0.2, 0.8)
    ]
    assert "at most 6.0e-01 apart" in _agreement.agreement(found).note


def test_registry():
    assert theorems.names() == tuple(t.name for t in theorems.all())
    assert theorems.by_name("identity").true
    with pytest.raises(ValueError, match="the nearest is 'theorem-2-sharp'"):
        theorems.by_name("theorem-2-sharpe")
    with pytest.raises(ValueError, match="there are theorem-1"):
        theorems.by_name("zzz")
    three = "the nearest are 'theorem-2-published', 'theorem-2-corrected', 'theorem-2-sharp'"
    for name in ("theorem-2", "Theorem_2", "theorem 2"):
        with pytest.raises(ValueError, match=three):
            theorems.by_name(name)


def test_checks_refuse_what_the_claims_do_not_speak_about():
    with pytest.raises(ValueError, match="game must be collaborative"):
        theorems.by_name("identity").check(rqe.catalog.load("matching-pennies"), 1.0, 1.0)
    game = example_4_2.game()
    for tau, eps, message in (
        ([1.0, 2.0], 0.2, "tau must be one finite number"),
        (1.0, 0.0, "eps must be positive"),
        (math.inf, 0.2, "tau must be one finite number"),
    ):
        with pytest.raises(ValueError, match=message):
            theorems.by_name("identity").check(game, tau, eps)
    for name in ("theorem-1", "example-4.1", "proposition-b.1", "theorem-1-matrix-costs"):
        with pytest.raises(ValueError, match="game must be"):
            theorems.by_name(name).check(game, 1.0, 1.0)
    quadratic = rqe.AggregativeGame(1.0, 1.0, [1.0, 1.0])
    finite = ("interior-bound", "identity", "response-bound", "uniqueness-interaction")
    for name in (*finite, "uniqueness-weak", "uniqueness-kl-entropy"):
        with pytest.raises(TypeError, match=r"game must be an rqe\.NormalFormGame"):
            theorems.by_name(name).check(quadratic, 1.0, 1.0)
    for name, one in (("theorem-1", quadratic), ("identity", game)):
        with pytest.raises(TypeError, match="tau must"):
            theorems.by_name(name).check(one, "a", 0.2)
    with pytest.raises(ValueError, match="tau must be one number or a list of 2"):
        theorems.by_name("theorem-1").check(quadratic, [1, 1, 1], 0.2)
    with pytest.raises(ValueError, match=r"example 4\.2"):
        theorems.by_name("example-4.2").check(game, 1.0, 0.3)
    with pytest.raises(ValueError, match="two players"):
        theorems.by_name("uniqueness-weak").check(rqe.catalog.load("free-riding", players=3), 1, 1)
    with pytest.raises(ValueError, match="examples must be at least 1"):
        theorems.by_name("identity").search(np.random.default_rng(0), 0)


def test_evidence_is_plain_numbers():
    found = theorems.by_name("interior-bound").check(rqe.catalog.load("stag-hunt"), 1.0, 1.0)
    assert (type(found.holds), type(found.margin)) == (bool, float)


def test_uniqueness_is_claimed_only_where_the_condition_holds():
    game = rqe.catalog.load("stag-hunt")
    weak = theorems.by_name("uniqueness-weak")
    assert weak.check(game, 0.5, 0.5).margin == math.inf  # 16 k = 1, not above
    assert weak.check(game, 0.5, 0.51).margin == pytest.approx(1.0, abs=1e-3)
    assert theorems.by_name("uniqueness-strong").check(game, 0.9, 0.9).margin == math.inf
    unknown = weak.check(game, [math.inf, 1.0], [0.0, 1.0])  # inf * 0
    assert "not claimed" in unknown.note


@pytest.mark.slow
@pytest.mark.parametrize("name", ["theorem-2-corrected", "theorem-2-sharp", "identity"])
def test_true_forms_survive_100_000_games(name):
    found = theorems.by_name(name).search(np.random.default_rng(2026), 100_000)
    assert found.counterexample is None
    assert found.tried >= 100_000
