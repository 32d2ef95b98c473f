"""Metrics: what the scalars that problems record beside the loss are, in words."""

import inspect
from collections.abc import Callable
from typing import Any

PARTS = {"train": "the training examples", "validation": "the validation examples", "test": "the test examples"}

METRICS: dict[str, str] = {
    **{f"{part}_loss": f"the loss on {examples}" for part, examples in PARTS.items()},
    **{f"{part}_accuracy": f"the share of {examples} that is classified rightly" for part, examples in PARTS.items()},
    "off_ray": "how far w is from the ray of s = sign(Xᵀy), (max − min of s_j·w_j) / mean |w|; 0 on it",
    "error": "the Euclidean distance to the parameters that the data were made with",
}
"""The metrics of adamlab's problems by name."""


def metric_in_words(name: str, metric: Callable[..., Any] | None = None) -> str:
    """What a metric is: the first line of its own docstring, or what its name means in adamlab's problems; or ""."""
    own = inspect.getdoc(metric) if inspect.isfunction(metric) else None
    return own.partition("\n")[0].rstrip(".") if own else METRICS.get(name, "")
