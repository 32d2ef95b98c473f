"""Gradients and numbers to run a pair on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tests.fuzzing.programs import Program

FEW = 12
"""The steps of a short sequence."""


def generic(rng: np.random.Generator, literals: Sequence[Any], steps: int, count: int = 8) -> Iterator[list[float]]:
    """Gradients without a pattern, of every size and sign, and near the numbers in the code."""
    sizes = [(-1, 1), (-9, 9), (5, 10), (-10, -6), (0, 1), (2, 6)]
    near = [abs(float(x)) for x in literals if 1e-9 <= abs(float(x)) <= 1e12]
    for k in range(count):
        low, high = sizes[k % len(sizes)]
        g = rng.uniform(0.1, 1, steps) * 10.0 ** rng.uniform(low, high, steps)
        if near and k % 3 == 2:
            g = rng.choice(near, steps) * rng.uniform(0.4, 2.2, steps)
        signs = rng.choice([-1, 1], steps) if k % 4 < 2 else np.full(steps, 1 if k % 4 == 2 else -1)
        yield [float(x) for x in g * signs]


def special(rng: np.random.Generator, literals: Sequence[Any], steps: int) -> Iterator[tuple[str, list[float]]]:
    """Gradients at single points, each with what is special: zeros, repeats, turned signs, numbers in the code."""

    def drawn() -> list[float]:
        return [float(x) for x in rng.uniform(0.1, 3, steps) * rng.choice([-1, 1], steps)]

    zeros = drawn()
    yield "zero", [0.0 if rng.random() < 0.4 else g for g in zeros]
    yield "zero", [0.0, *zeros[1:]]
    repeats = drawn()
    yield "repeat", [repeats[k - k % 3] for k in range(steps)]
    yield "repeat", [1.7] * steps
    yield "turned", [repeats[0] * (-1) ** k for k in range(steps)]
    points = [float(x) for x in literals]
    if points:
        yield "point", [float(rng.choice([-1, 1]) * rng.choice(points)) if rng.random() < 0.4 else g for g in zeros]


EXCUSES = {
    "zero": r"no gradient is 0|g_\S+ ≠ 0|g_\S+ is not 0",
    "repeat": r"is that of the step before|≠",
    "turned": r"is minus that of the step before|≠",
    "point": r"≠|no gradient is",
}
"""What an assumption has to say for a proof that fails at such gradients."""


def is_excused(what: str, assumptions: Sequence[str]) -> bool:
    """Whether an assumption of a proof excludes special gradients."""
    return any(re.search(EXCUSES[what], text) for text in assumptions)


def numbers(rng: np.random.Generator, programs: Sequence[Program], hyper: Mapping[str, Any]) -> dict[str, float]:
    """A number for every argument, from the domain that a verdict tells: decay rates below 1, others above 0."""
    names = dict.fromkeys(name for program in programs for name in program.numbers)
    drawn = {}
    for name in names:
        is_rate = type(hyper.get(name)).__name__ == "Rate"
        drawn[name] = float(f"{rng.uniform(0.05, 0.98) if is_rate else 10 ** rng.uniform(-2, 1):.3g}")
    return drawn
