"""What is said of a sign is so at random points; and what should be seen is seen."""

import random
from typing import Any

from sympy import (
    Abs,
    IndexedBase,
    Integer,
    Max,
    Min,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    cbrt,
    cos,
    exp,
    log,
    sqrt,
    symbols,
)

from adamlab.interpret.signs import Rate, is_nonnegative, is_positive

b, c = Rate("b"), Rate("c")
p, q = symbols("p q", positive=True)
n = Symbol("n", nonnegative=True)
x, y = symbols("x y", real=True)
t, i = symbols("t i", integer=True, positive=True)
g: Any = IndexedBase("g", real=True)

POSITIVE = [
    1 - b,
    1 - b**2,
    1 - b * c,
    1 - b**t,
    (1 - b) / (1 - b**3),
    p + n,
    sqrt(p),
    exp(x),
    b - b**2,
    2 - b - c,
    1 + x**2,
    (b - 1) * (c - 1),
    (b - 1) ** 3 * (c - 1),
    Piecewise((p, x > 0), (q, True)),
]
NONNEGATIVE = [
    x**2,
    Abs(x),
    n * p,
    b * n + (1 - b) * x**2,
    n + (1 - b) * (x**2 - n),
    sqrt(x),
    Max(x, n),
    Min(n, p),
    Sum(b ** (t - i) * g[i] ** 2, (i, 1, t)),
    (b - 1) * n / (b**2 - 1),
    n - b * n,
    n + x**2,
    Min(p, x**2),
    Piecewise((p, x > 0), (n, True)),
    Sum(b**i, (i, 1, t - 1)),
    Sum(p + i, (i, 1, t - 1)),
]
"""Each is 0 somewhere, the sums where they are of nothing."""
UNKNOWN = [
    *(x, x - y, n - p, b - c, 1 - 2 * b, x**3, p - 1, Min(x, n), x * y, Integer(-1) * p, b**t - c, -n),
    *(x + p, x**3 + p, 1 - b**x, 1 / (b - 1) - p, (b - 1) * p, cbrt(x), cos(x), log(p), Max(x, y)),
    Piecewise((p, x > 0), (x, True)),
]
"""Each is negative somewhere."""


def test_positive_formulas_are_seen():
    assert [e for e in POSITIVE if not is_positive(e)] == []


def test_nonnegative_formulas_are_seen():
    assert [e for e in NONNEGATIVE if not is_nonnegative(e)] == []


def test_nothing_is_said_of_others():
    assert [e for e in UNKNOWN if is_nonnegative(e)] == []


def test_what_can_be_0_is_not_said_to_be_positive():
    assert [e for e in [*NONNEGATIVE, *UNKNOWN] if is_positive(e)] == []


def value(e: Any, random_numbers: random.Random) -> Any:
    """The expression at a random point of where its symbols lie; sums over three steps."""
    point = {s: Rational(random_numbers.randint(1, 99), 100) for s in (b, c)}
    point |= {s: Rational(random_numbers.randint(1, 500), 100) for s in (p, q)}
    point |= {s: Rational(random_numbers.randint(-500, 500), 100) for s in (x, y)}
    point |= {n: Rational(random_numbers.randint(0, 3), 2)}
    at_three = e.subs(t, 3).doit()
    entries = {g[k]: Rational(random_numbers.randint(-50, 50), 10) for k in (1, 2, 3)}
    return at_three.xreplace(entries | point)


def grown(random_numbers: random.Random) -> Any:
    """A random formula."""
    atoms = [b, c, p, n, x, y, b**t, 1 - b, 1 - b**t, x**2, Abs(y), sqrt(p), Integer(2), Rational(1, 3)]
    e = random_numbers.choice(atoms)
    for _ in range(random_numbers.randint(1, 4)):
        other = random_numbers.choice(atoms)
        e = random_numbers.choice([e + other, e - other, e * other, e / (1 + other**2), Max(e, other), 1 - e * other])
    return e


def test_what_is_said_is_so():
    said, wrong = [], []
    for seed in range(50):
        random_numbers = random.Random(seed)
        e = grown(random_numbers)
        positive, nonnegative = is_positive(e), is_nonnegative(e)
        if positive or nonnegative:
            said.append(e)
            values = [value(e, random_numbers) for _ in range(20)]
            if (positive and min(values) <= 0) or (nonnegative and min(values) < 0):
                wrong.append((seed, e))
    assert wrong == []
    assert len(said) > 15
