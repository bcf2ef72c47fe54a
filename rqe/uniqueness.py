"""Is there only one equilibrium? What theorems say of a game and a concept before it is solved."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rqe._input import checked_game
from rqe.games._checks import check_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rqe.concepts import Concept
    from rqe.games.normal_form import NormalFormGame

    Array = NDArray[np.float64]

__all__ = ["dependence", "interaction", "second_difference", "theorem"]

# The pairs of arXiv 2406.14156 and arXiv 2602.12386.
_TRACTABLE_PAIRS = (("kl", "log_barrier"), ("reverse_kl", "entropy"))
_AFFORDABLE = 20_000_000  # differences of payoffs that are looked at, a fraction of a second
_ROUNDING = 1e-12  # relative; a condition closer to its edge than that is not taken to hold


def theorem(game: NormalFormGame, concept: Concept) -> str | None:
    """Name a theorem that leaves room for one equilibrium only, or None.

    With eps > 0, any of these suffices:

    - two players, the pair (KL, log barrier) or (reverse KL, entropy), and
      ``eps_1 tau_1 eps_2 tau_2 >= 1`` [1]_ or ``16 eps_1 tau_1 eps_2 tau_2 > 1`` [2]_;
    - at most one player's strategy depends on the others' play (the others have one action,
      eps = inf or tau = inf): strict concavity;
    - two risk-neutral players whose payoffs sum to a constant: a saddle point, strictly concave
      in one strategy and strictly convex in the other;
    - two players of two actions each whose second differences of payoffs differ in sign: monotone
      best responses;
    - the pair (KL, entropy), any number of players and any tau, and weak interaction:
      `dependence` below 1 (`rqe.theorems.weak_interaction`).

    Parameters
    ----------
    game : NormalFormGame
        N players.
    concept : Concept
        tau, eps, penalty and regularizer, one tau and one eps per player.

    Returns
    -------
    str or None
        The theorem in words; None says that nothing is known, not that there are several.

    Raises
    ------
    TypeError
        If the game is not a finite one.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.catalog.load("stag-hunt")
    >>> print(theorem(game, rqe.Concept.of(game, tau=1.0, eps=0.01)))
    None
    >>> theorem(game, rqe.Concept.of(game, tau=1.0, eps=5.0))
    'weak interaction: the sum of Gamma_i / (Gamma_i + 4 eps_i) is below 1'

    References
    ----------
    .. [1] Mazumdar, Panaganti & Shi, ICLR 2025, arXiv 2406.14156.
    .. [2] Zhang & Mazumdar, arXiv 2602.12386.
    """
    checked_game(game)
    if not bool((concept.eps > 0.0).all()):
        return None
    found = _published(concept)
    if found is None and len(dependent(game, concept)) <= 1:
        return "strict concavity: at most one player's strategy depends on the others' play"
    if found is None and game.n_players == 2:
        found = _of_two(game, concept)
    if found is None and dependence(game, concept) < 1.0 - _ROUNDING:
        return "weak interaction: the sum of Gamma_i / (Gamma_i + 4 eps_i) is below 1"
    return found


def dependent(game: NormalFormGame, concept: Concept) -> list[int]:
    """Return the players whose strategy depends on what the others play."""
    return [
        i
        for i, (n, tau, eps) in enumerate(
            zip(game.shape, concept.tau.tolist(), concept.eps.tolist(), strict=True)
        )
        if n > 1 and eps < math.inf and tau < math.inf
    ]


def dependence(game: NormalFormGame, concept: Concept) -> float:
    """Return ``sum_i Gamma_i / (Gamma_i + 4 eps_i)`` over the players who depend on the others.

    Below 1 it proves that the RQE is unique, for the pair (KL, entropy) and every tau; it is inf
    for the other pairs and where an eps is 0. It has no unit; Gamma_i is `interaction`. Derived
    in `rqe.theorems.weak_interaction`.

    Raises
    ------
    TypeError
        If the game is not a finite one.

    Examples
    --------
    >>> import rqe
    >>> game = rqe.NormalFormGame.from_bimatrix([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    >>> dependence(game, rqe.Concept.of(game, tau=3.0, eps=0.5))
    1.0
    """
    checked_game(game)
    if (concept.penalty, concept.regularizer) != ("kl", "entropy"):
        return math.inf
    if not bool((concept.eps > 0.0).all()):
        return math.inf
    total = 0.0
    for i in dependent(game, concept):
        strength = interaction(game, i)
        total += strength / (strength + 4.0 * float(concept.eps[i]))
    return total


def interaction(game: NormalFormGame, player: int) -> float:
    r"""Return the strength of interaction of one player, in payoff units, or a bound above it.

    .. math:: \Gamma_i = \max_{a, a', b, b'}
              u_i(a, b) - u_i(a', b) - u_i(a, b') + u_i(a', b')

    over actions a, a' of the player and joint actions b, b' of the others: by how much the others
    can change what one action is worth more than another. Where the maximum takes too long (over
    20 million differences), twice the largest spread of ``u_i(a, .)`` less its mean over a.

    Parameters
    ----------
    game : NormalFormGame
        N players.
    player : int
        Index of the player, 0 to N - 1.

    Raises
    ------
    TypeError, ValueError
        If the game is not a finite one, or has no such player.

    Examples
    --------
    >>> import rqe
    >>> interaction(rqe.catalog.load("free-riding"), 0)
    1.0
    """
    check_index("player", player, checked_game(game).n_players)
    own_first = np.moveaxis(game.payoffs[player], player, 0)
    table = own_first.reshape(len(own_first), -1)
    if len(table) * table.size > _AFFORDABLE:
        return 2.0 * float(np.ptp(table - table.mean(0), axis=1).max())
    spreads = [np.ptp(table[a + 1 :] - row, axis=1).max() for a, row in enumerate(table[:-1])]
    return float(max(spreads, default=0.0))


def second_difference(game: NormalFormGame, player: int) -> float:
    """Return u(1, 1) - u(1, 2) - u(2, 1) + u(2, 2) of a player of a 2x2 game, rounded once."""
    u = game.payoffs[player]
    return math.fsum((u[0, 0], -u[0, 1], -u[1, 0], u[1, 1]))


def _published(concept: Concept) -> str | None:
    """Name the published theorem whose condition on tau and eps holds, or None."""
    if len(concept.tau) != 2 or (concept.penalty, concept.regularizer) not in _TRACTABLE_PAIRS:
        return None
    product = math.prod(concept.tau.tolist() + concept.eps.tolist())
    if not math.isfinite(product):
        return None
    if product >= 1.0:
        return "arXiv 2406.14156: eps_1 tau_1 eps_2 tau_2 >= 1"
    if 16.0 * product > 1.0:
        return "arXiv 2602.12386: 16 eps_1 tau_1 eps_2 tau_2 > 1"
    return None


def _of_two(game: NormalFormGame, concept: Concept) -> str | None:
    """Name what makes the equilibrium of these two players unique, or None."""
    if not concept.tau.any() and _constant_sum(*game.payoffs):
        return "a saddle point: two risk-neutral players whose payoffs sum to a constant"
    if game.shape == (2, 2):
        b = [second_difference(game, i) for i in (0, 1)]
        sure = all(abs(b[i]) > _ROUNDING * float(np.abs(game.payoffs[i]).max()) for i in (0, 1))
        if sure and (b[0] > 0.0) != (b[1] > 0.0):
            return "monotone best responses in opposite directions"
    return None


def _constant_sum(first: Array, second: Array) -> bool:
    """Return whether first + second is the same number everywhere, without rounding."""
    total = first + second
    if not bool((total == total.flat[0]).all()):
        return False
    added = total - first
    lost = (first - (total - added)) + (second - added)  # exact: Knuth's two-sum
    return bool((lost == lost.flat[0]).all())
