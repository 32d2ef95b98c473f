"""Problems of a config: one for each combination of options that have several values in a [[problem]] table."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple
from weakref import WeakSet

import jax
import numpy as np

from adamlab.calls import written
from adamlab.errors import InputError, reason
from adamlab.own import digest_of
from adamlab.problems import LONGEST_NAME, all_problems, find, is_name, misfits
from adamlab.studies.config.errors import Mistakes, join, shown
from adamlab.studies.config.tables.starts import read_starts
from adamlab.studies.config.values.axes import read_choice
from adamlab.types import Problem

MOST_PROBLEMS = 100
"""The greatest number of problems: each takes a folder, figures, a program for each optimizer, and time to read."""

MOST_COORDINATES = 3 * 10**6
"""The greatest number of coordinates of all known minima, which are made one by one."""

MOST_DATA = 8 * 10**6
"""The greatest count of numbers that are drawn for the data of all problems as the config is read."""


class ProblemTable(NamedTuple):
    """A problem as its table asks for it.

    Attributes:
        key: the table's key.
        problem: the problem.
        text: the text that asks for it.
        points: the points that its runs start from, if any are given.
        alike: of the table's first problem of this size how many it has, which differ in seeds alone; 0 of the others.
    """

    key: str
    problem: Problem
    text: str
    points: np.ndarray | None
    alike: int = 1


def read_problems(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> Iterator[ProblemTable]:
    """The problems of a table, with their starts, each made when it is asked for."""
    name = table.get("name")
    label = table.get("label", name.rpartition(".")[2] if isinstance(name, str) else name)
    if "label" in table and not is_name(label):
        form = f"letters, digits and any of _ -, at most {LONGEST_NAME}"
        mistakes.tell(join(key, "label"), f"expected {form}; got {shown(label)}")
        return
    options = {name: value for name, value in table.items() if name not in ("label", "starts")}
    if isinstance(name, str):
        try:
            find(name)
        except InputError as error:
            mistakes.tell(join(key, "name"), str(error))
            return
    chosen = read_choice(key, options, all_problems(), "name", mistakes, listed=True, others=("label", "starts"))
    if chosen is None:
        return
    name, axes = chosen
    forms = {option: axis.forms for option, axis in axes.items()}
    if (count := prod(map(len, forms.values()))) > MOST_PROBLEMS:
        mistakes.tell(key, f"expected at most {MOST_PROBLEMS:,} problems; its options make {count:,}")
        return
    combinations = [*_combinations(key, str(label), forms, mistakes)]
    # Options that are no seed can change how many numbers a problem has.
    sizes = [{k: v for k, v in given.items() if not k.endswith("seed")} for _, given in combinations]
    for i, (called, given) in enumerate(combinations):
        if problem := _problem(key, name, called, given, table, mistakes):
            yield problem._replace(alike=sizes.count(sizes[i]) if sizes.index(sizes[i]) == i else 0)


def _problem(
    key: str, name: str, called: str, options: Mapping[str, Any], table: Mapping[str, Any], mistakes: Mistakes
) -> ProblemTable | None:
    is_own, problem = bool(digest_of("problem", name)), None
    try:
        if is_own:
            problem = replace(find(name)(**options), name=called)
        else:
            kinds = tuple(map(type, options.values()))
            problem = _shipped(name, called, tuple(options.items()), kinds, str(jax.dtypes.canonicalize_dtype(float)))
        wrong = [*misfits(problem, problem.loss)] if is_own else []
    except (ValueError, ModuleNotFoundError) as error:
        mistakes.tell(key, str(error))
        return None
    except Exception as error:
        if not is_own:
            raise
        wrong = [reason(error, 200)]  # whatever the user's code raises
    if wrong or problem is None:
        mistakes.tell(key, f"{name} is no problem that can be run: {'; '.join(wrong)}")
        return None
    text = f"{name}({', '.join(f'{option}={written(value)}' for option, value in sorted(options.items()))})"
    if "starts" not in table:
        return ProblemTable(key, problem, text, None)
    return ProblemTable(key, problem, text, read_starts(table["starts"], problem, join(key, "starts"), mistakes))


_SHIPPED: WeakSet[Problem] = WeakSet()


@lru_cache(maxsize=8)
def _shipped(
    name: str, called: str, options: tuple[tuple[str, Any], ...], kinds: tuple[type, ...], dtype: str
) -> Problem:
    """A problem of adamlab's own, the same object again; `kinds` tell options apart that are equal, as 1 and 1.0."""
    problem = replace(find(name)(**dict(options)), name=called)
    _SHIPPED.add(problem)
    return problem


def is_shipped(problem: Problem) -> bool:
    """Whether a config's problem is adamlab's own, and so the same as long as it is the same object."""
    return problem in _SHIPPED


def _combinations(
    key: str, label: str, forms: Mapping[str, list[Any]], mistakes: Mistakes
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and options of each combination, as "quadratic-condition=10-dim=3"."""
    several = [option for option, values in forms.items() if len(values) > 1]
    for option in several:
        if wrong := [value for value in forms[option] if not is_name(f"{label}-{option}={_short(value)}")]:
            mistakes.tell(join(key, option), f"{shown(wrong[0])} cannot be part of a name; give it a table and a label")
            return
    for values in itertools.product(*forms.values()):
        given = dict(zip(forms, values, strict=True))
        called = "-".join([label, *(f"{option}={_short(given[option])}" for option in several)])
        if len(called) > LONGEST_NAME:
            mistakes.tell(key, f"expected a name of up to {LONGEST_NAME} characters; its options make {shown(called)}")
            return
        yield called, given


def _short(value: Any) -> str:
    """10 for 10.0, and 1e16 for 1e+16."""
    return value if isinstance(value, str) else written(value).removesuffix(".0").replace("e+", "e")
