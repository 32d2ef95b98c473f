"""Quantities over steps: vectors taken apart, accuracies near 1 as error rates, and the panels that they share."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from adamlab.analysis.rows import over_steps
from adamlab.errors import InputError, nearest
from adamlab.plots.style import NothingToDrawError

MOST_PARTS = 6
"""The most coordinates or layers of a quantity that are drawn unless they are asked for."""

TOGETHER = ("loss", "accuracy", "error")
"""The last words of quantities that share a panel, such as loss and test_loss; of all others each has its own."""

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def columns_of(runs: xr.Dataset, names: Sequence[str]) -> tuple[dict[str, xr.DataArray], str]:
    """Quantities of one number after each step (run, step) by name, and a note on the parts that are left out.

    Args:
        runs: the dataset of a problem.
        names: recorded quantities; "v_hat[1]" or "layer_norms[W]" is one coordinate or layer of a vector.

    Raises:
        NothingToDrawError: one was not recorded.
        InputError: it has no such coordinate or layer.
    """
    problem, columns, note = runs.attrs["problem"], {}, ""
    known = over_steps(runs)
    for asked in names:
        name, _, part = asked.removesuffix("]").partition("[")
        if name not in known:
            raise NothingToDrawError(f"{problem}: no {name} was recorded over steps; there is {', '.join(known)}.")
        values = runs[name]
        if values.ndim == 2 and part:
            raise InputError(f"{problem}: {name} is one number and has no parts; take {name!r}.")
        if values.ndim == 2:
            columns |= _with_errors(name, values)
            continue
        dim = str(values.dims[2])
        numbers = [str(i + 1) for i in range(values.sizes[dim])]
        parts = [*map(str, values[dim].values)] if dim == "layer" else numbers
        if part and part not in parts:
            raise InputError(f'{problem}: {name} has no part "{part}"; {nearest(part, parts)}')
        chosen = [parts.index(part)] if part else [*range(len(parts))][:MOST_PARTS]
        if not part and len(parts) > MOST_PARTS:
            note = f"the first {MOST_PARTS} of {len(parts)}"
        letters = parts if dim == "layer" else [f"w{each.translate(SUBSCRIPTS)}" for each in parts]
        ahead = "" if name == "params" else f"{name} of "
        columns |= {f"{ahead}{letters[i]}": values.isel({dim: i}, drop=True) for i in chosen}
    return columns, note


def panels_of(columns: Iterable[str]) -> list[list[str]]:
    """The quantities of each panel."""
    groups: dict[str, list[str]] = {}
    for name in columns:
        last = name.rpartition("_")[2]
        groups.setdefault(last if last in TOGETHER else name, []).append(name)
    return [*groups.values()]


def words_of(name: str, runs: xr.Dataset) -> str:
    """A quantity's name; that of an error rate tells what it is."""
    accuracy = f"{name.removesuffix('error')}accuracy"
    return f"{name} = 1 − {accuracy}" if name.endswith("error") and accuracy in runs else name


def _with_errors(name: str, values: xr.DataArray) -> dict[str, xr.DataArray]:
    """The quantity by its name; in place of an accuracy near 1 the error rate, which a logarithmic axis spreads."""
    finite = values.values[np.isfinite(values.values)]
    near = name.endswith("accuracy") and finite.size and 0.9 < finite.max() <= 1 and finite.min() >= 0
    return {f"{name.removesuffix('accuracy')}error": 1 - values} if near else {name: values}
