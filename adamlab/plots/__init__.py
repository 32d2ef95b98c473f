"""Pictures of a dataset: every function takes a Dataset and gives a matplotlib Figure; nothing is computed here."""

from collections.abc import Callable

from matplotlib.figure import Figure

from adamlab.plots.curves import agreement, curves, sensitivity
from adamlab.plots.style import NothingToDrawError as NothingToDrawError
from adamlab.plots.trajectories import trajectories

PLOTS: dict[str, Callable[..., Figure]] = {
    plot.__name__: plot for plot in (trajectories, curves, sensitivity, agreement)
}
