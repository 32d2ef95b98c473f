"""Reserved names: those of the results' variables, coordinates and dims, which a config's numbers cannot have.

A test compares each set with datasets as they are computed.
"""

RUN_NAMES = frozenset(
    {"run", "step", "dim", "layer", "parameter", "optimizer", "spec", "seed", "problem", "steps", "x", "y", "diverged"}
    | {"run_id", "done", "stage", "start", "optax_run", "params_difference", "loss_difference"}
    | {"landscape", "minima", "minimum"}
)
"""Of runs; a number with such a name becomes a coordinate of another name, see `adamlab.studies.store.dataset`."""

COMPARISON_NAMES = frozenset(
    {"comparison", "family", "sees", "kind", "verdict", "gap", "exact_gap", "differing_bits", "first_difference"}
    | {f"{side}_{statistic}" for side in ("left", "right", "apart") for statistic in ("median", "max")}
)
"""Of comparisons, beside the keys of a [[compare]] table."""

READING_NAMES = frozenset(
    {"reading", "step", "text", "latex", "mathml", "assumptions", "solved", "setting", "reading_of", "lag"}
    | {"weight", "power", "note", "gradients", "sum", "halved_after"}
)
"""Of readings, beside the keys of a [[reading]] table."""
