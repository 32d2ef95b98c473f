"""The derivations that adamlab grew out of, step by step, each step checked by machine when it is shown.

They need JAX and SymPy, and are loaded when the first of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from adamlab.errors import InputError, nearest

if TYPE_CHECKING:
    from adamlab.derivations.derivation import Derivation as Derivation
    from adamlab.derivations.derivation import Step as Step
    from adamlab.derivations.registry import DERIVATIONS as DERIVATIONS

_HOMES = {"DERIVATIONS": "registry", "Derivation": "derivation", "Step": "derivation"}


def derive(name: str) -> "Derivation":
    """Derive one of the results, with every step checked.

    Args:
        name: one of `adamlab.derivations.names.NAMES`.

    Returns:
        A `Derivation`, with `.text()`, `.latex()`, `.mathml()` and `.to_dict()`; notebooks show it.

    Raises:
        InputError: there is no such derivation.

    >>> derive("conv-shape").holds
    True
    """
    from adamlab.derivations.registry import DERIVATIONS

    if name not in DERIVATIONS:
        raise InputError(f'there is no derivation "{name}"; {nearest(name, DERIVATIONS)}')
    return DERIVATIONS[name]()


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'adamlab.derivations' has no attribute {name!r}")
    return getattr(import_module(f"adamlab.derivations.{_HOMES[name]}"), name)
