"""The empirical meta-game of a cross-play matrix: whose agent should one send to each seat.

The players are the seats; an action is a trained team, which sends its agent for that seat. Payoffs
are the seats' own returns in cross-play, sampled (`marl.crossplay.CrossPlay`) or exact
(`marl.exact.Evaluation`). The game is an `rqe.NormalFormGame` and is solved as such: Nash for
players who know whom they meet, logit QRE for noisy ones, RQE for those who guard against a
deviation of the others from what is expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import rqe

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from marl.crossplay import CrossPlay

    Array = NDArray[np.float64]

CONCEPTS = ("nash", "qre", "rqe")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One solution of a meta-game.

    Attributes
    ----------
    concept : {"nash", "qre", "rqe"}
        What was solved for.
    tau, eps : float
        Risk aversion (1/return units) and bounded rationality (return units).
    weights : dict of str to tuple of float
        Probability of each method in each seat.
    total : float
        Expected sum of the seats' returns.
    returns : tuple of float
        Expected return of each seat.
    likeliest : tuple of str
        The team that each seat sends most often.
    residual, regret : float
        Certificate: distance from the fixed point, and the most that a seat could gain.
    """

    concept: str
    tau: float
    eps: float
    weights: dict[str, tuple[float, ...]]
    total: float
    returns: tuple[float, ...]
    likeliest: tuple[str, ...]
    residual: float
    regret: float


@dataclass(frozen=True, eq=False, kw_only=True)
class MetaGame:
    """A cross-play matrix as a game of two seats; `meta_game` makes it.

    Attributes
    ----------
    game : rqe.NormalFormGame
        Payoffs [2, T, T]: own return of each seat when seat 0 sends team r and seat 1 team c.
    groups : tuple of str
        Method of each team.
    """

    game: rqe.NormalFormGame
    groups: tuple[str, ...]

    def pure_equilibria(self) -> tuple[tuple[int, int], ...]:
        """Return the pairs of teams (r, c) in which no seat gains by sending another team."""
        first, second = self.game.payoffs
        stable = (first == first.max(axis=0)) & (second == second.max(axis=1)[:, None])
        return tuple((int(r), int(c)) for r, c in np.argwhere(stable))

    def solve(self, concept: str, *, tau: float = 0.0, eps: float = 0.0) -> Row:
        """Return one equilibrium with the methods' weights.

        Parameters
        ----------
        concept : {"nash", "qre", "rqe"}
            Nash equilibrium (the limit of the principal branch if it can be followed), logit
            QRE, or RQE.
        tau : float
            Risk aversion, 1/return units; for "rqe" only.
        eps : float
            Bounded rationality, return units; not for "nash".

        Returns
        -------
        Row

        Raises
        ------
        rqe.ConvergenceError
            If no equilibrium was found within rqe's tolerance.
        ValueError
            If the concept is unknown.
        """
        if concept not in CONCEPTS:
            raise ValueError(f"concept must be one of {CONCEPTS}, got {concept!r}")
        tau, eps = (tau if concept == "rqe" else 0.0), (0.0 if concept == "nash" else eps)
        solution = self._nash() if concept == "nash" else rqe.solve(self.game, tau=tau, eps=eps)
        x, y = solution.strategies
        returns = tuple(float(x @ payoff @ y) for payoff in self.game.payoffs)
        groups = np.array(self.groups)
        weights = {
            name: tuple(float(s[groups == name].sum()) for s in (x, y))
            for name in dict.fromkeys(self.groups)
        }
        likeliest = tuple(
            self.game.actions[seat][int(s.argmax())] for seat, s in enumerate(solution.strategies)
        )
        return Row(
            concept=concept,
            tau=tau,
            eps=eps,
            weights=weights,
            total=sum(returns),
            returns=returns,
            likeliest=likeliest,
            residual=float(solution.residual),
            regret=float(solution.regret),
        )

    def _nash(self) -> rqe.Solution:
        """Limit of the principal branch, or, where that cannot be followed, by pivoting."""
        try:
            return rqe.nash(self.game)
        except rqe.ConvergenceError:
            return rqe.nash(self.game, method="lemke_howson")

    def table(self, *, tau: float | None = None, eps: float | None = None) -> list[Row]:
        """Return the Nash equilibrium, the QRE and the RQE, one row each.

        Parameters
        ----------
        tau : float, optional
            Risk aversion; 10 divided by the range of the payoffs unless given.
        eps : float, optional
            Bounded rationality; 5 % of the range of the payoffs unless given.
        """
        spread = float(np.ptp(self.game.payoffs)) or 1.0
        tau = 10.0 / spread if tau is None else tau
        eps = 0.05 * spread if eps is None else eps
        return [self.solve(concept, tau=tau, eps=eps) for concept in CONCEPTS]


def meta_game(
    returns: ArrayLike, groups: Sequence[str], *, names: Sequence[str] | None = None
) -> MetaGame:
    """Meta-game of a cross-play matrix.

    Parameters
    ----------
    returns : array_like, shape (T, T, 2)
        Own return of each seat, in entry (r, c) of seat 0 from team r and seat 1 from team c, such
        as ``marl.exact.crossplay(teams).returns``.
    groups : sequence of T str
        Method of each team.
    names : sequence of T str, optional
        Different names of the teams: by default the method and a number within it.

    Returns
    -------
    MetaGame

    Raises
    ------
    ValueError
        If the shapes do not fit, or a return is not finite.

    Examples
    --------
    >>> returns = [[[5.0, 5.0], [0.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]]
    >>> meta = meta_game(returns, ["srpo", "ippo"])
    >>> meta.pure_equilibria()
    ((0, 0), (1, 1))
    >>> meta.solve("nash").likeliest
    ('srpo 0', 'srpo 0')
    """
    matrix = np.asarray(returns, dtype=np.float64)
    groups = list(groups)
    teams = len(groups)
    if matrix.shape != (teams, teams, 2):
        raise ValueError(
            f"returns must have shape ({teams}, {teams}, 2) for {teams} groups, got {matrix.shape}"
        )
    if names is None:
        names = [f"{name} {groups[:k].count(name)}" for k, name in enumerate(groups)]
    game = rqe.NormalFormGame(
        np.moveaxis(matrix, -1, 0),
        players=("seat 0", "seat 1"),
        actions=(list(names), list(names)),
        title="Cross-play meta-game",
    )
    return MetaGame(game=game, groups=tuple(groups))


def from_crossplay(cross: CrossPlay) -> MetaGame:
    """Meta-game of a sampled cross-play matrix of two seats.

    Raises
    ------
    ValueError
        If the environment has other than two seats.
    """
    private = np.asarray(cross.private)
    if private.shape[-1] != 2:
        raise ValueError(f"cross-play must be of two seats, got {private.shape[-1]}")
    shared = (np.asarray(cross.returns) - private.sum(axis=-1)) / 2
    names = [f"{name} {seed}" for name, seed in zip(cross.groups, cross.seeds, strict=True)]
    return meta_game(shared[..., None] + private, cross.groups, names=names)


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Rows as words, header first: methods' weights by seat, returns and certificates."""
    methods = tuple(rows[0].weights)
    found = [("concept", "tau", "eps", *methods, "sum of returns", "residual", "regret")]
    for row in rows:
        shares = [" / ".join(f"{w:.2f}" for w in row.weights[name]) for name in methods]
        head = (row.concept, f"{row.tau:.3g}", f"{row.eps:.3g}")
        found.append(
            (*head, *shares, f"{row.total:.1f}", f"{row.residual:.0e}", f"{row.regret:.0e}")
        )
    return found


def markdown(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table, see `cells`."""
    header, *body = cells(rows)
    lines = [header, ("---",) * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
