"""Optimizers of PyTorch and Keras as transformations, read from the code that ships.

Specs know them as `torch.Adam(lr, beta1=b1)` and `keras.Adam(learning_rate, beta_1=b1)`. A framework is loaded where
one of its optimizers is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from adamlab.frameworks import keras3, pytorch


class Library(Mapping[str, Callable[..., Any]]):
    """The optimizers of a framework that are read, by name; each is made when it is asked for."""

    def __init__(self, names: tuple[str, ...], unread: Mapping[str, str], make: Callable[[str], Callable[..., Any]]):
        self.names = names
        self.unread = unread
        self._make = make

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if name not in self.names and name not in self.unread:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self):
        return len(self.names)


FRAMEWORKS = {
    "torch": Library(pytorch.READ, pytorch.UNREAD, pytorch.torch_optimizer),
    "keras": Library(keras3.READ, keras3.UNREAD, keras3.keras_optimizer),
}
"""By the name that specs have for it, a framework's optimizers."""


def installed() -> list[str]:
    """The frameworks that are installed."""
    return [name for name in FRAMEWORKS if find_spec(name) is not None]
