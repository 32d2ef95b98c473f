"""Optimizers as formulas.

`unrolling` reads the first steps of one and `general_step` the t-th; `solving/` solves the recurrences of that step,
`proving/` decides whether two optimizers are the same, and `notation/` prints formulas.
"""
