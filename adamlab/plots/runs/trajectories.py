"""Paths of parameters over a contour of the loss."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from adamlab.analysis import of_optimizer, optimizers
from adamlab.plots.landscapes import contour
from adamlab.plots.runs.choice import choose
from adamlab.plots.style import (
    NothingToDrawError,
    caption,
    describe,
    figure,
    legend,
    name_twins,
    named_of,
    styles,
    twins,
)
from adamlab.plots.words import listing

GREYS = ListedColormap(colormaps["Greys"](np.linspace(0.42, 0.02, 64)))
"""The shades of the background: dark where the function is low, as in the picture of the function alone."""

MARGIN = 0.12

MOST_MARKS = 8
"""The most marks at equal steps on a path."""

BOUNCING = 12
"""A path that is so many times as long as its surroundings are wide goes back and forth, and is drawn thin and pale."""

STRIP = 2.5
"""The greatest ratio of the sides of a plane that is drawn with the same unit on both axes."""

NEAR = 0.02
"""The distance from a minimum, as a share of the picture, within which a path has reached it."""


def trajectories(
    runs: xr.Dataset, by: str | None = None, at: str | None = None, seed: int | None = None, ax: Axes | None = None
) -> Figure:
    """Each optimizer's path at its best setting, from one seed's start or starts, over the contour of the loss.

    Dots on a path are at equal numbers of steps. The path of Optax's twin is left out where it is the same. Ends at a
    minimum stand beside its star. A path that goes back and forth is drawn thin and pale.

    Args:
        runs: the dataset of a problem in the plane, with its parameters recorded.
        by: the criterion of the best setting, see `adamlab.analysis.score`; by default the dataset's.
        at: numbers at which settings are compared, such as "learning_rate=0.01, b2=0.9".
        seed: the seed whose runs are drawn; by default each optimizer's first.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: the problem has not two parameters, they were not recorded, or there is no such seed.
    """
    problem = runs.attrs["problem"]
    if "y" not in runs.dims or "params" not in runs:
        raise NothingToDrawError(
            f"{problem}: trajectories are drawn in the plane; this takes a problem of two parameters "
            'and "params" among record.what.'
        )
    best, words = choose(runs, by, at)
    if seed is not None and seed not in best.seed.values:
        raise NothingToDrawError(f"{problem}: no such seed as {seed}; {listing([*map(str, np.unique(best.seed))], 8)}.")
    names, paths, seeds = {}, {}, {}
    for label in optimizers(best):
        chosen = of_optimizer(best, label)
        seeds[label] = int(chosen.seed.values[0]) if seed is None else seed
        paths[label] = chosen.params.values[chosen.seed.values == seeds[label]]
        names[label] = caption(runs, label, chosen)
    same = {
        theirs
        for theirs, ours in twins(runs).items()
        if ours in paths and theirs in paths and _are_same(paths[ours], paths[theirs])
    }
    names = name_twins(runs, names, same)
    which = listing([f"seed {each}" for each in dict.fromkeys(seeds.values())])
    fig, axes = figure(runs, f"each optimizer at {words}, {which}", width=7.4, height=5.6, ax=ax)
    drawn = {label: of for label, of in paths.items() if not names[label].startswith("_") or label not in same}
    starts = np.unique([path[0] for of in drawn.values() for path in of], axis=0)
    low, high = _window(runs, starts, drawn)
    if np.isfinite(runs.landscape).any():
        contour(axes, _seen(runs, low, high), GREYS, "0.35")
    lines = _draw_paths(axes, runs, drawn, names, high - low)
    every = _mark_steps(axes, runs, drawn)
    axes.plot(*runs.minima.values.T, "*", ms=14, mec="black", color="gold", ls="none", label="minimum", zorder=4)
    _mark_ends(axes, runs, drawn, high - low)
    axes.plot(*starts.T, "s", ms=7, mec="white", color="black", ls="none", label="start", zorder=7)
    axes.set(xlabel="w₁", ylabel="w₂", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    if 1 / STRIP <= (high[1] - low[1]) / (high[0] - low[0]) <= STRIP:
        axes.set_aspect("equal")
        if ax is None:
            height = 6.3 * (high[1] - low[1]) / (high[0] - low[0])
            fig.set_size_inches(7.4 * min(1.0, 6.5 / height), 1.9 + min(height, 6.5))
    dot = Line2D([], [], marker="o", ls="none", ms=3.5, mfc="white", mec="0.3", label=f"every {every:,} steps")
    end = Line2D([], [], marker="o", ls="none", ms=6, mec="white", color="0.4", label="end")
    points = [line for line in axes.get_lines() if str(line.get_label()) in ("start", "minimum")]
    legend(fig, 3, ax, [*named_of(lines), *points, end, *([dot] if every else [])])
    if ax is None:
        describe(fig, _sentence(runs, drawn, names, words, which, high - low))
    return fig


def _are_same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether paths (run, step, 2) are the same to the eye."""
    if ours.shape != theirs.shape:
        return False
    size = np.ptp(ours[np.isfinite(ours).all(axis=2)], axis=0).max()
    return np.allclose(ours, theirs, rtol=0, atol=2e-3 * size, equal_nan=True)


def _draw_paths(
    axes: Axes, runs: xr.Dataset, paths: Mapping[str, np.ndarray], names: Mapping[str, str], size: np.ndarray
) -> list[Line2D]:
    looks, lines = styles(runs), []
    for label, of in paths.items():
        look = looks[label] | {"lw": min(looks[label]["lw"], 1.8), "alpha": 1.0}
        for i, path in enumerate(of):
            bounces = _length(path, size) > BOUNCING
            quiet: dict[str, Any] = {"lw": 0.5, "alpha": 0.35, "zorder": 2} if bounces else {"zorder": 3}
            name = names[label] + (", thin: it goes back and forth" if bounces else "")
            lines += axes.plot(path[:, 0], path[:, 1], label=f"_{name}" if i else name, **look | quiet)
    return lines


def _length(path: np.ndarray, size: np.ndarray) -> float:
    """How many times the size of the picture a path is long; a step counts as at most two."""
    steps = np.abs(np.diff(path, axis=0) / size).max(axis=1)
    return float(np.minimum(steps[np.isfinite(steps)], 2).sum())


def _mark_steps(axes: Axes, runs: xr.Dataset, paths: Mapping[str, np.ndarray]) -> int:
    """Mark each path at the same steps, a round number apart, and give that back; 0 where too few are recorded."""
    steps = runs.step.values
    every = next(e for k in range(10) for e in (10**k, 2 * 10**k, 5 * 10**k) if steps[-1] / e <= MOST_MARKS)
    marked = np.flatnonzero((steps % every == 0) & (steps > 0) & (steps < steps[-1]))
    if len(marked) < 2:
        return 0
    for label, look in styles(runs).items():
        for path in paths.get(label, ()):
            axes.plot(*path[marked].T, "o", ms=3.5, ls="none", mfc="white", mec=look["color"], mew=1, zorder=5)
    return every


def _mark_ends(axes: Axes, runs: xr.Dataset, paths: Mapping[str, np.ndarray], size: np.ndarray):
    """Mark each end; those at a minimum stand in a row beside its star."""
    beside: dict[int, int] = {}
    for label, look in styles(runs).items():
        for path in paths.get(label, ()):
            end, transform = _end(path), axes.transData
            nearest = _reached(runs, end, size)
            if nearest is not None:
                place = beside[nearest] = beside.get(nearest, 0) + 1
                transform = offset_copy(axes.transData, axes.get_figure(root=True), 5 + 7 * place, 0, "points")
            axes.plot(
                *end,
                "o",
                ms=6,
                mec="white",
                color=look["color"],
                transform=transform,
                zorder=6,
                clip_on=nearest is None,
            )


def _end(path: np.ndarray) -> np.ndarray:
    return path[np.isfinite(path).all(axis=1)][-1]


def _reached(runs: xr.Dataset, end: np.ndarray, size: np.ndarray) -> int | None:
    """The number of the minimum that a path has reached."""
    apart = np.abs((runs.minima.values - end) / size).max(axis=1)
    return int(apart.argmin()) if len(apart) and apart.min() < NEAR else None


def _window(runs: xr.Dataset, starts: np.ndarray, paths: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the picture: around paths and minima with a margin, but within the domain and the starts.

    Of a path that goes back and forth only the start and the end count, if there are others.
    """
    domain = np.array([[runs.x.values[0], runs.y.values[0]], [runs.x.values[-1], runs.y.values[-1]]], float)
    size = domain[1] - domain[0]
    every = [path for of in paths.values() for path in of]
    calm = [path for path in every if _length(path, size) <= BOUNCING / 2]
    ends = np.array([_end(path) for path in every])
    points = np.concatenate([*(calm or every), starts, ends, runs.minima.values])
    corners = []
    for axis in (0, 1):
        values = points[:, axis]
        low, high = min(domain[0, axis], starts[:, axis].min()), max(domain[1, axis], starts[:, axis].max())
        inside = values[(values >= low) & (values <= high)]
        margin = MARGIN * max(np.ptp(inside), 0.1 * size[axis])
        corners.append((inside.min() - margin, inside.max() + margin))
    low, high = np.array(corners).T
    return low, high


def _seen(runs: xr.Dataset, low: np.ndarray, high: np.ndarray) -> xr.Dataset:
    """The landscape in the picture, so that levels are of what is seen; all of it where that is little."""
    seen = runs[["landscape"]]
    for name, start, stop in zip("xy", low, high, strict=True):
        values = runs[name].values
        cell = values[1] - values[0]
        inside = np.flatnonzero((values >= start - cell) & (values <= stop + cell))
        seen = seen.isel({name: inside}) if len(inside) > 10 else seen
    return seen if np.isfinite(seen.landscape).any() else runs


def _sentence(
    runs: xr.Dataset,
    paths: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    words: str,
    which: str,
    size: np.ndarray,
) -> str:
    arrived = [label for label, of in paths.items() if all(_reached(runs, _end(path), size) is not None for path in of)]
    steps = int(runs.step.values[-1])
    sentence = (
        f"Paths of {listing([name for label, name in names.items() if label in paths], 12)} over the contours of "
        f"{runs.attrs['problem']} in {steps:,} steps, each optimizer at {words}, {which}"
    )
    if len(runs.minima):
        ends = {0: "none ends at a minimum", len(paths): "all end at a minimum"}
        sentence += f": {ends.get(len(arrived), f'{listing(arrived)} reach a minimum')}"
    return sentence + "."
