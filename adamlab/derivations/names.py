"""The names of the derivations, which the command line shows without loading JAX and SymPy."""

NAMES = ("second-moment", "adagrad-limit", "softmax-cross-entropy", "batch-norm", "conv-shape")
"""The names that `adamlab.derivations.derive` takes; each is a module's, with - for _."""
