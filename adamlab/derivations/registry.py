"""The derivations by name."""

from collections.abc import Callable
from importlib import import_module

from adamlab.derivations import NAMES
from adamlab.derivations.derivation import Derivation

DERIVATIONS: dict[str, Callable[[], Derivation]] = {
    name: import_module(f"adamlab.derivations.{name.replace('-', '_')}").derive for name in NAMES
}
"""What `adamlab.derivations.derive` calls, by the name that it is given."""
