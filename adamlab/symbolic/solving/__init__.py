"""Recurrences solved for general t: sums, pairs of states, limits, and the weights of gradients."""
