"""The bound and the identity as properties of games that hypothesis draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rqe
from rqe import testing, theorems
from rqe.free_riding import symmetric

COLLABORATIVE = testing.games(2, (2, 4), symmetric=True, collaborative=True)


def solutions(game, risk, data):
    """The principal equilibrium and one from a drawn start."""
    yield rqe.solve(game, *risk)
    start = data.draw(testing.profiles(game))
    other = rqe.solve(game, *risk, start=start, throw=False)
    if other.converged:
        yield other


@given(COLLABORATIVE, testing.risk_parameters(least_eps=0.2), st.data())
def test_free_riding_stays_within_the_sharp_bound(game, risk, data):
    for solution in solutions(game, risk, data):
        degree = rqe.free_riding(solution).degree
        for kind in ("sharp", "corrected"):
            bound = rqe.free_riding_bound(game, risk.tau, risk.eps, kind)
            assert degree <= bound * (1 + 1e-9) + 1e-9


@given(COLLABORATIVE, testing.risk_parameters(least_eps=0.2), st.data())
def test_identity_holds_at_every_equilibrium(game, risk, data):
    """From the solution's own adversaries, which independent code computed."""
    reward, _ = symmetric(game)
    for solution in solutions(game, risk, data):
        dx = solution.strategies[0] - solution.strategies[1]
        p, q = solution.adversaries
        dlx = solution.log_strategies[0] - solution.log_strategies[1]
        if min(p.min(), q.min()) < 1e-250:
            continue
        left = risk.eps * risk.tau * dx @ dlx + (p - q) @ (np.log(p) - np.log(q))
        right = -(p - q) @ reward @ (p - q) / risk.eps
        assert left == pytest.approx(right, abs=1e-6 * (1 + abs(left)))


@given(testing.aggregative_games(), st.floats(0.0, 0.9), st.floats(0.1, 3.0))
def test_shared_reward_rises(game, share, eps):
    tau = share * rqe.tau_limits(game, eps)
    assert theorems.by_name("theorem-1").check(game, tau, eps).holds


@given(testing.games((2, 3), (1, 3)), testing.risk_parameters(least_eps=0.1))
def test_every_action_is_played(game, risk):
    assert theorems.by_name("interior-bound").check(game, *risk).holds
