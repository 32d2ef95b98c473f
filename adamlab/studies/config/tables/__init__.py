"""Tables of a config: its problems with their starts, optimizers and outputs."""
