"""Studies: experiment configs are read, planned, computed and stored as labelled datasets."""
