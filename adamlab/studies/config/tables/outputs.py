"""Outputs: the pictures that a config asks for, one for each [[output]] table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adamlab.errors import nearest
from adamlab.studies.config.errors import ConfigError, Mistakes, join, shown
from adamlab.studies.config.schema import MOST_TABLES
from adamlab.studies.config.values.axes import read_choice, values_in
from adamlab.studies.config.values.designs import MOST_SETTINGS

Plots = Mapping[str, Callable[..., Any]]
"""The plots by name; a table of `output` can set their keyword arguments."""


def read_output(
    table: Mapping[str, Any], plots: Plots, quantities: Mapping[str, Sequence[str]], settings: Sequence[str]
) -> Mapping[str, Any]:
    """One output: its `kind`, its `problem` (None: each that can be drawn), and the plot's `options`.

    Args:
        table: the data of an [[output]] table.
        plots: the plots by name.
        quantities: for each problem, the quantities recorded over steps.
        settings: the numbers that optimizers are given.

    Raises:
        ConfigError: there is no such kind, problem or option.
    """
    mistakes = Mistakes()
    output = _output("", table, plots, mistakes)
    if output is not None:
        check_output(output, quantities, settings, mistakes)
    if output is None or mistakes:
        raise ConfigError("plot", mistakes)
    return output


def read_outputs(data: Mapping[str, Any], plots: Plots, mistakes: Mistakes) -> list[dict[str, Any]]:
    """The outputs of a config, still to be checked by `check_output`."""
    tables = tables_of(data, "output", mistakes)
    return [output for key, table in tables if (output := _output(key, table, plots, mistakes))]


def check_output(
    output: Mapping[str, Any],
    quantities: Mapping[str, Sequence[str]],
    settings: Sequence[str] | None,
    mistakes: Mistakes,
):
    """Check that the output's problem is run, its quantities are recorded, and its numbers given.

    Args:
        output: the output.
        quantities: for each problem, the quantities recorded over steps.
        settings: the numbers that optimizers are given; None where these cannot be told.
        mistakes: receives the mistakes.
    """
    key, problem, options = output["key"], output["problem"], output["options"]
    if problem is not None and not (isinstance(problem, str) and problem in quantities):
        mistakes.tell(join(key, "problem"), f"{shown(problem)} is not run; {nearest(str(problem), quantities)}")
        return
    recorded = list(dict.fromkeys(q for name, known in quantities.items() if problem in (None, name) for q in known))
    what = options.get("what", ())
    for asked in [what] if isinstance(what, str) else what:
        name = asked.partition("[")[0]
        if name not in recorded:
            mistakes.tell(join(key, "what"), f"no {shown(name)} is recorded over steps; {nearest(name, recorded)}")
    for option in ("setting", "panels"):
        given = options.get(option) or ()
        for name in [given] if isinstance(given, str) else given:
            if settings is not None and name not in settings:
                mistakes.tell(join(key, option), f"no optimizer is given a {shown(name)}; {nearest(name, settings)}")


def tables_of(
    data: Mapping[str, Any], name: str, mistakes: Mistakes, each: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables under a double-bracketed head, each with its key, as far as their values can be read in seconds.

    The schema reports what is no table, or too many.

    Args:
        data: the config's plain data.
        name: the name under the head.
        mistakes: receives the mistake of too many values.
        each: the number of values that each table has beside its own.
    """
    tables, values = data.get(name), 0
    for i, table in enumerate(tables[:MOST_TABLES] if isinstance(tables, list) else []):
        if isinstance(table, dict):
            if values > MOST_SETTINGS:
                most = f"expected at most {MOST_SETTINGS:,} values in all tables"
                mistakes.tell(name, f"{most}; the first {i} have {values:,}")
                return
            values += each + values_in(table)
            yield join(name, i), table


def _output(key: str, table: Mapping[str, Any], plots: Plots, mistakes: Mistakes) -> dict[str, Any] | None:
    options = {name: value for name, value in table.items() if name != "problem"}
    chosen = read_choice(key, options, plots, "kind", mistakes)
    if chosen is None:
        return None
    kind, axes = chosen
    given = {option: axis.forms[0] for option, axis in axes.items()}
    return {"key": key, "kind": kind, "problem": table.get("problem"), "options": given}
