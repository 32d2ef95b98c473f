"""Formulas of a study's optimizers and problems, read off their code, as far as that is quick."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from time import process_time
from typing import Any

import numpy as np
import xarray as xr

from adamlab import analysis
from adamlab.analysis.answers.words import number
from adamlab.calls import Call, SpecError, Symbol, arguments, written
from adamlab.errors import InputError, reason
from adamlab.specs import own_code, parse
from adamlab.types import Decay, Problem

SECONDS = 4.0
"""The CPU time after which no further formula is begun; each of Optax's optimizers takes at most 1.5 seconds."""

MEMORY_SECONDS = 1.0
"""The CPU time after which no further memory is derived; of most optimizers it takes a tenth of a second."""

MOST_SHARES = 8
"""The most optimizers whose shares are drawn."""

MOST_OPERATIONS = 150
"""The most operations of an update that is shown."""

MOST_DIGITS = 10**6
"""The greatest denominator of a number that is shown as it stands in a problem's code."""

COORDINATES = {1: ("x",), 2: ("x", "y"), 3: ("x", "y", "z")}
"""The letters of a test function's arguments, by how many it has."""


@dataclass(frozen=True)
class Read:
    """One step of an optimizer in formulas.

    Attributes:
        lines: each state and the update, as MathML.
        letters: the letter of each number that is open, by its argument.
        remarks: where it starts and under which conditions it holds, in words.
        failure: why there are no formulas; empty where there are.
    """

    lines: tuple[str, ...] = ()
    letters: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class OptimizerFormula:
    """The formula of one optimizer, or of several that differ in their numbers alone.

    Attributes:
        read: the formula.
        numbers: the numbers of each optimizer in words, by its label.
        same: each label with that of Optax's optimizer that it was proved to take the same steps as.
        memory: the share of past gradients in the update, and how fast it fades, as MathML; empty where it has none.
        influence: what that was read off, an `Influence`, and the numbers of the first run that it depends on.
    """

    read: Read
    numbers: Mapping[str, str]
    same: Sequence[tuple[str, str]]
    memory: Sequence[str] = ()
    influence: tuple[Any, Mapping[str, float]] | None = None


def optimizer_formulas(problems: Mapping[str, xr.Dataset]) -> list[OptimizerFormula]:
    """The formula of each optimizer in datasets of runs; what takes too long, or cannot be read, has a word instead."""
    stop = process_time() + SECONDS
    opened = {label: (_opened(call, _swept(runs)), runs) for label, call, runs in _calls(problems)}
    groups: dict[Read, list[str]] = {}
    for label, (call, _) in opened.items():
        groups.setdefault(_read(call, stop), []).append(label)
    formulas = [
        OptimizerFormula(
            read,
            {label: _numbers(*opened[label], dict(read.letters)) for label in labels},
            [
                (ours, theirs)
                for ours, theirs in (_twins(problems) if read.lines else ())
                # Equal formulas of one step, of the start and of what was assumed are a proof by induction.
                if ours in labels and (theirs in labels or _are_proved_same(opened, ours, theirs, stop))
            ],
        )
        for read, labels in groups.items()
    ]
    end = min(process_time() + MEMORY_SECONDS, stop)
    told_with_ours = {theirs for formula in formulas for _, theirs in formula.same}
    return [
        _with_memory(formula, *opened[next(iter(formula.numbers))], end)
        if formula.read.lines and not {*formula.numbers} <= told_with_ours
        else formula
        for formula in formulas
    ]


def problem_formula(problem: Problem) -> str:
    """A test function's formula as MathML, read off its code; empty of a problem that is none of few parameters."""
    import jax

    start = jax.tree.leaves(jax.eval_shape(lambda: problem.start(jax.random.key(0))))
    if not problem.domain or len(start) != 1 or len(start[0].shape) != 1 or start[0].size not in COORDINATES:
        return ""
    from sympy import Eq, Rational, Symbol, count_ops, sympify

    from adamlab.interpret.jaxpr import UnreadableError
    from adamlab.symbolic.functions import read
    from adamlab.symbolic.notation.printing import mathml

    letters = COORDINATES[start[0].size]
    try:
        value = read(problem.objective, np.array([Symbol(letter, real=True) for letter in letters], object))
    except (UnreadableError, InputError):
        return ""
    formula = sympify(np.asarray(value, object).item())
    long = {each: Rational(f"{float(each):.6g}") for each in formula.atoms(Rational) if each.q > MOST_DIGITS}
    formula = formula.xreplace(long)
    left = Symbol(f"f({', '.join(letters)})")
    return mathml(Eq(left, formula, evaluate=False)) if count_ops(formula) <= MOST_OPERATIONS else ""


def _calls(problems: Mapping[str, xr.Dataset]) -> Iterator[tuple[str, Call, xr.Dataset]]:
    """Each optimizer that is known here: its label, the call of its first run, and its runs on its first problem."""
    seen: set[str] = set()
    for runs in problems.values():
        for label in analysis.optimizers(runs):
            if label in seen:
                continue
            seen.add(label)
            mine = analysis.of_optimizer(runs, label)
            try:
                yield label, parse(str(mine.spec.values[0])), mine
            except SpecError:
                continue


def _swept(runs: xr.Dataset) -> set[str]:
    """The numbers of an optimizer that have several values."""
    return {name for name in runs.attrs["settings"] if len(np.unique(runs[name].values)) > 1}


def _opened(call: Call, swept: Collection[str], ahead: str = "") -> Call:
    """The call with a symbol for each number and schedule, but for a lone 0, which leaves terms out of the formula."""
    known = arguments(call.factory)

    def opened(key: str, value: Any) -> Any:
        name = f"{ahead}{key}"
        if known[key].kind in ("number", "decay"):
            is_number = type(value) in (int, float) and (value != 0 or name in swept)
            is_schedule = isinstance(value, Call) and value.role == "schedule"
            return Symbol(name) if is_number or is_schedule or isinstance(value, Decay) else value
        if isinstance(value, Call) and value.role == "optimizer":
            return _opened(value, swept, f"{name}_")
        if type(value) is tuple and known[key].kind == "optimizers":
            return tuple(_opened(item, swept, f"{name}_{i}_") for i, item in enumerate(value, start=1))
        return value

    return replace(call, arguments={key: opened(key, value) for key, value in call.arguments.items()})


def _numbers(call: Call, runs: xr.Dataset, letters: Mapping[str, str]) -> str:
    """The numbers of an optimizer in words, by their letters: what was swept as a range."""
    given, swept = parse(str(runs.spec.values[0])), _swept(runs)
    parts = []
    for name, letter in letters.items():
        if name in swept:
            values = np.unique(runs[name].values)
            parts.append(f"{letter} from {number(values[0])} to {number(values[-1])} ({len(values)} values)")
        elif (value := _value(call, given, name)) is not None:
            is_swept = any(each.startswith(f"{name}.") for each in swept)
            parts.append(f"{letter} = {value}{' and other values' if is_swept else ''}")
    return ", ".join(parts)


def _value(call: Call, given: Call, name: str) -> str | None:
    """The value that a symbol stands for in the call as it was given, or the default; None of an inner optimizer's."""
    value = call.bound().get(name)
    if isinstance(value, Symbol):
        value = given.arguments[name]
    return None if value is None else str(value) if isinstance(value, Call) else written(value)


def _read(call: Call, stop: float) -> Read:
    if process_time() > stop:
        return Read(failure="The formula is left out, since reading all of them would take long.")
    # The user's own code can change under the same name.
    return _read_anew(call) if own_code(call) else _read_spec(str(call))


@cache
def _read_spec(spec: str) -> Read:
    return _read_anew(parse(spec))


def _step(call: Call) -> Any:
    """The general step of an optimizer."""
    return _step_anew(call) if own_code(call) else _step_of_spec(str(call))


@cache
def _step_of_spec(spec: str) -> Any:
    return _step_anew(parse(spec))


def _step_anew(call: Call) -> Any:
    from adamlab.symbolic.general_step import general_step
    from adamlab.symbolic.open_optimizer import OpenOptimizer

    return general_step(OpenOptimizer.of(call))


def _with_memory(formula: OptimizerFormula, call: Call, runs: xr.Dataset, stop: float) -> OptimizerFormula:
    """The formula with what drives the update; without where the latest gradient alone does, or time is up."""
    if process_time() > stop:
        return formula
    from sympy import Eq, count_ops

    from adamlab.symbolic.notation.printing import mathml

    influence = _influence_anew(call) if own_code(call) else _influence_of_spec(str(call))
    if influence is None:
        return formula
    memories = [memory for memory in (influence.update, *influence.states.values()) if memory.mean_age != 0]
    told = [equation for memory in memories for equation in memory.told()]
    lines = tuple(mathml(Eq(a, b, evaluate=False)) for a, b in told if count_ops(b) <= MOST_OPERATIONS)
    if influence.mean_age == 0:
        return replace(formula, memory=lines)
    weighed = influence.update.relative.formula.free_symbols
    given = parse(str(runs.spec.values[0]))
    numbers = {name: _number(call, given, name) for name, s in influence.hyper.items() if s in weighed}
    known = {name: value for name, value in numbers.items() if value is not None}
    return replace(formula, memory=lines, influence=(influence, known) if len(known) == len(numbers) else None)


@cache
def _influence_of_spec(spec: str) -> Any:
    return _influence_anew(parse(spec))


def _influence_anew(call: Call) -> Any:
    """The influence of past gradients; None where it cannot be derived."""
    from adamlab.symbolic.solving.influence import influence_of

    try:
        return influence_of(_step(call))
    except Exception:  # whatever SymPy raises on the formulas of a foreign optimizer: then nothing is told
        return None


def _number(call: Call, given: Call, name: str) -> float | None:
    """The number that a symbol stands for, as `_value`; None of a schedule and of an inner optimizer's."""
    value: Any = call.bound().get(name)
    value = given.arguments[name] if isinstance(value, Symbol) else value
    value = value.rate if isinstance(value, Decay) else value
    return float(value) if type(value) in (int, float) else None


def shares(formulas: Sequence[OptimizerFormula]) -> xr.Dataset | None:
    """The shares of past gradients in the updates, to be drawn; None where the latest gradient alone drives them."""
    reads = [(next(iter(f.numbers)), *f.influence) for f in formulas if f.influence is not None]
    if not reads:
        return None
    from adamlab.dynamics.datasets import shares_of
    from adamlab.dynamics.step_map import in_words

    try:
        return shares_of([(in_words(name, known), read, known) for name, read, known in reads[:MOST_SHARES]])
    except InputError:  # weights that sum to 0, or have no finite value at these numbers
        return None


def _read_anew(call: Call) -> Read:
    from sympy import Eq, count_ops

    from adamlab.symbolic.general_step import UPDATE
    from adamlab.symbolic.letters import T, U
    from adamlab.symbolic.notation.printing import mathml, text
    from adamlab.symbolic.results import conditions

    try:
        step = _step(call)
        optimizer = step.optimizer
    except InputError as error:
        return Read(failure=f"There is no formula for every step: {reason(error, 200)}")
    except Exception as error:  # whatever a foreign optimizer, or SymPy on its formula, raises
        return Read(failure=f"{call} cannot be read as a formula: {reason(error, 200)}")
    update = step.update if step.cases is None else step.cases
    formulas = [(step.states[field], e) for field, e in step.recurrences.items()] + [(U[T], update)]
    if sum(count_ops(e) for _, e in formulas) > MOST_OPERATIONS:
        return Read(failure="The formula is too long to be shown.")
    starts = [
        f"{text(state.base[0])} = {text(step.start[field])}"
        for field, state in step.states.items()
        if text(state.base[0]) != text(step.start[field])
    ]
    late = step.first[UPDATE] if step.cases is None else 1
    remarks = [
        *([f"starting from {', '.join(starts)}"] if starts else []),
        *([f"the update is that of steps t ≥ {late}"] if late > 1 else []),
        *conditions(optimizer, step.algebra),
    ]
    return Read(
        tuple(mathml(Eq(left, right, evaluate=False)) for left, right in formulas),
        tuple((name, text(symbol)) for name, symbol in optimizer.hyper.items()),
        tuple(remarks),
    )


def _twins(problems: Mapping[str, xr.Dataset]) -> list[tuple[str, str]]:
    """The labels of ours and Optax's optimizers that have runs at the same settings."""
    tables = [analysis.agreement(runs) for runs in problems.values()]
    return list(dict.fromkeys(pair for table in tables for pair in zip(table.adamlab, table.optax, strict=True)))


def _are_proved_same(opened: Mapping[str, tuple[Call, Any]], ours: str, theirs: str, stop: float) -> bool:
    return process_time() < stop and _is_proved(*(str(opened[label][0]) for label in (ours, theirs)))


@cache
def _is_proved(ours: str, theirs: str) -> bool:
    """Whether two optimizers are proved to take the same steps; equal names are the same number."""
    from adamlab.symbolic.proving.proofs import prove

    try:
        return prove(ours, theirs).holds
    except Exception:  # whatever SymPy raises on the formulas: then nothing is proved
        return False
