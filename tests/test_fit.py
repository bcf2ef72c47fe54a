"""Estimates against published ones, Gambit's, simulated truth, and the limits of the range."""

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rqe
from rqe.concepts import PENALTIES, REGULARIZERS
from rqe.estimation import EstimationError, _model
from rqe.estimation._build import build
from rqe.estimation._data import observations

OCHS = rqe.datasets.load("ochs")
PENNIES = rqe.NormalFormGame.from_bimatrix([[4, 0], [0, 1]], [[0, 1], [1, 0]])  # Nash (1/2, 1/5)
PAIRS = [(p, r) for p in PENALTIES for r in REGULARIZERS]


def simulated(seed, games=6, n=4000, shape=(2, 2), tau=0.6, eps=0.7, **options):
    """Games with payoffs in [0, 4], and choices drawn from their equilibria."""
    rng = np.random.default_rng(seed)
    made = [rqe.NormalFormGame(4.0 * rng.random((len(shape), *shape))) for _ in range(games)]
    counts = [
        [rng.multinomial(n, x) for x in rqe.solve(game, tau, eps, **options).strategies]
        for game in made
    ]
    return made, counts


def fit_ochs(**options):
    return rqe.fit(OCHS.games, OCHS.frequencies, n=OCHS.n, **options)


def test_ochs_is_estimated_as_mckelvey_and_palfrey_and_gambit_do():
    found = fit_ochs(model="qre")
    assert found.lam == pytest.approx([1.84560975] * 2, abs=1e-7)
    assert found.log_likelihood == pytest.approx(-174.764532, abs=1e-6)
    assert found.strategies[0][0] == pytest.approx([0.615651314, 0.384348686], abs=1e-7)
    empirical = fit_ochs(model="qre", estimator="empirical_payoff")
    # Gambit stops at 1.0068156; the likelihood is higher, by 1e-12, at 1.00681686.
    assert empirical.lam == pytest.approx([1.0068156] * 2, abs=2e-6)
    assert empirical.log_likelihood == pytest.approx(-176.525946, abs=1e-6)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from([(2, 2), (3, 3), (2, 2, 2)]))
def test_gambits_logit_estimate_agrees_on_random_data(seed, shape):
    gambit = pytest.importorskip("pygambit")
    rng = np.random.default_rng(seed)
    (game,), (counts,) = simulated(seed, 1, 200, shape, tau=0.0, eps=1.0 / rng.uniform(0.3, 1.2))
    theirs = gambit.StrategicGame.from_arrays(*game.payoffs)
    data = theirs.mixed_strategy_profile()
    for player, row in zip(theirs.players, counts, strict=True):
        labels = theirs.get_strategies(player)
        data.set_mixed_strategy(player, dict(zip(labels, row.tolist(), strict=True)))
    for estimator in ("fixed_point", "empirical_payoff"):
        expected = gambit.qre.logit_estimate(data, use_empirical=estimator != "fixed_point")
        found = rqe.fit(game, counts, model="qre", estimator=estimator)
        assert found.log_likelihood >= expected.log_like - 1e-6
        if not found.boundary:
            assert found.lam[0] == pytest.approx(expected.lam, rel=1e-4)


@pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
def test_simulated_data_recover_the_truth(penalty, regularizer):
    options = {"penalty": penalty, "regularizer": regularizer}
    games, counts = simulated(1, games=8, n=20_000, tau=0.5, eps=0.6, **options)
    found = rqe.fit(games, counts, **options)
    errors = found.standard_errors()
    assert not found.warnings
    for name, truth in (("tau", 0.5), ("eps", 0.6), ("lam", 1 / 0.6)):
        row = next(row for row in found.rows() if row["parameter"] == name)
        assert abs(row["estimate"] - truth) < 4.0 * errors[name]
        assert errors[name] < 0.15 * truth
    assert rqe.estimation.compare([found]).fits == (found,)


def test_per_role_parameters_recover_the_truth_and_some_may_be_fixed():
    tau, eps = [0.2, 1.0], [0.5, 1.5]
    games, counts = simulated(2, games=8, n=20_000, tau=tau, eps=eps)
    found = rqe.fit(games, counts, shared=False)
    errors = found.standard_errors()
    assert list(found.estimates) == ["tau_1", "tau_2", "eps_1", "eps_2"]
    for name, truth in zip(found.estimates, [*tau, *eps], strict=True):
        assert abs(found.estimates[name] - truth) < 4.0 * errors[name]
    held = rqe.fit(games, counts, shared=["eps"], fixed={"tau_2": 1.0, "eps_1": 0.5})
    assert list(held.estimates) == ["tau_1", "eps"]
    assert held.tau[1] == 1.0
    assert held.eps[0] == 0.5
    assert held.log_likelihood <= found.log_likelihood


def test_three_players_are_estimated_too():
    games, counts = simulated(3, games=4, n=20_000, shape=(2, 3, 2), tau=0.4, eps=0.8)
    found = rqe.fit(games, counts)
    errors = found.standard_errors()
    assert abs(found.estimates["tau"] - 0.4) < 4.0 * errors["tau"]
    assert abs(found.estimates["eps"] - 0.8) < 4.0 * errors["eps"]


@pytest.mark.parametrize("model", ["rqe", "qre"])
@pytest.mark.parametrize("estimator", ["fixed_point", "empirical_payoff"])
@pytest.mark.parametrize(("penalty", "regularizer"), PAIRS)
def test_gradients_agree_with_finite_differences(model, estimator, penalty, regularizer):
    games, counts = simulated(4, games=3, n=50)
    choices = (model, False, None, penalty, regularizer, estimator)
    problem = build(_model.of(games, *choices), observations(games, counts), None)
    c = np.linspace(0.2, 0.5, problem.size)
    found = problem.slopes(c)
    assert found is not None
    for k, slope in enumerate(found.gradient):
        step = 1e-5 * np.eye(problem.size)[k]
        rise = problem.value(c + step) - problem.value(c - step)
        assert slope == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-4)


def test_data_exactly_at_nash_give_a_flagged_infinite_lam():
    found = rqe.fit(PENNIES, [[0.5, 0.5], [0.2, 0.8]], n=1000, model="qre")
    assert found.lam.tolist() == [math.inf] * 2
    assert found.boundary == {"eps": 0.0}
    assert any("lam = inf" in text for text in found.warnings)
    assert math.isnan(found.standard_errors()["lam"])
    assert found.log_likelihood == pytest.approx(found.saturated_log_likelihood, abs=1e-9)
    dominated = rqe.fit(rqe.catalog.load("prisoners-dilemma"), [[0, 50], [0, 50]], model="qre")
    assert dominated.boundary == {"eps": 0.0}
    assert dominated.log_likelihood == 0.0


def test_data_on_the_wrong_side_give_a_flagged_lam_of_zero():
    found = rqe.fit(PENNIES, [[0.3, 0.7], [0.7, 0.3]], n=1000, model="qre")
    assert found.boundary == {"eps": math.inf}
    assert found.lam.tolist() == [0.0, 0.0]
    assert any("lam = 0" in text and "random play" in text for text in found.warnings)
    assert found.log_likelihood == found.random_log_likelihood
    assert math.isnan(found.standard_errors()["eps"])
    low, high = found.profile_interval("lam")
    assert low == 0.0
    assert 0.0 < high < 1.0
    assert "random play" in found.summary()


def test_seekers_of_risk_have_tau_zero_flagged():
    # Moving from QRE away from RQE: nothing but tau = 0 is left.
    game = rqe.catalog.load("selten-chmura/1")
    calm, averse = (rqe.solve(game, tau, 1.0).strategies for tau in (0.0, 0.02))
    beyond = [2.0 * x - y for x, y in zip(calm, averse, strict=True)]
    found = rqe.fit(game, beyond, n=10**6)
    assert found.boundary == {"tau": 0.0}
    assert any("tau = 0" in text for text in found.warnings)


def test_random_play_leaves_tau_open_and_says_so():
    game = rqe.catalog.load("prisoners-dilemma/additive")
    found = rqe.fit([game] * 2, [[[70, 30], [60, 40]]] * 2)  # more cooperate than not
    assert found.boundary == {"eps": math.inf}
    assert found.log_likelihood == pytest.approx(found.random_log_likelihood)
    assert any("lam = 0" in text for text in found.warnings)
    assert any("not depend on tau" in text for text in found.warnings)
    assert all(math.isnan(error) for error in found.standard_errors().values())


def test_games_of_two_and_of_three_players_are_pooled():
    two, counts_two = simulated(21, games=4, n=20_000, tau=0.5, eps=0.7)
    three, counts_three = simulated(22, games=2, n=20_000, shape=(2, 2, 3), tau=0.5, eps=0.7)
    found = rqe.fit(two + three, counts_two + counts_three)
    errors = found.standard_errors()
    assert abs(found.estimates["tau"] - 0.5) < 4.0 * errors["tau"]
    assert abs(found.estimates["eps"] - 0.7) < 4.0 * errors["eps"]
    own = rqe.solve(two[0], *(found.estimates[name] for name in ("tau", "eps"))).strategies
    np.testing.assert_allclose(found.predict(two[0]), own, atol=1e-9)


def test_of_games_of_two_and_of_three_players_one_may_be_left_out():
    (two,), counts_two = simulated(21, games=1, n=20_000)
    (three,), counts_three = simulated(22, games=1, n=20_000, shape=(2, 2, 3))
    out = rqe.fit([two, three], counts_two + counts_three, model="qre").leave_one_out()
    alone = rqe.fit(two, counts_two[0], model="qre")
    assert out.values[1, 0] == pytest.approx(alone.lam[0])


def test_a_chosen_branch_is_estimated_along():
    game = rqe.catalog.load("stag-hunt/aumann")
    upper = rqe.qre(game, 5.0, start=[[0.99, 0.01]] * 2)
    counts = [np.round(1e6 * x) for x in upper.strategies]
    anchor = rqe.qre(game, 8.0, start=[[0.999, 0.001]] * 2)
    found = rqe.fit(game, counts, model="qre", branch=anchor)
    assert found.lam[0] == pytest.approx(5.0, rel=1e-3)
    principal = rqe.fit(game, counts, model="qre")
    assert found.log_likelihood > principal.log_likelihood + 1e4
    assert found.strategies[0][0][0] == pytest.approx(0.990079, abs=1e-5)
    with pytest.raises(EstimationError):  # the branch folds at lam = 4.3 or so: nothing is below
        rqe.fit(game, counts, model="qre", branch=anchor, fixed={"eps": 1.0})


def test_nash_and_noise_is_the_mixture_that_it_says():
    from scipy.optimize import minimize_scalar

    found = rqe.fit(PENNIES, [[600, 400], [350, 650]], model="nash+noise")

    def cost(noise):
        x, y = 0.5, (1.0 - noise) * 0.2 + noise * 0.5
        return -1000 * math.log(x) - 350 * math.log(y) - 650 * math.log(1.0 - y)

    best = minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10})
    assert found.noise == pytest.approx(best.x, abs=1e-6)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-8)
    pure = rqe.fit(rqe.catalog.load("prisoners-dilemma"), [[0, 9], [0, 9]], model="nash+noise")
    assert pure.boundary == {"noise": 0.0}


def test_units_of_payoff_and_order_of_games_do_not_matter():
    games, counts = simulated(5, games=3, n=500)
    found = rqe.fit(games, counts)
    scaled = [rqe.NormalFormGame(1000.0 * game.payoffs + 7.0) for game in games]
    other = rqe.fit(scaled[::-1], counts[::-1])
    assert other.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-9)
    assert other.estimates["tau"] == pytest.approx(found.estimates["tau"] / 1000.0, rel=1e-6)
    assert other.estimates["eps"] == pytest.approx(found.estimates["eps"] * 1000.0, rel=1e-6)


def test_frequencies_with_n_are_counts():
    counts = [[30, 70], [45, 55]]
    found = rqe.fit(PENNIES, counts, model="qre")
    same = rqe.fit(PENNIES, np.array(counts) / 100, n=100, model="qre")
    assert same.lam[0] == pytest.approx(found.lam[0], rel=1e-9)
    by_role = rqe.fit([PENNIES], [[[0.3, 0.7], [0.45, 0.55]]], n=[[100, 100]], model="qre")
    assert by_role.log_likelihood == pytest.approx(found.log_likelihood)


def test_four_parameters_and_two_frequencies_are_no_evidence():
    found = fit_ochs(shared=False)
    assert any(
        "4 free parameters and 2 independent frequencies" in text and "no evidence" in text
        for text in found.warnings
    )


def test_a_parameter_that_play_does_not_depend_on_is_named():
    game = rqe.catalog.load("prisoners-dilemma/additive")  # the others' play is no risk here
    found = rqe.fit([game] * 3, [[[20, 80], [25, 75]]] * 3)
    assert any("not depend on tau" in text for text in found.warnings)


def test_a_likelihood_of_zero_everywhere_is_an_error():
    game = rqe.catalog.load("prisoners-dilemma")
    with pytest.raises(EstimationError, match="probability 0"):
        rqe.fit(game, [[1, 9], [0, 10]], model="nash+noise", fixed={"noise": 0.0})
    error = EstimationError("why", None)
    assert str(pickle.loads(pickle.dumps(error))) == "why"


def test_everything_fixed_is_a_likelihood():
    found = fit_ochs(model="qre", fixed={"eps": 1.0 / 1.84560975})
    assert found.n_parameters == 0
    assert found.log_likelihood == pytest.approx(-174.764532, abs=1e-6)
    assert found.estimates == {}
    assert repr(found) == "<Fit: QRE (entropy) to 1 game, log-likelihood -174.764532>"


def test_predictions_are_equilibria_and_scores_their_likelihood():
    found = fit_ochs(model="qre")
    game = rqe.catalog.load("selten-chmura/2")
    own = rqe.qre(game, float(found.lam[0])).strategies
    np.testing.assert_allclose(found.predict(game), own, atol=1e-9)
    assert len(found.predict([game, PENNIES])) == 2
    score = found.score(OCHS.games, OCHS.frequencies, n=OCHS.n)
    assert score == pytest.approx(found.log_likelihood / 256)
    three = rqe.NormalFormGame(np.zeros((3, 2, 2, 2)))
    with pytest.raises(ValueError, match="at most 2 players"):
        found.predict(three)


def test_a_score_is_finite_where_a_probability_is_below_the_smallest_double():
    game = rqe.NormalFormGame.from_bimatrix([[100, 100], [0, 0]], [[1, 0], [1, 0]])
    counts = [[99, 1], [60, 40]]
    found = rqe.fit(game, counts, model="qre", fixed={"eps": 0.1})
    assert found.score(game, counts) * 200 == pytest.approx(found.log_likelihood)
    assert found.log_likelihood == pytest.approx(-1400.0, abs=0.01)


def test_results_come_as_text_frame_latex_json_and_pickle():
    found = fit_ochs(model="qre")
    data = json.loads(json.dumps(found.to_dict()))
    assert data["estimates"]["eps"] == pytest.approx(found.eps[0])
    frame = found.to_frame()
    assert frame["parameter"].tolist() == ["eps", "lam"]
    text = found.summary()
    for part in ("QRE (entropy)", "-174.764532", "lam", "1.84561", "AIC", "explained"):
        assert part in text
    assert r"$\lambda$ & 1.84561 &" in found.to_latex()
    assert found._repr_html_().startswith("<pre>")
    again = pickle.loads(pickle.dumps(found))
    assert again.estimates == found.estimates
    assert "Fit: QRE" in repr(again)
    infinite = rqe.fit(PENNIES, [[0.5, 0.5], [0.2, 0.8]], n=1000, model="qre")
    assert json.loads(json.dumps(infinite.to_dict()))["parameters"][1]["estimate"] == "inf"
    assert r"$\infty$" in infinite.to_latex()


def test_latex_says_what_was_fixed_and_what_is_at_a_boundary():
    """A reader of the table must not take tau = 1 for an estimate, nor 0 for an inner one."""
    found = rqe.fit(PENNIES, [[40, 60], [20, 80]], model="rqe", fixed={"tau": 1.0})
    for i in (1, 2):
        assert rf"$\tau_{{{i}}}$ (fixed) & 1 & -- & -- & -- \\" in found.to_latex().splitlines()
    infinite = rqe.fit(PENNIES, [[0.5, 0.5], [0.2, 0.8]], n=1000, model="qre")
    assert infinite.boundary
    lines = infinite.to_latex().splitlines()
    assert any("$^{*}$ &" in line for line in lines)
    assert r"\multicolumn{5}{l}{$^{*}$ at the boundary of its range} \\" in lines
    warned = [line for line in lines if line.startswith("% warning: ")]
    assert len(warned) == len(infinite.warnings)


def test_the_estimator_has_scikit_learns_manners():
    made = rqe.RQEEstimator(model="qre", fixed=None)
    assert made.get_params()["model"] == "qre"
    copy = type(made)(**made.get_params())
    assert copy.set_params(estimator="empirical_payoff") is copy
    assert "empirical_payoff" in repr(copy)
    with pytest.raises(AttributeError, match="not fitted yet"):
        made.predict(PENNIES)
    assert made.fit(OCHS.games, OCHS.frequencies, n=OCHS.n) is made
    assert made.fit_.lam[0] == pytest.approx(1.84560975)
    np.testing.assert_array_equal(made.predict(PENNIES), made.fit_.predict(PENNIES))
    assert made.score(OCHS.games, OCHS.frequencies, n=OCHS.n) < 0.0
    with pytest.raises(ValueError, match="did you mean 'model'"):
        made.set_params(modell="rqe")


@pytest.mark.parametrize("rounding", [0.0, 1e-15, -1e-15])
def test_a_maximum_where_the_principal_branch_folds_has_no_standard_errors(rounding):
    """Whatever side of the cliff rounding leads the search to."""
    games, counts = simulated(4, games=3, n=50)
    games = [rqe.NormalFormGame(game.payoffs * (1.0 + rounding)) for game in games]
    found = rqe.fit(
        games, counts, model="qre", shared=False, penalty="reverse_kl", regularizer="log_barrier"
    )
    assert any("branch folds" in text for text in found.warnings)
    assert all(math.isnan(error) for error in found.standard_errors().values())
    near = found.problem.slopes(found.maximum.c)
    assert near is not None
    assert np.abs(near.gradient).max() > 1.0  # it still rises, up to the cliff
