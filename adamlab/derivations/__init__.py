"""The derivations that adamlab grew out of, step by step, each step checked by machine when it is shown."""

from collections.abc import Callable

from adamlab.derivations import adagrad_limit, batch_norm, conv_shape, second_moment, softmax_cross_entropy
from adamlab.derivations.derivation import Derivation as Derivation
from adamlab.derivations.derivation import Step as Step
from adamlab.errors import InputError, nearest

DERIVATIONS: dict[str, Callable[[], Derivation]] = {
    "second-moment": second_moment.derive,
    "adagrad-limit": adagrad_limit.derive,
    "softmax-cross-entropy": softmax_cross_entropy.derive,
    "batch-norm": batch_norm.derive,
    "conv-shape": conv_shape.derive,
}
"""By name."""


def derive(name: str) -> Derivation:
    """One of the derivations, its steps checked.

    Args:
        name: a key of `DERIVATIONS`.

    Returns:
        A `Derivation`, with `.text()`, `.latex()`, `.mathml()` and `.to_dict()`; notebooks show it.

    Raises:
        InputError: there is no such derivation.

    >>> derive("conv-shape").holds
    True
    """
    if name not in DERIVATIONS:
        raise InputError(f'there is no derivation "{name}"; {nearest(name, DERIVATIONS)}')
    return DERIVATIONS[name]()
