"""Pictures show what they say: lines are counted and compared with the dataset."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import adamlab as al
from adamlab.analysis import best_setting, with_agreement
from adamlab.errors import InputError
from adamlab.plots import PLOTS, NothingToDrawError
from adamlab.plots.files import draw
from adamlab.plots.lines import HIGHEST
from adamlab.plots.picture import lay_out
from adamlab.plots.runs.trajectories import _end
from adamlab.plots.style import figure_of, legend, shown
from tests.plots.made_runs import runs as made_runs
from tests.plots.written import unwritten

pytestmark = pytest.mark.optimized(False)


@pytest.fixture(scope="module")
def tree():
    return al.run(
        {
            "name": "plots",
            "steps": 30,
            "seeds": 3,
            "record": {"every": 5, "what": ["loss", "params", "test_accuracy"]},
            "problem": [
                {"name": "beale"},
                {"name": "sparse_logistic", "features": 20, "examples": 50, "batch_size": 4},
            ],
            "optimizer": [
                {"name": f"{library}.adam", "learning_rate": [0.01, 0.1]} for library in ("adamlab", "optax")
            ],
        }
    )


@pytest.fixture
def runs(tree):
    return tree["beale"].to_dataset()


def lines(figure) -> dict[str, Any]:
    """The drawn lines by their labels in the legend."""
    (axes,) = figure.axes
    return {str(line.get_label()): line for line in axes.get_lines() if not str(line.get_label()).startswith("_")}


def words(figure) -> list[str]:
    """What stands in the axes and the legends."""
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())] + figure.legends
    texts = [text for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in (*texts, *(text for legend in legends for text in legend.get_texts()))]


def marks(axes, size: float) -> list[np.ndarray]:
    """The points of each line of round marks of a size."""
    drawn = [line for line in axes.get_lines() if (line.get_marker(), line.get_markersize()) == ("o", size)]
    return [np.asarray(line.get_xydata()) for line in drawn]


def test_trajectories_show_each_path_start_and_minimum_and_name_twins_together(runs):
    figure = al.plots.trajectories(runs)
    drawn = lines(figure)
    assert list(drawn) == ["adamlab/optax.adam, η 0.1", "minimum", "start"]
    assert words(figure) == ["adamlab/optax.adam, η 0.1", "minimum", "start", "end", "every 5 steps"]
    best = best_setting(runs, "adamlab.adam").isel(run=0)
    np.testing.assert_array_equal(drawn["adamlab/optax.adam, η 0.1"].get_xydata(), best.params)
    np.testing.assert_array_equal(drawn["start"].get_xydata(), best.params[:1])
    np.testing.assert_array_equal(drawn["minimum"].get_xydata(), [[3.0, 0.5]])
    assert figure.axes[0].get_title() == "beale: each optimizer at its best setting by final loss, seed 0"
    assert str(figure.get_label()).endswith("seed 0: none ends at a minimum.")


def test_twins_that_part_have_a_path_each(runs):
    apart = runs.assign(params=runs.params.copy())
    apart.params[6:] += 0.3
    assert list(lines(al.plots.trajectories(apart)))[:2] == ["adamlab.adam, η 0.1", "optax.adam, η 0.1"]


def test_dots_on_a_path_are_at_equal_steps(runs):
    (axes,) = al.plots.trajectories(runs).axes
    path = best_setting(runs, "adamlab.adam").params.values[0]
    np.testing.assert_array_equal(marks(axes, 3.5), [path[[1, 2, 3, 4, 5]]])  # recorded at 5, 10, …, 25 of 30 steps


def test_the_setting_and_the_seed_can_be_chosen(runs):
    figure = al.plots.trajectories(runs, at="learning_rate=0.01", seed=2)
    chosen = runs.isel(run=(runs.learning_rate.values == 0.01) & (runs.seed.values == 2)).params.values[0]
    np.testing.assert_array_equal(lines(figure)["adamlab/optax.adam, η 0.01"].get_xydata(), chosen)
    assert "at its best setting with η 0.01 by final loss, seed 2" in figure.axes[0].get_title()
    worst = al.plots.trajectories(runs.assign(test=runs.loss * 0 + runs.learning_rate), by="final_test")
    assert "adamlab/optax.adam, η 0.01" in lines(worst)
    with pytest.raises(NothingToDrawError, match="no such seed as 7; 0, 1 and 2"):
        al.plots.trajectories(runs, seed=7)
    with pytest.raises(InputError, match=r"no run has learning_rate=0.5; learning_rate was 0.01 and 0.1"):
        al.plots.curves(runs, at="learning_rate=0.5")
    with pytest.raises(InputError, match="expected numbers such as "):
        al.plots.curves(runs, at="lr")
    with pytest.raises(InputError, match='no optimizer is given a "b2"'):
        al.plots.curves(runs, at="b2=1")


def test_ends_at_a_minimum_stand_beside_its_star(runs):
    arrived = runs.assign(params=runs.params.copy())
    arrived.params[:, -1] = [3.0, 0.5]
    figure = al.plots.trajectories(arrived)
    (axes,) = figure.axes
    (end,) = [line for line in axes.get_lines() if (line.get_marker(), line.get_markersize()) == ("o", 6)]
    np.testing.assert_array_equal(end.get_xydata(), [[3.0, 0.5]])
    shift = end.get_transform().transform([3.0, 0.5]) - axes.transData.transform([3.0, 0.5])
    np.testing.assert_allclose(shift, [12 * figure.dpi / 72, 0], atol=1e-6)
    assert str(figure.get_label()).endswith("all end at a minimum.")


def test_a_path_that_bounces_is_thin_and_does_not_set_the_axes(runs):
    """The optimizers of Optax go back and forth across the domain."""
    wild = runs.assign(params=runs.params.copy(), optax_run=runs.optax_run * 0 - 1)
    calm = wild.isel(run=slice(0, 6))
    wild.params[6:, 1:-1] = np.array([[-4.0, -4.0], [4.0, 4.0]])[np.arange(5) % 2]
    long = wild.isel(step=[0, *([1, 2] * 20), 6]).assign_coords(step=np.arange(42))
    long.params[:6] = np.linspace(calm.params.values[:, 0], calm.params.values[:, -1], 42, axis=1)
    figure = al.plots.trajectories(long)
    label = "optax.adam, η 0.1, thin: it goes back and forth"
    assert lines(figure)[label].get_linewidth() < 1 < lines(figure)["adamlab.adam, η 0.1"].get_linewidth()
    both, alone = figure.axes[0], al.plots.trajectories(calm).axes[0]
    assert np.ptp(both.get_xlim()) < 1.3 * np.ptp(alone.get_xlim())


def test_trajectories_show_the_paths_from_all_starts_of_the_first_seed(runs):
    """Seeds 0 and 1 become two starts of seed 0, and seed 2 another seed."""
    starts, seeds = np.array([0, 1, 0]), np.array([0, 0, 1])
    several = runs.assign_coords(start=("run", starts[runs.seed.values]), seed=("run", seeds[runs.seed.values]))
    several["params"] = several.params + 0.1 * several.start
    (axes,) = al.plots.trajectories(several).axes
    best = best_setting(several, "adamlab.adam").params.values
    paths = [line.get_xydata() for line in axes.get_lines() if len(np.asarray(line.get_xydata())) == runs.sizes["step"]]
    np.testing.assert_array_equal(paths, best[:2])
    np.testing.assert_array_equal(lines(axes.figure)["start"].get_xydata(), np.unique(best[:2, 0], axis=0))
    assert list(lines(axes.figure)) == list(lines(al.plots.trajectories(runs)))


def test_trajectories_end_where_the_run_ends(runs):
    (axes,) = al.plots.trajectories(runs).axes
    np.testing.assert_array_equal(marks(axes, 6), [best_setting(runs, "adamlab.adam").params.values[0, -1:]])


def test_curves_show_the_median_in_a_band_over_seeds(tree):
    runs = tree["sparse_logistic"].to_dataset()
    runs = runs.assign(test_accuracy=runs.test_accuracy * 0.5)
    figure = al.plots.curves(runs, what="test_accuracy")
    (axes,) = figure.axes
    best = best_setting(runs, "optax.adam").test_accuracy.values
    assert (best.min(axis=0) < best.max(axis=0)).any()
    (line,) = [line for label, line in lines(figure).items() if "optax" in label]
    np.testing.assert_allclose(line.get_ydata(), np.median(best, axis=0))
    band = np.asarray(axes.collections[1].get_paths()[0].vertices)[:, 1]
    assert (band.min(), band.max()) == pytest.approx((best.min(), best.max()))
    assert axes.get_ylabel() == "test_accuracy (median and range of 3 seeds)"


def test_accuracies_near_1_are_drawn_as_error_rates(tree):
    runs = tree["sparse_logistic"].to_dataset()
    near = runs.assign(test_accuracy=1 - 0.5 ** (runs.learning_rate * 0 + runs.step / 5 + 1))
    near.test_accuracy[:, -1] = 1.0
    figure = al.plots.curves(near, what="test_accuracy")
    (axes,) = figure.axes
    (line,) = lines(figure).values()
    np.testing.assert_allclose(line.get_ydata(), [*0.5 ** np.arange(1.0, 7), 0.5**6])
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "test_error = 1 − test_accuracy\n(median and range of 3 seeds)"
    assert len(marks(axes, 5.5)[0]) == 1, "the zero at the end"


def test_sensitivity_shows_the_final_loss_over_the_setting(runs):
    figure = al.plots.sensitivity(runs)
    line = lines(figure)["adamlab/optax.adam"]
    np.testing.assert_array_equal(line.get_xdata(), [0.01, 0.1])
    finals = runs.loss.values[:6, -1].reshape(2, 3)
    np.testing.assert_allclose(line.get_ydata(), np.median(finals, axis=1))
    assert figure.axes[0].get_xscale() == "log"


@pytest.mark.parametrize("of", ["params", "loss"])
def test_agreement_shows_the_largest_difference(runs, of):
    figure = al.plots.agreement(runs if of == "params" else runs.drop_vars("params"))
    assert [word in figure.axes[0].get_ylabel() for word in ("parameter", "loss")] == [of == "params", of == "loss"]
    line = lines(figure)["adamlab.adam"]
    apart = np.abs(runs[of].values[:6] - runs[of].values[6:])
    difference = apart.reshape(*apart.shape[:2], -1).max(axis=(0, 2))
    np.testing.assert_array_equal(line.get_ydata(), np.where(difference > 0, difference, np.nan))


def test_twins_share_a_colour_and_the_thin_line_is_over_the_broad_one(runs):
    drawn = lines(al.plots.curves(runs))
    assert list(drawn) == ["adamlab/optax.adam, η 0.1"], "they coincide"
    ours, theirs, *_ = al.plots.curves(runs).axes[0].get_lines()
    assert ours.get_color() == theirs.get_color()
    assert (ours.is_dashed(), theirs.is_dashed()) == (False, True)
    assert ours.get_linewidth() > 3 * theirs.get_linewidth()
    assert (ours.get_alpha() or 1) < (theirs.get_alpha() or 1)


@pytest.mark.parametrize(
    ("problem", "kind", "options", "message"),
    [
        ("sparse_logistic", "trajectories", {}, "a problem of two parameters"),
        ("beale", "curves", {"what": "test_accuracy"}, "no test_accuracy was recorded over steps; there is loss"),
        ("beale", "curves", {"what": "final_params"}, "no final_params was recorded over steps"),
        ("beale", "curves", {"what": "loss", "settings": "all", "setting": "b2"}, "no b2 has several values"),
        ("beale", "sensitivity", {"panels": "b2"}, "no optimizer has more than one b2"),
        ("beale", "sensitivity", {"setting": "b2"}, "no optimizer has more than one b2"),
    ],
)
def test_what_cannot_be_drawn_is_told(tree, problem, kind, options, message):
    with pytest.raises(NothingToDrawError, match=message):
        PLOTS[kind](tree[problem].to_dataset(), **options)


def test_agreement_without_a_pair_is_told(runs):
    with pytest.raises(NothingToDrawError, match=r"no adamlab\.X and optax\.X at the same settings"):
        al.plots.agreement(runs.assign(optax_run=("run", np.full(12, -1))))


def test_a_diverged_run_counts_as_infinite(runs):
    """Where most seeds diverge there is no point, however well the others did."""
    diverged_at = np.where((runs.learning_rate == 0.1) & (runs.seed > 0), 7, -1)
    diverged_at[6:] = -1  # those of Optax do not
    figure = al.plots.sensitivity(runs.assign(diverged_at=("run", diverged_at)))
    assert np.isfinite(lines(figure)["adamlab.adam"].get_ydata()).tolist() == [True, False]
    (cross,) = [line for line in figure.axes[0].get_lines() if line.get_marker() == "x"]
    assert np.asarray(cross.get_xdata()).tolist() == [0.1]
    assert "half of the runs or more diverged" in words(figure)


def test_labels_are_shown_as_they_are(runs):
    odd = {"adamlab.adam": r"$\foo$ [red]", "optax.adam": "<b>"}
    named = runs.assign_coords(optimizer=("run", np.array([odd[name] for name in runs.optimizer.values], object)))
    figure = al.plots.curves(named)
    assert unwritten(figure) == []
    (name,) = words(figure)
    assert name == r"$\foo$ [red] and <b>, η 0.1"
    svg_words = [text.get_text() for text in figure.axes[0].texts]
    assert svg_words == [name]
    assert not figure.axes[0].texts[0].get_parse_math()


def test_labels_in_a_legend_are_shown_as_they_are():
    labels = [rf"$\foo$ {number}" for number in range(3)]
    figure = Figure()
    axes = figure.subplots()
    for label in labels:
        axes.plot([0, 1], label=label)
    legend(figure)
    (drawn,) = figure.legends
    assert [text.get_text() for text in drawn.get_texts()] == labels
    assert unwritten(figure) == []


def test_what_is_too_far_to_be_drawn_is_left_out():
    values = [1.0, -HIGHEST, 2 * HIGHEST, -2 * HIGHEST, np.inf, -np.inf, np.nan]
    drawn = shown(xr.DataArray(values, dims="step")).values
    assert np.isfinite(drawn).tolist() == [True, True, *[False] * 5]


def test_identical_means_in_all_that_is_kept(tree):
    runs = tree["sparse_logistic"].to_dataset()
    same = runs.assign(loss=(runs.loss.dims, np.tile(runs.loss.values[:1], (12, 1))))
    assert "adamlab.adam" in lines(al.plots.agreement(same))
    in_some = same.assign(params_difference=same.params_difference.where(same.seed > 0, 0.0))
    assert "adamlab.adam" in lines(al.plots.agreement(in_some))
    same = same.assign(params_difference=same.params_difference * 0)
    figure = al.plots.agreement(same)
    assert words(figure) == ["identical at every step: adamlab.adam", "ε of float32, 1.2e-07"]
    assert "adamlab.adam is identical to Optax at every step" in str(figure.get_label())


@pytest.mark.parametrize("kind", ["trajectories", "curves", "sensitivity", "agreement", "landscape", "ranks", "budget"])
def test_runs_that_are_not_done_are_not_drawn(runs, kind):
    done = runs.seed.values != 1
    half = runs.assign({name: runs[name].where(runs.seed != 1) for name in ("loss", "params", "final_params")})
    figures = [
        PLOTS[kind](with_agreement(some))
        for some in (half.assign_coords(done=("run", done)), runs.isel(run=np.flatnonzero(done)))
    ]
    drawn, expected = ([line.get_xydata() for line in figure.axes[0].get_lines()] for figure in figures)
    assert len(drawn) == len(expected) > 0
    for line, other in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(line, other)
    assert figures[0].axes[0].get_xlim() == figures[1].axes[0].get_xlim()


def test_files_are_the_same_each_time(tree, tmp_path):
    for name in ("one", "two"):
        draw(tree, "beale", "trajectories", [tmp_path / f"{name}.svg", tmp_path / f"{name}.png"])
    for end in ("svg", "png"):
        assert (tmp_path / f"one.{end}").read_bytes() == (tmp_path / f"two.{end}").read_bytes()


def test_a_path_that_diverges_is_drawn_as_far_as_it_goes():
    config = {
        "name": "wild",
        "steps": 20,
        "problem": [{"name": "rosenbrock"}],
        "optimizer": [{"name": "adamlab.sgd", "learning_rate": 1.0}],
    }
    runs = al.run(config)["rosenbrock"].to_dataset()
    assert bool((runs.diverged_at > 0).all())
    (path,) = runs.params.values
    finite = np.isfinite(path).all(axis=1)
    assert 1 < finite.sum() < len(path)
    for plot in (al.plots.trajectories, al.plots.curves):
        assert unwritten(plot(runs)) == []
    (axes,) = al.plots.trajectories(runs).axes
    for low, high, points in zip(*np.array([axes.get_xlim(), axes.get_ylim()]).T, path[0:1].T, strict=True):
        assert low < points.min() <= points.max() < high
    assert _end(path).tolist() == path[finite][-1].tolist()


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(("replacement", "per_epoch"), [(True, 1437 / 100), (False, 14)])
def test_curves_over_epochs_and_layers_by_name(replacement, per_epoch):
    config = {
        "name": "epochs",
        "steps": 28,
        "record": {"every": 14, "what": ["loss", "layer_norms"]},
        "problem": [
            {"name": "digits_softmax", "batch_size": 100, "replacement": replacement},
            {"name": "beale"},
        ],
        "optimizer": [{"spec": "adamlab.adam(0.1)"}],
    }
    results = al.run(config)
    runs = results["digits_softmax"].ds
    (axes,) = al.plots.curves(runs, over="epoch").axes
    assert axes.get_xlabel() == "epoch"
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_xdata()), [0, 14 / per_epoch, 28 / per_epoch])
    weights = runs.final_params.values[0]
    assert runs.layer.values.tolist() == ["W", "b"]
    for layer, part in (("W", weights[:640]), ("b", weights[640:])):
        last = runs.layer_norms.sel(layer=layer).isel(run=0, step=-1)
        assert float(last) == pytest.approx(float(np.linalg.norm(part)), rel=1e-5)
    with pytest.raises(NothingToDrawError, match="beale: it has no epochs"):
        al.plots.curves(results["beale"].ds, over="epoch")
    with pytest.raises(InputError, match='over "step", "epoch" or "seconds", not \'hour\''):
        al.plots.curves(runs, over="hour")


def test_curves_over_seconds_reach_as_far_as_the_runs_took():
    """Half of the runs of an optimizer took at most its time; lines of the same losses at other times hide nothing."""
    runs = made_runs([*"aaabbb"], np.geomspace(1.0, 0.1, 5)[None].repeat(6, 0), seeds=[0, 1, 2] * 2)
    timed = runs.assign(seconds=("run", np.array([0.1, 0.2, 9.0, 0.5, 0.3, 0.4])))
    (axes,) = al.plots.curves(timed, over="seconds").axes
    fractions = np.arange(5) / 4
    for line, seconds in zip(axes.lines, (0.2, 0.4), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_xdata()), seconds * fractions)
        assert "under" not in str(line.get_label())
    assert axes.get_xlabel() == "seconds per run"
    assert str(figure_of(axes).get_label()).startswith("Loss over 0.4 seconds per run on ")
    (axes,) = al.plots.curves(runs, over="step").axes
    assert "under" in str(axes.lines[0].get_label())
    with pytest.raises(NothingToDrawError, match='put "seconds" among'):
        al.plots.curves(runs, over="seconds")


def test_curves_of_vectors_have_a_panel_for_each_part(tree):
    runs = tree["beale"].to_dataset()
    figure = al.plots.curves(runs, what="params")
    assert [axes.get_title() for axes in figure.axes] == ["w₁", "w₂"]
    best = best_setting(runs, "adamlab.adam").params.values
    for axes, i in zip(figure.axes, (0, 1), strict=True):
        np.testing.assert_allclose(
            np.asarray(axes.get_lines()[0].get_ydata()), np.median(best[:, :, i], axis=0), rtol=1e-6
        )
    (alone,) = al.plots.curves(runs, what="params[2]").axes
    np.testing.assert_array_equal(alone.get_lines()[0].get_ydata(), figure.axes[1].get_lines()[0].get_ydata())
    many = runs.drop_vars(["minima", "params"]).assign(params=runs.params.isel(dim=[0, 1] * 5))
    figure = al.plots.curves(many, what="params")
    assert len(figure.axes) == 6
    assert "the first 6 of 10" in figure.get_suptitle()
    with pytest.raises(InputError, match='params has no part "3"; valid here: 1, 2'):
        al.plots.curves(runs, what="params[3]")
    with pytest.raises(InputError, match="loss is one number and has no parts"):
        al.plots.curves(runs, what="loss[1]")


def test_train_and_test_share_a_panel_and_other_quantities_have_their_own(tree):
    runs = tree["sparse_logistic"].to_dataset()
    both = runs.assign(test_loss=runs.loss * 2)
    figure = al.plots.curves(both, what=["loss", "test_loss"])
    (axes,) = figure.axes
    first, second = axes.get_lines()[:2]
    np.testing.assert_allclose(np.asarray(second.get_ydata()), 2 * np.asarray(first.get_ydata()), rtol=1e-6)
    assert (first.get_color(), first.get_linestyle(), second.get_linestyle()) == (second.get_color(), "-", ":")
    assert words(figure)[-2:] == ["loss", "test_loss"]
    panels = al.plots.curves(both, what=["loss", "test_accuracy", "test_loss"]).axes
    assert next(axes.get_title() for axes in panels) == "loss and test_loss"
    assert len(panels) == 2
    with pytest.raises(InputError, match=r"ax: expected what fits into one panel; .* takes 2. Take what='loss'"):
        al.plots.curves(both, what=["loss", "test_accuracy"], ax=axes)


def test_all_settings_are_drawn_in_the_colour_of_their_number(runs):
    figure = al.plots.curves(runs, settings="all")
    place, bar = figure.axes
    medians = [np.median(runs.loss.values[i : i + 3], axis=0) for i in (0, 3)]
    for line, median in zip(place.get_lines(), medians, strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), median, rtol=1e-6)
    assert place.get_lines()[0].get_color() != place.get_lines()[1].get_color()
    assert (bar.get_title(), place.get_title()) == ("η", "beale: loss, the median of each setting of adamlab.adam")
    with pytest.raises(InputError, match="all settings are drawn of one quantity; what has w₁ and w₂"):
        al.plots.curves(runs, what="params", settings="all")
    with pytest.raises(InputError, match='of the "best" settings or of "all", not of \'some\''):
        al.plots.curves(runs, settings="some")


def test_zeros_stand_at_the_least_positive_value_with_an_open_mark(runs):
    """Median losses 8, 4, 2, 1, 0.5, 0, 0, in a band down to 0: log axes have no place for 0."""
    losses = np.array([8, 4, 2, 1, 0.25, 0, 0]) * np.ones((12, 1))
    losses[::3, 4] = 0
    figure = al.plots.curves(runs.assign(loss=(("run", "step"), losses)))
    (axes,) = figure.axes
    (line,) = lines(figure).values()
    np.testing.assert_array_equal(line.get_ydata(), [8, 4, 2, 1, 0.25, 0.25, 0.25])
    np.testing.assert_array_equal(marks(axes, 5.5)[0], [[25, 0.25]])
    band = np.concatenate([np.asarray(path.vertices) for path in axes.collections[0].get_paths()])
    assert band[:, 1].min() == 0.25
    assert "○ is 0" in words(figure)
    assert axes.get_yscale() == "log"


def test_a_diverging_seed_does_not_set_the_scale(runs):
    losses = np.tile(10.0 ** np.linspace(1, -3, 7), (12, 1))
    losses[::3] = 10.0 ** np.linspace(1, 28, 7)
    figure = al.plots.curves(runs.assign(loss=(("run", "step"), losses)))
    assert figure.axes[0].get_ylim()[1] == pytest.approx(30)
    losses[:] = 10.0 ** np.linspace(1, 28, 7)
    figure = al.plots.curves(runs.assign(loss=(("run", "step"), losses)))
    assert figure.axes[0].get_ylim()[1] == pytest.approx(3e4)
    assert "goes beyond the picture" in words(figure)
    left = [np.asarray(line.get_xydata())[0] for line in figure.axes[0].get_lines() if line.get_marker() == "^"]
    assert left[0] == pytest.approx([5 * (np.log10(3e4) - 1) / 4.5, 3e4])


def test_a_line_that_another_one_hides_is_named(runs):
    other = {"adamlab.adam": "a", "optax.adam": "b"}
    named = runs.assign_coords(optimizer=("run", np.array([other[name] for name in runs.optimizer.values], object)))
    assert "a, η 0.1 (under b)" in words(al.plots.curves(named.assign(optax_run=runs.optax_run * 0 - 1)))


@pytest.mark.parametrize("kind", ["trajectories", "curves", "sensitivity", "agreement", "landscape", "ranks", "budget"])
def test_plots_can_be_drawn_into_given_axes(runs, kind):
    figure = Figure()
    first, second = figure.subplots(1, 2)
    assert PLOTS[kind](runs, ax=second) is figure
    assert not first.has_data()
    assert second.has_data()
    assert not figure.legends
    assert figure.get_label() == ""


def test_panels_by_a_second_number(runs):
    b2 = np.where(np.arange(12) % 6 < 3, 0.9, 0.999)
    rates = np.where(np.arange(12) % 3 == 0, 0.01, 0.1)
    swept = runs.assign_coords(b2=("run", b2), learning_rate=("run", rates), seed=("run", np.arange(12) % 3 // 2))
    swept = swept.assign_attrs(settings=["learning_rate", "b2"])
    specs = [f"{a}{b}{c}" for a, b, c in zip(runs.optimizer.values, b2, rates, strict=True)]
    swept = swept.assign_coords(spec=("run", specs))
    figure = al.plots.sensitivity(swept, panels="b2")
    assert [axes.get_title() for axes in figure.axes] == ["β₂ 0.9", "β₂ 0.999"]
    for axes, of in zip(figure.axes, (slice(0, 3), slice(3, 6)), strict=True):
        finals = runs.loss.values[of, -1]
        np.testing.assert_allclose(
            np.asarray(axes.get_lines()[0].get_ydata()), [finals[0], np.median(finals[1:])], rtol=1e-6
        )
    with pytest.raises(InputError, match="panels take a figure of their own"):
        al.plots.sensitivity(swept, panels="b2", ax=figure.axes[0])
    with pytest.raises(InputError, match="expected one number or two different ones, not b2 and b2"):
        al.plots.sensitivity(swept, panels=["b2", "b2"])


def test_the_best_at_the_end_of_the_range_is_marked(runs):
    figure = al.plots.sensitivity(runs)
    (axes,) = figure.axes
    (ring,) = marks(axes, 9)
    finals = np.median(runs.loss.values[:6, -1].reshape(2, 3), axis=1)
    assert ring.tolist() == [[pytest.approx([0.01, 0.1][finals.argmin()]), pytest.approx(finals.min())]]
    assert words(figure)[0] in "←→"
    assert "best is the smallest or largest that was tried" in words(figure)


def test_long_labels_and_many_optimizers_stay_inside_the_figure(runs):
    """Rows of a legend are measured as they are drawn."""
    for names in (["x" * 300, "y" * 300], [f"an optimizer of number {i}" for i in range(12)]):
        labels = np.array(names, object)[np.arange(12) % len(names)]
        specs = np.array([*map(str, range(12))], object) if len(names) == 12 else labels
        many = runs.assign_coords(
            optimizer=("run", labels), spec=("run", specs), learning_rate=("run", np.arange(12.0))
        )
        figure = al.plots.curves(many.assign(optax_run=runs.optax_run * 0 - 1))
        lay_out(figure)
        (legend,) = figure.legends
        box = legend.get_window_extent(FigureCanvasAgg(figure).get_renderer())
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert figure.axes[0].get_position().height > 0.3
