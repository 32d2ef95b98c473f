"""Agreement: the difference between twins over steps."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import difference_by_step
from adamlab.plots.lines import Scale, log_axis
from adamlab.plots.style import NothingToDrawError, describe, figure, legend, styles
from adamlab.plots.words import listing, number


def agreement(runs: xr.Dataset, ax: Axes | None = None) -> Figure:
    """The largest difference over all runs between each optimizer of adamlab and its twin of Optax, step by step.

    Twins have the same settings. Those that are identical at every step are named in the picture. The grey line is the
    machine epsilon of the runs' type, the distance from 1 to the next number.

    Args:
        runs: the dataset of a problem.
        ax: axes to draw into.

    Raises:
        NothingToDrawError: the study has no such pair.
    """
    differences = difference_by_step(runs)
    if not differences.sizes["optimizer"]:
        raise NothingToDrawError(f"{runs.attrs['problem']}: there is no adamlab.X and optax.X at the same settings.")
    fig, axes = figure(runs, "largest difference from Optax's twin", ax=ax)
    looks, same, parted = styles(runs), [], {}
    for label in differences.optimizer.values.tolist():
        values = differences.difference.sel(optimizer=label)
        final = runs.params_difference.values[(runs.optimizer.values == label) & (runs.optax_run.values >= 0)]
        # The curve may be of losses: equal losses are not enough, the parameters have to be equal as well.
        if np.nan_to_num(final).max() == 0:
            same.append(label)
        else:
            parted[label] = values
    for label, values in parted.items():
        drawn = np.where((values > 0) & np.isfinite(values), values, np.nan)
        Scale(None).draw(axes, runs.step.values, drawn, {"color": looks[label]["color"], "lw": 1.6}, label)
    epsilon = float(np.finfo(runs.loss.dtype).eps)
    axes.axhline(epsilon, color="0.5", lw=0.8, ls="--", zorder=0, label=f"ε of {runs.loss.dtype}, {epsilon:.2g}")
    greatest = max((float(v.where(np.isfinite(v)).max()) for v in parted.values()), default=0.0)
    least = min((float(v.where(v > 0).min()) for v in parted.values()), default=epsilon)
    low, high = np.nanmin([least, epsilon]) / 5, np.nanmax([greatest, epsilon]) * 5
    axes.set_ylim(low, high)
    log_axis(axes, "y", float(low), float(high))
    axes.set_xlim(runs.step.values[0], runs.step.values[-1])
    if same:
        text = f"identical at every step: {listing(same, 8)}"
        axes.text(0.98, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=8, parse_math=False)
    axes.set(xlabel="step", ylabel=differences.attrs["of"])
    legend(fig, 3, ax)
    if ax is None:
        describe(fig, _sentence(runs, parted, same, epsilon))
    return fig


def _sentence(runs: xr.Dataset, parted: dict[str, xr.DataArray], same: list[str], epsilon: float) -> str:
    parts = [f"{listing(same, 8)} {'is' if len(same) == 1 else 'are'} identical to Optax at every step"] if same else []
    largest = {label: float(values.max()) for label, values in parted.items()}
    parts += [f"{label} differs by up to {number(size)}" for label, size in largest.items()]
    compared = f"compared with the machine epsilon {epsilon:.2g} of {runs.loss.dtype}"
    return (
        f"The difference between twins of adamlab and Optax on {runs.attrs['problem']}: {', '.join(parts)}, {compared}."
    )
