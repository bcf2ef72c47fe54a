"""How the extreme equilibria of a two-player game hang together.

Draw an edge between a strategy of player 1 and one of player 2 for every extreme equilibrium. The
maximal Nash subsets are the products of the hulls of the two sides of a maximal complete bipartite
subgraph; the topological components of the set of all equilibria are those of the graph [1]_.

References
----------
.. [1] Avis, Rosenberg, Savani & von Stengel, Economic Theory 42 (2010), section 2.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rqe.solution_set import Component


def components(pairs: Sequence[tuple[Hashable, Hashable]]) -> tuple[Component, ...]:
    """Return the components spanned by extreme equilibria, each given as a pair of strategies."""
    if len({x for x, _ in pairs}) == len({y for _, y in pairs}) == len(pairs):
        return tuple(Component((k,), (((k,), (k,)),)) for k in range(len(pairs)))
    lefts: dict[Hashable, int] = {}
    rights: dict[Hashable, int] = {}
    named, rows = {}, dict[int, int]()
    for k, (x, y) in enumerate(pairs):
        a, b = lefts.setdefault(x, len(lefts)), rights.setdefault(y, len(rights))
        named[a, b] = k
        rows[a] = rows.get(a, 0) | 1 << b
    made = []
    for members in _connected(rows):
        subsets = []
        for both, shared in _bicliques({a: rows[a] for a in members}):
            right = _bits(shared)
            left = tuple(named[a, right[0]] for a in both)
            subsets.append((left, tuple(named[both[0], b] for b in right)))
        span = sorted(named[a, b] for a in members for b in _bits(rows[a]))
        made.append(Component(tuple(span), tuple(sorted(subsets))))
    return tuple(sorted(made, key=lambda component: component.solutions))


def _connected(rows: dict[int, int]) -> list[list[int]]:
    """Return the left members of each connected component of a bipartite graph.

    rows: per left node, the mask of its neighbours on the right.
    """
    parts: list[tuple[list[int], int]] = []
    for a, mask in rows.items():
        members = [a]
        apart = []
        for part in parts:
            if part[1] & mask:
                members, mask = part[0] + members, mask | part[1]
            else:
                apart.append(part)
        parts = [*apart, (members, mask)]
    return [members for members, _ in parts]


def _bicliques(rows: dict[int, int]) -> list[tuple[list[int], int]]:
    """Return the maximal complete bipartite subgraphs: left members and mask of the right.

    The right sides are the intersections of neighbourhoods that are not empty.
    """
    closed: set[int] = set()
    for mask in rows.values():
        closed |= {mask & other for other in closed} | {mask}
    closed.discard(0)
    return [([a for a, mask in rows.items() if mask & c == c], c) for c in sorted(closed)]


def _bits(mask: int) -> list[int]:
    """Return the positions of the ones of a mask."""
    return [j for j in range(mask.bit_length()) if mask >> j & 1]
