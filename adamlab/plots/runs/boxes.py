"""Box plots of a score over seeds."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import best_settings, of_optimizer
from adamlab.analysis.scores import criterion, measured
from adamlab.errors import InputError, cut
from adamlab.plots.style import HIGHEST, NothingToDrawError, caption, describe, figure, styles
from adamlab.plots.updates.plane import figure_of, labels_of

LEAST = 1e-16
"""The least score that has a place of its own on a logarithmic axis, as a share of the greatest."""


def boxes(runs: xr.Dataset, by: str | None = None, ax: Axes | None = None) -> Figure:
    """A box for each optimizer at its best setting: quartiles and median of its score over seeds, with every seed.

    Whiskers go to the least and the greatest value within one and a half times the quartiles' distance (Tukey 1977).
    Runs that diverged have no place on the axis; their number stands beside the box.

    Args:
        runs: the dataset of a problem.
        by: the criterion, see `adamlab.analysis.score`; by default that of the best setting.
        ax: axes to draw on; by default those of a new figure.

    Raises:
        NothingToDrawError: the results lack the criterion, or no run is done.
    """
    problem = runs.attrs["problem"]
    try:
        name = criterion(runs, by)
    except InputError as error:
        raise NothingToDrawError(f"{problem}: {error}") from error
    labels_of(runs)
    best, looks = best_settings(runs, by), styles(runs)
    words, heights = name.replace("_", " ", 1), list(range(len(looks)))[::-1]
    if ax is None:
        fig, axes = figure(runs, "", width=7.4, height=1.7 + 0.42 * len(looks))
        axes.set_title("")
        fig.suptitle(f"{problem}: {words} over seeds, each optimizer at its best setting", fontsize=11)
    else:
        fig, axes = figure_of(ax), ax
    scores = {label: measured(of_optimizer(best, label), by).values for label in looks}
    foot = _foot(np.concatenate([*scores.values()]))
    drawn, said = [], []
    for height, (label, look) in zip(heights, looks.items(), strict=True):
        values = scores[label]
        sound = values[np.abs(values) <= HIGHEST]
        drawn.append(sound)
        _draw_box(axes, sound, height, look["color"], foot)
        lost = len(values) - len(sound)
        missed = "diverged" if name != "steps_to_target" else "did not reach the target"
        if lost:
            note = f"{'all ' if lost == len(values) else ''}{lost} of {len(values)} {missed}"
            at_right = axes.get_yaxis_transform()
            axes.text(
                1.0,
                height + 0.32 * bool(len(sound)),
                note,
                transform=at_right,
                ha="right",
                va="center",
                fontsize=8,
                color="0.3",
            )
            said.append(f"{label}: {note}")
    names = [_name(label, caption(runs, label, of_optimizer(best, label))) for label in looks]
    axes.set_yticks(heights, names, fontsize=8, parse_math=False)
    axes.set_ylim(-0.6, len(looks) - 0.4)
    together = np.concatenate(drawn)
    if foot is not None:
        axes.set_xscale("log")
    below = foot is not None and together.min() < foot
    axes.set_xlabel(words + (f"; open points: less than {foot:.0e}" if below else ""))
    if not together.size:
        axes.set_xticks([])
    seeds = len(np.unique(best.seed))
    middles = {label: float(np.median(values)) for label, values in zip(looks, drawn, strict=True) if values.size}
    medians = ", ".join(f"{label} {middle:.3g}" for label, middle in middles.items())
    sentence = f"{words} on {problem} over {seeds} seed{'s' * (seeds > 1)}, each optimizer at its best setting"
    parts = [sentence, *([f"medians: {medians}"] if medians else []), *said]
    if ax is None:
        describe(fig, "; ".join(parts) + ".")
    return fig


def _foot(values: np.ndarray) -> float | None:
    """The least value that a logarithmic axis shows, where scores are of many decades; None for a linear axis."""
    finite = values[np.abs(values) <= HIGHEST]
    positive = finite[finite > 0]
    if not positive.size or finite.min() < 0 or positive.max() <= 20 * finite.min():
        return None
    return float(max(positive.min(), LEAST * positive.max()))


def _name(label: str, name: str) -> str:
    """A label with its setting on a second line."""
    setting = name.removeprefix(label).removeprefix(", ")
    return "\n".join(cut(line, 40) for line in (label, setting) if line)


def _draw_box(axes: Axes, values: np.ndarray, height: int, color: str, foot: float | None):
    """Draw a box with its whiskers, where there are several values, and a point for each of them."""
    places = values if foot is None else np.maximum(values, foot)
    if len(values) > 1:
        line = {"color": color, "lw": 1.4}
        axes.boxplot(
            [places],
            positions=[height],
            widths=0.42,
            orientation="horizontal",
            manage_ticks=False,
            showfliers=False,
            boxprops=line,
            whiskerprops=line,
            capprops=line,
            medianprops={"color": color, "lw": 2.6},
        )
    heights = height + (np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(1))[: len(values)]
    is_below = values < places
    for points, face in ((~is_below, color), (is_below, "white")):
        axes.plot(places[points], heights[points], "o", ms=4.5, mfc=face, mec=color, mew=0.8, zorder=3)
