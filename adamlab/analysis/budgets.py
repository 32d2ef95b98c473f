"""The value of tuning: the best score among so many random trials."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.rows import optimizers
from adamlab.analysis.scores import STEPS, criterion, sign
from adamlab.analysis.settings import setting_scores
from adamlab.errors import InputError, cut

POINTS = 100
"""About how many numbers of trials are taken where none are given."""


def tuning_budget(
    runs: xr.Dataset,
    by: str | None = None,
    trials: Sequence[int] | None = None,
    quantiles: Sequence[float] = (0.25, 0.5, 0.75),
    replacement: bool = False,
    steps: Sequence[int] | None = None,
) -> xr.Dataset:
    """The best score after k random trials out of an optimizer's n settings: its exact expectation and quantiles.

    Without replacement, with the scores in order s_(1) ≤ … ≤ s_(n),
    E = Σ_i s_(i) C(n−i, k−1) / C(n, k): the mean over all sets of k settings, and so an unbiased estimate for k draws
    from what the settings were drawn from (Tang et al. 2020, arXiv 2004.13705). With replacement it is the estimate of
    Dodge et al. 2019, section 3, E = Σ_i s_(i) (((n−i+1)/n)^k − ((n−i)/n)^k), which draws settings twice and so makes
    tuning look worse than it is, with a smaller variance (Dodge et al. 2021, arXiv 2110.00613). A trial is one setting
    on all its seeds; its score is the median, see `setting_scores`. Settings on a grid were not drawn at random: for
    them the result is what a random search of the same grid would find.

    Args:
        runs: the dataset of a problem; where it has stages, the runs of "tuning" count.
        by: what settings are compared by, see `adamlab.analysis.score`.
        trials: the numbers k; by default about 100 from 1 to n, even on a logarithmic scale.
        quantiles: which ones, in [0, 1], of the best score's distribution, from the lucky to the unlucky.
        replacement: whether a setting can be drawn twice.
        steps: recorded steps at which runs are stopped, see `stopped_at`; by default they are run to their end.

    Returns:
        `expected_best` (optimizer × trials) and `best_quantiles` (quantile × optimizer × trials), the least score
        that so much of the distribution is at or below; `settings` (optimizer,), their number n. An accuracy has its
        own sign. The expectation is ∞ (−∞ of an accuracy) where all of the trials can diverge. NaN where k > n. Over
        `steps` too, where these are given.

    Raises:
        InputError: a number of trials is below 1, or a step was not recorded.
    """
    by = criterion(runs, by)
    if steps is not None:
        stopped = [tuning_budget(stopped_at(runs, step), by, trials, quantiles, replacement) for step in steps]
        return xr.concat(stopped, pd.Index(steps, name="steps")).assign(settings=stopped[0].settings)
    table, labels = setting_scores(runs, by), optimizers(runs)
    scores = [np.sort(table.score.values[table.optimizer.values == label]) for label in labels]
    counts = np.array([len(each) for each in scores])
    wanted = np.unique(_default_trials(counts) if trials is None else np.asarray(trials, int))
    if wanted.size and wanted[0] < 1:
        raise InputError(f"expected numbers of trials from 1 up; got {wanted[0]}.")
    levels = np.asarray(quantiles, float)
    expected = np.full((len(labels), len(wanted)), np.nan)
    best = np.full((len(levels), *expected.shape), np.nan)
    for i, each in enumerate(scores):
        for j, k in enumerate(wanted):
            if k <= counts[i] or replacement:
                expected[i, j], best[:, i, j] = _best_of(each, int(k), levels, replacement)
    return xr.Dataset(
        {
            "expected_best": (("optimizer", "trials"), sign(by) * expected),
            "best_quantiles": (("quantile", "optimizer", "trials"), sign(by) * best),
            "settings": ("optimizer", counts),
        },
        {"optimizer": labels, "trials": wanted, "quantile": levels},
        {"problem": runs.attrs["problem"], "by": by},
    )


def best_per_budget(
    runs: xr.Dataset, by: str | None = None, budgets: Sequence[int] | None = None, steps: Sequence[int] | None = None
) -> xr.Dataset:
    """The best score to be expected of a budget of steps, divided into as many random trials as suits it best.

    A budget of B steps pays for k trials that are stopped after B / k steps: many short ones, or few long ones. The
    score is that of `tuning_budget`; a run that is stopped early keeps the schedule of the whole run.

    Args:
        runs: the dataset of a problem; where it has stages, the runs of "tuning" count.
        by: what settings are compared by, see `adamlab.analysis.score`.
        budgets: the numbers of steps in all, of one seed; by default about 100 up to that of all settings.
        steps: the recorded steps at which trials may be stopped; by default about 20 of them.

    Returns:
        `expected_best`, and the number of `trials` and of `steps` that it takes (optimizer × budget); NaN and −1 where
        the budget is below a single trial.

    Raises:
        InputError: a step was not recorded.
    """
    by = criterion(runs, by)
    after = runs.step.values[runs.step.values > 0]
    some = np.unique(after[np.rint(np.geomspace(1, len(after), 20)).astype(int) - 1]).tolist()
    lengths = some if steps is None else list(steps)
    most = int(setting_scores(runs, by).optimizer.to_series().value_counts().max())
    scores = tuning_budget(runs, by, range(1, most + 1), quantiles=(), steps=lengths)
    wanted = _default_budgets(min(lengths), most * max(lengths)) if budgets is None else np.asarray(budgets, int)
    cost = scores.steps.values[:, None] * scores.trials.values
    # (optimizer, steps × trials), a lower number being better
    expected = (sign(by) * scores.expected_best.transpose("optimizer", "steps", "trials")).values.reshape(-1, cost.size)
    shape = (len(expected), len(wanted))
    best, trials, stopped = np.full(shape, np.nan), np.full(shape, -1), np.full(shape, -1)
    for j, budget in enumerate(wanted):
        for i, each in enumerate(expected):
            paid = np.flatnonzero((cost.ravel() <= budget) & ~np.isnan(each))
            if paid.size:
                chosen = paid[np.argmin(each[paid])]
                best[i, j] = each[chosen]
                stopped[i, j] = scores.steps.values[chosen // most]
                trials[i, j] = scores.trials.values[chosen % most]
    return xr.Dataset(
        {
            "expected_best": (("optimizer", "budget"), sign(by) * best),
            "trials": (("optimizer", "budget"), trials),
            "steps": (("optimizer", "budget"), stopped),
        },
        {"optimizer": scores.optimizer, "budget": wanted},
        {"problem": runs.attrs["problem"], "by": by},
    )


def stopped_at(runs: xr.Dataset, step: int) -> xr.Dataset:
    """The runs as they were after a recorded step: what came later, a divergence or a target, has not happened.

    Raises:
        InputError: that step was not recorded.
    """
    if step not in runs.step.values:
        raise InputError(f"expected recorded steps; got {step}, and recorded are {cut(str(runs.step.values), 100)}.")
    since = {name: runs[name].where(runs[name] <= step, -1) for name in ("diverged_at", STEPS) if name in runs}
    return runs.isel(step=np.flatnonzero(runs.step.values <= step)).assign(since)


def _default_budgets(least: int, most: int) -> np.ndarray:
    return np.unique(np.rint(np.geomspace(least, most, POINTS)).astype(int))


def _default_trials(counts: np.ndarray) -> np.ndarray:
    most = counts.max(initial=1)
    return np.concatenate([np.rint(np.geomspace(1, most, POINTS)).astype(int), counts])


def _best_of(scores: np.ndarray, k: int, levels: np.ndarray, replacement: bool) -> tuple[float, np.ndarray]:
    """The expectation and the quantiles of the least of k draws from sorted scores."""
    n = len(scores)
    if replacement:
        left = (np.arange(n, -1, -1) / n) ** k  # P(the best is none of the first i)
        chances = left[:-1] - left[1:]
    else:
        i = np.arange(n)
        left = np.cumprod(np.append(1.0, np.maximum(n - k - i, 0) / (n - i)))
        chances = left[:-1] * k / (n - i)  # of what is left, k are drawn: no cancellation in the tail
    infinite = np.isinf(scores).sum()
    can_be_infinite = infinite > 0 and (replacement or k <= infinite)
    finite = np.isfinite(scores)
    expected = np.inf if can_be_infinite else float(chances[finite] @ scores[finite])
    rounding = 4 * n * np.finfo(float).eps  # of n products, so that a level that is met counts as met
    return expected, scores[np.searchsorted(1 - left[1:], levels - rounding)]
