"""Caveats: what a reader of the standings has to know before believing them."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from adamlab.analysis.answers.runs import OF_TEST
from adamlab.analysis.answers.words import counted, in_words, listed
from adamlab.analysis.comparing.instances import Results, datasets
from adamlab.analysis.comparing.significance import FEWEST
from adamlab.analysis.rows import EVALUATION, diverged, finished, optimizers, recorded
from adamlab.analysis.tables import standings

MOST_ENDS = 8
"""The most ends of ranges that are told one by one."""


def caveats(results: Results) -> list[str]:
    """What weakens the conclusions of runs, a sentence each; of several problems with the names of those it is about.

    Told are runs that are not done or diverged, too few seeds, settings that were chosen on the seeds that they are
    judged by, unequal numbers of settings, best settings at the end of what was tried, and ranks by the training loss.
    Comparisons and readings have none.
    """
    problems = {name: data for name, data in datasets(results).items() if data.attrs.get("of", "runs") == "runs"}
    told: dict[str, list[str]] = {}
    for name, runs in problems.items():
        for sentence in _of_problem(runs):
            told.setdefault(sentence, []).append(name)
    return [
        sentence if len(names) == len(problems) else f"{listed(names)}: {sentence}" for sentence, names in told.items()
    ]


def _of_problem(runs: xr.Dataset) -> Iterable[str]:
    yield from _unfinished(runs)
    if not optimizers(runs):
        return
    table = standings(runs)
    lost = int(diverged(finished(runs)).sum())
    if lost:
        yield f"{lost:,} of {counted(finished(runs).sizes['run'], 'run')} diverged; a diverged run counts as the worst."
    if not np.isfinite(table["median"]).any():
        return
    yield from _seeds(int(table.n.min()), "start" in runs)
    evaluated = "stage" in runs and (runs.stage.values == EVALUATION).any()
    if not evaluated and table.settings.max() > 1:
        yield (
            "The best settings are judged on the runs that they were chosen by, which flatters who had more of them; "
            "an [evaluation] judges them on fresh seeds."
        )
    if len({*table.settings}) > 1:
        fewest, most = (table.loc[index] for index in (table.settings.idxmin(), table.settings.idxmax()))
        yield (
            f"Optimizers had unequal numbers of settings to choose from: {most.optimizer} {most.settings}, "
            f"{fewest.optimizer} {fewest.settings}."
        )
    yield from _ends(dict(zip(table.optimizer, table.at_end, strict=True)))
    by = table.attrs["by"]
    tested = [name for name in OF_TEST if name in recorded(runs)]
    if by in ("final_loss", "best_loss") and tested and len(table) > 1:
        yield (
            f"Ranks are by the {in_words(by)}, which is that of the training data; "
            f'by = "final_{tested[0]}" ranks by the test data.'
        )


def _unfinished(runs: xr.Dataset) -> Iterable[str]:
    missing = runs.sizes["run"] - finished(runs).sizes["run"]
    if missing:
        yield f"{missing:,} of {counted(runs.sizes['run'], 'run')} are not done; the same command goes on with them."


def _seeds(n: int, has_starts: bool) -> Iterable[str]:
    if n == 1:
        yield "One seed only: how much luck there is in the order is not known."
    elif n < FEWEST and not has_starts:
        yield f"{n} seeds are too few for a test of differences, which takes {FEWEST} or more."


def _ends(notes: dict[str, str]) -> Iterable[str]:
    labels: dict[str, list[str]] = {}
    for label, note in notes.items():
        if note:
            labels.setdefault(note, []).append(label)
    if labels:
        parts = [f"{note} (best of {listed(names)})" for note, names in labels.items()]
        more = f"; and {len(parts) - MOST_ENDS} more" if len(parts) > MOST_ENDS else ""
        yield f"Beyond what was tried there may be better settings: {'; '.join(parts[:MOST_ENDS])}{more}."
