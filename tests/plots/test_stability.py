"""Pictures of stability and influence show the dataset's numbers, and their captions say what is to be seen."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure

import adamlab as al
from adamlab.plots import PLOTS_OF, NothingToDrawError
from adamlab.plots.files import picture
from tests.plots.written import unwritten


def written(variables, coordinates, **attributes) -> xr.Dataset:
    """A dataset by hand."""
    known = {"of": "stability", "problem": "optax.sgd(lr, momentum=b)", "metrics": [], "settings": []}
    return xr.Dataset(variables, coordinates, {**known, **attributes})


X = np.linspace(0.1, 4.0, 40)

RATES = written(
    {"radius": (("optimizer", "product"), np.stack([np.abs(1 - X), np.where(X < 3.8, 0.9, 1.2)]))},
    {
        "optimizer": np.array(["gd", "$mom_"], object),
        "product": X,
        "threshold": ("optimizer", [2.0, 3.8]),
        "is_preconditioned": ("optimizer", [False, True]),
    },
)
EIGENVALUES = written(
    {
        "real": (("product", "root"), np.stack([1 - X, 0 * X + 0.5], axis=1)),
        "imaginary": (("product", "root"), np.zeros((40, 2))),
    },
    {"product": X, "threshold": 2.0, "is_preconditioned": False},
)
REGION = written(
    {
        "radius": (("momentum", "product"), np.stack([np.abs(1 - X), np.abs(1 - X / 2)])),
        "diverges": (("run_momentum", "run_product"), np.array([[False, False, True], [False, True, True]])),
    },
    {
        "product": X,
        "momentum": [0.25, 0.75],
        "threshold": ("momentum", [2.0, 4.0]),
        "run_product": [0.5, 1.5, 2.5],
        "run_momentum": [0.25, 0.75],
        "is_preconditioned": True,
    },
    letter="β₁",
)
SPECTRUM = written(
    {
        "measured": (("curvature", "step"), [[1.0, 0.5, 0.25], [1.0, 0.1, 0.01]]),
        "predicted": (("curvature", "step"), [[1.0, 0.5, 0.25], [1.0, 0.1, 0.02]]),
    },
    {
        "curvature": [1.0, 10.0],
        "step": [0, 1, 2],
        "radius": ("curvature", [0.5, 0.1]),
        "is_preconditioned": False,
    },
)
SHARES = written(
    {"share": (("optimizer", "age"), [[0.5, 0.25, 0.125], [1.5, -0.5, 0.0]])},
    {
        "optimizer": np.array(["m", "ahead"], object),
        "age": [0, 1, 2],
        "half_life": ("optimizer", [1.0, np.nan]),
        "mean_age": ("optimizer", [1.0, -0.5]),
    },
    of="influence",
    problem="step 1,000",
    t=1000,
)
DATA = {"rates": RATES, "eigenvalues": EIGENVALUES, "region": REGION, "spectrum": SPECTRUM, "shares": SHARES}


def test_every_plot_has_data_here():
    assert {*PLOTS_OF["stability"], *PLOTS_OF["influence"]} == {*DATA}


@pytest.mark.parametrize("kind", DATA)
def test_a_picture_is_captioned_written_in_full_and_drawn_into_given_axes(kind):
    plot = getattr(al.plots, kind)
    figure = plot(DATA[kind])
    assert str(figure.get_label()).endswith(".")
    assert unwritten(figure) == []
    given = Figure().subplots()
    assert plot(DATA[kind], ax=given) is given.get_figure()


def lines(figure) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata()) for line in figure.axes[0].get_lines()}


def points(figure) -> list[np.ndarray]:
    return [np.asarray(c.get_offsets()) for c in figure.axes[0].collections if isinstance(c, PathCollection)]


def test_rates_are_lines_with_their_thresholds_and_the_fastest():
    figure = al.plots.rates(RATES)
    shown = lines(figure)
    np.testing.assert_array_equal(shown["gd"], np.where(np.abs(1 - X) <= 1.3, np.abs(1 - X), np.nan))
    single = [(line.get_marker(), float(np.ravel(line.get_xdata())[0])) for line in figure.axes[0].get_lines()]
    assert [x for marker, x in single if marker == "x"] == [2.0, 3.8]
    assert [x for marker, x in single if marker == "o"] == [X[int(np.argmin(np.abs(1 - X)))], X[0]], "of a plateau"
    assert "$mom_ up to 3.8, fastest at 0.1 with 0.9" in str(figure.get_label())
    assert "preconditioned" in figure.axes[0].get_xlabel()


def test_an_optimizer_that_never_converges_is_not_fastest_anywhere():
    data = RATES.isel(optimizer=[0]).assign(radius=lambda data: 1 + data.radius)
    data = data.assign_coords(threshold=("optimizer", [0.0]))
    figure = al.plots.rates(data)
    assert "which it does: gd at no rate, however small." in str(figure.get_label())
    assert [line.get_marker() for line in figure.axes[0].get_lines() if line.get_marker() != "None"] == ["x"]
    data = RATES.isel(optimizer=[0]).assign_coords(threshold=("optimizer", [9.0]))
    data["radius"] = 1 - data["product"].expand_dims(optimizer=data.optimizer) / 9
    assert "gd up to 9, as far as is shown fastest at 4" in str(al.plots.rates(data).get_label())
    never = EIGENVALUES.assign_coords(threshold=0.0)
    assert "in which they are never all." in str(al.plots.eigenvalues(never).get_label())


def test_eigenvalues_are_points_and_those_at_the_edge_are_ringed():
    figure = al.plots.eigenvalues(EIGENVALUES)
    first, second, ring = points(figure)
    np.testing.assert_array_equal(first, np.stack([1 - X, 0 * X], axis=1))
    np.testing.assert_array_equal(second, np.stack([0 * X + 0.5, 0 * X], axis=1))
    np.testing.assert_allclose(ring, [[1 - X[19], 0.0]])
    assert "which they leave at 2." in str(figure.get_label())


def test_a_region_has_its_rates_its_threshold_and_its_runs():
    figure = al.plots.region(REGION)
    (mesh,) = [c for c in figure.axes[0].collections if isinstance(c, QuadMesh)]
    shown = np.ma.filled(np.ma.masked_array(mesh.get_array()).reshape(2, 40), np.inf)
    np.testing.assert_array_equal(shown, np.where(REGION.radius < 1, REGION.radius, np.inf))
    calm, diverged = points(figure)
    assert calm.tolist() == [[0.5, 0.25], [1.5, 0.25], [0.5, 0.75]]
    assert diverged.tolist() == [[2.5, 0.25], [1.5, 0.75], [2.5, 0.75]]
    np.testing.assert_array_equal(lines(figure)["threshold, derived from the code"], [0.25, 0.75])
    assert "3 of 6 runs" in str(figure.get_label())
    assert "2 of them on the other side of the threshold" in str(figure.get_label())
    assert figure.axes[0].get_ylabel() == "momentum, β₁"


def test_a_spectrum_has_lines_as_predicted_and_dots_as_measured():
    figure = al.plots.spectrum(SPECTRUM)
    first, dots, second, more = (np.asarray(line.get_ydata()) for line in figure.axes[0].get_lines())
    np.testing.assert_array_equal([first, second], SPECTRUM.predicted)
    np.testing.assert_array_equal([dots, more], SPECTRUM.measured)
    assert "at most 0.01 of the start apart" in str(figure.get_label())


def test_shares_are_lines_with_their_mean_ages():
    figure = al.plots.shares(SHARES)
    shown = lines(figure)
    np.testing.assert_array_equal([shown["m"], shown["ahead"]], SHARES.share)
    means = [line.get_xydata() for line in figure.axes[0].get_lines() if np.size(line.get_xdata()) == 1]
    np.testing.assert_array_equal(means, [[[1.0, 0.25]]])
    assert "m: 50 % from the latest, half-life 1, mean age 1; ahead: 150 % from" in str(figure.get_label())


def test_results_have_no_such_picture_and_the_command_is_told():
    tree = xr.DataTree.from_dict({"beale": xr.Dataset(attrs={"of": "runs"})})
    with pytest.raises(NothingToDrawError, match="draw it with: adamlab stability SPEC --plot region"):
        picture(tree, "beale", "region")


def test_the_command_draws_and_refuses_what_does_not_fit(adamlab, tmp_path):
    file = tmp_path / "rates.svg"
    both = ["stability", "optax.sgd(lr)", "--with", "optax.sgd(lr, momentum=b)", "--set", "b=0.5"]
    done = adamlab(*both, "--plot", "rates", "--out", str(file))
    assert (done.returncode, done.stdout.strip(), file.exists()) == (0, str(file), True)
    refused = {
        "one optimizer, not of 2": [*both, "--plot", "region"],
        "there is no picture 'regions'": ["stability", "optax.sgd", "--plot", "regions"],
        "--with: for a picture": both,
        "--curvature: for formulas": ["stability", "optax.sgd", "--plot", "rates", "--curvature", "1"],
        "--format: for formulas": ["influence", "optax.sgd", "--plot", "shares", "--format", "json"],
    }
    for message, words in refused.items():
        done = adamlab(*words)
        assert done.returncode == 2
        assert message in done.stderr
