"""Pictures of comparisons: how many ulp each optimizer is off, and how far one goes from another over a number."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from adamlab.parity.ulps import SAME
from adamlab.plots.style import COLORS, DASHES, NothingToDrawError, figure, legend

LEAST = 0.1
"""Fewer ulp than these are drawn alike."""


def errors(comparisons: xr.Dataset) -> Figure:
    """The median error in ulp of every optimizer compared, by family of gradients, against its own exact reading.

    Args:
        comparisons: the dataset of a config of comparisons.

    Raises:
        NothingToDrawError: nothing was read exactly.
    """
    if "left_median" not in comparisons:
        raise NothingToDrawError("comparisons: nothing was read exactly, so there are no errors to draw.")
    table = comparisons[["dtype"]].to_dataframe().reset_index(drop=True)
    lefts = _names(table, ["dtype", "context", "layout"], comparisons.attrs["settings"])
    rights = table.right + ", " + table.dtype + ", " + table.context + ", " + table.layout
    rows = [*zip(lefts, comparisons.left_median.values, strict=True)]
    rows += dict(zip(rights, comparisons.right_median.values, strict=True)).items()
    grid = np.array([values for _, values in rows])
    made, axes = figure(comparisons, "median error in ulp", width=11.0, height=1.6 + 0.28 * len(rows))
    colors = np.clip(np.where(np.isfinite(grid), grid, 1e6), LEAST, 1e6)
    axes.imshow(colors, cmap="viridis_r", norm=LogNorm(LEAST, 1e6), aspect="auto")
    axes.set_xticks(range(grid.shape[1]), comparisons.family.values, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=7, parse_math=False)
    for (row, column), value in np.ndenumerate(grid):
        tone = "white" if value > 1e3 else "black"
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=7, color=tone)
    return made


def gap(comparisons: xr.Dataset, setting: str | None = None) -> Figure:
    """How far the left optimizer's updates go from the right's exact ones, over a number, on log-log axes.

    The black line is the exact gap of the formulas, captioned with its slope: 1 is first order.

    Args:
        comparisons: the dataset of a config of comparisons.
        setting: the number on the axis; by default the first that has several values.

    Raises:
        NothingToDrawError: no number has several values.
    """
    swept = [name for name in comparisons.attrs["settings"] if len(np.unique(comparisons[name])) > 1]
    if "gap" not in comparisons or not swept or (setting is not None and setting not in swept):
        raise NothingToDrawError(f"comparisons: no {setting or 'number'} has several values.")
    setting = setting or swept[0]
    made, axes = figure(comparisons, f"largest relative gap over {setting}", height=5.0)
    worst = comparisons[["gap", "exact_gap"]].max("family").to_dataframe()
    others = [name for name in comparisons.attrs["settings"] if name != setting]
    for i, (name, lines) in enumerate(worst.groupby(_names(worst, ["dtype", "context", "layout"], others), sort=False)):
        line = lines.sort_values(setting)
        shown = line.gap.where(np.isfinite(line.gap) & (line.gap > 0))
        color, dashes = COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)]
        axes.plot(line[setting], shown, marker="o", ms=3.5, lw=1.4, color=color, ls=dashes, label=str(name))
    for _, lines in worst.groupby(_names(worst, [], others)):
        exact = lines.groupby(setting).exact_gap.max()
        _draw_exact(axes, exact[(exact.index > 0) & (exact > SAME) & np.isfinite(exact)])
    positive = worst[setting][worst[setting] > 0].min()
    axes.set_xscale("symlog", linthresh=positive)
    axes.tick_params(axis="x", labelsize=7)
    axes.set(yscale="log", xlabel=setting, ylabel="largest relative gap")
    legend(made)
    return made


def _names(table: pd.DataFrame, ways: list[str], settings: list[str]) -> list[str]:
    """What to call each comparison: its label, the ways that are not always the same, and its settings."""
    shown = [way for way in ways if way == "dtype" or len(set(table[way])) > 1]
    return [
        ", ".join([*(row[way] for way in ("label", *shown) if ways), *(f"{name} {row[name]:g}" for name in settings)])
        for row in table.to_dict("records")
    ]


def _draw_exact(axes: Axes, exact):
    if len(exact) > 1:
        low = exact.iloc[: max(2, len(exact) // 2)]
        slope = np.polyfit(np.log(low.index.to_numpy()), np.log(low.to_numpy()), 1)[0]
        axes.plot(exact.index, exact, color="black", lw=1, ls="--", label=f"exact, slope {slope:.3f}", zorder=3)
