"""Configs of runs: plain data becomes a study, with every mistake in it reported at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamlab.analysis.scores import DEFAULT, STEPS, criteria
from adamlab.errors import nearest
from adamlab.studies.config.errors import ConfigError, Mistakes, join, shown
from adamlab.studies.config.schema import GREATEST_SEED, RunsHead, read_table
from adamlab.studies.config.sizes import MOST_PROGRAMS, MOST_RUNS, check_sizes
from adamlab.studies.config.study import Evaluation, Optimizer, Study
from adamlab.studies.config.tables.optimizers import read_optimizers
from adamlab.studies.config.tables.outputs import Plots, check_output, read_outputs, tables_of
from adamlab.studies.config.tables.problems import (
    MOST_COORDINATES,
    MOST_DATA,
    MOST_PROBLEMS,
    ProblemTable,
    read_problems,
)
from adamlab.studies.config.tables.starts import MOST_NUMBERS
from adamlab.studies.config.values.designs import Design, read_design
from adamlab.studies.config.values.reserved import RUN_NAMES
from adamlab.studies.engine.recording import (
    BY_COORDINATE,
    BY_LAYER,
    COSTLY,
    NEEDED,
    OF_THE_WHOLE_RUN,
    QUANTITIES,
    can_record,
)
from adamlab.types import Problem


def read_study(data: Mapping[str, Any], plots: Plots, where: str = "the config") -> Study:
    """The study that a config's plain data describes.

    Args:
        data: the data, from `adamlab.studies.config.toml.read_config`.
        plots: the plots by name.
        where: the file's name, for messages.

    Raises:
        ConfigError: with every mistake in the data.
    """
    mistakes = Mistakes(where)
    head = read_table(RunsHead, data, mistakes)
    design = read_design(data.get("design", "grid"), "design", mistakes)
    before = len(mistakes)
    tables = _problem_tables(data, mistakes)
    problems, are_problems_sound = [table.problem for table in tables], len(mistakes) == before
    before = len(mistakes)
    optimizers = _optimizers(data, design, mistakes)
    are_optimizers_sound = len(mistakes) == before
    outputs = read_outputs(data, plots, mistakes)
    _check_names("problem", [problem.name for problem in problems], mistakes)
    _check_names("optimizer", [optimizer.label for optimizer in optimizers], mistakes)
    _check_record(data, problems, mistakes)
    _check_others(problems, optimizers, mistakes)
    if head is not None:
        _check_range(head, tables, optimizers, mistakes)
        _check_target(head, mistakes)
    if head is not None and not mistakes:
        check_sizes(head, tables, optimizers, mistakes)
    evaluation = None if head is None or mistakes else _evaluation(head, problems, mistakes)
    recorded = _recorded(data)
    if recorded is not None and problems and are_problems_sound:
        settings = list(dict.fromkeys(name for o in optimizers for name in o.numbers()))
        for output in outputs:
            quantities = {p.name: _over_steps(p, recorded) for p in problems}
            check_output(output, quantities, settings if are_optimizers_sound else None, mistakes)
            if output["options"].get("over") == "seconds" and "seconds" not in recorded:
                mistakes.tell(join(output["key"], "over"), 'no seconds are recorded; put "seconds" among record.what')
    if head is None or mistakes:
        raise ConfigError(where, mistakes)
    return Study(
        head=head,
        outputs=tuple(outputs),
        source=data,
        problems=tuple(problems),
        texts={table.problem.name: table.text for table in tables},
        starts={table.problem.name: table.points for table in tables if table.points is not None},
        optimizers=tuple(optimizers),
        evaluation=evaluation,
    )


def _problem_tables(data: Mapping[str, Any], mistakes: Mistakes) -> list[ProblemTable]:
    """The problems of all tables, as far as memory holds them."""
    tables, coordinates, examples, numbers = [], 0, 0, 0
    for key, table in tables_of(data, "problem", mistakes):
        for read in read_problems(key, table, mistakes):
            tables.append(read)
            coordinates += read.problem.dimension * len(read.problem.minima)
            examples += read.problem.data * read.alike
            numbers += 0 if read.points is None else read.points.size
            for count, most, what in (
                (len(tables), MOST_PROBLEMS, "problems"),
                (coordinates, MOST_COORDINATES, "coordinates of known minima"),
                (examples, MOST_DATA, "numbers in the data of problems"),
                (numbers, MOST_NUMBERS, "numbers in all starts"),
            ):
                if count > most:
                    mistakes.tell(key, f"expected at most {most:,} {what}; this makes {count:,} or more")
                    return tables
    return tables


def _optimizers(data: Mapping[str, Any], design: Design, mistakes: Mistakes) -> list[Optimizer]:
    """The optimizers of all tables, as far as their settings can be run."""
    optimizers, settings = [], 0
    for key, table in tables_of(data, "optimizer", mistakes, design.count):
        for optimizer in read_optimizers(key, table, design, mistakes):
            optimizers.append(optimizer)
            settings += optimizer.count
            if settings > MOST_RUNS or len(optimizers) > MOST_PROGRAMS:
                most = f"{MOST_RUNS:,} settings and {MOST_PROGRAMS:,} optimizers"
                mistakes.tell(key, f"expected at most {most}; this makes {settings:,} and {len(optimizers):,} or more")
                return optimizers
    return optimizers


def _evaluation(head: RunsHead, problems: Sequence[Problem], mistakes: Mistakes) -> Evaluation | None:
    by = _criterion(head, problems, mistakes)
    if head.evaluation is None:
        return None
    given = head.evaluation.seeds
    seeds = range(max(head.seeds) + 1, max(head.seeds) + 1 + given) if isinstance(given, int) else given
    if max(seeds) > GREATEST_SEED:
        mistakes.tell("evaluation.seeds", f"there are not so many seeds after {max(head.seeds)}; give a list")
    if twice := sorted({*seeds} & {*head.seeds}):
        mistakes.tell("evaluation.seeds", f"expected fresh seeds; got {twice[0]}, on which the settings are compared")
    return Evaluation(tuple(seeds), by)


def _criterion(head: RunsHead, problems: Sequence[Problem], mistakes: Mistakes) -> str:
    """The criterion of the best setting, which can stand at the top or under [evaluation]."""
    given = {} if head.by is None else {"by": head.by}
    given |= {"evaluation.by": head.evaluation.by} if head.evaluation and head.evaluation.by is not None else {}
    curves = [_curves(problem, head.record.what) for problem in problems]
    known = criteria(name for name in curves[0] if all(name in each for each in curves))
    known += [STEPS] if STEPS in head.record.what else []
    for key, by in given.items():
        if by not in known:
            mistakes.tell(key, f"there is no {shown(by)} recorded of every problem; {nearest(by, known)}")
    if len({*given.values()}) > 1:
        mistakes.tell("evaluation.by", f"expected {shown(head.by)}, as `by` says at the top, or no second criterion")
    return next(iter(given.values()), DEFAULT)


def _check_names(table: str, names: Sequence[str], mistakes: Mistakes):
    for name, count in Counter(names).items():
        if count > 1:
            mistakes.tell(table, f'{count} of them are called "{name}"; give each its own label')


def _check_others(problems: Sequence[Problem], optimizers: Sequence[Optimizer], mistakes: Mistakes):
    """Check that numbers that are no arguments have names of their own in the results."""
    taken = {*RUN_NAMES, *QUANTITIES, "final_params", "diverged_at"}.union(*(problem.metrics for problem in problems))
    for key, name in dict.fromkeys((o.key, name) for o in optimizers for name in o.others.keys() & taken):
        mistakes.tell(join(key, name), f"{shown(name)} has a meaning of its own in results; give it another name")


def _check_record(data: Mapping[str, Any], problems: Sequence[Problem], mistakes: Mistakes):
    """Check that the problems can record what is asked for, whatever else is wrong in the config."""
    record, steps = data.get("record"), data.get("steps")
    what, every = (record.get("what"), record.get("every")) if isinstance(record, dict) else (None, None)
    names = [name for name in what if isinstance(name, str)] if isinstance(what, list) else []
    known = [*QUANTITIES, *dict.fromkeys(metric for problem in problems for metric in problem.metrics)]
    for i, name in enumerate(names):
        if problems and name not in known:
            mistakes.tell(join("record", "what", i), f"there is no {shown(name)} to record; {nearest(name, known)}")
        elif name in names[:i]:
            mistakes.tell(join("record", "what", i), f"{shown(name)} is given twice")
        elif name in NEEDED and problems and not any(can_record(problem, name) for problem in problems):
            mistakes.tell(join("record", "what", i), f"no problem here has {NEEDED[name]}, which {name} needs")
    if type(every) is int and type(steps) is int and every > steps >= 1:
        mistakes.tell("record.every", f"expected at most the number of steps, {steps}; got {shown(every)}")


def _check_target(head: RunsHead, mistakes: Mistakes):
    target, wanted = head.record.target, "steps_to_target" in head.record.what
    if wanted and target is None:
        mistakes.tell("record.target", 'is missing: "steps_to_target" needs a loss to be reached, such as 1e-3')
    if target is not None and not wanted:
        mistakes.tell("record.target", 'is for "steps_to_target" alone, which record.what does not name')
    if head.record.costly_every > 1 and not {*COSTLY} & {*head.record.what}:
        costly = ", ".join(f'"{name}"' for name in COSTLY)
        mistakes.tell("record.costly_every", f"is for {costly} alone, and record.what names none of them")


def _check_range(head: RunsHead, tables: Sequence[ProblemTable], optimizers: Sequence[Optimizer], mistakes: Mistakes):
    largest = float(np.finfo(head.dtype).max)
    message = f"expected numbers that {head.dtype} holds, up to {largest:.3g}"
    for key in dict.fromkeys(
        o.key for o in optimizers if any(np.max(np.abs(column)) > largest for column in o.numbers().values())
    ):
        mistakes.tell(key, message)
    for key, _, _, points, _ in tables:
        if points is not None and np.max(np.abs(points)) > largest:
            mistakes.tell(join(key, "starts"), message)
    if head.record.target is not None and abs(head.record.target) > largest:
        mistakes.tell("record.target", message)


def _recorded(data: Mapping[str, Any]) -> Sequence[str] | None:
    """The quantities that a config asks for, whatever else is wrong in it; None where they cannot be read."""
    record = data.get("record", {})
    what = record.get("what", ["loss", "params"]) if isinstance(record, dict) else None
    return what if isinstance(what, list) and all(isinstance(name, str) for name in what) else None


def _over_steps(problem: Problem, what: Sequence[str]) -> list[str]:
    """The quantities of a problem that are recorded over steps, vectors too."""
    vectors = [name for name in what if name in {*BY_COORDINATE, *BY_LAYER} and can_record(problem, name)]
    return list(dict.fromkeys([*_curves(problem, what), *vectors]))


def _curves(problem: Problem, what: Sequence[str]) -> list[str]:
    """The quantities of a problem that are recorded over steps, one number each."""
    others = {*BY_COORDINATE, *BY_LAYER, *OF_THE_WHOLE_RUN, "loss"}
    known = [n for n in QUANTITIES if n not in others and can_record(problem, n)]
    return ["loss", *(name for name in what if name in problem.metrics or name in known)]
