"""Pictures of comparisons: errors of each optimizer in ulp, bits that differ, and the gap of two over a number."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adamlab.analysis.tables import total_bits
from adamlab.parity.ulps import SAME
from adamlab.plots.lines import log_axis
from adamlab.plots.style import COLORS, DASHES, NothingToDrawError, describe, figure, legend
from adamlab.plots.words import letter, listing, number, power, shortened

LEAST, MOST = 0.1, 1e6
"""The errors in ulp below and above which all have the same colour."""

WAYS = ("dtype", "context", "layout")
"""What optimizers are compared in, beside their numbers."""

DARK = 0.7
"""The share of a scale of colours from which on letters are white."""

IDENTICAL = "#9CC9E8"
"""The colour of cells whose bits do not differ."""

LABEL = 3.0
"""The width in inches of the longest name of a row."""


def errors(comparisons: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The median error in ulp of every compared optimizer, by family of gradients, against its own exact values.

    Where an optimizer gives NaN in place of a number, the cell is hatched.

    Args:
        comparisons: the dataset of a config of comparisons.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: no exact values were computed.
    """
    if "left_median" not in comparisons:
        raise NothingToDrawError("comparisons: nothing was read exactly, so there are no errors to draw.")
    table = comparisons[["dtype"]].to_dataframe().reset_index(drop=True)
    lefts = _names(table, ["label", *WAYS], comparisons.attrs["settings"])
    shown = _shown(table)
    rights = [", ".join([row["right"], *(row[way] for way in shown)]) for row in table.to_dict("records")]
    rows = [*zip(lefts, _left_errors(comparisons), strict=True)]
    rows += dict(zip(rights, comparisons.right_median.values, strict=True)).items()
    grid = np.array([values for _, values in rows], float)
    width, height = 4.6 + 0.55 * grid.shape[1], 1.7 + 0.24 * len(rows)
    fig, axes = figure(comparisons, "median error in ulp", width=width, height=height, ax=ax)
    colors = np.ma.masked_invalid(np.where(np.isposinf(grid), MOST, np.clip(grid, LEAST, MOST)))
    shades = colormaps["viridis_r"].with_extremes(bad="0.85")
    image = axes.imshow(colors, cmap=shades, norm=LogNorm(LEAST, MOST), aspect="auto")
    _name_cells(axes, [name for name, _ in rows], comparisons.family.values)
    for (row, column), value in np.ndenumerate(grid):
        tone = "white" if value > 1e3 else "black"
        axes.text(column, row, _cell(value), ha="center", va="center", fontsize=7, color=tone)
        if np.isnan(value):
            cell = {"fill": False, "hatch": "////", "ec": "0.6", "lw": 0}
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **cell))
    bar = fig.colorbar(image, ax=axes, label="ulp", pad=0.02)
    log_axis(bar.ax, "y", LEAST, MOST)
    bar.ax.tick_params(labelsize=8)
    if ax is None:
        describe(fig, _errors_in_words(comparisons, rows))
    return fig


def _left_errors(comparisons: xr.Dataset) -> np.ndarray:
    """The errors of the left sides, NaN where a side is not a number and its formula is none either."""
    values = comparisons.left_median.values.astype(float)
    if "exact_gap" not in comparisons or "verdict" not in comparisons:
        return values
    # NaN where NaN is due counts as 0 ulp off; that is not what a reader takes a 0 for.
    is_lost = np.array(["left is not a number" in verdict for verdict in comparisons.verdict.values])
    return np.where(is_lost[:, None] & ~np.isfinite(comparisons.exact_gap.values), np.nan, values)


def _name_cells(axes: Axes, rows: Iterable[str], columns: Iterable[str]):
    """Name the rows and columns of a grid of cells."""
    rows, columns = [shortened(name, LABEL, 7.0) for name in rows], [*columns]
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=7, parse_math=False)


def _cell(value: float) -> str:
    if np.isfinite(value) and value >= 1e4:
        exponent = int(np.floor(np.log10(value)))
        return f"{value / 10**exponent:.0f}·{power(exponent)}"
    return "NaN" if np.isnan(value) else f"{value:.2g}".replace("inf", "∞")


def _errors_in_words(comparisons: xr.Dataset, rows: Sequence[tuple[str, np.ndarray]]) -> str:
    worst = {name: values.max() for name, values in rows if np.isfinite(values).any()}
    lost = [name for name, values in rows if np.isnan(values).any()]
    sentence = (
        f"Median errors in ulp of {len(rows)} optimizers against their own exact values, in "
        f"{comparisons.sizes['family']} families of gradients"
    )
    if worst:
        least, most = min(worst, key=lambda name: worst[name]), max(worst, key=lambda name: worst[name])
        sentence += f": {least} is off by at most {number(worst[least])}, {most} by up to {number(worst[most])}"
    return sentence + (f"; {listing(lost, 3)} gave NaN." if lost else ".")


def bits(comparisons: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The number of bits in which the updates of two optimizers differ, by float type, context and layout.

    A row is a pair of optimizers with its numbers; cells of updates that are bit-identical are blue and hold "=".

    Args:
        comparisons: the dataset of a config of comparisons.
        ax: axes to draw into.
    """
    table = comparisons[["label", *WAYS, *comparisons.attrs["settings"]]].to_dataframe().reset_index(drop=True)
    table["row"] = _names(table, ["label"], comparisons.attrs["settings"])
    table["column"] = table[_shown(table)].agg(", ".join, axis=1)
    table["bits"] = total_bits(comparisons)
    order = {name: table[name].unique() for name in ("row", "column")}
    cells = table.pivot_table("bits", "row", "column", aggfunc="max").loc[order["row"], order["column"]]
    grid = cells.to_numpy(float)
    width, height = 4.6 + 0.4 * grid.shape[1], 1.9 + 0.24 * len(grid)
    fig, axes = figure(comparisons, "bits that differ", width=width, height=height, ax=ax)
    shades = colormaps["YlOrRd"].with_extremes(under=IDENTICAL, bad="0.85")
    norm = LogNorm(1, max(10.0, np.nanmax(grid)))
    colors = np.ma.masked_invalid(np.where(grid == 0, 0.5, grid))  # a logarithmic scale takes no 0
    axes.imshow(colors, cmap=shades, norm=norm, aspect="auto")
    _name_cells(axes, cells.index, cells.columns)
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            tone = "white" if value and norm(value) > DARK else "black"
            text = _cell(value) if value else "="
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=tone)
    if ax is None:
        describe(fig, _bits_in_words(comparisons, table))
    return fig


def _bits_in_words(comparisons: xr.Dataset, table: pd.DataFrame) -> str:
    same, count = int((table.bits == 0).sum()), len(table)
    sentence = (
        f"Bits in which the updates of {len(table.row.unique())} pairs of optimizers differ, in "
        f"{comparisons.sizes['family']} families of gradients: none in {same} of {count} comparisons"
    )
    if same == count:
        return f"{sentence}."
    worst = table.loc[table.bits.idxmax()]
    return f"{sentence}; the most, {worst.bits:,}, in those of {worst.row} ({worst.column})."


def gap(comparisons: xr.Dataset, setting: str | None = None, ax: Axes | None = None) -> Figure:
    """The gap between the left optimizer's updates and the right's exact ones, over a number, on log-log axes.

    The black line is the exact gap of the formulas; its label tells its slope, which is 1 for first order. A cross at
    the top is where the left optimizer gives NaN or infinity; where the number is 0, at the left edge.

    Args:
        comparisons: the dataset of a config of comparisons.
        setting: the number on the axis; by default the first that has several values, of a decay its complement.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: no number has several values.
    """
    swept = [name for name in comparisons.attrs["settings"] if _varies(comparisons[name].values)]
    if "gap" not in comparisons or not swept or (setting is not None and setting not in swept):
        raise NothingToDrawError(f"comparisons: no {setting or 'number'} has several values.")
    over: str = setting or next((name for name in swept if f"1-{swept[0]}" == name), swept[0])
    fig, axes = figure(comparisons, f"largest relative gap over {letter(over)}", height=5.0, ax=ax)
    worst = comparisons[["gap", "exact_gap"]].max("family", skipna=False).to_dataframe()
    without = int(np.isnan(comparisons[over].values).sum())
    worst = worst.dropna(subset=[over])
    lost_in = ~np.isfinite(worst.gap)
    others = [name for name in comparisons.attrs["settings"] if name not in (over, f"1-{over}")]
    others = [name for name in others if f"1-{name}" != over]
    given = worst[over].to_numpy(float)
    if not (given > 0).any():
        raise NothingToDrawError(f"comparisons: {over} has no value above 0, which a logarithmic axis takes.")
    positive = float(given[given > 0].min())
    zero = positive / 10
    lost, slopes = [], []
    for i, (name, lines) in enumerate(worst.groupby(_names(worst, ["label", *WAYS], others), sort=False)):
        line = lines.sort_values(over)
        x = line[over].where(line[over] > 0, zero)
        color, dashes = COLORS[i % len(COLORS)], DASHES[i // len(COLORS) % len(DASHES)]
        shown = line.gap.where(np.isfinite(line.gap) & (line.gap > 0))
        axes.plot(x, shown, marker="o", ms=3.5, lw=1.4, color=color, ls=dashes, label=str(name))
        bad = x[lost_in[line.index]]
        if len(bad):
            height = 0.985 - 0.035 * (len(lost) % 6)
            look = {"color": color, "ms": 6, "mew": 1.6, "transform": axes.get_xaxis_transform(), "clip_on": False}
            axes.plot(bad, np.full(len(bad), height), "x", **look)
            where = listing([f"{value:g}" for value in line[over][lost_in[line.index]]])
            lost.append(f"{name} is not finite at {letter(over)} = {where}")
    for _, lines in worst.groupby(_names(worst, [], others)):
        exact = lines.groupby(over).exact_gap.max()
        slopes += _draw_exact(axes, exact[(exact.index > 0) & (exact > SAME) & np.isfinite(exact)])
    if lost:
        axes.plot([], [], "x", color="0.4", ms=6, mew=1.6, label="not finite")
    _scale_gaps(axes, given, zero, positive)
    axes.set(xlabel=letter(over), ylabel="largest relative gap")
    legend(fig, 2, ax)
    if ax is None:
        slope = f"; the exact gap falls with slope {slopes[0]:.3f}" if slopes else ""
        describe(
            fig,
            f"The largest relative gap between the updates of {listing([*dict.fromkeys(worst.label)])} and the other "
            f"side's exact ones, over {letter(over)} from {number(given.min())} to "
            f"{number(given.max())}{slope}{''.join(f'; {each}' for each in lost)}{_left_out(without, over)}.",
        )
    return fig


def _varies(values: np.ndarray) -> bool:
    """Whether there are several numbers; a comparison that lacks the number has NaN."""
    return len(np.unique(values[~np.isnan(values)])) > 1


def _left_out(count: int, over: str) -> str:
    return f"; {count} comparison{'s' * (count > 1)} without {letter(over)} left out" if count else ""


def _scale_gaps(axes: Axes, values: np.ndarray, zero: float, positive: float):
    """Logarithmic axes, with the place of 0 at the left edge."""
    drawn = np.concatenate(
        [np.asarray(line.get_ydata(), float) for line in axes.get_lines() if line.get_marker() != "x"]
    )
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    if drawn.size:
        log_axis(axes, "y", float(drawn.min()), float(drawn.max()))
    log_axis(axes, "x", zero, float(values.max()))
    if (values == 0).any():
        decades = np.arange(np.ceil(np.log10(positive)), np.floor(np.log10(values.max())) + 1)
        powers = 10.0 ** decades[:: -(-len(decades) // 8)]
        axes.set_xticks([zero, *powers], ["0", *(power(round(np.log10(each))) for each in powers)])
        axes.axvline(np.sqrt(zero * positive), color="0.8", lw=0.8, ls=":", zorder=0)


def _names(table: pd.DataFrame, ways: list[str], settings: list[str]) -> list[str]:
    """The name of each comparison: its label and the ways that differ between comparisons, and its settings."""
    shown = ("label", *_shown(table))
    ways = [way for way in ways if way in shown]
    return [
        ", ".join([*(row[w] for w in ways), *(f"{letter(n)} {row[n]:.12g}" for n in settings if not np.isnan(row[n]))])
        for row in table.to_dict("records")
    ]


def _shown(table: pd.DataFrame) -> list[str]:
    """The ways that are told of comparisons: the type, and those that differ between them."""
    return [way for way in WAYS if way == "dtype" or len({*table[way]}) > 1]


def _draw_exact(axes: Axes, exact: pd.Series) -> list[float]:
    """Draw the exact gap, and give its slope, if there is one."""
    if len(exact) < 2:
        return []
    low = exact.iloc[: max(2, len(exact) // 2)]
    slope = np.polyfit(np.log(low.index.to_numpy()), np.log(low.to_numpy()), 1)[0]
    axes.plot(exact.index, exact, color="black", lw=1, ls="--", label=f"exact, slope {slope:.3f}", zorder=3)
    return [float(slope)]
