"""Optimizers of a config: one for each combination of an [[optimizer]] table's compiled values, such as flags."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamlab.calls import REQUIRED, Argument, Call, SpecError, Symbol, arguments, call, calls_in, written
from adamlab.schedules import BUILT_IN
from adamlab.specs import find, parse
from adamlab.studies.config.errors import Mistakes, join, shown
from adamlab.studies.config.study import Optimizer
from adamlab.studies.config.values.axes import Axis, check_complements, read_arguments
from adamlab.studies.config.values.designs import Design, Points, Values, read_design
from adamlab.studies.config.values.expressions import check_operations, coupled_columns, decimals, names_used
from adamlab.types import Decay

MOST_FORMS = 1000
"""The greatest number of values of an argument that are compiled in, and of a table's combinations of them."""

LONGEST_LABEL = 200
"""The most characters of a label, which stands in tables and pictures."""

KEYS = ("name", "spec", "label", "design")
"""The keys of a table beside those of numbers."""


def read_optimizers(key: str, table: Mapping[str, Any], design: Design, mistakes: Mistakes) -> list[Optimizer]:
    """The optimizers of a table; `design` is that of tables that do not give their own."""
    before = len(mistakes)
    label = table.get("label", table.get("name", table.get("spec")))
    if "label" in table:
        check_label(label, join(key, "label"), mistakes)
    if "design" in table:
        design = read_design(table["design"], join(key, "design"), mistakes)
    template = _template(key, table, mistakes)
    if template is None:
        return []
    given = {name: value for name, value in table.items() if name not in KEYS}
    is_spec = "spec" in table
    known = _symbols(template) if is_spec else arguments(template.factory)
    more = {name: _number(name) for name in (names_used(given) & given.keys()) - known.keys()}
    axes = read_arguments({**known, **more}, given, key, mistakes, design, complements=True, coupled=True, others=KEYS)
    uses = ((symbol.name, use) for symbol, use in template.symbols()) if is_spec else known.items()
    check_complements(template, uses, axes, key, mistakes)
    if len(mistakes) > before:
        return []
    named = {name: axis for name, axis in axes.items() if len(axis.forms) > 1 or axis.are_named}
    forms = {name: list(dict.fromkeys(axis.forms)) for name, axis in named.items()}
    if (most := max(map(len, forms.values()), default=0)) > MOST_FORMS:
        mistakes.tell(key, f"expected at most {MOST_FORMS:,} values of what is compiled in; got {most:,}")
        return []
    try:
        columns = design.columns(_values(axes, forms))
    except ValueError as error:
        mistakes.tell(key, str(error))
        return []
    columns = _coupled(axes, forms, columns, mistakes)
    if columns is None:
        return []
    optimizers = []
    for chosen, own in _groups(forms, columns):
        if len(optimizers) == MOST_FORMS:
            mistakes.tell(key, f"expected at most {MOST_FORMS:,} combinations of what is compiled in")
            return []
        given = {name: chosen.get(name, axis.forms[0]) for name, axis in axes.items() if name in known}
        given = template.with_numbers(given).arguments if is_spec else given
        full = call(template.name, template.factory, given)
        suffix = ", ".join(f"{name}={_said(form)}" for name, form in chosen.items())
        optimizers.append(_optimizer(key, f"{label} ({suffix})" if suffix else str(label), full, own))
        _check_schedules(optimizers[-1], is_spec, mistakes)
    return optimizers


def _said(form: Any) -> str:
    """A value that is compiled in, as a label says it."""
    return written(form) if isinstance(form, Decay) else str(form).lower()


def _optimizer(key: str, label: str, full: Call, columns: Mapping[str, np.ndarray]) -> Optimizer:
    """The optimizer with its different settings: other numbers may give the same one, which is kept once."""
    own = {symbol.name for symbol, _ in full.symbols()}
    if columns.keys() > own:
        first = np.sort(np.unique(np.stack([columns[name] for name in own] or [[0.0]]), axis=1, return_index=True)[1])
        columns = {name: column[first] for name, column in columns.items()}
    return Optimizer(
        key,
        label,
        full,
        {name: column for name, column in columns.items() if name in own},
        {name: column for name, column in columns.items() if name not in own},
    )


def _number(name: str) -> Argument:
    """A number of a table that is no argument: expressions take it."""
    return Argument(name, "number", REQUIRED)


def _coupled(
    axes: Mapping[str, Axis], forms: Mapping[str, list[Any]], columns: dict[str, np.ndarray], mistakes: Mistakes
) -> dict[str, np.ndarray] | None:
    """The columns together with those that are computed from them; None where there are mistakes."""
    coupled = {symbol: number for axis in axes.values() for symbol, number in axis.coupled.items()}
    if not coupled:
        return columns
    before, count = len(mistakes), len(next(iter(columns.values()), [0]))
    check_operations(coupled, count, mistakes)
    if len(mistakes) > before:
        return None
    used = {name for number in coupled.values() for name in number.expression.names}
    numbers = {
        name: _in_decimal(axis.forms, columns.get(name), count)
        for name, axis in axes.items()
        if name in used and name not in coupled
    }
    complements = {name for name in coupled if name in axes and axes[name].is_complement}
    computed = coupled_columns(coupled, complements, numbers, {*axes}, count, mistakes)
    return None if len(mistakes) > before else columns | computed


def _in_decimal(forms: Sequence[Any], column: np.ndarray | None, count: int) -> np.ndarray | None:
    """An axis's number at every setting; None where it has none."""
    form = forms[0]
    if isinstance(form, Symbol):
        assert column is not None
        return 1 - decimals(column) if form.complement else decimals(column)
    if isinstance(form, Decay):
        return 1 - decimals(np.full(count, form.complement))
    if any(type(each) not in (int, float) for each in forms):
        return None
    return decimals(np.array(forms)[np.zeros(count, int) if column is None else column.astype(int)])


def check_label(label: Any, key: str, mistakes: Mistakes) -> None:
    """Check that a label can stand in tables and pictures."""
    printed = isinstance(label, str) and label.isprintable() and not label.startswith("_")
    if not printed or not 1 <= len(label) <= LONGEST_LABEL:
        form = f"a printable text of up to {LONGEST_LABEL} characters that does not start with _"
        mistakes.tell(key, f"expected {form}; got {shown(label)}")


def _values(axes: Mapping[str, Axis], forms: Mapping[str, list[Any]]) -> dict[str, Values]:
    """The values of every symbol, and the indices of forms where there are several."""
    values: dict[str, Values] = {}
    for name, axis in axes.items():
        several = name in forms
        values |= {name: Points(tuple(map(forms[name].index, axis.forms)))} if several else axis.values
    return values


def _groups(
    forms: Mapping[str, list[Any]], columns: Mapping[str, np.ndarray]
) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Each combination of forms, with the columns of the symbols in its settings."""
    symbols = {name: column for name, column in columns.items() if name not in forms}
    if not forms:
        yield {}, symbols
        return
    indices = np.stack([columns[name] for name in forms], axis=1).astype(int)
    for row in dict.fromkeys(map(tuple, indices.tolist())):
        own = (indices == row).all(axis=1)
        chosen = {name: values[i] for (name, values), i in zip(forms.items(), row, strict=True)}
        yield chosen, {name: column[own] for name, column in symbols.items()}


def _symbols(template: Call) -> dict[str, Argument]:
    """The argument of each symbol in a spec; of several the one that takes the fewest values."""
    by_kind = sorted(template.symbols(), key=lambda use: ("number", "decay", "steps", "integer").index(use[1].kind))
    return {symbol.name: replace(argument, default=REQUIRED) for symbol, argument in by_kind}


def _check_schedules(optimizer: Optimizer, is_spec: bool, mistakes: Mistakes):
    """Check that a schedule's numbers, each of which is valid by itself, go together at every setting."""
    for name, value in optimizer.template.arguments.items():
        for schedule in (c for c in calls_in(value) if c.role == "schedule"):
            try:
                _build_at_all(schedule, optimizer.columns)
            except (ValueError, TypeError) as error:
                mistakes.tell(join(optimizer.key, "spec" if is_spec else name), str(error))


def _build_at_all(schedule: Call, columns: Mapping[str, np.ndarray]):
    """Build a schedule at every setting: adamlab's take all at once, others may test single numbers."""
    if schedule.name in BUILT_IN:
        schedule.build(columns)
        return
    names = [symbol.name for symbol, _ in schedule.symbols()]
    for row in dict.fromkeys(zip(*(columns[name].tolist() for name in names), strict=True)) or [()]:
        schedule.build(dict(zip(names, row, strict=True)))


def _template(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> Call | None:
    """The call that an optimizer's table names or spells out."""
    given = [kind for kind in ("name", "spec") if kind in table]
    if len(given) != 1:
        came = "both" if given else "neither"
        mistakes.tell(key, f'expected either name = "adamlab.adam" or spec = "adamlab.adam(0.1)"; got {came}')
        return None
    (kind,) = given
    try:
        if not isinstance(table[kind], str):
            raise SpecError(f'expected a text, such as "adamlab.adam"; got {shown(table[kind])}')
        if kind == "name":
            factory = find(table[kind])
            if any(a.kind in ("optimizer", "optimizers") and a.required for a in arguments(factory).values()):
                raise SpecError(f'it is made of optimizers: write spec = "{table[kind]}(…)", with these inside of it')
            return Call(table[kind], factory, {})
        template = parse(table[kind])
        if left_out := template.missing():
            kinds = {
                a.kind for inner in template.calls() for a in arguments(inner.factory).values() if a.name in left_out
            }
            how = (
                "write it in, as optax.adam(0.1)"
                if "optimizer" in kinds
                else "give a number, or a name that becomes a key"
            )
            raise SpecError(f"{template.name} needs {', '.join(left_out)}: {how}")
        reserved = {symbol.name for symbol, _ in template.symbols()} & {*KEYS}
        if reserved:
            raise SpecError(f'"{min(reserved)}" cannot name a number, since it is a key of its own')
        return template
    except SpecError as error:
        mistakes.tell(join(key, kind), str(error))
    return None
