"""Where the boxes of a graph stand in their row, beside all ways of pooling them."""

from itertools import product

import numpy as np

from adamlab.plots.relations.graph_layout import GAP, Key, _apart


def nearest_of_all(wish: np.ndarray, weight: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Of all ways to cut the row into pools that move as one, the one in order and with room that is nearest."""
    ways = []
    for cuts in product([False, True], repeat=len(wish) - 1):
        pools = np.split(np.arange(len(wish)), 1 + np.flatnonzero(cuts))
        x = np.concatenate([np.full(len(p), np.average((wish - offset)[p], weights=weight[p])) for p in pools])
        if (np.diff(x) >= 0).all():
            ways.append((weight @ (x + offset - wish) ** 2, x + offset))
    return min(ways, key=lambda way: way[0])[1]


def test_places_are_the_nearest_to_their_wishes_with_room_between_them(rng):
    for count in (1, 2, 3, 5, 8):
        for _ in range(20):
            row: list[Key] = [f"{i}" for i in range(count)]
            sizes = rng.uniform(0, 2, count)
            wish, weight = rng.normal(0, count, count), rng.uniform(0.02, 13, count)
            room = np.concatenate([[0.0], np.cumsum((sizes[:-1] + sizes[1:]) / 2 + GAP)])
            places = _apart(wish, weight, row, dict(zip(row, sizes, strict=True)))
            # Some ten sums and products, each off by half an ulp of the largest number that goes in at most.
            rounding = 10 * np.spacing(np.abs([*wish, *room]).max())
            np.testing.assert_allclose(places, nearest_of_all(wish, weight, room), rtol=0, atol=rounding)
