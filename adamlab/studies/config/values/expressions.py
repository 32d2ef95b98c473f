"""Expressions: numbers computed from others of the same table, such as "a * (1 - b2)"; parsed, and computed exactly.

Names stand for the table's numbers, in decimal: 1 − 0.999 is 0.001.
"""

import ast
import operator
from collections.abc import Container, Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from adamlab.calls import Argument
from adamlab.errors import nearest
from adamlab.studies.config.errors import Mistakes, shown

LONGEST = 500
"""The most characters of an expression."""

MOST_OPERATIONS = 2 * 10**6
"""The most operations in all expressions of a table, at all of its settings; some seconds of work."""

SIGNS = str.maketrans({"^": "**", "−": "-", "×": "*", "÷": "/"})

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
SIGNED = {ast.USub: operator.neg, ast.UAdd: operator.pos}

ARITHMETIC = Context(prec=40, Emin=-400, Emax=400, traps=[DivisionByZero, InvalidOperation, Overflow])

Numbers = Mapping[str, np.ndarray]
"""By name, a number for each setting, as decimals."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: the text, as the config has it.
        tree: names, numbers and operators.
        names: the names in it.
    """

    text: str
    tree: ast.expr
    names: frozenset[str]

    def values(self, numbers: Numbers, count: int) -> np.ndarray:
        """Its value at each setting.

        Raises:
            ArithmeticError: it has none at some setting.
        """
        with localcontext(ARITHMETIC):
            return np.broadcast_to(_value(self.tree, numbers), count)


@dataclass(frozen=True)
class Coupled:
    """An argument that is given by an expression; `key` is its place in the config."""

    key: str
    argument: Argument
    expression: Expression


def parse_expression(text: str) -> Expression | None:
    """The expression that a text is; None where it is none, or a number alone."""
    try:
        tree = ast.parse(text.strip().translate(SIGNS), mode="eval").body if len(text) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two come of deep nesting
        return None
    if tree is None or isinstance(tree, ast.Constant) or not all(_is_allowed(node) for node in ast.walk(tree)):
        return None
    return Expression(text, tree, frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))


def names_used(table: Mapping[str, Any]) -> set[str]:
    """The names in all expressions of a table, those of its schedules included."""
    return {name for expression in _expressions(table) for name in expression.names}


def check_operations(coupled: Mapping[str, Coupled], count: int, mistakes: Mistakes) -> None:
    """Check that the coupled numbers of so many settings can be computed."""
    operations = count * sum(len([*ast.walk(each.expression.tree)]) for each in coupled.values())
    if operations > MOST_OPERATIONS:
        most = f"expected expressions of at most {MOST_OPERATIONS:,} operations at all settings together"
        mistakes.tell(next(iter(coupled.values())).key, f"{most}; at {count:,} settings these have {operations:,}")


def coupled_columns(
    coupled: Mapping[str, Coupled],
    complements: Container[str],
    numbers: Mapping[str, np.ndarray | None],
    known: Set[str],
    count: int,
    mistakes: Mistakes,
) -> dict[str, np.ndarray]:
    """The value of every coupled number at each setting.

    Args:
        coupled: the coupled numbers by name.
        complements: the names of those decays b whose expression gives 1 − b.
        numbers: the other numbers that expressions take, by name, at each setting, in decimal; None for what is none.
        known: all names in the table.
        count: the number of settings.
        mistakes: receives the mistakes: names without a number, circles, and values that do not exist or fit.

    Returns:
        Numbers as floats; nothing where there are mistakes.
    """
    before = len(mistakes)
    for each in coupled.values():
        _check_names(each, known, numbers, mistakes)
    if len(mistakes) > before:
        return {}
    try:
        order = [*TopologicalSorter({name: each.expression.names for name, each in coupled.items()}).static_order()]
    except CycleError as error:
        circle: list[str] = error.args[1]
        mistakes.tell(coupled[circle[0]].key, f"is computed from itself: {' from '.join(reversed(circle))}")
        return {}
    computed: dict[str, np.ndarray] = {}
    values = {name: column for name, column in numbers.items() if column is not None}
    for name in order:
        if name in coupled:
            column = _values(coupled[name], values, count, mistakes)
            if column is None:
                return {}
            computed[name] = column.astype(float)
            values[name] = 1 - column if name in complements else column
    return computed


def decimals(values: np.ndarray) -> np.ndarray:
    """Numbers in decimal, as they are written."""
    return np.array([Decimal(str(value)) for value in values.tolist()], object)


def _check_names(each: Coupled, known: Set[str], numbers: Mapping[str, np.ndarray | None], mistakes: Mistakes):
    text = shown(each.expression.text)
    for name in sorted(each.expression.names):
        if name not in known:
            is_name = isinstance(each.expression.tree, ast.Name)
            problem = f"expected a number, got {text}" if is_name else f"there is no {shown(name)} here for {text}"
            mistakes.tell(each.key, f"{problem}; {nearest(name, known)}")
        elif name in numbers and numbers[name] is None:
            mistakes.tell(each.key, f'{text} takes "{name}", which is no number')


def _values(each: Coupled, known: Numbers, count: int, mistakes: Mistakes) -> np.ndarray | None:
    """The expression's value at each setting; None where it has none, or one that the argument does not take."""
    try:
        values = each.expression.values(known, count)
    except ArithmeticError:
        i, why = next(_failures(each.expression, known, count))
        mistakes.tell(each.key, f"{shown(each.expression.text)} {why}{_at(each.expression, known, i)}")
        return None
    for i, value in enumerate(values):
        if not each.argument.accepts(_literal(value)):
            expected, came = each.argument.expects().removesuffix(" or a schedule"), f"{float(value):g}"
            where = _at(each.expression, known, i)
            mistakes.tell(each.key, f"expected {expected}; {shown(each.expression.text)} is {came}{where}")
            return None
    return values


def _failures(expression: Expression, known: Numbers, count: int) -> Iterator[tuple[int, str]]:
    for i in range(count):
        try:
            expression.values({name: values[i : i + 1] for name, values in known.items()}, 1)
        except (DivisionByZero, ZeroDivisionError):
            yield i, "divides by zero"
        except Overflow:
            yield i, "is too large for a number"
        except ArithmeticError:
            yield i, "has no value"


def _at(expression: Expression, known: Numbers, i: int) -> str:
    """The numbers of a setting, in words."""
    numbers = [f"{name} = {float(known[name][i]):g}" for name in sorted(expression.names)]
    return f" at {', '.join(numbers)}" if numbers else ""


def _literal(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _expressions(value: Any) -> Iterator[Expression]:
    if isinstance(value, str):
        if expression := parse_expression(value):
            yield expression
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _expressions(inner)


def _is_allowed(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=value):
            return type(value) in (int, float)
        case ast.BinOp(op=op):
            return type(op) in OPERATORS
        case ast.UnaryOp(op=op):
            return type(op) in SIGNED
    return isinstance(node, (ast.Name, ast.expr_context, ast.operator, ast.unaryop))


def _value(tree: ast.expr, numbers: Numbers) -> Any:
    match tree:
        case ast.Constant(value=value):
            return Decimal(str(value))
        case ast.Name(id=name):
            return numbers[name]
        case ast.UnaryOp(op=op, operand=operand):
            return SIGNED[type(op)](_value(operand, numbers))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, numbers), _value(right, numbers))
    raise AssertionError(tree)
