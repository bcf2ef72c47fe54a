"""Cross-play and its statistics: known answers, plain loops, synthetic matrices."""

import dataclasses
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

jax = pytest.importorskip("jax")

import marl  # noqa: E402
from marl.checkpoint import CheckpointError  # noqa: E402
from marl.crossplay import CrossPlay, Group, cross_play  # noqa: E402
from marl.envs.kitchen import Kitchen  # noqa: E402
from marl.measures import compare, free_riding, rows, summarize  # noqa: E402
from marl.run import load_run  # noqa: E402
from marl.statistics import bootstrap, pair_mean, share, team_mean  # noqa: E402
from marl.teams import curve, play_all  # noqa: E402


def always(params, key, obs, legal):
    """The policy that takes the action that is its parameter."""
    return params


def constant(name, actions):
    """Teams whose agents always take the given actions, [teams][agents]."""
    return Group(name, np.array(actions, np.int32), always, tuple(range(len(actions))))


def synthetic(returns, work, groups=None, private=None):
    """A two-seat CrossPlay with given returns [T, T] and work [T, 2] of the teams as trained."""
    returns, n = np.asarray(returns, float), len(returns)
    events = np.zeros((n, n, 2))
    events[np.arange(n), np.arange(n)] = work
    costs = np.zeros((n, n, 2)) if private is None else private
    return CrossPlay(
        env={"name": "kitchen", "options": {}},
        groups=tuple(groups or ["a"] * n),
        seeds=tuple(range(n)),
        episodes=10,
        steps=50,
        returns=returns,
        spread=np.zeros((n, n)),
        private=costs,
        events={"deliveries": events},
        against={},
    )


def test_every_entry_is_the_game_s_payoff():
    import rqe

    game = rqe.catalog.load("prisoners-dilemma")
    env = marl.make_env("matrix", game=game)
    teams = constant("pure", [[0, 0], [0, 1], [1, 0], [1, 1]])
    cross = cross_play(env, [teams], episodes=3, steps=5, partners=())
    first, second = teams.actors[:, 0], teams.actors[:, 1]
    expected = 5 * game.payoffs[:, first][:, :, second].sum(axis=0)
    np.testing.assert_allclose(cross.returns, expected, rtol=1e-6)
    np.testing.assert_allclose(cross.own.sum(axis=-1), expected, rtol=1e-6)
    assert cross.spread.max() < 1e-5
    assert cross.env["name"] == "matrix"


def test_groups_keep_their_places_and_their_policies():
    env = marl.make_env("matrix", game=[[[1, 2], [3, 4]], [[0, 0], [0, 0]]])
    flipped = Group("b", np.array([[0, 0]], np.int32), lambda p, key, obs, legal: 1 - p, (9,))
    cross = cross_play(env, [constant("a", [[0, 0], [1, 1]]), flipped], episodes=2, partners=())
    assert cross.groups == ("a", "a", "b")
    assert cross.seeds == (0, 1, 9)
    assert cross.names == ("a", "b")
    assert cross.members("b").tolist() == [2]
    np.testing.assert_allclose(cross.returns, [[1, 2, 2], [3, 4, 4], [3, 4, 4]])
    with pytest.raises(ValueError, match="no group 'c'"):
        cross.members("c")


def test_three_seats_take_the_others_from_the_column():
    payoffs = np.arange(8.0).reshape(2, 2, 2)
    env = marl.make_env("matrix", game=np.stack([payoffs, payoffs, payoffs]))
    teams = constant("a", [[0, 0, 1], [1, 1, 0]])
    cross = cross_play(env, [teams], episodes=1, partners=())
    np.testing.assert_allclose(cross.returns, [[3 * 1, 3 * 2], [3 * 5, 3 * 6]])


def test_a_cross_play_is_saved_and_read_back(tmp_path):
    cross = synthetic([[1.0, 2.0], [3.0, 4.0]], [[1, 0], [2, 2]])
    cross.save(tmp_path / "cross.safetensors")
    again = CrossPlay.load(tmp_path / "cross.safetensors")
    assert (again.groups, again.seeds, again.episodes) == (cross.groups, cross.seeds, 10)
    np.testing.assert_array_equal(again.returns, cross.returns)
    np.testing.assert_array_equal(again.events["deliveries"], cross.events["deliveries"])
    with pytest.raises(CheckpointError, match="no such file"):
        CrossPlay.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ([], {}, "groups: need one or more"),
        (["a", "a"], {}, "with different names"),
        (["a"], {"episodes": 0}, "episodes must be at least 1, got 0"),
        (["a"], {"steps": 0}, "steps must be at least 1, got 0"),
        (["a"], {"episodes": 2.5}, r"episodes must be a whole number, got 2\.5"),
        (["a"], {"steps": "9"}, "steps must be a whole number, got '9'"),
    ],
)
def test_bad_arguments_are_refused(groups, options, message):
    env = marl.make_env("matrix", game="prisoners-dilemma")
    with pytest.raises(ValueError, match=message):
        cross_play(env, [constant(name, [[0, 0]]) for name in groups], **options)


def test_the_checkerboard_of_free_riders():
    """Teams that free-ride in one seat or the other: half of the pairs have two workers or none."""
    rider = np.array([0, 1, 0, 1, 0, 1])  # which seat rides
    workers = (rider[:, None] == 1).astype(int) + (rider[None, :] == 0)
    returns = np.array([0.0, 430.0, 440.0])[workers]
    work = np.where(rider[:, None] == [0, 1], 0.0, 20.0)
    (method,) = summarize(synthetic(returns, work))
    assert method.training.value == 430.0
    assert method.training.low == method.training.high == 430.0
    pairs = returns[~np.eye(6, dtype=bool)]
    assert method.crossing.value == pytest.approx(pairs.mean())
    assert method.gap.value == pytest.approx(1 - pairs.mean() / 430)
    assert method.crossing.low < method.crossing.value < method.crossing.high
    assert str(method.riders) == "6 of 6 [54 %, 100 %]"
    assert method.work is not None
    assert [figure.value for figure in method.work] == [0.0, 20.0]


def test_the_same_roles_cross_well_and_still_free_ride():
    returns = np.full((6, 6), 430.0)
    (method,) = summarize(synthetic(returns, [[0.0, 20.0]] * 6))
    assert method.gap.value == 0.0
    assert str(method.riders).startswith("6 of 6")


def test_teams_that_stand_still_are_idle_and_not_free_riding():
    (method,) = summarize(synthetic(np.zeros((5, 5)), np.zeros((5, 2))))
    assert str(method.riders).startswith("0 of 5")
    assert str(method.idle).startswith("5 of 5")
    assert np.isnan(method.gap.value)
    assert free_riding(np.array([[1.0, 9.1], [1.0, 9.0]])).tolist() == [True, False]


def test_the_free_riding_degree_is_the_difference_of_costs():
    private = np.zeros((5, 5, 2))
    private[np.arange(5), np.arange(5)] = [-30.0, -6.0]
    (method,) = summarize(synthetic(np.ones((5, 5)), np.ones((5, 2)), private=private))
    assert method.cost_gap.value == 24.0


def test_methods_are_compared_by_ratios():
    returns = np.ones((10, 10))
    returns[5:, 5:] = 2.0
    returns[:5, 5:] = 3.0
    cross = synthetic(returns, np.ones((10, 2)), groups=["a"] * 5 + ["b"] * 5)
    found = compare(cross, "b", "a")
    assert (found.training.value, found.crossing.value, found.mixed.value) == (2.0, 2.0, 2.0)
    records = rows(summarize(cross))
    assert [record["method"] for record in records] == ["a", "b"]
    assert records[1]["training"] == 2.0


def test_one_team_has_no_cross_play():
    (method,) = summarize(synthetic([[5.0]], [[1.0, 1.0]]))
    assert method.training.value == 5.0
    assert np.isnan(method.crossing.value)
    assert np.isnan(method.training.low)


SMALL = st.integers(2, 6)


@given(SMALL, st.integers(0, 2**32 - 1))
def test_pair_means_agree_with_plain_loops(n, seed):
    rng = np.random.default_rng(seed)
    matrix, drawn = rng.normal(size=(n, n)), rng.integers(n, size=n)
    weights = np.bincount(drawn, minlength=n).astype(float)
    entries = [matrix[i, j] for i in drawn for j in drawn if i != j]
    # Of a team that was drawn twice, each copy meets every other team; copies do not meet.
    expected = np.mean(entries) if entries else np.nan
    np.testing.assert_allclose(pair_mean(matrix, weights), expected)
    np.testing.assert_allclose(team_mean(matrix[0], weights), matrix[0, drawn].mean())
    other = rng.integers(n, size=3)
    columns = np.bincount(other, minlength=n).astype(float)
    between = matrix[np.ix_(drawn, other)].mean()
    np.testing.assert_allclose(pair_mean(matrix, weights, columns), between)


def test_intervals_of_means_are_those_of_scipy():
    values = np.random.default_rng(0).gamma(2.0, size=12)
    found = bootstrap(lambda w: team_mean(values, w), 12)
    oracle = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert found.low == pytest.approx(oracle.low, abs=0.03)
    assert found.high == pytest.approx(oracle.high, abs=0.03)


@pytest.mark.parametrize("n", [10, 30])
def test_intervals_over_seeds_cover_where_those_over_entries_do_not(n):
    """Entries share teams: M_ij = a_i + b_j, of mean 0; the naive interval is much too short."""
    rng, trials, hits, naive = np.random.default_rng(n), 200, 0, 0
    for _ in range(trials):
        matrix = rng.normal(size=(n, 1)) + rng.normal(size=(1, n))
        found = bootstrap(lambda w, m=matrix: pair_mean(m, w), n, resamples=400)
        hits += found.low <= 0.0 <= found.high
        entries = matrix[~np.eye(n, dtype=bool)]
        naive += abs(entries.mean()) <= 1.96 * entries.std() / np.sqrt(entries.size)
    assert hits / trials >= 0.85
    assert naive / trials <= 0.6


def test_shares_have_exact_intervals():
    found = share([True] * 15)
    assert found.low == pytest.approx(0.025 ** (1 / 15))
    assert found.high == 1.0
    assert str(share([])) == "0 of 0"


def test_bad_samples_are_refused():
    for sizes in ((), (0,)):
        with pytest.raises(ValueError, match="sizes"):
            bootstrap(lambda *w: np.zeros(1), *sizes)
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        bootstrap(lambda w: w.sum(axis=-1), 5, level=95)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = bootstrap(lambda w: np.full(w.shape[:-1], np.nan), 5)
    assert np.isnan(nothing.value)


def test_sampled_play_of_learned_teams_agrees_with_exact_values(tiny_run):
    from marl.results import exact_cross_play
    from marl.teams import group

    teams = group("ippo", [tiny_run])
    cross = cross_play(tiny_run.env, [teams], episodes=400, partners=())
    exact = exact_cross_play(tiny_run.env, [teams], ["tanh"])
    assert exact is not None
    errors = cross.spread / np.sqrt(cross.episodes)
    assert (np.abs(cross.returns - exact.cross.returns) < 4 * errors).all()
    assert (exact.nash_conv > 0).all()
    assert exact.team_optimum == pytest.approx(304.2, abs=0.05)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Short(Kitchen):
    """A kitchen whose episodes end long before the horizon."""

    def step(self, key, state, actions):
        step = super().step(key, state, actions)
        return step._replace(shared=jax.numpy.float32(1.0), done=step.state.t >= 3)


def test_by_default_one_whole_episode_counts_however_short():
    def stay(params, key, obs, legal):
        return jax.numpy.int32(4)

    group = Group("lazy", {"none": np.zeros((1, 2))}, stay, (0,))
    for steps, want in ((None, 6.0), (9, 18.0)):
        cross = cross_play(Short(horizon=9), [group], episodes=2, steps=steps, partners=())
        assert cross.returns.tolist() == [[want]]


def test_runs_without_their_metrics_play_and_those_with_half_of_them_are_named(tiny_run, tmp_path):
    bare = shutil.copytree(tiny_run.path, tmp_path / "bare")
    (bare / "metrics.csv").unlink()
    found = play_all({"bare": [bare]}, episodes=2, exact=False)
    assert found.curves == {}
    assert found.cross.names == ("bare",)
    lines = (tiny_run.path / "metrics.csv").read_text().splitlines(keepends=True)
    (bare / "metrics.csv").write_text("".join(lines[:-1]))
    with pytest.raises(CheckpointError, match=r"metrics.csv: must have a row for each of 2 seeds"):
        curve([load_run(bare)])
    (bare / "metrics.csv").write_text("".join(lines[:-2]))  # a whole interval is missing
    with pytest.raises(CheckpointError, match=r"in every one of 3 intervals; it has 4 rows"):
        curve([load_run(bare)])
    (bare / "metrics.csv").write_text("".join(lines).replace("play.return.0", "return", 1))
    with pytest.raises(CheckpointError, match=r"metrics.csv: lacks the column 'play.return.0'"):
        curve([load_run(bare)])
