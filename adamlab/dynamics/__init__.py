"""Optimizers as dynamical systems: one step on a quadratic as a linear map, and where that map converges.

`linearizing` reads the map off an optimizer's general step, `jury` decides in exact arithmetic where its eigenvalues
lie, `thresholds` solves for the number at which one of them leaves the unit circle, and `stability` puts it together.
`edge` has the same as functions of a run's numbers and state, to be recorded along training.
`quadratic_runs` runs the optimizer itself, and `datasets` holds what pictures show: the theory beside such runs.
"""

from adamlab.dynamics.datasets import eigenvalues as eigenvalues
from adamlab.dynamics.datasets import rates as rates
from adamlab.dynamics.datasets import region as region
from adamlab.dynamics.datasets import shares as shares
from adamlab.dynamics.datasets import spectrum as spectrum
