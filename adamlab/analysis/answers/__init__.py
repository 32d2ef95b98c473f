"""Answers: what datasets say, in sentences made from the data."""

import xarray as xr

from adamlab.analysis.answers.caveats import caveats as caveats
from adamlab.analysis.answers.comparisons import answer_of_comparisons
from adamlab.analysis.answers.readings import answer_of_readings
from adamlab.analysis.answers.runs import answer_of_problem, answer_over_problems
from adamlab.analysis.comparing.instances import Results, datasets

ANSWERS = {"runs": answer_of_problem, "comparisons": answer_of_comparisons, "readings": answer_of_readings}
"""What answers for the datasets of each kind, by their attribute `of`."""


def answer(results: Results) -> str:
    """The answer to a study's question, in sentences made from the data.

    Of runs: which optimizer is best at its best setting, by what, over how many seeds and with what spread, by how
    much, who ties, how sure the order is, which runs diverged, and whether a best setting is at the end of what was
    tried. Of comparisons: how many are bit-identical; of readings: how many closed forms there are.

    Args:
        results: the dataset of a problem, of comparisons or of readings; or several by name, which are answered on a
            line each, under a line for all of them.

    >>> print(answer(al.load("results/quickstart")))  # doctest: +SKIP
    """
    return "\n".join(f"{name}: {text}" if name else text for name, text in answers(results).items())


def answers(results: Results) -> dict[str, str]:
    """The answer on each problem by its name, where there are several; under "" the one on all of them."""
    parts = {name: _answer(data) for name, data in datasets(results).items()}
    if len(parts) == 1:
        return {"": next(iter(parts.values()))}
    return {"": answer_over_problems(datasets(results)), **parts}


def _answer(data: xr.Dataset) -> str:
    return ANSWERS[data.attrs.get("of", "runs")](data)
