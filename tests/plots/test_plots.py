"""Pictures show what they say: lines are counted and compared with the dataset."""

from typing import Any

import numpy as np
import pytest

import adamlab as al
from adamlab.analysis import best_setting, with_agreement
from adamlab.errors import InputError
from adamlab.plots import PLOTS, NothingToDrawError
from adamlab.plots.files import draw
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


def test_trajectories_show_each_path_start_and_minimum(runs):
    drawn = lines(al.plots.trajectories(runs))
    assert list(drawn) == [
        "adamlab.adam, learning_rate 0.1",
        "optax.adam, learning_rate 0.1",
        "start",
        "minimum",
        "end",
    ]
    best = best_setting(runs, "adamlab.adam").isel(run=0)
    np.testing.assert_array_equal(drawn["adamlab.adam, learning_rate 0.1"].get_xydata(), best.params)
    np.testing.assert_array_equal(drawn["start"].get_xydata(), best.params[:1])
    np.testing.assert_array_equal(drawn["minimum"].get_xydata(), [[3.0, 0.5]])


def test_trajectories_show_the_paths_from_all_starts_of_the_first_seed(runs):
    """Seeds 0 and 1 become two starts of seed 0, and seed 2 another seed."""
    starts, seeds = np.array([0, 1, 0]), np.array([0, 0, 1])
    several = runs.assign_coords(start=("run", starts[runs.seed.values]), seed=("run", seeds[runs.seed.values]))
    several["params"] = several.params + 0.1 * several.start
    (axes,) = al.plots.trajectories(several).axes
    best = best_setting(several, "adamlab.adam").params.values
    paths = [line.get_xydata() for line in axes.get_lines() if len(np.asarray(line.get_xydata())) == runs.sizes["step"]]
    np.testing.assert_array_equal(paths[:2], best[:2])
    assert len(paths) == 4
    np.testing.assert_array_equal(lines(axes.figure)["start"].get_xydata(), np.unique(best[:2, 0], axis=0))
    assert list(lines(axes.figure)) == list(lines(al.plots.trajectories(runs)))


def test_trajectories_end_where_the_run_ends(runs):
    (axes,) = al.plots.trajectories(runs).axes
    marks = [np.asarray(line.get_xydata()) for line in axes.get_lines() if line.get_marker() == "o"]
    ends = [mark[0] for mark in marks if len(mark)]
    expected = [best_setting(runs, name).params.values[0, -1] for name in ("adamlab.adam", "optax.adam")]
    np.testing.assert_array_equal(ends, expected)


def test_curves_show_the_median_in_a_band_over_seeds(tree):
    runs = tree["sparse_logistic"].to_dataset()
    figure = al.plots.curves(runs, what="test_accuracy")
    (axes,) = figure.axes
    best = best_setting(runs, "optax.adam").test_accuracy.values
    assert (best.min(axis=0) < best.max(axis=0)).any()
    (line,) = [line for label, line in lines(figure).items() if label.startswith("optax")]
    np.testing.assert_allclose(line.get_ydata(), np.median(best, axis=0))
    band = np.asarray(axes.collections[1].get_paths()[0].vertices)[:, 1]
    assert (band.min(), band.max()) == pytest.approx((best.min(), best.max()))
    assert axes.get_ylabel() == "test_accuracy (median and range of 3 seeds)"


def test_sensitivity_shows_the_final_loss_over_the_setting(runs):
    figure = al.plots.sensitivity(runs)
    line = lines(figure)["adamlab.adam"]
    np.testing.assert_array_equal(line.get_xdata(), [0.01, 0.1])
    finals = runs.loss.values[:6, -1].reshape(2, 3)
    np.testing.assert_allclose(line.get_ydata(), np.median(finals, axis=1))
    assert figure.axes[0].get_xscale() == "log"


def test_agreement_shows_the_largest_difference(runs):
    line = lines(al.plots.agreement(runs))["adamlab.adam"]
    difference = np.abs(runs.params.values[:6] - runs.params.values[6:]).max(axis=(0, 2))
    np.testing.assert_array_equal(line.get_ydata(), np.where(difference > 0, difference, np.nan))


def test_twins_share_a_colour(runs):
    drawn = lines(al.plots.curves(runs))
    ours, theirs = drawn.values()
    assert ours.get_color() == theirs.get_color()
    assert (ours.is_dashed(), theirs.is_dashed()) == (False, True)


@pytest.mark.parametrize(
    ("problem", "kind", "options", "message"),
    [
        ("sparse_logistic", "trajectories", {}, "a problem of two parameters"),
        ("beale", "curves", {"what": "test_accuracy"}, "no test_accuracy was recorded over steps; there is loss"),
        ("beale", "curves", {"what": "params"}, "no params was recorded over steps"),
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
    figure = al.plots.sensitivity(runs.assign(diverged_at=("run", diverged_at)))
    assert np.isfinite(lines(figure)["adamlab.adam"].get_ydata()).tolist() == [True, False]


def test_labels_are_shown_as_they_are(runs):
    odd = {"adamlab.adam": r"$\foo$ [red]", "optax.adam": "<b>"}
    named = runs.assign_coords(optimizer=("run", np.array([odd[name] for name in runs.optimizer.values], object)))
    figure = al.plots.curves(named)
    assert unwritten(figure) == []
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [f"{name}, learning_rate 0.1" for name in odd.values()]


def test_identical_means_in_all_that_is_kept(tree):
    runs = tree["sparse_logistic"].to_dataset()
    same = runs.assign(loss=(runs.loss.dims, np.tile(runs.loss.values[:1], (12, 1))))
    assert "adamlab.adam" in lines(al.plots.agreement(same))
    same = same.assign(params_difference=same.params_difference * 0)
    assert "adamlab.adam (identical)" in lines(al.plots.agreement(same))


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
    with pytest.raises(InputError, match='over "step" or "epoch", not \'hour\''):
        al.plots.curves(runs, over="hour")
