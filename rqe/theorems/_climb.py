"""Adversarial search: games that break a claim are bred, not only drawn.

A population starts from structured families at a free-riding equilibrium. Each round changes some
payoffs and parameters of every game a little, follows the equilibrium by Newton's method, and
keeps the change if the margin fell; now and then the worst quarter is replaced by the best.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rqe.theorems import _families
from rqe.theorems._base import Least, Progress, Search
from rqe.theorems._batch import Array, Batch, join, newton, solved
from rqe.theorems._finite import ROUNDING, Claim, confirmed

if TYPE_CHECKING:
    from numpy.random import Generator

_POPULATION = 64
_POOL = 8
_ROUNDS = 250
_TOURNAMENT = 10
_CLEAR = -0.2
_ACTIONS = 4
_NOTE = "bred from families of near-coordination games; rewards span [0, 1], costs lie in it"


def search(
    claim: Claim, rng: Generator, examples: int, progress: Progress, patience: int = 0
) -> Search:
    """Breed games, restarting with new ones, until the claim clearly fails or enough are judged.

    Judged are games at an equilibrium. At least `patience` games are bred, whatever `examples`
    says. A failure that never grew clear is told at the end.
    """
    least, bred = Least(progress), 0
    lowest = -ROUNDING
    closest: Batch | None = None
    while least.tried < examples or bred < patience:
        games, margins = _founders(claim, rng, least)
        bred += _POOL * _POPULATION
        for k in range(_ROUNDS):
            games, margins = _generation(claim, rng, games, margins, least)
            bred += len(games)
            if margins.min() < _CLEAR:
                found = confirmed(claim, games.pick([int(margins.argmin())]), _spans_unit)
                if found is not None:
                    return Search(least.tried, least.margin, found, _NOTE)
            if k % _TOURNAMENT == _TOURNAMENT - 1:
                order = np.argsort(margins)
                quarter = len(order) // 4
                order[-quarter:] = order[:quarter]
                games, margins = games.pick(order), margins[order]
            if least.tried >= examples and bred >= patience:
                break
        if margins.min() < lowest:
            lowest, closest = float(margins.min()), games.pick([int(margins.argmin())])
    shown = None if closest is None else confirmed(claim, closest, _spans_unit)
    return Search(least.tried, least.margin, shown, _NOTE)


def _founders(claim: Claim, rng: Generator, least: Least) -> tuple[Batch, Array]:
    """The best of many drawn games, at equilibria; little noise and moderate risk aversion."""
    count = _POOL * _POPULATION
    games = _families.loose(rng, count, _ACTIONS)
    eps = np.exp(rng.uniform(np.log(0.01), np.log(0.05), count))
    games = newton(replace(games, eps=eps, tau=rng.uniform(0.1, 1.0, count) / eps))
    margins = _judged(claim, games, least)
    best = np.argsort(margins)[:_POPULATION]
    return games.pick(best), margins[best]


def _generation(
    claim: Claim, rng: Generator, games: Batch, margins: Array, least: Least
) -> tuple[Batch, Array]:
    """Change every game, and keep what lowers its margin."""
    count, n = games.cost.shape
    size = rng.choice([0.02, 0.1, 0.3], (count, 1))
    noise = rng.normal(size=(count, n, n)) * size[..., None] * (rng.random((count, n, n)) < 0.3)
    reward = np.clip(games.reward + noise + noise.swapaxes(1, 2), 0.0, 1.0)
    change = rng.normal(size=(count, n)) * size * (rng.random((count, n)) < 0.3)
    drift = rng.normal(size=count) * 0.2 * (rng.random(count) < 0.5) + 0.2
    wobble = rng.normal(size=count) * 0.1 * (rng.random(count) < 0.3)
    changed = Batch(
        _families.unit(reward),
        np.clip(games.cost + change, 0.0, 1.0),
        games.tau * np.exp(drift),
        np.clip(games.eps * np.exp(wobble), 0.01, 1.0),
        games.log_x,
    )
    changed = newton(changed, max_steps=15)
    found = _judged(claim, changed, least)
    better = found < margins
    pool = join([games, changed])
    kept = np.where(better, count + np.arange(count), np.arange(count))
    return pool.pick(kept), np.where(better, found, margins)


def _judged(claim: Claim, games: Batch, least: Least) -> Array:
    """Margins at equilibria, which are counted; inf elsewhere."""
    found = solved(games)
    margins: Array = np.where(found, claim.margins(games), np.inf)
    least.add(int(found.sum()), float(margins.min()))
    return margins


def _spans_unit(one: Batch) -> bool:
    """Whether rewards span [0, 1] and costs lie in it, so that units play no part."""
    reward, cost = one.reward[0], one.cost[0]
    inside = min(reward.min(), cost.min()) >= 0.0 and cost.max() <= 1.0
    return bool(inside and reward.min() == 0.0 and reward.max() == 1.0)
