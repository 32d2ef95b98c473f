"""Verdicts on statements about two optimizers: proofs for every t, counterexamples, first steps."""
