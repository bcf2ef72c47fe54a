"""The grid-world kitchen in slow plain Python, one agent and one rule after the other.

Written from the rules alone. A state is ``{"pos": [(r, c), (r, c)], "carrying": [bool, bool],
"onions": [bool, bool], "t": int}``; actions are 0 up, 1 down, 2 left, 3 right, 4 stay.
"""

from collections.abc import Mapping, Sequence
from typing import Any

POT = (2, 2)
ONIONS = [(3, 4), (4, 3)]
DIRECTION = {0: (-1, 0), 1: (1, 0), 2: (0, -1), 3: (0, 1)}


def step(
    state: Mapping[str, Any],
    actions: Any,
    order: Sequence[int],
    returns: Any,
    horizon: int = 50,
) -> tuple[dict[str, Any], float, list[float], bool, dict[str, list[int]]]:
    """State, shared reward, private rewards, done and events after one step.

    `order` lists the agents in the order in which they act; `returns` says for each onion whether
    it would return in this step, were it missing.
    """
    pos = [tuple(cell) for cell in state["pos"]]
    carrying = list(state["carrying"])
    onions = list(state["onions"])
    shared = 0.0
    private = [0.0, 0.0]
    events = {name: [0, 0] for name in ("deliveries", "pickups", "moves", "bumps")}
    for agent in order:
        action = int(actions[agent])
        if action == 4:
            continue
        private[agent] -= 0.2
        events["moves"][agent] += 1
        dr, dc = DIRECTION[action]
        row = min(max(pos[agent][0] + dr, 0), 4)
        column = min(max(pos[agent][1] + dc, 0), 4)
        if (row, column) == POT:
            if carrying[agent]:
                carrying[agent] = False
                shared += 10.0
                events["deliveries"][agent] += 1
        elif (row, column) == pos[1 - agent]:
            private[agent] -= 2.0
            events["bumps"][agent] += 1
        else:
            pos[agent] = (row, column)
        if pos[agent] in ONIONS:
            which = ONIONS.index(pos[agent])
            if onions[which] and not carrying[agent]:
                carrying[agent] = True
                onions[which] = False
                shared += 1.0
                events["pickups"][agent] += 1
    for which in range(2):
        if not onions[which] and returns[which]:
            onions[which] = True
    t = state["t"] + 1
    after = {"pos": pos, "carrying": carrying, "onions": onions, "t": t}
    return after, shared, private, t >= horizon, events


def observe(state: Mapping[str, Any]) -> list[float]:
    """The eight numbers that both agents see."""
    numbers: list[float] = []
    for agent in range(2):
        numbers += [*state["pos"][agent], state["carrying"][agent]]
    return [float(x) for x in (*numbers, *state["onions"])]
