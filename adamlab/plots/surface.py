"""The function as a surface in space, with the paths of runs on it."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D

from adamlab.plots.landscapes import require_landscape
from adamlab.plots.picture import Picture
from adamlab.plots.style import HIGHEST, NothingToDrawError, caption, describe, figure_of, legend, styles
from adamlab.plots.updates.plane import first_run

LINES = 150
"""Lines of the surface along each side."""

STEEP = 100.0
"""How many times its hundredth part of lowest values a function's greatest value is where heights are logarithms."""

LOWEST = 0.005
"""The share of the lowest values that a surface of logarithms is cut off below."""


def surface(data: xr.Dataset, ax: Axes3D | None = None) -> Figure:
    """The function as a surface over the plane; of runs, with the path of each optimizer at its best setting.

    Heights are logarithms where the function is nowhere negative and goes over many decades.

    Args:
        data: a dataset of `adamlab.problems.landscape`, or of a problem's runs.
        ax: axes with a 3-D projection to draw on; by default those of a new figure.

    Raises:
        NothingToDrawError: the problem has not two parameters, or no domain, or is nowhere finite.
    """
    require_landscape(data)
    problem = data.attrs["problem"]
    if data.landscape.ndim == 1:
        raise NothingToDrawError(f"{problem}: a surface takes two parameters; draw the landscape of this problem.")
    fig = Picture(figsize=(7.2, 6.0), layout="constrained", dpi=120) if ax is None else figure_of(ax)
    axes = fig.add_subplot(projection="3d", computed_zorder=False) if ax is None else ax
    values = np.where(np.abs(data.landscape.values) <= HIGHEST, data.landscape.values, np.nan)
    is_log, low, high = _range(values)
    x, y = np.meshgrid(data.x.values, data.y.values)
    look = {"cmap": colormaps["viridis"], "lw": 0.0, "antialiased": False, "zorder": 1, "rasterized": True}
    axes.plot_surface(x, y, _heights(values, is_log, low, high), rcount=LINES, ccount=LINES, **look)
    paths = _draw_paths(axes, data, is_log, low, high) if "params" in data else []
    for x, y in data.minima.values:
        height = values[np.abs(data.y.values - y).argmin(), np.abs(data.x.values - x).argmin()]
        heights = _heights(np.array([height]), is_log, low, high)
        axes.plot([x], [y], heights, "*", ms=12, mec="black", color="gold", zorder=4)
    axes.set(xlabel="$w_1$", ylabel="$w_2$", xlim=(data.x[0], data.x[-1]), ylim=(data.y[0], data.y[-1]))
    axes.set_zlabel("loss")
    axes.set_title(f"{problem}: the function" + (" and each optimizer's path" if paths else ""), fontsize=11)
    axes.view_init(elev=38, azim=-58)
    axes.zaxis.set_major_locator(MaxNLocator(6, integer=is_log))
    if is_log:
        axes.zaxis.set_major_formatter(FuncFormatter(lambda power, _: f"$10^{{{power:.0f}}}$"))
    if paths:
        legend(fig) if ax is None else axes.legend(fontsize=8)
    on_it = f", with the paths of {', '.join(paths)}" if paths else ""
    heights = "logarithmic heights" if is_log else "heights"
    if ax is None:
        describe(fig, f"{problem} as a surface over the plane, {heights} from {low:.3g} to {high:.3g}{on_it}.")
    return fig


def _range(values: np.ndarray) -> tuple[bool, float, float]:
    """Whether heights are logarithms, and the least and the greatest value that is drawn."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    if low >= 0 and high > STEEP * np.quantile(finite, 0.01) and high > 0:
        return True, float(np.quantile(finite[finite > 0], LOWEST)), high
    return False, low, high


def _heights(values: np.ndarray, is_log: bool, low: float, high: float) -> np.ndarray:
    clipped = np.clip(values, low, high)
    return np.log10(clipped) if is_log else clipped


def _draw_paths(axes: Axes3D, runs: xr.Dataset, is_log: bool, low: float, high: float) -> list[str]:
    """Draw each optimizer's path as far as it stays over the domain, and return the labels."""
    looks = styles(runs)
    for label, look in looks.items():
        chosen = first_run(runs, label)
        path, losses = chosen.params.values[0], chosen.loss.values[0]
        inside = (path[:, 0] >= runs.x.values[0]) & (path[:, 0] <= runs.x.values[-1])
        inside &= (path[:, 1] >= runs.y.values[0]) & (path[:, 1] <= runs.y.values[-1]) & np.isfinite(losses)
        path, heights = np.where(inside[:, None], path, np.nan), _heights(losses, is_log, low, high)
        axes.plot(*path.T, heights, **look, label=caption(runs, label, chosen), zorder=3)
        if inside.any():
            end = int(np.flatnonzero(inside)[-1])
            axes.plot(*([x] for x in path[end]), [heights[end]], "o", ms=6, mec="white", color=look["color"], zorder=5)
    return [*looks]
