"""Learned against exact: what SRPO and IPPO settle at on a game, beside `rqe.solve`.

On a game that is played once per episode, the fixed points of SRPO's updates are the RQE of the
game at the same (tau, eps) and penalty, and those of IPPO (tau = 0) its logit QRE at lam = 1 / eps;
`docs/marl/link.md` derives it. Here both are computed and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import rqe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marl.algorithms import PPO

    Array = NDArray[np.float64]

_SNAPSHOTS = 50  # strategies averaged, over the second half of a run


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Strategies that independent runs learned on one game, and an exact equilibrium.

    A game may have several equilibria: runs are told apart by the one that they end nearest to,
    and each group is a comparison of its own.

    Attributes
    ----------
    game : rqe.NormalFormGame
        What was played.
    algo : marl.algorithms.PPO
        Who learned.
    learned : ndarray, shape (runs, N, A)
        Strategies of every run, averaged over its second half; A is the largest number of actions.
    exact : rqe.Solution
        The equilibrium.
    equilibria : int
        How many equilibria were found in all.
    """

    game: rqe.NormalFormGame
    algo: PPO
    learned: Array
    exact: rqe.Solution
    equilibria: int

    @property
    def runs(self) -> int:
        """How many runs ended at this equilibrium."""
        return len(self.learned)

    @property
    def target(self) -> Array:
        """Exact strategies, shape (N, A)."""
        return _padded(self.exact.strategies, self.learned.shape[-1])

    @property
    def gap(self) -> float:
        """Largest difference between a mean learned probability and the exact one."""
        return float(np.abs(self.learned.mean(axis=0) - self.target).max())

    @property
    def error(self) -> float:
        """Largest standard error of a mean learned probability; NaN for a single run."""
        if self.runs < 2:
            return float("nan")
        return float((self.learned.std(axis=0, ddof=1) / np.sqrt(self.runs)).max())


def compare(
    games: Sequence[rqe.NormalFormGame],
    algo: PPO,
    *,
    seeds: int = 16,
    updates: int = 4000,
    seed: int = 0,
) -> list[Comparison]:
    """Learn games of one shape and compare with their equilibria.

    Parameters
    ----------
    games : sequence of rqe.NormalFormGame
        All of one shape; they are learned side by side in one compiled program.
    algo : PPO
        `marl.IPPO` or `marl.SRPO`, without advantage normalisation (it rescales eps), see
        `learner`.
    seeds : int
        Independent runs per game.
    updates : int
        Updates per run, in whole hundreds: rounded down, at least one hundred.
    seed : int
        Of the random keys.

    Returns
    -------
    list of Comparison
        In the order of the games; of one game, the equilibrium with most runs first.

    Raises
    ------
    ValueError
        If the shapes differ, advantages are normalised, or eps is 0 (then runs end at pure
        strategies that need be no equilibrium).
    """
    shapes = {game.shape for game in games}
    if len(shapes) != 1:
        raise ValueError(f"games must all have one shape, got {sorted(shapes)}")
    if algo.normalise_advantages:
        raise ValueError(
            "normalise_advantages must be False, as True changes the unit of eps; got True"
        )
    if not algo.eps > 0:
        raise ValueError(f"eps must be positive to compare with an equilibrium, got {algo.eps!r}")
    learned = learn(games, algo, seeds=seeds, updates=updates, seed=seed)
    return [one for k, game in enumerate(games) for one in _compare_one(game, algo, learned[k])]


def learn(
    games: Sequence[rqe.NormalFormGame], algo: PPO, *, seeds: int, updates: int, seed: int = 0
) -> Array:
    """Return learned strategies (games, seeds, N, A), averaged over the second half of the runs."""
    import jax
    import jax.numpy as jnp

    from marl.algorithms import ppo
    from marl.compile import jit
    from marl.envs.matrix import Matrix
    from marl.networks import Actor
    from marl.train import Trainer

    payoffs = jnp.asarray(np.stack([game.payoffs for game in games]), jnp.float32)
    model = Matrix(game=games[0])
    views = ppo.Views(jnp.ones((model.n_agents, 1, 1)), model.legal(jnp.int32(0))[:, None])
    piece = max(1, updates // (2 * _SNAPSHOTS))

    network = Actor(model.n_actions, algo.hidden, algo.activation)

    def run(payoff: Any, key: Any) -> Any:
        trainer = Trainer(_Payoffs(model, payoff), algo)

        def snapshot(state: Any, _: Any) -> tuple[Any, Any]:
            state, _metrics = trainer.advance(state, piece)
            log_policies = ppo.log_policy(network, trainer.team(state), views)
            return state, jnp.exp(log_policies[:, 0])

        steps = jnp.arange(2 * _SNAPSHOTS)
        _, strategies = jax.lax.scan(snapshot, trainer.init(key), steps)
        return strategies[_SNAPSHOTS:].mean(axis=0)

    keys = jax.random.split(jax.random.key(seed), seeds)
    every = jax.vmap(jax.vmap(run, in_axes=(None, 0)), in_axes=(0, None))
    return np.asarray(jit(every)(payoffs, keys), np.float64)


def learner(**settings: Any) -> Any:
    """`marl.SRPO` with settings that suit a game of one step: many tables, a policy of logits.

    Parameters
    ----------
    **settings
        Of `marl.SRPO`, which take precedence; ``tau=0`` is IPPO.
    """
    from marl.algorithms import SRPO

    small = {"hidden": (), "n_envs": 512, "n_steps": 1, "epochs": 1, "lr": 4e-3}
    return SRPO(**{**small, **settings})


def equilibria(game: rqe.NormalFormGame, algo: PPO) -> list[rqe.Solution]:
    """Equilibria of a game at an algorithm's tau, eps and penalty, as many as can be found."""
    tau, penalty = getattr(algo, "tau", 0.0), getattr(algo, "penalty", "kl")
    return list(rqe.solve_all(game, tau, algo.eps, penalty=penalty))


def _compare_one(game: rqe.NormalFormGame, algo: PPO, learned: Array) -> list[Comparison]:
    """Comparisons of one game, learned being (runs, N, A)."""
    exact = equilibria(game, algo)
    targets = np.stack([_padded(solution.strategies, learned.shape[-1]) for solution in exact])
    away = np.abs(learned[:, None] - targets).max(axis=(2, 3))
    nearest = away.argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(exact))
    return [
        Comparison(
            game=game,
            algo=algo,
            learned=learned[nearest == k],
            exact=exact[k],
            equilibria=len(exact),
        )
        for k in np.argsort(-counts, kind="stable")
        if counts[k]
    ]


def markdown(comparisons: Sequence[Comparison]) -> str:
    """Comparisons as a Markdown table: every player's first probability, learned and exact."""
    lines = [
        "| game | learner | tau | eps | runs | learned | exact | gap | standard error |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in comparisons:
        tau = getattr(one.algo, "tau", 0.0)
        kind = "IPPO" if tau == 0 else f"{one.algo.penalty}, {one.algo.adversary}"  # type: ignore[attr-defined]
        learned, exact = one.learned.mean(axis=0)[:, 0], one.target[:, 0]
        cells = [one.game.title or "game", kind, f"{tau:g}", f"{one.algo.eps:g}", str(one.runs)]
        cells += [", ".join(f"{p:.4f}" for p in x) for x in (learned, exact)]
        lines.append("| " + " | ".join([*cells, f"{one.gap:.4f}", f"{one.error:.4f}"]) + " |")
    return "\n".join(lines)


def _padded(strategies: Sequence[Array], width: int) -> Array:
    """Strategies as rows of one array, zeros behind the shorter ones."""
    return np.stack([np.pad(x, (0, width - len(x))) for x in strategies])


class _Payoffs:
    """A matrix environment whose payoffs [N, ...] are an argument of the compiled program."""

    def __init__(self, model: Any, payoffs: Any) -> None:
        self.model, self.payoffs = model, payoffs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def step(self, key: Any, state: Any, actions: Any) -> Any:
        """Payoffs at the joint action; the episode is over."""
        import jax.numpy as jnp

        step = self.model.step(key, state, actions)
        cell = tuple(jnp.minimum(actions, jnp.asarray(self.model.game.shape) - 1))
        return step._replace(private=self.payoffs[(slice(None), *cell)])
