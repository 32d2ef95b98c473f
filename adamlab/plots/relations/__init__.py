"""The map of relations between optimizers."""
