"""Python code that branches on traced values, run along each of its branches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from adamlab.types import PyTree


class _Path:
    """A way through the branches: the first decisions are given, later conditions are taken to be true."""

    def __init__(self, given: tuple[bool, ...]):
        self.decisions = [*given]
        self.conditions: list[Any] = []
        self._known: dict[Any, tuple[bool, Any]] = {}

    def decide(self, condition: Any, key: Any, compared: Any) -> bool:
        if key not in self._known:
            if len(self.decisions) == len(self.conditions):
                self.decisions.append(True)
            decision = self.decisions[len(self.conditions)]
            self.conditions.append(condition)
            self._known[key] = decision, compared  # what was compared is kept alive: its id may not be used again
        return self._known[key][0]


_paths: list[_Path] = []


def holds(condition: Any, *compared: Any) -> bool:
    """The truth of a condition; of a traced one, in `along_each_branch`, the truth on the branch that is run now.

    Args:
        condition: a boolean array or tracer.
        *compared: what it says something of; of the same things it says the same on one branch.
    """
    if not isinstance(condition, Tracer) or not _paths:
        return bool(condition)
    key = tuple(x if isinstance(x, (int, float, str)) else id(x) for x in compared) or id(condition)
    return _paths[-1].decide(condition, key, (condition, compared))


def along_each_branch(run: Callable[[], PyTree]) -> PyTree:
    """The result of a function that asks `holds`: of each branch's the one whose conditions hold.

    Args:
        run: a function that gives a tree of arrays, of the same structure on each branch.
    """
    return _along(run, ())


def _along(run: Callable[[], PyTree], given: tuple[bool, ...]) -> PyTree:
    path = _Path(given)
    _paths.append(path)
    try:
        result = run()
    finally:
        _paths.pop()
    for k in reversed(range(len(given), len(path.conditions))):
        other = _along(run, (*path.decisions[:k], False))
        condition = path.conditions[k]
        result = jax.tree.map(lambda a, b, c=condition: a if a is b else jnp.where(c, a, b), result, other)
    return result
