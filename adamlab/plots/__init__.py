"""Pictures of datasets: every function takes a Dataset and returns a matplotlib Figure; nothing is computed here."""

from collections.abc import Callable

from matplotlib.figure import Figure

from adamlab.plots.comparisons import bits, errors, gap
from adamlab.plots.landscapes import landscape
from adamlab.plots.readings import weights
from adamlab.plots.runs.benchmarks import budget, profiles, ranks
from adamlab.plots.runs.boxes import boxes
from adamlab.plots.runs.curves import curves
from adamlab.plots.runs.edge import edge
from adamlab.plots.runs.heat_map import heat_map
from adamlab.plots.runs.moments import moments
from adamlab.plots.runs.over_steps.differences import agreement
from adamlab.plots.runs.sensitivity import sensitivity
from adamlab.plots.runs.trajectories import trajectories
from adamlab.plots.stability.eigenvalues import eigenvalues
from adamlab.plots.stability.rates import rates
from adamlab.plots.stability.region import region
from adamlab.plots.stability.shares import shares
from adamlab.plots.stability.spectrum import spectrum
from adamlab.plots.style import NothingToDrawError as NothingToDrawError
from adamlab.plots.surface import surface
from adamlab.plots.updates.cartoon import cartoon
from adamlab.plots.updates.race import race
from adamlab.plots.updates.vector_field import vector_field

PLOTS_OF: dict[str, dict[str, Callable[..., Figure]]] = {
    "runs": {
        plot.__name__: plot
        for plot in (
            *(trajectories, curves, sensitivity, profiles, ranks, budget, agreement, landscape),
            *(heat_map, boxes, moments, surface, race, cartoon, edge),
        )
    },
    "comparisons": {plot.__name__: plot for plot in (errors, bits, gap)},
    "readings": {plot.__name__: plot for plot in (weights,)},
    "problem": {plot.__name__: plot for plot in (landscape, surface, vector_field, race, cartoon, moments)},
    "stability": {plot.__name__: plot for plot in (rates, region, eigenvalues, spectrum)},
    "influence": {plot.__name__: plot for plot in (shares,)},
}
"""The plots by the attribute `of` of the datasets that they take.

Those of a problem, of stability and of influence are drawn by commands of their own, without a config.
"""

FILMS = ("race",)
"""The plots that give a figure that moves, see `adamlab.plots.updates.films`."""

PLOTS = {name: plot for plots in PLOTS_OF.values() for name, plot in plots.items()}
