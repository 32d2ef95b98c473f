"""The programs of a study: one for each optimizer on each problem, all lowered before any is run."""

from collections.abc import Mapping, Sequence
from typing import Any

from adamlab.studies.engine import Program, Recording, prepare
from adamlab.studies.mistakes import ConfigError, Mistakes
from adamlab.studies.planning import Plan, part_of, plan
from adamlab.studies.sizes import Sizes, can_share
from adamlab.studies.study import Study

Key = tuple[str, str]
"""A problem's name and an optimizer's part."""

Programs = dict[Key, Program]


def plans_of(study: Study) -> dict[Key, Plan]:
    """Every run but those of the evaluation, which depend on what the others show."""
    return {
        (problem.name, part_of(optimizer)): plan(study, problem, optimizer)
        for problem in study.problems
        for optimizer in study.optimizers
    }


def prepared(
    study: Study, plans: Mapping[Key, Plan], where: str, devices: Sequence[Any], settled: Mapping[Key, Sizes]
) -> Programs:
    """A lowered program for each plan.

    Args:
        study: the study.
        plans: the runs that each program is for.
        where: the config's file, for messages.
        devices: on which devices they are computed.
        settled: the sizes of blocks where they are settled.

    Raises:
        ConfigError: with every optimizer that cannot run on a problem.
    """
    programs: Programs = {}
    mistakes, causes = Mistakes(), []
    recording = Recording(study.recorded, study.what, study.target)
    for key, one in plans.items():
        try:
            programs[key] = prepare(
                one.problem,
                one.runs(),
                recording,
                devices=devices,
                sizes=settled.get(key),
                shared=can_share(one.seed),
            )
        except Exception as error:  # whatever a foreign optimizer raises while it is traced
            reason = " ".join(str(error).split()) or type(error).__name__
            mistakes.tell(one.optimizer.key, f"{one.optimizer.label} cannot run on {one.problem.name}: {reason[:200]}")
            causes.append(error)
    if mistakes:
        raise ConfigError(where, mistakes) from causes[0]
    return programs
