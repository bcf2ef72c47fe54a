"""Standard errors, intervals, tests and resampling, against closed forms and each other."""

import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

import rqe
from rqe.estimation import likelihood_ratio, vuong
from tests.test_fit import OCHS, fit_ochs, simulated

# Logit choice in closed form: cooperation has probability 1 / (1 + exp(lam)), whoever the other is.
LOGIT = rqe.catalog.load("prisoners-dilemma/additive")


def logit_games(*defectors, n=100):
    return [LOGIT] * len(defectors), [[[n - d, d], [n - d, d]] for d in defectors]


def test_observed_information_of_logit_choice_is_its_closed_form():
    games, counts = logit_games(70, 80)
    found = rqe.fit(games, counts, model="qre")
    share = 0.75
    assert found.lam[0] == pytest.approx(math.log(share / (1.0 - share)), abs=1e-8)
    error = 1.0 / math.sqrt(400 * share * (1.0 - share))
    assert found.standard_errors()["lam"] == pytest.approx(error, rel=1e-6)
    assert found.standard_errors()["eps"] == pytest.approx(error / found.lam[0] ** 2, rel=1e-6)


def test_cluster_errors_of_logit_choice_are_their_closed_form():
    games, counts = logit_games(60, 75, 90)
    found = rqe.fit(games, counts, model="qre")
    information = 600 * 0.75 * 0.25
    scores = np.array([2 * (d - 75) for d in (60, 75, 90)])
    variance = 3 / 2 * (scores**2).sum() / information**2
    assert found.standard_errors("cluster")["lam"] == pytest.approx(math.sqrt(variance), rel=1e-6)
    assert "cluster-robust" in found.summary("cluster")


def test_profile_interval_inverts_the_likelihood_ratio_test():
    games, counts = logit_games(75)
    found = rqe.fit(games, counts, model="qre")
    for level in (0.5, 0.95):
        low, high = found.profile_interval("lam", level)
        assert low < found.lam[0] < high
        for end in (low, high):
            held = rqe.fit(games, counts, model="qre", fixed={"eps": 1.0 / end})
            fall = 2.0 * (found.log_likelihood - held.log_likelihood)
            assert fall == pytest.approx(chi2.ppf(level, 1), rel=1e-5)
        assert found.profile_interval("eps", level) == pytest.approx((1 / high, 1 / low))


def test_profile_interval_maximises_over_the_other_parameters():
    games, counts = simulated(11, games=4, n=300)
    found = rqe.fit(games, counts)
    low, high = found.profile_interval("tau")
    assert low < found.estimates["tau"] < high
    for end in (low, high):
        if 0.0 < end < math.inf:
            held = rqe.fit(games, counts, fixed={"tau": end})
            fall = 2.0 * (found.log_likelihood - held.log_likelihood)
            assert fall == pytest.approx(chi2.ppf(0.95, 1), rel=1e-4)


def test_information_criteria_and_shares():
    found = fit_ochs(model="qre")
    assert found.aic == pytest.approx(2 + 2 * 174.764532, abs=1e-5)
    assert found.bic == pytest.approx(math.log(256) + 2 * 174.764532, abs=1e-5)
    assert found.random_log_likelihood == pytest.approx(-256 * math.log(2))
    assert 0.0 < found.share_explained < 1.0
    table = rqe.estimation.compare([found, fit_ochs()])
    assert table.to_frame()["parameters"].tolist() == [1, 2]
    assert "delta" in table.summary()


def test_likelihood_ratio_of_qre_within_rqe_is_at_a_boundary():
    games, counts = simulated(12, games=4, n=2000, tau=1.0)
    small, full = rqe.fit(games, counts, model="qre"), rqe.fit(games, counts)
    test = likelihood_ratio(small, full)
    assert test.statistic == pytest.approx(2 * (full.log_likelihood - small.log_likelihood))
    assert test.boundary
    assert test.df == 1
    assert test.p_value == pytest.approx(0.5 * chi2.sf(test.statistic, 1))
    assert test.p_value < 1e-6
    roles = rqe.fit(games, counts, shared=False)
    test = likelihood_ratio(full, roles)
    assert (test.df, test.boundary) == (2, False)
    assert test.p_value == pytest.approx(chi2.sf(test.statistic, 2))
    held = rqe.fit(games, counts, fixed={"tau": 1.0})
    assert not likelihood_ratio(held, full).boundary
    for pair in ((full, small), (roles, full), (full, full)):
        with pytest.raises(ValueError, match="must be nested"):
            likelihood_ratio(*pair)
    half = rqe.fit(games, counts, fixed={"tau_1": 1.0})
    with pytest.raises(ValueError, match="must be nested"):
        likelihood_ratio(half, full)  # tau_2 is free there, but both are one parameter here


def test_likelihood_ratio_knows_both_ends_of_every_range():
    """Random play is noise = 1; with further restrictions the mixture is of two tails."""
    games, counts = simulated(14, games=2, n=200, tau=0.5)
    full = rqe.fit(games, counts, model="nash+noise")
    for noise, boundary in ((1.0, True), (0.5, False)):
        held = rqe.fit(games, counts, model="nash+noise", fixed={"noise": noise})
        test = likelihood_ratio(held, full)
        assert (test.df, test.boundary) == (1, boundary)
        share = 0.5 if boundary else 1.0
        assert test.p_value == pytest.approx(share * chi2.sf(test.statistic, 1))
    small, roles = rqe.fit(games, counts, model="qre"), rqe.fit(games, counts, shared=["tau"])
    test = likelihood_ratio(small, roles)  # tau at its end, and one eps for both
    assert (test.df, test.boundary) == (2, True)
    tails = chi2.sf(test.statistic, 1) + chi2.sf(test.statistic, 2)
    assert test.p_value == pytest.approx(0.5 * tails)


def test_the_mixture_of_the_likelihood_ratio_is_that_of_a_half_space():
    """Self and Liang: a normal vector's squared length after projection on the cone."""
    normal = np.random.default_rng(15).standard_normal((200_000, 2))
    lengths = np.maximum(normal[:, 0], 0.0) ** 2 + normal[:, 1] ** 2
    quadrant = (np.maximum(normal, 0.0) ** 2).sum(axis=1)
    for s in (0.5, 2.0, 5.0):
        tail = 0.5 * (chi2.sf(s, 1) + chi2.sf(s, 2))
        assert (lengths > s).mean() == pytest.approx(tail, abs=0.005)
        assert (quadrant > s).mean() < tail


def test_vuong_is_its_formula_and_antisymmetric():
    games, counts = simulated(13, games=4, n=500, tau=1.5)
    one, two = rqe.fit(games, counts), rqe.fit(games, counts, model="nash+noise")
    ratios, chosen = [], []
    for rows, xs, ys in zip(counts, one.strategies, two.strategies, strict=True):
        for row, x, y in zip(rows, xs, ys, strict=True):
            ratios += list(np.log(x / y))
            chosen += list(row)
    terms, weights = np.array(ratios), np.array(chosen)
    mean = np.average(terms, weights=weights)
    spread = math.sqrt(np.average((terms - mean) ** 2, weights=weights))
    z = math.sqrt(weights.sum()) * mean / spread
    test = vuong(one, two)
    assert test.statistic == pytest.approx(z)
    assert test.p_value == pytest.approx(2 * norm.sf(abs(z)))
    back = vuong(two, one)
    assert back.statistic == pytest.approx(-z)
    fewer = vuong(one, two, correction="bic")
    assert fewer.log_ratio == pytest.approx(test.log_ratio - 0.5 * math.log(4000))
    clustered = vuong(one, two, by_game=True)
    assert clustered.clusters == 4
    assert clustered.log_ratio == pytest.approx(test.log_ratio)
    assert vuong(one, one).p_value == 1.0


def test_vuong_leaves_out_what_nobody_played():
    game, counts = rqe.catalog.load("prisoners-dilemma"), [[0, 20], [0, 30]]
    certain = rqe.fit(game, counts, model="nash+noise")
    noisy = rqe.fit(game, counts, model="qre", fixed={"eps_1": 0.5, "eps_2": 1.0})
    assert certain.noise == 0.0
    logs = [float(row[1]) for row in noisy.log_strategies[0]]
    spread = math.sqrt(np.cov(logs, fweights=[20, 30], ddof=0))
    test = vuong(certain, noisy)
    assert test.statistic == pytest.approx(-np.average(logs, weights=[20, 30]) / spread * 50**0.5)
    assert test.p_value == pytest.approx(2 * norm.sf(test.statistic))


def test_bootstrap_is_the_same_on_any_executor_and_close_to_the_information():
    found = fit_ochs(model="qre")
    here = found.bootstrap(16, rng=3)
    with ThreadPoolExecutor(2) as pool:
        there = found.bootstrap(16, rng=3, executor=pool)
    np.testing.assert_array_equal(here.values["lam"], there.values["lam"])
    assert here.failures == 0
    games, counts = logit_games(750, 750, n=1000)
    large = rqe.fit(games, counts, model="qre")
    for kind in ("parametric", "nonparametric"):
        drawn = large.bootstrap(40, kind=kind, rng=0)
        error = large.standard_errors()["lam"]
        assert drawn.standard_errors()["lam"] == pytest.approx(error, rel=0.35)
        low, high = drawn.interval("lam")
        assert low < large.lam[0] < high
    assert len(drawn.to_frame()) == 40


def test_bootstrap_of_games_sees_that_games_differ():
    games, counts = logit_games(60, 75, 90, 70, 80, n=100)
    found = rqe.fit(games, counts, model="qre")
    drawn = found.bootstrap(40, kind="cluster")
    assert drawn.standard_errors()["lam"] > 1.5 * found.standard_errors()["lam"]


def test_bootstrap_keeps_estimates_at_the_boundary():
    found = fit_ochs(model="qre", estimator="empirical_payoff")
    drawn = found.bootstrap(40)
    low, _ = drawn.interval("lam")
    assert low >= 0.0
    if (drawn.values["lam"] == 0.0).any():
        assert drawn.standard_errors()["eps"] == math.inf


def test_leave_one_out_is_a_fit_to_the_others():
    games, counts = simulated(14, games=3, n=400)
    found = rqe.fit(games, counts)
    out = found.leave_one_out()
    rest = rqe.fit(games[1:], counts[1:])
    assert out.values[0] == pytest.approx([rest.tau[0], rest.lam[0]], rel=1e-5)
    by_hand = rest.score([games[0]], [counts[0]]) * 800
    assert out.log_likelihoods[0] == pytest.approx(by_hand, rel=1e-7)
    assert out.log_likelihood < found.log_likelihood
    frame = out.to_frame()
    assert list(frame.columns) == ["game", "tau", "eps", "log_likelihood", "largest_error"]
    np.testing.assert_allclose(out.strategies[0], rest.predict(games[0]), atol=1e-6)


@pytest.mark.slow
def test_bootstrap_and_leave_one_out_run_in_other_processes():
    games, counts = simulated(15, games=3, n=400)
    found = rqe.fit(games, counts, model="qre")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        drawn = found.bootstrap(6, rng=1, executor=pool)
        out = found.leave_one_out(executor=pool)
    np.testing.assert_allclose(drawn.values["lam"], found.bootstrap(6, rng=1).values["lam"])
    np.testing.assert_allclose(out.log_likelihoods, found.leave_one_out().log_likelihoods)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "n", "sets"), [("qre", 150, 300), ("rqe", 600, 60)])
def test_intervals_cover_at_their_nominal_rate(model, n, sets):
    rng = np.random.default_rng(0)
    games = list(rqe.datasets.load("selten-chmura").games[:4])
    truth = {"tau": 0.25, "eps": 1.0} if model == "rqe" else {"eps": 1.0}
    chances = [rqe.solve(game, truth.get("tau", 0.0), 1.0).strategies for game in games]
    misses = {f"{kind} {name}": 0 for kind in ("wald", "profile") for name in truth}
    for _ in range(sets):
        counts = [[rng.multinomial(n, x) for x in profile] for profile in chances]
        found = rqe.fit(games, counts, model=model)
        rows = {row["parameter"]: row for row in found.rows()}
        for name, value in truth.items():
            misses[f"wald {name}"] += not rows[name]["low"] <= value <= rows[name]["high"]
            low, high = found.profile_interval(name)
            misses[f"profile {name}"] += not low <= value <= high
    fewest, most = binom.ppf([0.0005, 0.9995], sets, 0.05)
    assert all(fewest <= missed <= most for missed in misses.values()), misses


def test_the_data_of_the_bootstrap_have_as_many_choices_as_observed():
    found = fit_ochs(model="qre")
    drawn = found.data.redrawn(np.random.default_rng(0), found.strategies)
    assert [row.sum() for row in drawn.counts[0]] == [128.0, 128.0]
    assert OCHS.n == ((128, 128),)
