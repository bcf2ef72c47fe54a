"""Make a counterexample simple: fewer actions, rounder numbers, as long as the claim fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from rqe.theorems._batch import Array, Batch, newton, normalised, solved

_CLEARLY = 0.1
"""A shrunken counterexample keeps a margin of -0.1 or worse, or that of the one it comes from."""

_ROUNDS = 12


def shrink(
    margins: Callable[[Batch], Array], one: Batch, keep: Callable[[Batch], bool] = lambda _: True
) -> Batch:
    """Return a simpler game, with an equilibrium, at which the margin is still clearly negative.

    Greedy: each simplification is kept if Newton's method, from the equilibrium of the game before
    it, finds one at which the claim fails.
    """
    limit = max(float(margins(one)[0]), -_CLEARLY)
    for _ in range(_ROUNDS):
        before = _size(one)
        for simplify in (_fewer_actions, _rounder_game, _rounder_entries, _rounder_parameters):
            for candidate in simplify(one):
                if _size(candidate) >= _size(one):
                    continue
                found = newton(candidate)
                if not solved(found)[0] or not keep(found):
                    continue
                if margins(found)[0] <= limit:
                    one = found
        if _size(one) >= before:
            break
    return one


def _size(one: Batch) -> tuple[int, int]:
    """Actions, then digits that it takes to write the game down."""
    values = [*one.reward[0][np.triu_indices(one.cost.shape[-1])], *one.cost[0]]
    digits = sum(_digits(float(value)) for value in values)
    return one.cost.shape[-1], digits + _digits(float(one.tau[0])) + _digits(float(one.eps[0]))


def _digits(value: float) -> int:
    """Length of a number as it is written, 0 for 0 and 1 for 1."""
    if value in (0.0, 1.0):
        return int(value)
    return len(f"{value:.17g}".strip("0").replace(".", "").lstrip("0")) + 1


def _fewer_actions(one: Batch) -> Iterator[Batch]:
    """Drop one action of both players."""
    n = one.cost.shape[-1]
    for a in range(n if n > 2 else 0):
        rest = [b for b in range(n) if b != a]
        yield Batch(
            one.reward[:, rest][:, :, rest],
            one.cost[:, rest],
            one.tau,
            one.eps,
            normalised(one.log_x[..., rest]),
        )


def _rounder_game(one: Batch) -> Iterator[Batch]:
    """Round all payoffs to few decimals."""
    for decimals in (0, 1, 2, 3):
        yield replace(one, reward=np.round(one.reward, decimals), cost=np.round(one.cost, decimals))
        yield replace(one, reward=np.round(one.reward, decimals))
        yield replace(one, cost=np.round(one.cost, decimals))


def _rounder_entries(one: Batch) -> Iterator[Batch]:
    """Replace one number at a time by 0, by 1, or by fewer decimals."""
    n = one.cost.shape[-1]
    for a in range(n):
        for choice in _rounder(float(one.cost[0, a])):
            cost = one.cost.copy()
            cost[0, a] = choice
            yield replace(one, cost=cost)
        for b in range(a, n):
            for choice in _rounder(float(one.reward[0, a, b])):
                reward = one.reward.copy()
                reward[0, a, b] = reward[0, b, a] = choice
                yield replace(one, reward=reward)


def _rounder(value: float) -> tuple[float, ...]:
    """Simpler numbers near a payoff."""
    return 0.0, 1.0, round(value, 1), round(value, 2)


def _rounder_parameters(one: Batch) -> Iterator[Batch]:
    """Write tau and eps with fewer digits, rounding either way."""
    for digits in (1, 2, 3):
        for up in (-1, 0, 1):
            tau, eps = (_few_digits(float(v[0]), digits, up) for v in (one.tau, one.eps))
            yield replace(one, tau=np.array([tau]), eps=np.array([eps]))
            yield replace(one, tau=np.array([tau]))
            yield replace(one, eps=np.array([eps]))


def _few_digits(value: float, digits: int, up: int) -> float:
    """Round to significant digits, then move the last one by `up`."""
    rounded = float(f"{value:.{digits - 1}e}")
    unit = 10.0 ** (int(np.floor(np.log10(abs(value)))) - digits + 1)
    moved = float(f"{rounded + up * unit:.12g}")
    return moved if moved > 0.0 else rounded
