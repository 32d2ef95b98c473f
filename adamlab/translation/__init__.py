"""Translations of optimizers between PyTorch, Keras, Optax and adamlab, each with the verdict behind it."""
