"""The verdict on a statement about two optimizers, with its grounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Symbol

from adamlab.symbolic.proving.counterexamples import Counterexample
from adamlab.symbolic.results import Equation, Result
from adamlab.symbolic.solving.limits import DELTA
from adamlab.types import Formula


@dataclass(frozen=True, repr=False)
class Verdict(Result):
    """The verdict on the statement that two optimizers are the same.

    Attributes:
        left, right: the two, as they were given.
        limit: the numbers that go to a limit, each with its target.
        status: "proved", "refuted" or "unknown".
        horizon: None where it is proved for every step, or unknown; else the step up to which it was shown, or at which
            the two part.
        explanation: the grounds in words.
        counterexample: numbers on which the two part; None unless refuted.
        assumptions: the conditions under which the verdict holds, in words.
        hyper: the symbols of the numbers that are open, by name.
        order: in a limit, the power of the distance to it that the relative difference of the updates falls with.
        relative: in a limit, the relative difference over that power of the distance.
        steps: the number of first steps that the statement is about; None for every step.
        updates: the update of both where they are equal; the two updates, or their limits, where they are not.
    """

    left: str
    right: str
    limit: Mapping[str, Any]
    status: str
    horizon: int | None
    explanation: str
    counterexample: Counterexample | None
    assumptions: tuple[str, ...]
    hyper: Mapping[str, Symbol]
    order: Formula | None = None
    relative: Formula | None = None
    updates: tuple[Formula, ...] = ()
    steps: int | None = None

    @property
    def holds(self) -> bool:
        """Whether the statement is proved in full, not just up to a horizon."""
        return self.status == "proved" and self.horizon in (None, self.steps)

    def _equations(self) -> list[Equation]:
        sides = [(Symbol("u_t"), e) for e in dict.fromkeys(self.updates)]
        return [*sides, *([(Symbol("relative_difference"), self.relative * DELTA**self.order)] if self.order else [])]

    def _words(self) -> list[str]:
        return [f"{self.status}: {self.explanation}"]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "left": self.left,
            "right": self.right,
            "limit": {name: str(value) for name, value in self.limit.items()},
            "status": self.status,
            "horizon": self.horizon,
            "explanation": self.explanation,
            "counterexample": self.counterexample and self.counterexample.to_dict(),
            "order": None if self.order is None else str(self.order),
            **super().to_dict(),
        }
