"""The explorer: one HTML page on which sliders move a study's trajectories, curves and moments."""

from adamlab.explorer.page import write_explorer as write_explorer
