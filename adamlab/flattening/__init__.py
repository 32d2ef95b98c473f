"""Parameters, gradients and states of many arrays kept as one vector between steps."""
