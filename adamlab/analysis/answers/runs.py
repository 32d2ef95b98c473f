"""The answer of runs: which optimizer was best, by what, by how much, how sure that is, and which runs diverged."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.answers.words import amount, behind, counted, in_words, listed
from adamlab.analysis.rows import EVALUATION, diverged, finished, of_optimizer, optimizers, recorded
from adamlab.analysis.scores import STEPS, measured, sign
from adamlab.analysis.settings import best_setting, best_settings
from adamlab.analysis.significance import FEWEST, paired_tests, rank_rows
from adamlab.analysis.tables import standings
from adamlab.errors import InputError

LEVEL = 0.05
"""The greatest p that counts as a difference."""

OF_TEST = ("test_accuracy", "test_loss")
"""The quantities that tell of data which were not trained on, the one to be told first ahead."""


def answer_of_problem(runs: xr.Dataset) -> str:
    """The answer on one problem, in sentences."""
    if not optimizers(runs):
        return "No run is done yet."
    table = standings(runs)
    by = table.attrs["by"]
    sound = table[np.isfinite(table["median"])]
    if sound.empty:
        return " ".join([_without_a_best(by, len(table)), *_diverged(runs)])
    ties = tied(sound, by)
    sentences = [
        _best(runs, sound, ties, by),
        *_next(sound, ties, by),
        *_unsound(table, by),
        *_certainty(runs, sound, ties, by),
        *_of_test_data(runs, sound, by),
        *_at_end(sound),
        *_diverged(runs),
    ]
    return " ".join(sentences)


def answer_over_problems(problems: Mapping[str, xr.Dataset]) -> str:
    """The answer over several problems: how many of them each optimizer was best on, and the mean ranks."""
    won: dict[tuple[str, ...], list[str]] = {}
    for name, runs in problems.items():
        won.setdefault(_best_of_all(runs), []).append(name)
    without = won.pop((), [])
    order = sorted(won, key=lambda labels: -len(won[labels]))
    parts = [f"{listed(labels)} on {len(won[labels])} ({listed(won[labels])})" for labels in order]
    parts += [f"nobody on {len(without)} ({listed(without)}), where none has a finite result"] if without else []
    return " ".join([f"Best of {len(problems)} problems: {'; '.join(parts)}.", *_ranks(problems)])


def tied(sound: pd.DataFrame, by: str) -> list[str]:
    """The optimizers whose median is the first's to the digits that are shown."""
    medians = [amount(by, value) for value in sound["median"]]
    return [label for label, median in zip(sound.optimizer, medians, strict=True) if median == medians[0]]


def setting_in_words(runs: xr.Dataset, label: str) -> str:
    """The numbers of an optimizer's best setting that were swept, such as "learning_rate 0.1, b2 0.99"."""
    mine, best = of_optimizer(runs, label), best_setting(runs, label)
    swept = [name for name in runs.attrs["settings"] if len(np.unique(mine[name].values)) > 1]
    given = [name for name in swept if f"1-{name}" not in swept]  # a decay by its complement, as it was given
    return ", ".join(f"{name} {float(best[name].values[0]):.3g}" for name in given)


def _best_of_all(runs: xr.Dataset) -> tuple[str, ...]:
    """The best optimizer of a problem, with those that tie; none where no result is finite."""
    if not optimizers(runs):
        return ()
    table = standings(runs)
    sound = table[np.isfinite(table["median"])]
    return () if sound.empty else (*tied(sound, table.attrs["by"]),)


def _without_a_best(by: str, count: int) -> str:
    if by == STEPS:
        return "No optimizer reached the target in half of the runs of its best setting."
    return f"{'No optimizer has' if count > 1 else 'There is not'} a finite {in_words(by)} at any setting."


def _best(runs: xr.Dataset, sound: pd.DataFrame, ties: list[str], by: str) -> str:
    first = sound.iloc[0]
    setting = setting_in_words(runs, first.optimizer)
    whose = f"{first.optimizer} " if len(ties) > 1 else ""
    at = f", {whose}at {setting}" if setting else ""
    if len(sound) == 1:
        chosen = f", the best of its {first.settings} settings" if first.settings > 1 else ""
        return f"{first.optimizer} has a {in_words(by)} of {_spread(runs, first, by)}{at}{chosen}."
    if len(ties) == 1:
        return f"By the {in_words(by)} {first.optimizer} is best: {_spread(runs, first, by)}{at}."
    return f"By the {in_words(by)} {listed(ties)} tie for the best: {_spread(runs, first, by)}{at}."


def _spread(runs: xr.Dataset, row: pd.Series, by: str) -> str:
    """The median with its range, over how many seeds or runs."""
    noun = "run" if "start" in runs else "seed"
    fresh = "fresh " if "stage" in runs and (runs.stage.values == EVALUATION).any() else ""
    if row.n == 1:
        return f"{amount(by, row['median'])} with one {fresh}{noun}"
    low, high = (_or_never(by, row[name]) for name in ("least", "greatest"))
    spread = f"{low} to {high}" if low != high else "the same in all of them"
    return f"{amount(by, row['median'])} (median of {row.n} {fresh}{noun}s, {spread})"


def _or_never(by: str, value: float) -> str:
    return amount(by, value) if np.isfinite(value) else "never" if by == STEPS else "divergence"


def _next(sound: pd.DataFrame, ties: list[str], by: str) -> Iterable[str]:
    others = sound[~sound.optimizer.isin(ties)]
    if len(others):
        labels, value = tied(others, by), others["median"].iloc[0]
        yield f"Next: {listed(labels)} with {amount(by, value)}, {behind(by, sound['median'].iloc[0], value)}."


def _unsound(table: pd.DataFrame, by: str) -> Iterable[str]:
    """The optimizers without a result where others have one."""
    if labels := table.optimizer[~np.isfinite(table["median"])].tolist():
        failed = "did not reach the target" if by == STEPS else "diverged or gave no number"
        yield f"{listed(labels)} {failed} in half of the runs or more, even at the best setting."


def _certainty(runs: xr.Dataset, sound: pd.DataFrame, ties: list[str], by: str) -> Iterable[str]:
    """How sure the first place is: by a test where there are seeds enough for one, else by the ranges over seeds."""
    first = sound.iloc[0]
    rivals = [label for label in sound.optimizer if label not in ties]
    if not rivals or min(sound.n) < 2:
        return
    tests = _tests(runs, first.optimizer, by)
    if tests is not None:
        alike = [label for label in rivals if tests[label] > LEVEL]
        name = "Wilcoxon's signed-rank test over the same seeds"
        if alike:
            yield f"By {name} {first.optimizer} cannot be told apart from {listed(alike)} (Holm's p above {LEVEL})."
        else:
            yield f"Its lead is significant by {name} (Holm's p at most {max(tests[label] for label in rivals):.2g})."
        return
    worst, best = ("greatest", "least") if sign(by) > 0 else ("least", "greatest")
    ranges = sound.set_index("optimizer")
    overlap = [label for label in rivals if sign(by) * (ranges[best][label] - ranges[worst][first.optimizer]) <= 0]
    if overlap:
        yield (
            f"The order is not sure: the range of {listed(overlap)} overlaps with that of the first, "
            "and the seeds are too few for a test."
        )
    else:
        yield f"The worst run of {first.optimizer} is better than the best of all that follow."


def _tests(runs: xr.Dataset, first: str, by: str) -> dict[str, float] | None:
    """Holm's p of the first against each other; None where so few seeds could not show a difference."""
    try:
        table = paired_tests(runs, by, against=first)
    except InputError:  # the optimizers were run on different seeds
        return None
    n = int(table.n.min())
    can_differ = n >= FEWEST and 2.0 ** (1 - n) * len(table) <= LEVEL
    return dict(zip(table.second, table.p_holm, strict=True)) if can_differ else None


def _of_test_data(runs: xr.Dataset, sound: pd.DataFrame, by: str) -> Iterable[str]:
    """The best of the test data, where optimizers are ranked by the training loss."""
    name = next((name for name in OF_TEST if name in recorded(runs)), None)
    if name is None or by not in ("final_loss", "best_loss"):
        return
    score, best = f"final_{name}", best_settings(runs, by)
    labels, values = best.optimizer.values, measured(best, score).values
    medians = sound[["optimizer"]].assign(value=[float(np.median(values[labels == x])) for x in sound.optimizer])
    ranked = medians[np.isfinite(medians.value)].sort_values("value", kind="stable", ascending=sign(score) > 0)
    if ranked.empty:
        return
    first, shown = sound.optimizer.iloc[0], amount(score, ranked.value.iloc[0])
    if len(sound) == 1:
        yield f"The {in_words(score)} is then {shown}."
        return
    ties = [label for label, value in zip(ranked.optimizer, ranked.value, strict=True) if amount(score, value) == shown]
    own = "" if first in ties else f"; {first} has {_or_never(score, medians.value.iloc[0])}"
    yield f"At the same settings the {in_words(score)} is best with {listed(ties)}, {shown}{own}."


def _at_end(sound: pd.DataFrame) -> Iterable[str]:
    others = int((sound.at_end.iloc[1:] != "").sum())
    if first := sound.at_end.iloc[0]:
        also = f" ({counted(others, 'other optimizer')} too stood at an end)" if others else ""
        yield f"Its {first}{also}: values beyond may be better."
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
    first = table.iloc[0]
    alike = table.optimizer[table.differs == "no"].tolist()
    rest = f"; it does not differ from {listed(alike)}" if alike else "; it differs from all others"
    yield (
        f"By mean ranks over {first.n} problems and seeds {first.optimizer} is first with {first.mean_rank:.3g} "
        f"(Friedman's p = {table.attrs['p']:.2g}{rest} by Nemenyi's test at 5 %)."
    )
