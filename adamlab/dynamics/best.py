"""The numbers at which a linear step converges fastest, as formulas of the condition number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Poly, Symbol, apart, cancel, factor, factor_list, fraction, solve, sqrt, together

from adamlab.dynamics.jury import Z
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.results import Equation, Result, domains
from adamlab.types import Formula

CONDITION = Symbol("kappa", positive=True)
"""The condition number: the greatest curvature over the least."""

RADIUS = Symbol("rho", positive=True)
"""The spectral radius at the worst curvature."""

_ROOT = Symbol("q", positive=True)
"""The root of the condition number, of which formulas are rational functions."""

TRIED = (4, 100, 10**4)
"""The condition numbers at which candidates have to be sound: momenta below 1, learning rates above 0."""


@dataclass(frozen=True, repr=False)
class Best(Result):
    """The fastest numbers on curvatures from h/κ to h.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every number that is open, by name.
        numbers: the formulas of the learning rate and of a momentum by name, and of the factor ρ under "rate".
        is_proved: whether no other numbers can be faster.
        assumptions: the conditions under which the formulas hold, in words.
    """

    title: str
    hyper: Mapping[str, Symbol]
    numbers: Mapping[str, Formula]
    is_proved: bool
    assumptions: tuple[str, ...]

    def _equations(self) -> list[Equation]:
        return [(self.hyper.get(name, RADIUS), e) for name, e in self.numbers.items()]


def best(title: str, hyper: Mapping[str, Symbol], p: Poly, h: Symbol, rate: str, momentum: str | None) -> Best | None:
    """The best learning rate, the best momentum, and the factor that they reach, for a characteristic polynomial.

    A single root falls with the curvature, and has to be ρ at the least and −ρ at the greatest. Of two, both have to be
    ρ at the least curvature, and one −ρ at the greatest.

    Returns:
        The formulas; None where a step depends on more than these numbers, or none were found.
    """
    symbols = {name: hyper[name] for name in (rate, momentum) if name}
    at_one = cancel(p.eval(1))
    # With weight decay the minimum of each direction is another, and no formula is short.
    if p.as_expr().free_symbols - {Z, h, *symbols.values()} or cancel(at_one.subs(h, 0)) != 0:
        return None
    if p.degree() != len(symbols):
        return None
    low = p.as_expr().xreplace({h: h / _ROOT**2})
    at_low = [low.subs(Z, RADIUS)] if p.degree() == 1 else Poly(low - (Z - RADIUS) ** 2, Z).all_coeffs()
    for candidate in _solutions(at_low, p.eval(-RADIUS), [*symbols.values()]):
        if all(_is_sound(candidate, symbols.get(momentum or ""), h, condition) for condition in TRIED):
            numbers = {"rate": RADIUS, **symbols}
            is_proved = _is_heavy_ball(p, h) or _is_nesterovs(p, h)
            return Best(
                title,
                hyper,
                {
                    name: e.xreplace({_ROOT: sqrt(CONDITION)}) if (e := candidate[s]).is_Add else _in_condition(e)
                    for name, s in numbers.items()
                },
                is_proved,
                (
                    *domains(hyper),
                    "κ > 1",
                    f"{text(h)} is the greatest of the curvatures, and {text(h)}/κ the least",
                    *([] if is_proved else ["that no other numbers are faster is not proved"]),
                ),
            )
    return None


def _is_heavy_ball(p: Poly, h: Symbol) -> bool:
    """Whether it is z − (1 − a·h), or z² − (1 + D − a·h)·z + D for a D that does not depend on h."""
    *_, last = p.all_coeffs()
    return Poly(p.eval(1), h).degree() == 1 and (p.degree() == 1 or not last.has(h))


def _is_nesterovs(p: Poly, h: Symbol) -> bool:
    """Whether it is z² − (1 + D)·s·z + D·s, where s = 1 − a·h and D does not depend on h."""
    if p.degree() != 2:
        return False
    _, middle, last = p.all_coeffs()
    decay = cancel(last.subs(h, 0))
    s: Formula = cancel(last / decay) if decay != 0 else decay
    return s.is_polynomial(h) and Poly(s, h).degree() == 1 and cancel(middle + (1 + decay) * s) == 0


def _solutions(at_low: list[Formula], at_high: Formula, unknowns: list[Symbol]) -> Iterator[dict[Symbol, Formula]]:
    """The solutions of all conditions: the numbers in terms of the radius first, and then the radius."""
    for solution in solve([e for e in map(cancel, at_low) if e != 0], unknowns, dict=True):
        if {*solution} != {*unknowns}:
            continue
        listed: Any = factor_list(fraction(together(at_high.xreplace(solution)))[0])
        for part, _ in listed[1]:
            for radius in _roots(Poly(part, RADIUS)) if part.is_polynomial(RADIUS) else ():
                yield {RADIUS: radius, **{s: cancel(e.xreplace({RADIUS: radius})) for s, e in solution.items()}}


def _roots(polynomial: Poly) -> list[Formula]:
    """The roots of a linear or quadratic polynomial."""
    if polynomial.degree() > 2:
        return []
    a, b, c = [0, *polynomial.all_coeffs()][-3:]
    if a == 0:
        return [apart(cancel(-c / b), _ROOT)]
    middle, distance = cancel(-b / (2 * a)), sqrt(factor(cancel((b**2 - 4 * a * c) / (4 * a**2))))
    roots = [middle + sign * distance for sign in (1, -1)]
    return [apart(cancel(e), _ROOT) if e.is_rational_function(_ROOT) else e for e in roots]


def _is_sound(numbers: Mapping[Symbol, Formula], momentum: Symbol | None, h: Symbol, condition: int) -> bool:
    values = {s: complex(e.xreplace({_ROOT: sqrt(condition), h: 1}).evalf()) for s, e in numbers.items()}
    below_one = [s for s in (RADIUS, momentum) if s is not None]
    return all(abs(x.imag) < 1e-12 and x.real > 0 for x in values.values()) and all(
        values[s].real < 1 for s in below_one
    )


def _in_condition(e: Formula) -> Formula:
    """A formula of the root of κ in terms of κ."""
    plain = cancel(e).xreplace({_ROOT: sqrt(CONDITION)})
    if not plain.has(sqrt(CONDITION)):
        return factor(plain)
    return factor(e).xreplace({_ROOT: sqrt(CONDITION)})
