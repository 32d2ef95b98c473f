"""Attempts to decide a statement about a limit: as the steps go on, or as numbers go to 0, 1 or ∞."""

from sympy import cancel, factor_terms, sympify

from adamlab.interpret.equality import same
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.proving.conclusions import proved, refuted, unknown
from adamlab.symbolic.proving.invariants import without_idle_maxima
from adamlab.symbolic.proving.late_steps import in_late_steps, settled_in_late_steps
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.solving.limits import NoLimitError, limit_of, series, toward
from adamlab.types import Formula


def compare_late_steps(statement: Statement) -> Verdict | None:
    """Compare the updates as the steps go on: their ratio has to go to 1."""
    if statement.steps is not None or "t" not in statement.limit:
        return None
    left, right = statement.sides
    try:
        ratio = in_late_steps(settled_in_late_steps(left.update) / settled_in_late_steps(right.update))
    except NoLimitError as error:
        return unknown(statement, f"no limit was found: {error}")
    if ratio != 1:
        return unknown(statement, f"the ratio of the updates goes to {text(ratio)}")
    how = "the ratio of the updates goes to 1, whatever the gradients are"
    return proved(statement, how, statement.sides, updates=(left.update, right.update))


def compare_limits(statement: Statement) -> Verdict | None:
    """Compare the updates' limits as numbers go to theirs, and the updates themselves on numbers close to these."""
    if statement.steps is not None or not statement.limit:
        return None
    left, right = statement.sides
    limits = updates = left.update, without_idle_maxima(right.update)
    try:
        for name, target in statement.limit.items():
            limits = tuple(limit_of(e, statement.hyper[name], target) for e in limits)
    except NoLimitError as error:
        return unknown(statement, f"no limit was found: {error}")
    where = ", then ".join(f"{text(statement.hyper[name])} → {text(value)}" for name, value in statement.limit.items())
    apart = statement.counterexample_in_the_limit()
    if limits[0] == limits[1] or (limits[0].is_finite is not False and same(*limits)):
        if apart is not None:
            return unknown(statement, "the formulas have the same limit, but the numbers do not bear it out")
        how = f"as {where} both updates go to {text(limits[1])}"
        order, relative = _relative_difference(statement, updates, limits[1])
        if relative is not None:
            how += _to_first_order(statement, order, relative)
        return proved(statement, how, statement.sides, order=order, relative=relative)
    how = f"as {where} the left goes to {text(limits[0])}, the right to {text(limits[1])}"
    if apart is None:
        return unknown(statement, how)
    return refuted(statement, apart, f"{how}; {apart}", updates=limits)


def _relative_difference(
    statement: Statement, updates: tuple[Formula, ...], limit: Formula
) -> tuple[Formula, Formula] | tuple[None, None]:
    """The order and the leading coefficient of the updates' relative difference in the distance to the limit."""
    if len(statement.limit) > 1 or limit == 0:
        return None, None
    ((name, target),) = statement.limit.items()
    try:
        difference = series((updates[0] - updates[1]).xreplace({statement.hyper[name]: toward(target)}))
        if not any(difference.coefficients):
            return None, None
        return sympify(difference.lead), factor_terms(cancel(difference.coefficients[0] / limit))
    except NoLimitError:
        return None, None


def _to_first_order(statement: Statement, order: Formula, relative: Formula) -> str:
    ((name, target),) = statement.limit.items()
    symbol = text(statement.hyper[name])
    distance = {0: symbol, 1: f"1 - {symbol}"}.get(target, f"1/{symbol}")
    power = "δ" if order == 1 else f"δ^{order}"
    return f"; with δ = {distance} their relative difference is {power}·({text(relative)}) to first order"
