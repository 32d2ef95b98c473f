"""Two optimizers side by side: in bits against each other, in ulps against the exact reading of each."""
