"""The edge of stability: sharpness over steps, beside the threshold that is read off the optimizer's code."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamlab.analysis import diverged, edge_rows, of_optimizer, optimizers
from adamlab.analysis.answers.edge import answer_at_the_edge
from adamlab.analysis.edge import SHARPNESS, THRESHOLD
from adamlab.errors import InputError
from adamlab.plots.lines import Scale, log_axis
from adamlab.plots.style import COLORS, NothingToDrawError, describe, figure, panels
from adamlab.plots.words import letter, number

MOST_PANELS = 12
"""The most optimizers that are drawn."""

ABOVE = 4.0
"""How far above the greatest threshold a picture reaches, unless half of a run is beyond."""


def edge(runs: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The preconditioned sharpness of each run over steps, with its stability threshold as a dashed line.

    Each optimizer has a panel, each setting a colour. The sharpness is the largest eigenvalue of P⁻¹H, P what the
    optimizer divides the gradient by, and the threshold what `al.stability` derives from its code: where the sharpness
    is above it, the steps no longer converge on a quadratic. Runs that diverged are left out.

    Args:
        runs: the dataset of a problem, with "preconditioned_sharpness" and "stability_threshold" recorded.
        ax: axes to draw into, for a single optimizer.

    Raises:
        NothingToDrawError: the two were not recorded, or no optimizer has them.
        InputError: there are axes for a single optimizer, and several were run.
    """
    problem = runs.attrs["problem"]
    if not {SHARPNESS, THRESHOLD} <= set(runs):
        raise NothingToDrawError(f'{problem}: put "{SHARPNESS}" and "{THRESHOLD}" among record.what.')
    drawn = {label: _sound(of_optimizer(runs, label)) for label in optimizers(runs)}
    drawn = {label: mine for label, mine in drawn.items() if mine.sizes["run"]}
    labels = [*drawn][:MOST_PANELS]
    if not labels:
        raise NothingToDrawError(f"{problem}: no run that stayed finite has a stability threshold.")
    if ax is not None and len(labels) > 1:
        raise InputError("ax: each optimizer takes a panel; give the runs of one, as al.analysis.of_optimizer does.")
    title = "preconditioned sharpness (lines) and its threshold (dashed)"
    if len(labels) == 1:
        fig, axes = figure(runs, f"{title}, {labels[0]}", ax=ax)
        axes.set_xlabel("step")
        places = [axes]
    else:
        fig, places = panels(runs, title, labels, "step")
    for place, label in zip(places, labels, strict=True):
        _draw(place, drawn[label])
    if ax is None:
        describe(fig, _sentence(runs, drawn, labels))
    return fig


def _sound(mine: xr.Dataset) -> xr.Dataset:
    """The runs that stayed finite and have a threshold."""
    thresholds = mine[THRESHOLD].values
    known = (np.isfinite(mine[SHARPNESS].values) & np.isfinite(thresholds) & (thresholds > 0)).any(axis=1)
    return mine.isel(run=np.flatnonzero(known & ~diverged(mine).values))


def _draw(axes: Axes, mine: xr.Dataset):
    swept = [name for name in mine.attrs["settings"] if len(np.unique(mine[name].values)) > 1]
    named = [(_setting(run, swept), run) for run in _each(mine)]
    settings = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in named))}
    thresholds, sharpness = mine[THRESHOLD].values, mine[SHARPNESS].where(mine.step > 0).values
    thresholds = thresholds[np.isfinite(thresholds) & (thresholds > 0)]
    low = min([thresholds.min(), *sharpness[sharpness > 0]])
    top = max(ABOVE * thresholds.max(), 1.3 * np.nanmedian(sharpness, axis=1).max())
    for name, run in named:
        color = COLORS[settings[name] % len(COLORS)]
        kept = np.isfinite(run[SHARPNESS].values)
        steps = run.step.values[kept]
        Scale(None).draw(axes, steps, run[SHARPNESS].values[kept], {"color": color, "lw": 1.2}, f"_{name}")
        axes.plot(steps, run[THRESHOLD].values[kept], color=color, lw=1.0, ls="--", label="_")
    log_axis(axes, "y", low / 1.3, top)
    axes.set_ylim(low / 1.3, top)
    lines = [Line2D([], [], color=COLORS[i % len(COLORS)], lw=1.6, label=name) for name, i in settings.items() if name]
    if lines:
        shown = axes.legend(handles=lines, fontsize=7, loc="upper right", ncols=2, frameon=False)
        for text in shown.get_texts():
            text.set_parse_math(False)


def _each(mine: xr.Dataset) -> list[xr.Dataset]:
    return [mine.isel(run=i) for i in range(mine.sizes["run"])]


def _setting(run: xr.Dataset, swept: Sequence[str]) -> str:
    """The swept numbers of a run's setting, such as "η 0.1"."""
    return ", ".join(f"{letter(name)} {number(float(run[name]))}" for name in swept)


def _sentence(runs: xr.Dataset, drawn: dict[str, xr.Dataset], labels: list[str]) -> str:
    told = " ".join(answer_at_the_edge({"": runs}))
    states = edge_rows(runs).state.value_counts()
    kinds = {"diverged": "that diverged", "unknown": "without a threshold"}
    left_out = [f"{states[state]} {words}" for state, words in kinds.items() if state in states]
    left_out += [f"{len(drawn) - len(labels)} further optimizers"] if len(drawn) > len(labels) else []
    note = f" Left out: {' and '.join(left_out)}." if left_out else ""
    return f"Preconditioned sharpness over {int(runs.step[-1]):,} steps on {runs.attrs['problem']}. {told}{note}"
