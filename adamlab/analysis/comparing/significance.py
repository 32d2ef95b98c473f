"""Tests of whether optimizers differ: paired ones over the same seeds, and Friedman's over problems, with Nemenyi's."""

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from adamlab.analysis.comparing.instances import Results, by_instance, datasets
from adamlab.analysis.comparing.ranking import average_ranks
from adamlab.analysis.scores import criterion, score, sign
from adamlab.analysis.tables import standings
from adamlab.errors import InputError, nearest

FEWEST = 5
"""The fewest pairs or blocks with which a test is shown unasked: of five the least two-sided p is 1/16."""


def paired_tests(results: Results, by: str | None = None, against: str | None = None) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of each two optimizers over the same problems, seeds and starts.

    Each optimizer is at its best setting for the problem. The null hypothesis is that the differences are as likely
    above 0 as below; p is two-sided and exact where there are few pairs without ties (Wilcoxon 1945; Demšar 2006,
    section 3.1.3). Pairs without a difference are left out, and a run that diverged is further off than any other. Over
    several problems differences in the loss are compared as they are, so that one problem can outweigh the others: take
    them one by one, or `friedman`. Where settings were chosen on the same seeds, the test flatters who chose from more.

    Args:
        results: the dataset of a problem, or several by name.
        by: what runs are compared by, see `adamlab.analysis.score`.
        against: an optimizer; only pairs with it are tested.

    Returns:
        A row for each pair: `first`, `second`, the number `n` of pairs of runs, on how many of them the first or the
        second `first_wins`, `second_wins`, the median `difference` of first − second, which of them the signed ranks
        favour as `favours` (neither: ""), `p`, and `p_holm`, which is adjusted for so many tests (Holm 1979). Ranks
        can favour another than the medians do. The criterion's name is the table's attribute `by`.

    Raises:
        InputError: there is no such optimizer, there is one alone, or no instance has results of all optimizers.
    """
    by = criterion(next(iter(datasets(results).values())), by)
    scores, _ = by_instance(results, lambda runs: score(runs, by), by)
    labels = scores.optimizer.values.tolist()
    if len(labels) < 2:
        raise InputError(f"a paired test takes two optimizers; there is {labels[0]} alone.")
    if against is not None and against not in labels:
        raise InputError(f'there is no optimizer "{against}"; {nearest(against, labels)}')
    pairs = combinations(labels, 2) if against is None else ((against, label) for label in labels if label != against)
    of = dict(zip(labels, scores.values, strict=True))
    table = pd.DataFrame([_tested(first, second, of[first], of[second], sign(by)) for first, second in pairs])
    table["p_holm"] = holm(table.p.to_numpy())
    table.attrs["by"] = by
    return table


def friedman(results: Results, by: str | None = None, level: float = 0.95) -> xr.Dataset:
    """Friedman's test of whether optimizers differ at all, and Nemenyi's critical difference of their mean ranks.

    Demšar 2006, section 3.2.2: on every block, a problem with a seed (and a start), the k optimizers are ranked, each
    at its best setting for the problem. Two of them differ where their mean ranks over the N blocks are at least
    q √(k (k + 1) / 6N) apart, q being the quantile of the studentized range over √2. Seeds of one problem are more
    alike than problems are: what is claimed of other problems needs many problems.

    Args:
        results: the dataset of a problem, or several by name.
        by: what runs are compared by, see `adamlab.analysis.score`.
        level: the confidence, over all pairs together, that none is told to differ that does not.

    Returns:
        `mean_rank` (optimizer,); `statistic`, Friedman's χ² corrected for ties, with its `p`; `critical_difference`;
        and `n`, the number of blocks.

    Raises:
        InputError: there are fewer than three optimizers, the level is not between 0 and 1, or no instance has results
            of all optimizers.
    """
    from scipy.stats import friedmanchisquare

    if not 0 < level < 1:
        raise InputError(f"expected a level between 0 and 1; got {level}.")
    problems = datasets(results)
    scores, problem = by_instance(problems, lambda runs: score(runs, by), by)
    count, blocks = scores.shape
    if count < 3:
        raise InputError(f"Friedman's test takes three optimizers; there are {count}. Take paired_tests.")
    ranks = average_ranks(scores.values)
    differs = (ranks != ranks[0]).any()
    statistic, p = friedmanchisquare(*ranks) if differs else (0.0, 1.0)
    return xr.Dataset(
        {
            "mean_rank": ("optimizer", ranks.mean(axis=1)),
            "statistic": statistic,
            "p": p,
            "critical_difference": critical_difference(count, blocks, level),
            "n": blocks,
        },
        {"optimizer": scores.optimizer},
        {"problem": problem, "by": criterion(next(iter(problems.values())), by), "level": level},
    )


def critical_difference(optimizers: int, blocks: int, level: float = 0.95) -> float:
    """Nemenyi's critical difference of mean ranks, see `friedman`."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(level, optimizers, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(optimizers * (optimizers + 1) / (6 * blocks)))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values, which stand for as many tests (Holm 1979)."""
    order = np.argsort(p)
    rising = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(rising, 1)[np.argsort(order)]


def against_first(runs: xr.Dataset) -> pd.DataFrame:
    """The rows of `paired_tests` of every optimizer against the first of the standings; none of fewer than 5 pairs."""
    ranked = standings(runs)
    if len(ranked) < 2:
        return pd.DataFrame()
    try:
        table = paired_tests(runs, against=ranked.optimizer[0])
    except InputError:  # the optimizers were run on different seeds
        return pd.DataFrame()
    shown = table[table.n >= FEWEST].set_index("second").reindex(ranked.optimizer[1:]).dropna().reset_index()
    shown = shown.astype({"n": int, "first_wins": int, "second_wins": int})
    shares = ["difference"] if sign(table.attrs["by"]) < 0 else []
    shown.attrs |= {"by": table.attrs["by"], "first": ranked.optimizer[0], "percent": shares}
    return shown.drop(columns="first")


def rank_rows(results: Results) -> pd.DataFrame:
    """A row for each optimizer: its mean rank over several problems, best first, and whether it differs from the first.

    No rows where Friedman's test has fewer than three optimizers, five blocks or two problems.
    """
    problems = datasets(results)
    try:
        test = friedman(problems) if len(problems) > 1 else None
    except InputError:  # few optimizers, another criterion on each problem, or no block that all were run on
        test = None
    if test is None or test.n < FEWEST:
        return pd.DataFrame()
    order = np.argsort(test.mean_rank.values, kind="stable")
    ranks = test.mean_rank.values[order]
    behind = ranks - ranks[0]
    differs = behind >= float(test.critical_difference)
    table = pd.DataFrame(
        {
            "optimizer": test.optimizer.values[order],
            "mean_rank": ranks,
            "n": int(test.n),
            "behind": behind,
            "differs": np.where(differs, "yes", "no"),
        }
    )
    table.loc[0, "differs"] = ""
    table.attrs |= {"by": test.attrs["by"], "p": float(test.p), "difference": float(test.critical_difference)}
    return table


def _tested(first: str, second: str, ours: np.ndarray, theirs: np.ndarray, direction: int) -> dict[str, object]:
    from scipy.stats import rankdata, wilcoxon

    with np.errstate(invalid="ignore"):
        apart = np.where(ours == theirs, 0.0, ours - theirs)
    unequal = apart[apart != 0]
    ranks = np.sign(unequal) @ rankdata(np.abs(unequal))
    return {
        "first": first,
        "second": second,
        "n": len(apart),
        "first_wins": int((apart < 0).sum()),
        "second_wins": int((apart > 0).sum()),
        "difference": direction * float(np.median(apart)),
        "favours": {-1: first, 0: "", 1: second}[int(np.sign(ranks))],
        "p": float(np.asarray(wilcoxon(unequal))[1]) if unequal.size else 1.0,
    }
