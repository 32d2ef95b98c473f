"""Optimizers at work: what is drawn is what the datasets hold, frame by frame and arrow by arrow."""

import subprocess

import jax
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.quiver import Quiver
from PIL import Image, ImageSequence

import adamlab as al
from adamlab.calls import SpecError
from adamlab.errors import InputError
from adamlab.plots import PLOTS, NothingToDrawError
from adamlab.plots.files import draw_outputs, write_figure
from adamlab.plots.updates import films
from adamlab.plots.updates.race import MOST_FRAMES
from adamlab.problems import get
from adamlab.problems.fields import field
from adamlab.report.page import _inline
from tests.plots.made_runs import paths, plane, runs
from tests.plots.written import unwritten

pytestmark = pytest.mark.optimized(False)

T = np.arange(5.0)
STRAIGHT = np.stack([T / 4 - 1, 1 - T / 4], axis=1)
SWERVING = np.stack([T / 2 - 1, 1 - T**2 / 16], axis=1)
WILD = np.array([[-1.0, 1.0], [1.5, -1.5], [1e20, 1e20], [np.inf, 1.0], [np.nan, np.nan]])


@pytest.fixture
def three() -> xr.Dataset:
    return paths(straight=STRAIGHT, swerving=SWERVING, wild=WILD)


def frame(film, nth: int) -> dict[str, np.ndarray]:
    """The paths in a frame, by label."""
    film.set_frame(nth)
    lines = {str(line.get_label()): np.asarray(line.get_xydata()) for line in film.axes[0].get_lines()}
    return {name: lines[name] for name in ("straight", "swerving", "wild") if name in lines}


def test_an_output_is_noted_only_where_no_problem_has_what_it_shows(tmp_path):
    tree = xr.DataTree.from_dict({"bowl": paths(ours=np.zeros((5, 2))), "other": runs(["ours"], [[2.0, 1.0]])})
    for problems, noted in ((["bowl", "other"], False), (["other"], True)):
        some = xr.DataTree.from_dict({name: tree[name].to_dataset() for name in problems})
        drawn, notes = draw_outputs(some, [{"kind": "landscape", "problem": None, "options": {}}], tmp_path)
        assert [len(drawn[name]) for name in problems] == [int(name == "bowl") for name in problems]
        assert [note.partition(":")[0] for note in notes] == ["no figure for landscape"] * noted


def test_a_race_shows_each_step_of_each_path(three):
    film = al.plots.race(three)
    assert film.frames == 5
    for nth in range(5):
        drawn = frame(film, nth)
        np.testing.assert_array_equal(drawn["straight"], STRAIGHT[: nth + 1])
        np.testing.assert_array_equal(drawn["swerving"], SWERVING[: nth + 1])
        assert film.axes[0].get_title(loc="left") == f"step {nth} of 4"
        curves = [np.asarray(line.get_xydata()) for line in film.axes[1].get_lines() if line.get_marker() == "None"]
        np.testing.assert_allclose(curves[0][:, 1], three.loss.values[0, : nth + 1])
    assert film.axes[1].get_title(loc="right") == "every step is shown"
    assert str(film.get_label()).endswith("seed 0; the lowest loss at the end is 0, of swerving; wild diverged.")
    assert unwritten(film) == []


def test_a_run_that_diverges_stops_and_is_named(three):
    film = al.plots.race(three)
    told = [
        [text.get_text() for text in film.axes[1].texts if text.get_text()] for n in range(5) if not film.set_frame(n)
    ]
    assert told == [[], [], [], ["wild diverged at step 3"], ["wild diverged at step 3"]]
    np.testing.assert_array_equal(frame(film, 4)["wild"], WILD[:2])  # at 1e20 the loss has no place
    assert film.axes[1].get_ylim()[1] < 1e4  # and the others can still be told apart
    assert [film.axes[0].get_xlim()[1], film.axes[0].get_ylim()[0]] == pytest.approx([1.3, -0.15], abs=0.02)


def test_long_races_leave_steps_out_evenly_and_say_so():
    steps = 1000
    path = np.stack([np.linspace(-1, 1, steps + 1), np.zeros(steps + 1)], axis=1)
    film = al.plots.race(paths(steps, straight=path))
    assert film.frames == MOST_FRAMES
    assert film.axes[1].get_title(loc="right") == "a frame every 10 steps"
    assert [len(frame(film, nth)["straight"]) for nth in (0, 1, 100)] == [1, 11, 1001]


def test_a_loss_of_zero_stands_at_the_foot(three):
    zero = three.assign(loss=(three.loss * 0.01**three.step).where(three.step < 4, 0.0))
    film = al.plots.race(zero)
    curve = next(line for line in film.axes[1].get_lines() if line.get_marker() == "None")
    assert np.asarray(curve.get_ydata())[-1] == film.axes[1].get_ylim()[0] > 0
    assert "at the foot" in film.axes[1].get_ylabel()
    flat = al.plots.race(three.assign(loss=three.loss * 0 - 1))
    assert "end with a loss of -1" in str(flat.get_label())
    assert flat.axes[1].get_yscale() == "linear"


def test_a_gif_shows_each_frame_holds_its_end_and_is_the_same_each_time(three, tmp_path):
    for name in ("one", "two"):
        film = al.plots.race(three)
        write_figure(film, [tmp_path / f"{name}.gif"])
    assert (tmp_path / "one.gif").read_bytes() == (tmp_path / "two.gif").read_bytes()
    film.set_frame(2)
    film.savefig(tmp_path / "whole.png")
    whole = np.asarray(Image.open(tmp_path / "whole.png").convert("RGB"), int)
    durations, apart = [], []
    with Image.open(tmp_path / "one.gif") as images:
        for image in ImageSequence.Iterator(images):
            durations.append(image.info["duration"])
            apart.append(np.mean(np.abs(np.asarray(image.convert("RGB"), int) - whole) > 40))
    assert durations == [films.FRAME] * 4 + [films.HOLD]
    assert np.argmin(apart) == 2
    assert apart[2] < 2e-3 < min(apart[1], apart[3])  # axes are drawn under what moves


@pytest.mark.slow
def test_a_film_of_many_frames_is_small(tmp_path):
    steps = 200
    turns = np.linspace(0, 20, steps + 1)
    of = {f"n{k}": np.stack([np.cos(turns + k), np.sin(turns + k)], axis=1) * 1.5 for k in range(3)}
    advanced = []
    film = al.plots.race(paths(steps, **of))
    write_figure(film, [tmp_path / "turns.gif"], lambda done, frames: advanced.append((done, frames)))
    assert (tmp_path / "turns.gif").stat().st_size < 3e6
    assert advanced == [(done, 101) for done in range(1, 102)]


def test_an_mp4_takes_ffmpeg(three, tmp_path, monkeypatch):
    film = al.plots.race(three)
    if films.shutil.which("ffmpeg"):
        write_figure(film, [tmp_path / "race.mp4"])
        probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", tmp_path / "race.mp4"]
        seconds = float(subprocess.run(probe, capture_output=True, check=True).stdout)
        assert seconds == pytest.approx((5 * films.FRAME + films.HOLD) / 1000, abs=0.1)
    monkeypatch.setattr(films.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"race\.mp4 cannot be written: this takes the program ffmpeg"):
        write_figure(film, [tmp_path / "race.mp4"])


def test_what_does_not_move_is_no_film(tmp_path):
    with pytest.raises(InputError, match=r"still\.gif cannot be written: this picture does not move"):
        write_figure(al.plots.landscape(plane()), [tmp_path / "still.gif"])
    assert not [*tmp_path.iterdir()]


def test_a_study_writes_its_films_and_the_report_shows_them(three, tmp_path):
    (tmp_path / "old.gif").touch()
    tree = xr.DataTree.from_dict({"/bowl": three})
    output = {"kind": "race", "problem": None, "options": {}}
    drawn, notes = draw_outputs(tree, [output], tmp_path)
    assert notes == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bowl-race.gif", "bowl-race.png"]
    assert _inline("bowl", drawn["bowl"][0])["src"].startswith("data:image/gif;base64,R0lGOD")


@pytest.mark.parametrize(
    ("kind", "lacking", "message"),
    [
        ("race", "y", "a race takes a problem of two parameters"),
        ("race", "params", 'a race takes "params" among record.what'),
        ("cartoon", "y", "a cartoon takes a problem of two parameters"),
        ("cartoon", "gradients", 'a cartoon takes "gradients" among record.what'),
        ("surface", "y", "a surface takes two parameters"),
        ("moments", "m", 'swerving has no moments here; put "gradients", "m_hat"'),
    ],
)
def test_what_cannot_be_drawn_is_told(kind, lacking, message):
    runs = paths(swerving=SWERVING)
    if kind == "moments":
        runs = runs.drop_vars(["m", "v", "m_hat", "v_hat"])
    elif lacking == "y":
        runs = runs.isel(y=0)
    else:
        runs = runs.drop_vars(lacking)
    with pytest.raises(NothingToDrawError, match=message):
        al.plots.__dict__[kind](runs)


def panel(figure: Figure, nth: int) -> dict[str, np.ndarray]:
    """The arrows of a panel from its point, by what its legend says ahead of the numbers."""
    lines = [line for line in figure.axes[nth].get_lines() if not str(line.get_label()).startswith("_")]
    ends = {str(line.get_label()).partition(" = ")[0]: np.asarray(line.get_xydata()) for line in lines}
    return {name: points[1] - points[0] for name, points in ends.items()}


def test_a_cartoon_shows_the_gradient_the_moments_and_the_step(three):
    figure = al.plots.cartoon(three, step=2, optimizer="swerving")
    assert [axes.get_title() for axes in figure.axes] == [
        "1. gradient",
        "2. momentum",
        "3. squares, as sides √v",
        "4. step, to scale",
    ]
    run = three.isel(run=1)
    g, m, old, m_hat = (run[name].values[t] for name, t in (("gradients", 2), ("m", 2), ("m", 1), ("m_hat", 2)))
    arrows = panel(figure, 0) | panel(figure, 1)
    scale = np.linalg.norm(arrows["−g"]) / np.linalg.norm(g)
    for name, vector in {"−g": g, "−m": m, "−m before": old, "−m corrected": m_hat}.items():
        np.testing.assert_allclose(arrows[name], -scale * vector, rtol=1e-6, err_msg=name)
    boxes = {str(patch.get_label()).partition(" = ")[0]: patch for patch in figure.axes[2].patches}
    sides = {
        name: np.array([box.get_width(), box.get_height()]) for name, box in boxes.items() if isinstance(box, Rectangle)
    }
    scale = np.linalg.norm(panel(figure, 2)["−g"]) / np.linalg.norm(g)
    for name, square in {"√v": run.v[2], "√v before": run.v[1], "√v corrected": run.v_hat[2]}.items():
        np.testing.assert_allclose(sides[name], 2 * scale * np.sqrt(square.values), rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(panel(figure, 3)["u"], SWERVING[2] - SWERVING[1])
    assert "Step 2 of swerving on bowl at (−0.5, 0.938)" in str(figure.get_label())


def test_a_cartoon_leaves_out_what_the_optimizer_does_not_keep():
    runs = paths(swerving=SWERVING)
    nothing = xr.full_like(runs.m, np.nan)
    alone = runs.assign(m=nothing, v=nothing, m_hat=nothing, v_hat=nothing)
    assert len(al.plots.cartoon(alone, step=1).axes) == 2
    assert len(al.plots.cartoon(alone.assign(v=runs.v), step=1).axes) == 3
    still = paths(still=np.ones((5, 2)) * [1.0, 0.0])  # at the minimum all vectors are zero
    assert len(al.plots.cartoon(still, step=3).axes) == 4


@pytest.mark.parametrize(("kind", "options"), [("race", {}), ("cartoon", {"step": 2}), ("moments", {})])
def test_panels_take_the_place_of_given_axes(three, kind, options):
    figure = Figure(figsize=(20, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    assert PLOTS[kind](three, ax=right, **options) is figure
    assert figure.axes[0] is left
    assert len(figure.axes) == 1 + len(PLOTS[kind](three, **options).axes)
    figure.draw_without_rendering()
    assert not left.has_data()
    assert all(panel.has_data() for panel in figure.axes[1:])
    assert all(panel.get_position().x0 > left.get_position().x1 for panel in figure.axes[1:])
    assert not figure.legends
    assert figure.get_label() == ""
    with pytest.raises(InputError, match="expected axes in a grid"):
        PLOTS[kind](three, ax=figure.add_axes((0.1, 0.1, 0.2, 0.2)), **options)


@pytest.mark.parametrize("step", [0, 5, -1])
def test_a_cartoon_of_another_step_is_refused(three, step):
    with pytest.raises(NothingToDrawError, match=rf"up to step 4 and with record.every = 1; not step {step}\."):
        al.plots.cartoon(three, step=step)
    with pytest.raises(NothingToDrawError, match="not step 2"):
        al.plots.cartoon(three.isel(step=[0, 2, 4]), step=2)
    with pytest.raises(NothingToDrawError, match="wild: step 3 cannot be drawn"):
        al.plots.cartoon(three, step=3, optimizer="wild")
    with pytest.raises(NothingToDrawError, match='no optimizer has the label "swerve"; did you mean "swerving"'):
        al.plots.cartoon(three, optimizer="swerve")


def test_moments_show_the_recorded_quantities_over_steps(three):
    figure = al.plots.moments(three.drop_vars("m_hat"), optimizer="swerving")
    lines = {axes.get_ylabel(): axes.get_lines() for axes in figure.axes}
    assert [*lines] == ["gradient $g$", "momentum $m$", r"root of squares $\sqrt{\hat v}$"]
    run = three.isel(run=1)
    roots = [line for line in lines[r"root of squares $\sqrt{\hat v}$"] if np.size(line.get_xdata()) == 5]
    np.testing.assert_allclose([np.asarray(line.get_ydata()) for line in roots], np.sqrt(run.v_hat.values.T))
    assert [str(line.get_label()) for line in roots] == ["$w_{1}$", "$w_{2}$"]
    (second,) = [
        ax.get_lines()[-1]
        for ax in al.plots.moments(three[["loss", "diverged_at", "optax_run", "m"]], coordinate=2).axes
    ]
    np.testing.assert_allclose(np.asarray(second.get_ydata()), three.m.values[0, :, 1])
    with pytest.raises(NothingToDrawError, match="it has the coordinates 1 to 2, not 3"):
        al.plots.moments(three, coordinate=3)


def in_space(axes, label: str) -> np.ndarray:
    """The points of a line in space, a row each."""
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return np.array(line.get_data_3d()).T


def test_a_surface_has_the_functions_heights_and_the_paths_on_it(three):
    figure = al.plots.surface(three.isel(run=[0, 1]))
    (axes,) = figure.axes
    logarithms = np.log10(three.loss.values[0, :4])
    np.testing.assert_allclose(in_space(axes, "straight")[:, 2][:4], logarithms)
    np.testing.assert_allclose(in_space(axes, "straight")[:, :2], STRAIGHT)
    wild = al.plots.surface(three.isel(run=[2]))
    drawn = in_space(wild.axes[0], "wild")
    assert np.isfinite(drawn).all(axis=1).tolist() == [True, True, False, False, False]
    alone = al.plots.surface(plane() * 0 + 3)
    assert "heights from 3 to 3" in str(alone.get_label())


def test_a_field_has_the_updates_of_the_optimizer_at_each_point(x64):
    problem = get("himmelblau")
    momentum = field(problem, "optax.sgd(0.1, momentum=0.5)", side=3)
    g = np.asarray(jax.vmap(jax.vmap(jax.grad(problem.objective)))(momentum.points.values))
    np.testing.assert_allclose(momentum["first"], -0.1 * g, rtol=1e-12)
    np.testing.assert_allclose(momentum["settled"], -0.2 * g, rtol=1e-9)
    with pytest.raises(SpecError, match=r"lr needs a number, as in adamlab.adam\(0.1\)"):
        field(problem, "optax.adam(lr)")


def field_by_hand() -> xr.Dataset:
    """The field of gradient descent with rate 1/10 on the bowl, at nine points, of which one is the minimum."""
    points = np.stack(np.meshgrid([0.0, 1.0, 2.0], [-1.0, 0.0, 1.0]), axis=-1)
    first = -0.1 * np.stack([2 * (points[..., 0] - 1), 20 * points[..., 1]], axis=-1)
    arrays = {"points": points, "first": first, "settled": 2 * first}
    names = ("row", "column", "dim")
    data = plane().assign({name: (names, values) for name, values in arrays.items()})
    return data.assign_attrs(optimizer="optax.sgd(0.1)")


def test_a_vector_field_points_where_the_first_step_goes():
    data = field_by_hand()
    figure = al.plots.vector_field(data, settled=True)
    settled, first = [drawn for drawn in figure.axes[0].collections if isinstance(drawn, Quiver)]
    updates = data["first"].values.reshape(-1, 2)
    moving = np.linalg.norm(updates, axis=1) > 0
    assert moving.sum() == 8
    np.testing.assert_array_equal(first.XY, data.points.values.reshape(-1, 2)[moving])
    np.testing.assert_allclose(np.arctan2(first.V, first.U), np.arctan2(*updates[moving].T[::-1]))
    np.testing.assert_allclose(np.asarray(first.get_array()), np.linalg.norm(updates[moving], axis=1))
    np.testing.assert_allclose(np.hypot(first.U, first.V), 0.8)
    np.testing.assert_allclose(np.array([settled.U, settled.V]), np.array([first.U, first.V]))
    ax = Figure().add_subplot()
    assert al.plots.vector_field(data, ax=ax) is ax.figure
    assert len(ax.collections) > 2
    with pytest.raises(NothingToDrawError, match=r"optax.sgd\(0.1\) takes no step that can be drawn"):
        al.plots.vector_field(data.assign(first=data["first"] * np.nan))


def test_a_film_moves_in_a_notebook(three):
    html = al.plots.race(three)._repr_html_()
    assert 'src="data:image/gif;base64,R0lGOD' in html
    assert 'alt="' in html
