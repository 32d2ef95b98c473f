"""Recurrences solved for general t, their limits, and the weights of gradients in them."""
