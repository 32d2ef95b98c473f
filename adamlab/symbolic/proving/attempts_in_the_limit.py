"""Attempts to decide a statement about a limit: as the steps go on, or as numbers go to 0, 1 or ∞."""

from collections.abc import Sequence
from itertools import pairwise

from sympy import cancel, factor_terms, oo, sympify

from adamlab.interpret.equality import same
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.proving.conclusions import proved, refuted, unknown
from adamlab.symbolic.proving.counterexamples import Counterexample
from adamlab.symbolic.proving.late_steps import in_late_steps, settled_in_late_steps
from adamlab.symbolic.proving.statement import Statement
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.symbolic.solving.limits import (
    NoLimitError,
    exceptions_of_limit,
    limit_of,
    require_solved,
    series,
    toward,
)
from adamlab.symbolic.solving.nonnegative import without_idle_maxima
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
    updates = left.update, without_idle_maxima(right.update)
    try:
        stages = _stages(statement, updates)
        early = [_limits(statement, pair) for pair in _early_updates(statement)]
    except NoLimitError as error:
        return unknown(statement, f"no limit was found: {error}")
    limits, where = stages[-1], f"as {_goals(statement)}"
    apart = statement.counterexample_in_the_limit()
    if any(limit.has(oo, -oo) for limit in limits):
        return _compare_without_bounds(statement, updates, limits, apart)
    if same(*limits):
        if any(not same(*pair) for pair in early) or (apart is not None and apart.step <= statement.early):
            how = f"{where} both updates go to {text(limits[1])} at late steps, but not at the first ones"
            return _refuted_if(apart, statement, how)
        if apart is not None:
            return unknown(statement, "the formulas have the same limit, but the numbers do not bear it out")
        how = f"{where} both updates go to {text(limits[1])}"
        order, relative = _relative_difference(statement, updates, limits[1])
        if relative is not None:
            how += f"; {_to_first_order(statement, order, relative)}"
        points = _exceptions(statement, stages)
        return proved(statement, how, statement.sides, not_zero=points, order=order, relative=relative)
    how = f"{where} the left goes to {text(limits[0])}, the right to {text(limits[1])}"
    return _refuted_if(apart, statement, how, limits)


def _refuted_if(
    apart: Counterexample | None, statement: Statement, how: str, updates: tuple[Formula, ...] = ()
) -> Verdict:
    """Refuted by numbers that bear it out, if there are some; else unknown."""
    if apart is None:
        return unknown(statement, how)
    return refuted(statement, apart, f"{how}; {apart}", updates=updates)


def _limits(statement: Statement, updates: Sequence[Formula]) -> tuple[Formula, ...]:
    """The limits of some formulas, number by number.

    Raises:
        NoLimitError: a formula has none that was found.
    """
    return _stages(statement, updates)[-1]


def _stages(statement: Statement, updates: Sequence[Formula]) -> list[tuple[Formula, ...]]:
    """Some formulas, and their limits after each number has gone to its own.

    Raises:
        NoLimitError: a formula has none that was found.
    """
    stages = [tuple(updates)]
    open_states = [side.unsolved() for side in statement.sides]
    for name, target in statement.limit.items():
        symbol = statement.hyper[name]
        for e, unsolved in zip(stages[-1], open_states, strict=True):
            require_solved(e, symbol, unsolved)
        stages.append(tuple(limit_of(e, symbol, target) for e in stages[-1]))
    return stages


def _exceptions(statement: Statement, stages: Sequence[tuple[Formula, ...]]) -> list[Formula]:
    """What must not be 0 for formulas to go from each stage to the next."""
    return [
        exception
        for (name, target), (before, after) in zip(statement.limit.items(), pairwise(stages), strict=True)
        for e, limit in zip(before, after, strict=True)
        for exception in exceptions_of_limit(e, statement.hyper[name], target, limit)
    ]


def _early_updates(statement: Statement) -> list[tuple[Formula, Formula]]:
    """Both updates at each of the first steps, which are not as the general one.

    Raises:
        NoLimitError: such an update was not read.
    """
    if all(side.step.cases is not None for side in statement.sides):
        return []
    pairs = []
    for t in range(1, statement.early + 1):
        left, right = (side.update_at(t) for side in statement.sides)
        if left is None or right is None:
            raise NoLimitError(f"step {t} is not as later ones")
        pairs.append((left, right))
    return pairs


def _compare_without_bounds(
    statement: Statement, updates: tuple[Formula, ...], limits: tuple[Formula, ...], apart: Counterexample | None
) -> Verdict:
    """Compare two updates of which one grows beyond all bounds: by their difference and by their ratio."""
    where = f"as {_goals(statement)}"
    if not all(limit.has(oo, -oo) for limit in limits):
        how = f"{where} the left goes to {text(limits[0])}, the right to {text(limits[1])}"
        return _refuted_if(apart, statement, how)
    difference = _limit_or_none(statement, updates[0] - updates[1])
    ratio = _limit_or_none(statement, updates[0] / updates[1])
    words = [f"{where} both updates grow beyond all bounds"]
    if difference is not None:
        words.append(f"their difference goes to {text(difference)}")
    if ratio is not None:
        words.append(f"their ratio goes to {text(ratio)}{_towards_one(statement, updates) if ratio == 1 else ''}")
    how = ", ".join(words)
    if difference not in (None, 0) and apart is None:
        apart = statement.counterexample_short_of_the_limit()
    if difference == 0 and apart is None:
        return proved(statement, how, statement.sides)
    return _refuted_if(apart, statement, how)


def _limit_or_none(statement: Statement, e: Formula) -> Formula | None:
    try:
        for name, target in statement.limit.items():
            e = limit_of(cancel(e), statement.hyper[name], target)
    except NoLimitError:
        return None
    return e


def _towards_one(statement: Statement, updates: tuple[Formula, ...]) -> str:
    """The relative difference of two updates, in words; empty where it was not found."""
    order, relative = _relative_difference(statement, updates, updates[1])
    return "" if relative is None else f": {_to_first_order(statement, order, relative)}"


def _goals(statement: Statement) -> str:
    return ", then ".join(f"{text(statement.hyper[name])} → {text(value)}" for name, value in statement.limit.items())


def _relative_difference(
    statement: Statement, updates: tuple[Formula, ...], limit: Formula
) -> tuple[Formula, Formula] | tuple[None, None]:
    """The order and the leading coefficient of the updates' relative difference in the distance to the limit."""
    if len(statement.limit) > 1 or limit == 0:
        return None, None
    ((name, target),) = statement.limit.items()
    goes = {statement.hyper[name]: toward(target)}
    try:
        # A limit that is a formula in the number itself, as of updates without bounds, is divided by beforehand.
        moving = limit.has(statement.hyper[name])
        difference = updates[0] - updates[1]
        parts = series((cancel(difference / limit) if moving else difference).xreplace(goes))
        if not any(parts.coefficients):
            return None, None
        return sympify(parts.lead), factor_terms(cancel(parts.coefficients[0] / (1 if moving else limit)))
    except NoLimitError:
        return None, None


def _to_first_order(statement: Statement, order: Formula, relative: Formula) -> str:
    ((name, target),) = statement.limit.items()
    symbol = text(statement.hyper[name])
    distance = {0: symbol, 1: f"1 - {symbol}"}.get(target, f"1/{symbol}")
    power = "δ" if order == 1 else f"δ^{order}"
    return f"with δ = {distance} their relative difference is {power}·({text(relative)}) to first order"
