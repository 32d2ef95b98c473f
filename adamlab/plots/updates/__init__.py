"""Pictures of optimizers at work: what a rule does at each point, one update step by step, a race."""
