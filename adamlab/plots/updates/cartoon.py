"""The cartoon of a step: gradient, momentum and squares at a point of the plane, and the step that they make."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adamlab.errors import cut
from adamlab.plots.picture import Picture
from adamlab.plots.style import COLORS, HIGHEST, NothingToDrawError, describe, figure_of, in_place_of
from adamlab.plots.updates.plane import chosen_optimizer, corners, first_run, ground, require_plane

NEAR = 0.05
"""The least part of the domain that is shown on each side of the point, as a share."""

FILLED = 0.8
"""What the longest arrow takes of the way to the edge."""

GRADIENT, MOMENTUM, SQUARES, STEP = COLORS[5], COLORS[3], COLORS[2], COLORS[1]


@dataclass(frozen=True)
class Step:
    """A step of a run: vectors of two numbers, NaN where the optimizer has none of that kind.

    Attributes:
        t: its number, from 1.
        path: the parameters before it, from the start on.
        after: the parameters after it.
        gradient: the gradient that it took.
        update: what it added to the parameters.
        moments: m and v before and after it, by name: "m before", "m", "v before", "v"; and, where they were recorded
            and are defined, "m_hat" and "v_hat".
    """

    t: int
    path: np.ndarray
    after: np.ndarray
    gradient: np.ndarray
    update: np.ndarray
    moments: dict[str, np.ndarray]

    @property
    def place(self) -> np.ndarray:
        """The parameters that it began with."""
        return self.path[-1]

    def kept(self, *names: str) -> list[np.ndarray]:
        """Those of the moments that there are."""
        return [self.moments[name] for name in names if name in self.moments]


def cartoon(runs: xr.Dataset, step: int = 5, optimizer: str | None = None, ax: Axes | None = None) -> Figure:
    """A step of an optimizer in panels: its gradient, momentum, sum of squares (as a rectangle), and what they make.

    What it keeps of them is read off its state; without momentum or squares there is no such panel. Gradient and
    momentum are drawn to one scale, squares with the gradient to another, and the step as it is.

    Args:
        runs: the dataset of a problem in the plane with "params", "updates", "gradients", "m" and "v" recorded.
        step: the number of the step.
        optimizer: its label; by default that of the first.
        ax: axes of a grid, whose place the panels take.

    Raises:
        NothingToDrawError: the problem has not two parameters, or what is shown was not recorded, or not finite.
    """
    require_plane(runs, "a cartoon", "params", "updates", "gradients", "m", "v")
    label = chosen_optimizer(runs, optimizer)
    taken = _step(first_run(runs, label).isel(run=0), step, f"{runs.attrs['problem']}: {label}")
    panels: list[tuple[str, Callable[[Axes, Step, np.ndarray], None]]] = [("gradient", _draw_gradient)]
    panels += [("momentum", _draw_momentum)] if "m" in taken.moments else []
    panels += [("squares, as sides √v", _draw_squares)] if "v" in taken.moments else []
    panels += [("step, to scale", _draw_step)]
    if ax is None:
        width = 0.7 + 3.2 * len(panels)
        fig = Picture(figsize=(width, 4.8), dpi=120)
        fig.subplots_adjust(left=0.7 / width, right=1 - 0.15 / width, bottom=0.36, top=0.86, wspace=0.2)
        fig.suptitle(f"{runs.attrs['problem']}: step {step} of {cut(label, 60)}", fontsize=11, parse_math=False)
        places = np.ravel(fig.subplots(1, len(panels))).tolist()
    else:
        fig, places = figure_of(ax), in_place_of(ax, 1, len(panels))
    half = _half(runs, taken)
    for i, (axes, (title, draw)) in enumerate(zip(places, panels, strict=True)):
        ground(axes, runs, taken.place - half, taken.place + half)
        axes.plot(*taken.path.T, color="0.35", lw=1, zorder=2)
        draw(axes, taken, half)
        axes.plot(*taken.place, "o", ms=6, mec="white", color="black", zorder=5)
        axes.set_ylabel("$w_2$" if i == 0 else "")
        axes.set_title(f"{i + 1}. {title}", fontsize=10)
        axes.set_box_aspect(1)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)
    if ax is None:
        describe(fig, _sentence(runs, label, taken))
    return fig


def _step(run: xr.Dataset, step: int, who: str) -> Step:
    steps = run.step.values
    rows = np.flatnonzero(steps == step)
    if step < 1 or not rows.size or steps[rows[0] - 1] != step - 1:
        raise NothingToDrawError(
            f"{who}: a cartoon takes a step whose beginning was recorded too, up to step {steps[-1]:,} and with "
            f"record.every = 1; not step {step}."
        )
    row = int(rows[0])
    values = {name: run[name].values for name in ("params", "updates", "gradients")}
    taken = [values["params"][row], values["updates"][row], values["gradients"][row], values["params"][row - 1]]
    if not (np.abs(taken) <= HIGHEST).all():
        raise NothingToDrawError(f"{who}: step {step} cannot be drawn, since the run is not finite there; try another.")
    moments = {"m before": run.m.values[row - 1], "v before": run.v.values[row - 1]}
    moments |= {name: run[name].values[row] for name in ("m", "v", "m_hat", "v_hat") if name in run}
    kept = {name: value for name, value in moments.items() if np.isfinite(value).all()}
    return Step(step, values["params"][:row], taken[0], taken[2], taken[1], kept)


def _half(runs: xr.Dataset, taken: Step) -> np.ndarray:
    """Half of the sides of the part that is shown: the step fits in, and the sides are as those of the domain."""
    low, high = corners(runs)
    domain = high - low
    return domain * max(NEAR, float((np.abs(taken.after - taken.place) / domain).max()) / FILLED)


def _scale(half: np.ndarray, vectors: Iterable[np.ndarray]) -> float:
    """How long a vector of length 1 is drawn, so that the longest of these fits in."""
    greatest = max(float((np.abs(vector) / half).max()) for vector in vectors)
    return FILLED / greatest if greatest > 0 else 0.0


def _draw_gradient(axes: Axes, taken: Step, half: np.ndarray):
    scale = _scale(half, [taken.gradient, *taken.kept("m", "m before", "m_hat")])
    _draw_arrow(axes, taken.place, -scale * taken.gradient, GRADIENT, "-", f"−g = {_pair(-taken.gradient)}")


def _draw_momentum(axes: Axes, taken: Step, half: np.ndarray):
    scale = _scale(half, [taken.gradient, *taken.kept("m", "m before", "m_hat")])
    for name, line, words in (("m before", ":", "before"), ("m", "-", ""), ("m_hat", "--", "corrected")):
        if name in taken.moments:
            value = -taken.moments[name]
            _draw_arrow(axes, taken.place, scale * value, MOMENTUM, line, f"−m {words} = {_pair(value)}")


def _draw_squares(axes: Axes, taken: Step, half: np.ndarray):
    scale = _scale(half, [taken.gradient, *(np.sqrt(np.abs(v)) for v in taken.kept("v", "v before", "v_hat"))])
    for name, line, words in (("v before", ":", "before"), ("v", "-", ""), ("v_hat", "--", "corrected")):
        if name in taken.moments:
            root = np.sqrt(np.abs(taken.moments[name]))
            look = {"facecolor": f"{SQUARES}40" if name == "v" else "none", "edgecolor": SQUARES, "ls": line, "lw": 1.8}
            corner, sides = taken.place - scale * root, 2 * scale * root
            axes.add_patch(
                Rectangle(
                    tuple(corner), *sides, zorder=3, label=" ".join(f"√v {words} = {_pair(root)}".split()), **look
                )
            )
    _draw_arrow(axes, taken.place, -scale * taken.gradient, GRADIENT, "-", "−g")


def _draw_step(axes: Axes, taken: Step, half: np.ndarray):
    _draw_arrow(axes, taken.place, taken.after - taken.place, STEP, "-", f"u = {_pair(taken.update)}")
    axes.plot(*taken.after, "o", ms=6, mec="white", color=STEP, zorder=5)


def _draw_arrow(axes: Axes, place: np.ndarray, vector: np.ndarray, color: str, line: str, label: str):
    end = place + vector
    axes.plot(*np.stack([place, end]).T, color=color, ls=line, lw=2.2, zorder=4, label=" ".join(label.split()))
    if vector.any():
        head = {"arrowstyle": "-|>", "color": color, "lw": 0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14}
        axes.annotate("", xy=tuple(end + 0.01 * vector), xytext=tuple(end), arrowprops=head, annotation_clip=False)


def _pair(vector: np.ndarray) -> str:
    return f"({vector[0]:.3g}, {vector[1]:.3g})".replace("-", "−")


def _sentence(runs: xr.Dataset, label: str, taken: Step) -> str:
    kept = [words for name, words in (("m", "the momentum"), ("v", "the squares")) if name in taken.moments]
    parts = ", ".join(["the gradient", *kept])
    problem, place, after = runs.attrs["problem"], _pair(taken.place), _pair(taken.after)
    return f"Step {taken.t} of {label} on {problem} at {place}: {parts}, and the step that they make, to {after}."
