"""A config's plain data becomes a study: what is to be run, with every mistake in it found before anything runs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from adamlab.errors import nearest
from adamlab.studies.axes import read_choice
from adamlab.studies.designs import read_design
from adamlab.studies.head import GREATEST_SEED, Head, read_head
from adamlab.studies.mistakes import ConfigError, Mistakes, join, shown
from adamlab.studies.optimizers import read_optimizers
from adamlab.studies.problems import Started, read_problems
from adamlab.studies.quantities import QUANTITIES
from adamlab.studies.study import Evaluation, Optimizer, Study, recorded_steps
from adamlab.types import Problem

Plots = Mapping[str, Callable[..., Any]]
"""The kinds of output there are; a table of `output` can set their keyword arguments."""


def load_study(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Study:
    """The study that a config's plain data describes.

    Args:
        data: as `read_config` gives it.
        plots: the kinds of output there are.
        where: the file's name, for messages.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes = Mistakes()
    head = read_head(data, mistakes)
    design = read_design(data.get("design", "grid"), "design", mistakes)
    started = [one for key, table in _tables(data, "problem") for one in read_problems(key, table, mistakes)]
    problems = [one.problem for one in started]
    optimizers = [o for key, table in _tables(data, "optimizer") for o in read_optimizers(key, table, design, mistakes)]
    outputs = read_outputs(data, plots, mistakes)
    _check_names("problem", [problem.name for problem in problems], mistakes)
    _check_names("optimizer", [optimizer.label for optimizer in optimizers], mistakes)
    _check_record(data, problems, mistakes)
    if head is not None:
        _check_range(head, started, optimizers, mistakes)
        _check_target(head, mistakes)
    evaluation = None if head is None or mistakes else _evaluation(head, problems, mistakes)
    if head is not None and not mistakes:
        settings = list(dict.fromkeys(name for o in optimizers for name in o.template.numeric()))
        for output in outputs:
            check_output(output, {p.name: _curves(p, head.record.what) for p in problems}, settings, mistakes)
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Study(
        name=head.name,
        question=head.question,
        steps=head.steps,
        seeds=head.seeds,
        dtype=head.dtype,
        recorded=recorded_steps(head.steps, head.record.every),
        what=tuple(head.record.what),
        target=head.record.target,
        problems=tuple(problems),
        texts={one.problem.name: one.text for one in started},
        starts={one.problem.name: one.points for one in started if one.points is not None},
        optimizers=tuple(optimizers),
        evaluation=evaluation,
        outputs=tuple(outputs),
        source=data,
    )


def read_output(
    table: Mapping[str, Any], plots: Plots, quantities: Mapping[str, Sequence[str]], settings: Sequence[str]
) -> Mapping[str, Any]:
    """One picture to be drawn: its `kind`, the `problem` (None: each that can be drawn), and the plot's `options`.

    Args:
        table: as it would stand under [[output]].
        plots: the kinds of output there are.
        quantities: for each problem, what was recorded of it over steps.
        settings: the numbers that were set.

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
    """The pictures that a config asks for; whether they can be drawn is for `check_output` to say."""
    return [made for key, table in _tables(data, "output") if (made := _output(key, table, plots, mistakes))]


def _tables(data: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = data.get(name)
    for i, table in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(table, dict):
            yield join(name, i), table


def _output(key: str, table: Mapping[str, Any], plots: Plots, mistakes: Mistakes) -> dict[str, Any] | None:
    options = {name: value for name, value in table.items() if name != "problem"}
    chosen = read_choice(key, options, plots, "kind", mistakes)
    if chosen is None:
        return None
    kind, axes = chosen
    given = {option: axis.forms[0] for option, axis in axes.items()}
    return {"key": key, "kind": kind, "problem": table.get("problem"), "options": given}


def _evaluation(head: Head, problems: Sequence[Problem], mistakes: Mistakes) -> Evaluation | None:
    if head.evaluation is None:
        return None
    given, by = head.evaluation.seeds, head.evaluation.by
    seeds = range(max(head.seeds) + 1, max(head.seeds) + 1 + given) if isinstance(given, int) else given
    if max(seeds) > GREATEST_SEED:
        mistakes.tell("evaluation.seeds", f"there are not so many seeds after {max(head.seeds)}; give a list")
    if twice := sorted({*seeds} & {*head.seeds}):
        mistakes.tell("evaluation.seeds", f"expected fresh seeds; got {twice[0]}, on which the settings are compared")
    everywhere = [m for m in problems[0].metrics if m in head.record.what and all(m in p.metrics for p in problems)]
    known = [f"{which}_{metric}" for metric in ["loss", *everywhere] for which in ("final", "best")]
    if by not in known:
        mistakes.tell("evaluation.by", f"there is no {shown(by)} recorded of every problem; {nearest(by, known)}")
    return Evaluation(tuple(seeds), by)


def _check_names(table: str, names: Sequence[str], mistakes: Mistakes):
    for name, count in Counter(names).items():
        if count > 1:
            mistakes.tell(table, f'{count} of them are called "{name}"; give each its own label')


def _check_record(data: Mapping[str, Any], problems: Sequence[Problem], mistakes: Mistakes):
    """Whether the problems have what is to be recorded, whatever else is wrong in the config."""
    record, steps = data.get("record"), data.get("steps")
    what, every = (record.get("what"), record.get("every")) if isinstance(record, dict) else (None, None)
    names = [name for name in what if isinstance(name, str)] if isinstance(what, list) else []
    known = [*QUANTITIES, *dict.fromkeys(metric for problem in problems for metric in problem.metrics)]
    for i, name in enumerate(names):
        if problems and name not in known:
            mistakes.tell(join("record", "what", i), f"there is no {shown(name)} to record; {nearest(name, known)}")
        elif name in names[:i]:
            mistakes.tell(join("record", "what", i), f"{shown(name)} is given twice")
        elif problems and name == "distance" and not any(problem.minima for problem in problems):
            mistakes.tell(join("record", "what", i), "no problem here has known minima to be distant from")
    if type(every) is int and type(steps) is int and every > steps >= 1:
        mistakes.tell("record.every", f"expected at most the number of steps, {steps}; got {every}")


def _check_target(head: Head, mistakes: Mistakes):
    target, wanted = head.record.target, "steps_to_target" in head.record.what
    if wanted and target is None:
        mistakes.tell("record.target", 'is missing: "steps_to_target" needs a loss to be reached, such as 1e-3')
    if target is not None and not wanted:
        mistakes.tell("record.target", 'is for "steps_to_target" alone, which record.what does not name')


def _check_range(head: Head, started: Sequence[Started], optimizers: Sequence[Optimizer], mistakes: Mistakes):
    largest = float(np.finfo(head.dtype).max)
    message = f"expected numbers that {head.dtype} holds, up to {largest:.3g}"
    for key in dict.fromkeys(
        o.key for o in optimizers if any(np.max(np.abs(column)) > largest for column in o.numbers().values())
    ):
        mistakes.tell(key, message)
    for key, _, _, points in started:
        if points is not None and np.max(np.abs(points)) > largest:
            mistakes.tell(join(key, "starts"), message)
    if head.record.target is not None and abs(head.record.target) > largest:
        mistakes.tell("record.target", message)


def _curves(problem: Problem, what: Sequence[str]) -> list[str]:
    """What is recorded of a problem over steps, one number each."""
    others = ["gradient_norm"] + (["distance"] if problem.minima else [])
    return ["loss", *(name for name in what if name in problem.metrics or name in others)]


def check_output(
    output: Mapping[str, Any], quantities: Mapping[str, Sequence[str]], settings: Sequence[str], mistakes: Mistakes
):
    """Whether the picture's problem, quantity and setting are there to be drawn."""
    key, problem, options = output["key"], output["problem"], output["options"]
    if problem is not None and not (isinstance(problem, str) and problem in quantities):
        mistakes.tell(join(key, "problem"), f"{shown(problem)} is not run; {nearest(str(problem), quantities)}")
        return
    recorded = list(dict.fromkeys(q for name, known in quantities.items() if problem in (None, name) for q in known))
    if "what" in options and options["what"] not in recorded:
        what = options["what"]
        mistakes.tell(join(key, "what"), f"no {shown(what)} is recorded over steps; {nearest(what, recorded)}")
    if "setting" in options and options["setting"] not in settings:
        setting = options["setting"]
        mistakes.tell(join(key, "setting"), f"no optimizer is given a {shown(setting)}; {nearest(setting, settings)}")
