"""Exact readings over a few gradients, by which two optimizers are held against each other."""

from functools import cached_property
from typing import Any

import jax
import mpmath
import numpy as np

from adamlab.interpret.oracle import exact_updates
from adamlab.interpret.programs import Subject
from adamlab.parity.ulps import SAME
from adamlab.types import PyTree

MOST = 1000
"""The steps that may be read to look for a cause."""


class Probe:
    """A few gradients, over which optimizers are read exactly.

    Attributes:
        gradients: a tree with time first.
        params: the parameters, which stay.
        digits: the digits of the readings.
        steps_read: how many steps have been read.
    """

    def __init__(self, gradients: PyTree, params: PyTree, digits: int):
        self.gradients, self.params, self.digits = gradients, params, digits
        self.steps_read = 0
        self._readings: dict[tuple[int, int], tuple[Subject, np.ndarray]] = {}

    @cached_property
    def doubled(self) -> "Probe":
        """The same with all gradients twice as large."""
        return Probe(jax.tree.map(lambda g: 2 * g, self.gradients), self.params, self.digits)

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(jax.tree.leaves(self.gradients)[0])

    @property
    def is_spent(self) -> bool:
        """Whether enough was read."""
        return self.steps_read >= MOST

    def row(self, step: int) -> PyTree:
        """The gradient of a step, from 0."""
        return jax.tree.map(lambda g: g[step], self.gradients)

    def updates(self, subject: Subject, steps: int) -> np.ndarray:
        """The exact updates of the first steps, all coordinates in a row."""
        key = id(subject), steps
        if key not in self._readings:
            self.steps_read += steps
            some = jax.tree.map(lambda g: g[:steps], self.gradients)
            leaves = jax.tree.leaves(exact_updates(subject, some, self.params, self.digits))
            rows = np.concatenate([u.reshape(steps, -1) for u in leaves], axis=1)
            self._readings[key] = subject, rows  # keep the subject alive: a freed object's id() may be used again
        return self._readings[key][1]

    def agree(self, left: Subject, right: Subject) -> bool:
        """Whether all updates of two optimizers are the same, NaN where NaN; most that differ do so at once."""
        return all(self._same(left, right, steps) for steps in sorted({1, min(2, self.steps), self.steps}))

    def moves(self, subject: Subject) -> bool:
        """Whether an optimizer takes any step at all, which can be shown to agree with another's."""
        with mpmath.workdps(self.digits):
            return any(u and mpmath.isfinite(u) for u in self.updates(subject, self.steps).flat)

    def _same(self, left: Subject, right: Subject, steps: int) -> bool:
        ours, theirs = self.updates(left, steps), self.updates(right, steps)
        with mpmath.workdps(self.digits):
            return all(is_near(a, b) for a, b in zip(ours.flat, theirs.flat, strict=True))


def is_near(a: Any, b: Any) -> bool:
    """Whether two exact readings are the same number, or both NaN."""
    if a == b:
        return True
    if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
        return bool(mpmath.isnan(a) and mpmath.isnan(b))
    return abs(a - b) <= SAME * max(abs(a), abs(b))
