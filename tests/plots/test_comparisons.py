"""Pictures of comparisons, read back: labels, cells, colours and lines say what the dataset holds, and of whom."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import adamlab as al
from adamlab.plots import NothingToDrawError
from tests.plots.written import unwritten

POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹∞", "0123456789∞")

FAMILIES = ["normal", "zeros", "scales"]


def comparisons(count: int = 4) -> xr.Dataset:
    """Comparisons of a and b in two types at two rates, in a jumble, with numbers that are all different."""
    ones = [("float64", 1e-2), ("float32", 1e-4), ("float32", 1e-2), ("float64", 1e-4)][:count]
    dtypes, rates = map(np.array, zip(*ones, strict=True))
    left = 10.0 ** np.arange(3 * count).reshape(count, 3) / 50
    of_dtype = {dtype: 7.0 ** np.arange(k, k + 3) / 3 for k, dtype in enumerate(("float32", "float64"))}
    right = np.array([of_dtype[dtype] for dtype in dtypes])
    left[1, 2] = np.inf
    exact = 3 * rates[:, None] ** 2 * [1.0, 0.5, 0.25]
    noise = np.where(dtypes == "float32", 1e-6, 1e-15)[:, None] * [[0.25, 0.5, 1.0]]

    def text(values: Any) -> tuple[str, np.ndarray]:
        return "comparison", np.array([*values], object)

    return xr.Dataset(
        {
            "left_median": (("comparison", "family"), left),
            "right_median": (("comparison", "family"), right),
            "gap": (("comparison", "family"), exact + noise),
            "exact_gap": (("comparison", "family"), exact),
        },
        {
            "family": FAMILIES,
            "label": text(["a to b"] * count),
            "left": text(["a"] * count),
            "right": text(["b"] * count),
            "dtype": text(dtypes.tolist()),
            "context": text(["jit"] * count),
            "layout": text(["tree"] * count),
            "rate": ("comparison", rates),
        },
        {"problem": "comparisons", "settings": ["rate"], "of": "comparisons"},
    )


def cells(axes) -> dict[tuple[str, str], str]:
    """The texts in the grid, by the label of their row and that of their column."""
    columns, rows = ([text.get_text() for text in labels()] for labels in (axes.get_xticklabels, axes.get_yticklabels))
    places = {place(text): text.get_text() for text in axes.texts}
    return {(rows[row], columns[column]): text for (row, column), text in places.items()}


def number(text: str) -> float:
    """The number that a cell tells."""
    return float(text.replace("·10", "e").translate(POWERS).replace("∞", "inf"))


def place(text: Text) -> tuple[int, int]:
    """The row and the column of a cell's text."""
    column, row = text.get_position()
    return round(row), round(column)


def expected(data: xr.Dataset) -> dict[tuple[str, str], float]:
    """The error of either side by its row's name: of the left at every number, of the right once a type."""
    errors = {}
    for i in range(data.sizes["comparison"]):
        row = data.isel(comparison=i)
        names = {
            f"a to b, {row.dtype.item()}, rate {row.rate.item():g}": row.left_median,
            f"b, {row.dtype.item()}": row.right_median,
        }
        errors |= {
            (name, family): values.sel(family=family).item() for name, values in names.items() for family in FAMILIES
        }
    return errors


def brightness(color: Any) -> float:
    """The relative luminance of a colour, about."""
    return float(np.dot(to_rgb(color), [0.21, 0.72, 0.07]))


def test_every_cell_tells_the_error_of_its_own_row_and_family():
    data = comparisons()
    figure, errors = al.plots.errors(data), expected(data)
    drawn = {place: number(text) for place, text in cells(figure.axes[0]).items()}
    assert drawn == {place: pytest.approx(value, rel=0.5 if value > 1e4 else 0.05) for place, value in errors.items()}
    assert figure.axes[1].get_ylabel() == "ulp"
    assert unwritten(figure) == []


def test_every_cell_tells_the_bits_that_differ_in_its_own_type():
    data = comparisons()
    counts = np.array([[0, -1, 0], [1, -1, 20], [-1, 5, -1], [-1, 0, 0]])  # −1 in families that are not asked for
    figure = al.plots.bits(data.assign(differing_bits=(("comparison", "family"), counts)))
    (axes,) = figure.axes
    assert cells(axes) == {
        ("a to b, rate 0.01", "float64"): "=",
        ("a to b, rate 0.0001", "float32"): "21",
        ("a to b, rate 0.01", "float32"): "5",
        ("a to b, rate 0.0001", "float64"): "=",
    }
    (image,) = axes.get_images()
    colors = np.asarray(image.to_rgba(np.ma.asarray(image.get_array())))
    assert colors[0, 0].tolist() == colors[1, 0].tolist()  # float64 is identical at both rates
    assert brightness(colors[1, 1][:3]) < brightness(colors[0, 1][:3])
    told = "none in 2 of 4 comparisons; the most, 21, in those of a to b, rate 0.0001 (float32)."
    assert str(figure.get_label()).endswith(told)
    lone = al.plots.bits(data.assign(differing_bits=(("comparison", "family"), counts)).isel(comparison=[0, 1]))
    assert set(cells(lone.axes[0]).values()) == {"=", "21"}
    assert unwritten(figure) == unwritten(lone) == []


def test_a_side_that_is_not_a_number_is_hatched_and_said_so():
    """At β₂ = 1 Optax's Adam is 0/0, in its formula too: 0 ulp off, and yet no number."""
    data = comparisons()
    verdicts = np.array(["different formulas: the left is not a number at step 1", *["the same"] * 3], object)
    lost = data.assign(left_median=data.left_median.copy(), exact_gap=data.exact_gap.copy())
    lost.left_median[0] = 0.0
    lost.exact_gap[0] = np.inf
    figure = al.plots.errors(lost.assign_coords(verdict=("comparison", verdicts)))
    shown = cells(figure.axes[0])
    assert {text for (row, _), text in shown.items() if row == "a to b, float64, rate 0.01"} == {"NaN"}
    assert sum(text == "NaN" for text in shown.values()) == len(figure.axes[0].patches) == 3
    assert all(patch.get_hatch() for patch in figure.axes[0].patches)
    assert np.ma.count_masked(figure.axes[0].images[0].get_array()) == 3
    assert str(figure.get_label()).endswith("; a to b, float64, rate 0.01 gave NaN.")


def test_long_names_of_rows_leave_room_for_the_cells():
    data = comparisons()
    long = data.assign_coords(right=("comparison", np.array(["optax." + "x" * 200] * 4, object)))
    axes = al.plots.errors(long).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert [len(name) < 60 and name.startswith("optax.xx") and "…" in name for name in names[-2:]] == [True, True]
    assert [name.endswith(("float32", "float64")) for name in names[-2:]] == [True, True]


def test_cells_are_darker_the_greater_the_error_and_infinity_is_the_darkest():
    data = comparisons()
    axes = al.plots.errors(data).axes[0]
    (image,) = axes.images
    colors = image.to_rgba(np.asarray(image.get_array()))
    cells_drawn = [
        (number(text.get_text()), brightness(colors[place(text)][:3]), text.get_color()) for text in axes.texts
    ]
    by_value = sorted(cells_drawn, key=lambda cell: cell[0])
    shades = [lightness for _, lightness, _ in by_value]
    assert by_value[-1][0] == np.inf
    assert shades == sorted(shades, reverse=True)
    assert len({round(lightness, 3) for lightness in shades}) > 8
    assert all(abs(brightness(ink) - lightness) > 0.25 for _, lightness, ink in by_value), "words that can be read"


def lines(axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_xydata()) for line in axes.get_lines()}


@pytest.mark.parametrize("falls", [False, True])
def test_gaps_are_the_greatest_over_all_families_at_every_number(falls):
    data = comparisons()
    data = data.assign(gap=data.gap / data.rate**3) if falls else data
    figure = al.plots.gap(data)
    drawn = lines(figure.axes[0])
    greatest = data.gap.max("family").values
    for dtype in ("float32", "float64"):
        mine = [i for i in np.argsort(data.rate.values) if data.dtype.values[i] == dtype]
        np.testing.assert_allclose(
            drawn.pop(f"a to b, {dtype}"), np.stack([data.rate.values[mine], greatest[mine]], axis=1)
        )
    ((label, exact),) = drawn.items()
    assert label == "exact, slope 2.000"
    np.testing.assert_allclose(exact, [[1e-4, 3e-8], [1e-2, 3e-4]])
    assert figure.axes[0].get_xlabel() == "rate"
    assert unwritten(figure) == []


def test_where_the_left_is_not_finite_and_where_the_number_is_0_is_marked():
    data = comparisons()
    rates = np.where(data.rate.values == 1e-4, 0.0, data.rate.values)
    bad = data.assign_coords(rate=("comparison", rates)).assign(gap=data.gap.copy())
    bad.gap[1, 0] = np.inf  # float32 at 0
    bad.gap[3, 2] = np.nan  # float64 at 0
    bad = bad.rename(rate="1-b2").assign_attrs(settings=["1-b2"])
    axes = al.plots.gap(bad).axes[0]
    crosses = [
        np.asarray(line.get_xdata()).tolist()
        for line in axes.get_lines()
        if line.get_marker() == "x" and np.size(line.get_xdata())
    ]
    assert crosses == [[1e-3], [1e-3]], "a decade left of the least number"
    assert axes.get_xticklabels()[0].get_text() == "0"
    assert axes.get_xlabel() == "1 − β₂"
    assert "a to b, float32 is not finite at 1 − β₂ = 0" in str(axes.figure.get_label())


def test_the_number_that_is_asked_for_is_on_the_axis():
    data = comparisons().assign_coords(other=("comparison", np.array([1.0, 1.0, 2.0, 2.0])))
    data.attrs["settings"] = ["rate", "other"]
    axes = al.plots.gap(data, "other").axes[0]
    assert axes.get_xlabel() == "other"
    assert {x for line in lines(axes).values() for x in line[:, 0]} == {1.0, 2.0}
    with pytest.raises(NothingToDrawError, match="no third has several values"):
        al.plots.gap(data, "third")


def test_comparisons_that_lack_the_number_are_left_out_and_said_so():
    data = comparisons().assign_coords(b2=("comparison", [np.nan, np.nan, 0.9, 0.9]))
    data = data.assign_attrs(settings=["rate", "b2"])
    assert "nan" not in str(al.plots.errors(data).get_label())
    whole = data.assign_coords(rate=("comparison", [1e-2, 1e-4, 1e-3, np.nan]))
    figure = al.plots.gap(whole, setting="rate")
    assert not [name for name in lines(figure.axes[0]) if "nan" in name]
    assert str(figure.get_label()).endswith("; 1 comparison without rate left out.")
    with pytest.raises(NothingToDrawError, match="no b2 has several values"):
        al.plots.gap(data, setting="b2")
