"""The answer of runs: which optimizer was best, by what, by how much, how sure that is, and which runs diverged."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.answers.edge import answer_at_the_edge
from adamlab.analysis.answers.words import amount, behind, counted, in_words, listed, number
from adamlab.analysis.comparing.significance import FEWEST, paired_tests, rank_rows
from adamlab.analysis.rows import EVALUATION, diverged, finished, of_optimizer, optimizers, recorded
from adamlab.analysis.scores import STEPS, measured, sign
from adamlab.analysis.settings import best_setting, best_settings
from adamlab.analysis.tables import standings
from adamlab.errors import InputError

LEVEL = 0.05
"""The greatest p that counts as a difference."""

OF_TEST = ("test_accuracy", "test_loss")
"""The quantities that tell of data which were not trained on, the one to be told first ahead."""

Row = Mapping[str, Any]
"""A row of the standings."""


def answer_of_problem(runs: xr.Dataset) -> str:
    """The answer on one problem, in sentences."""
    if not optimizers(runs):
        return "No run is done yet."
    rows, by = ranked(runs)
    sound = [row for row in rows if isfinite(row["median"])]
    if not sound:
        return " ".join([_without_a_best(by, len(rows)), *_diverged(runs)])
    ties = tied(sound, by)
    sentences = [
        *answer_at_the_edge({"": runs}),
        _best(runs, sound, ties, by),
        *_next(sound, ties, by),
        *_unsound(rows, by),
        *_certainty(runs, sound, ties, by),
        *_of_test_data(runs, sound, by),
        *_at_end(sound),
        *_diverged(runs),
    ]
    return " ".join(sentences)


def answer_over_problems(problems: Mapping[str, xr.Dataset]) -> str:
    """The answer over several problems: on how many of them which optimizer was best, and the mean ranks."""
    won: dict[tuple[str, ...], list[str]] = {}
    for name, runs in problems.items():
        won.setdefault(_best_of_all(runs), []).append(name)
    without = won.pop((), [])
    order = sorted(won, key=lambda labels: -len(won[labels]))
    parts = [f"{listed(labels)} on {len(won[labels])} ({listed(won[labels])})" for labels in order]
    parts += [f"nobody on {len(without)} ({listed(without)}), where none has a finite result"] if without else []
    best = f"Best of {len(problems)} problems: {'; '.join(parts)}."
    return " ".join([*answer_at_the_edge(problems), best, *_ranks(problems)])


def ranked(runs: xr.Dataset) -> tuple[list[Row], str]:
    """The rows of the standings, the best first, and the criterion."""
    table = standings(runs)
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")], table.attrs["by"]


def tied(rows: Sequence[Row], by: str) -> list[str]:
    """The optimizers whose median is the first's to the digits that are shown."""
    return [row["optimizer"] for row in rows if amount(by, row["median"]) == amount(by, rows[0]["median"])]


def setting_in_words(runs: xr.Dataset, label: str) -> str:
    """The numbers of an optimizer's best setting that were swept, such as "learning_rate 0.1, b2 0.99"."""
    mine, best = of_optimizer(runs, label), best_setting(runs, label)
    swept = [name for name in runs.attrs["settings"] if len(np.unique(mine[name].values)) > 1]
    given = [name for name in swept if f"1-{name}" not in swept]  # a decay by its complement, as it was given
    return ", ".join(f"{name} {number(best[name].values[0])}" for name in given)


def _best_of_all(runs: xr.Dataset) -> tuple[str, ...]:
    """The best optimizer of a problem, with those that tie; none where no result is finite."""
    if not optimizers(runs):
        return ()
    rows, by = ranked(runs)
    return (*tied(rows, by),) if isfinite(rows[0]["median"]) else ()


def _without_a_best(by: str, count: int) -> str:
    if by == STEPS:
        return "No optimizer reached the target in half of the runs of its best setting."
    return f"{'No optimizer has' if count > 1 else 'There is not'} a finite {in_words(by)} at any setting."


def _best(runs: xr.Dataset, sound: Sequence[Row], ties: Sequence[str], by: str) -> str:
    first = sound[0]
    label, setting = first["optimizer"], setting_in_words(runs, first["optimizer"])
    at = f", at {setting}" if setting else ""
    if len(sound) == 1:
        chosen = f", the best of its {first['settings']} settings" if first["settings"] > 1 else ""
        return f"{label} has a {in_words(by)} of {_spread(runs, first, by)}{at}{chosen}."
    who, whose = (f"{label} is best", "") if len(ties) == 1 else (f"{listed(ties)} tie for the best", f"{label} has ")
    return f"By the {in_words(by)} {who}: {whose}{_spread(runs, first, by)}{at}."


def _spread(runs: xr.Dataset, row: Row, by: str) -> str:
    """The median with its range, over how many seeds or runs."""
    noun = "run" if "start" in runs else "seed"
    fresh = "fresh " if "stage" in runs and (runs.stage.values == EVALUATION).any() else ""
    if row["n"] == 1:
        return f"{amount(by, row['median'])} with one {fresh}{noun}"
    low, high = (_or_never(by, row[name]) for name in ("least", "greatest"))
    spread = f"{low} to {high}" if low != high else "the same in all of them"
    return f"{amount(by, row['median'])} (median of {row['n']} {fresh}{noun}s, {spread})"


def _or_never(by: str, value: float) -> str:
    return amount(by, value) if isfinite(value) else "never" if by == STEPS else "divergence"


def _next(sound: Sequence[Row], ties: Sequence[str], by: str) -> Iterable[str]:
    if others := sound[len(ties) :]:
        value = others[0]["median"]
        yield f"Next: {listed(tied(others, by))} with {amount(by, value)}, {behind(by, sound[0]['median'], value)}."


def _unsound(rows: Sequence[Row], by: str) -> Iterable[str]:
    """The optimizers without a result where others have one."""
    if labels := [row["optimizer"] for row in rows if not isfinite(row["median"])]:
        failed = "did not reach the target" if by == STEPS else "diverged or gave no number"
        yield f"{listed(labels)} {failed} in half of the runs or more, even at the best setting."


def _certainty(runs: xr.Dataset, sound: Sequence[Row], ties: Sequence[str], by: str) -> Iterable[str]:
    """How sure the first place is: by a test where there are seeds enough for one, else by the ranges over seeds."""
    first, rivals = sound[0], sound[len(ties) :]
    if not rivals or min(row["n"] for row in sound) < 2:
        return
    label = first["optimizer"]
    tests = _tests(runs, label, by)
    if tests is not None:
        yield from _tested(label, tests.loc[[row["optimizer"] for row in rivals]])
        return
    best, worst = ("least", "greatest") if sign(by) > 0 else ("greatest", "least")
    overlap = [row["optimizer"] for row in rivals if sign(by) * row[best] <= sign(by) * first[worst]]
    if overlap:
        yield (
            f"The order is not sure: the range of {listed(overlap)} overlaps with that of the first, "
            "and the seeds are too few for a test."
        )
    else:
        yield f"The worst run of {label} is better than the best of all that follow."


def _tested(label: str, tests: pd.DataFrame) -> Iterable[str]:
    """What the tests of the first against its rivals say: whom they favour, and whom they cannot tell apart from it."""
    name = "Wilcoxon's signed-rank test over the same seeds"
    differ = tests.p_holm <= LEVEL
    behind_it = differ & (tests.favours == label)
    ahead_of_it = differ & ~behind_it
    if behind_it.all():
        yield f"{label}'s lead is significant by {name} (Holm's p at most {tests.p_holm.max():.2g})."
    if not differ.all():
        alike = listed([*tests.index[~differ]])
        yield f"By {name} {label} cannot be told apart from {alike} (Holm's p above {LEVEL})."
    if ahead_of_it.any():
        rivals, p = listed([*tests.index[ahead_of_it]]), tests.p_holm[ahead_of_it].max()
        yield f"{label} leads by the median alone: {name} favours {rivals} (Holm's p at most {p:.2g})."


def _tests(runs: xr.Dataset, first: str, by: str) -> pd.DataFrame | None:
    """The tests of the first against each other, by its label; None where few seeds could not show a difference."""
    try:
        table = paired_tests(runs, by, against=first)
    except InputError:  # the optimizers were run on different seeds
        return None
    n = int(table.n.min())
    can_differ = n >= FEWEST and 2.0 ** (1 - n) * len(table) <= LEVEL
    return table.set_index("second") if can_differ else None


def _of_test_data(runs: xr.Dataset, sound: Sequence[Row], by: str) -> Iterable[str]:
    """The best of the test data, where optimizers are ranked by the training loss."""
    name = next((name for name in OF_TEST if name in recorded(runs)), None)
    if name is None or by not in ("final_loss", "best_loss"):
        return
    score, best = f"final_{name}", best_settings(runs, by)
    labels, values = best.optimizer.values, measured(best, score).values
    medians = {row["optimizer"]: float(np.median(values[labels == row["optimizer"]])) for row in sound}
    finite = [label for label in medians if isfinite(medians[label])]
    if not finite:
        return
    first, shown = sound[0]["optimizer"], {label: _or_never(score, median) for label, median in medians.items()}
    top = min(finite, key=lambda label: sign(score) * medians[label])
    if len(sound) == 1:
        yield f"The {in_words(score)} is then {shown[top]}."
        return
    ties = [label for label in finite if shown[label] == shown[top]]
    own = "" if first in ties else f"; {first} has {shown[first]}"
    yield f"At the same settings the {in_words(score)} is best with {listed(ties)}, {shown[top]}{own}."


def _at_end(sound: Sequence[Row]) -> Iterable[str]:
    others = sum(row["at_end"] != "" for row in sound[1:])
    if first := sound[0]["at_end"]:
        also = f" ({counted(others, 'other optimizer')} too stood at an end)" if others else ""
        yield f"{sound[0]['optimizer']}'s {first}{also}: values beyond may be better."
    elif others:
        yield f"The best setting of {counted(others, 'other optimizer')} is at an end of what was tried."


def _diverged(runs: xr.Dataset) -> Iterable[str]:
    done = finished(runs)
    lost = diverged(done).values
    if not lost.any():
        return
    labels = done.optimizer.values
    counts = {label: (int(lost[labels == label].sum()), int((labels == label).sum())) for label in optimizers(runs)}
    ordered = sorted((label for label in counts if counts[label][0]), key=lambda label: -counts[label][0])
    whole = f"{int(lost.sum()):,} of {counted(len(lost), 'run')} diverged"
    parts = [f"{counts[label][0]} of {counts[label][1]} of {label}" for label in ordered]
    yield f"{whole}." if len(counts) == 1 else f"{whole}: {listed(parts)}."


def _ranks(problems: Mapping[str, xr.Dataset]) -> Iterable[str]:
    table = rank_rows(problems)
    if table.empty:
        return
    rows = table.to_dict("records")
    alike = [row["optimizer"] for row in rows if row["differs"] == "no"]
    rest = f"it does not differ from {listed(alike)}" if alike else "it differs from all others"
    yield (
        f"By mean ranks over {rows[0]['n']} problems and seeds {rows[0]['optimizer']} is first with "
        f"{rows[0]['mean_rank']:.3g} (Friedman's p = {table.attrs['p']:.2g}; {rest} by Nemenyi's test at 5 %)."
    )
