"""Games with parameters, exact in them.

A parameter that is not a number of players or actions may be an integer, a fraction, a decimal or
a text such as "2/5"; a float stands for its shortest decimal, 0.4 for 2/5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from rqe.games import _checks
from rqe.games.normal_form import NormalFormGame

Number = int | float | str | Fraction
_MOST_PAYOFFS = 10**8  # 800 MB


def prisoners_dilemma(
    temptation: Number = 5, reward: Number = 3, punishment: Number = 1, sucker: Number = 0
) -> NormalFormGame:
    """Prisoner's dilemma; temptation > reward > punishment > sucker."""
    t, r = _number(temptation, "temptation"), _number(reward, "reward")
    p, s = _number(punishment, "punishment"), _number(sucker, "sucker")
    if not t > r > p > s:
        raise ValueError(
            "a prisoner's dilemma needs temptation > reward > punishment > sucker,"
            f" got {t}, {r}, {p}, {s}"
        )
    return _symmetric(lambda a, b: ((r, s), (t, p))[a][b], ("cooperate", "defect"))


def public_goods(players: int = 4, tokens: int = 1, mpcr: Number = "2/5") -> NormalFormGame:
    """Linear public goods: u_i = tokens - g_i + mpcr sum_j g_j with g_i in 0, ..., tokens."""
    count = _count(tokens, "tokens", 1)
    gain = _number(mpcr, "mpcr")
    return _aggregative(
        players, range(count + 1), np.add, lambda own, total: count - own + gain * total
    )


def volunteers_dilemma(
    players: int = 3, benefit: Number = 1, cost: Number = "1/2"
) -> NormalFormGame:
    """Volunteer's dilemma: the benefit to all if anyone volunteers, who pays the cost."""
    gain, price = _number(benefit, "benefit"), _number(cost, "cost")
    if not gain > price > 0:
        raise ValueError(f"cost must be between 0 and the benefit {gain}, got {price}")

    def payoff(own: int, idle: int) -> Fraction:
        return (gain if idle < players else Fraction(0)) - (price if own == 0 else 0)

    return _aggregative(players, ("volunteer", "abstain"), np.add, payoff)


def free_riding(players: int = 2, cost: Number = "2/5") -> NormalFormGame:
    """Collaborative game with reward 1 if anyone plays C, which has a private cost."""
    game = volunteers_dilemma(players, 1, cost)
    return game.relabel(actions=("C", "D"))


def minimum_effort(
    players: int = 2,
    efforts: int = 7,
    benefit: Number = "1/5",
    cost: Number = "1/10",
    constant: Number = "3/5",
) -> NormalFormGame:
    """Minimum effort: u_i = constant + benefit min_j e_j - cost e_i with e_i in 1, ..., efforts."""
    gain, price = _number(benefit, "benefit"), _number(cost, "cost")
    base = _number(constant, "constant")
    return _aggregative(
        players,
        range(1, _count(efforts, "efforts", 1) + 1),
        np.minimum,
        lambda own, least: base + gain * (least + 1) - price * (own + 1),
    )


def travellers_dilemma(low: int = 2, high: int = 100, bonus: Number = 2) -> NormalFormGame:
    """Traveller's dilemma with claims low, ..., high."""
    first = _count(low, "low", 0)
    extra = _number(bonus, "bonus")
    claims = range(first, _count(high, "high", first) + 1)

    def payoff(a: int, b: int) -> Fraction:
        return Fraction(claims[min(a, b)]) + extra * ((a < b) - (a > b))

    return _symmetric(payoff, map(str, claims))


def eleven_twenty(low: int = 11, high: int = 20, bonus: Number = 20) -> NormalFormGame:
    """11-20 game: the amount asked for, and the bonus for asking 1 less than the other."""
    first = _count(low, "low", 0)
    extra = _number(bonus, "bonus")
    amounts = range(first, _count(high, "high", first) + 1)
    return _symmetric(lambda a, b: Fraction(amounts[a]) + extra * (a == b - 1), map(str, amounts))


def centipede(moves: int = 4, large: Number = "2/5", small: Number = "1/10") -> NormalFormGame:
    """Centipede whose pot, large + small at first, doubles with each pass.

    Whoever ends the game has the large share; after the last pass it is the next in turn.
    """
    last = _count(moves, "moves", 2) + 1
    if last > 1000:
        raise ValueError(f"moves must be at most 999 for payoffs that doubles hold, got {moves}")
    shares = _number(large, "large"), _number(small, "small")
    nodes = [[*range(1, last, 2), last], [*range(2, last, 2), last]]
    data = np.empty((2, len(nodes[0]), len(nodes[1])), dtype=object)
    for (a, b), _ in np.ndenumerate(data[0]):
        end = min(nodes[0][a], nodes[1][b])
        pot = 2 ** (end - 1)
        taker = (end - 1) % 2
        data[taker, a, b], data[1 - taker, a, b] = pot * shares[0], pot * shares[1]
    labels = [[*(f"take at {node}" for node in own[:-1]), "pass"] for own in nodes]
    return NormalFormGame(data, actions=labels)


def team_matching_pennies(players: int = 3) -> NormalFormGame:
    """Players 1, ..., N-1 win, and player N loses, if all N choose the same side."""
    count = _count(players, "players", 3)
    data = np.zeros((count, *_grid_shape(count, 2)))
    cells = data.reshape(count, -1)
    cells[:-1, [0, -1]] = 1.0  # all heads, all tails
    cells[-1, [0, -1]] = -1.0
    names = [*(f"teammate {i}" for i in range(1, count)), "adversary"]
    return NormalFormGame._adopt(data, players=names, actions=("heads", "tails"))


FAMILIES: dict[str, Callable[..., NormalFormGame]] = {
    function.__name__: function
    for function in (
        centipede,
        eleven_twenty,
        free_riding,
        minimum_effort,
        prisoners_dilemma,
        public_goods,
        team_matching_pennies,
        travellers_dilemma,
        volunteers_dilemma,
    )
}


def _number(value: Any, name: str) -> Fraction:
    """`value` as a fraction."""
    try:
        # A power such as "1e9" goes through a double: a fraction of a huge one would never end.
        power = isinstance(value, str) and "e" in value.lower()
        return _checks.fraction(float(value) if power else value)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        raise ValueError(f"{name} must be a finite number, got {value!r}") from None


def _count(value: Any, name: str, least: int) -> int:
    """`value` as an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def _grid_shape(players: int, actions: int) -> tuple[int, ...]:
    """Shape of a game of `players` with `actions` each, if it fits into memory."""
    if players > 60 or players * actions**players > _MOST_PAYOFFS:
        raise ValueError(
            f"a game of the catalog must have at most {_MOST_PAYOFFS:.0e} payoffs, got {players}"
            f" players with {actions} actions each"
        )
    return (actions,) * players


def _symmetric(payoff: Callable[[int, int], Fraction], labels: Iterable[str]) -> NormalFormGame:
    """Symmetric two-player game: payoff(own action, other's action)."""
    actions = tuple(labels)
    _grid_shape(2, len(actions))
    own = range(len(actions))
    matrix = np.array([[payoff(a, b) for b in own] for a in own], dtype=object)
    return NormalFormGame.from_bimatrix(matrix, matrix.T, actions=actions)


def _aggregative(
    players: int,
    labels: Sequence[Any],
    combine: np.ufunc,
    payoff: Callable[[int, int], Fraction],
) -> NormalFormGame:
    """Symmetric game: payoff(own index, all players' indices combined by a sum or a minimum)."""
    count = _count(players, "players", 2)
    size = len(labels)
    shape = _grid_shape(count, size)
    index = np.arange(size)
    total: Any = reduce(combine.outer, [index] * count)
    table = np.array(
        [[payoff(own, value) for value in range(int(total.max()) + 1)] for own in range(size)],
        dtype=object,
    )
    values = _checks.doubles(table, "payoffs", copy=True)
    exact = _checks.literals(table, values)
    owns = [index.reshape(-1, *(1,) * (count - 1 - i)) for i in range(count)]
    data = np.empty((count, *shape))
    literals = None if exact is None else np.empty((count, *shape), dtype=object)
    for i, own in enumerate(owns):
        data[i] = values[own, total]
        if literals is not None and exact is not None:
            literals[i] = exact[own, total]
    return NormalFormGame._adopt(data, literals, actions=[str(label) for label in labels])
