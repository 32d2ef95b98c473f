"""The derivations by name."""

from collections.abc import Callable
from importlib import import_module

from adamlab.derivations.derivation import Derivation
from adamlab.derivations.names import NAMES

DERIVATIONS: dict[str, Callable[[], Derivation]] = {
    name: import_module(f"adamlab.derivations.{name.replace('-', '_')}").derive for name in NAMES
}
"""The functions that derive, by name."""
