"""Optimizers as dynamical systems: one step on a quadratic as a linear map, and where that map converges.

`linearizing` reads the map off an optimizer's general step, `jury` decides in exact arithmetic where its eigenvalues
lie, `thresholds` solves for the number at which one of them leaves the unit circle, and `stability` puts it together.
`edge` has the same as functions of a run's numbers and state, to be recorded along training.
"""
