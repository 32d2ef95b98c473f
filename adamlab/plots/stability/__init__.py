"""Pictures of optimizers as dynamical systems: where they converge, how fast, and what they remember."""
