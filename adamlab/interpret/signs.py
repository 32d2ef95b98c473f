"""Signs of expressions, as far as they are known: rates lie strictly between 0 and 1, other symbols as SymPy has them.

SymPy's own deductions are slow and know no upper bounds, so it is asked about single symbols only.
"""

from collections import Counter
from functools import lru_cache

from sympy import (
    Abs,
    Add,
    Indexed,
    Max,
    Min,
    Mod,
    Mul,
    Piecewise,
    Poly,
    PolynomialError,
    Pow,
    Symbol,
    ceiling,
    floor,
    fraction,
    together,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from adamlab.types import Formula

REAL, NONNEGATIVE, POSITIVE = range(3)
"""The degrees of knowledge about a sign, in increasing order; REAL is none."""


HIGHEST_POWER = 64
"""The highest power that is expanded."""


class Rate(Symbol):
    """A decay rate: a number strictly between 0 and 1."""

    __slots__ = ()

    def __new__(cls, name: str):
        """The rate of that name; rates of the same name are equal."""
        return Symbol.__new__(cls, name, positive=True)


class Complement(Symbol):
    """The short name of a 1 − β^k; it differs from a number's symbol of the same name."""

    __slots__ = ()

    def __new__(cls, name: str):
        """The complement of that name."""
        return Symbol.__new__(cls, name, positive=True)


def is_nonnegative(expression: Formula) -> bool:
    """Whether the expression is known to be 0 or more, wherever it is defined."""
    return sign_of(expression) >= NONNEGATIVE


def is_positive(expression: Formula) -> bool:
    """Whether the expression is known to be more than 0, wherever it is defined."""
    return sign_of(expression) == POSITIVE


def has_open_factor(e: Formula) -> bool:
    """Whether a formula is a quantity of either sign, or a product with one, so that its sign is open too."""
    return any(map(_is_open, Mul.make_args(e)))


def _is_open(e: Formula) -> bool:
    is_quantity = e.is_Symbol or isinstance(e, Indexed)
    return is_quantity and e.is_nonnegative is None and e.is_nonpositive is None


def _is_open_in_one_place(e: Formula) -> bool:
    """Whether a quantity of either sign is a factor of one term and stands nowhere else: the sum has either sign."""
    factors = [factor for term in e.args for factor in Mul.make_args(term)]
    places = Counter(symbol for factor in factors for symbol in factor.free_symbols)
    return any(places[factor] == 1 for factor in factors if _is_open(factor))


def has_known_sign(expression: Formula) -> bool:
    """Whether the expression is known to be positive or known to be negative, wherever it is defined."""
    return is_positive(expression) or is_positive(-expression)


@lru_cache(maxsize=8192)
def sign_of(e: Formula) -> int:
    """The sign of an expression: POSITIVE, NONNEGATIVE, or REAL where neither is known."""
    if e.is_Number or e.is_Symbol or isinstance(e, Indexed):
        return POSITIVE if e.is_positive else NONNEGATIVE if e.is_nonnegative else REAL
    if isinstance(e, Add):
        signs = [sign_of(term) for term in e.args]
        return _sign_over_rates(e) if REAL in signs else max(signs)
    if isinstance(e, Mul):
        return _sign_of_product(e)
    if isinstance(e, Pow):
        base = sign_of(e.base)
        exponent: Formula = e.exp
        is_root = exponent.is_Rational and not exponent.is_Integer and exponent.q % 2 == 0
        even = bool(exponent.is_Integer and exponent.is_even)
        return base if base == POSITIVE else NONNEGATIVE if base or is_root or even else REAL
    if isinstance(e, Max):
        return max(map(sign_of, e.args))
    if isinstance(e, Min):
        return min(map(sign_of, e.args))
    if isinstance(e, Piecewise):
        cases: Formula = e.args
        return min(sign_of(case) for case, _ in cases)
    if isinstance(e, ExprWithLimits):
        return min(sign_of(e.function), NONNEGATIVE)
    if isinstance(e, Abs):
        return max(sign_of(e.args[0]), NONNEGATIVE)
    if isinstance(e, Mod):
        return NONNEGATIVE if is_positive(e.args[1]) else REAL
    if isinstance(e, (floor, ceiling)):
        return min(sign_of(e.args[0]), POSITIVE if isinstance(e, ceiling) else NONNEGATIVE)
    return POSITIVE if e.func.__name__ == "exp" else REAL


def _sign_of_product(e: Formula) -> int:
    if has_open_factor(e):
        return REAL
    signs, turns = [], 0
    for factor in e.args:
        known = sign_of(factor)
        if known == REAL and (known := _sign_turned(factor)):
            turns += 1
        signs.append(known)
    return REAL if turns % 2 else min(signs)


def _sign_turned(e: Formula) -> int:
    """The sign of −e."""
    if e.is_Number or e.is_Symbol:
        return sign_of(-e) if e.is_Number else POSITIVE if e.is_negative else REAL
    if isinstance(e, Pow) and e.exp.is_Integer and e.exp.is_odd:
        return _sign_turned(e.base)
    return sign_of(Add(*(-term for term in e.args))) if isinstance(e, Add) else REAL


def _sign_over_rates(e: Formula) -> int:
    """The sign by that of all terms of a fraction, over positive numbers p with 1/(1 + p) in place of every rate."""
    if _is_open_in_one_place(e):
        return REAL
    has_squares = any(_is_square_of_sum(power) for power in e.atoms(Pow))
    return _sign_when_stretched(e, False) or (_sign_when_stretched(e, True) if has_squares else REAL)


def _sign_when_stretched(e: Formula, keeps_squares: bool) -> int:
    stretched, known = _stretched(e, keeps_squares)
    above, below = (_sign_of_terms(part, known) for part in fraction(together(stretched)))
    return above[1] if above and below and above[0] == below[0] else REAL


def _stretched(e: Formula, keeps_squares: bool) -> tuple[Formula, dict[Symbol, int]]:
    """The expression over new symbols, and the sign of each symbol; squares of sums are symbols, or are expanded."""
    known: dict[Symbol, int] = {}
    replaced: dict[Formula, Formula] = {}

    def fresh(kind: int) -> Symbol:
        symbol = Symbol(f"x{len(known)}")
        known[symbol] = kind
        return symbol

    def is_expanded(e: Formula) -> bool:
        if not isinstance(e, Pow):
            return bool(e.is_Add or e.is_Mul)
        is_power = bool(e.exp.is_Integer and abs(e.exp) <= HIGHEST_POWER)
        return is_power and not (keeps_squares and _is_square_of_sum(e))

    def replace(e: Formula) -> Formula:
        if e.is_Number:
            return e
        if is_expanded(e):
            return e.func(*map(replace, e.args))
        if e not in replaced:
            replaced[e] = 1 / (1 + fresh(POSITIVE)) if _is_in_unit_interval(e) else fresh(sign_of(e))
        return replaced[e]

    return replace(e), known


def _is_square_of_sum(e: Formula) -> bool:
    return bool(e.base.is_Add and e.exp.is_Integer and e.exp.is_even)


def _is_in_unit_interval(e: Formula) -> bool:
    return isinstance(e, Rate) or (isinstance(e, Pow) and isinstance(e.base, Rate) and sign_of(e.exp) == POSITIVE)


def _sign_of_terms(e: Formula, known: dict[Symbol, int]) -> tuple[int, int] | None:
    """The sign ±1 that all terms of a polynomial have, and how much is known of it; None where they differ.

    A term's sign is known where each symbol in it is nonnegative or has an even power.
    """
    if e.is_Number or not known:
        return (1 if e.is_positive else -1, POSITIVE) if e.is_finite and e != 0 else None
    try:
        terms = Poly(e, *known).terms()
    except PolynomialError:
        return None
    signs, least = set(), NONNEGATIVE
    for powers, coefficient in terms:
        kinds = [(n, kind) for n, kind in zip(powers, known.values(), strict=True) if n]
        if not coefficient.is_Rational or any(n % 2 and kind == REAL for n, kind in kinds):
            return None
        signs.add(1 if coefficient.is_positive else -1)
        least = max(least, POSITIVE if all(kind == POSITIVE for _, kind in kinds) else NONNEGATIVE)
    return (signs.pop(), least) if len(signs) == 1 else None
