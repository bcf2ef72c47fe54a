"""What `rqe.fit` refuses, and how it says so."""

import numpy as np
import pytest

import rqe

GAME = rqe.catalog.load("ochs-1995")
GOOD = [[10, 20], [5, 25]]


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([[-1, 3], [1, 2]], {}, r"counts\[0\] must hold finite numbers >= 0; got \[-1.0, 3.0\]"),
        ([[1, 3], [np.nan, 2]], {}, r"counts\[1\] must hold finite numbers"),
        ([[0.3, 0.7], [0.5, 0.5]], {}, r"whole numbers of choices.*Frequencies need n="),
        ([[0.3, 0.6], [0.5, 0.5]], {"n": 10}, r"frequencies that sum to 1.*whose sum is 0.9"),
        ([[0, 0], [1, 2]], {}, r"counts\[0\] must have a positive total"),
        ([[1, 2, 3], [1, 2]], {}, r"counts\[0\] must hold one number per action, 2 in all"),
        ([[1, 2]], {}, "one row per player, 2 in all; got 1"),
        (GOOD, {"n": 0}, "n must be a whole number of choices >= 1; got 0"),
        ([[0.3, 0.7], [0.5, 0.5]], {"n": 2.5}, "n must be a whole number"),
        ([[0.3, 0.7], [0.5, 0.5]], {"n": np.nan}, "n must be a whole number.*got nan"),
        ([[0.3, 0.7], [0.5, 0.5]], {"n": [np.inf, 3]}, r"n\[0\] must be a whole number.*got inf"),
        ([[0.3, 0.7], [0.5, 0.5]], {"n": [1, 2, 3]}, r"n\[0\] must be one number or one per role"),
        (GOOD, {"model": "qr"}, "model must be one of rqe, qre.*did you mean 'qre'"),
        (GOOD, {"penalty": "kll"}, "did you mean 'kl'"),
        (GOOD, {"regularizer": "entropie"}, "did you mean 'entropy'"),
        (GOOD, {"estimator": "fixedpoint"}, "did you mean 'fixed_point'"),
        (GOOD, {"fixed": {"tua": 1.0}}, "did you mean 'tau'"),
        (GOOD, {"fixed": {"tau": -1.0}}, r"fixed\['tau'\] must be in \[0, inf\]; got -1.0"),
        (GOOD, {"model": "qre", "fixed": {"tau": 1.0}}, "fixed must be one of eps, eps_1, eps_2"),
        (GOOD, {"model": "nash+noise", "fixed": {"noise": 2}}, r"must be in \[0, 1\]"),
        (GOOD, {"fixed": {"tau": np.inf}}, r"finite tau and eps > 0.*got tau_1 = inf"),
        (GOOD, {"fixed": {"tau": 1, "tau_2": 2}}, "every parameter once; got .*with tau_2 twice"),
        (GOOD, {"fixed": {"eps_2": 0}}, r"finite tau and eps > 0.*got eps_2 = 0"),
        (GOOD, {"shared": ["tau", "lam"]}, "shared must be one of tau, eps"),
        (GOOD, {"branch": "upper"}, "branch must be 'principal' or one"),
        (GOOD, {"model": "nash+noise", "estimator": "empirical_payoff"}, "must be 'fixed_point'"),
    ],
)
def test_bad_values_are_named(counts, options, message):
    with pytest.raises(ValueError, match=message):
        rqe.fit(GAME, counts, **options)


@pytest.mark.parametrize(
    ("games", "counts", "options", "message"),
    [
        ("ochs-1995", GOOD, {}, "games must be a sequence"),
        ([GAME, 3], [GOOD, GOOD], {}, r"games\[1\] must be an rqe.NormalFormGame; got int"),
        (GAME, [["a", 1], [1, 2]], {}, r"counts\[0\] must hold real numbers"),
        (GAME, [["3", "4"], [1, 2]], {}, r"counts\[0\] must hold real numbers"),
        (GAME, [np.array([1 + 2j, 3]), [1, 2]], {}, r"counts\[0\] must hold real numbers"),
        (GAME, 7, {}, "counts must be a sequence; got 7"),
        (GAME, GOOD, {"fixed": ["tau"]}, "fixed must map parameters to values"),
        (GAME, GOOD, {"fixed": {"tau": "1"}}, r"fixed\['tau'\] must be a real number"),
        (GAME, GOOD, {"shared": "tau"}, "shared must be a bool or a list"),
        (GAME, GOOD, {"branch": None}, "branch must be a sequence; got None"),
        (GAME, GOOD, {"branch": [3]}, r"branch\[0\] must be an rqe.Solution; got int"),
    ],
)
def test_bad_types_are_named(games, counts, options, message):
    with pytest.raises(TypeError, match=message):
        rqe.fit(games, counts, **options)


def test_pooled_data_must_match():
    with pytest.raises(ValueError, match="one entry per game, 2 in all; got 1"):
        rqe.fit([GAME, GAME], [GOOD])
    with pytest.raises(ValueError, match="at least one game"):
        rqe.fit([], [])
    with pytest.raises(ValueError, match=r"counts\[1\]\[0\] must hold finite"):
        rqe.fit([GAME, GAME], [GOOD, [[-1, 1], [1, 1]]])
    three = rqe.NormalFormGame(np.random.default_rng(0).random((3, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"shared must be True .*; got False"):
        rqe.fit([GAME, three], [GOOD, [[1, 2]] * 3], shared=False)


def test_a_branch_must_belong_to_the_game_and_the_model():
    other = rqe.catalog.load("selten-chmura/1")
    for branch, message in (
        (rqe.solve(other, 0, 1.0), r"converged solution of games\[0\]"),
        (rqe.solve(GAME, 0, 1.0, regularizer="log_barrier"), "penalty and regularizer"),
        (rqe.solve(GAME), "eps > 0 and finite tau"),
        ([rqe.solve(GAME, 0, 1.0)] * 2, "one solution per game, 1 in all; got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            rqe.fit(GAME, GOOD, branch=branch)
    with pytest.raises(ValueError, match="no equilibria depend"):
        rqe.fit(GAME, GOOD, model="nash+noise", branch=rqe.solve(GAME, 0, 1.0))


def test_a_data_frame_of_counts_has_a_row_per_role():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(GOOD, index=["row", "column"], columns=["U", "D"])
    assert rqe.fit(GAME, frame, model="qre").estimates == rqe.fit(GAME, GOOD, model="qre").estimates
    pooled = rqe.fit([GAME, GAME], [frame, frame], model="qre")
    assert pooled.data.counts[1][0].tolist() == GOOD[0]


def test_a_series_of_counts_goes_by_its_labels():
    pd = pytest.importorskip("pandas")
    named = rqe.NormalFormGame(GAME.payoffs, actions=[["U", "D"], ["L", "R"]])
    rows = [pd.Series([57, 73], index=["D", "U"]), pd.Series([81, 47], index=["R", "L"])]
    for counts in (
        rows,
        [rows[0], pd.Series([47, 81])],
        pd.Series([rows[1], rows[0]], index=["2", "1"]),
    ):
        found = rqe.fit(named, counts, model="qre").data.counts[0]
        assert [row.tolist() for row in found] == [[73, 57], [47, 81]]
    numbered = rqe.fit(GAME, [pd.Series([57, 73], index=[2, 1]), [47, 81]], model="qre")
    assert numbered.data.counts[0][0].tolist() == [73, 57]


@pytest.mark.parametrize("labels", [["up", "down"], ["U", "U"], [1, 2], ["U", "D", "M"]])
def test_a_series_with_other_labels_is_refused(labels):
    pd = pytest.importorskip("pandas")
    named = rqe.NormalFormGame(GAME.payoffs, actions=[["U", "D"], ["L", "R"]])
    counts = [[1, 2], pd.Series(range(len(labels)), index=labels)]
    message = rf"counts\[1\] must be labelled by the actions L, R .*; got the labels {labels[0]}, "
    with pytest.raises(ValueError, match=message):
        rqe.fit(named, counts, model="qre")


def test_the_callers_arrays_are_not_changed():
    counts = np.array(GOOD)
    before = counts.copy()
    found = rqe.fit(GAME, counts, model="qre")
    counts[:] = 1
    assert found.data.counts[0][0].tolist() == before[0].tolist()


def test_bad_questions_to_a_fit():
    found = rqe.fit(GAME, GOOD, model="qre")
    with pytest.raises(ValueError, match="did you mean 'eps'"):
        found.profile_interval("ep")
    with pytest.raises(ValueError, match="level"):
        found.profile_interval("eps", level=1.5)
    with pytest.raises(ValueError, match="did you mean 'cluster'"):
        found.covariance("clusters")
    with pytest.raises(ValueError, match="did you mean 'observed'"):
        found.summary("observe")
    with pytest.raises(ValueError, match="at least 2 games"):
        found.covariance("cluster")
    with pytest.raises(ValueError, match="at least 2 games"):
        found.leave_one_out()
    with pytest.raises(ValueError, match="needs at least 2"):
        found.bootstrap(2, kind="cluster")
    with pytest.raises(ValueError, match="n must be at least 1"):
        found.bootstrap(0)
    with pytest.raises(ValueError, match="at least 2 games"):
        rqe.estimation.vuong(found, found, by_game=True)
    with pytest.raises(TypeError, match=r"sequence of rqe\.Fit"):
        rqe.estimation.compare([3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="fits must be a sequence"):
        rqe.estimation.compare(found)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"must be rqe\.Fit; got 3"):
        rqe.estimation.likelihood_ratio(found, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="level must be in"):
        list(found.rows(level=2.0))
    other = rqe.fit(GAME, [[1, 2], [3, 4]], model="qre")
    with pytest.raises(ValueError, match="same games and counts"):
        rqe.estimation.likelihood_ratio(found, other)
    with pytest.raises(ValueError, match="must be nested"):
        rqe.estimation.likelihood_ratio(found, rqe.fit(GAME, GOOD, model="nash+noise"))
