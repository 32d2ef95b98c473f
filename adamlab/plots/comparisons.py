"""Pictures of comparisons: the errors of each optimizer in ulp, and the gap between two optimizers over a number."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from adamlab.parity.ulps import SAME
from adamlab.plots.style import COLORS, DASHES, NothingToDrawError, figure, legend

LEAST = 0.1
"""The error in ulp below which all have the same colour."""


def errors(comparisons: xr.Dataset) -> Figure:
    """The median error in ulp of every compared optimizer, by family of gradients, against its own exact values.

    Args:
        comparisons: the dataset of a config of comparisons.

    Raises:
        NothingToDrawError: no exact values were computed.
    """
    if "left_median" not in comparisons:
        raise NothingToDrawError("comparisons: nothing was read exactly, so there are no errors to draw.")
    table = comparisons[["dtype"]].to_dataframe().reset_index(drop=True)
    lefts = _names(table, ["dtype", "context", "layout"], comparisons.attrs["settings"])
    rights = table.right + ", " + table.dtype + ", " + table.context + ", " + table.layout
    rows = [*zip(lefts, comparisons.left_median.values, strict=True)]
    rows += dict(zip(rights, comparisons.right_median.values, strict=True)).items()
    grid = np.array([values for _, values in rows])
    fig, axes = figure(comparisons, "median error in ulp", width=11.0, height=1.6 + 0.28 * len(rows))
    colors = np.clip(np.where(np.isfinite(grid), grid, 1e6), LEAST, 1e6)
    axes.imshow(colors, cmap="viridis_r", norm=LogNorm(LEAST, 1e6), aspect="auto")
    axes.set_xticks(range(grid.shape[1]), comparisons.family.values, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=7, parse_math=False)
    for (row, column), value in np.ndenumerate(grid):
        tone = "white" if value > 1e3 else "black"
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=7, color=tone)
    return fig


def gap(comparisons: xr.Dataset, setting: str | None = None) -> Figure:
    """The gap between the left optimizer's updates and the right's exact ones, over a number, on log-log axes.

    The black line is the exact gap of the formulas; its label tells its slope, which is 1 for first order.

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
    fig, axes = figure(comparisons, f"largest relative gap over {setting}", height=5.0)
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
    legend(fig)
    return fig


def _names(table: pd.DataFrame, ways: list[str], settings: list[str]) -> list[str]:
    """The name of each comparison: its label, the ways that differ between comparisons, and its settings."""
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
