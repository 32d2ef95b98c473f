"""Pairs of programs whose truth is known by construction, by kind."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tests.fuzzing.grammar import SWITCHES, random_program
from tests.fuzzing.programs import Program
from tests.fuzzing.rewriting import changed, renamed, rewritten


@dataclass(frozen=True)
class Pair:
    """Two programs, and what is asked of them; the kind tells how they were made."""

    kind: str
    left: Program
    right: Program
    limit: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.left.size + self.right.size

    def source(self) -> str:
        """Python source that asks for the verdict again."""
        how = "".join(
            f", {name}={dict(value)!r}" for name, value in (("limit", self.limit), ("given", self.given)) if value
        )
        return "\n".join([self.left.source("left"), self.right.source("right"), f"print(al.prove(left, right{how}))"])


def _with_update(program: Program, change: Callable[[str], str]) -> Program:
    return replace(program, lines=tuple((x, change(e) if x == "u" else e) for x, e in program.lines))


def _with_count(program: Program) -> Program:
    if "count" in program.states:
        return program
    counted = (("count", "count_ + 1"), ("t", "count"))
    return replace(program, states={"count": ("int32", 0), **program.states}, lines=(*counted, *program.lines))


def other_form(seed: int, rng: np.random.Generator) -> Pair:
    """The same optimizer in another form, rewritten, with other names and another order of its states."""
    right = rewritten(random_program(seed, 1), rng)
    return Pair("equal", random_program(seed), renamed(right, rng) if rng.random() < 0.5 else right)


def one_change(seed: int, rng: np.random.Generator) -> Pair:
    """One small change in another form of the same optimizer."""
    return Pair("changed", random_program(seed), changed(random_program(seed, 1), rng))


def until(seed: int, rng: np.random.Generator) -> Pair:
    """Equal until a step, and then not; in the update or in a state."""
    left = _with_count(random_program(seed))
    right = _with_count(random_program(seed, 1))
    k = int(rng.choice([*SWITCHES, 1000, 2500, 5000]))
    floats = [x for x, (kind, _) in right.states.items() if kind == "float"]
    name = str(rng.choice([*floats, "u"])) if rng.random() < 0.5 else "u"
    condition = str(
        rng.choice([f"t > {k}", f"t >= {k}", f"t*4e6 > {k}*4e6", f"(t > {k}) & (g > 0)", f"(t > {k}) & (abs(g) > 1e6)"])
    )
    other = str(rng.choice(["2*({})", "({}) + 1", "0*g"]))
    text = dict(right.lines)[name]
    late = f"where({condition}, {other.format(text)}, {text})"
    return Pair("until", left, replace(right, lines=tuple((x, late if x == name else e) for x, e in right.lines)))


def on_one_side(seed: int, rng: np.random.Generator) -> Pair:
    """Equal where g > 0, or where g is not huge."""
    left, right = random_program(seed), random_program(seed, 1)
    other = str(
        rng.choice(
            [
                "where(g > 0, {u}, 2*({u}))",
                "where(g < -1e6, 0*g, {u})",
                "where(abs(g) > 1e7, 0*g, {u})",
                "where(abs(g) < 1e-7, 0*g, {u})",
                "({u}) + 0*sqrt(g)",
                "({u})*sqrt(sign(g))",
                "where(g >= 0, {u}, ({u})*sqrt(g)/sqrt(g))",
                "where(maximum(g, 0) == g, {u}, 0*g)",
                "({u}) + minimum(g + 1e6, 0)",
                "({u})*sign(g)/sign(abs(g)) ",
                "where(sqrt(g*g - 2e6*g + 1e12) == g - 1e6, 2*({u}), {u})",
            ]
        )
    )
    return Pair("one side", left, _with_update(right, lambda u: other.format(u=u)))


def at_points(seed: int, rng: np.random.Generator) -> Pair:
    """Equal except at single gradients."""
    left, right = random_program(seed), random_program(seed, 1)
    c = str(rng.choice(["7", "0", "1e6", "0.3", "-2"]))
    other = str(
        rng.choice(
            [
                f"where(g == {c}, 0*g, {{u}})",
                f"where(abs(g) == {c}, 2*({{u}}), {{u}})",
                "({u})*sign(g)**2",
                "({u})*g/g",
                "({u})*abs(g)/sqrt(g*g)",
                "where(g == last_, 0*g, {u})",
                "where(g + last_ == 0, 0*g, {u})",
                "({u})*sign(g - last_)**2",
            ]
        )
    )
    right = _with_update(right, lambda u: other.format(u=u))
    if "last_" in other:
        right = replace(right, states={**right.states, "last": ("float", 0.5)}, lines=(*right.lines, ("last", "g")))
    return Pair("points", left, right)


def of_widths(seed: int, rng: np.random.Generator) -> Pair:
    """Integers of different types, which are the same until one of them wraps."""
    left, right = random_program(seed), random_program(seed, 1)
    narrow, start = str(rng.choice(["int8", "uint8", "int16", "uint16", "int32"])), int(rng.choice([0, 0, 1, 100]))
    step = str(rng.choice(["k_ + 1", "k_ + 2", "where(g > 0, k_ + 1, k_)", "where(k_ > 20, 1, k_ + 1)", "k_ % 7 + 1"]))
    use = str(rng.choice(["k*1.0", "k*k", "k*3", "where(k > 100, 2, 1)", "maximum(k - 5, 0)", "-k", "k % 5", "k*k*k"]))
    wide = "int32" if narrow != "int32" or rng.random() < 0.5 else "float"

    def counted(side: Program, kind: str) -> Program:
        states = {**side.states, "k": (kind, float(start) if kind == "float" else start)}
        side = replace(side, states=states, lines=(("k", step), *side.lines))
        return _with_update(side, f"({{}})*({use})".format)

    return Pair("widths", counted(left, narrow), counted(right, wide))


def in_a_limit(seed: int, rng: np.random.Generator) -> Pair:
    """A number that goes to 0, 1 or ∞, against its limit put in, mostly; or against another form."""
    left, right = random_program(seed), random_program(seed, 1)
    name = str(rng.choice(list(left.numbers)))
    target = rng.choice(["0", "0", "1", "oo"])
    if target == "oo" or rng.random() < 0.2:
        right = _with_update(right, lambda u: str(rng.choice(["{}", "({})*2", "({}) + g"])).format(u))
    else:
        numbers = {n: d for n, d in right.numbers.items() if n != name}
        value = f"{target}.0"
        lines = tuple((x, _put(e, name, value)) for x, e in right.lines)
        right = replace(right, numbers=numbers, lines=lines)
    return Pair("in a limit", left, right, limit={name: target if target == "oo" else int(target)})


def _put(text: str, name: str, value: str) -> str:
    return re.sub(rf"\b{name}\b", value, text)


def first_steps(seed: int, rng: np.random.Generator) -> Pair:
    """A statement about the first steps alone."""
    make = (other_form, one_change, until, at_points)[int(rng.integers(4))]
    pair = make(seed, rng)
    return replace(pair, kind="first steps", given={"t": int(rng.choice([1, 2, 3, 4, 6]))})


def open_on_one_side(seed: int, rng: np.random.Generator) -> Pair:
    """The same optimizer with a number open on one side, and fixed on the other at its default or elsewhere."""
    left, right = random_program(seed), random_program(seed, 1)
    named = [n for n, default in right.numbers.items() if default is not None]
    if named:
        name = str(rng.choice(named))
        value = repr(right.numbers[name]) if rng.random() < 0.7 else "0.25"
        numbers = {n: d for n, d in right.numbers.items() if n != name}
        right = replace(right, numbers=numbers, lines=tuple((x, _put(e, name, value)) for x, e in right.lines))
    return Pair("one open", left, right)


def unrelated(seed: int, rng: np.random.Generator) -> Pair:
    """Two optimizers that have nothing to do with each other."""
    return Pair("unrelated", random_program(seed), random_program(seed + 1_000_003))


KINDS: tuple[Callable[[int, np.random.Generator], Pair], ...] = (
    other_form,
    other_form,
    other_form,
    one_change,
    one_change,
    until,
    until,
    on_one_side,
    at_points,
    of_widths,
    in_a_limit,
    first_steps,
    open_on_one_side,
    unrelated,
)


def random_pair(seed: int) -> Pair:
    """The pair of a seed; only such as JAX runs."""
    make = KINDS[seed % len(KINDS)]
    for again in range(50):
        number = seed + again * 1_000_000_007
        pair = make(number, np.random.default_rng([number, 7]))
        if pair.left.is_valid() and pair.right.is_valid():
            return pair
    raise RuntimeError(f"no valid pair for seed {seed}")
