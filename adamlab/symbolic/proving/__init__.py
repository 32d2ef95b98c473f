"""Verdicts on the statement that two optimizers are the same: proofs for every step, counterexamples, first steps."""
