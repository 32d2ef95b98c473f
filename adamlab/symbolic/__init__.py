"""What is done with a rule that has been read as formulas: unrolling, closed forms, limits, proofs, and their print."""
