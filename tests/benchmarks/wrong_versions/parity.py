"""The comparison of two optimizers."""

CHANGES = []
