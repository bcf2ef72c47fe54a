r"""One RQE where interaction is weak against noise, whatever the players' risk aversion.

Derived for this library; N players, the pair (KL, entropy), ``eps_i > 0`` and any ``tau_i``. With

.. math:: \Gamma_i = \max_{a, a', b, b'} u_i(a, b) - u_i(a', b) - u_i(a, b') + u_i(a', b'),

b, b' joint actions of the others, the RQE is unique if

.. math:: \sum_i \frac{\Gamma_i}{\Gamma_i + 4 \epsilon_i} < 1,

for two players ``Gamma_1 Gamma_2 < 16 eps_1 eps_2``. It contains `identity`'s corollary of weak
interaction, for equal players, and holds at tau = 0, where it is about the logit QRE.

Proof. Let q be the product of the others' strategies and ``osc f = max f - min f``. Player i and
his adversary p play ``eps log x = U p + const``, ``log p = log q - tau U' x + const``: the saddle
point of an objective strictly concave in x and strictly convex in p, hence unique and smooth in
log q. Along a path of q, with dots for derivatives,

.. math:: \epsilon \tau \langle \dot x, \dot{\log x} \rangle + \langle \dot p, \dot{\log p} \rangle
          = \langle \dot p, \dot{\log q} \rangle .

The first term is tau eps times a variance, not negative; the second is the variance of
d log p under p, the right side a covariance under p, so that ``sd(d log p) <= sd(d log q)``, which
is at most half of ``osc d log q``. The total variation of dp is half of the mean absolute
deviation of d log p, at most ``osc(d log q) / 4``, and ``osc(U dp)`` at most Gamma times that:

.. math:: \mathrm{osc}\, d \log x_i \le \frac{\Gamma_i}{4 \epsilon_i}
          \sum_{j \ne i} \mathrm{osc}\, d \log x_j .

(At tau = inf x does not depend on q at all.) So the map from all log-strategies to their best
responses has a matrix of Lipschitz constants ``g_i`` off the diagonal, ``g_i = Gamma_i / 4 eps_i``,
whose spectral radius is below 1 exactly if ``sum g_i / (1 + g_i) < 1``: then it is a contraction
in a weighted norm, and has one fixed point.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rqe import uniqueness
from rqe._input import checked_game
from rqe.concepts import Concept
from rqe.theorems import _finite
from rqe.theorems._agreement import SAME, agreement, counterexample, from_two_starts
from rqe.theorems._base import Counterexample, Evidence, Least, Progress, Proved, Search, Theorem
from rqe.theorems._proof import positive, prove, sympy

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from rqe.games.normal_form import NormalFormGame

    Array = NDArray[np.float64]

CONDITION = r"\sum_i \frac{\Gamma_i}{\Gamma_i + 4 \epsilon_i} < 1"
BOUND = (
    r"\mathrm{osc}(\log x_i - \log x_i') \le \frac{\Gamma_i}{4 \epsilon_i} "
    r"\sum_{j \ne i} \mathrm{osc}(\log x_j - \log x_j')"
)
_SHAPES = ((2, 2), (2, 2), (2, 3), (3, 3), (4, 4), (2, 2, 2), (3, 2, 2), (2, 2, 2, 2))
_ROUNDING = 1e-6


def check(game: Any, tau: Any, eps: Any, *, starts: Any = ()) -> Evidence:
    """Return whether the equilibria found in one game agree; inf where nothing is claimed."""
    total = uniqueness.dependence(game, Concept.of(checked_game(game), tau, eps))
    if not total < 1.0:
        return Evidence(
            True, math.inf, None, f"not claimed: the sum of Gamma_i / (Gamma_i + 4 eps_i) = {total}"
        )
    return agreement(list(_finite.equilibria(game, tau, eps, starts)))


def search(rng: Generator, examples: int, progress: Progress) -> Search:
    """Solve random games, up to the edge of the condition, from two starts each."""
    least = Least(progress)
    while least.tried < examples:
        game = _game(rng)
        tau, eps = _parameters(rng, game, float(rng.choice([0.5, 0.9, 0.999])))
        found = from_two_starts(rng, game, tau, eps, "kl", "entropy")
        if len(found) < 2:
            continue
        evidence = agreement(found)
        least.add(1, evidence.margin)
        if not evidence.holds:
            return Search(least.tried, least.margin, counterexample(game, evidence))
    return Search(least.tried, least.margin, None, "the principal branch and a random start each")


def check_bound(game: Any, tau: Any, eps: Any, *, starts: Any = ()) -> Evidence:
    """Return the least margin of the bound between the given profiles, or between random ones."""
    concept = Concept.of(checked_game(game), tau, eps)
    if not bool((concept.eps > 0.0).all()):
        raise ValueError(f"eps must be positive for this claim; got {eps!r}")
    rng = np.random.default_rng(0)
    profiles = [[np.asarray(x, dtype=float) for x in start] for start in starts]
    while len(profiles) < 8:
        profiles.append([rng.dirichlet(np.full(n, 0.5)) + 1e-6 for n in game.shape])
    profiles = [[x / x.sum() for x in profile] for profile in profiles]
    worst = Evidence(True, math.inf, None, "no player depends on the others")
    for one, other in itertools.pairwise(profiles):
        for i in uniqueness.dependent(game, concept):
            found = _moved(game, concept, i, one, other)
            if found.margin < worst.margin:
                worst = found
    return worst


def search_bound(rng: Generator, examples: int, progress: Progress) -> Search:
    """Judge the bound between random profiles, near and far, of random games."""
    least = Least(progress)
    while least.tried < examples:
        game = _game(rng)
        tau, eps = _parameters(rng, game, float(rng.uniform(0.05, 0.95)) * game.n_players)
        concept = Concept.of(game, tau, eps)
        players = uniqueness.dependent(game, concept)
        if not players:
            continue
        logs = [rng.normal(size=n) * rng.choice([0.1, 1.0, 3.0]) for n in game.shape]
        step = 10.0 ** rng.uniform(-1.5, 0.7)
        moved = [log_x + step * rng.normal(size=len(log_x)) for log_x in logs]
        one, other = ([_softmax(log_x) for log_x in profile] for profile in (logs, moved))
        found = _moved(game, concept, int(rng.choice(players)), one, other)
        least.add(1, found.margin)
        if not found.holds:
            code = (
                f"import rqe\ngame = rqe.NormalFormGame({game.payoffs.tolist()})\n"
                f'bound = rqe.theorems.by_name("response-bound")\nprint(bound.check(game, '
                f"{tau.tolist()}, {eps.tolist()}, starts={[[x.tolist() for x in one]]} + "
                f"{[[x.tolist() for x in other]]}))"
            )
            return Search(least.tried, least.margin, Counterexample(game, tau, eps, found, code))
    return Search(least.tried, least.margin, None, "best responses to two random profiles each")


def _moved(
    game: NormalFormGame, concept: Concept, i: int, one: list[Array], other: list[Array]
) -> Evidence:
    """Return how far below its bound the change of player i's best response is, as a share."""
    import rqe

    responses = [rqe.best_response(game, p, i, concept.tau, concept.eps) for p in (one, other)]
    change = float(np.ptp(responses[1].log_strategy - responses[0].log_strategy))
    cause = sum(
        float(np.ptp(np.log(x) - np.log(y)))
        for j, (x, y) in enumerate(zip(one, other, strict=True))
        if j != i
    )
    bound = uniqueness.interaction(game, i) / (4.0 * float(concept.eps[i])) * cause
    if bound <= 1e-9:  # no interaction, or the same profile: both are rounding
        return Evidence(change <= 1e-6, 1.0 if change <= 1e-6 else -1.0, None, "nothing moves")
    margin = 1.0 - change / bound
    note = f"player {i}: the best response moves by {change:.6g}, the bound is {bound:.6g}"
    return Evidence(margin >= -_ROUNDING, margin, (one, other), note)


def _softmax(log_x: Array) -> Array:
    """Return the probabilities."""
    x = np.exp(log_x - log_x.max())
    out: Array = x / x.sum()
    return out


def _game(rng: Generator) -> NormalFormGame:
    """Random games of two to four players: uniform, coordination, anti-coordination, integers."""
    import rqe

    shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
    payoffs = rng.random((len(shape), *shape))
    kind = int(rng.integers(4))
    if kind == 3:
        payoffs = rng.integers(0, 4, payoffs.shape).astype(float)
        payoffs.flat[0] += 0.5  # not all alike
    elif kind:
        index = np.indices(shape)
        payoffs = payoffs + (4.0 if kind == 1 else -4.0) * (index == index[0]).all(0)
    return rqe.NormalFormGame(payoffs)


def _parameters(rng: Generator, game: NormalFormGame, total: float) -> tuple[Array, Array]:
    """Return random tau, zeros and inf among them, and eps at which the condition's sum is total.

    The sum is over all players, which is no less than that over those who depend on the others.
    """
    n_players = game.n_players
    scale = float(game.payoff_range.max())
    tau = 10.0 ** rng.uniform(-2, 2, n_players) / scale
    tau *= rng.choice([0.0, 1.0, 1.0, 1.0], n_players)
    if rng.random() < 0.1:
        tau[int(rng.integers(n_players))] = math.inf
    strength = np.array([uniqueness.interaction(game, i) for i in range(n_players)])
    ratio = 10.0 ** rng.uniform(-0.5, 0.5, n_players)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        eps = scale * ratio * math.exp(middle)
        if float((strength / (strength + 4.0 * eps)).sum()) > total:
            low = middle
        else:
            high = middle
    return tau, scale * ratio * math.exp(high)


def derive() -> tuple[Proved, ...]:
    """Prove the identity of the derivatives, the variance's bound, the spectral condition."""
    return (*(_tangent(n) for n in (2, 3)), *_variance(), *(_radius(n) for n in (2, 3, 4)))


def _tangent(n: int) -> Proved:
    """Prove the identity of the derivatives: n actions, n joint actions of the others."""
    sp = sympy()
    tau, eps = positive("tau epsilon")
    U = sp.Matrix(n, n, lambda a, b: sp.Symbol(f"u{a}{b}"))
    x, p = (sp.Matrix(sp.symbols(f"d{name}:{n - 1}")) for name in "xp")
    dx, dp = (sp.Matrix([*v, -sum(v)]) for v in (x, p))  # they sum to zero
    one, k, m = sp.ones(n, 1), sp.Symbol("k"), sp.Symbol("m")
    log_q = sp.Matrix(sp.symbols(f"q:{n}"))
    log_x = U * dp / eps + k * one
    log_p = log_q - tau * U.T * dx + m * one
    left = eps * tau * dx.dot(log_x) + dp.dot(log_p)
    return prove(f"the identity of the derivatives, {n} actions", left, dp.dot(log_q))


def _variance() -> tuple[Proved, ...]:
    """Prove that a variance is at most a quarter of the squared oscillation (Popoviciu)."""
    sp = sympy()
    low, high, f, g, w = sp.symbols("low high f g w", real=True)
    mean, square = w * f + (1 - w) * g, w * f**2 + (1 - w) * g**2
    room = w * (high - f) * (f - low) + (1 - w) * (high - g) * (g - low)
    middle = (low + high) / 2
    return (
        prove(
            "(high - mean)(mean - low) - variance = E[(high - f)(f - low)], not negative",
            (high - mean) * (mean - low) - (square - mean**2),
            room,
        ),
        prove(
            "(high - mean)(mean - low) = (high - low)^2 / 4 - (mean - middle)^2",
            (high - mean) * (mean - low),
            (high - low) ** 2 / 4 - (mean - middle) ** 2,
        ),
    )


def _radius(n: int) -> Proved:
    """Prove that the matrix of g_i off the diagonal has eigenvalue 1 where the sum is 1."""
    sp = sympy()
    g = sp.symbols(f"g:{n}", positive=True)
    M = sp.Matrix(n, n, lambda i, j: 0 if i == j else g[i])
    product = sp.prod([1 + h for h in g])
    return prove(
        f"det(I - M) = prod(1 + g_i) (1 - sum g_i / (1 + g_i)), {n} players",
        (sp.eye(n) - M).det(),
        product * (1 - sum(h / (1 + h) for h in g)),
    )


_theorem = functools.partial(Theorem, source="derived in this library", true=True, _derive=derive)
THEOREMS = (
    _theorem(
        name="response-bound",
        title="Best responses move at most this much",
        statement="With (KL, entropy), for every tau: osc(log x_i - log x_i') <= Gamma_i / "
        "(4 eps_i) times the sum of osc(log x_j - log x_j') over the others, where x_i and x_i' "
        "are the best responses.",
        latex=BOUND,
        margin="1 - change / bound",
        _check=check_bound,
        _search=search_bound,
    ),
    _theorem(
        name="uniqueness-interaction",
        title="One RQE where interaction is weak",
        statement="N players with (KL, entropy) have one RQE, for every tau, if the sum of "
        "Gamma_i / (Gamma_i + 4 eps_i) is below 1.",
        latex=CONDITION,
        margin=f"1 - (distance between the equilibria found) / {SAME:g}",
        _check=check,
        _search=search,
    ),
)
