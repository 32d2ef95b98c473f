"""Box plots of a score over seeds."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import best_settings, of_optimizer
from adamlab.analysis.scores import criterion, measured
from adamlab.errors import InputError, cut
from adamlab.plots.runs.choice import missed
from adamlab.plots.style import HIGHEST, NothingToDrawError, caption, describe, figure, figure_of, styles
from adamlab.plots.updates.plane import labels_of
from adamlab.plots.words import number

LEAST = 1e-16
"""The least score that has a place of its own on a logarithmic axis, as a share of the greatest."""

BEYOND = 1e300
"""What stands for infinity in quartiles."""


def boxes(runs: xr.Dataset, by: str | None = None, ax: Axes | None = None) -> Figure:
    """A box for each optimizer at its best setting: quartiles and median of its score over seeds, with every seed.

    Whiskers go to the least and the greatest value within one and a half times the quartiles' distance (Tukey 1977).
    Runs that diverged count as the worst and have no place on the axis; their number stands beside the box, which ends
    at the worst of the others. Where half of the runs or more diverged there is no median, and no box.

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
        _draw_points(axes, sound, height, look["color"], foot)
        if len(sound) > 1 and np.abs(np.median(values)) <= HIGHEST:
            _draw_box(axes, values, height, look["color"], foot)
        lost = len(values) - len(sound)
        if lost:
            note = f"{'all ' if lost == len(values) else ''}{lost} of {len(values)} {missed(name)}"
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
    middles = {label: float(np.median(values)) for label, values in scores.items()}
    medians = ", ".join(f"{label} {number(middle)}" for label, middle in middles.items() if abs(middle) <= HIGHEST)
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
    """Draw a box with its whiskers; its quartiles are those of all runs."""
    is_sound = np.abs(values) <= HIGHEST
    sound = values[is_sound]
    # Quartiles between two values are not defined where the farther is infinite.
    whole = np.where(is_sound, values, np.sign(values) * BEYOND)
    low, middle, high = np.clip(np.quantile(whole, (0.25, 0.5, 0.75)), sound.min(), sound.max())
    reach = 1.5 * (high - low)
    ends = {
        "q1": low,
        "med": middle,
        "q3": high,
        "whislo": min(low, sound[sound >= low - reach].min()),
        "whishi": max(high, sound[sound <= high + reach].max()),
    }
    places = {name: value if foot is None else max(value, foot) for name, value in ends.items()}
    line = {"color": color, "lw": 1.4}
    axes.bxp(
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


def _draw_points(axes: Axes, values: np.ndarray, height: int, color: str, foot: float | None):
    """Draw a point for each value."""
    places = values if foot is None else np.maximum(values, foot)
    heights = height + (np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(1))[: len(values)]
    is_below = values < places
    for points, face in ((~is_below, color), (is_below, "white")):
        axes.plot(places[points], heights[points], "o", ms=4.5, mfc=face, mec=color, mew=0.8, zorder=3)
