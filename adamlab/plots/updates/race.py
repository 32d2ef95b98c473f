"""The race: optimizers on their way over the contour, with their losses beside it."""

from typing import Any, overload

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamlab.analysis import optimizers
from adamlab.errors import cut
from adamlab.plots.style import HIGHEST, NothingToDrawError, caption, describe, figure_of, in_place_of, legend, styles
from adamlab.plots.updates.films import Film
from adamlab.plots.updates.plane import first_run, ground, labels_of, require_plane, window
from adamlab.plots.words import best_of, listing, number

MOST_FRAMES = 101
"""The most frames of a film; of longer runs steps are left out evenly."""

LEAST = 1e-16
"""The lowest loss that has a place of its own, as a share of the greatest."""

ABOVE = 10.0
"""How many times the greatest loss at the start is the highest that the axes show."""

BELOW = 0.5
"""The foot of a logarithmic axis, where losses of zero are drawn, as a share of the least other loss."""


@overload
def race(runs: xr.Dataset) -> Film: ...


@overload
def race(runs: xr.Dataset, ax: Axes | None) -> Figure: ...


def race(runs: xr.Dataset, ax: Axes | None = None) -> Figure:
    """A film of each optimizer at its best setting: its path over the contour, and its loss beside it, step by step.

    A run that diverges stops where it was last in the picture, and is named. Written as .gif or .mp4 it moves; any
    other file shows its end.

    Args:
        runs: the dataset of a problem in the plane, with its parameters recorded.
        ax: axes of a grid, whose place the end of the race takes; without it the figure is a `Film`.

    Raises:
        NothingToDrawError: the problem has not two parameters, they were not recorded, or no run is done.
    """
    require_plane(runs, "a race", "params")
    looks = styles(runs)
    chosen = {label: first_run(runs, label) for label in labels_of(runs)}
    drawn = {label: run.isel(run=0) for label, run in chosen.items()}
    if not all(np.isfinite(run.params.values[0]).all() for run in drawn.values()):
        raise NothingToDrawError(f"{runs.attrs['problem']}: a run begins where parameters are not finite.")
    steps, shown = runs.step.values, _frames(runs.step.values)
    ratios = (1.15, 1)
    if ax is None:
        figure = Film(figsize=(8.4, 4.2 + 0.1 * len(drawn)), layout="constrained", dpi=100)
        plane, losses = figure.subplots(1, 2, width_ratios=ratios)
        figure.suptitle(f"{runs.attrs['problem']}{_at_best(runs, ': each optimizer at its best setting')}", fontsize=11)
    else:
        figure = figure_of(ax)
        plane, losses = in_place_of(ax, 1, 2, width_ratios=ratios)
    _draw_ground(plane, runs, drawn)
    _prepare_losses(losses, runs, drawn)
    fallen = _diverged(drawn)
    runners = [
        Runner(plane, losses, run, looks[label], caption(runs, label, chosen[label]), fallen)
        for label, run in drawn.items()
    ]
    clock = plane.set_title("", loc="left", fontsize=9)
    losses.set_title(_pace(steps[shown]), loc="right", fontsize=9, color="0.4")
    legend(figure, ax=None if ax is None else plane)

    def show(frame: int):
        clock.set_text(f"step {steps[shown[frame]]:,} of {steps[-1]:,}")
        for runner in runners:
            runner.show(shown[frame])

    show(len(shown) - 1)
    if isinstance(figure, Film) and ax is None:
        figure.frames, figure.set_frame = len(shown), show
        moving = [artist for runner in runners for artist in runner.artists]
        figure.moving = [*sorted(moving, key=lambda artist: artist.get_zorder()), clock]  # no path over another's head
        describe(figure, _sentence(runs, drawn))
    return figure


class Runner:
    """An optimizer in the race."""

    def __init__(self, plane: Axes, losses: Axes, run: xr.Dataset, look: dict[str, Any], name: str, fallen: list[str]):
        self.steps, self.path = run.step.values, run.params.values
        self.height = _heights(losses, run.loss.values)
        self.end = _last(run)
        self.label, self.diverged = str(run.optimizer.values), int(run.diverged_at)
        head = {"marker": "o", "ms": 7, "mec": "white", "color": look["color"], "ls": "none"}
        (self.trail,) = plane.plot([], [], **look, label=name, zorder=3)
        (self.curve,) = losses.plot([], [], **look, zorder=3)
        (self.on_plane,) = plane.plot([], [], **head, zorder=4)
        (self.on_curve,) = losses.plot([], [], **head, zorder=4)
        height = 0.97 - 0.065 * fallen.index(self.label) if self.label in fallen else 0.0
        self.note = losses.text(0.98, height, "", transform=losses.transAxes, fontsize=8, color=look["color"])
        self.note.set(ha="right", va="top", parse_math=False)

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        return [self.trail, self.curve, self.on_plane, self.on_curve, self.note]

    def show(self, row: int) -> None:
        """Show the run up to a recorded step."""
        last = min(row, self.end)
        out = 0 <= self.diverged <= self.steps[row]
        self.trail.set_data(*self.path[: last + 1].T)
        self.curve.set_data(self.steps[: last + 1], self.height[: last + 1])
        self.on_plane.set_data(*self.path[last : last + 1].T)
        self.on_curve.set_data(self.steps[last : last + 1], self.height[last : last + 1])
        for head in (self.on_plane, self.on_curve):
            head.set_marker("X" if out else "o")
        self.note.set_text(f"{cut(self.label, 40)} diverged at step {self.diverged:,}" if out else "")


def _frames(steps: np.ndarray) -> list[int]:
    """The rows of the recorded steps that are shown: every k-th, and the last."""
    every = -(-(len(steps) - 1) // (MOST_FRAMES - 1)) or 1
    return [*range(0, len(steps) - 1, every), len(steps) - 1]


def _pace(steps: np.ndarray) -> str:
    """In words, which steps have a frame."""
    gaps = np.diff(steps)[:-1]  # the last step is shown in any case
    if not gaps.size or (gaps == 1).all():
        return "every step is shown"
    return f"a frame every {gaps[0]:,} steps" if (gaps == gaps[0]).all() else f"frames at {len(steps)} recorded steps"


def _last(run: xr.Dataset) -> int:
    """The last recorded step before anything was infinite or too large to be drawn."""
    sound = (np.abs(run.params.values) <= HIGHEST).all(axis=1) & (np.abs(run.loss.values) <= HIGHEST)
    return len(sound) - 1 if sound.all() else max(int(np.argmin(sound)) - 1, 0)


def _draw_ground(plane: Axes, runs: xr.Dataset, drawn: dict[str, xr.Dataset]):
    fallen = _diverged(drawn)
    starts = np.unique([run.params.values[0] for run in drawn.values()], axis=0)
    paths = [run.params.values[: _last(run) + 1] for label, run in drawn.items() if label not in fallen]
    ground(plane, runs, *window(runs, np.concatenate([*paths, runs.minima.values]), starts))
    plane.plot(*starts.T, "s", ms=6, mec="white", color="black", label="start", zorder=2)
    plane.plot(*runs.minima.values.T, "*", ms=12, mec="black", color="gold", ls="none", label="minimum", zorder=2)


def _prepare_losses(losses: Axes, runs: xr.Dataset, drawn: dict[str, xr.Dataset]):
    """Set the axes of the losses: logarithmic where none is negative, and no higher than the start asks for."""
    values = np.concatenate([run.loss.values[: _last(run) + 1] for run in drawn.values()])
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    starts = [float(run.loss.values[0]) for run in drawn.values()]
    highest = max([loss for loss in starts if loss <= HIGHEST], default=values.max())
    positive = values[values > 0]
    if positive.size and (values >= 0).all() and values.max() > 20 * positive.min():
        losses.set_yscale("log")
        top = 2 * (min(values.max(), ABOVE * highest) if highest > 0 else values.max())
        foot = max(BELOW * positive.min(), LEAST * top)
        losses.set_ylim(foot, top)
        losses.set_ylabel("loss" if values.min() >= foot else f"loss; less than {foot:.0e} at the foot")
    else:
        low, high = values.min(), min(values.max(), highest + 0.5 * np.ptp(values[values <= highest]))
        margin = 0.05 * ((high - low) or 1.0)
        losses.set_ylim(low - margin, high + margin)
        losses.set_ylabel("loss")
    losses.set(xlim=(0, max(runs.step.values[-1], 1)), xlabel="step")
    for side in ("top", "right"):
        losses.spines[side].set_visible(False)


def _heights(losses: Axes, values: np.ndarray) -> np.ndarray:
    """Where losses are drawn; one of zero stands at the foot of a logarithmic axis, where it would vanish."""
    return np.maximum(values, losses.get_ylim()[0]) if losses.get_yscale() == "log" else values


def _diverged(drawn: dict[str, xr.Dataset]) -> list[str]:
    return [label for label, run in drawn.items() if int(run.diverged_at) >= 0]


def _at_best(runs: xr.Dataset, words: str) -> str:
    """The words, where an optimizer has several settings."""
    return words if len({*zip(runs.optimizer.values, runs.spec.values, strict=True)}) > len(optimizers(runs)) else ""


def _sentence(runs: xr.Dataset, drawn: dict[str, xr.Dataset]) -> str:
    diverged = _diverged(drawn)
    others = {label: float(run.loss[-1]) for label, run in drawn.items() if label not in diverged}
    best = best_of(others)
    seed = int(next(iter(drawn.values())).seed)
    said = f"{', '.join(drawn)} over {int(runs.step[-1]):,} steps on {runs.attrs['problem']}"
    said += _at_best(runs, ", each at its best setting")
    lowest = f"; the lowest loss at the end is {number(others[best[0]])}, of {listing(best)}" if best else ""
    if best and len(best) == len(others):
        lowest = f"; {listing(best)} end{'s' * (len(best) == 1)} with a loss of {number(others[best[0]])}"
    fallen = f"; {', '.join(diverged)} diverged" if diverged else ""
    return f"{said}, from seed {seed}{lowest}{fallen}."
