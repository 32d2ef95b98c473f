"""Two optimizers read exactly over the gradients of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import mpmath
import numpy as np

from adamlab.calls import Call
from adamlab.flattening.transformation import flat
from adamlab.flattening.vectors import Ravelled, layout_of
from adamlab.interpret.oracle import exact_updates
from adamlab.interpret.programs import Subject
from adamlab.parity.probe import Probe, is_near
from adamlab.parity.trajectories import by_family, laid_out, parameters

Gradients = Mapping[str, np.ndarray]

SHORT = 8
"""The steps of all families over which a cause has to hold."""


@dataclass(frozen=True)
class Readings:
    """The exact updates of two optimizers.

    Attributes:
        subjects: the optimizer on the left and the one on the right.
        gradients: by family (steps, columns).
        layout: how the families are laid out.
        digits: of the readings; more than were asked for where terms nearly cancel.
        updates: of each side, by family (steps, columns).
    """

    subjects: tuple[Subject, Subject]
    gradients: Gradients
    layout: str
    digits: int
    updates: list[dict[str, np.ndarray]]

    @classmethod
    def of(cls, subjects: tuple[Subject, Subject], gradients: Gradients, layout: str, digits: int) -> "Readings":
        """Read both; again in more digits if what parts them goes away in these, since terms that cancel lose digits.

        Raises:
            UnreadableError: a primitive without a meaning in exact numbers.
        """
        readings = cls(subjects, gradients, layout, digits, _read(subjects, gradients, layout, digits))
        if readings.parting is None:
            return readings
        finer = max(4 * digits, 200)
        start = {name: g[: readings.parting[1]] for name, g in gradients.items()}
        if cls(subjects, start, layout, finer, _read(subjects, start, layout, finer)).parting:
            return readings
        return cls(subjects, gradients, layout, finer, _read(subjects, gradients, layout, finer))

    @cached_property
    def parting(self) -> tuple[str, int] | None:
        """The family in which they part first, and the step, from 1; None where they do not."""
        steps = {name: self._first_apart(name) for name in self.gradients}
        apart = {name: step for name, step in steps.items() if step}
        return min(apart.items(), key=lambda pair: pair[1], default=None)

    def probe(self, family: str, steps: int) -> Probe:
        """The first steps of a family."""
        return self._probe({family: self.gradients[family]}, steps)

    def check(self) -> Probe:
        """The first steps of all families."""
        return self._probe(self.gradients, SHORT)

    def _probe(self, gradients: Gradients, steps: int) -> Probe:
        laid = laid_out({name: g[:steps] for name, g in gradients.items()}, self.layout)
        return Probe(laid, parameters(laid), self.digits)

    def _first_apart(self, family: str) -> int:
        left, right = (side[family] for side in self.updates)
        with mpmath.workdps(self.digits):
            near = np.asarray(np.frompyfunc(is_near, 2, 1)(left, right), bool).all(axis=1)
        return 0 if near.all() else int(np.flatnonzero(~near)[0]) + 1


def _read(subjects: tuple[Subject, Subject], gradients: Gradients, layout: str, digits: int):
    laid = laid_out(gradients, layout)
    return [by_family(_exact_updates(subject, laid, digits), gradients) for subject in subjects]


def _exact_updates(subject: Subject, gradients: Any, digits: int) -> Any:
    params = parameters(gradients)
    arrays, structure = jax.tree.flatten(gradients)
    w = _as_vector(params)
    on_vector = _on_vector(subject, w) if len(arrays) > 1 else None
    if on_vector is None:
        return exact_updates(subject, gradients, params, digits)
    g = Ravelled((np.concatenate([x.reshape(len(x), -1) for x in arrays], axis=1),), w.layout)
    u = exact_updates(on_vector, g, w, digits).vectors[0]
    ends = np.cumsum([x[0].size for x in arrays])[:-1]
    return structure.unflatten(np.split(u, ends, axis=1))


def _as_vector(params: Any) -> Ravelled:
    arrays, structure = jax.tree.flatten(params)
    layout = layout_of(structure, tuple(w.shape for w in arrays), tuple(w.dtype for w in arrays))
    return Ravelled((np.concatenate([w.ravel() for w in arrays]),), layout)


def _on_vector(subject: Subject, params: Ravelled) -> Subject | None:
    """The optimizer on one vector, since each array takes time to read; None if it tells arrays apart."""
    on_vector = replace(subject, call=Call("adamlab.flat", flat, {"tx": subject.call}))
    try:
        on_vector.programs(params)
    except Exception:  # whatever a foreign optimizer raises on a vector
        return None
    return on_vector
