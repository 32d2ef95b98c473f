"""Random programs. What is drawn and how it is written come from two generators: other forms of the same optimizer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.fuzzing.programs import FLOAT, Program

RATES = ("b1", "b2", "decay", "rho")
OTHERS = ("eps", "c", "a")
SWITCHES = (2, 3, 4, 5, 7, 10, 12, 16, 17, 25, 60, 150, 400)


class Draft:
    """A program in the making.

    Attributes:
        what: draws the optimizer.
        how: draws between forms that are equal by algebra.
    """

    def __init__(self, what: np.random.Generator, how: np.random.Generator):
        self.what, self.how = what, how
        self.numbers: dict[str, float | None] = {"lr": None}
        self.states: dict[str, tuple[str, Any]] = {}
        self.lines: list[tuple[str, str]] = []
        self.counts: int = 0

    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.what.integers(len(options)))]

    def form(self, *options: str) -> str:
        return options[int(self.how.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.what.random() < p)

    def rate(self) -> str:
        """A decay rate: open, with or without a default, or a decimal."""
        free = [name for name in RATES if name not in self.numbers]
        if free and self.chance(0.6):
            self.numbers[free[0]] = self.pick([None, 0.9, 0.99, 0.5])
            return free[0]
        return self.pick(["0.9", "0.99", "0.5", "0.75", *(name for name in RATES if name in self.numbers)])

    def size(self) -> str:
        """A number above 0."""
        free = [name for name in OTHERS if name not in self.numbers]
        if free and self.chance(0.5):
            name = self.pick(free)
            self.numbers[name] = self.pick([None, 1e-8, 0.1, 3.0])
            return name
        return self.pick(["1e-8", "0.1", "2.0", "3.0", "1e6", "0.001", "0.3", "1/3"])

    def state(self, letter: str, start: Any = 0.0, kind: str = FLOAT) -> str:
        self.counts += 1
        name = f"{letter}{self.counts}"
        self.states[name] = kind, start
        return name

    def line(self, name: str, text: str):
        self.lines.append((name, text))

    def count(self) -> str:
        """The number of the step."""
        if "count" not in self.states:
            self.states = {"count": ("int32", 0), **self.states}
            self.lines = [("count", "count_ + 1"), ("t", "count"), *self.lines]
        return "t"


def average(d: Draft, of: str) -> str:
    b = d.rate()
    written = d.form("plain", "difference", "sum", "scaled")
    x = d.state("m")
    if written == "plain":
        d.line(x, f"{b}*{x}_ + (1 - {b})*{of}")
    elif written == "difference":
        d.line(x, f"{x}_ + (1 - {b})*({of} - {x}_)")
    elif written == "sum":
        d.line(x, f"{b}*{x}_ + {of}")
        return _corrected(d, f"((1 - {b})*{x})", b)
    else:
        d.line(x, f"{b}*{x}_ + (1 - {b})*{of}*4")
        return _corrected(d, f"({x}/4)", b)
    return _corrected(d, x, b)


def _corrected(d: Draft, x: str, b: str) -> str:
    kind = d.pick(["none", "none", "right", "right", "late", "square"])
    if kind == "none":
        return x
    t = d.count()
    power = {"right": f"{b}**{t}", "late": f"{b}**({t} + 1)", "square": f"{b}**(2*{t})"}[kind]
    return d.form(f"({x}/(1 - {power}))", f"({x}*(1/(1 - {power})))")


def momentum(d: Draft, of: str) -> str:
    b, x = d.rate(), d.state("z")
    if d.form("a", "b") == "a":
        d.line(x, f"{b}*{x}_ + {of}")
        return x
    d.line(x, f"{b}*{x}_ - {of}")
    return f"(-{x})"


def total(d: Draft, of: str) -> str:
    start = d.pick([0.0, 0.0, 0.1])
    x = d.state("s", start)
    d.line(x, d.form(f"{x}_ + {of}", f"{of} + {x}_"))
    return x


def mean(d: Draft, of: str) -> str:
    t, x = d.count(), d.state("p")
    if d.form("a", "b") == "a":
        d.line(x, f"{x}_ + ({of} - {x}_)/{t}")
        return x
    d.line(x, f"{x}_ + {of}")
    return f"({x}/{t})"


def delay(d: Draft, of: str) -> str:
    x = d.state("q", d.pick([0.0, 1.0]))
    d.line(x, of)
    if d.chance(0.3):
        y = d.state("q")
        d.line(y, f"{x}_")
        return f"{y}_"
    return f"{x}_"


def greatest(d: Draft, of: str) -> str:
    x = d.state("n")
    b = d.pick(["1", d.rate()])
    if d.form("a", "b") == "a":
        d.line(x, f"maximum({b}*{x}_, abs({of}))")
        return x
    d.line(x, f"minimum({b}*{x}_, -abs({of}))")
    return f"(-{x})"


def least(d: Draft, of: str) -> str:
    x = d.state("n", d.pick([1.0, 1e6]))
    d.line(x, f"minimum({x}_, abs({of}))")
    return x


def resetting(d: Draft, of: str) -> str:
    t, x, b, k = d.count(), d.state("r"), d.rate(), d.pick(SWITCHES)
    condition = d.pick([f"{t} % {k} == 0", f"{t} == {k}", f"abs({of}) > {d.size()}", f"{t} <= {k}"])
    if d.form("a", "b") == "a":
        d.line(x, f"where({condition}, {of}, {b}*{x}_ + {of})")
    else:
        d.line(x, f"where({condition}, 0, {b}*{x}_) + {of}")
    return x


def switched(d: Draft, of: str) -> str:
    t, x, b, k = d.count(), d.state("x"), d.rate(), d.pick(SWITCHES)
    if d.form("a", "b") == "a":
        d.line(x, f"where({t} > {k}, {b}*{x}_ + (1 - {b})*{of}, {x}_ + {of})")
    else:
        d.line(x, f"where({t} <= {k}, {x}_ + {of}, {x}_ + (1 - {b})*({of} - {x}_))")
    return x


def latched(d: Draft, of: str) -> str:
    x = d.state("on", False, "bool_")
    d.line(x, f"{x}_ | (abs({of}) > {d.size()})")
    return d.form(f"where({x}, 2*{of}, {of})", f"{of}*where({x}, 2.0, 1.0)")


def coupled(d: Draft, of: str) -> str:
    x, y, a, b = d.state("x"), d.state("y"), d.rate(), d.rate()
    if d.form("a", "b") == "a":
        d.line(x, f"{a}*{x}_ + {y}_ + {of}")
        d.line(y, f"{b}*{y}_ + {x}")
        return y
    d.line(x, f"{a}*{x}_ + {y}_/2 + {of}")
    d.line(y, f"{b}*{y}_ + 2*{x}")
    return f"({y}/2)"


def turns(d: Draft, of: str) -> str:
    """The average weighted with a count of positive gradients, or with a narrow count that wraps."""
    kind = d.pick(["int32", "uint8", "int8", "int16"])
    x = d.state("k", 0, kind)
    d.line(x, d.pick([f"{x}_ + 1", f"where({of} > 0, {x}_ + 1, {x}_)", f"{x}_ + 3"]))
    return d.form(f"({of}*{x})", f"({x}*{of})", f"({of}*as_float({x}))")


def product(d: Draft, of: str) -> str:
    x = d.state("x", d.pick([0.0, 1.0]))
    d.line(x, f"{x}_*tanh({of})")
    return d.form(f"({x} + {of})", f"({of} + {x})")


FEATURES: tuple[Callable[[Draft, str], str], ...] = (
    average,
    average,
    average,
    momentum,
    total,
    mean,
    delay,
    greatest,
    least,
    resetting,
    switched,
    latched,
    coupled,
    turns,
    product,
)


def _scale(d: Draft) -> str:
    """A second moment with its root and ε."""
    of = d.form("g*g", "g**2", "abs(g)**2")
    kind = d.pick(["average", "average", "total", "greatest"])
    v = average(d, of) if kind == "average" else total(d, of) if kind == "total" else greatest(d, "g")
    if kind == "greatest":
        return f"({v} + {d.size()})"
    eps = d.pick(["inside", "outside", "none", "both"])
    root = f"sqrt({v} + {d.size()})" if eps in ("inside", "both") else f"sqrt({v})"
    return f"({root} + {d.size()})" if eps in ("outside", "both") else root


def _direction(d: Draft) -> str:
    x = d.pick(FEATURES)(d, d.pick(["g", "g", "g", "g", "abs(g)", "sign(g)", "g*g"]))
    if d.chance(0.25):
        x = d.pick(FEATURES)(d, x)
    kind = d.pick(["plain", "plain", "scaled", "scaled", "sign", "nesterov", "clipped", "gated", "huber", "root"])
    match kind:
        case "scaled":
            scale = _scale(d)
            return d.form(f"{x}/{scale}", f"{x}*(1/{scale})")
        case "sign":
            return f"sign({x})"
        case "nesterov":
            b = d.rate()
            return d.form(f"({b}*{x} + (1 - {b})*g)", f"(g + {b}*({x} - g))")
        case "clipped":
            c = d.size()
            return d.form(f"maximum(minimum({x}, {c}), -({c}))", f"minimum(maximum({x}, -({c})), {c})")
        case "gated":
            y = d.pick(["g", f"0.5*{x}", "0*g"])
            return d.form(f"where({x}*g > 0, {x}, {y})", f"where(~({x}*g > 0), {y}, {x})")
        case "huber":
            c = d.size()
            return d.form(f"where(abs({x}) > {c}, {c}*sign({x}), {x})", f"sign({x})*minimum(abs({x}), {c})")
        case "root":
            return d.form(f"sign({x})*sqrt(abs({x}))", f"where({x} < 0, -sqrt(abs({x})), sqrt(abs({x})))")
    return x


def _rate(d: Draft) -> str:
    # 1.0 and no 1: a quotient or root of integers alone is float32 in JAX, whatever its default type is.
    kind = d.pick(["plain", "plain", "plain", "root", "over", "drop", "decayed", "warm"])
    if kind == "plain":
        return "lr"
    t, k = d.count(), d.pick(SWITCHES)
    match kind:
        case "root":
            return d.form(f"lr/sqrt(1.0*{t})", f"lr*sqrt(1.0/{t})")
        case "over":
            return d.form(f"lr/(1 + {t})", f"lr*(1.0/({t} + 1))")
        case "drop":
            return d.form(f"lr*where({t} > {k}, 0.1, 1.0)", f"where({t} <= {k}, lr, lr/10)")
        case "decayed":
            return f"lr*0.5**{t}"
    return d.form(f"lr*minimum({t}/{k}.0, 1.0)", f"where({t} < {k}, lr*{t}/{k}.0, lr)")


def random_program(seed: int, form: int = 0) -> Program:
    """The program of a seed, in one of its forms."""
    d = Draft(np.random.default_rng([seed, 0]), np.random.default_rng([seed, form, 1]))
    direction = _direction(d)
    if d.chance(0.2):
        other = _direction(d)
        direction = d.form(f"({direction} + {other})", f"({other} + {direction})")
    if d.chance(0.1):
        direction = f"({direction} + 0.01*w)"
    rate = _rate(d)
    d.line("u", d.form(f"-({rate})*{direction}", f"-({rate}*{direction})", f"{direction}*(-({rate}))"))
    return Program(d.numbers, d.states, tuple(d.lines))
