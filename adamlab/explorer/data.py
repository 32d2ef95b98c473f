"""The data of an explorer's page: what every run recorded, thinned until it fits, as plain data."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from adamlab.analysis import finished, optimizers, setting_scores
from adamlab.analysis.rows import EVALUATION, is_tuning, setting_of
from adamlab.analysis.scores import criterion, sign
from adamlab.plots.landscapes import round_levels
from adamlab.plots.style import COLORS

MOST_BYTES = 4_000_000
"""The most bytes of all recorded numbers on a page."""

FEWEST_STEPS = 40
"""The number of steps below which seeds are left out before more steps are."""

MOST_SETTINGS = 2000
"""The most settings of all optimizers together; beyond it each keeps evenly spaced ones, and its best."""

MOST_LINES = 6
"""The most coordinates or layers of a vector."""

MOST_POINTS = 110
"""The most points on a side of a landscape."""


@dataclass(frozen=True)
class Sample:
    """The part of a problem's runs that a page has room for.

    Attributes:
        runs: the dataset, thinned.
        notes: what was left out, in sentences.
    """

    runs: xr.Dataset
    notes: list[str]


def explorer_data(runs: xr.Dataset, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The data of one problem.

    Args:
        runs: the dataset of a problem, with at least one finished run.
        most_bytes: the room that its numbers may take.

    Returns:
        Plain data: `steps`; the `quantities`, each with its number of `lines` and its values by run, step and line in
        base64; the `optimizers`, each with its `numbers` and `settings`; for each run its setting and seed; the
        `landscape` where there is one, in levels that are evenly far apart in colour; `notes` on what was left out.
    """
    by = criterion(runs)
    whole = finished(runs)
    scores = setting_scores(whole)
    sample = sampled(whole, scores, most_bytes)
    kept, spec = sample.runs, sample.runs.spec.values
    table = {spec: float(sign(by) * score) for spec, score in zip(scores.spec.values, scores.score.values, strict=True)}
    return {
        "name": kept.attrs["problem"],
        "by": by.replace("_", " ", 1),
        "is_better_when_greater": sign(by) < 0,
        "steps": kept.step.values.tolist(),
        "quantities": [_quantity(kept, name) for name in quantities(kept)],
        "optimizers": [
            _optimizer(
                kept.isel(run=np.flatnonzero(kept.optimizer.values == label)), label, table, COLORS[i % len(COLORS)]
            )
            for i, label in enumerate(optimizers(kept))
        ],
        "runs": {
            "spec": spec.tolist(),
            "optimizer": kept.optimizer.values.tolist(),
            "seed": _seeds(kept),
            "diverged_at": kept.diverged_at.values.tolist(),
        },
        "landscape": _landscape(kept),
        "notes": sample.notes,
    }


def quantities(runs: xr.Dataset) -> list[str]:
    """The quantities recorded over steps, as single numbers or vectors; the loss is the first."""
    names = [str(name) for name, values in runs.items() if values.dims[:2] == ("run", "step")]
    return sorted(names, key=lambda name: name != "loss")


def sampled(runs: xr.Dataset, scores: xr.Dataset, most_bytes: int) -> Sample:
    """Thin the runs: first settings beyond a page's use, then steps, and seeds where few steps would be left."""
    notes = []
    kept = _fewer_settings(runs, scores)
    if kept.sizes["run"] < runs.sizes["run"]:
        settings = len(np.unique(setting_of(kept)))
        notes.append(f"{settings} of {scores.sizes['setting']} settings are shown, the best among them.")
    # In base64 three bytes take four.
    per_step = sum(_lines(kept[name]) * _type(kept[name]).itemsize * 4 / 3 for name in quantities(kept))
    room = int(most_bytes / per_step)
    instances = np.array(_seeds(kept))
    names = list(dict.fromkeys(instances.tolist()))
    runs_each = -(-kept.sizes["run"] // len(names))
    most_seeds = max(1, room // (runs_each * min(FEWEST_STEPS, kept.sizes["step"])))
    if most_seeds < len(names):
        notes.append(f"The first {most_seeds} of {len(names)} seeds are shown.")
        kept = kept.isel(run=np.flatnonzero(np.isin(instances, names[:most_seeds])))
    steps = kept.sizes["step"]
    most_steps = max(2, room // kept.sizes["run"])
    if steps > most_steps:
        shown = np.unique(np.linspace(0, steps - 1, most_steps).round().astype(int))
        notes.append(f"{len(shown)} of {steps} recorded steps are shown.")
        kept = kept.isel(step=shown)
    return Sample(kept, notes)


def _fewer_settings(runs: xr.Dataset, scores: xr.Dataset) -> xr.Dataset:
    if scores.sizes["setting"] <= MOST_SETTINGS:
        return runs
    each = MOST_SETTINGS // len(np.unique(scores.optimizer.values))
    kept = set()
    for label in np.unique(scores.optimizer.values):
        mine = np.flatnonzero(scores.optimizer.values == label)
        order = mine[np.argsort(scores.score.values[mine], kind="stable")]
        spaced = mine[np.unique(np.linspace(0, len(mine) - 1, each - 1).round().astype(int))]
        kept |= {(label, spec) for spec in scores.spec.values[[order[0], *spaced]]}
    pairs = zip(runs.optimizer.values, runs.spec.values, strict=True)
    return runs.isel(run=np.flatnonzero([pair in kept for pair in pairs]))


def _seeds(runs: xr.Dataset) -> list[str]:
    """The name of each run's instance: its seed, with its start where there are several, and its stage."""
    names = [str(seed) for seed in runs.seed.values]
    if "start" in runs:
        names = [f"{name}, start {start}" for name, start in zip(names, runs.start.values, strict=True)]
    return [
        name if tuning else f"{name}, {EVALUATION}: best settings only"
        for name, tuning in zip(names, is_tuning(runs), strict=True)
    ]


def _lines(values: xr.DataArray) -> int:
    return 1 if values.ndim == 2 else min(values.shape[2], MOST_LINES)


def _quantity(runs: xr.Dataset, name: str) -> dict[str, Any]:
    lines = _lines(runs[name])
    kind = _type(runs[name])
    values = runs[name].values.reshape(*runs[name].shape[:2], -1)[:, :, :lines].astype(kind)
    total = runs[name].shape[2] if runs[name].ndim == 3 else 1
    encoded = base64.b64encode(values.tobytes()).decode()
    return {"name": name, "lines": lines, "of": total, "bits": 8 * kind.itemsize, "values": encoded}


def _type(values: xr.DataArray) -> np.dtype:
    """The type of a quantity's numbers on the page: 32 bits, unless some of them would become 0 or infinite."""
    sizes = np.abs(values.values.astype(float))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    limits = np.finfo(np.float32)
    fits = not sizes.size or (sizes.min() >= limits.tiny and sizes.max() <= limits.max)
    return np.dtype("<f4" if fits else "<f8")


def _optimizer(runs: xr.Dataset, label: str, table: dict[str, float], color: str) -> dict[str, Any]:
    """An optimizer with its settings, in the order of its numbers, and whether they are a grid of these."""
    specs, first = np.unique(runs.spec.values.astype(str), return_index=True)
    values = {name: runs[name].values[first].astype(float) for name in runs.attrs["settings"]}
    swept = {name: column for name, column in values.items() if len(np.unique(column[~np.isnan(column)])) > 1}
    swept = {name: column for name, column in swept.items() if f"1-{name}" not in swept}
    grid = _grid(swept)
    swept = grid or swept
    axes = {name: np.unique(column[~np.isnan(column)]) for name, column in swept.items()}
    order = np.lexsort([*reversed([*swept.values()])]) if swept else np.arange(len(specs))
    return {
        "label": label,
        "color": color,
        "numbers": [{"name": name, "values": axis.tolist()} for name, axis in axes.items()],
        "is_grid": bool(grid),
        "settings": [
            {
                "spec": str(specs[k]),
                "at": {name: _finite(float(column[k])) for name, column in swept.items()},
                "score": _finite(table.get(str(specs[k]), np.nan)),
            }
            for k in order
        ],
    }


def _grid(swept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The numbers whose values combined are the settings, each once, while the others depend on them; else none."""
    fewest = min(len(swept), 2)  # a single one of several differs between all settings of a random design, too
    for count in range(len(swept), max(fewest - 1, 0), -1):
        for chosen in combinations(swept, count):
            rows = np.stack([swept[name] for name in chosen], axis=1)
            lengths = [len(np.unique(column)) for column in rows.T]
            if len(np.unique(rows, axis=0)) == len(rows) == np.prod(lengths) and not np.isnan(rows).any():
                return {name: swept[name] for name in chosen}
    return {}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _landscape(runs: xr.Dataset) -> dict[str, Any] | None:
    """A problem's contour, its values replaced by their place among round levels, so that low values are told apart."""
    if (
        "landscape" not in runs
        or runs.landscape.ndim != 2
        or "params" not in runs
        or not np.isfinite(runs.landscape).any()
    ):
        return None
    every = -(-max(runs.landscape.shape) // MOST_POINTS)
    runs = runs.isel(x=slice(None, None, every), y=slice(None, None, every))
    values = runs.landscape.values.astype(float)
    levels = round_levels(values[np.isfinite(values)])
    heights = np.interp(values, levels, np.arange(len(levels)))
    return {
        "x": runs.x.values.tolist(),
        "y": runs.y.values.tolist(),
        "heights": [[_finite(round(float(height), 3)) for height in row] for row in heights],
        "minima": runs.minima.values.astype(float).tolist(),
    }
