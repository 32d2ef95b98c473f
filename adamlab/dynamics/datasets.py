"""The data of pictures of stability and of influence: what formulas say, beside what runs of the optimizer do."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from adamlab.dynamics.quadratic_runs import FARTHEST, distances, diverges
from adamlab.dynamics.step_map import StepMap, defaults_of, in_words, known_to_each
from adamlab.errors import InputError
from adamlab.symbolic.letters import T
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer
from adamlab.symbolic.solving.influence import Influence, influence

POINTS, MOMENTA = 401, 61
"""The products η·h of a curve, and the momenta of a region."""

RUN_PRODUCTS, RUN_MOMENTA = 31, 16
"""The numbers of products and of momenta at which an optimizer is run."""

STEPS = 1200
"""The steps of a run that decides whether it diverges."""

BEYOND, WIDEST = 1.15, 8.0
"""The extent of a picture: so far beyond the largest threshold, but no farther than some product η·h."""


def rates(optimizers: Sequence[Optimizer], hyper: Mapping[str, Any] | None = None) -> xr.Dataset:
    """The spectral radius of each optimizer's step over η·h, the factor by which it comes closer to the minimum.

    The curvature is 1; of an adaptive optimizer it is the preconditioned curvature.

    Args:
        optimizers: specs or factories, each with its learning rate left open.
        hyper: numbers by name, for each optimizer that has them; of others that are left open the defaults are taken.

    Returns:
        `radius` over optimizer × product, with the coordinates `threshold`, the product up to which an optimizer
        converges, and `is_preconditioned`.

    Raises:
        InputError: an optimizer has no linear step, no open learning rate, or a number without a value.
    """
    maps = [StepMap.of(optimizer, known) for optimizer, known in known_to_each(optimizers, hyper)]
    thresholds = np.array([each.threshold() for each in maps])
    products = _products(thresholds)
    radii = np.array([each.radii(1.0, products) for each in maps])
    return xr.Dataset(
        {"radius": (("optimizer", "product"), radii)},
        {
            "optimizer": np.array([each.title for each in maps], object),
            "product": products,
            "threshold": ("optimizer", thresholds),
            "is_preconditioned": ("optimizer", np.array([each.is_preconditioned for each in maps])),
        },
        _attributes("a quadratic", "stability"),
    )


def eigenvalues(optimizer: Optimizer, hyper: Mapping[str, Any] | None = None) -> xr.Dataset:
    """The eigenvalues of an optimizer's step as η·h grows.

    Args:
        optimizer: a spec or a factory with its learning rate left open.
        hyper: as for `rates`.

    Returns:
        `real` and `imaginary` over product × root, each root next to where it was before; and the `threshold`.

    Raises:
        InputError: as `rates`.
    """
    read = StepMap.of(optimizer, hyper)
    threshold = read.threshold()
    products = _products(np.array([threshold]))
    roots = np.linalg.eigvals(read.matrices(1.0, products)).astype(np.complex128)
    for before, after in pairwise(roots):
        after[:] = after[_nearest(before, after)]
    return xr.Dataset(
        {"real": (("product", "root"), np.real(roots)), "imaginary": (("product", "root"), np.imag(roots))},
        {"product": products, "threshold": threshold, "is_preconditioned": read.is_preconditioned},
        _attributes(read.title, "stability"),
    )


def region(optimizer: Optimizer, hyper: Mapping[str, Any] | None = None, momentum: str = "") -> xr.Dataset:
    """The stability of an optimizer over η·h and its momentum: the spectral radius, and which runs diverge.

    Args:
        optimizer: a spec or a factory with its learning rate and a decay rate left open.
        hyper: as for `rates`.
        momentum: the decay rate on the other axis; by default the first that the step depends on.

    Returns:
        `radius` over momentum × product, with the `threshold` of each momentum, a certified number; and `diverges`,
        of runs of the optimizer itself over run_momentum × run_product.

    Raises:
        InputError: as `rates`, or no decay rate is open.
    """
    read = StepMap.of(optimizer, hyper, momentum)
    momenta = (np.arange(MOMENTA) + 0.5) / MOMENTA
    thresholds = np.array([read.threshold(b) for b in momenta])
    products = _products(thresholds)
    xs = products[-1] * (np.arange(RUN_PRODUCTS) + 0.5) / RUN_PRODUCTS
    ys = (np.arange(RUN_MOMENTA) + 0.5) / RUN_MOMENTA
    x, y = (axis.ravel() for axis in np.meshgrid(xs, ys))
    sizes, _ = distances(read.linear, read.numbers_at(x, y), np.ones((x.size, 1)), STEPS)
    return xr.Dataset(
        {
            "radius": (("momentum", "product"), read.radii(1.0, products, momenta[:, None])),
            "diverges": (("run_momentum", "run_product"), diverges(sizes[:, :, 0]).reshape(len(ys), len(xs))),
        },
        {
            "product": products,
            "momentum": momenta,
            "threshold": ("momentum", thresholds),
            "run_product": xs,
            "run_momentum": ys,
            "is_preconditioned": read.is_preconditioned,
        },
        {**_attributes(read.title, "stability"), "letter": read.letter_of_momentum},
    )


def spectrum(
    optimizer: Optimizer,
    hyper: Mapping[str, Any] | None = None,
    curvatures: Sequence[float] = (1.0, 3.0, 10.0, 30.0, 100.0),
    steps: int = 100,
) -> xr.Dataset:
    """The distance from a quadratic's minimum along each eigen-direction of its Hessian: measured, and predicted.

    Args:
        optimizer: a spec or a factory.
        hyper: numbers by name. The learning rate, and a decay rate without a default, are those that converge fastest
            on these curvatures where they are not given.
        curvatures: the eigenvalues of the Hessian; of an adaptive optimizer those of the preconditioned one.
        steps: of the run.

    Returns:
        Over curvature × step, the `measured` and the `predicted` distance, by the powers of the step's map, in units of
        the start; and the spectral `radius` of each curvature. A run that diverges ends far away, and is NaN from then
        on.

    Raises:
        InputError: as `rates`, or fewer than two curvatures.
    """
    try:
        values = np.array(sorted({*map(float, curvatures)}))
    except (TypeError, ValueError) as error:
        raise InputError(f"expected curvatures, such as [1, 10, 100]; not {curvatures!r}.") from error
    if values.size < 2 or not (np.isfinite(values).all() and values[0] > 0):
        raise InputError(f"expected at least two different curvatures above 0, not {[*curvatures]!r}.")
    if not isinstance(steps, int) or steps < 1:
        raise InputError(f"expected a whole number of steps, at least one; not {steps!r}.")
    read = StepMap.fastest(optimizer, hyper, values)
    sizes, _ = distances(read.linear, read.numbers, values[None], steps)
    has_ended = np.roll(sizes[0].max(axis=1) >= FARTHEST, 1)
    has_ended[0] = False
    maps = read.matrices(values)
    state = np.zeros((len(values), maps.shape[-1]))
    state[:, 0] = 1.0
    predicted = [state]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            predicted.append(np.einsum("hij,hj->hi", maps, predicted[-1]))
    foreseen = np.abs(np.array(predicted)[:, :, 0]).T
    return xr.Dataset(
        {
            "measured": (("curvature", "step"), np.where(has_ended, np.nan, sizes[0].T)),
            "predicted": (("curvature", "step"), np.where(np.isfinite(foreseen), foreseen, np.nan)),
        },
        {
            "curvature": values,
            "step": np.arange(steps + 1),
            "radius": ("curvature", read.radii(values)),
            "is_preconditioned": read.is_preconditioned,
        },
        _attributes(read.title, "stability"),
    )


def shares(
    optimizers: Sequence[Optimizer], hyper: Mapping[str, Any] | None = None, ages: int = 50, t: int = 1000
) -> xr.Dataset:
    """The share of each gradient of the past in an optimizer's update, by its age.

    Args:
        optimizers: specs or factories.
        hyper: as for `rates`.
        ages: how many ages to tell, from 0 on.
        t: the step of the update.

    Returns:
        `share` over optimizer × age, with the coordinates `half_life` and `mean_age`, NaN where they have no formula.

    Raises:
        InputError: an update is no weighted sum of gradients, or a number has no value.
    """
    if not isinstance(ages, int) or not 1 <= ages <= t:
        raise InputError(f"expected a number of ages from 1 to the step of the update, {t}; not {ages!r}.")
    reads = []
    for optimizer, known in known_to_each(optimizers, hyper):
        read, defaults = influence(optimizer, known), defaults_of(OpenOptimizer.of(optimizer, known))
        weighed = read.update.relative.formula.free_symbols
        numbers = {n: defaults[n] for n, s in read.hyper.items() if s in weighed and n in defaults}
        reads.append((in_words(read.title, {**known, **numbers}), read, numbers))
    return shares_of(reads, ages, t)


def shares_of(reads: Sequence[tuple[str, Influence, Mapping[str, Any]]], ages: int = 50, t: int = 1000) -> xr.Dataset:
    """The data of `shares` of influences that were derived already: each with its name and its numbers."""
    values, told = [], []
    for _, read, numbers in reads:
        at = {T: t, **{read.hyper[name]: value for name, value in numbers.items()}}
        values.append(read.shares_at(t, **numbers)[:ages])
        told.append([np.nan if e is None else float(e.xreplace(at)) for e in (read.half_life, read.mean_age)])
    half_lives, mean_ages = np.array(told).T
    return xr.Dataset(
        {"share": (("optimizer", "age"), np.array(values))},
        {
            "optimizer": np.array([name for name, _, _ in reads], object),
            "age": np.arange(ages),
            "half_life": ("optimizer", half_lives),
            "mean_age": ("optimizer", mean_ages),
        },
        {**_attributes(f"step {t:,}", "influence"), "t": t},
    )


def _products(thresholds: np.ndarray) -> np.ndarray:
    """The products η·h of a picture, from almost 0 to beyond the thresholds."""
    inside = thresholds[(thresholds > 0) & (thresholds <= WIDEST)]
    end = min(BEYOND * inside.max(), WIDEST) if inside.size else WIDEST
    return end * np.arange(1, POINTS + 1) / POINTS


def _nearest(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The order of some points in which each is next to the point before."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.abs(before[:, None] - after[None, :]))[1]


def _attributes(title: str, of: str) -> dict[str, Any]:
    return {"of": of, "problem": title, "metrics": [], "settings": []}
