"""Performance profiles: how often an optimizer is within a factor of the best."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from adamlab.analysis.comparing.instances import Results, by_instance
from adamlab.errors import InputError


def performance_profiles(
    results: Results, cost: Callable[[xr.Dataset], xr.DataArray] | None = None, by: str | None = None
) -> xr.Dataset:
    """The share ρ_s(τ) of instances on which each optimizer costs at most τ times what the cheapest costs.

    Dolan & Moré 2002, section 2: with t_{p,s} the cost of solver s on problem p, the performance ratio is
    r_{p,s} = t_{p,s} / min_s t_{p,s}, and ρ_s(τ) = (1/n_p) |{p : r_{p,s} ≤ τ}|. A run that failed has the ratio r_M,
    which no other reaches; here it is ∞. ρ_s(1) is how often a solver is the cheapest, ties counting for all, and
    ρ_s at the greatest τ how often it succeeds at all. Where the cheapest costs nothing the ratio is 1 of those that
    cost nothing and ∞ of the others.

    Args:
        results: the dataset of a problem, or several by name.
        cost: gives the cost of each run of a dataset (run,), such as
            `lambda runs: al.analysis.steps_to(runs, target=1e-3)`; negative, ∞ or NaN where the run failed. By default
            the recorded `steps_to_target`.
        by: what each optimizer's best setting is chosen by, see `adamlab.analysis.score`.

    Returns:
        `ratio` (optimizer × instance) and `profile` (optimizer × factor), which steps up at the factors τ given and at
        no others; coordinates of an instance: `problem`, `seed`, and `start` where there are several.

    Raises:
        InputError: no cost was given or recorded, or no instance has results of all optimizers.
    """
    costs, problem = by_instance(results, cost or _recorded_cost, by)
    spent = np.where(costs.values >= 0, costs.values, np.inf)
    least = spent.min(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(np.isinf(spent), np.inf, np.where(spent == least, 1.0, spent / least))
    factors = np.unique(np.append(ratios[np.isfinite(ratios)], 1.0))
    within = [np.searchsorted(np.sort(row), factors, side="right") / len(row) for row in ratios]
    return xr.Dataset(
        {"ratio": (costs.dims, ratios), "profile": (("optimizer", "factor"), np.array(within))},
        {**costs.coords, "factor": factors},
        {"problem": problem},
    )


def _recorded_cost(runs: xr.Dataset) -> xr.DataArray:
    if "steps_to_target" not in runs:
        raise InputError(
            f'{runs.attrs["problem"]}: a profile takes a cost; record "steps_to_target", or give one, such as '
            "cost=lambda runs: al.analysis.steps_to(runs, target=1e-3)."
        )
    return runs.steps_to_target
