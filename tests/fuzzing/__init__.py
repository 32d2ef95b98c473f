"""Random optimizers and pairs of them, and a judge that holds what adamlab says of them against plain runs.

`python -m tests.fuzzing --verdicts 3000 --seed 0` is the long run; the gate has a bounded share of it.
"""
