"""The answer of readings: for how many states a closed form was found, and how long they remember a gradient."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from adamlab.analysis.answers.words import listed
from adamlab.analysis.readings import weight_rows

MOST_SETTINGS = 6
"""The most settings whose memory is told."""


def answer_of_readings(readings: xr.Dataset) -> str:
    """The answer in sentences."""
    names = [f"{state} of {label}" for label, state in zip(readings.label.values, readings.state.values, strict=True)]
    solved = readings.solved.values
    without = [name for name, is_solved in zip(names, solved, strict=True) if not is_solved]
    found_for = f"Closed form found for {int(solved.sum())} of {len(names)}"
    first = f"{found_for}: {listed(names)}." if not without else f"{found_for}, not for {listed(without)}."
    return " ".join([first, *_memory(readings)])


def _memory(readings: xr.Dataset) -> Iterable[str]:
    rows = weight_rows(readings)
    if rows.empty:
        return
    settings = readings.attrs["settings"]
    parts = [
        f"{row['halved_after']} steps ({', '.join(_of_row(row, settings))})"
        for row in rows.to_dict("records")[:MOST_SETTINGS]
    ]
    more = f", and of {len(rows) - MOST_SETTINGS} other settings in the table" if len(rows) > MOST_SETTINGS else ""
    yield f"A gradient weighs at most half of what it did after {', '.join(parts)}{more}."


def _of_row(row: dict, settings: list[str]) -> list[str]:
    return [f"{row['state']} of {row['label']}", *(f"{n} {row[n]:.6g}" for n in settings if np.isfinite(row[n]))]
