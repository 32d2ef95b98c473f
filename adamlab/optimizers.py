"""Optimizers of users, under a name that specs, configs and lists know in this Python process."""

from collections.abc import Callable
from typing import Any

from adamlab.own import claim

REGISTERED: dict[str, Callable[..., Any]] = {}
"""The factories that were registered, by name."""


def register(name: str, factory: Any) -> Any:
    """Register a factory of optimizers for as long as Python runs, and give it back.

    >>> import optax
    >>> slow = register("mine.slow", lambda learning_rate=0.1: optax.sgd(learning_rate / 10))

    After that `mine.slow(lr)` is a spec like any other. A name that you have registered can be registered again, which
    replaces the factory. In a module that was imported by name, such as mine.py, a name without a dot is that module's:
    `register("slow", …)` makes `mine.slow`.

    Args:
        name: letters, digits and _, with dots between; not of adamlab's or Optax's.
        factory: a function of numbers, flags and texts that gives a transformation with `init` and `update`, as
            Optax's do. An argument without a default and without an annotation is a number or a schedule.

    Raises:
        InputError: the name cannot be used, or the factory is no function.
    """
    REGISTERED[claim("optimizer", name, factory)] = factory
    return factory
