"""Curves: recorded quantities over steps, of the best settings or of all."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import of_optimizer, optimizers, over_seeds
from adamlab.analysis.scores import sign
from adamlab.errors import InputError
from adamlab.plots.runs.choice import choose, runs_at
from adamlab.plots.runs.over_steps.medians import Median, draw_medians, medians_of, steps_per, x_label
from adamlab.plots.runs.over_steps.quantities import TOGETHER, columns_of, panels_of, words_of
from adamlab.plots.runs.over_steps.sweeps import draw_all_settings
from adamlab.plots.style import NothingToDrawError, describe, figure, name_lines, panels, twins
from adamlab.plots.words import best_of, listing, number

OVER = ("step", "epoch", "seconds")
"""What curves can be drawn over."""

LACKING = {
    "epoch": "it has no epochs, since it draws no batches of a data set",
    "seconds": 'how long its runs took was not recorded; put "seconds" among record.what',
}

SETTINGS = ("best", "all")
"""The settings whose curves can be drawn."""


def curves(
    runs: xr.Dataset,
    what: str | Sequence[str] = "loss",
    mean: bool = False,
    over: str = "step",
    settings: str = "best",
    setting: str | None = None,
    by: str | None = None,
    at: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Recorded quantities over steps: the median over seeds at each best setting, or the medians of all settings.

    Around a median is a band from the least to the greatest value. A run that diverged counts as infinite: where the
    median is infinite, the line breaks off. Accuracies near 1 are drawn as error rates, 1 − accuracy. Each coordinate
    or layer of a vector has a panel, as have several quantities; losses share theirs.

    Args:
        runs: the dataset of a problem.
        what: a recorded quantity, or several: "loss", a metric such as "test_accuracy", "v_hat"; "v_hat[1]" or
            "layer_norms[W]" is one coordinate or layer.
        mean: whether to draw the mean with a band of its standard error; it breaks off where any run diverged.
        over: "step"; "epoch", the steps divided by those that take as many examples as there are; or "seconds", where
            these were recorded: the steps times the seconds of a step, the median of an optimizer's runs.
        settings: "best" or "all", coloured by a number, with a panel for each optimizer.
        setting: the number that colours all settings; by default the first that has several values.
        by: the criterion of the best setting, see `adamlab.analysis.score`; by default the dataset's.
        at: numbers at which settings are compared, such as "learning_rate=0.01, b2=0.9".
        ax: axes to draw into.

    Raises:
        NothingToDrawError: a quantity was not recorded, or what it is to be drawn over.
        InputError: it cannot be drawn over that, or not into single axes.
    """
    if over not in OVER:
        raise InputError(f'curves are drawn over "step", "epoch" or "seconds", not {over!r}')
    if settings not in SETTINGS:
        raise InputError(f'curves are drawn of the "best" settings or of "all", not of {settings!r}')
    if over != "step" and {"epoch": "steps_per_epoch", "seconds": "seconds"}[over] not in {*runs.attrs, *runs}:
        raise NothingToDrawError(f"{runs.attrs['problem']}: {LACKING[over]}.")
    per = partial(steps_per, over)
    columns, note = columns_of(runs, [what] if isinstance(what, str) else what)
    groups = panels_of(columns)
    whole = runs.assign(columns)
    if settings == "all" and len(columns) > 1:
        raise InputError(f"all settings are drawn of one quantity; what has {listing([*columns])}.")
    if ax is not None and len(groups) > 1:
        first = _asked(groups[0][0])
        raise InputError(f"ax: expected what fits into one panel; {what!r} takes {len(groups)}. Take what={first!r}.")
    best, words = choose(whole, by, at)
    if settings == "all":
        return draw_all_settings(runs_at(whole, at), next(iter(columns)), setting, over, per, ax)
    statistics = {name: over_seeds(runs_at(whole, at), name, by=by) if mean else None for name in columns}
    by_name = {name: medians_of(whole, best, name, per, statistics[name]) for name in columns}
    medians = [[median for name in group for median in by_name[name]] for group in groups]
    if not any(medians):
        raise NothingToDrawError(f"{runs.attrs['problem']}: no finite {listing([*columns])} of any optimizer.")
    groups = [group for group, drawn in zip(groups, medians, strict=True) if drawn]
    medians = [drawn for drawn in medians if drawn]
    title = f"{listing([*columns])}{f', {note},' if note else ''} of each optimizer at {words}"
    if len(groups) == 1:
        fig, axes = figure(runs, title, ax=ax)
        axes.set(xlabel=x_label(over), ylabel=_band(best, groups[0], mean, runs))
        places = [axes]
    else:
        fig, places = panels(runs, title, [words_of(" and ".join(group), runs) for group in groups], x_label(over))
    drawn = [draw_medians(*each) for each in zip(places, [whole] * len(groups), groups, medians, strict=True)]
    most = max(range(len(groups)), key=lambda i: len(medians[i]))
    name_lines(fig, ax, *drawn[most])
    if ax is None:
        describe(fig, _sentence(whole, best, medians, over, words, mean))
    return fig


def _asked(column: str) -> str:
    """The name by which a column is asked for."""
    name, _, part = column.rpartition(" of ")
    return f"{name or 'params'}[{1 if part == 'w₁' else part}]" if name or part == "w₁" else column


def _band(best: xr.Dataset, group: Sequence[str], mean: bool, runs: xr.Dataset) -> str:
    """The label of the y axis: the quantity, and what is drawn of how many runs."""
    count = best.sizes["run"] // max(1, len(optimizers(best)))
    name = words_of(group[0], runs) if len(group) == 1 else group[0].rpartition("_")[2]
    drawn, unit = "mean ± standard error" if mean else "median and range", "runs" if "start" in runs else "seeds"
    separator = "\n" if len(name) > 20 else " "
    return f"{name}{separator}({drawn} of {count} {unit})" if count > 1 else name


def _sentence(
    runs: xr.Dataset,
    best: xr.Dataset,
    medians: Sequence[Sequence[Median]],
    over: str,
    words: str,
    mean: bool,
) -> str:
    """The caption: who, over what, at which settings and seeds, and who ends where."""
    column = medians[0][0].column
    names = list(dict.fromkeys(median.column for drawn in medians for median in drawn))
    count = best.sizes["run"] // max(1, len(optimizers(best)))
    which = "a single run" if count == 1 else f"the {'mean' if mean else 'median'} of {count} runs"
    unit = {"step": "steps", "epoch": "epochs"}.get(over, x_label(over))
    length = f"{runs.step.values[-1]:,}" if over == "step" else number(max(median.x[-1] for median in medians[0]))
    quantities, problem = listing([words_of(name, runs) for name in names]), runs.attrs["problem"]
    sentence = f"{quantities} over {length} {unit} on {problem}, {which} of each optimizer at {words}"
    first = [median for median in medians[0] if median.column == column]
    if column.rpartition("_")[2] in TOGETHER:
        sentence += _order(runs, first, sign(column))
    sentence += _broken_off(best, [median.label for median in first if np.isnan(median.middle[-1])], mean)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _order(runs: xr.Dataset, medians: Sequence[Median], direction: int) -> str:
    """Who ends best, and who next; twins that end alike count as a single optimizer."""
    names = {median.label: median.name for median in medians}
    ends = {median.label: float(median.middle[-1]) for median in medians if np.isfinite(median.middle[-1])}
    if not ends:
        return ""
    twin_of = twins(runs)
    best = best_of(ends, direction)
    leading = {twin_of.get(label, label) for label in best}
    behind = {label: end for label, end in ends.items() if twin_of.get(label, label) not in leading}
    said = [names[label] for label in best if twin_of.get(label) not in best]
    end = f"{listing(said)} end{'s' * (len(said) == 1)}"
    if not behind:
        return f": {end} at {number(ends[best[0]])}"
    side, following = "highest" if direction < 0 else "lowest", best_of(behind, direction)
    others = listing([label for label in following if twin_of.get(label) not in following])
    return f": {end} {side}, at {number(ends[best[0]])}, before {others} at {number(behind[following[0]])}"


def _broken_off(best: xr.Dataset, labels: Sequence[str], mean: bool) -> str:
    """Whose lines have no end, and why."""
    shares = {label: (of_optimizer(best, label).diverged_at.values >= 0).mean() for label in labels}
    fallen = [label for label, share in shares.items() if share >= 0.5]
    others = [label for label in labels if label not in fallen]
    parts = [f"; of {listing(fallen)} at least half of the runs diverged"] if fallen else []
    parts += [f"; of {listing(others)} the {'mean' if mean else 'median'} is not finite at the end"] if others else []
    return "".join(parts)
