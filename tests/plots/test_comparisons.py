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
            f"b, {row.dtype.item()}, jit, tree": row.right_median,
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
    figure = al.plots.errors(data)
    assert cells(figure.axes[0]) == {place: f"{value:.2g}" for place, value in expected(data).items()}
    assert unwritten(figure) == []


def test_cells_are_darker_the_greater_the_error_and_infinity_is_the_darkest():
    data = comparisons()
    (axes,) = al.plots.errors(data).axes
    (image,) = axes.images
    colors = image.to_rgba(np.asarray(image.get_array()))
    cells_drawn = [
        (float(text.get_text()), brightness(colors[place(text)][:3]), text.get_color()) for text in axes.texts
    ]
    by_value = sorted(cells_drawn, key=lambda cell: cell[0])
    shades = [lightness for _, lightness, _ in by_value]
    assert by_value[-1][0] == np.inf
    assert shades == sorted(shades, reverse=True)
    assert len({round(lightness, 3) for lightness in shades}) > 8
    assert all(abs(brightness(ink) - lightness) > 0.25 for _, lightness, ink in by_value), "words that can be read"


def lines(axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_xydata()) for line in axes.get_lines()}


def test_gaps_are_the_greatest_over_all_families_at_every_number():
    data = comparisons()
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


def test_the_number_that_is_asked_for_is_on_the_axis():
    data = comparisons().assign_coords(other=("comparison", np.array([1.0, 1.0, 2.0, 2.0])))
    data.attrs["settings"] = ["rate", "other"]
    axes = al.plots.gap(data, "other").axes[0]
    assert axes.get_xlabel() == "other"
    assert {x for line in lines(axes).values() for x in line[:, 0]} == {1.0, 2.0}
    with pytest.raises(NothingToDrawError, match="no third has several values"):
        al.plots.gap(data, "third")
