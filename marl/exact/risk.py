"""Worst case under a penalty on the partner's deviation: the value that SRPO's learner maximises.

With Q_t(s, b) the own payoff of a seat when its partner plays b, penalty KL(p || q) to the
partner's policy q gives the recursion

    V_t(s) = min_p  sum_b p(b) Q_t(s, b) + (1/tau) KL(p || q(.|s))
           = -(1/tau) log sum_b q(b|s) exp(-tau Q_t(s, b)),

and KL(q || p) the minimiser p(b) = q(b) / (tau (Q_t(s, b) + mu)), as in one-shot games
(`rqe.solve` has the same two penalties). The adversary may use the state and the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import logsumexp, rel_entr

from marl.exact.evaluation import check_team, evaluate
from marl.exact.model import KitchenModel, kitchen_model
from marl.exact.responses import against, check_seat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PENALTIES = ("kl", "reverse_kl")


@dataclass(frozen=True, eq=False, kw_only=True)
class RiskAdjusted:
    """A seat's return against the worst partner that pays for deviating from the nominal one.

    Attributes
    ----------
    value : float
        Risk-adjusted return: `expected` plus `divergence` / tau.
    expected : float
        Own return against that partner, without the penalty.
    divergence : float
        Expected sum over an episode of the divergence between that partner and the nominal one,
        in nats; meaningless, and NaN, at tau = inf.
    nominal : float
        Own return with the nominal partner.
    """

    value: float
    expected: float
    divergence: float
    nominal: float

    @property
    def premium(self) -> float:
        """Strategic-risk premium: nominal minus risk-adjusted return, at least 0."""
        return self.nominal - self.value


def risk_adjusted(
    team: Any,
    *,
    seat: int,
    tau: float,
    penalty: Literal["kl", "reverse_kl"] = "kl",
    model: KitchenModel | None = None,
) -> RiskAdjusted:
    """Return what `seat` earns when its partner deviates from its policy for the worst.

    Parameters
    ----------
    team : array_like, shape (2, S, 5), or two array_likes
        Action probabilities of both seats.
    seat : {0, 1}
        Whose return it is; the other one deviates.
    tau : float, in [0, inf]
        Risk aversion, unit 1/reward. 0: the partner does not deviate; inf: it deviates freely, with
        "kl" among the actions that it takes with positive probability.
    penalty : {"kl", "reverse_kl"}
        KL(deviation || policy) or KL(policy || deviation), summed over the steps of the episode.
    model : KitchenModel, optional
        By default that of the paper's kitchen.

    Returns
    -------
    RiskAdjusted

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Notes
    -----
    Exact up to rounding; 0.2 CPU seconds.

    Examples
    --------
    >>> from marl.exact import stand_still
    >>> risk_adjusted([stand_still(), stand_still()], seat=0, tau=10.0).value
    0.0
    """
    model = kitchen_model() if model is None else model
    check_seat(seat)
    if not tau >= 0:
        raise ValueError(f"tau must be in [0, inf], got {tau!r}")
    if penalty not in PENALTIES:
        raise ValueError(f"penalty must be one of {PENALTIES}, got {penalty!r}")
    policies = check_team(team, model)
    nominal = float(evaluate(team, model=model).returns[seat])
    mine, partner = policies[seat], policies[1 - seat]
    reward = model.rewards()[seat]
    value, expected = np.zeros(model.n_states), np.zeros(model.n_states)
    for step in reversed(range(model.horizon)):
        here, nominal_policy = mine[step % len(mine)], partner[step % len(partner)]
        risky = against(reward + model.expect(value), here, seat)
        p, value = worst_deviation(risky, nominal_policy, tau, penalty)
        plain = against(reward + model.expect(expected), here, seat)
        expected = np.einsum("sb,sb->s", p, plain)
    risk, earned = model.first(value), model.first(expected)
    paid = math.nan if math.isinf(tau) else tau * (risk - earned)
    return RiskAdjusted(value=risk, expected=earned, divergence=paid, nominal=nominal)


def worst_deviation(
    payoffs: Array, nominal: Array, tau: float, penalty: str
) -> tuple[Array, Array]:
    """Return the deviation p, shape (S, B), and the penalised payoffs (S,) in every state.

    payoffs, nominal: shape (S, B), payoff and nominal probability of each action of the partner.
    """
    if tau == 0:
        return nominal, np.einsum("sb,sb->s", nominal, payoffs)
    if math.isinf(tau):
        # Where the policy never goes, KL(deviation || policy) has no finite price at any tau, and
        # KL(policy || deviation) no price at all.
        free = nominal > 0 if penalty == "kl" else np.ones_like(nominal, bool)
        p = np.eye(payoffs.shape[1])[np.where(free, payoffs, np.inf).argmin(axis=1)]
        return p, np.einsum("sb,sb->s", p, payoffs)
    if penalty == "kl":
        with np.errstate(divide="ignore"):
            tilted = np.log(nominal) - tau * payoffs
        total = logsumexp(tilted, axis=1, keepdims=True)
        return np.exp(tilted - total), -total[:, 0] / tau
    p = _reverse_deviation(payoffs, nominal, tau)
    divergence = rel_entr(nominal, p).sum(axis=1)
    return p, np.einsum("sb,sb->s", p, payoffs) + divergence / tau


def _reverse_deviation(payoffs: Array, nominal: Array, tau: float) -> Array:
    """Minimiser of p.payoffs + KL(nominal || p) / tau in every state, shape (S, B).

    mu solves sum_b nominal / (tau (payoffs + mu)) = 1. One over the left side is concave and rises
    in mu, so Newton's method for it, started where one term alone is 1, rises to the root without
    overshooting. An
    action of nominal probability 0 is free for the adversary: it takes what mass is left, if its
    payoff is below that of every mix.
    """
    weight = nominal / tau
    shifted = payoffs - payoffs.min(axis=1, keepdims=True)
    mu = (weight - shifted).max(axis=1, keepdims=True)
    floor = np.where(nominal > 0, -np.inf, -shifted).max(axis=1, keepdims=True)
    for _ in range(100):
        gap = np.where(weight > 0, shifted + mu, 1.0)
        share = weight / gap
        mass = share.sum(axis=1, keepdims=True)
        mu = mu + np.maximum(mass - 1.0, 0.0) * mass / (share / gap).sum(axis=1, keepdims=True)
        if (mass <= 1.0 + 1e-14).all():
            break
    mu = np.maximum(mu, floor)
    p = np.where(weight > 0, weight / np.where(weight > 0, shifted + mu, 1.0), 0.0)
    left = np.maximum(1.0 - p.sum(axis=1), 0.0) * (mu == floor)[:, 0]
    p[np.arange(len(p)), np.where(nominal > 0, np.inf, shifted).argmin(axis=1)] += left
    return np.asarray(p / p.sum(axis=1, keepdims=True))
