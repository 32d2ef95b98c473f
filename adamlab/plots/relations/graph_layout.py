"""The layout of a layered graph: edges lead downwards, and each has its label in a row between two layers of boxes.

An edge is a chain of places, one in every row that it passes, so that neither lines nor labels run into boxes.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Key = Hashable
Edge = tuple[str, str]

SWEEPS = 200
"""The number of sweeps over the rows, both for their order and for the positions."""

STRAIGHT, INWARD = 6.0, 0.02
"""Weights of attraction: between two places of the same line, where line and box have 1; and towards the middle."""

GAP = 0.14
"""The least gap between two places in a row, in inches."""


@dataclass(frozen=True)
class Layers:
    """The rows of a graph, from the bottom: even rows hold boxes, odd ones labels, and all hold places of lines.

    Attributes:
        chains: the places that each edge passes through, from the upper box to the lower.
        labels: the place of each edge's label.
        rows: the places in each row, from the left.
        x: the middle of each place.
        row_of: the row of each place.
    """

    chains: list[list[Key]]
    labels: list[Key]
    rows: list[list[Key]]
    x: dict[Key, float]
    row_of: dict[Key, int]


def layered(edges: Sequence[Edge], widths: Sequence[float], box_widths: dict[str, float]) -> Layers:
    """Lay out a graph; the same edges and widths give the same layout.

    Args:
        edges: (upper, lower), in any order.
        widths: the widths of the edges' labels.
        box_widths: the widths of the boxes, by name.

    Raises:
        ValueError: the edges form a circle.
    """
    row_of: dict[Key, int] = {name: 2 * layer for name, layer in _heights(edges).items()}
    chains = [[a, *((k, row) for row in range(row_of[a] - 1, row_of[b], -1)), b] for k, (a, b) in enumerate(edges)]
    row_of |= {place: place[1] for chain in chains for place in chain[1:-1] if isinstance(place, tuple)}
    labels = _labels(chains, row_of, widths)
    width: dict[Key, float] = dict(box_widths) | dict(zip(labels, widths, strict=True))
    rows = _ordered(_first_order(chains, row_of), chains)
    return Layers(chains, labels, rows, _placed(rows, chains, width), row_of)


def _heights(edges: Sequence[Edge]) -> dict[str, int]:
    """The number of edges of the longest way down from each box."""
    heights = {name: 0 for edge in edges for name in edge}
    for _ in heights:
        for a, b in edges:
            heights[a] = max(heights[a], heights[b] + 1)
    if any(heights[a] <= heights[b] for a, b in edges) or max(heights.values(), default=0) >= len(heights) > 0:
        raise ValueError("the edges go round in a circle: none of their boxes can stand above the others.")
    return heights


def _labels(chains: list[list[Key]], row_of: dict[Key, int], widths: Sequence[float]) -> list[Key]:
    """The place of each edge's label, between two layers; those of long edges in the row with most room left."""
    taken: dict[int, float] = {}
    labels: dict[int, Key] = {}
    for k in sorted(range(len(chains)), key=lambda k: len(chains[k])):
        choices = [place for place in chains[k] if row_of[place] % 2]
        labels[k] = min(choices, key=lambda place: taken.get(row_of[place], 0.0))
        row = row_of[labels[k]]
        taken[row] = taken.get(row, 0.0) + widths[k] + GAP
    return [labels[k] for k in range(len(chains))]


def _first_order(chains: list[list[Key]], row_of: dict[Key, int]) -> list[list[Key]]:
    rows: list[dict[Key, None]] = [{} for _ in range(max(row_of.values(), default=-1) + 1)]
    for chain in chains:
        for place in chain:
            rows[row_of[place]][place] = None
    return [list(row) for row in rows]


def _links(chains: list[list[Key]]) -> list[tuple[Key, Key]]:
    """All pairs of joined places, the upper one first."""
    return [pair for chain in chains for pair in pairwise(chain)]


def _ordered(rows: list[list[Key]], chains: list[list[Key]]) -> list[list[Key]]:
    """The rows in the order with the fewest crossings, of all that barycentre sweeps pass through.

    Each place moves to the mean position of its neighbours, after Sugiyama, Tagawa & Toda 1981.
    """
    above, below = _neighbours(chains)
    best, fewest = rows, _crossings(rows, above)
    for sweep in range(SWEEPS):
        rows = [list(row) for row in rows]
        down = sweep % 2 == 0
        for r in range(len(rows) - 2, -1, -1) if down else range(1, len(rows)):
            near, joined = (rows[r + 1], above) if down else (rows[r - 1], below)
            at = {place: i for i, place in enumerate(near)}
            now = {place: i * max(len(near) - 1, 1) / max(len(rows[r]) - 1, 1) for i, place in enumerate(rows[r])}
            middle = {p: np.mean([at[q] for q in joined[p]]) if joined.get(p) else now[p] for p in rows[r]}
            rows[r].sort(key=lambda place, middle=middle: middle[place])
        if (crossings := _crossings(rows, above)) < fewest:
            best, fewest = rows, crossings
    return best


def _neighbours(chains: list[list[Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    """The neighbours of each place in the row above, and in the row below."""
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for upper, lower in _links(chains):
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    return above, below


def _crossings(rows: list[list[Key]], above: dict[Key, list[Key]]) -> int:
    count = 0
    for lower, upper in pairwise(rows):
        at = {place: i for i, place in enumerate(upper)}
        ends = [sorted(at[q] for q in above.get(place, [])) for place in lower]
        count += sum(a > b for i, left in enumerate(ends) for right in ends[i + 1 :] for a in left for b in right)
    return count


def _placed(rows: list[list[Key]], chains: list[list[Key]], width: dict[Key, float]) -> dict[Key, float]:
    """The x of each place: near the mean of its neighbours, as far as its row has room, and near the common middle."""
    above, below = _neighbours(chains)
    x: dict[Key, float] = {}
    for row in rows:
        first = _apart(np.zeros(len(row)), np.ones(len(row)), row, width)
        x |= dict(zip(row, first - first.mean(), strict=True))
    for sweep in range(SWEEPS):
        for r in range(len(rows)) if sweep % 2 else reversed(range(len(rows))):
            pulls = [_pulls(place, [*above.get(place, []), *below.get(place, [])], x) for place in rows[r]]
            wish, weight = np.array([(moment / total, total) for moment, total in pulls]).T
            x |= dict(zip(rows[r], _apart(wish, weight, rows[r], width), strict=True))
    left = min((x[place] - width.get(place, 0.0) / 2 for place in x), default=0.0)
    return {place: float(value - left) for place, value in x.items()}


def _pulls(place: Key, joined: list[Key], x: dict[Key, float]) -> tuple[float, float]:
    """The sum of x times weight of all that attracts a place, and the sum of weights; lines attract lines most."""
    # The middle, at x = 0, adds to the weights alone.
    pulls = [(x[other], STRAIGHT if isinstance(place, tuple) and isinstance(other, tuple) else 1.0) for other in joined]
    return sum(at * pull for at, pull in pulls), sum(pull for _, pull in pulls) + INWARD


def _apart(wish: np.ndarray, weight: np.ndarray, row: list[Key], width: dict[Key, float]) -> np.ndarray:
    """The positions nearest to the wishes that keep order and gaps: weighted least squares."""
    from scipy.optimize import isotonic_regression

    sizes = np.array([width.get(place, 0.0) for place in row])
    offset = np.concatenate([[0.0], np.cumsum((sizes[:-1] + sizes[1:]) / 2 + GAP)])
    # Less the room that it must have on its left, each place need only not be less than the one before it.
    return isotonic_regression(wish - offset, weights=weight).x + offset
